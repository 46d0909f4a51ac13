"""Code-as-Task (A3): a challenger writes tasks with what checks them; running that says which of them are sound.

Shown elsewhere:
- broken tasks in a small shop go each with a reason of its own:
  tests/filters/test_tasks.py::test_broken_tasks_go_each_with_a_reason_of_its_own
- who solves sees the task and the tools, and nothing else:
  tests/pipelines/stages/test_episode.py::test_who_solves_sees_the_task_and_the_tools_and_nothing_else
"""

from __future__ import annotations

import asyncio
import math
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from filters import environments
from filters.tasks import failure_cases, reference_of
from filters.verifiers import code
from filters.verifiers.pool import Item, verify_all
from flows import make
from flows.make import Made
from pipelines import forget
from pipelines.gc import needed_replies
from pipelines.inference.client import Client
from pipelines.purge import purge
from pipelines.records import Problem
from tests.filters.verifiers.confined import humaneval, needs_bubblewrap, needs_humaneval
from tests.filters.verifiers.mutants import changed, mutants
from tests.methods import lines
from tests.pipelines.test_forget import holding, journaled
from tests.pipelines.test_views_laws import prompts_in
from tests.small import attempts, loaded_bytes, problems, verdicts

pytestmark = [pytest.mark.slow, needs_bubblewrap]
TASKS = ("HumanEval/3", "HumanEval/23", "HumanEval/42", "HumanEval/53")

# --- A corpus of broken tasks, made of real programs --------------------------------------------------------------

DESK = """
class Desk:
    def __init__(self):
        self.program = ""

    def call(self, tool, **given):
        if tool != "write":
            raise KeyError(tool)
        self.program = given["text"]

def start():
    return Desk()
"""
EVALUATION = """
TEST, NAME = {test!r}, {name!r}

def evaluate(desk):
    space = {{}}
    try:
        exec(desk.program, space)
        exec(TEST, space)
        space["check"](space[NAME])
    except Exception:
        return False
    return True
"""


def writing(program: str) -> str:
    return f"def solve():\n    return {[['write', {'text': program}]]!r}"


def spoilt(task: dict[str, Any]) -> list[str]:
    """Programs with a fault that the published tests notice."""
    made = [
        source for _, source in mutants(task["prompt"] + task["canonical_solution"], task["entry_point"], count=6)
    ]
    return [source for source, does in zip(made, changed(task, made), strict=True) if does][:2]


def corpus(task: dict[str, Any]) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """A sound task, and one of each kind that is not, with the reason for which it must go."""
    whole = task["prompt"] + task["canonical_solution"]
    good = EVALUATION.format(test=task["test"], name=task["entry_point"])
    wrong = [writing(each) for each in spoilt(task)]
    fixed = {
        "the evaluation accepts everything": "def evaluate(desk):\n    return True",
        "the evaluation rejects everything": "def evaluate(desk):\n    return False",
        "the evaluation crashes": "def evaluate(desk):\n    return desk.pages",
        "the evaluation is no Python": good.replace("(desk):", "(desk:"),
    }
    yield None, row(task, None, good, writing(whole), wrong)
    for reason, evaluation in fixed.items():
        yield reason, row(task, reason, evaluation, writing(whole), wrong)
    yield "the solution fails", row(task, "the solution fails", good, wrong[0], wrong)
    same = [*wrong, writing(f"{whole}\n# That is all.\n")]
    yield "a case of failure passes", row(task, "a case of failure passes", good, writing(whole), same)
    yield "too few cases of failure", row(task, "too few cases of failure", good, writing(whole), [])


def row(task: dict[str, Any], reason: str | None, evaluation: str, solution: str, wrong: list[str]) -> dict[str, Any]:
    question = f"{task['prompt']}\nWrite this function to the desk. ({reason or 'sound'})"
    return {
        "question": question,
        "answer": orjson.loads(reference_of(DESK, evaluation, solution)),
        "verifier": "code",
        "wrong": wrong,
    }


@needs_humaneval
def test_a_corpus_of_broken_tasks_is_rejected_whole_each_with_its_own_reason(tmp_path: Path) -> None:
    found = [each for task in humaneval() if task["task_id"] in TASKS for each in corpus(task)]
    rows = [each for _, each in found]
    made = lines.run(tmp_path, rows, lines.sift("task_sound"), bring={"keep": ["wrong"]}, views=["rl"])
    reasons = Counter(reason for reason, _ in found if reason)
    assert len(reasons) == 7
    assert made.ledger["reasons"] == {"task_sound": dict(reasons)}
    assert lines.accepted(made) == {each["question"] for reason, each in found if reason is None}
    assert made.ledger["accepted"] == len(lines.loaded(made, "rl")) == len(TASKS)


# --- On the builtin engine ----------------------------------------------------------------------------------------

FEW = ("target.accepted=6", "target.candidates=60", "shard=10", "executor.n=4")


