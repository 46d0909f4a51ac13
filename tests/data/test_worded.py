"""The problems that the builtin engine wrote: it reads every one of them, and they stay what they are."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from rapidfuzz.distance import Indel

from filters.words import words
from pipelines.inference.builtin import solve
from tests.each import each_of

FILE = Path(__file__).parents[2] / "data" / "seeds" / "worded.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]


@each_of([row["id"] for row in ROWS[::10]])
def test_the_builtin_engine_reads_it_and_finds_its_answer(id: str) -> None:
    row = next(each for each in ROWS if each["id"] == id)
    assert solve.truth(row["question"]) == row["answer"]


@pytest.mark.slow
def test_every_row_has_the_answer_that_is_found_anew() -> None:
    assert [row["id"] for row in ROWS if solve.truth(row["question"]) != row["answer"]] == []


@pytest.mark.slow
def test_no_two_are_alike() -> None:
    """By ROUGE-L, as for the other seeds."""
    known: dict[str, int] = {}
    coded = [[known.setdefault(word, len(known)) for word in words(row["question"].lower())] for row in ROWS]
    pairs = ((a, b) for a in range(len(coded)) for b in range(a))
    assert [(a, b) for a, b in pairs if Indel.normalized_similarity(coded[a], coded[b], score_cutoff=0.7) > 0.7] == []


def test_there_are_three_domains_and_choices_among_them() -> None:
    assert Counter(row["domain"] for row in ROWS) == {
        "word problems": 120,
        "number theory and combinatorics": 65,
        "elementary logic": 65,
    }
    assert Counter(row["verifier"] for row in ROWS) == {"math": 210, "choice": 40}
    assert [row["id"] for row in ROWS] == [f"worded-{number:04}" for number in range(1, len(ROWS) + 1)]


def test_released_rows_never_change() -> None:
    assert blake2b(FILE.read_bytes(), digest_size=16).hexdigest() == "9788e89ff3374d178d8cdecfc2756a47"
