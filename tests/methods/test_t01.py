"""T-1, S2L: how the losses of a small model run over its training says which rows a larger one needs.

Shown elsewhere:
- planted clusters of 1000, 100 and 10 and a budget of 60 give 60 different ids, 25, 25 and 10 of each:
  tests/filters/test_selection_s2l.py::test_small_clusters_give_all_and_the_others_evenly
- the same seed gives the same ids, whatever the order of the rows:
  tests/filters/test_selection_s2l.py::test_the_same_seed_gives_the_same_ids_whatever_the_order_of_rows
- a budget for all returns all: tests/filters/test_selection_s2l.py::test_a_budget_for_all_returns_all
- rows with a loss that is no number are reported and left out:
  tests/filters/test_selection_s2l.py::test_rows_that_are_not_numbers_are_reported_and_left_out
- the matrix is stored with its proxy and the ordered steps of its checkpoints, and read as it was written:
  tests/filters/test_selection_s2l.py::test_a_matrix_is_read_as_it_was_written and
  tests/filters/test_selection_s2l.py::test_what_is_no_matrix_is_refused
- a proxy's training writes one: tests/pipelines/test_proxy.py::test_losses_fall_over_the_checkpoints
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import orjson
import pytest

from filters.artifact import artifact
from filters.selection_s2l import Losses, write_losses
from flows.make import Made
from tests.methods import lines

pytest.importorskip("numpy")

CENTRES = {"early": (2.0, 0.5, 0.2), "late": (3.0, 2.9, 0.4), "never": (2.0, 2.1, 2.0)}
SIZES = {"early": 20, "late": 8, "never": 4}
ROWS = [f"{name} {place}?" for name, size in SIZES.items() for place in range(size)]
BROKEN, MISSING = "early 0?", "late 0?"
BUDGET = 11


def losses_of(made: Made) -> Losses:
    """What a proxy would have written of the problems of a version: one without a number, and one not at all."""
    chance = random.Random(1)
    ids = {question: id for id, question in lines.questions(made).items() if question != MISSING}
    rows = {question: [loss + chance.gauss(0, 0.03) for loss in CENTRES[question.split()[0]]] for question in ids}
    rows[BROKEN][1] = float("nan")
    order = sorted(ids, key=ids.__getitem__)  # not that of the pool
    return Losses(
        "proxy", "r1", (100, 200, 300), tuple(ids[each] for each in order), tuple(tuple(rows[each]) for each in order)
    )


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("t01") / "losses.parquet"


@pytest.fixture(scope="module")
def made(matrix: Path) -> Made:
    """First the pool as a version, then of the same rows those that the losses of a proxy on it choose."""
    given = [{"question": question, "answer": "1"} for question in ROWS]
    write_losses(matrix, losses_of(lines.run(matrix.parent, given)))
    s2l = {"rule": "s2l", "losses": str(matrix), "k": BUDGET, "clusters": 3}
    return lines.run(matrix.parent, given, lines.select(s2l))


def test_a_version_holds_just_the_budget_evenly_over_the_clusters(made: Made) -> None:
    """Small clusters come first, each with an even share of what is left: 3 of 11, then 4 of 8, then the last 4."""
    chosen = lines.accepted(made)
    assert Counter(question.split()[0] for question in chosen) == {"early": 4, "late": 4, "never": 3}
    assert len(lines.by_chance(made, "s2l")) == BUDGET


def test_rows_without_a_loss_are_counted_in_the_books_and_never_chosen(made: Made) -> None:
    """A loss that is no number is not zero."""
    assert not {BROKEN, MISSING} & lines.accepted(made)
    reason = "the proxy's losses are missing, or are not numbers"
    assert made.ledger["reasons"]["s2l: unsure"] == {reason: 2}


def test_each_verdict_names_the_proxy_its_checkpoints_and_the_matrix(made: Made, matrix: Path) -> None:
    """The matrix by its content."""
    contexts = [orjson.loads(each.context) for each in lines.told(made, "s2l").values()]
    assert len(contexts) == len(ROWS)
    for each in contexts:
        assert (each["proxy"], each["revision"], each["steps"]) == ("proxy", "r1", [100, 200, 300])
        assert (each["not_numbers"], each["losses"]) == (1, artifact(matrix).digest)
