"""A38, AceReason-Nemotron: problems with sound checks, mathematics before code, in stages of longer answers.

Shown elsewhere:
- every row of four benchmarks takes its gold and no perturbed one:
  tests/filters/test_soundness.py::test_every_math_row_takes_its_gold_and_no_perturbed_one
- the tests of every code row pass on the reference solution and fail on mutants:
  tests/filters/test_soundness.py::test_every_code_row_takes_its_solution_and_no_mutant
- what is exported is read back in its order, whatever the order of the rows:
  tests/pipelines/test_curriculum.py::test_written_is_read_whatever_the_order_of_the_rows_and_nothing_is_lost
- caps that fall are refused: tests/pipelines/test_curriculum.py::test_bad_stages_say_what_and_where
"""

from __future__ import annotations

from typing import Any

import pytest

from flows.make import Made
from pipelines.curriculum import Stage, read_curriculum, read_manifest
from tests.filters.verifiers.confined import needs_bubblewrap
from tests.methods import lines

pytestmark = needs_bubblewrap

ADD = "def add(a, b):\n    return a + b"
CASES = {"entry_point": "add", "cases": [{"args": [1, 2], "expected": 3}], "solution": ADD}
RUNS = {"asserts": ["assert isinstance(add(1, 2), int)"], "solution": ADD}


def row(domain: str, name: str, answer: Any, verifier: str) -> dict[str, Any]:
    """A problem with one answer to it, since a prompt is what a solver was asked."""
    return {"question": name, "answer": answer, "verifier": verifier, "domain": domain, "responses": ["I pass."]}


SOUND = [
    row("code", "Add two numbers.", CASES, "code"),
    row("math", "What is 9 + 9?", "18", "math"),
    row("math", "What is the half of 5/9?", r"\frac{5}{18}", "math"),
    row("math", "Which letter?", "B", "choice"),
]
UNSOUND = [
    row("math", "About how much is it?", {"answer": "3", "relative": 300}, "math"),
    row("code", "Add two numbers, tested by type.", RUNS, "code"),
]
MATH, CODE = (
    {"name": "math", "domains": ["math"], "max_response_tokens": 8192},
    {"name": "code", "domains": ["code"], "max_response_tokens": 16384},
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    rows = [*UNSOUND, *SOUND]
    curriculum = {"stages": [MATH, CODE]}
    return lines.run(tmp_path_factory.mktemp("a38"), rows, lines.sift("sound"), curriculum=curriculum)


def test_every_row_of_a_version_has_a_check_that_tells_right_from_wrong(made: Made) -> None:
    """It takes the gold and no perturbed one, the solution and no mutant; others go, with the reason in the books."""
    assert lines.accepted(made) == {row["question"] for row in SOUND}
    assert {each.score for each in lines.told(made, "sound").values() if each.status == "pass"} == {1.0}
    assert made.ledger["reasons"] == {"sound": {"a wrong answer passes its check": len(UNSOUND)}}


def test_a_version_has_a_manifest_of_stages_that_is_read_back_in_order(made: Made) -> None:
    """Domain, order and caps that never fall; with each stage its rows, and none of what was not sound."""
    folder = made.folder / "curriculum"
    manifest = read_manifest(folder)
    assert [(each["number"], each["domains"]) for each in manifest["stages"]] == [(0, ["math"]), (1, ["code"])]
    caps = [each["max_response_tokens"] for each in manifest["stages"]]
    assert caps == sorted(caps) == [8192, 16384]
    found = list(read_curriculum(folder))
    assert [stage for stage, _ in found] == [Stage("math", ("math",), 8192), Stage("code", ("code",), 16384)]
    for stage, rows in found:
        wanted = {row["question"] for row in SOUND if row["domain"] == stage.name}
        assert set(rows.column("question").to_pylist()) == wanted
