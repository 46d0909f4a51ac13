"""What there is to look at: the datasets with their versions, newest first, and the runs."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from pipelines.browse.links import Looking, address
from pipelines.release import read_version, versions
from pipelines.versions.pin import current


class Version(NamedTuple):
    """A version as the list shows it."""

    name: str
    link: str
    accepted: int
    candidates: int
    rows: dict[str, int]  # by view
    is_current: bool


class Dataset(NamedTuple):
    """A dataset, with its versions from the newest on."""

    name: str
    about: str
    link: str
    versions: list[Version]

    @property
    def current(self) -> Version:
        """The one that the dataset's name means."""
        return next(each for each in self.versions if each.is_current)


class Run(NamedTuple):
    """A run, whatever came of it."""

    name: str
    link: str
    drawn: int


def datasets(data: Path) -> list[Dataset]:
    """The datasets that have a complete version."""
    homes = sorted(path for path in (data / "datasets").glob("*") if versions(path))
    return [_dataset(home) for home in homes]


def _dataset(home: Path) -> Dataset:
    folders = versions(home)[::-1]
    meant = current(home)
    told = [_version(home, folder, is_current=folder == meant) for folder in folders]
    link = next(each.link for each in told if each.is_current)
    return Dataset(home.name, _about(meant), link, told)


def _version(home: Path, folder: Path, *, is_current: bool) -> Version:
    books = orjson.loads((folder / "ledger.json").read_bytes())
    link = address("/dataset", Looking(f"{home.name}@{folder.name}"))
    rows = read_version(folder).get("rows", {})
    return Version(folder.name, link, books.get("accepted", 0), books.get("candidates", 0), rows, is_current)


def _about(folder: Path) -> str:
    """What the recipe says it makes."""
    path = folder / "recipe.toml"
    recipe: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return str(recipe.get("about", ""))


def runs(data: Path) -> list[Run]:
    """The runs that have drawn anything."""
    found = []
    for path in sorted((data / "runs").glob("*/state.json")):
        name = path.parent.name
        drawn = orjson.loads(path.read_bytes()).get("drawn", 0)
        found.append(Run(name, address("/dataset", Looking(f"run:{name}")), drawn))
    return found
