"""Pages of tables: what a filter and an order show, and what hostile names and cells come to."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.browse.columns import KEPT, Cut
from pipelines.browse.source import Source, close, names, open_source, progress, trouble, wait
from pipelines.browse.table import OPS, Filter, Order, Page, cell, choices, page, row
from pipelines.hub.fetch import Fetched
from pipelines.release import write_dataset

Opened = Callable[[str], Source]

SCHEMA = pa.schema([("text", pa.string()), ("number", pa.float64()), ("whole", pa.int64()), ("flag", pa.bool_())])
WORDS = st.text(st.sampled_from("aAbBßéΣ漢😀'\"%_\\ "), max_size=4)
ROWS = st.fixed_dictionaries(
    {
        "text": st.none() | WORDS,
        "number": st.none() | st.sampled_from([0.0, 0.5, -1.0, 1e300, math.inf, math.nan]),
        "whole": st.none() | st.sampled_from([0, 1, 2, -(2**63), 2**63 - 1]),
        "flag": st.none() | st.booleans(),
    }
)
FILTERS = st.one_of(
    st.builds(Filter, st.just("text"), st.sampled_from(OPS["text"]), WORDS.filter(bool)),
    st.builds(Filter, st.just("number"), st.sampled_from(OPS["number"]), st.sampled_from(["0.5", "-1", "1e300"])),
    st.builds(
        Filter, st.just("whole"), st.sampled_from(OPS["number"]), st.sampled_from(["1", "0.5", str(2**63 - 1)])
    ),
    st.builds(Filter, st.just("flag"), st.sampled_from(OPS["flag"]), st.sampled_from(["true", "false"])),
)
ORDERS = st.none() | st.builds(Order, st.sampled_from(SCHEMA.names), st.booleans())


@contextmanager
def table_of(rows: list[dict[str, Any]], schema: pa.Schema = SCHEMA) -> Iterator[Source]:
    """A Parquet file of these rows in small row groups, opened and indexed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema), path, row_group_size=3)
        source = open_source(Path(folder) / "data", str(path))
        try:
            wait(source)
            yield source
        finally:
            close(source)


def small(text: str) -> str:
    """Lower case letter by letter, as databases do it."""
    return "".join(char.lower() for char in text)


def passes(row: dict[str, Any], asked: Filter) -> bool:
    """What a filter means, in plain Python."""
    value = row[asked.column]
    if isinstance(value, float) and math.isnan(value):
        value = None
    if asked.op in ("missing", "present"):
        return (value is None) == (asked.op == "missing")
    if value is None:
        return asked.op == "is not"
    wanted: Any = asked.value
    if asked.column == "flag":
        wanted = asked.value == "true"
    elif asked.column != "text":
        wanted = int(asked.value) if asked.value.lstrip("-").isdigit() else float(asked.value)
    return {
        "is": lambda: value == wanted,
        "is not": lambda: value != wanted,
        "at least": lambda: value >= wanted,
        "at most": lambda: value <= wanted,
        "below": lambda: value < wanted,
        "contains": lambda: small(str(wanted)) in small(str(value)),
    }[asked.op]()


def in_order(rows: list[dict[str, Any]], places: list[int], order: Order | None) -> list[int]:
    """These rows as an order has them: what is missing last, then by place."""
    if order is None:
        return places
    values = [rows[place][order.column] for place in places]
    missing = [value is None or (isinstance(value, float) and math.isnan(value)) for value in values]
    there = [(value, place) for value, place, none in zip(values, places, missing, strict=True) if not none]
    there.sort(key=lambda each: each[0], reverse=order.descending)  # stable either way
    return [place for _, place in there] + [place for place, none in zip(places, missing, strict=True) if none]


