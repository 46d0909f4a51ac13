"""Verdicts with three values, True, False and None for "cannot tell", and how they are joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum

Comparison = Callable[[str, str], bool | None]


class NotOfThisKind(Enum):
    """What a comparison of one kind of answer says of answers of another kind."""

    UNDECIDED = "these are no answers of this kind"


UNDECIDED = NotOfThisKind.UNDECIDED
Verdict = bool | None | NotOfThisKind


def all_of(verdicts: Iterable[bool | None]) -> bool | None:
    """False if one is, else None if one is, else True."""
    seen = set()
    for verdict in verdicts:
        if verdict is False:
            return False
        seen.add(verdict)
    return None if None in seen else True


def any_of(verdicts: Iterable[bool | None]) -> bool | None:
    """True if one is, else None if one is, else False."""
    opposite = all_of(None if verdict is None else not verdict for verdict in verdicts)
    return None if opposite is None else not opposite
