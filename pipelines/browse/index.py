"""The index of a source: its rows as flat Parquet files in a cache, made once in the background.

    data/cache/browse/<digest>.parquet      each a range of rows: `row`, then the columns as `columns.kept` says

Every part is named by what it was made from, so a part that is there is right, two processes may make the same one at
once, and a run that went on keeps the parts of its earlier shards. What is made so far can be looked at.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from pipelines.browse.columns import KEPT, Cell, Column, Cut, is_text
from pipelines.records import digest
from pipelines.store import disk_full

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

VERSION = 1
"""Of what an index holds: raised when the same facts would make other rows."""

PART_ROWS = 32_768
GROUP_ROWS = 1_024  # what is read to show one row


class Part(NamedTuple):
    """A range of rows that are indexed together. `key` tells what they are made from."""

    key: str
    start: int
    stop: int


Read = Callable[["duckdb.DuckDBPyConnection", int, int], "Iterator[pa.Table]"]
"""Gives the rows from one number up to another, as an index keeps them, some at a time."""


@dataclass
class Index:
    """The parts of an index, which of them are there, and the thread that makes the others."""

    folder: Path
    columns: Sequence[Column]
    parts: Sequence[Part]
    connection: duckdb.DuckDBPyConnection
    read: Read
    made: list[Path] = field(default_factory=list)  # in the order of the parts
    error: str | None = None
    stopped: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)
    thread: threading.Thread | None = None

    @property
    def rows(self) -> int:
        """How many rows are indexed."""
        return self.parts[len(self.made) - 1].stop if self.made else 0

    @property
    def is_complete(self) -> bool:
        return len(self.made) == len(self.parts)


def find(index: Index) -> None:
    """Take the parts that are there already."""
    for part in index.parts:
        if not (path := path_of(index, part)).is_file():
            break
        index.made.append(path)


def start(index: Index) -> None:
    """Make the other parts in a thread, unless that goes on already."""
    with index.changed:
        if not (index.is_complete or index.thread or index.stopped):
            index.thread = threading.Thread(target=_make_all, args=[index], name="index", daemon=True)
            index.thread.start()


def stop(index: Index) -> None:
    """End the thread, after the part that it is at."""
    with index.changed:
        index.stopped = True
    if index.thread:
        index.thread.join()


def wait(index: Index, *, parts: int | None = None, timeout: float | None = None) -> bool:
    """Wait until so many parts are there, or all; whether they are. Raises ValueError where they cannot be made."""
    start(index)
    wanted = len(index.parts) if parts is None else min(parts, len(index.parts))
    with index.changed:
        index.changed.wait_for(lambda: len(index.made) >= wanted or index.error or index.stopped, timeout)
    if index.error and len(index.made) < wanted:
        raise ValueError(index.error)
    return len(index.made) >= wanted


def path_of(index: Index, part: Part) -> Path:
    columns = [list(column[:2]) for column in index.columns]
    return index.folder / f"{digest(VERSION, KEPT, columns, part.key, part.stop - part.start)}.parquet"


def _make_all(index: Index) -> None:
    cursor = index.connection.cursor()
    try:
        for part in index.parts[len(index.made) :]:
            if index.stopped:
                break
            if not (path := path_of(index, part)).is_file():
                _write(path, index, part, cursor)
            with index.changed:
                index.made.append(path)
                index.changed.notify_all()
    except Exception as error:  # noqa: BLE001 - told to whoever waits for the index: a thread has no one else
        index.error = f"the index cannot be made: {' '.join(str(error).split())[:500]}"
    finally:
        cursor.close()
        with index.changed:
            index.changed.notify_all()


def _write(path: Path, index: Index, part: Part, cursor: duckdb.DuckDBPyConnection) -> None:
    """Write a part, and put it in place whole. Its rows are told by their place: every group has GROUP_ROWS."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    aside = path.with_name(f".{path.stem}.{uuid4().hex[:8]}")
    writer, waiting, row = None, None, part.start
    try:
        for table in index.read(cursor, part.start, part.stop):
            numbers = pa.py_buffer(array("q", range(row, row + table.num_rows)))
            numbered = pa.Array.from_buffers(pa.int64(), table.num_rows, [None, numbers])
            table, row = table.add_column(0, "row", numbered), row + table.num_rows
            waiting = table if waiting is None else pa.concat_tables([waiting, table])
            writer = writer or pq.ParquetWriter(aside, waiting.schema, compression="zstd")
            full = waiting.num_rows // GROUP_ROWS * GROUP_ROWS
            if full:
                writer.write_table(waiting.slice(0, full), row_group_size=GROUP_ROWS)
                waiting = waiting.slice(full)
        if row != part.stop or writer is None or waiting is None:
            raise ValueError(f"{row - part.start:,} rows where {part.stop - part.start:,} were told")
        if waiting.num_rows:
            writer.write_table(waiting)
        writer.close()
        aside.replace(path)
    except OSError as error:
        raise disk_full(error, path) from error
    finally:
        if writer is not None:
            writer.close()
        aside.unlink(missing_ok=True)


# ---------------------------------------------------------------------------------------------------------------
# Reading rows


def rows_at(index: Index, rows: Sequence[int]) -> list[dict[str, Cell]]:
    """These rows, in this order, from the groups that hold them."""
    import pyarrow.parquet as pq

    wanted: dict[tuple[int, int], list[int]] = {}
    for row in rows:
        part = bisect_right(index.parts, row, key=lambda each: each.start) - 1
        wanted.setdefault((part, (row - index.parts[part].start) // GROUP_ROWS), []).append(row)
    found: dict[int, dict[str, Cell]] = {}
    opened: dict[int, pq.ParquetFile] = {}
    try:
        for (part, group), numbers in wanted.items():
            if part not in opened:
                opened[part] = pq.ParquetFile(index.made[part])
            first = index.parts[part].start + group * GROUP_ROWS
            table = opened[part].read_row_group(group, use_threads=False)
            # One by one: `take` would import pandas where it is installed, which takes half a second.
            found |= {row: as_cells(index.columns, table.slice(row - first, 1))[0] for row in numbers}
    finally:
        for file in opened.values():
            file.close()
    return [found[row] for row in rows]


def as_cells(columns: Sequence[Column], table: pa.Table) -> list[dict[str, Cell]]:
    """Rows as an index keeps them, each as its cells by the name of the column."""
    values: list[list[Any]] = []
    for i, column in enumerate(columns):
        cells = table.column(f"c{i}").to_pylist()
        if is_text(column):
            lengths = table.column(f"n{i}").to_pylist()
            cells = [
                cell if length is None else Cut(cell, length) for cell, length in zip(cells, lengths, strict=True)
            ]
        values.append(cells)
    names = [column.name for column in columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)] if columns else []
