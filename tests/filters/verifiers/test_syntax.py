"""Python's parser from several threads at once, as trainers call rewards."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from filters.verifiers.syntax import parse_expression, parse_module

DEEP = "(1 + " * 30 + "1" + ")" * 30


@pytest.fixture
def _always_switching() -> Iterator[None]:
    """Threads that take turns in the middle of everything: with these `ast.parse` itself raises SystemError."""

    def switch(phase: str, info: dict[str, int]) -> None:
        sum(range(10))

    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(1)
    gc.callbacks.append(switch)
    yield
    gc.callbacks.remove(switch)
    gc.set_threshold(*threshold)
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_always_switching")
def test_threads_may_parse_at_once():
    with ThreadPoolExecutor(4) as threads:
        parsed = list(threads.map(parse_module, [f"x = {DEEP}"] * 60))
    assert len(parsed) == 60


def test_strange_escapes_are_no_warning():
    assert parse_expression(r"'\d'")
    assert parse_module(r"x = '\d'").body
