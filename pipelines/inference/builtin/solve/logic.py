"""Readers for elementary logic. Each returns `None` unless every statement could be read."""

import re

from .text import clauses, numbers, sentences
from .work import Reading, Work

Options = dict[str, str]
NAME = r"([A-Z][a-z]+)"


def letter(options: Options, value: str) -> str | None:
    """The letter of the option that names `value`; without options, the value itself."""
    if not options:
        return value
    found = [
        key for key, option in options.items() if re.fullmatch(rf"(?:the )?{re.escape(value)}(?: \w+)?", option, re.I)
    ]
    return found[0] if len(found) == 1 else None


MORE = "taller|older|faster|heavier|stronger|richer|bigger|longer|quicker|higher|larger"
LESS = "shorter|younger|slower|lighter|weaker|poorer|smaller|lower"
PAIRS = dict(
    zip(
        LESS.split("|"),
        ["taller", "older", "faster", "heavier", "stronger", "richer", "bigger", "higher"],
        strict=True,
    )
) | {"smaller": "bigger"}
COMPARED = re.compile(rf"{NAME} is (?P<word>{MORE}|{LESS}) than {NAME}")
MOST = re.compile(
    r"(?:(\w+)[- ])?\b(tallest|oldest|fastest|heaviest|strongest|richest|biggest|highest|"
    r"shortest|youngest|slowest|lightest|weakest|poorest|smallest|lowest)\b",
    re.I,
)
RANKS = {"second": 1, "third": 2, "fourth": 3, "fifth": 4, "sixth": 5, "seventh": 6}
ENDS = dict(
    zip(
        ["shortest", "youngest", "slowest", "lightest", "weakest", "poorest", "smallest", "lowest"],
        ["tallest", "oldest", "fastest", "heaviest", "strongest", "richest", "biggest", "highest"],
        strict=True,
    )
)


def ordering(text: str, options: Options) -> Reading | None:
    """Comparisons that fix one order, and a rank in it."""
    facts = [(m[1], m["word"], m[3]) for m in COMPARED.finditer(text)]
    question = next((s for s in sentences(text) if s.endswith("?")), "")
    asked = MOST.search(question)
    said = len(MOST.findall(text.replace(question, "")))
    if (
        not facts
        or not asked
        or said
        or re.search(r"\bnot\b|\bas \w+ as\b|\bsame\b", text)
        or len(re.findall(r"\bthan\b", text)) != len(facts)
    ):
        return None
    scales = {PAIRS.get(word, word) for _, word, _ in facts}
    above = {(a, b) if word in MORE.split("|") else (b, a) for a, word, b in facts}
    ranked = in_line(above)
    end = asked[2].lower()
    most = {"tall": "taller", "old": "older"}.get(end[:-3], end[:-3] + "er") if end not in ENDS else None
    top = ENDS.get(end, end)
    rank = RANKS.get((asked[1] or "").lower(), 0)
    if ranked is None or len(scales) != 1 or next(iter(scales))[:3] != top[:3] or rank >= len(ranked):
        return None
    if asked[1] and asked[1].lower() not in RANKS and asked[1].lower() not in ("the", "is"):
        return None
    line = ranked if most or end not in ENDS else ranked[::-1]
    return Reading([], lambda w: _ranked(w, line, rank, options))


def _ranked(w: Work, line: list[str], rank: int, options: Options) -> str:
    last = line[0]
    for place, who in enumerate(line[: rank + 1], 1):
        last = w.choose(f"place {place} in the order {' > '.join(line)}", who, line)
    return letter(options, last) or last


def in_line(above: set[tuple[str, str]]) -> list[str] | None:
    """The one order that the pairs (higher, lower) allow; `None` when they allow several or none."""
    left, line = {name for pair in above for name in pair}, []
    while left:
        tops = [n for n in left if not any(low == n and high in left for high, low in above)]
        if len(tops) != 1:
            return None
        line.append(tops[0])
        left.remove(tops[0])
    return line


HONEST = (
    r"(?P<honest>(?:always )?(?:tells?|speaks?) the truth|(?:is )?(?:an? )?(?:truth-?teller|"
    r"honest|knight)|never lies)"
)
FALSE = r"(?P<false>(?:always )?lies|(?:is )?a (?:liar|knave)|never (?:tells|speaks) the truth)"
SAYS = re.compile(
    rf"{NAME} (?:says|claims|states|insists|asserts|declares|maintains|tells us|remarks) (?:that "
    rf")?[\"']?{NAME} (?:is )?(?:{HONEST}|{FALSE})"
)
KNOWN = re.compile(rf"{NAME} (?:is )?(?:{HONEST}|{FALSE})")
ASKED = re.compile(
    rf"(?:(?:Does|does) {NAME} (?:always )?(?:tell|speak) the truth|(?:Is|is) {NAME} (?:a "
    rf"truth-?teller|honest|a knight))"
)
ASKED_LIE = re.compile(rf"(?:(?:Does|does) {NAME} (?:always )?lie\b|(?:Is|is) {NAME} a (?:liar|knave))")


