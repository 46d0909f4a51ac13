"""How much answers differ, and how that goes with the pass rate."""

import random
from collections import Counter
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.entropy import beside_pass_rate, entropy, ranks, spearman
from filters.rule import Case
from filters.votes import elect
from tests.each import each_of
from tests.filters.cases import answered, needs_data, rows, rule_on, solved, task, told
from tests.filters.test_votes import blindly

TWO_TO_ONE = log(3) - 2 / 3 * log(2)


@each_of(
    [
        (["4", "4", "4"], 1, 0.0),
        (["1/3", "12/36", r"\frac{1}{3}"], 1, 0.0),  # one meaning, however it is spelt
        (["1/3", "0.333"], 2, log(2)),  # nearly one is another
        (["1", "2", "3", "4"], 4, log(4)),
        (["4", "4.0", "5"], 2, TWO_TO_ONE),
        (["4", None, None, None], 1, 0.0),  # the silent are no class
        (["4", "4", "5", None], 2, TWO_TO_ONE),
    ]
)
def test_semantic_entropy(answers: list[str | None], classes: int, score: float) -> None:
    ruling = rule_on("semantic_entropy", solved(answers))
    assert (ruling.status, ruling.value) == ("pass", None)
    assert ruling.score == pytest.approx(score)
    assert ruling.context["classes"] == classes


def test_all_alike_are_exactly_zero() -> None:
    assert rule_on("semantic_entropy", solved(["7"] * 9)).score == 0.0


def test_it_tells_what_it_was_measured_on() -> None:
    ruling = rule_on("semantic_entropy", solved(["4", "4.0", "5", "4", None], cut=2))
    assert ruling.context == {"n": 7, "answered": 4, "cut": 2, "classes": 2, "max_entropy": log(4)}
    assert ruling.evidence["classes"] == [["4", 3], ["5", 1]]
    assert ruling.evidence["lowest"] == ruling.evidence["highest"] == ruling.score


def test_it_needs_no_reference() -> None:
    case = solved(["4", "5", "4"], author=None)
    assert rule_on("semantic_entropy", case) == rule_on("semantic_entropy", solved(["4", "5", "4"], author="5"))


@pytest.mark.parametrize(
    ("answers", "reason"),
    [([], "no answers"), ([None], "no answers")],
)
def test_nothing_answered_is_unsure(answers: list[str | None], reason: str) -> None:
    ruling = rule_on("semantic_entropy", solved(answers, cut=1))
    assert (ruling.status, ruling.reason, ruling.score) == ("unsure", reason, None)


@pytest.mark.parametrize(
    ("at_least", "at_most", "status", "reason"),
    [
        (0.0, None, "pass", None),
        (0.63, 0.64, "pass", None),
        (0.7, None, "fail", "the answers differ less than asked"),
        (0.0, 0.6, "fail", "the answers differ more than asked"),
    ],
)
def test_the_band(at_least: float, at_most: float | None, status: str, reason: str | None) -> None:
    ruling = rule_on("semantic_entropy", solved(["4", "4", "5"]), at_least=at_least, at_most=at_most)
    assert (ruling.status, ruling.reason) == (status, reason)


def test_both_ends_of_the_band_are_included() -> None:
    assert rule_on("semantic_entropy", solved(["4", "4"]), at_most=0.0).status == "pass"


def test_open_comparisons_give_an_interval_and_a_doubt_only_inside_of_it() -> None:
    case = solved(["x+1", "1+x", "3", "3"])  # the first two may be one, and may be 3
    ruling = blindly("semantic_entropy", case)
    assert (ruling.evidence["lowest"], ruling.score) == (0.0, pytest.approx(1.5 * log(2)))
    assert blindly("semantic_entropy", case, at_most=1.1).status == "pass"
    assert blindly("semantic_entropy", case, at_most=1.0).status == "unsure"
    assert blindly("semantic_entropy", case, at_least=0.1).status == "unsure"
    assert blindly("semantic_entropy", case, at_least=1.1).status == "fail"


@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.randoms())
def test_entropy_is_between_zero_and_log_k_in_any_order(sizes: list[int], chance: random.Random) -> None:
    found = entropy(sizes)
    assert 0 <= found <= log(len(sizes)) + 1e-12
    assert entropy(chance.sample(sizes, len(sizes))) == found
    assert entropy([2 * size for size in sizes]) == pytest.approx(found)
    assert entropy([sum(sizes)]) == 0


@given(st.lists(st.integers(1, 50), min_size=2, max_size=12))
def test_joining_classes_never_raises_it(sizes: list[int]) -> None:
    assert entropy([sizes[0] + sizes[1], *sizes[2:]]) <= entropy(sizes) + 1e-12


@given(st.dictionaries(st.integers(0, 7), st.integers(1, 4), min_size=1), st.data())
def test_the_truth_lies_in_the_interval(votes: dict[int, int], data: st.DataObject) -> None:
    truth = {number: data.draw(st.integers(0, 2)) for number in votes}
    blind = data.draw(st.sets(st.frozensets(st.integers(0, 7), min_size=2, max_size=2)))
    named = {str(number): count for number, count in votes.items()}

    def half_blind(a: str, b: str) -> bool | None:
        return None if {int(a), int(b)} in blind else truth[int(a)] == truth[int(b)]

    election = elect(named, half_blind)
    totals = Counter[int]()
    for number, count in votes.items():
        totals[truth[number]] += count
    low = entropy([sum(named[answer] for answer in group) for group in election.possible])
    assert low - 1e-12 <= entropy(list(totals.values())) <= entropy(election.counts) + 1e-12


# Beside the pass rate


@each_of(
    [
        ([1.0, 2.0, 3.0], [10.0, 20.0, 90.0], 1.0),
        ([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], -1.0),
        ([1.0, 2.0, 2.0, 4.0], [1.0, 3.0, 2.0, 4.0], 0.9486832980505138),  # with one tie, by hand
        ([1.0, 1.0], [1.0, 2.0], None),
        ([1.0], [2.0], None),
        ([], [], None),
    ]
)
def test_spearman(a: list[float], b: list[float], expected: float | None) -> None:
    assert spearman(a, b) == (None if expected is None else pytest.approx(expected))


def test_equal_values_share_their_rank() -> None:
    assert ranks([0.5, 0.1, 0.5, 0.9]) == [2.5, 1.0, 2.5, 4.0]


def test_entropy_beside_the_pass_rate() -> None:
    cases = [solved(["4"] * k + list("56789")[: 5 - k], author="4") for k in range(6)]
    cases = [case._replace(problem=task(f"Problem {i}?", "4")) for i, case in enumerate(cases)]
    verdicts = [verdict for case in cases for verdict in _measured(case).verdicts]
    report = beside_pass_rate([*verdicts, *_measured(solved([None])).verdicts])  # of which nothing is known
    assert report["n"] == 6
    assert -1 < report["spearman"] < -0.9


def _measured(case: Case) -> Case:
    for rule in ("semantic_entropy", "pass_rate"):
        case = told(rule, case, rule_on(rule, case))
    return case


@needs_data
def test_on_real_responses_the_more_answers_differ_the_fewer_are_right() -> None:
    """60 problems of MATH, eight real responses each."""
    cases = []
    for row in rows("math_samples/qwen_math_8_samples.jsonl"):
        of = task(row["question"], row["answer"])
        cases.append(Case(of, None, [answered(of, text, i) for i, text in enumerate(row["response"])]))
    report = beside_pass_rate([verdict for case in cases for verdict in _measured(case).verdicts])
    assert report["n"] == 60
    assert report["spearman"] < -0.9
