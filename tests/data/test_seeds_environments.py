"""The environments among the seeds: each plays its own sample of calls, and says what tools it has."""

from __future__ import annotations

import json
import re
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from filters.environments import environment_of
from filters.verifiers import code
from tests.filters.verifiers.confined import needs_bubblewrap

PATH = Path(__file__).parents[2] / "data" / "seeds" / "environments.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in PATH.read_text(encoding="utf-8").splitlines()]


def test_rows_have_one_form_and_no_two_are_the_same() -> None:
    assert [row["id"] for row in ROWS] == [f"environment-{number:04}" for number in range(1, len(ROWS) + 1)]
    assert len({row["question"] for row in ROWS}) == len(ROWS) == 12
    assert {(row["verifier"], row["license"], row["source"]) for row in ROWS} == {
        ("code", "CC0-1.0", "thoughtmill-seeds")
    }
    assert {row["domain"] for row in ROWS} == {"shop", "library", "ledger"}
    assert all(environment_of(json.dumps(row["answer"])) for row in ROWS)


def test_the_tools_that_are_told_are_those_that_there_are() -> None:
    for row in ROWS:
        told = re.findall(r"^- (\w+)\(", row["question"], re.M)
        [known] = re.findall(r"if tool not in \((.*)\):", row["answer"]["setup"])
        assert told == re.findall(r'"(\w+)"', known), row["id"]


def test_released_rows_never_change() -> None:
    text = "".join(f"{row['id']}\t{row['question']}\t{row['answer']['setup']}\n" for row in ROWS[:12])
    assert blake2b(text.encode(), digest_size=8).hexdigest() == "4da0e0bc689899e2"


@pytest.mark.slow
@needs_bubblewrap
def test_each_plays_its_own_sample() -> None:
    for row in ROWS:
        reference = json.dumps(row["answer"])
        assert code.check(reference, row["answer"]["solution"]).status == "pass", row["id"]
        assert code.check(reference, 'def solve():\n    return [["rob", {}]]').status == "fail", row["id"]
