"""How good a response is: by the engine's own solution of the task, or by rules where it has none."""

import re
from random import Random

from ..instruct import rubric
from ..solve import solve, truth
from ..solve.work import STEP

BOX = re.compile(r"\\boxed\{([^{}]*)\}")
GOOD = 5.0  # from here on a response does what its task asks


def worth(task: str, response: str, *, rng: Random) -> rubric.Grade:
    """A reason and a score from 0 to 10."""
    right = truth(task)
    if right is None:
        return rubric.grade(task, response, rng=rng)
    boxes = BOX.findall(response)
    if not boxes:
        return rubric.Grade("It boxes no final answer.", round(rng.uniform(0.5, 2.0), 1))
    if boxes[-1].strip().lower() == right.lower():
        return rubric.Grade("Its final answer is the one that I find.", round(rng.uniform(8.0, 9.9), 1))
    wrong = wrong_step(task, response.splitlines())
    where = f" It goes wrong where it says: {response.splitlines()[wrong]}" if wrong is not None else ""
    return rubric.Grade(
        f"It ends in {boxes[-1].strip()}, and I find {right}.{where}", round(rng.uniform(0.3, 3.0), 1)
    )


def own(task: str) -> str:
    """The engine's own response to a task, in short."""
    right = truth(task)
    if right is None:
        return "I would take up what the task names, one thing after another, within its limits."
    steps = STEP.findall(solve(task, rng=Random(0), slip=0).text)
    return " Then ".join(f"{says} = {result}." for says, result in steps) + f" So it is {right}."


def wrong_step(task: str, lines: list[str]) -> int | None:
    """The index of the first line that says another result than the engine's own step does."""
    if truth(task) is None:
        return None
    own_steps = iter(STEP.findall(solve(task, rng=Random(0), slip=0).text))
    for index, line in enumerate(lines):
        if (said := re.search(r"^Step \d+: (.*) = ([^=\n]+)\.$", line)) is None:
            continue
        mine = next(own_steps, None)
        if mine is not None and (said[1], said[2]) != mine:
            return index
    return None
