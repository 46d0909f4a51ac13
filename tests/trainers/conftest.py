"""What trainers read: two small versions, and their views as files for each of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipelines.export import export
from tests.trainers.scene import squares, talks

# Two test processes on two cores; and nothing here is to be fetched from anywhere, or sent.
if find_spec("torch"):  # elsewhere these tests are skipped, and others do ask a Hub
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", RAY_USAGE_STATS_ENABLED="0")

Export = Callable[[str, str], Path]
"""Gives the folder with a view as this trainer wants it."""


@pytest.fixture(scope="session")
def version(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a version with every view but `turns`."""
    yield from _made(squares, tmp_path_factory.mktemp("squares"))


@pytest.fixture(scope="session")
def conversations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a version in which the assistant speaks twice: what the view `turns` is made of."""
    yield from _made(talks, tmp_path_factory.mktemp("talks"))


def _made(make: Callable[[Path], Path], folder: Path) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder / "data"))
        patch.setattr("pipelines.reports.plots.write_plots", lambda told, folder: [])
        yield make(folder)


@pytest.fixture(scope="session")
def exported(version: Path, conversations: Path, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Exports each view for each trainer once; an export without rows would show nothing."""
    folder = tmp_path_factory.mktemp("exported")

    def export_once(view: str, to: str) -> Path:
        into = folder / f"{view}-{to}"
        if not into.exists():
            assert export(conversations if view == "turns" else version, into, view=view, to=to).rows
        return into

    return export_once


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Loaders cache what they read by its path; here each test reads for itself."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
