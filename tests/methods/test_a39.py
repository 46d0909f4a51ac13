"""A39, Phi-4-reasoning: teachable prompts, which the student often fails and the teacher reliably solves.

Shown elsewhere:
- each of the 81 pairs of abilities:
  tests/filters/test_difficulty.py::test_the_teachable_are_those_that_the_student_fails_and_the_teacher_solves
- clusters of very unequal sizes, at three sizes of the choice:
  tests/filters/test_difficulty.py::test_balanced_teachable_problems_cover_as_many_clusters_as_random_ones
- clusters by meaning: tests/filters/test_clusters.py::test_a_balanced_choice_takes_as_many_of_each_topic
"""

from __future__ import annotations

from collections.abc import Collection

import pytest

from flows.make import Made
from tests.methods import lines
from tests.methods.lines import accepted, by_chance, told

N = 4
TEACHABLE = ["algebra"] * 5 + ["geometry"] * 2 + ["logic"]
PROBLEMS = [
    *((domain, student, teacher) for domain in TEACHABLE[::4] for student in (0, 2) for teacher in (3, 4)),
    *((domain, 0, 4) for domain in TEACHABLE),
    *(("algebra", student, 4) for student in (3, 4)),
    *(("geometry", 0, teacher) for teacher in (0, 2)),
]
"""Domain, and how often of four student and teacher are right."""

ROWS = {f"{domain} {place}: how many?": each for place, each in enumerate(PROBLEMS) for domain in each[:1]}
WANTED = {question for question, (_, student, teacher) in ROWS.items() if student <= 2 and teacher >= 3}
K = 4


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    answers = {question: str(place + 10) for place, question in enumerate(ROWS)}
    abilities = {
        "small": {question: student for question, (_, student, _) in ROWS.items()},
        "large": {question: teacher for question, (_, _, teacher) in ROWS.items()},
    }
    solvers = {"student": "small", "teacher": "large"}
    solving = [{"use": "expand", "name": role, "model": role, "prompt": "solve/boxed", "n": N} for role in solvers]
    return lines.run(
        tmp_path_factory.mktemp("a39"),
        [{"question": question, "answer": answers[question], "domain": ROWS[question][0]} for question in ROWS],
        *solving,
        lines.sift("teachable"),
        lines.select({"rule": "cluster_balanced", "by": "domain", "k": K}),
        models=solvers,
        author=lines.able(abilities, answers),
    )


def test_the_kept_are_just_those_that_the_student_fails_and_the_teacher_solves(made: Made) -> None:
    """By solvers of known abilities, asked over a server."""
    found = {question for question, each in told(made, "teachable").items() if each.status == "pass"}
    assert found == WANTED
    assert accepted(made) < WANTED


def test_what_neither_solves_and_what_the_student_solves_go_with_their_reasons(made: Made) -> None:
    """In the verdicts as a code, and in the books in words."""
    values = {ROWS[question][1:]: each.value for question, each in told(made, "teachable").items()}
    assert {pair: value for pair, value in values.items() if value != "teachable"} == {
        (3, 4): "mastered",
        (4, 4): "mastered",
        (0, 0): "beyond",
        (0, 2): "beyond",
    }
    assert made.ledger["reasons"]["teachable"] == {
        "the student solves it already": 2,
        "the teacher does not solve it reliably": 2,
    }


def test_the_kept_cover_at_least_as_many_clusters_as_a_random_set_of_their_size(made: Made) -> None:
    """The random set is drawn from the same teachable problems."""
    chosen, chance = accepted(made), by_chance(made, "cluster_balanced")
    assert len(chosen) == len(chance) == K
    assert chance <= WANTED
    assert domains(chosen) == set(TEACHABLE) >= domains(chance)


def domains(arm: Collection[str]) -> set[str]:
    return {ROWS[question][0] for question in arm}
