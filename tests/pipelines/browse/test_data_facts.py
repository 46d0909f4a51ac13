"""Versions and runs as tables of candidates: what each row tells, and a funnel whose books balance."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.browse.candidates import STILL_IN
from pipelines.browse.columns import KEPT, Cut
from pipelines.browse.funnel import NO_REASON, Funnel, funnel, funnel_of_ledger
from pipelines.browse.plots import plots, round_step
from pipelines.browse.source import Source, close, draw_of, is_stale, names, open_source, row_of, wait
from pipelines.browse.spans import span_of_row
from pipelines.browse.table import Filter, Order, cell, choices, page, row
from pipelines.records import Status
from tests.pipelines.browse.small_facts import STAGE_OF, Draw, Try, write_run, write_version
from tests.small import Site

Opened = Callable[[str], Source]

REASONS: list[str | None] = ["too short", "' or 1=1 --", None]
STATUSES: list[Status] = ["fail", "unsure", "error"]
AGAINST = st.none() | st.tuples(
    st.sampled_from(sorted(STAGE_OF)), st.sampled_from(STATUSES), st.sampled_from(REASONS)
)
FEWER = settings.default.max_examples // 8 if settings.default else 10  # each opens a source
DRAWS = st.builds(Draw, st.just("What?"), AGAINST)

# Ten draws of every kind: what each is, and what became of it.
LINE = [
    Draw("What is 2 + 2?", tries=[Try("4", "two and two"), Try("5", is_right=False)], domain="arithmetic"),
    Draw("Never posed", ("posed", "fail", "no <question>")),
    Draw("Too short", ("form", "fail", "less than 4 words")),
    Draw("Seen before", ("novelty", "fail", "too much like an earlier question")),
    Draw("Undecided", ("pass_rate", "unsure", None), tries=[Try(None), Try("x")]),
    Draw("Long " * 300, tries=[Try("4")] * 3),
    *[Draw(f"Question {n}", tries=[Try("4")]) for n in range(6, 10)],
]
MADE: list[Callable[[Path, Sequence[Draw]], Path]] = [write_version, write_run]


@contextmanager
def made(write: Callable[[Path, Sequence[Draw]], Path], draws: Sequence[Draw]) -> Iterator[Source]:
    """A version or a run of these draws, opened and indexed."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), draws)
        source = open_source(Path(folder), "small" if write is write_version else "run:small")
        try:
            wait(source)
            yield source
        finally:
            close(source)


@pytest.mark.parametrize("write", MADE)
def test_a_row_tells_what_became_of_a_draw(write: Callable[[Path, Sequence[Draw]], Path]) -> None:
    with made(write, LINE) as source:
        rows = [each.cells for each in page(source).rows]
        kept = "accepted" if write is write_version else STILL_IN
        assert [each["draw"] for each in rows] == list(range(10))
        assert [each["outcome"] for each in rows[:6]] == [kept, "posed", "form", "novelty", "pass_rate: unsure", kept]
        assert [each["stage"] for each in rows[:5]] == [None, "pose", "screen", "screen", "verify"]
        assert [each["rule"] for each in rows[:3]] == [None, "posed@1", "form@1"]
        assert [each["reason"] for each in rows[1:5]] == [
            "no <question>",
            "less than 4 words",
            "too much like an earlier question",
            None,
        ]
        assert [each["question"] for each in rows[:2]] == ["What is 2 + 2?", "Pose!"]
        assert [(each["attempts"], each["right"]) for each in rows[:5]] == [(2, 1), (0, 0), (0, 0), (0, 0), (2, 2)]
        assert [each["pass_rate"] for each in rows[:3]] == [0.5, None, None]
        assert [each["tokens"] for each in rows[:2]] == [31, 10]  # with the posing
        assert [each["longest"] for each in rows[:2]] == [11, None]
        assert [each["domain"] for each in rows[:2]] == ["arithmetic", "algebra + geometry"]  # its own, or the seeds'


@pytest.mark.parametrize("write", MADE)
def test_a_long_question_is_cut_and_there_whole(write: Callable[[Path, Sequence[Draw]], Path]) -> None:
    question = LINE[5].question
    with made(write, LINE) as source:
        assert page(source).rows[5].cells["question"] == Cut(question[:KEPT], len(question))
        assert row(source, 5)["question"] == question
        assert cell(source, 5, "question") == question


