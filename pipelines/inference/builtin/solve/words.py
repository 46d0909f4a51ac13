"""Readers for word problems. Each returns `None` unless it could place every statement that holds a number."""

import re
from collections.abc import Callable
from fractions import Fraction

from .text import HEDGED, clauses, numbers, sentences
from .work import Reading, Work, decimal

Options = dict[str, str]
N = r"(\d+(?:\.\d+)?)"
NAME = r"([A-Z][a-z]+)"
ASK = re.compile(r"\?|^\s*(?:find|determine|work out|give|compute|calculate|state|what|how)\b", re.I)


def asked(text: str) -> tuple[str, str]:
    """The story and the question, the latter from the first asking sentence on."""
    parts = sentences(text)
    at = next((i for i, part in enumerate(parts) if ASK.search(part)), len(parts))
    return ". ".join(parts[:at]), " ".join(parts[at:])


HOLDS = (
    r"(?:has|had|have|owns?|owned|keeps?|kept|starts?(?: off| out)? with|started with|begins? "
    r"with|began with|holds?|contains?|contained|[Tt]here (?:are|were)|carries|possesses)"
)
GAIN = (
    r"buys?|bought|finds?|found|collects?|collected|receives?|received|wins?|won|gets?|got|"
    r"picks? up|picked up|earns?|earned|adds?|added|arrives?|arrived|makes?|gains?|acquires?|"
    r"inherits?|gathers?|picks?"
)
LOSS = (
    r"loses?|lost|sells?|sold|misplaces?|breaks?|broke|eats?|ate|uses?(?: up)?|used(?: up)?|"
    r"spends?|drops?|dropped|throws? (?:away|out)|throws?|donates?|discards?|trades? away|gets? "
    r"rid of|parts? with|gave away|gives? away"
)
PASSED = (
    r"(?:get|are|were|go|went|got) (?:lost|stolen|missing|thrown away|thrown out|eaten|broken|"
    r"sold|taken away|removed|given away|ruined)|vanish\w*|disappear\w*|break\b"
)
GIVE = (
    r"gives?|gave|hands?|handed|passes|passed|lends?|lent|sends?|sent|brings?|brought|delivers?|"
    r"delivered|mails?|offers?|presents?"
)
TAKE = r"borrows?|takes?|took|steals?|removes?"


def ledger(text: str, _options: Options) -> Reading | None:
    """One owner's things: a first amount, then events in order."""
    story, question = asked(text)
    if (
        numbers(question)
        or not re.search(r"how many|number of", question, re.I)
        or re.search(r"\b(?:more|fewer|altogether|together|total|average|each)\b", question)
    ):
        return None
    owner, start, events = None, None, []
    for clause in clauses(story):
        if start is None:
            first = re.search(rf"(?:{NAME}(?:'s)?(?: \w+)? )?\b{HOLDS} {N}\b(?! times| more| fewer)", clause)
            if first and len(numbers(clause)) == 1 and " than " not in clause:
                owner, start = first[1], Fraction(first[2])
            elif numbers(clause):
                return None
            continue
        event = ledger_event(clause, owner)
        if event is None and (
            numbers(clause)
            or re.search(
                rf"\b(?:doubl|tripl|rest|all|another|each|same|more)|\b(?:{GAIN}|{LOSS}|{GIVE}|{TAKE})\b", clause
            )
        ):
            return None
        events.append(event)
    done = [event for event in events if event is not None]
    others = set(re.findall(NAME, re.sub(r"^\W*\w+", "", question))) - {owner}
    if start is None or not done or others:
        return None
    used = [start, *(n for _, n, told in done if told)]
    return Reading(used, lambda w: _balance(w, start, done))


def ledger_event(clause: str, owner: str | None) -> tuple[str, Fraction, bool] | None:
    """The sign of an event, its number, and whether the number stands in the text; `None` when it is none."""
    found = numbers(clause)
    if re.search(r"\b(?:doubles|is doubled|doubled)\b", clause) and not found:
        return "*", Fraction(2), False
    if re.search(r"\b(?:triples|is tripled|tripled)\b", clause) and not found:
        return "*", Fraction(3), False
    if (
        len(found) != 1
        or HEDGED.search(clause)
        or re.search(r"\b(?:than|each|times|every|%|per|dozen|pairs?|packs?|boxes of)\b", clause)
    ):
        return None
    sign = _direction(clause, owner)
    if sign is None or (
        found[0] < 1 and (sign != "-" or not re.search(r"\d+/\d+ of (?:the|his|her|their|its|them|all|what)", clause))
    ):
        return None
    return ("part" if found[0] < 1 else sign), found[0], True


