"""Versions: what lies beside the facts, that they only grow, and that each can be made again."""

from __future__ import annotations

import asyncio
import os
import shutil
import tomllib
from pathlib import Path
from typing import Any

import datasets
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows import make
from pipelines import release
from pipelines.records import schema
from pipelines.reports.plots import write_plots
from pipelines.store import KINDS, DiskFull, checksum, connect
from tests.small import Site, attempts, loaded_bytes, problems, tree

GOLDEN = Path(__file__).parent / "golden.json"


def test_a_version_is_complete(site: Site):
    made = site.embedded()
    names = set(tree(made.folder))
    views = {
        f"{view}/{name}" for view in ("sft", "rl") for name in ("data-00000.arrow", "state.json", "dataset_info.json")
    }
    facts = {f"facts/{name}.parquet" for name in KINDS}
    prompts = {f"prompts/{name}.md" for name in ("pose/plan-solve", "solve/boxed")}
    told = {"README.md", "ledger.json", "recipe.toml", "version.json", "report/report.json", "report/report.md"}
    assert names == facts | views | prompts | told

    told = orjson.loads((made.folder / "version.json").read_bytes())
    assert told["version"] == made.folder.name == "v1"
    for name in KINDS:
        assert told["files"][f"{name}.parquet"] == checksum((made.folder / "facts" / f"{name}.parquet").read_bytes())
    assert orjson.loads((made.folder / "ledger.json").read_bytes()) == made.ledger


