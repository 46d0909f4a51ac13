"""Reports: they count what was said, hang on no order, and show texts from outside as nothing but texts."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from math import fsum
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.benchmarks import Item
from filters.contamination import Benchmarks
from filters.contamination_report import overlaps
from filters.entropy import beside_pass_rate
from pipelines.records import Problem, Status, Verdict, verdict
from pipelines.reports import tally as report
from pipelines.reports import version
from pipelines.reports.markdown import NO_PLOTS, code, markdown
from pipelines.reports.tally import QUANTILES, STATUSES, Tally, plain, rank_interval
from pipelines.reports.version import report_of_version
from pipelines.store import connect
from tests import small
from tests.small import Site


def said(
    rule: str,
    status: Status = "pass",
    about: str = "row",
    score: float | None = None,
    value: str | None = None,
    context: dict[str, Any] | None = None,
    **evidence: Any,
) -> Verdict:
    return verdict(
        subjects=[about],
        stage="sift@1",
        draw=0,
        rule=rule,
        status=status,
        score=score,
        value=value,
        context=context,
        evidence=evidence,
    )


def row(where: str, *verdicts: Verdict, **changed: Any) -> dict[str, Any]:
    plainly = {"question": "How many?", "domain": "algebra", "lengths": (), "accepted": True, "about": "row"}
    return {"where": where, "verdicts": verdicts, **plainly, **changed}


def tally(rows: Sequence[dict[str, Any]], **given: Any) -> dict[str, Any]:
    counted = Tally(**given)
    for each in rows:
        counted.add(**each)
    return counted.told()


# --- Counts ---------------------------------------------------------------------------------------------------

RULES = ["form@1", "novelty@1", "answer_matches@2"]
verdicts_on_rows = st.builds(
    said,
    st.sampled_from(RULES),
    st.sampled_from(["pass", "fail", "unsure", "error"]),
    about=st.sampled_from(["row", "attempt 1", "attempt 2"]),
    score=st.none() | st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    reason=st.sampled_from(["wrong", "too long", "too short"]),
)
many_rows = st.lists(
    st.fixed_dictionaries(
        {
            "verdicts": st.lists(verdicts_on_rows, max_size=8),
            "domain": st.sampled_from(["algebra", "logic", None]),
            "lengths": st.lists(st.integers(0, 2_000), max_size=3),
            "accepted": st.booleans(),
        }
    ),
    max_size=8,
).map(lambda rows: [row(f"row {place}", **each) for place, each in enumerate(rows)])


def taken_out(each: dict[str, Any]) -> set[str]:
    return {told.rule for told in each["verdicts"] if told.status != "pass" and told.subjects == ("row",)}


@settings(max_examples=40)
@given(many_rows)
def test_each_rule_is_counted(rows: list[dict[str, Any]]):
    found = tally(rows)
    spoken = [(each["where"], told) for each in rows for told in each["verdicts"]]
    assert list(found["rules"]) == sorted({told.rule for _, told in spoken})
    for name, told in found["rules"].items():
        mine = [(where, each) for where, each in spoken if each.rule == name]
        assert told["seen"] == len({(where, each.subjects) for where, each in mine})
        for status in STATUSES:
            assert told[status] == sum(each.status == status for _, each in mine)
            assert len(told["examples"].get(status, [])) == min(report.EXAMPLES, told[status])
        why = {(each["status"], each["reason"]): each["count"] for each in told["reasons"]}
        against = [each for _, each in mine if each.status != "pass"]
        assert why == Counter((each.status, orjson.loads(each.evidence)["reason"]) for each in against)
        assert told["takes_out"] == sum(name in taken_out(each) for each in rows)
        assert told["alone"] == sum(taken_out(each) == {name} for each in rows)


@settings(max_examples=40)
@given(many_rows)
def test_rules_overlap_where_both_take_out(rows: list[dict[str, Any]]):
    out = [taken_out(each) for each in rows]
    for pair in tally(rows)["overlap"]:
        a, b = pair["rules"]
        assert pair["rows"] == sum({a, b} <= rules for rules in out) > 0
        assert pair["jaccard"] == pair["rows"] / sum(bool({a, b} & rules) for rules in out)
    pairs = {(a, b) for rules in out for a in rules for b in rules if a < b}
    assert len(tally(rows)["overlap"]) == len(pairs)


@settings(max_examples=40)
@given(many_rows)
def test_rows_domains_and_lengths_are_counted(rows: list[dict[str, Any]]):
    found = tally(rows)
    assert (found["rows"], found["accepted"]) == (len(rows), sum(each["accepted"] for each in rows))
    told = {each["domain"]: (each["rows"], each["accepted"]) for each in found["domains"]}
    domains = [each["domain"] for each in rows]
    accepted = [each["domain"] for each in rows if each["accepted"]]
    assert told == {name: (domains.count(name), accepted.count(name)) for name in domains}
    lengths = [length for each in rows for length in each["lengths"]]
    for each in found["lengths"]["bins"] if lengths else []:
        assert each["attempts"] == sum(each["from"] <= length < each["below"] for length in lengths)
    assert sum(each["attempts"] for each in found["lengths"]["bins"]) == len(lengths) if lengths else True


@given(st.lists(st.sampled_from([k / n for n in (1, 3, 8, 10) for k in range(n + 1)]), min_size=1, max_size=30))
def test_pass_rates_have_bins_with_0_and_1_apart(rates: list[float]):
    rows = [row(str(place), said("pass_rate@2", score=rate)) for place, rate in enumerate(rates)]
    told = tally(rows)["pass_rates"]
    assert (told["n"], told["at_0"], told["at_1"]) == (len(rates), rates.count(0), rates.count(1))
    for each in told["bins"][2:-1]:
        assert each["rows"] == sum(each["from"] <= rate < each["to"] for rate in rates)
    assert sum(each["rows"] for each in told["bins"]) == len(rates)
    assert told["mean"] == pytest.approx(fsum(rates) / len(rates), abs=1e-15)


def test_strategies_are_counted_once_for_each_trace():
    rows = [
        row(
            "a",
            *(said("strategy_count@1", about=f"try {i}", strategies={"recall": 9, "summary": 1}) for i in range(2)),
        ),
        row(
            "b",
            *(said("strategy_count@1", about="try", strategies=each) for each in ({"recall": 1}, {"subgoals": 1})),
        ),
    ]
    assert tally(rows)["strategies"] == {"traces": 3, "shown": {"recall": 2, "summary": 2, "subgoals": 1}}


def test_a_verdict_on_an_attempt_takes_out_no_row():
    told = tally([row("a", said("answer_matches@2", "fail", about="attempt"))])["rules"]["answer_matches@2"]
    assert (told["fail"], told["takes_out"], told["alone"]) == (1, 0, 0)


def test_parameters_are_what_all_contexts_agree_on():
    contexts = [{"at_most": 0.7, "verifier": "math@2", "n": n, **more} for n, more in ((1, {}), (2, {"k": 1}))]
    rows = [row(str(place), said("novelty@1", context=context)) for place, context in enumerate(contexts)]
    assert tally(rows)["rules"]["novelty@1"]["parameters"] == {"at_most": 0.7, "verifier": "math@2"}


# --- Order, and what is kept ----------------------------------------------------------------------------------


def varied(count: int) -> list[dict[str, Any]]:
    """Rows of which everything differs."""
    chance = random.Random(7)

    def verdicts(place: int) -> list[Verdict]:
        return [
            said(
                f"{rule}@1",
                chance.choice(["pass", "fail", "unsure"]),
                about=chance.choice(["row", "attempt"]),
                score=chance.random(),
                context={"at_most": 0.7, "place": place},
                reason=f"reason {chance.randrange(20)}",
                strategies={f"strategy {chance.randrange(20)}": 1},
                file="gsm.jsonl",
                item=chance.randrange(20),
                span=f"passage {place}",
            )
            for rule in ("novelty", "pass_rate", "semantic_entropy", "strategy_count", "contamination")
        ]

    return [
        row(
            f"row {place}",
            *verdicts(place),
            domain=f"domain {chance.randrange(20)}",
            lengths=[chance.randrange(5_000) for _ in range(3)],
            accepted=chance.random() < 0.5,
        )
        for place in range(count)
    ]


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in {"EXAMPLES": 3, "SAMPLED": 16, "NAMED": 5}.items():
        monkeypatch.setattr(report, name, size)


@pytest.mark.usefixtures("little_room")
def test_the_order_of_rows_changes_nothing():
    rows = varied(200)
    reports = [tally(random.Random(seed).sample(rows, len(rows))) for seed in range(4)]
    assert all(each == reports[0] for each in reports)
    assert reports[0] != tally(rows[:-1])


@pytest.mark.usefixtures("little_room")
def test_what_is_not_kept_is_still_counted():
    rows = varied(200)
    found = tally(rows)
    told = found["rules"]["novelty@1"]
    for status in ("fail", "unsure"):
        counts = [each["count"] for each in told["reasons"] if each["status"] == status]
        assert len(counts) == report.NAMED + 1
        assert sum(counts) == told[status]
    assert told["scores"]["n"] == 200
    assert told["scores"]["sampled"] == report.SAMPLED
    scores = [each["verdicts"][0].score for each in rows]
    assert [told["scores"]["quantiles"][end] for end in ("0", "1")] == [min(scores), max(scores)]
    assert 0.3 < told["scores"]["quantiles"]["0.5"] < 0.7  # of numbers drawn evenly from 0 to 1
    for name in ("rows", "accepted"):
        assert sum(each[name] for each in [*found["domains"], found["other_domains"]]) == found[name]


def test_no_row_has_two_examples_while_another_has_none():
    rows = [row(f"row {i}", *(said("form@1", "fail", about=f"{i}.{k}") for k in range(5))) for i in range(12)]
    examples = tally(rows)["rules"]["form@1"]["examples"]["fail"]
    assert len({each["where"] for each in examples}) == report.EXAMPLES


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_quantiles_are_numbers_that_were_seen(scores: list[float]):
    rows = [row(str(place), said("novelty@1", score=score)) for place, score in enumerate(scores)]
    told = tally(rows)["rules"]["novelty@1"]["scores"]
    ordered = sorted(scores)
    for share in QUANTILES:
        # No more of them lie below, and no more above, than the share says, but for one.
        value = told["quantiles"][str(share)]
        assert sum(each < value for each in ordered) <= share * (len(ordered) - 1) + 0.5
        assert sum(each > value for each in ordered) <= (1 - share) * (len(ordered) - 1) + 0.5
        assert value in scores
    assert told["mean"] == pytest.approx(fsum(scores) / len(scores))


def test_scores_that_are_no_numbers_are_left_out():
    scores = [float("nan"), float("inf"), None, 0.25]
    rows = [row(str(place), said("pass_rate@2", score=score)) for place, score in enumerate(scores)]
    found = tally(rows)
    assert found["rules"]["pass_rate@2"]["scores"]["n"] == found["pass_rates"]["n"] == 1
    assert orjson.loads(orjson.dumps(found)) == found


# --- Scores that go together ----------------------------------------------------------------------------------


def test_semantic_entropy_stands_first_beside_the_pass_rate():
    chance = random.Random(3)
    rows = []
    for place in range(40):
        rate = chance.random()
        scores = {"novelty@1": chance.random(), "pass_rate@2": rate, "semantic_entropy@1": 1 - rate * chance.random()}
        told = [said(rule, score=score, about=f"{place}") for rule, score in scores.items()]
        rows.append(row(f"row {place}", *told[: 2 + place % 2], about=f"{place}"))
    first, *_ = tally(rows)["correlations"]
    assert first["rules"] == ["pass_rate@2", "semantic_entropy@1"]
    beside = beside_pass_rate(told for each in rows for told in each["verdicts"])
    assert (first["n"], first["spearman"]) == (beside["n"], pytest.approx(beside["spearman"], abs=1e-12))
    assert first["low"] < first["spearman"] < first["high"]


def test_a_score_that_never_varies_goes_with_none():
    rows = [row(str(i), said("form@1", score=1.0), said("novelty@1", score=i / 9)) for i in range(9)]
    assert tally(rows)["correlations"] == []


@pytest.mark.parametrize(
    ("r", "n", "interval"),
    [
        (0.0, 28, (-0.3731, 0.3731)),  # tanh(1.96 / 5)
        (0.5, 28, (0.1327, 0.7465)),  # tanh(0.5493 -+ 1.96 * sqrt(1.125) / 5)
        (0.9, 3, (None, None)),
        (1.0, 100, (None, None)),
    ],
)
def test_intervals_of_rank_correlations(r: float, n: int, interval: tuple[float | None, float | None]):
    assert rank_interval(r, n) == pytest.approx(interval, abs=1e-4)


# --- Benchmarks -----------------------------------------------------------------------------------------------

ITEMS = [
    Item(
        "gsm.jsonl",
        0,
        "Natalia sold clips to 48 of her friends in April and then she sold half as many clips in May.",
    ),
    Item(
        "gsm.jsonl", 1, "A robe takes 2 bolts of blue fiber and half that much white fiber; how many bolts in total?"
    ),
    Item("aime.jsonl", 0, "Every morning Aya goes for a nine kilometre walk and stops at a coffee shop afterwards."),
]


def on_benchmarks(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Rows with what the rule `contamination` says of these texts."""
    rows = []
    for place, hits in enumerate(map(Benchmarks(ITEMS).hits, texts)):
        others = [f"{hit.file} #{hit.item}" for hit in hits[1:]]
        evidence = {**hits[0]._asdict(), "others": others} if hits else {}
        rows.append(row(f"row {place}", said("contamination@1", "fail" if hits else "pass", **evidence)))
    return rows


