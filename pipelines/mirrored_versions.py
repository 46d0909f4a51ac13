"""The versions of a dataset in a store and here.

    datasets/NAME/vN/                       the files of a version
    datasets/NAME/vN.json                   put last: the checksum of every file; without it there is no version
    datasets/NAME/vN/forgotten.json         put first where a version went; then there is none, whatever else is there

A version that went on one side goes on the other. Where two are called the same, that of the store stays, and ours
steps aside under another name.
"""

from __future__ import annotations

import logging
import re
import shutil
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from pipelines.emptied import KEPT, WHY, empty, is_emptied, mark, mark_in
from pipelines.lease import Busy
from pipelines.records import digest
from pipelines.remote import Remote, StoreDown, at_once, is_safe
from pipelines.store import checksum, replace
from pipelines.tombstones import holds, tombstones

log = logging.getLogger(__name__)


class There(NamedTuple):
    """What the store has of a version."""

    objects: Collection[str]
    files: Mapping[str, Any]  # with their checksums; of one that went there are none
    mark: dict[str, Any] | None  # see `pipelines.emptied.mark`
    is_gone: bool = False


def sync(remote: Remote, home: Path) -> None:
    """Have the store and `home` hold the same versions of a dataset, each whole or emptied."""
    there = stored(remote, home.name)
    for folder in _numbered(home):
        if folder.name not in there:
            _put(remote, folder)
        elif not _is_same(folder, there[folder.name]):
            aside = folder.rename(home / f"{folder.name}-here-{uuid.uuid4().hex[:8]}")
            log.warning("%s: the store has another %s; ours is now %s", home.name, folder.name, aside.name)
        elif there[folder.name].is_gone:
            if not is_emptied(folder):
                empty(folder)
        elif is_emptied(folder):
            _empty_there(remote, folder, there[folder.name].objects)
    for version, told in there.items():
        if told.is_gone:
            remote.remove(_left_over(_name(home / version), told.objects))
        if not (home / version).exists():
            fetch(remote, home / version, told)


def stored(remote: Remote, dataset: str) -> dict[str, There]:
    """The versions of a dataset in the store, by their names."""
    under = f"datasets/{dataset}"
    objects: dict[str, list[str]] = {}
    for path in remote.sizes(under):
        if found := re.match(rf"{re.escape(under)}/(v[0-9]+)(/|\.json$)", path):
            objects.setdefault(found[1], []).append(path)
    told = at_once(lambda version: _stored(remote, f"{under}/{version}", objects[version]), sorted(objects))
    there = {version: each for version, each in zip(sorted(objects), told, strict=True) if each}
    return dict(sorted(there.items(), key=lambda item: int(item[0][1:])))


def _stored(remote: Remote, name: str, objects: Sequence[str]) -> There | None:
    if f"{name}/{WHY}" in objects:
        return There(objects, {}, mark_in(remote.get(f"{name}/{WHY}")), True)
    files = _checked(remote.get(f"{name}.json", 0)) if f"{name}.json" in objects else None
    return There(objects, files, files["version.json"]) if files else None


def _checked(content: bytes | None) -> dict[str, Any] | None:
    """The files of a version, None where the list of them is not whole."""
    try:
        told = orjson.loads(content or b"")
    except orjson.JSONDecodeError:
        return None
    whole = isinstance(told, dict) and told.get("digest") == digest(told.get("files"))
    return told["files"] if whole and all(map(is_safe, told["files"])) else None


def _numbered(home: Path) -> list[Path]:
    """The folders that are called as versions are, whole or emptied."""
    return [path for path in sorted(home.glob("v*")) if path.is_dir() and path.name[1:].isdigit()]


def _is_same(folder: Path, there: There) -> bool:
    """Whether ours is the store's; what went, and does not say what it was, is."""
    ours = mark(folder)
    return ours == there.mark if ours and there.mark else there.is_gone and there.mark is None


