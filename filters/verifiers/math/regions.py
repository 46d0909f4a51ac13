r"""Sets of real numbers: intervals, unions of them, inequalities, "all real numbers except 2".

A region is a list of pieces from left to right, none of which touches the next. An inequality is its region
when one side is a single variable: "x > 3", "-2 \leq x < 5", "|x| < 3", "x < 1 or x > 3" ("and" or a comma
between two inequalities is their intersection where they have one). Texts are in normal notation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cmp_to_key, lru_cache
from itertools import pairwise

from filters.verifiers.math.estimates import evaluated
from filters.verifiers.math.formulas import TooHard, parsed
from filters.verifiers.math.notation import closes_at_end, depths, escaped, split, unescaped
from filters.verifiers.math.verdicts import Comparison, all_of

MAX_PIECES = 24


@dataclass(frozen=True, slots=True)
class Piece:
    """An interval between two texts, None for infinity; a point is closed and has the same text twice."""

    low: str | None
    high: str | None
    low_closed: bool = False
    high_closed: bool = False


ALL = (Piece(None, None),)
Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Region:
    """`variable` is the one that the inequalities speak of; `plain` ones might as well be a pair of numbers."""

    pieces: Pieces
    variable: str | None = None
    plain: bool = False


_ALL_REALS = re.compile(
    r"(?:the set of )?all (?:the )?reals?(?: numbers?)?(?: ?[a-z])?|"
    r"(?:all|any) real (?:numbers?|values?)(?: of [a-z])?|"
    r"\\mathbb\{R\}|reals|real numbers|\(-\\infty,\+?\\infty\)"
)
_EXCEPT = re.compile(
    r"(.+?)(?:\\setminus ?|,? ?\\text\{ ?(?:except|except for|excluding) ?\}|,? (?:except|except for|excluding) )(.+)"
)
_VARIABLE = r"(?:[A-Za-z]|\\(?:theta|alpha|beta|lambda|mu))(?:_\w|_\{\w+\})?"
_IS_VARIABLE = re.compile(_VARIABLE)
_MEMBER = re.compile(rf"({_VARIABLE})\\in ?(.+)")
_BUILDER = re.compile(rf"⦃({_VARIABLE})(?:\\in ?\\mathbb\{{R\}})?(?:\||:|\\mid ?|\\vert ?)(.+)⦄")
_RELATION = re.compile(r"\\leq ?|\\geq ?|\\neq ?|<|>")
_MARKS = re.compile(r"\\leq|\\geq|\\neq|<|>|\\infty|\\cup|\\mathbb\{R\}|\\setminus|real|\\in(?![A-Za-z])")
_ABSOLUTE = re.compile(rf"(?:\||\\lvert ?)({_VARIABLE})(?:\||\\rvert ?)")
_FLIPPED = {"<": ">", ">": "<", r"\leq": r"\geq", r"\geq": r"\leq", r"\neq": r"\neq"}


@lru_cache(maxsize=1_024)
def region(text: str) -> Region | None:
    """The region that an answer describes; None if it describes none."""
    if not (_MARKS.search(text) or "," in text) or len(text) > 400:
        return None
    inner = unescaped(text)
    if built := _BUILDER.fullmatch(inner):
        inner = built[2]
    variable = None
    if member := _MEMBER.fullmatch(escaped(inner)):
        variable, inner = member[1], unescaped(member[2])
    found = _conditions(inner) or _union(inner)
    if found is None or len(found.pieces) > MAX_PIECES:
        return None
    return Region(found.pieces, found.variable or variable, found.plain)


def _union(inner: str) -> Region | None:
    if _ALL_REALS.fullmatch(_words(escaped(inner))):
        return Region(ALL)
    if excepted := _EXCEPT.fullmatch(escaped(inner)):
        whole, points = region(excepted[1]), re.sub(rf"^{_VARIABLE}=", "", excepted[2])
        return Region(_without(split(_unbraced(points)))) if whole and whole.pieces == ALL else None
    parts = _cut(inner, "\\cup")
    if len(parts) == 1 and ";" in inner:
        parts = split(inner, ";")
    pieces = [_piece(unescaped(part)) for part in parts]
    if not pieces or any(piece is None for piece in pieces):
        return None
    joined = [each for piece in pieces if piece for each in piece]
    return Region(_tidy(joined), plain=len(parts) == 1 and None not in (joined[0].low, joined[0].high))


def _words(text: str) -> str:
    return (
        re.sub(r"\s+", " ", re.sub(r"\\text\{([^{}]*)\}", r" \1 ", text))
        .strip(" .")
        .lower()
        .replace(r"\mathbb{r}", r"\mathbb{R}")
    )


def _unbraced(text: str) -> str:
    inner = unescaped(text)
    return inner[1:-1] if inner[:1] == "⦃" and inner[-1:] == "⦄" else inner


def _cut(inner: str, word: str) -> list[str]:
    """Cut at a command outside all brackets."""
    pieces, start = [], 0
    levels = list(depths(inner))
    for found in re.finditer(re.escape(word) + r"(?![A-Za-z]) ?", inner):
        if levels[found.start()] == 0:
            pieces.append(inner[start : found.start()])
            start = found.end()
    return [escaped(piece.strip()) for piece in [*pieces, inner[start:]]]


def _piece(inner: str) -> Pieces | None:
    """An interval, or a set of points."""
    if len(inner) < 3 or not closes_at_end(inner):
        return None
    parts = split(inner[1:-1])
    if inner[0] == "⦃" and inner[-1] == "⦄" and not any(_RELATION.search(part) for part in parts):
        return tuple(Piece(part, part, True, True) for part in parts)
    if inner[0] not in "([" or inner[-1] not in ")]" or len(parts) != 2:
        return None
    low, high = _end(parts[0]), _end(parts[1])
    return (Piece(low, high, inner[0] == "[" and low is not None, inner[-1] == "]" and high is not None),)


def _end(text: str) -> str | None:
    return None if text.lstrip("+-") in (r"\infty", "infinity", "oo", "inf") else text


def _without(points: tuple[str, ...]) -> Pieces:
    """The real numbers without these points."""
    ordered = _sorted([Piece(point, point, True, True) for point in points])
    ends = [None, *(piece.low for piece in ordered), None]
    return tuple(Piece(low, high) for low, high in pairwise(ends))


# --- Inequalities -------------------------------------------------------------------------------------


def _conditions(inner: str) -> Region | None:
    """One or several inequalities of one variable."""
    parts = split(inner)
    excluded = re.match(rf"{_VARIABLE}\\neq ?", parts[0]) if parts else None
    if excluded and not any(_RELATION.search(part) for part in parts[1:]):  # x is not 1, 2 or 3
        parts = (parts[0], *(excluded[0] + part for part in parts[1:]))
    found = [_inequality(part) for part in parts]
    if not found or any(each is None for each in found):
        return None
    variables = {each[0] for each in found if each}
    if len(variables) != 1:
        return None
    pieces = [each[1] for each in found if each]
    union = (";" in inner and not excluded) or r"\cup" in inner
    together = None if union else _intersection(pieces)
    return Region(together or _tidy([piece for each in pieces for piece in each]), variables.pop())


def _inequality(text: str) -> tuple[str, Pieces] | None:
    """The variable of an inequality, and its pieces."""
    sides, signs = _RELATION.split(text), [sign.strip() for sign in _RELATION.findall(text)]
    sides = [side.strip() for side in sides]
    if len(signs) == 1 and all(sides):
        return _one_sided(sides[0], signs[0], sides[1])
    if len(signs) != 2 or not all(sides) or not _IS_VARIABLE.fullmatch(sides[1]):
        return None
    if signs[0] in (">", r"\geq"):
        sides, signs = sides[::-1], [_FLIPPED[sign] for sign in reversed(signs)]
    if not set(signs) <= {"<", r"\leq"}:
        return None
    low, high = _end(sides[0]), _end(sides[2])
    closed = (signs[0] == r"\leq" and low is not None, signs[1] == r"\leq" and high is not None)
    return sides[1], (Piece(low, high, *closed),)


def _one_sided(left: str, sign: str, right: str) -> tuple[str, Pieces] | None:
    if _IS_VARIABLE.fullmatch(right) and not _IS_VARIABLE.fullmatch(left):
        left, sign, right = right, _FLIPPED[sign], left
    if bars := _ABSOLUTE.fullmatch(left):
        return bars[1], _about_zero(sign, right)
    if not _IS_VARIABLE.fullmatch(left):
        return None
    end = _end(right)
    match sign:
        case r"\neq":
            return left, _without((right,))
        case "<" | r"\leq":
            return left, (Piece(None, end, False, sign == r"\leq" and end is not None),)
    return left, (Piece(end, None, sign == r"\geq" and end is not None, False),)


def _about_zero(sign: str, bound: str) -> Pieces:
    """|x| < 3 lies between -3 and 3."""
    low, closed = f"-({bound})", sign in (r"\leq", r"\geq")
    if sign in ("<", r"\leq"):
        return (Piece(low, bound, closed, closed),)
    if sign == r"\neq":
        return _without((low, bound))
    return (Piece(None, low, False, closed), Piece(bound, None, closed, False))


def _intersection(regions: list[Pieces]) -> Pieces | None:
    """The part that single pieces have in common; None if that is empty or cannot be told."""
    if any(len(pieces) != 1 for pieces in regions):
        return _pierced(regions)
    lows = [pieces[0] for pieces in regions if pieces[0].low is not None]
    highs = [pieces[0] for pieces in regions if pieces[0].high is not None]
    if len(lows) > 1 or len(highs) > 1:
        return None
    low, high = (lows or [Piece(None, None)])[0], (highs or [Piece(None, None)])[0]
    if low.low is not None and high.high is not None and not _before(low.low, high.high):
        return None
    return (Piece(low.low, high.high, low.low_closed, high.high_closed),)


def _pierced(regions: list[Pieces]) -> Pieces | None:
    r"""Several x \neq a: all numbers but these points."""
    holes = [pieces for pieces in regions if len(pieces) == 2 and pieces[0].high == pieces[1].low]
    if len(holes) != len(regions) or any(hole[0].low or hole[1].high for hole in holes):
        return None
    return _without(tuple(hole[0].high for hole in holes if hole[0].high))


# --- Order --------------------------------------------------------------------------------------------


@lru_cache(maxsize=1_024)
def _number(text: str) -> float | None:
    tree = parsed(text)
    try:
        value = None if tree is None else evaluated(tree, {}, decimal=False).value
    except (TooHard, KeyError):
        return None
    return value.real if value is not None and value.imag == 0 else None


def _before(a: str, b: str) -> bool:
    x, y = _number(a), _number(b)
    return x is not None and y is not None and x < y


def _sorted(pieces: Iterable[Piece]) -> list[Piece]:
    """From left to right, as far as the ends are numbers."""

    def order(p: Piece, q: Piece) -> int:
        if p.low is None or q.low is None:
            return (p.low is not None) - (q.low is not None)
        return _before(q.low, p.low) - _before(p.low, q.low)

    return sorted(pieces, key=cmp_to_key(order))


def _tidy(pieces: Iterable[Piece]) -> Pieces:
    """Sorted, and joined where one ends in the number at which the next begins."""
    tidy: list[Piece] = []
    for piece in _sorted(pieces):
        last = tidy[-1] if tidy else None
        if last and _touch(last, piece):
            tidy[-1] = Piece(last.low, piece.high, last.low_closed, piece.high_closed)
        else:
            tidy.append(piece)
    return tuple(tidy)


def _touch(left: Piece, right: Piece) -> bool:
    if left.high is None or right.low is None or not (left.high_closed or right.low_closed):
        return False
    ends = _number(left.high), _number(right.low)
    return None not in ends and ends[0] == ends[1] and left.low != left.high


# --- Same? --------------------------------------------------------------------------------------------


def same_region(a: Region, b: Region, same: Comparison) -> bool | None:
    """Whether two regions are the same, their ends compared by `same`."""
    if a.variable and b.variable and a.variable != b.variable:
        return None
    if len(a.pieces) != len(b.pieces):
        return False
    return all_of(_same_piece(p, q, same) for p, q in zip(a.pieces, b.pieces, strict=True))


def _same_piece(p: Piece, q: Piece, same: Comparison) -> bool | None:
    if (p.low_closed, p.high_closed) != (q.low_closed, q.high_closed):
        return False
    return all_of([_same_end(p.low, q.low, same), _same_end(p.high, q.high, same)])


def _same_end(a: str | None, b: str | None, same: Comparison) -> bool | None:
    return same(a, b) if a is not None and b is not None else a is b
