"""The poser against the solver, against brute force, and against itself: right, apart, varied."""

import ast
import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, permutations
from math import gcd, lcm
from pathlib import Path
from random import Random

import pytest
from rapidfuzz import process
from rapidfuzz.distance import Indel

import pipelines.inference.builtin as builtin
from pipelines.inference.builtin import truth
from pipelines.inference.builtin.pose import logic, numbers
from pipelines.inference.builtin.pose.ambiguous import ambiguous
from pipelines.inference.builtin.pose.families import FAMILIES, recognised
from pipelines.inference.builtin.pose.surface import Posed

HOME = Path(builtin.__file__).parent


def posed(how_many: int) -> list[tuple[str, Posed]]:
    """Problems of every family in turn, of 2 to 12 steps."""
    made = []
    for i in range(how_many):
        family, rng = FAMILIES[i % len(FAMILIES)], Random(i)
        made.append((family.name, family.pose(rng, rng.randint(2, 12))))
    return made


@pytest.mark.slow
def test_poser_and_solver_agree_on_2000_problems() -> None:
    problems = [(name, p, truth(p.question)) for name, p in posed(2000)]
    assert [(name, p) for name, p, found in problems if found not in (None, p.answer)] == []
    assert sum(found is not None for _, _, found in problems) >= 0.995 * len(problems)


def test_an_ambiguous_problem_has_no_truth() -> None:
    assert [p for i in range(200) if truth((p := ambiguous(Random(i), 2 + i % 8)).question) is not None] == []


def imported(folder: str) -> set[str]:
    """What the modules of a folder import from within the engine, as paths from it."""
    found = set()
    for path in (HOME / folder).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = [folder] if node.level == 1 else []
                found |= {".".join([*base, node.module or alias.name]) for alias in node.names}
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                found |= {name for name in names if name.startswith("pipelines")}
    return found


def test_poser_and_solver_share_no_code() -> None:
    assert imported("pose")
    assert {name.split(".")[0] for name in imported("pose")} == {"pose"}
    assert {name.split(".")[0] for name in imported("solve")} == {"solve", "faults"}


def divisor_count_or_sum(n: int, phrase: str) -> int:
    divisors = [d for d in range(1, n + 1) if n % d == 0]
    return sum(divisors) if "sum of" in phrase else len(divisors)


def brute_power(phrase: str) -> int:
    a, b, modulus = (int(n) for n in re.findall(r"\d+", phrase))
    base, exponent = (b, a) if "th power of" in phrase else (a, b)
    value = 1
    for _ in range(exponent):
        value = value * base % modulus
    return value


def brute_divisors(phrase: str) -> int:
    return divisor_count_or_sum(int(re.findall(r"\d+", phrase)[0]), phrase)


def brute_common(phrase: str) -> int:
    ns = [int(n) for n in re.findall(r"\d+", phrase)]
    if "divisor" in phrase or "divides" in phrase:
        return max(d for d in range(1, min(ns) + 1) if all(n % d == 0 for n in ns))
    return next(m for m in range(max(ns), lcm(*ns) + 1, max(ns)) if all(m % n == 0 for n in ns))


def brute_multiples(phrase: str) -> int:
    _, top, a, b = (int(n) for n in re.findall(r"\d+", phrase))
    if "neither" in phrase:
        return len([n for n in range(1, top + 1) if n % a and n % b])
    if "but not" in phrase:
        return len(set(range(a, top + 1, a)) - set(range(b, top + 1, b)))
    return len(set(range(a, top + 1, a)) | set(range(b, top + 1, b)))


def brute_letters(phrase: str) -> int:
    word = re.findall(r"\b[A-Z]{4,}\b", phrase)[0]
    return len(set(permutations(word)))


def brute_committee(phrase: str) -> int:
    total = 1
    for k, n in re.findall(r"(\d+) of (\d+)", phrase):
        total *= len(list(combinations(range(int(n)), int(k))))
    return total


def brute_remainders(phrase: str) -> int:
    pairs = [(int(r), int(m)) for r, m in re.findall(r"remainder (\d+) on division by (\d+)", phrase)]
    return next(n for n in range(1, 10**6) if all(n % m == r for r, m in pairs))


def brute_primes(phrase: str) -> int:
    low, high = (int(n) for n in re.findall(r"\d+", phrase))
    found = [n for n in range(low, high + 1) if divisor_count_or_sum(n, "") == 2]
    return sum(found) if "sum" in phrase else len(found)


