"""A version as it lies on the Hub: the same rows are the same bytes, in groups that the viewer can open."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.hub.layout import Layout, layout
from pipelines.hub.portable import portable
from pipelines.row_groups import row_bytes, row_groups, write_files
from tests.small import Site

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.large_string())])
SCHEMA = pa.schema(
    {
        "question": pa.large_string(),
        "messages": pa.list_(MESSAGE),
        "labels": pa.list_(pa.bool_()),
        "kwargs": pa.struct([("thinking", pa.bool_())]),
        "pass_rate": pa.float64(),
    }
)
TEXT = st.none() | st.text(max_size=40)
ROW = st.fixed_dictionaries(
    {
        "question": TEXT,
        "messages": st.none()
        | st.lists(st.none() | st.fixed_dictionaries({"role": TEXT, "content": TEXT}), max_size=3),
        "labels": st.none() | st.lists(st.booleans(), max_size=5),
        "kwargs": st.none() | st.fixed_dictionaries({"thinking": st.none() | st.booleans()}),
        "pass_rate": st.none() | st.floats(0, 1),
    }
)


def batches(rows: list[dict[str, Any]], cuts: list[int]) -> Iterator[pa.RecordBatch]:
    """The rows as slices of one table, cut at these places."""
    whole = pa.Table.from_pylist(rows, schema=SCHEMA).combine_chunks()
    places = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    for start, stop in pairwise(places):
        yield from whole.slice(start, stop - start).to_batches()


# --- Row groups -----------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.lists(ROW, max_size=12), st.lists(st.integers(0, 12), max_size=4), st.integers(1, 600))
def test_groups_depend_on_the_rows_alone_and_hold_no_more_than_they_may(rows, cuts, limit):
    groups = [*row_groups(SCHEMA, batches(rows, cuts), limit)]
    assert [row for group in groups for row in group.rows.to_pylist()] == rows
    assert all(group.size <= limit or group.rows.num_rows == 1 for group in groups)
    whole = [*row_groups(SCHEMA, batches(rows, []), limit)]
    assert [(group.size, group.rows.num_rows) for group in groups] == [
        (each.size, each.rows.num_rows) for each in whole
    ]
    for group, following in pairwise(groups):  # none could have held more
        assert group.size + row_bytes(following.rows.to_struct_array().chunk(0)).tolist()[0] > limit


def test_a_row_takes_what_is_in_it():
    rows = [
        {"question": "four"},
        {"messages": [{"role": "user", "content": "é"}, None]},
        {"labels": [True] * 5, "kwargs": {"thinking": True}, "pass_rate": 0.5},
        {},
    ]
    empty = 3 * 8 + 1 + 8  # a text and two lists, a flag, a number
    column = pa.Table.from_pylist([{name: row.get(name) for name in SCHEMA.names} for row in rows], schema=SCHEMA)
    sizes = row_bytes(column.to_struct_array().combine_chunks()).tolist()
    assert [size - empty for size in sizes] == [4, 2 * 16 + 4 + 2, 5, 0]


def test_the_same_rows_are_the_same_bytes_however_they_came(tmp_path):
    rows = [{"question": "x" * (97 * i % 50), "messages": [{"role": "user", "content": str(i)}]} for i in range(300)]
    rows = [{name: row.get(name) for name in SCHEMA.names} for row in rows]
    cut = {"whole": [], "twice": [7, 150], "often": [*range(300)]}
    whole, *others = [
        write_files(tmp_path / name, SCHEMA, batches(rows, cuts), group_bytes=1000) for name, cuts in cut.items()
    ]
    for other in others:
        assert other[1:] == whole[1:]
        assert [path.read_bytes() for path in other.files] == [path.read_bytes() for path in whole.files]
    assert whole.rows == 300
    count = len(whole.files)
    assert count > 2
    assert [path.name for path in whole.files] == [f"train-{i:05}-of-{count:05}.parquet" for i in range(count)]
    for path in whole.files:
        written = pq.read_metadata(path)
        assert all(written.row_group(i).total_byte_size < 3000 for i in range(written.num_row_groups))


def test_no_rows_are_a_file_without_rows(tmp_path):
    [path] = write_files(tmp_path / "none", SCHEMA, []).files
    assert path.name == "train-00000-of-00001.parquet"
    assert pq.read_table(path).schema.equals(SCHEMA)
    assert pq.read_table(path).num_rows == 0


def test_notes_of_another_library_are_left_out(tmp_path):
    noted = SCHEMA.with_metadata({"huggingface": "{}", "thoughtmill.schema": "Problem@1"})
    [path] = write_files(tmp_path / "noted", noted, []).files
    metadata = pq.ParquetFile(path).schema_arrow.metadata
    assert metadata == {b"thoughtmill.schema": b"Problem@1"}


# --- Layout ---------------------------------------------------------------------------------------------------


@pytest.fixture
def first(versions) -> Path:
    return versions[0]


@pytest.fixture
def made(laid, first) -> Layout:
    return laid[first]


def contents(made: Layout) -> dict[str, bytes]:
    return {file.path: file.source.read_bytes() for file in made.files}


def test_every_view_and_every_kind_of_fact_is_a_config(made, first):
    rows = {config.name: config.rows for config in made.configs}
    facts = {f"facts-{path.stem}": pq.read_metadata(path).num_rows for path in first.glob("facts/*")}
    assert rows == {**orjson.loads((first / "version.json").read_bytes())["rows"], **facts}
    assert next(iter(rows)) == "sft"
    for config in made.configs:
        assert all(path.startswith(f"data/{config.name}/train-") for path in config.files)
        assert config.bytes == sum(len(contents(made)[path]) for path in config.files)


def test_the_facts_are_those_of_the_version(made, first):
    for path in first.glob("facts/*"):
        [file] = [file for file in made.files if file.path.startswith(f"data/facts-{path.stem}/")]
        assert pq.read_table(file.source).equals(pq.read_table(path))


def test_random_arms_and_the_stages_of_a_curriculum_are_configs(first, tmp_path):
    more = Path(shutil.copytree(first, tmp_path / "more"))
    (more / "random").mkdir()
    shutil.copytree(first / "rl", more / "random" / "rl")
    (more / "curriculum").mkdir()
    for number in range(2):
        shutil.copy(first / "facts" / "problems.parquet", more / "curriculum" / f"stage-{number:02}.parquet")
    (more / "curriculum" / "curriculum.json").write_bytes(b"{}")
    told = orjson.loads((more / "version.json").read_bytes())
    told["rows"]["random/rl"] = told["rows"]["rl"]
    (more / "version.json").write_bytes(orjson.dumps(told))
    made = layout(more, tmp_path / "made")
    names = [config.name for config in made.configs]
    assert names[:5] == ["sft", "rl", "random-rl", "curriculum-00", "curriculum-01"]
    assert made.configs[1].rows == made.configs[2].rows
    assert "curriculum/curriculum.json" in contents(made)


def test_it_is_the_same_wherever_and_whenever_it_is_made(made, first, tmp_path):
    elsewhere = Path(shutil.copytree(first, tmp_path / "elsewhere"))
    assert contents(layout(elsewhere, tmp_path / "made")) == contents(made)


def test_version_json_tells_of_every_file(made, first):
    told = orjson.loads(contents(made)["version.json"])
    assert told["digest"] == orjson.loads((first / "version.json").read_bytes())["digest"]
    assert {name: each["bytes"] for name, each in told["files"].items()} == {
        name: len(content) for name, content in contents(made).items() if name != "version.json"
    }


# --- The recipe -----------------------------------------------------------------------------------------------


def recipe_of(version: Path) -> dict[str, Any]:
    return tomllib.loads(portable(version).recipe)


def change(version: Path, **values: Any) -> None:
    path = version / "recipe.toml"
    path.write_text(tomli_w.dumps({**tomllib.loads(path.read_text()), **values}))


def test_the_seeds_go_along_under_a_name_that_tells_their_content(first):
    ours = portable(first)
    [(name, path)] = ours.files.items()
    assert recipe_of(first)["stages"][0]["seeds"] == name
    assert name.startswith("seeds/seeds-")
    assert path.read_bytes() == (first.parents[3] / "recipe" / "seeds.jsonl").read_bytes()
    assert not ours.notes


@pytest.mark.parametrize("changed", [b"", b'{"question": "What is my password?"}\n'])
def test_seeds_that_are_not_those_of_the_facts_stay_at_home(version, tmp_path, changed):
    seeds = tmp_path / "my secrets.jsonl"
    seeds.write_bytes(changed)
    stages = tomllib.loads((version / "recipe.toml").read_text())["stages"]
    stages[0]["seeds"] = str(seeds)
    change(version, stages=stages)
    ours = portable(version)
    assert ours.files == {}
    assert recipe_of(version)["stages"][0]["seeds"] == "my secrets.jsonl"
    assert len(ours.notes) == 1
    assert "published without its seeds" in ours.notes[0]


def test_seeds_that_were_appended_to_go_along(version):
    path = Path(tomllib.loads((version / "recipe.toml").read_text())["stages"][0]["seeds"])
    grown = version / "grown.jsonl"
    grown.write_bytes(path.read_bytes() + b'{"question": "One more?"}\n')
    stages = tomllib.loads((version / "recipe.toml").read_text())["stages"]
    stages[0]["seeds"] = {"path": [str(grown)], "columns": {}}
    change(version, stages=stages)
    [name] = portable(version).files
    assert recipe_of(version)["stages"][0]["seeds"] == {"path": [name], "columns": {}}


def test_rows_that_were_brought_go_along(site: Site):
    site.value["stages"] = [{"use": "bring", "rows": "seeds.jsonl"}, {**site.stage("expand"), "name": "expand"}]
    site.value["target"] = {}
    made = site.embedded()
    [name] = portable(made.folder).files
    assert recipe_of(made.folder)["stages"][0]["rows"] == name


HOME = os.sep + os.path.join("home", "ada", "private")


@pytest.mark.parametrize(
    ("place", "given", "published"),
    [
        ("against", f"{HOME}/bench", "bench"),
        ("against", "../bench", "bench"),
        ("against", "data/bench", "data/bench"),
        ("against", "hub:openai/gsm8k@main:main/test-*", "hub:openai/gsm8k@main:main/test-*"),
        ("losses", [f"{HOME}/losses.parquet"], ["losses.parquet"]),
    ],
)
def test_where_files_lie_on_this_machine_is_not_told(version, place, given, published):
    rules = [{"rule": "contamination", place: given}]
    change(version, stages=[{"use": "sift", "rules": rules}])
    assert recipe_of(version)["stages"][0]["rules"][0][place] == published


def test_neither_is_how_models_are_reached_and_paid(version):
    change(
        version,
        models={
            "teacher": {
                "use": "openai:m@https://example.org/v1?key=abc",
                "key_env": "ADAS_KEY",
                "system": "Be brief?",
            },
            "judge": f"replay:{HOME}/said.jsonl",
        },
    )
    change(
        version, without={"judge": {"models.teacher": "openai:n@https://example.org/v1#abc"}}, about="openai: what?"
    )
    value = recipe_of(version)
    assert value["models"]["teacher"] == {"use": "openai:m@https://example.org/v1", "system": "Be brief?"}
    assert value["models"]["judge"] == "replay:said.jsonl"
    assert value["without"]["judge"]["models.teacher"] == "openai:n@https://example.org/v1"
    assert value["about"] == "openai: what?"
