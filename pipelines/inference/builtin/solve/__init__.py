"""Solving problems: read the text, work in steps, box the answer. Shares no code with `pose`.

Every reader must account for each number in the question; what nobody can read in full, or what two
readers read differently, is left alone. So a boxed answer is wrong only by a slip.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from random import Random
from typing import NamedTuple

from . import amounts, logic, measures, numbers
from .text import VAGUE, options, plain, without_gift
from .text import numbers as numbers_in
from .work import Reading, Work

Reader = Callable[[str, dict[str, str]], Reading | None]

READERS: tuple[Reader, ...] = (
    amounts.ledger,
    amounts.comparison,
    measures.shop,
    measures.trip,
    measures.work,
    amounts.ages,
    measures.mixture,
    amounts.ratio,
    measures.percent,
    amounts.packing,
    numbers.quantity,
    numbers.urn,
    logic.ordering,
    logic.liars,
    logic.classes,
    logic.calendar,
    logic.swaps,
    logic.overlap,
    logic.turns,
)


class Solution(NamedTuple):
    """The written text and its boxed answer; `None` where the problem could not be read."""

    text: str
    answer: str | None


@lru_cache(maxsize=512)  # a problem is mostly solved several times in a row
def readings(question: str) -> tuple[Reading, ...]:
    """What each reader understood, of those who used every number of the question exactly once."""
    text, lettered = options(plain(question))
    there = sorted(numbers_in(text))
    found = (reader(text, lettered) for reader in READERS)
    return tuple(reading for reading in found if reading is not None and sorted(reading.used) == there)


def truth(question: str) -> str | None:
    """The answer worked out without slips; `None` when the question is ambiguous or cannot be read."""
    question = without_gift(question)
    if VAGUE.search(question):
        return None
    answers = {reading.work(Work(Random(0), slip=0)) for reading in readings(question)}
    return answers.pop() if len(answers) == 1 else None


def solve(question: str, *, rng: Random, slip: float, given: str = "") -> Solution:
    """Solve with a chance of `slip` for a slip in the first step, more in later ones.

    An open quantity ("several") is read as some number of the solver's choice, so that answers scatter.
    `given` is a beginning that somebody wrote; the steps in it are taken over, right or wrong.
    """
    question = without_gift(question)
    opening = "I read the problem and work step by step."
    if VAGUE.search(question):
        count = rng.randint(2, 11)
        opening = f"The problem leaves a quantity open; I take it to be {count}."
        question = VAGUE.sub(str(count), question)
    found = readings(question)
    if len({reading.work(Work(Random(0), slip=0)) for reading in found}) != 1:
        return Solution("I cannot read this problem well enough to solve it, so I give no answer.", None)
    work = Work(rng, slip=slip * hardness(question), given=given)
    answer = found[0].work(work)
    lines = [opening, *work.lines, f"So the final answer is \\boxed{{{answer}}}."]
    return Solution("\n".join(lines), answer)


def hardness(question: str) -> float:
    """How much more often this problem goes wrong than others: from 0 to 15, mostly small.

    A number that belongs to the text alone, for people also find some problems harder than they look.
    """
    words_only = " ".join(re.findall(r"\w+", question.lower()))
    u = int.from_bytes(blake2b(words_only.encode(), digest_size=6).digest()) / 2**48
    return 0 if u < 0.2 else 14 * ((u - 0.2) / 0.8) ** 5 + u
