"""Items of benchmarks in questions: what is found, where, and what is left alone."""

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.artifact import artifact
from filters.benchmarks import Item, read
from filters.contamination import Benchmarks, Hit, Limits, contaminated, contamination
from filters.contamination_report import Rate, errors, overlaps
from filters.planting import embedded, paraphrased, renamed, renumbered, verbatim
from filters.rule import Case, Ruling
from filters.verifiers.outcome import of_comparison
from tests.filters.cases import DATA, needs_data, rows, task

DUCKS = (
    "Janet's ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes muffins for her friends "
    "every day with four. She sells the remainder at the farmers' market for $2 per fresh duck egg. How much in "
    "dollars does she make every day at the farmers' market?"
)
TRAINS = (
    "Two trains leave San Rafael at the same time. They begin traveling westward, both traveling for 80 miles. The "
    "next day, they travel northwards, covering 150 miles. What's the distance covered by each train in the two days?"
)
SINE = r"Compute $\sin 60^\circ$."
BAGS = [
    "A bag holds seven red and nine green marbles, of which four are drawn one after another without looking.",
    "Nine knights sit down at a round table, each pair of neighbours being enemies with equal chance.",
    "The sides of a tetrahedron are painted with colours chosen by throwing a fair die once for every side.",
]
PHRASE = "where $m$ and $n$ are relatively prime positive integers. Find $m+n$."
ITEMS = [Item("a.jsonl", 0, DUCKS, "18"), Item("a.jsonl", 1, TRAINS), Item("b.jsonl", 0, SINE)]
ITEMS += [Item("b.jsonl", 1 + i, f"{bag} The probability is $m/n$, {PHRASE}") for i, bag in enumerate(BAGS)]
CLEAN = "A gardener plants 12 rows of tulips with 9 in each row. How many tulips does he plant, if 5 rows are empty?"
BENCHMARKS = Benchmarks(ITEMS)


def best(text: str) -> Hit | None:
    hits = BENCHMARKS.hits(text)
    return hits[0] if hits else None


def number(text: str) -> tuple[str, int] | None:
    return (hit.file, hit.item) if (hit := best(text)) else None


FOUND = [
    ("as it is", DUCKS, ("a.jsonl", 0)),
    ("in other case and spacing", DUCKS.upper().replace(" ", "\n "), ("a.jsonl", 0)),
    ("in a longer text", f"{CLEAN} {CLEAN}\n{DUCKS}\n{CLEAN}", ("a.jsonl", 0)),
    ("half of it", DUCKS[:170], ("a.jsonl", 0)),
    ("with other numbers", DUCKS.replace("16", "31").replace("three", "nine").replace("$2", "$7"), ("a.jsonl", 0)),
    ("with numbers as words", TRAINS.replace("80", "eighty").replace("150", "one hundred fifty"), ("a.jsonl", 1)),
    ("with other names", TRAINS.replace("San Rafael", "Bad Ems").replace("trains", "buses"), ("a.jsonl", 1)),
    ("with its sentences turned round", " ".join(reversed(TRAINS.split(". "))), ("a.jsonl", 1)),
    ("a short one", f"First: {SINE} Then go on.", ("b.jsonl", 0)),
    (
        "a short one, set otherwise",
        r"compute \( \sin 60 ^ \circ \)".replace(r"\(", "").replace(r"\)", ""),
        ("b.jsonl", 0),
    ),
]

LEFT_ALONE = [
    ("something else", CLEAN),
    ("nothing", ""),
    ("no words", "?! $+$"),
    ("a short one with another number", r"Compute $\sin 30^\circ$."),
    ("a short one with another sign", r"Compute $-\sin -60^\circ$."),
    ("a phrase of several items", f"The sum can be written as $m/n$, {PHRASE}"),
    ("one sentence of four, in other words", "Her ducks lay 16 eggs per day. How many eggs is that in one week?"),
    ("the same words in no order", " ".join(sorted(DUCKS.split()))),
]


@pytest.mark.parametrize(("text", "item"), [row[1:] for row in FOUND], ids=[row[0] for row in FOUND])
def test_an_item_is_found(text: str, item: tuple[str, int]):
    assert number(text) == item


@pytest.mark.parametrize("text", [row[1] for row in LEFT_ALONE], ids=[row[0] for row in LEFT_ALONE])
def test_what_is_no_item_is_left_alone(text: str):
    assert best(text) is None


def test_the_passage_is_shown_as_it_is_written():
    hit = best(f"{CLEAN} {DUCKS} {CLEAN}")
    assert hit is not None
    assert (hit.method, hit.share, hit.run) == ("n-gram", 1.0, 52)
    assert hit.span == DUCKS.rstrip("?")
    assert hit.start == len(CLEAN) + 1
    assert hit.question == DUCKS


