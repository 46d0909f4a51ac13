"""Revising: what is asked of whom, and what becomes of it. The sandbox is a stand-in that knows one right program."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from filters.feedback import HIDDEN, WRONG, as_lines, feedback, visible
from filters.rule import Check
from filters.verifiers import code
from filters.verifiers.outcome import Outcome, failed, passed
from pipelines.checks import Pair
from pipelines.records import Problem, to_json
from pipelines.stages.revise import check_revise
from pipelines.store import Output
from tests.each import each_of
from tests.pipelines.stages.bench import Bench, Instantly, answered, posed

CASES = [{"args": [n], "expected": n + 1} for n in range(1, 5)]
TASK = to_json({"entry_point": "f", "cases": CASES, "solution": "SECRET"})
GOOD, BAD, WORSE = (f"def f(n):\n    return n {more}" for more in ("+ 1", "- 1", "- 2"))


class Known:
    """Stands for the sandbox: what is right is right, and anything else returns 0."""

    async def table(self, pairs: Iterable[Pair]) -> Check:
        assert all(code.problem_with(reference) is None for _, reference, _ in pairs)
        return lambda _, reference, answer: _tried(len(orjson.loads(reference)["cases"]), answer)


def _tried(count: int, answer: str) -> Outcome:
    if answer == GOOD:
        return passed(score=1.0, evidence={"tests": [{"status": "pass"}] * count})
    tests = [{"status": "fail", "reason": "returned 0"}] * count
    return failed("a test fails: returned 0", score=0.0, evidence={"tests": tests})


def said(program: str) -> str:
    return f"<explanation>\nSo.\n</explanation>\n\n```python\n{program}\n```"


def revised(
    folder: Path, programs: list[str], repairs: list[str], **given: Any
) -> tuple[Output, Bench, dict[str, Problem]]:
    """What the stage makes of these attempts at one problem; repairs are said in turn, again and again."""
    bench, of = Bench(folder, cast(Instantly, Known())), posed(0, "Write `f(n)`.", answer=TASK, verifier="code")
    tried = [answered(of, f"```python\n{each}\n```", sample=place) for place, each in enumerate(programs)]
    turn = iter(repairs * 20)
    output = bench.run(
        "revise",
        says=lambda message, sample: said(next(turn)),
        problems=[of],
        attempts=tried,
        prompt="revise/explain-code",
        **given,
    )
    return output, bench, {each.id: each for each in output.facts.problems}


def test_only_what_is_wrong_is_repaired_and_of_copies_one(tmp_path: Path):
    output, bench, tasks = revised(tmp_path, [GOOD, BAD, BAD, WORSE], [GOOD], n=2, starts=3)
    assert len(bench.client.asked) == 4
    assert len(tasks) == 2
    assert not [message for message, _, _ in bench.client.asked if GOOD in message]
    assert output.live


def test_a_round_starts_from_what_the_one_before_has_left_wrong(tmp_path: Path):
    output, bench, tasks = revised(tmp_path, [BAD], [WORSE, GOOD, GOOD, GOOD], n=2, rounds=2)
    first, second = output.facts.problems
    [failing] = [each for each in output.facts.attempts if WORSE in each.text]
    assert second.parents == (failing.id,)
    assert [orjson.loads(each.details)["round"] for each in (first, second)] == [1, 2]
    assert [WORSE in message for message, _, _ in bench.client.asked] == [False, False, True, True]
    assert tasks[failing.problem] == first


def test_who_repairs_sees_some_tests_and_neither_the_others_nor_the_solution(tmp_path: Path):
    _, bench, _ = revised(tmp_path, [BAD], [GOOD], shown=2)
    [(message, _, _)] = bench.client.asked
    assert "assert f(1) == 2  # fails: returned 0\nassert f(2) == 3" in message
    assert not [hidden for hidden in ("f(3)", "f(4)", "SECRET") if hidden in message]


OUT: dict[str, tuple[list[str], list[str], dict[str, int], str | None]] = {
    "repaired": ([BAD], [GOOD], {}, None),
    "nothing was wrong": ([GOOD], [GOOD], {}, "nothing was wrong"),
    "no repair is right": ([BAD], [WORSE], {}, "too few repairs are right"),
    "all are wanted": ([BAD], [WORSE], {"at_least": 0}, None),
}


@pytest.mark.parametrize("name", OUT)
def test_a_problem_stays_if_anything_was_wrong_and_was_repaired(name: str, tmp_path: Path):
    programs, repairs, given, reason = OUT[name]
    output, _, _ = revised(tmp_path, programs, repairs, **given)
    [told] = output.facts.verdicts
    assert orjson.loads(told.evidence).get("reason") == reason
    assert bool(output.live) is (reason is None)
    assert [id for _, id in output.out] == ([] if reason is None else [told.id])


def test_less_than_one_of_anything_is_refused():
    with pytest.raises(ValueError, match="rounds = 0 should be at least 1"):
        check_revise({"n": 1, "rounds": 0, "starts": 1, "shown": 1})


# --- Feedback -------------------------------------------------------------------------------------------------

CHECK = "def check(candidate):\n    assert candidate(1) == 2\n    if True:\n        assert candidate(3) == 4\n"
FORMS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "cases": ({"cases": CASES}, ["assert f(1) == 2"]),
    "asserts": ({"asserts": ["assert f(1) == 2", "assert f(3) == 4"]}, ["assert f(1) == 2"]),
    "test": ({"test": CHECK}, ["assert f(1) == 2"]),
    "io": ({"io": [{"input": "1", "output": "2"}] * 2}, ["the input '1' gives '2'"]),
}


@each_of(FORMS)
def test_the_first_tests_can_be_shown_and_say_nothing_of_the_others(name: str):
    form, tests = FORMS[name]
    reference = to_json({"entry_point": "f", "solution": "SECRET", **form})
    shown = visible("code", reference, 1)
    assert shown
    assert code.problem_with(shown) is None
    assert as_lines(shown) == tests
    assert "SECRET" not in shown
    assert visible("code", reference, 99) != reference, "one stays hidden"


def test_what_cannot_be_shown_is_told_by_its_verdict_alone():
    assert visible("math", "4", 2) is None
    assert visible("code", to_json({"entry_point": "f", "cases": CASES[:1]}), 2) is None
    assert visible("code", to_json({"entry_point": "f", "test": "def check(:"}), 2) is None
    assert feedback(None, None) == WRONG


def test_a_program_that_passes_what_is_shown_is_told_of_hidden_tests():
    shown = visible("code", TASK, 1)
    told = feedback(shown, passed(score=1.0, evidence={"tests": [{"status": "pass"}]}))
    assert told == f"assert f(1) == 2  # passes\n{HIDDEN}"
    stuck = feedback(shown, failed("a test fails: while it was loaded: SyntaxError", score=0.0))
    assert stuck == "assert f(1) == 2\na test fails: while it was loaded: SyntaxError"
