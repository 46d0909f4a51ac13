"""Error rates: what was injected is found again within the intervals, and more votes help above a good threshold."""

from __future__ import annotations

import random
from math import comb
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.noise import (
    Count,
    NoBetterThanChance,
    Rate,
    Seen,
    backward_corrected,
    calibrate,
    estimates,
    forward_weight,
    rate,
)

SIMULATIONS = 400
COVERED = 0.93  # of a nominal 0.95, which 400 simulations tell to about 0.01


# From a judge's errors to a rule's


class World(NamedTuple):
    """True rates of a judge and a rule, and how much of each is looked at."""

    judge_fn: float
    judge_fp: float
    rule_fn: float
    rule_fp: float
    right: float = 0.5  # of all attempts
    attempts: int = 800
    controls: int = 200  # of each kind
    audited: int = 150

    @property
    def truth(self) -> dict[str, float]:
        failed_right, failed_wrong = self.right * self.rule_fn, (1 - self.right) * (1 - self.rule_fp)
        passed_right, passed_wrong = self.right * (1 - self.rule_fn), (1 - self.right) * self.rule_fp
        return {
            "judge_false_negative": self.judge_fn,
            "judge_false_positive": self.judge_fp,
            "right_of_failed": failed_right / (failed_right + failed_wrong),
            "wrong_of_passed": passed_wrong / (passed_right + passed_wrong),
            "rule_false_negative": self.rule_fn,
            "rule_false_positive": self.rule_fp,
        }


WORLDS = {
    "the issue's": World(judge_fn=0.2, judge_fp=0.05, rule_fn=0.1, rule_fp=0.04),
    "a credulous judge": World(judge_fn=0.05, judge_fp=0.3, rule_fn=0.15, rule_fp=0.05),
    "a perfect rule": World(judge_fn=0.2, judge_fp=0.05, rule_fn=0.0, rule_fp=0.0),
    "a bad rule": World(judge_fn=0.1, judge_fp=0.1, rule_fn=0.4, rule_fp=0.3, audited=300),
    "few controls": World(judge_fn=0.2, judge_fp=0.1, rule_fn=0.1, rule_fp=0.05, controls=40),
}
EVERY_DAY = ("the issue's",)


def simulated(world: World, chance: random.Random) -> Seen:
    """One run of the cascade: who is right, what the rule says, and what the judge says of whom it is shown."""

    def says_yes(is_right: bool) -> bool:
        return chance.random() < (1 - world.judge_fn if is_right else world.judge_fp)

    def asked(about: list[bool]) -> Count:
        return Count(sum(map(says_yes, about)), len(about))

    passed, failed = [], []
    for _ in range(world.attempts):
        is_right = chance.random() < world.right
        passes = chance.random() < (1 - world.rule_fn if is_right else world.rule_fp)
        (passed if passes else failed).append(is_right)
    right, wrong = asked([True] * world.controls), asked([False] * world.controls)
    return Seen(right, wrong, asked(failed), asked(passed[: world.audited]), len(passed), len(failed))


def covered(world: World) -> dict[str, float]:
    """How often the interval of each estimate holds the truth."""
    chance, hits = random.Random(str(world)), dict.fromkeys(world.truth, 0)
    for _ in range(SIMULATIONS):
        found = estimates(simulated(world, chance), draws=400)
        for name, truth in world.truth.items():
            hits[name] += found[name].low <= truth <= found[name].high
    return {name: count / SIMULATIONS for name, count in hits.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in EVERY_DAY else pytest.mark.slow) for name in WORLDS]
)
def test_injected_noise_is_recovered_within_the_intervals(name: str):
    found = covered(WORLDS[name])
    assert min(found.values()) >= COVERED, found


def test_the_correction_takes_the_noise_out():
    """Uncorrected, a judge overturns too little where the rule is bad and too much where it is good."""
    world = WORLDS["the issue's"]
    seen = simulated(world._replace(attempts=100_000, controls=20_000, audited=50_000), random.Random(0))
    found = estimates(seen, draws=400)
    for name, truth in world.truth.items():
        assert found[name].value == pytest.approx(truth, abs=0.01)
    assert abs(seen.failed.yes / seen.failed.n - world.truth["right_of_failed"]) > 0.02


