"""Fetching a version from the store, to read it where nothing was made."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli_datasets import pull
from flows.show import find_version
from pipelines.mirror import opened
from tests.small import tree
from tests.test_docs import ROOT, examples, run
from tests.versions import candidate, together, write_version


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a dataset with two versions, which a store has, too; here is an empty data folder."""
    (tmp_path / "share").mkdir()
    monkeypatch.setenv("THOUGHTMILL_STORE", f"file://{tmp_path}/share")
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / "here"))
    home = tmp_path / "there" / "datasets" / "sums"
    for number in (9, 10):  # in the order of their numbers, v10 is the newest
        write_version(home / f"v{number}", together(candidate(number)))
    mirror = opened(tmp_path / "there")
    assert mirror
    mirror.sync_versions("sums")
    return home


def test_a_version_is_fetched_and_then_it_is_there(made: Path, tmp_path: Path) -> None:
    for name, version in {"sums": "v10", "sums@v9": "v9"}.items():
        for _ in range(2):
            said = CliRunner().invoke(pull, [name])
            assert said.exit_code == 0, said.output
            assert f"sums@{version} is in {tmp_path}/here/datasets/sums/{version}" in said.output
        assert tree(find_version(name)) == tree(made / version)
    assert len(list((tmp_path / "here" / "datasets" / "sums").iterdir())) == 2


REFUSED = {
    "sums@v11": "the store has no sums@v11; it has: sums@v9, sums@v10",
    "nothing": "the store has no nothing@v1; it has: sums",
    "../sums": "the store has no ../sums@v1; it has: sums",
}


def test_what_the_store_has_not_is_refused_with_what_it_has(made: Path, tmp_path: Path) -> None:
    for name, why in REFUSED.items():
        said = CliRunner().invoke(pull, [name])
        assert (said.exit_code, why in said.stderr) == (2, True), said.stderr


def test_another_version_of_that_number_is_not_replaced(made: Path, tmp_path: Path) -> None:
    ours = write_version(tmp_path / "here" / "datasets" / "sums" / "v9", together(candidate(5)))
    before = tree(ours)
    said = CliRunner().invoke(pull, ["sums@v9"])
    assert (said.exit_code, "is not the v9 that the store has" in said.stderr) == (2, True)
    assert tree(ours) == before


def test_without_a_store_there_is_nothing_to_pull(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(made.parents[1])
    monkeypatch.setenv("THOUGHTMILL_STORE", "")
    said = CliRunner().invoke(pull, ["sums"])
    assert (said.exit_code, "set THOUGHTMILL_STORE" in said.stderr) == (2, True)


@pytest.mark.slow
def test_the_commands_of_the_page_run(tmp_path: Path) -> None:
    told = [run(each, tmp_path) for each in examples((ROOT / "docs" / "stores.md").read_text())]
    assert "cot-self-instruct@v1 is in elsewhere" in told[1]
    sent = [int(number.replace(",", "")) for each in told for number in re.findall("([0-9,]+) requests sent", each)]
    assert 0 < sent[1] < 1.5 * sent[0], "sixty rows need twice as many as ten"
    assert "forgotten: a row" in told[2]