def _direction(clause: str, owner: str | None) -> str | None:
    """Whether an event brings something to the owner (`+`) or takes it away (`-`)."""
    me = rf"(?:{owner}|[Hh]e|[Ss]he|[Tt]hey|I)" if owner else r"(?:[Ss]omebody|[Hh]e|[Ss]he|[Tt]hey|I)"
    mine = rf"(?:{owner}|him|her|them|me)" if owner else r"(?:him|her|them|me)"
    if re.search(rf"\b(?:{PASSED})\b", clause):
        return "-"
    subject = clause[: (m.start() if (m := re.search(rf"\b(?:{GIVE}|{TAKE}|{GAIN}|{LOSS})\b", clause)) else 0)]
    by_me = bool(re.search(rf"\b{me}\b", subject)) or (
        m is not None and not re.search(NAME, subject) and _elliptic(subject)
    )
    if re.search(r"\b(?:is|was|are|were) (?:given|handed|sent|brought)\b", clause):
        return "+" if re.search(rf"\b{me}\b (?:is|was|are|were)", clause) else None
    if m is None:
        return (
            "-"
            if re.search(r"\bare (?:taken|removed)\b", clause)
            else "+"
            if re.search(r"\bare added\b", clause)
            else None
        )
    verb, by_me = m[0], by_me or owner is None
    if re.fullmatch(LOSS, verb):
        return "-" if by_me else None
    if re.fullmatch(GIVE, verb):
        if by_me:
            return None if re.search(r"\b(?:himself|herself)\b", clause) else "-"
        return "+" if re.search(rf"\b{mine}\b", clause[m.end() :]) else None
    if re.fullmatch(TAKE, verb):
        if by_me:
            return "+" if re.search(r"\bfrom (?:a|an|the|[A-Z])", clause) and verb.startswith(("b", "t")) else None
        return "-" if re.search(rf"from {mine}\b", clause) else None
    return "+" if by_me or re.search(r"\barrives?\b|\barrived\b", verb) else None


def _elliptic(subject: str) -> bool:
    """Whether a clause without a subject goes on about the owner: `then sells 5`."""
    return not re.search(
        r"\b(?!then\b|later\b|next\b|soon\b|after\b|that\b|and\b|also\b|the\b|morning\b|evening\b|in\b|"
        r"on\b|day\b|first\b|finally\b|afterwards\b|following\b)[a-z]+\b",
        subject,
        re.I,
    )


def _balance(w: Work, held: Fraction, events: list[tuple[str, Fraction, bool]]) -> str:
    for sign, n, _ in events:
        if sign == "part":
            part = w.step(f"{n} of {held}", n * held)
            held = w.step(f"{held} - {part}", held - part)
        else:
            held = w.step(f"{held} {sign} {n}", {"+": held + n, "-": held - n, "*": held * n}[sign])
    return str(held)


HAS = r"(?:has|had|owns?|owned|holds|keeps|collected|has collected|picked|have|possesses)"
THAN = re.compile(rf"{NAME} {HAS} {N} (?P<word>more|fewer|less)\b[^.?!]*?\bthan {NAME}")
TIMES = re.compile(rf"{NAME} {HAS} {N} times as many\b[^.?!]*?\bas {NAME}")
PART = re.compile(rf"{NAME} {HAS} (\d+/\d+) (?:as many\b[^.?!]*? as|of what) {NAME}")
PLAIN = re.compile(rf"{NAME} {HAS} {N} (?!more|fewer|less|times)\w+")


