"""Elementary logic: orders, liars, classes, calendars, swaps, sets and turns."""

import itertools
from random import Random

from .surface import PLACES, THINGS, Posed, lettered, listed, number, people, phrase_list, scene, spin, told

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
SCALES = (
    ("taller", "shorter", "tallest"),
    ("older", "younger", "oldest"),
    ("faster", "slower", "fastest"),
    ("heavier", "lighter", "heaviest"),
    ("stronger", "weaker", "strongest"),
    ("richer", "poorer", "richest"),
)


def ordering(rng: Random, steps: int) -> Posed:
    """Comparisons of neighbours in a hidden order; who stands at a given rank?"""
    more, less, most = rng.choice(SCALES)
    ranked = people(rng, min(max(steps, 4), 7))
    facts = [spin(rng, f"{a} is {more} than {b}", f"{b} is {less} than {a}") for a, b in itertools.pairwise(ranked)]
    rng.shuffle(facts)
    rank = rng.randrange(len(ranked))
    title = ("", "second ", "third ", "fourth ", "fifth ", "sixth ", "seventh ")[rank] + most
    ask = spin(rng, f"who is the {title}[ of them| of all|]?", f"which of them is the {title}?")
    wrong = rng.sample([p for p in ranked if p != ranked[rank]], 3)
    question, letter = lettered(rng, told(scene(rng), *facts, ask), ranked[rank], wrong)
    return Posed(question, letter, len(facts))


def liars(rng: Random, steps: int) -> Posed:
    """One is known to be honest or a liar; each speaks about the next."""
    who = people(rng, min(max(steps, 3), 7))
    island = spin(
        rng,
        "[on an island|in a club|in a strange village|at a masked ball], everyone either always "
        "tells the truth or always lies",
    )
    honest = [rng.random() < 0.5 for _ in who]
    facts = [
        spin(
            rng,
            f"it is known that {who[0]} {'always tells the truth' if honest[0] else 'always lies'}",
            f"{who[0]} is {'a truth-teller' if honest[0] else 'a liar'}",
        )
    ]
    for (a, a_honest), (b, b_honest) in zip(
        zip(who, honest, strict=True), list(zip(who, honest, strict=True))[1:], strict=False
    ):
        claim = a_honest == b_honest
        facts.append(
            spin(
                rng,
                f"{a} [says|claims|states] that {b} {'tells the truth' if claim else 'lies'}",
                f"{a} [says|claims|insists] that {b} is {'a truth-teller' if claim else 'a liar'}",
            )
        )
    ask = spin(rng, f"does {who[-1]} [always|] tell the truth?", f"is {who[-1]} a truth-teller?")
    note = spin(rng, "[answer|reply] yes or no.", "(yes or no)", "")
    if rng.random() < 0.4:
        rng.shuffle(facts)
    return Posed(
        told(scene(rng), island, *facts, ask) + (f" {note}" if note else ""),
        "yes" if honest[-1] else "no",
        len(who),
    )


SYLLABLES = (
    "zim",
    "bor",
    "tak",
    "lu",
    "fen",
    "gri",
    "mo",
    "sel",
    "dap",
    "vor",
    "kip",
    "nu",
    "wex",
    "jol",
    "par",
    "quim",
)


def classes(rng: Random, steps: int) -> Posed:
    """Invented classes inside one another, or apart; is this one of those?"""
    words = list({rng.choice(SYLLABLES) + rng.choice(SYLLABLES): None for _ in range(20)})
    chain, spare = words[: min(max(steps, 3), 7)], words[8:10]
    apart = rng.random() < 0.5
    facts = [
        spin(rng, f"every {a} is a {b}", f"all {a}s are {b}s", f"each {a} is a {b}")
        for a, b in itertools.pairwise(chain)
    ]
    if apart:
        a, b = chain[-2:]
        facts[-1] = spin(rng, f"no {a} is a {b}", f"no {a}s are {b}s")
    facts.append(spin(rng, f"every {spare[0]} is a {chain[1]}", f"all {spare[0]}s are {spare[1]}s"))
    rng.shuffle(facts)
    who = people(rng, 1)[0]
    pet = spin(rng, f"{who} is a {chain[0]}", f"a creature called {who} is a {chain[0]}")
    ask = spin(
        rng,
        f"is {who} a {chain[-1]}?",
        f"does it follow that {who} is a {chain[-1]}?" if not apart else f"is {who} a {chain[-1]}?",
        f"can one say for certain that {who} is a {chain[-1]}?" if not apart else f"can {who} be a {chain[-1]}?",
    )
    return Posed(
        told(scene(rng), *facts, pet, ask, spin(rng, "[answer|reply] yes or no.", "")),
        "no" if apart else "yes",
        len(chain),
    )


def calendar(rng: Random, steps: int) -> Posed:
    """A date that is moved about; on which day of the week does it fall?"""
    start, shift = rng.randrange(7), rng.randint(10, 120)
    event = spin(
        rng,
        "[the regatta|the exam|the concert|the auction|the eclipse party|the chess final|the flower "
        "show|the wedding]",
    )
    tale = [
        spin(rng, f"today is {DAYS[start]}"),
        spin(
            rng,
            f"{event} [is|was planned to be] {shift} days from [today|now]",
            f"{event} [takes place|is due] in {shift} days",
        ),
    ]
    for _ in range(min(steps - 1, 5)):
        n = rng.randint(2, 30)
        sign = rng.choice((1, -1)) if shift > n else 1
        shift += sign * n
        later, sooner = "[put off|postponed|delayed]", "[brought forward|moved up|advanced]"
        tale.append(
            spin(
                rng,
                f"[then|later|because of the weather|for lack of space|at the mayor's wish] it is "
                f"{later if sign > 0 else sooner} by {number(rng, n)} days",
            )
        )
    right = DAYS[(start + shift) % 7]
    ask = spin(
        rng,
        "on which day of the week does it [take place|happen|fall]?",
        f"which day of the week is {event} on?",
        f"what day of the week will it be at {event}?",
    )
    question, letter = lettered(
        rng, told(scene(rng), *tale, ask), right, rng.sample([d for d in DAYS if d != right], 3)
    )
    return Posed(question, letter, len(tale))


