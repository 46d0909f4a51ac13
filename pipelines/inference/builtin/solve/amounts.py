"""Readers for amounts of things and of years. Each returns `None` unless it could place every number told."""

import re
from collections.abc import Callable
from fractions import Fraction

from .text import HEDGED, asked, clauses, numbers, sentences
from .work import Reading, Work

Options = dict[str, str]
N = r"(\d+(?:\.\d+)?)"
NAME = r"([A-Z][a-z]+)"
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


Link = tuple[str, str, Fraction, str]
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


def _settled(known: dict[str, Fraction], links: list[Link]) -> set[str]:
    """Whose amount follows from those that are known."""
    settled, moved = set(known), True
    while moved:
        new = {a for a, _, _, b in links if b in settled} | {b for a, _, _, b in links if a in settled}
        moved = not new <= settled
        settled |= new
    return settled


def _reachable(known: dict[str, Fraction], links: list[Link], goal: tuple[str, ...]) -> bool:
    people = set(known) | {n for a, *_, b in links for n in (a, b)}
    return _settled(known, links) >= set(goal[1:]) and len(known) + len(links) == len(people)


def _compared(w: Work, known: dict[str, Fraction], links: list[Link], goal: tuple[str, ...]) -> str:
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
