"""What plots show: how the numbers of a source are spread, and how often the values of its categories come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from pipelines.browse.columns import Column
from pipelines.browse.source import Source
from pipelines.browse.table import Filter, condition, indexed, remembered, sql_name

if TYPE_CHECKING:
    import duckdb

BINS = 20  # of a histogram, about
BARS = 24  # values of a category that are shown
HIDDEN = ("draw", "problem")  # of a version or run: numbers and texts that are names


class Bin(NamedTuple):
    """A bar, and the filters that show its rows."""

    label: str
    rows: int
    where: list[Filter]


class Plot(NamedTuple):
    """How a column is spread. `missing` rows have no value there; `others` have values that are not shown."""

    column: str
    kind: Literal["histogram", "counts"]
    about: str
    bins: list[Bin]
    missing: int
    others: int


def plots(source: Source, *, where: Sequence[Filter] = ()) -> list[Plot]:
    """A plot of every number and category that has values, of the rows that pass the filters. Raises ValueError."""
    return _plots(source, where) if where else remembered(source, "plots", lambda: _plots(source, ()))


def _plots(source: Source, where: Sequence[Filter]) -> list[Plot]:
    named = HIDDEN if source.files is None else ()
    shown = [each for each in source.columns if each.type != "text" and each.name not in named]
    told, given = condition(source, where)
    names = ", ".join(sql_name(source, each.name) for each in shown)
    with indexed(source) as here:
        # Each plot takes several looks at its column: of this cursor alone, and gone with it.
        here.cursor.execute(
            f"create temp table looked_at as select {names} from {here.rows} where {told}", {**here.given, **given}
        )
        found = [_plot(here.cursor, column, sql_name(source, column.name)) for column in shown]
    return [plot for plot in found if plot.bins]


def _plot(cursor: duckdb.DuckDBPyConnection, column: Column, name: str) -> Plot:
    rows = f"(select {name} as value from looked_at)"
    total, present = cursor.execute(f"select count(*), count(value) from {rows}").fetchall()[0]
    make = _histogram if column.type == "number" else _bars
    bins = make(cursor, column, rows) if present else []
    kind = "histogram" if column.type == "number" else "counts"
    return Plot(column.name, kind, column.about, bins, total - present, present - sum(each.rows for each in bins))


def _bars(cursor: duckdb.DuckDBPyConnection, column: Column, rows: str) -> list[Bin]:
    query = f"select value, count(*) from {rows} where value is not null group by 1 order by 2 desc, 1 limit {BARS}"
    return [
        Bin(label := _label(value), count, [Filter(column.name, "is", label)])
        for value, count in cursor.execute(query).fetchall()
    ]


def _label(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _histogram(cursor: duckdb.DuckDBPyConnection, column: Column, rows: str) -> list[Bin]:
    """Bins of equal width at round numbers; what lies far out is in the last one, so that the others can be seen."""
    few = f"select value, count(*) from {rows} where isfinite(value::double) group by 1 order by 1 limit {BINS + 1}"
    values = cursor.execute(few).fetchall()
    if len(values) <= BINS:
        return [Bin(_number(value), count, [Filter(column.name, "is", repr(value))]) for value, count in values]
    ends = f"select min(value), quantile_disc(value, 0.99), max(value) from {rows} where isfinite(value::double)"
    low, far, high = cursor.execute(ends).fetchall()[0]
    width = round_step(((far if far > low else high) - low) / BINS)
    first = math.floor(low / width)
    edges = [float(_number(at * width)) for at in range(first, max(first, math.ceil(far / width) - 1) + 1)]
    above = ", ".join(f"count(*) filter (value >= {edge!r})" for edge in edges[1:])
    all_above = f"select count(*), {above or 0} from {rows} where isfinite(value::double)"
    count, *beyond = cursor.execute(all_above).fetchall()[0]
    counts = [count, *beyond[: len(edges) - 1], 0]
    return [_bin(column, edges[at : at + 2], counts[at] - counts[at + 1]) for at in range(len(edges))]


def _bin(column: Column, ends: Sequence[float], count: int) -> Bin:
    """From one number up to the next, which is not in it; the last holds all that is larger."""
    low, *high = map(_number, ends)
    below = [Filter(column.name, "below", end) for end in high]
    label = f"{low} to {high[0]}" if high else f"{low} and more"
    return Bin(label, count, [Filter(column.name, "at least", low), *below])


def round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, ... times a power of ten that is at least so wide."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least * (1 - 1e-9))


def _number(value: float) -> str:
    return f"{value:.12g}"