COLOURS = ["red", "blue", "green", "white", "black", "yellow", "purple", "orange", "brown", "grey", "pink"]


def swaps(rng: Random, steps: int) -> Posed:
    """A hidden thing moves when containers trade contents."""
    kind, thing = spin(rng, "[cup|drawer|tin|chest|basket|pouch|crate]"), rng.choice(THINGS)
    boxes = rng.sample(COLOURS, 5 if steps > 5 else 4)
    place = rng.choice(boxes)
    item = spin(rng, "[key|ring|coin|letter|pearl|note|ticket|whistle]")
    tale = [
        spin(
            rng,
            f"there are {number(rng, len(boxes))} {kind}s: {listed(boxes)}",
            f"{people(rng, 1)[0]} [lines up|sets out] {number(rng, len(boxes))} {kind}s, {listed(boxes)}",
        ),
        spin(
            rng,
            f"[a|the] {item} is [hidden|put|placed] in the {place} {kind}",
            f"the {place} {kind} [holds|contains] a {item}[, the others {thing}|]",
        ),
    ]
    for _ in range(min(max(steps - 1, 2), 9)):
        a, b = rng.sample(boxes, 2)
        place = b if place == a else a if place == b else place
        tale.append(
            spin(rng, "[then|next|after that||] ")
            + spin(
                rng,
                f"the contents of the {a} and the {b} {kind} are [swapped|exchanged]",
                f"somebody [swaps|exchanges] [the contents|what is in] [of|inside] the {a} {kind} and the {b} {kind}",
                f"the {a} and the {b} {kind} [trade|swap|exchange] contents",
            )
        )
    ask = spin(
        rng,
        f"in which {kind} is the {item} [now|in the end|at last]?",
        f"where is the {item} [now|at the end]?",
    )
    question, letter = lettered(
        rng, told(scene(rng), *tale, ask), place, rng.sample([b for b in boxes if b != place], 3)
    )
    return Posed(question, letter, len(tale) - 1)


HOBBIES = phrase_list(
    "chess|football|the piano|tennis|cards|the violin|hockey|the drums|billiards|the flute|handball|dominoes"
)


def sets(rng: Random, steps: int) -> Posed:
    """Two overlapping groups within one; the size of a part that was not told."""
    both, only_a, only_b, neither = (rng.randint(3, 30) for _ in range(4))
    total = both + only_a + only_b + neither
    a, b = rng.sample(HOBBIES, 2)
    crowd, where = (
        spin(rng, "[pupils|guests|members|neighbours|students|sailors|colleagues]"),
        rng.choice(PLACES),
    )
    opening = spin(
        rng,
        f"[of|among] the {total} {crowd} at {where}, {only_a + both} play {a} and {only_b + both} play {b}",
        f"{total} {crowd} were asked about their hobbies[, and|:] {only_a + both} play {a} and "
        f"{only_b + both} play {b}",
        f"a group has {total} {crowd}. {only_a + both} play {a}, and {only_b + both} play {b}",
    )
    told_both = spin(rng, f"{both} [of them|] play both", f"{both} {crowd} play both")
    told_neither = spin(rng, f"{neither} [of them|] play neither", f"{neither} {crowd} play neither of the two")
    third, ask, answer = rng.choice(
        [
            (told_neither, f"how many [of them|{crowd}] play both?", both),
            (told_both, f"how many [of them|{crowd}] play neither?", neither),
            (told_both, f"how many [of them|{crowd}] play exactly one of the two?", only_a + only_b),
            (told_neither, f"how many [of them|{crowd}] play exactly one of the two?", only_a + only_b),
            (told_both, f"how many [of them|{crowd}] play {a} but not {b}?", only_a),
        ]
    )
    return Posed(told(scene(rng), opening, third, spin(rng, ask)), str(answer), 3)


COMPASS = ("north", "east", "south", "west")
TURNS = {
    1: ("turns right", "makes a right turn", "turns to the right"),
    3: ("turns left", "makes a left turn", "turns to the left"),
    2: ("turns around", "makes a U-turn"),
}


def turns(rng: Random, steps: int) -> Posed:
    """Turns to the right and left; which way does the walker look at last?"""
    who = people(rng, 1)[0]
    facing = rng.randrange(4)
    tale = [
        spin(
            rng,
            f"{who} [faces|looks] {COMPASS[facing]}[ at first|]",
            f"at the start, {who} is facing {COMPASS[facing]}",
            f"{who} [sets out|starts walking] towards the {COMPASS[facing]}",
        )
    ]
    for _ in range(max(steps, 3)):
        turn = rng.choice((1, 1, 3, 3, 2))
        facing = (facing + turn) % 4
        lead = spin(
            rng,
            "[then|next|at a fountain,|at the bakery,|after a while,|behind the church,|past the "
            "bridge,|at a kiosk,|by the well,]",
        )
        tale.append(f"{lead} {who} {rng.choice(TURNS[turn])}")
    ask = spin(
        rng,
        f"which way does {who} face [now|in the end]?",
        f"in which direction is {who} looking [now|at the end]?",
    )
    question, letter = lettered(
        rng, told(scene(rng), *tale, ask), COMPASS[facing], [d for d in COMPASS if d != COMPASS[facing]]
    )
    return Posed(question, letter, len(tale) - 1)
