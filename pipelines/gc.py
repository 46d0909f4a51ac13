"""Removing what nothing needs: outputs of stages, what killed processes left, replies where that is asked for.

An output is needed while the last run of a dataset lists it. Versions hold their own facts, so an output that goes
costs time and no tokens: it is made again from the journal. Replies stay, unless somebody asks for them to go; then
those stay that a version or an output names, and those that are young. Nothing is removed while a run is under way,
but that the journal's finished segments are merged: see `pipelines/merge.py`.

Where there is a store, what goes here goes there first, and nothing at all is touched while any machine makes a
dataset: others may read there what they have no copy of.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from pipelines import lease, mirrored_outputs
from pipelines.merge import SETTLED, Busy, Merged, Needed, everything, foretold, merge, nobody
from pipelines.mirror import Mirror, opened
from pipelines.records import digest
from pipelines.segment import Entry
from pipelines.store import checksum

DAY = 86_400.0
OLDER_THAN = 7 * DAY  # seconds: what is younger may belong to something that goes on tomorrow
ASIDE = re.compile(r"\..+\.[0-9a-f]{8}")  # a file that is written before it gets its name
UNBORN = re.compile(r"\.[0-9a-f]{8}")  # a version that was never finished


class Rubbish(NamedTuple):
    """What can go, by why."""

    unneeded: list[Path]  # outputs that no run lists
    broken: list[Path]  # outputs that were never finished, or are damaged
    left_over: list[Path]  # temporary files and folders of killed processes


NOTHING = Rubbish([], [], [])
UNTOUCHED = Merged(0, 0, 0, 0, 0)


class Sizes(NamedTuple):
    """Bytes on disk."""

    outputs: int
    journal: int
    datasets: int


class Collected(NamedTuple):
    """What was removed, or would be."""

    rubbish: Rubbish
    freed: int  # bytes of it
    merged: Merged
    before: Sizes
    after: Sizes
    under_way: bool  # a run is at work, so nothing but the journal was looked at


def collect(
    data: Path,
    *,
    older_than: float = OLDER_THAN,
    replies: bool = False,
    settled: float = SETTLED,
    now: float | None = None,
) -> Collected:
    """Remove what nothing needs and is older than so many seconds; with `replies`, also what models said of it.

    Raises BadStore or StoreDown, and ValueError where something cannot be told.
    """
    mirror = opened(data)
    before, now = sizes(data), time.time() if now is None else now
    try:
        with alone(data, mirror):
            rubbish = find_rubbish(data, older_than=older_than, now=now, mirror=mirror)
            freed = sum(size(path) for path in _all(rubbish))
            if mirror:
                mirror.check_house()
                mirrored_outputs.remove(mirror.remote, data, rubbish.unneeded)
            remove(rubbish)
            if mirror and replies:
                mirror.bring()
            needed = needed_replies(data, since=now - older_than) if replies else everything
            follow = nobody
            if mirror:
                follow = (journal := mirror.journal()).follow
                journal.sweep()
                journal.adopt(lambda index: replies)
                mirror.check_house()  # a run that began since then may need what nobody did
            merged = merge(data / "journal", needed=needed, settled=settled, follow=follow)
    except InUse:
        merged = UNTOUCHED if mirror else merge(data / "journal", settled=settled)
        return Collected(NOTHING, 0, merged, before, sizes(data), True)
    return Collected(rubbish, freed, merged, before, sizes(data), False)


def preview(
    data: Path,
    *,
    older_than: float = OLDER_THAN,
    replies: bool = False,
    settled: float = SETTLED,
    now: float | None = None,
) -> Collected:
    """What `collect` would do; nothing is changed. Raises ValueError where something cannot be told."""
    mirror = opened(data)
    if mirror and replies:
        raise ValueError(
            "which replies would go cannot be told without fetching all facts and the whole journal from the store:"
            " leave out --dry-run, or --replies"
        )
    before, now = sizes(data), time.time() if now is None else now
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(alone(data))
        except InUse:
            merged = foretold(data / "journal", settled=settled)
            return Collected(NOTHING, 0, merged, before, _left(before, 0, merged), True)
        rubbish = find_rubbish(data, older_than=older_than, now=now, mirror=mirror)
        needed = needed_replies(data, since=now - older_than, but=rubbish) if replies else everything
        merged = foretold(data / "journal", needed=needed, settled=settled)
    freed = sum(size(path) for path in _all(rubbish))
    return Collected(rubbish, freed, merged, before, _left(before, freed, merged), False)


def _left(before: Sizes, freed: int, merged: Merged) -> Sizes:
    return before._replace(
        outputs=max(0, before.outputs - freed), journal=before.journal - merged.bytes + merged.bytes_left
    )


# --- Who is at work -------------------------------------------------------------------------------------------


class InUse(Busy):
    """A run is under way."""


@contextlib.contextmanager
def using(data: Path) -> Iterator[None]:
    """Held by every run: nothing that it may read is removed meanwhile. Waits while something is being removed."""
    with _held(data, fcntl.LOCK_SH):
        yield


@contextlib.contextmanager
def alone(data: Path, mirror: Mirror | None = None) -> Iterator[None]:
    """Nobody runs anything in this data folder meanwhile, nor makes a dataset in its store. Raises InUse."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_held(data, fcntl.LOCK_EX | fcntl.LOCK_NB))
            if mirror:
                stack.enter_context(mirror.house())
        except BlockingIOError:
            raise InUse(f"a run is under way in {data}; do this again when it has ended") from None
        except lease.Busy as error:
            raise InUse(str(error)) from error
        yield


