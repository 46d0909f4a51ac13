"""What is on the Hub already: which commits `main` and the tags are at, and what files these hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipelines.hub.layout import VERSION, File, Layout, writer

if TYPE_CHECKING:
    from huggingface_hub import HfApi, RepoFile

PATIENCE = 20.0  # seconds for the Hub's first answer


class There(NamedTuple):
    """A dataset on the Hub."""

    main: str  # the sha of its commit
    tags: dict[str, str]
    private: bool


class Commit(NamedTuple):
    """A commit of it."""

    sha: str
    files: dict[str, RepoFile]
    about: dict[str, Any]  # its version.json, as far as it makes sense


def look(api: HfApi, repo: str) -> There:
    """What there is. Raises RepositoryNotFoundError."""
    private = bool(api.dataset_info(repo, timeout=PATIENCE).private)
    refs = api.list_repo_refs(repo, repo_type="dataset")
    main = next(each.target_commit for each in refs.branches if each.name == "main")
    return There(main, {each.name: each.target_commit for each in refs.tags}, private)


def commit_at(api: HfApi, repo: str, sha: str) -> Commit:
    """The files of a commit."""
    from huggingface_hub import RepoFile

    listed = api.list_repo_tree(repo, repo_type="dataset", revision=sha, recursive=True)
    files = {each.path: each for each in listed if isinstance(each, RepoFile)}
    return Commit(sha, files, _about(read(api, repo, sha, VERSION) if VERSION in files else None))


def _about(content: bytes | None) -> dict[str, Any]:
    """Other people write to repositories, too: what is no table of ours tells nothing."""
    try:
        told = orjson.loads(content or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def read(api: HfApi, repo: str, sha: str, path: str) -> bytes:
    """A small file of a commit."""
    with downloaded(api, repo, sha, path) as found:
        return found.read_bytes()


@contextmanager
def downloaded(api: HfApi, repo: str, sha: str, path: str) -> Iterator[Path]:
    """A file of a commit, for as long as the block lasts."""
    with TemporaryDirectory(prefix="thoughtmill-") as cache:
        yield Path(api.hf_hub_download(repo, path, repo_type="dataset", revision=sha, cache_dir=cache))


def holds(commit: Commit, laid: Layout) -> bool:
    """Whether the commit holds this version: the same bytes in all its files, and no other data.

    Where another release of pyarrow wrote it, the facts and views tell: they have the same digest.
    """
    ours = orjson.loads(next(file.source for file in laid.files if file.path == VERSION).read_bytes())
    if commit.about.get("digest") != ours["digest"]:
        return False
    there = {path for path in commit.files if path.startswith("data/")}
    if commit.about.get("writer") != writer():
        return _is_as_told(commit, there)
    known = {file.path for file in laid.files}
    return there <= known and all(_same(commit.files.get(file.path), file) for file in laid.files)


def _is_as_told(commit: Commit, data: set[str]) -> bool:
    """Whether its data files are those that its own version.json names, in their sizes."""
    told = commit.about.get("files")
    named = {path: sums for path, sums in told.items() if path.startswith("data/")} if isinstance(told, dict) else {}
    return data == named.keys() and all(commit.files[path].size == named[path].get("bytes") for path in data)


def published_before(commit: Commit) -> Iterator[str]:
    """The files that an earlier release put there. The folder `data` is ours: configs may name whole folders."""
    told = commit.about.get("files")
    named = told.keys() if isinstance(told, dict) else set[str]()
    yield from (path for path in commit.files if path in named or path.startswith("data/"))


def _same(there: RepoFile | None, ours: File) -> bool:
    """Whether the file on the Hub has these bytes."""
    if there is None or there.size != ours.source.stat().st_size:
        return False
    if there.lfs is not None:
        with ours.source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == there.lfs.sha256
    blob = ours.source.read_bytes()  # small: what is not in LFS
    return hashlib.sha1(b"blob %d\0" % len(blob) + blob).hexdigest() == there.blob_id
