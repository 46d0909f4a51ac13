"""What the engine can do beyond posing, solving, grading and answering, for the prompts of particular methods."""

from collections.abc import Callable
from typing import Any, NamedTuple

from . import chains
from .instruct import vary
from .judges import notes, recheck, verdicts
from .solve import aloud
from .tasks import evolve, listing, review


class Skill(NamedTuple):
    """`read` tells a request for it by a prompt's stable parts, and is None for every other prompt; `reply` answers.

    `reply(request, given, *, rng, faults)` is a whole answer, or where a beginning is `given` what follows it.
    """

    read: Callable[[str], Any]
    reply: Callable[..., str]


SKILLS: dict[str, Skill] = {
    "add a task": Skill(listing.read_add, listing.add),
    "instances": Skill(listing.read_instances, listing.instances),
    "evolve": Skill(evolve.read, evolve.evolve),
    "review a task": Skill(review.read, review.review),
    "apologise": Skill(evolve.read_beyond, evolve.apologise),
    "chain": Skill(chains.read_chain, chains.solve_chain),
    "key number": Skill(chains.read_key, chains.judge_key),
    "verdict": Skill(verdicts.read, verdicts.reply),
    "note": Skill(notes.read, notes.reply),
    "recheck": Skill(recheck.read, recheck.reply),
    "think aloud": Skill(aloud.read, aloud.reply),
    "vary": Skill(vary.read, vary.reply),
}
