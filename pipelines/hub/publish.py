"""Publishing: a version is one commit and one tag on the Hub.

Files are uploaded first, where nobody sees them; then one commit names them all, on top of the one that was looked
at, and the Hub refuses it if there is another by then; then the tag. So whoever reads `main` or a tag finds a whole
version, wherever publishing breaks off, and publishing again looks what is there and does the rest. A tag is never
moved: its name means the same bytes for ever.
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.hub import errors as hub_errors
from pipelines.hub.fetch import WAITS
from pipelines.hub.layout import Layout, layout
from pipelines.hub.there import Commit, There, commit_at, holds, look, published_before, read
from pipelines.store import disk_full
from pipelines.tombstones import refuse_forgotten, stones_beside
from pipelines.versions.pin import current

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CARD = "README.md"
AS_WRITTEN = "report/card.md"  # the card before it was merged with what people made of the last one


class PublishError(ValueError):
    """Why a version is not published, and how to mend it, in one line."""


class Published(NamedTuple):
    """A version on the Hub."""

    repo: str
    tag: str
    sha: str  # of the commit that `main` is at
    is_new: bool  # False where everything was there already
    files: int
    bytes: int
    notes: tuple[str, ...] = ()  # what a person should know: what could not go along


class _Release(NamedTuple):
    """What is to be published, and where."""

    api: HfApi
    repo: str
    name: str  # of the dataset
    tag: str
    private: bool | None
    laid: Layout
    card: str
    watch: Callable[[str], None]
    is_meant: bool  # whether it is what the dataset's name alone means
    tried: list[str]  # what was changed, or may have been
    kept: list[str]  # headings of the card under which people's words stand where ours changed


def publish(
    folder: Path,
    *,
    to: str,
    private: bool | None = None,
    token: str | None = None,
    endpoint: str | None = None,
    watch: Callable[[str], None] = lambda told: None,
    waits: Sequence[float] = WAITS,
) -> Published:
    """Make `main` of the dataset `to` on the Hub hold the version in `folder`, and its tag mean it.

    A dataset that is not there is made: private, unless `private` is False. One that is there must be as `private`
    says, if it says anything. The token is `token`, or that of HF_TOKEN or of `hf auth login`. `waits` are the
    seconds between attempts while the Hub is busy. Raises PublishError, NoVersion, Forgotten or DiskFull.
    """
    refuse_forgotten(folder, stones_beside(folder))
    api = _api(token, endpoint)
    repo = _repo(to)
    with tempfile.TemporaryDirectory(prefix="thoughtmill-") as scratch:
        into = Path(scratch) / "release"
        into.mkdir()
        watch("writing the files")
        try:
            laid = layout(folder, into)
        except OSError as error:
            raise disk_full(error, into) from error
        card = _card(folder, laid, repo)
        is_meant = current(folder.parent) == folder
        _check_secrets(laid, card, str(api.token))
        release = _Release(api, repo, folder.parent.name, folder.name, private, laid, card, watch, is_meant, [], [])
        try:
            sha = hub_errors.patiently(lambda: _bring_about(release), waits, watch=watch)
        except PublishError:
            raise
        except Exception as error:
            raise PublishError(hub_errors.why_not_published(error, repo)) from error
    size = sum(config.bytes for config in laid.configs)
    return Published(
        repo, folder.name, sha, bool(release.tried), len(laid.files) + 2, size, (*laid.notes, *_kept(release))
    )


def _kept(release: _Release) -> list[str]:
    under = ", ".join(heading.lstrip("# ") or "the beginning" for heading in release.kept)
    told = "the card keeps what people wrote, where this release says something new, too; look whether it still holds"
    return [f"{told}: {under}"] if under else []


def _repo(to: str) -> str:
    """The name, if it is one. Raises PublishError."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    repo = to.removeprefix("hub:")
    try:
        validate_repo_id(repo)
    except HFValidationError:
        repo = ""
    if repo.count("/") != 1:
        raise PublishError(hub_errors.line(f"{to!r} is no name of a dataset on the Hub: write OWNER/NAME"))
    return repo


def _api(token: str | None, endpoint: str | None) -> HfApi:
    try:
        from huggingface_hub import HfApi, get_token
    except ImportError as error:
        raise PublishError("publishing needs the extra `datasets`: pip install 'thoughtmill[datasets]'") from error
    token = token or get_token()
    if not token:
        raise PublishError("publishing needs a token: set HF_TOKEN, or log in with `hf auth login`")
    return HfApi(endpoint=endpoint, token=token, library_name="thoughtmill")


def _check_secrets(laid: Layout, card: str, token: str) -> None:
    """Raises PublishError where a text holds the token, or what the environment calls a key."""
    named = {name: value for name, value in os.environ.items() if name.endswith(("_KEY", "_TOKEN", "_SECRET"))}
    secrets = {name: value.encode() for name, value in named.items() if len(value) >= 16}
    secrets["the token"] = token.encode()
    for path, number, line in _lines(laid, card):
        if name := next((name for name, secret in secrets.items() if secret in line), None):
            raise PublishError(f"{path}, line {number} holds {name}: take it out and make the version again")
    for path, name in _in_rows(laid, secrets):
        raise PublishError(f"a row of {path} holds {name}: take it out and make the version again")


