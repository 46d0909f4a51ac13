"""Datasets of the Hugging Face Hub as local folders: benchmarks to keep away from, files to curate.

A name is `hub:OWNER/NAME`, and may say which revision and which files: `hub:OWNER/NAME@REVISION:PATH`, as in
`hub:openai/gsm8k@main:main/test-*`. PATH is a folder or a file, also as a shell pattern, and may leave out the
ending. Nothing in it can be confused: names have neither `@` nor `:`, and git lets no revision have a `:`, while
both have slashes (`refs/pr/3`), so that a slash could not tell where a revision ends.

Read are Parquet and JSON lines. Of a dataset in other formats we read what the Hub itself made of it, in Parquet.
"""

from __future__ import annotations

import errno
import re
import secrets
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipelines.hub.errors import cause, is_busy, is_offline, line, patiently, status
from pipelines.records import digest

if TYPE_CHECKING:
    from huggingface_hub import HfApi

ENDINGS = (".parquet", ".jsonl", ".jsonl.gz")
# Data that we do not read. A *.json may be rows or anything else; the Hub's converter knows which.
OTHERS = (".json", ".csv", ".tsv", ".arrow", ".zip", ".tar", ".gz", ".zst", ".xz", ".feather", ".avro")
CONVERTED = "refs/convert/parquet"  # the branch where the Hub keeps what it made of main
WAITS = (1.0, 4.0, 15.0)  # seconds between attempts
PATIENCE = 20.0  # seconds for the Hub's first answer
SHOWN = 8  # names in a message


class HubError(ValueError):
    """What cannot be had from the Hub, why, and how to mend it, in one line."""


class Fetched(NamedTuple):
    """A dataset at hand."""

    folder: Path  # holds these files and nothing else, at their paths in the dataset
    revision: str  # the commit's sha
    files: tuple[str, ...]  # by name
    notes: tuple[str, ...] = ()  # what a report should say: converted, incomplete, left out, not up to date


class _Asked(NamedTuple):
    """A name, taken apart."""

    repo: str
    revision: str = "main"
    path: str = ""

    def __str__(self) -> str:
        return f"hub:{self.repo}@{self.revision}" + (f":{self.path}" if self.path else "")


class _Hub(NamedTuple):
    """Where datasets come from and where they go."""

    api: HfApi
    blobs: Path  # huggingface_hub's own cache
    folders: Path  # ours, of links into it
    waits: Sequence[float]


class _Commit(NamedTuple):
    """A commit whose matching files are in the cache."""

    sha: str
    snapshot: Path
    names: tuple[str, ...]  # of all its files
    notes: tuple[str, ...]


_NAME = re.compile(r"hub:([\w.-]+/[\w.-]+)(?:@([^\s:]+))?(?::([^\0-\x1f]+))?", re.ASCII)


def is_hub(name: str) -> bool:
    """Whether it names a dataset on the Hub. A local file of such a name is `./hub:...`."""
    return name.startswith("hub:")


def fetch(
    name: str, *, cache: Path | None = None, endpoint: str | None = None, waits: Sequence[float] = WAITS
) -> Fetched:
    """Bring the data files of a dataset into a local folder, from the cache where they are there already.

    `cache` is where downloads stay; None is huggingface_hub's own place. `endpoint` is another Hub than the usual one
    or HF_ENDPOINT's. `waits` are the seconds between attempts when the Hub is busy. The token, where one is needed,
    is the one of HF_TOKEN or of `hf auth login`. Without a network, what was fetched before is found again. Raises
    HubError.
    """
    asked = _asked(name)
    hub = _hub(cache, endpoint, waits)
    try:
        return _fetch(asked, hub)
    except HubError:
        raise
    except Exception as error:
        raise HubError(line(_reason(error, asked, hub))) from error


def _asked(name: str) -> _Asked:
    found = _NAME.fullmatch(name)
    path = (found[3] or "").strip("/") if found else ""
    if not found or (found[3] and not path):
        raise HubError(f"{name!r} is no dataset on the Hub: write hub:OWNER/NAME, or hub:OWNER/NAME@REVISION:PATH")
    return _Asked(found[1], found[2] or "main", path)


