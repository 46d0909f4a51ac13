"""Attempts against each other."""

import random
import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.rule import Case, Ruling
from filters.table import RULES
from filters.verifiers import VERIFIERS
from filters.verifiers.outcome import Outcome, of_comparison
from filters.votes import SHOWN, elect, scores_in
from pipelines.records import verdict
from tests.each import each_of
from tests.filters.cases import answered, needs_data, rewarded, rows, rule_on, run, solved, task


def blindly(name: str, case: Case, **parameters: Any) -> Ruling:
    """As `rule_on`, by a verifier that cannot compare two answers of which one has a lone letter in it."""

    def check(verifier: str, reference: str, answer: str) -> Outcome:
        if any(re.search(r"(?<![A-Za-z\\])[a-z](?![A-Za-z])", each) for each in (reference, answer)):
            return of_comparison(None)
        return VERIFIERS[verifier].check_quickly(reference, answer) or of_comparison(None)

    [ruling] = RULES[name].run(case, check, **parameters)
    return ruling


AGREE = "the majority has another answer than the author"


@each_of(
    [
        (["4", "4", "5"], "4", "pass", None, "4", 2 / 3),
        (["4", "4", "5"], "5", "fail", AGREE, "4", 2 / 3),
        (["1/2", "0.5", r"\frac12", "2", "2"], "0.50", "pass", None, "0.5", 3 / 5),  # by value, not by spelling
        (["4", None, None, None], "4", "pass", None, "4", 1.0),  # the silent cast no vote
        (["4", "5"], "4", "unsure", "a tie", None, 0.5),
        (["4", "4", "x+1"], "4", "pass", None, "4", 2 / 3),  # holds whatever x+1 is
        (["x+1", "x+1", "1+x"], "x+1", "pass", None, "x+1", 2 / 3),
        (
            ["x+1", "x+1", "1+x", "y"],
            "5",
            "unsure",
            "the majority hangs on answers that cannot be compared",
            None,
            0.5,
        ),
        (["x+1", "x+1"], "1+x", "unsure", "the author's answer cannot be compared with the majority's", "x+1", 1.0),
        ([None, None], "4", "unsure", "no answers", None, None),
        ([], "4", "unsure", "no answers", None, None),
        (["4"], None, "unsure", "no author's answer", None, None),
    ]
)
def test_answer_consistency(
    answers: list[str | None],
    author: str | None,
    status: str,
    reason: str | None,
    value: str | None,
    score: float | None,
) -> None:
    ruling = blindly("answer_consistency", solved(answers, author=author))
    assert (ruling.status, ruling.reason, ruling.value, ruling.score) == (status, reason, value, score)


def test_answer_consistency_tells_how_the_vote_came_out() -> None:
    ruling = rule_on("answer_consistency", solved(["4", "5", "4.0", "4", None], author="4", cut=2))
    assert ruling.context == {"n": 7, "answered": 4, "cut": 2, "votes": 3}
    assert ruling.evidence == {"classes": [["4", 3], ["5", 1]], "author": "4"}


def test_answer_consistency_may_ask_for_a_share() -> None:
    case = solved(["4", "4", "5", "6"], author="4")
    assert rule_on("answer_consistency", case, at_least=0.5).status == "pass"
    assert rule_on("answer_consistency", case, at_least=0.51).reason == "the majority is smaller than asked"


@each_of(
    [
        (["4", "4", "5", "6"], 0, "pass", 0.5, "4"),
        (["4", "4", "5", "6"], 1, "fail", 0.4, "4"),  # K counts every attempt
        (["4", "4", None, None], 0, "pass", 0.5, "4"),
        (["4", "4.0", "5", "5"], 0, "unsure", 0.5, None),  # a tie has no majority
        (["4", "5", "6"], 0, "fail", 1 / 3, None),
        (["x+1", "1+x", "7"], 0, "unsure", 1 / 3, None),  # the first two may be one
        ([], 2, "unsure", None, None),
    ]
)
def test_self_consistency(
    answers: list[str | None], cut: int, status: str, score: float | None, value: str | None
) -> None:
    ruling = blindly("self_consistency", solved(answers, cut=cut), at_least=0.5)
    assert (ruling.status, ruling.score, ruling.value) == (status, score, value)


