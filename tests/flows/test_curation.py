"""Curation in a run: what a version holds of its selection, its benchmarks, its stages and its index."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import orjson
import pytest
import tomli_w

from filters.near_duplicates import open_index
from flows import make
from flows.make import Made
from pipelines.curriculum import read_curriculum
from pipelines.recipe import BadRecipe
from pipelines.rows import BadRows

pytest.importorskip("numpy")

HENS = "A farmer's 20 hens lay one egg a day each. He sells half of the eggs of a week. How many eggs does he keep?"
NAMES = ("Ada", "Ben", "Cleo", "Dora", "Emil", "Fritz", "Gita", "Hugo")
THINGS = ("apples", "stamps", "marbles", "pencils", "shells")


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Different problems, each with four responses, of which more are right the later it comes."""
    return [
        {
            "question": f"{NAMES[i % 8]} has {3 * i + 2} {THINGS[i % 5]}, finds {i + 7} {THINGS[i // 8 % 5]}, and "
            f"loses {i % 9} of them near place {i}. What is left?",
            "answer": str(4 * i + 9 - i % 9),
            "domain": ("arithmetic", "counting")[i % 2],
            "source": ("books", "web")[i % 3 == 0],
            "responses": [rf"\boxed{{{4 * i + 9 - i % 9 + (k >= i % 5)}}}" for k in range(4)],
        }
        for i in range(start, start + count)
    ]


def made(tmp_path: Path, given: Sequence[dict[str, Any]], *stages: dict[str, Any], **recipe: Any) -> Made:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))
    value = {"name": "chosen", "stages": [{"use": "bring", "rows": "rows.jsonl"}, *stages], **recipe}
    (tmp_path / "chosen.toml").write_text(tomli_w.dumps(value))
    return asyncio.run(make.make(str(tmp_path / "chosen.toml")))


def load(folder: Path) -> list[dict[str, Any]]:
    return datasets.load_from_disk(str(folder)).to_list()  # pyright: ignore


RATED = {"use": "sift", "name": "rate", "rules": ["answer_matches", "pass_rate"]}


def test_both_arms_of_a_selection_are_in_the_version(data: Path, tmp_path: Path):
    chosen = made(tmp_path, rows(60), RATED, {"use": "select", "rules": [{"rule": "bottom_k", "k": 20}]})
    selected, random = load(chosen.folder / "rl"), load(chosen.folder / "random" / "rl")
    assert len(selected) == len(random) == 20
    assert {row["problem_id"] for row in selected} != {row["problem_id"] for row in random}
    means = [sum(row["pass_rate"] for row in arm) / 20 for arm in (selected, random)]
    assert means[0] < means[1]
    told = orjson.loads((chosen.folder / "version.json").read_bytes())["rows"]
    assert told["random/rl"] == told["rl"] == 20
    assert 'rule = "bottom_k"' in (chosen.folder / "recipe.toml").read_text()


def test_without_a_selection_there_is_no_random_arm(data: Path, tmp_path: Path):
    assert not (made(tmp_path, rows(4), RATED).folder / "random").exists()


def test_rules_of_a_selection_build_on_each_other(data: Path, tmp_path: Path):
    rules = [
        {"rule": "semantic_clusters", "clusters": 4},
        {"rule": "cluster_balanced", "by": "semantic_clusters", "k": 16},
    ]
    chosen = made(tmp_path, rows(60), {"use": "select", "rules": rules})
    assert chosen.ledger["accepted"] == 16


def test_a_blend_is_realised_as_asked(data: Path, tmp_path: Path):
    weights = {"domain": {"arithmetic": 3, "counting": 1}}
    chosen = made(
        tmp_path, rows(60), RATED, {"use": "select", "rules": [{"rule": "blend", "weights": weights, "k": 20}]}
    )
    domains = [row["domain"] for row in load(chosen.folder / "rl")]
    assert (domains.count("arithmetic"), domains.count("counting")) == (15, 5)


def test_a_curriculum_is_written_in_order(data: Path, tmp_path: Path):
    stages = [
        {"name": "first", "domains": ["arithmetic"], "max_response_tokens": 8192},
        {"name": "second", "domains": ["counting"], "max_response_tokens": 16384},
    ]
    chosen = made(tmp_path, rows(20), RATED, curriculum={"order": "pass_rate", "stages": stages})
    read = list(read_curriculum(chosen.folder / "curriculum"))
    assert [stage.name for stage, _ in read] == ["first", "second"]
    assert [set(table.column("domain").to_pylist()) for _, table in read] == [{"arithmetic"}, {"counting"}]
    assert sum(table.num_rows for _, table in read) == len(load(chosen.folder / "rl"))
    for _, table in read:
        rates = table.column("pass_rate").to_pylist()
        assert rates == sorted(rates, reverse=True)
    again = made(tmp_path, rows(20), RATED, curriculum={"stages": stages})
    assert again.is_new, "another order is another version"


