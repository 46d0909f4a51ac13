"""The cascade and the recheck from end to end: a recipe brings responses, a server judges, a version tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import orjson
import pytest

from filters.cascade import verification
from pipelines.records import Verdict
from tests.server import Behaviour, Body
from tests.small import Site, Turned, attempts, loaded_bytes, problems, verdicts

ROWS = [
    {"question": f"What is {k} times 3?", "answer": str(3 * k), "verifier": "math", "responses": responses}
    for k in range(1, 7)
    for responses in [
        [
            f"So \\boxed{{{3 * k}}}.",
            f"Thrice {k}: I take that many and count in words.",
            "So \\boxed{0}.",
            "Solution:",
        ]
    ]
]
CHOICES = [
    {
        "question": f"Which is {k} times 3?\n(A) {3 * k - 1}\n(B) {3 * k}\n(C) {3 * k + 1}",
        "answer": "B",
        "verifier": "choice",
        "responses": [f"Three times {k} makes {3 * k}, as one sees. The answer is (B)."],
    }
    for k in range(1, 9)
]
PANEL = {"model": "teacher", "at_least": 0.5, "votes": 3}
CASCADE = [
    {"name": "check", "use": "sift", "rules": ["answer_matches"]},
    {"use": "appeal", "audit": 1.0, "controls": 1.0, **PANEL},
    {"name": "decide", "use": "sift", "rules": ["label"]},
]
JUDGED = [{"use": "judge", **PANEL}, {"use": "prefer", "model": "teacher", "votes": 2, "pairs": 2}]
RECHECKED = [{"use": "recheck", "model": "teacher"}, {"name": "keep", "use": "sift", "rules": ["option_consistency"]}]


def judge(body: Body, index: int) -> str:
    """Says yes to what is counted in words or holds the reference, and sees no difference between two."""
    text = body["messages"][-1]["content"]
    reference = text.partition("<reference>\n")[2].partition("\n")[0]
    response = text.partition("<response>\n")[2].partition("\n</response>")[0]
    if "<response_a>" in text:
        return "<verdict>tie</verdict>"
    if "<trace>" in text:
        return "\\boxed{B}"
    is_right = "in words" in response or f"\\boxed{{{reference}}}" in response
    return f"<reason>\nI looked.\n</reason>\n<verdict>\n{'yes' if is_right else 'no'}\n</verdict>"


def turned(site: Site, rows: list[dict[str, Any]], stages: list[dict[str, Any]], *changes: str) -> Turned:
    (site.folder / "rows.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    bring = {"use": "bring", "model": "somebody", "rows": {"path": "rows.jsonl"}}
    site.value["stages"] = [bring, *stages]
    site.value["target"] = {"candidates": len(rows)}
    return site.turn(*changes, behaviour=Behaviour(author=judge))


def told(made: Turned, rule: str) -> list[Verdict]:
    return [each for each in verdicts(made.made) if each.rule.partition("@")[0] == rule]


def test_every_verdict_of_the_cascade_is_in_the_version(site: Site):
    made = turned(site, ROWS, CASCADE)
    statuses = [each.status for each in told(made, "answer_matches")]
    assert statuses == ["pass", "fail", "fail", "fail"] * 6
    assert [each.status for each in told(made, "appeal")] == ["pass", "fail", "fail"] * 6
    assert [each.status for each in told(made, "label")] == ["pass", "pass", "fail", "fail"] * 6
    assert (len(told(made, "audit")), len(told(made, "control"))) == (6, 12)
    known = {each.id for each in (*problems(made.made), *attempts(made.made))}
    assert all(set(each.subjects) <= known for each in verdicts(made.made) if each.rule != "accepted@1")
    [about] = verification(verdicts(made.made)).values()
    [judged] = about["judges"]
    assert judged["judge"] == "test"
    assert judged["said"]["failed"] == {"no": 6, "refused": 6, "yes": 6}
    assert judged["judge_false_negative"]["k"] == judged["judge_false_positive"]["k"] == 0
    assert judged["right_of_failed"]["value"] == 0.5


def test_the_version_says_how_far_its_verdicts_can_be_trusted(site: Site):
    made = turned(site, ROWS, CASCADE)
    told_in_books = orjson.loads((made.made.folder / "ledger.json").read_bytes())["verification"]
    assert told_in_books == verification(verdicts(made.made))
    assert "How far the verdicts can be trusted" in (made.made.folder / "README.md").read_text()


def test_training_rows_follow_the_final_label(site: Site):
    made = turned(site, ROWS, CASCADE)
    labelled = {each.subjects[0] for each in told(made, "label") if each.status == "pass"}
    assert {row["attempt_id"] for row in trained(made)} == labelled


def test_answers_that_hang_on_the_order_of_options_are_not_trained_on(site: Site):
    checked = [{"name": "check", "use": "sift", "rules": ["answer_matches"]}]
    assert len(trained(turned(site, CHOICES, [*checked, RECHECKED[0]]))) == 8
    assert trained(turned(site, CHOICES, [*checked, *RECHECKED])) == []


def trained(made: Turned) -> list[Any]:
    return list(datasets.load_from_disk(str(made.made.folder / "sft")))


def test_shards_change_no_fact_and_a_second_run_asks_nothing(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made = {}
    for shard in (2, 6):
        monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / str(shard)))
        made[shard] = turned(site, ROWS, CASCADE + JUDGED, f"shard={shard}")
        again = turned(site, ROWS, CASCADE + JUDGED, f"shard={shard}")
        assert made[shard].requests > 0 == again.requests
    assert loaded_bytes(made[2].made) == loaded_bytes(made[6].made)


def test_another_threshold_asks_nothing_anew(site: Site):
    made = turned(site, ROWS, CASCADE)
    stricter = turned(site, ROWS, CASCADE, "appeal.at_least=1.0")
    assert made.requests > 0 == stricter.requests


def test_judges_and_pairs(site: Site):
    made = turned(site, ROWS, JUDGED)
    judged = told(made, "judged")
    assert [each.status for each in judged] == ["fail", "pass", "fail", "fail"] * 6
    assert {orjson.loads(each.evidence)["reason"] for each in told(made, "preferred")} == {"a tie"}
    assert len(told(made, "preferred")) == 12
    sent = [each for each in attempts(made.made) if each.stage != "bring@1"]
    assert len(sent) == made.requests == 6 * 3 * 3 + 12 * 2 * 2


def test_a_letter_that_does_not_move_with_its_option_is_found_out(site: Site):
    made = turned(site, CHOICES, RECHECKED)
    assert [each.value for each in told(made, "option_consistency")] == ["inconsistent"] * 8
    assert {each.status for each in told(made, "rechecked")} == {"pass"}
    asked = [each for each in problems(made.made) if each.kind == "recheck"]
    assert all(each.answer != "B" for each in asked)
