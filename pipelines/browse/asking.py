"""Questions to the database that are broken off once nobody waits for their answer any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@dataclass
class Asking:
    """The cursors that are at work for somebody."""

    cursors: list[duckdb.DuckDBPyConnection] = field(default_factory=list)
    is_over: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


_asking: ContextVar[Asking | None] = ContextVar("asking", default=None)


def begin() -> Asking:
    """From here on, and in threads that are started from here, cursors are at work for one who can leave."""
    asking = Asking()
    _asking.set(asking)
    return asking


def break_off(asking: Asking) -> None:
    """Interrupt the queries that are under way; each raises where it was asked."""
    with asking.lock:
        asking.is_over = True
        for each in asking.cursors:
            each.interrupt()


@contextmanager
def cursor_of(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor, closed in the end, whose queries `break_off` interrupts."""
    made, asking = connection.cursor(), _asking.get() or Asking()
    with asking.lock:
        asking.cursors.append(made)
    try:
        yield made
    finally:
        with asking.lock:
            asking.cursors.remove(made)
        made.close()