def test_a_masked_passage_is_shown_with_its_numbers():
    text = f"{CLEAN} {TRAINS.replace('80', '1,000').replace('150', '7/8')} {CLEAN}"
    hit = best(text)
    assert hit is not None
    assert hit.span.startswith("Two trains leave San Rafael")
    assert "for 1,000 miles" in hit.span
    assert hit.span.endswith("in the two days")


@given(st.text(max_size=300))
def test_a_passage_is_in_the_text(text: str):
    for hit in Benchmarks([Item("a", 0, text)]).hits(f"x {text} y"):
        assert hit.item == 0
        assert 0 < hit.share <= 1


words = st.lists(
    st.sampled_from(["the", "cat", "sat", "7", "12", "on", "mats", "\u0130", "\ufb01", "数"]), max_size=30
)


@given(st.lists(words.map(" ".join), min_size=1, max_size=6), words.map(" ".join), words.map(" ".join))
def test_an_item_with_enough_of_its_own_is_found_whatever_is_around_it(texts: list[str], before: str, after: str):
    own = " ".join(f"word{i}" for i in range(9))
    benchmarks = Benchmarks([Item("a", i, f"{own} {i} {text}") for i, text in enumerate(texts)][:1])
    [hit] = benchmarks.hits(f"{before} {own} 0 {texts[0]} {after}")
    assert (hit.method, hit.share) == ("n-gram", 1.0)
    assert hit.span.startswith("word0 word1")


def test_hits_come_in_one_order_and_are_few():
    text = " ".join(item.question for item in ITEMS)
    hits = BENCHMARKS.hits(text)
    assert hits == BENCHMARKS.hits(text)
    assert [hit.share for hit in hits] == sorted((hit.share for hit in hits), reverse=True)
    assert len(hits) <= 4


HOSTILE = ["she eats three for " * 20_000, "1 " * 200_000, "a" * 300_000, "sin 60 " * 50_000, DUCKS * 300]


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:20] for text in HOSTILE])
def test_no_text_is_too_long(text: str):
    """Were the search quadratic in the text's length, this would take hours."""
    assert len(BENCHMARKS.hits(text)) <= 4


# --- The folder, and the rule ---------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [json.dumps({"question": item.question, "answer": item.answer}) for item in ITEMS[:2]]
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n\n")
    pq.write_table(
        pa.table({"problem": [item.question for item in ITEMS[2:]], "other": [1] * 4}), tmp_path / "b.parquet"
    )
    (tmp_path / "notes.txt").write_text("not a benchmark")
    return tmp_path


def rule_on(text: str, **parameters: Any) -> Ruling:
    [ruling] = contamination(Case(task(text)), lambda *_: of_comparison(None), **parameters)
    return ruling


def test_both_kinds_of_files_are_read(folder: Path):
    items = read(folder)
    assert [item[:3] for item in items[:2]] == [item[:3] for item in ITEMS[:2]]
    assert [item.answer for item in items[:2]] == ["18", None]
    assert [(item.file, item.number, item.question) for item in items[2:]] == [
        ("b.parquet", i, item.question) for i, item in enumerate(ITEMS[2:])
    ]


def test_the_rule_names_what_it_found(folder: Path):
    ruling = rule_on(f"{CLEAN} {DUCKS}", against=artifact(folder))
    assert (ruling.status, ruling.reason, ruling.score) == ("fail", "like an item of a.jsonl", 1.0)
    assert (ruling.evidence["item"], ruling.evidence["method"]) == (0, "n-gram")
    assert ruling.evidence["span"] == DUCKS.rstrip("?")
    assert ruling.context == {"items": 6}
    assert rule_on(CLEAN, against=artifact(folder)).status == "pass"


def test_without_a_folder_nothing_can_be_said():
    assert rule_on(DUCKS) == Ruling("unsure", "no benchmarks to compare with: say against = FOLDER")


def test_limits_can_be_set(folder: Path):
    changed = DUCKS.replace("16", "17")
    assert rule_on(changed, against=artifact(folder)).status == "fail"
    strict = rule_on(DUCKS[:130], against=artifact(folder), covered=1.0, alike=1.0, shared=1.0)
    assert strict.status == "fail", "13 words in a row count whatever the limits"
    assert rule_on(DUCKS[:60], against=artifact(folder), covered=1.0, alike=1.0, shared=1.0).status == "pass"


def test_a_changed_file_is_read_again(folder: Path):
    before = rule_on(CLEAN, against=artifact(folder))
    with (folder / "a.jsonl").open("a") as file:
        file.write(json.dumps({"question": CLEAN}))
    after = rule_on(CLEAN, against=artifact(folder))
    assert (before.status, after.status) == ("pass", "fail")
    assert (before.context, after.context) == ({"items": 6}, {"items": 7})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"{", "line 1: no JSON"), (b"[1]", "line 1: no JSON object"), (b'{"words": "x"}', "no column question")],
)
def test_a_file_that_is_no_benchmark_is_told(tmp_path: Path, content: bytes, complaint: str):
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=complaint):
        read(tmp_path)


