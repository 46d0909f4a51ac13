"""The worst reward of a problem, and the pool's worst problems."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.rip import rip
from filters.rule import Case, Ruling
from tests.filters.cases import answered, needs_data, reward, rewarded, rows, rule_on, run, task, told


def pool(*measures: tuple[float, int, float]) -> list[Case]:
    """Cases of which worst reward, length of that response and gap have been measured."""
    cases = [rewarded([worst, worst + gap], lengths=[length, 50]) for worst, length, gap in measures]
    return [told("worst_reward", case, rule_on("worst_reward", case)) for case in cases]


def statuses(rulings: list[Ruling]) -> str:
    return "".join(ruling.status[0] for ruling in rulings)


def test_the_three_numbers() -> None:
    ruling = rule_on("worst_reward", rewarded([4.0, 1.5, 9.0], lengths=[10, 20, 30]))
    assert (ruling.status, ruling.score, ruling.value) == ("pass", 1.5, None)
    evidence = {name: ruling.evidence[name] for name in ("worst", "length", "gap")}
    assert evidence == {"worst": 1.5, "length": 20, "gap": 7.5}
    assert ruling.context == {"n": 3, "left_out": 0, "scorer": "reward@1 judge r1"}


def test_of_two_worst_responses_the_shorter_counts() -> None:
    assert rule_on("worst_reward", rewarded([1.0, 1.0, 2.0], lengths=[9, 5, 1])).evidence["length"] == 5


@pytest.mark.parametrize("rewards", [[], [3.0]])
def test_fewer_than_two_rewards_are_unsure(rewards: list[float]) -> None:
    assert rule_on("worst_reward", rewarded(rewards)).reason == "fewer than two rewards"


def test_attempts_without_reward_or_end_are_left_out() -> None:
    of = task("Tell me.", verifier=None)
    attempts = [answered(of, "text", i, "length" if i == 3 else "stop") for i in range(4)]
    verdicts = [reward(each, score) for each, score in zip(attempts, [5.0, None, 7.0, 0.0], strict=True)]
    ruling = rule_on("worst_reward", Case(of, None, attempts, verdicts))
    assert (ruling.score, ruling.context["n"], ruling.context["left_out"]) == (5.0, 2, 2)


def test_a_reward_that_is_not_a_number_is_left_out() -> None:
    assert rule_on("worst_reward", rewarded([float("nan"), 5.0, 4.0])).score == 4.0


def test_several_rewards_of_one_attempt_are_averaged_but_never_over_scorers() -> None:
    of = task("Tell me.", verifier=None)
    attempts = [answered(of, "text", i) for i in range(2)]
    judged = [reward(attempts[0], 2.0), reward(attempts[0], 4.0, votes=2), reward(attempts[1], 8.0)]
    assert rule_on("worst_reward", Case(of, None, attempts, judged)).score == 3.0
    mixed = [*judged, reward(attempts[1], 8.0, scorer="another")]
    assert rule_on("worst_reward", Case(of, None, attempts, mixed)).status == "unsure"


def test_rip_takes_out_the_lowest_quarter_of_worst_rewards() -> None:
    cases = pool((3, 10, 1), (1, 10, 1), (2, 10, 1), (4, 10, 1))
    rulings = rip(cases)
    assert statuses(rulings) == "pfpp"
    assert rulings[1].reason == "worst reward among the lowest"
    assert (rulings[0].context["n"], rulings[0].context["thresholds"]) == (4, {"reward": 2.0})
    assert rulings[0].context["pool"] == rulings[3].context["pool"] != rip(cases[:3])[0].context["pool"]


def test_rip_with_all_three() -> None:
    cases = pool((5, 100, 1), (1, 100, 1), (6, 10, 1), (7, 90, 9))
    rulings = rip(cases, reward_quantile=0.25, length_quantile=0.25, gap_quantile=0.75)
    assert statuses(rulings) == "pfff"
    assert [ruling.reason for ruling in rulings[1:]] == [
        "worst reward among the lowest",
        "worst response among the shortest",
        "gap between best and worst among the widest",
    ]
    assert rulings[0].context["thresholds"] == {"reward": 5.0, "length": 90, "gap": 1.0}


def test_of_equals_the_later_goes() -> None:
    assert statuses(rip(pool((1, 10, 1), (1, 10, 1), (1, 10, 1), (1, 10, 1)), reward_quantile=0.5)) == "ppff"


def test_what_was_not_measured_is_unsure_and_no_part_of_the_pool() -> None:
    rulings = rip([rewarded([1.0]), *pool((2, 10, 1), (1, 10, 1))], reward_quantile=0.5)
    assert statuses(rulings) == "upf"
    assert rulings[0].context["n"] == 2


@pytest.mark.parametrize("quantile", [-0.1, 1.1])
def test_a_quantile_lies_between_0_and_1(quantile: float) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        rip([], reward_quantile=quantile)


measures = st.tuples(st.integers(0, 5), st.integers(1, 5), st.integers(0, 5))


@given(st.lists(measures, max_size=12), st.integers(0, 100))
def test_exactly_the_floor_of_q_n_go(measured: list[tuple[int, int, int]], percent: int) -> None:
    cases, n = pool(*measured), len(measured)
    lowest = rip(cases, reward_quantile=percent / 100)
    shortest = rip(cases, reward_quantile=0.0, length_quantile=percent / 100)
    widest = rip(cases, reward_quantile=0.0, gap_quantile=percent / 100)
    gone = [statuses(rulings).count("f") for rulings in (lowest, shortest, widest)]
    share = Fraction(percent, 100)
    assert gone == [floor(share * n), floor(share * n), floor((1 - share) * n)]
    ranked = sorted(ruling.score or 0 for ruling in lowest)
    assert sorted(ruling.score or 0 for ruling in lowest if ruling.status == "fail") == ranked[: gone[0]]


@needs_data
def test_rip_on_real_rewards() -> None:
    """60 problems of MATH, eight responses each, scored by a reward model: those that go are solved less often."""
    data = rows("math_samples/qwen_math_8_samples.jsonl")
    cases, solved = [], []
    for row in data:
        of = task(row["question"], row["answer"])
        attempts = [answered(of, text, i) for i, text in enumerate(row["response"])]
        verdicts = [reward(each, score) for each, [score] in zip(attempts, row["pred_score"], strict=True)]
        case = Case(of, None, attempts, verdicts)
        cases.append(told("worst_reward", case, rule_on("worst_reward", case)))
        solved.append(sum(row["score"]) / 8)
    assert statuses(rip(cases)).count("f") == 15
    best = rip(cases, reward_quantile=0.5, length_quantile=0.5, gap_quantile=0.5)
    assert 0 < statuses(best).count("p") < 30
    rates = {
        status: [rate for rate, ruling in zip(solved, rip(cases), strict=True) if ruling.status == status]
        for status in ("pass", "fail")
    }
    assert sum(rates["pass"]) / 45 > sum(rates["fail"]) / 15 + 0.2
    right = [ruling for case in cases for ruling in run("answer_matches", case) if ruling.status == "pass"]
    assert len(right) >= 0.9 * sum(map(sum, (row["score"] for row in data)))
