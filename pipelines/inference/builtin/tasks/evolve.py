"""Making a task harder, or writing a rarer one of its field."""

import re
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from ..faults import Faults
from ..instruct.pose import instruction
from ..instruct.quality import key_words
from ..pose.author import Draft, written

HEAD = re.compile(
    r"This task is (?:to be rewritten|on the list already):\s*\n\s*\n(?:Seed (?:task|question) 1:\s*\n)?"
)
SIGNS = {
    "constrain": "Set one more condition or requirement",
    "deepen": "Where the task asks about something, have it ask for more depth",
    "concretise": "Put something particular in the place of something general",
    "reason": "Where the task could be answered in a step or two",
    "complicate": "Give the task some material of its own",
    "broaden": "Write one brand new task of the same field",
}


class Evolve(NamedTuple):
    """A task, and what is to be done with it: one of SIGNS."""

    task: str
    how: str


def read(prompt: str) -> Evolve | None:
    """The task and the operation, told by the sentence that follows the task."""
    head = HEAD.search(prompt)
    if not head:
        return None
    places = {how: prompt.rfind(f"\n{sign}", head.end()) for how, sign in SIGNS.items()}
    how = max(places, key=lambda each: places[each])
    return Evolve(prompt[head.end() : places[how]].strip(), how) if places[how] >= 0 else None


def evolve(asked: Evolve, given: str, *, rng: Random, faults: Faults) -> str:
    """The rewritten task between its tags, with at most one fault."""
    idle, leak, beyond = faults.evolve_idle, faults.evolve_leak, faults.evolve_beyond
    kinds = ["idle", "leak", "beyond", ""]
    fault = rng.choices(kinds, [idle, leak, beyond, max(0.0, 1 - idle - leak - beyond)])[0]
    made = OPERATIONS[asked.how](asked.task, rng)
    text = {"idle": _idle, "leak": _leak, "beyond": _beyond}[fault](asked.task, made, rng) if fault else made
    return written(rng, Draft("", text, ""), tags=["question"], malformed=rng.random() < faults.malformed)


# --- Operations -----------------------------------------------------------------------------------------------


def _constrain(task: str, rng: Random) -> str:
    limit = rng.choice(
        ["a quarter of an hour", "fifty euros", "one sheet of paper", "a single helper", "bad weather"]
    )
    demand = rng.choice(
        [
            f"Whatever you suggest has to work with {limit} and nothing else, and you must say how.",
            f"Assume that the reader has no more than {limit}, and leave out everything that would need more.",
            "Address it to somebody who has failed at this twice already and has little patience left.",
            "Avoid technical terms altogether, and put the two most important points at the very beginning.",
            "Do not mention any brand, and mark each claim of which you are not wholly certain.",
        ]
    )
    return f"{task} {demand}"


def _deepen(task: str, rng: Random) -> str:
    topic = _topic(task, rng)
    demand = rng.choice(
        [
            f"Explain as well what lies behind {topic}, and in which cases the usual advice fails.",
            f"Go into the long-term consequences for {topic}, those that most people overlook included.",
            f"Set out the strongest objection that somebody could raise about {topic}, and answer it fairly.",
            f"Discuss where {topic} came from, and how people elsewhere would see it differently.",
        ]
    )
    return f"{task} {demand}"


def _concretise(task: str, rng: Random) -> str:
    place = rng.choice(["a fishing village", "a suburb of Lyon", "an alpine hut", "a night school", "a former mill"])
    who = rng.choice(["a widowed clockmaker", "two sisters of nineteen", "a retired pilot", "a choir of thirty"])
    return f"{task} Take the particular case of {who} in {place}, and fit every detail to that."


def _reason(task: str, rng: Random) -> str:
    topic, count = _topic(task, rng), rng.choice(["three", "four"])
    demand = rng.choice(
        [
            f"Proceed in {count} steps, each of which uses what the one before told about {topic}, and show all.",
            f"Compare {count} alternatives for {topic} by reasons that you derive first, and justify your choice.",
            f"Estimate beforehand what could go wrong with {topic}, weigh it, and derive your answer from that.",
        ]
    )
    return f"{task} {demand}"


def _complicate(task: str, rng: Random) -> str:
    names = rng.sample(["north", "harbour", "mill", "chapel", "orchard", "bridge"], 3)
    table = "\n".join(f"{name} | {rng.randint(2, 40)} | {rng.randint(100, 900)}" for name in names)
    return f"{task} Make use of this table, whose last column is in euros:\n\nplace | visits | cost\n{table}"


def _broaden(task: str, rng: Random) -> str:
    return instruction(rng, seeds=[task], broken=False)[1]


OPERATIONS: dict[str, Callable[[str, Random], str]] = {
    "constrain": _constrain,
    "deepen": _deepen,
    "concretise": _concretise,
    "reason": _reason,
    "complicate": _complicate,
    "broaden": _broaden,
}


def _topic(task: str, rng: Random) -> str:
    return rng.choice(key_words(task) or ["this"])


# --- Faults ---------------------------------------------------------------------------------------------------


def _idle(task: str, made: str, rng: Random) -> str:
    """The task again, with words around it that demand nothing."""
    return rng.choice(["Please do this: {}", "{} Thank you.", "Here it is: {}", "{} Do it now."]).format(task)


def _leak(task: str, made: str, rng: Random) -> str:
    return rng.choice(
        [
            "{} It is harder than the given prompt.",
            "#Rewritten Prompt#: {}",
            "The rewritten task: {}",
            "{} (rewritten prompt)",
        ]
    ).format(made)


BEYOND = ("as it stands at this very minute", "on the live camera", "in my inbox of today")


def _beyond(task: str, made: str, rng: Random) -> str:
    return f"{task} Base every statement on what you can see {rng.choice(BEYOND)}."


def read_beyond(prompt: str) -> str | None:
    """A task that needs eyes or news, put by itself and not between other words."""
    wanted = next((each for each in BEYOND if f"what you can see {each}." in prompt), None)
    return None if "Reply in exactly this form" in prompt else wanted


def apologise(wanted: str, given: str, *, rng: Random, faults: Faults) -> str:
    """A few words that answer nothing."""
    return rng.choice(
        [f"I am sorry, but I can see nothing {wanted}.", "Sorry, that I cannot do.", "...", "I would, but no."]
    )
