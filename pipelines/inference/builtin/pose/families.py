"""The families of problems that the engine can pose, as one table."""

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Literal, NamedTuple

from . import amounts, logic, measures, numbers
from .surface import Posed

Domain = Literal["word problems", "number theory and combinatorics", "elementary logic"]


class Family(NamedTuple):
    """One parametric family. `hints` are word stems by which it is recognised in a seed."""

    name: str
    domain: Domain
    about: str
    hints: tuple[str, ...]
    pose: Callable[[Random, int], Posed]


def _number(name: str, about: str, hints: str, quantity: numbers.Quantity) -> Family:
    def pose(rng: Random, steps: int) -> Posed:
        return numbers.framed(quantity, steps, rng)

    return Family(name, "number theory and combinatorics", about, tuple(hints.split("|")), pose)


def _word(name: str, about: str, hints: str, pose: Callable[[Random, int], Posed]) -> Family:
    return Family(name, "word problems", about, tuple(hints.split("|")), pose)


def _logic(name: str, about: str, hints: str, pose: Callable[[Random, int], Posed]) -> Family:
    return Family(name, "elementary logic", about, tuple(hints.split("|")), pose)


FAMILIES: tuple[Family, ...] = (
    _word("ledger", "things that come and go", "gives|loses|buys|more|left|eats|sold|away|remain", amounts.ledger),
    _word(
        "comparison",
        "who has how much more than whom",
        "as many|more than|fewer|altogether|times as",
        amounts.comparison,
    ),
    _word(
        "shop",
        "a bill with prices and change",
        "price|cost|pay|change|euro|dollar|$|discount|shop",
        measures.shop,
    ),
    _word("trip", "speed, time and distance", "km|mile|speed|hour|drive|train|distance|cycl", measures.trip),
    _word("work", "a job shared by several workers", "together|job|pipe|fill|tank|alone|paint", measures.work),
    _word("ages", "ages now and later", "years old|as old|age |ages|older|younger", amounts.ages),
    _word(
        "mixture",
        "solutions of different strength",
        "%|solution|mix|litre|liter|acid|salt|concentration",
        measures.mixture,
    ),
    _word("ratio", "a sum shared in a ratio", "ratio|share|divided among|split", amounts.ratio),
    _word("percent", "changes by percentages", "%|percent|per cent|increase|decrease|interest", measures.percent),
    _word("packing", "rows, pieces and boxes", "row|box|each|pack|full|dozen|crate", amounts.packing),
    _number("power", "remainders of powers", "remainder|power|divided by|modulo|last digit|^", numbers.power),
    _number("divisors", "counting divisors", "divisor|factor|divides", numbers.divisors),
    _number(
        "common",
        "greatest common divisors and least common multiples",
        "common|gcd|lcm|greatest|least",
        numbers.common,
    ),
    _number(
        "multiples",
        "counting integers by divisibility",
        "divisible|multiple|integers|between",
        numbers.multiples,
    ),
    _number("letters", "arrangements of letters", "letters|arrange|permutation|word|anagram", numbers.letters),
    _number("committee", "choosing committees", "choose|committee|team|ways|select|combination", numbers.committee),
    _number("series", "arithmetic sequences", "sequence|arithmetic|sum of|term|series", numbers.series),
    _number(
        "recurrence",
        "sequences defined step by step",
        "previous|sequence|term|recurr|each term",
        numbers.recurrence,
    ),
    _number("grid", "paths on a grid", "grid|path|route|blocks|lattice", numbers.grid),
    _number(
        "remainders",
        "numbers given by their remainders",
        "remainder|smallest|leaves|divided by",
        numbers.remainders,
    ),
    _number("primes", "primes in an interval", "prime", numbers.primes),
    Family(
        "urn",
        "number theory and combinatorics",
        "draws without replacement",
        ("probability", "urn", "draw", "balls", "random", "dice", "coin"),
        numbers.urn,
    ),
    _logic(
        "ordering",
        "an order found from comparisons",
        "taller|older than|faster|tallest|shorter|rank|order",
        logic.ordering,
    ),
    _logic("liars", "truth-tellers and liars", "truth|lies|liar|knight|knave", logic.liars),
    _logic("classes", "classes inside one another", "every |each |follow|certain|no |some ", logic.classes),
    _logic(
        "calendar",
        "days of the week",
        "monday|tuesday|wednesday|thursday|friday|saturday|sunday|day of the week",
        logic.calendar,
    ),
    _logic("swaps", "hidden things and swaps", "swap|cup|hidden|box|exchange|colour|color", logic.swaps),
    _logic("sets", "overlapping groups", "both|neither|play|like|only|survey", logic.sets),
    _logic("turns", "turns and directions", "north|south|east|west|left|right|turn|facing", logic.turns),
)


def recognised(seed: str) -> Family | None:
    """The family that a seed reminds of most, by the hints found in it; `None` below two hits."""
    text = seed.lower()
    hits = [sum(hint in text for hint in family.hints) for family in FAMILIES]
    best = max(hits)
    return FAMILIES[hits.index(best)] if best >= 2 else None


def steps_wanted(seeds: Sequence[str], rng: Random) -> int:
    """About as many steps (2 to 12) as the seeds hold numbers or sentences, whichever is more."""
    sizes = [max(len(re.findall(r"\d+", seed)), len(re.findall(r"[.?!;]", seed))) for seed in seeds] or [4]
    return min(12, max(2, round(sum(sizes) / len(sizes)) + rng.randint(-2, 3)))
