"""Word problems about amounts of things and of years; each works out its answer while the story is told."""

from random import Random

from .surface import THINGS, Posed, listed, number, people, scene, spin, told, word_list


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


def ages(rng: Random, steps: int) -> Posed:
    """Two ages from a ratio now and either their sum, their difference, or a ratio later."""
    a, b = people(rng, 2)
    young, times = rng.randint(4, 14), rng.choice((3, 4, 5))
    old = young * times
    tale = [age_ratio(rng, a, b, times), age_fact(rng, a, b, old, young)]
    if rng.random() < 0.4:
        tale.reverse()
    who, answer = rng.choice([(a, old), (b, young)])
    ahead = rng.randint(2, 20) if steps > 3 and rng.random() < 0.7 else 0
    ask = age_ahead_asked(rng, who, ahead) if ahead else age_asked(rng, who)
    return Posed(told(scene(rng), *tale, ask), str(answer + ahead), 4 if ahead else 3)


def age_ratio(rng: Random, a: str, b: str, times: int) -> str:
    word = {3: "[3|three]", 4: "[4|four]", 5: "[5|five]"}[times]
    return spin(
        rng,
        f"{a} is {word} times as old as {b}",
        f"{a}'s age is {word} times the age of {b}",
        f"[today|now] {a} is {word} times as old as {b}",
    )


def age_fact(rng: Random, a: str, b: str, old: int, young: int) -> str:
    """A second fact about two people of whom the older is more than twice as old."""
    later = old - 2 * young
    return spin(
        rng,
        f"in {later} years {a} will be twice as old as {b}",
        f"{later} years from now, {a} will be twice as old as {b}",
        f"[together they are|their ages add up to|the sum of their ages is] {old + young}[ years|]",
        f"{a} is {old - young} years older than {b}",
        f"[the difference of their ages is|their ages differ by] {old - young} years",
    )


def age_asked(rng: Random, who: str) -> str:
    return spin(
        rng,
        f"how old is {who} [now|today]?",
        f"what is {who}'s age [now|today]?",
        f"[find|work out] {who}'s [present|current] age.",
    )


def age_ahead_asked(rng: Random, who: str, ahead: int) -> str:
    return spin(
        rng,
        f"how old will {who} be [in {ahead} years|{ahead} years from now]?",
        f"what will {who}'s age be in {ahead} years?",
    )


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
    (a, most), (b, least) = sorted(rng.sample([*zip(who, shares, strict=True)], 2), key=lambda x: -x[1])
    if rng.random() < 0.35:
        ask = spin(rng, f"how many more {thing} does {a} [get|receive] than {b}?")
        return Posed(told(scene(rng), tale, ask), str(unit * (most - least)), 4)
    who_asked, share = rng.choice([(a, most), (b, least)])
    ask = spin(
        rng,
        f"how many {thing} does {who_asked} [get|receive]?",
        f"what is {who_asked}'s share?",
        f"[find|work out] the share of {who_asked}.",
    )
    return Posed(told(scene(rng), tale, ask), str(unit * share), 3)


FRUIT = word_list("apples pears plums figs peaches lemons olives quinces")
HOSTS = (("trees", "bears"), ("bushes", "carries"), ("shrubs", "yields"))


def packing(rng: Random, steps: int) -> Posed:
    """Rows, pieces, losses, and boxes: how many full boxes, or how many are left over?"""
    rows, each, pieces, box = rng.randint(4, 20), rng.randint(5, 20), rng.randint(3, 15), rng.randint(6, 36)
    fruit, case = rng.choice(FRUIT), rng.choice(("boxes", "crates"))
    total = rows * each * pieces
    lost = rng.randint(2, min(60, total // 3)) if steps > 3 else 0
    tale = [*grove(rng, number(rng, rows), each, number(rng, pieces), fruit)]
    if lost:
        tale.append(spoilt(rng, lost, fruit))
    tale.append(
        spin(
            rng,
            f"the {'[rest is|others are]' if lost else '[harvest|crop] is'} packed into {case} of {box}",
            f"{case} that hold {box} {fruit} are filled [one after another|]",
        )
    )
    full, left = divmod(total - lost, box)
    if rng.random() < 0.5:
        ask = spin(
            rng,
            f"how many {case} are [completely full|filled completely]?",
            f"how many full {case} [are there|result]?",
        )
        return Posed(told(scene(rng), *tale, ask), str(full), len(tale) + 1)
    ask = spin(
        rng,
        f"how many {fruit} are left over[ once no further box can be filled|]?",
        f"how many {fruit} remain [unpacked|outside the full {case}]?",
    )
    return Posed(told(scene(rng), *tale, ask), str(left), len(tale) + 1)


def grove(rng: Random, rows: str, each: int, pieces: str, fruit: str) -> tuple[str, str]:
    """Where the fruit grows, and how much on each plant."""
    host, bears = rng.choice(HOSTS)
    return (
        spin(
            rng,
            f"[an orchard|a plantation|a hillside] has {rows} rows of {each} {host}",
            f"there are {rows} rows with {each} {host} in each [row|]",
            f"{people(rng, 1)[0]} [plants|tends] {rows} rows of {each} {host}",
        ),
        spin(rng, f"[each|every] one {bears} {pieces} {fruit}", f"each of the {host} {bears} {pieces} {fruit}"),
    )


def spoilt(rng: Random, lost: int, fruit: str) -> str:
    return spin(
        rng,
        f"{lost} {fruit} [are rotten|are spoilt|get eaten by birds|are thrown away]",
        f"[the wind ruins|the birds eat] {lost} of the {fruit}",
    )
