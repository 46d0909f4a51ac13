"""Small faults put into a program: what tests must notice that are worth their name.

Tests that were written together with a program may agree with it and say nothing. Those that still pass when a
comparison is turned, a number is one off or an operator is another one tell nothing of it (mutation analysis, DeMillo
et al. 1978). Texts are parsed and written anew here, and run nowhere.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from itertools import chain, zip_longest
from typing import Any

from filters.verifiers.syntax import parse_module

_SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult},
    **{ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.And: ast.Or, ast.Or: ast.And},
}
_TURNED: dict[type[ast.AST], type[ast.AST]] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq},
    **{ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is},
}
MAX_SOURCE = 20_000  # characters; of a longer program none are made
Edit = Callable[[], None]


def mutants(source: str, *, count: int) -> list[str]:
    """The first `count` programs with one fault each, kinds of fault in turn; fewer where there is less to spoil.

    Each is another text than the source; whether it does anything else is for tests to find. Of no Python [].
    """
    if len(source) > MAX_SOURCE:
        return []
    original = _written(_parsed(source))
    ways = [range(len(list(_places(_parsed(source), kind)))) for kind in KINDS]
    turns = (
        [(kind, at) for kind, at in zip(KINDS, row, strict=True) if at is not None] for row in zip_longest(*ways)
    )
    made = dict.fromkeys(_spoilt(source, kind, at) for kind, at in chain.from_iterable(turns))
    return [each for each in made if each and each != original][:count]


def _parsed(source: str) -> ast.Module | None:
    try:
        return parse_module(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _written(tree: ast.Module | None) -> str:
    try:
        return "" if tree is None else ast.unparse(ast.fix_missing_locations(tree))
    except RecursionError:
        return ""


def _spoilt(source: str, kind: str, at: int) -> str:
    """The source with the fault of this kind at this place."""
    tree = _parsed(source)
    list(_places(tree, kind))[at]()
    return _written(tree)


KINDS = ("comparison", "operator", "constant", "sign")


def _places(tree: ast.Module | None, kind: str) -> Iterator[Edit]:
    """Every place in the program's functions where a fault of that kind can be put, as what puts it there.

    Faults that change the type of a result are not among them: those any test would notice.
    """
    for node in _nodes(tree):
        match kind, node:
            case "comparison", ast.Compare(ops=[first, *_]) if type(first) in _TURNED:
                yield _setter(node, "ops", [_TURNED[type(first)](), *node.ops[1:]])
            case "operator", ast.BinOp(op=op) | ast.BoolOp(op=op) | ast.AugAssign(op=op) if type(op) in _SWAPPED:
                yield _setter(node, "op", _SWAPPED[type(op)]())
            case "constant", ast.Constant(value=bool() as value):
                yield _setter(node, "value", not value)
            case "constant", ast.Constant(value=int() as value):
                yield _setter(node, "value", value + 1)
            case "sign", ast.Constant(value=int() as value) if not isinstance(value, bool) and value > 0:
                yield _setter(node, "value", value - 1)


def _nodes(tree: ast.Module | None) -> Iterator[ast.AST]:
    """What stands in functions, docstrings apart."""
    for function in ast.walk(tree) if tree else ():
        if isinstance(function, ast.FunctionDef):
            for statement in function.body:
                if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                    yield from (each for each in ast.walk(statement) if not isinstance(each, ast.FunctionDef))


def _setter(node: Any, field: str, value: Any) -> Edit:
    return lambda: setattr(node, field, value)