def _hub(cache: Path | None, endpoint: str | None, waits: Sequence[float]) -> _Hub:
    try:
        from huggingface_hub import HfApi, constants, get_cached_repo_tree  # noqa: F401 - the last is not in old versions
    except ImportError as error:
        raise HubError(
            "reading from the Hub needs the extra `datasets`: pip install 'thoughtmill[datasets]'"
        ) from error
    home = Path(cache or constants.HF_HOME).absolute()
    blobs = home / "hub" if cache else Path(constants.HF_HUB_CACHE)
    return _Hub(HfApi(endpoint=endpoint, library_name="thoughtmill"), blobs, home / "thoughtmill", waits)


def _fetch(asked: _Asked, hub: _Hub) -> Fetched:
    found = _commit(asked, hub)
    if files := _matching(found.names, asked.path, ENDINGS):
        left = _matching(found.names, asked.path, OTHERS, but=ENDINGS)
        notes = (f"left out, being neither Parquet nor JSON lines: {_some(left)}",) if left else ()
        return _fetched(asked, hub, found, files, notes)
    if asked.revision == "main" and not _matching(found.names, "", ENDINGS):
        return _converted(asked, hub, found)
    raise HubError(line(_nothing(asked, found.names)))


def _converted(asked: _Asked, hub: _Hub, main: _Commit) -> Fetched:
    """What the Hub made of the dataset. It does so for main only, whatever is on other revisions."""
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        found = _commit(asked._replace(revision=CONVERTED), hub)
    except RevisionNotFoundError:
        raise HubError(line(_nothing(asked, main.names))) from None
    files = _matching(found.names, asked.path, ENDINGS)
    if not files:
        raise HubError(line(_nothing(asked._replace(revision=CONVERTED), found.names)))
    sources = _matching(main.names, "", OTHERS) or main.names
    partly = [file for file in files if "/partial-" in f"/{file}"]
    notes = (f"converted to Parquet by the Hub ({CONVERTED}) from {_some(sources)}",)
    notes += (f"the Hub converted only the first part of: {_some(partly)}",) if partly else ()
    return _fetched(asked, hub, found, files, notes)


def _fetched(asked: _Asked, hub: _Hub, found: _Commit, files: tuple[str, ...], notes: tuple[str, ...]) -> Fetched:
    folder = hub.folders / asked.repo.replace("/", "--") / digest(asked.repo, found.sha, files)
    _link(folder, found.snapshot, files)
    return Fetched(folder, found.sha, files, found.notes + notes)


# --- Files ----------------------------------------------------------------------------------------------------


def _patterns(path: str, endings: Iterable[str]) -> list[str]:
    """For the names of files with these endings: all, or those in the folder `path`, or it with or without ending."""
    if not path:
        return [f"*{ending}" for ending in endings]
    found = [f"{path}{more}{ending}" for ending in endings for more in ("", "/*")]
    return found + [path] * path.endswith(tuple(endings))


