"""Benchmarks: what a training set must not contain, as JSONL or Parquet files in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import orjson

COLUMNS = ("question", "problem", "prompt", "instruction")  # that hold the question; the first that is there


class Item(NamedTuple):
    """One item of a benchmark: its file, its row there from 0, and what is asked."""

    file: str
    number: int
    question: str
    answer: str | None = None


class File(NamedTuple):
    """A file of a folder, as far as it can be told without reading it."""

    name: str
    size: int
    changed: int  # nanoseconds


def files_of(folder: Path | str) -> tuple[File, ...]:
    """The benchmark files of a folder, by name. Raises ValueError when there are none."""
    here = sorted(path for path in Path(folder).glob("*") if path.suffix in (".jsonl", ".parquet"))
    if not here:
        raise ValueError(f"no *.jsonl or *.parquet in {folder}: there is nothing to compare with")
    return tuple(File(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in here)


def digest_of(folder: Path | str) -> str:
    """A digest of what the files hold, and of their names."""
    found = blake2b(digest_size=16)
    for file in files_of(folder):
        content = (Path(folder) / file.name).read_bytes()
        found.update(blake2b(file.name.encode("utf-8", "surrogateescape")).digest() + blake2b(content).digest())
    return found.hexdigest()


def read(folder: Path | str) -> list[Item]:
    """All items of all files. Raises ValueError for a file without questions."""
    return [item for file in files_of(folder) for item in _items(Path(folder) / file.name)]


def _items(path: Path) -> Iterator[Item]:
    rows = list(_parquet(path) if path.suffix == ".parquet" else _jsonl(path))
    column = next((name for name in COLUMNS if any(name in row for row in rows)), None)
    if column is None:
        raise ValueError(f"{path}: no column {', '.join(COLUMNS)}")
    for number, row in enumerate(rows):
        if isinstance(question := row.get(column), str):
            answer = row.get("answer")
            yield Item(path.name, number, question, None if answer is None else str(answer))


def _jsonl(path: Path) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(path.read_bytes().splitlines()):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number + 1}: no JSON ({error})") from error
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number + 1}: no JSON object")
        yield row


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    import pyarrow.parquet as pq

    names = pq.read_schema(path).names
    wanted = [name for name in (*COLUMNS, "answer") if name in names]
    yield from pq.read_table(path, columns=wanted).to_pylist()
