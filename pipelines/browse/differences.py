"""Two texts side by side: which lines are the same, and which words differ in those that are not."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import NamedTuple

MOST = 60_000  # characters of each side: beyond it a comparison takes seconds

WORD = re.compile(r"\w+|\s+|[^\w\s]")


class Part(NamedTuple):
    """A run of words, and whether the other side has it at this place."""

    text: str
    is_same: bool


class Hunk(NamedTuple):
    """Lines that stand beside each other."""

    left: list[Part]
    right: list[Part]
    is_same: bool


def side_by_side(left: str, right: str) -> list[Hunk]:
    """Both texts in hunks; the texts of the left parts, joined, are `left`, and those of the right parts `right`."""
    above, below = left.splitlines(keepends=True), right.splitlines(keepends=True)
    hunks = []
    for op, a, b, c, d in SequenceMatcher(None, above, below).get_opcodes():
        ours, theirs = "".join(above[a:b]), "".join(below[c:d])
        if op == "equal":
            hunks.append(Hunk([Part(ours, True)], [Part(theirs, True)], True))
        else:
            hunks.append(Hunk(*_words(ours, theirs), False))
    return hunks


def _words(left: str, right: str) -> tuple[list[Part], list[Part]]:
    above, below = WORD.findall(left), WORD.findall(right)
    ours: list[Part] = []
    theirs: list[Part] = []
    for op, a, b, c, d in SequenceMatcher(None, above, below).get_opcodes():
        same = op == "equal"
        ours += [Part("".join(above[a:b]), same)] if b > a else []
        theirs += [Part("".join(below[c:d]), same)] if d > c else []
    return ours, theirs
