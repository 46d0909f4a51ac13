r"""Are two final answers the same mathematics?

From lenient to strict to thorough:

`final_answer` finds the answer in a response. All leniency lives there (`extraction`), where it can be seen.
`same_quickly` decides by exact arithmetic (`lists`, `regions`, `values`, `quantities`, `arithmetic`); safe anywhere.
`same` adds algebra (SymPy, by way of `algebra`); it may hang or eat memory, so only `workers` calls it.

They say True, False, or None for "cannot tell". `check_quickly` and `check` say the same as an `Outcome`, and
also read references that declare more than one text:

    {"answer": "3.14", "tolerance": 0.01}         numbers may differ by so much, in the units of the answer
    {"answer": "3.14", "relative": 1e-3}          ... by this share of the reference
    {"answers": ["x^2 - 1", "(x-1)(x+1)"]}        any of these

Nothing else is compared with a tolerance: 0.33 is not 1/3, and `3.14 \pm 0.01` is two numbers, as `\pm` is
everywhere. About what may stand around a number, this much is agreed:

* A unit, currency, percent sign or base that only one side writes is implied by the question; in the MATH
  data set `198\%` is answered by `198`. Two units are converted: 5 m is 500 cm and not 5 cm.
* 12% is 0.12. 204_5 as 54 cannot be told: one number, but seldom the answer to the question.
* Round and square brackets keep their order, and tell open from closed. Braces are sets. A bare list, as in
  "1, 3", is all the solutions in any order; beside a tuple or an interval it has to be in the same order.
* "x = 5" answers "5", and the other way round. "x = 5" and "y = 5" are different.
* Where a text ends in "\approx 1.41", what stands before counts as much as what stands after.
* 3:4 is 6:8 and 3/4. 1,25 is 1.25 where one side writes the point. Solutions with an integer parameter, as in
  "k\pi, k \in \mathbb{Z}", may name it as they like; that two such are different cannot be told.
* `\log` is to the base e or ten, whichever makes two answers the same; variables in roots are positive.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, partial
from itertools import product

from filters.verifiers.math import extraction
from filters.verifiers.math.extraction import MAX_ANSWER, last_box
from filters.verifiers.math.lists import compare, system_as_list
from filters.verifiers.math.names import NAMED, name_stripped
from filters.verifiers.math.notation import normal_notation
from filters.verifiers.math.sentences import bare
from filters.verifiers.math.values import OPTION, exact_value, same_value, same_value_quickly
from filters.verifiers.math.verdicts import Comparison, any_of
from filters.verifiers.outcome import Outcome, failed, passed, unsure

__all__ = ["MAX_ANSWER", "SECONDS", "check", "check_quickly", "final_answer", "gold", "last_box", "problem_with"]
__all__ += ["same", "same_quickly"]

SECONDS = 5.0
MAX_MEMBERS = 100  # of all lists in an answer, because each is compared with each

# --- Where is the answer? -----------------------------------------------------------------------------


def final_answer(text: str) -> str | None:
    r"""The answer that a response settles on, at most `MAX_ANSWER` characters, or None.

    Looked for in this order: an <answer> element that ends the response, the last closed `\boxed{...}` or
    `\fbox{...}` (of nested ones the innermost; `\boxed 5` counts; several that are joined by "and" are a list),
    what follows the last `####`, what follows the last "answer is" or "answer:" if that is not taken back, what
    the last line states as a whole, a response that is nothing but its answer. The first of these that is
    there decides, so an empty last box is no answer, whatever else was said. Never raises; linear in the length
    of the text.
    """
    found = extraction.first_found(_without_end_marks(text), _FINDS)
    return found.strip() if found is not None and len(found) <= MAX_ANSWER and normal_notation(found) else None


_END_MARKS = ("</s>", "<|eot_id|>", "<|im_end|>", "<|endoftext|>", "<|end|>", "<eos>", "[/ANSWER]")


def _without_end_marks(text: str) -> str:
    """The text without what some models write when they stop."""
    for mark in _END_MARKS * 2:
        text = text.rstrip().removesuffix(mark)
    return text


_FINDS = (
    extraction.tagged,
    extraction.last_boxes,
    extraction.hashed,
    extraction.keyed,
    extraction.announced,
    extraction.last_line,
    bare,
)

# --- Same? --------------------------------------------------------------------------------------------


_PLAIN = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?")


def same_quickly(a: str, b: str) -> bool | None:
    """Whether two answers are the same, as far as exact arithmetic tells. A blank is never the same.

    Symmetric. Plain integers and decimals take about a microsecond, other notation some tens of them when
    it is new and five when it is not, formulas some hundreds. Hostile text takes milliseconds: its length,
    and the sizes of its numbers, lists and polynomials, are bounded.
    """
    if _PLAIN.fullmatch(a) and _PLAIN.fullmatch(b):
        return Decimal(a) == Decimal(b)  # exact: neither construction nor comparison rounds
    return _same(a, b, same_value_quickly)


def same(a: str, b: str) -> bool | None:
    """Whether two answers are the same, with algebra; `a` is the reference. Needs the extra `math`.

    May run for ever or exhaust memory: call it through `workers`. Without math-verify installed it knows no
    more than `same_quickly`.
    """
    return _same(a, b, same_value)


def _same(a: str, b: str, leaf: Comparison) -> bool | None:
    if max(len(a), len(b)) > MAX_ANSWER:
        return None
    a, b = _prepared(a), _prepared(b)
    if not (a and b) or a == b:
        return a == b != ""
    if max(_commas(a), _commas(b)) > MAX_MEMBERS or max(len(a), len(b)) > 2 * MAX_ANSWER:
        return None
    a, b = _without_letter(a, b), _without_letter(b, a)
    return any_of(compare(x, y, leaf) for x, y in _readings_of_both(a, b))


def _without_letter(text: str, other: str) -> str:
    """The coordinates in P(1, 2) beside a tuple."""
    point = _POINT.fullmatch(text)
    return point[1] if point and other.startswith("(") else text


@lru_cache(maxsize=4_096)
def _prepared(text: str) -> str:
    """Normal notation, with a system of equations as a list."""
    return system_as_list(normal_notation(text))


_EQUAL_TO = re.compile(
    r"(.+?)\\approx ?(.+)|((?:[^A-Za-z=\\]|\\[a-z]+)+)=([^=A-Za-z]+)"
    r"|([^()]+)\((?:or|i\.e\.|which is) ?([^()]+)\)|([a-z -]+)\((-?\d[\d.,/]*)\)"
)
_POINT = re.compile(r"[A-Z](\([^()]*,[^()]*\))")


def _readings_of_both(a: str, b: str) -> Iterator[tuple[str, str]]:
    """Each reading of one answer with each of the other, at most four; two options as they stand."""
    if OPTION.fullmatch(a) and OPTION.fullmatch(b):
        return iter([(a, b)])
    return product(_readings(a), _readings(b))


def _readings(text: str) -> tuple[str, ...]:
    r"""The values that one answer gives: "\sqrt2 \approx 1.41" gives two, "(B) 12" a letter and a number."""
    if found := OPTION.fullmatch(text):
        return found[1], found[2]
    found = _EQUAL_TO.fullmatch(text)
    if found is None or re.fullmatch(NAMED, found[1] or ""):
        return (text,)
    values = tuple(part for part in found.groups() if part)
    return values if _nearly(*values) else (text,)


def _nearly(a: str, b: str) -> bool:
    """Whether one is a rounded form of the other: no credit for naming two answers."""
    x, y = exact_value(name_stripped(a)), exact_value(b)
    return x is not None and y is not None and abs(x - y) * 20 <= abs(x)


def _commas(text: str) -> int:
    return text.count(",") + text.count(";")


# --- Against a reference ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reference:
    """The texts of a reference, and how far a number may be from them."""

    answers: tuple[str, ...]
    tolerance: Fraction | None = None
    relative: Fraction | None = None
    problem: str | None = None


_KEYS = frozenset(["answer", "answers", "tolerance", "relative"])


@lru_cache(maxsize=1_024)
def _reference(text: str) -> _Reference:
    """Read a reference: JSON with an answer, else the text itself, of which a box or what follows #### counts."""
    if text.lstrip().startswith("{") and '"' in text:
        try:
            declared = json.loads(text)
        except (ValueError, RecursionError):
            declared = None
        if isinstance(declared, dict):
            return _declared(declared)
    found = extraction.last_boxes(text) if "box" in text else extraction.hashed(text)
    answer = text if found is None else found
    return _Reference((answer,), problem=_problem_of(answer))


