"""Tasks in an environment: a sound one passes, and each broken one goes with a reason of its own."""

from __future__ import annotations

from typing import Any

import pytest

from filters.rule import Case, Ruling
from filters.table import RULES
from filters.tasks import BETWEEN, failure_cases, reference_of, task_sound_compares
from filters.verifiers import code
from filters.verifiers.outcome import Outcome
from pipelines.records import problem
from tests.each import each_of
from tests.filters.verifiers.confined import needs_bubblewrap

SHOP = """
PRICES = {"apple": 3, "pear": 5, "plum": 2}

class Shop:
    def __init__(self):
        self.basket = []

    def call(self, tool, **arguments):
        if tool == "add":
            PRICES[arguments["item"]]
            self.basket.append(arguments["item"])
        elif tool == "total":
            return sum(PRICES[each] for each in self.basket)
        else:
            raise KeyError(tool)

def start():
    return Shop()
"""
GOOD = 'def evaluate(shop):\n    return sorted(shop.basket) == ["apple", "pear"]'


def calls(*items: str, tool: str = "add") -> str:
    return f"def solve():\n    return {[[tool, {'item': item}] for item in items]!r}"


BOTH, ONE, NONE = calls("apple", "pear"), calls("apple"), calls("grape")


def task(evaluation: str = GOOD, solution: str = BOTH, wrong: Any = (ONE, NONE)) -> Case:
    return Case(
        problem(
            parents=(),
            stage="pose@1",
            draw=0,
            kind="posed",
            question="Put an apple and a pear into the basket.",
            answer=reference_of(SHOP, evaluation, solution),
            verifier="code",
            details={"wrong": wrong},
        )
    )


BROKEN: dict[str, tuple[Case, str]] = {
    "always true": (task("def evaluate(shop):\n    return True"), "the evaluation accepts everything"),
    "always false": (task("def evaluate(shop):\n    return False"), "the evaluation rejects everything"),
    "crashes": (task("def evaluate(shop):\n    return shop.basked"), "the evaluation crashes"),
    "the solution fails": (task(solution=calls("pear")), "the solution fails"),
    "a case of failure passes": (task(wrong=[ONE, calls("pear", "apple")]), "a case of failure passes"),
    "no Python": (task("def evaluate(shop:\n    return True"), "the evaluation is no Python"),
    "no cases of failure": (task(wrong=[]), "too few cases of failure"),
    "never ends": (task("def evaluate(shop):\n    while shop:\n        pass"), "the evaluation crashes"),
    "says no truth": (task("def evaluate(shop):\n    return len(shop.basket)"), "the solution fails"),
}


def ruled(case: Case) -> Ruling:
    known: dict[tuple[str, str], Outcome] = {pair: code.check(*pair) for pair in task_sound_compares(case)}
    [said] = RULES["task_sound"].run(case, lambda _, reference, answer: known[reference, answer])
    return said


@pytest.mark.slow
@needs_bubblewrap
def test_broken_tasks_go_each_with_a_reason_of_its_own() -> None:
    said = {name: ruled(case) for name, (case, _) in BROKEN.items()}
    assert {name: each.status for name, each in said.items()} == dict.fromkeys(BROKEN, "fail")
    assert {name: each.reason for name, each in said.items()} == {name: why for name, (_, why) in BROKEN.items()}
    named = ("always true", "always false", "crashes", "the solution fails", "a case of failure passes")
    assert len({said[name].reason for name in named}) == len(named)


@pytest.mark.slow
@needs_bubblewrap
def test_a_sound_task_passes_and_rewards_its_solution_alone() -> None:
    case = task()
    assert ruled(case).status == "pass"
    reference = case.problem.answer or ""
    for answer, status in ((BOTH, "pass"), (calls("pear", "apple"), "pass"), (ONE, "fail"), (NONE, "fail")):
        assert code.check(reference, answer).status == status
    for forged in ("def solve():\n    return 7", calls("apple", tool="rob"), "def solve():\n    raise SystemExit"):
        assert code.check(reference, forged).status == "fail"


def test_failure_cases_are_a_list_or_one_text() -> None:
    assert failure_cases(task(wrong=f"{ONE}{BETWEEN}{NONE}").problem) == [ONE, NONE]
    assert failure_cases(task(wrong=None).problem) == []


@each_of(["not JSON", "{}", ""])
def test_what_is_no_task_asks_for_no_checks(answer: str) -> None:
    case = task()._replace(problem=task().problem._replace(answer=answer))
    assert not list(task_sound_compares(case))
    [said] = RULES["task_sound"].run(case, lambda *_: None)
    assert (said.status, said.reason) == ("fail", "no task that could be read")