@pytest.mark.parametrize(
    ("quantity", "brute"),
    [
        (numbers.power, brute_power),
        (numbers.divisors, brute_divisors),
        (numbers.common, brute_common),
        (numbers.multiples, brute_multiples),
        (numbers.committee, brute_committee),
        (numbers.remainders, brute_remainders),
        (numbers.primes, brute_primes),
    ],
)
def test_quantities_by_brute_force(quantity: numbers.Quantity, brute: Callable[[str], int]) -> None:
    for seed in range(60):
        phrase, value = quantity(Random(seed), 2 + seed % 9)
        assert brute(phrase) == value, phrase


def test_letters_by_brute_force() -> None:
    short = [
        (p, v) for seed in range(40) if v_fits(p := (pv := numbers.letters(Random(seed), 3))[0]) for v in [pv[1]]
    ]
    assert short
    assert [p for p, v in short if brute_letters(p) != v] == []


def v_fits(phrase: str) -> bool:
    return len(re.findall(r"\b[A-Z]{4,}\b", phrase)[0]) <= 6


def test_orders_by_brute_force() -> None:
    ranks = ("", "second", "third", "fourth", "fifth", "sixth", "seventh")
    more = ("taller", "older", "faster", "heavier", "stronger", "richer")
    for seed in range(40):
        p = logic.ordering(Random(seed), 5)
        facts = re.findall(r"(\w+) is (\w+) than (\w+)", p.question)
        people = sorted({name for a, _, b in facts for name in (a, b)})
        fits = [
            line
            for line in permutations(people)
            if all((line.index(a) < line.index(b)) == (word in more) for a, word, b in facts)
        ]
        asked = re.search(rf"the ({'|'.join(ranks[1:])})? ?\w+est\b", p.question)
        assert len(fits) == 1
        assert asked is not None
        who = fits[0][ranks.index(asked[1] or "")]
        assert re.search(rf"\b{p.answer}[).] {who}\b", p.question)


def test_urns_by_enumeration() -> None:
    words = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    ]
    colours = ["red", "blue", "green", "white", "black", "yellow", "purple", "orange"]
    for seed in range(30):
        p = numbers.urn(Random(seed), 3 + seed % 5)
        told = re.findall(rf"(\d+|{'|'.join(words)}) ({'|'.join(colours)})", p.question, re.I)
        balls = [c for n, c in told for _ in range(int(n) if n.isdigit() else words.index(n.lower()))]
        drawn = (
            3
            if re.search(r"\b(?:3|three) (?:of them|balls|marbles|tokens|beads|counters|chips)", p.question, re.I)
            else 2
        )
        wanted = re.search(rf"(?:all of them are|only) ({'|'.join(colours)})", p.question)
        draws = list(combinations(balls, drawn))
        good = [d for d in draws if len(set(d)) == 1 and (wanted is None or d[0] == wanted[1])]
        assert Fraction(p.answer) == Fraction(len(good), len(draws)), p.question


def test_answers_are_of_every_type() -> None:
    kinds = Counter(
        "letter" if re.fullmatch("[A-G]", a) else "fraction" if "/" in a else "decimal" if "." in a
        else "yes or no" if a in ("yes", "no") else "integer"
        for a in (p.answer for _, p in posed(1000))
    )  # fmt: skip
    assert set(kinds) == {"letter", "fraction", "decimal", "yes or no", "integer"}
    assert min(kinds.values()) >= 20


def test_lengths_spread_from_short_to_long() -> None:
    steps = Counter(p.steps for _, p in posed(1000))
    assert min(steps) <= 2
    assert max(steps) >= 12
    assert len(steps) >= 9


def test_a_posed_problem_is_mostly_recognised_as_of_its_domain() -> None:
    domains = {family.name: family.domain for family in FAMILIES}
    seen = [(domains[name], recognised(p.question)) for name, p in posed(580)]
    known = [(domain, family.domain) for domain, family in seen if family is not None]
    assert len(known) >= 0.7 * len(seen)
    assert sum(a == b for a, b in known) >= 0.8 * len(known)


def code_points() -> Callable[[str], str]:
    seen: dict[str, int] = {}
    return lambda text: "".join(chr(0x100 + seen.setdefault(w, len(seen))) for w in re.findall(r"\w+", text.lower()))


@pytest.mark.slow
def test_problems_are_worded_differently() -> None:
    encode = code_points()
    texts = [encode(p.question) for _, p in posed(1000)]
    near = [
        i for i in range(1, len(texts))
        if process.extractOne(texts[i], texts[:i], scorer=Indel.normalized_similarity, score_cutoff=0.7)
    ]  # fmt: skip
    assert len(near) / len(texts) < 0.10
    assert len({p.question for _, p in posed(1000)}) >= 995


def test_least_multiple_and_greatest_divisor_are_dual() -> None:
    a, b = 84, 126
    assert truth(f"What is the greatest common divisor of {a} and {b}?") == str(gcd(a, b))
    assert truth(f"What is the least common multiple of {a} and {b}?") == str(a * b // gcd(a, b))
