"""P-A09, structure and not content: broken steps ruin a trace, changed digits and missing catchwords hardly do.

Shown elsewhere:
- on real answers the score separates originals from ones with half of their steps shuffled or deleted, with an area
  of 0.95 and 0.91, and falls with the fraction:
  tests/filters/test_trace_coherence.py::test_the_score_separates_real_answers_from_broken_ones
- and hardly moves with digits and catchwords:
  tests/filters/test_trace_coherence.py::test_the_score_hardly_moves_with_the_content_of_real_answers
- variants share their ids and the order of the rows, and record kind and fraction:
  tests/pipelines/test_controls.py::test_a_control_set_has_the_rows_of_sft_with_other_words
- variants are deterministic:
  tests/pipelines/test_controls.py::test_the_same_seed_gives_the_same_bytes_and_another_seed_others
- wrong answers leave as the control set of that name and by no view:
  tests/pipelines/test_controls.py::test_wrong_attempts_leave_as_a_control_set_and_by_no_view
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq
import pytest

from filters.trace import steps
from filters.trace_coherence import coherence
from flows.make import Made
from pipelines.controls import write_controls
from pipelines.views.table import VIEWS
from tests.filters.cases import needs_data, rows
from tests.filters.test_trace_coherence import auc
from tests.methods import lines

FRACTIONS = (1 / 3, 1 / 2, 2 / 3)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A version of 60 real problems, each with a real answer."""
    given = [
        {"question": row["question"], "answer": row["answer"], "responses": row["response"][:1]}
        for row in rows("math_samples/qwen_math_8_samples.jsonl")
    ]
    return lines.run(tmp_path_factory.mktemp("pa09"), given)


@pytest.fixture(scope="module")
def whole(made: Made) -> dict[str, str]:
    """The answers of several steps, by their ids."""
    texts = {row["attempt_id"]: row["messages"][-1]["content"] for row in lines.loaded(made, "sft")}
    return {id: text for id, text in texts.items() if len(steps(text)) >= 4}


def scores(made: Made, out: Path, whole: dict[str, str], kind: str, fraction: float) -> list[float]:
    """How well the same answers hold together in a control set."""
    write_controls(made.folder, out, kind=kind, fraction=fraction)
    table: list[dict[str, Any]] = pq.read_table(out).to_pylist()
    assert {(row["control"], row["fraction"]) for row in table} == {(kind, fraction)}
    texts = {row["attempt_id"]: row["messages"][-1]["content"] for row in table}
    assert texts.keys() >= whole.keys()
    return [coherence(texts[id]).score for id in whole]


@needs_data
@pytest.mark.parametrize("kind", ["shuffled", "deleted"])
def test_control_sets_with_broken_structure_hold_together_less(
    made: Made, whole: dict[str, str], tmp_path: Path, kind: str
) -> None:
    """And ever less, the more is broken. Here the answer stays where it was, so that what is broken shows less.

    At half of the steps the areas under the curve are 0.89 and 0.91, a little lower than those of whole traces.
    """
    originals = [coherence(text).score for text in whole.values()]
    broken = [scores(made, tmp_path / "c.parquet", whole, kind, fraction) for fraction in FRACTIONS]
    assert auc(originals, broken[1]) >= 0.85
    means = [fmean(originals), *map(fmean, broken)]
    assert means == sorted(set(means), reverse=True)


@needs_data
@pytest.mark.parametrize("kind", ["digits", "keywords"])
def test_control_sets_with_broken_content_hold_together_as_well(
    made: Made, whole: dict[str, str], tmp_path: Path, kind: str
) -> None:
    """With all digits changed, or all catchwords gone, the score hardly tells them from the originals."""
    originals = [coherence(text).score for text in whole.values()]
    assert 0.45 < auc(originals, scores(made, tmp_path / "c.parquet", whole, kind, 1.0)) < 0.55


# --- Wrong answers --------------------------------------------------------------------------------------------

WRONG = r"I am sure that this is it: \boxed{41}."


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A version of one problem with a right and a wrong answer, of which the wrong one has the higher reward."""
    row = {
        "question": "What is 6 times 7?",
        "answer": "42",
        "responses": [*lines.boxed(42), WRONG],
        "rewards": [0.1, 0.9],
    }
    sift = lines.sift("answer_matches", "pass_rate")
    return lines.run(tmp_path_factory.mktemp("pa09"), [row], sift, views=[*VIEWS])


@pytest.mark.slow
def test_wrong_answers_leave_through_the_export_of_that_name_alone(mixed: Made, tmp_path: Path) -> None:
    """By no view that there is, whatever their reward; by a control set, of one kind."""
    for view in ("sft", "rl", "forms", "twins", "planned", "turns"):
        assert WRONG not in set(texts_in(lines.loaded(mixed, view))), view
    assert [len(lines.loaded(mixed, view)) for view in ("sft", "rl")] == [1, 1]
    for kind in ("shuffled", "deleted", "digits", "keywords", "cleaned", "wrong"):
        write_controls(mixed.folder, tmp_path / "c.parquet", kind=kind)
        shown = set(texts_in(pq.read_table(tmp_path / "c.parquet").to_pylist()))
        assert (WRONG in shown) == (kind == "wrong"), kind


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts_in(each)
