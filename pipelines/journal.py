"""The journal: every reply of a model, durable before anyone uses it.

    data/journal/<started>-<random>.log     frames, appended by one process
    data/journal/<started>-<random>.idx     written when the segment is finished: where each key is

A frame holds the replies that became durable together (group commit): a header with lengths, time and checksum, then
the compressed entries. What follows the last whole frame is a damaged tail; it is cut off and never believed.
Replies are only ever added. All runs of a checkout share the journal: a commit happens under a lock and first reads
what others have added, so that two runs which ask the same at once agree on the first reply.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from pipelines.segment import Entry, FrameCache, Segment
from pipelines.store import DiskFull, disk_full

GATHER_SECONDS = 0.02
"""For which replies are gathered into one commit: next to nothing beside a model's latency."""

SEGMENT_ENTRIES = 1 << 16
"""Then a new segment begins, since the keys of an unfinished one are held in memory."""


class Journal:
    """The journal in a folder, open for one process and one event loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segments: dict[str, Segment] = {}
        self._own: Segment | None = None
        self._frames = FrameCache()
        self._waiting: list[tuple[Entry, asyncio.Future[Entry]]] = []
        self._committing: asyncio.Task[None] | None = None
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
        if self._own is not None:
            self._own.finish()
        for segment in self._segments.values():
            segment.close()

    async def _commit_waiting(self) -> None:
        """Commit until nothing waits. What comes in during one commit, and a moment more, makes up the next."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                await asyncio.sleep(GATHER_SECONDS)
                batch, self._waiting = self._waiting, []
                try:
                    entries = await loop.run_in_executor(None, self._commit, [entry for entry, _ in batch])
                except DiskFull as error:
                    _refuse(batch, error)
                except OSError as error:
                    _refuse(batch, disk_full(error, self._folder))
                else:
                    _grant(batch, entries)
        finally:
            self._committing = None

    def _commit(self, entries: list[Entry]) -> list[Entry]:
        new: dict[bytes, list[Entry]] = defaultdict(list)
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            self._read_others()
            kept = [self._first(entry, new[entry.key]) for entry in entries]
            if any(new.values()):
                self._writable().append(itertools.chain.from_iterable(new.values()))
        return kept

    def _first(self, entry: Entry, new: list[Entry]) -> Entry:
        """The reply that is there already, or is about to be; else `entry`, which is `new` then."""
        waiting = (each for each in new if each.serves(entry.limit))
        first = self.find(entry.key, entry.limit) or next(waiting, entry)
        if first is entry:
            new.append(entry)
        return first

    def _writable(self) -> Segment:
        if self._own is None or len(self._own) >= SEGMENT_ENTRIES:
            if self._own is not None:
                self._own.finish()
            self._own = Segment.start(self._folder)
            self._segments = {**self._segments, self._own.name: self._own}
        return self._own

    def _read_others(self) -> None:
        """Take in the segments of other runs, and what they have added to those that still grow."""
        for segment in self._segments.values():
            if segment.grows and segment is not self._own:
                segment.read_on()
        new = [path for path in self._folder.glob("*.log") if path.stem not in self._segments]
        if new:  # a new dict, not a changed one: `find` may be walking the old one in another thread
            self._segments = {**self._segments, **{path.stem: Segment.open(path) for path in sorted(new)}}

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One commit at a time in the whole checkout. The lock goes with a process that dies.

        On a shared disk that does not honour it, two runs may both journal a reply to one request: the one with
        the earlier time serves.
        """
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


Waiting = list[tuple[Entry, "asyncio.Future[Entry]"]]


def _grant(batch: Waiting, entries: list[Entry]) -> None:
    for (_, durable), entry in zip(batch, entries, strict=True):
        if not durable.cancelled():
            durable.set_result(entry)


def _refuse(batch: Waiting, error: Exception) -> None:
    for _, durable in batch:
        if not durable.cancelled():
            durable.set_exception(error)
