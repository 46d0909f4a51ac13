"""Facts of older schemas, read as those of today.

A fact's file tells its schema in its metadata, as `Problem@1`. Whoever raises SCHEMA_VERSION in
`pipelines/records.py` writes a step into MIGRATIONS, adds the new schema to the fixtures of the test, and nothing
else: every reader goes through `present` (a table in memory) or `present_file` (a file for a query). Files themselves
are never changed, since versions are not; what a query needs of an old one is written beside it, once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.records import SCHEMA_VERSION, schema

if TYPE_CHECKING:
    import pyarrow as pa

Migration = Callable[[str, "pa.Table"], "pa.Table"]
"""Takes the name of a kind (Problem, Attempt or Verdict) and a table; gives the table of a later schema. It works on
any rows by themselves: large files are migrated some rows at a time."""

MIGRATIONS: dict[tuple[int, int], Migration] = {}  # (from, to) → the step; there has been one schema so far

ROWS = 4096  # that are migrated at once


class CannotRead(ValueError):
    """Facts that this program cannot read; the message says what can."""


def version_of(found: pa.Schema, kind: type[Any]) -> int:
    """The version of a schema by its metadata; 1 where it tells none, as another program's copy may not."""
    told = (found.metadata or {}).get(b"thoughtmill.schema", b"").decode()
    name, _, version = told.partition("@")
    if told and (name != kind.__name__ or not version.isdigit()):
        raise CannotRead(f"this is a file of {told}, where one of {kind.__name__} is looked for")
    return int(version) if told else 1


def present(
    kind: type[Any],
    table: pa.Table,
    *,
    migrations: Mapping[tuple[int, int], Migration] = MIGRATIONS,
    current: int = SCHEMA_VERSION,
) -> pa.Table:
    """The table of a kind in the schema of today. Raises CannotRead for a newer one, or where a step is missing."""
    steps = path(version_of(table.schema, kind), migrations, current)
    for step in steps:
        table = migrations[step](kind.__name__, table)
    wanted = schema(kind)
    return table.select(wanted.names).cast(wanted) if steps else table


def path(
    version: int, migrations: Mapping[tuple[int, int], Migration] = MIGRATIONS, current: int = SCHEMA_VERSION
) -> list[tuple[int, int]]:
    """The steps from a version to today's, the longest that there are first. Raises CannotRead."""
    if version > current:
        raise CannotRead(
            f"the facts have schema {version}, and this program knows {current}: install a newer thoughtmill"
        )
    steps: list[tuple[int, int]] = []
    while version != current:
        onward = [step for step in migrations if step[0] == version and version < step[1] <= current]
        if not onward:
            raise CannotRead(
                f"the facts have schema {version}, and nothing reads it any more: run their recipe again"
            )
        steps.append(max(onward))
        version = steps[-1][1]
    return steps


def steps_of(file: Path, kind: type[Any]) -> list[tuple[int, int]]:
    """What brings a Parquet file to the schema of today. Raises CannotRead, or what pyarrow says of no Parquet."""
    import pyarrow.parquet as pq

    return path(version_of(pq.read_schema(file), kind))


def present_file(
    file: Path, kind: type[Any], *, migrations: Mapping[tuple[int, int], Migration] = MIGRATIONS
) -> Path:
    """The file itself where it is of today; else a copy that is, beside it, made once and in little memory.

    Raises CannotRead, or the OSError of a disk that refuses.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not migrations or not path(version_of(pq.read_schema(file), kind), migrations):
        return file
    copy = file.parent / f".schema-{SCHEMA_VERSION}" / file.name
    if copy.is_file():
        return copy
    aside = copy.with_name(f".{copy.name}.{uuid.uuid4().hex[:8]}")
    copy.parent.mkdir(exist_ok=True)
    with pq.ParquetFile(file) as old, pq.ParquetWriter(aside, schema(kind), compression="zstd") as new:
        for batch in old.iter_batches(ROWS, use_threads=False):
            table = pa.Table.from_batches([batch], old.schema_arrow)
            new.write_table(present(kind, table, migrations=migrations))
    return aside.replace(copy)