def test_letters_are_votes_too() -> None:
    case = solved(["B", "(b)", "C"], author="B.", verifier="choice")
    assert rule_on("answer_consistency", case).status == "pass"


SPELLINGS = ["1/2", "0.5", r"\frac{1}{2}", "2", "2.0", "x+1", "1+x", "yes", "no", None]


@given(st.lists(st.sampled_from(SPELLINGS), max_size=9), st.sampled_from(SPELLINGS), st.randoms())
def test_the_order_of_the_votes_never_matters(
    answers: list[str | None], author: str | None, chance: random.Random
) -> None:
    shuffled = chance.sample(answers, len(answers))
    for rule in ("answer_consistency", "self_consistency"):
        assert blindly(rule, solved(answers, author=author)) == blindly(rule, solved(shuffled, author=author))


@given(st.dictionaries(st.integers(0, 30), st.integers(1, 4), min_size=1), st.integers(1, 5))
def test_with_a_known_equality_classes_are_counted_exactly(votes: dict[int, int], modulus: int) -> None:
    expected = Counter[int]()
    for number, count in votes.items():
        expected[number % modulus] += count
    named = {str(number): count for number, count in votes.items()}
    election = elect(named, lambda a, b: int(a) % modulus == int(b) % modulus)
    assert sorted(count for _, count in election.classes) == sorted(expected.values())
    top = max(expected.values())
    assert election.votes == election.reach == top
    assert (election.majority is None) == (list(expected.values()).count(top) > 1)


@given(st.dictionaries(st.integers(0, 9), st.integers(1, 4), min_size=1), st.data())
def test_a_majority_holds_however_open_comparisons_turn_out(votes: dict[int, int], data: st.DataObject) -> None:
    truth = {number: data.draw(st.integers(0, 2)) for number in votes}
    blind = data.draw(st.sets(st.frozensets(st.integers(0, 9), min_size=2, max_size=2)))
    named = {str(number): count for number, count in votes.items()}

    def half_blind(a: str, b: str) -> bool | None:
        return None if {int(a), int(b)} in blind else truth[int(a)] == truth[int(b)]

    election = elect(named, half_blind)
    if election.majority is not None:
        totals = Counter[int]()
        for number, count in votes.items():
            totals[truth[number]] += count
        assert totals.most_common(1)[0][1] == totals[truth[int(election.majority)]]
        assert list(totals.values()).count(max(totals.values())) == 1


def test_the_number_of_comparisons_is_bounded() -> None:
    case = solved([*map(str, range(100)), *["7"] * 30], author="7")
    ruling = rule_on("answer_consistency", case)
    assert (ruling.status, ruling.value) == ("unsure", None)  # 52 spellings were not looked at
    assert len(ruling.evidence["classes"]) == SHOWN
    case = solved([*map(str, range(100)), *["7"] * 120], author="7")
    assert (rule_on("answer_consistency", case).status, rule_on("answer_consistency", case).value) == ("pass", "7")


# Weights

Given = Sequence[float | None]


def scored(case: Case, scores: Given, *, rule: str = "judged@1", **context: Any) -> Case:
    """The case with a score for each attempt, or None for one that got none."""
    told = [
        verdict(
            subjects=[attempt.id],
            stage="judge@1",
            draw=0,
            rule=rule,
            status="pass",
            score=score,
            context={"judge": "teacher", "revision": "r1", **context},
        )
        for attempt, score in zip(case.attempts, scores, strict=True)
        if score is not None
    ]
    return case._replace(verdicts=[*case.verdicts, *told])


