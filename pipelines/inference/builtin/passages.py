"""Choices about passages: posed from what the sentences of a passage say.

It reads sentences of five plain forms and passes over all others. Nothing here is shared with `looking`, which
answers such questions.
"""

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from .faults import Faults

PASSAGE = re.compile(r"^Seed \w+ 1:[ \t]*\n(.+?)\n\n", re.M | re.S)
NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
COLOURS = ("red", "blue", "green", "yellow", "white", "black", "grey", "brown", "orange", "violet")
SIDES = ("to the left of", "to the right of", "in front of", "behind", "above", "below")
MANY = re.compile(rf"There are ({'|'.join(NUMBERS)}) (\w+ \w+) ((?:by|near|on|under|in|beside) the \w+)\.")
SIDE = re.compile(rf"The (\w+) (?:stands|lies|hangs) ({'|'.join(SIDES)}) the (\w+)\.")
PAINT = re.compile(rf"The (\w+) are painted ({'|'.join(COLOURS)})\.")
CAUSE = re.compile(r"(The [^.]+?) because ([^.]+)\.")
GOAL = re.compile(r"(The [^.]+?) in order (to [^.]+)\.")

OTHER_THINGS = ("the gate", "the cart", "the ladder", "the pump", "the bench", "the chest", "the barrel")
OTHER_REASONS = (
    *("the wind has turned", "the key is lost", "it has rained all night", "a guest is expected"),
    *("the bell is cracked", "the road is closed", "the lamp has gone out"),
)
OTHER_AIMS = (
    *("to save the last candle", "to warn the neighbours", "to keep the dust out", "to hear the bell"),
    *("to please the children", "to rest for an hour", "to be seen from the road"),
)
DECLINED = "I would rather not take this request."


class Draft(NamedTuple):
    """A question with its right option, wrong ones, and its kind."""

    question: str
    key: str
    wrong: Sequence[str]
    kind: str


def passage_in(prompt: str) -> str | None:
    """The passage of a request to pose a choice; None for every other prompt."""
    found = PASSAGE.search(prompt)
    return found[1] if found and "<choices>" in prompt and "<key>" in prompt else None


def posed(passage: str, given: str, *, rng: Random, faults: Faults) -> str:
    """A question, four options, the key in words, and the kind of question."""
    if rng.random() < faults.refuse:
        return DECLINED
    draft = drafted(passage, rng)
    if draft is None:
        return "I cannot find anything in this passage that I could ask about."
    key, shown = draft.key, [draft.key, *draft.wrong]
    if rng.random() < faults.wrong_author / 3:
        key = rng.choice(list(draft.wrong))
    if rng.random() < faults.bad_key:
        shown[rng.randrange(1, 4)] = draft.key if rng.random() < 0.5 else shown[0]
        key = key if rng.random() < 0.5 else "none of these"
    rng.shuffle(shown)
    listed = "\n".join(f"({letter}) {said}" for letter, said in zip("ABCD", shown, strict=True))
    end = "" if rng.random() < faults.malformed else "\n</type>"
    parts = {"question": draft.question, "choices": listed, "key": key}
    return "\n".join(f"<{tag}>\n{text}\n</{tag}>" for tag, text in parts.items()) + f"\n<type>\n{draft.kind}{end}"


def drafted(passage: str, rng: Random) -> Draft | None:
    """A question about one sentence of the passage, or about two that count; None where none can be read."""
    makers: list[Callable[[str, Random], Draft | None]] = [counting, total, spatial, recognition, causal, goal]
    rng.shuffle(makers)
    return next((draft for maker in makers if (draft := maker(passage, rng)) is not None), None)


def counting(passage: str, rng: Random) -> Draft | None:
    found = MANY.findall(passage)
    if not found:
        return None
    number, things, place = rng.choice(found)
    return Draft(f"How many {things} are there {place}?", number, others(rng, number, NUMBERS[:8]), "counting")


def total(passage: str, rng: Random) -> Draft | None:
    found = MANY.findall(passage)
    if len(found) < 2:
        return None
    (first, things, _), (second, more, _) = rng.sample(found, 2)
    n = NUMBERS.index(first) + NUMBERS.index(second) + 4
    near = [str(n + by) for by in (-3, -2, -1, 1, 2, 3) if n + by > 1]
    return Draft(f"How many {things} and {more} are there together?", str(n), others(rng, str(n), near), "counting")


def spatial(passage: str, rng: Random) -> Draft | None:
    found = SIDE.findall(passage)
    if not found:
        return None
    thing, side, other = rng.choice(found)
    there = [f"the {each}" for sentence in found for each in (sentence[0], sentence[2]) if each != other]
    wrong = others(rng, f"the {thing}", [*there, *OTHER_THINGS])
    return Draft(f"What does one find {side} the {other}?", f"the {thing}", wrong, "spatial")


def recognition(passage: str, rng: Random) -> Draft | None:
    found = PAINT.findall(passage)
    if not found:
        return None
    things, colour = rng.choice(found)
    return Draft(f"Which colour do the {things} have?", colour, others(rng, colour, COLOURS), "recognition")


def causal(passage: str, rng: Random) -> Draft | None:
    found = CAUSE.findall(passage)
    if not found:
        return None
    what, why = rng.choice(found)
    return Draft(f"{what}. Why is that so?", why, others(rng, why, OTHER_REASONS), "causal")


def goal(passage: str, rng: Random) -> Draft | None:
    found = GOAL.findall(passage)
    if not found:
        return None
    what, aim = rng.choice(found)
    return Draft(f"{what}. What is that for?", aim, others(rng, aim, OTHER_AIMS), "goal")


def others(rng: Random, key: str, among: Sequence[str]) -> list[str]:
    """Three wrong options."""
    return rng.sample(sorted({each for each in among if each != key}), 3)
