"""Back from the Hub: the recipe of a published version, with its prompts and seeds, ready to run again.

What comes from the Hub is data of strangers. Of its files we take those that a recipe needs, by their names, and
write them to a folder of their own. A recipe says what is read and who is asked, so it may name only files that came
with it, no recording, and no key of this machine: what else it wants, whoever runs it has to say.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pipelines import recipe as recipes
from pipelines.hub import errors as hub_errors
from pipelines.hub.fetch import WAITS, HubError, is_hub
from pipelines.hub.there import commit_at, downloaded

if TYPE_CHECKING:
    from huggingface_hub import HfApi, RepoFile

RECIPE = "recipe.toml"
SMALL = 1 << 20  # bytes of a recipe or a prompt, at the most
NAME = re.compile(r"(?:hub:)?([\w.-]+/[\w.-]+)(?:@([^\s:]+))?", re.ASCII)
_PLAIN = r"[^./\\\0-\x1f][^/\\\0-\x1f]*"  # a name that is neither hidden nor leads elsewhere
WANTED = re.compile(rf"recipe\.toml|prompts/({_PLAIN}/)*{_PLAIN}\.md|seeds/{_PLAIN}\.(jsonl|parquet)")


def fetch_recipe(
    name: str,
    *,
    into: Path,
    changes: Sequence[str] = (),
    endpoint: str | None = None,
    waits: Sequence[float] = WAITS,
) -> Path:
    """Bring the recipe of `OWNER/NAME[@REVISION]` to a folder below `into`; the path of its file.

    `changes` are those that it will be run with (`draw.seeds=mine.jsonl`): what they say is not held against it. The
    token, where one is needed, is that of HF_TOKEN or of `hf auth login`. Raises HubError or BadRecipe.
    """
    found = NAME.fullmatch(name)
    if not found:
        raise HubError(f"{name!r} is no published version: write OWNER/NAME@vN")
    repo, revision = found[1], found[2] or "main"
    api = _api(endpoint)
    try:
        folder = hub_errors.patiently(lambda: _fetch(api, repo, revision, into), waits)
    except HubError:
        raise
    except Exception as error:
        raise HubError(hub_errors.why_not_fetched(error, f"{repo}@{revision}")) from error
    try:
        _check(folder / RECIPE, changes, repo)
    except RecursionError as error:
        raise HubError(f"the recipe of {repo}@{revision} cannot be read: it is nested too deeply") from error
    return folder / RECIPE


def _api(endpoint: str | None) -> HfApi:
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise HubError(
            "reading from the Hub needs the extra `datasets`: pip install 'thoughtmill[datasets]'"
        ) from error
    return HfApi(endpoint=endpoint, library_name="thoughtmill")


# --- Files ----------------------------------------------------------------------------------------------------


def _fetch(api: HfApi, repo: str, revision: str, into: Path) -> Path:
    """The folder with the files of this commit; the recipe is written last."""
    sha = str(api.dataset_info(repo, revision=revision).sha)
    files = commit_at(api, repo, sha).files
    if RECIPE not in files:
        raise HubError(f"{repo}@{revision} has no {RECIPE}: it was not published by Thoughtmill")
    folder = into / repo.replace("/", "--") / sha[:16]
    for path in sorted(filter(WANTED.fullmatch, files), key=lambda path: path == RECIPE):
        _check_size(files[path], repo)
        target = folder.joinpath(*PurePosixPath(path).parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with downloaded(api, repo, sha, path) as found:
            aside = target.with_name(f".{secrets.token_hex(8)}")
            shutil.copyfile(found, aside)
            aside.replace(target)
    return folder


def _check_size(file: RepoFile, repo: str) -> None:
    if not file.path.startswith("seeds/") and file.size > SMALL:
        raise HubError(
            hub_errors.line(f"{file.path} of {repo} has {file.size:,} bytes: no recipe or prompt is so long")
        )


# --- What a stranger's recipe may name ------------------------------------------------------------------------


def _check(path: Path, changes: Sequence[str], repo: str) -> None:
    """Raises HubError where the recipe, once changed, still names by itself what it may not."""
    own, changed = recipes.read(path), recipes.read(path, changes=changes)
    for where, name in _files(changed).items():
        if name == _files(own).get(where) and not _is_allowed(where, name, path.parent):
            told = f"the recipe of {repo} names {where} = {name!r}, which did not come with it"
            raise HubError(hub_errors.line(f"{told}: say which to take with --set {where}=PATH"))
    for role, model in _models(changed).items():
        if (model.get("key_env"), model["use"]) == (_models(own)[role].get("key_env"), _models(own)[role]["use"]):
            _check_model(role, model, repo)


def _check_model(role: str, model: Mapping[str, Any], repo: str) -> None:
    """A stranger names no address: it would be sent prompts, and the key in OPENAI_API_KEY."""
    use = str(model["use"])
    wants = f"the key in {model['key_env']}" if "key_env" in model else ""
    wants = wants or (f"the recording {use}" if use.startswith("replay:") else "")
    wants = wants or (f"the server http{use.partition('@http')[2]}" if "@http" in use else "")
    if wants:
        told = f"the recipe of {repo} wants {wants} for its model {role!r}"
        raise HubError(hub_errors.line(f"{told}: say what to ask instead with --model {role}=ENGINE"))


def _models(value: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    tables = {
        role: spec if isinstance(spec, dict) else {"use": spec} for role, spec in value.get("models", {}).items()
    }
    return {role: {"use": None, **table} for role, table in tables.items()}


def _files(value: Mapping[str, Any]) -> dict[str, Any]:
    """All files that the stages name, by where they do; several in one place are numbered."""
    found: dict[str, Any] = {}
    for stage in value.get("stages", []):
        for where, name in _named(stage, recipes.stage_name(stage)):
            found[where if where not in found else f"{where}[{len(found)}]"] = name
    return found


def _named(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """What stands under the keys that name files, however deep."""
    for key, each in value.items() if isinstance(value, dict) else ():
        if key in recipes.FILES and not isinstance(each, dict):
            yield from ((f"{where}.{key}", name) for name in (each if isinstance(each, list) else [each]))
        for inner in each if isinstance(each, list) else [each]:
            yield from _named(inner, f"{where}.{key}")


def _is_allowed(where: str, name: Any, folder: Path) -> bool:
    """What models will see must have come along; what rules compare with may also be one's own, or on the Hub."""
    if not isinstance(name, str):
        return True  # binding says what is wrong with it
    if Path(name).exists() and Path(name).resolve().is_relative_to(folder.resolve()):
        return True
    compared = where.rpartition(".")[2].startswith(("against", "losses", "earlier"))
    path = Path(name)
    return compared and (is_hub(name) or not (path.is_absolute() or ".." in path.parts))