def _name(folder: Path) -> str:
    return f"datasets/{folder.parent.name}/{folder.name}"


# --- Putting ---------------------------------------------------------------------------------------------------


def _put(remote: Remote, folder: Path) -> None:
    """Put a version that the store lacks, or what is left of one. Raises Busy where one was published meanwhile."""
    if is_emptied(folder):
        _empty_there(remote, folder, ())
        return
    if not (folder / "version.json").exists():
        return
    if count := holds(folder / "facts", tombstones(folder.parents[2])):
        log.warning(
            "%s@%s stays here: it holds %d facts that are forgotten or quote what is; thoughtmill forget --purge",
            *(folder.parent.name, folder.name, count),
        )
        return
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "version.json"]
    listed = {path.relative_to(folder).as_posix(): checksum(path.read_bytes()) for path in files}
    version = folder / "version.json"
    at_once(lambda path: remote.put_file(f"{_name(folder)}/{path.relative_to(folder).as_posix()}", path), files)
    remote.put_file(f"{_name(folder)}/version.json", version)
    listed["version.json"] = checksum(version.read_bytes())
    name, told = f"{_name(folder)}.json", orjson.dumps({"files": listed, "digest": digest(listed)})
    if _checked(remote.get(name, 0)) is None:
        remote.remove([name])  # left half written
    if not remote.create(name, told):
        raise Busy(f"another run has published {_name(folder)} meanwhile; run this one again")


def _empty_there(remote: Remote, folder: Path, objects: Collection[str]) -> None:
    """Empty a version in the store, as it is here: what says so comes first, and its recipe stays."""
    name = _name(folder)
    remote.put(f"{name}/{WHY}", (folder / WHY).read_bytes())
    for path in (path for path in sorted(folder.rglob("*")) if path.is_file()):
        file = f"{name}/{path.relative_to(folder).as_posix()}"
        if file not in objects and _is_kept(name, file):
            remote.put_file(file, path)
    remote.remove([f"{name}.json"])
    remote.remove(_left_over(name, objects))


def _left_over(name: str, objects: Collection[str]) -> list[str]:
    return [each for each in objects if not _is_kept(name, each)]


def _is_kept(name: str, file: str) -> bool:
    """Whether an object belongs to what is kept of a version that went."""
    return file.startswith(f"{name}/") and file.removeprefix(f"{name}/").split("/")[0] in KEPT


# --- Fetching --------------------------------------------------------------------------------------------------


def fetched(remote: Remote, folder: Path, there: There) -> Path:
    """The folder of a version, fetched unless it is here. Raises ValueError where another is here under its name."""
    if not folder.exists():
        fetch(remote, folder, there)
    elif mark(folder) != there.mark:
        raise ValueError(
            f"{folder} is not the {folder.name} that the store has: rename it, or use another data folder"
        )
    return folder


def fetch(remote: Remote, folder: Path, there: There) -> None:
    """Fetch a version, or what is left of it; like a new one it is there at once, or not at all."""
    aside = folder.with_name(f".{uuid.uuid4().hex[:8]}")
    name = _name(folder)
    kept = [path.removeprefix(f"{name}/") for path in there.objects if _is_kept(name, path)]
    take: Callable[[str], None] = partial(_fetch_kept if there.is_gone else _fetch_file, remote, name, aside, there)
    aside.mkdir(parents=True)
    try:
        at_once(take, kept if there.is_gone else list(there.files))
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _fetch_file(remote: Remote, name: str, aside: Path, there: There, file: str) -> None:
    content = remote.get(f"{name}/{file}", 0 if there.files[file]["bytes"] else None)
    if content is None or checksum(content) != there.files[file]:
        raise StoreDown(f"{name}/{file} in the store is not what {name.rpartition('/')[2]}.json tells of")
    _write(aside / file, content)


def _fetch_kept(remote: Remote, name: str, aside: Path, there: There, file: str) -> None:
    _write(aside / file, remote.get(f"{name}/{file}") or b"")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, content)