def liars(text: str, _options: Options) -> Reading | None:
    """Who is honest, found by following statements from one whose honesty is known."""
    parts = sentences(text)
    question = next((s for s in parts if s.endswith("?")), "")
    asked, lie = ASKED.search(question), ASKED_LIE.search(question)
    if not (asked or lie) or numbers(text):
        return None
    links, known = [], {}
    for part in parts:
        if part == question:
            continue
        if m := SAYS.search(part):
            links.append((m[1], m[2], bool(m["honest"])))
        elif m := KNOWN.search(part):
            if m[1] not in ("Everyone", "Everybody", "Each", "Who"):
                known[m[1]] = bool(m["honest"])
        elif re.search(r"says|claims|both|same|different|lies|truth", part) and not re.search(
            r"either|every|each|answer|knights? always|truth-?tellers always|liars always", part, re.I
        ):
            return None
    who = next(g for m in (asked, lie) if m for g in m.groups() if g)
    trail = _trail(links, known, who)
    return Reading([], lambda w: _believed(w, trail, known, negate=bool(lie))) if trail is not None else None


def _trail(
    links: list[tuple[str, str, bool]], known: dict[str, bool], who: str
) -> list[tuple[str, str, bool]] | None:
    """The statements that lead from a known person to `who`, in order; `None` if there are none or they clash."""
    status, trail, moved = dict(known), [], True
    while moved:
        moved = False
        for a, b, claim in links:
            ends = (a, b) if a in status and b not in status else (b, a) if b in status and a not in status else None
            if ends:
                status[ends[1]] = status[ends[0]] == claim
                trail.append((*ends, claim))
                moved = True
    clash = any(a in status and b in status and (status[a] == claim) != status[b] for a, b, claim in links)
    return None if who not in status or clash else [*_needed(trail, who)] or [(who, who, True)]


def _needed(trail: list[tuple[str, str, bool]], who: str) -> list[tuple[str, str, bool]]:
    """Only the links on the way to `who`."""
    back = {b: (a, b, claim) for a, b, claim in trail}
    way = []
    while who in back:
        way.append(back[who])
        who = back[who][0]
    return way[::-1]


def _believed(w: Work, trail: list[tuple[str, str, bool]], known: dict[str, bool], *, negate: bool) -> str:
    told = ("tells the truth", "lies")
    honest = known[trail[0][0]]
    for a, b, claim in trail:
        honest = w.choose(f"{a} {told[not honest]}, so {b}", told[honest != claim], told) == told[0]
    return "yes" if honest != negate else "no"


WORD = r"([a-z]+)"
ALL = re.compile(
    rf"(?i:every|each|any) {WORD} is an? {WORD}$|(?i:all) {WORD}s are {WORD}s$|[Ii]f something is "
    rf"an? {WORD},? (?:then )?it is an? {WORD}$"
)
NONE = re.compile(
    rf"(?i:no) {WORD} is an? {WORD}$|(?i:no) {WORD}s are {WORD}s$|(?i:nothing) that is an? {WORD} is an? {WORD}$"
)
MEMBER = re.compile(rf"{NAME} is an? {WORD}$")
WHETHER = re.compile(rf"(?:(?i:is|be|that) )?{NAME} (?:is |be |must be )?an? {WORD}\?$")


def classes(text: str, _options: Options) -> Reading | None:
    """Membership followed through `every A is a B`, and stopped by `no A is a B`."""
    if numbers(text) or not re.search(r"\b(?:every|all|each|any|if something) ", text, re.I):
        return None
    up: dict[str, list[str]] = {}
    apart: set[tuple[str, str]] = set()
    member, asked = None, None
    for part in sentences(text):
        if m := WHETHER.search(part):
            asked = (m[1], m[2])
        elif (m := ALL.search(part)) or (m := NONE.search(part)):
            a, b = (g for g in m.groups() if g)
            if m.re is ALL:
                up.setdefault(a, []).append(b)
            else:
                apart.add((a, b))
        elif m := MEMBER.search(part):
            member = (m[1], m[2])
        elif re.search(r"\b(?:some|most|not|only|unless)\b", part, re.I):
            return None
    if member is None or asked is None or member[0] != asked[0]:
        return None
    return _membership(up, apart, member, asked[1])


