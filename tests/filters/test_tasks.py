"""Tasks in an environment: a sound one passes, and each broken one goes with a reason of its own."""

from __future__ import annotations

from typing import Any

import pytest

from filters.rule import Case, Ruling
from filters.table import RULES
from filters.tasks import BETWEEN, failure_cases, gives_away, reference_of, task_sound_compares
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
ALWAYS = "def evaluate(shop):\n    return True"
OR_ENDS = "def evaluate(shop):\n    if len(shop.basket) < 2:\n        raise SystemExit\n    return True"
PATCHED = "PRICES['grape'] = 1\nShop.call = lambda shop, tool, **given: shop.basket.extend(given.values())\n"


ASKED = "Put an apple and a pear into the basket."


def task(evaluation: str = GOOD, solution: str = BOTH, wrong: Any = (ONE, NONE), question: str = ASKED) -> Case:
    return Case(
        problem(
            parents=(),
            stage="pose@1",
            draw=0,
            kind="posed",
            question=question,
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
    "always true, and a case is the solution": (task(ALWAYS, wrong=[BOTH]), "the evaluation accepts everything"),
    "always true, and no case can be run": (
        task(ALWAYS, wrong=[NONE, "oops", "def solve():\n    raise ValueError"]),
        "too few cases of failure",
    ),
    "ends everything": (task(OR_ENDS), "the evaluation crashes"),
    "changes what calls do": (
        task(PATCHED + GOOD.replace("pear", "grape"), calls("apple", "grape")),
        "the solution fails",
    ),
    "far too many cases": (task(wrong=[ONE] * 21), "too many cases of failure"),
    "the solution is told": (task(question=f"Put both in: {BOTH}"), "the instruction gives the solution away"),
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


def test_an_evaluation_that_does_not_say_the_same_twice_tells_nothing() -> None:
    said = iter([Outcome("pass"), Outcome("fail"), Outcome("fail")])
    ruling = RULES["task_sound"].run(task(wrong=[ONE]), lambda *_: next(said))
    assert [each.reason for each in ruling] == ["the evaluation does not say the same twice"]


REPORT = """
class Desk:
    def call(self, tool, **given):
        self.reported = given["answer"]

def start():
    return Desk()
"""


@pytest.mark.slow
@needs_bubblewrap
def test_an_answer_is_calls_as_json_has_them_and_nothing_else() -> None:
    evaluation = "def evaluate(desk):\n    return not (desk.reported > 5.01 or desk.reported < 4.99)"
    reference = reference_of(REPORT, evaluation, "")
    said = {
        value: code.check(reference, f"def solve():\n    return [['report', {{'answer': {value}}}]]").status
        for value in ("5", "6", "float('nan')", "10**6000", "object()", "{5}")
    }
    assert said == {**dict.fromkeys(said, "fail"), "5": "pass"}


TOLD = {
    "the solution": (BOTH, True),
    "the evaluation": (f"It is done when {GOOD.splitlines()[1].strip()}", True),
    "a call as a list": ('Hand in [["add", {"item": "pear"}]] and more.', True),
    "a call as Python has it": ('Call add(item = "pear") and more.', True),
    "a call by position": ('Call add("pear") and more.', True),
    "the name of a tool": ("Look at total() and add a pear, then report (in euros).", False),
    "what is asked for": ('Add "apple", "pear" == 8 euros (return what is left).', False),
}


@each_of(TOLD)
def test_an_instruction_may_name_things_and_no_calls_of_the_solution(name: str) -> None:
    question, told = TOLD[name]
    assert gives_away(question, BOTH, GOOD) == told


@each_of(["-" * 2_000 + "5", "+".join(["0"] * 2_000), "[" * 300, "\x00"])
def test_a_solution_that_goes_deep_is_looked_at_all_the_same(value: str) -> None:
    assert not gives_away(ASKED, f"def solve():\n    return [['report', {{'answer': {value}}}]]", GOOD)


def test_failure_cases_are_a_list_or_one_text() -> None:
    assert failure_cases(task(wrong=f"{ONE}{BETWEEN}{NONE}").problem) == [ONE, NONE]
    assert failure_cases(task(wrong=None).problem) == []


@each_of(["not JSON", "{}", ""])
def test_what_is_no_task_asks_for_no_checks(answer: str) -> None:
    case = task()._replace(problem=task().problem._replace(answer=answer))
    assert not list(task_sound_compares(case))
    [said] = RULES["task_sound"].run(case, lambda *_: None)
    assert (said.status, said.reason) == ("fail", "no task that could be read")
