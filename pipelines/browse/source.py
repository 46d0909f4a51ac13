"""What can be looked at, and where it lies: a version, a run that has none yet, or any table.

Names come from addresses of the page, so they are checked: the name of a dataset or run is that of a folder in `data`
and no more. Only a person at the command line opens other paths.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from pipelines.browse import index as indexes
from pipelines.browse.asking import cursor_of
from pipelines.browse.candidates import (
    COLUMNS,
    candidates_of_run,
    candidates_of_version,
    define_run,
    define_version,
)
from pipelines.browse.columns import Column, as_own_name
from pipelines.browse.files import Files, data_files, open_files, range_of_rows
from pipelines.browse.index import PART_ROWS, Index, Part
from pipelines.browse.spans import Span, span_of_draw, span_of_row, spans_of_run, spans_of_version
from pipelines.hub.fetch import fetch, is_hub
from pipelines.records import digest
from pipelines.release import read_version, versions
from pipelines.versions.pin import current

if TYPE_CHECKING:
    import duckdb

Kind = Literal["version", "run", "table"]

MEMORY = "2GB"  # of DuckDB for one source; what takes more goes to the disk
THREADS = 2
SHARD_WINDOW = 4_096  # draws of a run whose shards are indexed together

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}", re.ASCII)


@dataclass
class Source:
    """Something that is open to be looked at. Its functions may be called from any thread."""

    name: str
    kind: Kind
    columns: list[Column]  # of a page: those of the index, and the mark of a person
    rows: int
    about: dict[str, Any]
    facts: list[Path]  # folders, of a version or run
    spans: list[Span]
    files: Files | None  # of a table
    index: Index
    connection: duckdb.DuckDBPyConnection
    marks: Path
    known_marks: tuple[tuple[int, int], list[Any]] | None = None  # as read from a file of this time and size
    remembered: dict[str, tuple[Any, Any]] = field(default_factory=dict)  # what was counted, and of what state

    @property
    def mark(self) -> str:
        """The name of the column with a person's mark."""
        return self.columns[-1].name


# ---------------------------------------------------------------------------------------------------------------
# Opening


def open_source(data: Path, name: str) -> Source:
    """Open NAME, NAME@vN, run:NAME, hub:OWNER/NAME@REVISION:PATH, or the path of a version or table.

    Its index is made in the background, unless it is there. Raises ValueError, for what is not there or not readable.
    """
    data = data.absolute()
    if is_hub(name):
        fetched = fetch(name)
        told = {"revision": fetched.revision, "notes": list(fetched.notes)}
        rows = [each for each in fetched.files if each.endswith(".parquet")]  # beside them lie seeds and the like
        return _table(data, name, [fetched.folder / each for each in _one_config(name, rows or fetched.files)], told)
    if name.startswith("run:"):
        return _run(data, name)
    dataset, _, version = name.partition("@")
    if _NAME.fullmatch(dataset) and (found := versions(data / "datasets" / dataset)):
        home = data / "datasets" / dataset
        folder = next((each for each in found if each.name == version), None) if version else current(home)
        if folder is None:
            there = ", ".join(each.name for each in found)
            raise ValueError(f"no version {version!r} of {dataset}; there are: {there}")
        return _version(data, f"{dataset}@{folder.name}", folder)
    if (Path(name) / "version.json").is_file():
        return _version(data, name, Path(name).absolute())
    if name and Path(name).exists():
        return _table(data, name, data_files(Path(name).absolute()), {})
    there = ", ".join(each for each, _ in names(data)) or "nothing yet; thoughtmill run RECIPE makes a dataset"
    raise ValueError(f"nothing to browse is called {name!r}; there are: {there}")


