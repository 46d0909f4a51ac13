"""Thinking aloud: the steps of a solution with what people say between them, and then a short answer.

The harder a problem is for the engine, the more it says: it sets goals, doubts, checks, and tries another way. All of
this is made up around the same steps, and finds no mistake that it would not have found without.
"""

import re
from random import Random

from ..faults import Faults
from . import hardness, solve, truth

ASKS = re.compile(r"\n\s*\n[^\n]*between <think> and </think>[^\n]*\\boxed[^\n]*\s*\Z")

BEFORE = (
    "First, I want to see what is to be found, and split it into parts.",
    "Let me work backwards for a moment: what is wanted comes at the very end.",
    "I recall a known formula for problems of this kind, but plain steps will do.",
    "Suppose everything in the text is meant as it stands.",
    "Let x be what is asked for.",
)
BETWEEN = (
    "Wait, did I read that correctly? I go back to the text. Yes.",
    "Let me check this by the opposite operation. It fits.",
    "So far I have used everything up to here.",
    "Roughly that is about the size that I expected.",
    "Alternatively, I could do this in another way, but it would come to the same.",
    "There are two cases here, and only one of them can be.",
    "For example, with smaller numbers the same step works.",
)
AFTER = (
    "Let me verify the whole once more, line by line. It holds.",
    "Hold on, is a part missing? No, every number was used.",
    "To sum up, each step followed from the one before.",
)


def read(prompt: str) -> str | None:
    """The problem that is to be thought about aloud."""
    found = ASKS.search(prompt)
    return prompt[: found.start()].strip() if found else None


def reply(question: str, given: str, *, rng: Random, faults: Faults) -> str:
    """A long thought, and the answer; now and then the thought is not closed."""
    if rng.random() < faults.refuse:
        return "I would rather not take this request."
    solution = solve(question, rng=rng, slip=faults.slip, given=given)
    lines = solution.text.splitlines()
    thought = "\n".join(thinking(lines[:-1] or lines, question, rng=rng))
    end = "\n" if rng.random() < faults.malformed else "\n</think>\n\n"
    return f"<think>\n{thought}{end}{lines[-1]}"


def thinking(lines: list[str], question: str, *, rng: Random) -> list[str]:
    """The lines with remarks between them: few where the problem is easy."""
    often = min(0.8, 0.1 + hardness(question) / 8 + (0.3 if truth(question) is None else 0))
    said = [rng.choice(BEFORE)] if rng.random() < 0.3 + often / 2 else []
    remarks = rng.sample(BETWEEN, len(BETWEEN))
    for line in lines:
        said.append(line)
        if remarks and rng.random() < often:
            said.append(remarks.pop())
    return [*said, rng.choice(AFTER)] if rng.random() < 0.2 + often else said