ASKED = st.lists(st.tuples(st.lists(FILTERS, max_size=2), ORDERS), min_size=1, max_size=5)
FEWER = settings.default.max_examples // 6 if settings.default else 10  # each opens a source


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=FEWER)
@given(st.lists(ROWS, max_size=20), ASKED)
def test_a_page_is_what_python_filters_and_sorts(
    rows: list[dict[str, Any]], asked: list[tuple[list[Filter], Order | None]]
) -> None:
    with table_of(rows) as source:
        takes = {column.name: OPS[column.type] for column in source.columns}
        for given, order in asked:
            where = [each for each in given if each.op in takes[each.column]]  # few texts are a category
            passed = [place for place, each in enumerate(rows) if all(passes(each, one) for one in where)]
            wanted = in_order(rows, passed, order)
            whole = page(source, where=where, order=order, limit=1000)
            assert [each.row for each in whole.rows] == wanted
            assert whole.total == len(wanted)
            part = page(source, where=where, order=order, offset=2, limit=3)
            assert [each.row for each in part.rows] == wanted[2:5]
            assert part.more == (len(wanted) > 5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=FEWER)
@given(st.lists(ROWS, min_size=1, max_size=20))
def test_cells_are_those_of_the_file(rows: list[dict[str, Any]]) -> None:
    with table_of(rows) as source:
        shown = page(source, limit=1000).rows
        assert [each.row for each in shown] == list(range(len(rows)))
        for each, told in zip(shown, rows, strict=True):
            for name, value in told.items():
                is_missing = value is None or (isinstance(value, float) and math.isnan(value))
                assert each.cells[name] == (None if is_missing else value)


