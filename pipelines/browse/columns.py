"""The columns of what is looked at, and what an index keeps of a cell.

In SQL a column is only ever `c0`, `c1`, ...: its place in the list of its source. Names from outside, which may be
anything, stay out of queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

KEPT = 500
"""Characters of a text that an index keeps: what a list shows, and what a filter on the column looks at."""

Type = Literal["text", "number", "flag", "category"]


class Column(NamedTuple):
    """A column that can be shown, sorted and filtered by. A `category` is a text with few different values."""

    name: str
    type: Type
    about: str = ""


class Cut(NamedTuple):
    """The beginning of a text, and how many characters all of it has."""

    text: str
    length: int


Cell = str | Cut | int | float | bool | None


def cut(text: str, most: int) -> str | Cut:
    """The text, whole if it has at most so many characters."""
    return text if len(text) <= most else Cut(text[:most], len(text))


def kept(columns: Sequence[Column], values: Sequence[str]) -> str:
    """The select list of an index: c0, c1, ... from SQL expressions, and in n0, n1, ... how long a cut text is."""
    told: list[str] = []
    for i, (column, value) in enumerate(zip(columns, values, strict=True)):
        if is_text(column):
            told.append(f"left({value}, {KEPT}) as c{i}")
            told.append(f"case when length({value}) > {KEPT} then length({value}) end as n{i}")
        else:
            told.append(f"{value} as c{i}")
    return ", ".join(told)


def is_text(column: Column) -> bool:
    return column.type in ("text", "category")


def place(columns: Sequence[Column], name: str) -> int:
    """Where a column stands. Raises ValueError for one that is not there."""
    for i, column in enumerate(columns):
        if column.name == name:
            return i
    raise ValueError(f"no column {name!r}; there are: {', '.join(column.name for column in columns)}")


def as_own_name(name: str) -> str:
    """A name from outside as one that is safe for a file."""
    return "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in name).lstrip(
        "."
    )[:96]
