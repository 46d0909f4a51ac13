"""Sol-Ver (A5): one model writes programs and tests; what passes each other, and notices mutants, is kept.

Shown elsewhere:
- the whole matrix is stored, a verdict for each program and suite:
  tests/pipelines/stages/test_cross.py::test_the_whole_matrix_is_stored
- who writes tests never sees a program:
  tests/pipelines/stages/test_cross.py::test_who_writes_tests_is_shown_the_question_and_no_program
- true pairs stay and idle tests go, from matrices by hand:
  tests/filters/test_agreement.py::test_true_pairs_are_kept_and_tests_that_accept_everything_are_dropped
"""

from __future__ import annotations

import ast
import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from filters.verifiers import code
from flows import make, rounds
from flows.make import Made
from pipelines import recipe as recipes
from pipelines.inference.builtin.code import read, values
from pipelines.release import read_version
from tests.filters.verifiers.confined import humaneval, needs_bubblewrap, needs_humaneval, reference
from tests.filters.verifiers.mutants import changed, mutants
from tests.methods import lines
from tests.server import Author, Body, Said
from tests.small import attempts, problems, verdicts

pytestmark = [pytest.mark.slow, needs_bubblewrap]
TASKS = 8
KNOWN = ("true", "true too", "wrong", "idle", "idle too", "no Python")


def whole(task: dict[str, Any]) -> str:
    return task["prompt"] + task["canonical_solution"]


def published(task: dict[str, Any]) -> list[str]:
    """The published tests that compare one call with a plain value."""
    found = [node for node in ast.walk(ast.parse(task["test"])) if isinstance(node, ast.Assert)]
    plain = [each.test for each in found if isinstance(each.test, ast.Compare) and is_plain(each.test)]
    return [f"assert {ast.unparse(each).replace('candidate(', task['entry_point'] + '(')}" for each in plain]


def is_plain(test: ast.Compare) -> bool:
    return isinstance(test.ops[0], ast.Eq) and isinstance(test.comparators[0], ast.Constant | ast.List)


def suites(task: dict[str, Any]) -> dict[str, str]:
    """Tests of every kind: two halves of the true ones, one that expects something else, and idle ones."""
    asserts, name = published(task), task["entry_point"]
    call = asserts[0].removeprefix("assert ").partition(" ==")[0]
    return {
        "true": "\n".join(asserts[::2]),
        "true too": "\n".join(asserts[1::2]),
        "wrong": "\n".join([*asserts[1:], f"assert {call} == 'something else'"]),
        "idle": f"assert True\nassert {name} is {name}",
        "idle too": f"assert type({call}) is type({call})",
        "no Python": f"assert {name}(",
    }


def programs(task: dict[str, Any]) -> list[str]:
    """Two right ones, and up to three with a fault that the published tests notice."""
    return programs_of(task["task_id"])


@cache
def programs_of(task_id: str) -> list[str]:
    task = next(each for each in humaneval() if each["task_id"] == task_id)
    made = [source for _, source in mutants(whole(task), task["entry_point"], count=6)]
    spoilt = [source for source, does in zip(made, changed(task, made), strict=True) if does]
    return [whole(task), f"{whole(task)}\n# That is all.\n", *spoilt[:3]]


def verifier_of(tasks: list[dict[str, Any]]) -> Author:
    """Writes the tests of each kind in turn, whichever task it is asked about."""
    asked = Counter[str]()

    def author(body: Body, index: int) -> Said:
        text = body["messages"][-1]["content"]
        task = next(each for each in tasks if each["prompt"] in text)
        asked[task["task_id"]] += 1
        return Said(f"```python\n{suites(task)[KNOWN[asked[task['task_id']] - 1]]}\n```", False)

    return author


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, list[dict[str, Any]]]:
    tasks = [task for task in humaneval() if len(published(task)) >= 4 and "float" not in task["prompt"]][:TASKS]
    rows = [
        {"question": each["prompt"], "responses": [f"```python\n{p}\n```" for p in programs(each)]} for each in tasks
    ]
    derive = {"use": "derive", "kind": "tests", "prompt": "write/tests", "n": len(KNOWN)}
    stages = [derive, {"use": "cross", "mutants": 6}, lines.sift({"rule": "agreed", "kills": 1, "at_least": 4})]
    made = lines.run(
        tmp_path_factory.mktemp("sol-ver"),
        rows,
        *stages,
        models={"teacher": "verifier"},
        author=verifier_of(tasks),
        bring={"verifier": "code"},
        views=["sft", "preference", "tests", "tests_preference", "rl"],
    )
    return made, tasks


