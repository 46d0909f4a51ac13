"""One file of the journal: frames of replies, and the index that finds them."""

from __future__ import annotations

import bisect
import fcntl
import logging
import mmap
import os
import struct
import threading
import time
import uuid
import zlib
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.store import replace

log = logging.getLogger(__name__)

HEADER = struct.Struct("<4sIIQI")  # magic, compressed length, raw length, time, checksum of all that and the content
MAGIC = b"TMJ1"
ENTRY = struct.Struct("<16sI?iI")  # key, limit, cut, tokens, length of the reply that follows
FRAME_BYTES = 1 << 20  # a commit of more is cut into several frames, so that reading one reply stays cheap
CACHE_BYTES = 16 << 20  # of frames once read, since replies that came together are read together


class Entry(NamedTuple):
    """One reply as it was journaled."""

    key: bytes  # 16 bytes, the digest of the request without its `max_tokens`
    limit: int  # the `max_tokens` that it was asked with
    cut: bool  # whether it was cut off at the limit
    tokens: int  # its length in tokens, -1 where the engine did not say
    reply: bytes
    time: int = 0  # when it became durable, in nanoseconds since the epoch

    def serves(self, limit: int) -> bool:
        """Whether this reply also answers the same request under another limit."""
        if self.cut:
            return self.limit >= limit
        return self.limit <= limit or 0 <= self.tokens <= limit


Keep = Callable[[int, bytes], None]
"""Makes frames durable elsewhere, too: where in the segment they begin, and their bytes."""


