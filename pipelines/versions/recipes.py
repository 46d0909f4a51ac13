"""What changed from one recipe to another: key by key in the words of `--set`, and prompts line by line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.records import to_json


class Change(NamedTuple):
    """A value in the old and in the new; None where there is none."""

    key: str
    old: Any
    new: Any


class Rewritten(NamedTuple):
    """A prompt that has other words, or is only in one."""

    name: str
    lines: list[str]  # as `diff -u` writes them, without a header


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """The keys whose values differ, in the order of the old and then of the new."""
    return [each for each in beside(old, new) if each.old != each.new]


def beside(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Every key with both values."""
    return [Change(key, old.get(key), new.get(key)) for key in dict.fromkeys([*old, *new])]


def changed_recipe(old: Path, new: Path) -> list[Change]:
    """The keys of the recipes of two versions that differ, named as `--set` names them: "verify.rules.novelty"."""
    recipes = [tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8")) for folder in (old, new)]
    return changed(*(dict(flat(recipe)) for recipe in recipes))


def flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """The single values of a nested one, each with its place; what is in a list is named as it names itself.

    The names in a list are a value too, since their order counts. Stages stand at the top, as in `--set`.
    """
    match value:
        case dict():
            for key, inner in value.items():
                yield from flat(inner, f"{place}.{key}" if place else key)
        case list() if names := _names(value):
            yield place, ", ".join(names)
            for name, inner in zip(names, value, strict=True):
                if isinstance(inner, dict):
                    parts = {key: each for key, each in inner.items() if (key, each) != ("rule", name)}
                    yield from flat(parts, name if place == "stages" else f"{place}.{name}")
        case list():
            yield place, to_json(value)
        case _:
            yield place, value


def _names(values: list[Any]) -> list[str]:
    """What the members of a list call themselves; nothing unless each has a name, and one of its own."""
    names = [_name(each) for each in values]
    given = [name for name in names if name]
    return given if len(given) == len(values) == len(set(given)) else []


def _name(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    named = (value.get(key) for key in ("name", "rule", "use")) if isinstance(value, dict) else ()
    return next((name for name in named if isinstance(name, str)), None)


def changed_prompts(old: Path, new: Path) -> list[Rewritten]:
    """The prompts in two folders that differ, by their names."""
    texts = [_texts(folder) for folder in (old, new)]
    return [
        Rewritten(key, _diff(each_old or "", each_new or "")) for key, each_old, each_new in sorted(changed(*texts))
    ]


def _texts(folder: Path) -> dict[str, str]:
    paths = sorted(folder.rglob("*.md"))
    return {path.relative_to(folder).with_suffix("").as_posix(): path.read_text(encoding="utf-8") for path in paths}


def _diff(old: str, new: str) -> list[str]:
    lines = unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2)
    return [line for line in lines if not line.startswith(("---", "+++"))]


def books_beside(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """The numbers of two ledgers beside each other; reasons are in the report."""
    numbers = ({key: each for key, each in flat(books) if _is_number(each)} for books in (old, new))
    return [each for each in beside(*numbers) if not each.key.startswith(("reasons", "verification", "seeds_in"))]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
