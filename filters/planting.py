"""Copies that are no exact copies, made by rules: to measure what finds them and what does not.

Each function takes a text and a source of chance, and gives another text that asks the same, or all but the same.
They are cruder than what a person or a model writes when rewording; a method's miss rate on them is a lower bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random

Planting = Callable[[str, Random], str]

_NUMBER = re.compile(r"\d+")
_NAME = re.compile(r"(?<=[a-z,;] )(?!\w+day\b)[A-Z][a-z]{2,}\b")  # no day of the week
_SENTENCE = re.compile(r"(?<=[.?!])\s+")
_WORD = re.compile(r"[A-Za-z]+")

NAMES = tuple(
    [
        "Aiko",
        "Bruno",
        "Carmen",
        "Dmitri",
        "Elif",
        "Farid",
        "Greta",
        "Hassan",
        "Ilse",
        "Jonas",
        "Kofi",
        "Leila",
        "Mateo",
        "Nadia",
        "Oskar",
        "Priya",
        "Ravi",
        "Sofia",
        "Tomas",
        "Uma",
        "Viktor",
        "Wanda",
        "Yusuf",
        "Zoe",
    ]
)

_ALIKE = """
find: determine, work out | compute: calculate, evaluate | calculate: compute, work out | determine: find
many: numerous | total: overall | altogether: in all | each: every | every: each | buys: purchases, gets
bought: purchased, got | buy: purchase, get | sells: trades, offers | sold: traded | gives: hands | gave: handed
gets: receives | makes: produces | made: produced | takes: needs | needs: requires | wants: wishes | has: owns
start: begin | starts: begins | left: remaining | more: additional | half: one half | twice: two times
money: cash | cost: price | costs: is priced at | pay: spend | pays: spends | day: calendar day | big: large
large: big | small: little | friends: pals | kids: children | children: kids | house: home | store: shop
shop: store | car: vehicle | job: work | work: job | walks: goes | goes: travels | drives: travels
also: in addition | then: afterwards | if: supposing | suppose: assume | let: take | such: so | given: provided
value: size | largest: greatest, biggest | greatest: largest | smallest: least | least: smallest
positive: greater than zero | integer: whole number | integers: whole numbers | sum: total | product: multiple
triangle: three-sided figure | express: write | write: express | answer: result | show: prove | prove: show
"""
SYNONYMS: Mapping[str, Sequence[str]] = {
    word.strip(): [other.strip() for other in others.split(",")]
    for word, _, others in (entry.partition(":") for entry in _ALIKE.strip().replace("\n", "|").split("|"))
}


def verbatim(text: str, chance: Random) -> str:
    return text


def renumbered(text: str, chance: Random) -> str:
    """With every number another of as many digits."""
    return _NUMBER.sub(lambda found: _another(found[0], chance), text)


def renamed(text: str, chance: Random) -> str:
    """With every name within a sentence another, the same one everywhere."""
    others = dict(zip(dict.fromkeys(_NAME.findall(text)), chance.sample(NAMES, len(NAMES)), strict=False))
    return re.sub(r"\b[A-Z][a-z]{2,}\b", lambda found: others.get(found[0], found[0]), text)


def paraphrased(text: str, chance: Random) -> str:
    """With half of the words that have a synonym exchanged, other names, and often the question put first."""
    text = renamed(_WORD.sub(lambda found: _synonym(found[0], chance), text), chance)
    sentences = _SENTENCE.split(text)
    if len(sentences) > 2 and chance.random() < 0.5:
        sentences = [sentences[-1], *sentences[:-1]]
    return " ".join(sentences)


def edited(text: str, chance: Random) -> str:
    """Nearly the same: one number or one word changed, or some words put before or after."""
    words = text.split()
    place = chance.randrange(len(words)) if words else 0
    match chance.randrange(4):
        case 0 if numbers := list(_NUMBER.finditer(text)):
            found = chance.choice(numbers)
            return text[: found.start()] + _another(found[0], chance) + text[found.end() :]
        case 1:
            return f"{chance.choice(('Please solve this: ', 'Question: ', 'Here is a problem. '))}{text}"
        case 2:
            return (
                f"{text} {chance.choice(('Explain your answer.', 'Think step by step.', 'Give the final answer.'))}"
            )
        case _:
            return " ".join([*words[:place], chance.choice(("really", "indeed", "now")), *words[place:]])


def embedded(around: Sequence[str]) -> Planting:
    """Puts a text in the middle of longer ones, two before and two after it."""

    def embed(text: str, chance: Random) -> str:
        return "\n\n".join([*chance.choices(around, k=2), text, *chance.choices(around, k=2)])

    return embed


def _another(number: str, chance: Random) -> str:
    lowest = 0 if len(number) == 1 else 10 ** min(len(number) - 1, 17)
    highest = 10 ** min(len(number), 18) - 1
    other = chance.randrange(lowest, highest)
    return str(other if other != int(number[:18]) else highest)


def _synonym(word: str, chance: Random) -> str:
    if word.lower() not in SYNONYMS or chance.random() < 0.5:
        return word
    other = chance.choice(SYNONYMS[word.lower()])
    return other.capitalize() if word[0].isupper() else other
