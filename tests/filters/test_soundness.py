"""Sound checks take their own answer and no spoilt one: of every math row, and of every code row with its mutants."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.rule import Case, Ruling
from filters.soundness import perturbed, sound, sound_compares
from filters.verifiers import VERIFIERS
from filters.verifiers.outcome import Outcome, of_comparison
from tests.each import each_of
from tests.filters.cases import needs_data, rows, task
from tests.filters.verifiers.confined import humaneval, needs_bubblewrap, needs_humaneval, reference
from tests.filters.verifiers.mutants import mutants


def ruled(reference: str | None, verifier: str | None = "math") -> Ruling:
    """What the rule says, with a check that knows only the pairs that it asked for."""
    case = Case(task("How many?", reference, verifier=verifier))
    known = {pair: _outcome(str(verifier), *pair) for pair in sound_compares(case)}
    [ruling] = sound(case, lambda _, *pair: known[pair])
    return ruling


def _outcome(verifier: str, reference: str, answer: str) -> Outcome:
    """By algebra only for what runs in a sandbox anyway."""
    quick = VERIFIERS[verifier].check_quickly(reference, answer)
    return quick or (VERIFIERS[verifier].check(reference, answer) if verifier == "code" else of_comparison(None))


# --- Mathematics and words ------------------------------------------------------------------------------------

SPOILT = {
    ("18", "math"): ["19", "-18"],
    ("0", "math"): ["1"],
    ("9", "math"): ["8", "-9"],
    ("-2.5", "math"): ["-3.5"],
    ("1,999", "math"): ["2,999"],
    (r"\frac59", "math"): [r"\frac58"],
    (r"\pi", "math"): [r"\pi + 1"],
    ("x", "math"): ["x + 1"],
    ("undefined", "math"): ["37"],
    ('{"answer": "3.14", "tolerance": 0.5}', "math"): ["733.14"],
    ("B", "choice"): ["A", "C", "D"],
    ('{"key": 1, "options": ["12", "13", "14"]}', "choice"): ["A", "C"],
    ('{"key": "x", "options": {"x": "12", "y": "13"}}', "choice"): ["y"],
    ("Paris", "exact"): ["not Paris", "Pari"],
    ('{"text": "Paris", "at_least": 0.9}', "fuzzy"): ["zzzzz"],
    ("", "math"): [],
    ("no JSON", "code"): [],
}


@each_of(SPOILT.items())
def test_what_an_answer_is_spoilt_to(given: tuple[str, str], expected: list[str]) -> None:
    assert perturbed(*given) == expected


@each_of([given for given in SPOILT if SPOILT[given]])
def test_a_sound_check_rejects_it(reference: str, verifier: str) -> None:
    assert ruled(reference, verifier)._replace(context={}) == Ruling("pass", score=1.0)


UNSOUND = {
    "any number will do": ('{"answer": "3", "relative": 300}', "math", "fail", "a wrong answer passes"),
    "no reference": ('{"text": "Paris", "at_least": 0.0}', "fuzzy", "unsure", "holds no answer"),
    "too much is open": (r"0^-", "math", "unsure", "could not be told"),
    "no answer": ("", "math", "unsure", "holds no answer"),
    "no verifier": ("18", None, "unsure", "no verifier"),
    "a task without a solution": ('{"premises": ["a -> b", "a"]}', "logic", "unsure", "holds no answer"),
    "no way to spoil it": (VERIFIERS["procedural"].example[0], "procedural", "unsure", "no wrong answer is known"),
}


@each_of(UNSOUND)
def test_what_is_not_sound(name: str) -> None:
    reference, verifier, status, reason = UNSOUND[name]
    ruling = ruled(reference, verifier)
    assert ruling.status == status
    assert reason in (ruling.reason or "")


@given(st.text(max_size=40), st.sampled_from([each for each in VERIFIERS if each != "code"]))
def test_whatever_a_reference_is_it_is_ruled_on(reference: str, verifier: str) -> None:
    ruling = ruled(reference, verifier)
    assert ruling.status in ("pass", "fail", "unsure")
    assert orjson.loads(orjson.dumps(dict(ruling.evidence))) == ruling.evidence


@needs_data
@pytest.mark.parametrize("name", ["aime24", "amc23", "gsm8k_test", "math500"])
def test_every_math_row_takes_its_gold_and_no_perturbed_one(name: str) -> None:
    unsound = [row["answer"] for row in rows(f"benchmarks/{name}.jsonl") if ruled(row["answer"]).status != "pass"]
    assert unsound == []


# --- Code -----------------------------------------------------------------------------------------------------

ADD = "def add(a, b):\n    return a + b"

SOUND_CODE: dict[str, dict[str, Any]] = {
    "cases": {"entry_point": "add", "cases": [{"args": [1, 2], "expected": 3}], "solution": ADD},
    "test": {"entry_point": "add", "test": "def check(f):\n    assert f(1, 2) == 3", "solution": ADD},
    "asserts": {"asserts": ["assert add(1, 2) == 3"], "solution": ADD},
    "io": {"io": [{"input": "1 2\n", "output": "3\n"}], "solution": "print(sum(map(int, input().split())))"},
    "a method": {
        "entry_point": "Solution.add",
        "cases": [{"args": [1, 2], "expected": 3}],
        "solution": "class Solution:\n    def add(self, a, b):\n        return a + b",
    },
    "a completion": {
        "entry_point": "add",
        "prompt": "def add(a, b):\n",
        "cases": [{"args": [1, 2], "expected": 3}],
        "solution": "    return a + b\n",
    },
}
UNSOUND_CODE: dict[str, dict[str, Any]] = {
    "only that it runs": {
        "entry_point": "add",
        "test": "def check(f):\n    f(1, 2)\n    assert True",
        "solution": ADD,
    },
    "only what it is": {"asserts": ["assert isinstance(add(1, 2), int)"], "solution": ADD},
}


@needs_bubblewrap
@pytest.mark.parametrize("name", SOUND_CODE)
def test_tests_that_find_what_is_wrong(name: str) -> None:
    text = json.dumps(SOUND_CODE[name])
    assert len(perturbed(text, "code")) == 2
    assert ruled(text, "code").status == "pass"


@needs_bubblewrap
@pytest.mark.parametrize("name", UNSOUND_CODE)
def test_tests_that_find_nothing(name: str) -> None:
    ruling = ruled(json.dumps(UNSOUND_CODE[name]), "code")
    assert (ruling.status, ruling.reason) == ("fail", "a wrong answer passes its check")


def takes_its_solution_and_no_mutant(row: dict[str, Any]) -> bool:
    """Whether the tests are sound, and fail on a small fault as well: one of six, for some change nothing."""
    faults = mutants(row["prompt"] + row["canonical_solution"], row["entry_point"], count=6)
    text = reference(row, seconds=1)
    found = (VERIFIERS["code"].check(text, source).status == "fail" for _, source in faults)
    return ruled(text, "code").status == "pass" and any(found)


@needs_bubblewrap
@needs_humaneval
def test_some_code_rows_take_their_solution_and_no_mutant() -> None:
    assert [takes_its_solution_and_no_mutant(row) for row in humaneval()[::82]] == [True] * 2


@pytest.mark.slow
@needs_bubblewrap
@needs_humaneval
@pytest.mark.timeout(600)
def test_every_code_row_takes_its_solution_and_no_mutant() -> None:
    assert [row["task_id"] for row in humaneval() if not takes_its_solution_and_no_mutant(row)] == []
