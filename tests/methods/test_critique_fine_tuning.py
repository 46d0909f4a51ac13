"""A29, critique fine-tuning on one problem: many solutions of one question of GSM8K, criticised by two teachers."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from filters.solutions import unlike
from filters.verifiers.judging import read_judgement
from flows.make import Made
from tests.filters.cases import answered, needs_data, rows, run, solved, task
from tests.methods import lines
from tests.server import Body
from tests.small import attempts, verdicts

SOLVERS, TEACHERS = ("solver-a", "solver-b"), ("teacher-a", "teacher-b")
N = 15  # solutions of each solver; every fifth is a copy
M = 30  # records that one problem should give
OPENINGS = ("In April she sold", "We start with", "Half of that many is", "Take the first month:", "Adding up gives")
CLOSINGS = ("clips in both months", "all in all", "so that is the sum", "which both add to", "together", "at the end")


class Classroom:
    """Two solvers who write differently each time, and two teachers who err on every sixth solution."""

    def __init__(self, answer: str) -> None:
        self.answer, self.asked = answer, Counter[str]()

    def __call__(self, body: Body, index: int) -> str:
        self.asked[body["model"]] += 1
        count = self.asked[body["model"]]
        if body["model"] in TEACHERS:
            response = re.findall(r"<response>\n(.*?)\n</response>", body["messages"][-1]["content"], re.S)[0]
            right = rf"\boxed{{{self.answer}}}" in response
            said = right if count % 6 else not right
            return f"<critique>\nIt says: {response}\n</critique>\n<verdict>\n{'yes' if said else 'no'}\n</verdict>"
        count -= count % 5 == 0
        answer = self.answer if count % 2 else f"{self.answer}{count}"
        place = count + (100 if body["model"] == SOLVERS[1] else 0)
        start, end = OPENINGS[place % len(OPENINGS)], CLOSINGS[place % len(CLOSINGS)]
        return (
            rf"{start} number {place}, that is {place * 3} by {place * 7} and {end} {place * 11}: \boxed{{{answer}}}"
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    row = rows("gsm8k/train.jsonl")[0]
    answer = row["answer"].rpartition("####")[2].strip()
    solve = [{"name": name, "use": "expand", "model": name, "prompt": "solve/boxed", "n": N} for name in SOLVERS]
    verify = lines.sift("answer_matches", {"rule": "unlike", "at_most": 0.9}, "both_sides")
    criticise = [
        {"name": name, "use": "judge", "model": name, "prompt": "critique/solution", "at_least": 0.5}
        for name in TEACHERS
    ]
    return lines.run(
        tmp_path_factory.mktemp("cft"),
        [{"question": row["question"], "answer": answer}],
        *[*solve, verify, *criticise],
        models={name: name for name in (*SOLVERS, *TEACHERS)},
        author=Classroom(answer),
        views=["critique"],
    )


def judged(made: Made) -> dict[str, str]:
    """What the verifier says of each solution, by its id."""
    said = (each for each in verdicts(made) if each.rule.startswith("answer_matches@"))
    return {each.subjects[0]: {"pass": "yes", "fail": "no"}[each.status] for each in said}


@needs_data
@pytest.mark.slow
def test_one_problem_yields_many_critiques_of_several_solvers_by_several_teachers(made: Made):
    there = lines.loaded(made, "critique")
    assert len({row["problem_id"] for row in there}) == 1
    assert len(there) >= M
    assert {row["model"] for row in there} == set(TEACHERS)
    assert {name for row in there for name in row["solvers"]} == set(SOLVERS)


@needs_data
@pytest.mark.slow
def test_near_duplicates_are_criticised_by_nobody_and_right_and_wrong_are_both_there(made: Made):
    there, texts = lines.loaded(made, "critique"), {each.id: each.text for each in attempts(made)}
    shown = {texts[id] for row in there for id in row["judged"]}
    assert len(shown) == len({id for row in there for id in row["judged"]})
    assert len(shown) <= 2 * (N - N // 5)
    assert {row["verdict"] for row in there} == {"yes", "no"}
    assert Counter(each.model for each in attempts(made) if each.model in TEACHERS) == {
        name: 2 * (N - N // 5) for name in TEACHERS
    }


@needs_data
@pytest.mark.slow
def test_every_kept_verdict_is_the_verifiers_though_teachers_err(made: Made):
    truth, there = judged(made), lines.loaded(made, "critique")
    assert all(row["verdict"] == truth[row["judged"][0]] for row in there)
    by_id = {each.id: each for each in attempts(made)}
    said = {each.id: read_judgement(each.text) for each in by_id.values() if each.model in TEACHERS}
    assert 0 < len(said) - len(there) < len(said) / 3
    assert {row["attempt_id"] for row in there} <= said.keys()


@needs_data
@pytest.mark.slow
def test_only_the_critique_is_to_be_learnt_and_no_reference_is_shown(made: Made):
    for row in lines.loaded(made, "critique"):
        assert row["learnt"] == [False] * (len(row["messages"]) - 1) + [True]
        assert row["messages"][-1]["content"].startswith("<critique>")
        assert "<reference>" not in row["messages"][0]["content"]


# --- The rules ------------------------------------------------------------------------------------------------


def alike(*texts: str, **given: Any) -> list[str]:
    of = task(answer="1")
    case = solved(["1"])._replace(problem=of, attempts=[answered(of, each, i) for i, each in enumerate(texts)])
    return [each.status for each in run("unlike", case, **given)]


def test_of_solutions_that_are_nearly_the_same_the_first_is_kept():
    long = "First we add the two numbers and then we take away the third one from the sum of both"
    assert alike(long, "Something else is said here", long + ".", long.replace("First", "Then")) == [
        *["pass", "pass", "fail", "pass"]
    ]
    assert alike(long, long.replace("First", "Then"), at_most=0.8) == ["pass", "fail"]
    assert alike("", "") == ["pass", "fail"]


def test_likeness_is_the_share_of_runs_of_three_words():
    of = task(answer="1")
    case = solved([])._replace(
        problem=of, attempts=[answered(of, text, i) for i, text in enumerate(["a b c d", "a b c e"])]
    )
    assert [each.score for each in unlike(case, lambda *_: pytest.fail("asks no verifier"))] == [0.0, 1 / 3]


@pytest.mark.parametrize(
    ("answers", "given", "reason"),
    [
        (["1", "2"], {}, None),
        (["1", "1"], {}, "too few wrong attempts"),
        (["2", None], {}, "too few right attempts"),
        (["1", "2", "3"], {"wrong": 3}, "too few wrong attempts"),
    ],
)
def test_both_sides_are_counted(answers: list[str | None], given: dict[str, int], reason: str | None):
    case = solved(answers, author="1")
    [ruling] = run("both_sides", case, **given)
    assert ruling.reason == reason