def kinds(made: Made, tasks: list[dict[str, Any]]) -> dict[str, str]:
    """Of what kind each program and each suite of the run is, by its id."""
    of = {f"```python\n{text}\n```": kind for task in tasks for kind, text in suites(task).items()}
    of |= {f"```python\n{p}\n```": "right" if i < 2 else "spoilt" for t in tasks for i, p in enumerate(programs(t))}
    return {each.id: of[each.text] for each in attempts(made)}


@needs_humaneval
def test_from_a_known_matrix_all_true_pairs_stay_and_idle_tests_go(known: tuple[Made, list[dict[str, Any]]]) -> None:
    made, tasks = known
    kind = kinds(made, tasks)
    said = [each for each in verdicts(made) if each.rule.startswith("agreed@") and each.subjects[0] in kind]
    told = Counter((kind[each.subjects[0]], each.status) for each in said)
    assert made.ledger["accepted"] == TASKS
    assert told["right", "pass"] == 2 * TASKS
    assert told["true", "pass"] == told["true too", "pass"] == TASKS
    assert {(name, status) for name, status in told if status == "pass"} == {
        *(("right", "pass"), ("true", "pass"), ("true too", "pass"))
    }
    assert told["idle too", "unsure"] == TASKS
    assert told["wrong", "fail"] == TASKS
    assert told["spoilt", "fail"] == sum(name == "spoilt" for name in kind.values())


@needs_humaneval
def test_each_program_was_run_on_each_suite(known: tuple[Made, list[dict[str, Any]]]) -> None:
    made, tasks = known
    runs = [each.subjects for each in verdicts(made) if each.rule.startswith("runs@")]
    wanted = sum(len(programs(task)) * 5 for task in tasks)  # what is no Python is no suite
    assert len(set(runs)) == len(runs) == wanted


@needs_humaneval
def test_what_leaves_is_true_and_pairs_are_of_true_over_false(known: tuple[Made, list[dict[str, Any]]]) -> None:
    made, tasks = known
    for row in lines.loaded(made, "sft"):
        answer = code.final_answer(row["messages"][-1]["content"]) or ""
        assert code.check(reference(task_of(row, tasks)), answer).status == "pass"
    pairs = lines.loaded(made, "tests_preference")
    assert len(pairs) >= TASKS
    kind = kinds(made, tasks)
    assert {(kind[row["chosen_id"]], kind[row["rejected_id"]]) for row in pairs} <= {
        *(("true", "wrong"), ("true too", "wrong")),
    }
    assert all(kind[row["rejected_id"]] == "spoilt" for row in lines.loaded(made, "preference"))


def task_of(row: dict[str, Any], tasks: list[dict[str, Any]]) -> dict[str, Any]:
    return next(task for task in tasks if task["prompt"].strip() == row["question"].strip())


@needs_humaneval
def test_rewards_are_the_tests_that_were_kept_and_hold_no_solution(known: tuple[Made, list[dict[str, Any]]]) -> None:
    made, tasks = known
    for row in lines.loaded(made, "rl"):
        task = task_of(row, tasks)
        assert row["verifier"] == "code"
        assert code.check(row["answer"], whole(task)).status == "pass"
        assert "solution" not in row["answer"]


# --- On the builtin engine ------------------------------------------------------------------------------------


def played(folder: Path, monkeypatch: pytest.MonkeyPatch, *changes: str) -> Made:
    monkeypatch.setenv("THOUGHTMILL_DATA", str(folder))
    few = ["target.accepted=16", "target.candidates=60", "shard=10", "solver.n=5", "verifier.n=5"]
    return asyncio.run(make.make("sol-ver", changes=[*few, *changes]))


def is_true(row: dict[str, Any], *, misread: float) -> bool:
    """Whether kept tests expect what the task asks for; `misread` as those do who misread it."""
    meant = read.understood(row["question"], misread=misread)
    assert meant
    body = ast.parse(code.final_answer(row["messages"][-1]["content"]) or "").body
    tests = [each.test for each in body if isinstance(each, ast.Assert) and isinstance(each.test, ast.Compare)]
    pairs = [(each.left, each.comparators[0]) for each in tests if isinstance(each.left, ast.Call)]
    return all(
        values.value(meant, ast.literal_eval(call.args[0])) == ast.literal_eval(expected) for call, expected in pairs
    )


