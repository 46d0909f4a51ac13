"""The seeds are right, varied, and stay what they are.

Every line of `math.jsonl` carries `check`, a Python expression that finds its answer anew. It is evaluated
here over the names in `ARITHMETIC` and `SYMBOLIC` (and `options` and `only`, for questions with lettered
options), without any other builtin, and compared exactly: integers and fractions as `Fraction`, formulas as
formulas, never as floats. `ANOTHER_ROUTE`, at the end, answers the hardest problems a second time, each by a
method unlike that of its check.
"""

from __future__ import annotations

import dis
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import cache, partial, reduce
from hashlib import blake2b
from itertools import combinations, permutations, product
from math import comb, gcd, isqrt, perm, prod
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from rapidfuzz.distance import Indel

from tests.each import each_of

Seed = dict[str, Any]

SEEDS = Path(__file__).parents[2] / "data" / "seeds"
LETTERS = "ABCDE"


def rows(name: str) -> list[Seed]:
    with (SEEDS / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


PROBLEMS = rows("math.jsonl")
TASKS = rows("instructions.jsonl")
PASSAGES = rows("passages.jsonl")
QUERIES = rows("queries.jsonl")
BY_ID = {problem["id"]: problem for problem in PROBLEMS}


# What a check may use -----------------------------------------------------------------------------------


def the(found: Iterable[Any]) -> Any:
    """The one element of `found`; an error when there is none, or a second one."""
    (element,) = found
    return element


def only(letters: str, truths: Iterable[Any]) -> str:
    """The letter of the one option that is true; an error unless exactly one is, among as many as there are."""
    return the(letter for letter, true in zip(letters, truths, strict=True) if true)


ARITHMETIC: dict[str, Any] = {
    function.__name__: function
    for function in (
        *(abs, all, any, dict, enumerate, int, len, list, max, min, next, pow, range, set, sorted, str),
        *(sum, tuple, zip),
        *(Fraction, comb, gcd, isqrt, perm, prod, reduce, combinations, permutations, product, the),
    )
}
FUNCTIONS = "Rational cos diff exp expand integrate interpolate limit pi rem simplify sin solve sqrt"
SYMBOLS = "a d k n x y"
SYMBOLIC = {*FUNCTIONS.split(), *SYMBOLS.split()}


def symbolic_names() -> dict[str, Any]:
    sympy = pytest.importorskip("sympy")
    functions = {name: getattr(sympy, name) for name in FUNCTIONS.split()}
    return functions | {name: sympy.Symbol(name) for name in SYMBOLS.split()}


def free_names(code: CodeType) -> set[str]:
    """The names that a compiled check takes from outside itself, so not its own loop variables."""
    steps = dis.get_instructions(code)
    own = {step.argval for step in steps if step.opname in ("LOAD_NAME", "LOAD_GLOBAL")}
    return own.union(*(free_names(part) for part in code.co_consts if isinstance(part, CodeType)))


def options(question: str) -> tuple[str, ...]:
    """The texts of the options "(A) ... (B) ..." in the order of their letters."""
    _, *parts = re.split(r"\(([A-E])\) ", question)
    assert "".join(parts[::2]) == LETTERS[: len(parts) // 2]
    return tuple(text.strip().rstrip(".;") for text in parts[1::2])


@cache
def recomputed(identity: str) -> Any:
    """What the check of a problem evaluates to."""
    problem = BY_ID[identity]
    texts = options(problem["question"])
    names = ARITHMETIC | {"options": texts, "only": partial(only, LETTERS[: len(texts)]), "__builtins__": {}}
    code = compile(problem["check"], identity, "eval")
    if free_names(code) & SYMBOLIC:
        names |= symbolic_names()
    return eval(code, names)


# What it means that an answer is right ------------------------------------------------------------------


def same_number(answer: str, value: Any) -> bool:
    assert not isinstance(value, bool | float), f"a check must be exact, this one gave {value!r}"
    return Fraction(answer) == Fraction(str(value))


def same_formula(answer: str, value: Any) -> bool:
    """Compare as functions; every quantity in our questions that has a letter may be taken as positive."""
    sympy = pytest.importorskip("sympy")
    latex2sympy = pytest.importorskip("latex2sympy2_extended").latex2sympy
    difference = latex2sympy(answer) - value
    positive = {symbol: sympy.Symbol(symbol.name, positive=True) for symbol in difference.free_symbols}
    return sympy.simplify(difference.subs(positive)) == 0


def agrees(kind: str, answer: str, value: Any) -> bool:
    """Tell whether `answer`, as written in the seeds, is what a check has found."""
    match kind:
        case "integer" | "fraction":
            return same_number(answer, value)
        case "expression":
            return same_formula(answer, value)
        case "choice":
            return answer == value
        case "yes-no":
            return {"yes": True, "no": False}[answer] is value
    raise ValueError(f"no answer type {kind!r}")


def spoiled(kind: str, answer: str) -> str:
    """A wrong answer that looks much like the right one."""
    match kind:
        case "integer" | "fraction":
            return str(Fraction(answer) + 1)
        case "expression":
            return answer + "+1"
        case "choice":
            return LETTERS[LETTERS.index(answer) - 1]
        case "yes-no":
            return {"yes": "no", "no": "yes"}[answer]
    raise ValueError(f"no answer type {kind!r}")


each_problem = each_of(PROBLEMS)


@each_problem
def test_answer_is_what_its_check_finds(problem: Seed):
    assert agrees(problem["answer_type"], problem["answer"], recomputed(problem["id"]))


@each_problem
def test_check_refuses_a_wrong_answer(problem: Seed):
    kind = problem["answer_type"]
    assert not agrees(kind, spoiled(kind, problem["answer"]), recomputed(problem["id"]))


@each_problem
def test_check_uses_nothing_but_the_listed_names(problem: Seed):
    code = compile(problem["check"], problem["id"], "eval")
    assert free_names(code) <= {*ARITHMETIC, *SYMBOLIC, "options", "only"}
    assert "._" not in problem["check"]


# The collections as wholes ------------------------------------------------------------------------------

MATH_KEYS = [
    *("id", "question", "answer", "verifier", "domain", "topic", "level"),
    *("answer_type", "source", "license", "check"),
]
TASK_KEYS = ["id", "question", "category", "source", "license"]
CATEGORIES = {
    *("Writing & Storytelling", "Technical & Programming", "Creative & Design", "Data & Analysis"),
    *("Education & Research", "Communication & Support", "Business & Marketing", "Miscellaneous"),
}


@pytest.mark.parametrize(
    ("seeds", "prefix", "keys"),
    [
        (PROBLEMS, "math", MATH_KEYS),
        (TASKS, "task", TASK_KEYS),
        (PASSAGES, "passage", ["id", "question", "source", "license"]),
    ],
    ids=["math", "instructions", "passages"],
)
def test_rows_have_one_form(seeds: list[Seed], prefix: str, keys: list[str]):
    for number, seed in enumerate(seeds, start=1):
        assert list(seed) == keys
        assert seed["id"] == f"{prefix}-{number:04}"
        assert (seed["source"], seed["license"]) == ("thoughtmill-seeds", "CC0-1.0")
        assert all(type(value) is (int if key == "level" else str) and value for key, value in seed.items())
        assert seed["question"] == seed["question"].strip()


def test_two_of_three_queries_have_an_answer_and_the_others_stand_among_the_instructions():
    tasks = {task["question"] for task in TASKS}
    for number, query in enumerate(QUERIES, start=1):
        assert query["id"] == f"query-{number:04}"
        assert (query["source"], query["license"]) == ("thoughtmill-seeds", "CC0-1.0")
        assert ("answer" in query) == (number % 3 != 0) == ("verifier" in query) == (query["question"] not in tasks)
        assert query["domain"]


@pytest.mark.parametrize(
    "seeds", [PROBLEMS, TASKS, PASSAGES, QUERIES], ids=["math", "instructions", "passages", "queries"]
)
def test_no_two_are_nearly_the_same(seeds: list[Seed]):
    """ROUGE-L, as F1 over lower-case words, is the normalised Indel similarity of the two word lists."""
    words = [(seed["id"], re.findall(r"\w+", seed["question"].lower())) for seed in seeds]
    close = [
        (one, other)
        for (one, left), (other, right) in combinations(words, 2)
        if Indel.normalized_similarity(left, right) > 0.7
    ]
    assert close == []


@pytest.mark.parametrize(
    ("seeds", "released", "digest"),
    [
        (PROBLEMS, 314, "10341b828bcbf49c"),
        (TASKS, 216, "3087a39c9c11f05a"),
        (PASSAGES, 120, "bd95a6e3f243a718"),
        (QUERIES, 300, "07970f149bf746e8"),
    ],
    ids=["math", "instructions", "passages", "queries"],
)
def test_released_rows_never_change(seeds: list[Seed], released: int, digest: str):
    """Facts in people's runs point at these ids: a better wording is a new row at the end of the file."""
    text = "".join(f"{seed['id']}\t{seed['question']}\n" for seed in seeds[:released])
    assert blake2b(text.encode(), digest_size=8).hexdigest() == digest


def test_problems_are_spread_over_domains_levels_and_types():
    domains = Counter(problem["domain"] for problem in PROBLEMS)
    levels = Counter(problem["level"] for problem in PROBLEMS)
    kinds = Counter(problem["answer_type"] for problem in PROBLEMS)
    cells = Counter((problem["domain"], problem["level"]) for problem in PROBLEMS)
    assert set(domains) == {"mathematics", "science", "logic"}
    assert set(levels) == {1, 2, 3}
    assert set(kinds) == set(FORMS)
    assert len(PROBLEMS) >= 220
    assert min(domains.values()) >= 60
    assert min(levels.values()) >= 80
    assert min(kinds.values()) >= 30
    assert len(cells) == 9
    assert min(cells.values()) >= 18
    assert len({problem["topic"] for problem in PROBLEMS}) >= 15


def test_every_stretch_is_mixed():
    """Any forty rows in sequence hold every domain, level and type."""
    for start in range(len(PROBLEMS) - 39):
        stretch = PROBLEMS[start : start + 40]
        assert len({problem["domain"] for problem in stretch}) == 3
        assert len({problem["level"] for problem in stretch}) == 3
        assert len({problem["answer_type"] for problem in stretch}) == 5


def test_guessing_one_letter_or_one_word_does_not_pay():
    letters = Counter(p["answer"] for p in PROBLEMS if p["answer_type"] == "choice")
    words = Counter(p["answer"] for p in PROBLEMS if p["answer_type"] == "yes-no")
    assert max(letters.values()) <= 0.35 * letters.total()
    assert max(words.values()) <= 0.6 * words.total()


def test_instructions_cover_the_eight_categories():
    counts = Counter(task["category"] for task in TASKS)
    assert set(counts) == CATEGORIES
    assert min(counts.values()) >= 26


# Single rows --------------------------------------------------------------------------------------------

FORMS = {
    "integer": r"-?(0|[1-9]\d*)",
    "fraction": r"-?[1-9]\d*/[1-9]\d*",
    "expression": r"\S(.*\S)?",
    "choice": r"[A-E]",
    "yes-no": r"yes|no",
}


@each_problem
def test_answer_has_the_form_of_its_type(problem: Seed):
    answer, kind = problem["answer"], problem["answer_type"]
    assert re.fullmatch(FORMS[kind], answer)
    assert problem["verifier"] == ("choice" if kind == "choice" else "math")
    if kind == "fraction":
        assert str(Fraction(answer)) == answer, "not in lowest terms"


@each_problem
def test_options_belong_to_choices_only(problem: Seed):
    """That exactly one option is right is what `only` demands of the check."""
    texts = options(problem["question"])
    if problem["answer_type"] != "choice":
        assert texts == ()
    else:
        assert 3 <= len(texts) <= 5
        assert len(set(texts)) == len(texts)
        assert problem["answer"] in LETTERS[: len(texts)]


def spellings(text: str) -> set[str]:
    """The numbers of a text, and its formulas without spaces, each as an answer might be written."""
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", text).replace("\N{MINUS SIGN}", "-")
    plain = re.sub(r"\\[dt]?frac\{?(\d+)\}?\{?(\d+)\}?", r"\1/\2", plain)
    formulas = {re.sub(r"\s", "", formula) for formula in re.findall(r"\$([^$]+)\$", text)}
    return {*re.findall(r"-?\d+(?:/\d+)", plain), *re.findall(r"(?<![\d.])-?\d+(?![\d.]*\d)", plain), *formulas}


@each_problem
def test_question_does_not_give_its_answer_away(problem: Seed):
    question, kind = problem["question"], problem["answer_type"]
    assert not re.search(r"\banswer(:| is)|solution is", question, re.IGNORECASE)
    if kind == "yes-no":
        assert question.endswith("Answer yes or no.")
    elif kind != "choice":
        assert problem["answer"].replace(" ", "") not in spellings(question)


# A second opinion on the hardest ------------------------------------------------------------------------


def moves_to_turn(cups: int, at_once: int) -> int:
    """Breadth-first search over the sets of upright cups."""
    hands = [sum(1 << cup for cup in hand) for hand in combinations(range(cups), at_once)]
    reached, frontier, moves = {0}, {0}, 0
    while (1 << cups) - 1 not in reached:
        frontier = {state ^ hand for state in frontier for hand in hands} - reached
        reached |= frontier
        moves += 1
    return moves


def time_to_cross(minutes: tuple[int, ...]) -> int:
    """Shortest way through the states (who is still on this side, where the lamp is), by relaxation."""

    @cache
    def far(here: frozenset[int]) -> int:
        pairs = [(here - {a, b}, max(a, b)) for a, b in combinations(sorted(here), 2)]
        return min(cost + back(rest) for rest, cost in pairs)

    @cache
    def back(here: frozenset[int]) -> int:
        returning = set(minutes) - here
        return min(walker + far(here | {walker}) for walker in returning) if here else 0

    return far(frozenset(minutes))


@cache
def mover_wins(row: str) -> bool:
    """Play out every line of the game in which one coin, or two touching ones, leave the row."""
    takes = [(i, i + width) for width in (1, 2) for i in range(len(row) - width + 1)]
    after = {row[:i] + "." * (j - i) + row[j:] for i, j in takes if "." not in row[i:j]}
    return any(not mover_wins(rest) for rest in after)


@cache
def last_taker_wins(heap: int, *takes: int) -> bool:
    return any(not last_taker_wins(heap - take, *takes) for take in takes if take <= heap)


def dark_sets(size: int) -> int:
    """Chase the lamps: the first row decides every next one, and the row below the last must stay empty."""

    def below(row: int, above: int) -> int:
        return (row ^ row << 1 ^ row >> 1 ^ above) & ((1 << size) - 1)

    def overflow(first: int) -> int:
        return reduce(lambda rows, _: (rows[1], below(rows[1], rows[0])), range(size), (0, first))[1]

    return sum(overflow(first) == 0 for first in range(1 << size))


def block_length(denominator: int) -> int:
    """Long division: the length of the cycle of remainders."""
    remainders, rest = [], 10 % denominator
    while rest not in remainders:
        remainders.append(rest)
        rest = rest * 10 % denominator
    return len(remainders) - remainders.index(rest)


def routes(width: int, height: int, blocked: tuple[int, int]) -> int:
    """Add up the numbers of ways from the left and from below, corner by corner."""
    ways = {(0, 0): 1}
    for x, y in product(range(width + 1), range(height + 1)):
        ways.setdefault((x, y), ways.get((x - 1, y), 0) + ways.get((x, y - 1), 0))
        ways[blocked] = 0
    return ways[width, height]


def payments(amount: int, coins: tuple[int, ...]) -> int:
    """The coefficient in the product of the geometric series, one coin after the other."""
    ways = [1] + [0] * amount
    for coin in coins:
        for total in range(coin, amount + 1):
            ways[total] += ways[total - coin]
    return ways[amount]


def multiplied(*polynomials: tuple[int, ...]) -> list[int]:
    """The coefficients of a product, constant term first."""

    def times(left: list[int], right: tuple[int, ...]) -> list[int]:
        terms = list(product(enumerate(left), enumerate(right)))
        return [sum(a * b for (i, a), (j, b) in terms if i + j == k) for k in range(len(left) + len(right) - 1)]

    return reduce(times, polynomials, [1])


def derangements(letters: int) -> int:
    return reduce(lambda d, k: (d[1], (k - 1) * (d[0] + d[1])), range(2, letters + 1), (1, 0))[1]


def balanced_sum() -> int:
    """Count the atoms of 2 KMnO4 + 16 HCl = 2 KCl + 2 MnCl2 + 8 H2O + 5 Cl2, which share no divisor."""
    left = Counter({"K": 2, "Mn": 2, "O": 8, "H": 16, "Cl": 16})
    right = Counter({"K": 2, "Mn": 2, "O": 8, "H": 16, "Cl": 2 + 2 * 2 + 5 * 2})
    assert left == right
    assert gcd(2, 16, 2, 2, 8, 5) == 1
    return 2 + 16 + 2 + 2 + 8 + 5


def stopping_chance() -> Fraction:
    """From the balance at each stone, h(k+1) = (3 h(k) - h(k-1)) / 2, scaled so that the far bank has 1."""
    heights = reduce(lambda h, _: (h[1], (3 * h[1] - h[0]) / 2), range(3), (Fraction(0), Fraction(1)))
    return 1 / heights[1]


def polygon_area(*corners: tuple[int, int]) -> Fraction:
    edges = zip(corners, corners[1:] + corners[:1], strict=True)
    return Fraction(abs(sum(a * d - b * c for (a, b), (c, d) in edges)), 2)


ANOTHER_ROUTE: dict[str, Callable[[], Any]] = {
    # arithmetic and algebra
    "math-0249": lambda: 60 / (Fraction(2, 3) - Fraction(1, 4)),  # equate the two heights
    "math-0176": lambda: 30 / (1 - Fraction(24, 60)),  # her feet do the rest of the way
    "math-0156": lambda: 80 * Fraction(24, 240),  # alligation: 2.4 points up against 24 down
    "math-0013": lambda: reduce(lambda p, _: (p[1], 7 * p[1] - 4 * p[0]), range(4), (2, 7))[
        0
    ],  # recurrence of the power sums
    "math-0245": lambda: 12**3 - 3 * 12 * 41 + 3 * 42,  # Newton's identity
    "math-0181": lambda: (
        1 - comb(5, 1) * Fraction(1, 2) + comb(5, 2) * Fraction(1, 3)
    ),  # Newton's forward differences
    "math-0104": lambda: 30 * 31 * 32 // 3,  # k(k+1)(k+2)/3 telescopes
    "math-0205": lambda: (1 - Fraction(1, 41)) / 2,  # halves of neighbouring differences
    "math-0280": lambda: (7 * 2**7 + 2 * (-1) ** 7) // 6,  # closed form over the roots 2 and -1
    "math-0134": lambda: (18 - 2 * (3 + 2)) * 60 // 2,  # a cellar of 18 parts
    # number theory
    "math-0005": lambda: 2000 - 666 - 400 - 285 + 133 + 95 + 57 - 19,  # inclusion and exclusion
    "math-0042": lambda: (4 + 1) * (2 + 1),  # (x - 12)(y - 12) = 144, one way for each divisor
    "math-0148": lambda: (6 // 2 + 1) * (4 // 2 + 1) * (2 // 2 + 1),  # even exponents only
    "math-0053": lambda: comb(3 + 2, 2) * comb(2 + 2, 2) * comb(1 + 2, 2),  # each prime for itself
    "math-0087": lambda: 9 * 14 - 9 - 14,  # Sylvester
    "math-0128": lambda: min(2**17, 2**8 * 3, 2**5 * 3**2, 2**2 * 3**2 * 5),  # 18 as 18, 9 · 2, 6 · 3 and 3 · 3 · 2
    "math-0283": lambda: block_length(41),  # long division
    "math-0130": lambda: 19**95 % 97,  # Fermat
    "math-0264": lambda: next(
        n for n in range(1, 200) if str(prod(range(1, n + 1))).endswith("0" * 20)
    ),  # write the factorials out
    "math-0149": lambda: 23 * 89 != 2047,  # its factors
    "math-0024": lambda: (3 * 63 * 2 + 4 * 45 * 5 + 1 * 35 * 8) % 315,  # Chinese remainder theorem
    "math-0171": lambda: len([*range(2, 201, 7), *range(4, 201, 7)]),  # n must be 2 or 4 modulo 7
    "math-0081": lambda: 7**2 * (7**4 % 100) ** 55 % 100,  # the fourth power ends in 01
    "math-0166": lambda: 2023 != 7 * 17**2,  # the prime 7 = 4 + 3 to an odd power forbids it
    # combinatorics
    "math-0075": lambda: comb(5, 2) * comb(6, 2) + comb(5, 3) * 6 + comb(5, 4),  # two, three or four chemists
    "math-0312": lambda: routes(5, 4, (2, 2)),  # a table of ways
    "math-0213": lambda: 5 * derangements(4),  # the right one, and a derangement
    "math-0234": lambda: reduce(lambda f, _: (f[1], f[0] + f[1]), range(8), (1, 2))[0],  # Fibonacci
    "math-0093": lambda: reduce(lambda t, _: (t[1], t[1] + 2 * t[0]), range(7), (1, 1))[0],  # by the last column
    "math-0038": lambda: perm(3) * 2**4,  # three couples beside the first, each in two ways
    "math-0247": lambda: 3**6 - 3 * 2**6 + 3,  # inclusion and exclusion
    "math-0208": lambda: comb(7 + 4, 4),  # seven stars, four bars
    "math-0159": lambda: comb(12 - 1, 4 - 1),  # eleven gaps, three bars
    "math-0196": lambda: multiplied((1, 1), (1, 1), (1, 1), (1, 1), (1, -2), (1, -2), (1, -2))[5],  # multiply out
    "math-0186": lambda: payments(60, (5, 10, 20)),  # generating function
    "math-0113": lambda: 3**5,  # each element: in both, in B only, in neither
    "math-0289": lambda: (3**6 - 2 * 2**6 + 1) // 2,  # each element: left, right, neither
    # geometry
    "math-0040": lambda: 54 - (12 + 9 + gcd(12, 9)) // 2 + 1,  # Pick
    "math-0177": lambda: Fraction(isqrt((7 * 8) ** 2 + 33**2), 8),  # centre (7, 33/8) over the side 14
    "math-0200": lambda: Fraction(
        max(cut * (180 - 2 * cut) ** 2 for cut in range(1, 90)), 1000
    ),  # in steps of a millimetre
    "math-0154": lambda: (
        polygon_area((0, 0), (15, 0), (60, 45), (60, 60), (45, 60), (0, 15)) / 60**2
    ),  # a hexagon in the square of arrivals
    # probability
    "math-0189": lambda: Fraction(98, 98 + 597),  # of 20,000 people, 100 carriers, 19,900 others
    "math-0045": lambda: sum(
        (-1) ** (j + 1) * comb(4, j) * Fraction(4, j) for j in range(1, 5)
    ),  # expected maximum by inclusion and exclusion
    "math-0061": stopping_chance,  # balance equations
    "math-0069": lambda: Fraction(9, 25) / (1 - Fraction(12, 25)),  # a series over returns to deuce
    "math-0266": lambda: prod(Fraction(8 - k, 8) for k in range(5)),  # one after the other
    "math-0037": lambda: Fraction(comb(4, 3), comb(6, 3)),  # three of the gaps around the roses
    "math-0094": lambda: 3 * Fraction(1, 4) * Fraction(3, 4) ** 2,  # binomial
    # science
    "math-0077": balanced_sum,  # count the atoms
    "math-0210": lambda: Fraction(189 * 100 + 567 * 20, 189 + 567),  # a mean weighted by heat capacity
    "math-0129": lambda: Fraction(3 * 1, 3 + 1) * 4**2 / 2,  # the reduced mass carries the loss
    # logic
    "math-0119": lambda: -(-12 // 3),  # a truth-teller accounts for three people at most
    "math-0258": lambda: moves_to_turn(7, 3),  # search
    "math-0209": lambda: time_to_cross((1, 3, 6, 9)),  # search
    "math-0097": lambda: mover_wins("o" * 10),  # play it out
    "math-0141": lambda: sum(not last_taker_wins(heap, 1, 3, 4) for heap in range(1, 51)),  # play it out
    "math-0187": lambda: the(t for t in range(1, 7) if not last_taker_wins(45 - t, 1, 2, 3, 4, 5, 6)),  # play it out
    "math-0071": lambda: sum(2 * k * k <= 60 for k in range(1, 61)),  # twice a square is on
    "math-0276": lambda: dark_sets(4),  # chase the lamps row by row
    "math-0035": lambda: only(
        "ABCD",  # a meeting changes every difference by 0 or 3
        ((b - a) % 3 == (c - b) % 3 == 2 for a, b, c in ((30, 14, 1), (15, 15, 15), (12, 16, 17), (15, 13, 17))),
    ),
    "math-0311": lambda: 3 * 11 - 14 - (2 * 11 - (3 * 11 - 14 - 3)),  # lines through the centre
}


@each_of(ANOTHER_ROUTE)
def test_another_route_leads_to_the_same_answer(identity: str):
    problem = BY_ID[identity]
    assert agrees(problem["answer_type"], problem["answer"], ANOTHER_ROUTE[identity]())