def test_the_first_page_is_the_same_before_and_after_indexing(opened: Opened, tmp_path: Path) -> None:
    write_version(tmp_path, LINE)
    source = opened("small")
    source.index.made, made = [], source.index.made
    before = [page(source, offset=offset, limit=3).rows for offset in range(10)]
    wait(opened("small"))
    assert [page(opened("small"), offset=offset, limit=3).rows for offset in range(10)] == before
    assert made is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=FEWER)
@given(st.lists(DRAWS, max_size=20), st.sampled_from(MADE))
def test_the_books_balance(draws: list[Draw], write: Callable[[Path, Sequence[Draw]], Path]) -> None:
    with made(write, draws) as source:
        told = funnel(source)
        lost = Counter(each.against[0] + _state(each.against[1]) for each in draws if each.against)
        assert {each.name: each.lost for each in told.losses} == lost
        assert told.candidates == len(draws) == told.accepted + told.still_in + sum(each.lost for each in told.losses)
        assert (told.accepted if write is write_version else told.still_in) == len(draws) - lost.total()
        assert [each.left for each in told.losses] == _left(told)
        assert write is write_run or _in_numbers(funnel_of_ledger(source)) == _in_numbers(told)
        for each in told.losses:
            assert sum(reason.rows for reason in each.reasons) == each.lost
            assert page(source, where=each.where).total == each.lost
            rarest = each.reasons[-1]
            assert page(source, where=rarest.where).total == rarest.rows


def _in_numbers(told: Funnel) -> tuple[Any, ...]:
    """What a funnel says, whatever filters show its rows."""
    losses = [
        (each.name, each.lost, each.left, {why.text or NO_REASON: why.rows for why in each.reasons})
        for each in told.losses
    ]
    return told.candidates, told.accepted, told.still_in, losses


def _state(status: str) -> str:
    return "" if status == "fail" else f": {status}"


def _left(told: Funnel) -> list[int]:
    left, after = told.candidates, list[int]()
    for each in told.losses:
        left -= each.lost
        after.append(left)
    return after


def test_losses_come_in_the_order_of_the_recipe() -> None:
    order: list[tuple[str, Status]] = [
        ("posed", "fail"),
        ("form", "fail"),
        ("novelty", "fail"),
        ("novelty", "error"),
        ("pass_rate", "unsure"),
    ]
    draws = [Draw("q", (rule, status, None)) for rule, status in reversed(order)]
    with made(write_version, draws) as source:
        told = [(each.stage, each.name) for each in funnel(source).losses]
    assert told == [
        ("pose", "posed"),
        ("screen", "form"),
        ("screen", "novelty"),
        ("screen", "novelty: error"),
        ("verify", "pass_rate: unsure"),
    ]


def test_the_bars_of_a_plot_are_the_rows_that_they_show() -> None:
    draws = [Draw("q" * n, tries=[Try("4", is_right=n % 3 > 0)] * (n % 7)) for n in range(40)]
    with made(write_version, draws) as source:
        where = [Filter("draw", "at least", "3")]
        for plot in plots(source, where=where):
            assert sum(each.rows for each in plot.bins) + plot.missing + plot.others == 37
            for each in plot.bins[::3]:
                assert page(source, where=[*where, *each.where], limit=1).total == each.rows
        shown = {plot.column: plot for plot in plots(source)}
        assert shown["attempts"].bins[0] == ("0", 6, [Filter("attempts", "is", "0")])
        assert len(shown["tokens"].bins) > 3
        assert "draw" not in shown


@given(st.floats(1e-12, 1e15))
def test_a_step_is_round_and_wide_enough(least: float) -> None:
    step = round_step(least)
    assert least * (1 - 1e-6) <= step < 2.5 * least * (1 + 1e-6)
    assert f"{step:e}".partition(".")[0] in ("1", "2", "5")


