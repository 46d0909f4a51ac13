"""Python's own parser, one text at a time.

Up to 3.12 the parser counts its depth for all threads together: two that parse at once can make it raise SystemError.
Trainers call rewards from threads. Warnings, of strange escapes, are turned off for all threads together as well.
"""

from __future__ import annotations

import ast
import threading
import warnings

_ONE_AT_A_TIME = threading.Lock()


def parse_module(text: str) -> ast.Module:
    """The tree of a program. Raises SyntaxError, ValueError, RecursionError or MemoryError."""
    with _ONE_AT_A_TIME, warnings.catch_warnings(action="ignore"):
        return ast.parse(text)


def parse_expression(text: str) -> ast.expr:
    """The tree of an expression. Raises as `parse_module` does."""
    with _ONE_AT_A_TIME, warnings.catch_warnings(action="ignore"):
        return ast.parse(text, mode="eval").body
