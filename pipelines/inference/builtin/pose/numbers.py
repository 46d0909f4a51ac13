"""Number theory and combinatorics: a quantity is described, and often something is done to it afterwards."""

from collections.abc import Callable
from fractions import Fraction
from itertools import count
from math import comb, factorial, gcd, lcm, prod
from random import Random

from .surface import Posed, listed, number, people, scene, spin, told, word_list

Quantity = Callable[[Random, int], tuple[str, int]]


def framed(quantity: Quantity, steps: int, rng: Random) -> Posed:
    """A quantity in words, a chain of operations on it, and a setting for both."""
    phrase, value = quantity(rng, steps)
    operations = []
    for _ in range(max(1, steps - rng.choice((2, 3)))):
        words, value = operation(rng, value)
        operations.append(words)
    tale = rng.choice(FRAMES)(rng, phrase, operations)
    return Posed(told(scene(rng), *tale), str(value), len(operations) + 2)


def linked(rng: Random, operations: list[str]) -> list[str]:
    """The operations as sentences, most of them with a word of sequence in front."""
    rest = [f"{spin(rng, '[then|next|afterwards|after that|]')} {o}" for o in operations[1:]]
    return [operations[0], *rest]


def as_exercise(rng: Random, phrase: str, operations: list[str]) -> list[str]:
    ask = spin(rng, "[what is the result?|which number do you get?|what is the final number?]")
    return [spin(rng, f"[find|compute|determine|work out|calculate] {phrase}"), *linked(rng, operations), ask]


def as_code(rng: Random, phrase: str, operations: list[str]) -> list[str]:
    goal = spin(rng, "[a safe|a diary|a bicycle lock|a locker|an old chest|a tablet|a garage]")
    begin = spin(
        rng,
        f"the code of {goal} [comes about|is made] like this: take {phrase}",
        f"whoever wants to open {goal} has to work with its code: take {phrase}",
    )
    middle = f"{spin(rng, '[then|next|afterwards|after that]')} {', '.join(operations)}"
    return [begin, middle, spin(rng, "[what is the code?|which code opens it?|give the code.]")]


def as_letter(rng: Random, phrase: str, operations: list[str]) -> list[str]:
    begin = spin(rng, f"let {rng.choice('KMNPQ')} be {phrase}")
    return [begin, *linked(rng, operations), spin(rng, "[what do you end up with?|state the final value.]")]


def as_game(rng: Random, phrase: str, operations: list[str]) -> list[str]:
    who = people(rng, 1)[0]
    told_to = [f"{who} is told: {o}" for o in operations]
    ask = spin(rng, f"[with which number does {who} end?|what should {who} write down at last?]")
    return [spin(rng, f"{who} [starts from|begins with] {phrase}"), *told_to, ask]


def as_quiz(rng: Random, phrase: str, operations: list[str]) -> list[str]:
    begin = spin(rng, f"in a quiz one has to know {phrase}", f"a card of the quiz says: write down {phrase}")
    return [begin, *linked(rng, operations), spin(rng, "[give the number at the end.|what is the score?]")]


def as_single_question(rng: Random, phrase: str, operations: list[str]) -> list[str]:
    chain = ", ".join(operations[:-1]) + (" and finally " if operations[1:] else "") + operations[-1]
    return [spin(rng, f"[which number|what] do you get if you take {phrase}, [then|next|afterwards] {chain}?")]


FRAMES = (as_exercise, as_code, as_letter, as_game, as_quiz, as_single_question)


def operation(rng: Random, value: int) -> tuple[str, int]:
    """One operation on an integer that suits its size, in words, and its outcome."""
    n, k, m = rng.randint(2, 40), rng.randint(2, 9), rng.randint(7, 97)
    suited = [(added, n, value + n)] * 2
    if value > n:
        suited.append((subtracted, n, value - n))
    if value < 2000:
        suited.append((multiplied, k, value * k))
    if value > 100:
        suited.append((reduced, m, value % m))
    if value > 50:
        suited.append((digits_added, 0, sum(map(int, str(value)))))
    say, operand, outcome = rng.choice(suited)
    return say(rng, operand), outcome


def added(rng: Random, n: int) -> str:
    words = number(rng, n)
    return spin(rng, f"add {words} [to it|to the result|]", f"[raise|increase|enlarge] [it|the result] by {words}")


def subtracted(rng: Random, n: int) -> str:
    words = number(rng, n)
    return spin(
        rng,
        f"subtract {words} [from it|from the result|]",
        f"take away {words}",
        f"[lower|decrease|diminish] [it|the result] by {words}",
    )


def multiplied(rng: Random, n: int) -> str:
    if n <= 3 and rng.random() < 0.6:
        return spin(rng, f"{'double' if n == 2 else 'triple'} [it|the result|the outcome]")
    return f"multiply {spin(rng, '[it|the result|that]')} by {number(rng, n)}"


def reduced(rng: Random, n: int) -> str:
    return spin(
        rng,
        f"take the remainder [of the result|of this|] on division by {n}",
        f"reduce the result modulo {n}",
    )


