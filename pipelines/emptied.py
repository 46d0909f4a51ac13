"""What is left of a version that held what is forgotten: its recipe, which makes it anew without, and its number."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from pipelines.segment import sync_folder
from pipelines.store import checksum, replace

WHY = "forgotten.json"  # in the place of a version that went
KEPT = {"recipe.toml", "prompts", WHY}  # of it: what makes it anew


def empty(folder: Path) -> None:
    """First it is no version any more, and then nothing but its recipe; its number is given to no other."""
    replace(folder / WHY, orjson.dumps({"why": "it held what is forgotten", "version": mark(folder)}))
    (folder / "version.json").unlink(missing_ok=True)
    sync_folder(folder)
    for path in list(_beside_recipe(folder)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def is_emptied(folder: Path) -> bool:
    return (folder / WHY).exists() and not (folder / "version.json").exists()


def is_half_done(folder: Path) -> bool:
    """Whether emptying it was begun, and broke off."""
    return (folder / WHY).exists() and any(_beside_recipe(folder))


def mark(folder: Path) -> dict[str, Any] | None:
    """What tells a version from another of the same number, also when it went; None where nobody can tell."""
    version, why = folder / "version.json", folder / WHY
    if version.exists():
        return checksum(version.read_bytes())
    return mark_in(why.read_bytes()) if why.exists() else None


def mark_in(why: bytes | None) -> dict[str, Any] | None:
    """The same, in what lies in the place of a version that went."""
    try:
        told = orjson.loads(why or b"")
    except orjson.JSONDecodeError:
        return None
    return told.get("version") if isinstance(told, dict) else None


def _beside_recipe(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.name not in KEPT)
