"""Indexes in small parts, so that a few rows meet every boundary, and sources that are closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.browse import index, search, source
from pipelines.browse.source import Source, close, open_source


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "THREADS", 1)
    monkeypatch.setattr(source, "PART_ROWS", 8)
    monkeypatch.setattr(source, "SHARD_WINDOW", 6)
    monkeypatch.setattr(index, "GROUP_ROWS", 3)
    monkeypatch.setattr(search, "FIRST", 2)
    monkeypatch.setattr(search, "LONGEST", 5)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[str], Source]]:
    """Opens sources of the data folder `tmp_path`, and closes them when the test ends."""
    there: list[Source] = []

    def opening(name: str) -> Source:
        there.append(open_source(tmp_path, name))
        return there[-1]

    yield opening
    for each in there:
        close(each)
