r"""Single values: whether two answers that are no lists are the same. Texts are in normal notation.

`same_value_quickly` tries one kind after another: numbers with units, words and phrases, times, dates, ratios,
residues, equations, formulas. `same_value` adds computer algebra, so only a process that can be killed calls it.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from itertools import chain

from filters.verifiers.math.algebra import same_by_algebra
from filters.verifiers.math.arithmetic import cleared, multiple, normal, same_formula
from filters.verifiers.math.estimates import evaluated
from filters.verifiers.math.formulas import TooHard, Tree, negative, parsed
from filters.verifiers.math.names import is_equation
from filters.verifiers.math.notation import flat, split, unescaped, words_of
from filters.verifiers.math.quantities import (
    DEGREE,
    PERCENT,
    Unit,
    number,
    quantity,
    same_quantity,
    same_with_units,
    without_unit,
)
from filters.verifiers.math.verdicts import UNDECIDED, Verdict, all_of, any_of

OPTION = re.compile(r"(?:\\text)?[({]*([A-E])[.)}]+ ?(?=[^)}])(.{2,}|\d)")
_WORD = re.compile(r"[A-Za-z]{3,}|no|[A-Za-z]", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:an?|the) ")
_NAME_OF_ONE = re.compile(r"[A-Za-z]{4,}|yes")  # and not a product of variables
_PHRASE = re.compile(r"(?=.*[A-Za-z]{3})[A-Za-z][A-Za-z'-]*(?:(?:,? |,)[A-Za-z][A-Za-z'-]*)*")
_NUMERAL = re.compile(
    r"\b(?:zero|ones?|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|\w+ty|\w*hundreds?|thousands?"
    r"|\w*illions?|half|halves|thirds?|quarters?|\w+ths?|dozens?|pairs?|once|twice|thrice|single|double|triple"
    r"|squared?|cubed?|root|sqrt|over|by|minus|plus|times|power|log|ln|pi|percent|[a-z])\b",
    re.IGNORECASE,
)
_TRUTH = {"yes": True, "true": True, "correct": True, "no": False, "false": False, "incorrect": False}
_CLOCK = re.compile(r"(\d{1,2})(?::(\d\d))?(?::00)?([ap])m")
_CLOCK_24 = re.compile(r"(\d{1,2}):(\d\d)(?::00)?")
PROSE = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{3,}")
COMMA = re.compile(r"(-?\d+),(\d{2}|\d{4,}|(?<=0,)\d+)")
_PROPORTION = re.compile(r"[^:]+(?::[^:]+)+")
_RESIDUE = re.compile(
    r"(?:[A-Za-z]\\equiv ?|[A-Za-z]=)?(-?\d+)\(?(?:\\pmod|\\bmod|\\mod|mod|\\text\{ ?mod ?\}) ?\{?(\d+)\}?\)?"
)
_MONTHS = words_of("january february march april may june july august september october november december")
_DATE = re.compile(
    r"(?:([a-z]+) (\d{1,2})(?:st|nd|rd|th)?|(\d{1,2})(?:st|nd|rd|th)?(?: of)? ([a-z]+))(?:,? ?(\d{4}))?"
)
_MEANINGS = {
    "none": r"no (?:real |integer |positive )?(?:solutions?|roots?|values?)(?: exists?)?|none|\\emptyset ?|\\\{\\\}|"
    r"(?:the )?empty set|no such \w+(?: exists?)?|there (?:is|are) no (?:real )?(?:solutions?|roots?)",
    "undefined": r"undefined|not defined|does not exist|dne|doesn't exist|no limit",
    "infinite": r"infinitely many(?: (?:real )?solutions?)?|infinite(?: solutions?| number of solutions?)?",
    "all": r"all real numbers|all reals|\\mathbb\{r\}|all real values",
    "integers": r"(?:all|any|every) integers?|\\mathbb\{z\}|the (?:set of )?(?:all )?integers",
    "infinity": r"\+?\\infty|\+?infinity",
    "minus infinity": r"-\\infty|-infinity|negative infinity",
}
_MEANING = {name: re.compile(pattern) for name, pattern in _MEANINGS.items()}


def same_value_quickly(a: str, b: str) -> bool | None:
    """Compare two answers that are no lists, by all that needs no algebra."""
    x, y = flat(a), flat(b)
    if x == y or a == b:
        return True
    p, q = quantity(a), quantity(b)
    if p and q:
        return same_quantity(p, q)
    for compare in (
        _same_option,
        _same_meaning,
        _same_comma,
        _same_time,
        _same_date,
        _same_proportion,
        _same_residue,
    ):
        if (verdict := compare(a, b)) is not UNDECIDED:
            return verdict
    if _WORD.fullmatch(x) and _WORD.fullmatch(y):
        return _same_word(x.lower(), y.lower())
    if _PHRASE.fullmatch(x) and _PHRASE.fullmatch(y):
        return _same_phrase(x.lower(), y.lower())
    if (p and _NAME_OF_ONE.fullmatch(y)) or (q and _NAME_OF_ONE.fullmatch(x)):
        return False
    if (p and _says_no_number(y)) or (q and _says_no_number(x)):
        return False
    return _same_value(a, b)


def _says_no_number(text: str) -> bool:
    """Whether several words are all there is, and none of them may be a number or make one."""
    return " " in text and _PHRASE.fullmatch(text) is not None and not _NUMERAL.search(text)


def same_value(a: str, b: str) -> bool | None:
    """Compare two answers that are no lists, with algebra."""
    quick = same_value_quickly(a, b)
    if quick is not None or (quantity(a) and quantity(b)) or (_WORD.fullmatch(flat(a)) and _WORD.fullmatch(flat(b))):
        return quick
    (x, unit), (y, other) = without_unit(a), without_unit(b)
    if unit and other and unit != other:
        return None
    return same_by_algebra(x, y)


def exact_value(text: str, *, in_unit_of: str | None = None) -> Fraction | None:
    """The number that an answer is, a formula's to about fifteen digits; in its own unit or in another answer's.

    None where it is no number, or where the two units do not go together.
    """
    body, unit = without_unit(text)
    other = without_unit(in_unit_of)[1] if in_unit_of else None
    if unit and other and (unit.dimensions, unit.words) != (other.dimensions, other.words):
        return None
    value = number(body)
    if value is None:
        value = _estimate(parsed(body))
    return value * unit.factor / other.factor if value is not None and unit and other else value


def _estimate(tree: Tree | None) -> Fraction | None:
    try:
        value = None if tree is None else evaluated(tree, {}, decimal=False).value
    except TooHard:
        return None
    return None if value is None or value.imag else Fraction(value.real)


# --- Words, times, dates, ratios ----------------------------------------------------------------------


def _same_option(a: str, b: str) -> Verdict:
    """Two options with letter and content have to agree in the letter."""
    left, right = OPTION.fullmatch(a), OPTION.fullmatch(b)
    return left[1] == right[1] and (same_value_quickly(left[2], right[2]) or None) if left and right else UNDECIDED


def meaning(text: str) -> str | None:
    """What a phrase like "no solution" says."""
    words = flat(text).lower()
    return next((name for name, pattern in _MEANING.items() if pattern.fullmatch(words)), None)


def _same_meaning(a: str, b: str) -> Verdict:
    left, right = meaning(a), meaning(b)
    if left and right:
        return left == right
    if (left and quantity(b)) or (right and quantity(a)):
        return False
    return UNDECIDED


def _same_comma(a: str, b: str) -> Verdict:
    """1,25 is 1.25 where one side writes the point."""
    x, y = COMMA.fullmatch(a), COMMA.fullmatch(b)
    if bool(x) == bool(y):
        return UNDECIDED
    comma, other = (x, b) if x else (y, a)
    value = number(other)
    return (
        UNDECIDED if comma is None or value is None else value == Fraction(f"{comma[1]}.{comma[2]}") and "." in other
    )


def _same_word(x: str, y: str) -> bool | None:
    if x in _TRUTH and y in _TRUTH:
        return _TRUTH[x] is _TRUTH[y]
    if len(x) == len(y) == 1:  # of one letter in two cases neither a choice nor a variable can be told
        return None if x == y and x in "abcde" else False
    if x.startswith(y) or y.startswith(x) or sorted(x) == sorted(y):  # a plural; a product of variables
        return None
    return False


def _same_phrase(x: str, y: str) -> bool | None:
    """Compare a few words: articles and the order of a list do not matter; more or fewer names do."""
    left, right = (frozenset(_ARTICLE.sub("", part) for part in re.split(r",? and |, ?", text)) for text in (x, y))
    if left == right:
        return True
    return False if left < right or right < left else None


def _same_time(a: str, b: str) -> Verdict:
    """Times of the day; 2:15 without a.m. or p.m. may be either of two, or a ratio."""
    x, y = (re.sub(r"[ .,]", "", flat(text)).lower() for text in (a, b))
    left, right = _minutes(x), _minutes(y)
    if not (_CLOCK.fullmatch(x) or _CLOCK.fullmatch(y)) or left is None or right is None:
        return UNDECIDED
    if _CLOCK.fullmatch(x) and _CLOCK.fullmatch(y):
        return left == right
    exact = left == right and max(left, right) >= 13 * 60
    return True if exact else None if left % 720 == right % 720 else False


def _minutes(time: str) -> int | None:
    """Minutes since midnight."""
    if found := _CLOCK.fullmatch(time):
        return int(found[1]) % 12 * 60 + int(found[2] or 0) + (720 if found[3] == "p" else 0)
    found = _CLOCK_24.fullmatch(time)
    return int(found[1]) * 60 + int(found[2]) if found else None


def _same_date(a: str, b: str) -> Verdict:
    left, right = _date(a), _date(b)
    if left is None or right is None:
        return False if (left and quantity(b)) or (right and quantity(a)) else UNDECIDED
    return left[:2] == right[:2] and (left[2] == right[2] or None in (left[2], right[2]))


def _date(text: str) -> tuple[int, int, int | None] | None:
    """Month, day, and the year if it is written."""
    found = _DATE.fullmatch(flat(text).lower())
    month = (found[1] or found[4]) if found else None
    names = [name for name in _MONTHS if month and len(month) >= 3 and name.startswith(month)]
    if found is None or not names:
        return None
    return _MONTHS.index(names[0]), int(found[2] or found[3]), int(found[5]) if found[5] else None


def _same_proportion(a: str, b: str) -> Verdict:
    """3:4 is 6:8, 3 to 4 and 3/4. What may be a time of the day is no ratio."""
    left, right = _terms(a), _terms(b)
    if left is None and right is None:
        return UNDECIDED
    if left is None or right is None:
        terms, other = (left or right or ()), parsed(b if left else a)
        if len(terms) != 2 or other is None:
            return None
        return same_formula(("product", (terms[0], ("power", terms[1], ("number", Fraction(-1))))), other)
    if len(left) != len(right):
        return False
    if ("number", Fraction(0)) in left + right:  # 12:00 is a time, if anything
        return False if _CLOCK_24.fullmatch(a) and _CLOCK_24.fullmatch(b) else None
    crossed = (
        same_formula(("product", (x, right[0])), ("product", (y, left[0]))) for x, y in zip(left, right, strict=True)
    )
    same = all_of(crossed)
    return None if same and _CLOCK_24.fullmatch(a) and _CLOCK_24.fullmatch(b) else same


@lru_cache(maxsize=1_024)
def _terms(text: str) -> tuple[Tree, ...] | None:
    """The terms of a ratio."""
    text = re.sub(r"(?<=\d) ?(?:to|\\text\{ ?(?:to|:) ?\}|\\colon) ?(?=\d)", ":", text)
    if not _PROPORTION.fullmatch(text) or len(text) > 100:
        return None
    terms = [parsed(term) for term in text.split(":")]
    return tuple(term for term in terms if term) if None not in terms else None


def _same_residue(a: str, b: str) -> Verdict:
    r"""3 \pmod 5 is 8 \pmod 5; the modulus that only one side writes is implied."""
    left, right = _RESIDUE.fullmatch(a), _RESIDUE.fullmatch(b)
    if left and right:
        return left[2] == right[2] and int(right[2]) > 0 and (int(left[1]) - int(right[1])) % int(left[2]) == 0
    if not (left or right):
        return UNDECIDED
    found, other = (left, number(b)) if left else (right, number(a))
    return UNDECIDED if found is None or other is None else True if other == int(found[1]) else None


# --- Formulas, equations ------------------------------------------------------------------------------


def _same_value(a: str, b: str) -> bool | None:
    """Compare as equations or as formulas, with units."""
    if "=" in a and "=" in b:
        return _same_equation(a, b)
    if is_equation(a) or is_equation(b):
        return _same_inequality(a, b)
    (x, unit), (y, other) = without_unit(a), without_unit(b)
    left, right = _tree(x), _tree(y)
    if left is None or right is None:
        return None
    if (unit and quantity(y)) and x == a:
        return None
    bare = same_formula(left, right)
    if PERCENT in (unit, other) and None in (unit, other):  # 33.\overline{3}\% is 1/3
        parts = _hundredth(left, unit), _hundredth(right, other)
        return any_of((bare, same_formula(*parts)))
    if unit is None or other is None:
        return bare if bare is not False else _same_angle(left, unit, right, other)
    return same_with_units(bare, same_formula(_times(left, unit), _times(right, other)), unit, other)


@lru_cache(maxsize=1_024)
def _tree(text: str) -> Tree | None:
    value = number(text)
    return parsed(text) if value is None else ("number", value)


def _hundredth(tree: Tree, unit: Unit | None) -> Tree:
    return ("product", (("number", Fraction(1, 100)), tree)) if unit == PERCENT else tree


def _times(tree: Tree, unit: Unit) -> Tree:
    return ("product", (("number", unit.factor), tree))


def _same_angle(left: Tree, unit: Unit | None, right: Tree, other: Unit | None) -> bool:
    r"""30^\circ is \pi/6, where only one is in degrees and the other speaks of pi."""
    if DEGREE not in (unit, other) or "'pi'" not in repr((left, right)):
        return False
    halfturn: Tree = ("product", (("symbol", "pi"), ("number", Fraction(1, 180))))
    degrees, radians = (left, right) if unit == DEGREE else (right, left)
    return same_formula(("product", (degrees, halfturn)), radians) is True


def _same_equation(a: str, b: str) -> bool | None:
    """Two equations are the same if one is a multiple of the other."""
    left, right = _difference(a), _difference(b)
    if left is None or right is None:
        return None
    try:
        p, q = cleared(normal(left, decimal=False)), cleared(normal(right, decimal=False))
    except TooHard:
        return None
    factor = multiple(p, q)
    if factor is None:
        return False if p and q and all(len(name) == 1 for m in chain(p, q) for name, _ in m) else None
    return True


_INEQUALITY = re.compile(r"(<|>|\\leq ?|\\geq ?)")


def _same_inequality(a: str, b: str) -> bool | None:
    """Two inequalities are the same if one is a positive multiple of the other, or a negative one turned round."""
    left, right = _INEQUALITY.split(a), _INEQUALITY.split(b)
    if len(left) != 3 or len(right) != 3:
        return None
    trees = [_difference(f"{x}={y}") for x, _, y in (left, right)]
    try:
        forms = [normal(tree, decimal=False) for tree in trees if tree]
    except TooHard:
        return None
    if len(forms) != 2 or any(form.below.keys() != {()} for form in forms):
        return None
    factor = multiple(forms[0].above, forms[1].above)
    signs = left[1].strip(), right[1].strip()
    turned = {"<": ">", ">": "<", r"\leq": r"\geq", r"\geq": r"\leq"}[signs[1]]
    return None if not factor else signs[0] == (signs[1] if factor > 0 else turned)


def _difference(equation: str) -> Tree | None:
    sides = [parsed(side) for side in split(unescaped(equation), "=")]
    left, right = sides if len(sides) == 2 else (None, None)
    return None if left is None or right is None else ("sum", (left, negative(right)))
