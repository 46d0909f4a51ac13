"""Any table in Parquet files or in a folder of `save_to_disk`: its columns, and ranges of its rows.

A *block* is a row group of a Parquet file or a record batch of an Arrow stream: what can be read without what stands
before it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipelines.browse.columns import Column, Type, cut, kept

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH = 1024  # rows that are decoded together
LOOKED_AT = 1000  # first rows that tell a category from a text
FEW, SHORT = 20, 60  # different values, and characters, of a category
SHOWN = 20_000  # characters of a cell where one row is shown


class Block(NamedTuple):
    """Rows of a file that are read together."""

    path: Path
    number: int  # of the row group or batch in its file
    row: int  # its first row in the table
    rows: int


class Files(NamedTuple):
    """A table in files."""

    blocks: list[Block]
    schema: pa.Schema  # of the first file; all have these columns
    columns: list[Column]

    @property
    def rows(self) -> int:
        return self.blocks[-1].row + self.blocks[-1].rows if self.blocks else 0


def data_files(path: Path) -> list[Path]:
    """The Parquet files, or the Arrow files of a `save_to_disk` folder. Raises ValueError."""
    if path.is_file():
        if path.suffix == ".parquet":
            return [path]
        raise ValueError(f"{path} is no Parquet file; browse opens Parquet files, folders of them, and save_to_disk")
    if (path / "state.json").is_file():
        told = orjson.loads((path / "state.json").read_bytes())
        return [path / Path(each["filename"]).name for each in told["_data_files"]]
    if (path / "dataset_dict.json").is_file():
        splits = ", ".join(orjson.loads((path / "dataset_dict.json").read_bytes())["splits"])
        raise ValueError(f"{path} holds the splits {splits}; open one of them: {path}/SPLIT")
    if found := sorted(path.rglob("*.parquet")):
        return found
    raise ValueError(f"nothing to browse in {path}: neither a Parquet file nor a folder of save_to_disk")


def open_files(paths: Sequence[Path]) -> Files:
    """What is in these files, from their ends alone. Raises ValueError where one is damaged or unlike the others."""
    blocks: list[Block] = []
    if not paths:
        raise ValueError("no files to browse")
    wanted, _ = _ends(paths[0])
    for path in paths:
        schema, counts = _ends(path)
        if schema.names != wanted.names:
            raise ValueError(f"{path} has other columns than {paths[0]}; open one of them by itself")
        for number, rows in enumerate(counts):
            first = blocks[-1].row + blocks[-1].rows if blocks else 0
            blocks.append(Block(path, number, first, rows))
    files = Files([block for block in blocks if block.rows], wanted, [])
    return files._replace(columns=_columns(files))


def _ends(path: Path) -> tuple[pa.Schema, list[int]]:
    """The schema of a file and the rows of its blocks."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix == ".parquet":
            with pq.ParquetFile(path) as file:
                told = file.metadata
                return file.schema_arrow, [told.row_group(i).num_rows for i in range(told.num_row_groups)]
        stream = _arrow(path)
        return stream.schema, [batch.num_rows for batch in stream]
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} cannot be read: {_line(error)}") from error


def _arrow(path: Path) -> pa.RecordBatchReader:
    """The batches of a stream, from memory that the system maps: those that are skipped are not read."""
    import pyarrow as pa

    return pa.ipc.open_stream(pa.memory_map(str(path)))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


# ---------------------------------------------------------------------------------------------------------------
# Reading