def _one_config(name: str, files: Sequence[str]) -> Sequence[str]:
    """The files, if they lie in one folder below `data`: each has columns of its own. Raises ValueError."""
    configs = sorted({each.rpartition("/")[0] for each in files})
    if len(configs) > 1 and all(each.startswith("data/") for each in configs):
        raise ValueError(
            f"{name} has several tables: name one, as in {name}:{configs[0]}; there are: {', '.join(configs)}"
        )
    return files


def names(data: Path) -> list[tuple[str, Kind]]:
    """The versions and runs that there are, newest version first."""
    found: list[tuple[str, Kind]] = []
    for home in sorted((data / "datasets").glob("*")):
        found.extend((f"{home.name}@{folder.name}", "version") for folder in reversed(versions(home)))
    for path in sorted((data / "runs").glob("*/shards.jsonl")):
        found.append((f"run:{path.parent.name}", "run"))
    return found


def _version(data: Path, name: str, folder: Path) -> Source:
    told, books = read_version(folder), orjson.loads((folder / "ledger.json").read_bytes())
    facts = folder / "facts"
    about = {"folder": str(folder), "version": told, "ledger": books, "recipe": _recipe(folder)}
    spans = spans_of_version(facts, books["candidates"])
    key = digest(told["digest"], told["files"])
    rows = spans[-1].rows.stop if spans else 0
    parts = [Part(digest(key, first), first, min(first + PART_ROWS, rows)) for first in range(0, rows, PART_ROWS)]
    marks = data / "marks" / f"{as_own_name(folder.parent.resolve().name)}.jsonl"
    return _opened(data, name, "version", parts, about=about, spans=spans, facts=[facts], marks=marks)