def digits_added(rng: Random, n: int) -> str:
    del n  # the digits are the value's own
    return spin(rng, "[take the sum of|add up] [its digits|the digits of the result]")


def power(rng: Random, steps: int) -> tuple[str, int]:
    base, exponent, modulus = rng.randint(2, 19), rng.randint(5, 40 + steps * 10), rng.randint(5, 60)
    shown = rng.choice([f"{base}^{exponent}", f"{base} to the power {exponent}", f"the {exponent}th power of {base}"])
    phrase = spin(
        rng,
        f"the remainder when {shown} is divided by {modulus}",
        f"the remainder of {shown} on division by {modulus}",
        f"the remainder that {shown} leaves on division by {modulus}",
    )
    return phrase, pow(base, exponent, modulus)


def divisors(rng: Random, steps: int) -> tuple[str, int]:
    n = prod([*rng.choices((2, 3, 5, 7), weights=(4, 3, 2, 1), k=rng.randint(3, 4)), rng.randint(2, 30)])
    found = [d for d in range(1, n + 1) if n % d == 0]
    if rng.random() < 0.3:
        return spin(
            rng,
            f"the sum of all positive divisors of {n}",
            f"the sum of the [positive|] divisors of {n}, {n} included",
        ), sum(found)
    return spin(
        rng,
        f"the number of positive divisors of {n}",
        f"the number of positive integers by which {n} is divisible",
        f"the count of all positive integers that divide {n}",
    ), len(found)


def common(rng: Random, steps: int) -> tuple[str, int]:
    k = 2 if steps < 5 else 3
    shared = rng.randint(2, 12)
    numbers = [shared * m for m in rng.sample(range(2, 25), k)]
    if rng.random() < 0.5:
        return spin(
            rng,
            f"the greatest common divisor of {listed([str(n) for n in numbers])}",
            f"the largest [integer|whole number] that divides {'both' if k == 2 else 'all of'} "
            f"{listed([str(n) for n in numbers])}",
        ), gcd(*numbers)
    return spin(
        rng,
        f"the least common multiple of {listed([str(n) for n in numbers])}",
        f"the smallest positive integer that is divisible by {'both' if k == 2 else 'all of'} "
        f"{listed([str(n) for n in numbers])}",
    ), lcm(*numbers)


def multiples(rng: Random, steps: int) -> tuple[str, int]:
    top = rng.randint(60, 900)
    a, b = rng.sample((2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15), 2)
    rule, words = rng.choice(
        [
            (lambda n: n % a == 0 or n % b == 0, f"divisible by {a} or by {b}"),
            (lambda n: n % a == 0 and n % b, f"divisible by {a} but not by {b}"),
            (lambda n: n % a and n % b, f"divisible by neither {a} nor {b}"),
        ]
    )
    phrase = spin(
        rng,
        f"the number of [integers|whole numbers] from 1 to {top} that are {words}",
        f"the count of all [integers|whole numbers|numbers] from 1 to {top} that are {words}",
    )
    return phrase, sum(1 for n in range(1, top + 1) if rule(n))


LETTERS = word_list(
    "LEVEL BANANA PEPPER TATTOO COFFEE LETTER BALLOON KAYAK RADAR CINEMA PARADE SUMMER BUTTON "
    "RABBIT CARROT ONION PAPAYA COCOA TOMATO SETTEE CABBAGE POTATO ANTENNA BASSOON GARAGE KETTLE "
    "MAMMAL NEEDLE PUZZLE SALSA TEEPEE VIVID WILLOW ZEBRA CANAL DOLLAR EFFORT FUNNEL HAMMER"
)


def letters(rng: Random, steps: int) -> tuple[str, int]:
    word = rng.choice(LETTERS)
    ways = factorial(len(word)) // prod(factorial(word.count(letter)) for letter in set(word))
    return spin(
        rng,
        f"the number of [different|distinct] arrangements of the letters of {word}",
        f"the number of [different|distinct] ways in which the letters of {word} can be [arranged|put in a row]",
        f"the number of different strings that use exactly the letters of {word}",
    ), ways


def committee(rng: Random, steps: int) -> tuple[str, int]:
    groups = rng.sample(
        ("women", "men", "pupils", "teachers", "doctors", "nurses", "painters", "singers", "judges", "cooks"),
        2 if steps < 6 else 3,
    )
    sizes = [rng.randint(4, 10) for _ in groups]
    picks = [rng.randint(1, min(4, n - 1)) for n in sizes]
    chosen = listed([f"{k} of {n} {g}" for k, n, g in zip(picks, sizes, groups, strict=True)])
    return spin(
        rng,
        f"the number of ways to choose {chosen}",
        f"the number of ways to form a [team|committee|jury] of {chosen}",
        f"the number of different [teams|committees] made up of {chosen}",
    ), prod(comb(n, k) for n, k in zip(sizes, picks, strict=True))


