"""Facts on disk: content-addressed stage outputs, each complete once its manifest is there.

    data/runs/outputs/<first two digits>/<digest>/{problems,attempts,verdicts}.parquet, manifest.json

The digest in the name covers everything that decides the content, so an output is never wrong, only present or
absent. The manifest is written last and tells size and checksum of every file; an output whose files do not agree
with it, or that has none, does not exist. Nothing needs to be synced for that: what a power cut takes is made again
from the journal.
"""

from __future__ import annotations

import errno
import hashlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipelines.migrate import present, present_file
from pipelines.records import Attempt, Facts, Problem, Verdict, digest, from_table, schema, to_table

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

KINDS: dict[str, type[Any]] = {"problems": Problem, "attempts": Attempt, "verdicts": Verdict}

ROW_GROUP_BYTES = 64 << 20
"""Row groups are cut by bytes, since long thoughts make rows of very different size."""


class Output(NamedTuple):
    """What a stage appended for one shard, and the problems that the next stage reads."""

    facts: Facts
    live: list[str]  # ids of problems, in draw order
    out: Sequence[tuple[int, str]] = ()  # the draws that go no further, each with the id of the verdict that says why

    @property
    def digest(self) -> str:
        """What names this output to the stages that read it: its facts, however they were encoded."""
        return digest([[fact.id for fact in facts] for facts in self.facts], self.live)


class DiskFull(Exception):
    """No space is left on the disk; what was complete before still is."""


def data_folder() -> Path:
    """Where runs, datasets and the journal live: THOUGHTMILL_DATA, or `data` in the working directory."""
    return Path(os.environ.get("THOUGHTMILL_DATA", "data"))


def output_folder(data: Path, key: str) -> Path:
    return data / "runs" / "outputs" / key[:2] / key


def as_tables(output: Output) -> dict[str, pa.Table]:
    """The facts of an output as Arrow tables, where there are any."""
    kinds = zip(KINDS.items(), output.facts, strict=True)
    return {name: to_table(kind, facts) for (name, kind), facts in kinds if facts}


def write_output(
    folder: Path,
    output: Output,
    *,
    closure: Mapping[str, Any],
    tables: Mapping[str, pa.Table] | None = None,
    keep: Callable[[Path, bytes | pa.Buffer], None] = lambda path, content: None,
) -> None:
    """Write an output and, last, its manifest.

    Writing the same output twice, or from two processes at once, is harmless: every file is put in place whole.
    `tables` are those of `as_tables`, for a caller who writes in a thread: making them keeps all threads waiting.
    `keep` puts files into a store: what has a manifest here is whole there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_full(error, folder) from error
    files = {}
    for name, table in (as_tables(output) if tables is None else tables).items():
        content = to_parquet(table)
        replace(folder / f"{name}.parquet", content)
        keep(folder / f"{name}.parquet", content)
        files[name] = {"rows": table.num_rows, **checksum(content)}
    manifest = {"files": files, "live": output.live, "out": output.out, "closure": closure}
    manifest["digest"] = digest(manifest)
    told = orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)
    keep(folder / "manifest.json", told)
    replace(folder / "manifest.json", told)


def read_output(folder: Path) -> Output | None:
    """The output in `folder`; None when it is absent, incomplete or damaged."""
    try:
        manifest = orjson.loads((folder / "manifest.json").read_bytes())
        if manifest.pop("digest", None) != digest(manifest):
            raise Damaged(folder / "manifest.json")
        facts = Facts.none()
        for (name, kind), into in zip(KINDS.items(), facts, strict=True):
            if told := manifest["files"].get(name):
                into.extend(from_table(kind, present(kind, _read_checked(folder / f"{name}.parquet", told))))
    except (FileNotFoundError, orjson.JSONDecodeError, Damaged):
        return None
    return Output(facts, manifest["live"], [(draw, verdict) for draw, verdict in manifest["out"]])


class Damaged(Exception):
    """A file does not have the content that its manifest tells of."""


def _read_checked(path: Path, told: Mapping[str, Any]) -> pa.Table:
    content = path.read_bytes()
    if any(told[name] != value for name, value in checksum(content).items()):
        raise Damaged(path)
    return from_parquet(content)


def checksum(content: bytes | pa.Buffer) -> dict[str, Any]:
    return {"bytes": len(content), "blake2b": hashlib.blake2b(content, digest_size=16).hexdigest()}


def replace(path: Path, content: bytes | pa.Buffer, *, sync: bool = False) -> None:
    """Put a whole file in place at once, so that no reader ever sees half of it."""
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with aside.open("wb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise disk_full(error, path) from error


def disk_full(error: OSError, path: Path) -> Exception:
    """The error that a person should see for `error` while writing to `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"no space left for {path}; free some and run again: what was complete before is kept")
    return error


# ---------------------------------------------------------------------------------------------------------------
# Parquet, and reading without loading everything


def to_parquet(table: pa.Table) -> pa.Buffer:
    """A table as the bytes of a Parquet file, in row groups of about ROW_GROUP_BYTES."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", use_dictionary=False, row_group_size=rows_in_a_group(table))
    return sink.getvalue()


def rows_in_a_group(table: pa.Table) -> int:
    return max(1, table.num_rows * ROW_GROUP_BYTES // max(table.nbytes, 1))


def from_parquet(content: bytes) -> pa.Table:
    """The table in the bytes of a Parquet file.

    Read without Arrow's pools of threads (`read_table` would start one even for bytes in memory): a process that ends
    while such a pool starts is aborted, about once in three hundred times.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)


def scan(folders: Iterable[Path], name: str) -> Iterator[pa.Table]:
    """The tables called `name` (problems, attempts, verdicts) of these outputs or versions, one file at a time."""
    import pyarrow.parquet as pq

    for folder in folders:
        for path in sorted(folder.glob(f"{name}*.parquet")):
            yield pq.read_table(present_file(path, KINDS[name]), schema=schema(KINDS[name]))


def connect(folders: Sequence[Path]) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the views problems, attempts and verdicts over the facts in `folders`.

    Nothing is loaded until a query asks for it; the connection can reach neither the network nor other files' code.
    """
    import duckdb

    closed: dict[str, Any] = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    connection = duckdb.connect(config=closed)
    for name, kind in KINDS.items():
        found = (path for folder in folders for path in sorted(folder.glob(f"{name}*.parquet")))
        files = [str(present_file(path, kind)) for path in found]
        if files:
            connection.read_parquet(files).create_view(name)  # pyright: ignore[reportArgumentType]
        else:
            connection.from_arrow(schema(kind).empty_table()).create(name)
    return connection
