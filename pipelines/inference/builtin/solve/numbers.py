"""Readers for number theory and combinatorics. A reader returns `None` for what it cannot read in full.

Most of these problems name one quantity and then ask to do something to it. `QUANTITIES` says how each
quantity is recognised; the rest of the text goes to `chain`.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from math import comb, factorial, gcd, isqrt, lcm

from .chain import chain, follow, passing, used
from .text import numbers
from .work import Reading, Work

Match = re.Match[str]
Found = tuple[list[int], Callable[[Work], Fraction]] | None
LIST = r"(\d+(?:(?:, and|,| and) \d+)+)"
ABOVE_ALL = r"(?:greatest|largest|biggest|highest)"
LEAST = r"(?:least|smallest|lowest)"
WHOLE = r"(?:positive )?(?:whole )?(?:integers?|numbers?)"


def ints(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", text)]


def base_and_exponent(text: str) -> tuple[int, int]:
    """`7^12`, `7 to the power 12` and `the 12th power of 7` name the same number."""
    first, second = ints(text)[:2]
    return (second, first) if re.search(r"\d+(?:st|nd|rd|th) power of", text) else (first, second)


def power(m: Match) -> Found:
    (base, exponent), modulus = base_and_exponent(m[0]), ints(m[0])[-1]
    if modulus == 0:
        return None

    def work(w: Work) -> Fraction:
        value, square, bits = Fraction(1), w.step(f"{base} mod {modulus}", base % modulus), exponent
        while bits:
            if bits & 1:
                value = w.step(f"{value} * {square} mod {modulus}", value * square % modulus)
            bits >>= 1
            if bits:
                square = w.step(f"{square}^2 mod {modulus}", square * square % modulus)
        return value

    return [base, exponent, modulus], work


def factorised(n: int) -> dict[int, int]:
    found: Counter[int] = Counter()
    for p in range(2, isqrt(n) + 1):
        while n % p == 0:
            found[p] += 1
            n //= p
    if n > 1:
        found[n] += 1
    return dict(found)


def count_divisors(m: Match) -> Found:
    n = int(m["n"])

    def work(w: Work) -> Fraction:
        total = Fraction(1)
        for p, e in factorised(n).items():
            factor = w.step(f"exponent of {p} in {n}, plus one", e + 1)
            total = w.step(f"{total} * {factor}", total * factor)
        return total

    return ([*ints(m[0])], work) if set(ints(m[0])) == {n} and n else None


def sum_divisors(m: Match) -> Found:
    n = int(m["n"])

    def work(w: Work) -> Fraction:
        total = Fraction(1)
        for p, e in factorised(n).items():
            factor = w.step(f"sum of the powers of {p} up to {p}^{e}", sum(p**i for i in range(e + 1)))
            total = w.step(f"{total} * {factor}", total * factor)
        return total

    return ([*ints(m[0])], work) if set(ints(m[0])) == {n} and n else None


def greatest_common(m: Match) -> Found:
    terms = ints(m[1])

    def work(w: Work) -> Fraction:
        value = Fraction(terms[0])
        for n in terms[1:]:
            value = w.step(f"gcd({value}, {n})", gcd(int(value), n))
        return value

    return terms, work


def least_multiple(m: Match) -> Found:
    terms = ints(m[1])

    def work(w: Work) -> Fraction:
        value = Fraction(terms[0])
        for n in terms[1:]:
            shared = w.step(f"gcd({value}, {n})", gcd(int(value), n))
            value = w.step(f"{value} * {n} / {shared}", value * n / shared)
        return value

    return (terms, work) if all(terms) else None


def count_multiples(m: Match) -> Found:
    low, high, rule = int(m["low"]), int(m["high"]), m["rule"].lower()
    a, b = (int(n) for n in re.findall(r"\d+", m["rule"]))
    if low != 1 or not a or not b:
        return None
    kind = (
        "neither"
        if "neither" in rule
        else "but"
        if re.search(r"but not|and not|, not|not", rule)
        else "or"
        if " or " in rule
        else "both"
    )

    def work(w: Work) -> Fraction:
        by_a = w.step(f"multiples of {a} up to {high}", high // a)
        by_both = w.step(f"multiples of {lcm(a, b)} up to {high}", high // lcm(a, b))
        if kind in ("both", "but"):
            return by_both if kind == "both" else w.step(f"{by_a} - {by_both}", by_a - by_both)
        by_b = w.step(f"multiples of {b} up to {high}", high // b)
        either = w.step(f"{by_a} + {by_b} - {by_both}", by_a + by_b - by_both)
        return either if kind == "or" else w.step(f"{high} - {either}", high - either)

    return [low, high, a, b], work


def arrangements(m: Match) -> Found:
    word = m["word"].strip("\"'").upper()

    def work(w: Work) -> Fraction:
        ways = w.step(f"{len(word)}!", factorial(len(word)))
        for letter, times in sorted(Counter(word).items()):
            if times > 1:
                repeats = w.step(f"{times}! for the letter {letter}", factorial(times))
                ways = w.step(f"{ways} / {repeats}", ways / repeats)
        return ways

    return [], work


def choices(m: Match) -> Found:
    if re.search(r"\b(?:or|at least|at most)\b", m[0]):
        return None
    pairs = [
        (int(k), int(n)) for k, n in re.findall(r"(\d+) (?:out of|of|from)(?: the| a group of)? (\d+)", m["groups"])
    ]

    def work(w: Work) -> Fraction:
        total = Fraction(1)
        for k, n in pairs:
            ways = w.step(f"C({n}, {k})", comb(n, k))
            total = w.step(f"{total} * {ways}", total * ways)
        return total

    return [n for pair in pairs for n in pair], work


def _arithmetic(first: int, step: int, terms: int, w: Work, *, total: bool) -> Fraction:
    last = w.step(f"{first} + {terms - 1} * {step}", first + (terms - 1) * step)
    if not total:
        return last
    ends = w.step(f"{first} + {last}", first + last)
    return w.step(f"{terms} * {ends} / 2", terms * ends / 2)


def arithmetic_sum(m: Match) -> Found:
    return _sequence(m, total=True)


def arithmetic_term(m: Match) -> Found:
    return _sequence(m, total=False)


def _sequence(m: Match, *, total: bool) -> Found:
    terms, shown = int(m["terms"]), ints(m["shown"])
    if re.search(r"difference|grows|increas|rises|starts|begins", m["shown"]) and len(shown) == 2:
        first, step = shown
    elif len(shown) >= 3 and all(b - a == shown[1] - shown[0] for a, b in itertools.pairwise(shown)):
        first, step = shown[0], shown[1] - shown[0]
    else:
        return None
    return [terms, *shown], lambda w: _arithmetic(first, step, terms, w, total=total)


def recurrence(m: Match) -> Found:
    term, first, times, plus = (int(m[g]) for g in ("term", "first", "times", "plus"))
    if not 2 <= term <= 30:
        return None

    def work(w: Work) -> Fraction:
        value = Fraction(first)
        for i in range(2, term + 1):
            value = w.step(f"term {i}: {times} * {value} + {plus}", times * value + plus)
        return value

    return [term, first, times, plus], work


def paths(m: Match) -> Found:
    a, b = int(m["a"]), int(m["b"])

    def work(w: Work) -> Fraction:
        length = w.step(f"{a} + {b}", a + b)
        return w.step(f"C({length}, {a})", comb(int(length), a))

    return [a, b], work


def congruences(m: Match) -> Found:
    pairs = [(int(r), int(n)) for r, n in re.findall(r"(\d+)[^\d]*(?:by|modulo) (\d+)", m[0])]
    if any(r >= n for r, n in pairs):
        return None
    period = lcm(*(n for _, n in pairs))
    if period > 200_000 or not any(all(x % n == r for r, n in pairs) for x in range(1, period + 1)):
        return None

    def work(w: Work) -> Fraction:
        value, step = Fraction(pairs[0][0] or pairs[0][1]), pairs[0][1]
        for r, n in pairs[1:]:
            fits = next((x for x in range(int(value), int(value) + step * n, step) if x % n == r), int(value))
            step = lcm(step, n)
            value = w.step(f"least number so far that leaves {r} on division by {n}", fits)
        return value

    return [n for pair in pairs for n in pair], work


def is_prime(n: int) -> bool:
    return n > 1 and all(n % d for d in range(2, isqrt(n) + 1))


def _primes(m: Match, says: str, *, total: bool) -> Found:
    low, high = int(m["low"]), int(m["high"])
    if high - low > 2000 or (m["word"] == "between" and (is_prime(low) or is_prime(high))):
        return None  # `between` may or may not count its ends

    def work(w: Work) -> Fraction:
        value = Fraction(0)
        for start in range(low, high + 1, 40):
            inside = [n for n in range(start, min(start + 40, high + 1)) if is_prime(n)]
            part = w.step(f"{says} from {start} to {min(start + 39, high)}", sum(inside) if total else len(inside))
            value = w.step(f"{value} + {part}", value + part)
        return value

    return [low, high], work


def count_primes(m: Match) -> Found:
    return _primes(m, "number of primes", total=False)


def sum_primes(m: Match) -> Found:
    return _primes(m, "sum of the primes", total=True)


def plain_power_digits(m: Match) -> Found:
    base, exponent = base_and_exponent(m[0])
    if exponent > 200:
        return None
    digits = str(base**exponent)
    return [base, exponent], lambda w: w.step(f"digit sum of {digits}", sum(map(int, digits)))


POWER = (
    r"(?:\d+ ?\^ ?\d+|\d+ (?:raised )?to the (?:power (?:of )?)?\d+(?:th)?(?: power)?|the "
    r"\d+(?:st|nd|rd|th) power of \d+)"
)
RANGE = r"(?P<word>from|between) (?P<low>\d+) (?:up to|through|to|and) (?P<high>\d+)"
SHOWN = (
    r"(?P<shown>\d+, \d+, \d+(?:, \d+)*|[^.?!;\d]*\d+[^.?!;\d]*(?:difference|increases|grows|"
    r"rises|goes up)[^\d.?!]*\d+(?: (?:each|every) time)?)"
)

GROUP = r"\d+ (?:out of|of|from)(?: the| a group of)? \d+ [a-z]+"
LEFT = r"(?:is |of )?\d+ (?:on division by|after division by|(?:when|if)(?: it is)? divided by|modulo) \d+"

QUANTITIES: tuple[tuple[str, Callable[[Match], Found]], ...] = (
    (
        rf"(?:remainder|remains|left over|is left)[^.?!,\d]*{POWER}[^.?!,\d]*(?:division by|divided by|"
        rf"modulo|dividing by) \d+",
        power,
    ),
    (rf"{POWER}[^.?!,\d]*(?:remainder|remains|left over)[^.?!,\d]*(?:division by|divided by|modulo) \d+", power),
    (
        rf"(?:divid\w+|divide) {POWER} by \d+[^.?!]*remainder|{POWER} modulo \d+|{POWER} is divided "
        rf"by \d+[^.?!\d]*remainder",
        power,
    ),
    (
        r"(?:sum of|add up|total of)(?: all| the| all the| all of the)*(?: positive| whole)* "
        r"(?:divisors|factors) of (?P<n>\d+)(?:, \d+ (?:itself )?included)?",
        sum_divisors,
    ),
    (
        r"(?:number of|count of|how many)(?: the| all)*(?: positive| different| whole)* (?:divisors|"
        r"factors) (?:of |does |are there of |divide |has )?(?P<n>\d+)(?: has| have)?",
        count_divisors,
    ),
    (
        r"(?:count of|number of|how many)(?: all)? (?:positive )?(?:integers|whole numbers|numbers) "
        r"(?:(?:that )?(?:evenly )?divide (?=\d)|by which )(?P<n>\d+)(?: is divisible)?(?: evenly| "
        r"exactly| without (?:a )?remainder)?",
        count_divisors,
    ),
    (rf"{ABOVE_ALL} common (?:divisor|factor) of(?: the)?(?: numbers)? {LIST}", greatest_common),
    (
        rf"{ABOVE_ALL} {WHOLE} (?:that|which) (?:evenly )?divides (?:both |all of |each of |all )?{LIST}",
        greatest_common,
    ),
    (rf"\bgcd (?:of|\()? ?{LIST}", greatest_common),
    (rf"{LEAST} common multiple of(?: the)?(?: numbers)? {LIST}", least_multiple),
    (
        rf"{LEAST} {WHOLE} (?:that|which) is (?:divisible by|a multiple of) (?:both |all of |each of |all )?{LIST}",
        least_multiple,
    ),
    (rf"\blcm (?:of|\()? ?{LIST}", least_multiple),
    (
        r"(?:number of|count of|how many)[^.?!\d]*(?:from|between) (?P<low>\d+) (?:up to|through|to|"
        r"and) (?P<high>\d+),?[^.?!\d]*(?P<rule>(?:divisible|multiples?)[^.?!,\d]*\d+,? (?:or|and|"
        r"nor|but not|and not)(?: \w+){0,3} \d+)",
        count_multiples,
    ),
    (
        r"(?:arrangements|orders|anagrams|strings|permutations|words|ways|how "
        r"many)[^.?!\d]*?(?:letters (?:of|in)|anagrams of)(?: the word)? "
        r"(?P<word>[\"']?(?-i:[A-Z]{3,12})\b[\"']?)(?: (?:can|may|could) be (?:put|arranged|written|"
        r"ordered|placed|permuted|rearranged)(?: in a (?:row|line))?)?(?:, (?:counting|including) the word itself)?",
        arrangements,
    ),
    (
        rf"(?:ways|teams?|committees?|jury|juries|choose|pick|select)[^.?!\d]*(?P<groups>{GROUP}(?:,? "
        rf"(?:and )?{GROUP})*)",
        choices,
    ),
    (
        rf"(?:sum|total) of(?: the)?(?: first)? (?P<terms>\d+) terms of (?:the|an) arithmetic "
        rf"(?:sequence|progression|series){SHOWN.replace('(?P<shown>', '(?P<shown> ?')}",
        arithmetic_sum,
    ),
    (
        rf"(?:the (?P<terms>\d+)(?:st|nd|rd|th) term) of (?:the|an) arithmetic (?:sequence|"
        rf"progression|series){SHOWN.replace('(?P<shown>', '(?P<shown> ?')}",
        arithmetic_term,
    ),
    (
        rf"term number (?P<terms>\d+) of (?:the|an) arithmetic (?:sequence|progression|"
        rf"series){SHOWN.replace('(?P<shown>', '(?P<shown> ?')}",
        arithmetic_term,
    ),
    (
        r"(?P<term>\d+)(?:st|nd|rd|th) (?:term|member|number) of (?:the|a) "
        r"sequence[^.?!\d]*(?P<first>\d+)[^.?!\d]*(?:(?P<times>\d+) times [^.?!\d]*?plus "
        r"(?P<plus>\d+))",
        recurrence,
    ),
    (
        r"(?P<term>\d+)(?:st|nd|rd|th) (?:term|member|number) of (?:the|a) "
        r"sequence[^.?!\d]*(?P<first>\d+)[^.?!\d]*(?P<plus>\d+) more than (?P<times>\d+) times the "
        r"(?:one before|previous(?: term| one)?|term before(?: it)?)",
        recurrence,
    ),
    (
        r"(?:shortest|monotone)[^.?!\d]*(?:routes?|paths?|walks?|ways?)[^.?!\d]*(?P<a>\d+) (?:blocks|"
        r"streets|steps|squares|units)?[^.?!\d]*(?:east|west|right|left)[^.?!\d]*(?P<b>\d+) "
        r"(?:blocks|streets|steps|squares|units)?[^.?!,\d]*(?:north|south|up|down)(?:wards?)?",
        paths,
    ),
    (
        rf"{LEAST} {WHOLE} (?:that|which|with|whose)(?: leaves?| gives?| has)?(?: the| a)? "
        rf"remainders? {LEFT}(?:(?:,| and|, and)(?: leaves| gives)?(?: the| a)?(?: remainder)? {LEFT})*",
        congruences,
    ),
    (rf"sum of (?:all |the )*prime(?: numbers|s)[^.?!\d]*{RANGE}", sum_primes),
    (rf"(?:number of|count of|how many)(?: all| the)* prime(?: numbers|s)[^.?!\d]*{RANGE}", count_primes),
    (rf"(?:sum of (?:the|all) digits|digit sum) of {POWER}", plain_power_digits),
)
COMPILED = tuple((re.compile(pattern, re.I), read) for pattern, read in QUANTITIES)
GATE = re.compile(
    r"remainder|remains|modulo|divi|multiple|factor|common|gcd|lcm|letters|anagram|ways|team|"
    r"committee|jury|term|member|sequence|path|shortest|prime|digit",
    re.I,
)


def framing(before: str) -> bool:
    """Whether what leads to the quantity, back to the last full stop or colon, does nothing to it."""
    lead = re.split(r"[.?!:;\n]", before)[-1].strip()
    lead = re.sub(r"\bif (?:you|one|we) take\b", "", lead)
    return all(passing(part.strip()) for part in lead.split(","))


def quantity(text: str, _options: dict[str, str]) -> Reading | None:
    """One named quantity and what is done to it afterwards."""
    if not GATE.search(text):
        return None
    for pattern, read in COMPILED:
        match = pattern.search(text)
        if match and not numbers(text[: match.start()]) and framing(text[: match.start()]):
            found = read(match)
            steps = chain(text[match.end() :]) if found else None
            if found and steps is not None:
                return _reading(found[0], found[1], steps)
    return None


def _reading(own: list[int], value: Callable[[Work], Fraction], steps: list) -> Reading:
    return Reading([*own, *used(steps)], lambda w: str(follow(w, value(w), steps)))


BALLS = re.compile(
    r"(\d+) (\w+)(?: (?:balls|marbles|tokens|beads|counters|chips|ones|pebbles|sweets))?(?=,| "
    r"and|\.|$| into| in\b|;)",
    re.I,
)
DRAW = re.compile(
    r"\b(?:draw|take|pick|pull|grab|remove|choose|select)\w*\b[^.\d]*(\d+)|"
    r"(\d+)[^.\d]*\b(?:drawn|taken|picked|pulled|removed|chosen|selected)\b",
    re.I,
)


def urn(text: str, _options: dict[str, str]) -> Reading | None:
    """Balls of several colours drawn without replacement, all of one colour."""
    if not re.search(r"probab|how likely|chance", text, re.I) or re.search(
        r"with replacement|put back|returned each", text, re.I
    ):
        return None
    if not re.search(
        r"without (?:replace|putting|return)|none is returned|no\w* (?:is )?(?:put|returned)|at once|"
        r"not (?:put|returned)|keeps? them",
        text,
        re.I,
    ):
        return None
    parts = re.split(r"(?<=[.?!])\s+", text)
    content = next((p for p in parts if len(BALLS.findall(p.rstrip("."))) > 1), None)
    draw = next((m for p in parts if p is not content and (m := DRAW.search(p))), None)
    ask = next((p for p in parts if re.search(r"probab|how likely|chance", p, re.I)), "")
    if content is None or draw is None:
        return None
    counts = {colour.lower(): int(n) for n, colour in BALLS.findall(content.rstrip("."))}
    drawn = int(draw[1] or draw[2])
    named = [c for c in counts if re.search(rf"\b{c}\b", ask, re.I)]
    same = bool(re.search(r"same colou?r|one colou?r|share", ask, re.I))
    every = bool(re.search(r"\b(?:all|only|each|every|both)\b", ask, re.I))
    if (
        same == bool(named)
        or len(named) > 1
        or (named and (not every or re.search(r"\b(?:no|not|none|least|most|exactly)\b", ask, re.I)))
    ):
        return None
    return Reading(
        [*counts.values(), drawn],
        lambda w: _draws(w, [counts[c] for c in named] or list(counts.values()), sum(counts.values()), drawn),
    )


def _draws(w: Work, wanted: list[int], total: int, drawn: int) -> str:
    all_ways = w.step(f"C({total}, {drawn})", comb(total, drawn))
    good = Fraction(0)
    for n in wanted:
        ways = w.step(f"C({n}, {drawn})", comb(n, drawn))
        good = w.step(f"{good} + {ways}", good + ways)
    return str(w.step(f"({good}) / {all_ways}", good / all_ways))
