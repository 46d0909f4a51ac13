"""P-A08, the Failed-Step Fraction: how many of the steps of a trace lie in branches that were given up.

Shown elsewhere:
- on traces annotated by hand, with no failure, one, nested ones and one at the end, each step and the fraction are
  exact: tests/filters/test_trace_graph.py::test_annotated_traces
- cleaned they have the kept steps only, the answer among them:
  tests/filters/test_trace_graph.py::test_the_cleaned_trace_has_the_kept_steps_only
- whatever a trace says, its last answer stays, and so does what a kept step uses:
  tests/filters/test_trace_graph.py::test_what_holds_of_every_trace
- cleaned attempts are still right:
  tests/pipelines/test_controls.py::test_cleaned_attempts_have_no_failed_step_and_are_still_right
"""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from filters.verifiers import answer_in
from flows.make import Made
from pipelines.controls import write_controls
from tests.filters.test_trace_graph import ANNOTATED, annotated
from tests.methods import lines
from tests.small import attempts, verdicts

SHOWN = ["none", "one", "nested, both", "at the end, with an answer", "kept where something depends on it"]
"""Traces of which a person marked the steps that were given up."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    rows = [{"question": name, "answer": "1", "responses": ["\n".join(annotated(name)[0])]} for name in SHOWN]
    return lines.run(tmp_path_factory.mktemp("pa08"), rows, lines.sift("failed_steps"))


@pytest.fixture(scope="module")
def cleaned(made: Made, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The traces of the version's control set without failed branches, by their questions."""
    out = tmp_path_factory.mktemp("pa08") / "cleaned.parquet"
    assert write_controls(made.folder, out, kind="cleaned") == len(SHOWN)
    rows: list[dict[str, Any]] = pq.read_table(out).to_pylist()
    return {row["question"]: row["messages"][-1]["content"] for row in rows}


def test_a_version_tells_the_exact_fraction_and_which_steps_failed(made: Made) -> None:
    """As they were marked by hand."""
    asked = lines.questions(made)
    of = {each.id: asked[each.problem] for each in attempts(made)}
    told = {of[each.subjects[0]]: each for each in verdicts(made) if each.rule.startswith("failed_steps@")}
    for name in SHOWN:
        gone = annotated(name)[1]
        assert told[name].score == sum(gone) / len(gone)
        assert orjson.loads(told[name].evidence)["abandoned"] == [place for place, each in enumerate(gone) if each]


@pytest.mark.parametrize("name", SHOWN)
def test_a_cleaned_trace_has_no_abandoned_step_and_all_others(cleaned: dict[str, str], name: str) -> None:
    """None that was given up, and every other: the answer, and what a kept step depends on."""
    steps, gone = annotated(name)
    kept = [step for step, abandoned in zip(steps, gone, strict=True) if not abandoned]
    assert [line for line in cleaned[name].splitlines() if line] == kept
    assert answer_in("math", cleaned[name]) == answer_in("math", "\n".join(steps)) is not None


def test_the_traces_have_each_kind_of_failure() -> None:
    """None, one, nested, and in the last branch; and one branch of which a later step uses something."""
    assert ANNOTATED.keys() >= set(SHOWN)
    counts = {name: sum(annotated(name)[1]) for name in SHOWN}
    assert counts["none"] == 0
    assert min(counts[name] for name in SHOWN[1:]) >= 1
    opened = [step for step, gone in zip(*annotated("kept where something depends on it"), strict=True) if not gone]
    assert "Let k = 3." in opened
