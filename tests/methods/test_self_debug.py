"""Self-debug (T-57): a model explains and repairs its own wrong programs; running them says which repairs are right.

Shown elsewhere:
- a round starts from the failing program of the one before:
  tests/pipelines/stages/test_revise.py::test_a_round_starts_from_what_the_one_before_has_left_wrong
- hidden tests are not told:
  tests/pipelines/stages/test_revise.py::test_who_repairs_sees_some_tests_and_neither_the_others_nor_the_solution
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from filters.feedback import as_lines, visible
from filters.verifiers import code
from flows.make import Made
from tests.filters.verifiers.confined import humaneval, needs_bubblewrap, needs_humaneval, reference
from tests.filters.verifiers.mutants import changed, mutants
from tests.methods import lines
from tests.server import Body, Said
from tests.small import attempts, problems, verdicts

pytestmark = [pytest.mark.slow, needs_bubblewrap, needs_humaneval]
TASKS, SHOWN, N = 5, 2, 3


def whole(task: dict[str, Any]) -> str:
    return task["prompt"] + task["canonical_solution"]


def spoilt(task: dict[str, Any]) -> str:
    """A program that does something else on the published inputs."""
    made = [source for _, source in mutants(whole(task), task["entry_point"], count=6)]
    return next(source for source, does in zip(made, changed(task, made), strict=True) if does)


def by_heart(task: dict[str, Any]) -> str:
    """A program that passes the tests which are shown, and knows nothing else."""
    shown = visible("code", reference(task), SHOWN)
    assert shown
    pairs = [test.removeprefix("assert ").split(" == ") for test in as_lines(shown)]
    known = "".join(
        f"    if given == ({call.partition('(')[2].rpartition(')')[0]},):\n        return {came}\n"
        for call, came in pairs
    )
    return f"def {task['entry_point']}(*given):\n{known}    return None\n"


def repairs(tasks: list[dict[str, Any]], wrong: dict[str, str]) -> Any:
    """Of three repairs in turn one is right, one learnt the shown tests by heart, and one is the old program."""
    asked: dict[str, int] = {}

    def author(body: Body, index: int) -> Said:
        text = body["messages"][-1]["content"]
        task = next(each for each in tasks if each["prompt"] in text)
        if "<response>" in text:
            return Said("<reason>\nSo.\n</reason>\n<score>\n7\n</score>", False)
        asked[task["task_id"]] = turn = asked.get(task["task_id"], -1) + 1
        program = (whole(task), by_heart(task), wrong[task["task_id"]] + "\n# again\n")[turn % N]
        return Said(f"<explanation>\nIt was wrong.\n</explanation>\n\n```python\n{program}\n```", False)

    return author


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    tasks = [each for each in humaneval() if each["task_id"] in ("HumanEval/3", "HumanEval/23", "HumanEval/28",
             "HumanEval/42", "HumanEval/53", "HumanEval/8")]  # fmt: skip
    wrong = {task["task_id"]: spoilt(task) for task in tasks}
    rows = [
        {
            "question": task["prompt"],
            "answer": orjson.loads(reference(task)),
            "verifier": "code",
            "responses": [f"```python\n{program}\n```" for program in (whole(task), wrong[task["task_id"]])],
        }
        for task in tasks
    ]
    rows[-1]["responses"] = rows[-1]["responses"][:1]  # nobody got this one wrong
    stages = [
        {"use": "revise", "prompt": "revise/explain-code", "n": N, "rounds": 2, "starts": 1, "shown": SHOWN},
        {**lines.sift("answer_matches"), "name": "rerun", "of": "revision"},
        {"use": "grade", "of": "revision", "prompt": "grade/explanation"},
    ]
    return lines.run(
        tmp_path_factory.mktemp("self-debug"),
        rows,
        lines.sift("answer_matches"),
        *stages,
        models={"teacher": "author", "reward": "author"},
        author=repairs(tasks, wrong),
        views=["repairs", "repairs_rl"],
    )


def answer_of(made: Made) -> dict[str, str]:
    return {each.question: each.answer or "" for each in problems(made) if each.kind == "task"}


def test_a_row_is_there_only_where_the_starting_program_fails_in_the_sandbox(made: Made) -> None:
    answers, by_id = answer_of(made), {each.id: each for each in attempts(made)}
    starts = {each.id: by_id[each.parents[0]] for each in problems(made) if each.kind == "revision"}
    rows = lines.loaded(made, "repairs_rl")
    assert len({row["problem_id"] for row in rows}) == TASKS
    assert made.ledger["reasons"] == {"repaired": {"nothing was wrong": 1}}
    for row in rows:
        start = starts[by_id[row["attempt_id"]].problem]
        program = code.final_answer(start.text) or ""
        assert program in row["prompt"][-1]["content"]
        assert code.check(answers[row["question"]], program).status == "fail"


def test_rows_to_be_learnt_are_exactly_those_that_pass_all_tests_on_re_execution(made: Made) -> None:
    answers = answer_of(made)
    questions = {
        each.id: next(q for q in answers if q in each.question) for each in problems(made) if each.kind == "revision"
    }
    passing = {
        each.id
        for each in attempts(made)
        if each.problem in questions
        and code.check(answers[questions[each.problem]], code.final_answer(each.text) or "").status == "pass"
    }
    assert {row["attempt_id"] for row in lines.loaded(made, "repairs")} == passing
    assert len(passing) == 2 * TASKS


def test_failed_repairs_are_kept_with_rewards_of_their_own(made: Made) -> None:
    rows = lines.loaded(made, "repairs_rl")
    assert len(rows) == 2 * N * TASKS
    assert {(row["label"], row["exec"], row["explanation"]) for row in rows} == {(True, 1.0, 0.7), (False, 0.0, 0.7)}
    assert {row["reward"] for row in rows} == {0.85, 0.35}


def test_a_second_round_starts_from_a_failing_repair_of_the_first(made: Made) -> None:
    by_id = {each.id: each for each in attempts(made)}
    rounds = {row["attempt_id"]: row["round"] for row in lines.loaded(made, "repairs_rl")}
    second = [each for each in problems(made) if each.kind == "revision" and '"round":2' in each.details]
    assert len(second) == TASKS
    failed = {
        each.subjects[0]
        for each in verdicts(made)
        if each.rule.startswith("answer_matches@") and each.status == "fail"
    }
    for each in second:
        [start] = each.parents
        assert rounds[start] == 1
        assert start in failed
        assert (code.final_answer(by_id[start].text) or "-") in each.question


def test_what_learnt_the_shown_tests_by_heart_is_rejected_by_the_others(made: Made) -> None:
    cheats = [each for each in attempts(made) if "(*given)" in each.text and "<explanation>" in each.text]
    assert len(cheats) >= TASKS
    statuses = {each.subjects[0]: each.status for each in verdicts(made) if each.rule.startswith("answer_matches@")}
    assert {statuses[each.id] for each in cheats} == {"fail"}
    answers = answer_of(made)
    for each in cheats:
        question = next(q for q in answers if q in (each.turns[0].content or ""))
        shown = visible("code", answers[question], SHOWN)
        assert shown
        assert code.check(shown, code.final_answer(each.text) or "").status == "pass"