@pytest.mark.parametrize(
    ("curriculum", "complaint"),
    [
        ({"stages": []}, "curriculum"),
        ({"order": "length", "stages": []}, "'length'; it may be draw or pass_rate"),
        ({"stage": []}, "no key 'stage' (do you mean 'stages'?)"),
    ],
)
def test_a_curriculum_that_cannot_be_is_refused(data: Path, tmp_path: Path, curriculum: Any, complaint: str):
    with pytest.raises(BadRecipe) as refused:
        made(tmp_path, rows(2), curriculum=curriculum)
    assert complaint in str(refused.value)


CODE, VOID = "```python\nprint(6 * 7)\n```", "Let me think."


def trajectory(*said: str) -> list[dict[str, str]]:
    """Turns of the model, with what the tool showed after each but the last."""
    shown = {"role": "tool", "content": "42"}
    return [turn for each in said for turn in ({"role": "assistant", "content": each}, shown)][:-1]


def test_a_trajectory_with_a_void_turn_is_kept_and_not_imitated(data: Path, tmp_path: Path):
    end = r"So it is \boxed{42}."
    responses = [trajectory(CODE, VOID, end), trajectory(CODE, end)]
    given = [{"question": "6 times 7?", "answer": "42", "responses": responses}]
    chosen = made(tmp_path, given, {"use": "sift", "name": "judge", "rules": ["answer_matches", "no_void_turns"]})
    [row] = load(chosen.folder / "sft")
    assert [turn["content"] for turn in row["messages"]] == ["6 times 7?", CODE, "42", end]
    assert load(chosen.folder / "rl")[0]["prompt"] == [{"role": "user", "content": "6 times 7?"}]


@pytest.mark.parametrize(
    "response",
    [7, [{"role": "assistant"}, {"role": "user", "content": "?"}], [[1]], [{"role": "assistant", "content": 7}]],
)
def test_what_is_no_response_is_told(data: Path, tmp_path: Path, response: Any):
    with pytest.raises(BadRows, match="should be text, or messages"):
        made(tmp_path, [{"question": "6 times 7?", "responses": response}])


@pytest.fixture
def benchmarks(tmp_path: Path) -> Path:
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "farm.jsonl").write_text(json.dumps({"question": HENS}))
    return folder


def contaminated(folder: Path) -> dict[str, Any]:
    return {"use": "sift", "name": "clean", "rules": [{"rule": "contamination", "against": str(folder)}]}


def test_what_holds_an_item_of_a_benchmark_goes_and_is_told(data: Path, tmp_path: Path, benchmarks: Path):
    given = [*rows(3), {"question": f"Please solve this. {HENS}", "answer": "70"}]
    chosen = made(tmp_path, given, contaminated(benchmarks))
    assert chosen.ledger["not_accepted"] == {"contamination": 1}
    assert "farm.jsonl" in (chosen.folder / "report/report.md").read_text()
    assert chosen.ledger["seeds_in_benchmarks"] == {"farm.jsonl": {"items": 1, "found": 1, "is_source": False}}
    facts = b"".join(path.read_bytes() for path in sorted((chosen.folder / "facts").iterdir()))
    assert str(benchmarks).encode() not in facts, "where a folder lies is no fact"


def test_other_benchmarks_are_another_stage(data: Path, tmp_path: Path, benchmarks: Path):
    def identity() -> Any:
        return make.prepare(str(tmp_path / "chosen.toml")).steps[1].identity(0, 8)

    made(tmp_path, rows(2), contaminated(benchmarks))
    before = identity()
    elsewhere = benchmarks.rename(tmp_path / "elsewhere")
    made(tmp_path, rows(2), contaminated(elsewhere))
    assert identity() == before
    (elsewhere / "farm.jsonl").write_text(json.dumps({"question": "Another one, long enough to be an item of it?"}))
    assert identity() != before


NOVEL = {"use": "sift", "name": "novel", "rules": ["not_near_duplicate"]}


def test_an_index_grows_with_the_versions_and_serves_other_recipes(data: Path, tmp_path: Path):
    first = made(tmp_path, rows(10), NOVEL)
    folder = first.folder.parent / "near_duplicates" / "3-grams-128"
    sizes = [len(open_index(folder))]
    made(tmp_path, rows(10), NOVEL)  # the same version again
    sizes.append(len(open_index(folder)))
    made(tmp_path, rows(14), NOVEL)
    sizes.append(len(open_index(folder)))
    assert sizes == [10, 10, 14]
    assert len(list(folder.glob("*.arrow"))) == 2
    rule = {"rule": "not_near_duplicate", "earlier": str(folder)}
    other = made(tmp_path, rows(8, start=10), {**NOVEL, "rules": [rule]}, name="other")
    assert other.ledger["accepted"] == 4
    assert other.ledger["not_accepted"] == {"not_near_duplicate": 4}
