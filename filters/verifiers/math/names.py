r"""Answers with the name of what they answer: "x = 5", "f(x) = 2x", "x \in [0, 1]". In normal notation."""

from __future__ import annotations

import re
from functools import lru_cache

from filters.verifiers.math.notation import split, unescaped

_BELOW = r"_(?:\w|\{\\?\w+\})"
NAMED = (
    rf"[A-Za-z](?:{_BELOW})?(?:'|\^\{{-1\}})?(?:\([^()=]{{1,12}}\))?|\\[a-zA-Z]+(?:{_BELOW})?"
    r"|\\frac\{d[a-z]\}\{d[a-z]\}|\\text\{[A-Za-z ]+\}"
)
_ONE_OF_TUPLE = r"(?:[A-Za-z](?:_\w)?|\\[a-z]+)"
TUPLE_OF_NAMES = rf"\({_ONE_OF_TUPLE}(?:,{_ONE_OF_TUPLE})+\)"
_NAME_BEFORE = rf"{NAMED}|{TUPLE_OF_NAMES}"
NAME = re.compile(rf"({_NAME_BEFORE})(?:=|\\in(?![A-Za-z]) ?|\\approx ?)([^=]+)")


def without_name(a: str, b: str) -> tuple[str, str]:
    """Drop the "x =" that only one side writes, or both."""
    left, right = name_and_value(a), name_and_value(b)
    if left and right:
        same = _without_argument(left[0]) == _without_argument(right[0]) or (
            "\\" in left[0] + right[0] and left[0].strip("\\") == right[0].strip("\\")
        )
        return (left[1], right[1]) if same else (a, b)
    if left or right:
        one, other = (left, b) if left else (right, a)
        if (one and is_equation(other)) or (one and not _answers_alone(one, other)):
            return a, b
    return (left[1] if left else a), (right[1] if right else b)


def _without_argument(name: str) -> str:
    """y(x) is y."""
    return re.sub(r"\([a-z]\)$", "", name)


@lru_cache(maxsize=4_096)
def name_and_value(text: str) -> tuple[str, str] | None:
    r"""The name and the value of "x = 5", "5 = x", "f(x) = x^2", "x \in [0, 1]", "x = 1/2 = 0.5"."""
    if "=" not in text:
        found = NAME.fullmatch(text)
        return (found[1], found[2].strip()) if found else None
    sides = split(unescaped(text), "=")
    if len(sides) < 2 or (len(sides) > 2 and re.search(r"[,;<>]", text)):
        return None
    if re.fullmatch(_NAME_BEFORE, sides[0]):
        return sides[0], sides[-1]
    after = len(sides) == 2 and re.fullmatch(NAMED, sides[1]) and not re.search(r"[A-Za-z]", sides[0])
    return (sides[1], sides[0]) if after else None


def _answers_alone(named: tuple[str, str], other: str) -> bool:
    """Whether a value may stand for "name = value": not when it speaks of that variable itself."""
    return len(named[0]) > 1 or not re.search(rf"(?<![A-Za-z\\]){re.escape(named[0])}(?![A-Za-z])", other)


def is_equation(text: str) -> bool:
    return "=" in text or any(mark in text for mark in ("<", ">", r"\leq", r"\geq", r"\neq"))


def name_stripped(text: str) -> str:
    """The value of an answer that has a name, else the answer."""
    named = name_and_value(text)
    return named[1] if named else text
