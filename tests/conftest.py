"""What tests share: a place of their own for everything that a run makes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.small import Site

# Property tests look at few examples every day; `make test-slow`, and so CI, looks at three times as many.
# How long an example takes says how busy the machine is, and nothing about the property.
settings.register_profile("everyday", max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("everyday"), max_examples=60)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "everyday"))

# Two test processes on two cores: threads of numpy's own would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where runs, journal and datasets of this test go; it does not exist yet."""
    folder = tmp_path / "data"
    monkeypatch.setenv("THOUGHTMILL_DATA", str(folder))
    # A third of a second for each run.
    monkeypatch.setattr("pipelines.reports.plots.write_plots", lambda told, folder: [])
    monkeypatch.setattr("pipelines.reports.run.write_report", lambda data, name: None)  # and a twentieth of one
    return folder


@pytest.fixture
def site(data: Path, tmp_path: Path) -> Site:
    """A small recipe with seeds, whose runs make their things in `data`."""
    folder = tmp_path / "recipe"
    folder.mkdir()
    return Site(folder)
