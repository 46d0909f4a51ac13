"""Rows of people's files: JSON lines, Parquet or Arrow, read one at a time and never all at once."""

from __future__ import annotations

import hashlib
import mmap
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from filters.verifiers.reading import reference_text
from pipelines.records import Problem, digest, problem


class BadRows(ValueError):
    """A file that cannot be used; the message says which, where and why."""


class Rows:
    """The rows of one or several files, one after another. Every row is looked at once when it is opened.

    `columns` tells under which name a file has a field: `{"question": "prompt"}`.
    """

    def __init__(self, paths: Sequence[Path], *, columns: Mapping[str, str]) -> None:
        self.columns = columns
        self._files = [_open(path) for path in paths]
        _check_columns(self)
        self.digests = _Digests(self)

    def __len__(self) -> int:
        return sum(len(file) for file in self._files)

    def __getitem__(self, index: int) -> dict[str, Any]:
        for file in self._files:
            if index < len(file):
                return file[index]
            index -= len(file)
        raise IndexError(index)

    def where(self, index: int) -> str:
        """A row's place in the words of an error message."""
        for file in self._files:
            if index < len(file):
                return f"{file.path}, {file.unit} {index + 1}"
            index -= len(file)
        raise IndexError(index)

    def field(self, index: int, name: str) -> Any:
        return self.value(self[index], name)

    def value(self, row: Mapping[str, Any], name: str) -> Any:
        """A field of a row that is at hand; a column inside of another is named with a dot."""
        return inside(row, self.columns.get(name, name))

    def text(self, index: int, name: str) -> str | None:
        """A field as text; numbers are taken as they are written, an object that is an answer as JSON.

        Raises BadRows for anything else.
        """
        return self.as_text(self[index], index, name)

    def as_text(self, row: Mapping[str, Any], index: int, name: str) -> str | None:
        """The same of a row that is at hand."""
        value = self.value(row, name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if name == "answer" and isinstance(value, dict):  # what an answer must do: tests, constraints, a schema
            return reference_text(value)
        column = self.columns.get(name, name)
        raise BadRows(f"{self.where(index)}: {column!r} should be text, not {type(value).__name__}")

    def identity(self, start: int, stop: int) -> str:
        """The digest of the rows from `start` up to `stop`, and of the names under which their fields are read."""
        rows = self.digests.between(start, stop)
        return digest(rows, dict(self.columns)) if self.columns else rows


def inside(row: Mapping[str, Any], column: str) -> Any:
    """What a row has in a column, or inside of it: `reward_model.ground_truth`. None where it is not there."""
    if column in row:
        return row[column]
    value: Any = row
    for part in column.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


class _Digests:
    """Digests of every row, 8 bytes each, taken while the file is checked."""

    def __init__(self, rows: Rows) -> None:
        self._each = bytearray()
        for index in range(len(rows)):
            row = rows[index]
            _check_texts(rows, row, index)
            content = orjson.dumps(row, option=orjson.OPT_SORT_KEYS, default=str)
            self._each += hashlib.blake2b(content, digest_size=8).digest()

    def between(self, start: int, stop: int) -> str:
        return hashlib.blake2b(self._each[8 * start : 8 * stop], digest_size=16).hexdigest()


TEXTS = ("question", "answer", "verifier", "domain", "category", "source", "license")
FIELDS = {*TEXTS, "id", "responses", "correct", "rewards"}


def _check_columns(rows: Rows) -> None:
    """Raises BadRows for a field that there is not, and for a column that no row has."""
    if unknown := rows.columns.keys() - FIELDS:
        raise BadRows(f"columns: no field {min(unknown)!r}; there are: {', '.join(sorted(FIELDS))}")
    for column in rows.columns.values():
        if not any(inside(rows[index], column) is not None for index in range(len(rows))):
            seen = _names(rows[0]) if len(rows) else "no rows"
            raise BadRows(f"{rows.where(0) if len(rows) else 'columns'}: no column {column!r}; it has {seen}")


def _check_texts(rows: Rows, row: Mapping[str, Any], index: int) -> None:
    question, *_ = [rows.as_text(row, index, name) for name in TEXTS]
    if not question or not question.strip():
        column = rows.columns.get("question", "question")
        raise BadRows(f"{rows.where(index)}: no text in the column {column!r}; it has {_names(row)}")


class Seeds:
    """Seed tasks, as the batches in which they came: a draw is made over the seeds up to its batch.

    So that appending seeds changes no earlier draw, every batch remembers how many seeds there were and from which
    draw on it counts.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.batches: list[dict[str, Any]] = []
        self.settle([], drawn=0)

    def settle(self, known: Sequence[dict[str, Any]], *, drawn: int) -> None:
        """Continue the batches of an earlier run that made `drawn` draws, if these seeds continue its seeds."""
        total = len(self.rows)
        if not known or not all(self._holds(batch) for batch in known):
            known = []
        self.batches = list(known)
        if not known or known[-1]["count"] < total:
            first = drawn if known else 0
            self.batches.append({"count": total, "first_draw": first, "digest": self.rows.identity(0, total)})

    def _holds(self, batch: Mapping[str, Any]) -> bool:
        count = batch["count"]
        return count <= len(self.rows) and self.rows.identity(0, count) == batch["digest"]

    def batch_of(self, draw: int) -> int:
        """The index of the batch that a draw belongs to."""
        return max(i for i, batch in enumerate(self.batches) if batch["first_draw"] <= draw)

    def identity(self, start: int, stop: int) -> Any:
        """What draws from `start` on depend on. A shard never reaches over the end of a batch."""
        batch = self.batch_of(start)
        return [batch, self.batches[batch]["digest"]]

    def problem(self, index: int) -> Problem:
        """A seed as a fact."""
        return self.problem_of(self.rows, index)

    @staticmethod
    def problem_of(rows: Rows, index: int) -> Problem:
        """A row as a seed. A worked answer that ends in `#### 72`, as GSM8K has it, is read as 72."""
        answer = rows.text(index, "answer")
        if answer and "####" in answer:
            answer = answer.rpartition("####")[2].strip()
        return problem(
            parents=(),
            stage="seed@1",
            draw=None,
            kind="seed",
            question=rows.text(index, "question") or "",
            answer=answer,
            verifier=rows.text(index, "verifier") or ("math" if answer else None),
            domain=rows.text(index, "domain") or rows.text(index, "category"),
            source=rows.text(index, "source"),
            license=rows.text(index, "license"),
            details={"id": rows.field(index, "id")},
        )

    def domain(self, index: int) -> str | None:
        return self.rows.text(index, "domain") or self.rows.text(index, "category")

    @cached_property
    def by_domain(self) -> dict[str | None, list[int]]:
        """The rows of each domain, in their order."""
        rows: dict[str | None, list[int]] = defaultdict(list)
        for index in range(len(self.rows)):
            rows[self.domain(index)].append(index)
        return dict(rows)

    @cached_property
    def distinct(self) -> list[int]:
        """The first row of each question: a view may have several rows of one."""
        first: dict[str | None, int] = {}
        for index in range(len(self.rows)):
            first.setdefault(self.rows.text(index, "question"), index)
        return list(first.values())


class _JsonLines:
    """A JSONL file, mapped into memory, with the offset of each row."""

    unit = "line"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offsets = array("Q")
        self._bytes: mmap.mmap | bytes = b""
        with path.open("rb") as file:
            if path.stat().st_size:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        for number, (start, line) in enumerate(_lines(self._bytes), start=1):
            self._check(number, line)
            self._offsets.append(start)
        self._offsets.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: int) -> dict[str, Any]:
        return orjson.loads(self._bytes[self._offsets[index] : self._offsets[index + 1]])

    def _check(self, number: int, line: bytes) -> None:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise BadRows(f"{self.path}, line {number}: not JSON ({error})") from error
        if not isinstance(row, dict):
            raise BadRows(f"{self.path}, line {number}: should be an object {{...}}, not {type(row).__name__}")


def _lines(content: mmap.mmap | bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end + 1
        yield start, content[start:end]
        start = end


class _Parquet:
    """A Parquet file, one row group in memory at a time."""

    unit = "row"

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = path
        try:
            self._file = pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise BadRows(f"{path}: not a Parquet file ({error})") from error
        meta = self._file.metadata
        self._starts = [0]
        for group in range(meta.num_row_groups):
            self._starts.append(self._starts[-1] + meta.row_group(group).num_rows)
        self._group = -1
        self._table: Any = None

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: int) -> dict[str, Any]:
        group = max(i for i, start in enumerate(self._starts[:-1]) if start <= index)
        if group != self._group:
            self._group, self._table = group, self._file.read_row_group(group)
        return self._table.slice(index - self._starts[group], 1).to_pylist()[0]


class _Arrow:
    """An Arrow stream, as versions hold their views, mapped into memory."""

    unit = "row"

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self.path = path
        try:
            with pa.memory_map(str(path)) as file:
                self._table = pa.ipc.open_stream(file).read_all()
        except pa.ArrowInvalid as error:
            raise BadRows(f"{path}: not an Arrow stream ({error})") from error

    def __len__(self) -> int:
        return self._table.num_rows

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._table.slice(index, 1).to_pylist()[0]


def _open(path: Path) -> _JsonLines | _Parquet | _Arrow:
    if not path.is_file():
        raise BadRows(f"no file {path}")
    return {".parquet": _Parquet, ".arrow": _Arrow}.get(path.suffix, _JsonLines)(path)


def _names(row: Mapping[str, Any]) -> str:
    return ", ".join(map(repr, row)) or "no columns"
