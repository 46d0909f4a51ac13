"""What an address asks for, looked up: the dataset it names, and the row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pipelines.browse import desk as desks
from pipelines.browse.desk import Desk, NotThere
from pipelines.browse.links import Looking, Pairs, address, number, read
from pipelines.browse.source import Source

Found = TypeVar("Found")

Crumbs = list[tuple[str, str | None]]


def asked(desk: Desk, query: Pairs) -> tuple[Source, Looking]:
    """The source that an address names, and what it asks of it."""
    looking = read(query)
    source = desks.at(desk, looking.of)
    return source, looking._replace(of=source.name)


def asked_row(source: Source, query: Pairs) -> int:
    """The row that an address names, counted from 0. Raises NotThere."""
    told = dict(query).get("row", "")
    place = there(lambda: number(told))
    if place >= source.rows:
        raise NotThere(f"there is no row {place:,}; {source.name} has {source.rows:,}, counted from 0")
    return place


def there(look: Callable[[], Found]) -> Found:
    """What `look` finds. Raises NotThere where it raises ValueError."""
    try:
        return look()
    except ValueError as error:
        raise NotThere(str(error)) from error


def crumbs(looking: Looking) -> Crumbs:
    """The way to a page of this dataset: names, and addresses of all but the page itself."""
    return [(looking.of, address("/dataset", Looking(looking.of)))]
