"""What is asked of a table, as its address tells: filters, order, columns. A view can be shared, and Back works.

`is.outcome=novelty&min.pass_rate=0.5&sort=-tokens&from=50&show=question` is written and read here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from pipelines.browse.table import Filter, Order

OPS = {
    "is": "is",
    "not": "is not",
    "min": "at least",
    "max": "at most",
    "below": "below",
    "has": "contains",
    "missing": "missing",
    "present": "present",
}
KEYS = {op: key for key, op in OPS.items()}

FURTHEST = 10**12

Pairs = list[tuple[str, str]]


class Looking(NamedTuple):
    """At which rows of what, and how."""

    of: str
    where: tuple[Filter, ...] = ()
    order: Order | None = None
    offset: int = 0
    show: tuple[str, ...] = ()  # columns; none: those that are shown by default
    dense: bool = False
    written: bool = False  # texts as they were written, not rendered


def read(pairs: Sequence[tuple[str, str]]) -> Looking:
    """What an address asks for. Raises ValueError for a place that is no number."""
    given = dict(pairs)
    where = [_filter(key, value) for key, value in pairs if key.partition(".")[0] in OPS and "." in key and value]
    return Looking(
        of=given.get("of", ""),
        where=tuple(dict.fromkeys(where)),
        order=_order(given.get("sort", "")),
        offset=number(given.get("from", "0")),
        show=tuple(dict.fromkeys(value for key, value in pairs if key == "show" and value)),
        dense=given.get("dense") == "1",
        written=given.get("written") == "1",
    )


def number(text: str) -> int:
    """A place in a table. Raises ValueError."""
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > FURTHEST:
        raise ValueError(f"{text[:40]!r} is no place in a table; it is a number from 0 on")
    return int(text)


def pairs(looking: Looking) -> Pairs:
    """The parts of an address that `read` reads the same from; what is as usual is left out."""
    given: Pairs = [("of", looking.of), *filters(looking)]
    if looking.order is not None:
        given.append(("sort", ("-" if looking.order.descending else "") + looking.order.column))
    if looking.offset:
        given.append(("from", str(looking.offset)))
    given += [("show", column) for column in looking.show]
    given += [(name, "1") for name in ("dense", "written") if getattr(looking, name)]
    return given


def filters(looking: Looking) -> Pairs:
    return [(f"{KEYS[each.op]}.{each.column}", each.value or "yes") for each in looking.where]


def address(path: str, looking: Looking, *more: tuple[str, str]) -> str:
    """The address of a page about these rows."""
    return f"{path}?{urlencode([*pairs(looking), *more])}"


def sorted_by(looking: Looking, column: str) -> Looking:
    """The same rows in the order of a column: upward, then downward, then as they stand."""
    now = looking.order
    if now is None or now.column != column:
        return looking._replace(order=Order(column, False), offset=0)
    return looking._replace(order=None if now.descending else Order(column, True), offset=0)


def without(looking: Looking, taken: Filter) -> Looking:
    return looking._replace(where=tuple(each for each in looking.where if each != taken), offset=0)


def narrowed(looking: Looking, more: Sequence[Filter]) -> Looking:
    return looking._replace(where=tuple(dict.fromkeys((*looking.where, *more))), offset=0)


def _filter(key: str, value: str) -> Filter:
    op, _, column = key.partition(".")
    return Filter(column, OPS[op], "" if op in ("missing", "present") else value)  # pyright: ignore[reportArgumentType]


def _order(text: str) -> Order | None:
    return Order(text.removeprefix("-"), text.startswith("-")) if text else None
