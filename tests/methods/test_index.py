"""The tests that the docstrings of this folder name are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from tests.each import each_of

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NAMED = re.compile(r"\b(tests/[\w/]+\.py)::(\w+)")
METHODS = ["a02", "a12", "a14", "a35", "a38", "a39", "pa05", "pa07", "pa08", "pa09", "t01"]


@cache
def functions_of(path: Path) -> frozenset[str]:
    """The test functions of a file, those in classes too."""
    tree = ast.parse(path.read_text())
    names = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(name for name in names if name.startswith("test_"))


@each_of(
    (path.name, *named)
    for path in sorted(HERE.glob("test_*.py"))
    for named in NAMED.findall(ast.get_docstring(ast.parse(path.read_text())) or "")
)
def test_what_is_named_exists(where: str, path: str, name: str) -> None:
    assert name in functions_of(ROOT / path), f"{where} names {path}::{name}"


@each_of(METHODS)
def test_every_method_has_a_file_that_tests_it(method: str) -> None:
    assert functions_of(HERE / f"test_{method}.py")
