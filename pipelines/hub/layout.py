"""A version as it lies on the Hub: a config for each view, the facts as configs too, and what tells how it was made.

    data/CONFIG/train-00000-of-000NN.parquet   sft, rl, random-sft, curriculum-00, facts-problems, ...
    ledger.json  report/  recipe.toml  prompts/  seeds/  curriculum/  version.json

The same version is laid out in the same bytes by the same release of pyarrow. Only files that we know by name are
published: whatever else somebody put into the folder of a version stays at home.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipelines.hub.portable import portable
from pipelines.records import SCHEMA_VERSION, schema
from pipelines.row_groups import write_files
from pipelines.store import KINDS

if TYPE_CHECKING:
    import pyarrow as pa

KEPT = (
    "ledger.json",
    "report/*.json",
    "report/*.md",
    "report/*.png",
    "report/*.svg",
    "curriculum/*.json*",
    "prompts/**/*.md",
)
VERSION = "version.json"


class NoVersion(ValueError):
    """A folder that cannot be published; the message says why."""


class Config(NamedTuple):
    """What `datasets.load_dataset(repo, NAME)` loads, as its only split, `train`."""

    name: str
    files: tuple[str, ...]  # paths in the repository
    rows: int
    bytes: int  # of the files: what is downloaded
    memory: int  # bytes of the rows once they are read


class File(NamedTuple):
    """A file of the release."""

    path: str  # in the repository
    source: Path  # where its bytes lie now


class Layout(NamedTuple):
    """All files but the card, by path, and the configs, the default one first."""

    files: tuple[File, ...]
    configs: tuple[Config, ...]
    notes: tuple[str, ...]  # what a person should know: seeds that are not at hand any more


def layout(folder: Path, into: Path) -> Layout:
    """Lay out the version in `folder`, making what has to be made below `into`, an empty folder.

    Raises NoVersion for a folder that holds no complete version, or one whose facts are not what was written.
    """
    told = _read_version(folder)
    configs, made = [], []
    for name, table in _tables(folder, told).items():
        config, files = _write_config(into, name, table)
        configs.append(config)
        made += files
    ours = portable(folder)
    made.append(_write(into, "recipe.toml", ours.recipe.encode()))
    made += [File(name, path) for name, path in ours.files.items()]
    made += [File(path.relative_to(folder).as_posix(), path) for path in _kept(folder)]
    made.append(_write(into, VERSION, _about(told, sorted(made), configs)))
    return Layout(tuple(sorted(made)), tuple(configs), ours.notes)


def _kept(folder: Path) -> Iterator[Path]:
    """The files that go along as they are."""
    for pattern in KEPT:
        yield from (path for path in folder.glob(pattern) if not path.name.startswith("."))


def _read_version(folder: Path) -> dict[str, Any]:
    try:
        told = orjson.loads((folder / VERSION).read_bytes())
    except FileNotFoundError as error:
        raise NoVersion(f"{folder}: no complete version (there is no {VERSION}); make it again") from error
    if told["schema"] != SCHEMA_VERSION:
        raise NoVersion(f"{folder}: its facts have schema {told['schema']}, and this program has {SCHEMA_VERSION}")
    for name, expected in told["files"].items():
        path = folder / "facts" / name
        if not path.is_file() or _digest(path) != expected["blake2b"]:
            raise NoVersion(f"{path} is not as {VERSION} tells of it: the version was damaged; make it again")
    return told


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


# --- Tables ---------------------------------------------------------------------------------------------------


class Table(NamedTuple):
    """Rows that can be read once."""

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]


def _tables(folder: Path, told: dict[str, Any]) -> dict[str, Table]:
    """What becomes a config, by its name: views in the recipe's order, random arms, curriculum, facts."""
    tables = {view.replace("/", "-"): _arrow(folder / view) for view in told["rows"]}
    for path in sorted(folder.glob("curriculum/stage-*.parquet")):
        tables[f"curriculum-{path.stem.removeprefix('stage-')}"] = _parquet(path)
    for name, kind in KINDS.items():
        tables[f"facts-{name}"] = Table(schema(kind), _parquet(folder / "facts" / f"{name}.parquet").batches)
    return tables


def _arrow(folder: Path) -> Table:
    """A view, as `datasets.save_to_disk` writes it."""
    import pyarrow as pa

    names = [each["filename"] for each in orjson.loads((folder / "state.json").read_bytes())["_data_files"]]
    with pa.ipc.open_stream(str(folder / names[0])) as first:
        return Table(first.schema, _streams([folder / name for name in names]))


def _streams(paths: Iterable[Path]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for path in paths:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
            yield from stream


def _parquet(path: Path) -> Table:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    return Table(file.schema_arrow, file.iter_batches(batch_size=1024, use_threads=False))


def _write_config(into: Path, name: str, table: Table) -> tuple[Config, list[File]]:
    written = write_files(into / "data" / name, table.schema, table.batches)
    files = [File(path.relative_to(into).as_posix(), path) for path in written.files]
    size = sum(path.stat().st_size for path in written.files)
    return Config(name, tuple(each.path for each in files), written.rows, size, written.memory), files


# --- About ----------------------------------------------------------------------------------------------------


def writer() -> str:
    """What makes the bytes of a release: another release of it may write the same rows in other bytes."""
    import pyarrow

    return f"pyarrow {pyarrow.__version__}"


def _about(told: dict[str, Any], files: Iterable[File], configs: Iterable[Config]) -> bytes:
    """`version.json`, with the files as they are on the Hub in place of those of the local version."""
    sums = {each.path: {"bytes": each.source.stat().st_size, "blake2b": _digest(each.source)} for each in files}
    rows = {config.name: config.rows for config in configs}
    return orjson.dumps({**told, "rows": rows, "files": sums, "writer": writer()}, option=orjson.OPT_INDENT_2)


def _write(into: Path, name: str, content: bytes) -> File:
    path = into / name
    path.write_bytes(content)
    return File(name, path)
