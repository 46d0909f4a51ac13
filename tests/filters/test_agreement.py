"""Programs and tests that pass each other, from matrices that are known."""

from __future__ import annotations

from typing import Any

from filters.agreement import consensus
from filters.mutants import mutants
from filters.rule import Case, Ruling
from filters.suites import reference, suite, under_test
from filters.table import RULES
from filters.verifiers import code
from pipelines.records import Verdict, verdict
from tests.each import each_of
from tests.filters.cases import answered, task

PROGRAMS = ("right", "right too", "wrong", "broken")
PASSES: dict[str, set[str]] = {
    "true": {"right", "right too"},
    "true as well": {"right", "right too"},
    "weak": {"right", "right too", "wrong"},
    "for the wrong": {"wrong"},
    "idle": {"right", "right too", "wrong"},
    "wrong": set(),
}
KILLED = {"true": 3, "true as well": 2, "weak": 1, "idle": 0}


def about(rule: str, *subjects: str, **more: Any) -> Verdict:
    return verdict(**{"subjects": subjects, "stage": "cross@1", "draw": 0, "rule": rule, "status": "pass", **more})


def crossed(passes: dict[str, set[str]], killed: dict[str, int]) -> Case:
    runs = [
        about("runs@1", program, tests, status="pass" if program in passes[tests] else "fail")
        for program in PROGRAMS
        for tests in passes
    ]
    evidence = {tests: {"asserts": [f"assert f({len(tests)}) == 1"]} for tests in killed}
    kills = [
        about("kills@1", "right", tests, context={"killed": count, "mutants": 4}, evidence=evidence[tests])
        for tests, count in killed.items()
    ]
    return Case(task("Write `f(n)`.", verifier="code"), None, [], [*runs, *kills])


def ruled(case: Case, **given: Any) -> tuple[Ruling, dict[str, str]]:
    """What is said of the problem, and of each program and suite."""
    of_all, *rest = RULES["agreed"].run(case, lambda *_: None, **given)
    return of_all, {id: each.status for each in rest for id in each.about}


def test_true_pairs_are_kept_and_tests_that_accept_everything_are_dropped():
    of_all, said = ruled(crossed(PASSES, KILLED))
    assert (of_all.status, of_all.score) == ("pass", 6.0)
    assert {id for id, status in said.items() if status == "pass"} == {
        *("right", "right too"),
        *("true", "true as well", "weak"),
    }
    assert {id for id, status in said.items() if status == "fail"} == {"wrong", "broken", "for the wrong"}
    assert said["idle"] == "unsure"


def test_what_is_kept_of_the_tests_is_a_reference_that_can_reward():
    of_all, _ = ruled(crossed(PASSES, KILLED))
    assert of_all.value is not None
    assert code.problem_with(of_all.value) is None
    assert '"assert f(4) == 1"' in of_all.value  # those of "true", and of the others that were kept
    assert "solution" not in of_all.value


def test_what_holds_no_program_is_wrong_and_what_was_cut_is_not():
    case = crossed(PASSES, KILLED)
    silent, cut = answered(case.problem, "I do not know."), answered(case.problem, "def f(", 1, "length")
    _, said = ruled(case._replace(attempts=[silent, cut]))
    assert (said[silent.id], said[cut.id]) == ("fail", "unsure")


def test_what_the_sandbox_could_not_decide_is_not_wrong():
    """Such as a program that wants a package which is not there, and tests that hand over a function."""
    case = crossed(PASSES, KILLED)
    undecided = [
        each._replace(status="unsure") if "broken" in each.subjects or each.subjects[1] == "wrong" else each
        for each in case.verdicts
    ]
    _, said = ruled(case._replace(verdicts=undecided))
    assert {id for id, status in said.items() if status == "unsure"} == {"broken", "wrong", "idle"}
    assert {id for id, status in said.items() if status == "fail"} == {"for the wrong"}


