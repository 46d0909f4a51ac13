"""Files of a commit, as the Hub lists them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha1, sha256
from typing import Any

LFS = (".parquet", ".gz")


def listing(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Files and the folders they are in, by path."""
    folders = {name[:at] for name in files for at in range(len(name)) if name[at] == "/"}
    found = [{"type": "directory", "path": path, "oid": blob(path.encode()), "size": 0} for path in folders]
    return sorted(found + [entry(*file) for file in files.items()], key=lambda each: each["path"])


def is_in(path: str, folder: str, recursive: str | None) -> bool:
    """Whether a listing of the folder, "" for all, has it."""
    inner = path.removeprefix(f"{folder}/") if folder else path
    return (inner != path or not folder) and (recursive in ("true", "True", "1") or "/" not in inner)


def entry(name: str, content: bytes) -> dict[str, Any]:
    told: dict[str, Any] = {"type": "file", "path": name, "size": len(content), "oid": blob(content)}
    if name.endswith(LFS):
        told["lfs"] = {"oid": sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return told


def blob(content: bytes) -> str:
    """What git calls this content."""
    return sha1(b"blob %d\0" % len(content) + content).hexdigest()
