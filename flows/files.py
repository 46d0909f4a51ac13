"""People's files, read some rows at a time and written in the same form: JSON lines or Parquet."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from filters.verifiers.reading import kind_of
from pipelines.hub import fetch as hub
from pipelines.rows import BadRows

if TYPE_CHECKING:
    import pyarrow as pa

AT_ONCE = 2_000  # rows of JSON lines that are read together
GROUP_BYTES = 64 << 20  # of a row group of Parquet

Write = Callable[[Sequence[Mapping[str, Any]]], None]
Added = Callable[["pa.Schema"], Sequence["pa.Field"]]
"""Columns that are written besides those that were read: for Parquet, what they are."""


def local(name: str) -> Path:
    """A file by its path, or one of the Hub by `hub:OWNER/NAME:PATH`, brought here. Raises BadRows."""
    if not hub.is_hub(name):
        return Path(name)
    try:
        fetched = hub.fetch(name)
    except hub.HubError as error:
        raise BadRows(str(error)) from error
    if len(fetched.files) != 1:
        some = ", ".join(fetched.files[:5])
        raise BadRows(f"{name} has {len(fetched.files)} files ({some}): say which one, as hub:OWNER/NAME:PATH")
    return fetched.folder / fetched.files[0]


def open_rows(path: Path) -> Lines | Parquet:
    """A file by its ending. Raises BadRows for what is neither."""
    if not path.is_file():
        raise BadRows(f"{path} is a folder; name a file in it" if path.is_dir() else f"no file {path}")
    name = path.name.removesuffix(".gz")
    if name.endswith((".jsonl", ".ndjson")):
        return Lines(path)
    if path.name.endswith(".parquet"):
        return Parquet(path)
    raise BadRows(f"{path}: neither .jsonl (or .jsonl.gz) nor .parquet")


class Line(dict[str, Any]):
    """A row as it was read, with the bytes that it is written with again: no number loses a digit on the way."""

    def __init__(self, row: dict[str, Any], line: bytes) -> None:
        super().__init__(row)
        self.line = line.rstrip(b"\r\n") + b"\n"


class Lines:
    """JSON lines, perhaps compressed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """The columns of these rows: not every row has all."""
        return list(dict.fromkeys(name for row in rows for name in row))

    def chunks(self) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Some rows at a time, with the number of those before."""
        first, rows = 0, []
        for row in self._rows():
            rows.append(row)
            if len(rows) == AT_ONCE:
                yield first, rows
                first, rows = first + len(rows), []
        if rows:
            yield first, rows

    def _rows(self) -> Iterator[dict[str, Any]]:
        opened = gzip.open if self._path.name.endswith(".gz") else open
        with opened(self._path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                line = line.removeprefix(codecs.BOM_UTF8)
                try:
                    row = _parsed(line)
                except json.JSONDecodeError as error:
                    at = f"{error.msg}, at character {error.pos + 1}"
                    raise BadRows(f"{self._path}, line {number}: not JSON ({at})") from error
                except UnicodeDecodeError as error:
                    raise BadRows(f"{self._path}, line {number}: not UTF-8 ({error.reason})") from error
                if not isinstance(row, dict):
                    raise BadRows(f"{self._path}, line {number}: should be an object, not {kind_of(row)}")
                yield Line(row, line)

    @contextlib.contextmanager
    def writer(self, path: Path, added: Added = lambda schema: []) -> Iterator[Write]:
        """Writes rows to a new file."""
        with open(path, "wb") as file:

            def write(rows: Sequence[Mapping[str, Any]]) -> None:
                for row in rows:
                    file.write(row.line if isinstance(row, Line) else orjson.dumps(row) + b"\n")

            yield write


def _parsed(line: bytes) -> Any:
    """A line of JSON, also with the NaN and Infinity that Python writes."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return json.loads(line)


class Parquet:
    """Parquet. Its columns keep their types."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            self._file = pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise BadRows(f"{path} is no Parquet file ({error})") from error

    def names(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """The columns of the schema."""
        return list(self._file.schema_arrow.names)

    def chunks(self) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        first = 0
        for batch in self._file.iter_batches(batch_size=256):
            yield first, batch.to_pylist()
            first += batch.num_rows

    @contextlib.contextmanager
    def writer(self, path: Path, added: Added = lambda schema: []) -> Iterator[Write]:
        """Writes rows to a new file, with the columns of this one and those that are added.

        Where an added column has lists, a row with a single value has a list of it.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = self._file.schema_arrow
        new = added(schema)
        for field in new:
            schema = schema.append(field)
        lists = [field.name for field in new if pa.types.is_list(field.type)]
        waiting: list[pa.Table] = []

        def listed(row: Mapping[str, Any]) -> dict[str, Any]:
            return {**row, **{name: [row[name]] for name in lists if not isinstance(row[name], list)}}

        with pq.ParquetWriter(path, schema, compression="zstd") as target:

            def write(rows: Sequence[Mapping[str, Any]]) -> None:
                waiting.append(pa.Table.from_pylist([listed(row) for row in rows], schema=schema))
                if sum(each.nbytes for each in waiting) >= GROUP_BYTES:
                    target.write_table(pa.concat_tables(waiting).combine_chunks())
                    waiting.clear()

            yield write
            if waiting:
                target.write_table(pa.concat_tables(waiting).combine_chunks())


def type_of(schema: pa.Schema, column: str) -> pa.DataType:
    """The type of a column, or of what is inside of it."""
    name, _, inside = (column, "", "") if column in schema.names else column.partition(".")
    kind = schema.field(name).type
    for part in filter(None, inside.split(".")):
        kind = kind.field(part).type
    return kind
