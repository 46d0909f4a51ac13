"""Merging the journal's small segments into one, and leaving out the replies that nobody needs.

    data/journal/<name>.merging        the merged segment while it is written
                 <name>.merged.json    which segments it stands for, until they are gone

Frames are copied as they are, with the time of each reply, so that the first reply to a request stays the first. The
merged segment is whole and durable before it gets its name, and only then those that it stands for go: killed at any
point, every reply is there at least once, and the next time tidies up. A segment is touched only when its writer has
finished it and let go of it; names appear and disappear under the lock of commits, so that no run that opens the
journal meanwhile misses one. A run that has a removed segment open goes on reading it. Where there is a store, it
follows before the old ones go here.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from pipelines.segment import (
    HEADER,
    MAGIC,
    Entry,
    Index,
    Segment,
    content_length,
    is_whole,
    pack,
    sync_folder,
    unpack,
    write_all,
)
from pipelines.store import disk_full, replace

SMALL = 64 << 20  # bytes: a segment of more is left as it is, unless something in it goes
MOST = 512 << 20  # bytes of segments that become one
SETTLED = 600.0  # seconds since anything was written to a segment: in case locks are not honoured here

Needed = Callable[[Entry], bool]

Follow = Callable[[str | None, Sequence[str]], None]
"""Hears of a segment, by its name, that stands for others, before these go; None where nothing needs to."""


class Busy(ValueError):
    """Somebody else is tidying up the same journal."""


class Merged(NamedTuple):
    """What merging did, or would do."""

    segments: int  # that are merged or shortened
    into: int  # that stand for them
    replies: int  # that go
    bytes: int  # of the segments that go
    bytes_left: int  # of those that stand for them


def everything(entry: Entry) -> bool:
    """Every reply is needed."""
    return True


def nobody(new: str | None, old: Sequence[str]) -> None:
    """Nobody follows: there is no store."""


def merge(folder: Path, *, needed: Needed = everything, settled: float = SETTLED, follow: Follow = nobody) -> Merged:
    """Merge what is small, and leave out the replies that are not `needed`. Raises Busy or DiskFull."""
    done = Merged(0, 0, 0, 0, 0)
    if not folder.is_dir():
        return done
    with _alone(folder):
        tidy(folder, follow)
        _mend(folder)
        for group in groups(folder, needed=needed, settled=settled):
            try:
                done = _sum(done, _merge(folder, group, needed, follow))
            except OSError as error:
                raise disk_full(error, folder) from error
    return done


def foretold(folder: Path, *, needed: Needed = everything, settled: float = SETTLED) -> Merged:
    """What `merge` would do; nothing is changed."""
    done = Merged(0, 0, 0, 0, 0)
    for group in groups(folder, needed=needed, settled=settled):
        for path in group:
            size = path.stat().st_size
            gone = [entry for frame in frames(path) for entry in entries(frame) if not needed(entry)]
            left = max(0, size - sum(len(entry.reply) for entry in gone))  # about: frames are compressed
            done = _sum(done, Merged(1, 0, len(gone), size, left if gone else size))
        done = done._replace(into=done.into + 1)
    return done


def _sum(one: Merged, other: Merged) -> Merged:
    return Merged(*map(sum, zip(one, other, strict=True)))


# --- Which segments -------------------------------------------------------------------------------------------


def groups(folder: Path, *, needed: Needed, settled: float) -> list[list[Path]]:
    """The segments that become one each: neighbours that are small, and whatever holds what goes, or is damaged."""
    found: list[list[Path]] = []
    size = MOST
    for path in sorted(folder.glob("*.log")):
        if not is_settled(path, settled) or not (path.stat().st_size < SMALL or is_to_be_cut(path, needed)):
            continue
        if size + path.stat().st_size > MOST:
            found.append([])
            size = 0
        found[-1].append(path)
        size += path.stat().st_size
    return [group for group in found if len(group) > 1 or is_to_be_cut(group[0], needed)]


def is_settled(path: Path, settled: float) -> bool:
    """Whether a segment is finished, nobody holds it, and nothing has been written to it of late."""
    told = path.stat()
    is_finished = Index.open(path.with_suffix(".idx"), of_size=told.st_size) is not None
    return is_finished and time.time() - told.st_mtime >= settled and not _is_held(path)


def _is_held(path: Path) -> bool:
    with path.open("r+b") as file:  # over NFS who does not write gets no exclusive lock
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held; or locks are not honoured here, and nobody can tell
            return True
    return False


def is_to_be_cut(path: Path, needed: Needed) -> bool:
    """Whether a segment holds replies that are not needed, damaged places, or nothing at all."""
    whole = 0
    for frame in frames(path):
        if needed is not everything and not all(map(needed, entries(frame))):
            return True
        whole += len(frame)
    return whole == 0 or whole != path.stat().st_size


# --- Frames ---------------------------------------------------------------------------------------------------


def frames(path: Path) -> Iterator[bytes]:
    """The whole frames of a segment, each with its header; what is damaged between them is passed over."""
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            at = content.find(MAGIC)
            while at >= 0:
                header = content[at : at + HEADER.size]
                stop = at + HEADER.size + content_length(header)
                if is_whole(header, content[at + HEADER.size : stop]):
                    yield content[at:stop]
                    at = stop
                else:
                    at += 1
                at = content.find(MAGIC, at)


def entries(frame: bytes) -> list[Entry]:
    """The replies in a frame."""
    return list(unpack(frame[: HEADER.size], frame[HEADER.size :]))


def _shortened(frame: bytes, needed: Needed) -> Iterator[bytes]:
    """The frame as it is where all of it is needed; else the rest of it, sealed with the same time."""
    every = entries(frame)
    kept = [entry for entry in every if needed(entry)]
    if len(kept) == len(every):
        yield frame
    elif kept:
        yield from (_sealed(each.content, every[0].time) for each in pack(kept))


def _sealed(frame: bytes, when: int) -> bytes:
    """A frame that tells another time."""
    magic, length, raw_length, _, _ = HEADER.unpack_from(frame)
    front, content = HEADER.pack(magic, length, raw_length, when, 0)[:-4], frame[HEADER.size :]
    return front + zlib.crc32(front + content).to_bytes(4, "little") + content


# --- Writing, and taking the place of the old ones ------------------------------------------------------------


def _merge(folder: Path, group: Sequence[Path], needed: Needed, follow: Follow) -> Merged:
    size = sum(path.stat().st_size for path in group)
    name = f"{group[0].stem.partition('-')[0]}-{uuid.uuid4().hex[:8]}"
    written, dropped, offsets = _write(folder / f"{name}.merging", group, needed)
    intent = folder / f"{name}.merged.json"
    replace(intent, orjson.dumps([path.name for path in group]), sync=True)
    Index.write(folder / f"{name}.idx", offsets, of_size=written)
    sync_folder(folder)
    if written:
        with _commits_held(folder):
            (folder / f"{name}.merging").rename(folder / f"{name}.log")
            sync_folder(folder)
    else:  # nothing of them is needed: there is nothing to stand for them
        _remove(folder, None, [path.name for path in group], follow)
    _settle(intent, follow)
    return Merged(len(group), bool(written), dropped, size, written)


def _write(path: Path, group: Sequence[Path], needed: Needed) -> tuple[int, int, dict[bytes, tuple[int, ...]]]:
    """Write the frames of all; returns the bytes, the replies left out, and where the frames of each key are."""
    offsets: dict[bytes, tuple[int, ...]] = {}
    written = dropped = 0
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    try:
        for frame in (frame for source in group for frame in frames(source)):
            kept = 0
            for each in _shortened(frame, needed):
                write_all(file, each)
                for entry in entries(each):
                    offsets[entry.key] = (*offsets.get(entry.key, ()), written)
                    kept += 1
                written += len(each)
            dropped += len(entries(frame)) - kept
        os.fsync(file)
    finally:
        os.close(file)
    return written, dropped, offsets


def tidied(folder: Path, follow: Follow = nobody) -> None:
    """Tidy up while nobody else does. Raises Busy."""
    if folder.is_dir():
        with _alone(folder):
            tidy(folder, follow)


def tidy(folder: Path, follow: Follow = nobody) -> None:
    """Finish, or take back, what a killed process left half done."""
    for intent in sorted(folder.glob("*.merged.json")):
        _settle(intent, follow)
    for left in folder.glob("*.merging"):
        left.unlink()


def _mend(folder: Path) -> None:
    """Finish the segments of processes that were killed, as every run does that opens the journal."""
    with _commits_held(folder):
        for path in sorted(folder.glob("*.log")):
            Segment.open(path).close()


def _settle(intent: Path, follow: Follow) -> None:
    """Let the old ones go if what stands for them is there; else what would have stood for them."""
    name, folder = intent.name.removesuffix(".merged.json"), intent.parent
    if (folder / f"{name}.log").exists():
        _remove(folder, name, orjson.loads(intent.read_bytes()), follow)
    else:
        for ending in ("merging", "idx"):
            (folder / f"{name}.{ending}").unlink(missing_ok=True)
    intent.unlink()
    sync_folder(folder)


def _remove(folder: Path, new: str | None, names: Sequence[str], follow: Follow) -> None:
    """The store follows first. The log goes before its index: an index without a log means nothing."""
    follow(new, [name.removesuffix(".log") for name in names])
    with _commits_held(folder):
        for name in names:
            (folder / name).unlink(missing_ok=True)
            (folder / name).with_suffix(".idx").unlink(missing_ok=True)
        sync_folder(folder)


@contextlib.contextmanager
def _commits_held(folder: Path) -> Iterator[None]:
    """No run commits to the journal, or opens it, meanwhile."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else tidies up this journal meanwhile. Raises Busy."""
    with (folder / "tidying").open("w") as lock:  # a file: a folder's lock does not hold from machine to machine
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"another process is tidying up {folder}; wait for it") from None
        yield
