"""Unit tests that a model has written: read out of its response, and made a reference of the verifier `code`."""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from filters.answers import final_answer
from filters.verifiers.syntax import parse_module
from pipelines.records import Attempt, to_json

AT_MOST = 20  # asserts of one suite
SECONDS = 2  # for each call: what loops is found out sooner than the verifier would


def suite(attempt: Attempt) -> list[str]:
    """The assert statements that the code in a response is made of, each in one line; else [].

    Asserts that lean on something else, such as a name or a function of their own, cannot be run one by one: taken
    without it they would seem to be wrong. Of more than `AT_MOST` only some would be tried, so they are no suite.
    """
    tree = _parsed(final_answer(attempt, "code") or "")
    asserts = [ast.unparse(each) for each in tree.body if isinstance(each, ast.Assert)] if tree else []
    alone = tree and all(isinstance(each, ast.Assert | ast.Expr) for each in tree.body)
    return asserts if alone and len(asserts) <= AT_MOST else []


def under_test(suites: Iterable[Sequence[str]]) -> str | None:
    """The function that most suites call; None where they call none."""
    called = Counter(name for each in suites for name in dict.fromkeys(_called(each)))
    return max(called, key=lambda name: called[name], default=None)


def reference(asserts: Sequence[str], entry_point: str) -> str:
    """What the verifier `code` checks a program against."""
    return to_json({"asserts": list(asserts), "entry_point": entry_point, "seconds": SECONDS})


def _called(asserts: Sequence[str]) -> Iterator[str]:
    tree = _parsed("\n".join(asserts))
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not hasattr(builtins, node.func.id):
            yield node.func.id


def _parsed(code: str) -> ast.Module | None:
    try:
        return parse_module(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
