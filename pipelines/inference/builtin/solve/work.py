"""A sheet of paper on which steps are written, now and then wrongly."""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from random import Random
from typing import NamedTuple

LATER = 0.12  # how much likelier a slip becomes with every further step
STEP = re.compile(r"^Step \d+: (.*) = ([^=\n]+)\.$", re.M)


class Reading(NamedTuple):
    """What a reader understood: every number it used, and how to work out the answer."""

    used: Sequence[Fraction | int]
    work: Callable[["Work"], str]


class Work:
    """Steps so far. `given` are lines somebody wrote before; their results are taken over, mistakes included."""

    def __init__(self, rng: Random, *, slip: float, given: str = "") -> None:
        self.rng, self.slip = rng, slip
        self.lines: list[str] = []
        self.given = [(says, result) for says, result in STEP.findall(given)]

    def step(self, says: str, value: Fraction | int) -> Fraction:
        """Write `says = value` and return what was written; it may differ from `value` by a slip."""
        before = self._before(says)
        if before is not None and re.fullmatch(r"-?\d+(/\d+)?", before):
            result = Fraction(before)
        else:
            result = miscalculated(self.rng, Fraction(value)) if self._slips() else Fraction(value)
        self._write(says, shown(result))
        return result

    def choose(self, says: str, value: str, among: Sequence[str]) -> str:
        """The same for a value out of a few; a slip takes another of them."""
        before = self._before(says)
        others = [other for other in among if other != value]
        if before is not None and before in among:
            result = before
        else:
            result = self.rng.choice(others) if others and self._slips() else value
        self._write(says, result)
        return result

    def _slips(self) -> bool:
        return self.rng.random() < min(0.9, self.slip * (1 + LATER * len(self.lines)))

    def _before(self, says: str) -> str | None:
        if len(self.lines) < len(self.given) and self.given[len(self.lines)][0] == says:
            return self.given[len(self.lines)][1]
        return None

    def _write(self, says: str, result: str) -> None:
        self.lines.append(f"Step {len(self.lines) + 1}: {says} = {result}.")


def miscalculated(rng: Random, value: Fraction) -> Fraction:
    """A plausible wrong result: off by one or by ten, a doubled or lost carry, two digits exchanged."""
    top, bottom = value.numerator, value.denominator
    digits = str(abs(top))
    swapped = int(digits[:-2] + digits[-1] + digits[-2]) if len(digits) > 1 else top + 3
    wrong = Fraction(rng.choice([top + 1, top - 1, top + 2, top + 10, top - 10, swapped]), bottom)
    return wrong if wrong > 0 and wrong != value else value + Fraction(rng.choice((1, 3)), bottom)


def shown(value: Fraction | int) -> str:
    """An integer or a fraction in lowest terms."""
    return str(Fraction(value))


def decimal(value: Fraction) -> str:
    """A decimal where it ends within six places, else a fraction."""
    if (value * 10**6).denominator != 1:
        return str(value)
    whole, rest = divmod(abs(value), 1)
    tail = f"{int(rest * 10**6):06d}".rstrip("0")
    return ("-" if value < 0 else "") + str(whole) + (f".{tail}" if tail else "")