@contextlib.contextmanager
def _held(data: Path, how: int) -> Iterator[None]:
    """The data folder's own lock; where there is no folder there is nothing to hold.

    It is on a file, opened for writing: over NFS the lock of a folder holds on one machine only, and whoever cannot
    write gets no exclusive one.
    """
    if not data.is_dir():
        yield
        return
    with (data / "lock").open("a+b") as lock:
        fcntl.flock(lock, how)
        yield


# --- What can go ----------------------------------------------------------------------------------------------


def find_rubbish(data: Path, *, older_than: float, now: float, mirror: Mirror | None = None) -> Rubbish:
    """What can go while no run is under way, here and in the store."""
    listed = listed_outputs(data) | (mirrored_outputs.listed(mirror.remote, data) if mirror else set())
    unneeded, broken = [], []
    for folder in outputs(data):
        manifest = folder / "manifest.json"
        if not is_whole(folder):
            broken.append(folder)
        elif folder not in listed and now - manifest.stat().st_mtime >= older_than:
            unneeded.append(folder)
    if mirror:
        unneeded += mirrored_outputs.old(mirror.remote, data, before=now - older_than, but=listed)
    return Rubbish(unneeded, broken, list(left_over(data)))


def outputs(data: Path) -> Iterator[Path]:
    """The folders of all outputs of stages, finished or not."""
    for group in sorted((data / "runs" / "outputs").glob("??")):
        yield from (path for path in sorted(group.iterdir()) if path.is_dir())


def listed_outputs(data: Path) -> set[Path]:
    """The outputs that the last run of each dataset is made of."""
    found: set[Path] = set()
    for path in sorted((data / "runs").glob("*/shards.jsonl")):
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(orjson.JSONDecodeError):  # the last line of a run that was killed
                found |= {data / "runs" / "outputs" / each for each in orjson.loads(line)["outputs"]}
    return found


def is_whole(folder: Path) -> bool:
    """Whether an output is complete, and its files are as the manifest tells."""
    try:
        told = orjson.loads((folder / "manifest.json").read_bytes())
        own = told.pop("digest", None)
        files = told["files"]
        return own == digest(told) and all(_agrees(folder / f"{name}.parquet", files[name]) for name in files)
    except (FileNotFoundError, orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return False


def _agrees(path: Path, told: dict[str, Any]) -> bool:
    return all(told.get(name) == value for name, value in checksum(path.read_bytes()).items())


def left_over(data: Path) -> Iterator[Path]:
    """Temporary files below runs and in the journal, versions that were never finished, indexes without a log."""
    for room in ("runs", "journal"):
        yield from (path for path in sorted((data / room).rglob(".*")) if ASIDE.fullmatch(path.name))
    for home in sorted((data / "datasets").glob("*")):
        yield from (path for path in sorted(home.glob(".*")) if UNBORN.fullmatch(path.name) and path.is_dir())
    for path in sorted((data / "journal").glob("*.idx")):
        if not path.with_suffix(".log").exists():
            yield path


def remove(rubbish: Rubbish) -> None:
    """Remove it. The manifest goes first: without it, an output does not exist."""
    for path in _all(rubbish):
        (path / "manifest.json").unlink(missing_ok=True) if path.is_dir() else path.unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):  # the group of outputs still holds others
            if path.parent.parent.name == "outputs":
                path.parent.rmdir()


def _all(rubbish: Rubbish) -> list[Path]:
    return [*rubbish.unneeded, *rubbish.broken, *rubbish.left_over]


# --- Which replies are needed ---------------------------------------------------------------------------------


def needed_replies(data: Path, *, since: float, but: Rubbish = NOTHING) -> Needed:
    """What tells whether a reply is needed: it became durable `since` then, a fact names it, or no model said it."""
    gone = set(_all(but))
    folders = [folder for folder in outputs(data) if folder not in gone]
    folders += [path.with_name("facts") for path in sorted((data / "datasets").glob("*/v*/version.json"))]
    keys = {bytes.fromhex(key) for key in _requests(folders)}

    def needed(entry: Entry) -> bool:
        return entry.key in keys or entry.time >= since * 1e9 or not is_of_model(entry)

    return needed


def is_of_model(entry: Entry) -> bool:
    """Whether a model said it: scores, and what checks of answers came to, are journaled as well, and take little."""
    return entry.reply.startswith(b"{") and not entry.reply.startswith((b'{"reward"', b'{"logprobs"'))


def _requests(folders: Iterable[Path]) -> Iterator[str]:
    """The keys of all requests that attempts in these folders name."""
    import pyarrow.parquet as pq

    for folder in folders:
        for path in sorted(folder.glob("attempts*.parquet")):
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=["request"], use_threads=False):
                    yield from (key for told in batch.column("request").to_pylist() for key in told.split())


# --- Sizes ----------------------------------------------------------------------------------------------------


def sizes(data: Path) -> Sizes:
    """What lies in a data folder now."""
    return Sizes(size(data / "runs" / "outputs"), size(data / "journal"), size(data / "datasets"))


def size(path: Path) -> int:
    """The bytes of a file, or of all files below a folder; 0 where there is nothing."""
    if not path.is_dir():
        return path.stat().st_size if path.exists() else 0
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
