"""What somebody is told whose program failed: how it went on a few of the tests, and nothing of the others."""

from __future__ import annotations

import ast
from typing import Any

import orjson

from filters.verifiers import VERIFIERS
from filters.verifiers.outcome import Outcome
from filters.verifiers.syntax import parse_module
from pipelines.records import to_json

WRONG = "The final answer is wrong."
HIDDEN = "It fails tests that are not shown."


def visible(verifier: str, reference: str, at_most: int) -> str | None:
    """The reference with the first tests only, so that at least one stays hidden; None where none can be shown.

    Neither its solution nor anything else that could give a test away is in it.
    """
    if verifier != "code" or VERIFIERS[verifier].problem_with(reference):
        return None
    task = {key: value for key, value in orjson.loads(reference).items() if key != "solution"}
    form = next(key for key in ("cases", "test", "asserts", "io") if key in task)
    tests = _asserts(task["test"]) if form == "test" else task[form]
    shown = min(at_most, len(tests) - 1)
    if shown < 1:
        return None
    return to_json({**task, form: _first(task["test"], shown) if form == "test" else tests[:shown]})


def _asserts(program: str) -> list[ast.Assert]:
    """In the order of their lines; [] for a program that cannot be read."""
    try:
        found = [node for node in ast.walk(parse_module(program)) if isinstance(node, ast.Assert)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


class _Keep(ast.NodeTransformer):
    """Leaves the asserts of these lines, and puts nothing in the place of others."""

    def __init__(self, places: set[tuple[int, int]]) -> None:
        self._places = places

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        kept = (node.lineno, node.col_offset) in self._places
        return node if kept else ast.copy_location(ast.Pass(), node)


def _first(program: str, count: int) -> str:
    places = {(node.lineno, node.col_offset) for node in _asserts(program)[:count]}
    return ast.unparse(_Keep(places).visit(parse_module(program)))


def as_lines(reference: str) -> list[str]:
    """The tests of a reference of the verifier `code`, each as a line that can be shown."""
    task = orjson.loads(reference)
    name = task.get("entry_point", "")
    if "cases" in task:
        return [_case(each, name) for each in task["cases"]]
    if "io" in task:
        return [f"the input {each['input']!r} gives {each['output']!r}" for each in task["io"]]
    if "asserts" in task:
        return list(task["asserts"])
    return [ast.unparse(each).replace("candidate(", f"{name}(") for each in _asserts(task["test"])]


def _case(case: dict[str, Any], name: str) -> str:
    given = [repr(each) for each in case.get("args", [])]
    given += [f"{key}={value!r}" for key, value in case.get("kwargs", {}).items()]
    return f"assert {name}({', '.join(given)}) == {case['expected']!r}"


def feedback(shown: str | None, outcome: Outcome | None) -> str:
    """How a program went on the tests that are shown, a line for each; `outcome` is what its verifier said."""
    if shown is None or outcome is None:
        return WRONG
    tests, told = as_lines(shown), outcome.evidence.get("tests", [])
    if len(told) != len(tests):
        return "\n".join([*tests, outcome.reason or HIDDEN])
    lines = [f"{test}  # {_went(each)}" for test, each in zip(tests, told, strict=True)]
    return "\n".join([*lines, *([HIDDEN] if outcome.status == "pass" else [])])


def _went(test: dict[str, str]) -> str:
    return "passes" if test["status"] == "pass" else f"fails: {test.get('reason', '')}"
