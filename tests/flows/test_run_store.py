"""A run whose store is a shared folder; tests/with_s3 has more of the kind, on S3."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipelines.remote import BadStore
from tests.small import Site, tree


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "share").mkdir()
    monkeypatch.setenv("THOUGHTMILL_STORE", f"file://{tmp_path}/share")
    monkeypatch.setattr("pipelines.journal_mirror.PUT_SECONDS", 0)
    return tmp_path / "share"


def test_a_run_goes_on_from_its_store_alone(store: Path, site: Site, data: Path) -> None:
    first = site.turn("target.candidates=8")
    made = tree(first.made.folder)
    shutil.rmtree(data)
    again = site.turn("target.candidates=8")
    assert (again.requests, again.made.is_new, tree(again.made.folder)) == (0, False, made)
    shutil.rmtree(data)
    site.stage("verify")["rules"][1]["at_least"] = 0.1
    assert site.turn("target.candidates=8").requests == 0, "every reply is read from the journal"
    assert tree(store / "datasets" / "small" / "v1") == made


def test_a_run_makes_what_it_makes_without_a_store(
    store: Path, site: Site, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = tree(site.embedded("target.candidates=8").folder)
    with monkeypatch.context() as patch:
        patch.delenv("THOUGHTMILL_STORE")
        with pytest.raises(BadStore, match="belongs to a store"):
            site.embedded("target.candidates=8")
        patch.setenv("THOUGHTMILL_DATA", str(data.with_name("local")))
        assert tree(site.embedded("target.candidates=8").folder) == stored
