"""A version's recipe made fit for other machines: with the seeds beside it, and without what is nobody else's.

Draws are a function of all seeds in their order, also of those that were never drawn, and a version's facts hold only
the drawn ones. So the files themselves go along, under names that tell their content: `seeds/math-1f2e3d4c.jsonl` is
never mistaken for another file that lies where the recipe is run. A file that is gone, or no longer holds what the
facts were made from, stays away, and the recipe then names something that whoever runs it has to bring.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import tomli_w

from pipelines.hub.fetch import is_hub
from pipelines.recipe import FILES, BadRecipe, find_file, stage_name
from pipelines.rows import BadRows, Rows, Seeds
from pipelines.tombstones import stones_beside

SOURCES = ("seeds", "rows")  # what draws are made from: parameters of the stages draw and bring
SECRET = {"key_env"}  # of a model: the name of a variable on the machine of whoever ran it


class Portable(NamedTuple):
    """A recipe and the files it draws from, by their names beside it; and what could not come along."""

    recipe: str  # TOML
    files: dict[str, Path]
    notes: tuple[str, ...]


def portable(version: Path) -> Portable:
    """The recipe of the version in this folder."""
    value = tomllib.loads((version / "recipe.toml").read_text(encoding="utf-8"))
    found: dict[str, Path] = {}
    notes: list[str] = []
    for stage in value.get("stages", []):
        for key in SOURCES:
            if key in stage:
                stage[key] = _brought_along(stage[key], _Source(version, stage, key), found, notes)
    if value.pop("earlier", None):
        notes.append(
            "the recipe is published without `earlier`: it names versions that lie here, whose rows it avoids"
        )
    _strip(value)
    return Portable(tomli_w.dumps(value), found, tuple(notes))


class _Source(NamedTuple):
    """Where a recipe names what it draws from."""

    version: Path
    stage: dict[str, Any]
    key: str

    def __str__(self) -> str:
        return f"stage {stage_name(self.stage)!r}, {self.key}"


def _brought_along(given: Any, where: _Source, found: dict[str, Path], notes: list[str]) -> Any:
    """The same parameter with the new names of its files, which are added to `found`."""
    table = given if isinstance(given, dict) else {"path": given}
    names = [table["path"]] if isinstance(table["path"], str) else list(table["path"])
    try:
        paths = [find_file(name, str(where), where.version) for name in names]
        rows = Rows(paths, columns=table.get("columns", {}))
        if not _questions(where) <= {_key(rows, index) for index in range(len(rows))}:
            raise BadRows(f"{', '.join(names)} has changed since the version was made")
        forgotten = stones_beside(where.version)
        covered = (forgotten.cover_text(_key(rows, i)[0], rows.text(i, "source")) for i in range(len(rows)))
        if forgotten and any(covered):
            raise BadRows(f"{', '.join(names)} holds what is forgotten")
    except (BadRecipe, BadRows) as error:
        notes.append(f"the recipe is published without its {where.key} ({error}): who runs it brings them")
        return _renamed(given, _public)
    new = {name: _name(path) for name, path in zip(names, paths, strict=True)}
    found |= dict(zip(new.values(), paths, strict=True))
    return _renamed(given, new.__getitem__)


def _renamed(given: Any, name: Callable[[str], str]) -> Any:
    """A parameter that names files, as a text, a list, or a table with a path, with other names."""
    match given:
        case dict():
            return {**given, "path": _renamed(given["path"], name)}
        case list():
            return [_renamed(each, name) for each in given]
    return name(given)


def _name(path: Path) -> str:
    """A name that tells the content. Where something of that name lies elsewhere, it is the same."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
    own = re.sub(r"-[0-9a-f]{16}$", "", path.stem)  # it may have come from the Hub itself
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", own).strip("-")[:64] or "rows"
    ending = path.suffix if path.suffix in (".parquet", ".jsonl") else ".jsonl"
    return f"seeds/{stem}-{digest}{ending}"


def _questions(where: _Source) -> set[tuple[str, str | None]]:
    """What the facts of the version were made from, as question and answer."""
    import pyarrow.parquet as pq

    stage = f"{stage_name(where.stage)}@"
    made: set[tuple[str, str | None]] = set()
    file = pq.ParquetFile(where.version / "facts" / "problems.parquet")
    for batch in file.iter_batches(columns=["stage", "question", "answer"], use_threads=False):
        for row in batch.to_pylist():
            if row["stage"].startswith("seed@" if where.key == "seeds" else stage):
                made.add((row["question"], row["answer"]))
    return made


def _key(rows: Rows, index: int) -> tuple[str, str | None]:
    seed = Seeds.problem_of(rows, index)
    return seed.question, seed.answer


# --- What stays at home ---------------------------------------------------------------------------------------


def _strip(value: dict[str, Any]) -> None:
    """Take out of a recipe, in place, where things lie on this machine and how its models are paid."""
    for model in _tables(value.get("models", {})):
        for key in SECRET & model.keys():
            del model[key]
    for table in _tables(value):
        for key, each in table.items():
            if key.rpartition(".")[2] in FILES and not isinstance(each, dict):
                table[key] = _renamed(each, _public)
            elif isinstance(each, str) and re.match(r"(openai|replay):\S+$", each):
                table[key] = _reached(each)


def _tables(value: Any) -> Iterator[dict[str, Any]]:
    """All tables in a recipe, also those within others."""
    if isinstance(value, dict):
        yield value
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _tables(each)


def _public(name: Any) -> Any:
    """A path without the folders of this machine. What is named from the project stays as it is."""
    if not isinstance(name, str) or is_hub(name):
        return name
    path = PurePath(name)
    return path.name if path.is_absolute() or {"..", "~"} & set(path.parts) else name


def _reached(use: str) -> str:
    """An engine without what an address may carry behind `?`, and without the folders of a recording."""
    engine, _, rest = use.partition(":")
    return f"{engine}:{_public(rest)}" if engine == "replay" else re.split(r"[?#]", use, maxsplit=1)[0]