def test_a_run_that_goes_on_is_stale_and_keeps_what_is_indexed(opened: Opened, tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "browse"
    write_run(tmp_path, LINE[:6])
    first = opened("run:small")
    wait(first)
    there = {each.name for each in cache.glob("*.parquet")}
    assert not is_stale(first)
    write_run(tmp_path, LINE)
    with (tmp_path / "runs" / "small" / "shards.jsonl").open("ab") as file:
        file.write(b'{"start": 10, "st')  # is being written
    assert is_stale(first)
    again = opened("run:small")
    wait(again)
    assert page(first).total == 6
    assert page(again).total == 10
    assert there < {each.name for each in cache.glob("*.parquet")}


def test_a_shard_between_is_not_finished_yet(opened: Opened, tmp_path: Path) -> None:
    lines = (write_run(tmp_path, LINE) / "shards.jsonl").read_bytes().splitlines(keepends=True)
    lines[1:2] = [b'{"start": 20, "stop": 23, "outputs": ["../../../etc"]}\n']
    (tmp_path / "runs" / "small" / "shards.jsonl").write_bytes(b"".join(reversed(lines)))
    source = opened("run:small")
    draws = [0, 1, 2, 6, 7, 8, 9]
    for _ in range(2):
        assert [each.cells["draw"] for each in page(source).rows] == draws
        wait(source)
    assert [draw_of(source, row_of(source, draw)) for draw in draws] == draws
    with pytest.raises(ValueError, match="no draw 4 is finished here"):
        row_of(source, 4)
    assert list(span_of_row(source.spans, 3).folders) == [source.facts[1]]


def without(path: Path, is_gone: Callable[[dict[str, Any]], bool]) -> None:
    """Write a file of facts anew without some of them."""
    table = pq.read_table(path)
    pq.write_table(table.filter(pa.array([not is_gone(each) for each in table.to_pylist()])), path)


def test_draws_that_a_person_took_out_are_passed_over(opened: Opened, tmp_path: Path) -> None:
    """The rows of a version stay dense when draws are missing from its facts."""
    folder = write_version(tmp_path, LINE)
    for path in (folder / "facts").glob("*.parquet"):
        without(path, lambda each: each["draw"] == 2)
    (folder / "ledger.json").write_bytes(orjson.dumps({"candidates": 9}))
    source = opened("small@v1")
    for _ in range(2):
        assert [each.cells["draw"] for each in page(source).rows] == [0, 1, 3, 4, 5, 6, 7, 8, 9]
        wait(source)
    assert row_of(source, 3) == 2


def test_facts_without_an_outcome_are_told(opened: Opened, tmp_path: Path) -> None:
    path = write_version(tmp_path, LINE) / "facts" / "verdicts.parquet"
    without(path, lambda each: each["rule"] == "accepted@1" and each["draw"] == 4)
    with pytest.raises(ValueError, match="9 outcomes of the 10 draws"):
        page(opened("small"))


def test_names_of_what_there_is(tmp_path: Path) -> None:
    write_version(tmp_path, LINE)
    write_run(tmp_path, LINE, name="other")
    assert names(tmp_path) == [("small@v1", "version"), ("run:other", "run")]
    with pytest.raises(ValueError, match="no version 'v2' of small; there are: v1"):
        open_source(tmp_path, "small@v2")
    with pytest.raises(ValueError, match="there are: small@v1, run:other"):
        open_source(tmp_path, "smal")
    with pytest.raises(ValueError, match="no run 'small'; there are: run:other"):
        open_source(tmp_path, "run:small")


def test_a_real_version_and_its_run(site: Site, data: Path, opened: Opened) -> None:
    """What a recipe makes on the builtin engine, as its own ledger tells it."""
    made = site.embedded()
    version, run = open_source(data, "small"), open_source(data, "run:small")
    try:
        wait(version)
        wait(run)
        told = funnel(version)
        assert (told.candidates, told.accepted) == (made.ledger["candidates"], made.ledger["accepted"])
        assert {each.name: each.lost for each in told.losses} == made.ledger["not_accepted"]
        assert {each.name: each.lost for each in funnel(run).losses} == made.ledger["not_accepted"]
        assert funnel(run).still_in == made.ledger["accepted"]
        same = [each.name for each in version.columns if each.name != "outcome"]
        of_both = [[[row.cells[name] for name in same] for row in page(each).rows] for each in (version, run)]
        assert of_both[0] == of_both[1]
        assert choices(version, "outcome")[0][1] == max(
            made.ledger["accepted"], *made.ledger["not_accepted"].values()
        )
        assert page(version, order=Order("tokens", descending=True)).rows[0].cells["tokens"]
    finally:
        close(version)
        close(run)