@each_of(
    [
        (["4", "4", "5"], [0.2, 0.2, 0.9], "pass", None, "5", 0.9 / 1.3),  # a heavy one outweighs two light ones
        (["1/2", "0.5", "2"], [0.5, 0.5, 0.75], "pass", None, "0.5", 4 / 7),  # by value, not by spelling
        (["4", "4", "4", "5"], [0.1, 0.1, 0.1, 0.3], "unsure", "a tie", None, 0.5),  # exactly, though not in binary
        (["4", "5"], [1.0, None], "pass", None, "4", 1.0),  # what has no weight counts for nothing
        (["4", "5", None], [0.0, 0.5, 9.0], "pass", None, "5", 1.0),  # the silent cast no vote, whatever they weigh
        (["4", "5"], [0.0, 0.0], "unsure", "no answer has any weight", None, None),
        (["4", "5"], [None, None], "unsure", "no answer has any weight", None, None),
        (["4", "5"], [-0.5, 1.0], "unsure", "a score below zero is no weight", None, None),
        (
            ["x+1", "1+x", "7"],
            [0.4, 0.4, 0.6],
            "unsure",
            "the majority hangs on answers that cannot be compared",
            None,
            0.6 / 1.4,
        ),
        (["x+1", "1+x", "7"], [0.4, 0.4, 0.9], "pass", None, "7", 0.9 / 1.7),  # holds however these compare
        ([None], [1.0], "unsure", "no answers", None, None),
    ]
)
def test_weighted_vote(
    answers: list[str | None],
    weights: Given,
    status: str,
    reason: str | None,
    value: str | None,
    score: float | None,
) -> None:
    ruling = blindly("weighted_vote", scored(solved(answers), weights))
    assert (ruling.status, ruling.reason, ruling.value) == (status, reason, value)
    assert ruling.score == (None if score is None else pytest.approx(score))


def test_weighted_vote_may_ask_for_a_share() -> None:
    case = scored(solved(["4", "4", "5"]), [0.3, 0.3, 0.4])
    assert rule_on("weighted_vote", case, at_least=0.6).status == "pass"
    assert rule_on("weighted_vote", case, at_least=0.61).reason == "the majority is smaller than asked"
    blind = scored(solved(["1", "2", "x"]), [0.5, 0.3, 0.2])
    assert blindly("weighted_vote", blind, at_least=0.7).status == "unsure"  # 0.7 if x is 1


def test_weights_come_from_the_rule_that_is_named() -> None:
    case = scored(scored(solved(["4", "5"]), [0.1, 0.9]), [0.9, 0.1], rule="reward@3")
    assert rule_on("weighted_vote", case).value == "5"
    assert rule_on("weighted_vote", case, by="reward").value == "4"
    assert rule_on("weighted_vote", case, by="rewards").reason == "no answer has any weight"


def test_what_has_no_weight_is_counted() -> None:
    case = scored(solved(["4", "5", "6", None], cut=1), [0.5, None, None, None, 0.5])
    context = {"n": 5, "answered": 3, "cut": 1, "scorers": ["judged@1 teacher r1"], "unweighted": 2}
    assert rule_on("weighted_vote", case).context == context


def test_scores_of_several_scorers_are_no_weights() -> None:
    case = scored(scored(solved(["4", "5"]), [0.5, 0.5]), [0.9, 0.9], judge="another")
    for rule, by in (("weighted_vote", "judged"), ("best_of_n", "judged")):
        assert rule_on(rule, case, by=by).reason == "scores of several scorers cannot be compared"


def test_several_scores_of_one_attempt_are_averaged_by_their_votes() -> None:
    case = scored(scored(solved(["4"]), [1.0], votes=3), [0.0], votes=1)
    assert scores_in(case, "judged") == {case.attempts[0].id: (Fraction(3, 4), 4)}


def test_what_a_pair_was_given_weighs_nothing() -> None:
    case = solved(["4", "5"])
    pair = verdict(
        subjects=[each.id for each in case.attempts],
        stage="judge@1",
        draw=0,
        rule="judged@1",
        status="pass",
        score=1.0,
        context={},
    )
    assert scores_in(case._replace(verdicts=[pair]), "judged") == {}


