"""Notes on a problem or on a trace: its level, its strategies, its first wrong step, its domain, how wordy it is."""

import re
from random import Random

from ..faults import Faults
from ..instruct.categories import category_of
from ..pose.families import recognised
from ..solve import hardness, solve, truth
from ..solve.work import STEP
from .request import Asked, asked, shown
from .worth import BOX, wrong_step

SIGNS = {
    "verification": r"\b(?:check|verif|does that make sense)",
    "backtracking": r"\b(?:wait|hold on|that is wrong|go back)",
    "subgoals": r"\b(?:first,? (?:i|let|we)|the first part|two parts|what is to be found first)",
    "exploration": r"\b(?:another way|alternatively|other approach)",
    "backward chaining": r"\b(?:work backwards|what is wanted)",
    "case analysis": r"\b(?:case 1|cases|either .* or)",
    "supposition": r"\b(?:suppose|assume)",
    "examples": r"\b(?:for example|small case|try .* for)",
    "recall": r"\b(?:recall|known formula|i remember)",
    "estimation": r"\b(?:roughly|estimate|about the size|in the range)",
    "abstraction": r"\b(?:let .* be|in general|symmetr)",
    "summary": r"\b(?:so far|to sum up|in summary)",
}
NOTED = ({"level"}, {"strategies"}, {"step"}, {"domain", "topic"}, {"verbosity"})


def read(prompt: str) -> Asked | None:
    """A request for such a note."""
    request = asked(prompt)
    if request is None or set(request.parts) not in ({"task"}, {"task", "trace"}):
        return None
    return request if set(request.tags) - {"reason"} in NOTED else None


def reply(request: Asked, given: str, *, rng: Random, faults: Faults) -> str:
    """A reason and the note."""
    slips = rng.random() < faults.misjudge
    [kind, *_] = [tag for tag in request.tags if tag != "reason"]
    said = NOTES[kind](request, rng, slips)
    text = shown({tag: said[tag] for tag in request.tags})
    return text.rpartition("</")[0].rstrip() if rng.random() < faults.malformed else text


def level(request: Asked, rng: Random, slips: bool) -> dict[str, str]:
    """By how many steps the engine takes, and how easily it goes wrong."""
    task = request.parts["task"]
    steps = len(STEP.findall(solve(task, rng=Random(0), slip=0).text)) if truth(task) else len(task.split()) // 25
    found = 1 + steps // 2 + round(min(4.0, hardness(task) / 3)) + (rng.choice((-2, 2)) if slips else 0)
    return {"reason": f"It takes about {steps} steps.", "level": str(min(10, max(1, found)))}


def strategies(request: Asked, rng: Random, slips: bool) -> dict[str, str]:
    """Those whose signs stand in the trace; a slip misses one, or sees one that is not there."""
    told = request.parts.get("trace", "").lower()
    found = [name for name, signs in SIGNS.items() if re.search(signs, told)]
    if slips and found:
        found.remove(rng.choice(found))
    elif slips:
        found = [rng.choice(list(SIGNS))]
    return {"reason": f"I see signs of {len(found)} of them.", "strategies": ", ".join(found)}


def step(request: Asked, rng: Random, slips: bool) -> dict[str, str]:
    """The first line that differs from the engine's own; the last one, where only the answer is wrong."""
    task, lines = request.parts["task"], request.parts.get("trace", "").splitlines()
    places = [re.sub(r"^\[\d+\] ", "", line) for line in lines]
    wrong = wrong_step(task, places)
    boxes, right = BOX.findall(request.parts.get("trace", "")), truth(task)
    if wrong is None and boxes and right is not None and boxes[-1].strip().lower() != right.lower():
        wrong = len(places) - 1
    if slips:
        wrong = None if wrong is not None else rng.randrange(max(1, len(places)))
    number = "none" if wrong is None else number_of(lines, wrong)
    return {"reason": "I worked it out beside the trace.", "step": number}


def number_of(lines: list[str], index: int) -> str:
    """The number that stands before a line, or before the nearest one above it that has one."""
    numbers = [found[1] for line in lines[: index + 1] if (found := re.match(r"\[(\d+)\] ", line))]
    return numbers[-1] if numbers else "1"


FIELDS = {
    "logic": "logic",
    "word problems": "mathematics",
    "number": "mathematics",
    "Technical": "computer science",
    "Writing": "language and arts",
    "Creative": "language and arts",
    "Business": "economics",
}
"""What kinds of problems and instructions belong to, by a part of their names."""


def domain(request: Asked, rng: Random, slips: bool) -> dict[str, str]:
    """One of the domains that the prompt lists, by the kind of problem it looks like."""
    task = request.parts["task"]
    listed = re.findall(r"^- (.+)$", request.prompt, re.M) or ["other"]
    family, category = recognised(task), category_of(task)
    kind = family.domain if family else category.name if category else "word problems" if truth(task) else ""
    field = next((field for part, field in FIELDS.items() if part in kind), listed[-1])
    topic = family.about if family else " ".join(task.split()[:4])
    return {"reason": "So it looks to me.", "domain": rng.choice(listed) if slips else field, "topic": topic}


def verbosity(request: Asked, rng: Random, slips: bool) -> dict[str, str]:
    """By the words of the trace, 40 words a point."""
    found = len(request.parts.get("trace", "").split()) // 40 + (rng.choice((-2, 2)) if slips else 0)
    return {"reason": "I counted its words.", "verbosity": str(min(10, max(0, found)))}


NOTES = {"level": level, "strategies": strategies, "step": step, "domain": domain, "verbosity": verbosity}
