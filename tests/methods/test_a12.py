"""A12, Online Difficulty Filtering: problems on which the training model is right about half the time.

Shown elsewhere:
- what is always right or always wrong goes, whatever the band:
  tests/filters/test_difficulty.py::test_always_right_and_always_wrong_always_go
- the band is symmetric: tests/filters/test_difficulty.py::test_the_band_is_symmetric
- the score peaks at one half: tests/filters/test_difficulty.py::test_the_score_peaks_at_one_half
- a rate that was told is read again for its model and revision only, so that a trainer may filter once more:
  tests/filters/test_difficulty.py::test_told_rates_are_read_again_for_their_solver_only
"""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from filters.difficulty import difficulty
from flows.make import Made
from tests.methods import lines
from tests.methods.lines import able, accepted, sift, told
from tests.small import verdicts

G = 8  # rollouts of each problem
ANSWERS = {f"What is the number {k} of nine?": str(k + 10) for k in range(G + 1)}
BEFORE = dict(zip(ANSWERS, range(G + 1), strict=True))
"""A student of whom every success rate is known: one problem of each."""

AFTER = BEFORE | {list(ANSWERS)[2]: 5, list(ANSWERS)[7]: 8}
"""Once it was trained: better at two of them."""


def measured(folder: Path, model: str, *, asked: str) -> Made:
    """Roll out this student, and filter by the difficulty that the problems have for the model that is asked for."""
    rows = [{"question": question, "answer": answer} for question, answer in ANSWERS.items()]
    expand = {"use": "expand", "model": "student", "prompt": "solve/boxed", "n": G}
    band = sift({"rule": "balanced", "solver": asked, "within": 0.25})
    author = able({"student-1": BEFORE, "student-2": AFTER}, ANSWERS)
    return lines.run(folder, rows, expand, band, models={"student": model}, author=author)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a12")


@pytest.fixture(scope="module")
def before(folder: Path) -> Made:
    return measured(folder, "student-1", asked="student-1")


@pytest.fixture(scope="module")
def after(folder: Path) -> Made:
    return measured(folder, "student-2", asked="student-2")


def test_all_right_and_all_wrong_go_and_the_band_is_symmetric(before: Made) -> None:
    """Of the nine rates those from 2 to 6 of 8 stay, with the highest score at 4; the books say why the others go."""
    assert {BEFORE[question] for question in accepted(before)} == {2, 3, 4, 5, 6}
    scores = {BEFORE[question]: each.score for question, each in told(before, "balanced").items()}
    assert scores == {k: k / G * (1 - k / G) for k in range(G + 1)}
    assert before.ledger["reasons"]["balanced"] == {
        "never right": 1,
        "always right": 1,
        "right less often than asked": 1,
        "right more often than asked": 1,
    }


def test_a_score_carries_its_model_group_size_temperature_and_verifier(before: Made) -> None:
    """In the facts of the version, so that nothing has to be known beside them."""
    contexts = [orjson.loads(each.context) for each in told(before, "balanced").values()]
    assert len(contexts) == G + 1
    for each in contexts:
        assert (each["solver"]["model"], each["n"]) == ("student-1", G)
        assert each["solver"]["sampling"]["temperature"] == 0.6
        assert each["verifier"].partition("@")[0] == "math"


def test_asked_for_another_model_it_is_refused(folder: Path, before: Made, after: Made) -> None:
    """By the pipeline, which then accepts nothing and says why; and by what reads the scores of a version."""
    refused = measured(folder, "student-2", asked="student-1")
    assert refused.counts.get("sent", 0) == 0  # another band over the rollouts that are there
    assert refused.ledger["accepted"] == 0
    assert refused.ledger["reasons"] == {"balanced: unsure": {"this solver was not measured": G + 1}}
    rates = difficulty(verdicts(before), model="student-1", revision=None)
    assert sorted(rates.values()) == [k / G for k in range(G + 1)]
    assert difficulty(verdicts(before), model="student-2", revision=None) == {}
    assert len(difficulty(verdicts(after), model="student-2", revision=None)) == G + 1


def test_rescoring_after_an_update_changes_only_rows_whose_rate_moved(before: Made, after: Made) -> None:
    """Status, reason and score of the other seven rows are what they were."""
    old, new = (
        {question: (each.status, each.score, each.evidence) for question, each in told(made, "balanced").items()}
        for made in (before, after)
    )
    assert {question for question in ANSWERS if old[question] != new[question]} == {
        question for question in ANSWERS if BEFORE[question] != AFTER[question]
    }
