"""Which version of a dataset is meant by its name alone.

    data/datasets/NAME/v1, v2, ...       the versions
                       current.json      the one that NAME means, where that is not the newest

The rules:

- Versions are a counter: v1, v2, ... A removed one gives its number to no other while a later one stands.
- A version never changes. Another threshold, prompt, model or target makes another version.
- The same facts with the same views are the same version: making them again adds none.
- NAME means the newest version, in `show`, `export`, `publish` and everything else; NAME@vN means that one.
- Rolling back makes an older version the one that NAME means, and deletes nothing.
- A version that is made after a rollback is what NAME means again: the file names the newest version that there was,
  and says nothing any more once there is a newer one.

The numbers say nothing about what changed, since no number can tell how far it matters to who trains on the rows;
`compare` tells it exactly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import orjson

from pipelines.release import read_version, versions
from pipelines.segment import sync_folder
from pipelines.store import replace
from pipelines.versions.compare import in_short

FILE = "current.json"


class Listed(NamedTuple):
    """A version in a list of them."""

    folder: Path
    is_current: bool
    accepted: int
    candidates: int
    rows: dict[str, int]  # by view
    digest: str
    changed: str  # to the one before, in one line; empty for the first

    @property
    def name(self) -> str:
        return self.folder.name


def current(home: Path) -> Path:
    """The version that the dataset in `home` means without a number. Raises ValueError where there is none."""
    found = versions(home)
    if not found:
        raise ValueError(f"{home.name} has no version yet")
    names = {folder.name: folder for folder in found}
    pinned = _read(home)
    # A pin says nothing once there is a newer version, or its own is gone.
    is_valid = pinned.get("newest") == _known(found[-1]) and pinned.get("version") in names
    return names[pinned["version"]] if is_valid else found[-1]


def pin(home: Path, version: str) -> Path:
    """Make `version` (vN) the one that the dataset means, durably, until a newer one is made.

    Raises ValueError where there is no such version.
    """
    found = [folder.name for folder in versions(home)]
    if version not in found:
        raise ValueError(f"no version {version!r} of {home.name}; there are: {', '.join(found) or 'none yet'}")
    if version == found[-1]:
        unpin(home)
    else:
        newest = _known(home / found[-1])
        replace(home / FILE, orjson.dumps({"version": version, "newest": newest}), sync=True)
        sync_folder(home)
    return home / version


def _known(folder: Path) -> str:
    """A version's name and what it holds: a number may be given to another once its own was removed by hand."""
    return f"{folder.name} {read_version(folder).get('digest', '')}"


def unpin(home: Path) -> None:
    """Make the newest version the one that the dataset means."""
    (home / FILE).unlink(missing_ok=True)
    sync_folder(home)


def versions_table(home: Path) -> list[Listed]:
    """The versions of a dataset, oldest first, each with what changed to the one before."""
    found = versions(home)
    listed = []
    for before, folder in zip([None, *found], found, strict=False):
        told, books = read_version(folder), orjson.loads((folder / "ledger.json").read_bytes())
        listed.append(
            Listed(
                folder=folder,
                is_current=folder == current(home),
                accepted=books["accepted"],
                candidates=books["candidates"],
                rows=told["rows"],
                digest=told["digest"],
                changed=in_short(before, folder) if before else "",
            )
        )
    return listed


def _read(home: Path) -> dict[str, Any]:
    """What the file says; nothing where there is none. It is put in place whole, so it is never half written."""
    try:
        told = orjson.loads((home / FILE).read_bytes())
    except FileNotFoundError:
        return {}
    except orjson.JSONDecodeError as error:
        raise ValueError(
            f"{home / FILE} is damaged ({error}); remove it: the newest version is meant then"
        ) from error
    return told if isinstance(told, dict) and isinstance(told.get("version"), str) else {}