def test_more_controls_make_the_interval_narrower():
    few, many = (
        estimates(Seen(Count(n * 4 // 5, n), Count(n // 20, n), Count(120, 400), Count(76, 100), 600, 400))
        for n in (40, 4000)
    )
    for name in ("right_of_failed", "rule_false_negative"):
        assert many[name].high - many[name].low < few[name].high - few[name].low


COUNTS = st.integers(0, 60).flatmap(lambda n: st.integers(0, n).map(lambda yes: Count(yes, n)))


@given(COUNTS, COUNTS, COUNTS, COUNTS, st.integers(0, 100))
def test_every_estimate_is_a_rate_with_an_interval_around_it(a: Count, b: Count, c: Count, d: Count, more: int):
    seen = Seen(a, b, c, d, rule_passed=d.n + more, rule_failed=c.n)
    for each in estimates(seen, draws=80).values():
        assert 0 <= each.low <= each.high <= 1
        assert each.value is None or 0 <= each.value <= 1
        assert 0 <= each.k <= each.n
    assert estimates(seen, draws=80) == estimates(seen, draws=80)


def test_without_controls_nothing_is_known_of_the_rule():
    seen = Seen(Count(0, 0), Count(0, 0), Count(30, 100), Count(50, 50), 100, 100)
    found = estimates(seen)
    assert found["rule_false_negative"] == Rate(None, 0.0, 1.0, 30, 100)
    assert found["judge_false_negative"] == Rate(None, 0.0, 1.0, 0, 0)


def test_a_judge_at_chance_says_nothing_of_the_rule():
    found = estimates(Seen(Count(50, 100), Count(50, 100), Count(50, 100), Count(50, 100), 500, 100))
    assert (found["right_of_failed"].low, found["right_of_failed"].high) == (0.0, 1.0)
    assert found["right_of_failed"].value is None


def test_a_rate_without_anything_seen_has_no_value():
    assert rate(0, 0) == Rate(None, 0.0, 1.0, 0, 0)
    assert rate(3, 4).value == 0.75


# The threshold of a judge


def accuracy(*, votes: int, t: float, f: float, at_least: float) -> float:
    """The exact accuracy of a threshold, where half of the answers are right."""

    def passes(p: float) -> float:
        return sum(
            comb(votes, yes) * p**yes * (1 - p) ** (votes - yes)
            for yes in range(votes + 1)
            if yes >= at_least * votes
        )

    return (passes(t) + 1 - passes(f)) / 2


def labelled(*, t: float, f: float, votes: int, answers: int = 400, seed: int = 0) -> list[tuple[int, int, bool]]:
    chance = random.Random(seed)
    return [
        (sum(chance.random() < (t if is_right else f) for _ in range(votes)), votes, is_right)
        for is_right in (True, False)
        for _ in range(answers // 2)
    ]


VOTES = (1, 5, 17, 65)


@pytest.mark.parametrize(("t", "f"), [(0.8, 0.4), (0.8, 0.55), (0.5, 0.2), (0.99, 0.6), (0.4, 0.02)])
def test_more_votes_help_at_the_calibrated_threshold(t: float, f: float):
    at_least = calibrate(labelled(t=t, f=f, votes=5)).at_least
    assert f < at_least < t
    accuracies = [accuracy(votes=votes, t=t, f=f, at_least=at_least) for votes in VOTES]
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] > 0.95


def test_at_one_half_more_votes_make_a_credulous_judge_worse():
    """The caution of which the threshold takes care."""
    found = [accuracy(votes=votes, t=0.8, f=0.55, at_least=0.5) for votes in VOTES]
    assert found == pytest.approx([0.63, 0.67, 0.67, 0.61], abs=0.01)
    assert found[-1] < found[0]


@pytest.mark.parametrize(("t", "f"), [(0.5, 0.5), (0.9, 0.9), (0.3, 0.6), (0.0, 0.0), (1.0, 1.0)])
def test_a_judge_no_better_than_chance_gets_no_threshold(t: float, f: float):
    with pytest.raises(NoBetterThanChance, match="no better than chance"):
        calibrate(labelled(t=t, f=f, votes=8))


def test_a_slight_difference_in_few_answers_is_chance():
    with pytest.raises(NoBetterThanChance):
        calibrate(labelled(t=0.6, f=0.5, votes=1, answers=40))


@pytest.mark.parametrize("labels", [[], [(1, 1, True)], [(0, 1, False)], [(0, 0, True), (1, 1, False)]])
def test_right_and_wrong_answers_are_needed(labels: list[tuple[int, int, bool]]):
    with pytest.raises(ValueError, match="some of both are needed"):
        calibrate(labels)


def value(seen: Rate) -> float:
    assert seen.value is not None
    assert seen.low <= seen.value <= seen.high
    return seen.value


def test_the_threshold_says_what_it_does_on_the_slice():
    at_least, t, f, right, wrong = calibrate(labelled(t=0.8, f=0.4, votes=9))
    assert (right.n, wrong.n) == (200, 200)
    assert value(wrong) < value(f) < at_least < value(t) < value(right)


def test_many_votes_on_few_answers_are_no_more_answers():
    one, many = (calibrate([(9 * n // 10, n, True), (n // 10, n, False)] * 20) for n in (10, 1000))
    assert one.true_positive == many.true_positive


@given(st.lists(st.tuples(st.integers(0, 9), st.just(9), st.booleans()), min_size=1, max_size=60))
def test_a_threshold_lies_between_the_rates_or_is_refused(labels: list[tuple[int, int, bool]]):
    try:
        found = calibrate(labels)
    except ValueError:
        return
    assert (found.false_positive.value or 0) < found.at_least < (found.true_positive.value or 0)


# Rewards

RATES = st.floats(0, 0.45)


@given(RATES, RATES)
def test_the_backward_correction_is_unbiased(fn: float, fp: float):
    right, wrong = (backward_corrected(each, false_negative=fn, false_positive=fp) for each in (1, 0))
    assert (1 - fn) * right + fn * wrong == pytest.approx(1)
    assert fp * right + (1 - fp) * wrong == pytest.approx(0, abs=1e-9)


@given(RATES, RATES)
def test_the_forward_weight_of_right_answers_is_nothing_and_of_wrong_ones_is_against_them(fn: float, fp: float):
    """Whatever the false positives: only the length of the step depends on them."""
    one, none = (forward_weight(each, false_negative=fn) for each in (1, 0))
    assert (1 - fn) * one + fn * none == pytest.approx(0, abs=1e-9)
    assert fp * one + (1 - fp) * none == pytest.approx(-(1 - fn - fp))


def test_the_rewards_of_a_coin_cannot_be_corrected():
    with pytest.raises(ValueError, match="those of chance"):
        backward_corrected(1.0, false_negative=0.6, false_positive=0.4)
