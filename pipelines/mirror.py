"""A data folder and its store: the folder is where work is done, the store is what lasts.

    runs/outputs/<..>/<digest>/             as in the data folder, the manifest last
    runs/NAME/                              taken from the store before a run, put after it
    tombstones/<digest>                     a line each of tombstones.jsonl
    datasets/NAME/vN/                       with vN.json beside it, put last: the checksum of every file
    journal/                                see pipelines/journal_mirror.py

Names in the store are those in the data folder. Files are written here first, and looked for here first; what only
the store has is fetched when it is read. A data folder keeps to one store, which `store.json` in it remembers.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import re
import shutil
import threading
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from pipelines.journal_mirror import JournalMirror
from pipelines.lease import Busy, Lease
from pipelines.records import digest
from pipelines.release import versions
from pipelines.remote import BadStore, Remote, StoreDown, at_once, is_safe, remote_at, store_url
from pipelines.store import KINDS, Output, checksum, read_output, replace

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

STATE = ("state.json", "budget.json")
"""What a run must know of how far it has come, and is put before anything that was made since."""


def opened(data: Path) -> Mirror | None:
    """The mirror of a data folder, None where THOUGHTMILL_STORE names no store.

    What the folder made before it had a store is put there first. Raises BadStore or StoreDown.
    """
    url, marker = store_url(), data / "store.json"
    known = orjson.loads(marker.read_bytes()) if marker.is_file() else {}
    if known and known["store"] != url:
        wanted = f"set THOUGHTMILL_STORE={known['store']}, or another THOUGHTMILL_DATA"
        raise BadStore(f"{data} belongs to a store ({marker}): {wanted}")
    if url is None:
        return None
    mirror = Mirror(remote_at(url), data, folder=known.get("folder") or uuid.uuid4().hex)
    if not known:
        mirror.put_outputs()
        data.mkdir(parents=True, exist_ok=True)
        replace(marker, orjson.dumps({"store": url, "folder": mirror.folder}))
    return mirror


class Mirror:
    """What a data folder has in its store. `folder` is an id of the data folder. Safe for threads."""

    def __init__(self, remote: Remote, data: Path, *, folder: str) -> None:
        self.folder = folder
        self._remote = remote
        self._data = data
        self._put: dict[Path, bytes] = {}  # what the store has of files that change
        self._states: list[Path] = []  # those that outputs rely on
        self._putting = threading.Lock()

    def journal(self) -> JournalMirror:
        """What a journal needs that is opened here."""
        return JournalMirror(self._remote, self._data / "journal")

    # --- Stage outputs -------------------------------------------------------------------------------------

    def read_output(self, folder: Path) -> Output | None:
        """The output in `folder`, fetched before if only the store has it whole; None where neither has."""
        manifest = self._remote.get(self._name(folder / "manifest.json"), 0)
        if manifest is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        for kind in KINDS:
            if kind in _files(manifest) and (content := self._remote.get(self._name(folder / f"{kind}.parquet"), 0)):
                replace(folder / f"{kind}.parquet", content)
        replace(folder / "manifest.json", manifest)
        return read_output(folder)

    def keep(self, path: Path, content: bytes | pa.Buffer) -> None:
        """Put a file of an output, and before that the state of its run, which says that its draws were begun."""
        for state in self._states:
            self._put_changed(state)
        self._remote.put(self._name(path), memoryview(content).tobytes())

    def put_outputs(self) -> None:
        """Put every output that is here, however it came."""
        manifests = sorted((self._data / "runs" / "outputs").glob("*/*/manifest.json"))
        at_once(self._put_output, manifests)

    def _put_output(self, manifest: Path) -> None:
        for path in (*sorted(manifest.parent.glob("*.parquet")), manifest):
            self._remote.put(self._name(path), path.read_bytes())

    # --- Runs ----------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def run(self, name: str) -> AsyncIterator[None]:
        """Hold a dataset for one run: what the store knows of it is here when it begins, and what it made is in the
        store when it ends. Raises Busy or StoreDown."""
        lease = await asyncio.to_thread(Lease, self._remote, name, folder=self.folder)
        try:
            await asyncio.to_thread(self.pull_run, name)
            try:
                yield
            except BaseException:
                await asyncio.to_thread(self._try_to_put_files, name)
                raise
            await asyncio.to_thread(self.push_run, name, lease)
        finally:
            await asyncio.to_thread(lease.release)

    def pull_run(self, name: str) -> None:
        """Bring here what is known of a dataset: its run, its versions, and the outputs of its last run."""
        home = self._data / "runs" / name
        home.mkdir(parents=True, exist_ok=True)
        for each in self._remote.sizes(f"runs/{name}"):
            if not each.startswith(f"runs/{name}/lease/"):
                self._pull_file(self._data / each)
        self._states += [home / each for each in STATE]
        self.sync_tombstones()
        self.sync_versions(name)
        outputs = self._data / "runs" / "outputs"
        made = [outputs / each for each in _outputs(home / "shards.jsonl")]
        at_once(self.read_output, [folder for folder in made if not (folder / "manifest.json").exists()])

    def push_run(self, name: str, lease: Lease) -> None:
        """Put what a run has made: its versions, if it is still the one that may, and what is known of it."""
        lease.check()
        self.sync_versions(name)
        self._put_files(name)

    def _try_to_put_files(self, name: str) -> None:
        """After a failure, which is what should be seen."""
        try:
            self._put_files(name)
        except StoreDown as error:
            log.warning("what is known of the run %s was not put into the store: %s", name, error)

    def _put_files(self, name: str) -> None:
        home = self._data / "runs" / name
        here = {path for path in home.rglob("*") if path.is_file() and path.name != "lock" and path.name[0] != "."}
        for path in sorted(here | {path for path in self._put if path.is_relative_to(home)}):
            self._put_changed(path)

    def _pull_file(self, path: Path) -> None:
        """Take what the store has, unless it is what we had from it or gave it, and ours is newer."""
        content = self._remote.get(self._name(path)) or b""
        seen = _seen(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if content and not (path.exists() and seen.exists() and seen.read_bytes() == content):
            replace(path, content)
            replace(seen, content)
        self._put[path] = content

    def _put_changed(self, path: Path) -> None:
        with self._putting:
            content = path.read_bytes() if path.exists() else b""
            if content != self._put.get(path, b""):
                self._remote.put(self._name(path), content)
                self._put[path] = content
                replace(_seen(path), content)

    # --- What is forgotten and removed ---------------------------------------------------------------------

    def sync_tombstones(self) -> None:
        """Take in what was forgotten elsewhere, and tell of what was forgotten here."""
        path = self._data / "tombstones.jsonl"
        here = {digest(line.decode()): line for line in (whole_lines(path) if path.exists() else [])}
        there = {name.rpartition("/")[2] for name in self._remote.sizes("tombstones")}
        for key in sorted(here.keys() - there):
            self._remote.put(f"tombstones/{key}", here[key])
        lines = at_once(lambda key: self._remote.get(f"tombstones/{key}", 0), sorted(there - here.keys()))
        if lines:
            with path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)  # what was never completely written
                file.writelines(line + b"\n" for line in lines if line)
                os.fsync(file.fileno())

    def remove(self, path: Path) -> None:
        """Remove what the store has of an output, a version or a segment: first what says that the rest is there."""
        name = self._name(path).removesuffix(".log")
        objects = [*self._remote.sizes(name), f"{name}.idx", f"{name}.log", f"{name}.json"]
        says = [each for each in objects if each in (f"{name}/manifest.json", f"{name}.json", f"{name}.idx")]
        self._remote.remove(says)
        self._remote.remove(each for each in objects if each not in says)

    def follow(self, changed: Iterable[Path]) -> None:
        """Have the store follow what was removed or changed here, where nothing ever changes by itself: outputs and
        versions, by their folders, and segments of the journal, by their logs."""
        for path in changed:
            self.remove(path)
            if (path / "version.json").exists():
                self._put_version(path)
            elif (path / "manifest.json").exists():
                self._put_output(path / "manifest.json")

    # --- Versions ------------------------------------------------------------------------------------------

    def sync_versions(self, name: str) -> None:
        """Put the versions that the store lacks, and fetch those that are not here.

        Where two are called the same, that of the store stays, and ours steps aside under another name.
        """
        home, lists = self._data / "datasets" / name, self._lists(name)
        for folder in versions(home):
            listed = lists.get(folder.name)
            if listed is None:
                self._put_version(folder)
            elif listed["version.json"] != checksum((folder / "version.json").read_bytes()):
                aside = folder.rename(home / f"{folder.name}-here-{uuid.uuid4().hex[:8]}")
                log.warning("%s: the store has another %s; ours is now %s", name, folder.name, aside.name)
        here = {folder.name for folder in versions(home)}
        for version, files in lists.items():
            if version not in here:
                self._fetch_version(home / version, files)

    def _lists(self, name: str) -> dict[str, dict[str, Any]]:
        """For each version in the store its files, with their checksums."""
        under = f"datasets/{name}"
        told = {path: self._remote.get(path, 0) for path in self._remote.sizes(under) if _version(path, under)}
        return {_version(path, under): files for path, content in told.items() if (files := _checked(content))}

    def _put_version(self, folder: Path) -> None:
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "version.json"]
        listed = {path.relative_to(folder).as_posix(): checksum(path.read_bytes()) for path in files}
        version = folder / "version.json"
        at_once(lambda path: self._remote.put_file(self._name(path), path), files)
        self._remote.put_file(self._name(version), version)
        listed["version.json"] = checksum(version.read_bytes())
        name, told = f"{self._name(folder)}.json", orjson.dumps({"files": listed, "digest": digest(listed)})
        if _checked(self._remote.get(name, 0)) is None:
            self._remote.remove([name])  # left half written
        if not self._remote.create(name, told):
            raise Busy(f"another run has published {self._name(folder)} meanwhile; run this one again")

    def _fetch_version(self, folder: Path, files: Mapping[str, Any]) -> None:
        """Fetch a version; like a new one it is there at once, or not at all."""
        aside = folder.with_name(f".{uuid.uuid4().hex[:8]}")
        try:
            at_once(partial(self._fetch_file, folder, aside, files), list(files))
            aside.rename(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _fetch_file(self, folder: Path, aside: Path, files: Mapping[str, Any], file: str) -> None:
        content = self._remote.get(self._name(folder / file))
        if content is None or checksum(content) != files[file]:
            raise StoreDown(f"{self._name(folder / file)} in the store is not what {folder.name}.json tells of")
        (aside / file).parent.mkdir(parents=True, exist_ok=True)
        replace(aside / file, content)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._data).as_posix()


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file that were completely written."""
    return path.read_bytes().rpartition(b"\n")[0].splitlines()