def series(rng: Random, steps: int) -> tuple[str, int]:
    first, step, terms = rng.randint(1, 40), rng.randint(2, 15), rng.randint(6, 40)
    shown = f"{first}, {first + step}, {first + 2 * step}, ..."
    if rng.random() < 0.3:
        return spin(
            rng,
            f"the {terms}th term of the arithmetic sequence {shown}",
            f"term number {terms} of the arithmetic sequence with first term {first} and common difference {step}",
        ), first + (terms - 1) * step
    total = terms * (2 * first + (terms - 1) * step) // 2
    return spin(
        rng,
        f"the sum of the first {terms} terms of the arithmetic sequence {shown}",
        f"the sum of the first {terms} terms of the arithmetic sequence with first term {first} and "
        f"common difference {step}",
        f"the total of {terms} terms of an arithmetic sequence that starts at {first} and grows by {step} each time",
    ), total


def recurrence(rng: Random, steps: int) -> tuple[str, int]:
    first, times, plus, term = rng.randint(1, 9), rng.choice((2, 3)), rng.randint(1, 12), rng.randint(4, 6)
    value = first
    for _ in range(term - 1):
        value = value * times + plus
    how = {2: "twice", 3: "[3|three] times"}[times]
    return spin(
        rng,
        f"the {term}th term of the sequence that starts with {first} and in which every next term is "
        f"{how} the previous term plus {plus}",
        f"the {term}th term of the sequence whose first term is {first} and whose every further term "
        f"is {plus} more than {how} the one before",
    ), value


def grid(rng: Random, steps: int) -> tuple[str, int]:
    east, north = rng.randint(3, 8), rng.randint(3, 8)
    blocks = f"{number(rng, east)} blocks [east|to the east] and {number(rng, north)} blocks [north|to the north]"
    phrase = spin(
        rng,
        f"the number of shortest [routes|paths] on a street grid to a point {blocks}",
        f"the number of shortest [walks|paths] along a square street grid to a [corner|crossing] {blocks}",
    )
    return phrase, comb(east + north, east)


def remainders(rng: Random, steps: int) -> tuple[str, int]:
    moduli = rng.sample((3, 4, 5, 7, 11, 13), 2 if steps < 5 else 3)
    if gcd(moduli[0], moduli[-1]) > 1:
        return remainders(rng, steps)
    hidden = rng.randint(5, 5000)
    said = listed([f"the remainder {hidden % m} on division by {m}" for m in moduli])
    smallest = next(n for n in count(1) if all(n % m == hidden % m for m in moduli))
    return spin(
        rng,
        f"the smallest positive integer that leaves {said}",
        f"the least positive whole number which leaves {said}",
    ), smallest


def primes(rng: Random, steps: int) -> tuple[str, int]:
    low = rng.randint(2, 120)
    high = low + rng.randint(20, 90)
    inside = [n for n in range(max(low, 2), high + 1) if all(n % d for d in range(2, n))]
    if rng.random() < 0.4 and inside:
        return spin(
            rng,
            f"the sum of [all|the] prime numbers from {low} to {high}",
            f"the sum of all primes from {low} to {high}",
        ), sum(inside)
    return spin(
        rng,
        f"the number of primes from {low} to {high}",
        f"the number of all prime numbers from {low} to {high}",
        f"the count of prime numbers from {low} up to {high}",
    ), len(inside)


COLOURS = word_list("red blue green white black yellow purple orange")


def urn(rng: Random, steps: int) -> Posed:
    """Balls drawn without replacement: the chance that all have the same or one given colour."""
    colours = rng.sample(COLOURS, 2 if steps < 4 else 3)
    counts, drawn = [rng.randint(3, 12) for _ in colours], 2 if steps < 6 else 3
    what, who = spin(rng, "[balls|marbles|tokens|beads|counters|chips]"), people(rng, 1)[0]
    content = listed([f"{number(rng, n)} {c} {what}" for n, c in zip(counts, colours, strict=True)])
    tale = [urn_filled(rng, who, content), urn_drawn(rng, who, number(rng, drawn), what)]
    if rng.random() < 0.5:
        good = sum(comb(n, drawn) for n in counts)
        ask = spin(
            rng,
            "what is the probability that all of them [have|are of] the same colour?",
            "how likely is it that they [share one colour|all have the same colour]?",
        )
    else:
        good = comb(counts[0], drawn)
        ask = spin(
            rng,
            f"what is the probability that all of them are {colours[0]}?",
            f"how likely is it that only {colours[0]} {what} are drawn?",
        )
    note = spin(rng, "give a fraction in lowest terms.", "[answer|reply] with an exact fraction.", "")
    chance = Fraction(good, comb(sum(counts), drawn))
    return Posed(told(scene(rng), *tale, ask, note), str(chance), drawn + len(colours))


def urn_filled(rng: Random, who: str, content: str) -> str:
    holder = spin(rng, "[bag|jar|box|sack|hat|basket]")
    return spin(
        rng,
        f"[a|the|this] {holder} [holds|contains] {content}",
        f"{who} [puts|drops] {content} into an empty {holder}",
        f"in the {holder} there are {content}",
    )


def urn_drawn(rng: Random, who: str, drawn: str, what: str) -> str:
    return spin(
        rng,
        f"{who} draws {drawn} of them at random without putting any back",
        f"without replacement, {drawn} {what} are [drawn|taken] at random",
        f"{drawn} {what} are [taken out|picked] blindly, one after another, and none is returned",
    )