def test_the_report_finds_what_overlaps_finds():
    a, b, c = (item.question for item in ITEMS)
    texts = [a, f"Now think. {a} {b}", b, f"{a} {c}", "How many apples are there in all of the baskets of the farm?"]
    found = tally(on_benchmarks(texts), benchmarks={"gsm.jsonl": 2, "aime.jsonl": 100})["contamination"]
    wanted = {each.file: each for each in overlaps(ITEMS, map(Benchmarks(ITEMS).hits, texts))}
    assert {each["file"]: (each["rows"], each["found"]) for each in found} == {
        file: (each.texts, each.found) for file, each in wanted.items()
    }
    assert {each["file"]: each["seed_source"] for each in found} == {"gsm.jsonl": True, "aime.jsonl": False}
    [first, second] = next(each["items"] for each in found if each["file"] == "gsm.jsonl")
    assert [(each["item"], each["rows"]) for each in (first, second)] == [(0, 3), (1, 2)]
    assert (second["example"]["span"], second["example"]["share"]) == (b.rstrip("?"), 1)
    assert second["example"]["question"] == b


@pytest.mark.parametrize(("size", "source"), [(None, None), (3, False), (30, False)])
def test_one_item_makes_no_source_and_without_a_size_none_is_known(size: int | None, source: bool | None):
    sizes = {"gsm.jsonl": size} if size else {}
    [found] = tally(on_benchmarks([ITEMS[0].question]), benchmarks=sizes)["contamination"]
    assert (found["of"], found["seed_source"]) == (size, source)


