"""Values of formulas in floating point, each with a bound on its error: what proves that two are different."""

from __future__ import annotations

import cmath
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from filters.verifiers.math.formulas import CONSTANTS, MAX_FACTORIAL, TooHard, Tree, of_numbers, symbols

EPS = 2.0**-48  # generous: what one operation may add, relative to its result
MAX_EXPONENT = 10_000
_POINTS = (1.3717, 0.7391, 2.2913, 1.9137, 0.5171)  # where variables are tried: positive, not special


class Interval(NamedTuple):
    """A complex number and how far from the true value it may be."""

    value: complex
    error: float


def differ(a: Tree, b: Tree, *, decimal: bool, below_zero: bool = False) -> bool:
    r"""Whether numbers prove that two formulas are different: at one point at least, with positive variables.

    `decimal` says whether a bare \log is to the base ten. With `below_zero` one variable at a time is negative, and
    points count where both values are real.
    """
    names = sorted((symbols(a) | symbols(b)) - CONSTANTS)
    for at in _points(names, below_zero=below_zero):
        try:
            x, y = evaluated(a, at, decimal=decimal), evaluated(b, at, decimal=decimal)
        except TooHard:
            continue
        real = not (x.value.imag or y.value.imag)
        if abs(x.value - y.value) > 2 * (x.error + y.error) and (real or not below_zero):
            return True
    return False


def _points(names: Sequence[str], *, below_zero: bool) -> Iterator[dict[str, float]]:
    """Values for the variables: two sets of positive ones and one of whole ones, or each in turn below zero."""
    first = {name: _POINTS[i % len(_POINTS)] + i / 7 for i, name in enumerate(names)}
    if below_zero:
        yield from ({**first, name: -first[name]} for name in names)
        return
    yield first
    if names:
        yield {name: _POINTS[(i + 1) % len(_POINTS)] + i / 7 for i, name in enumerate(names)}
        yield {name: 4.0 + 3 * i for i, name in enumerate(names)}  # for factorials


def evaluated(tree: Tree, at: Mapping[str, float], *, decimal: bool) -> Interval:
    """The value of a formula where its variables are `at`. Raises TooHard where it is not sure or has none."""
    try:
        interval = _evaluated(tree, at, decimal)
    except (OverflowError, ZeroDivisionError, ValueError, KeyError) as failure:
        raise TooHard(str(failure)) from failure
    if not cmath.isfinite(interval.value) or not math.isfinite(interval.error):
        raise TooHard("no number")
    return interval


def _evaluated(tree: Tree, at: Mapping[str, float], decimal: bool) -> Interval:
    match tree:
        case ("number", value):
            return _near(complex(float(value)))
        case ("symbol", name):
            return _near(complex(_VALUES.get(name) or at[name]))
        case ("sum", terms):
            return _sum([_evaluated(term, at, decimal) for term in terms])
        case ("product", factors):
            return _product([_evaluated(factor, at, decimal) for factor in factors])
        case ("power", base, ("number", exponent)):
            return _powered(_evaluated(base, at, decimal), exponent)
        case ("power", base, exponent):
            logarithm = _log(_evaluated(base, at, decimal), positive=True)
            return _exp(_product([_evaluated(exponent, at, decimal), logarithm]))
        case ("call", name, arguments):
            return _called(name, [_evaluated(each, at, decimal) for each in arguments], arguments, decimal)
    raise TooHard("no formula")


_VALUES: Mapping[str, complex] = {"pi": math.pi, "e": math.e, "i": 1j}


def _near(value: complex, error: float = 0.0) -> Interval:
    return Interval(value, error + abs(value) * EPS + sys.float_info.min)


def _sum(parts: list[Interval]) -> Interval:
    total = sum(part.value for part in parts)
    return _near(total, sum(part.error + abs(part.value) * EPS * len(parts) for part in parts))


def _product(parts: list[Interval]) -> Interval:
    value, error = parts[0]
    for other, its_error in parts[1:]:
        error = abs(value) * its_error + abs(other) * error + error * its_error + abs(value * other) * EPS
        value *= other
    return _near(value, error)


def _powered(base: Interval, exponent: Fraction) -> Interval:
    value, error = base
    if exponent == 0:
        return _near(1)
    if abs(value) <= 4 * error or abs(exponent) > MAX_EXPONENT:
        raise TooHard("too near to zero, or too high a power")
    relative = float(abs(exponent)) * error / (abs(value) - error)
    if relative > 0.01:
        raise TooHard("too uncertain")
    result = _principal(value, error, exponent)
    return _near(result, abs(result) * (2 * relative + (float(abs(exponent)) + 8) * EPS * 8))