def test_tests_that_cannot_be_run_are_told_and_not_called_wrong():
    case = crossed(PASSES, KILLED)
    of = case.problem
    beside = of._replace(id="tests of it", kind="tests", parents=(of.id,))
    odd, cut = answered(beside, "I do not know."), answered(beside, "assert f(", 1, "length")
    _, said = ruled(case._replace(beside=[Case(beside, None, [odd, cut], [])]))
    assert (said[odd.id], said[cut.id]) == ("unsure", "unsure")


NOTHING: dict[str, tuple[dict[str, set[str]], dict[str, int], str]] = {
    "all fail": ({"a": set(), "b": set()}, {}, "no program passes any tests"),
    "all tests are idle": ({"a": {"right", "wrong"}, "b": {"right", "wrong"}}, {"a": 0, "b": 0}, "no tests notice"),
    "one and one": ({"a": {"right"}}, {"a": 1}, "too few agree"),
    "nothing ran": ({}, {}, "no programs, or no tests"),
}


@each_of(NOTHING)
def test_a_problem_without_agreement_goes_with_its_reason(name: str):
    passes, killed, reason = NOTHING[name]
    said = ruled(crossed(passes, killed), at_least=2)[0]
    assert said.status == "fail"
    assert (said.reason or "").startswith(reason)


def test_tests_that_everybody_passes_speak_for_nobody():
    """Six wrong programs pass the idle suites, as two right ones do; the right ones pass four true ones as well."""
    idle = {f"idle {n}" for n in range(3)}
    true = {f"true {n}" for n in range(4)}
    passing = {f"wrong {n}": frozenset(idle | {"weak"}) for n in range(6)} | {
        f"right {n}": frozenset(idle | true) for n in range(2)
    }
    group = consensus(passing, sorted({*idle, *true, "weak"}))
    assert group.programs == ["right 0", "right 1"]
    assert set(group.suites) == idle | true


SUITES: dict[str, tuple[str, list[str]]] = {
    "a block": (
        "So:\n```python\nassert f(1) == 2\nassert f(0) == 1, 'zero'\n```",
        ["assert f(1) == 2", "assert f(0) == 1, 'zero'"],
    ),
    "what stands around": ('```python\n"""Tests."""\nassert f(1) == 2\nprint("good")\n```', ["assert f(1) == 2"]),
    "what they lean on": ("```python\nx = 3\nassert f(x) == 2\n```", []),
    "a function of their own": ("```python\nassert f(1) == 2\ndef test():\n    assert f(0) == 9\n```", []),
    "too many": ("```python\n" + "assert f(1) == 2\n" * 21 + "```", []),
    "no Python": ("```python\nassert f(1 == 2\n```", []),
    "no tests": ("```python\ndef f(n):\n    return n\n```", []),
    "nothing": ("I do not know.", []),
}


@each_of(SUITES)
def test_a_suite_is_the_asserts_of_a_response(name: str):
    said, asserts = SUITES[name]
    assert suite(answered(task(verifier=None), said)) == asserts


def test_the_function_under_test_is_the_one_that_most_suites_call():
    suites = [["assert f(len([1])) == 2"], ["assert g(1) == 2"], ["assert sorted(f(1)) == [2]"]]
    assert under_test(suites) == "f"
    assert under_test([["assert True"]]) is None
    assert code.problem_with(reference(suites[0], "f")) is None


SOURCE = '''
def area(sides, scale=1):
    """The area."""
    if len(sides) > 2 and sides[0] == 1:
        return sides[0] * sides[1] + 3
    return True
'''


def test_mutants_are_other_programs_with_one_fault_and_each_kind_has_its_turn():
    made = mutants(SOURCE, count=20)
    assert len(set(made)) == len(made) >= 8
    assert SOURCE not in made
    for fault in ("len(sides) >= 2", "sides[0] + sides[1] + 3", "> 3", "== 0", "> 2 or"):
        assert any(fault in each for each in made), fault
    assert mutants(SOURCE, count=2) == made[:2]


def test_nothing_is_made_of_what_is_no_program():
    for text in ("", "def f(:", "x" * 30_000, "(" * 5_000, "print(1)"):
        assert mutants(text, count=3) == []