def comparison(text: str, _options: Options) -> Reading | None:
    """People's amounts told by one another; one of them, all of them, or a difference."""
    story, question = asked(text)
    known, links = {}, []
    for clause in clauses(story):
        if m := THAN.search(clause):
            links.append((m[1], "+" if m["word"] == "more" else "-", Fraction(m[2]), m[4]))
        elif (m := TIMES.search(clause)) or (m := PART.search(clause)):
            links.append((m[1], "*", Fraction(m[2]), m[3]))
        elif (m := PLAIN.search(clause)) and m[1] not in known:
            known[m[1]] = Fraction(m[2])
        elif numbers(clause) or re.search(r"\b(?:as many|more|fewer|than|gives?|each)\b", clause):
            return None
    goal = _goal(question, {*known, *(n for a, *_, b in links for n in (a, b))})
    if not links or goal is None or numbers(question):
        return None
    used = [*known.values(), *(n for _, _, n, _ in links)]
    return Reading(used, lambda w: _compared(w, dict(known), links, goal)) if _reachable(known, links, goal) else None


def _goal(question: str, people: set[str]) -> tuple[str, ...] | None:
    """Who is asked for: one name, `sum` and all names, or `difference` and two."""
    named = [n for n in re.findall(NAME, question) if n in people]
    if re.search(r"\b(?:altogether|in total|in all|together|combined|total number|sum)\b", question):
        return ("sum", *(dict.fromkeys(named) if named else sorted(people)))
    if re.search(r"\bmore\b[^?]*\bthan\b", question):
        return ("difference", *named) if len(named) == 2 else None
    if re.search(r"\b(?:fewer|less|average|left|now)\b", question):
        return None
    return ("one", named[0]) if len(named) == 1 else None


def _settled(known: dict[str, Fraction], links: list, ready: Callable[[str, str], None] | None = None) -> set[str]:
    settled, moved = set(known), True
    while moved:
        new = {a for a, _, _, b in links if b in settled} | {b for a, _, _, b in links if a in settled}
        moved = not new <= settled
        settled |= new
    return settled


def _reachable(known: dict[str, Fraction], links: list, goal: tuple[str, ...]) -> bool:
    people = set(known) | {n for a, *_, b in links for n in (a, b)}
    return _settled(known, links) >= set(goal[1:]) and len(known) + len(links) == len(people)


def _compared(w: Work, known: dict[str, Fraction], links: list, goal: tuple[str, ...]) -> str:
    left = list(links)
    while left:
        link = next(k for k in left if k[0] in known or k[3] in known)
        left.remove(link)
        a, sign, n, b = link
        if b in known:
            held = known[b]
            known[a] = w.step(f"{a}: {held} {sign} {n}", {"+": held + n, "-": held - n, "*": held * n}[sign])
        else:
            held, back = known[a], {"+": "-", "-": "+", "*": "/"}[sign]
            known[b] = w.step(f"{b}: {held} {back} {n}", {"+": held - n, "-": held + n, "*": held / n}[sign])
    if goal[0] == "sum":
        total = known[goal[1]]
        for name in goal[2:]:
            total = w.step(f"{total} + {known[name]}", total + known[name])
        return str(total)
    if goal[0] == "difference":
        return str(w.step(f"{known[goal[1]]} - {known[goal[2]]}", known[goal[1]] - known[goal[2]]))
    return str(known[goal[1]])


COIN = r"(?:euros?|dollars?|francs?|crowns?|pounds?|coins?|cents?)"
ITEM = re.compile(
    rf"{N} ([a-z]+(?: of [a-z]+| [a-z]+)?) (?:at|for|costing|that cost|priced at|which cost) {N} "
    rf"{COIN}? ?(?:each|apiece|a piece|per \w+)?",
    re.I,
)
OFF = re.compile(
    rf"{N} ?(?:%|per ?cent)[^.?!]*\b(?:off|discount|reduction|rebate)\b|\b(?:discount|reduction|"
    rf"rebate) of {N} ?(?:%|per ?cent)",
    re.I,
)
PAID = re.compile(
    rf"(?:pays? with|hands? over|gives? the \w+|puts? down|paid with)(?: an?)? {N}(?:[- ]{COIN})?", re.I
)