def test_a_report_has_pictures(site: Site, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("pipelines.reports.plots.write_plots", write_plots)
    folder = site.embedded().folder / "report"
    assert {path.name for path in folder.glob("*.svg")} >= {"domains.svg", "lengths.svg"}
    assert all(f"]({path.name})" in (folder / "report.md").read_text() for path in folder.glob("*.svg"))


def test_facts_have_the_declared_schema_and_duckdb_reads_them(site: Site):
    made = site.embedded()
    for name, kind in KINDS.items():
        found, wanted = pq.read_schema(made.folder / "facts" / f"{name}.parquet"), schema(kind)
        assert found.metadata == wanted.metadata
        assert found.names == wanted.names
        # Parquet has its own word for what a list holds.
        assert [str(each).replace("element:", "item:") for each in found.types] == [
            str(each) for each in wanted.types
        ]
    with connect([made.folder / "facts"]) as connection:
        [counted] = connection.execute("select count(*) from attempts").fetchall()
        assert counted == (len(attempts(made)),)


def test_each_seed_is_there_once_and_before_its_first_draw(site: Site):
    found = problems(site.embedded())
    seeds = [each.id for each in found if each.kind == "seed"]
    assert len(seeds) == len(set(seeds)) == 12
    seen: set[str] = set()
    for each in found:
        assert each.kind != "pose" or set(each.parents) <= seen
        seen.add(each.id)


def test_versions_only_grow(site: Site):
    first = site.embedded("target={accepted=3, candidates=40}").folder
    before = tree(first)
    second = site.embedded("target={accepted=6, candidates=40}").folder
    assert [first.name, second.name] == ["v1", "v2"]
    assert tree(first) == before


def test_a_removed_version_gives_its_number_to_no_other_while_a_later_one_stands(site: Site):
    versions = [site.embedded(f"target={{accepted={n}, candidates=40}}").folder for n in (2, 3)]
    shutil.rmtree(versions[0])
    assert site.embedded("target={accepted=4, candidates=40}").folder.name == "v3"


def test_a_half_written_version_does_not_exist_and_its_number_is_not_used(site: Site, data: Path):
    home = data / "datasets" / "small"
    (home / "v1" / "facts").mkdir(parents=True)
    made = site.embedded()
    assert made.folder.name == "v2"
    assert release.versions(home) == [made.folder]


@pytest.mark.parametrize("broken", ["facts", "views", "rename"])
def test_a_release_that_breaks_leaves_nothing(site: Site, data: Path, monkeypatch: pytest.MonkeyPatch, broken: str):
    def full(*anything: Any, **more: Any) -> Any:
        raise OSError(28, "No space left on device")

    if broken == "rename":
        monkeypatch.setattr(Path, "rename", full)
    else:
        monkeypatch.setattr(release, {"facts": "write_facts", "views": "_write_views"}[broken], full)
    with pytest.raises(DiskFull, match="no space left"):
        site.embedded()
    assert list((data / "datasets" / "small").iterdir()) == []
    monkeypatch.undo()
    monkeypatch.setenv("THOUGHTMILL_DATA", str(data))
    made = site.embedded()
    assert made.counts.get("sent", 0) == 0
    assert made.folder.name == "v1"


def test_the_recipe_of_a_version_makes_the_same_version(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also one that was changed on the command line, has prompts and seeds of its own, and runs from elsewhere."""
    shutil.copytree(Path(__file__).parents[2] / "prompts" / "solve", site.folder / "prompts" / "own")
    made = site.embedded("expand.prompt=own/boxed", "expand.n=3", "target={accepted=4, candidates=40}")
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / "elsewhere"))
    again = asyncio.run(make.make(str(made.folder / "recipe.toml")))
    assert again.folder.parent.name == "small"
    assert loaded_bytes(again) == loaded_bytes(made)
    kept = ("digest", "rows", "files")
    told = [orjson.loads((each.folder / "version.json").read_bytes()) for each in (made, again)]
    assert [told[0][key] for key in kept] == [told[1][key] for key in kept]


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["plan=false", "filter=false"])
def test_the_recipe_of_our_own_method_makes_the_same_version(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arm: str
):
    made = asyncio.run(make.make("cot-self-instruct", changes=["target.accepted=4", "expand.n=2", arm]))
    value = tomllib.loads((made.folder / "recipe.toml").read_text())
    assert value["target"]["accepted"] == 4
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / "elsewhere"))
    again = asyncio.run(make.make(str(made.folder / "recipe.toml")))
    assert loaded_bytes(again) == loaded_bytes(made)


def test_the_card_says_plainly_what_made_the_rows(site: Site):
    made = site.embedded()
    card = (made.folder / "README.md").read_text()
    assert "not a language model" in card
    assert f"| accepted | {made.ledger['accepted']} |" in card
    assert "not a language model" not in (site.turn(dataset="other").made.folder / "README.md").read_text()


def test_costs_are_told_where_there_is_a_price(site: Site):
    site.value["models"]["teacher"]["price"] = {"input": 2.0, "output": 10.0}
    spent = site.turn().made.ledger["models"]["teacher"]
    assert spent["attempts"] > 24
    assert spent["cost"] == pytest.approx((2 * spent["prompt_tokens"] + 10 * spent["completion_tokens"]) / 1e6)


# Writing


def test_a_view_of_many_batches_is_cut_into_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(release, "ARROW_FILE_BYTES", 4000)
    wanted = pa.schema([("text", pa.string())])
    batches = [pa.record_batch([[f"row {i} {j}" * 10 for j in range(20)]], schema=wanted) for i in range(10)]
    assert release.write_dataset(tmp_path / "view", wanted, batches) == 200
    assert len(list((tmp_path / "view").glob("data-*.arrow"))) > 2
    loaded = datasets.load_from_disk(str(tmp_path / "view"))
    assert loaded["text"][:] == [text for batch in batches for text in batch.column("text").to_pylist()]


# The golden run


def test_the_builtin_run_is_what_it_was(data: Path):
    """The ledger and the digest of the facts of 20 accepted rows.

    Whoever changes a prompt, a rule, a seed or the builtin engine changes them: look at the difference, and write
    them anew with GOLDEN=write in the environment.
    """
    made = asyncio.run(make.make("cot-self-instruct", changes=["target.accepted=20"]))
    version = orjson.loads((made.folder / "version.json").read_bytes())
    told = {"digest": version["digest"], "rows": version["rows"], "ledger": made.ledger}
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    assert told == orjson.loads(GOLDEN.read_bytes())