def test_mutual_passing_is_no_proof_and_hidden_truth_shows_by_how_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults of one side are caught; a task that both sides misread passes, which only truth from elsewhere shows."""
    made = played(tmp_path, monkeypatch)
    rows = lines.loaded(made, "tests")
    false = [row for row in rows if not is_true(row, misread=0)]
    assert len(rows) > 40
    assert len(false) <= 0.12 * len(rows)
    by_themselves = [row for row in false if read.chance(row["question"], "misread") >= 0.05]
    assert len(by_themselves) <= 0.02 * len(rows)


# --- Rounds ---------------------------------------------------------------------------------------------------

ROUNDS = 3
TRAINER = (
    "import json, pathlib, sys; told = json.loads((pathlib.Path(sys.argv[1]) / 'version.json').read_bytes());"
    "(pathlib.Path(sys.argv[2]) / 'trained-on').write_text(told['digest'])"
)


class Hiding:
    """Runs rounds, each with nothing there but what the round before has made: the rest is out of reach."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.begun = folder, 0

    async def __call__(self, recipe: str, changes: Sequence[str], dataset: str | None) -> Made:
        if self.begun:
            (self.folder / "seeds.jsonl").unlink(missing_ok=True)
        for earlier in range(self.begun - 1):
            for there in (self.folder / "data" / what / f"play-r{earlier}" for what in ("datasets", "runs")):
                if there.exists():
                    there.rename(self.folder / f"hidden-{there.parent.name}-{there.name}")
        self.begun += 1
        return await make.make(recipe, changes=changes, dataset=dataset)

    def back(self) -> None:
        """Put everything back where it was."""
        for there in self.folder.glob("hidden-*"):
            _, what, name = there.name.split("-", 2)
            there.rename(self.folder / "data" / what / name)


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    """Three rounds with a model that is trained between them."""
    folder = tmp_path_factory.mktemp("rounds")
    seeds = (Path(__file__).parents[2] / "data/seeds/code.jsonl").read_bytes().splitlines(keepends=True)[:40]
    (folder / "seeds.jsonl").write_bytes(b"".join(seeds))
    command = [sys.executable, "-c", TRAINER, "{version}", "{out}"]
    train = {"role": "player", "command": command, "use": "builtin:player"}
    changes = [f"rounds.train={rounds.inline(train)}", f"draw.seeds={folder / 'seeds.jsonl'}"]
    changes += ["target.accepted=5", "target.candidates=16", "shard=8", "solver.n=4", "verifier.n=4"]
    hiding = Hiding(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder / "data"))
        made = asyncio.run(rounds.turn("sol-ver", changes, "play", run_round=hiding))
    hiding.back()
    return made


def test_a_round_reads_only_the_version_and_the_model_before_and_the_lineage_shows_it(turned: list[Made]) -> None:
    assert [each.name for each in turned] == [f"play-r{number}" for number in range(ROUNDS)]
    for number, (made, before) in enumerate(zip(turned[1:], turned, strict=False), start=1):
        told, digest = recipes.read(made.folder / "recipe.toml"), read_version(before.folder)["digest"]
        assert told["round"] == {"number": number, "parent": f"{before.name}@v1", "digest": digest}
        tasks = {row["question"] for row in lines.loaded(before, "rl")}
        seeds = {each.question for each in problems(made) if each.kind == "seed"}
        assert seeds
        assert seeds <= tasks
        [weights] = (before.folder.parents[2] / "runs" / before.name / "weights").iterdir()
        assert (weights / "trained-on").read_text() == digest
        assert {(each.role, each.revision) for each in attempts(made)} == {("player", rounds.weights_of(weights))}


def test_the_first_round_knows_no_other_and_its_model_is_trained_on_nothing(turned: list[Made]) -> None:
    assert recipes.read(turned[0].folder / "recipe.toml")["round"] == {"number": 0}
    later = {each.revision for made in turned[1:] for each in attempts(made)}
    assert len(later) == ROUNDS - 1
    assert not later & {each.revision for each in attempts(turned[0])}
