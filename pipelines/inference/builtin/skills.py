"""What the engine can do beyond posing, solving, grading and answering, for the prompts of particular methods."""

from collections.abc import Callable
from typing import Any, NamedTuple

from .instruct import vary
from .judges import notes, recheck, verdicts
from .solve import aloud


class Skill(NamedTuple):
    """`read` tells a request for it by a prompt's stable parts, and is None for every other prompt; `reply` answers.

    `reply(request, given, *, rng, faults)` is a whole answer, or where a beginning is `given` what follows it.
    """

    read: Callable[[str], Any]
    reply: Callable[..., str]


SKILLS: dict[str, Skill] = {
    "verdict": Skill(verdicts.read, verdicts.reply),
    "note": Skill(notes.read, notes.reply),
    "recheck": Skill(recheck.read, recheck.reply),
    "think aloud": Skill(aloud.read, aloud.reply),
    "vary": Skill(vary.read, vary.reply),
}