def _principal(value: complex, error: float, exponent: Fraction) -> complex:
    """A power. Odd roots of negative numbers are negative, other ones take the principal branch."""
    if exponent.denominator == 1:
        return value ** int(exponent)
    if value.imag == 0 and value.real < 0 and exponent.denominator % 2:
        return complex((-1) ** (exponent.numerator % 2) * (-value.real) ** float(exponent))
    if value.imag and value.real < 0 and abs(value.imag) <= error:
        raise TooHard("on the cut")
    return value ** float(exponent)


def _exp(of: Interval) -> Interval:
    result = cmath.exp(of.value)
    if of.error > 0.01:
        raise TooHard("too uncertain")
    return _near(result, abs(result) * (2 * of.error + 8 * EPS))


def _log(of: Interval, *, positive: bool = False) -> Interval:
    value, error = of
    on_cut = value.real <= 0 and (positive or abs(value.imag) <= error)
    if abs(value) <= 4 * error or on_cut:
        raise TooHard("a logarithm that is not sure")
    result = cmath.log(value)
    return _near(result, 2 * error / abs(value) + 8 * EPS * (1 + abs(result)))


def _called(name: str, arguments: list[Interval], trees: tuple[Tree, ...], decimal: bool) -> Interval:
    first = arguments[0]
    match name:
        case "root":
            if trees[1][0] != "number" or not trees[1][1]:
                raise TooHard("a root of no number")
            return _powered(first, 1 / trees[1][1])
        case "ln" | "lg" | "log":
            ten = name == "lg" or (decimal and len(arguments) == 1 and name == "log")
            base = _near(10) if ten else arguments[1] if len(arguments) > 1 else _near(math.e)
            return _product([_log(first), _powered(_log(base), Fraction(-1))])
        case "exp":
            return _exp(first)
        case "abs":
            return _near(abs(first.value), first.error)
        case "sin" | "cos" | "sinh" | "cosh":
            return _entire(name, first)
        case "tan" | "tanh":
            return _quotient(("sin", "cos") if name == "tan" else ("sinh", "cosh"), first)
        case "cot":
            return _quotient(("cos", "sin"), first)
        case "sec" | "csc":
            return _powered(_entire("cos" if name == "sec" else "sin", first), Fraction(-1))
        case "arcsin" | "arccos" | "arctan":
            return _arc(name, first)
    return _whole(name, arguments)


def _entire(name: str, of: Interval) -> Interval:
    steep = abs(of.value if name in ("sinh", "cosh") else of.value.imag)
    if abs(of.value) > 1e6 or steep > 20 or of.error > 0.01:
        raise TooHard("too uncertain")
    functions = {"sin": cmath.sin, "cos": cmath.cos, "sinh": cmath.sinh, "cosh": cmath.cosh}
    slope = 2 * math.cosh(steep + 0.01)
    return _near(functions[name](of.value), slope * (of.error + 8 * EPS * (1 + abs(of.value))))


def _quotient(names: tuple[str, str], of: Interval) -> Interval:
    return _product([_entire(names[0], of), _powered(_entire(names[1], of), Fraction(-1))])


def _arc(name: str, of: Interval) -> Interval:
    value, error = of
    room = 1 - abs(value.real) - 2 * error
    if value.imag or (name != "arctan" and room < 1e-6):
        raise TooHard("not in the middle of the real branch")
    result = {"arcsin": math.asin, "arccos": math.acos, "arctan": math.atan}[name](value.real)
    return _near(complex(result), error / (math.sqrt(room) if name != "arctan" else 1) + 8 * EPS)


def _whole(name: str, arguments: list[Interval]) -> Interval:
    """Rounding where the error decides nothing, and functions of whole numbers."""
    nearest = [round(each.value.real) for each in arguments]
    if name in ("floor", "ceil"):
        value, error = arguments[0]
        if abs(value.real - nearest[0]) <= 2 * error or value.imag:
            raise TooHard("on an edge")
        return _near(complex(math.floor(value.real) if name == "floor" else math.ceil(value.real)))
    exact = all(each.value == whole for each, whole in zip(arguments, nearest, strict=True))
    if name not in ("factorial", "binomial") or not exact or not all(0 <= n <= MAX_FACTORIAL for n in nearest):
        raise TooHard("no value")
    return _near(complex(of_numbers(name, [Fraction(n) for n in nearest])))