def _declared(reference: Mapping[str, object]) -> _Reference:
    if unknown := reference.keys() - _KEYS:
        return _Reference((), problem=f"unknown key {min(unknown)!r}; there are: {', '.join(sorted(_KEYS))}"[:200])
    listed = reference.get("answers", [reference.get("answer")])
    if not isinstance(listed, list) or not listed or not all(isinstance(each, str | int | float) for each in listed):
        return _Reference((), problem="the reference has no answer, or one that is no text")
    answers = tuple(str(each) for each in listed)
    problem = next(filter(None, map(_problem_of, answers)), None)
    try:
        tolerance, relative = _allowed(reference.get("tolerance")), _allowed(reference.get("relative"))
    except ValueError as failure:
        return _Reference((), problem=str(failure))
    return _Reference(answers, tolerance, relative, problem)


def _allowed(value: object) -> Fraction | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e300:
        raise ValueError("a tolerance has to be a number that is not negative")
    return Fraction(str(value))


def _problem_of(answer: str) -> str | None:
    if len(answer) > MAX_ANSWER:
        return f"the reference is longer than {MAX_ANSWER} characters"
    return None if normal_notation(answer) else "the reference is blank"


def problem_with(reference: str) -> str | None:
    """What is wrong with a reference, in one line; None when answers can be compared with it."""
    return _reference(reference).problem


