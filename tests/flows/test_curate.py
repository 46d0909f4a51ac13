"""`thoughtmill curate`: what stays, what goes and why, on files as people have them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from flows.cli import main
from tests.filters.cases import DATA, needs_data

DUCKS = (
    "Janet's ducks lay 16 eggs per day. She eats three for breakfast and bakes muffins with four. How many are left?"
)
ROWS = [
    {"question": "How many legs do three spiders have together?", "answer": "24", "domain": "counting"},
    {"question": "how many legs do three  spiders have together", "answer": "24", "domain": "counting"},
    {"question": DUCKS, "answer": "9", "domain": "arithmetic"},
    {
        "question": "A train goes 60 miles an hour. How far is that in four hours?",
        "answer": "240",
        "domain": "speed",
    },
    {"question": "", "answer": "1", "domain": "none"},
]


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def curate(path: Path, *options: str, status: int = 0) -> str:
    out = str(path.with_name(f"kept{path.suffix}"))
    done = CliRunner().invoke(main, ["curate", str(path), "--out", out, "--quiet", *options])
    assert done.exit_code == status, done.output
    return done.output


@pytest.fixture
def benchmarks(tmp_path: Path) -> Path:
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    write(folder / "farm.jsonl", [{"question": DUCKS}])
    return folder


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_what_stays_and_what_goes_are_all_there_was(tmp_path: Path, benchmarks: Path, ending: str):
    path = write(tmp_path / f"rows.{ending}", ROWS)
    curate(path, "--rule", "not_duplicate", "--against", str(benchmarks))
    kept, dropped = read(tmp_path / f"kept.{ending}"), read(tmp_path / f"kept.dropped.{ending}")
    assert kept == [ROWS[0], ROWS[3]]
    told = [json.loads(row.pop("curation")) for row in dropped]
    assert dropped == [ROWS[1], ROWS[2], ROWS[4]]
    against = [next(each for each in verdicts if each["status"] != "pass") for verdicts in told]
    assert [each["rule"] for each in against] == ["not_duplicate@2", "contamination@1", "question@1"]
    assert (against[1]["evidence"]["file"], against[1]["evidence"]["item"]) == ("farm.jsonl", 0)


def test_the_report_tells_every_rule(tmp_path: Path, benchmarks: Path):
    curate(write(tmp_path / "rows.jsonl", ROWS), "--rule", "not_duplicate", "--against", str(benchmarks))
    told = json.loads((tmp_path / "kept.report/report.json").read_text())
    assert {name: (each["seen"], each["pass"]) for name, each in told["rules"].items()} == {
        "contamination@1": (5, 4),
        "not_duplicate@2": (5, 4),
        "question@1": (1, 0),
    }
    assert "like an item of farm.jsonl" in (tmp_path / "kept.report/report.md").read_text()


def test_a_selector_has_a_random_arm_of_the_same_size_beside_it(tmp_path: Path):
    rows = [{"question": f"What is {i} times {i + 1}?", "reward": i} for i in range(40)]
    path = write(tmp_path / "rows.jsonl", rows)
    curate(path, "--rule", "random_k:k=10,seed=3")
    kept, random = read(tmp_path / "kept.jsonl"), read(tmp_path / "kept.random.jsonl")
    assert len(kept) == len(random) == 10
    assert kept != random
    assert len(read(tmp_path / "kept.dropped.jsonl")) == 30


def test_of_two_selectors_the_second_chooses_among_what_the_first_chose(tmp_path: Path):
    rows = [{"question": f"What is {i} times {i + 1}?", "domain": "ab"[i % 2]} for i in range(40)]
    path = write(tmp_path / "rows.jsonl", rows)
    curate(path, "--rule", "random_k:k=20", "--rule", "cluster_balanced:k=8")
    kept, random = read(tmp_path / "kept.jsonl"), read(tmp_path / "kept.random.jsonl")
    assert len(kept) == len(random) == 8
    assert [row["domain"] for row in kept].count("a") == 4


RESPONSES = {
    "question": "What is 2 + 2?",
    "answer": "4",
    "responses": [r"So \boxed{4}.", r"So \boxed{5}.", "I do not know."],
    "rewards": [0.9, 0.2, 0.1],
}


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_responses_that_do_not_pass_go_alone(tmp_path: Path, ending: str):
    hopeless = {**RESPONSES, "question": "What is 2 + 3?", "answer": "5000"}
    path = write(tmp_path / f"rows.{ending}", [RESPONSES, hopeless])
    curate(path, "--rule", "answer_matches")
    assert read(tmp_path / f"kept.{ending}") == [{**RESPONSES, "responses": [r"So \boxed{4}."], "rewards": [0.9]}]
    some, whole = read(tmp_path / f"kept.dropped.{ending}")
    assert (some["responses"], some["rewards"]) == (RESPONSES["responses"][1:], [0.2, 0.1])
    assert whole["responses"] == hopeless["responses"]
    assert [each["response"] for each in json.loads(some["curation"])] == [0, 1, 2]


def test_what_stands_beside_the_responses_goes_with_them(tmp_path: Path):
    row = {
        "problem": "What is 2 + 2?",
        "answer": "4",
        "all": {"generations": RESPONSES["responses"], "right": [True, False, False], "tags": ["a", "b"]},
        "messages": [{"role": "user", "content": each} for each in "abc"],
    }
    told = curate(write(tmp_path / "rows.jsonl", [row]), "--rule", "answer_matches", "--response", "all.generations")
    [kept] = read(tmp_path / "kept.jsonl")
    assert kept["all"] == {"generations": RESPONSES["responses"][:1], "right": [True], "tags": ["a", "b"]}
    assert kept["messages"] == row["messages"]
    assert "2 of 3 responses went, from generations, right" in told


def test_what_has_no_response_does_not_pass_what_looks_at_one(tmp_path: Path):
    path = write(tmp_path / "rows.jsonl", [RESPONSES, {**RESPONSES, "responses": [], "rewards": []}])
    curate(path, "--rule", "answer_matches")
    assert len(read(tmp_path / "kept.jsonl")) == 1
    assert json.loads(read(tmp_path / "kept.dropped.jsonl")[1]["curation"])[0]["evidence"] == {
        "reason": "no response"
    }


@pytest.mark.parametrize("names", [("role", "content", "user", "assistant"), ("from", "value", "human", "gpt")])
def test_a_conversation_is_question_and_response(tmp_path: Path, names: tuple[str, ...]):
    who, what, asks, answers = names
    rows = [
        {"conversations": [{who: asks, what: "2 + 2?"}, {who: answers, what: rf"\boxed{{{said}}}"}], "answer": "4"}
        for said in (4, 5)
    ]
    curate(write(tmp_path / "rows.jsonl", rows), "--rule", "answer_matches")
    assert read(tmp_path / "kept.jsonl") == rows[:1]


def test_what_stays_is_written_as_it_was(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    line = '{"question": "How many are left?",  "n": 12345678901234567890123, "x": NaN, "t": "\\u00e9"}'
    path.write_bytes(b"\xef\xbb\xbf" + f'{line}\r\n\r\n{{"question": "x"}}'.encode())
    curate(path, "--rule", "form")
    assert (tmp_path / "kept.jsonl").read_text() == f"{line}\n"


def test_verdicts_can_stand_beside_what_stays(tmp_path: Path):
    curate(write(tmp_path / "rows.jsonl", [RESPONSES]), "--rule", "pass_rate", "--verdicts")
    [row] = read(tmp_path / "kept.jsonl")
    assert json.loads(row["curation"])[0]["score"] == pytest.approx(1 / 3)


def test_nothing_is_replaced_unasked(tmp_path: Path):
    path = write(tmp_path / "rows.jsonl", ROWS[:4])
    curate(path, "--rule", "random_k:k=2")
    assert "say --force to replace it" in curate(path, "--rule", "form", status=2)
    curate(path, "--rule", "form", "--force")
    assert not (tmp_path / "kept.random.jsonl").exists(), "of the earlier selection"


def test_rules_see_rewards_and_selectors_see_rules(tmp_path: Path):
    rows = [{**RESPONSES, "question": f"What is {i} + 2?", "rewards": [i / 10, 0.9, 0.8]} for i in range(8)]
    curate(write(tmp_path / "rows.jsonl", rows), "--rule", "worst_reward", "--rule", "rip:reward_quantile=0.5")
    assert [row["rewards"][0] for row in read(tmp_path / "kept.jsonl")] == [0.4, 0.5, 0.6, 0.7]


def test_conversations_and_columns_by_name(tmp_path: Path):
    rows = [{"chat": [{"role": "user", "content": row["question"]}], "meta": {"field": "x"}} for row in ROWS[:2]]
    path = write(tmp_path / "rows.jsonl", rows)
    curate(path, "--rule", "not_duplicate", "--question", "chat", "--domain", "meta.field")
    assert read(tmp_path / "kept.jsonl") == rows[:1]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "nothing to do: say --rule NAME (`thoughtmill rules`"),
        (["--rule", "noveltie"], "no rule 'noveltie' (do you mean 'novelty'?)"),
        (["--rule", "novelty:at_most"], "should be NAME:key=value"),
        (["--rule", "novelty:atmost=0.5"], "no key 'atmost' (do you mean 'at_most'?)"),
        (["--rule", "novelty:at_most=much"], "at_most = 'much' should be of type float"),
        (["--rule", "novelty:at_most=7"], "a similarity lies between 0 and 1"),
        (["--against", "nowhere"], "no file nowhere"),
        (["--rule", "pass_rate"], "pass_rate looks at responses: say --response COLUMN"),
        (["--rule", "top_k:by=passrate"], "top_k reads what 'passrate' says, and nothing does"),
        (["--rule", "novelty", "--rule", "rip"], "rip reads what 'worst_reward' says, and nothing does"),
        (["--rule", "form", "--rule", "form"], "the rule 'form' is there twice"),
        (["--rule", "s2l"], "rule 's2l' needs losses = PATH"),
        (["--rule", "form", "--question", "prompt"], "no column 'prompt'; it has: question, answer, domain"),
        (["--rule", "form", "--kind", "maths"], "no such verifier"),
        (["--rule", "form", "--out", "kept.parquet"], "is written as .jsonl"),
        (["--rule", "form", "--out", "rows.jsonl"], "would write over the file that is read"),
        (["--rule", "form", "--out", "nowhere/kept.jsonl"], "no folder nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], complaint: str
):
    monkeypatch.chdir(tmp_path)
    write(Path("rows.jsonl"), ROWS)
    told = curate(Path("rows.jsonl"), *options, status=2)
    assert complaint in told
    assert told.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_a_row_that_is_no_row_is_told_and_nothing_is_written(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n{broken\n")
    assert "line 2: not JSON" in curate(path, "--rule", "form", status=2)
    assert [each.name for each in tmp_path.iterdir()] == ["rows.jsonl"]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path, benchmarks: Path):
    written = []
    for home in ("one", "other"):
        (tmp_path / home).mkdir()
        path = write(tmp_path / home / "rows.jsonl", ROWS)
        curate(path, "--rule", "novelty", "--rule", "random_k:k=1", "--against", str(benchmarks))
        written.append([each.read_bytes() for each in sorted(path.parent.rglob("*")) if each.is_file()])
    assert written[0] == written[1]


def test_an_index_keeps_tonight_from_what_came_before(tmp_path: Path):
    pytest.importorskip("numpy")
    index = str(tmp_path / "index")
    nights = [[ROWS[0], ROWS[2]], [ROWS[3], ROWS[0]], [ROWS[2], ROWS[3]]]
    kept = []
    for night, rows in enumerate(nights):
        curate(write(tmp_path / f"{night}.jsonl", rows), "--force", "--index", index, status=0 if night < 2 else 1)
        kept.append(read(tmp_path / "kept.jsonl"))
    assert kept == [nights[0], [ROWS[3]], []]
    whole = write(tmp_path / "whole.jsonl", [row for rows in nights for row in rows])
    curate(whole, "--force", "--rule", "not_near_duplicate")
    assert read(tmp_path / "kept.jsonl") == [row for rows in kept for row in rows]


@needs_data
@pytest.mark.slow
def test_gsm8k_against_the_benchmarks(tmp_path: Path):
    """In a process of its own, as people run it: 10 of the 7,473 training problems hold a test item."""
    path = DATA / "gsm8k/train.jsonl"
    command = [sys.executable, "-m", "flows.cli", "curate", path, "--against", DATA / "benchmarks"]
    subprocess.run([*command, "--out", tmp_path / "kept.jsonl"], check=True, stdout=subprocess.PIPE)
    assert len(read(tmp_path / "kept.dropped.jsonl")) == 10
    assert len(read(tmp_path / "kept.jsonl")) == 7_473 - 10
