"""Two texts line by line beside each other, for a person to see where they part."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Literal, NamedTuple

Change = Literal["same", "changed", "left", "right"]

MOST_LINES = 2000  # of each text: comparing takes the square of it
MOST_CHARS = 2000  # of a line that is compared word by word


class Line(NamedTuple):
    """A line of one text beside one of the other; `left` and `right` have what only one of the two holds."""

    left: str | None
    right: str | None
    change: Change


class Span(NamedTuple):
    """A part of a line, and whether the other line has it too."""

    text: str
    is_shared: bool


def side_by_side(left: str, right: str) -> list[Line]:
    """The lines of two texts, matched by the longest runs that they share; what is beyond 2,000 lines is left out."""
    ours, theirs = left.split("\n")[:MOST_LINES], right.split("\n")[:MOST_LINES]
    found: list[Line] = []
    for change, a, b, c, d in SequenceMatcher(None, ours, theirs).get_opcodes():
        for one, other in zip_longest(ours[a:b], theirs[c:d]):
            found.append(Line(one, other, "same" if change == "equal" else _change(one, other)))
    return found


def _change(left: str | None, right: str | None) -> Change:
    if left is None:
        return "right"
    return "left" if right is None else "changed"


def words_apart(left: str, right: str) -> tuple[list[Span], list[Span]]:
    """Two lines that differ, each in spans of words; very long ones as one span."""
    if max(len(left), len(right)) > MOST_CHARS:
        return [Span(left, False)], [Span(right, False)]
    ours, theirs = list(_words(left)), list(_words(right))
    spans: tuple[list[Span], list[Span]] = ([], [])
    for change, a, b, c, d in SequenceMatcher(None, ours, theirs).get_opcodes():
        for side, part in zip(spans, ("".join(ours[a:b]), "".join(theirs[c:d])), strict=True):
            if part:
                side.append(Span(part, change == "equal"))
    return spans


def _words(line: str) -> Iterator[str]:
    """Words, and what is between them, so that together they are the line again."""
    start, was_space = 0, None
    for place, char in enumerate(line):
        if was_space is not None and char.isspace() != was_space:
            yield line[start:place]
            start = place
        was_space = char.isspace()
    if line:
        yield line[start:]
