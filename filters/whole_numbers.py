r"""The whole numbers of a question that stand by themselves, and how near each is to the plain words around it.

What is part of something else is left out: decimals, times, ranges and thousands ("3.5", "10:30", "3-5", "1,000"),
identifiers ("x2", "2x", "3rd"), indices and exponents, labels ("Step 2", "1. "), coordinates. After the rules by
which R-Horizon (arXiv 2510.08189) finds the number of a problem that another problem's answer can stand for.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

MAX_QUESTION = 20_000  # characters of a question that is looked at
MAX_DIGITS = 12


class Number(NamedTuple):
    """A number from 1 on, as it stands at `text[start:stop]`."""

    value: int
    start: int
    stop: int
    in_math: bool  # in LaTeX, as between dollar signs
    independent: bool  # in no function's argument, no fraction and no power


_TOKEN = re.compile(r"[(){}]|(?<![0-9])[0-9]+")
_BEFORE = re.compile(r"(?:[\w\\^_#\u2212-]|[0-9][.,:]|(?<![0-9a-z])\.)\Z", re.IGNORECASE)
_AFTER = re.compile(r"\w|[.,:][0-9]|[-\u2013\u2212][0-9]")
_LABEL = re.compile(
    r"(?:\b(?:problem|question|exercise|example|figure|fig\.|table|step|case|part|section|chapter|equation|no\.|item)"
    r"\s|(?:\A|\n)[ \t]*\(?)\Z",
    re.IGNORECASE,
)
_OF_LIST = re.compile(r"[.)]\s")
_COORDINATES = re.compile(r"\(\s*-?[0-9]+(?:\s*,\s*-?[0-9]+)+\s*\)")
_MATH = re.compile(r"\$\$[^$]*\$\$|\$[^$\n]+\$(?![0-9])|\\\([^\n]*?\\\)|\\\[.*?\\\]", re.DOTALL)
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}\s+[A-Za-z]{2,}")
LOOKED_BACK = 16  # characters before a number that tell whether it is a label


def numbers_in(text: str) -> list[Number]:
    """The numbers in their order; none where the text is too long."""
    return list(_numbers(text)) if len(text) <= MAX_QUESTION else []


def by_priority(numbers: list[Number]) -> list[Number]:
    """Those that stand free before those in functions, and of both those outside of LaTeX first."""
    return sorted(numbers, key=lambda each: (not each.independent, each.in_math, each.start))


def said_once(numbers: list[Number], text: str) -> list[Number]:
    """Those whose value the text does not tell a second time: else what replaces one could be read off."""
    digits = re.findall(r"[0-9]+", text)
    return [each for each in numbers if digits.count(str(each.value)) == 1]


def _numbers(text: str) -> Iterator[Number]:
    opened: list[str] = []  # what stands before each open bracket
    formulas, points = _formulas(text), _Spans(_COORDINATES, text)
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "(" | "{":
                opened.append(text[: token.start()][-1:])
            case ")" | "}":
                opened[-1:] = []
            case digits if not points.hold(token.start()) and _stands_alone(text, token, digits):
                if "^" not in opened and "_" not in opened:
                    free = not any(before.isalnum() or before in ("}", "\\") for before in opened if before)
                    free = free and not _is_bound(text, token)
                    yield Number(int(digits), *token.span(), formulas.hold(token.start()), free)


def _stands_alone(text: str, token: re.Match[str], digits: str) -> bool:
    before = text[max(0, token.start() - LOOKED_BACK) : token.start()]
    if digits.startswith("0") or len(digits) > MAX_DIGITS:
        return False
    if _BEFORE.search(before) or _AFTER.match(text, token.end()):
        return False
    label = _LABEL.search(before)
    return label is None or (label[0].strip() in ("", "(") and not _OF_LIST.match(text, token.end()))


def _is_bound(text: str, token: re.Match[str]) -> bool:
    """Whether it is part of a fraction, a power or a factorial."""
    return text[: token.start()][-1:] == "/" or text[token.end() : token.end() + 1] in ("/", "^", "!", "_")


class _Spans:
    """Where something stands in a text, without overlaps."""

    def __init__(self, pattern: re.Pattern[str], text: str, *, but: re.Pattern[str] | None = None) -> None:
        found = [each for each in pattern.finditer(text) if but is None or not but.search(each[0])]
        self._starts = [each.start() for each in found]
        self._ends = [each.end() for each in found]

    def hold(self, place: int) -> bool:
        at = bisect_right(self._starts, place) - 1
        return at >= 0 and place < self._ends[at]


def _formulas(text: str) -> _Spans:
    """LaTeX; two prices with words between them are none."""
    return _Spans(_MATH, text, but=_PROSE)
