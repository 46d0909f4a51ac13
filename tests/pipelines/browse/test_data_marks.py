"""Marks of a person: kept whatever happens, the last one counts, and a column to filter by."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.browse.marks import all_marks, append, mark, marks_file, marks_on, read_marks, unmark
from pipelines.browse.source import Source, wait
from pipelines.browse.table import Filter, choices, page, row
from pipelines.records import Verdict, verdict
from tests.pipelines.browse.small_facts import SEEDS, Draw, Try, write_run, write_version

Opened = Callable[[str], Source]
LINE = [Draw(f"Question {n}", tries=[Try("4")]) for n in range(10)]


def subject(source: Source, row: int) -> str:
    return str(page(source, offset=row, limit=1).rows[0].cells["problem"])


def marked(source: Source) -> dict[int, object]:
    return {each.row: each.cells["mark"] for each in page(source).rows if each.cells["mark"]}


def some_verdict(number: int, by: str = "me") -> Verdict:
    return verdict(
        subjects=[f"{number}"], stage="person@1", draw=number, rule="person@1", status="pass", context={"by": by}
    )


def test_a_mark_is_a_verdict_and_a_column(opened: Opened, tmp_path: Path) -> None:
    write_version(tmp_path, LINE)
    source = opened("small")
    told = mark(source, subject=subject(source, 3), row=3, status="fail", note="wrong <b>unit</b>", by=" Ada ")
    assert told.verdict.rule == "person@1"
    assert told.verdict.subjects == (subject(source, 3),)
    assert orjson.loads(told.verdict.evidence) == {"note": "wrong <b>unit</b>", "reason": "wrong <b>unit</b>"}
    assert (told.row, told.status, told.by) == (3, "fail", "Ada")
    assert marks_on(source, 3) == [told]
    assert marked(source) == {3: "fail"}
    wait(source)
    assert marked(source) == {3: "fail"}
    assert choices(source, "mark") == [(None, 9), ("fail", 1)]
    mark(source, subject=subject(source, 5), row=5, status="pass", note="", by="Ada")
    assert choices(source, "mark") == [(None, 8), ("fail", 1), ("pass", 1)]
    unmark(source, subject=subject(source, 5), row=5, by="Ada")
    assert [each.row for each in page(source, where=[Filter("mark", "is", "fail")]).rows] == [3]
    assert page(source, where=[Filter("mark", "is not", "fail")]).total == 9
    assert choices(source, "mark") == [(None, 9), ("fail", 1)]
    assert row(source, 3)["mark"] == "fail"
    assert marks_file(source) == tmp_path / "marks" / "small.jsonl"
    assert read_marks(marks_file(source))[0] == told.verdict


def test_of_what_one_person_said_the_last_counts(opened: Opened, tmp_path: Path) -> None:
    write_version(tmp_path, LINE)
    source = opened("small")
    about = subject(source, 0)
    for status, by in (("fail", "Ada"), ("pass", "Bob"), ("unsure", "Ada"), ("fail", "Ada")):
        mark(source, subject=about, row=0, status=status, note=status, by=by)
    assert [(each.by, each.status) for each in marks_on(source, 0)] == [("Bob", "pass"), ("Ada", "fail")]
    assert marked(source) == {0: "fail"}
    assert len(read_marks(source.marks)) == 4
    unmark(source, subject=about, row=0, by="Ada")
    assert [each.by for each in all_marks(source)] == ["Bob"]
    unmark(source, subject=about, row=0, by="Bob")
    assert marked(source) == {}
    assert len(read_marks(source.marks)) == 6


def test_a_mark_holds_in_the_run_and_in_another_version(opened: Opened, tmp_path: Path) -> None:
    write_version(tmp_path, LINE)
    write_run(tmp_path, [*LINE[:4], Draw("Another"), *LINE[5:]])
    version, run = opened("small"), opened("run:small")
    for each in (1, 4):
        mark(version, subject=subject(version, each), row=each, status="pass", note="", by="me")
    assert marked(run) == {1: "pass"}  # draw 4 is another question there


def test_any_fact_of_a_row_can_be_marked_and_no_other(opened: Opened, tmp_path: Path) -> None:
    folder = write_version(tmp_path, LINE)
    source = opened("small")
    with duckdb.connect() as facts:
        for kind in ("problems", "attempts", "verdicts"):
            query = f"select id from read_parquet('{folder}/facts/{kind}.parquet') where draw = 2 limit 1"
            (id,) = facts.execute(query).fetchall()[0]
            assert mark(source, subject=id, row=2, status="pass", note="", by="me").subject == id
            with pytest.raises(ValueError, match="row 3 has no fact"):
                mark(source, subject=id, row=3, status="pass", note="", by="me")
    assert mark(source, subject=SEEDS[0].id, row=2, status="unsure", note="", by="me").row == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"status": "error"}, "a mark is one of pass, fail, unsure, not 'error'"),
        ({"by": "  "}, "a mark needs the name of who made it"),
        ({"by": "a\nb"}, "a mark needs the name of who made it"),
        ({"note": "x" * 20_001}, "a note has at most 20,000 characters, this one 20,001"),
        ({"row": 10}, "no row 10; there are 10"),
        ({"subject": "' or 1=1 --"}, "row 0 has no fact"),
    ],
)
def test_what_cannot_be_marked(changed: dict[str, str], message: str, opened: Opened, tmp_path: Path) -> None:
    write_version(tmp_path, LINE)
    source = opened("small")
    given = {"subject": subject(source, 0), "row": 0, "status": "pass", "note": "", "by": "me", **changed}
    with pytest.raises(ValueError, match=message):
        mark(source, **given)  # pyright: ignore[reportArgumentType]
    assert not marks_file(source).exists()


def test_rows_of_a_table_can_be_marked(opened: Opened, tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": range(9)}), tmp_path / "rows.parquet")
    source = opened(str(tmp_path / "rows.parquet"))
    mark(source, subject="row:5", row=5, status="unsure", note="?", by="me")
    assert marked(source) == {5: "unsure"}
    with pytest.raises(ValueError, match="row 5 has no fact"):
        mark(source, subject="row:6", row=5, status="unsure", note="", by="me")
    assert marks_file(source).parent == tmp_path / "marks"


@settings(deadline=None, max_examples=12)
@given(st.lists(st.integers(0, 9), max_size=3), st.integers(0))
def test_a_torn_line_is_not_there_and_is_mended(numbers: list[int], torn: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "marks.jsonl"
        told = [some_verdict(number) for number in numbers]
        for each in told:
            append(path, each)
        line = orjson.dumps(some_verdict(99)._asdict())
        with path.open("ab") as file:
            file.write(line[: torn % len(line)])  # all but its end, at the most
        assert read_marks(path) == told
        append(path, some_verdict(100))
        assert read_marks(path) == [*told, some_verdict(100)]


SPOILT = [
    b"\0\0\0",
    b"[]",
    *(
        orjson.dumps(some_verdict(2)._asdict() | change)
        for change in [{"context": "5"}, {"draw": "x"}, {"subjects": []}]
    ),
]


@pytest.mark.parametrize("line", SPOILT, ids=["no JSON", "no verdict", "context", "draw", "subjects"])
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "marks.jsonl"
    append(path, some_verdict(1))
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(ValueError, match=r"marks\.jsonl, line 2: no verdict"):
        read_marks(path)


def test_two_may_mark_at_once(tmp_path: Path) -> None:
    """The lock is on the open file, so that two threads are to it what two processes are."""
    path = tmp_path / "marks.jsonl"

    def append_many(by: str) -> None:
        for number in range(30):
            append(path, some_verdict(number, by))

    with ThreadPoolExecutor(2) as both:
        list(both.map(append_many, ("Ada", "Bob")))
    said = [(orjson.loads(each.context)["by"], each.draw) for each in read_marks(path)]
    for by in ("Ada", "Bob"):
        assert [draw for name, draw in said if name == by] == list(range(30))