def _matching(
    names: Iterable[str], path: str, endings: Sequence[str], *, but: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The names, sorted, of files with these endings that `path` means. Hidden ones are nobody's data."""
    patterns = _patterns(path, endings)
    shown = (name for name in names if "/." not in f"/{name}".replace("\\", "/") and not (but and name.endswith(but)))
    return tuple(sorted(name for name in shown if any(fnmatchcase(name, pattern) for pattern in patterns)))


def _link(folder: Path, snapshot: Path, files: Iterable[str]) -> None:
    """A folder of its own for these files.

    The snapshot in the cache also holds whatever else was ever fetched of the commit, so that what is in it, and its
    digest, would depend on the past.
    """
    for file in files:
        link, target = folder / file, snapshot / file
        if link.is_symlink() and link.readlink() == target:
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        fresh = link.with_name(f".{secrets.token_hex(8)}")  # others may be making the same folder
        fresh.symlink_to(target)
        fresh.replace(link)


# --- The Hub --------------------------------------------------------------------------------------------------


def _commit(asked: _Asked, hub: _Hub) -> _Commit:
    """The commit that the revision is at, with its matching files in the cache."""
    from huggingface_hub import errors, get_cached_repo_tree, snapshot_download

    silence = _silence(asked, hub)
    try:
        sha = _resolved(asked, hub, local=silence is not None)
        listed = partial(get_cached_repo_tree, asked.repo, repo_type="dataset", revision=sha, cache_dir=hub.blobs)
        if silence:
            listed()  # raises where the list is missing: then nobody knows whether the files at hand are all
    except (errors.RevisionResolutionError, errors.CachedRepoTreeNotFoundError) as error:
        raise silence or error from error
    download = partial(
        snapshot_download,
        asked.repo,
        repo_type="dataset",
        revision=sha,
        cache_dir=hub.blobs,
        allow_patterns=_patterns(asked.path, ENDINGS),
        ignore_patterns=[".*", "*/.*"],
        endpoint=hub.api.endpoint,
        library_name="thoughtmill",
    )
    snapshot = patiently(download, () if silence else hub.waits)
    names = tuple(sorted(file.path for file in listed()))
    return _Commit(sha, Path(snapshot), names, _stale(silence) if silence and sha != asked.revision else ())


def _resolved(asked: _Asked, hub: _Hub, *, local: bool) -> str:
    """The sha of the commit that the revision is at, or was when last asked."""
    return hub.api.resolve_revision(
        asked.repo, repo_type="dataset", revision=asked.revision, cache_dir=hub.blobs, local_files_only=local
    ).resolved


def _stale(silence: Exception) -> tuple[str, ...]:
    return (f"the Hub could not be asked ({_kind(silence)}): this is the commit that it had when last asked",)


def _silence(asked: _Asked, hub: _Hub) -> Exception | None:
    """Why the Hub gives no answer now, so that the cache must do; None where it answers.

    It is asked before anything else because `resolve_revision` and `snapshot_download` take what the cache has at the
    first error, and do not tell.
    """
    try:
        patiently(partial(hub.api.dataset_info, asked.repo, revision=asked.revision, timeout=PATIENCE), hub.waits)
    except Exception as error:
        if not (is_offline(error) or is_busy(error)):
            raise
        return error
    return None


# --- Errors ---------------------------------------------------------------------------------------------------


def _kind(error: BaseException) -> str:
    return f"it answers {status(error)}" if status(error) else type(cause(error)).__name__


def _reason(error: Exception, asked: _Asked, hub: _Hub) -> str:
    """What a person should know about the error: never what the server wrote, which may be anything."""
    from huggingface_hub import errors, get_token

    found = cause(error)
    login = "set HF_TOKEN to one that may read it" if get_token() else "set HF_TOKEN, or log in with `hf auth login`"
    match found:
        case errors.GatedRepoError():
            return f"{asked} is gated: ask for access on its page, then {login}"
        case errors.RepositoryNotFoundError():
            return f"no dataset {asked.repo} on the Hub, or a private one: mend the name, or {login}"
        case errors.RevisionNotFoundError():
            return (
                f"no revision {asked.revision!r} of {asked.repo}: give a branch, a tag or the whole sha of a commit"
            )
        case errors.DisabledRepoError():
            return f"{asked.repo} is disabled on the Hub: its authors or the Hub withdrew it"
        case errors.HfHubHTTPError() if status(found) in (401, 403):
            return f"the Hub refuses the token for {asked} ({status(found)}): {login}"
        case (
            errors.CachedRepoTreeNotFoundError() | errors.RevisionResolutionError() | errors.LocalEntryNotFoundError()
        ):
            return f"{asked} is not whole in {hub.blobs}, and the Hub cannot be reached: connect once, or free space"
        case errors.HFValidationError():
            return f"{asked.repo!r} is no name of a dataset: {found}"
        case errors.XetDownloadError():
            return f"the download of {asked} broke off: run it again, what is there stays"
        case _ if is_offline(found):
            kind = type(found).__name__
            return f"no Hub can be reached for {asked} ({kind}), and {hub.blobs} holds no whole copy: connect once"
        case errors.HfHubHTTPError():
            return f"the Hub answers {status(found)} for {asked}: try again later"
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return f"no space left for {asked} in {hub.blobs}: free some, or give another cache"
        case OSError(errno=int()):
            return f"{asked} cannot be kept in {hub.blobs}: {found.strerror}"
    kind = type(found).__name__
    return f"the answer for {asked} makes no sense ({kind}): is HF_ENDPOINT a Hub, or does this network want a login?"


def _nothing(asked: _Asked, names: Sequence[str]) -> str:
    """That there is no data, and what there is instead."""
    data = _matching(names, "", ENDINGS)
    script = f"{asked.repo.partition('/')[2]}.py"
    text = f"no *{', *'.join(ENDINGS)} in {asked}; it has {_some(data or names)}"
    if not data and script in names:
        text += f". A dataset of a loading script ({script}) cannot be read: its code would have to run"
    if not data and asked.revision == "main":
        text += ". Nor has the Hub converted it to Parquet"
    elif not data:
        text += ". The Hub converts only `main`: leave out the revision"
    return text


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more if names else "no files"
