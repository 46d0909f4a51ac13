"""What is known of batches on disk, so that none is paid for twice when a process dies.

    data/journal/batches/<name>.log       what became of one batch, a JSON object for each step
    data/journal/batches/<name>.results   the provider's output and error files, once it has ended

The first step names the requests and is durable before anything is uploaded. Then come `file`, before the batch is
created, `batch`, which is the provider's id, and `ended`. Whoever carries a batch holds a lock on its log, which goes
with a process that dies.
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

from pipelines.segment import sync_folder, write_all
from pipelines.store import disk_full

KEPT = 30 * 86_400.0
"""Seconds for which a batch is remembered. What runs asked for is journaled by then, and providers forget too."""


class Record:
    """The log of one batch. `told` holds what its steps say: url, begun, requests, and later file, batch, ended."""

    def __init__(self, path: Path, file: int) -> None:
        self.name = path.stem
        self.results = path.with_suffix(".results")
        self.told: dict[str, Any] = {}
        self.path = path
        self._file = file

    @classmethod
    def begin(cls, folder: Path, *, url: str, requests: Sequence[str]) -> Record:
        """The durable record of a batch that is about to be made."""
        path = folder / f"{uuid.uuid4().hex}.log"
        record = cls(path, os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, 0o644))
        fcntl.flock(record._file, fcntl.LOCK_EX)
        record.note({"url": url, "begun": time.time(), "requests": list(requests)})
        sync_folder(folder)
        return record

    @classmethod
    def open(cls, path: Path) -> Record:
        record = cls(path, os.open(path, os.O_RDWR | os.O_APPEND))
        record.read()
        return record

    def read(self) -> None:
        """Take in the steps that another process has added. Half of a step is none."""
        content = os.pread(self._file, os.fstat(self._file).st_size, 0)
        for line in content[: content.rfind(b"\n") + 1].splitlines():
            self.told |= orjson.loads(line)

    def note(self, step: Mapping[str, Any]) -> None:
        """Make a step durable. After an error nothing of it is there."""
        size = os.fstat(self._file).st_size
        try:
            write_all(self._file, orjson.dumps(step, option=orjson.OPT_APPEND_NEWLINE))
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, size)
            raise disk_full(error, self.path) from error
        self.told |= step

    def take(self) -> bool:
        """Whether this process carries the batch: from now on, if the one that did is gone."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        content = os.pread(self._file, os.fstat(self._file).st_size, 0)
        os.ftruncate(self._file, content.rfind(b"\n") + 1)
        return True

    def exists(self) -> bool:
        return self.path.exists()

    def remove(self) -> None:
        """Forget the batch: it was never made, or nobody can want it any more."""
        self.path.unlink(missing_ok=True)
        self.results.unlink(missing_ok=True)

    def close(self) -> None:
        os.close(self._file)


def others(folder: Path, *, url: str, known: Mapping[str, Record]) -> list[Record]:
    """The records at this endpoint that are not known yet, oldest first. What is too old or never was whole goes."""
    found = []
    for path in folder.glob("*.log"):
        if path.stem in known:
            continue
        record = Record.open(path)
        outdated = time.time() - record.told.get("begun", 0) > KEPT
        if outdated and record.take():
            record.remove()
        if outdated or record.told["url"] != url:
            record.close()
        else:
            found.append(record)
    return sorted(found, key=lambda record: record.told["begun"])


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
