"""The estimate: its intervals hold, in simulated runs, as often as it says; and they say something."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.estimate import Interval, Pilot, Plan, Speed, estimate, pilot_of
from pipelines.records import Attempt, Turn, attempt, problem
from tests.each import each_of

# --- Runs that are known to the last draw ---------------------------------------------------------------------

LENGTHS = {"equal": 0.0, "usual": 0.8, "heavy": 1.3}  # sigma of the logarithm of an answer's length
LONGEST = 32_768  # tokens: max_tokens


class Draws(NamedTuple):
    accepted: np.ndarray
    costs: np.ndarray  # (draws, 1, 3)


def drawn(rate: float, sigma: float, number: int, rng: np.random.Generator) -> Draws:
    """Draws of a line that poses, sifts, and solves eight times; long solutions are wrong more often."""
    passed = rng.random(number) < np.sqrt(rate)
    hardness = rng.normal(size=number)
    posing = np.exp(6 + sigma * (0.6 * hardness + 0.8 * rng.normal(size=number)))
    solving = np.exp(7.5 + 0.7 * sigma * (hardness[:, None] + rng.normal(size=(number, 8)))).clip(max=LONGEST)
    luck = rng.normal(size=number) * np.sqrt(1 - 0.7**2) - 0.7 * hardness
    accepted = passed & (luck < NormalDist().inv_cdf(np.sqrt(rate)))
    asked = 400 + 8 * passed * 300 * np.exp(0.1 * hardness)
    costs = np.stack([1 + 8.0 * passed, asked, posing + passed * solving.sum(1)], axis=1)
    return Draws(accepted, costs[:, None])


def outcome(draws: Draws, wanted: int, candidates: int) -> dict[str, float]:
    """What a run over these draws takes."""
    reached = np.cumsum(draws.accepted)
    end = min(int(np.searchsorted(reached, wanted)) + 1, candidates)
    requests, asked, answered = draws.costs[:end, 0].sum(0)
    return {
        "draws": end,
        "accepted": reached[end - 1],
        "requests": requests,
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "money": (asked + 4 * answered) / 1e6,
    }


class Trial(NamedTuple):
    held: dict[str, bool]
    width: float  # of the money: high over low


def trials(rate: float, sigma: float, pilot: int, *, wanted: int, candidates: int, times: int) -> Iterator[Trial]:
    """Simulated runs, each estimated from its own first draws."""
    plan = Plan(wanted, candidates, prices={"teacher": {"input": 1.0, "output": 4.0}})
    for number in range(times):
        rng = np.random.default_rng([number, pilot, int(1000 * rate), int(10 * sigma)])
        draws = drawn(rate, sigma, min(candidates, int(2 * wanted / rate) + 200), rng)
        first = Pilot(("teacher",), draws.accepted[:pilot], draws.costs[:pilot])
        told = estimate(first, plan, seed=number, simulated=400)
        intervals = {"draws": told.draws, "accepted": told.accepted, **told.total._asdict()}
        truth = outcome(draws, wanted, candidates)
        held = {name: each.low <= truth[name] <= each.high for name, each in intervals.items()}
        yield Trial(held, told.total.money.high / told.total.money.low)


def coverage(
    rate: float, sigma: float, pilot: int, *, times: int, wanted: int = 500
) -> tuple[dict[str, float], float]:
    """How often each interval holds, and how wide that of the money usually is."""
    tried = list(trials(rate, sigma, pilot, wanted=wanted, candidates=100_000, times=times))
    held = {name: sum(each.held[name] for each in tried) / times for name in tried[0].held}
    return held, float(np.median([each.width for each in tried]))


@each_of([(0.3, "usual", 20), (0.95, "equal", 10)])
def test_an_interval_holds_in_at_least_75_of_100_runs(rate: float, lengths: str, pilot: int):
    held, _ = coverage(rate, LENGTHS[lengths], pilot, times=100, wanted=150)
    assert min(held.values()) >= 0.75, held


RATES, PILOTS = (0.05, 0.15, 0.3, 0.5, 0.8, 0.95), (10, 20, 50)


@pytest.mark.slow
@pytest.mark.parametrize("lengths", LENGTHS)
def test_intervals_hold_whatever_is_accepted_and_however_long_answers_are(lengths: str):
    told = {
        (rate, pilot): coverage(rate, LENGTHS[lengths], pilot, times=100) for rate, pilot in product(RATES, PILOTS)
    }
    for (rate, pilot), (held, width) in told.items():
        shown = ", ".join(f"{name} {share:.0%}" for name, share in held.items())
        print(f"{lengths}, rate {rate}, pilot {pilot}: {shown}; money high / low {width:.1f}")
    assert min(min(held.values()) for held, _ in told.values()) >= 0.75
    assert all(width < 4 for (rate, pilot), (_, width) in told.items() if rate * pilot >= 4.5)


# --- What is known is not guessed -----------------------------------------------------------------------------

rate_of = {"teacher": {"input": 1.0, "output": 4.0}}


def pilot(*, accepted: int, draws: int, tokens: float = 100.0) -> Pilot:
    """Draws that all cost the same, of which the first are accepted."""
    return Pilot(("teacher",), np.arange(draws) < accepted, np.full((draws, 1, 3), [2.0, tokens, tokens]))


def test_a_target_that_the_pilot_reached_is_known():
    told = estimate(pilot(accepted=6, draws=10), Plan(accepted=4, prices=rate_of))
    assert set(told.draws) == {4}
    assert set(told.accepted) == {4}
    assert set(told.total.requests) == {20}  # of the pilot, which is paid for
    assert told.chance == 1


def test_whole_shards_are_begun_and_what_lies_in_the_window_may_be():
    told = estimate(pilot(accepted=6, draws=10), Plan(accepted=4, shard=16, window=64))
    assert told.total.requests.low == 2 * 16
    assert told.total.requests.high == 2 * (2 * 4 + 16)  # no more is begun than half of all accepted would take


def test_the_cap_on_candidates_ends_a_run():
    told = estimate(pilot(accepted=1, draws=10), Plan(accepted=1_000, candidates=50))
    assert set(told.draws) == {50}
    assert told.accepted.high < 50
    assert told.chance == told.within_candidates == 0
    assert told.total.requests.high == 100


def test_without_a_target_all_candidates_are_made():
    told = estimate(pilot(accepted=5, draws=10), Plan(candidates=200))
    assert set(told.draws) == {200}
    assert 40 < told.accepted.low < 100 < told.accepted.high < 160
    assert told.chance == 1


def test_a_pilot_that_accepted_nothing_promises_little_and_not_nothing():
    told = estimate(pilot(accepted=0, draws=20), Plan(accepted=100, candidates=2_000))
    assert told.draws.low < 1_500
    assert told.draws.high == 2_000
    assert 0.05 < told.chance < 0.5


def test_a_budget_leaves_a_chance_or_none():
    plan = Plan(accepted=100, prices=rate_of)
    first = pilot(accepted=5, draws=10, tokens=1_000)
    money = estimate(first, plan).total.money
    chances = [estimate(first, plan._replace(budget={"money": each})).chance for each in money]
    assert chances == sorted(chances)
    assert 0.02 < chances[0] < 0.1
    assert 0.4 < chances[1] < 0.6
    assert 0.9 < chances[2] < 0.98
    assert estimate(first, plan._replace(budget={"tokens": 1_000})).within_budget == 0


@given(accepted=st.integers(0, 12), more=st.integers(0, 8), wanted=st.integers(1, 500), cap=st.integers(20, 5_000))
def test_an_estimate_is_in_order_and_the_same_each_time(accepted: int, more: int, wanted: int, cap: int):
    first, plan = pilot(accepted=accepted, draws=accepted + more + 1), Plan(wanted, cap, 8, 64, rate_of)
    told = estimate(first, plan, simulated=100)
    assert told == estimate(first, plan, simulated=100)
    for each in (told.draws, told.accepted, *told.total):
        assert 0 <= each.low <= each.middle <= each.high
    assert told.draws.high <= max(cap, accepted + more + 1)
    assert 0 <= told.chance <= min(told.within_candidates, told.within_budget) <= 1


def test_time_lies_between_what_places_allow_and_what_the_pilot_took():
    plan = Plan(accepted=55, candidates=110, places={"teacher": 4})
    speed = Speed(seconds=20.0, requests=20, latency={"teacher": 2.0})
    hours = estimate(pilot(accepted=10, draws=20), plan, speed=speed).hours
    assert hours is not None
    left = estimate(pilot(accepted=10, draws=20), plan).total.requests
    assert hours.low == pytest.approx((left.low - 40) * 2 / 4 / 3600)
    assert hours.high == pytest.approx((left.high - 40) * 1 / 3600)


@each_of([None, Speed(0.1, 0, {})])
def test_a_pilot_that_sent_nothing_tells_no_time(speed: Speed | None):
    assert estimate(pilot(accepted=5, draws=10), Plan(20), speed=speed).hours is None


def test_no_pilot_is_an_error():
    with pytest.raises(ValueError, match="--rows"):
        estimate(pilot(accepted=0, draws=0), Plan(1))


# --- From facts -----------------------------------------------------------------------------------------------


def asked(
    draw: int, role: str, request: str, *, tokens: int | None = 10, sample: int = 0, messages: int = 1
) -> Attempt:
    of = problem(parents=[], stage="draw@1", draw=draw, kind="pose", question=f"question {draw}")
    return attempt(
        of=of,
        stage="pose@1",
        sample=sample,
        role=role,
        model="m",
        revision=None,
        prompt="p",
        sampling="{}",
        seed=0,
        request=request,
        turns=[Turn("assistant", "x")] * messages,
        finish="stop",
        prompt_tokens=tokens,
        completion_tokens=tokens and 2 * tokens,
    )


def test_costs_are_counted_by_draw_and_role_and_a_request_of_several_samples_once():  # and each message of an episode
    attempts = [
        asked(0, "teacher", "a"),
        asked(0, "judge", "b", sample=0),
        asked(0, "judge", "b", sample=1),
        asked(2, "teacher", "c", tokens=None, messages=3),
    ]
    told = pilot_of(attempts, draws=3, accepted={2}, roles=["teacher", "judge"])
    assert told.accepted.tolist() == [False, False, True]
    assert told.costs.tolist() == [
        [[1, 10, 20], [1, 20, 40]],
        [[0, 0, 0], [0, 0, 0]],
        [[3, 0, 0], [0, 0, 0]],
    ]


def test_an_interval_without_end_says_so():
    told = estimate(pilot(accepted=0, draws=2), Plan(accepted=10**12))
    assert told.draws == Interval(told.draws.low, told.draws.middle, float("inf"))