def batches(files: Files, first: int, stop: int, *, of: Sequence[int] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows from `first` up to `stop`, at most BATCH at a time; the columns of these places, all without `of`.

    In the batches a column is called by its place, since names may be anything, and may come twice.
    """
    places = range(len(files.columns)) if of is None else of
    at = max(0, bisect_right(files.blocks, first, key=lambda block: block.row) - 1)
    while at < len(files.blocks) and files.blocks[at].row < stop:
        row = files.blocks[at].row
        for batch in _block(files.blocks[at], places):
            low, high = max(first - row, 0), min(stop - row, batch.num_rows)
            if low < high:
                yield batch.slice(low, high - low).rename_columns([str(i) for i in places])
            row += batch.num_rows
            if row >= stop:
                return
        at += 1


def _block(block: Block, places: Sequence[int]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if block.path.suffix == ".parquet":
        with pq.ParquetFile(block.path) as file:
            # By the name of the whole column: a nested one is several in the file.
            names = [file.schema_arrow.names[i] for i in places]
            for batch in file.iter_batches(BATCH, row_groups=[block.number], columns=names, use_threads=False):
                yield pa.RecordBatch.from_arrays(
                    [batch.column(batch.schema.get_field_index(name)) for name in names], names=names
                )
        return
    for number, batch in enumerate(_arrow(block.path)):
        if number == block.number:
            for start in range(0, batch.num_rows, BATCH):
                yield batch.slice(start, BATCH).select(list(places))


def range_of_rows(cursor: duckdb.DuckDBPyConnection, files: Files, first: int, stop: int) -> Iterator[pa.Table]:
    """The rows from `first` up to `stop` as an index keeps them, some at a time."""
    for batch in batches(files, first, stop):
        values = [value(field.type, f'"{i}"') for i, field in enumerate(files.schema)]
        cursor.register("batch", _known_to_duckdb(batch))
        yield cursor.sql(f"select {kept(files.columns, values)} from batch").to_arrow_table()


def _known_to_duckdb(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Numbers of more than 38 digits, which DuckDB does not have, as the nearest that it has."""
    import pyarrow as pa

    columns = [each.cast(pa.float64()) if pa.types.is_decimal256(each.type) else each for each in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def value(kind: pa.DataType, name: str) -> str:
    """The SQL expression of a column's value as text, number or flag. NaN counts as missing."""
    import pyarrow.types as t

    if t.is_boolean(kind):
        return name
    if t.is_integer(kind) and not t.is_uint64(kind):
        return f"{name}::bigint"
    if _is_number(kind):
        return f"case when isnan({name}::double) then null else {name}::double end"
    if t.is_binary(kind) or t.is_large_binary(kind) or t.is_fixed_size_binary(kind):
        return f"'<' || octet_length({name}) || ' bytes>'"
    if t.is_nested(kind):
        return f"to_json({name})::varchar"
    return f"{name}::varchar"


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    return t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind)


# ---------------------------------------------------------------------------------------------------------------
# Columns


def _columns(files: Files) -> list[Column]:
    """Every column with its type; of two with one name, the second is told apart."""
    names: list[str] = []
    for name in files.schema.names:
        again = sum(other == name for other in files.schema.names[: len(names)])
        names.append(f"{name} ({again + 1})" if again else name)
    columns = [
        Column(name, _type(field.type), str(field.type)) for name, field in zip(names, files.schema, strict=True)
    ]
    looked = files._replace(columns=columns)
    texts = [
        i for i, field in enumerate(files.schema) if str(field.type) in ("string", "large_string", "string_view")
    ]
    seen = [batch.to_pydict() for batch in batches(looked, 0, min(LOOKED_AT, files.rows), of=texts)] if texts else []
    for i in texts:
        values = [each for batch in seen for each in batch[str(i)] if each is not None]
        if values and len(set(values)) <= min(FEW, len(values) / 2) and max(map(len, values)) <= SHORT:
            columns[i] = columns[i]._replace(type="category")
    return columns


def _type(kind: pa.DataType) -> Type:
    import pyarrow.types as t

    if t.is_boolean(kind):
        return "flag"
    return "number" if _is_number(kind) else "text"


# ---------------------------------------------------------------------------------------------------------------
# One row


def whole_row(files: Files, row: int) -> dict[str, Any]:
    """Every cell of a row, texts cut at SHOWN characters, nested values as JSON with a line for each part."""
    found = next(batches(files, row, row + 1), None)
    if found is None:
        raise ValueError(f"no row {row}; there are {files.rows:,}, counted from 0")
    cells = [found.column(i)[0].as_py() for i in range(len(files.columns))]
    return {column.name: _shown(cell) for column, cell in zip(files.columns, cells, strict=True)}


def whole_cell(files: Files, row: int, place: int) -> str:
    """One cell as text, however long."""
    found = next(batches(files, row, row + 1, of=[place]), None)
    if found is None:
        raise ValueError(f"no row {row}; there are {files.rows:,}, counted from 0")
    return as_text(found.column(0)[0].as_py())


def _shown(cell: Any) -> Any:
    return cell if cell is None or isinstance(cell, bool | int | float) else cut(as_text(cell), SHOWN)


def as_text(cell: Any) -> str:
    """A value as text: nested ones as JSON, what is no text by its size."""
    if cell is None or isinstance(cell, str):
        return cell or ""
    if isinstance(cell, bytes):
        return f"<{len(cell):,} bytes>"
    if isinstance(cell, list | dict):
        return orjson.dumps(cell, default=_plain, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()
    return str(cell)


def _plain(cell: Any) -> str:
    return f"<{len(cell):,} bytes>" if isinstance(cell, bytes) else str(cell)
