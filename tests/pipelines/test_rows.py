"""Rows of people's files, and seeds as the batches in which they came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.rows import BadRows, Rows, Seeds


def jsonl(path: Path, *rows: Any) -> Path:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def asked(*numbers: int) -> list[dict[str, Any]]:
    return [
        {"question": f"How much is {n} + 1?", "answer": n + 1, "domain": "odd" if n % 2 else "even"} for n in numbers
    ]


def rows(*paths: Path, **columns: str) -> Rows:
    return Rows(paths, columns=columns)


# Rows


@pytest.mark.parametrize("group", [1, 3, 100])
def test_parquet_and_json_lines_are_read_alike(tmp_path: Path, group: int):
    value = asked(*range(7))
    lines = rows(jsonl(tmp_path / "a.jsonl", *value))
    pq.write_table(pa.Table.from_pylist(value), tmp_path / "a.parquet", row_group_size=group)
    table = rows(tmp_path / "a.parquet")
    assert len(lines) == len(table) == 7
    assert [lines[i] for i in range(7)] == [table[i] for i in range(7)] == value
    assert [table[i] for i in (6, 0, 3)] == [value[i] for i in (6, 0, 3)]
    assert lines.identity(0, 7) == table.identity(0, 7)


def test_a_view_of_a_version_is_read_as_it_lies_there(tmp_path: Path):
    value = [{**each, "messages": [{"role": "user", "content": "?"}]} for each in asked(1, 2, 1)]
    table = pa.Table.from_pylist(value)
    with pa.OSFile(str(tmp_path / "data-00000.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        for batch in table.to_batches(max_chunksize=2):
            stream.write_batch(batch)
    view = rows(tmp_path / "data-00000.arrow")
    assert [view[i] for i in range(len(view))] == value
    assert view.identity(0, 3) == rows(jsonl(tmp_path / "a.jsonl", *value)).identity(0, 3)
    assert Seeds(view).distinct == [0, 1]


def test_several_files_are_one_after_another(tmp_path: Path):
    both = rows(jsonl(tmp_path / "a.jsonl", *asked(1, 2)), jsonl(tmp_path / "b.jsonl", *asked(3)))
    assert [both[i]["answer"] for i in range(3)] == [2, 3, 4]
    assert both.where(2) == f"{tmp_path / 'b.jsonl'}, line 1"
    with pytest.raises(IndexError):
        both[3]


def test_a_last_line_may_lack_its_end_and_lines_may_end_as_on_windows(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"question": "one?"}\r\n{"question": "two?"}')
    assert [rows(path)[i]["question"] for i in range(2)] == ["one?", "two?"]


def test_columns_have_other_names_in_other_files(tmp_path: Path):
    path = jsonl(tmp_path / "a.jsonl", {"prompt": "How?", "target": 3})
    table = rows(path, question="prompt", answer="target")
    assert (table.text(0, "question"), table.text(0, "answer"), table.text(0, "domain")) == ("How?", "3", None)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"question": "x?"}\n{nope}\n', "line 2: not JSON"),
        (b'{"question": "x?"}\n"text"\n', "line 2: should be an object {...}, not str"),
        (b'{"question": "x?"}\n\n{"question": "y?"}\n', "line 2: not JSON"),
        (b'{"question": "x?"}\n{"task": "y?"}\n', "line 2: no text in the column 'question'; it has 'task'"),
        (b'{"question": "x?"}\n{"question": "  "}\n', "line 2: no text in the column 'question'"),
        (b'{"question": ["x?"]}\n', "line 1: 'question' should be text, not list"),
        (b'{"question": true}\n', "line 1: 'question' should be text, not bool"),
        (b'{"question": "\xff"}\n', "line 1: not JSON"),
        (b"\xef\xbb\xbf[]", "line 1: not JSON"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, content: bytes, told: str):
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadRows) as caught:
        rows(path)
    assert str(caught.value).startswith(f"{path}, {told}")


def test_files_that_are_not_there_or_not_what_they_say(tmp_path: Path):
    with pytest.raises(BadRows, match="no file"):
        rows(tmp_path / "none.jsonl")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(BadRows, match="not a Parquet file"):
        rows(tmp_path / "a.parquet")
    (tmp_path / "a.arrow").write_bytes(b"not a stream at all")
    with pytest.raises(BadRows, match="not an Arrow stream"):
        rows(tmp_path / "a.arrow")


def test_identity_is_that_of_the_rows_and_of_no_others(tmp_path: Path):
    one = rows(jsonl(tmp_path / "a.jsonl", *asked(1, 2, 3, 4)))
    other = rows(jsonl(tmp_path / "b.jsonl", *asked(9, 2, 3, 5)))
    assert one.identity(1, 3) == other.identity(1, 3)
    assert one.identity(0, 3) != other.identity(0, 3)
    spaced = tmp_path / "c.jsonl"
    spaced.write_bytes(b'{ "answer":2 ,"domain":"odd", "question":"How much is 1 + 1?" }\n')
    assert rows(spaced).identity(0, 1) == one.identity(0, 1)  # the same row, written otherwise


# Seeds


def test_appended_seeds_are_a_batch_of_their_own(tmp_path: Path):
    path = jsonl(tmp_path / "a.jsonl", *asked(1, 2, 3))
    known = Seeds(rows(path)).batches
    jsonl(path, *asked(1, 2, 3, 4, 5))
    seeds = Seeds(rows(path))
    seeds.settle(known, drawn=40)
    assert [(batch["count"], batch["first_draw"]) for batch in seeds.batches] == [(3, 0), (5, 40)]
    assert [seeds.batch_of(draw) for draw in (0, 39, 40, 1000)] == [0, 0, 1, 1]
    assert seeds.identity(0, 8) == [0, known[0]["digest"]]


def test_the_same_seeds_make_no_batch(tmp_path: Path):
    path = jsonl(tmp_path / "a.jsonl", *asked(1, 2, 3))
    seeds = Seeds(rows(path))
    known = list(seeds.batches)
    seeds.settle(known, drawn=40)
    assert seeds.batches == known


@pytest.mark.parametrize("changed", [asked(9, 2, 3, 4), asked(1, 2), asked(2, 1, 3)])
def test_seeds_that_do_not_continue_the_known_ones_begin_anew(tmp_path: Path, changed: list[dict[str, Any]]):
    known = Seeds(rows(jsonl(tmp_path / "a.jsonl", *asked(1, 2, 3)))).batches
    seeds = Seeds(rows(jsonl(tmp_path / "b.jsonl", *changed)))
    seeds.settle(known, drawn=40)
    assert [(batch["count"], batch["first_draw"]) for batch in seeds.batches] == [(len(changed), 0)]


def test_seeds_are_problems_with_their_source_and_licence(tmp_path: Path):
    row = {"question": "How?", "answer": 4, "domain": "x", "source": "book", "license": "CC0-1.0", "id": "s1"}
    seed = Seeds(rows(jsonl(tmp_path / "a.jsonl", row))).problem(0)
    assert (seed.kind, seed.question, seed.answer, seed.draw) == ("seed", "How?", "4", None)
    assert (seed.domain, seed.source, seed.license) == ("x", "book", "CC0-1.0")


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("First 30 + 42 = 72.\n#### 72", "72"),
        ("#### 1,234 ", "1,234"),
        ("no mark 7", "no mark 7"),
        (None, None),
        (2.5, "2.5"),
    ],
)
def test_a_worked_answer_is_read_at_its_mark(tmp_path: Path, written: Any, answer: str | None):
    seeds = Seeds(rows(jsonl(tmp_path / "a.jsonl", {"question": "How?", "answer": written})))
    assert seeds.problem(0).answer == answer


def test_seeds_by_domain(tmp_path: Path):
    seeds = Seeds(rows(jsonl(tmp_path / "a.jsonl", *asked(1, 2, 3, 4))))
    assert seeds.by_domain == {"odd": [0, 2], "even": [1, 3]}
    assert seeds.domain(3) == "even"
