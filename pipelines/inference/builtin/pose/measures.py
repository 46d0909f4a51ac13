"""Word problems about prices, speeds, shared work, mixtures and percentages."""

from fractions import Fraction
from random import Random

from .surface import Posed, listed, number, people, phrase_list, scene, spin, told

GOODS = phrase_list(
    "ream of paper|jar of honey|ball of wool|bag of flour|loaf of bread|pot of paint|box of nails|pack of tea|"
    "bar of soap|roll of tape|tin of beans|bunch of roses|crate of oranges|bottle of ink|sheet of felt|pair of socks"
)
PLURALS = {"loaf": "loaves", "box": "boxes", "bunch": "bunches"}


def decimal(value: Fraction) -> str:
    """An exact decimal without trailing zeros. Raises `ValueError` when six places are not enough."""
    if (value * 10**6).denominator != 1:
        raise ValueError(f"{value} has no decimal of six places")
    whole, rest = divmod(int(value * 10**6), 10**6)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")


def shop(rng: Random, steps: int) -> Posed:
    """A bill of several items, perhaps a discount, perhaps change from a larger sum."""
    buyer, coin = people(rng, 1)[0], rng.choice(("euros", "dollars", "francs", "crowns"))
    items = [(rng.randint(2, 9), good, Fraction(rng.randint(4, 60), 4)) for good in goods(rng, steps)]
    total = sum((n * price for n, _, price in items), Fraction(0))
    lines = listed([item(rng, n, good, price, coin) for n, good, price in items])
    tale = [
        spin(
            rng,
            f"{buyer} [buys|orders|picks up|takes home] {lines}",
            f"[on the list of {buyer} are|the shopping bag of {buyer} holds] {lines}",
        )
    ]
    if rng.random() < 0.5:
        off = rng.choice((5, 10, 20, 25))
        total *= Fraction(100 - off, 100)
        tale.append(discount(rng, off))
    paid = (int(total) // 50 + 1) * 50
    if rng.random() < 0.5:
        tale.append(spin(rng, f"{buyer} [pays with|hands over] {paid} {coin}"))
        ask, answer = change_asked(rng, buyer, coin), paid - total
    else:
        ask, answer = bill_asked(rng, buyer, coin), total
    return Posed(told(scene(rng), *tale, ask), decimal(answer), len(items) + len(tale))


def goods(rng: Random, steps: int) -> list[str]:
    return rng.sample(GOODS, max(2, min(steps - 1, 5)))


def item(rng: Random, n: int, good: str, price: Fraction, coin: str) -> str:
    """`3 jars of honey at 4.5 euros each`."""
    first, rest = good.split(" ", 1)
    many = f"{number(rng, n)} {PLURALS.get(first, first + 's')} {rest}"
    return spin(rng, f"{many} [at|for] {decimal(price)} {coin} [each|apiece]")


def discount(rng: Random, off: int) -> str:
    return spin(
        rng,
        f"[the shop|the cashier|a coupon] [takes {off}% off|gives {off}% off] the [whole bill|total]",
        f"there is a discount of {off}% on [everything|the total]",
    )


def change_asked(rng: Random, buyer: str, coin: str) -> str:
    return spin(
        rng,
        f"how [much change|many {coin} of change] does {buyer} [get|receive]?",
        f"what is the change in {coin}?",
    )


def bill_asked(rng: Random, buyer: str, coin: str) -> str:
    return spin(
        rng,
        f"how much does {buyer} [pay|spend] [altogether|in total], in {coin}?",
        f"what is the [final bill|total cost] in {coin}?",
    )


def trip(rng: Random, steps: int) -> Posed:
    """Legs at different speeds: the whole distance, or the mean speed as a fraction."""
    who = people(rng, 1)[0]
    legs = [(rng.randint(1, 6) + 1, rng.randint(3, 30) * 4) for _ in range(max(2, min(steps - 1, 6)))]
    tale = [trip_leg(rng, who, hours, speed, first=i == 0) for i, (hours, speed) in enumerate(legs)]
    distance, time = sum(h * s for h, s in legs), sum(h for h, _ in legs)
    if rng.random() < 0.5:
        ask = spin(
            rng,
            f"how [far|many kilometres] does {who} travel [in total|altogether]?",
            "what is the [total distance|length of the whole journey] in kilometres?",
        )
        return Posed(told(scene(rng), *tale, ask), str(distance), len(legs) + 1)
    ask = spin(
        rng,
        "what is the average speed [of|over|for] the whole [journey|trip] in km/h, as a fraction in lowest terms?",
        f"find the average speed of {who} [over the whole way|for all of it] in km/h, as an exact fraction.",
    )
    return Posed(told(scene(rng), *tale, ask), str(Fraction(distance, time)), len(legs) + 3)


def trip_leg(rng: Random, who: str, hours: int, speed: int, *, first: bool) -> str:
    lead = "" if first else spin(rng, "[then|next|after a break|afterwards] ")
    go = rng.choice(("travels", "drives", "rides", "moves", "rolls along"))
    n = number(rng, hours)
    return lead + spin(
        rng,
        f"{who} {go} for {n} hours at {speed} km/h",
        f"{who} {go} at {speed} km/h for {n} hours",
        f"for {n} hours {who} {go} at [a steady|a speed of] {speed} km/h",
        f"a [stretch|part|leg] of {n} hours [goes by|passes|is done] at {speed} km/h",
    )


JOBS = phrase_list(
    "paint the fence|dig the trench|type the report|clean the hall|stack the wood|mow the meadow|sort the archive|"
    "shear the sheep|fold the leaflets|peel the potatoes|copy the score|wax the floor|weed the beds|thresh the barley"
)


def work(rng: Random, steps: int) -> Posed:
    """Several workers or pipes share one job; how long do they need together?"""
    hours = rng.sample(range(2, 31), 2 if steps < 5 else 3)
    tale = rng.choice((workers, pipes))(rng, hours)
    together = 1 / sum(Fraction(1, h) for h in hours)
    note = spin(
        rng,
        "give the exact [number|value] as a fraction.",
        "[answer|reply] with a fraction in lowest terms.",
        "[a|one] fraction [will do|is wanted] as the [answer|reply].",
        "",
    )
    return Posed(told(scene(rng), *tale, note), str(together), len(hours) + 1)


def workers(rng: Random, hours: list[int]) -> list[str]:
    who, job = people(rng, len(hours)), rng.choice(JOBS)
    alone = [
        spin(
            rng,
            f"{a} [alone|working alone|without help] [needs|takes] {number(rng, h)} hours to {job}",
            f"{a} can {job} in {number(rng, h)} hours",
            f"left to [it|the work] alone, {a} needs {number(rng, h)} hours",
            f"it takes {number(rng, h)} hours when {a} does it alone",
        )
        for a, h in zip(who, hours, strict=True)
    ]
    job_first = spin(rng, f"somebody has to {job}", f"the task is to {job}", f"it is time to {job}")
    ask = spin(
        rng,
        f"how many hours do [they|{listed(who)}] need [together|working together|side by side]?",
        f"in how many hours can they {job} together?",
        f"if {listed(who)} work together, how many hours does it take them to {job}?",
    )
    return [job_first, *alone, ask]


def pipes(rng: Random, hours: list[int]) -> list[str]:
    tank, kind = spin(rng, "[tank|pool|cistern|pond|basin|trough|lock]"), spin(rng, "[pipe|hose|tap|pump]")
    fills = [
        spin(
            rng,
            f"the {nth} [{kind}|one] fills [a|the|an empty] {tank} in {number(rng, h)} hours",
            f"the {nth} [{kind}|one] [needs|takes] {number(rng, h)} hours to fill [a|the] {tank}",
            f"with the {nth} {kind} alone it takes {number(rng, h)} hours",
        )
        for nth, h in zip(("first", "second", "last"), hours, strict=False)
    ]
    ask = spin(
        rng,
        f"how many hours does it take to fill the {tank} when all [run|are open] together?",
        f"in how many hours is the {tank} full if all are opened [at once|together]?",
        f"all of them run together: how many hours pass until the {tank} is full?",
    )
    return [spin(rng, f"a {tank} has [more than a single|its own set of] {kind}s", ""), *fills, ask]


def mixture(rng: Random, steps: int) -> Posed:
    """Solutions of different strength poured together."""
    what = spin(rng, "[salt|sugar|acid|alcohol|syrup|vinegar|dye] [solution|mixture]")
    parts = [(rng.randint(2, 16), rng.randint(2, 18) * 5) for _ in range(2 if steps < 5 else 3)]
    strength = Fraction(sum(v * p for v, p in parts), sum(v for v, _ in parts))
    said = listed([portion(rng, v, p, what) for v, p in parts])
    who = people(rng, 1)[0]
    tale = spin(
        rng,
        f"{who} [mixes|pours together|combines|blends] {said}",
        f"[into an empty barrel go|a vat is filled with|a flask receives|the recipe of {who} asks for] {said}",
        f"[suppose that|imagine that] {said} [are mixed|are stirred together]",
        f"{said} [end up|meet] in [one barrel|the same vat|a large jar]",
    )
    ask = spin(
        rng,
        "what is the strength of the [blend|result] in per cent, as an exact [number|value] or fraction?",
        "how many per cent strong is the [blend|outcome]? give an exact value.",
        "[find|work out|give] the concentration [of the blend|that results], in per cent, exactly.",
        f"which strength, in per cent, does {who} [measure|find] [in the end|afterwards]?",
    )
    return Posed(told(scene(rng), tale, ask), str(strength), len(parts) + 2)


def portion(rng: Random, litres: int, strength: int, what: str) -> str:
    return spin(
        rng,
        f"{number(rng, litres)} litres of [a|] {strength}% {what}",
        f"{number(rng, litres)} litres of {what} with a strength of {strength}%",
        f"{number(rng, litres)} litres of {what} ({strength} per cent)",
    )


GAUGES = phrase_list(
    "the rent of a stall|the price of a lamp|the price of a bicycle|the fee of a club|the weight of a bale|"
    "the height of a dune|the cost of a ferry ticket|the value of a painting|the price of a clock|"
    "the output of a mill"
)


def percent(rng: Random, steps: int) -> Posed:
    """A quantity goes up and down by percentages."""
    gauge, start = rng.choice(GAUGES), rng.randint(2, 40) * 40
    opening = spin(
        rng,
        f"{gauge} [is|was|stands at] {start}[ at first| in the beginning|]",
        f"[at first|to begin with] {gauge} [is|was] {start}",
    )
    value, changes = Fraction(start), []
    for _ in range(min(max(steps - 1, 2), 3)):
        change = rng.choice((5, 10, 15, 20, 25, 30, 40, 50)) * rng.choice((1, -1))
        value *= Fraction(100 + change, 100)
        changes.append(percent_change(rng, change))
    what = gauge.split(" ", 2)[1]
    ask = spin(
        rng,
        f"what is the {what} [now|in the end|after all these changes]?",
        f"[find|work out|give] the final {what}.",
        f"how [large|great] is the {what} [at the end|finally]?",
    )
    return Posed(told(scene(rng), opening, *changes, ask), decimal(value), len(changes))


def percent_change(rng: Random, change: int) -> str:
    up, down = "[rises|goes up|grows|increases|climbs]", "[falls|goes down|drops|decreases|sinks]"
    when = "[then|next|later|after that|in spring|in autumn|within a month]"
    return spin(rng, f"{when} it {up if change > 0 else down} by {abs(change)}[%| per cent]")
