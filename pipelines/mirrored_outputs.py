"""The outputs of stages in a store and here. In both the manifest comes last, and goes first.

runs/outputs/<..>/<digest>/manifest.json and its Parquet files
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterable, Set
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from pipelines.remote import Remote, at_once
from pipelines.store import KINDS, Output, checksum, read_output, replace

UNDER = "runs/outputs"


def put_all(remote: Remote, data: Path) -> None:
    """Put every output that is here, however it came."""
    at_once(partial(_put, remote, data), sorted((data / UNDER).glob("*/*/manifest.json")))


def put_lacking(remote: Remote, data: Path, shards: bytes) -> None:
    """Put those outputs of a run that were here when it began, and which the store has no more: somebody collected
    them there while no run listed them."""
    there = remote.sizes(UNDER)
    listed = [data / UNDER / name / "manifest.json" for name in names_in(shards)]
    lacking = [path for path in listed if path.exists() and _name(data, path) not in there]
    at_once(partial(_put, remote, data), lacking)


def _put(remote: Remote, data: Path, manifest: Path) -> None:
    for path in (*sorted(manifest.parent.glob("*.parquet")), manifest):
        remote.put(_name(data, path), path.read_bytes())


def fetch(remote: Remote, data: Path, folder: Path) -> Output | None:
    """The output in `folder`, fetched before if the store has it whole; None where it has not."""
    manifest = remote.get(_name(data, folder / "manifest.json"), 0)
    told = _files(manifest)
    if manifest is None or told is None:
        return None
    contents = {name: remote.get(_name(data, folder / f"{name}.parquet"), 0) or b"" for name in told}
    if not all(told[name].items() >= checksum(contents[name]).items() for name in told):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        replace(folder / f"{name}.parquet", content)
    replace(folder / "manifest.json", manifest)
    return read_output(folder)


def fetch_all(remote: Remote, data: Path) -> None:
    """Bring here every output that the store has. What is no whole output is removed there: nothing is under way."""
    there = sorted({path.rpartition("/")[0] for path in remote.sizes(UNDER)})
    lacking = [data / name for name in there if read_output(data / name) is None]
    damaged = at_once(lambda folder: fetch(remote, data, folder) is None, lacking)
    remove(remote, data, itertools.compress(lacking, damaged))


def remove(remote: Remote, data: Path, folders: Iterable[Path]) -> None:
    """Remove outputs from the store: first what says that the rest is there."""
    names = [_name(data, folder) for folder in folders]
    remote.remove(f"{name}/manifest.json" for name in names)
    remote.remove(path for paths in at_once(remote.sizes, names) for path in paths)


def listed(remote: Remote, data: Path) -> set[Path]:
    """The outputs that the last run of each dataset in the store is made of."""
    lists = [path for path in remote.sizes("runs") if re.fullmatch(r"runs/[^/]+/shards\.jsonl", path)]
    told = at_once(lambda path: remote.get(path), lists)
    return {data / UNDER / name for each in told for name in names_in(each or b"")}


def names_in(shards: bytes) -> list[str]:
    """The outputs of the shards that a run has finished; half of a line is none."""
    names: list[str] = []
    for line in shards.splitlines():
        with contextlib.suppress(orjson.JSONDecodeError):
            names += orjson.loads(line)["outputs"]
    return [name for name in names if re.fullmatch("[0-9a-f]{2}/[0-9a-f]+", name)]


def old(remote: Remote, data: Path, *, before: float, but: Set[Path]) -> list[Path]:
    """Where the outputs would be that only the store has, were put `before` then, and are none of those."""
    last: dict[Path, str] = {}
    for path in remote.sizes(UNDER):
        folder = data / path.rpartition("/")[0]
        if folder not in but and not folder.exists() and not last.get(folder, "").endswith("/manifest.json"):
            last[folder] = path
    times = at_once(remote.modified, list(last.values()))
    return [folder for folder, time in zip(last, times, strict=True) if time is not None and time < before]


def _files(manifest: bytes | None) -> dict[str, dict[str, Any]] | None:
    """The files that a manifest tells of, None where it is not whole."""
    try:
        files = orjson.loads(manifest or b"")["files"]
        return {name: files[name] for name in KINDS if name in files}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


def _name(data: Path, path: Path) -> str:
    return path.relative_to(data).as_posix()