def _membership(
    up: dict[str, list[str]], apart: set[tuple[str, str]], member: tuple[str, str], goal: str
) -> Reading | None:
    way, came = [member[1]], {member[1]: ""}
    for here in way:
        for there in up.get(here, ()):
            if there not in came:
                came[there] = here
                way.append(there)
    barred = next(((a, b) for a, b in apart if (a in came and b == goal) or (b in came and a == goal)), None)
    if (goal in came) == (barred is not None):
        return None
    end = goal if barred is None else barred[0] if barred[0] in came else barred[1]
    line = [end]
    while came[line[-1]]:
        line.append(came[line[-1]])
    return Reading([], lambda w: _climb(w, member[0], line[::-1], goal, barred=barred is not None))


def _climb(w: Work, who: str, line: list[str], goal: str, *, barred: bool) -> str:
    answers, holds = ("yes", "no"), True
    for name in line:
        holds = w.choose(f"is {who} a {name}?", answers[not holds], answers) == "yes"
    if barred:
        return w.choose(f"is {who} a {goal}, which no {line[-1]} is?", answers[holds], answers)
    return answers[not holds]


DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
DAY = re.compile(rf"\b({'|'.join(DAYS)})\b", re.I)
LATER = re.compile(
    r"from (?:now|today)|\bin \d+ days|after|(?:days?|weeks?) later|postpon|delay|put off|pushed "
    r"back|days? (?:on|hence)|moved back",
    re.I,
)
SOONER = re.compile(
    r"brought forward|moved (?:up|forward)|advanced|earlier|sooner|before|ago|brings? .* forward", re.I
)


def calendar(text: str, options: Options) -> Reading | None:
    """Days counted on from a weekday."""
    days = DAY.findall(text)
    if (
        len(days) != 1
        or re.search(r"\b(?:not|tomorrow|yesterday|if it|leap)\b", text, re.I)
        or not re.search(r"day of the week|weekday|which day|what day", text, re.I)
    ):
        return None
    shifts = []
    for clause in clauses(text):
        amounts = numbers(clause)
        if not amounts:
            continue
        later, sooner = bool(LATER.search(clause)), bool(SOONER.search(clause))
        unit = 7 if re.search(r"\d+ weeks?\b", clause) else 1
        if len(amounts) != 1 or later == sooner or not re.search(r"\d+ (?:more )?(?:days?|weeks?)\b", clause):
            return None
        shifts.append((int(amounts[0]) * unit, 1 if later else -1))
    if not re.search(r"(?:today is|today it is|now is|it is|is) (?:a )?" + days[0], text, re.I):
        return None
    used = [n for clause in clauses(text) for n in numbers(clause)]
    return Reading(used, lambda w: _weekday(w, days[0].lower(), shifts, options)) if shifts else None


def _weekday(w: Work, start: str, shifts: list[tuple[int, int]], options: Options) -> str:
    total = w.step("days so far", shifts[0][0] * shifts[0][1])
    for n, sign in shifts[1:]:
        total = w.step(f"{total} {'+' if sign > 0 else '-'} {n}", total + sign * n)
    rest = w.step(f"{total} mod 7", total % 7)
    day = w.choose(
        f"{int(rest)} days after {start.capitalize()}",
        DAYS[int(DAYS.index(start) + rest) % 7].capitalize(),
        [d.capitalize() for d in DAYS],
    )
    return letter(options, day) or day


KIND = "cup|drawer|tin|chest|basket|pouch|crate|box|bag|bucket|jar"
COLOUR = "red|blue|green|white|black|yellow|purple|orange|brown|grey|gray|pink"
SWAP = re.compile(r"\b(?:swap|exchang|trad|switch)", re.I)


def swaps(text: str, options: Options) -> Reading | None:
    """A hidden thing followed through exchanges."""
    if not SWAP.search(text):
        return None
    place, moves, kinds = None, [], set(re.findall(rf"\b({KIND})(?:e?s)?\b", text.lower()))
    for part in sentences(text):
        named = re.findall(rf"\b({COLOUR})\b", part.lower())
        if SWAP.search(part):
            if len(named) != 2 or named[0] == named[1]:
                return None
            moves.append((named[0], named[1]))
        elif len(named) == 1 and re.search(
            r"\b(?:is|hid\w*|put|placed|holds|contains|under|lies|puts|places|inside)\b", part
        ):
            if place is not None:
                return None
            place = named[0]
        elif place is not None and named and not part.endswith("?"):
            return None
    if place is None or len(kinds) != 1 or not re.search(r"\b(?:where|which|what)\b", text, re.I):
        return None
    colours = sorted({c for c in re.findall(rf"\b({COLOUR})\b", text.lower())})
    counted = numbers(text)
    if len(counted) > 1 or (counted and counted[0] != len(colours)):
        return None
    return Reading(counted, lambda w: _followed(w, place, moves, colours, options))


def _followed(w: Work, place: str, moves: list[tuple[str, str]], colours: list[str], options: Options) -> str:
    for a, b in moves:
        there = b if place == a else a if place == b else place
        place = w.choose(f"in {place}; {a} and {b} trade", there, colours)
    return letter(options, place) or place