def _run(data: Path, name: str) -> Source:
    run = name.removeprefix("run:")
    home = data / "runs" / run
    if not _NAME.fullmatch(run) or not (home / "shards.jsonl").is_file():
        there = ", ".join(each for each, kind in names(data) if kind == "run") or "none yet"
        raise ValueError(f"no run {run!r}; there are: {there}")
    spans = spans_of_run(data, home)
    facts = [folder for span in spans for folder in span.folders]
    windows: dict[int, list[Span]] = {}
    for span in spans:
        windows.setdefault(span.start // SHARD_WINDOW, []).append(span)
    parts = [
        Part(digest([folder.name for span in some for folder in span.folders]), some[0].row, some[-1].rows.stop)
        for some in windows.values()
    ]
    about = {"folder": str(home), "recipe": _recipe(home), "draws": parts[-1].stop if parts else 0}
    marks = data / "marks" / f"{run}.jsonl"
    return _opened(data, name, "run", parts, about=about, spans=spans, facts=facts, marks=marks)


def _recipe(folder: Path) -> dict[str, Any]:
    path = folder / "recipe.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _table(data: Path, name: str, paths: Sequence[Path], told: dict[str, Any]) -> Source:
    if others := [path for path in paths if path.suffix not in (".parquet", ".arrow")]:
        raise ValueError(f"{others[0].name}: only Parquet can be browsed; name the Parquet files, as in {name}:PATH")
    files = open_files(paths)
    key = digest([[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in paths])
    parts: list[Part] = []
    for block in files.blocks:  # whole blocks: to read from within one, what stands before is read too
        if parts and block.row + block.rows - parts[-1].start <= PART_ROWS:
            parts[-1] = parts[-1]._replace(stop=block.row + block.rows)
        else:
            parts.append(Part(digest(key, block.row), block.row, block.row + block.rows))
    about = {"files": [str(path) for path in paths], "notes": [], **told}
    marks = data / "marks" / f"table-{digest(name)[:16]}.jsonl"
    return _opened(data, name, "table", parts, about=about, files=files, marks=marks)


def _opened(
    data: Path,
    name: str,
    kind: Kind,
    parts: list[Part],
    *,
    about: dict[str, Any],
    marks: Path,
    spans: list[Span] | None = None,
    facts: list[Path] | None = None,
    files: Files | None = None,
) -> Source:
    columns = COLUMNS if files is None else files.columns
    cache = data / "cache" / "browse"
    cache.mkdir(parents=True, exist_ok=True)
    readable = [cache, *(facts if kind == "version" and facts else [data / "runs" / "outputs"])]
    connection = connect(readable, spill=cache / "spill")
    if kind == "version" and facts:
        define_version(connection, facts[0])
    index = Index(cache, columns, parts, connection, _reader(kind, spans or [], files))
    indexes.find(index)
    return Source(
        name=name,
        kind=kind,
        columns=[*columns, _mark_column(columns)],
        rows=parts[-1].stop if parts else 0,
        about=about,
        facts=facts or [],
        spans=spans or [],
        files=files,
        index=index,
        connection=connection,
        marks=marks,
    )


def _mark_column(columns: Sequence[Column]) -> Column:
    taken = {column.name for column in columns}
    name = next(name for name in ("mark", "your mark", "mark of a person", "") if name not in taken)
    return Column(name, "category", "what a person said of it")


def connect(readable: Sequence[Path], *, spill: Path) -> duckdb.DuckDBPyConnection:
    """A connection in memory that reads files of these folders only, and takes no more memory than MEMORY."""
    import duckdb

    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": MEMORY,
            "threads": str(THREADS),
            "temp_directory": str(spill),
        }
    )
    connection.execute(
        "set parquet_metadata_cache = true"
    )  # the end of a long file takes a tenth of a second to read
    folders = ", ".join("'" + str(folder.absolute()).replace("'", "''") + "'" for folder in readable)
    connection.execute(f"set allowed_directories = [{folders}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


# ---------------------------------------------------------------------------------------------------------------
# Rows


def _reader(kind: Kind, spans: list[Span], files: Files | None) -> indexes.Read:
    """What gives rows as an index keeps them, from the facts or files themselves."""
    if files is not None:
        return lambda cursor, first, stop: range_of_rows(cursor, files, first, stop)
    made = candidates_of_version if kind == "version" else candidates_of_run
    return lambda cursor, first, stop: iter([made(cursor, spans, first, stop)] if first < stop else [])


def draw_of(source: Source, row: int) -> int:
    """The draw of a row. Raises ValueError."""
    span = span_of_row(source.spans, row)
    return span.start + row - span.row


def row_of(source: Source, draw: int) -> int:
    """The row of a draw. Raises ValueError."""
    span = span_of_draw(source.spans, draw)
    return span.row + draw - span.start


@contextmanager
def facts_at(source: Source, row: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor whose problems, attempts and verdicts hold those of a row of a version or run, and others."""
    with cursor_of(source.connection) as cursor:
        if source.kind == "run":
            define_run(cursor, source.spans, row, row + 1)
        yield cursor


def check_row(source: Source, row: int) -> None:
    """Raises ValueError for a row that is not there."""
    if not 0 <= row < source.rows:
        raise ValueError(f"no row {row}; there are {source.rows:,}, counted from 0")


# ---------------------------------------------------------------------------------------------------------------
# The index


def begin_index(source: Source) -> None:
    """Make the index from now on, in the background."""
    indexes.start(source.index)


def progress(source: Source) -> float:
    """How much is indexed, from 0 to 1."""
    return source.index.rows / source.rows if source.rows else 1.0


def trouble(source: Source) -> str | None:
    """Why the rest cannot be indexed, in one line."""
    return source.index.error


def wait(source: Source, timeout: float | None = None) -> bool:
    """Wait until all is indexed; whether it is. Raises ValueError when it cannot be."""
    return indexes.wait(source.index, timeout=timeout)


def is_stale(source: Source) -> bool:
    """Whether a run has finished other shards since it was opened."""
    if source.kind != "run":
        return False
    home = Path(source.about["folder"])
    return spans_of_run(home.parents[1], home) != source.spans


def close(source: Source) -> None:
    """End the thread that makes the index; what it has made stays."""
    indexes.stop(source.index)
    source.connection.close()
