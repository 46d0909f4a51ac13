"""Word problems: each function draws a problem of about `steps` steps and works out its answer on the way."""

from fractions import Fraction
from random import Random

from .surface import THINGS, Posed, listed, number, people, phrase_list, scene, sentence, spin, told


def decimal(value: Fraction) -> str:
    """An exact decimal without trailing zeros. Raises `ValueError` when there is none."""
    if (value * 10**6).denominator != 1:
        raise ValueError(f"{value} has no decimal of six places")
    text = f"{int(value * 10**6) / 10**6:.6f}"
    return text.rstrip("0").rstrip(".")


def ledger(rng: Random, steps: int) -> Posed:
    """Somebody's things come and go."""
    owner, friend, other = people(rng, 3)
    thing, held = rng.choice(THINGS), rng.randint(24, 96)
    tale = [
        spin(
            rng,
            f"{owner} [has|owns|starts with|begins with] {held} {thing}",
            f"{owner}'s [box|drawer|bag|basket|shelf] [holds|contains] {held} {thing}",
            f"[at first|to begin with|in the beginning] {owner} [has|keeps|owns] {held} {thing}",
        )
    ]
    for _ in range(steps):
        event, held = ledger_event(rng, owner, rng.choice((friend, other)), thing, held)
        tale.append(f"{spin(rng, '[then|later|next|after that|soon|the next morning|in the evening||]')} {event}")
    ask = spin(
        rng,
        f"how many {thing} does {owner} have [now|in the end|at the end|after all this]?",
        f"how many {thing} are [left|there] for {owner} [at last|in the end]?",
        f"with how many {thing} does {owner} [finish|end up]?",
        f"[find|determine|work out] the number of {thing} that {owner} has [at the end|now].",
    )
    return Posed(told(scene(rng), *tale, ask), str(held), steps)


