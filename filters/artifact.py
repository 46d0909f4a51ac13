"""Files and folders that rules read: benchmarks, losses, indexes. Facts know them by what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import NamedTuple


class Artifact(NamedTuple):
    """A file or folder, and the digest of its content; where it lies is no fact."""

    path: str
    digest: str


def artifact(path: Path | str) -> Artifact:
    """The file or folder at `path`. Raises ValueError where there is none, or nothing in it."""
    path = Path(path)
    files = list(files_in(path))
    if not files:
        raise ValueError(f"no file or folder {path}" if not path.exists() else f"{path} is empty")
    found = blake2b(digest_size=16)
    for file in files:
        name = file.relative_to(path).as_posix().encode("utf-8", "surrogateescape")
        with file.open("rb") as content:
            found.update(blake2b(name).digest() + file_digest(content, "blake2b").digest())
    return Artifact(str(path), found.hexdigest())


def files_in(path: Path) -> Iterator[Path]:
    """The file itself, or all files of a folder and its folders that are not hidden, by name."""
    if path.is_file():
        yield path
    for each in sorted(path.rglob("*")):
        if each.is_file() and not any(part.startswith(".") for part in each.relative_to(path).parts):
            yield each
