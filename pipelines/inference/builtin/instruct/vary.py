"""Another instruction close to a given one: same category and subject, with something that matters changed."""

import re
from random import Random

from ..faults import Faults
from .categories import CATEGORIES, category_of
from .pose import FOCUS, READERS, TONES, limit_sentence

ASKS = re.compile(r"<instruction>\n(.*?)\n</instruction>.*<question>\n", re.S)


def read(prompt: str) -> str | None:
    """The instruction that is to be varied."""
    found = ASKS.search(prompt)
    return found[1].strip() if found else None


def reply(asked: str, given: str, *, rng: Random, faults: Faults) -> str:
    """The other instruction in its tags; now and then the same one again, or none that can be read."""
    text = asked if rng.random() < faults.near_duplicate else varied(asked, rng=rng)
    closed = "" if rng.random() < faults.malformed else "\n</question>"
    return f"<question>\n{text}{closed}"


def varied(asked: str, *, rng: Random) -> str:
    """One of its own subjects asked for in another way, for others, in another tone."""
    category = category_of(asked) or rng.choice(CATEGORIES)
    there = [subject for subject in category.subjects if subject in asked]
    subject = rng.choice(there or category.subjects)
    parts = [
        f"{rng.choice(category.requests).format(subject)} for {rng.choice(READERS)}.",
        f"Keep the tone {rng.choice(TONES)}.",
        f"Please also {rng.choice(FOCUS)}.",
        limit_sentence(rng),
    ]
    return " ".join(parts)
