"""A recipe is a value: a TOML file with a name, a target, models by role, and the line of stages.

Here it is found, read and changed; `pipelines.bind` checks it against what exists and makes it ready to run.
"""

from __future__ import annotations

import copy
import difflib
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

RECIPES = Path(__file__).parent / "recipes"
PROJECT = Path(__file__).parent.parent

KEYS = {"name", "about", "paper", "seed", "shard", "target", "arms", "without", "models", "stages", "views"}
KEYS |= {"curriculum", "budget", "run", "earlier", "rounds", "round"}
FILES = {"seeds", "rows", "path", "against", "losses", "earlier"}  # what names files, in stages and their rules
FILES |= {"demonstrations"}
TABLES = {"target", "arms", "without", "models", "curriculum", "budget", "run", "rounds", "round"}


class BadRecipe(ValueError):
    """A recipe that cannot run; the message says what, where and how to mend it."""


def find(name: str) -> Path:
    """The file of a recipe, by its path or by the name of one of ours."""
    if name.endswith(".toml") or "/" in name:
        if Path(name).is_file():
            return Path(name)
        raise BadRecipe(f"no file {name}")
    path = RECIPES / f"{name}.toml"
    if path.is_file():
        return path
    raise BadRecipe(f"no recipe {name!r}{nearest(name, names())}; there are: {', '.join(names())}")


def find_file(path: str, where: str, folder: Path) -> Path:
    """A file or folder as the person sees it, or beside the recipe, or in the project."""
    for base in (Path(), folder, PROJECT):
        if (base / path).exists():
            return base / path
    raise BadRecipe(f"{where}: no file {path} here, beside the recipe or in the checkout")


def names() -> list[str]:
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def read(path: Path, *, changes: Sequence[str] = ()) -> dict[str, Any]:
    """The recipe's value after changes such as `target.accepted=50`, `plan=false`, `expand.n=4`. Raises BadRecipe."""
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRecipe(f"{path}: not TOML ({error})") from error
    value.setdefault("name", path.stem)
    _check_shape(value)
    for change in changes:
        apply(value, change)
    _check_shape(value)
    for arm, on in value.get("arms", {}).items():
        if arm not in value.get("without", {}):
            arms = ", ".join(value.get("without", {})) or "none"
            raise BadRecipe(f"no arm {arm!r}: [without.{arm}] should say what changes without it; there are: {arms}")
        if on is False:
            for place, replacement in value["without"][arm].items():
                assign(value, place, copy.deepcopy(replacement))
    anchor(value, path.parent)
    return value


def anchor(value: Mapping[str, Any], folder: Path) -> None:
    """Let files that lie beside the recipe be found from elsewhere too, when a version keeps the recipe."""
    for stage in value.get("stages", []):
        named = [stage, *(each for each in stage.get("rules", ()) if isinstance(each, dict))]
        named += [each for each in stage.values() if isinstance(each, dict)]
        for table in named:
            for key in FILES & table.keys():
                paths = table[key]
                inner = [_anchored(each, folder) for each in paths] if isinstance(paths, list) else paths
                table[key] = _anchored(inner, folder)


def _anchored(path: Any, folder: Path) -> Any:
    beside = isinstance(path, str) and not Path(path).exists() and (folder / path).exists()
    return str(folder / path) if beside else path


def _check_shape(value: Mapping[str, Any]) -> None:
    """Check that what should be tables are tables."""
    for name in TABLES & value.keys():
        checked(value[name], dict, name)
    for each in checked(value.get("stages", []), list, "stages"):
        checked(each, dict, "each of stages")


def apply(value: dict[str, Any], change: str) -> None:
    """Apply one `PLACE=VALUE` to a recipe's value; VALUE is TOML, or else text."""
    place, equals, text = change.partition("=")
    if not equals:
        raise BadRecipe(f"--set {change}: should be PLACE=VALUE, such as target.accepted=50")
    place = place.strip()
    if place in value.get("arms", {}):
        place = f"arms.{place}"
    assign(value, place, toml_value(text.strip()))


def assign(value: dict[str, Any], place: str, new: Any) -> None:
    """Set `target.accepted`, `models.teacher` or, by the name of a stage, `expand.n`."""
    head, *rest = place.split(".")
    if not all([head, *rest]):
        raise BadRecipe(f"{place!r} is no place in a recipe; say for example target.accepted=50")
    if head in KEYS - {"stages"}:
        inner: Any = value
        rest = [head, *rest]
    else:
        inner = next((each for each in value.get("stages", []) if stage_name(each) == head), None)
        if inner is None:
            there = sorted(KEYS - {"stages"} | {stage_name(each) for each in value.get("stages", [])})
            near = nearest(head, there)
            raise BadRecipe(f"nothing in the recipe is called {head!r}{near}; there are: {', '.join(there)}")
        if not rest:
            raise BadRecipe(f"{place!r} is a whole stage; say which parameter, such as {place}.n")
    for key in rest[:-1]:
        inner = inner.setdefault(key, {})
        if not isinstance(inner, dict):
            raise BadRecipe(f"{place!r}: {key!r} is {inner!r} and holds nothing")
    if rest[:-1] == ["models"] and isinstance(new, str) and isinstance(inner.get(rest[-1]), dict):
        # Another engine for a role: it is asked as the recipe says, but has settings of its own.
        new = {"use": new, "sampling": inner[rest[-1]].get("sampling", {})}
    inner[rest[-1]] = new


def stage_name(stage: Mapping[str, Any]) -> str:
    return stage.get("name", stage.get("use", "?"))


def toml_value(text: str) -> Any:
    """A value as it stands on a command line: TOML, or else text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


# ---------------------------------------------------------------------------------------------------------------
# Checking


def known(table: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    """Check that a table has no other keys than these."""
    names = sorted(names)
    for key in table:
        if key not in names:
            raise BadRecipe(f"{where} has no key {key!r}{nearest(key, names)}; it may have: {', '.join(names)}")


def checked(given: Any, kind: Any, where: str) -> Any:
    """The value, if it is of that type, or of one in a union. A truth is no number; a whole number does for any."""
    union = typing.get_args(kind) if isinstance(kind, types.UnionType) else [kind]
    kinds = [typing.get_origin(each) or each for each in union]
    fits = any(isinstance(given, each) or (each is float and isinstance(given, int)) for each in kinds)
    if not fits or (isinstance(given, bool) and bool not in kinds):
        names = " or ".join(each.__name__ for each in kinds if each is not type(None))
        raise BadRecipe(f"{where} = {given!r} should be of type {names}")
    return given


def positive(given: Any, where: str) -> int | None:
    """The number, if it is one from 1 on, or None."""
    if given is None:
        return None
    if checked(given, int, where) < 1:
        raise BadRecipe(f"{where} = {given} should be at least 1")
    return given


def nearest(name: str, names: Iterable[str]) -> str:
    """What may have been meant, as it stands in an error."""
    near = difflib.get_close_matches(name, list(names), n=1)
    return f" (do you mean {near[0]!r}?)" if near else ""