def shop(text: str, _options: Options) -> Reading | None:
    """Items at prices; perhaps a discount on all; the bill or the change."""
    items = [(Fraction(n), Fraction(price)) for n, _, price in ITEM.findall(text)]
    eachs = len(re.findall(r"\b(?:each|apiece|a piece|per \w+)\b", text))
    if not items or eachs < len(items):
        return None
    rest = ITEM.sub(" ", text)
    off, paid = OFF.search(rest), PAID.search(rest)
    change = bool(re.search(r"\bchange\b|get back|gets back|left over|is left", asked(text)[1], re.I))
    bill = bool(re.search(r"\b(?:pay|spend|cost|bill|total|price)\b", asked(text)[1], re.I))
    if change != bool(paid) or not (change or bill) or len(numbers(rest)) != bool(off) + bool(paid):
        return None
    percent = Fraction(off[1] or off[2]) if off else None
    if re.search(r"\b(?:half|free|tax|tip|deposit|instead|return\w*)\b", rest):
        return None
    if off and re.search(r"\b(?:first|second|one of|only)\b", rest):
        return None
    cash = Fraction(paid[1]) if paid else None
    used = [n for item in items for n in item] + [n for n in (percent, cash) if n is not None]
    return Reading(used, lambda w: _bill(w, items, percent, cash))


def _bill(w: Work, items: list[tuple[Fraction, Fraction]], percent: Fraction | None, cash: Fraction | None) -> str:
    total = Fraction(0)
    for n, price in items:
        line = w.step(f"{n} * {price}", n * price)
        total = w.step(f"{total} + {line}", total + line) if total else line
    if percent is not None:
        off = w.step(f"{percent}% of {total}", total * percent / 100)
        total = w.step(f"{total} - {off}", total - off)
    if cash is not None:
        total = w.step(f"{cash} - {total}", cash - total)
    return decimal(total)


SPEED = rf"{N} ?(?:km/h|kilomet(?:re|er)s (?:per|an|each) hour|km per hour|mph|miles per hour|miles an hour)"
TIME = rf"{N} (?:full |whole |more |further )?(?:hours?|h)\b"


def trip(text: str, _options: Options) -> Reading | None:
    """Legs with a speed and a duration each: the distance, or the mean speed."""
    story, question = asked(text)
    mean = bool(re.search(r"average speed|mean speed|on average", question, re.I))
    far = bool(re.search(r"how far|distance|how many (?:km|kilomet|miles)|length of", question, re.I))
    speeds = [Fraction(n) for n in re.findall(SPEED, story)]
    bare = re.sub(SPEED, " ", story)
    hours = [Fraction(n) for n in re.findall(TIME, bare)]
    one_each = all(
        len(re.findall(SPEED, s)) == len(re.findall(TIME, re.sub(SPEED, " ", s))) for s in sentences(story)
    )
    opposed = re.search(
        r"\b(?:towards each|opposite|back to|returns?|meet(?! at)|catch|apart|faster|slower|another "
        r"(?:car|train)|both|current)\b",
        story,
        re.I,
    )
    if (
        mean == far
        or not speeds
        or len(speeds) != len(hours)
        or not one_each
        or opposed
        or len(numbers(bare)) != len(hours)
    ):
        return None
    legs = list(zip(hours, speeds, strict=True))
    return Reading([*speeds, *hours], lambda w: _travelled(w, legs, mean=mean))


def _travelled(w: Work, legs: list[tuple[Fraction, Fraction]], *, mean: bool) -> str:
    distance = w.step(f"{legs[0][0]} * {legs[0][1]}", legs[0][0] * legs[0][1])
    for hours, speed in legs[1:]:
        leg = w.step(f"{hours} * {speed}", hours * speed)
        distance = w.step(f"{distance} + {leg}", distance + leg)
    if not mean:
        return str(distance)
    time = w.step(" + ".join(str(h) for h, _ in legs), sum((h for h, _ in legs), Fraction(0)))
    return str(w.step(f"({distance}) / {time}", distance / time))


