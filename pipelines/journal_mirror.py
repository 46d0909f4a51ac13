"""The journal in a store: what one process makes durable there, and what it finds there of others.

    journal/<segment>/<offset>              the frames of one commit, put before any of them is used
    journal/<segment>.log, <segment>.idx    the whole of a finished segment; then the parts are removed
    journal/<segment>.gone                  put before a segment is removed; then nobody believes what is left of it

An object store cannot append, so a growing segment is a row of parts, each named by where it begins. It is finished
once its index is there, which is put last. The bytes at an offset of a segment are never put a second time with
another content, so whoever holds a copy of the beginning holds what everybody else has.

Here, `data/journal/` has the segments of this machine, as without a store, and `data/journal/elsewhere/` copies of
others: of growing ones what could be read without a gap, of finished ones the index and as much of the log as was
asked for. Such copies may be deleted at any time.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from pipelines.remote import Remote, StoreDown, at_once
from pipelines.segment import HEADER, Index, Segment, content_length
from pipelines.store import replace
from pipelines.stored_segments import Stored, arranged, left_over, without_gap

log = logging.getLogger(__name__)

PUT_SECONDS = 0.5
"""At least so long from one put to the next: 7,200 objects an hour, a few cents."""

PULL_SECONDS = 60.0
"""How long it may take until a run takes in what others have journaled: one listing, and what is new of them."""

MOST_PARTS = 4096
"""Then a segment is finished, though it be short: whoever opens the journal reads unfinished ones part by part."""

GROWS_SECONDS = 12 * 3600
"""How long a segment is appended to; after twice as long anyone may finish one that was left behind."""

BLOCK = 8 << 20
"""Of a finished log so much is read at once: some hundreds of replies, in the time of a tenth of one."""


TOGETHER = 64
"""Parts that are held in memory at once."""


class JournalMirror:
    """The journal of a data folder, as its store has it. Everything but `fetch` happens under the journal's lock, or
    while nobody runs anything in the folder."""

    def __init__(self, remote: Remote, folder: Path) -> None:
        self._remote = remote
        self._own = folder
        self._elsewhere = folder / "elsewhere"
        self._stored: set[str] = set()  # our own segments that are wholly in the store
        self._open: set[str] = set()  # finished segments of others that were handed out
        self._followed: dict[str, tuple[Segment, int]] = {}  # of others, growing; with a file that holds its lock
        self._put: Counter[str] = Counter()  # parts, by segment
        self._begun: dict[str, float] = {}  # when the first was put
        self._next_put = self._next_pull = 0.0

    def wait(self) -> float:
        """How many seconds to gather replies for before the next put."""
        return max(0.0, self._next_put - time.monotonic())

    def put(self, name: str, offset: int, frames: bytes) -> None:
        """Make the frames that a segment has from `offset` on durable."""
        self._next_put = time.monotonic() + PUT_SECONDS
        self._remote.put(f"journal/{name}/{offset:020d}", frames)
        self._put[name] += 1
        self._begun.setdefault(name, time.monotonic())

    def is_long(self, name: str) -> bool:
        """Whether a segment is better finished, though there is room for more replies in it."""
        age = time.monotonic() - self._begun.get(name, time.monotonic())
        return self._put[name] >= MOST_PARTS or age > GROWS_SECONDS

    def push(self) -> None:
        """Put our finished segments into the store, whole, unless they are there."""
        for index in sorted(self._own.glob("*.idx")):
            if index.stem not in self._stored and index.with_suffix(".log").exists():
                self._finish(index)
                self._stored.add(index.stem)

    def expire(self) -> None:
        """Have the next `pull` look at the store, however short ago the last one was."""
        self._next_pull = 0.0

    def pull(self) -> dict[str, Segment]:
        """The segments of others that are new, or newly finished, ready to be read.

        Those that merely grew have grown in place.
        """
        if time.monotonic() < self._next_pull:
            return {}
        self._elsewhere.mkdir(parents=True, exist_ok=True)
        found: dict[str, Segment] = {}
        there = arranged(self._remote.sizes("journal"))
        for copy in self._elsewhere.glob("*.log"):
            if copy.stem not in there:  # removed from the store by somebody
                _drop(copy)
        for name, stored in there.items():
            if stored.is_gone:
                _drop(self._copy(name))
                self._let_go(name)
            elif self._is_own(name, stored):
                if stored == Stored({}, self._own.joinpath(f"{name}.log").stat().st_size, True):
                    self._stored.add(name)
            elif name not in self._open:
                found |= self._take(name, stored)
        self._next_pull = time.monotonic() + PULL_SECONDS
        return found

    def close(self, *, whole: bool) -> None:
        """Let go of what is followed. Where `whole`, what this process journaled is put as a whole, if it can be:
        the parts are there, and the next run here does it otherwise."""
        for _, lock in self._followed.values():
            os.close(lock)
        self._followed.clear()
        try:
            if whole:
                self.push()
        except StoreDown as error:
            log.warning("the journal's last segment stays in parts: %s", error)

    def fetch(self, name: str, offset: int) -> None:
        """Bring the frame at `offset` of a finished segment here, and what lies around it, unless it was removed."""
        if not self._copy(name).exists():
            return
        start = offset // BLOCK * BLOCK
        content = self._read(name, start, start + BLOCK + HEADER.size)
        header = content[offset - start :][: HEADER.size]
        content += self._read(name, start + len(content), offset + HEADER.size + content_length(header))
        write_at(self._copy(name), start, content)

    # --- Merging -----------------------------------------------------------------------------------------------

    def adopt(self, wanted: Callable[[Index], bool]) -> None:
        """Make such finished segments of others as are wanted our own, whole, so that they can be merged here."""
        self.expire()
        for segment in self.pull().values():
            segment.close()
        for index in sorted(self._elsewhere.glob("*.idx")):
            copy = index.with_suffix(".log")
            if not copy.exists():  # somebody was killed while moving or dropping it
                index.unlink()
                continue
            whole = Index.open(index, of_size=copy.stat().st_size)
            if whole is None or wanted(whole):
                self._copy_whole(copy.stem, copy.stat().st_size)
                os.utime(copy, (0, 0))  # nobody has written to it for long
                copy.rename(self._own / copy.name)
                index.rename(self._own / index.name)
        self.close(whole=False)

    def sweep(self) -> None:
        """Remove what is left of segments that are gone: somebody was killed while removing them."""
        self._remote.remove(left_over(self._remote.sizes("journal")))

    def follow(self, new: str | None, old: Sequence[str]) -> None:
        """Have the store follow a merge: what stands for the old segments is there before these are gone."""
        if new is not None:
            self._finish(self._own / f"{new}.idx")
            self._stored.add(new)
        for name in old:
            log = self._own / f"{name}.log"  # its size tells how much of it stands elsewhere now
            told = b"%d" % log.stat().st_size if log.exists() else b"merged"
            self._remote.create(f"journal/{name}.gone", told)
            parts = self._remote.sizes(f"journal/{name}")
            self._remote.remove([f"journal/{name}.idx", f"journal/{name}.log", *parts])

    # -----------------------------------------------------------------------------------------------------------

    def _copy(self, name: str) -> Path:
        return self._elsewhere / f"{name}.log"

    def _read(self, name: str, start: int, end: int) -> bytes:
        stop = min(end, self._copy(name).stat().st_size)
        return (self._remote.get(f"journal/{name}.log", start, stop) or b"") if start < stop else b""

    def _is_own(self, name: str, stored: Stored) -> bool:
        """Whether a segment is one of this machine. What has become shorter here than it is there is dropped."""
        own = self._own / f"{name}.log"
        if own.exists() and own.stat().st_size >= stored.size:
            return True
        _drop(own)
        return False

    def _let_go(self, name: str) -> None:
        """Drop a segment of ours that another machine has merged. One that is longer than it was there holds what the
        store never got: it stays under a new name, once nobody appends to it any more."""
        own = self._own / f"{name}.log"
        told = (self._remote.get(f"journal/{name}.gone") or b"") if own.exists() else b""
        if not (told.isdigit() and own.stat().st_size > int(told)):
            _drop(own)
            return
        segment = Segment.open(own)  # which finishes it if its writer is gone
        segment.close()
        if not segment.grows:
            kept = own.with_name(f"{name.partition('-')[0]}-{uuid.uuid4().hex[:8]}.log")
            own.rename(kept)
            own.with_suffix(".idx").rename(kept.with_suffix(".idx"))

    def _finish(self, index: Path) -> None:
        """The log, the index, and then nothing else: in this order, so that wherever it breaks off all is there."""
        name = index.stem
        self._remote.put_file(f"journal/{name}.log", index.with_suffix(".log"))
        self._remote.put_file(f"journal/{name}.idx", index)
        self._remote.remove(self._remote.sizes(f"journal/{name}"))

    def _take(self, name: str, stored: Stored) -> dict[str, Segment]:
        """The segment, where it is new to the journal. One that is followed grows on, or is finished, in place."""
        followed = self._followed.get(name)
        if stored.is_finished:
            self._open.add(name)
            self._prepare_finished(name, stored.size)
            segment = followed[0] if followed else Segment.open(self._copy(name))
            segment.fetch = partial(self.fetch, name)
            if followed:
                segment.take_index(of_size=stored.size)
                os.close(self._followed.pop(name)[1])
            return {} if followed else {name: segment}
        self._take_parts(name, stored)
        if followed or not self._copy(name).exists():
            return {}
        if is_left_behind(name) and self._copy(name).stat().st_size == sum(stored.parts.values()):
            return {name: self._finish_left_behind(name)}
        return {name: self._follow(name)}

    def _finish_left_behind(self, name: str) -> Segment:
        segment = Segment.open(self._copy(name))  # nobody holds its lock, so this writes its index
        self._finish(self._copy(name).with_suffix(".idx"))
        self._open.add(name)
        return segment

    def _prepare_finished(self, name: str, size: int) -> None:
        """Bring the index here, and a log of which the bytes are fetched when they are asked for."""
        copy, index = self._copy(name), self._copy(name).with_suffix(".idx")
        if copy.exists() and copy.stat().st_size == size and Index.open(index, of_size=size):
            return
        with copy.open("ab") as file:
            file.truncate(size)  # and nothing is lost of what was copied while it grew
        replace(index, self._remote.get(f"journal/{name}.idx") or b"")
        if not Index.open(index, of_size=size):
            self._copy_whole(name, size)

    def _copy_whole(self, name: str, size: int) -> None:
        """Fetch all of a finished log, to be merged, or where its index is damaged and made anew from it."""
        for start in range(0, size, BLOCK):
            content = self._read(name, start, start + BLOCK)
            if len(content) < min(BLOCK, size - start):
                raise StoreDown(f"journal/{name}.log was removed from the store just now")
            write_at(self._copy(name), start, content)

    def _take_parts(self, name: str, stored: Stored) -> None:
        """Append what the copy lacks, as far as there is no gap; a part that was removed meanwhile is one."""
        copy, parts = self._copy(name), stored.parts
        end = copy.stat().st_size if copy.exists() else 0
        missing = [offset for offset in without_gap(parts) if offset + parts[offset] > end]
        for at in range(0, len(missing), TOGETHER):
            some = missing[at : at + TOGETHER]
            names = [f"journal/{name}/{offset:020d}" for offset in some]
            for offset, content in zip(some, at_once(partial(self._remote.get, start=0), names), strict=True):
                if content is None or len(content) != parts[offset]:
                    return
                write_at(copy, offset, content)

    def _follow(self, name: str) -> Segment:
        """A copy of a segment that grows elsewhere. It has no writer here whose lock would tell that it goes on to
        grow, so its lock is held for as long as we follow it."""
        lock = os.open(self._copy(name), os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_SH)
        segment = Segment.open(self._copy(name))
        self._followed[name] = segment, lock
        return segment


def _drop(log: Path) -> None:
    """Let go of a segment here; who has it open goes on reading it."""
    log.unlink(missing_ok=True)
    log.with_suffix(".idx").unlink(missing_ok=True)


def is_left_behind(name: str) -> bool:
    """Whether nobody appends to a segment any more, since it was begun so long ago. Its name says when."""
    begun = name.partition("-")[0]
    return begun.isdigit() and time.time_ns() - int(begun) > 2 * GROWS_SECONDS * 10**9


def write_at(path: Path, offset: int, content: bytes) -> None:
    """Write into a file, which need not be there yet."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as file:
        file.seek(offset)
        file.write(content)