def _seen(path: Path) -> Path:
    """What the store had of a file when it was last looked at, to tell whose is newer."""
    return path.with_name(f".{path.name}.stored")


def _files(manifest: bytes) -> Mapping[str, Any]:
    """The files that a manifest tells of; whether it is right is found out when the output is read."""
    try:
        return orjson.loads(manifest)["files"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {}


def _outputs(shards: Path) -> list[str]:
    """The outputs of the shards that a run has finished."""
    lines = shards.read_bytes().splitlines() if shards.is_file() else []
    with contextlib.suppress(orjson.JSONDecodeError):
        names = [name for line in lines for name in orjson.loads(line)["outputs"]]
        return [name for name in names if re.fullmatch("[0-9a-f]{2}/[0-9a-f]+", name)]
    return []


def _version(path: str, under: str) -> str:
    """`v3` for its list of files; nothing for any other object."""
    found = re.fullmatch(rf"{re.escape(under)}/(v[0-9]+)\.json", path)
    return found[1] if found else ""


def _checked(content: bytes | None) -> dict[str, Any] | None:
    """The files of a version, None where the list of them is not whole."""
    try:
        told = orjson.loads(content or b"")
    except orjson.JSONDecodeError:
        return None
    whole = isinstance(told, dict) and told.get("digest") == digest(told.get("files"))
    return told["files"] if whole and all(map(is_safe, told["files"])) else None
