"""A data folder and its store: the folder is where work is done, the store is what lasts.

    runs/outputs/<..>/<digest>/             as in the data folder, the manifest last
    runs/NAME/                              taken from the store before a run, put after it
    tombstones/<digest>                     a line each of tombstones.jsonl
    purged/<digest>                         what a purge took out, so that every data folder does the same
    datasets/NAME/                          see pipelines/mirrored_versions.py
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
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from pipelines import mirrored_outputs, mirrored_versions
from pipelines.journal_mirror import JournalMirror
from pipelines.lease import HOUSE, Busy, Lease, end_overdue, refuse_if_held
from pipelines.records import digest
from pipelines.remote import BadStore, Remote, StoreDown, at_once, remote_at, store_url
from pipelines.store import Output, replace

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

MARKER = "store.json"

PURGING = "house/purging"
"""In the store: the requests of a purge that goes on, or broke off."""

STATE = ("state.json", "budget.json")
"""What a run must know of how far it has come, and is put before anything that was made since."""


def opened(data: Path) -> Mirror | None:
    """The mirror of a data folder, None where THOUGHTMILL_STORE names no store.

    What was forgotten and purged elsewhere is so here from then on. What the folder made before it had a store is put
    there. Raises BadStore, StoreDown, or Busy.
    """
    url, marker = store_url(), data / MARKER
    if url is None and not marker.is_file():
        return None
    data.mkdir(parents=True, exist_ok=True)
    with (data / "opening").open("a+b") as lock:  # several processes may be the first
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _opened(data, url, marker)


def _opened(data: Path, url: str | None, marker: Path) -> Mirror | None:
    known = orjson.loads(marker.read_bytes()) if marker.is_file() else {}
    if known and known["store"] != url:
        wanted = f"set THOUGHTMILL_STORE={known['store']}, or another THOUGHTMILL_DATA"
        raise BadStore(f"{data} belongs to a store ({marker}): {wanted}")
    if url is None:
        return None
    mirror = Mirror(remote_at(url), data, folder=known.get("folder") or uuid.uuid4().hex)
    mirror.sync_tombstones()
    followed = _follow_purges(mirror, data, set(known.get("purged", [])), is_new=not known)
    if not known:
        mirrored_outputs.put_all(mirror.remote, data)
    told = {"store": url, "folder": mirror.folder, "purged": sorted(followed)}
    if told != known:
        replace(marker, orjson.dumps(told))
    return mirror


def _follow_purges(mirror: Mirror, data: Path, followed: Set[str], *, is_new: bool) -> Set[str]:
    """Take out here what others have purged since; the names of all purges that were followed by now.

    While something else is under way here that waits until the next time: nothing of it goes to the store. A new
    folder waits for nobody, since what is in it is put there as it is. Raises Busy for it.
    """
    from pipelines.gc import InUse
    from pipelines.purge import follow

    new = mirror.purges(followed)
    if not new:
        return followed
    try:
        follow(data, mirror, {each for requests in new.values() for each in requests})
    except InUse as error:
        if is_new:
            raise Busy(str(error)) from error
        log.warning("what was purged on another machine is still here: %s", error)
        return followed
    return followed | new.keys()


class Mirror:
    """What a data folder has in its store. `folder` is an id of the data folder. Safe for threads."""

    def __init__(self, remote: Remote, data: Path, *, folder: str) -> None:
        self.folder = folder
        self.remote = remote
        self._data = data
        self._holder = f"{folder} in {data.absolute()}"  # of leases: a copy of the folder is another one
        self.check_house: Callable[[], None] = lambda: None  # raises Busy where `house` was lost meanwhile
        self._put: dict[Path, bytes] = {}  # what the store has of files that change
        self._states: list[Path] = []  # those that outputs rely on
        self._putting = threading.Lock()

    def journal(self) -> JournalMirror:
        """What a journal needs that is opened here."""
        return JournalMirror(self.remote, self._data / "journal")

    # --- Stage outputs -------------------------------------------------------------------------------------

    def read_output(self, folder: Path) -> Output | None:
        """The output in `folder`, fetched before if only the store has it whole; None where neither has."""
        return mirrored_outputs.fetch(self.remote, self._data, folder)

    def keep(self, path: Path, content: bytes | pa.Buffer) -> None:
        """Put a file of an output, and before that the state of its run, which says that its draws were begun."""
        for state in self._states:
            self._put_changed(state)
        self.remote.put(self._name(path), memoryview(content).tobytes())

    def bring(self) -> None:
        """Bring here all facts that the store has: outputs of stages, and versions."""
        mirrored_outputs.fetch_all(self.remote, self._data)
        for name in self.datasets():
            self.sync_versions(name)

    # --- Runs ----------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def run(self, name: str) -> AsyncIterator[None]:
        """Hold a dataset for one run: what the store knows of it is here when it begins, and what it made is in the
        store when it ends. Raises Busy or StoreDown."""
        lease = await asyncio.to_thread(Lease, self.remote, name, folder=self._holder)
        try:
            await asyncio.to_thread(refuse_if_held, self.remote, HOUSE, folder=self._holder)
            await asyncio.to_thread(end_overdue, self.remote, HOUSE)
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
        for each in self.remote.sizes(f"runs/{name}"):
            if not each.startswith(f"runs/{name}/lease/"):
                self._pull_file(self._data / each)
        self._states += [home / each for each in STATE]
        self.sync_tombstones()
        self.sync_versions(name)
        outputs = self._data / "runs" / "outputs"
        shards = home / "shards.jsonl"
        made = [
            outputs / each for each in mirrored_outputs.names_in(shards.read_bytes() if shards.is_file() else b"")
        ]
        at_once(self.read_output, [folder for folder in made if not (folder / "manifest.json").exists()])

    def push_run(self, name: str, lease: Lease) -> None:
        """Put what a run has made: its versions, if it is still the one that may, and what is known of it."""
        lease.check()
        self.sync_versions(name)
        shards = self._data / "runs" / name / "shards.jsonl"
        mirrored_outputs.put_lacking(self.remote, self._data, shards.read_bytes() if shards.is_file() else b"")
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
        content = self.remote.get(self._name(path)) or b""
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
                self.remote.put(self._name(path), content)
                self._put[path] = content
                replace(_seen(path), content)

    @contextlib.contextmanager
    def house(self) -> Iterator[Lease]:
        """Hold the whole store, for removing things from it: no other data folder makes a dataset meanwhile.

        Who makes one looks for this after taking its lease, as this looks for leases after taking its own, so that
        of the two one at least sees the other. Raises Busy.
        """
        lease = Lease(self.remote, HOUSE, folder=self._holder)
        try:
            held = {path.split("/")[1] for path in self.remote.sizes("runs") if "/lease/" in path}
            at_once(lambda name: refuse_if_held(self.remote, name, folder=self._holder), sorted(held))
            at_once(lambda name: end_overdue(self.remote, name), sorted(held))
            self.check_house = lease.check
            yield lease
        finally:
            lease.release()

    # --- What is forgotten and purged ----------------------------------------------------------------------

    def sync_tombstones(self) -> None:
        """Take in what was forgotten elsewhere, and tell of what was forgotten here."""
        path = self._data / "tombstones.jsonl"
        here = {_name_of(line): line for line in (whole_lines(path) if path.exists() else [])}
        here.pop("", None)  # whoever reads the tombstones says so
        there = {name.rpartition("/")[2]: size for name, size in self.remote.sizes("tombstones").items()}
        for key in sorted(key for key, line in here.items() if there.get(key) != len(line)):
            self.remote.put(f"tombstones/{key}", here[key])
        names = sorted(there.keys() - here.keys())
        told = at_once(lambda key: self.remote.get(f"tombstones/{key}", 0), names)
        lines = [line for key, line in zip(names, told, strict=True) if line and _name_of(line) == key]
        if lines:
            with path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)  # what was never completely written
                file.writelines(line + b"\n" for line in lines)
                os.fsync(file.fileno())

    def purges(self, but: Set[str]) -> dict[str, list[str]]:
        """The purges that the store tells of, each with the requests whose replies left the journal."""
        names = sorted({path.rpartition("/")[2] for path in self.remote.sizes("purged")} - but)
        told = at_once(lambda name: self.remote.get(f"purged/{name}") or b"", names)
        return {
            name: orjson.loads(each)["requests"] for name, each in zip(names, told, strict=True) if _is_whole(each)
        }

    def begun_purge(self) -> set[bytes]:
        """The requests of a purge that was begun and broke off."""
        told = self.remote.get(PURGING) or b""
        return {bytes.fromhex(each) for each in orjson.loads(told)} if _is_whole(told) else set()

    def begin_purge(self, requests: Set[str]) -> None:
        """Remember the requests of a purge until it is told."""
        if requests:
            self.remote.put(PURGING, orjson.dumps(sorted(requests)))

    def tell_purged(self, requests: Set[str], stones: Sequence[str]) -> None:
        """Tell every other data folder of a purge; this one has done it."""
        told = orjson.dumps({"requests": sorted(requests), "tombstones": sorted(stones)})
        name = digest(told.decode())
        self.remote.put(f"purged/{name}", told)
        self.remote.remove([PURGING])
        marker = self._data / MARKER
        known = orjson.loads(marker.read_bytes()) if marker.is_file() else {}
        replace(marker, orjson.dumps({**known, "purged": sorted({*known.get("purged", []), name})}))

    # --- Versions ------------------------------------------------------------------------------------------

    def sync_versions(self, name: str) -> None:
        """Have the store and the data folder hold the same versions of a dataset."""
        mirrored_versions.sync(self.remote, self._data / "datasets" / name)

    def datasets(self) -> list[str]:
        """The names of all datasets that the store has versions of, or what is left of one."""
        return sorted({path.split("/")[1] for path in self.remote.sizes("datasets")})

    def fetch_version(self, name: str, version: str) -> Path:
        """The folder of a version, or of the newest where none is named, fetched unless it is here.

        Raises ValueError where the store has no such version, or here is another one of that number.
        """
        found = mirrored_versions.stored(self.remote, name)
        there = {each: told for each, told in found.items() if not told.is_gone}
        version = version or next(reversed(there), "")
        if version not in there:
            names = [f"{name}@{each}" for each in there] or self.datasets()
            raise ValueError(
                f"the store has no {name}@{version or 'v1'}; it has: {', '.join(names) or 'nothing yet'}"
            )
        return mirrored_versions.fetched(self.remote, self._data / "datasets" / name / version, there[version])

    def _name(self, path: Path) -> str:
        return path.relative_to(self._data).as_posix()


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file that were completely written."""
    return path.read_bytes().rpartition(b"\n")[0].splitlines()


def _name_of(line: bytes) -> str:
    """What a tombstone is called in the store; nothing where it is damaged."""
    try:
        return digest(line.decode())
    except UnicodeDecodeError:
        return ""


def _seen(path: Path) -> Path:
    """What the store had of a file when it was last looked at, to tell whose is newer."""
    return path.with_name(f".{path.name}.stored")


def _is_whole(content: bytes) -> bool:
    """Whether JSON was completely written."""
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError:
        return False
    return True
