"""A folder that several machines share, with the methods of fsspec that a store is asked with.

fsspec's own writes in place and syncs nothing. Here an object is there whole and on disk, or not at all.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path


class SharedFolder:
    """See `pipelines.remote.Filesystem`. Paths are absolute."""

    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        with Path(path).open("rb") as file:
            file.seek(start or 0)
            return file.read() if end is None else file.read(end - file.tell())

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite") -> None:
        """Raises FileExistsError where `mode` is `create` and the file is there."""
        with _aside(path) as aside:
            aside.write_bytes(value)
            _sync(aside)
            if mode == "create":
                os.link(aside, path)  # unlike renaming, this fails where there is one
            else:
                aside.replace(path)
            _sync(aside.parent)

    def put_file(self, lpath: str, rpath: str) -> None:
        with _aside(rpath) as aside:
            shutil.copyfile(lpath, aside)
            _sync(aside)
            aside.replace(rpath)
            _sync(aside.parent)

    def find(self, path: str, *, detail: bool) -> dict[str, dict[str, int]]:
        """The files below a folder, each with its size, and no other detail."""
        found = {}
        for folder, _, names in os.walk(path):
            for name in names:
                if not name.startswith(".aside-"):
                    with _gone_meanwhile():
                        file = os.path.join(folder, name)
                        found[file] = {"size": os.stat(file).st_size} if detail else {}
        return found

    def modified(self, path: str) -> datetime:
        return datetime.fromtimestamp(Path(path).stat().st_mtime, UTC)

    def rm(self, path: list[str]) -> None:
        for each in path:
            Path(each).unlink(missing_ok=True)


@contextmanager
def _aside(path: str) -> Iterator[Path]:
    """A new name beside `path`, of which nothing is left afterwards."""
    folder = Path(path).parent
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".aside-{uuid.uuid4().hex}"
    try:
        yield aside
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def _gone_meanwhile() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        return


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
