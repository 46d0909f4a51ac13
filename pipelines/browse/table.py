"""Pages of a source: filtered, sorted, from anywhere.

Values go to the database as parameters and columns by their place, so nothing a person or a model wrote becomes part
of a query. Only numbers of rows are sorted; the rows of a page are then read from the few groups that hold them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from pipelines.browse import index as indexes
from pipelines.browse.asking import cursor_of
from pipelines.browse.columns import Cell, Column, Cut, Type, cut, place
from pipelines.browse.files import SHOWN, whole_cell, whole_row
from pipelines.browse.index import as_cells, rows_at
from pipelines.browse.marks import all_marks, last_marks
from pipelines.browse.source import Source, check_row, draw_of, facts_at, progress

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

Op = Literal["is", "is not", "at least", "at most", "below", "contains", "missing", "present"]

OPS: dict[Type, tuple[Op, ...]] = {
    "text": ("contains", "is", "is not", "at least", "at most", "below", "missing", "present"),
    "category": ("is", "is not", "contains", "missing", "present"),
    "number": ("at least", "at most", "below", "is", "is not", "missing", "present"),
    "flag": ("is", "is not", "missing", "present"),
}
"""What a filter may ask of a column. `is not` includes what is missing; NaN is missing."""

_SQL: dict[Op, str] = {
    "is": "{} = ?",
    "is not": "{} is distinct from ?",
    "at least": "{} >= ?",
    "at most": "{} <= ?",
    "below": "{} < ?",
    "contains": "contains(lower({}), lower(?))",
    "missing": "{} is null",
    "present": "{} is not null",
}

MOST = 1_000  # rows of a page


class Filter(NamedTuple):
    """Rows whose column is so. `value` is as a person types it; `contains` does not care about case."""

    column: str
    op: Op
    value: str = ""


class Order(NamedTuple):
    """Rows by a column, then by their place. What is missing comes last, whichever the direction."""

    column: str
    descending: bool = False


class Row(NamedTuple):
    """A row, with a cell for every column of its source."""

    row: int
    cells: dict[str, Cell]


class Page(NamedTuple):
    """Some rows of those that pass a filter. With `progress` below 1, `total` counts what is indexed so far."""

    rows: list[Row]
    total: int
    more: bool
    progress: float


def page(
    source: Source, *, where: Sequence[Filter] = (), order: Order | None = None, offset: int = 0, limit: int = 50
) -> Page:
    """Rows from `offset` on, of those that pass all filters. Raises ValueError, as for a value of the wrong type.

    Without a filter and an order nothing needs to be indexed. Otherwise it waits for the first part of the index.
    """
    if offset < 0 or not 0 < limit <= MOST:
        raise ValueError(f"offset = {offset}, limit = {limit}: from 0 on, and 1 to {MOST:,}")
    if where or order:
        rows, total = _chosen(source, where, order, offset, limit)
    else:
        rows, total = range(offset, max(offset, min(offset + limit, source.rows))), source.rows
    shown = [Row(row, cells) for row, cells in zip(rows, _cells(source, rows), strict=True)]
    return Page(shown, total, offset + len(rows) < total, progress(source))


def choices(source: Source, column: str, *, most: int = 200) -> list[tuple[Any, int]]:
    """The values of a column with their counts, most frequent first; of what is indexed so far."""
    name = sql_name(source, column)

    def count() -> list[tuple[Any, int]]:
        with indexed(source) as here:
            query = f"select {name}, count(*) from {here.rows} group by 1 order by 2 desc, 1 nulls last limit $most"
            return [(value, rows) for value, rows in here.ask(query, {"most": most})]

    return remembered(source, f"choices {most} {column}", count)


def row(source: Source, row: int) -> dict[str, Any]:
    """One row: of a table with every cell to 20,000 characters, of a version or run with its question so."""
    check_row(source, row)
    if source.files is not None:
        return {**whole_row(source.files, row), source.mark: last_marks(source).get(row)}
    cells = _cells(source, [row])[0]
    return {**cells, "question": cut(cell(source, row, "question"), SHOWN)}


def cell(source: Source, row: int, column: str) -> str:
    """One cell whole, however long; empty where it is missing."""
    check_row(source, row)
    at = place(source.columns, column)
    if source.files is not None and at < len(source.files.columns):
        return whole_cell(source.files, row, at)
    found = _cells(source, [row])[0][column]
    return _from_facts(source, row, column) if isinstance(found, Cut) else "" if found is None else str(found)


def _from_facts(source: Source, row: int, column: str) -> str:
    """A text of which the index holds the beginning."""
    begins = _cells(source, [row])[0][column]
    assert isinstance(begins, Cut)
    if column == "reason":
        query = "select json_extract_string(evidence, '$.reason') as text from verdicts where draw = $draw"
    else:
        query = f"select {column} as text from problems where draw = $draw"
    query = f"select text from ({query}) where starts_with(text, $beginning) and length(text) = $length"
    with facts_at(source, row) as facts:
        given = {"draw": draw_of(source, row), "beginning": begins.text, "length": begins.length}
        found = facts.execute(query, given).fetchall()
    return found[0][0]


# ---------------------------------------------------------------------------------------------------------------
# Rows by filter and order


class Indexed(NamedTuple):
    """What is indexed, with the marks of today: a table in SQL, and the parameters that it needs."""

    cursor: duckdb.DuckDBPyConnection
    rows: str
    given: dict[str, Any]

    def ask(self, query: str, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows of a query over `rows`."""
        return self.cursor.execute(query, {**self.given, **given}).fetchall()


