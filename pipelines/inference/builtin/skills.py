"""What the engine can do beyond posing, solving, grading and answering, for the prompts of particular methods."""

from collections.abc import Callable
from typing import Any, NamedTuple

from . import chains, detours, long_thought, looking, passages
from .code import ask as code
from .episodes import explore, pose, solve
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
    "explore": Skill(explore.read, explore.reply),
    "task with tools": Skill(pose.read, pose.reply),
    "use tools": Skill(solve.read, solve.reply),
    "pose a choice": Skill(passages.passage_in, passages.posed),
    "think at length": Skill(long_thought.task_in, long_thought.thought),
    "compare an end": Skill(looking.end_in, looking.compared),
    "look": Skill(looking.question_in, looking.thought),
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
    "think in paragraphs": Skill(detours.read, detours.reply),
    "think aloud": Skill(aloud.read, aloud.reply),
    "vary": Skill(vary.read, vary.reply),
    "code task": Skill(code.read_pose, code.pose),
    "program": Skill(code.read_solve, code.solve),
    "unit tests": Skill(code.read_tests, code.write_tests),
    "repair": Skill(code.read_repair, code.repair),
}
