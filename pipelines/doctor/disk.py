"""The disk that data lies on, and what lies there already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipelines.doctor.world import Finding, World, broken, note, well
from pipelines.gc import is_whole, outputs
from pipelines.merge import frames
from pipelines.migrate import CannotRead, steps_of
from pipelines.release import versions
from pipelines.store import KINDS
from pipelines.tombstones import read_stones

ROOM = 2 << 30  # bytes that should be free
SLOW = 0.25  # seconds for a write to be durable, from which on a run waits for the disk and not for models
ELSEWHERE = "export THOUGHTMILL_DATA=/a/folder/on/another/disk"


def disk(world: World) -> Iterator[Finding]:
    """May data be written, is there room, is it soon durable, and do locks keep two runs apart?"""
    folder = nearest(world.data)
    try:
        seconds = world.sync_seconds(folder)
    except OSError as error:
        told = f"nothing can be written to {folder}: {error.strerror}"
        yield broken("disk", told, mend=f"chown -R $USER {folder}, or {ELSEWHERE}")
        return
    bytes_free = world.free(folder)
    if bytes_free < ROOM:
        told = f"{bytes_free / 1e9:.1f} GB are free at {folder}"
        yield broken("disk", told, mend=f"thoughtmill gc, or {ELSEWHERE}")
    else:
        yield well("disk", f"{bytes_free / 1e9:,.0f} GB are free at {folder}")
    if seconds > SLOW:
        told = f"a write takes {seconds:.2f} s to be durable: runs would wait for it"
        yield broken("disk", told, mend=ELSEWHERE)
    else:
        yield well("disk", f"a write is durable within {1000 * seconds:.1f} ms")
    if world.locks_hold(folder):
        yield well("disk", "locks are honoured")
    else:
        told = f"locks are not honoured at {folder}: two runs of one dataset would not notice each other"
        yield broken("disk", told, mend=ELSEWHERE)


def nearest(folder: Path) -> Path:
    """The folder, or the first above it that is there."""
    folder = folder.absolute()
    return next(each for each in (folder, *folder.parents) if each.is_dir())


def journal(world: World) -> Iterator[Finding]:
    """Is every reply readable that was paid for?"""
    replies = damaged = size = 0
    for path in sorted((world.data / "journal").glob("*.log")):
        whole = sum(map(len, frames(path)))
        size += path.stat().st_size
        if path.with_suffix(".idx").exists():  # else it grows, and its end may be half written this very moment
            damaged += path.stat().st_size - whole
        replies += 1
    if damaged:
        told = f"{damaged:,} bytes of the journal are damaged: the replies in them are asked for again"
        yield broken("journal", told, mend="thoughtmill gc")
    elif replies:
        yield well("journal", f"{size / 1e6:,.1f} MB in {replies:,} parts, all of it readable")
    else:
        yield well("journal", "nothing is in it yet")


def facts(world: World) -> Iterator[Finding]:
    """Are the outputs of stages, and the facts of versions, as they were written?"""
    folders = list(outputs(world.data))
    if gone := sum(not is_whole(folder) for folder in folders):
        told = f"{gone:,} of {len(folders):,} outputs were never finished, or are damaged: they are made again"
        yield broken("facts", told, mend="thoughtmill gc")
    else:
        yield well("facts", f"{len(folders):,} outputs, all of them whole")
    for home in sorted((world.data / "datasets").glob("*")):
        for version in versions(home):
            yield from _version(version)


def _version(version: Path) -> Iterator[Finding]:
    import pyarrow as pa

    name = f"{version.parent.name}@{version.name}"
    again = f"thoughtmill run {version / 'recipe.toml'}"
    try:
        for kind, of in KINDS.items():
            if steps_of(version / "facts" / f"{kind}.parquet", of):
                yield note("facts", f"{kind} of {name} have an older schema, and are read from a copy")
    except CannotRead as error:
        yield broken("facts", f"{name}: {error}", mend=again)
    except (OSError, pa.ArrowInvalid) as error:
        yield broken("facts", f"{name} cannot be read: {' '.join(str(error).split())[:200]}", mend=again)


def forgotten(world: World) -> Iterator[Finding]:
    """Can be told what is to be forgotten?"""
    try:
        count = len(read_stones(world.data))
    except ValueError as error:
        told, _, mend = str(error).partition(": ")
        yield broken("tombstones", told, mend=mend)
    else:
        yield well("tombstones", f"{count:,} things are forgotten" if count else "nothing is forgotten")