_ROWS = "(select *, null::varchar as mark from {parts})"
_MARKED_ROWS = """(
    select r.*, m.mark from {parts} r
    left join (select unnest($marked::bigint[]) as row, unnest($marks::varchar[]) as mark) m on m.row = r.row
)"""


@contextmanager
def indexed(source: Source) -> Iterator[Indexed]:
    """The rows that are indexed, of which there are some. Raises ValueError where the index cannot be made."""
    indexes.wait(source.index, parts=1)
    marks = last_marks(source)
    given: dict[str, Any] = {"marked": list(marks), "marks": list(marks.values())} if marks else {}
    parts = "read_parquet($parts)"
    if source.index.made:
        given["parts"] = [str(path) for path in source.index.made]
    else:
        parts = _no_rows(source.index.columns)
    with cursor_of(source.connection) as cursor:
        yield Indexed(cursor, (_MARKED_ROWS if marks else _ROWS).format(parts=parts), given)


def remembered(source: Source, what: str, count: Callable[[], T]) -> T:
    """What `count` finds in all rows, counted once for each state of the index and the marks."""
    all_marks(source)
    state = len(source.index.made), source.known_marks and source.known_marks[0]
    found = source.remembered.get(what)
    if found is None or found[0] != state:
        found = source.remembered[what] = state, count()
    return found[1]


def _no_rows(columns: Sequence[Column]) -> str:
    kinds = {"text": "varchar", "category": "varchar", "number": "double", "flag": "boolean"}
    told = "".join(f", null::{kinds[column.type]} as c{i}" for i, column in enumerate(columns))
    return f"(select 0 as row{told} where false)"


def sql_name(source: Source, column: str) -> str:
    at = place(source.columns, column)
    return f"c{at}" if at < len(source.index.columns) else "mark"


def condition(source: Source, where: Sequence[Filter]) -> tuple[str, dict[str, Any]]:
    """The SQL condition of all these filters, and its parameters. Raises ValueError."""
    told, given = ["true"], dict[str, Any]()
    for number, each in enumerate(where):
        column = source.columns[place(source.columns, each.column)]
        if each.op not in OPS[column.type]:
            raise ValueError(f"{column.name} ({column.type}) takes: {', '.join(OPS[column.type])}; not {each.op!r}")
        told.append(_SQL[each.op].replace("?", f"$v{number}").format(sql_name(source, each.column)))
        if each.op not in ("missing", "present"):
            given[f"v{number}"] = _value(column, each)
    return " and ".join(told), given


def _value(column: Column, asked: Filter) -> str | int | float | bool:
    """What a person typed as a value of the column's type."""
    text = asked.value.strip()
    if column.type == "number":
        return _number(text, column.name)
    if column.type == "flag":
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{column.name} is true or false, not {text[:80]!r}")
        return text.lower() == "true"
    if asked.op == "contains" and not asked.value:
        raise ValueError(f"{column.name}: contains what?")
    return asked.value


def _number(text: str, name: str) -> int | float:
    try:
        number = float(text)
        whole = int(text) if text.lstrip("+-").isascii() and text.lstrip("+-").isdigit() else None
    except ValueError:
        number, whole = math.nan, None
    if not math.isfinite(number):
        raise ValueError(f"{name} is a number, not {text[:80]!r}")
    return whole if whole is not None and abs(whole) < 1 << 63 else number


def _chosen(
    source: Source, where: Sequence[Filter], order: Order | None, offset: int, limit: int
) -> tuple[list[int], int]:
    """The numbers of the rows of a page, and of how many it is a page."""
    told, given = condition(source, where)
    by = "row" if order is None else f"{sql_name(source, order.column)} {_direction(order)} nulls last, row"
    with indexed(source) as here:
        # What a filter asks may be dear, so it is asked once: for the count, and for the rows in their order.
        passed = f"create temp table passed as select row from {here.rows} where {told}"
        here.cursor.execute(passed, {**here.given, **given})
        total = here.cursor.execute("select count(*) from passed").fetchall()[0][0]
        rows = "passed" if order is None else here.rows
        among = "" if order is None or not where else "where row in (from passed)"
        query = f"select row from {rows} {among} order by {by} limit $limit offset $offset"
        asked = {**(here.given if order else {}), "limit": limit, "offset": offset}
        found = here.cursor.execute(query, asked).fetchall()
    return [row for (row,) in found], total


def _direction(order: Order) -> str:
    return "desc" if order.descending else "asc"


def _cells(source: Source, rows: Sequence[int]) -> list[dict[str, Cell]]:
    """The cells of these rows, from the index where they are there, else from the source itself."""
    marks = last_marks(source)
    is_there = not rows or max(rows) < source.index.rows
    found = rows_at(source.index, rows) if is_there else _unindexed(source, rows)
    return [{**cells, source.mark: marks.get(row)} for row, cells in zip(rows, found, strict=True)]


def _unindexed(source: Source, rows: Sequence[int]) -> list[dict[str, Cell]]:
    first, stop = min(rows), max(rows) + 1
    with cursor_of(source.connection) as cursor:
        tables = list(source.index.read(cursor, first, stop))
    cells = [each for table in tables for each in as_cells(source.index.columns, table)]
    return [cells[row - first] for row in rows]