class Segment:
    """A log file. Its own process appends to it under an exclusive lock; everybody else only reads."""

    def __init__(self, path: Path, file: int) -> None:
        self.name = path.stem
        self.grows = True  # somebody may still append to it
        self.fetch: Callable[[int], None] | None = None  # brings a frame here, where this is a copy from a store
        self._path = path
        self._file = file
        self._size = 0  # up to the end of the last whole frame
        self._offsets: dict[bytes, tuple[int, ...]] = {}  # of frames, while the segment grows
        self._count = 0
        self._index: Index | None = None  # instead of `_offsets`, once it is finished

    def __len__(self) -> int:
        return self._count

    @classmethod
    def start(cls, folder: Path) -> Segment:
        """A new segment to append to. Names sort by the time of their start."""
        path = folder / f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.log"
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, 0o644)
        fcntl.flock(file, fcntl.LOCK_EX)
        sync_folder(folder)
        return cls(path, file)

    @classmethod
    def open(cls, path: Path) -> Segment:
        """A segment of another process, or of one that ended. The latter is mended and finished if need be."""
        segment = cls(path, os.open(path, os.O_RDWR))
        segment._index = Index.open(path.with_suffix(".idx"), of_size=os.fstat(segment._file).st_size)
        if segment._index:
            segment.grows = False
        else:
            segment.read_on()
        return segment

    def offsets(self, key: bytes) -> Sequence[int]:
        """Where the frames start that may hold replies to `key`."""
        offsets, index = self._offsets, self._index  # in this order: `finish` may be at work in another thread
        return offsets.get(key, ()) if index is None else index.offsets(key)

    def append(self, entries: Iterable[Entry], keep: Keep = lambda offset, frames: None) -> None:
        """Append entries and sync them. After an error nothing of them is there.

        What `keep` then does with the new frames, and where they begin, comes before anyone finds them; if it fails,
        they stay in the file, and nothing may be appended any more.
        """
        frames = list(pack(entries))
        try:
            for frame in frames:
                write_all(self._file, frame.content)
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        keep(self._size, b"".join(frame.content for frame in frames))
        for frame in frames:
            self._note(frame.keys, self._size, len(frame.content))

    def read_on(self) -> None:
        """Take in the frames added since. When their writer is gone, cut off what it left half written."""
        ended = self._writer_is_gone()
        for keys, offset, length in self._whole_frames():
            self._note(keys, offset, length)
        if ended:
            self._cut_damaged_tail()
            self.finish()

    def entries(self, offset: int) -> list[Entry]:
        """The entries of the frame at `offset`; none where it is damaged."""
        header, content = self._read(offset)
        if not is_whole(header, content) and self.fetch is not None:
            self.fetch(offset)
            header, content = self._read(offset)
        if not is_whole(header, content):
            log.warning("journal %s: the frame at byte %d is damaged; its replies are lost", self._path, offset)
            return []
        return list(unpack(header, content))

    def finish(self) -> None:
        """Write the index, so that opening the segment again need not read it. Nothing is appended any more."""
        Index.write(self._path.with_suffix(".idx"), self._offsets, of_size=self._size)
        self.take_index(of_size=self._size)
        self.grows = False

    def take_index(self, *, of_size: int) -> None:
        """Find by the index in the file, where that is whole, instead of by what was read so far."""
        self._index = Index.open(self._path.with_suffix(".idx"), of_size=of_size)
        if self._index is not None:
            self._offsets = {}
            self.grows = False

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _read(self, offset: int) -> tuple[bytes, bytes]:
        """What a frame at `offset` would be: its header, and what follows."""
        header = os.pread(self._file, HEADER.size, offset)
        return header, os.pread(self._file, content_length(header), offset + HEADER.size)

    def _note(self, keys: Iterable[bytes], offset: int, length: int) -> None:
        here = (offset,)
        for key in keys:
            self._offsets[key] = (*self._offsets[key], *here) if key in self._offsets else here
            self._count += 1
        self._size = offset + length

    def _writer_is_gone(self) -> bool:
        """Its writer holds the lock as long as it lives. Where locks are not honoured nobody is ever thought gone."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _whole_frames(self) -> Iterator[tuple[list[bytes], int, int]]:
        """The keys, offset and length of every whole frame from here on; what is damaged between is passed over."""
        offset: int | None = self._size
        while offset is not None:
            header, content = self._read(offset)
            if is_whole(header, content):
                length = len(header) + len(content)
                yield [entry.key for entry in unpack(header, content)], offset, length
                offset += length
            else:
                offset = self._next_frame(offset)

    def _next_frame(self, damaged: int) -> int | None:
        """Where the next whole frame begins behind a damaged place; None where nothing whole follows."""
        rest = os.pread(self._file, os.fstat(self._file).st_size - damaged, damaged)
        at = rest.find(MAGIC, 1)
        while at >= 0:
            header = rest[at : at + HEADER.size]
            content = rest[at + HEADER.size : at + HEADER.size + content_length(header)]
            if is_whole(header, content):
                log.warning("journal %s: %d bytes from byte %d on are damaged; passed over", self._path, at, damaged)
                return damaged + at
            at = rest.find(MAGIC, at + 1)
        return None

    def _cut_damaged_tail(self) -> None:
        tail = os.fstat(self._file).st_size - self._size
        if tail:
            log.warning("journal %s: the last %d bytes were never completely written; cut off", self._path, tail)
            os.ftruncate(self._file, self._size)


# ---------------------------------------------------------------------------------------------------------------
# Frames


class Frame(NamedTuple):
    keys: list[bytes]
    content: bytes  # with its header


def pack(entries: Iterable[Entry]) -> Iterator[Frame]:
    """Entries as frames of about FRAME_BYTES each."""
    keys: list[bytes] = []
    raw = bytearray()
    for entry in entries:
        keys.append(entry.key)
        raw += ENTRY.pack(entry.key, entry.limit, entry.cut, entry.tokens, len(entry.reply)) + entry.reply
        if len(raw) >= FRAME_BYTES:
            yield Frame(keys, seal(bytes(raw)))
            keys, raw = [], bytearray()
    if keys:
        yield Frame(keys, seal(bytes(raw)))


def seal(raw: bytes) -> bytes:
    """A frame: the compressed content behind a header whose checksum covers both."""
    import pyarrow as pa

    content = pa.compress(raw, codec="zstd", asbytes=True)
    front = HEADER.pack(MAGIC, len(content), len(raw), time.time_ns(), 0)[:-4]
    return front + zlib.crc32(front + content).to_bytes(4, "little") + content


def content_length(header: bytes) -> int:
    return HEADER.unpack(header)[1] if len(header) == HEADER.size else 0


def is_whole(header: bytes, content: bytes) -> bool:
    """Whether a frame is as it was written: header, length and checksum."""
    if len(header) < HEADER.size or not header.startswith(MAGIC) or len(content) < content_length(header):
        return False
    return zlib.crc32(header[:-4] + content) == HEADER.unpack(header)[-1]


def unpack(header: bytes, content: bytes) -> Iterator[Entry]:
    """The entries of a whole frame, in the order in which they became durable."""
    import pyarrow as pa

    _, _, raw_length, when, _ = HEADER.unpack(header)
    raw = pa.decompress(content, raw_length, codec="zstd", asbytes=True)
    at = 0
    while at < raw_length:
        key, limit, cut, tokens, length = ENTRY.unpack_from(raw, at)
        at += ENTRY.size + length
        yield Entry(key, limit, cut, tokens, raw[at - length : at], when)


class FrameCache:
    """The frames read last, by key, up to CACHE_BYTES of replies. Safe for threads."""

    def __init__(self) -> None:
        self._frames: OrderedDict[tuple[str, int], tuple[dict[bytes, list[Entry]], int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def entries(self, segment: Segment, offset: int, key: bytes) -> list[Entry]:
        with self._lock:
            place = (segment.name, offset)
            if place not in self._frames:
                self._take_in(place, segment.entries(offset))
            self._frames.move_to_end(place)
            return self._frames[place][0].get(key, [])

    def _take_in(self, place: tuple[str, int], entries: list[Entry]) -> None:
        by_key: dict[bytes, list[Entry]] = {}
        for entry in entries:
            by_key.setdefault(entry.key, []).append(entry)
        size = sum(len(entry.reply) for entry in entries)
        self._frames[place] = by_key, size
        self._bytes += size
        while self._bytes > CACHE_BYTES and len(self._frames) > 1:
            _, (_, gone) = self._frames.popitem(last=False)
            self._bytes -= gone


# ---------------------------------------------------------------------------------------------------------------
# The index of a finished segment


class Index:
    """Sorted key prefixes and the offsets of their frames, mapped into memory: 16 bytes a reply, on disk.

    Layout, in 64-bit words: size of the log, number of keys, checksum of what follows; the prefixes; the offsets.
    """

    def __init__(self, words: memoryview) -> None:
        self._count = words[1]
        self._prefixes = words[3 : 3 + self._count]
        self._frames = words[3 + self._count :]

    @staticmethod
    def write(path: Path, offsets: dict[bytes, tuple[int, ...]], *, of_size: int) -> None:
        pairs = sorted((prefix(key), offset) for key, places in offsets.items() for offset in places)
        words = array("Q", [key for key, _ in pairs])
        words.extend(offset for _, offset in pairs)
        words = array("Q", [of_size, len(pairs), zlib.crc32(words)]) + words
        replace(path, words.tobytes())

    @classmethod
    def open(cls, path: Path, *, of_size: int) -> Index | None:
        """The index, or None when there is none or it is not of this log as it stands."""
        try:
            with path.open("rb") as file:
                words = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)).cast("Q")
        except (FileNotFoundError, ValueError, TypeError):  # absent; empty; not a whole number of words
            return None
        whole = len(words) >= 3 and len(words) == 3 + 2 * words[1] and words[2] == zlib.crc32(words[3:])
        return cls(words) if whole and words[0] == of_size else None

    def offsets(self, key: bytes) -> list[int]:
        wanted = prefix(key)
        found = []
        at = bisect.bisect_left(self._prefixes, wanted)
        while at < self._count and self._prefixes[at] == wanted:
            found.append(self._frames[at])
            at += 1
        return found


def prefix(key: bytes) -> int:
    return int.from_bytes(key[:8], "little")


def write_all(file: int, content: bytes) -> None:
    """Write all of it, also where the system takes a part at a time."""
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, as fsync makes the content of a file."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
