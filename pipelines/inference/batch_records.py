"""What is known of batches on disk, so that none is paid for twice when a process dies.

    data/journal/batches/<name>.log       what became of one batch, a JSON object for each step
    data/journal/batches/<name>.results   the provider's output and error files, once it has ended
    data/journal/batches/elsewhere/       the same of batches that were begun in other data folders of the store

The first step names the requests and is durable before anything is uploaded. Then come `file`, before the batch is
created, `batch`, which is the provider's id, and `ended`. Whoever carries a batch holds a lock on its log, which goes
with a process that dies.

Where there is a store, durable means in the store: `journal/batches/<name>/<offset>` there is a step, named by where
it begins in the log, and holds no text. Results stay with the provider, so every data folder fetches them for itself.
No lock tells whether a process on another machine lives: a batch that is not made within an hour is nobody's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from pipelines.remote import Remote
from pipelines.segment import sync_folder, write_all
from pipelines.store import disk_full
from pipelines.stored_segments import without_gap

KEPT = 30 * 86_400.0
"""Seconds for which a batch is remembered. What runs asked for is journaled by then, and providers forget too."""


LEFT_BEHIND = 3600.0
"""Seconds after which nobody is about to make a batch any more that another machine has begun."""

UNDER = "journal/batches"


class Record:
    """The log of one batch. `told` holds what its steps say: url, begun, requests, and later file, batch, ended."""

    def __init__(self, path: Path, file: int, remote: Remote | None) -> None:
        self.name = path.stem
        self.results = path.with_suffix(".results")
        self.told: dict[str, Any] = {}
        self.path = path
        self._file = file
        self._remote = remote
        self._is_elsewhere = path.parent.name == "elsewhere"

    @classmethod
    def begin(cls, folder: Path, *, url: str, requests: Sequence[str], remote: Remote | None = None) -> Record:
        """The durable record of a batch that is about to be made."""
        path = folder / f"{uuid.uuid4().hex}.log"
        record = cls(path, os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, 0o644), remote)
        fcntl.flock(record._file, fcntl.LOCK_EX)
        try:
            record.note({"url": url, "begun": time.time(), "requests": list(requests)})
        except BaseException:
            record.close()  # nobody carries it, and the next process takes it away
            raise
        sync_folder(folder)
        return record

    @classmethod
    def open(cls, path: Path, remote: Remote | None = None) -> Record:
        record = cls(path, os.open(path, os.O_RDWR | os.O_APPEND), remote)
        record.read()
        return record

    def read(self) -> None:
        """Take in the steps that another process has added. Half of a step is none."""
        content = self._content()
        for line in content[: content.rfind(b"\n") + 1].splitlines():
            self.told |= orjson.loads(line)

    def look(self) -> None:
        """The same, on whatever machine that process is."""
        if self._is_elsewhere and self._remote:
            _fetch(self._remote, self.path, _steps(self._remote, self.name).get(self.name, {}))
        self.read()

    def note(self, step: Mapping[str, Any]) -> None:
        """Make a step durable. After an error of the disk nothing of it is there; of the store, all may be."""
        size = os.fstat(self._file).st_size
        try:
            write_all(self._file, orjson.dumps(step, option=orjson.OPT_APPEND_NEWLINE))
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, size)
            raise disk_full(error, self.path) from error
        self.told |= step
        if self._remote:
            self._remote.put(_object(self.name, size), orjson.dumps(step, option=orjson.OPT_APPEND_NEWLINE))

    def take(self) -> bool:
        """Whether this process carries the batch: from now on, if the one that did is gone."""
        if self._is_elsewhere and time.time() - self.told.get("begun", 0) < LEFT_BEHIND:
            return False
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        os.ftruncate(self._file, self._content().rfind(b"\n") + 1)
        return True

    def exists(self) -> bool:
        """Whether nobody has removed the record, on whatever machine."""
        return self.path.exists() and (self._remote is None or self._remote.get(_object(self.name, 0)) is not None)

    def remove(self) -> None:
        """Forget the batch: it was never made, or nobody can want it any more."""
        if self._remote:
            self._remote.remove([_object(self.name, 0)])  # without it there is none
            self._remote.remove(
                _object(self.name, offset) for offset in _steps(self._remote, self.name).get(self.name, ())
            )
        self.path.unlink(missing_ok=True)
        self.results.unlink(missing_ok=True)

    def close(self) -> None:
        os.close(self._file)

    def _content(self) -> bytes:
        return os.pread(self._file, os.fstat(self._file).st_size, 0)


def others(folder: Path, *, url: str, known: Mapping[str, Record], remote: Remote | None = None) -> list[Record]:
    """The records at this endpoint that are not known yet, oldest first. What is too old or never was whole goes."""
    if remote:
        _exchange(folder, remote)
    found = []
    for path in (*folder.glob("*.log"), *folder.glob("elsewhere/*.log")):
        if path.stem in known:
            continue
        record = Record.open(path, remote)
        outdated = time.time() - record.told.get("begun", 0) > KEPT
        if outdated and record.take():
            record.remove()
        if outdated or record.told["url"] != url:
            record.close()
        else:
            found.append(record)
    return sorted(found, key=lambda record: record.told["begun"])


# --- Where there is a store -----------------------------------------------------------------------------------


def _object(name: str, offset: int) -> str:
    return f"{UNDER}/{name}/{offset:020d}"


def _steps(remote: Remote, name: str = "") -> dict[str, dict[int, int]]:
    """The steps in the store of all batches, or of one: the size of each, by its offset."""
    found: dict[str, dict[int, int]] = {}
    for path, size in remote.sizes(f"{UNDER}/{name}".rstrip("/")).items():
        match path.removeprefix(f"{UNDER}/").split("/"):
            case [batch, offset] if offset.isdigit():
                found.setdefault(batch, {})[int(offset)] = size
    return found


def _exchange(folder: Path, remote: Remote) -> None:
    """Fetch the records of other data folders. Of ours put what the store lacks, where a batch may have been made."""
    steps, elsewhere = _steps(remote), folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    for copy in elsewhere.glob("*.log"):
        if copy.stem not in steps:
            copy.unlink()
            copy.with_suffix(".results").unlink(missing_ok=True)
    for name in steps.keys() - {path.stem for path in folder.glob("*.log")}:
        _fetch(remote, elsewhere / f"{name}.log", steps[name])
    for path in folder.glob("*.log"):
        offset, there = 0, steps.get(path.stem, {})
        lines = path.read_bytes().splitlines(keepends=True)
        for line in lines if there or len(lines) > 1 else ():
            if line.endswith(b"\n") and there.get(offset) != len(line):
                remote.put(_object(path.stem, offset), line)
            offset += len(line)


def _fetch(remote: Remote, copy: Path, steps: Mapping[int, int]) -> None:
    """Have a copy hold the steps that the store has, in place: it may be open. Nobody ever sees less than it held."""
    offsets = without_gap(steps)
    with os.fdopen(os.open(copy, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as file:
        if os.fstat(file.fileno()).st_size != sum(steps[offset] for offset in offsets):
            content = b"".join(remote.get(_object(copy.stem, offset)) or b"" for offset in offsets)
            file.write(content)
            file.truncate(len(content))


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Begin batches one at a time, so that no two processes ask for the same."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Results:
    """What came of a batch: a line for each request that has one, read from the file when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.answered = 0  # requests with status 200
        self._places: dict[str, tuple[int, int]] = {}
        self._file = os.open(path, os.O_RDONLY)
        at = 0
        with path.open("rb") as lines:
            for line in lines:
                self._enter(read_line(line), at, len(line))
                at += len(line)

    def line(self, request: str) -> dict[str, Any] | None:
        if request not in self._places:
            return None
        at, length = self._places[request]
        return orjson.loads(os.pread(self._file, length, at))

    def close(self) -> None:
        os.close(self._file)

    def _enter(self, line: dict[str, Any] | None, at: int, length: int) -> None:
        if line is not None and line["custom_id"] not in self._places:
            self._places[line["custom_id"]] = at, length
            self.answered += (line.get("response") or {}).get("status_code") == 200


def read_line(line: bytes) -> dict[str, Any] | None:
    """A line of a result file; None where it is none."""
    try:
        said = orjson.loads(line)
        whole = isinstance(said["custom_id"], str)
        parts = [said.get("response"), said.get("error")]
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return None
    return said if whole and all(part is None or isinstance(part, dict) for part in parts) else None