def test_folders_in_the_folder_conversations_and_compressed_files_are_read(tmp_path: Path):
    (tmp_path / "data").mkdir()
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": DUCKS}]
    (tmp_path / "data/test.jsonl.gz").write_bytes(gzip.compress(json.dumps({"prompt": asked}).encode()))
    assert read(tmp_path) == [Item("data/test.jsonl.gz", 0, DUCKS)]


def test_an_empty_folder_is_told(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("not a benchmark")
    with pytest.raises(ValueError, match="nothing to compare with"):
        rule_on(DUCKS, against=artifact(tmp_path))


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_stream_is_judged_text_by_text(folder: Path, processes: int):
    texts = [CLEAN, DUCKS, "", TRAINS] * 300
    found = list(contaminated(texts, artifact(folder), processes=processes))
    alone = Benchmarks(read(folder))
    assert found[:4] == [alone.hits(text) for text in texts[:4]]
    assert found == found[:4] * 300


# --- The report -----------------------------------------------------------------------------------------------


def test_a_benchmark_that_is_a_source_is_noticed():
    corpus = [DUCKS, TRAINS, CLEAN, f"{CLEAN} {DUCKS}"]
    first, second = overlaps(ITEMS, [BENCHMARKS.hits(text) for text in corpus])
    assert (first.file, first.items, first.found, first.texts, first.share) == ("a.jsonl", 2, 2, 3, 1.0)
    assert first.methods == {"n-gram": 3}
    assert first.seed_source
    assert (second.file, second.found, second.texts, second.seed_source) == ("b.jsonl", 0, 0, False)


def test_misses_and_false_alarms_are_counted():
    planted = {"as they are": [DUCKS, TRAINS], "not at all": [CLEAN, DUCKS]}
    found = errors(BENCHMARKS, planted, [CLEAN, CLEAN, TRAINS])
    assert found.missed == {"as they are": Rate(0, 2), "not at all": Rate(1, 2)}
    assert found.false_alarms == Rate(1, 3)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"), [(0, 10, 0.0, 0.278), (5, 10, 0.237, 0.763), (10, 10, 0.722, 1.0), (0, 0, 0.0, 1.0)]
)
def test_a_rate_has_its_interval(k: int, n: int, low: float, high: float):
    assert Rate(k, n).interval == pytest.approx((low, high), abs=0.001)
    assert str(Rate(k, n))


@pytest.mark.slow
@needs_data
def test_planted_items_of_real_benchmarks_are_found_and_real_problems_are_not():
    """As issue 4 wants it: 99 % of what is verbatim or embedded, at most 0.5 % of clean controls."""
    items = read(DATA / "benchmarks")
    controls = [row["question"] for row in rows("gsm8k/train.jsonl")[::5]]
    chance = Random(3)
    some = chance.sample([item.question for item in items], 300)
    plantings = {
        "verbatim": verbatim,
        "embedded": embedded(controls),
        "renumbered": renumbered,
        "renamed": renamed,
        "paraphrased": paraphrased,
    }
    planted = {name: [planting(text, chance) for text in some] for name, planting in plantings.items()}
    found = errors(Benchmarks(items), planted, controls, Limits())
    shares = {name: rate.k / rate.n for name, rate in found.missed.items()}
    assert shares["verbatim"] <= 0.01
    assert shares["embedded"] <= 0.01
    assert shares["renumbered"] <= 0.03
    assert shares["renamed"] <= 0.03
    assert shares["paraphrased"] <= 0.1
    assert found.false_alarms.k / found.false_alarms.n <= 0.005


def vector(x: int, y: int) -> str:
    return rf"$\begin{{pmatrix}} {x} \\ {y} \end{{pmatrix}}$"


def test_a_place_that_recurs_in_an_item_counts_once():
    item = Item("v", 0, " ".join(vector(i, i + 1) for i in range(8)) + " dot product")
    text = f"Find the dot product of {vector(3, 4)} and {vector(1, 7)} now"
    assert all(hit.share <= 1 for hit in Benchmarks([item]).hits(text))


def test_an_item_is_found_though_others_hold_it():
    asked = "What is the melting point of gold in Celsius?"
    others = [Item("w", i, f"Part {i}. {asked} Then convert it to kelvin, and round to {i} digits.") for i in (1, 2)]
    assert Benchmarks([Item("w", 0, asked), *others]).hits(asked)[0].share == 1.0


@pytest.mark.parametrize(
    ("text", "found"), [("find $2^{10}$.", False), ("find $2$.", True), ("find $2$ and stop.", True)]
)
def test_a_short_item_that_goes_on_is_another(text: str, found: bool):
    short = Benchmarks([Item("s", 0, "Now find $2$."), Item("s", 1, "Work it out: find $2$")])
    assert bool(short.hits(f"Work it out: {text}")) == found
