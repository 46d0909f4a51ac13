"""Curricula: which row belongs to which stage, what is written, and that it is read back as it was."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.blending import mixing_row, schedule
from pipelines import curriculum
from pipelines.curriculum import (
    MANIFEST,
    MIXING,
    Stage,
    append_mixing,
    check_stages,
    read_curriculum,
    read_manifest,
    read_mixing,
    stages_of,
    with_weights,
    write_curriculum,
)
from pipelines.recipe import BadRecipe
from pipelines.store import Damaged
from pipelines.views import rl
from tests.each import each_of
from tests.small import tree


def table(domains: Sequence[str | None], *, rates: Sequence[float | None] = (), seed: int = 0) -> pa.Table:
    """Rows of these domains, every third of them a choice."""
    chance = random.Random(seed)
    rows = [
        {
            "prompt": [{"role": "user", "content": f"{place}?"}],
            "answer": str(place),
            "verifier": "math" if place % 3 else "choice",
            "pass_rate": rates[place] if rates else chance.choice([None, 0.25, 0.5, 1.0]),
            "pass_rate_n": 4,
            "problem_id": f"{place:032x}",
            "question": f"{place}?",
            "domain": domain,
        }
        for place, domain in enumerate(domains)
    ]
    return pa.Table.from_pylist(rows, rl.schema())


ROWS = table([*["math"] * 30, *["code"] * 12, *["history"] * 3, None])
MATH, CODE = Stage("math", ("math",), 8192), Stage("code", ("code",), 16384)
WEIGHTS = {"format": {"choice": 1.0, "open": 1.0}}


def ids(rows: pa.Table) -> list[str]:
    return rows.column("problem_id").to_pylist()


def read(folder: Path) -> list[tuple[Stage, pa.Table]]:
    return list(read_curriculum(folder))


# What is read back


def test_math_before_code_is_read_back_in_order_and_loads(tmp_path: Path) -> None:
    manifest = write_curriculum(tmp_path, ROWS, [MATH, CODE])
    assert manifest == read_manifest(tmp_path)
    assert manifest["left_out"] == {"": 1, "history": 3}
    (first, math), (second, code) = read(tmp_path)
    assert (first, second) == (MATH, CODE)
    assert set(math.column("domain").to_pylist()) == {"math"}
    assert (math.num_rows, code.num_rows) == (30, 12)
    for told, rows in zip(manifest["stages"], (math, code), strict=True):
        path = str(tmp_path / told["file"])
        loaded = datasets.load_dataset("parquet", data_files=path, split="train", cache_dir=str(tmp_path / "cache"))
        assert list(loaded) == rows.to_pylist()


NAMES = st.sampled_from(["math", "code", "history"])
STAGES = st.lists(
    st.tuples(
        st.none() | st.lists(NAMES, min_size=1, unique=True).map(tuple),
        st.sampled_from([None, WEIGHTS, {"pass_rate": {"0-0.5": 1, "0.5-1": 3}}]),
        st.none() | st.integers(1, 30),
    ),
    min_size=1,
    max_size=4,
).map(lambda parts: [Stage(f"s{at}", part[0], 1024 * (at // 2 + 1), *part[1:]) for at, part in enumerate(parts)])


@settings(max_examples=25)
@given(STAGES, st.integers(0, 3), st.sampled_from(["draw", "pass_rate"]), st.randoms())
def test_written_is_read_whatever_the_order_of_the_rows_and_nothing_is_lost(
    stages: list[Stage], seed: int, order: curriculum.Order, chance: random.Random
) -> None:
    with TemporaryDirectory() as name:
        folder, again = Path(name, "a"), Path(name, "b")
        manifest = write_curriculum(folder, ROWS, stages, seed=seed, order=order)
        shuffled = ROWS.take(pa.array(chance.sample(range(ROWS.num_rows), ROWS.num_rows)))
        write_curriculum(again, shuffled, stages, seed=seed, order=order)
        assert tree(folder) == tree(again)
        found = read(folder)
    assert [stage for stage, _ in found] == stages
    for stage, rows in found:
        assert rows.schema.equals(rl.schema())
        assert rows.num_rows <= (stage.rows or ROWS.num_rows)
        assert stage.domains is None or set(rows.column("domain").to_pylist()) <= set(stage.domains)
    all_ids = [id for _, rows in found for id in ids(rows)]
    assert len(set(all_ids)) == len(all_ids)
    assert len(all_ids) + sum(manifest["left_out"].values()) == manifest["rows"] == ROWS.num_rows
    caps = [told["max_response_tokens"] for told in manifest["stages"]]
    assert all(before <= after for before, after in pairwise(caps))


# Which row belongs where


def counts(folder: Path) -> list[Counter[Any]]:
    return [Counter(rows.column("domain").to_pylist()) for _, rows in read(folder)]


def test_stages_with_a_number_take_it_and_the_others_share_what_is_left(tmp_path: Path) -> None:
    stages = [Stage("a", ("math",), 1), Stage("b", None, 1), Stage("c", ("math", "code"), 2, rows=10)]
    manifest = write_curriculum(tmp_path, ROWS, stages)
    a, b, c = counts(tmp_path)
    assert sum(c.values()) == 10
    assert abs(a["math"] - b["math"]) <= 1
    assert a["math"] + b["math"] + c["math"] == 30
    assert (b["code"] + c["code"], b["history"], b[None]) == (12, 3, 1)
    assert manifest["left_out"] == {}


def test_rows_shared_by_stages_are_as_hard_in_each(tmp_path: Path) -> None:
    rows = table(["math"] * 400, rates=[place / 400 for place in range(400)])
    write_curriculum(tmp_path, rows, [MATH, MATH._replace(name="longer", max_response_tokens=16384)])
    means = [sum(part.column("pass_rate").to_pylist()) / part.num_rows for _, part in read(tmp_path)]
    assert means == pytest.approx([0.5, 0.5], abs=0.05)


def test_from_easy_to_hard_and_unknown_rates_last(tmp_path: Path) -> None:
    rates = [0.25, None, 1.0, 0.0, float("nan"), 0.5]
    write_curriculum(tmp_path, table(["math"] * 6, rates=rates), [MATH], order="pass_rate")
    [(_, rows)] = read(tmp_path)
    assert rows.column("pass_rate").to_pylist()[:4] == [1.0, 0.5, 0.25, 0.0]


def test_the_seed_changes_the_draw(tmp_path: Path) -> None:
    draws = []
    for seed in (0, 1):
        write_curriculum(tmp_path, ROWS, [MATH._replace(rows=10)], seed=seed)
        draws.append(ids(read(tmp_path)[0][1]))
    assert set(draws[0]) != set(draws[1])


# Mixing


def test_each_stage_with_weights_tells_what_was_mixed(tmp_path: Path) -> None:
    stages = [MATH._replace(weights=WEIGHTS, rows=12), CODE, CODE._replace(name="both", weights=WEIGHTS)]
    manifest = write_curriculum(tmp_path, ROWS, stages)
    assert manifest["stages"][0]["blend"]["realised"] == 12
    rows = read_mixing(tmp_path / MIXING)
    assert [row["stage"] for row in rows] == [0, 2]
    assert rows[0] == {
        "stage": 0,
        "weights": {"format": {"choice": 0.5, "open": 0.5}},
        "realised": {"format": {"choice": 6, "open": 6}},
        "feedback": None,
    }
    write_curriculum(tmp_path, ROWS, stages)
    assert read_mixing(tmp_path / MIXING) == rows
    append_mixing(tmp_path / MIXING, [{**rows[0], "feedback": {"MATH500": 0.5}}])
    assert [row["feedback"] for row in read_mixing(tmp_path / MIXING)] == [None, None, {"MATH500": 0.5}]


def test_names_with_odd_line_ends_stay_one_row(tmp_path: Path) -> None:
    row = mixing_row(0, {"domain": {"a\u2028\u0085\nb": 1}}, {"domain": {"a\u2028\u0085\nb": 1}})
    for _ in range(2):
        append_mixing(tmp_path / MIXING, [row])
    assert read_mixing(tmp_path / MIXING) == [row]
    (tmp_path / MIXING).write_bytes(b'{}\n{"stage"\n')
    with pytest.raises(ValueError, match=r"mixing.jsonl, line 2: not JSON"):
        read_mixing(tmp_path / MIXING)


def test_a_policy_gives_every_stage_its_weights() -> None:
    other = {"format": {"choice": 1.0}}
    stages = with_weights([MATH, CODE], schedule([WEIGHTS, other]))
    assert [stage.weights for stage in stages] == [WEIGHTS, other]


# What is refused


BAD: list[tuple[list[Stage], str]] = [
    ([], "there are no stages"),
    ([CODE, MATH], r"stage 'math': max_response_tokens = 8192, less than the 16384 of 'code' before"),
    ([MATH, MATH], "two stages are named 'math'"),
    ([MATH._replace(name=" ")], "should have a name"),
    ([MATH._replace(domains=())], r"domains = \[\] should be different names"),
    ([MATH._replace(domains=("a", "a"))], "should be different names"),
    ([MATH._replace(max_response_tokens=0)], "max_response_tokens = 0 should be at least 1"),
    ([MATH._replace(rows=0)], "rows = 0 should be at least 1"),
    ([MATH._replace(weights={})], "should name dimensions"),
    ([MATH._replace(weights={"source": {"a": 1}})], "weights by 'source' cannot be told; there are: domain, format"),
    ([MATH._replace(weights={"pass_rate": {"high": 1}})], "pass_rate by bands"),
]


@each_of(BAD)
def test_bad_stages_say_what_and_where(stages: list[Stage], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_stages(stages)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    for rows, order, said in (
        (ROWS.drop_columns(["pass_rate"]), "draw", "rows: no column 'pass_rate'"),
        (pa.concat_tables([ROWS, ROWS]), "draw", "rows, row 46: problem_id = '0{32}' should be there once"),
        (ROWS, "hard", "order = 'hard' should be one of: draw, pass_rate"),
    ):
        with pytest.raises(ValueError, match=said):
            write_curriculum(tmp_path / "new", rows, [MATH], order=order)  # pyright: ignore[reportArgumentType]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["stage-00.parquet", MANIFEST])
def test_what_was_tampered_with_is_noticed(tmp_path: Path, name: str) -> None:
    write_curriculum(tmp_path, ROWS, [MATH, CODE])
    path = tmp_path / name
    content = bytearray(path.read_bytes())
    at = content.index(b"8192") if name == MANIFEST else len(content) // 2
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(Damaged, match=rf"{name}: not as"):
        read(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(Damaged, match=name):
        read(tmp_path)


def test_without_its_manifest_there_is_no_curriculum(tmp_path: Path) -> None:
    write_curriculum(tmp_path, ROWS, [MATH, CODE])
    write_curriculum(tmp_path, ROWS, [MATH])
    assert sorted(path.name for path in tmp_path.iterdir()) == [MANIFEST, "stage-00.parquet"]
    (tmp_path / MANIFEST).write_bytes(orjson.dumps({"schema": "curriculum@0"}))
    with pytest.raises(ValueError, match="should be of the schema 'curriculum@1'"):
        read_curriculum(tmp_path)
    (tmp_path / MANIFEST).unlink()
    with pytest.raises(ValueError, match="written last"):
        read_curriculum(tmp_path)


def test_what_cannot_be_put_in_place_leaves_no_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_curriculum(tmp_path, ROWS, [MATH])

    def broken(path: Path, rows: Any) -> None:
        raise OSError("unplugged")

    monkeypatch.setattr(curriculum, "append_mixing", broken)
    with pytest.raises(OSError, match="unplugged"):
        write_curriculum(tmp_path, ROWS, [CODE])
    assert not (tmp_path / MANIFEST).exists()


# As recipes write it


def test_stages_as_recipes_write_them() -> None:
    written = [{"name": "math", "domains": ["math"], "max_response_tokens": 8192}]
    assert stages_of([*written, {"name": "all", "max_response_tokens": 8192, "weights": WEIGHTS, "rows": 5}]) == [
        MATH,
        Stage("all", None, 8192, WEIGHTS, 5),
    ]


@each_of(
    [
        ([], "there are no stages"),
        ([{"name": "a"}], "stage 1 needs max_response_tokens"),
        ([{"name": "a", "max_response_tokens": 1, "row": 3}], "stage 1 has no key 'row'.*do you mean 'rows'"),
        ([{"name": "a", "max_response_tokens": 1, "domains": [1]}], "domains = 1 should be of type str"),
        ([{"name": "a", "max_response_tokens": True}], "should be of type int"),
        (["a"], "stage 1 = 'a' should be of type dict"),
    ]
)
def test_bad_tables_in_recipes(tables: list[Any], said: str) -> None:
    with pytest.raises(BadRecipe, match=said):
        stages_of(tables)
