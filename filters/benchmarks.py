"""Benchmarks: what a training set must not contain, as JSONL or Parquet files in a folder and its folders."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from filters.artifact import files_in
from filters.verifiers.reading import question_text

# That hold the question: the first that is there.
COLUMNS = ("question", "problem", "prompt", "instruction", "Question", "Problem", "query", "input", "text")
ENDINGS = (".jsonl", ".jsonl.gz", ".parquet")
OTHERS = (".csv", ".tsv", ".arrow", ".xlsx")  # that hold rows, and would be passed over in silence


class Item(NamedTuple):
    """One item of a benchmark: its file within the folder, its row there from 0, and what is asked."""

    file: str
    number: int
    question: str
    answer: str | None = None


def files_of(folder: Path | str) -> list[Path]:
    """The benchmark files of a folder and of those in it, by name. Raises ValueError when there are none."""
    files = list(files_in(Path(folder)))
    if other := next((path for path in files if path.suffix in OTHERS), None):
        raise ValueError(f"{other}: benchmarks are read from JSON lines and Parquet; convert it, or lay it elsewhere")
    here = [path for path in files if path.name.endswith(ENDINGS)]
    if not here:
        raise ValueError(f"no *.jsonl or *.parquet in {folder}: there is nothing to compare with")
    return here


def read(folder: Path | str) -> list[Item]:
    """All items of all files. Raises ValueError for a file without questions."""
    home = Path(folder).parent if Path(folder).is_file() else Path(folder)
    return [item for file in files_of(folder) for item in _items(file, file.relative_to(home).as_posix())]


def _items(path: Path, name: str) -> Iterator[Item]:
    rows = list(_parquet(path) if path.suffix == ".parquet" else _jsonl(path))
    column = next((column for column in COLUMNS if any(column in row for row in rows)), None)
    if column is None:
        raise ValueError(f"{path}: no column {', '.join(COLUMNS)}")
    for number, row in enumerate(rows):
        if question := question_text(row.get(column)):
            answer = row.get("answer")
            yield Item(name, number, question, None if answer is None else str(answer))


def _jsonl(path: Path) -> Iterator[Mapping[str, Any]]:
    content = path.read_bytes()
    for number, line in enumerate((gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()):
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