def ledger_event(rng: Random, owner: str, friend: str, thing: str, held: int) -> tuple[str, int]:
    """One event and what is held after it."""
    kind = rng.choice(["gain", "gain", "loss", "loss", "scale", "share"])
    if kind == "scale" and held < 300:
        times = rng.choice((2, 3))
        verb = {2: "doubles", 3: "triples"}[times]
        return (
            f"the number of {thing} {verb}{spin(rng, '[ overnight| thanks to a prize| by a lucky trade|]')}",
            held * times,
        )
    if kind == "share" and held % 6 == 0:
        part, word = rng.choice([(2, "half"), (3, "a third")])
        return f"{owner} {spin(rng, '[gives away|sells|donates]')} {word} of the {thing}", held - held // part
    if kind == "loss" and held > 12:
        n = rng.randint(2, held // 2)
        return ledger_loss(rng, owner, friend, thing, number(rng, n)), held - n
    n = rng.randint(3, 60)
    return ledger_gain(rng, owner, friend, thing, number(rng, n)), held + n


def ledger_gain(rng: Random, owner: str, friend: str, thing: str, n: str) -> str:
    return spin(
        rng,
        f"{owner} [buys|finds|collects|receives|wins] {n} [more|further|extra] {thing}[ at a fair| in the attic|]",
        f"{friend} [gives|hands|brings|sends] {owner} {n} {thing}[ as a present| in a parcel|]",
        f"[an aunt|a neighbour|the postman] [brings|delivers] {n} [new|more] {thing} for {owner}",
        f"{n} [new|extra|more] {thing} arrive [by post|from abroad|in a crate]",
    )


def ledger_loss(rng: Random, owner: str, friend: str, thing: str, n: str) -> str:
    return spin(
        rng,
        f"{owner} [gives|hands|passes|lends] {n} {thing} to {friend}",
        f"{owner} [loses|sells|misplaces|breaks] {n} {thing}[ on the way home| at the fair|]",
        f"{n} {thing} [get lost|are stolen|go missing|are thrown away]",
        f"{friend} [borrows|takes] {n} {thing} from {owner}",
    )


def comparison(rng: Random, steps: int) -> Posed:
    """A chain of people, each of whom has more, fewer, or a multiple of what another has."""
    names, thing = people(rng, min(steps, 6) + 1), rng.choice(THINGS)
    amounts = [rng.randint(8, 30)]
    tale = [spin(rng, f"{names[0]} [has|owns|has collected] {amounts[0]} {thing}")]
    for a, b in zip(names[1:], names, strict=False):
        phrase, amount = comparison_link(rng, a, b, thing, amounts[-1])
        tale.append(phrase)
        amounts.append(amount)
    if rng.random() < 0.5:
        rng.shuffle(tale)
    if rng.random() < 0.4:
        ask, answer = (
            spin(
                rng,
                f"how many {thing} does {names[-1]} [have|own]?",
                f"[find|give] the number of {thing} that {names[-1]} has.",
            ),
            amounts[-1],
        )
    else:
        ask, answer = (
            spin(rng, f"how many {thing} do [they|all of them] have [altogether|in total|in all]?"),
            sum(amounts),
        )
    return Posed(told(scene(rng), *tale, ask), str(answer), len(names))


def comparison_link(rng: Random, a: str, b: str, thing: str, held: int) -> tuple[str, int]:
    """How much `a` has, told by what `b` has."""
    kind = rng.choice(["more", "fewer", "times"])
    if kind == "times" and held < 200:
        times = rng.choice((2, 3, 4))
        word = {2: "twice", 3: "[3|three] times", 4: "[4|four] times"}[times]
        return spin(rng, f"{a} [has|owns] {word} as many {thing} as {b}"), held * times
    if kind == "fewer" and held > 6:
        n = rng.randint(2, held // 2)
        return spin(
            rng,
            f"{a} [has|owns] {number(rng, n)} [fewer|less] {thing} than {b}",
            f"{b} has {number(rng, n)} more {thing} than {a}",
        ), held - n
    n = rng.randint(2, 25)
    return spin(
        rng,
        f"{a} [has|owns] {number(rng, n)} more {thing} than {b}",
        f"{b} has {number(rng, n)} fewer {thing} than {a}",
    ), held + n


GOODS = phrase_list(
    "ream of paper|jar of honey|ball of wool|bag of flour|loaf of bread|pot of paint|box of nails|"
    "pack of tea|bar of soap|roll of tape|tin of beans|bunch of roses|crate of oranges|"
    "bottle of ink|sheet of felt|pair of socks"
)


PLURALS = {"loaf": "loaves", "box": "boxes", "bunch": "bunches"}


def shop(rng: Random, steps: int) -> Posed:
    """A bill of several items, perhaps a discount, perhaps change from a larger sum."""
    buyer, coin = people(rng, 1)[0], rng.choice(("euros", "dollars", "francs", "crowns"))
    total, lines = Fraction(0), []
    for good in rng.sample(GOODS, max(2, min(steps - 1, 5))):
        n, price = rng.randint(2, 9), Fraction(rng.randint(4, 60), 4)
        first, rest = good.split(" ", 1)
        many = PLURALS.get(first, first + "s")
        lines.append(
            spin(
                rng,
                f"{number(rng, n)} {many} {rest} at {decimal(price)} {coin} [each|apiece]",
                f"{number(rng, n)} {many} {rest} for {decimal(price)} {coin} [each|apiece]",
            )
        )
        total += n * price
    tale = [
        spin(
            rng,
            f"{buyer} [buys|orders|picks up|takes home] {listed(lines)}",
            f"[on the list of {buyer} are|the shopping bag of {buyer} holds] {listed(lines)}",
        )
    ]
    if rng.random() < 0.5:
        off = rng.choice((5, 10, 20, 25))
        total *= Fraction(100 - off, 100)
        tale.append(
            spin(
                rng,
                f"[the shop|the cashier|a coupon] [takes {off}% off|gives {off}% off] the [whole bill|total]",
                f"there is a discount of {off}% on [everything|the total]",
            )
        )
    if rng.random() < 0.5:
        paid = (int(total) // 50 + 1) * 50
        tale.append(spin(rng, f"{buyer} [pays with|hands over] {paid} {coin}"))
        ask, answer = (
            spin(
                rng,
                f"how [much change|many {coin} of change] does {buyer} [get|receive]?",
                f"what is the change in {coin}?",
            ),
            paid - total,
        )
    else:
        ask, answer = (
            spin(
                rng,
                f"how much does {buyer} [pay|spend] [altogether|in total], in {coin}?",
                f"what is the [final bill|total cost] in {coin}?",
            ),
            total,
        )
    return Posed(told(scene(rng), *tale, ask), decimal(answer), len(lines) + len(tale))


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


def work(rng: Random, steps: int) -> Posed:
    """Several workers or pipes share one job; how long do they need together?"""
    who = people(rng, 2 if steps < 5 else 3)
    hours = rng.sample(range(2, 31), len(who))
    job = spin(
        rng,
        "[paint the fence|dig the trench|type the report|clean the hall|stack the wood|mow the "
        "meadow|sort the archive]",
    )
    tank = spin(rng, "[tank|pool|cistern|pond|basin]")
    if rng.random() < 0.5:
        tale = [
            spin(
                rng,
                f"{a} [alone|working alone|without help] [needs|takes] {number(rng, h)} hours to {job}",
                f"{a} can {job} in {number(rng, h)} hours",
            )
            for a, h in zip(who, hours, strict=True)
        ]
        ask = spin(
            rng,
            f"how many hours do [they|{listed(who)}] need [together|working together|side by side]?",
            f"in how many hours can they {job} together?",
            f"if {listed(who)} work together, how many hours does it take them to {job}?",
        )
    else:
        ordinals = ("first", "second", "last")
        tale = [
            spin(
                rng,
                f"the {o} [pipe|hose] fills [a|the|an empty] {tank} in {number(rng, h)} hours",
                f"the {o} [pipe|tap] [needs|takes] {number(rng, h)} hours to fill [a|the] {tank}",
            )
            for o, h in zip(ordinals, hours, strict=False)
        ]
        ask = spin(
            rng,
            f"how many hours does it take to fill the {tank} when all [run|are open] together?",
            f"in how many hours is the {tank} full if all are opened [at once|together]?",
        )
    together = 1 / sum(Fraction(1, h) for h in hours)
    note = spin(
        rng, "give the exact [number|value] as a fraction.", "[answer|reply] with a fraction in lowest terms."
    )
    return Posed(told(scene(rng), *tale, ask, note), str(together), len(who) + 1)


def ages(rng: Random, steps: int) -> Posed:
    """Two ages from a ratio now and either their sum, their difference, or a ratio later."""
    a, b = people(rng, 2)
    young, times = rng.randint(4, 14), rng.choice((3, 4, 5))
    old = young * times
    word = {3: "[3|three] times", 4: "[4|four] times", 5: "[5|five] times"}[times]
    now = spin(
        rng,
        f"{a} is {word} as old as {b}",
        f"{a}'s age is {word} the age of {b}",
        f"[today|now] {a} is {word} as old as {b}",
    )
    later = old - 2 * young
    facts = [
        spin(
            rng,
            f"in {later} years {a} will be twice as old as {b}",
            f"{later} years from now, {a} will be twice as old as {b}",
        ),
        spin(rng, f"[together they are|their ages add up to|the sum of their ages is] {old + young}[ years|]"),
        spin(
            rng,
            f"{a} is {old - young} years older than {b}",
            f"[the difference of their ages is|their ages differ by] {old - young} years",
        ),
    ]
    tale = [now, rng.choice(facts)]
    if rng.random() < 0.4:
        tale.reverse()
    asked, answer = rng.choice([(a, old), (b, young)])
    if steps > 3 and rng.random() < 0.7:
        ahead = rng.randint(2, 20)
        ask, answer = (
            spin(
                rng,
                f"how old will {asked} be in {ahead} years?",
                f"what will {asked}'s age be in {ahead} years?",
                f"how old will {asked} be {ahead} years from now?",
            ),
            answer + ahead,
        )
    else:
        ask = spin(
            rng,
            f"how old is {asked} [now|today]?",
            f"what is {asked}'s age [now|today]?",
            f"[find|work out] {asked}'s [present|current] age.",
        )
    return Posed(told(scene(rng), *tale, ask), str(answer), 3)


def mixture(rng: Random, steps: int) -> Posed:
    """Solutions of different strength poured together."""
    what = spin(rng, "[salt|sugar|acid|alcohol|syrup|vinegar] ") + spin(rng, "[solution|mixture]")
    parts = [(rng.randint(1, 16), rng.randint(2, 18) * 5) for _ in range(2 if steps < 5 else 3)]
    total = sum(v for v, _ in parts)
    strength = Fraction(sum(v * p for v, p in parts), total)
    who = people(rng, 1)[0]
    said = [
        spin(rng, f"{v} litres of a {p}% {what}", f"{v} litres of {what} with a strength of {p}%") for v, p in parts
    ]
    tale = spin(
        rng,
        f"{who} [mixes|pours together|combines] {listed(said)}",
        f"[into an empty barrel go|a vat is filled with|a flask receives] {listed(said)}",
        f"[suppose that|imagine that] {listed(said)} [are mixed|are stirred together]",
    )
    ask = spin(
        rng,
        "what is the strength of the [blend|result] in per cent, as an exact [number|value] or fraction?",
        "how many per cent strong is the [blend|outcome]? give an exact value.",
        "[find|work out] the concentration of the blend in per cent, exactly.",
    )
    return Posed(told(scene(rng), tale, ask), str(strength), len(parts) + 2)


def ratio(rng: Random, steps: int) -> Posed:
    """A sum shared in a ratio: one share, or the difference of two."""
    who = people(rng, 2 if steps < 3 else rng.choice((3, 3, 4)))
    shares = rng.sample(range(2, 14), len(who))
    unit, thing = rng.randint(3, 25), rng.choice(THINGS)
    total, colon = unit * sum(shares), ":".join(map(str, shares))
    tale = spin(
        rng,
        f"{listed(who)} share {total} {thing} in the ratio {colon}[, in this order|]",
        f"{total} {thing} are [divided|split|shared out] among {listed(who)} in the ratio {colon}",
        f"a prize of {total} {thing} goes to {listed(who)}[, and it is| and will be] split in the ratio {colon}",
        f"in the ratio {colon}, {total} {thing} are [handed out|distributed] to {listed(who)}",
    )
    i, j = rng.sample(range(len(who)), 2)
    if shares[i] > shares[j] and rng.random() < 0.7:
        ask, answer = (
            spin(rng, f"how many more {thing} does {who[i]} [get|receive] than {who[j]}?"),
            unit * (shares[i] - shares[j]),
        )
    else:
        ask, answer = (
            spin(
                rng,
                f"how many {thing} does {who[i]} [get|receive]?",
                f"what is {who[i]}'s share?",
                f"[find|work out] the share of {who[i]}.",
            ),
            unit * shares[i],
        )
    return Posed(told(scene(rng), tale, ask), str(answer), 3 + (answer != unit * shares[i]))


GAUGES = phrase_list(
    "the rent of a stall|the price of a lamp|the price of a bicycle|the fee of a club|"
    "the weight of a bale|the height of a dune|the cost of a ferry ticket|the value of a painting|"
    "the price of a clock|the output of a mill"
)


def percent(rng: Random, steps: int) -> Posed:
    """A quantity goes up and down by percentages."""
    gauge = rng.choice(GAUGES)
    start = rng.randint(2, 40) * 40
    value, tale = (
        Fraction(start),
        [
            spin(
                rng,
                f"{gauge} [is|was|stands at] {start}[ at first| in the beginning|]",
                f"[at first|to begin with] {gauge} [is|was] {start}",
            )
        ],
    )
    for _ in range(min(max(steps - 1, 2), 3)):
        change = rng.choice((5, 10, 15, 20, 25, 30, 40, 50)) * rng.choice((1, -1))
        value *= Fraction(100 + change, 100)
        up, down = "[rises|goes up|grows|increases|climbs]", "[falls|goes down|drops|decreases|sinks]"
        when = spin(rng, "[then|next|later|after that|in spring|in autumn|within a month] ")
        tale.append(
            when
            + spin(
                rng,
                f"it {up if change > 0 else down} by {abs(change)}%",
                f"it {up if change > 0 else down} {abs(change)} per cent",
            )
        )
    rest = gauge.split(" ", 2)[1]
    ask = spin(
        rng,
        f"what is the {rest} [now|in the end|after all these changes]?",
        f"[find|work out|give] the final {rest}.",
        f"how [large|great] is the {rest} [at the end|finally]?",
    )
    return Posed(told(scene(rng), *tale, ask), decimal(value), len(tale) - 1)


def packing(rng: Random, steps: int) -> Posed:
    """Rows, pieces, losses, and boxes: how many full boxes, or how many are left over?"""
    rows, each, fruit = rng.randint(4, 20), rng.randint(5, 20), rng.randint(3, 15)
    case = rng.choice(("boxes", "crates"))
    box, thing = (
        rng.randint(6, 36),
        rng.choice(("apples", "pears", "plums", "figs", "peaches", "lemons", "olives", "quinces")),
    )
    host, verb = rng.choice([("trees", "bears"), ("bushes", "carries"), ("shrubs", "yields")])
    total = rows * each * fruit
    tale = [
        spin(
            rng,
            f"[an orchard|a plantation|a hillside] has {number(rng, rows)} rows of {each} {host}",
            f"there are {number(rng, rows)} rows with {each} {host} in each [row|]",
            f"{people(rng, 1)[0]} [plants|tends] {number(rng, rows)} rows of {each} {host}",
        ),
        spin(
            rng,
            f"[each|every] one {verb} {number(rng, fruit)} {thing}",
            f"each of the {host} {verb} {number(rng, fruit)} {thing}",
        ),
    ]
    if steps > 3:
        bad = rng.randint(2, min(60, total // 3))
        total -= bad
        tale.append(
            spin(
                rng,
                f"{bad} {thing} [are rotten|are spoilt|get eaten by birds|are thrown away]",
                f"[the wind ruins|the birds eat] {bad} of the {thing}",
            )
        )
    tale.append(
        spin(
            rng,
            f"the [rest is|harvest is] packed into {case} of {box}"
            if steps > 3
            else f"the [harvest|crop] is packed into {case} of {box}",
            f"{case} that hold {box} {thing} are filled [one after another|]",
        )
    )
    if rng.random() < 0.5:
        ask, answer = (
            spin(
                rng,
                f"how many {case} are [completely full|filled completely]?",
                f"how many full {case} [are there|result]?",
            ),
            total // box,
        )
    else:
        ask, answer = (
            spin(
                rng,
                f"how many {thing} are left over[ once no further box can be filled|]?",
                f"how many {thing} remain [unpacked|outside the full boxes]?",
            ),
            total % box,
        )
    return Posed(told(scene(rng), *map(sentence, tale), ask), str(answer), len(tale) + 1)