def made_in(folder: Path, *changes: str) -> Made:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("THOUGHTMILL_DATA", str(folder))
        return asyncio.run(make.make("code-as-task", changes=[*FEW, *changes]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("code-as-task")


@pytest.fixture(scope="module")
def made(folder: Path) -> Made:
    return made_in(folder)


def accepted(made: Made) -> list[Problem]:
    ids = {each.subjects[0] for each in verdicts(made) if each.rule == "accepted@1" and each.status == "pass"}
    return [each for each in problems(made) if each.id in ids]


def test_a_task_leaves_only_if_its_solution_passes_and_each_case_of_failure_fails(made: Made) -> None:
    there = accepted(made)
    assert len(there) >= 6
    for each in there:
        reference = each.answer or ""
        wrong = failure_cases(each)
        assert wrong
        assert code.check(reference, code.gold(reference) or "").status == "pass"
        assert {code.check(reference, answer).status for answer in wrong} == {"fail"}


def test_what_is_posed_is_lost_for_the_reasons_that_the_paper_has(made: Made) -> None:
    said = Counter(each.status for each in verdicts(made) if each.rule.startswith("task_sound@"))
    assert said["fail"] > 3
    assert set(made.ledger["reasons"]) >= {"task_sound"}


def test_the_exported_verifier_says_again_what_was_said_from_the_arrow_files_alone(made: Made) -> None:
    references = {each["problem_id"]: each for each in lines.loaded(made, "rl")}
    rows = lines.loaded(made, "offline")
    items = [
        Item(references[id]["verifier"], references[id]["answer"], each["completion"][-1]["content"])
        for each in rows
        if (id := each["problem_id"])
    ]
    assert len(rows) == 4 * len(references)
    assert {each["domain"] for each in references.values()} <= {"shop", "library", "ledger"}
    assert {each["label"] for each in rows} == {True, False}
    assert [each.status == "pass" for each in verify_all(items)] == [each["label"] for each in rows]


def test_no_view_holds_the_solution_and_no_prompt_what_helped_to_make_the_task(made: Made) -> None:
    said = {each.id: each for each in attempts(made)}
    explored = [each.text for each in said.values() if each.stage.startswith("challenger@")]
    assert explored
    for task in accepted(made):
        secret = orjson.loads(task.answer or "")
        evaluation = secret["setup"][secret["setup"].index("def evaluate") :]
        for view in ("rl", "sft", "turns", "preference", "offline"):
            for each in (row for row in lines.loaded(made, view) if row["problem_id"] == task.id):
                shown = "\n\n".join(prompts_in(view, each))
                assert task.question in shown
                assert not [text for text in (secret["solution"], *failure_cases(task)) if text in shown]
                assert not [line for line in evaluation.splitlines() if len(line) > 20 and line in shown]
                assert not [text for text in explored if text in shown]
                assert "solution" not in orjson.loads(each.get("answer") or "{}")


def test_episodes_leave_with_all_their_turns(made: Made) -> None:
    rows = lines.loaded(made, "turns")
    assert rows
    for each in rows:
        roles = [message["role"] for message in each["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert each["train"] == [role == "assistant" for role in roles]
        assert "```results" in each["messages"][2]["content"]
        assert "def solve()" in each["messages"][-1]["content"]


def test_what_was_played_before_a_run_broke_is_not_played_again(
    tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the same facts come of it, as if it had never broken."""
    really, played = environments.play, list[tuple[str, ...]]()

    def counted(environment: str, calls: Sequence[str]) -> list[str]:
        if stop and len(played) >= stop:
            raise RuntimeError("the power is gone")
        told = really(environment, calls)
        played.append((environment, *calls))
        return told

    monkeypatch.setattr(environments, "play", counted)
    stop = 8
    with pytest.raises(RuntimeError, match="the power is gone"):
        made_in(tmp_path)
    stop, before = 0, set(played)
    played.clear()
    assert loaded_bytes(made_in(tmp_path)) == loaded_bytes(made)
    assert len(before) >= 3
    assert played
    assert not before & set(played)


def test_another_rule_behind_the_episodes_asks_and_plays_nothing(
    folder: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object) -> None:
        raise AssertionError("nothing is to be made anew")

    monkeypatch.setattr(environments, "play", never)
    monkeypatch.setattr(Client, "_send", never)
    rules = '["answer_matches", {rule = "pass_rate", at_least = 0.3}]'
    assert made_in(folder, "target.accepted=3", f"check.rules={rules}").ledger["accepted"] >= 3


def test_all_that_an_episode_was_made_of_is_kept_and_is_forgotten_with_it(
    folder: Path, made: Made, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(folder, tmp_path / "data"))
    entries = {entry.key: entry for path in (data / "journal").glob("*.log") for entry in journaled(path)}
    named = {bytes.fromhex(key) for each in attempts(made) for key in each.request.split()}
    needed = needed_replies(data, since=math.inf)
    assert len(named) > len(attempts(made))
    assert [key for key in named if not needed(entries[key])] == []
    seed = next(each for each in problems(made) if each.kind == "seed" and each.domain == "library")
    title = re.findall(r'\("([^"]+)", ', orjson.loads(seed.answer or "{}")["setup"])[0]
    forget.forget(data, forget.fact_of(data, seed.id, reason="asked for"))
    assert title
    assert holding(data, title)
    assert purge(data).replies > 0
    assert not holding(data, title)


def test_without_cases_of_failure_weak_evaluations_stay(tmp_path: Path) -> None:
    """The arm of the recipe; what they are worth is what it lets through."""
    made = made_in(tmp_path, "failures=false", "target.accepted=12")
    weak = [
        each
        for each in accepted(made)
        if any(code.check(each.answer or "", answer).status == "pass" for answer in failure_cases(each))
    ]
    assert weak