def gold(reference: str) -> str | None:
    """The reference's own answer, the first where there are several."""
    read = _reference(reference)
    return None if read.problem else read.answers[0]


def check_quickly(reference: str, answer: str) -> Outcome | None:
    """What exact arithmetic tells of an answer; None if algebra has to decide. Safe anywhere."""
    return _checked(reference, answer, same_quickly, same_value_quickly, open=None)


def check(reference: str, answer: str) -> Outcome:
    """Whether an answer is the reference, with algebra. Only for a process that can be killed."""
    outcome = _checked(reference, answer, same, same_value, open=unsure("cannot be compared with the reference"))
    assert outcome is not None
    return outcome


def _checked(
    reference: str, answer: str, same: Comparison, leaf: Comparison, *, open: Outcome | None
) -> Outcome | None:
    read = _reference(reference)
    if read.problem:
        return unsure(read.problem)
    if read.tolerance is not None or read.relative is not None:
        same = partial(_same, leaf=partial(_leaf_within, read, leaf))
    verdict = any_of(same(each, answer) for each in read.answers)
    return open if verdict is None else passed() if verdict else failed("wrong answer")


def _leaf_within(read: _Reference, leaf: Comparison, a: str, b: str) -> bool | None:
    """Compare numbers with the declared tolerance, in the unit of the reference; anything else without."""
    verdict = leaf(a, b)
    x, y = exact_value(a), exact_value(b, in_unit_of=a)
    if verdict or x is None or y is None:
        return verdict
    return abs(x - y) <= max(read.tolerance or 0, abs(x) * (read.relative or 0))
