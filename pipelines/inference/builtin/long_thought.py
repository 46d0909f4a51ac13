"""Thinking at length before an answer, the more so the more examples are shown.

The steps are those of `solve`. What is an example's own is never looked at, but for the fault of copying from it.
"""

import re
from random import Random
from typing import NamedTuple

from . import solve
from .faults import Faults
from .instruct.answer import answer as written
from .instruct.quality import key_words, limits

TASK = re.compile(r"Begin with <think>.*?</think>.*?The task:\n\n(.+)\Z", re.S)
EXAMPLE = re.compile(r"<example>\n(.*?)\n</example>", re.S)
BOX = re.compile(r"\\boxed\{[^{}]*\}")
NOTICES = 0.5  # how often a slip is seen when the step is done again
DECLINED = "I would rather not take this request."
PLANS = (
    "First I say to myself what is wanted, and then I go there in small steps.",
    "My plan: gather what I know, work through it in order, and check the result at the end.",
    "Let me sort this out before I begin, so that I do not lose the thread.",
)
CHECKS = (
    "Let me verify this step. It holds.",
    "Wait, is that right? I do it again, and get the same.",
    "I check that once more before I build on it. Fine.",
)
TURNS = (
    "Alternatively, I could begin from the other end. That would be longer, so I stay with this way.",
    "Hmm, perhaps there is a shorter way. I try it, and it leads nowhere, so I go back.",
)


class Asked(NamedTuple):
    """A task, and the examples of thinking that are shown before it."""

    task: str
    examples: list[str]


def task_in(prompt: str) -> Asked | None:
    """A request to think at length; None for every other prompt."""
    found = TASK.search(prompt)
    return Asked(found[1].strip(), EXAMPLE.findall(prompt[: found.start(1)])) if found else None


def thought(asked: Asked, given: str, *, rng: Random, faults: Faults) -> str:
    """A thought in its marks, and the answer behind it."""
    if rng.random() < faults.refuse:
        return DECLINED
    solved = solve.solve(asked.task, rng=rng, slip=faults.slip, given=given)
    if solved.answer is None:
        lines, answer = about(asked.task), written(asked.task, rng=rng)
    else:
        lines, answer = worked(asked.task, solved.text, rng), ""
    told = [rng.choice(PLANS), *reflected(lines, len(asked.examples), rng)]
    if asked.examples and rng.random() < faults.copied:
        words = rng.choice(asked.examples).partition("<think>")[2].split()
        start = rng.randrange(max(1, len(words) - 24))
        told.insert(1, " ".join(words[start : start + 20]))
    boxed = BOX.findall(lines[-1])
    end = "" if rng.random() < faults.unclosed else "\n</think>"
    return "<think>\n" + "\n\n".join(told) + f"{end}\n\n{answer or f'The answer is {boxed[-1]}.'}"


def worked(task: str, text: str, rng: Random) -> list[str]:
    """The steps of a solution; a step that slipped is now and then done again, and the rest goes on from there."""
    lines = text.splitlines()
    good = solve.solve(task, rng=Random(0), slip=0).text.splitlines()
    at = next((i for i, (mine, right) in enumerate(zip(lines, good, strict=False)) if mine != right), None)
    if at is None or not lines[at].startswith("Step") or rng.random() > NOTICES:
        return lines
    return [*lines[: at + 1], "Wait, that is not right. I go back and do this step again.", *good[at:]]


def about(task: str) -> list[str]:
    """What is thought about a task that has no answer to be found, only one to be written."""
    words, stated = key_words(task), limits(task)
    lines = [f"What is it about? I note {', '.join(words[:5])}.", "Who will read this, and what do they need first?"]
    if stated.at_most:
        lines.append(f"There is a limit of {stated.at_most} words, so I count at the end.")
    return [*lines, f"I begin with {words[0] if words else 'the main point'} and leave out what does not help."]


def reflected(lines: list[str], examples: int, rng: Random) -> list[str]:
    """The lines with checks and turns between them, in more places where more examples are shown."""
    told: list[str] = []
    for place, line in enumerate(lines):
        told.append(line)
        if examples and place < len(lines) - 1 and rng.random() < 0.25 + 0.15 * examples:
            told.append(rng.choice(CHECKS if rng.random() < 0.75 else TURNS))
    return told
