r"""Exact arithmetic on formulas, without a computer algebra system.

A `Ratio` is a quotient of polynomials with rational coefficients whose powers may be fractions. What it is made
of are "atoms": variables, pi, e, i, the primes under their roots, and whatever else a formula holds, such as a
sine, by the name of its own normal form. Equal normal forms prove equality, because each step keeps the value.
Different ones prove nothing, as an identity may have been missed: inequality is shown by numbers (`estimates`), or
by polynomials in variables alone.

The work is bounded: what grows beyond the limits raises `TooHard`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product

from filters.verifiers.math.estimates import differ
from filters.verifiers.math.formulas import CONSTANTS, TooHard, Tree, of_numbers

MAX_TERMS = 120  # of a polynomial
MAX_EXPANDED = 4_096  # terms before like ones are joined
MAX_WORK = 1_500  # products of terms in one step
MAX_BITS = 4_096  # of a coefficient
MAX_POWER = 32  # of a polynomial with several terms
MAX_PRIME = 1_000  # the largest divisor that is tried

Monomial = tuple[tuple[str, Fraction], ...]  # atoms and their exponents, sorted
Poly = Mapping[Monomial, Fraction]
ONE: Monomial = ()


@dataclass(frozen=True, slots=True)
class Ratio:
    """`above` over `below`; below is never empty."""

    above: Poly
    below: Poly

    @property
    def rational(self) -> Fraction | None:
        """Its value, if it is a rational number."""
        if self.below.keys() != {ONE} or not self.above.keys() <= {ONE}:
            return None
        return self.above.get(ONE, Fraction(0)) / self.below[ONE]


def same_formula(a: Tree, b: Tree) -> bool | None:
    r"""Whether two formulas are the same function of their variables; None where that stays open.

    Variables are positive where they are tried. A bare \log means the same on both sides, base e or base ten.
    """
    with_log = any("'log'" in repr(tree) for tree in (a, b))
    verdicts = [_same_formula(a, b, decimal=decimal) for decimal in ((False, True) if with_log else (False,))]
    return True if True in verdicts else None if None in verdicts else False


def _same_formula(a: Tree, b: Tree, *, decimal: bool) -> bool | None:
    exactly = _exactly(a, b, decimal=decimal)
    if exactly is None and differ(a, b, decimal=decimal):
        return False
    return exactly


def _exactly(a: Tree, b: Tree, *, decimal: bool) -> bool | None:
    if max(terms_at_most(a), terms_at_most(b)) > MAX_EXPANDED:
        return None
    try:
        rest = subtracted(normal(a, decimal=decimal), normal(b, decimal=decimal)).above
    except TooHard:
        return None
    if not rest:
        return True
    return False if independent(rest) else None


def terms_at_most(tree: Tree) -> int:
    """How many terms a formula has when it is multiplied out and none are joined."""
    match tree:
        case ("sum", terms):
            return sum(map(terms_at_most, terms))
        case ("product", factors):
            return math.prod(map(terms_at_most, factors))
        case ("power", base, ("number", exponent)):
            terms, power = terms_at_most(base), min(abs(math.floor(exponent)), MAX_POWER + 1)
            return math.comb(power + terms - 1, power) if terms < MAX_EXPANDED else terms
        case ("power", base, exponent):
            return terms_at_most(base) * terms_at_most(exponent)
        case ("call", _, arguments):
            return max(map(terms_at_most, arguments))
    return 1


def independent(poly: Poly) -> bool:
    """Whether a polynomial that is not empty cannot be zero: it has variables and at most one constant."""
    others = {name for monomial in poly for name, _ in monomial if not _is_variable(name)}
    whole = all(power.denominator == 1 for monomial in poly for _, power in monomial)
    return whole and (not others or others in ({"pi"}, {"e"}, {"i"}))


def _is_variable(name: str) -> bool:
    return name not in CONSTANTS and not name.isdecimal() and not any(mark in name for mark in "<(^")


def cleared(ratio: Ratio) -> Poly:
    """What is above, times the powers of variables that are below in it: where xy = 1, y = 1/x."""
    lowest: dict[str, Fraction] = {}
    for name, exponent in (power for monomial in ratio.above for power in monomial):
        lowest[name] = min(lowest.get(name, Fraction(0)), exponent)
    monomial = tuple(sorted((name, -exponent) for name, exponent in lowest.items() if exponent < 0))
    return _multiplied(ratio.above, {monomial: Fraction(1)})


def multiple(p: Poly, q: Poly) -> Fraction | None:
    """The number that turns one polynomial into the other, if there is one."""
    if not p or p.keys() != q.keys():
        return None
    factors = {p[monomial] / q[monomial] for monomial in p}
    return factors.pop() if len(factors) == 1 else None


def constant(value: Fraction | int) -> Ratio:
    return Ratio({ONE: Fraction(value)} if value else {}, {ONE: Fraction(1)})


def atom(name: str, exponent: Fraction | int = 1) -> Ratio:
    return _term({name: Fraction(exponent)})


def _term(powers: Mapping[str, Fraction]) -> Ratio:
    factor, monomial = _reduced(powers)
    return Ratio({monomial: factor}, {ONE: Fraction(1)})


def key(ratio: Ratio) -> str:
    """A name for a ratio, the same for equal polynomials."""
    return f"<{_poly_key(ratio.above)}|{_poly_key(ratio.below)}>"


def _poly_key(poly: Poly) -> str:
    return "+".join(f"{c}*{'*'.join(f'{a}^{e}' for a, e in m)}" for m, c in sorted(poly.items()))


# --- Polynomials --------------------------------------------------------------------------------------


def _added(a: Poly, b: Poly) -> Poly:
    total = dict(a)
    for monomial, coefficient in b.items():
        _add_term(total, monomial, coefficient)
    return _bounded(total)


def _multiplied(a: Poly, b: Poly) -> Poly:
    if len(a) * len(b) > MAX_WORK:
        raise TooHard("too many terms")
    total: dict[Monomial, Fraction] = {}
    for (x, p), (y, q) in product(a.items(), b.items()):
        factor, monomial = _joined(x, y)
        _add_term(total, monomial, p * q * factor)
    return _bounded(total)


def _add_term(total: dict[Monomial, Fraction], monomial: Monomial, coefficient: Fraction) -> None:
    coefficient += total.pop(monomial, 0)
    if coefficient:
        total[monomial] = coefficient


def _bounded(poly: Poly) -> Poly:
    sizes = (max(c.numerator.bit_length(), c.denominator.bit_length()) for c in poly.values())
    if len(poly) > MAX_TERMS or any(size > MAX_BITS for size in sizes):
        raise TooHard("too large")
    return poly


def _joined(x: Monomial, y: Monomial) -> tuple[Fraction | int, Monomial]:
    """The product of two monomials, with the factor that primes and i give off."""
    if not (x and y):
        return 1, x or y
    powers = dict(x)
    for name, exponent in y:
        powers[name] = powers.get(name, 0) + exponent
    return _reduced(powers)


def _reduced(powers: Mapping[str, Fraction]) -> tuple[Fraction, Monomial]:
    """Take whole powers of primes and of i out of a monomial."""
    factor, kept = Fraction(1), []
    for name, exponent in sorted(powers.items()):
        if name.isdecimal():
            whole = math.floor(exponent)
            factor *= _integer_power(Fraction(int(name)), whole)
            exponent -= whole
        elif name == "i" and exponent.denominator == 1:
            factor *= -1 if exponent % 4 >= 2 else 1
            exponent %= 2
        if exponent:
            kept.append((name, exponent))
    return factor, tuple(kept)


def _integer_power(base: Fraction, exponent: int) -> Fraction:
    if abs(exponent) * max(base.numerator.bit_length(), base.denominator.bit_length()) > MAX_BITS:
        raise TooHard("too large a power")
    if not base and exponent < 0:
        raise TooHard("division by zero")
    return base**exponent


# --- Ratios -------------------------------------------------------------------------------------------


def added(a: Ratio, b: Ratio) -> Ratio:
    """The sum of two ratios."""
    if a.below == b.below:
        return Ratio(_added(a.above, b.above), a.below)
    above = _added(_multiplied(a.above, b.below), _multiplied(b.above, a.below))
    return Ratio(above, _multiplied(a.below, b.below))


def multiplied(a: Ratio, b: Ratio) -> Ratio:
    """The product of two ratios. Raises TooHard where something is divided by zero."""
    return _simple(_multiplied(a.above, b.above), _multiplied(a.below, b.below))


def _simple(above: Poly, below: Poly) -> Ratio:
    """The ratio, with a denominator of one term moved into the numerator, or one equal to it cancelled."""
    if not below:
        raise TooHard("division by zero")
    if above == below:
        return constant(1)
    if len(below) > 1:
        return Ratio(above, below)
    ((monomial, coefficient),) = below.items()
    factor, opposite = _reduced({name: -exponent for name, exponent in monomial})
    return Ratio(_multiplied(above, {opposite: factor / coefficient}), {ONE: Fraction(1)})


def inverted(a: Ratio) -> Ratio:
    return _simple(a.below, a.above)


def subtracted(a: Ratio, b: Ratio) -> Ratio:
    return added(a, multiplied(constant(-1), b))


def raised(base: Ratio, exponent: Fraction) -> Ratio:
    """A power with a rational exponent. Odd roots of negative numbers are negative, square roots imaginary."""
    if exponent.denominator == 1:
        return _raised_whole(base, int(exponent))
    if (value := base.rational) is not None:
        return _root_of_number(value, exponent)
    if len(base.above) == 1 and base.below.keys() == {ONE}:
        return _root_of_term(base, exponent)
    if not base.above:
        return _root_of_number(Fraction(0), exponent)
    above, below = _content(base.above), _content(base.below)
    primitive = Ratio(_scaled(base.above, 1 / above), _scaled(base.below, 1 / below))
    return multiplied(_root_of_number(above / below, exponent), _opaque_root(primitive, exponent))


def _raised_whole(base: Ratio, exponent: int) -> Ratio:
    if exponent < 0:
        return _raised_whole(inverted(base), -exponent)
    if len(base.above) <= 1 and base.below.keys() == {ONE}:
        return _raised_term(base, exponent)
    if exponent > MAX_POWER:
        raise TooHard("too large a power")
    result = constant(1)
    for _ in range(exponent):
        result = multiplied(result, base)
    return result


def _raised_term(base: Ratio, exponent: int) -> Ratio:
    if not base.above:
        return constant(0 if exponent else 1)
    ((monomial, coefficient),) = base.above.items()
    factor, powers = _reduced({name: each * exponent for name, each in monomial})
    below = _integer_power(base.below[ONE], exponent)
    return Ratio(_bounded({powers: _integer_power(coefficient, exponent) * factor / below}), {ONE: Fraction(1)})


def _root_of_number(value: Fraction, exponent: Fraction) -> Ratio:
    if value == 0:
        if exponent < 0:
            raise TooHard("division by zero")
        return constant(0)
    if value < 0:
        return multiplied(_root_of_minus_one(exponent), _root_of_number(-value, exponent))
    return _term({name: count * exponent for name, count in _prime_factors(value).items()})


def _root_of_minus_one(exponent: Fraction) -> Ratio:
    if exponent.denominator % 2:
        return constant((-1) ** (exponent.numerator % 2))
    if exponent.denominator == 2:
        return _raised_term(atom("i"), exponent.numerator % 4)
    raise TooHard("a root of a negative number")


_PRIMES = [n for n in range(2, MAX_PRIME) if all(n % d for d in range(2, math.isqrt(n) + 1))]


@lru_cache(maxsize=1_024)
def _prime_factors(value: Fraction) -> Mapping[str, int]:
    """The primes of a positive number and their exponents; a large cofactor counts as one."""
    factors: dict[str, int] = {}
    for number, sign in ((value.numerator, 1), (value.denominator, -1)):
        for prime in _PRIMES:
            while number % prime == 0:
                number //= prime
                factors[str(prime)] = factors.get(str(prime), 0) + sign
        root = math.isqrt(number)
        square = root * root == number
        if number > 1:
            name = str(root if square else number)
            factors[name] = factors.get(name, 0) + (2 if square else 1) * sign
    return factors


def _root_of_term(base: Ratio, exponent: Fraction) -> Ratio:
    """Roots go into numbers, pi and e, which are positive; a variable keeps its own only when it stands alone."""
    ((monomial, coefficient),) = base.above.items()
    result = _root_of_number(coefficient / base.below[ONE], exponent)
    rest = {name: each for name, each in monomial if not (name.isdecimal() or name in ("pi", "e"))}
    plain = {name: each * exponent for name, each in monomial if name not in rest}
    if len(rest) == 1 and set(rest.values()) == {1} and "i" not in rest:
        plain, rest = plain | dict.fromkeys(rest, exponent), {}
    result = multiplied(result, _term(plain))
    return multiplied(result, _opaque_root(_term(rest), exponent)) if rest else result


def _opaque_root(base: Ratio, exponent: Fraction) -> Ratio:
    """The root as an atom of its own, its whole part multiplied out."""
    whole = math.floor(exponent)
    part = exponent - whole
    return multiplied(_raised_whole(base, whole), atom(f"root{part.denominator}{key(base)}", part.numerator))


def _content(poly: Poly) -> Fraction:
    """The greatest positive number that divides all coefficients."""
    numerators, denominators = zip(*((c.numerator, c.denominator) for c in poly.values()), strict=True)
    return Fraction(math.gcd(*numerators), math.lcm(*denominators))


def _scaled(poly: Poly, factor: Fraction) -> Poly:
    return {monomial: coefficient * factor for monomial, coefficient in poly.items()}


# --- From trees ---------------------------------------------------------------------------------------


def normal(tree: Tree, *, decimal: bool) -> Ratio:
    r"""The normal form of a formula; `decimal` says whether a bare \log is to the base ten. Raises TooHard."""
    match tree:
        case ("number", value):
            return Ratio(_bounded(constant(value).above), {ONE: Fraction(1)})
        case ("symbol", "infinity"):
            raise TooHard("infinity is no number")
        case ("symbol", name):
            return atom(name)
        case ("sum", terms):
            return _folded(added, (normal(term, decimal=decimal) for term in terms))
        case ("product", factors):
            return _folded(multiplied, (normal(factor, decimal=decimal) for factor in factors))
        case ("power", base, exponent):
            return _power(normal(base, decimal=decimal), normal(exponent, decimal=decimal))
        case ("call", name, arguments):
            return _call(name, [normal(argument, decimal=decimal) for argument in arguments], decimal=decimal)
    raise TooHard("no formula")


def _folded(join: Callable[[Ratio, Ratio], Ratio], parts: Iterable[Ratio]) -> Ratio:
    first, *others = parts
    for other in others:
        first = join(first, other)
    return first


def _power(base: Ratio, exponent: Ratio) -> Ratio:
    value = exponent.rational
    if value is not None:
        return raised(base, value)
    if exponent.below.keys() != {ONE}:
        return atom(f"{key(base)}^{key(exponent)}")
    terms = (_power_of_term(base, monomial, coefficient) for monomial, coefficient in exponent.above.items())
    return _folded(multiplied, terms)


_E: Poly = {(("e", Fraction(1)),): Fraction(1)}
_I_PI: Monomial = (("i", Fraction(1)), ("pi", Fraction(1)))
_PI: Monomial = (("pi", Fraction(1)),)


def _power_of_term(base: Ratio, monomial: Monomial, coefficient: Fraction) -> Ratio:
    """base^(coefficient times monomial): 4^{2n} is 2^n to the fourth, e^{i pi} is -1."""
    if monomial == ONE:
        return raised(base, coefficient)
    half = Fraction(1, 2)
    if base.above == _E and monomial == _I_PI and _known_angle(coefficient) and _known_angle(half - coefficient):
        return added(_cosine(coefficient), multiplied(atom("i"), _cosine(half - coefficient)))
    value = base.rational
    if value is None or value <= 0:
        return _opaque_power(key(base), monomial, coefficient)
    powers = _prime_factors(value).items()
    raised_primes = (_opaque_power(name, monomial, coefficient * each) for name, each in powers)
    return _folded(multiplied, [constant(1), *raised_primes])


def _opaque_power(base: str, monomial: Monomial, coefficient: Fraction) -> Ratio:
    return atom(f"({base})^({_poly_key({monomial: Fraction(1)})})", coefficient)


# --- Functions ----------------------------------------------------------------------------------------


def _call(name: str, arguments: list[Ratio], *, decimal: bool) -> Ratio:
    match name:
        case "root":
            return _nth_root(*arguments)
        case "ln" | "lg" | "log":
            return _logarithm(name, arguments, decimal=decimal)
        case "exp":
            return _power(atom("e"), arguments[0])
        case "sin" | "cos" | "tan" | "cot" | "sec" | "csc":
            return _trigonometric(name, arguments[0])
        case "abs" | "floor" | "ceil" | "factorial" | "binomial":
            values = [each.rational for each in arguments]
            if None not in values:
                return constant(of_numbers(name, [value for value in values if value is not None]))
    if name == "abs":
        return atom(f"abs{key(_positive(arguments[0])[1])}")
    return atom(f"{name}{''.join(map(key, arguments))}")


def _nth_root(radicand: Ratio, degree: Ratio) -> Ratio:
    value = degree.rational
    if value is None or value.denominator != 1 or value < 1:
        raise TooHard("a root of no whole degree")
    return raised(radicand, 1 / value)


def _positive(ratio: Ratio) -> tuple[int, Ratio]:
    """The sign of the first coefficient, and the ratio that has it positive."""
    if not ratio.above or min(ratio.above.items())[1] > 0:
        return 1, ratio
    return -1, Ratio(_scaled(ratio.above, Fraction(-1)), ratio.below)


def _logarithm(name: str, arguments: list[Ratio], *, decimal: bool) -> Ratio:
    ten = name == "lg" or (name == "log" and len(arguments) == 1 and decimal)
    base = constant(10) if ten else arguments[1] if len(arguments) > 1 else None
    value = _natural_logarithm(arguments[0])
    return multiplied(value, inverted(_natural_logarithm(base))) if base else value


def _natural_logarithm(of: Ratio) -> Ratio:
    """The sum of the logarithms of primes, pi and e; of anything else an atom."""
    if len(of.above) == 1 and of.below.keys() == {ONE}:
        ((monomial, coefficient),) = of.above.items()
        if coefficient > 0 and all(name.isdecimal() or name in ("pi", "e") for name, _ in monomial):
            powers = [*_prime_factors(coefficient / of.below[ONE]).items(), *monomial]
            logs = (multiplied(constant(Fraction(power)), _log_of_atom(name)) for name, power in powers)
            return _folded(added, [constant(0), *logs])
    return atom(f"ln{key(of)}")


def _log_of_atom(name: str) -> Ratio:
    return constant(1) if name == "e" else atom(f"ln({name})")


def _trigonometric(name: str, angle: Ratio) -> Ratio:
    sign, positive = _positive(angle)
    turns = _turns(angle)
    opposite = None if turns is None else Fraction(1, 2) - turns
    known = _cosine(opposite) if opposite is not None and _known_angle(opposite) else None
    sine = known or multiplied(constant(sign), atom(f"sin{key(positive)}"))
    cosine = _cosine(turns) if turns is not None and _known_angle(turns) else atom(f"cos{key(positive)}")
    above = {"sin": sine, "tan": sine, "cos": cosine, "cot": cosine}.get(name)
    below = {"tan": cosine, "sec": cosine, "cot": sine, "csc": sine}.get(name)
    return multiplied(above or constant(1), inverted(below) if below else constant(1))


def _turns(angle: Ratio) -> Fraction | None:
    """The angle as a multiple of pi, if it is a rational one."""
    if angle.below.keys() != {ONE} or not angle.above.keys() <= {_PI}:
        return None
    return angle.above.get(_PI, Fraction(0)) / angle.below[ONE]


_COSINES = {  # of these multiples of pi: a sum of rational multiples of square roots
    Fraction(0): [(Fraction(1), 1)],
    Fraction(1, 12): [(Fraction(1, 4), 6), (Fraction(1, 4), 2)],
    Fraction(1, 6): [(Fraction(1, 2), 3)],
    Fraction(1, 5): [(Fraction(1, 4), 1), (Fraction(1, 4), 5)],
    Fraction(1, 4): [(Fraction(1, 2), 2)],
    Fraction(1, 3): [(Fraction(1, 2), 1)],
    Fraction(2, 5): [(Fraction(-1, 4), 1), (Fraction(1, 4), 5)],
    Fraction(5, 12): [(Fraction(1, 4), 6), (Fraction(-1, 4), 2)],
    Fraction(1, 2): [],
}


def _first_quadrant(turns: Fraction) -> tuple[int, Fraction]:
    """The sign of the cosine, and the angle between 0 and a quarter with that cosine."""
    turns = abs(turns) % 2
    turns = min(turns, 2 - turns)
    return (1, turns) if turns <= Fraction(1, 2) else (-1, 1 - turns)


def _known_angle(turns: Fraction) -> bool:
    return _first_quadrant(turns)[1] in _COSINES


def _cosine(turns: Fraction) -> Ratio:
    sign, angle = _first_quadrant(turns)
    parts = (
        multiplied(constant(sign * factor), raised(constant(radicand), Fraction(1, 2)))
        for factor, radicand in _COSINES[angle]
    )
    return _folded(added, [constant(0), *parts])
