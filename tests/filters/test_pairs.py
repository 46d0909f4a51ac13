"""Judges who hold their verdict when the responses change places, and those who do not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from filters.rule import Case, Ruling
from pipelines.records import problem
from tests.filters.cases import answered, rule_on, solved
from tests.pipelines.test_views_laws import told as said


def judged(form: str, order: int, replies: Sequence[str | None], pair: str = "p", kind: str = "judgement") -> Case:
    """A task of judging and what judges replied to it; a verdict is right where it is the order's own letter."""
    answer = {"pair": "AB", "single": "yn"}[form][order]
    details = {"pair": pair, "order": order, "form": form}
    task = problem(parents=(), stage="contrast@1", draw=0, kind=kind, question="?", answer=answer, details=details)
    attempts = [answered(task, reply or "", sample) for sample, reply in enumerate(replies)]
    verdicts = [
        said(each, "answer_matches@2", "unsure" if reply is None else "pass" if reply == answer else "fail")
        for each, reply in zip(attempts, replies, strict=True)
    ]
    return Case(task, None, attempts, verdicts)


def orders(first: str, second: str, **given: float) -> Ruling:
    """Of a judge who says this in the first order, and that in the second, letter by letter."""
    told = [[None if letter == "-" else letter for letter in text] for text in (first, second)]
    sides = [judged("pair", order, replies) for order, replies in enumerate(told)]
    return rule_on("both_orders", solved(["1"])._replace(beside=sides), **given)


@pytest.mark.parametrize(
    ("first", "second", "score", "counts"),
    [
        ("AAAA", "BBBB", 1.0, {"both right": 4}),
        ("AAAA", "AAAA", 0.0, {"by the place": 4}),  # always the first place
        ("BBBB", "BBBB", 0.0, {"by the place": 4}),
        ("BBBB", "AAAA", 0.0, {"both wrong": 4}),
        ("AABA", "BABA", 0.25, {"both right": 1, "by the place": 3}),
        ("A-AA", "BBB-", 1.0, {"both right": 2}),  # what could not be read in one order is left out
    ],
)
def test_a_pair_counts_where_both_orders_are_right(first: str, second: str, score: float, counts: dict[str, int]):
    ruling = orders(first, second)
    assert (ruling.status, ruling.score) == ("pass", score)
    assert ruling.context["counts"] == counts


def test_a_problem_may_be_kept_for_its_judges_constancy():
    assert orders("AAAA", "BBBA", at_least=0.75).status == "pass"
    assert orders("AAAA", "BBAA", at_least=0.75).reason == "seldom right in both orders"


def test_without_judgements_of_both_orders_nothing_is_told():
    for beside in ([], [judged("pair", 0, "A")], [judged("pair", 0, "A", kind="judge"), judged("pair", 1, "B")]):
        assert rule_on("both_orders", solved(["1"])._replace(beside=beside)).status == "unsure"
    apart = [judged("pair", 0, "A", pair="p"), judged("pair", 1, "B", pair="q")]
    assert rule_on("both_orders", solved(["1"])._replace(beside=apart)).status == "unsure"


def scores(better: Sequence[str], worse: Sequence[str], **given: float) -> Ruling:
    texts = [[f"<score>{each}</score>" for each in side] for side in (better, worse)]
    sides = [judged("single", order, replies) for order, replies in enumerate(texts)]
    return rule_on("score_order", solved(["1"])._replace(beside=sides), **given)


def test_scores_count_by_their_order():
    ruling = scores(["7", "6.1", "3", "9", "much"], ["6.9", "6.1", "4", "0", "1"])
    assert (ruling.score, ruling.context["counts"]) == (0.5, {"equal": 1, "higher": 2, "lower": 1})
    assert scores(["7"], ["7"], at_least=0.5).status == "fail"
