"""A bucket in memory whose requests can be counted, and made to fail."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Any, Literal

Fault = Literal["refused", "unheard", "half", "dead"]
"""Nothing is done; all is done, but the answer is lost; half an object is put; nothing is done from then on."""


class Bucket:
    """See `pipelines.remote.Filesystem`. The request numbered `fails_at`, from zero, fails."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.put_at: dict[str, float] = {}  # by the clock of this machine
        self.requests: list[tuple[str, str]] = []
        self.fails_at: int | None = None
        self.fault: Fault = "refused"
        self._lock = threading.RLock()

    def fail(self, at: int | None, fault: Fault) -> None:
        """From now on count anew, and fail at that number."""
        self.requests, self.fails_at, self.fault = [], at, fault

    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        with self._lock:
            self._asked("get", path)
            if path not in self.objects:
                raise FileNotFoundError(path)
            return self.objects[path][start:end]

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite") -> None:
        with self._lock:
            fails = self._asked("put", path)
            if mode == "create" and path in self.objects:
                raise FileExistsError(path)
            self.put_at[path] = time.time()
            self.objects[path] = value[: len(value) // 2] if fails and self.fault == "half" else bytes(value)
            if fails:
                raise TimeoutError(f"no answer to the put of {path}")

    def put_file(self, lpath: str, rpath: str) -> None:
        with open(lpath, "rb") as file:
            self.pipe_file(rpath, file.read())

    def find(self, path: str, *, detail: bool) -> dict[str, dict[str, Any]]:
        with self._lock:
            self._asked("list", path)
            return {each: {"size": len(self.objects[each])} for each in self.objects if each.startswith(f"{path}/")}

    def modified(self, path: str) -> datetime:
        with self._lock:
            self._asked("head", path)
            if path not in self.objects:
                raise FileNotFoundError(path)
            return datetime.fromtimestamp(self.put_at[path], UTC)

    def rm(self, path: list[str]) -> None:
        with self._lock:
            for each in path:
                self._asked("remove", each)
                self.objects.pop(each, None)

    def _asked(self, how: str, path: str) -> bool:
        """Note a request; whether it is a put that fails after it has done something. Others fail here."""
        number, at = len(self.requests), self.fails_at
        self.requests.append((how, path))
        if at is None or number < at or (number > at and self.fault != "dead"):
            return False
        if how == "put" and self.fault in ("unheard", "half"):
            return True
        raise ConnectionError(f"request {number} fails: {how} {path}")
