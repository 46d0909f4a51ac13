"""Searching: what is found is what a scan of every text finds, as it is found."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.browse.search import AROUND, search
from pipelines.browse.source import Source, close, open_source, wait
from pipelines.browse.table import Filter
from tests.pipelines.browse.small_facts import Draw, Try, write_run, write_version

Opened = Callable[[str], Source]

TEXTS = st.text(st.sampled_from("aAbBéÉßΣ漢😀 %_.*\\'\0"), max_size=8)
TRIES = st.builds(Try, st.none() | TEXTS, st.none() | TEXTS)
AGAINST = st.none() | st.tuples(st.just("form"), st.just("fail"), TEXTS)
DRAWS = st.lists(
    st.builds(Draw, TEXTS, AGAINST, st.none() | TEXTS, st.lists(TRIES, max_size=2)),  # pyright: ignore[reportArgumentType]
    min_size=1,
    max_size=12,
)
FEWER = settings.default.max_examples // 8 if settings.default else 10  # each opens a source
WANTED = st.text(st.sampled_from("aAbBéß漢%.*'Σ"), min_size=1, max_size=2)


def small(text: str) -> str:
    return "".join(char.lower() for char in text)


def scanned(draws: list[Draw], text: str) -> set[tuple[int, str, str]]:
    """Row, column and first match of every text that has it, looked at one by one."""
    cells: list[tuple[int, str, str | None]] = []
    for row, draw in enumerate(draws):
        cells += [(row, "question", "Pose!"), (row, "question", draw.question), (row, "answer", draw.answer)]
        cells += [(row, "attempt", "posed"), (row, "reason", draw.against[2] if draw.against else None)]
        for each in draw.tries:
            cells += [(row, "attempt", each.content), (row, "reasoning", each.reasoning)]
    return {
        (row, column, cell[at : at + len(text)])
        for row, column, cell in cells
        if cell is not None and (at := small(cell).find(small(text))) >= 0
    }


@settings(deadline=None, max_examples=FEWER)
@given(DRAWS, st.lists(WANTED, min_size=1, max_size=6), st.sampled_from([write_version, write_run]))
def test_hits_are_those_of_a_scan(draws: list[Draw], texts: list[str], write: Callable[..., Path]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), draws)
        source = open_source(Path(folder), "small" if write is write_version else "run:small")
        try:
            for text in texts:
                hits = list(search(source, text))
                assert {(hit.row, hit.column, hit.match) for hit in hits} == scanned(draws, text)
                assert [hit.row for hit in hits] == sorted(hit.row for hit in hits)
        finally:
            close(source)


def sourced(opened: Opened, tmp_path: Path) -> Source:
    write_version(tmp_path, [Draw(f"Question {n} {'even' if n % 2 == 0 else 'odd'}") for n in range(40)])
    return opened("small")


def test_a_hit_has_what_stands_around_it(opened: Opened, tmp_path: Path) -> None:
    text = "é" * 100 + "NEEDLE" + "ß" * 100
    write_version(tmp_path, [Draw("q", tries=[Try("nothing", text)]), Draw("Needle")])
    hits = list(search(opened("small"), "needle"))
    assert [(hit.row, hit.draw, hit.column) for hit in hits] == [(0, 0, "reasoning"), (1, 1, "question")]
    assert hits[0][4:] == ("é" * AROUND, "NEEDLE", "ß" * AROUND)
    assert hits[1][4:] == ("", "Needle", "")
    assert hits[0].fact is not None


def test_hits_come_as_they_are_found_until_a_person_stops(opened: Opened, tmp_path: Path) -> None:
    source, looked_at = sourced(opened, tmp_path), list[int]()
    hits = search(source, "question", stop=lambda: len(looked_at) >= 2, told=looked_at.append)
    assert next(hits).row == 0
    assert looked_at == []  # the first hit came before the first batch was through
    assert [hit.row for hit in hits] == list(range(1, 6))
    assert looked_at == [2, 6]


def test_no_more_is_looked_at_than_is_shown(opened: Opened, tmp_path: Path) -> None:
    source, looked_at = sourced(opened, tmp_path), list[int]()
    assert len(list(search(source, "question", told=looked_at.append, most=5))) == 5
    assert looked_at == [2]
    assert list(search(source, "nowhere", told=looked_at.append)) == []
    assert looked_at[-1] == 40


def test_only_rows_that_pass_the_filters_are_searched(opened: Opened, tmp_path: Path) -> None:
    source = sourced(opened, tmp_path)
    where = [Filter("question", "contains", "even"), Filter("draw", "at least", "30")]
    assert [hit.row for hit in search(source, "question", where=where)] == [30, 32, 34, 36, 38]


def test_all_texts_of_a_table_are_searched_whole(opened: Opened, tmp_path: Path) -> None:
    rows = pa.table(
        {
            "long": ["x" * 100_000 + "Needle", None, "x"],
            "nested": [[{"role": "user"}], [{"role": "needle"}], None],
            "number": [1, 2, 3],
            "few": pa.array(["a", "needle", "a"]).dictionary_encode(),
        }
    )
    pq.write_table(rows, tmp_path / "rows.parquet")
    source = opened(str(tmp_path / "rows.parquet"))
    assert [(hit.row, hit.column) for hit in search(source, "needle")] == [(0, "long"), (1, "nested"), (1, "few")]
    wait(source)
    assert [hit.row for hit in search(source, "needle", where=[Filter("number", "at least", "2")])] == [1, 1]


@pytest.mark.parametrize("text", ["", "  ", "x" * 1001])
def test_a_search_for_nothing_is_refused_at_once(text: str, opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="search for a text of 1 to 1,000 characters"):
        search(sourced(opened, tmp_path), text)


def test_a_wrong_filter_is_refused_at_once(opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no column 'nope'"):
        search(sourced(opened, tmp_path), "x", where=[Filter("nope", "is", "1")])
