"""Yes or no about a task: is it a classification, does it demand more than the one it was made from?"""

import re
from random import Random
from typing import NamedTuple

from ..faults import Faults
from ..instruct.quality import key_words

TASK = re.compile(r"<task>\s*(.*?)\s*</task>", re.S)
PAIR = re.compile(r"<question_a>\s*(.*?)\s*</question_a>\s*<question_b>\s*(.*?)\s*</question_b>", re.S)
LABELS = re.compile(
    r"\b(?:classify|categori[sz]e|label|true or false|yes or no|positive or negative"
    r"|which (?:category|class|of these fits)|sort (?:it|them) (?:as|into)|identify (?:the|if|whether)|predict)\b"
    r"|\b(?:decide|determine|tell|say|judge|detect|check)(?: me)? (?:if|whether)\b"
    r"|\b(?:mark|sort) .{3,60} as \w+[^.]{0,60} or \w+|\banswer with one label\b|^(?:is|are|does|do|can) ",
    re.I,
)
ENOUGH = 4  # content words that are new; what is only said otherwise brings fewer


class Review(NamedTuple):
    """What would be true, and why."""

    is_so: bool
    reason: str


def read(prompt: str) -> Review | None:
    """A question of yes or no that can be answered by looking, where one is asked."""
    if "<verdict>" not in prompt:
        return None
    if "A task is a classification when" in prompt and (found := TASK.search(prompt)):
        sorts = bool(LABELS.search(found[1]))
        return Review(sorts, "Its output is one of few labels." if sorts else "Its output is free text.")
    if "B was made from A" in prompt and (found := PAIR.search(prompt)):
        new = [word for word in key_words(found[2]) if word not in key_words(found[1])]
        said = f"B also speaks of {', '.join(new[:3])}." if len(new) >= ENOUGH else "B says what A says."
        return Review(len(new) >= ENOUGH, said)
    return None


def review(asked: Review, given: str, *, rng: Random, faults: Faults) -> str:
    """A reason and a verdict, in tags."""
    if rng.random() < faults.review_unread:
        return f"{asked.reason} So I would say {'yes' if asked.is_so else 'no'}."
    says = asked.is_so != (rng.random() < faults.review_wrong)
    return f"<reason>\n{asked.reason}\n</reason>\n<verdict>\n{'yes' if says else 'no'}\n</verdict>"
