"""Readers for prices, speeds, shared work, mixtures and percentages, with the same care as `amounts`."""

import re
from fractions import Fraction

from .text import asked, clauses, numbers, sentences
from .work import Reading, Work, decimal

Options = dict[str, str]
N = r"(\d+(?:\.\d+)?)"
NAME = r"([A-Z][a-z]+)"
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
