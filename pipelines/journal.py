"""The journal: every reply of a model, durable before anyone uses it.

    data/journal/<started>-<random>.log     frames, appended by one process
    data/journal/<started>-<random>.idx     written when the segment is finished: where each key is

A frame holds the replies that became durable together (group commit): a header with lengths, time and checksum, then
the compressed entries. What follows the last whole frame is a damaged tail; it is cut off and never believed.
Replies are only ever added. All runs of a checkout share the journal: a commit happens under a lock and first reads
what others have added, so that two runs which ask the same at once agree on the first reply.

Where there is a store (pipelines/journal_mirror.py), durable means in the store: a commit is granted after its frames
were put there. Runs on several machines know of each other's replies after a minute. Of two replies to one request
that were journaled within it, each run uses its own; from then on the one with the earlier time serves all.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import resource
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.segment import Entry, FrameCache, Segment
from pipelines.store import DiskFull, disk_full

if TYPE_CHECKING:
    from pipelines.journal_mirror import JournalMirror

GATHER_SECONDS = 0.02
"""For which replies are gathered into one commit: next to nothing beside a model's latency."""

SEGMENT_ENTRIES = 1 << 16
"""Then a new segment begins, since the keys of an unfinished one are held in memory."""


OPEN_FILES = 1 << 16
"""That a process may have, where it may say so itself: each segment takes two, and each request under way one."""


class Journal:
    """The journal in a folder, and in a store where there is one. Open for one process and one event loop."""

    def __init__(self, folder: Path, mirror: JournalMirror | None = None) -> None:
        self._folder = folder
        self._mirror = mirror
        self._lost: DiskFull | None = None  # why the store may lack what our segment ends with
        self._segments: dict[str, Segment] = {}
        self._own: Segment | None = None
        self._frames = FrameCache()
        self._waiting: list[tuple[Entry, asyncio.Future[Entry]]] = []
        self._committing: asyncio.Task[None] | None = None
        _allow_open_files()
        if mirror:
            folder.mkdir(parents=True, exist_ok=True)
        if folder.is_dir():
            with self._locked():
                self._read_others()

    def find(self, key: bytes, limit: int) -> Entry | None:
        """The first journaled reply to the request `key` that serves with `max_tokens = limit`."""
        serving = [
            entry
            for segment in self._segments.values()
            for offset in segment.offsets(key)
            for entry in self._frames.entries(segment, offset, key)
            if entry.serves(limit)
        ]
        return min(serving, key=lambda entry: entry.time, default=None)

    def catch_up(self) -> None:
        """Take in what other processes have journaled since. Reads the disk, and the store."""
        if self._mirror:
            self._mirror.expire()
        if self._folder.is_dir():
            with self._locked():
                self._read_others()

    async def add(self, entry: Entry) -> Entry:
        """Make a reply durable, together with all others that wait. Returns what from now on is the reply.

        That is `entry`, unless a reply to the same request has been journaled first, in this run or another.
        Raises DiskFull, or the OSError of a disk that refuses.
        """
        durable = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, durable))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_waiting())
        return await durable

    async def close(self) -> None:
        """Wait for the commit under way and finish the segment."""
        if self._committing is not None:
            await asyncio.wait([self._committing])
        if self._own is not None and not self._lost:
            self._own.finish()
        if self._mirror:
            await asyncio.to_thread(self._mirror.close, whole=not self._lost)
        for segment in self._segments.values():
            segment.close()

    async def _commit_waiting(self) -> None:
        """Commit until nothing waits. What comes in during one commit, and a moment more, makes up the next."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                await asyncio.sleep(max(GATHER_SECONDS, self._mirror.wait() if self._mirror else 0))
                batch, self._waiting = self._waiting, []
                try:
                    entries = await loop.run_in_executor(None, self._commit, [entry for entry, _ in batch])
                except DiskFull as error:
                    _refuse(batch, error)
                except OSError as error:
                    _refuse(batch, disk_full(error, self._folder))
                except Exception as error:  # noqa: BLE001 - whoever waits must hear of it
                    _refuse(batch, error)
                else:
                    _grant(batch, entries)
        finally:
            self._committing = None

    def _commit(self, entries: list[Entry]) -> list[Entry]:
        if self._lost:
            raise self._lost
        new: dict[bytes, list[Entry]] = defaultdict(list)
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            self._read_others()
            kept = [self._first(entry, new[entry.key]) for entry in entries]
            if any(new.values()):
                self._writable().append(itertools.chain.from_iterable(new.values()), self._keep)
        return kept

    def _keep(self, offset: int, frames: bytes) -> None:
        """Put new frames into the store. When that fails, they may be there or not: whoever opens this folder next
        puts the whole segment there, and until then nothing more is journaled."""
        if self._mirror is not None and self._own is not None:  # which is empty, and false, at first
            try:
                self._mirror.put(self._own.name, offset, frames)
            except DiskFull as error:
                self._lost = error
                raise

    def _first(self, entry: Entry, new: list[Entry]) -> Entry:
        """The reply that is there already, or is about to be; else `entry`, which is `new` then."""
        waiting = (each for each in new if each.serves(entry.limit))
        first = self.find(entry.key, entry.limit) or next(waiting, entry)
        if first is entry:
            new.append(entry)
        return first

    def _writable(self) -> Segment:
        if self._own is None or len(self._own) >= SEGMENT_ENTRIES or self._is_long(self._own):
            if self._own is not None:
                self._own.finish()
            self._own = Segment.start(self._folder)
            self._segments = {**self._segments, self._own.name: self._own}
        return self._own

    def _is_long(self, segment: Segment) -> bool:
        return self._mirror is not None and self._mirror.is_long(segment.name)

    def _read_others(self) -> None:
        """Take in the segments of other runs, and what they have added to those that still grow."""
        if self._mirror and (elsewhere := self._mirror.pull()):
            self._segments = {**self._segments, **elsewhere}
        for segment in self._segments.values():
            if segment.grows and segment is not self._own:
                segment.read_on()
        new = [path for path in self._folder.glob("*.log") if path.stem not in self._segments]
        if new:  # a new dict, not a changed one: `find` may be walking the old one in another thread
            self._segments = {**self._segments, **{path.stem: Segment.open(path) for path in sorted(new)}}
        if self._mirror:
            self._mirror.push()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One commit at a time in the whole checkout. The lock goes with a process that dies.

        On a shared disk that does not honour it, two runs may both journal a reply to one request: the one with
        the earlier time serves.
        """
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _allow_open_files() -> None:
    """Raise the limit that a shell gives, often 1,024, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # some systems refuse what they said was allowed
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


Waiting = list[tuple[Entry, "asyncio.Future[Entry]"]]


def _grant(batch: Waiting, entries: list[Entry]) -> None:
    for (_, durable), entry in zip(batch, entries, strict=True):
        if not durable.cancelled():
            durable.set_result(entry)


def _refuse(batch: Waiting, error: Exception) -> None:
    for _, durable in batch:
        if not durable.cancelled():
            durable.set_exception(error)