def test_a_row_holds_an_item_once():
    hit = {"file": "gsm.jsonl", "item": 3, "others": ["gsm.jsonl #3", "gsm.jsonl #4", "gsm.jsonl #4"]}
    [found] = tally([row("a", said("contamination@1", "fail", **hit))])["contamination"]
    assert {each["item"]: each["rows"] for each in found["items"]} == {3: 1, 4: 1}
    assert (found["rows"], found["found"]) == (1, 2)


# --- Texts from outside ---------------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "`` ` ``` <b>out</b> ` ```",
    "`",
    "| a | b |\n|---|---|\n| c \\| d \\\\| e |",
    "\n\n# A heading\n\n```\ncode\n```\n- a list\n> a quote\n\n---\n",
    "[a link](https://example.org) https://example.org www.example.org a@example.org @name #1 &lt; $x$ **b** _i_",
    "right\u202eto left\u2066 and\u200b nothing \x00\x07\x1b[31mred\r\nnext\u2028line\u0085line",
    "\ud800 alone",
    "\\",
    "word " * 100_000,
    " " * 5_000 + "late",
    "",
]


def everywhere(text: str) -> list[dict[str, Any]]:
    """A row with this text in every place that takes one."""
    strange = {"file": text, "item": 1, "method": text, "share": text, "span": text, "question": text}
    strange |= {"reason": text, "others": [text, f"{text} #5", 7], "strategies": {text: 1, "recall": 1}}
    try:
        evidence = orjson.dumps(strange).decode()
    except TypeError:  # what no file can hold
        evidence = text
    verdicts = [
        said(rule, status, score=0.5)._replace(rule=f"{rule}@{text}", value=text, evidence=evidence, context=evidence)
        for rule in ("contamination", "strategy_count", "pass_rate")
        for status in ("pass", "fail", "error")
    ]
    return [row(text, *verdicts, question=text, domain=text, lengths=[3])]


SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


def outside(text: str) -> str:
    """What a report says outside of code spans, as the rules of CommonMark find them."""
    return SPAN.sub("CODE", text)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_outside_leaves_its_code_span(text: str):
    told = tally(everywhere(text))
    assert orjson.loads(orjson.dumps(told)) == told
    shown = markdown(told)
    assert not [char for char in shown if not char.isprintable() and char != "\n"]
    lines = outside(shown).splitlines()
    for sign in ("<", "script", "example.org", "heading", "`", "[", "**b", "\\"):
        assert not [line for line in lines if sign in line]
    tables = [line for line in shown.splitlines() if line.startswith("|")]
    columns = [len(re.findall(r"(?<!\\)\|", line)) for line in tables]
    heads = [columns[place - 1] for place, line in enumerate(tables) if line.startswith("|---")]
    assert set(columns) == set(heads)
    assert not [line for line in tables if r"\\|" in line]  # parsers differ on whether that ends a cell
    assert max(map(len, shown.splitlines())) < 2_000


@given(st.text(st.sampled_from("`|\\ a<\n"), max_size=30))
def test_code_is_one_span(text: str):
    shown = code(text)
    assert shown == "(empty)" if not plain(text) else outside(shown) == "CODE"
    assert "\n" not in shown


@given(st.text(max_size=50), st.integers(2, 60))
def test_plain_texts_are_one_short_line(text: str, most: int):
    line = plain(text, most)
    assert len(line) <= most
    assert line.isprintable()
    assert line == plain(line, most)


