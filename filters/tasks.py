"""Tasks in an environment, that come with what checks them: sound where their solution passes and mistakes do not.

A challenger writes an instruction, a function that evaluates the environment afterwards, a solution, and cases of
failure (Code-as-Task of Self-Challenging agents, arXiv 2506.01716). Here they become a reference of the verifier
`code`:

* the environment is that of a seed (`filters/environments.py`);
* the evaluation defines `evaluate(environment)`, which says True or False of how it was left;
* an answer defines `solve()`, which returns the calls, `[["tool", {"argument": value}], ...]`. They are played on an
  environment in the examiner's sandbox: of what happened nothing is taken from whoever is judged.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

import orjson

from filters.answers import label
from filters.rule import Case, Check, Ruling, failed, passed
from filters.verifiers import code
from filters.verifiers.outcome import Outcome
from filters.verifiers.syntax import parse_module
from pipelines.records import Problem, to_json

PARTS = ("evaluation", "solution")
"""What a challenger writes beside the instruction and the cases of failure, by tag."""

BETWEEN = "\n---\n"
"""What stands between the cases of failure in the text that a challenger writes."""

# The steps of an evaluation are counted, so that one that never ends costs no more than others.
_PLAYED = """

def _bounded(function, *given, steps=200_000):
    import sys
    def trace(frame, event, argument):
        nonlocal steps
        steps -= 1
        if steps < 0:
            raise TimeoutError("too many steps")
        return trace
    sys.settrace(trace)
    try:
        return function(*given)
    finally:
        sys.settrace(None)

def _played(calls):
    world = start()
    try:
        for tool, arguments in calls:
            world.call(tool, **arguments)
    except Exception:
        return None
    return world

def _judged(world):
    try:
        return True, world is not None and _bounded(evaluate, world)
    except Exception:
        return False, None
"""
_CHECK = """
def check(candidate):
    ran, told = _judged(_played(candidate()))
    assert ran
    assert told is True
"""


def reference_of(environment: str, evaluation: str, solution: str) -> str:
    """What an answer to a task is checked against."""
    setup = f"{environment}\n\n{_unfenced(evaluation)}\n{_PLAYED}"
    return to_json({"entry_point": "solve", "setup": setup, "test": _CHECK, "solution": _unfenced(solution)})


def _unfenced(text: str) -> str:
    """Code without the fence that many models put around it."""
    return (code.final_answer(text) or text) if text.lstrip().startswith("```") else text


def failure_cases(problem: Problem) -> list[str]:
    """The answers that the task's author knows to be wrong: a list, or a text with `BETWEEN` between them."""
    wrong = orjson.loads(problem.details).get("wrong") or []
    cases = wrong.split(BETWEEN) if isinstance(wrong, str) else wrong
    return [_unfenced(each.strip()) for each in cases if each.strip()]


def task_sound(case: Case, check: Check, *, at_least: int = 1) -> list[Ruling]:
    """Pass a task whose evaluation accepts its solution and rejects each of `at_least` or more cases of failure.

    Each way of not being sound has a reason of its own. What could not be run is rejected too.
    """
    problem = case.problem
    solution = code.gold(problem.answer or "") if problem.verifier == "code" else None
    if solution is None:
        return [failed("no task that could be read")]
    context = {"verifier": label("code"), "failure_cases": len(failure_cases(problem))}
    if len(failure_cases(problem)) < at_least:
        return [failed("too few cases of failure", context=context)]
    own, *others = (check("code", reference, answer) for reference, answer in task_sound_compares(case))
    reason = _broken([own, *others]) or _mistaken(own, others, problem.answer or "")
    return [failed(reason, context=context) if reason else passed(context=context)]


def task_sound_compares(case: Case) -> Iterable[tuple[str, str]]:
    """The reference with its solution, then with each case of failure."""
    reference = case.problem.answer or ""
    solution = code.gold(reference) if case.problem.verifier == "code" else None
    if solution is None:
        return []
    return [(reference, answer) for answer in dict.fromkeys([solution, *failure_cases(case.problem)])]


def _broken(outcomes: Iterable[Outcome]) -> str | None:
    """Why the evaluation tells nothing, if it does not."""
    for outcome in outcomes:
        tests = outcome.evidence.get("tests", [])
        if outcome.status in ("unsure", "error"):
            is_text = (outcome.reason or "").startswith("the tests cannot be")
            return "the evaluation is no Python" if is_text else "the evaluation could not be run"
        if len(tests) == 2 and tests[0]["status"] == "fail":
            return "the evaluation crashes"
    return None


def _mistaken(own: Outcome, others: list[Outcome], reference: str) -> str | None:
    looks = _looks(orjson.loads(reference)["setup"])
    if own.status != "pass":
        return "the solution fails" if looks else "the evaluation rejects everything"
    if any(each.status == "pass" for each in others):
        return "a case of failure passes" if looks else "the evaluation accepts everything"
    return None


def _looks(setup: str) -> bool:
    """Whether the evaluation reads what it is given at all."""
    defined = [node for node in parse_module(setup).body if isinstance(node, ast.FunctionDef)]
    evaluate = next((each for each in reversed(defined) if each.name == "evaluate"), None)
    if evaluate is None or not evaluate.args.args:
        return False
    names = (node.id for node in ast.walk(evaluate) if isinstance(node, ast.Name))
    return evaluate.args.args[0].arg in names
