"""`thoughtmill verify`: a file scored, compared with its labels, and written again with the verdicts beside it."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from filters.verifiers import VERIFIERS, pool
from flows.cli import main
from tests.filters.cases import DATA, needs_data

ROWS: list[dict[str, Any]] = [
    {"id": 7, "problem": "2+2?", "answer": "4", "response": r"\boxed{4}", "right": True},
    {"id": 8, "problem": "1/3?", "answer": r"\frac13", "response": r"\boxed{0.33}", "right": True},
    {"id": 9, "problem": "?", "answer": None, "response": "5", "right": False},
    {"id": 10, "problem": "?", "answer": "5", "response": None, "right": False},
]


@pytest.fixture(scope="module", autouse=True)
def ends_its_children():
    yield
    pool.close()


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    return path


def verify(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["verify", *map(str, arguments)])
    return done.exit_code, done.output


def test_rows_stay_as_they_are_with_the_verdict_beside_them(tmp_path: Path):
    path = lines(tmp_path / "mine.jsonl", ROWS)
    status, output = verify(path, "--label", "right")
    assert status == 0, output
    written = [json.loads(line) for line in (tmp_path / "mine.verified.jsonl").read_text().splitlines()]
    verdicts = [row.pop("verdict") for row in written]
    assert written == ROWS
    assert [each["status"] for each in verdicts] == ["pass", "fail", "unsure", "unsure"]
    assert [each["reason"] for each in verdicts] == [None, "wrong answer", "no reference answer", "no response"]
    assert [each["answer"] for each in verdicts] == ["4", "0.33", "5", None]
    assert {each["verifier"].partition("@")[0] for each in verdicts} == {"math"}


def test_it_says_what_came_of_it(tmp_path: Path):
    _, output = verify(lines(tmp_path / "mine.jsonl", ROWS), "--label", "right")
    told = " ".join(output.split())
    assert "4 responses of 4 rows, verified as math@" in told
    assert "pass 1" in told
    assert "question from problem, answer from answer, response from response, label from right" in told
    assert "unsure 2 no reference answer 1, no response 1" in told
    assert "right: 50.0% of the 2 that were decided" in told
    assert "agrees with the label: 1 of 4, of which 2 undecided = 25.00%" in told
    assert r"row 2: label right, verdict fail (wrong answer); reference \frac13, answer 0.33" in told


def test_lists_of_responses_and_of_labels(tmp_path: Path):
    rows = [{"prompt": "?", "reference": "5", "responses": [r"\boxed{5}", "6", "no"], "scores": [1, -1, 0.0]}]
    status, output = verify(lines(tmp_path / "mine.jsonl", rows), "--label", "scores")
    assert status == 0, output
    assert "3 responses of 1 rows" in output
    assert "3 of 3 = 100.00%" in output
    [written] = [json.loads(line) for line in (tmp_path / "mine.verified.jsonl").read_text().splitlines()]
    assert [each["status"] for each in written["verdict"]] == ["pass", "fail", "fail"]


def test_parquet_keeps_its_types_and_columns_inside_of_others(tmp_path: Path):
    schema = pa.schema(
        [
            ("reward_model", pa.struct([("ground_truth", pa.string()), ("style", pa.string())])),
            ("out", pa.large_list(pa.string())),
            ("n", pa.int8()),
        ]
    )
    rows = [
        {"reward_model": {"ground_truth": "4", "style": "rule"}, "out": ["#### 4", "#### 5"], "n": 3},
        {"reward_model": {"ground_truth": "x+1", "style": "rule"}, "out": None, "n": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "mine.parquet")
    status, output = verify(
        *(tmp_path / "mine.parquet", "--answer", "reward_model.ground_truth", "--response", "out"),
        *("--out", tmp_path / "scored.parquet", "--column", "told"),
    )
    assert status == 0, output
    table = pq.read_table(tmp_path / "scored.parquet")
    assert table.schema.names == ["reward_model", "out", "n", "told"]
    assert table.schema.field("n").type == pa.int8()
    assert table.drop_columns(["told"]).to_pylist() == rows
    assert [[each["status"] for each in told] for told in table["told"].to_pylist()] == [["pass", "fail"], ["unsure"]]


def test_a_column_may_name_the_verifier(tmp_path: Path):
    rows = [
        {"answer": "B", "response": "The answer is (B).", "type": "choice"},
        {"answer": "4", "response": "The answer is 4.", "type": "math"},
    ]
    status, output = verify(lines(tmp_path / "mine.jsonl", rows), "--kind", "type")
    assert status == 0, output
    assert "pass 2" in " ".join(output.split())


def test_the_options_of_a_question_count_by_their_contents_too(tmp_path: Path):
    question = "How long is it? (A) 3 cm (B) 4 cm (C) 5 cm"
    said = ["(B)", "The answer is 4 cm.", "5 cm"]
    rows = [{"question": question, "answer": "B", "response": said}]
    status, output = verify(lines(tmp_path / "mine.jsonl", rows), "--kind", "choice")
    assert status == 0, output
    assert "pass 2" in " ".join(output.split())


LAYOUTS: list[tuple[str, dict[str, Any]]] = [
    ("constraints", {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}], "response": "No commas here."}),
    (
        "code",
        {
            "prompt": "def add(a, b):\n",
            "entry_point": "add",
            "test": "def check(candidate):\n    assert candidate(1, 2) == 3",
            "completion": "    return a + b",
        },
    ),
    ("code", {"test_list": ["assert add(1, 2) == 3"], "code": "x", "output": "def add(a, b):\n    return a + b"}),
    ("code", {"inputs": ["1 2"], "outputs": ["3"], "generation": "print(sum(map(int, input().split())))"}),
    (
        "code",
        {
            "input_output": '{"fn_name": "add", "inputs": [[1, 2]], "outputs": [3]}',
            "response": "def add(a, b):\n    return a + b",
        },
    ),
    ("choice", {"question": "?", "choices": ["3 cm", "4 cm"], "answer": 1, "response": "The answer is 4 cm."}),
    ("math", {"question": "?", "answer": ["4 cm", "40 mm"], "response": "#### 40"}),
    ("math", {"question": "?", "answer": 4, "response": [{"role": "assistant", "content": "So it is 4."}]}),
]


@pytest.mark.parametrize(("kind", "row"), LAYOUTS)
def test_files_of_well_known_form_need_no_options(tmp_path: Path, kind: str, row: dict[str, Any]):
    status, output = verify(lines(tmp_path / "mine.jsonl", [row]), "--kind", kind)
    assert status == 0, output
    assert "pass 1" in " ".join(output.split()), output


def test_what_nobody_could_decide_is_no_success(tmp_path: Path):
    path = lines(tmp_path / "mine.jsonl", [{"answer": "def check(f): ...", "response": "def f(): pass"}])
    status, output = verify(path, "--kind", "code")
    assert status == 1
    assert "the reference cannot be used: " in output


def test_lines_as_others_write_them(tmp_path: Path):
    path = tmp_path / "mine.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"other": NaN}\n{"answer": "4", "response": "#### 4"}\n')
    status, output = verify(path)
    assert status == 0, output
    assert "pass 1" in " ".join(output.split())


def test_worked_solutions_as_references(tmp_path: Path):
    rows = [{"question": "?", "answer": "2 + 2 = <<2+2=4>>4\n#### 4", "response": "so\n#### 4"}]
    status, output = verify(lines(tmp_path / "mine.jsonl", rows))
    assert status == 0, output
    assert "1 references were worked solutions" in output
    assert "pass 1" in " ".join(output.split())


def test_compressed_lines(tmp_path: Path):
    path = tmp_path / "mine.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(ROWS[0]).encode()))
    assert verify(path)[0] == 0
    assert (tmp_path / "mine.verified.jsonl").exists()


@pytest.mark.slow
def test_texts_of_models_are_shown_as_they_are(tmp_path: Path):
    rows = [{"answer": "[bold]5[/]", "response": "\x1b[31m[red]The answer is [bold]6[/]", "label": 1}, ROWS[0]]
    status, output = verify(lines(tmp_path / "mine.jsonl", rows), "--label", "label")
    assert status == 0, output
    assert "\x1b" not in output
    assert "[bold]" in output


BAD: list[tuple[str, Any, list[str], str]] = [
    ("no file", None, [], "no file "),
    ("another ending", b"a,b\n", ["mine.csv"], "neither .jsonl (or .jsonl.gz) nor .parquet"),
    ("no rows", b"\n", [], "has no rows"),
    ("not JSON", b'{"answer": "1", "response": "2"}\n{"answer"\n', [], "line 2: not JSON"),
    ("no object", b'{"answer": "1", "response": "2"}\n[1]\n', [], "line 2: should be an object"),
    ("no Parquet", b"PAR1", ["mine.parquet"], "is no Parquet file"),
    ("no response column", [{"answer": "1", "said": "1"}], [], "which column is the response? Say --response NAME"),
    ("an unknown column", [ROWS[0]], ["--answer", "gold"], "has no column 'gold'; it has: id, problem"),
    ("an unknown kind", [ROWS[0]], ["--kind", "maths"], "--kind maths: neither a verifier nor a column"),
    ("an unknown kind in a row", [{**ROWS[0], "k": "x"}], ["--kind", "k"], "row 1: no verifier 'x' in 'k'"),
    ("a number as a response", [{"answer": "1", "response": 1}], [], "'response' should be text or a list of texts"),
    (
        "several references",
        [{"answer": [["1"], ["2"]], "response": "1"}],
        [],
        "should be a reference, not a list of 2",
    ),
    ("labels that do not fit", [{"answer": "1", "response": ["1"], "l": [1, 0]}], ["--label", "l"], "with 2 labels"),
    ("a typo inside", [{"r": {"gold": "1"}, "response": "1"}], ["--answer", "r.glod"], "'r.glod'; there are: gold"),
    ("its own input as --out", [ROWS[0]], ["--out", "SELF"], "is the file that is read"),
    ("another format as --out", [ROWS[0]], ["--out", "mine.parquet"], "is written as .jsonl"),
    ("a label that says nothing", [{**ROWS[0], "l": "maybe"}], ["--label", "l"], "should be true or false"),
    ("a taken column", [{**ROWS[0], "verdict": 1}], [], "has a column 'verdict' already; name another with --column"),
]


@pytest.mark.parametrize(("content", "arguments", "told"), [each[1:] for each in BAD], ids=[each[0] for each in BAD])
def test_bad_input_gets_one_line_and_nothing_is_written(
    tmp_path: Path, content: Any, arguments: list[str], told: str
):
    named = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "mine.jsonl"
    path = tmp_path / named
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        lines(path, content)
    before = set(tmp_path.iterdir())
    status, output = verify(path, *(str(path) if each == "SELF" else each for each in arguments))
    assert status == 2
    assert output.startswith("thoughtmill: ")
    assert output.count("\n") == 1
    assert told in output
    assert set(tmp_path.iterdir()) == before


def test_a_late_bad_row_leaves_an_earlier_file_as_it_was(tmp_path: Path):
    path = lines(tmp_path / "mine.jsonl", [ROWS[0]])
    verify(path)
    earlier = (tmp_path / "mine.verified.jsonl").read_bytes()
    lines(path, [ROWS[0]] * 3 + [{"answer": "1", "response": 5}])
    assert verify(path)[0] == 2
    assert (tmp_path / "mine.verified.jsonl").read_bytes() == earlier
    assert len(list(tmp_path.iterdir())) == 2


def test_what_this_machine_cannot_check_is_said_once_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lacking = dataclasses.replace(VERIFIERS["code"], missing=lambda: "no sandbox: install one")
    monkeypatch.setitem(VERIFIERS, "code", lacking)
    tests = {"entry_point": "f", "cases": [{"args": [], "expected": 1}]}
    path = lines(tmp_path / "mine.jsonl", [{"answer": tests, "response": "def f(): return 1"}])
    status, output = verify(path, "--kind", "code")
    assert (status, output) == (2, "thoughtmill: the verifier 'code' cannot work here: no sandbox: install one\n")
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written(tmp_path: Path):
    path = lines(tmp_path / "mine.jsonl", [ROWS[0]])
    status, output = verify(path, "--out", tmp_path / "nowhere" / "out.jsonl")
    assert status == 2
    assert output.count("\n") == 1
    assert "nowhere" in output


@needs_data
def test_real_responses(tmp_path: Path):
    path = DATA / "gsm8k" / "model_solutions_6b.jsonl"
    inside = "6b_verification"
    columns = ["--answer", "ground_truth", "--response", f"{inside}.solution", "--label", f"{inside}.is_correct"]
    status, output = verify(path, *columns, "--out", tmp_path / "told.jsonl")
    assert status == 0, output
    assert "agrees with the label: 1,319 of 1,319 = 100.00%" in output
    assert os.listdir(tmp_path) == ["told.jsonl"]