def overlap(text: str, _options: Options) -> Reading | None:
    """Two groups within one: both, neither, exactly one, only the first."""
    if not re.search(r"\b(?:both|neither)\b", text):
        return None
    question = next((s for s in reversed(sentences(text)) if s.endswith("?")), "")
    body = text[: text.rfind(question)] if question else ""
    facts = re.findall(r"(\d+)([^\d]*)", body)
    if len(facts) != 4 or numbers(question):
        return None
    known = {}
    for i, (n, words) in enumerate(facts):
        head = re.split(r"[.;]", words)[0]
        role = (
            "both"
            if re.search(r"\bboth\b", head)
            else "neither"
            if re.search(r"\b(?:neither|none|no instrument)\b", head)
            else "total"
            if i == 0
            else f"group {i}"
        )
        if role in known or re.search(r"\b(?:only|exactly|more|less|fewer|percent|times)\b|%", head):
            return None
        known[role] = (int(n), head.strip(" ,."))
    if set(known) not in ({"total", "group 1", "group 2", "both"}, {"total", "group 1", "group 2", "neither"}):
        return None
    goal = _part(question, known["group 1"][1], known["group 2"][1])
    return (
        Reading([n for n, _ in known.values()], lambda w: _venn(w, {k: n for k, (n, _) in known.items()}, goal))
        if goal
        else None
    )


def _part(question: str, first: str, second: str) -> str | None:
    """Which part of the picture is asked for."""
    if re.search(r"exactly one|only one|just one|one but not both", question):
        return "one"
    only = re.search(r"(.*?)\b(?:but not|and not|but don't|but do not)\b(.*)", question)
    if only:
        a, b = _last(first), _last(second)
        return "first" if a in only[1] and b in only[2] else "second" if b in only[1] and a in only[2] else None
    if re.search(r"\bneither\b|\bnone\b", question):
        return "neither"
    if re.search(r"at least one|\beither\b|\bany of", question):
        return "union"
    return "both" if re.search(r"\bboth\b", question) else None


def _last(words: str) -> str:
    """The word that names a group: the last one that is no filler."""
    found = [w for w in re.findall(r"[a-z]+", words.lower()) if w not in ("and", "of", "them", "while", "but", "the")]
    return found[-1] if found else "?"


def _venn(w: Work, known: dict[str, int], goal: str) -> str:
    total, a, b = known["total"], known["group 1"], known["group 2"]
    pair = w.step(f"{a} + {b}", a + b)
    if "both" in known:
        both, union = known["both"], w.step(f"{pair} - {known['both']}", pair - known["both"])
    else:
        union = w.step(f"{total} - {known['neither']}", total - known["neither"])
        both = w.step(f"{pair} - {union}", pair - union)
    if goal == "one":
        return str(w.step(f"{union} - {both}", union - both))
    if goal in ("first", "second"):
        group = a if goal == "first" else b
        return str(w.step(f"{group} - {both}", group - both))
    if goal == "neither":
        return str(w.step(f"{total} - {union}", total - union))
    return str(union if goal == "union" else both)


COMPASS = ("north", "east", "south", "west")
TURN = re.compile(
    r"\b(?:turn|turns|turned|turning|wheels|rotates|makes a|takes a|takes another|swings|"
    r"goes)\b[^.,;]*?\b(right|left|around|about|u-turn|back|clockwise)\b",
    re.I,
)
BY = {"right": 1, "clockwise": 1, "left": 3, "around": 2, "about": 2, "u-turn": 2, "back": 2}


def turns(text: str, options: Options) -> Reading | None:
    """The compass direction after turns."""
    question = next((s for s in sentences(text) if s.endswith("?")), "")
    if numbers(text) or not re.search(r"which (?:way|direction)|what direction", question, re.I):
        return None
    body = text[: text.find(question)]
    start = re.findall(rf"\b({'|'.join(COMPASS)})\b", body.lower())
    made = [BY[m[1].lower()] for part in clauses(body) if (m := TURN.search(part))]
    said = len(re.findall(r"\b(?:right|left|around|u-turn)\b", body, re.I))
    if (
        len(start) != 1
        or not made
        or said != len(made)
        or re.search(r"counter|anti|half|quarter|twice|degrees|again|\bnot\b|n't\b|instead", body)
    ):
        return None
    return Reading([], lambda w: _faced(w, start[0], made, options))


def _faced(w: Work, facing: str, made: list[int], options: Options) -> str:
    said = {1: "right", 2: "around", 3: "left"}
    for turn in made:
        facing = w.choose(f"{facing}, turn {said[turn]}", COMPASS[(COMPASS.index(facing) + turn) % 4], COMPASS)
    return letter(options, facing) or facing