@given(st.lists(st.tuples(st.sampled_from(SPELLINGS), st.integers(0, 8)), max_size=8), st.randoms())
def test_the_order_of_weighted_votes_never_matters(
    votes: list[tuple[str | None, int]], chance: random.Random
) -> None:
    rulings = []
    for order in (votes, chance.sample(votes, len(votes))):
        answers, weights = [answer for answer, _ in order], [weight / 8 for _, weight in order]
        rulings.append(blindly("weighted_vote", scored(solved(answers), weights)))
    assert rulings[0] == rulings[1]


@given(st.lists(st.sampled_from(SPELLINGS), min_size=1, max_size=8), st.integers(1, 9))
def test_equal_weights_are_a_plain_majority(answers: list[str | None], weight: int) -> None:
    weighted = blindly("weighted_vote", scored(solved(answers), [weight / 10] * len(answers)))
    plain = blindly("self_consistency", solved(answers), at_least=0.0)
    assert (weighted.status, weighted.reason, weighted.value) == (plain.status, plain.reason, plain.value)


# Best of N


def test_best_of_n_names_the_attempt() -> None:
    case = scored(solved(["4", "5", "6"], author="6"), [0.2, 0.9, 0.5], rule="reward@1")
    chosen, *each = run("best_of_n", case)
    assert (chosen.status, chosen.value, chosen.score) == ("pass", "5", 0.9)
    assert chosen.evidence == {"attempt": case.attempts[1].id}
    assert [(ruling.about, ruling.status) for ruling in each] == [
        ((attempt.id,), status) for attempt, status in zip(case.attempts, ["fail", "pass", "fail"], strict=True)
    ]


def test_of_equally_good_ones_the_first_sample_is_best() -> None:
    case = scored(solved(["4", "5", "6"]), [0.2, 0.9, 0.9], rule="reward@1")
    for attempts in (case.attempts, case.attempts[::-1]):
        chosen, *_ = run("best_of_n", case._replace(attempts=attempts))
        assert (chosen.value, chosen.context["tied"]) == ("5", 2)


def test_what_was_cut_off_is_never_best() -> None:
    case = scored(solved(["4"], cut=1), [0.2, 0.9], rule="reward@1")
    assert [ruling.status for ruling in run("best_of_n", case)] == ["pass", "pass", "unsure"]
    assert rule_on("best_of_n", scored(solved([], cut=1), [0.9], rule="reward@1")).status == "unsure"


def test_the_best_needs_no_verifier() -> None:
    chosen, *_ = run("best_of_n", rewarded([-3.0, -1.0]))
    assert (chosen.status, chosen.value, chosen.score) == ("pass", None, -1.0)


@needs_data
def test_the_majority_of_real_responses() -> None:
    """60 problems of MATH, eight real responses each: where the majority agrees with the key, most responses do."""
    data = rows("math_samples/qwen_math_8_samples.jsonl")
    cases = [_with_responses(row) for row in data]
    consistent = [rule_on("answer_consistency", case) for case in cases]
    assert Counter(ruling.status for ruling in consistent) == {"pass": 56, "unsure": 3, "fail": 1}
    assert {ruling.reason for ruling in consistent if ruling.status == "unsure"} == {"a tie"}
    kept = [
        (row, ruling.context["votes"])
        for row, ruling in zip(data, consistent, strict=True)
        if ruling.status == "pass"
    ]
    # The scores that came with the data miss that all eight say 4:30 p.m.; else the majority are the right ones.
    assert [row["idx"] for row, votes in kept if sum(row["score"]) != votes] == [3]
    alike = [rule_on("self_consistency", case) for case in cases]
    assert Counter(ruling.status for ruling in alike) == {"pass": 55, "fail": 3, "unsure": 2}


def _with_responses(row: dict[str, Any]) -> Case:
    of = task(row["question"], row["answer"])
    return Case(of, None, [answered(of, text, i) for i, text in enumerate(row["response"])])
