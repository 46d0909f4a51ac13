"""Does a response keep to the instructions about its form? Lengths, words, formats, case, language.

A reference is a JSON object, with constraints from the table `checks.CHECKS` or in the form of IFEval's rows:

    {"constraints": [{"check": "words", "at_least": 100}, {"check": "no_commas"}], "mode": "strict"}
    {"instruction_id_list": ["length_constraints:number_words"],
     "kwargs": [{"relation": "at least", "num_words": 100}]}

A response passes if every constraint holds; the score is the share that hold. Strict looks at the response as it is.
Loose also looks at it without its first line, its last, both, and each of these without asterisks, and lets a
constraint hold if it does in any of the eight (arXiv 2311.07911, section 2.2). A `solution` in the reference is a
response known to be right. Invisible characters are never counted, in either mode.

What is not judged: whether the response answers anything. "At least 100 words" is kept by one word a hundred times;
`different_words`, a form rule or a judge says more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from filters.verifiers.constraints import checks
from filters.verifiers.constraints.checks import CHECKS, Constraint, Found
from filters.verifiers.constraints.language import LANGUAGES
from filters.verifiers.constraints.reference import Task, constraint_of, read
from filters.verifiers.constraints.text import says_something, seen
from filters.verifiers.outcome import Outcome, failed, passed, unsure

SECONDS = 5.0
MAX_WORK = 2_000_000  # characters of reference times characters of response that may be gone through quickly
VARIANTS = 8  # of a response, in loose mode


def final_answer(text: str) -> str | None:
    """The response, which is its own answer; None when it is blank."""
    return text.strip() or None


def check_quickly(reference: str, answer: str) -> Outcome | None:
    """The outcome where all can be told by counting; None for long texts, patterns, and languages left open."""
    task = read(reference)
    if isinstance(task, str):
        return unsure(task)
    if len(reference) * len(answer) * (VARIANTS if task.loose else 1) > MAX_WORK:
        return None
    found = _found(task, answer, checks.quickly)
    rows = zip(task.constraints, found, strict=True)
    left_open = any(what.holds is None and CHECKS[each.check].slowly for each, what in rows)
    return None if left_open else _outcome(task, answer, found)


def check(reference: str, answer: str) -> Outcome:
    """The outcome, with langdetect for languages that our own means leave open. May be slow on patterns."""
    task = read(reference)
    if isinstance(task, str):
        return unsure(task)
    return _outcome(task, answer, _found(task, answer, checks.thoroughly))


def problem_with(reference: str) -> str | None:
    """What is wrong with a reference, in one line: no JSON, no constraints, an unknown check, a missing bound ..."""
    task = read(reference)
    return task if isinstance(task, str) else None


def gold(reference: str) -> str | None:
    """The `solution` in the reference, if there is one."""
    task = read(reference)
    return None if isinstance(task, str) else task.solution


def describe(constraint: Mapping[str, Any]) -> str:
    """A constraint as an instruction in English. Raises ValueError for one that cannot be used."""
    usable = constraint_of(constraint)
    return CHECKS[usable.check].says.format(
        number=_number(usable.bounds),
        s="" if list(usable.bounds.values())[-1:] == [1] else "s",
        **{name: _shown(name, value) for name, value in usable.parameters.items()},
    )


# --- Judging ------------------------------------------------------------------------------------------


def _found(task: Task, answer: str, find: Callable[[Constraint, str], Found]) -> list[Found]:
    text = seen(answer)
    texts = _variants(text) if task.loose else [text]
    return [_best([find(constraint, each) for each in texts if each.strip()]) for constraint in task.constraints]


def _variants(text: str) -> list[str]:
    """The response, without its first line, its last, both; and each of these without asterisks."""
    lines = text.split("\n")
    cut = [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return cut + [each.replace("*", "") for each in cut]


def _best(found: list[Found]) -> Found:
    """What holds in one variant holds; what cannot be told in one does not fail."""
    for wanted in (True, None):
        if hits := [each for each in found if each.holds is wanted]:
            return hits[0]
    return found[0] if found else Found(False)


def _outcome(task: Task, answer: str, found: list[Found]) -> Outcome:
    if not says_something(seen(answer)):
        return failed("it says nothing, without a letter or a digit", score=0.0)
    rows = list(zip(task.constraints, found, strict=True))
    evidence = {"constraints": [_row(*row) for row in rows], "mode": "loose" if task.loose else "strict"}
    score = sum(what.holds is True for what in found) / len(found)
    broken = [_told(*row) for row in rows if row[1].holds is False]
    if broken:
        return failed(
            f"constraints fail: {len(broken)} of {len(found)}, {'; '.join(broken[:3])}",
            score=score,
            evidence=evidence,
        )
    if score < 1:
        untold = ", ".join(constraint.check for constraint, what in rows if what.holds is None)
        return unsure(f"cannot tell: {untold}", score=score, evidence=evidence)
    return passed(score=score, evidence=evidence)


def _row(constraint: Constraint, found: Found) -> dict[str, Any]:
    row = {"check": constraint.check, **constraint.bounds, "holds": found.holds}
    return row if found.number is None else {**row, "found": found.number}


def _told(constraint: Constraint, found: Found) -> str:
    if found.number is None:
        return constraint.check
    return f"{constraint.check} is {found.number}, not {_number(constraint.bounds)}"


# --- In words -------------------------------------------------------------------------------------------


def _number(bounds: Mapping[str, int]) -> str:
    return " and ".join(f"{name.replace('_', ' ')} {number}" for name, number in bounds.items())


def _shown(name: str, value: object) -> str:
    if name == "language":
        return LANGUAGES[str(value)]
    if isinstance(value, list):
        return ", ".join(f'"{each}"' for each in value)
    return str(value) if name in ("format", "prompt", "digits", "nth", "divider") else f'"{value}"'
