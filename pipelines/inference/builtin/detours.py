"""Thinking in paragraphs, with detours: doubts that come to nothing, other ways that are left again.

Only the detours are made up: the steps are those of `solve`, and a thought goes on from whatever stands there.
"""

import re
from collections.abc import Iterator
from random import Random

from .faults import Faults
from .solve import solve
from .solve.work import STEP

ASKS = re.compile(r"\n\s*\n[^\n]*<think> and work this out in paragraphs[^\n]*\\boxed[^\n]*\s*\Z")
DONE = "So it comes to {}."
CONCLUDED = re.compile(r"^So it comes to .+\.$", re.M)
DOUBTS = (
    ("Wait, did I read that correctly?", "I go back to the text and compare, word by word.", "It is as I had it."),
    ("Hmm, is that not too simple?", "I look for something that I have left out.", "There is nothing."),
    ("But what if it is meant in another way?", "Then nothing in the text would fit, so it is not."),
)
WAYS = (
    ("Alternatively, I could begin at the other end.", "I would have to undo every step, one by one.", "Too long."),
    ("Another idea: I could set up an equation.", "Let x be what is wanted.", "It is the same in another order."),
    ("However, there may be a formula for this.", "I try to recall it, and I cannot.", "So I stay with my steps."),
)


def read(prompt: str) -> str | None:
    """The problem that is to be thought about; None for every other prompt."""
    found = ASKS.search(prompt)
    return prompt[: found.start()].strip() if found else None


def reply(question: str, given: str, *, rng: Random, faults: Faults) -> str:
    """A thought and its answer; with a beginning, what follows it."""
    if not given and rng.random() < faults.refuse:
        return "I would rather not take this request."
    solution = solve(question, rng=rng, slip=faults.slip, given=given)
    opening, *steps = solution.text.splitlines()
    if solution.answer is None:
        return f"<think>\n{solution.text}\n</think>\n\n{solution.text}"
    answer = f"The answer is \\boxed{{{solution.answer}}}."
    if "</think>" in given:
        return answer
    told = "\n\n".join(paragraphs(steps[:-1], solution.answer, given, rng, faults.detour))
    start = "" if given else f"<think>\n{opening}\n\n"
    return f"{start}{told}\n</think>\n\n{answer}"


def paragraphs(steps: list[str], answer: str, given: str, rng: Random, detour: float) -> Iterator[str]:
    """The steps that are not given, the conclusion, and a look back, with detours wherever one of them ends."""
    done = len(STEP.findall(given))
    if done and rng.random() < detour:
        yield from turned_away(steps[done - 1], rng)
    for step in steps[done:]:
        yield step
        if rng.random() < detour:
            yield from turned_away(step, rng)
    if not CONCLUDED.search(given):
        yield DONE.format(answer)
    if rng.random() < detour:
        yield "Wait, let me go over all of it once more."
        yield from (f"Again, {step.partition(': ')[2]}" for step in steps)
        yield "It is the same."


def turned_away(step: str, rng: Random) -> tuple[str, ...]:
    """Paragraphs that lead nowhere."""
    again = ("Hmm, let me do that again.", f"I find that {step.partition(': ')[2]}", "That is what I had.")
    return rng.choice((again, *DOUBTS, *WAYS))
