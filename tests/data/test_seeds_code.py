"""The programming tasks among the seeds: their solutions pass their tests, and small faults in them do not."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from filters.mutants import mutants
from filters.verifiers import VERIFIERS, code
from pipelines.inference.builtin.code.read import understood
from tests.filters.verifiers.confined import needs_bubblewrap

PATH = Path(__file__).parents[2] / "data" / "seeds" / "code.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in PATH.read_text(encoding="utf-8").splitlines()]


def test_rows_have_one_form_and_no_two_are_the_same() -> None:
    assert [row["id"] for row in ROWS] == [f"code-{number:04}" for number in range(1, len(ROWS) + 1)]
    assert len({row["question"] for row in ROWS}) == len(ROWS) == 300
    assert {(row["verifier"], row["license"], row["source"]) for row in ROWS} == {
        ("code", "CC0-1.0", "thoughtmill-seeds")
    }
    assert not [row["id"] for row in ROWS if VERIFIERS["code"].problem_with(json.dumps(row["answer"]))]


def test_the_builtin_engine_reads_every_task_as_its_own_family() -> None:
    read = [understood(row["question"], misread=0) for row in ROWS]
    assert [each and (each.family, each.name) for each in read] == [
        (row["domain"], row["answer"]["entry_point"]) for row in ROWS
    ]


def test_released_rows_never_change() -> None:
    text = "".join(f"{row['id']}\t{row['question']}\n" for row in ROWS[:300])
    assert blake2b(text.encode(), digest_size=8).hexdigest() == "75f1e3fc4fdd9a0f"


@pytest.mark.slow
@needs_bubblewrap
def test_solutions_pass_and_most_small_faults_fail() -> None:
    """Every sixth: a fault may change nothing, so some of them must fail, of each family's programs."""
    for row in ROWS[::6]:
        reference, solution = json.dumps(row["answer"]), row["answer"]["solution"]
        assert code.check(reference, solution).status == "pass", row["id"]
        found = (code.check(reference, each).status == "fail" for each in mutants(solution, count=6))
        assert any(found), row["id"]
