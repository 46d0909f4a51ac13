"""What the functions that tasks ask for return, and inputs to try them on: worked out here, for tests."""

from collections import Counter
from collections.abc import Callable
from itertools import combinations, groupby, islice
from operator import ge, gt, le, lt
from random import Random
from typing import Any

from .read import Meant

SIGNS = {"greater than": gt, "at least": ge, "less than": lt, "at most": le}
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _chosen(m: Meant, values: list[int]) -> Any:
    holds = (lambda each: each % m.k == 0) if m.how == "divisible by" else (lambda each: SIGNS[m.how](each, m.k))
    found = list(filter(holds, values))
    return len(found) if m.what == "number" else sum(found) if m.what == "sum" else found


def _clipped(m: Meant, values: list[int]) -> Any:
    return [m.k if each < m.k else m.high if each > m.high else each for each in values]


def _ranked(m: Meant, values: list[int]) -> Any:
    order = sorted(Counter(values), reverse=m.what == "largest")
    return next(islice(order, m.k - 1, None), None)


def _runs(m: Meant, text: str) -> Any:
    lengths = [(sign, len(list(group))) for sign, group in groupby(text)]
    return "".join(f"{sign}{length}" for sign, length in lengths if length >= m.k)


def _words(m: Meant, text: str) -> Any:
    found: list[str] = []
    for word in text.split():
        if len(word) >= m.k and not (m.what and word in found):
            found.append(word)
    return found


def _digits(m: Meant, number: int) -> Any:
    digits = [0]
    while number:
        number, digit = divmod(number, m.k)
        digits.append(digit)
    return {"sum": sum(digits), "largest": max(digits), "number": sum(map(bool, digits))}[m.what]


def _rotated(m: Meant, values: list[int]) -> Any:
    rest = list(values)
    for _ in range(m.k if rest else 0):
        rest = [*rest[1:], rest[0]] if m.what == "left" else [rest[-1], *rest[:-1]]
    return rest


def _chunks(m: Meant, values: list[int]) -> Any:
    parts, rest = [], list(values)
    while rest:
        part, rest = rest[: m.k], rest[m.k :]
        if len(part) == m.k or m.what.startswith("a"):
            parts.append(part)
    return parts


def _every(m: Meant, values: list[int]) -> Any:
    first = 0 if "first" in m.what else m.k - 1
    return [each for place, each in enumerate(values) if place >= first and (place - first) % m.k == 0]


def _windows(m: Meant, values: list[int]) -> Any:
    whole = [values[at : at + m.k] for at, _ in enumerate(values) if at + m.k <= len(values)]
    return [{"sum": sum, "largest": max, "smallest": min}[m.what](each) for each in whole]


def _shifted(m: Meant, text: str) -> Any:
    moved = (m.k if m.what == "forward" else -m.k) % 26
    return text.translate(str.maketrans(LETTERS, LETTERS[moved:] + LETTERS[:moved]))


def _stretch(m: Meant, values: list[int]) -> Any:
    lengths = [len(list(group)) for holds, group in groupby(values, lambda each: SIGNS[m.how](each, m.k)) if holds]
    return max(lengths, default=0)


def _pairs(m: Meant, values: list[int]) -> Any:
    made = [a + b if m.what.startswith("add") else abs(a - b) for a, b in combinations(values, 2)]
    return made.count(m.k)


def _divided(m: Meant, number: int) -> Any:
    return next(count for count in range(64) if number % m.k ** (count + 1))


VALUES: dict[str, Callable[[Meant, Any], Any]] = {
    **{"chosen": _chosen, "clipped": _clipped, "ranked": _ranked, "runs": _runs, "words": _words, "digits": _digits},
    **{"rotated": _rotated, "chunks": _chunks, "every": _every, "windows": _windows, "shifted": _shifted},
    **{"stretch": _stretch, "pairs": _pairs, "divided": _divided},
}


def value(meant: Meant, given: Any) -> Any:
    """What the function returns for this argument."""
    return VALUES[meant.family](meant, given)


def inputs(meant: Meant, rng: Random, count: int) -> list[Any]:
    """Arguments that tell right from nearly right: the empty one, limits, and some of the usual kind; none twice."""
    found = [*_special(meant), *(_usual(meant, rng) for _ in range(4 * count))]
    return [each for place, each in enumerate(found) if each not in found[:place]][:count]


def _special(m: Meant) -> list[Any]:
    if m.argument == "number":
        return [m.k**2, m.k, 1, m.k * 6 + 1]
    if m.argument == "text":
        return ["", "a" * m.k + "zz" + "b" * (m.k + 1), f"{'x' * m.k} yz {'x' * m.k} {'w' * (m.k + 2)} a"]
    high = m.high or m.k
    around = [m.k - 1, m.k, high + 1, m.k + 1, 2 * m.k, m.k, -m.k, 0]
    few = [[5, *range(5, 5 + abs(m.k))], [*range(1, 2 * abs(m.k) + 2)]] if abs(m.k) < 8 else [[m.k] * 3]
    return [around, [], *few]


def _usual(m: Meant, rng: Random) -> Any:
    if m.argument == "number":
        return rng.randint(1, 60) * rng.choice([1, m.k, m.k**2])
    if m.argument == "text":
        words = ["".join(rng.choice("abzt") * rng.randint(1, 4) for _ in range(rng.randint(1, 3))) for _ in range(4)]
        return " ".join(words)
    return [rng.randint(-4, 9) + rng.choice([0, 0, m.k]) for _ in range(rng.randint(3, 9))]
