r"""Answers of several values: lists, tuples, sets, intervals, matrices, systems of equations. In normal notation.

`compare` walks down two answers while both are of several values; `leaf` compares the single ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain

from filters.verifiers.math.arithmetic import same_formula
from filters.verifiers.math.formulas import parsed
from filters.verifiers.math.names import NAME, TUPLE_OF_NAMES, name_stripped, without_name
from filters.verifiers.math.notation import MAX_DEPTH, closes_at_end, depths, split, unescaped
from filters.verifiers.math.quantities import quantity
from filters.verifiers.math.regions import Region, region, same_region
from filters.verifiers.math.values import COMMA, PROSE, meaning
from filters.verifiers.math.verdicts import UNDECIDED, Comparison, Verdict, all_of, any_of

MAX_LEVELS = 3  # of lists in lists; deeper ones cannot be told

_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_PM = re.compile(r"\\pm(?![A-Za-z]) ?")


@dataclass(frozen=True, slots=True)
class _Members:
    brackets: str  # "()", "(]", "[)", "[]", "{}", or "" for a bare list
    parts: tuple[str, ...]

    @property
    def alone(self) -> bool:
        return not self.brackets and len(self.parts) == 1

    @property
    def ordered(self) -> bool:
        return self.brackets not in ("", "{}")


@lru_cache(maxsize=4_096)
def _members(text: str) -> _Members:
    """The outermost list of an answer in normal notation; a single value is a bare list of one."""
    inner = unescaped(text)
    if not inner or max(depths(inner)) > MAX_DEPTH:
        return _Members("", (text,))
    while inner[0] in "([⦃{" and inner[-1] in ")]⦄}" and len(inner) > 2 and closes_at_end(inner):
        brackets, parts = inner[0] + inner[-1], split(inner[1:-1])
        if (brackets == "⦃⦄" or len(parts) > 1) and "{" not in brackets and "}" not in brackets:
            return _Members(brackets.replace("⦃⦄", "{}"), _both_signs(parts))
        if brackets not in ("()", "{}") or not parts:
            break
        inner = inner[1:-1].strip()
    bare = _THOUSANDS.sub(lambda number: number[0].replace(",", ""), inner)
    return _Members("", _both_signs(split(bare)) or (text,))


def _both_signs(parts: tuple[str, ...]) -> tuple[str, ...]:
    r"""Write 1 \pm x as its two values."""
    values: list[str] = []
    for part in parts:
        both = len(_PM.findall(part)) == 1 and r"\mp" not in part
        values += [_PM.sub(sign, part).removeprefix("+") for sign in "+-"] if both else [part]
    return tuple(values)


def compare(a: str, b: str, leaf: Comparison, levels: int = MAX_LEVELS) -> bool | None:
    """Walk down two answers in normal notation while both are lists; `leaf` compares what they hold."""
    below = partial(compare, leaf=leaf, levels=levels - 1)
    for special in (_compare_families, _compare_matrices, _compare_regions, _compare_assignments):
        if levels and (verdict := special(a, b, below)) is not UNDECIDED:
            return verdict
    a, b = without_name(a, b)
    left, right = _members(a), _members(b)
    if left.alone and right.alone:
        return leaf(left.parts[0], right.parts[0])
    if left.alone or right.alone:
        return _compare_one_with_list(left, right, below, leaf(a, b) if _might_be_one(a, b) else False)
    if levels == 0:
        return None
    return (_compare_in_order if left.ordered or right.ordered else _compare_as_sets)(left, right, below)


def _might_be_one(a: str, b: str) -> bool:
    """Whether a list and a single value may be the same: 1,25 is 1.25 where that is written; names have commas."""
    return any(COMMA.fullmatch(text) for text in (a, b)) or all(PROSE.search(text) for text in (a, b))


def _compare_one_with_list(left: _Members, right: _Members, below: Comparison, as_one: bool | None) -> bool | None:
    r"""A single value is the same as a set that holds nothing else, never as a longer list."""
    one, other = (left, right) if left.alone else (right, left)
    if other.brackets in ("{}", "[]") and len(other.parts) == 1:
        return below(one.parts[0], other.parts[0])
    return as_one


def _compare_in_order(left: _Members, right: _Members, same: Comparison) -> bool | None:
    """Compare where at least one side is a tuple or an interval."""
    if len(left.parts) != len(right.parts) or "{}" in (left.brackets, right.brackets):
        return False
    verdict = all_of(map(same, left.parts, right.parts))
    if left.brackets == right.brackets or verdict is not True:
        return verdict
    if not (left.ordered and right.ordered):  # "1, 2" beside (1, 2)
        return True
    return len(left.parts) > 2  # [1, 2, 3] is the list (1, 2, 3), but [1, 2] is not the interval (1, 2)


def _compare_as_sets(left: _Members, right: _Members, same: Comparison) -> bool | None:
    """Compare sets and bare lists: whether each member is found on the other side."""
    if left.brackets == right.brackets == "" and len(left.parts) != len(right.parts):
        return False
    found = (any_of(same(x, y) for y in right.parts) for x in left.parts)
    expected = (any_of(same(x, y) for x in left.parts) for y in right.parts)
    return all_of(chain(found, expected))


# --- Matrices, regions, assignments -------------------------------------------------------------------

_MATRIX = re.compile(
    r"(?P<before>[^&]*?)\\begin\{(?P<kind>[pbBvV]?matrix|smallmatrix|array)\}(?:\{[clr|]*\})?(?P<cells>.*)\\end\{(?P=kind)\}"
    r"(?P<after>.*)",
    re.DOTALL,
)
_PARAMETER = re.compile(
    r"(?P<body>.+?)[,(]?(?:\\text\{ ?(?:for|where|with)(?: all| any| some)?(?: integers?)? ?\}|where |for )?"
    r"(?P<name>[kmn])(?:\\in ?\\mathbb\{Z\}|\\text\{ ?is an(?:y)? integer\}| is an(?:y)? integer)\)?"
)
_SYSTEM = re.compile(r"\\begin\{(cases|aligned|align\*?|array)\}(?:\{[clr|]*\})?([^&]*)\\end\{\1\}", re.DOTALL)
_ROWS = re.compile(r"\\\\(?:\[[^\]]*\])?|\\cr(?![a-z])")


def system_as_list(text: str) -> str:
    """An answer with the rows of a system of equations as a list."""
    return _SYSTEM.sub(lambda found: _ROWS.sub(",", found[2]).strip(","), text) if r"\begin" in text else text


def _compare_matrices(a: str, b: str, same: Comparison) -> Verdict:
    """Cell by cell. A matrix of one row or column is also the tuple of its cells."""
    if "matrix" not in a + b and "array" not in a + b:
        return UNDECIDED
    (a, b), (left, right) = (pair := without_name(a, b)), tuple(map(_rows, pair))
    if left is None and right is None:
        return UNDECIDED
    if left is None or right is None:
        rows, other = (left, b) if left is not None else (right, a)
        return _compare_matrix_with_list(rows or (), _members(other), same)
    if [len(row) for row in left] != [len(row) for row in right]:
        return False
    return all_of(same(x, y) for x, y in zip(chain(*left), chain(*right), strict=True))


def _compare_families(a: str, b: str, _same: Comparison) -> Verdict:
    r"""Solutions with an integer parameter, "\frac{\pi}{2} + 2\pi k, k \in \mathbb{Z}": its letter does not matter.

    That they are different would take more than comparing formulas: \pi + k\pi and k\pi are the same solutions.
    """
    left, right = _PARAMETER.fullmatch(a), _PARAMETER.fullmatch(b)
    if not (left or right):
        return UNDECIDED
    x, y = (found["body"].rstrip(",( ") if found else text for found, text in ((left, a), (right, b)))
    if left and right and left["name"] != right["name"]:
        y = re.sub(rf"(?<![A-Za-z\\]){right['name']}(?![A-Za-z])", left["name"], y)
    p, q = (parsed(text.rpartition("=")[2]) for text in (x, y))
    return (same_formula(p, q) or None) if p and q else None


@lru_cache(maxsize=1_024)
def _rows(text: str) -> tuple[tuple[str, ...], ...] | None:
    """The cells of a matrix, times a factor that stands before it; None if this is no single matrix."""
    bare = text[1:-1] if text[:1] + text[-1:] in ("()", "[]") and text[1:].startswith(r"\begin{array}") else text
    found = _MATRIX.fullmatch(bare)
    if found is None or found["after"] or r"\begin" in found["cells"] or found["kind"][0] in "vV":
        return None
    factor = found["before"].removesuffix(r"\cdot ").strip()
    cells = [tuple(cell.strip() for cell in row.split("&")) for row in _ROWS.split(found["cells"]) if row.strip()]
    if factor in ("", "-"):
        return tuple(tuple(f"-({cell})" if factor else cell for cell in row) for row in cells)
    return tuple(tuple(f"({factor})*({cell})" for cell in row) for row in cells)


def _compare_matrix_with_list(rows: tuple[tuple[str, ...], ...], other: _Members, same: Comparison) -> bool | None:
    if other.brackets not in ("()", "[]"):
        return False if other.alone and quantity(other.parts[0]) else None
    vector = len(rows) == 1 or all(len(row) == 1 for row in rows)
    cells = list(chain(*rows))
    if vector and len(cells) == len(other.parts):
        return all_of(map(same, cells, other.parts))
    inner = [_members(part) for part in other.parts]
    if [len(row) for row in rows] != [len(each.parts) for each in inner]:
        return False
    return all_of(
        same(x, y) for row, each in zip(rows, inner, strict=True) for x, y in zip(row, each.parts, strict=True)
    )


def _compare_regions(a: str, b: str, same: Comparison) -> Verdict:
    r"""Intervals, their unions and inequalities, where one of two answers at least cannot be a pair of numbers."""
    left, right = region(a), region(b)
    if left is None or right is None:
        one, other = (left, b) if left else (right, a)
        clear = one and not one.plain and not _is_points(one)
        return False if clear and (quantity(name_stripped(other)) or meaning(other)) else UNDECIDED
    if left.plain and right.plain and not left.variable and not right.variable:
        return UNDECIDED
    return same_region(left, right, same)


def _is_points(region: Region) -> bool:
    return all(piece.low == piece.high and piece.low_closed for piece in region.pieces)


def _compare_assignments(a: str, b: str, same: Comparison) -> Verdict:
    """Values with names, "x = 1, y = 2" or "(x, y) = (1, 2)", against each other or a tuple in that order."""
    left, right = _assignments(a), _assignments(b)
    if not (left or right):
        return UNDECIDED
    if left and right:
        return left.keys() == right.keys() and all_of(same(left[name], right[name]) for name in left)
    named, other = (left, b) if left else (right, a)
    members = _members(other)
    if not named or len(members.parts) != len(named) or members.brackets == "{}":
        return False if not members.alone or quantity(other) else UNDECIDED
    return all_of(map(same, named.values(), members.parts))


@lru_cache(maxsize=1_024)
def _assignments(text: str) -> Mapping[str, str] | None:
    """Each of several different names with its value."""
    if "=" not in text:
        return None
    names, equals, values = text.partition("=")
    if re.fullmatch(TUPLE_OF_NAMES, names) and "=" not in values:
        keys, members = names[1:-1].split(","), _members(values)
        parts = members.parts if members.ordered else ()
        return dict(zip(keys, parts, strict=True)) if equals and len(keys) == len(parts) else None
    named = [NAME.fullmatch(part) for part in split(unescaped(text))]
    found = {each[1]: each[2] for each in named if each}
    return found if len(found) == len(named) > 1 else None