def test_the_first_page_needs_no_index(opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the index cannot be made: then what needs it says so in one line."""

    def fails(*_: object) -> None:
        raise OSError("no space\nleft")

    pq.write_table(pa.table({"n": range(10)}), tmp_path / "rows.parquet", row_group_size=4)
    monkeypatch.setattr("pipelines.browse.index._write", fails)
    source = opened(str(tmp_path / "rows.parquet"))
    with pytest.raises(ValueError, match="the index cannot be made: no space left"):
        wait(source)
    assert trouble(source) == "the index cannot be made: no space left"
    assert [each.cells["n"] for each in page(source, offset=3, limit=4).rows] == [3, 4, 5, 6]
    with pytest.raises(ValueError, match="the index cannot be made"):
        page(source, order=Order("n"))


def test_an_index_is_made_once_and_anew_for_another_file(opened: Opened, tmp_path: Path) -> None:
    path, cache = tmp_path / "rows.parquet", tmp_path / "cache" / "browse"
    pq.write_table(pa.table({"n": range(20)}), path, row_group_size=5)
    assert wait(opened(str(path)))
    made = {each.name: each.stat().st_mtime_ns for each in cache.glob("*.parquet")}
    assert len(made) == 4
    again = opened(str(path))
    assert progress(again) == 1
    assert {each.name: each.stat().st_mtime_ns for each in cache.glob("*.parquet")} == made
    pq.write_table(pa.table({"n": range(7)}), path)
    other = opened(str(path))
    assert wait(other)
    assert page(other, order=Order("n", descending=True), limit=1).rows[0].cells["n"] == 6


def test_a_part_that_was_not_finished_is_made_again(opened: Opened, tmp_path: Path) -> None:
    path, cache = tmp_path / "rows.parquet", tmp_path / "cache" / "browse"
    pq.write_table(pa.table({"n": range(20)}), path, row_group_size=5)
    wait(opened(str(path)))
    gone = sorted(cache.glob("*.parquet"))[1]
    content = gone.read_bytes()
    gone.unlink()
    (cache / f".{gone.stem}.00000000").write_bytes(content[:100])  # as a process that was killed leaves it
    source = opened(str(path))
    wait(source)
    assert page(source, where=[Filter("n", "at least", "0")]).total == 20


def test_every_type_has_its_own_column(opened: Opened, tmp_path: Path) -> None:
    rows = pa.table(
        {
            "text": pa.array([f"text {n}" for n in range(40)]),
            "kind": pa.array(["a", "b"] * 20).dictionary_encode(),
            "few": pa.array(["x", None] * 20),
            "flag": pa.array([True, None] * 20),
            "whole": pa.array(range(40), pa.uint8()),
            "large": pa.array(range(40), pa.uint64()),
            "real": pa.array([0.5] * 40, pa.float32()),
            "long": pa.array([Decimal("1.5")] * 40, pa.decimal256(60, 3)),
            "nested": pa.array([[{"role": "user", "content": "hé"}]] * 40),
            "when": pa.array([0] * 40, pa.timestamp("s")),
            "bytes": pa.array([b"\xff\x00"] * 40),
            "nothing": pa.nulls(40),
        }
    )
    pq.write_table(rows, tmp_path / "rows.parquet")
    source = opened(str(tmp_path / "rows.parquet"))
    assert {each.name: each.type for each in source.columns} == {
        "text": "text",
        "kind": "text",
        "few": "category",
        "flag": "flag",
        "whole": "number",
        "large": "number",
        "real": "number",
        "long": "number",
        "nested": "text",
        "when": "text",
        "bytes": "text",
        "nothing": "text",
        "mark": "category",
    }
    wait(source)
    cells = page(source, order=Order("whole", descending=True), limit=1).rows[0].cells
    assert (cells["whole"], cells["large"], cells["real"], cells["long"]) == (39, 39, 0.5, 1.5)
    assert orjson.loads(str(cells["nested"])) == [{"role": "user", "content": "hé"}]
    assert (cells["when"], cells["bytes"], cells["nothing"]) == ("1970-01-01 00:00:00", "<2 bytes>", None)
    assert choices(source, "few") == [("x", 20), (None, 20)]
    assert orjson.loads(cell(source, 3, "nested")) == [{"role": "user", "content": "hé"}]
    assert row(source, 3)["bytes"] == "<2 bytes>"


def test_a_long_cell_is_cut_and_there_whole(opened: Opened, tmp_path: Path) -> None:
    long = "<script>é" * 120_000
    pq.write_table(pa.table({"text": ["short", long, "y" * KEPT]}), tmp_path / "rows.parquet")
    source = opened(str(tmp_path / "rows.parquet"))
    for _ in range(2):  # from the file, and from the index
        cells = [each.cells["text"] for each in page(source).rows]
        assert cells == ["short", Cut(long[:KEPT], len(long)), "y" * KEPT]
        wait(source)
    assert row(source, 1)["text"] == Cut(long[:20_000], len(long))
    assert cell(source, 1, "text") == long


def test_names_from_outside_stay_names(opened: Opened, tmp_path: Path) -> None:
    hostile = ['"; drop table x; --', "row", "mark", "c0", "", "'"]
    values = [[name, None] for name in hostile]
    pq.write_table(pa.table(dict(zip(hostile, values, strict=True))), tmp_path / "it's.parquet")
    source = opened(str(tmp_path / "it's.parquet"))
    wait(source)
    assert source.mark == "your mark"
    for name in hostile:
        found = page(source, where=[Filter(name, "is", name)], order=Order(name, descending=True))
        assert [each.cells[name] for each in found.rows] == ([name] if name else [""])
    assert page(source, where=[Filter("row", "is", "' or true --")]).total == 0


def test_columns_of_one_name_are_told_apart(opened: Opened, tmp_path: Path) -> None:
    two = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["x", "x"])
    with pa.ipc.new_stream(str(tmp_path / "data.arrow"), two.schema) as writer:
        writer.write_table(two)
    (tmp_path / "state.json").write_bytes(orjson.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    source = opened(str(tmp_path))
    assert page(source).rows[0].cells == {"x": "a", "x (2)": "b", "mark": None}


def test_a_save_to_disk_folder_and_a_folder_of_files(opened: Opened, tmp_path: Path) -> None:
    schema = pa.schema([("n", pa.int64())])
    batches = [pa.record_batch([pa.array(range(start, start + 7))], schema=schema) for start in (0, 7, 14)]
    assert write_dataset(tmp_path / "saved", schema, batches) == 21
    (tmp_path / "files" / "more").mkdir(parents=True)
    for number, batch in enumerate(batches):
        pq.write_table(pa.Table.from_batches([batch]), tmp_path / "files" / "more" / f"{number}.parquet")
    for folder in ("saved", "files"):
        source = opened(str(tmp_path / folder))
        assert [each.cells["n"] for each in page(source, offset=5, limit=10).rows] == list(range(5, 15))
        wait(source)
        assert [each.cells["n"] for each in page(source, order=Order("n", descending=True), limit=2).rows] == [20, 19]
        assert row(source, 20)["n"] == 20


def _asked(source: Source, *where: Filter, order: Order | None = None, **how: int) -> Page:
    return page(source, where=where, order=order, **how)


WRONG: list[tuple[Callable[[Source], object], str]] = [
    (lambda s: _asked(s, Filter("whole", "at least", "much")), "whole is a number, not 'much'"),
    (lambda s: _asked(s, Filter("whole", "at least", "nan")), "whole is a number"),
    (lambda s: _asked(s, Filter("flag", "is", "yes")), "flag is true or false"),
    (lambda s: _asked(s, Filter("flag", "contains", "t")), "flag (flag) takes: is, is not"),
    (lambda s: _asked(s, Filter("text", "contains", "")), "text: contains what?"),
    (lambda s: _asked(s, Filter("c0", "is", "")), "no column 'c0'; there are: text, number, whole, flag, mark"),
    (lambda s: _asked(s, order=Order("1; --")), "no column '1; --'"),
    (lambda s: _asked(s, offset=-1), "offset = -1"),
    (lambda s: _asked(s, limit=10**6), "limit = 1000000"),
    (lambda s: row(s, 7), "no row 7; there are 1"),
    (lambda s: row(s, -1), "no row -1"),
    (lambda s: cell(s, 0, "nope"), "no column 'nope'"),
]


def test_what_cannot_be_asked_is_said_in_one_line() -> None:
    with table_of([{"text": "a", "number": 1.0, "whole": 1, "flag": True}]) as source:
        for ask, message in WRONG:
            with pytest.raises(ValueError) as told:
                ask(source)
            assert message in str(told.value)
            assert "\n" not in str(told.value)


def test_names_never_lead_outside(tmp_path: Path) -> None:
    (tmp_path / "data" / "datasets").mkdir(parents=True)
    outside = tmp_path / "elsewhere"
    (outside / "v1").mkdir(parents=True)
    (outside / "v1" / "version.json").write_text("{}")
    (outside / "shards.jsonl").write_text("")
    data = tmp_path / "data"
    for name in ("../../elsewhere", "run:../../elsewhere", "run:..", "x@../v1", "", "run:", "hub:../x"):
        with pytest.raises(ValueError) as told:
            close(open_source(data, name))
        assert "\n" not in str(told.value)
    assert names(data) == []


def test_a_dataset_of_the_hub_is_what_was_fetched(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"n": range(5)}), tmp_path / "data" / "train.parquet")
    fetched = Fetched(tmp_path, "0123abc", ("data/train.parquet",), ("not up to date",))
    monkeypatch.setattr("pipelines.browse.source.fetch", lambda name: fetched)
    source = opened("hub:owner/name@main:data")
    assert page(source).total == 5
    assert source.about["revision"] == "0123abc"
    assert source.about["notes"] == ["not up to date"]
    monkeypatch.setattr("pipelines.browse.source.fetch", lambda name: fetched._replace(files=("a.jsonl",)))
    with pytest.raises(ValueError, match=r"a\.jsonl: only Parquet can be browsed"):
        opened("hub:owner/name")


def test_files_that_are_damaged_or_differ_are_named(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 not at all")
    with pytest.raises(ValueError, match=r"rows\.parquet cannot be read"):
        open_source(tmp_path / "data", str(tmp_path / "rows.parquet"))
    for name in ("a", "b"):
        (tmp_path / "two").mkdir(exist_ok=True)
        pq.write_table(pa.table({name: [1]}), tmp_path / "two" / f"{name}.parquet")
    with pytest.raises(ValueError, match="other columns than"):
        open_source(tmp_path / "data", str(tmp_path / "two"))
