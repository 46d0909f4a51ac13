"""Instances of a task: inputs with their outputs, as a model lists them, and which of them can be used.

By the filters of Self-Instruct (arXiv 2212.10560, section 2.2, and its code). Knows neither models nor records.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

NO_INPUT = frozenset(["", "none", "n/a", "no input", "(none)", "<noinput>"])

SHAPES = (
    "{instruction}\n\n{input}",
    "{instruction}\n\nInput: {input}",
    "{instruction}\nInput:\n{input}",
    "Task: {instruction}\n\n{input}",
    "Task: {instruction}\nInput: {input}",
    "{input}\n\n{instruction}",
)
"""Ways of putting a task with an input to somebody, so that a student depends on none of them."""


class Instance(NamedTuple):
    """An input, empty where the task needs none, and the output for it."""

    input: str
    output: str


def read_instances(reply: str) -> list[Instance]:
    """Those of a reply that are whole: one input and one output each, in whatever order. A cut one is not there."""
    return [instance for block in _between(reply, "instance") if (instance := _read(block)) is not None]


def _read(block: str) -> Instance | None:
    inputs, outputs = _between(block, "input"), _between(block, "output")
    if len(inputs) != 1 or len(outputs) != 1:
        return None
    said = inputs[0].strip()
    return Instance("" if said.lower().rstrip(".") in NO_INPUT else said, outputs[0].strip())


def _between(text: str, tag: str) -> list[str]:
    """What stands in each of these tags that is closed before another is opened; in linear time."""
    pieces = (piece.partition(f"</{tag}>") for piece in text.split(f"<{tag}>")[1:])
    return [inside for inside, closed, _ in pieces if closed]


class Chosen(NamedTuple):
    """The instances that can be used, and how many were dropped for which reason."""

    kept: list[Instance]
    dropped: Counter[str]


def choose(found: Sequence[Instance], *, at_most: int) -> Chosen:
    """The first so many that have an output, end, and are no copies; none of a set that contradicts itself.

    Of one input with two outputs nobody knows which is right, nor what the rest is worth: the whole set goes.
    """
    dropped = Counter[str]()
    sound: list[Instance] = []
    for each in found:
        if fault := next(_faults(each, sound), None):
            dropped[fault] += 1
        else:
            sound.append(each)
    outputs = defaultdict[str, set[str]](set)
    for each in sound:
        outputs[each.input].add(each.output)
    if any(len(several) > 1 for several in outputs.values()):
        dropped["one input with different outputs"] += len(sound)
        sound = []
    dropped["beyond the number asked for"] += len(sound[at_most:])
    return Chosen(sound[:at_most], +dropped)


def _faults(each: Instance, before: Sequence[Instance]) -> Iterator[str]:
    if not each.output:
        yield "no output"
    if each.input == each.output:
        yield "the output is the input"
    if each.input.endswith(":") or each.output.endswith(":"):
        yield "ends in a colon"
    if each in before:
        yield "a copy of another instance"