def _in_rows(laid: Layout, secrets: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """The tables that hold a secret in any of their texts, however deep, each with its name."""
    import duckdb

    with duckdb.connect() as connection:
        for file in laid.files:
            if file.source.suffix == ".parquet":
                which = [f"bool_or(contains(cast(rows as varchar), ${n}))" for n in range(2, len(secrets) + 2)]
                query = f"select {', '.join(which)} from read_parquet($1) as rows"
                values = [str(file.source), *(secret.decode() for secret in secrets.values())]
                held = connection.execute(query, values).fetchall()[0]
                yield from ((file.path, name) for name, is_held in zip(secrets, held, strict=True) if is_held)


def _lines(laid: Layout, card: str) -> Iterator[tuple[str, int, bytes]]:
    """The lines of all texts of a release."""
    yield from ((CARD, number, line) for number, line in enumerate(card.encode().splitlines(), start=1))
    for file in laid.files:
        if file.source.suffix not in (".parquet", ".png"):
            with file.source.open("rb") as lines:
                yield from ((file.path, number, line) for number, line in enumerate(lines, start=1))


def _card(folder: Path, laid: Layout, repo: str) -> str:
    """The card as we write it today: of the recipe as it is published, and the files as they lie there.

    `datasets` cannot load a config without rows, so none is told; its file is there with the others.
    """
    from pipelines.card.about import about
    from pipelines.card.render import render

    recipe = next(file.source for file in laid.files if file.path == "recipe.toml")
    told = about(folder)._replace(
        recipe=tomllib.loads(recipe.read_text(encoding="utf-8")),
        configs={config.name: config.files for config in laid.configs if config.rows},
        repo=repo,
        revision=folder.name,
    )
    return render(told)


# --- What is done, as far as it is missing --------------------------------------------------------------------


def _bring_about(release: _Release) -> str:
    """Do what is still missing of repository, commit and tag."""
    release.watch("looking what is there")
    there = _opened(release)
    tag = there.tags.get(release.tag)
    if tag:
        _check_tag(release, tag)
    main = commit_at(release.api, release.repo, there.main)
    if not release.is_meant and _number(main.about.get("version")) > _number(release.tag):
        return _older(release, main, tag)
    sha = main.sha if holds(main, release.laid) else _commit(release, main)
    if not tag:
        _tag(release, sha)
    return sha


def _older(release: _Release, main: Commit, tag: str | None) -> str:
    """What readers of `main` have is newer than this and is not taken from them, unless one rolled back to it."""
    if tag:
        return tag
    raise PublishError(
        f"{release.repo} has {main.about['version']} already, which is newer than {release.tag}:"
        f" thoughtmill rollback {release.name} {release.tag} first, if it should go back"
    )


def _number(version: Any) -> int:
    """Of vN; 0 for anything else."""
    digits = version[1:] if isinstance(version, str) else ""
    return int(digits) if digits.isdigit() and len(digits) < 10 else 0


def _opened(release: _Release) -> There:
    """The dataset, which is made if it is not there. Raises PublishError where it is not as private as was said."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    api, repo, private = release.api, release.repo, release.private
    try:
        there = look(api, repo)
    except GatedRepoError:
        raise
    except RepositoryNotFoundError:
        release.tried.append("repository")
        api.create_repo(repo, repo_type="dataset", private=private is not False, exist_ok=True)
        there = look(api, repo)
    if private is not None and private != there.private:
        is_, should = ("private", "public") if there.private else ("public", "private")
        raise PublishError(f"{repo} is {is_}: make it {should} in its settings, or leave out --{should}")
    return there


def _check_tag(release: _Release, sha: str) -> None:
    """Raises PublishError where the tag means anything else."""
    if not holds(commit_at(release.api, release.repo, sha), release.laid):
        raise PublishError(
            f"{release.repo} has a {release.tag} of other content, and tags are never moved: publish to another name"
        )


def _commit(release: _Release, main: Commit) -> str:
    """Put the version on top of `main`, in one commit; its sha."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    laid = release.laid
    adds = [CommitOperationAdd(file.path, file.source) for file in laid.files]
    adds += [CommitOperationAdd(AS_WRITTEN, release.card.encode()), CommitOperationAdd(CARD, _merged(release, main))]
    old = set(published_before(main)) - {each.path_in_repo for each in adds}
    deletes = [CommitOperationDelete(path, is_folder=False) for path in sorted(old)]
    release.watch(f"uploading {len(adds)} files")
    release.tried.append("commit")
    try:
        done = release.api.create_commit(
            release.repo,
            [*adds, *deletes],
            commit_message=f"{release.name} {release.tag}",
            repo_type="dataset",
            parent_commit=main.sha,
        )
    except Exception as error:
        if hub_errors.status(error) not in (409, 412):
            raise
        return _overtaken(release)
    return done.oid


def _overtaken(release: _Release) -> str:
    """The sha of `main` where somebody else put the same version there. Raises PublishError where it is another."""
    main = commit_at(release.api, release.repo, look(release.api, release.repo).main)
    if not holds(main, release.laid):
        raise PublishError(f"somebody else has changed {release.repo} meanwhile: look at it, and publish again")
    return main.sha


def _merged(release: _Release, main: Commit) -> bytes:
    """The card with what people made of the last one."""
    from pipelines.card.merge import merged, overtaken

    there, written = (
        read(release.api, release.repo, main.sha, path).decode("utf-8", "replace") if path in main.files else None
        for path in (CARD, AS_WRITTEN)
    )
    release.kept[:] = overtaken(there, written, release.card)
    return merged(there, written, release.card).encode()


def _tag(release: _Release, sha: str) -> None:
    release.watch(f"setting the tag {release.tag}")
    release.tried.append("tag")
    try:
        release.api.create_tag(release.repo, tag=release.tag, revision=sha, repo_type="dataset")
    except Exception as error:
        if hub_errors.status(error) != 409:
            raise
        _check_tag(release, look(release.api, release.repo).tags[release.tag])
