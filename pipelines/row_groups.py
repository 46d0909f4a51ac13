"""Parquet as the Hub's viewer and trainers want it: row groups cut by bytes, files of a bounded size, plain types.

    FOLDER/train-00000-of-00002.parquet, train-00001-of-00002.parquet

A row weighs what its values take, however the batches were cut in which it came, so that the same rows are the same
bytes. Thoughts are long: a group of so many rows may be a hundred kilobytes or a gigabyte, and the viewer opens none
above 300 MB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

GROUP_BYTES = 100_000_000  # in memory; the Hub advises 100 to 300 MB
GROUPS_PER_FILE = 5
OFFSET = 8  # bytes that a text or a list takes besides what is in it


class Written(NamedTuple):
    """A table on disk."""

    files: tuple[Path, ...]
    rows: int
    memory: int  # bytes of its rows once they are read


def write_files(
    folder: Path, wanted: pa.Schema, batches: Iterable[pa.RecordBatch], *, group_bytes: int = GROUP_BYTES
) -> Written:
    """Write rows of the schema `wanted` as the split `train`; no rows make one empty file.

    A group holds at most `group_bytes`, or one row that is larger. What another library noted in the schema under
    the key `huggingface` is left out: other releases of `datasets` cannot read it.
    """
    folder.mkdir(parents=True)
    notes = {key: value for key, value in (wanted.metadata or {}).items() if key != b"huggingface"}
    plain = wanted.with_metadata(notes)
    groups = row_groups(plain, batches, group_bytes)
    made: list[Path] = []
    rows = memory = 0
    for first in groups:
        made.append(folder / f"{len(made)}.parquet")
        for group in _write(made[-1], plain, chain([first], islice(groups, GROUPS_PER_FILE - 1))):
            rows, memory = rows + group.rows.num_rows, memory + group.size
    return Written(tuple(_named(each, number, len(made)) for number, each in enumerate(made)), rows, memory)


def _write(path: Path, wanted: pa.Schema, groups: Iterable[Group]) -> Iterator[Group]:
    """Write a file of these groups; gives each after it was written."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, wanted, compression="zstd", use_dictionary=False, write_page_index=True) as file:
        for group in groups:
            if group.rows.num_rows:  # `datasets` fails on a group without rows, and reads a file without groups
                file.write_table(group.rows, row_group_size=group.rows.num_rows)
            yield group


def _named(path: Path, number: int, count: int) -> Path:
    return path.rename(path.with_name(f"train-{number:05}-of-{count:05}.parquet"))


class Group(NamedTuple):
    """Rows that are written as one row group."""

    rows: pa.Table
    size: int  # in bytes, as `row_bytes` tells them


def row_groups(wanted: pa.Schema, batches: Iterable[pa.RecordBatch], limit: int) -> Iterator[Group]:
    """The rows in their order, in groups of at most `limit` bytes; one group without rows where there are none."""
    waiting: list[pa.RecordBatch] = []
    held = count = 0
    for batch in batches:
        start = 0
        for at, size in enumerate(row_bytes(batch.to_struct_array()).tolist()):
            if held and held + size > limit:
                yield Group(_whole([*waiting, batch.slice(start, at - start)], wanted), held)
                waiting, held, start, count = [], 0, at, count + 1
            held += size
        waiting.append(batch.slice(start))
    if held or not count:
        yield Group(_whole(waiting, wanted), held)


def _whole(batches: list[pa.RecordBatch], wanted: pa.Schema) -> pa.Table:
    import pyarrow as pa

    batches = [batch for batch in batches if batch.num_rows]
    return pa.Table.from_batches([batch.cast(wanted) for batch in batches], schema=wanted).combine_chunks()


def row_bytes(column: pa.Array) -> np.ndarray:
    """What each value takes in memory (int64), whatever else the array shares its buffers with."""
    import numpy as np
    import pyarrow.types as types

    kind = column.type
    if types.is_struct(kind):
        return sum((row_bytes(each) for each in column.flatten()), np.zeros(len(column), np.int64))
    if types.is_list(kind) or types.is_large_list(kind):
        upto = np.concatenate([[0], np.cumsum(row_bytes(column.flatten()))])
        ends = np.cumsum(lengths := _measured("list_value_length", column))
        return upto[ends] - upto[ends - lengths] + OFFSET
    if types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind):
        return _measured("binary_length", column) + OFFSET
    return np.full(len(column), 0 if types.is_null(kind) else (kind.bit_width + 7) // 8, np.int64)


def _measured(function: str, column: pa.Array) -> np.ndarray:
    """Lengths as Arrow tells them; of what is missing, 0."""
    import numpy as np
    from pyarrow.compute import call_function

    return call_function(function, [column]).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