@pytest.mark.parametrize("broken", ["", "{", "[1]", "null", "1e999", "[" * 5_000, "\ud800"])
def test_broken_details_are_no_details(broken: str):
    told = said("form@1", "fail")._replace(evidence=broken, context=broken)
    form = tally([row("a", told)])["rules"]["form@1"]
    assert form["reasons"] == [{"status": "fail", "reason": "no reason given", "count": 1}]
    assert form["parameters"] == {}


# --- For a person ---------------------------------------------------------------------------------------------


def test_no_rows_make_a_report():
    told = tally([])
    assert (told["rows"], told["rules"], told["domains"], told["lengths"]) == (0, {}, [], None)
    assert markdown(told) == "# What the rules said\n\nThere are no rows.\n"


def test_the_numbers_stand_in_the_report():
    rows = [
        row("first", said("form@1"), said("novelty@1", "fail", score=0.9, reason="too like another"), accepted=False),
        row("second", said("form@1"), said("novelty@1", score=0.1), lengths=[10, 1_200]),
    ]
    shown = markdown(tally(rows))
    for line in (
        "2 rows, 1 accepted: 50.0% (95 % interval 9.5% to 90.5%).",
        "| `novelty@1` | 2 | 1 | 1 | 0 | 0 | 1 | 1 |",
        "  - fail, 1: `too like another`",
        "| `novelty@1` | 2 | 0.5 | 0.1 | 0.1 | 0.1 | 0.1 | 0.9 | 0.9 | 0.9 |",
        "| 1,000 to 1,249 | 1 | ██████████████████████████████ |",
        "| `algebra` | 2 | 1 | 50.0% | 9.5% to 90.5% |",
        "**fail**, 1 of 1",
        "- `first`: `How many?`",
        "  - `too like another`, score 0.9",
    ):
        assert line in shown.splitlines()


def test_pictures_stand_beside_their_numbers_or_it_says_how_to_get_them():
    told = tally([row("a", lengths=[3])])
    shown = markdown(told, [Path("somewhere/lengths.svg"), Path("somewhere/domains.svg")])
    assert "![lengths](lengths.svg)" in shown
    assert "![domains](domains.svg)" in shown
    assert NO_PLOTS not in shown
    assert NO_PLOTS in markdown(told)


# --- Versions -------------------------------------------------------------------------------------------------


def domains_of_seeds(problems: Sequence[Problem]) -> Counter[str]:
    """Draws by the domains of the seeds they were made from."""
    seeds = {each.id: each.domain or "" for each in problems if each.kind == "seed"}
    draws = [{seeds[parent] for parent in each.parents} for each in problems if each.kind == "pose"]
    return Counter(" + ".join(sorted(domains)) for domains in draws)


def test_a_version_is_told_from_its_facts(site: Site, monkeypatch: pytest.MonkeyPatch):
    made = site.embedded()
    told = report_of_version(connect([made.folder / "facts"]))
    assert told["rows"] == made.ledger["candidates"]
    assert told["accepted"] == made.ledger["accepted"]
    spoken = Counter((each.rule, each.status) for each in small.verdicts(made) if each.rule != "accepted@1")
    counts = {(name, status): each[status] for name, each in told["rules"].items() for status in STATUSES}
    assert {key: count for key, count in counts.items() if count} == spoken
    out = {name: each["takes_out"] for name, each in told["rules"].items() if each["takes_out"]}
    assert sum(out.values()) >= told["rows"] - told["accepted"] > 0
    assert told["rules"]["posed@1"]["takes_out"] == told["rules"]["posed@1"]["fail"]
    assert all(each["question"] for each in told["rules"]["posed@1"]["examples"]["fail"])
    assert told["lengths"]["n"] == sum(each.stage == "expand@1" for each in small.attempts(made))
    assert {each["domain"]: each["rows"] for each in told["domains"]} == domains_of_seeds(small.problems(made))
    monkeypatch.setattr(version, "WINDOW_BYTES", 100_000)  # a few draws at a time
    assert report_of_version(connect([made.folder / "facts"])) == told
