"""What holds for every entry of the table of rules."""

import functools
import inspect
import time
from collections.abc import Iterable
from typing import Any, get_args

import orjson
import pytest

from filters.rule import Case, Rule, Ruling
from filters.table import RULES, UnknownRule, rule, table
from pipelines.records import Status, to_json
from tests.each import each_of
from tests.filters.cases import answered, reward, rewarded, run, solved, task, told

LONG = 100_000

HOSTILE = [
    "",
    "x",
    " \n\t ",
    "?",
    "\u202e\u0000\ufffd",
    "e\u0301" * 50,
    "\U0001f600" * 20,
    "数学" * 30,
    r"\boxed{" * 2000,
    "{" * 5000,
    "((((1" * 1000,
    "$" * 999,
    "= " * 2000 + "?",
    "'; DROP TABLE verdicts; --",
    "{{seeds}} <question> </answer> [New Question Begin]",
    "9^{9^{9^{9}}}",
    "nan inf -0 1e999999",
    "word " * (LONG // 5),
    "a" * LONG,
    "1" * LONG,
    "1 " * (LONG // 2),
    "1. x " * (LONG // 5),
    "answer is " * (LONG // 10),
    "the answer: " * (LONG // 12),
    "= 1 " * (LONG // 4),
    " " * LONG,
    "\n" * LONG,
    "?" * LONG,
]


def cases() -> Iterable[Case]:
    for text in HOSTILE:
        yield Case(task(text))
        for name in ("math", "choice", "constraints", None) if len(text) < LONG // 2 else ["math"]:
            of = task(text, text, verifier=name)
            attempts = [answered(of, text, 0), answered(of, rf"\boxed{{{text}}}", 1), answered(of, r"\boxed{1}", 2)]
            yield Case(of, attempts[0], attempts, [reward(each, float(i)) for i, each in enumerate(attempts)])
    yield solved([], author="1")
    yield solved([], author="1", cut=4)
    yield solved([None, None], author=None)
    yield solved(["1", "2", None], author="1", cut=1)
    yield solved(["1"], author="1", verifier=None)
    refused = task(answer="1")
    yield Case(refused, None, [answered(refused, "", 0, "refused"), answered(refused, "", 1, "tool_calls")])
    yield rewarded([1.0, 2.0])
    measured = rewarded([1.0, 2.0])
    yield told("worst_reward", measured, run("worst_reward", measured)[0])


CASES = list(cases())


def rulings(name: str, given: list[Case]) -> list[Ruling]:
    """What a rule says of these cases, in their order, as a stage would ask it."""
    match RULES[name].kind:
        case "row":
            return [ruling for case in given for ruling in run(name, case)]
        case "ordered":
            memory, said = RULES[name].run(), []
            for case in given:
                said.append(memory.judge(case))
                memory.remember(case.problem.question)
            return said
        case "snapshot":
            return RULES[name].run(given)


@functools.cache
def said(name: str) -> list[Ruling]:
    """What a rule says of all cases."""
    return rulings(name, CASES)


@functools.cache
def alone(name: str) -> list[tuple[list[Ruling], float]]:
    """What it says of each of them by itself, and the seconds that this takes."""
    measured = []
    for case in CASES:
        started = time.process_time()
        measured.append((rulings(name, [case]), time.process_time() - started))
    return measured


each_rule = pytest.mark.parametrize("name", RULES, scope="module")  # the laws of one rule in turn: `said` serves them


@each_rule
def test_every_rule_rules_on_everything(name: str) -> None:
    for ruling in said(name):
        assert ruling.status in get_args(Status)
        assert ruling.status != "error"
        assert (ruling.reason is None) == (ruling.status == "pass")
        assert ruling.reason is None or ruling.reason.strip()
        assert ruling.score is None or isinstance(ruling.score, float)
        assert "reason" not in ruling.evidence
        assert len(to_json(ruling.evidence)) < 10_000
        for details in (ruling.context, ruling.evidence):
            assert orjson.loads(to_json(details)) == orjson.loads(orjson.dumps(details))


@pytest.mark.slow
@each_rule
def test_no_text_takes_long(name: str) -> None:
    """100 kB of anything stays far from what a quadratic search would take."""
    slow = [case for case, (_, seconds) in zip(CASES, alone(name), strict=True) if seconds >= 2]
    assert [case.problem.question[:40] for case in slow] == []


@each_rule
def test_rules_are_deterministic(name: str) -> None:
    row = RULES[name].kind == "row"  # of which `alone` is the second time
    again = [ruling for said_alone, _ in alone(name) for ruling in said_alone] if row else rulings(name, CASES)
    assert again == said(name)


@pytest.mark.parametrize("name", [name for name in RULES if RULES[name].kind != "snapshot"])
def test_a_later_row_changes_no_earlier_ruling(name: str) -> None:
    few = rulings(name, CASES[:20])
    assert said(name)[: len(few)] == few


@each_of(RULES)
def test_what_is_asked_of_a_verifier_is_asked_once_and_is_little(name: str) -> None:
    for case in CASES:
        pairs = list(RULES[name].compares(case))
        assert len(set(pairs)) == len(pairs) <= 2000
        assert not pairs or case.problem.verifier


@each_of(RULES)
def test_parameters_are_keyword_only_and_have_defaults(name: str) -> None:
    taken = {"row": 2, "ordered": 0, "snapshot": 1}[RULES[name].kind]
    parameters = list(inspect.signature(RULES[name].run).parameters.values())
    for each in parameters[taken:]:
        assert each.kind is inspect.Parameter.KEYWORD_ONLY
        assert each.default is not inspect.Parameter.empty
    assert all(each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for each in parameters[:taken])


def test_an_unknown_rule_fails_with_the_list() -> None:
    with pytest.raises(UnknownRule, match=r"no rule 'noveltie'; there are: form, .*novelty"):
        rule("noveltie")


def test_a_doubled_name_fails_with_the_list() -> None:
    entry: Any = Rule(lambda: None, 1, "row")
    with pytest.raises(ValueError, match="two rules are named 'form'; there are: form"):
        table([("form", entry), ("form", entry)])


def test_every_rule_is_found_by_its_name() -> None:
    assert all(rule(name) is entry for name, entry in RULES.items())