def work(text: str, _options: Options) -> Reading | None:
    """Hours that each needs alone; the hours they need together."""
    if not re.search(
        r"together|at once|side by side|all (?:\w+ )?(?:run|open)|are (?:both|all) (?:open|on)|"
        r"join(?:ing)? forces|cooperat",
        text,
        re.I,
    ):
        return None
    if not re.search(r"how (?:many hours|long)|what time|hours", text, re.I) or not re.search(
        r"\b(?:fills?|needs?|takes?|can|could|requires?|does|finishes)\b", text
    ):
        return None
    if re.search(
        r"\b(?:drain|empt(?:y|ies) (?:the|it)|leak|leave|alone after|joins|then|later|earlier|starts|"
        r"first works|breaks?)\w*\b|%|km|speed|minutes",
        text,
    ):
        return None
    hours = []
    for clause in clauses(text):
        found = numbers(clause)
        if found and (
            len(found) != 1 or not re.search(TIME, clause) or re.search(r"together|more|less|twice|times", clause)
        ):
            return None
        hours += found
    if not 2 <= len(hours) <= 4 or any(h == 0 for h in hours):
        return None
    return Reading(hours, lambda w: _together(w, hours))


def _together(w: Work, hours: list[Fraction]) -> str:
    rate = 1 / hours[0]
    for h in hours[1:]:
        rate = w.step(f"({rate}) + 1/{h}", rate + 1 / h)
    return str(w.step(f"1 / ({rate})", 1 / rate))


OLD_TIMES = re.compile(
    rf"{NAME} is(?: now)? {N} times as old as {NAME}|{NAME}'s age is {N} times (?:the age of "
    rf"{NAME}|{NAME}'s(?: age)?)|{NAME} is(?: now)? {N} times {NAME}'s age"
)
OLD_LATER = re.compile(rf"{NAME} will be {N} times as old as {NAME}")
AHEAD = re.compile(r"\b[Ii]n (\d+) years|(\d+) years (?:from now|from today|later|on)\b")
OLD_DIFFERENCE = re.compile(
    rf"{NAME} is (\d+) years (older|younger) than {NAME}|ages differ by (\d+)|difference (?:of|"
    rf"between) their ages is (\d+)"
)
OLD_SUM = re.compile(
    r"together they are (\d+)|ages add up to (\d+)|sum of their ages is (\d+)|ages total (\d+)", re.I
)


def ages(text: str, _options: Options) -> Reading | None:
    """Two ages from a ratio and one further fact."""
    story, question = asked(text)
    now = OLD_TIMES.search(story)
    if not now:
        return None
    a, times, b = (g for g in now.groups() if g)
    rest = story[: now.start()] + story[now.end() :]
    fact = _age_fact(rest, a, b, Fraction(times))
    who = [n for n in (a, b) if re.search(rf"\b{n}\b", question)]
    ahead = AHEAD.search(question)
    if (
        fact is None
        or len(who) != 1
        or bool(numbers(question)) != bool(ahead)
        or re.search(r"years ago|\b(?:was|were) (?:\d|as old|half)", text)
    ):
        return None
    later = Fraction(next(g for g in ahead.groups() if g)) if ahead else None
    used, young = fact
    return Reading(
        [Fraction(times), *used, *([later] if later is not None else [])],
        lambda w: _aged(w, young, Fraction(times), older=who[0] == a, later=later),
    )


Age = tuple[list[Fraction], Callable[[Work], Fraction]]


def _age_fact(rest: str, a: str, b: str, times: Fraction) -> Age | None:
    """The younger age from the second fact, and the numbers of that fact."""
    if times <= 1:
        return None
    if (m := OLD_LATER.search(rest)) and (t := AHEAD.search(rest)) and (m[1], m[3]) == (a, b):
        ratio, years = Fraction(m[2]), Fraction(t[1] or t[2])
        if not 1 < ratio < times:
            return None
        return [ratio, years], lambda w: w.step(
            f"{b}: {years} * ({ratio} - 1) / ({times} - {ratio})", years * (ratio - 1) / (times - ratio)
        )
    if m := OLD_SUM.search(rest):
        total = Fraction(next(g for g in m.groups() if g))
        return [total], lambda w: w.step(f"{b}: {total} / ({times} + 1)", total / (times + 1))
    if m := OLD_DIFFERENCE.search(rest):
        if m[1] and (m[1], m[4], m[3]) not in ((a, b, "older"), (b, a, "younger")):
            return None
        gap = Fraction(m[2] or m[5] or m[6])
        return [gap], lambda w: w.step(f"{b}: {gap} / ({times} - 1)", gap / (times - 1))
    return None


