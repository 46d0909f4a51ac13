"""Requests to a store: a bucket, a shared folder, whatever fsspec reaches.

THOUGHTMILL_STORE names it: `s3://bucket/prefix`, `file:///shared/folder`, any URL of fsspec where an object is put
whole or not at all. Credentials are never part of the URL: fsspec takes them from the environment. What passes is
tried again for about a minute and a half; then StoreDown ends the run, which goes on when it is run again.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import orjson

from pipelines.shared_folder import SharedFolder
from pipelines.store import DiskFull

log = logging.getLogger(__name__)

WAITS = (0.2, 0.5, 1, 2, 5, 10, 20, 20, 30)
"""Seconds between tries."""

AT_ONCE = 16
"""Requests, where many are to be made: a store answers each after some 30 ms, and any number beside each other."""

A = TypeVar("A")
B = TypeVar("B")


class BadStore(ValueError):
    """THOUGHTMILL_STORE cannot be used as it stands."""


class StoreDown(DiskFull):
    """The store takes nothing, or gives nothing. As with a full disk, what was complete before still is."""


class Filesystem(Protocol):
    """The part of fsspec's `AbstractFileSystem` that is asked for."""

    def cat_file(self, path: str, *, start: int | None = None, end: int | None = None) -> bytes: ...
    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite") -> Any: ...
    def put_file(self, lpath: str, rpath: str) -> Any: ...
    def find(self, path: str, *, detail: bool) -> Mapping[str, Mapping[str, Any]]: ...
    def rm(self, path: list[str]) -> Any: ...
    def modified(self, path: str) -> datetime: ...


class Remote:
    """A store. Names are paths below its root, with slashes. Safe for threads."""

    def __init__(self, filesystem: Filesystem, root: str) -> None:
        self._filesystem = filesystem
        self._root = root.rstrip("/")

    def get(self, name: str, start: int | None = None, end: int | None = None) -> bytes | None:
        """The bytes of an object, or those from `start` up to `end`; None where there is no such object.

        With a start, be it 0, S3 is asked once instead of twice; of an object without bytes it must not be given.
        """
        try:
            return self._ask(name, lambda path: self._filesystem.cat_file(path, start=start, end=end))
        except FileNotFoundError:
            return None

    def put(self, name: str, content: bytes) -> None:
        """Put an object, in place of another if there is one."""
        self._write(name, lambda path: self._filesystem.pipe_file(path, content))

    def put_file(self, name: str, file: Path) -> None:
        """Put the content of a file, which may be larger than one likes to hold in memory."""
        self._write(name, lambda path: self._filesystem.put_file(str(file), path))

    def create(self, name: str, content: bytes) -> bool:
        """Put an object unless one of that name is there; false where that has another content.

        Of several who create at once one succeeds, where the store can do that: S3 (If-None-Match), GCS, Azure, and
        a shared folder.
        """

        def create(path: str) -> None:
            try:
                self._filesystem.pipe_file(path, content, mode="create")
            except OSError:  # not every server says in the same way that it is there
                if self.get(name) is None:
                    raise

        self._write(name, create)
        return self.get(name) == content  # which may be from an earlier try whose answer was lost

    def sizes(self, under: str) -> dict[str, int]:
        """The objects below a name, each with its size in bytes, in the order of their names."""
        try:
            found = self._ask(under, lambda path: self._filesystem.find(path, detail=True))
        except FileNotFoundError:
            return {}
        names = {path.removeprefix(f"{self._root}/"): told["size"] for path, told in found.items()}
        return {name: size for name, size in sorted(names.items()) if name.startswith(f"{under}/") and is_safe(name)}

    def modified(self, name: str) -> float | None:
        """When an object was put, in seconds since the epoch; None where it is gone, or the store cannot tell."""
        try:
            return self._ask(name, self._modified)
        except FileNotFoundError:
            return None

    def _modified(self, path: str) -> float | None:
        try:
            return self._filesystem.modified(path).timestamp()
        except NotImplementedError:
            return None

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects; those that are gone already are no error."""
        paths = [f"{self._root}/{name}" for name in names]
        if paths:
            try:
                self._ask(f"{len(paths)} objects", lambda _: self._filesystem.rm(paths))
            except FileNotFoundError:
                return

    def _write(self, name: str, write: Callable[[str], Any]) -> None:
        try:
            self._ask(name, write)
        except FileNotFoundError as error:
            raise BadStore(f"the store {self._root} is not there: make it, or set THOUGHTMILL_STORE right") from error

    def _ask(self, name: str, ask: Callable[[str], A]) -> A:
        """Ask until it is answered. Raises StoreDown, or FileNotFoundError at once."""
        for wait in (*WAITS, None):
            try:
                return ask(f"{self._root}/{name}")
            except FileNotFoundError:
                raise
            except Exception as error:  # what a client raises is of a hundred kinds, few of them OSError
                if wait is None or is_final(error):
                    raise StoreDown(f"the store failed at {name}: {told(error)}") from error
                log.warning("the store failed at %s, again in %s s: %s", name, wait, told(error))
                time.sleep(wait)
        raise AssertionError("unreachable")


def is_final(error: Exception) -> bool:
    """Whether asking again is in vain: rights or credentials are missing."""
    return isinstance(error, PermissionError) or "Credential" in type(error).__name__


def told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error) or 'no reason given'}".splitlines()[0][:300]


def is_safe(name: str) -> bool:
    """Whether a name stays below the folder that it is put in, since it becomes a path here."""
    return not (set("\\\0") & set(name) or name.startswith("/") or ".." in PurePosixPath(name).parts)


def at_once(job: Callable[[A], B], each: Sequence[A]) -> list[B]:
    """The results of a job over many things, several at a time, in their order."""
    if len(each) < 2:
        return [job(one) for one in each]
    with ThreadPoolExecutor(min(AT_ONCE, len(each))) as threads:
        return list(threads.map(job, each))


def remote_of(data: Path) -> Remote | None:
    """The store that a data folder belongs to, None where it has none."""
    marker = data / "store.json"
    return remote_at(orjson.loads(marker.read_bytes())["store"]) if marker.is_file() else None


def store_url() -> str | None:
    """What THOUGHTMILL_STORE says, None where there is no store."""
    return os.environ.get("THOUGHTMILL_STORE", "").strip().rstrip("/") or None


def remote_at(url: str) -> Remote:
    """The store at a URL. Raises BadStore where that cannot be one; nothing is asked yet."""
    parts = urlsplit(url)
    if parts.username or parts.password or "@" in parts.path:
        raise BadStore("THOUGHTMILL_STORE holds credentials: leave them out, and set them in the environment")
    if set("*?[]#") & set(url) or "::" in url:
        raise BadStore("THOUGHTMILL_STORE: a plain URL such as s3://bucket/prefix is wanted")
    if parts.scheme in ("", "file", "local"):
        folder = Path(url.partition("://")[2] or url).absolute()
        if not folder.is_dir():
            raise BadStore(f"THOUGHTMILL_STORE={url}: no such folder; make it, or mount what it lies on")
        return Remote(SharedFolder(), str(folder))
    return Remote(*_by_fsspec(url, parts.scheme))


def _by_fsspec(url: str, scheme: str) -> tuple[Filesystem, str]:
    needs = f"THOUGHTMILL_STORE: `pip install 'thoughtmill[store]'`, or what fsspec needs for {scheme}://"
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise BadStore(f"{needs} ({error})") from error
    except ValueError as error:
        raise BadStore(f"THOUGHTMILL_STORE ({scheme}://…): {told(error)}") from error
