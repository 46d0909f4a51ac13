"""Rendered rows as files: Parquet of plain Arrow types, or JSON lines. Only some rows are in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from pipelines.formats.rows import FileKind, Row
from pipelines.row_groups import GROUP_BYTES, row_groups

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 128


def write(path: Path, rows: Iterable[Row], *, schema: pa.Schema, kind: FileKind) -> int:
    """Write rows in this schema, exactly; returns their number. The same rows are the same bytes."""
    return {"parquet": _write_parquet, "jsonl": _write_lines}[kind](path, _batches(rows, schema), schema)


def _batches(rows: Iterable[Row], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    left = iter(rows)
    while some := list(islice(left, ROWS_AT_ONCE)):
        yield pa.RecordBatch.from_pylist(some, schema)


def _write_parquet(path: Path, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> int:
    """No `huggingface` key in the metadata: other versions of `datasets` than the writer's could not read it."""
    import pyarrow.parquet as pq

    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False, write_page_index=True) as file:
        for group in row_groups(schema, batches, GROUP_BYTES):
            file.write_table(group.rows, row_group_size=max(1, group.rows.num_rows))
            rows += group.rows.num_rows
    return rows


def _write_lines(path: Path, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> int:
    rows = 0
    with path.open("wb") as file:
        for batch in batches:
            file.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in batch.to_pylist())
            rows += batch.num_rows
    return rows