def _aged(w: Work, young: Callable[[Work], Fraction], times: Fraction, *, older: bool, later: Fraction | None) -> str:
    age = young(w)
    if older:
        age = w.step(f"{age} * {times}", age * times)
    if later is not None:
        age = w.step(f"{age} + {later}", age + later)
    return str(age)


AMOUNT = rf"{N} (?:lit(?:re|er)s?|ml|kg|grams?|l)\b"
STRENGTH = rf"{N} ?(?:%|per ?cent)"


def mixture(text: str, _options: Options) -> Reading | None:
    """Amounts and strengths poured together; the strength of the whole."""
    story, question = asked(text)
    if not re.search(r"strength|concentration|per ?cent|%|strong", question, re.I) or numbers(question):
        return None
    amounts, strengths = re.findall(AMOUNT, story), re.findall(STRENGTH, story)
    both = re.findall(rf"{AMOUNT}[^\d]*?{STRENGTH}", story)
    if (
        len(both) < 2
        or not len(amounts) == len(strengths) == len(both)
        or re.search(r"remov|evaporat|pour\w* (?:out|away)|taken out|pure|water", story)
    ):
        return None
    parts = [(Fraction(v), Fraction(p)) for v, p in both]
    return Reading([n for part in parts for n in part], lambda w: _blended(w, parts))


def _blended(w: Work, parts: list[tuple[Fraction, Fraction]]) -> str:
    content, volume = Fraction(0), Fraction(0)
    for v, p in parts:
        share = w.step(f"{v} * {p}", v * p)
        content = w.step(f"{content} + {share}", content + share)
        volume += v
    volume = w.step(" + ".join(str(v) for v, _ in parts), volume)
    return str(w.step(f"{content} / {volume}", content / volume))


RATIO = re.compile(r"(?<![\d:])(\d+(?: ?(?::| to ) ?\d+)+)(?! ?%)")
PEOPLE = re.compile(r"[A-Z][a-z]+(?:(?:, and |, | and )[A-Z][a-z]+)+")


def ratio(text: str, _options: Options) -> Reading | None:
    """A whole shared in a ratio; one share or the difference of two."""
    story, question = asked(text)
    if "ratio" not in story or numbers(question):
        return None
    colon, group = RATIO.search(story), PEOPLE.search(story)
    if not colon or not group:
        return None
    shares = [int(n) for n in re.findall(r"\d+", colon[0])]
    who = re.findall(r"[A-Z][a-z]+", group[0])
    totals = numbers(story[: colon.start()] + story[colon.end() :])
    named = [n for n in re.findall(NAME, question) if n in who]
    part = re.search(r"[A-Z][a-z]+ (?:gets?|receives?|has|got|takes?) \d", story)
    if part or len(shares) != len(who) or len(totals) != 1 or re.search(r"\bmore than\b|differ|gives|spends", story):
        return None
    plan = _shares_asked(question, named)
    if plan is None:
        return None
    wanted = [(shares[who.index(n)]) for n in plan]
    return Reading([*shares, totals[0]], lambda w: _shared(w, totals[0], shares, wanted))


def _shares_asked(question: str, named: list[str]) -> list[str] | None:
    if re.search(r"\bmore\b.*\bthan\b", question):
        return named if len(named) == 2 else None
    if re.search(r"\b(?:fewer|less|left|together|altogether|percent|fraction|largest|smallest)\b", question):
        return None
    return named if len(named) == 1 else None


def _shared(w: Work, total: Fraction, shares: list[int], wanted: list[int]) -> str:
    parts = w.step(" + ".join(map(str, shares)), sum(shares))
    unit = w.step(f"{total} / {parts}", total / parts)
    first = w.step(f"{wanted[0]} * {unit}", wanted[0] * unit)
    if len(wanted) == 1:
        return str(first)
    second = w.step(f"{wanted[1]} * {unit}", wanted[1] * unit)
    return str(w.step(f"{first} - {second}", first - second))


UP = r"\b(?:ris|rose|go(?:es)? up|went up|grow|grew|increas|climb|gain|jump|rais|add)\w*"
DOWN = (
    r"\b(?:fall|fell|go(?:es)? down|went down|drop|decreas|sink|sank|los|lower|cut|reduc|shrink|"
    r"shrank|declin|discount)\w*"
)


