"""What the engine can do beyond posing, solving, grading and answering, for the prompts of particular methods."""

from collections.abc import Callable
from typing import Any, NamedTuple

from .code import ask as code
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
    "code task": Skill(code.read_pose, code.pose),
    "program": Skill(code.read_solve, code.solve),
    "unit tests": Skill(code.read_tests, code.write_tests),
    "repair": Skill(code.read_repair, code.repair),
}
