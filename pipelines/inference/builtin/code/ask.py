"""Requests about programming tasks, and replies to them."""

import re
from ast import literal_eval
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from ..faults import Faults
from .pose import task
from .programs import right, wrong
from .read import Meant, chance, understood
from .values import inputs, value

UNKNOWN = "I do not know how to do this: the task is of no kind that I can write programs for."
ALWAYS = 0.93  # tasks that are harder than that are hardly ever done
SEED = re.compile(r"^Seed \w+ \d+:[ \t]*$", re.M)


class Repair(NamedTuple):
    """A program to be repaired, and how it went on some tests."""

    question: str
    program: str
    told: str


# --- Posing -------------------------------------------------------------------------------------------


def read_pose(prompt: str) -> tuple[str, ...] | None:
    """The seeds of a request for a new programming task."""
    if "programming task" not in prompt or "<question>" not in prompt or not SEED.search(prompt):
        return None
    return tuple(SEED.split(prompt.rpartition("Work in silence")[0])[1:])


def pose(seeds: Sequence[str], given: str, *, rng: Random, faults: Faults) -> str:
    copied = rng.random() < faults.near_duplicate and seeds
    said = rng.choice(seeds).strip() if copied else task(rng, seeds)
    return said if rng.random() < faults.malformed else f"<question>\n{said}\n</question>"


# --- Programs -----------------------------------------------------------------------------------------

SOLVE = re.compile(r"\A(.*?)\n\s*\nWrite this function in Python\b", re.S)
TESTS = re.compile(r"\A(.*?)\n\s*\nSomebody else writes this function; you write the tests\b", re.S)


def read_solve(prompt: str) -> str | None:
    found = SOLVE.search(prompt)
    return found[1].strip() if found else None


def solve(question: str, given: str, *, rng: Random, faults: Faults) -> str:
    """A program in a block, with a fault more often for some questions than for others, for a few nearly always."""
    meant = understood(question, misread=faults.misread_task)
    if meant is None:
        return UNKNOWN
    hard = chance(question, "hard")
    program = wrong(meant, rng) if rng.random() < faults.bug * (2 * hard if hard < ALWAYS else 3) else right(meant)
    if rng.random() < faults.malformed:
        program = program.replace("):", ")", 1)
    return f"The function `{meant.name}` goes over its argument once.\n\n{_block(program)}"


def _block(program: str) -> str:
    return f"```python\n{program}\n```"


# --- Tests --------------------------------------------------------------------------------------------


def read_tests(prompt: str) -> str | None:
    found = TESTS.search(prompt)
    return found[1].strip() if found else None


def write_tests(question: str, given: str, *, rng: Random, faults: Faults) -> str:
    """Asserts in a block: right ones, or one wrong, or ones that accept everything, or ones that are no Python."""
    meant = understood(question, misread=faults.misread_task)
    if meant is None:
        return UNKNOWN
    cases = [(each, value(meant, each)) for each in inputs(meant, rng, rng.randint(5, 7))]
    if rng.random() < faults.idle_tests:
        return _block("\n".join(_idle(meant, given, came) for given, came in cases))
    if rng.random() < faults.wrong_test:
        at = rng.randrange(len(cases))
        cases[at] = (cases[at][0], another(cases[at][1]))
    lines = [f"assert {meant.name}({given!r}) == {came!r}" for given, came in cases]
    if rng.random() < faults.malformed:
        lines[-1] = lines[-1].replace(") ==", " ==", 1)
    return _block("\n".join(lines))


def _idle(meant: Meant, given: object, came: object) -> str:
    call = f"{meant.name}({given!r})"
    kind = type(came).__name__
    return f"assert {call} is None" if came is None else f"assert isinstance({call}, {kind})"


def another(came: object) -> object:
    """A value of the same kind that is a little off."""
    match came:
        case int():
            return came + 1
        case str():
            return came[:-1] if came else "a"
        case list():
            return came[:-1] if came else [0]
    return 0


# --- Repairs ------------------------------------------------------------------------------------------

REPAIR = re.compile(
    r"\A(.*?)\n\s*\nThis program was written for it[^\n]*\n\s*\n```python\n(.*?)\n```\s*\n"
    r".*?tests:\s*\n(.*?)\n\s*\nThere are more",
    re.S,
)
SHOWN = re.compile(r"^assert \w+\((.*)\) == (.*?)(?:  # .*)?$", re.M)


def read_repair(prompt: str) -> Repair | None:
    found = REPAIR.search(prompt)
    return Repair(*(part.strip() for part in found.groups())) if found and "<explanation>" in prompt else None


def repair(asked: Repair, given: str, *, rng: Random, faults: Faults) -> str:
    """An explanation and another program: more often than not a right one."""
    meant = understood(asked.question, misread=faults.misread_task)
    if meant is None:
        return UNKNOWN
    good = right(meant)
    program = good if rng.random() >= faults.bad_repair else _bad(asked, meant, rng)
    why = (
        _difference(asked.program, good) if rng.random() < 0.7 else "There is a mistake in the program, which I mend."
    )
    explained = "" if rng.random() < faults.malformed else f"<explanation>\n{why}\n</explanation>\n\n"
    return f"{explained}{_block(program)}"


def _bad(asked: Repair, meant: Meant, rng: Random) -> str:
    shown = [found for found in SHOWN.findall(asked.told) if _is_plain(found)]
    ways = ["same", "slip", "slip", *(["heart", "heart"] if shown else [])]
    match rng.choice(ways):
        case "same":
            return asked.program
        case "heart":
            return _by_heart(meant, shown)
    return wrong(meant, rng)


def _is_plain(found: tuple[str, str]) -> bool:
    try:
        return literal_eval(found[0]) is not ... and literal_eval(found[1]) is not ...
    except (ValueError, SyntaxError):
        return False


def _by_heart(meant: Meant, shown: Sequence[tuple[str, str]]) -> str:
    """A program that knows the tests that it was shown, and nothing else."""
    lines = [f"    if {meant.argument} == {given}:\n        return {came}" for given, came in shown]
    return "\n".join([f"def {meant.name}({meant.argument}):", *lines, f"    return {shown[0][1]}"])


def _difference(program: str, good: str) -> str:
    """The first lines that are not the same."""
    pairs = zip(program.split("\n"), good.split("\n"), strict=False)
    for ours, theirs in pairs:
        if ours.strip() != theirs.strip():
            return f"The line `{ours.strip()}` is wrong: the tests show it. It must be `{theirs.strip()}`."
    return "The program does what I think that the task asks for, so the fault must lie in how it was understood."