def percent(text: str, _options: Options) -> Reading | None:
    """A start value and changes by percentages, one after another."""
    story, question = asked(text)
    if numbers(question) or not re.search(
        r"\b(?:now|final|end|after|finally|eventually|last|is it|new|cost)\b", question, re.I
    ):
        return None
    start, changes = None, []
    for clause in clauses(story):
        if m := re.search(rf"{STRENGTH}", clause):
            up, down = bool(re.search(UP, clause)), bool(re.search(DOWN, clause))
            if (
                start is None
                or up == down
                or len(numbers(clause)) != 1
                or re.search(r"\bof (?:the )?(?:original|first|initial|start)|\bto \d|compound|year", clause)
            ):
                return None
            changes.append((Fraction(m[1]), 1 if up else -1))
        elif numbers(clause):
            m = re.search(
                rf"\b(?:is|was|stands at|stood at|costs?|weighs|amounts to|starts at|priced at|worth|"
                rf"measures)\b[^\d]*{N}",
                clause,
            )
            if start is not None or not m or len(numbers(clause)) != 1:
                return None
            start = Fraction(m[1])
    if start is None or not changes:
        return None
    first = start
    return Reading([start, *(p for p, _ in changes)], lambda w: _changed(w, first, changes))


def _changed(w: Work, value: Fraction, changes: list[tuple[Fraction, int]]) -> str:
    for p, sign in changes:
        change = w.step(f"{p}% of {value}", value * p / 100)
        value = w.step(f"{value} {'+' if sign > 0 else '-'} {change}", value + sign * change)
    return decimal(value)


ROWS = re.compile(r"(\d+) rows (?:of|with) (\d+)|(\d+) rows[^.?!\d]*(\d+) \w+ (?:in each|per row|each)")
EACH = re.compile(
    r"\b(?i:each|every)\b[^.?!\d]*\b(?:bears?|carr(?:y|ies)|yields?|gives?|produces?|has|holds)[^\d.?!]*(\d+)"
)
SPOILT = re.compile(r"\b(?:rot\w*|spoil\w*|eaten|eat|thrown away|ruin\w*|lost|bad|bruised|stolen|birds)\b")
BOXES = re.compile(
    r"\b(?i:boxes|crates|bags|baskets|trays)\b[^.?!\d]*(\d+)|(\d+) (?:to|in|fit in|go into|per) "
    r"(?:a|an|each|every)? ?(?:box|crate|bag|basket|tray)"
)


def packing(text: str, _options: Options) -> Reading | None:
    """Rows times hosts times pieces, less the spoilt ones, packed in boxes."""
    story, question = asked(text)
    rows, each = ROWS.search(story), EACH.search(story)
    if not rows or not each or numbers(question):
        return None
    r, c = (int(g) for g in rows.groups() if g)
    left = bool(re.search(r"left over|leftover|remain|outside|do not fit|unpacked", question))
    bad, box = [], None
    for part in sentences(story):
        if ROWS.search(part) or EACH.search(part):
            continue
        if m := BOXES.search(part):
            if box is not None:
                return None
            box = int(m[1] or m[2])
        elif SPOILT.search(part):
            bad += [int(n) for n in numbers(part)]
        elif numbers(part):
            return None
    if (
        box is None
        or box == 0
        or not re.search(r"how many", question, re.I)
        or (not left and not re.search(r"full|filled|fill\b|complete", question))
    ):
        return None
    n, size = int(each[1]), box
    return Reading([r, c, n, *bad, size], lambda w: _packed(w, (r, c, n), bad, size, left=left))


def _packed(w: Work, factors: tuple[int, int, int], bad: list[int], box: int, *, left: bool) -> str:
    r, c, n = factors
    hosts = w.step(f"{r} * {c}", r * c)
    total = w.step(f"{hosts} * {n}", hosts * n)
    for lost in bad:
        total = w.step(f"{total} - {lost}", total - lost)
    full = w.step(f"full boxes of {box} from {total}", total // box)
    return str(w.step(f"{total} - {full} * {box}", total - full * box) if left else full)
