"""Exports as trainers' users load them, and the views that they are held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.store import connect
from pipelines.views.table import VIEWS, batches, prepare


def load(folder: Path) -> Any:
    """The export in a folder, as a `datasets.Dataset`."""
    from datasets import load_dataset

    [path] = folder.glob("train.*")
    kind = {".parquet": "parquet", ".jsonl": "json"}[path.suffix]
    return load_dataset(kind, data_files=str(path), split="train")


def rows_of(version: Path, view: str) -> list[dict[str, Any]]:
    """The view itself, as the facts tell it."""
    with connect([version / "facts"]) as connection:
        prepare(connection)
        return [row for batch in batches(connection, VIEWS[view]) for row in batch.to_pylist()]
