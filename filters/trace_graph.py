"""Steps and branches of a trace, and the fraction of steps that lie in abandoned branches.

The Failed-Step Fraction goes with wrong answers better than length or the share of review does ("What Characterizes
Effective Reasoning?", arXiv 2509.19284). There a model draws the graph; here words do. A step that says "let me try",
"suppose" or "alternatively" opens a branch, one that says "that doesn't work" abandons the innermost, "start over"
all of them. A step on which something kept depends is not abandoned. What a trace gives up without a word, this does
not see.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import inf
from typing import Any, NamedTuple

from filters.rule import Case, Check, Ruling
from filters.trace import measured, steps

SHOWN = 50  # numbers of abandoned steps in the evidence


class Step(NamedTuple):
    """A step, the number of the one that it goes on from (None: the first), and whether its branch was given up."""

    text: str
    parent: int | None
    abandoned: bool


def failed_steps(case: Case, check: Check, *, at_least: float = 0.0, at_most: float = inf) -> Iterator[Ruling]:
    """Pass each attempt of whose trace at most such a fraction of steps was abandoned; the score is the fraction.

    To choose among several attempts at one problem, take the lowest.
    """
    return measured(case, _failed_steps, at_least, at_most, "failed steps")


def _failed_steps(text: str) -> tuple[float, dict[str, Any]]:
    found = graph(text)
    abandoned = [number for number, step in enumerate(found) if step.abandoned]
    return failed_step_fraction(found), {"steps": len(found), "abandoned": abandoned[:SHOWN]}


def failed_step_fraction(graph: Sequence[Step]) -> float:
    """How many of the steps were abandoned, of all; 0 when there are none."""
    return sum(step.abandoned for step in graph) / max(1, len(graph))


def cleaned(text: str) -> str:
    """The trace without its abandoned steps; its last answer, and all that a kept step depends on, stay."""
    return "\n\n".join(step.text for step in graph(text) if not step.abandoned)


# --- From words to branches -----------------------------------------------------------------------------------


def _cues(*phrases: str) -> str:
    return rf"\b(?:{'|'.join(phrases)})\b"


# In this order: of two that begin at the same place the first counts.
_EVENTS = {
    "proves": _cues(
        r"contradict(?:ion|s|ing)(?: [\w'-]{1,20}){0,5},? (?:so|hence|therefore|thus|which proves)",
        r"contradiction,? as (?:desired|claimed)",
        r"contradiction,? as wanted",
    ),
    "fails all": _cues(r"start(?:ing)? over", r"(?:from|back to) (?:scratch|the (?:start|beginning))"),
    "fails": _cues(
        r"(?:that|this|it|which) (?:doesn't|does not|didn't|won't|can't|cannot) (?:\w{1,12} )?(?:work|hold|help|fit)",
        r"(?:that|this|it)(?:'s| is| was| must be) (?:\w{1,12} )?(?:wrong|incorrect|impossible|not right|an error)",
        r"(?:that|this|it)(?:'s| is) a (?:mistake|dead end)",
        r"contradict(?:s|ion|ing)",
        r"dead end",
        r"scratch that",
        r"i made (?:a mistake|an error)",
        r"(?:this|that) (?:approach |attempt |idea )?fails",
        r"let me go back",
        r"(?:leads|getting|goes) nowhere",
        r"(?<!not )too (?:messy|complicated)",
    ),
    "turns": _cues(r"alternatively", r"another (?:way|approach|method|idea)", r"instead,"),
    "opens": _cues(
        r"(?:let(?:'s| me| us)|i(?:'ll| will| can)?|we(?:'ll| can)?|now|first|to) try(?:ing)?",
        r"(?<![a-z,] )try(?:ing)?",
        r"suppose",
        r"assume",
        r"what if",
        r"one (?:idea|way) is",
    ),
    "holds": _cues(
        r"(?:that|this|it|which) (?:works|holds|fits|checks out)",
        r"(?:that|this|it)(?:'s| is) (?:correct|right|consistent|valid)",
        r"perfect",
    ),
}
_EVENT = re.compile(
    "|".join(f"(?P<{name.replace(' ', '_')}>{cues})" for name, cues in _EVENTS.items()), re.IGNORECASE
)
_ANSWERS = re.compile(r"\\f?box(?:ed)?\s?\{|\bfinal answer\b|\banswer is\b|^####", re.IGNORECASE | re.MULTILINE)


def graph(text: str) -> list[Step]:
    """The steps of a trace, each with its parent and whether it was abandoned. Linear in the length of the text."""
    texts = steps(text)
    parents, failed = _branches(texts)
    failed -= _needed(texts, failed)
    return [Step(each, parents[number], number in failed) for number, each in enumerate(texts)]


class _Walk:
    """A way through the steps: the branches that are open, by their first steps, and the ranges that failed."""

    def __init__(self) -> None:
        self.parents: list[int | None] = []
        self.failed: list[range] = []
        self.opened: list[int] = []  # the innermost last
        self.tip: int | None = None  # the step that the next one goes on from

    def opens(self, number: int) -> None:
        if not self.opened or self.opened[-1] != number:
            self.opened.append(number)

    def closes(self) -> None:
        if self.opened:
            self.opened.pop()

    def fails(self, number: int, first: int, last: int) -> None:
        """All from `first` to `last` was in vain; what comes next goes on from before."""
        self.failed.append(range(first, last + 1))
        while self.opened and self.opened[-1] >= first:
            self.opened.pop()
        before = self.parents[first]
        if last < number:
            self.parents[number] = before
        else:
            self.tip = before

    def has_failed(self, number: int) -> bool:
        return bool(self.failed) and number in self.failed[-1]


def _branches(texts: Sequence[str]) -> tuple[list[int | None], set[int]]:
    """The parent of each step, and the numbers of the steps in branches that failed.

    The step which says that a branch failed belongs to it, unless the same step goes on to open another.
    """
    walk = _Walk()
    last_answer = max((number for number, each in enumerate(texts) if _ANSWERS.search(each)), default=None)
    for number, each in enumerate(texts):
        walk.parents.append(walk.tip)
        walk.tip = number
        if number == last_answer:
            walk.opened.clear()
            continue
        events = [str(found.lastgroup) for found in _EVENT.finditer(each)]
        last_opening = max((place for place, event in enumerate(events) if event in ("opens", "turns")), default=-1)
        for place, event in enumerate(events):
            _take(walk, event, number, goes_on=place < last_opening)
    return walk.parents, _covered(walk.failed, len(texts)) - {last_answer}


def _take(walk: _Walk, event: str, number: int, *, goes_on: bool) -> None:
    match event:
        case "opens":
            walk.opens(number)
        case "turns":
            walk.closes()  # it was left, but never said to fail
            walk.opens(number)
        case "holds" | "proves":
            walk.closes()
        case "fails" | "fails_all" if not walk.has_failed(number):
            # With no branch open, what fails is the step before.
            first = (
                (walk.opened[0] if event == "fails_all" else walk.opened[-1]) if walk.opened else max(0, number - 1)
            )
            walk.fails(number, first, number - 1 if goes_on and first < number else number)


def _covered(ranges: Sequence[range], size: int) -> set[int]:
    """The numbers below `size` that lie in any of the ranges, in linear time however they overlap."""
    begins, ends = Counter(each.start for each in ranges), Counter(each.stop for each in ranges)
    depth = list(accumulate(begins[number] - ends[number] for number in range(size)))
    return {number for number in range(size) if depth[number]}


# --- What kept steps depend on --------------------------------------------------------------------------------

_NAME = r"[B-HJ-Zb-hj-z](?:_\{?\w\}?)?"  # a and I are words
# Not by "x = 3" alone, which is how trials read.
_DEFINED = re.compile(rf"\b(?i:let|set|denote|define|call)\s(?:\$|\\\()?({_NAME})(?!\w)")
_USED = re.compile(rf"(?<![A-Za-z\\'])({_NAME})(?!\w)")


def _needed(texts: Sequence[str], failed: set[int]) -> set[int]:
    """The failed steps that give meaning to a name which a kept step uses, and no kept step before it defines."""
    defined = [set(_DEFINED.findall(each)) for each in texts]
    at: dict[str, list[int]] = defaultdict(list)
    for number, names in enumerate(defined):
        for name in names:
            at[name].append(number)
    kept_since = {name: next((n for n in numbers if n not in failed), len(texts)) for name, numbers in at.items()}
    needed, asking = set[int](), [number for number in range(len(texts)) if number not in failed]
    while asking:
        number = asking.pop()
        for name in set(_USED.findall(texts[number])) - defined[number]:
            before = bisect_left(at.get(name, []), number)
            if before and kept_since[name] > number and (source := at[name][before - 1]) not in needed:
                needed.add(source)
                asking.append(source)
    return needed
