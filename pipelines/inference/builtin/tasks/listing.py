"""Adding a task to a varied list of them, and writing instances of a task."""

import re
from random import Random
from typing import NamedTuple

from ..faults import Faults
from ..instruct.answer import answer
from ..instruct.pose import instruction
from ..pose.author import Draft, written
from .kinds import NOUNS, classification, handiwork, labels_of, work_of

SEED = re.compile(r"^Seed (?:question|task)s? \d+:[ \t]*$", re.M)
ADD = re.compile(r"^Write one new task that belongs on the same list\b", re.M)
UNUSABLE = (
    "Draw a picture of {}.",
    "Write a program that lists {}.",
    "Describe the image of {} on the cover.",
    "Plot a graph of {} over the year.",
    "Open the file about {} and count its lines.",
    "- Also say something about {}",
    "«{}», in your own words",
    "Explain {}",
)
SUBJECTS = ("the harbour", "old trams", "wild bees", "the tides", "a village choir", "snow", "paper kites", "salt")


def read_add(prompt: str) -> tuple[str, ...] | None:
    """The tasks on the list, where one more is asked for."""
    found = ADD.search(prompt)
    if not found or not SEED.search(prompt):
        return None
    return tuple(piece.strip() for piece in SEED.split(prompt[: found.start()])[1:])


def add(listed: tuple[str, ...], given: str, *, rng: Random, faults: Faults) -> str:
    """A task between its tags: a classification, something to do with words, or to write about a subject."""
    if rng.random() < faults.task_unusable:
        text = rng.choice(UNUSABLE).format(rng.choice(SUBJECTS))
    else:
        text = _task(listed, rng=rng, faults=faults)
    return written(rng, Draft("", text, ""), tags=["question"], malformed=rng.random() < faults.malformed)


def _task(listed: tuple[str, ...], *, rng: Random, faults: Faults) -> str:
    kind = rng.choices(["labels", "words", "text"], [2, 3, 15])[0]
    if kind == "labels":
        return classification(rng)
    if kind == "words":
        return handiwork(rng)
    broken = rng.random() < faults.defective
    return instruction(rng, seeds=[rng.choice(listed)] if listed else [], broken=broken)[1]


# --- Instances ------------------------------------------------------------------------------------------------

EXAMPLES = re.compile(r"You write examples of (?:how a task is done well|a classification)\. The task:\s*\n\s*\n")
AFTER = re.compile(r"\n\s*\n(?:First decide whether the task needs an input|List for yourself the labels)\b")


class Wanted(NamedTuple):
    """Instances of a task; of a classification the label is to come first."""

    task: str
    label_first: bool


def read_instances(prompt: str) -> Wanted | None:
    """The task of which instances are asked for."""
    found = EXAMPLES.match(prompt.lstrip())
    if not found or "<instance>" not in prompt:
        return None
    task = AFTER.split(prompt.lstrip()[found.end() :])[0].strip()
    return Wanted(task, "a classification" in found[0])


def instances(wanted: Wanted, given: str, *, rng: Random, faults: Faults) -> str:
    """Up to five instances: one for each label, some lists of words, or the one answer to a task without an input."""
    made = _made(wanted.task, rng)
    if rng.random() < faults.instance_bad:
        made = _spoilt(rng, made)
    blocks = [
        _block(each, label_first=wanted.label_first, malformed=rng.random() < faults.malformed) for each in made
    ]
    return "\n".join(blocks)


def _made(task: str, rng: Random) -> list[tuple[str, str]]:
    if labels := labels_of(task):
        return [(rng.choice(inputs), label) for label, inputs in labels.inputs.items()]
    if known := work_of(task):
        work, noun = known
        lists = [rng.sample(NOUNS[noun].split(), rng.randint(3, 6)) for _ in range(rng.randint(2, 5))]
        return [(", ".join(words), work.done(words)) for words in lists]
    return [("none", answer(task, rng=rng))]


def _spoilt(rng: Random, made: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """One of the ways in which instances cannot be used."""
    (asked, said), rest = made[0], made[1:]
    return rng.choice(
        [
            [(asked, ""), *rest],
            [(said, said), *rest],
            [(asked, "The answer is:"), *rest],
            [(asked, said), (asked, f"{said}, or so"), *rest],
        ]
    )


def _block(each: tuple[str, str], *, label_first: bool, malformed: bool) -> str:
    asked, said = (f"<{tag}>\n{text}\n</{tag}>" for tag, text in zip(("input", "output"), each, strict=True))
    inside = [said, asked] if label_first else [asked, said]
    return "\n".join(["<instance>", *inside, *([] if malformed else ["</instance>"])])
