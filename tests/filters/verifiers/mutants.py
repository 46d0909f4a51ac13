"""Small faults put into a right solution, and a way to see which of them change what it does.

Neither knows the sandbox: behaviour is compared by running original and mutant in a plain process, on copies of
the inputs that the published tests use.
"""

from __future__ import annotations

import ast
import copy
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

from filters.verifiers.syntax import parse_module

SECONDS = 0.5  # of processor time, for a mutant on all inputs; the originals take milliseconds
_SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult},
    **{ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.And: ast.Or, ast.Or: ast.And, ast.BitXor: ast.BitAnd},
}
_COMPARED: dict[type[ast.AST], type[ast.AST]] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq},
    **{ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is},
}

Edit = Callable[[], None]


def mutants(source: str, entry_point: str, *, count: int) -> list[tuple[str, str]]:
    """The first `count` faults as (kind, source), taking each kind in turn; fewer if there are no more places."""
    ways = [list(places(parse_module(source), entry_point, kind)) for kind in KINDS]
    order = [(kind, at) for row in zip_longest(*(range(len(way)) for way in ways)) for kind, at in enumerate(row)]
    made = []
    for kind, at in order:
        if at is not None and len(made) < count:
            tree = parse_module(source)
            list(places(tree, entry_point, KINDS[kind]))[at]()
            made.append((KINDS[kind], ast.unparse(ast.fix_missing_locations(tree))))
    return made


KINDS = ["operator", "constant", "comparison", "early return", "off by one"]


def places(tree: ast.Module, entry_point: str, kind: str) -> Iterator[Edit]:
    """Every place where a fault of that kind can be put, as what puts it there."""
    [function] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == entry_point]
    nodes = [node for part in _without_docstring(function) for node in ast.walk(part)]
    match kind:
        case "operator":
            yield from (_swap(node, "op", _SWAPPED) for node in nodes if type(getattr(node, "op", None)) in _SWAPPED)
        case "constant":
            yield from (_change(node) for node in nodes if isinstance(node, ast.Constant))
        case "comparison":
            yield from (_compare(node) for node in nodes if isinstance(node, ast.Compare))
        case "early return":
            yield from (_return_early(function, value) for value in ("None", "0", "[]", "''", "True"))
        case "off by one":
            yield from (_off(node) for node in nodes if _counts(node))


def _without_docstring(function: ast.FunctionDef) -> list[ast.stmt]:
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def _swap(node: Any, field: str, table: dict[type[ast.AST], type[ast.AST]]) -> Edit:
    return lambda: setattr(node, field, table[type(getattr(node, field))]())


def _compare(node: ast.Compare) -> Edit:
    return lambda: setattr(node, "ops", [_COMPARED[type(op)]() for op in node.ops])


def _change(node: ast.Constant) -> Edit:
    value: Any = node.value
    other = not value if isinstance(value, bool) else value + 1 if isinstance(value, int | float) else "changed"
    return lambda: setattr(node, "value", other)


def _return_early(function: ast.FunctionDef, value: str) -> Edit:
    at = len(function.body) - len(_without_docstring(function))
    return lambda: function.body.insert(at, ast.parse(f"if True: return {value}").body[0])


def _counts(node: ast.AST) -> bool:
    """Calls of `range` and plain subscripts."""
    is_range = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"
    return is_range or (isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice | ast.Tuple))


def _off(node: Any) -> Edit:
    one = ast.Constant(1)
    if isinstance(node, ast.Subscript):
        return lambda: setattr(node, "slice", ast.BinOp(node.slice, ast.Add(), one))
    return lambda: node.args.append(ast.BinOp(node.args.pop(), ast.Sub(), one))


# --- What changes behaviour ---------------------------------------------------------------------------


def changed(task: dict[str, Any], sources: list[str]) -> list[bool]:
    """For each source whether it does anything else than the task's own solution, on the inputs of its tests."""
    question = json.dumps({"task": task, "sources": sources})
    command = [sys.executable, "-m", "tests.filters.verifiers.mutants"]
    return json.loads(subprocess.run(command, input=question, capture_output=True, text=True, check=True).stdout)


def _main() -> None:
    asked = json.load(sys.stdin)
    task = asked["task"]
    inputs = _inputs(task)
    right = _behaviour(task["prompt"] + task["canonical_solution"], task["entry_point"], inputs)
    print(json.dumps([_behaviour(source, task["entry_point"], inputs) != right for source in asked["sources"]]))


def _inputs(task: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The arguments of all calls that the published tests make."""
    space: dict[str, Any] = {}
    exec(task["prompt"] + task["canonical_solution"] + task["test"], space)
    inputs: list[tuple[Any, ...]] = []

    def candidate(*args: Any) -> Any:
        inputs.append(copy.deepcopy(args))
        return space[task["entry_point"]](*args)

    space["check"](candidate)
    return inputs


def _behaviour(source: str, entry_point: str, inputs: list[tuple[Any, ...]]) -> str:
    """What it returns for every input, from a child that the kernel ends when it takes too long."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))
        with open(writing, "w") as said:
            for result in _results(source, entry_point, inputs):
                print(result, file=said)
        os._exit(0)
    os.close(writing)
    with open(reading) as said:
        results = said.read()
    os.waitpid(child, 0)
    return results


def _results(source: str, entry_point: str, inputs: list[tuple[Any, ...]]) -> Iterator[str]:
    space: dict[str, Any] = {"print": lambda *args: None}
    exec(source, space)
    for args in copy.deepcopy(inputs):
        try:
            yield repr(space[entry_point](*args))
        except Exception as problem:  # noqa: BLE001 - whatever a fault leads to
            yield type(problem).__name__


if __name__ == "__main__":
    _main()
