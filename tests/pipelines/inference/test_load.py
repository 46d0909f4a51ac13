"""How much an endpoint bears, against endpoints that can be computed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.inference import load
from pipelines.inference.load import ROUND, TOLERATED, Load, Pace

OUTCOMES = ("answered", "too_much", "failed")


def after(most: int, outcomes: list[str]) -> Load:
    borne = Load(most)
    for outcome in outcomes:
        getattr(borne, outcome)()
    return borne


@given(st.integers(1, 300), st.lists(st.sampled_from(OUTCOMES), max_size=600))
def test_it_stays_between_one_and_the_most(most: int, outcomes: list[str]):
    assert 1 <= after(most, outcomes).limit <= most


@given(st.integers(1, 300), st.lists(st.sampled_from(OUTCOMES), max_size=300))
def test_answers_bring_it_back_to_the_most(most: int, outcomes: list[str]):
    borne = after(most, outcomes)
    for _ in range(most * most + 2 * max(ROUND, most)):  # a round that has begun ends first
        borne.answered()
    assert (borne.limit, borne.is_down) == (most, False)


@given(st.integers(ROUND, 300), st.integers(1, 20))
def test_stray_complaints_mean_nothing(most: int, rounds: int):
    few = int(most * TOLERATED)
    assert after(most, (["too_much"] * few + ["answered"] * (most - few)) * rounds).limit == most


def test_a_storm_halves_it_once_a_round():
    assert [after(128, ["too_much"] * told).limit for told in (127, 128, 128 + 63, 128 + 64)] == [128, 1, 1, 1]


def test_a_storm_among_answers_halves_it_at_most():
    storm = ["too_much"] * 127 + ["answered"]
    assert 64 <= after(128, storm).limit <= 66


@pytest.mark.parametrize("bears", [1, 5, 40])
@pytest.mark.parametrize("most", [64, 256])
def test_it_finds_what_an_endpoint_bears(bears: int, most: int):
    """Of those under way the endpoint answers `bears` and turns the others away, in any order."""
    borne, dice = Load(most), random.Random(1)
    seen = []
    for turn in range(600):
        turned_away = max(0, borne.limit - bears)
        outcomes = ["too_much"] * turned_away + ["answered"] * min(borne.limit, bears)
        dice.shuffle(outcomes)
        for outcome in outcomes:
            getattr(borne, outcome)()
        if turn >= 300:
            seen.append(borne.limit)
    assert bears * 0.7 - 1 <= sum(seen) / len(seen) <= bears * 1.3 + 2


def test_what_answers_nobody_is_asked_one_at_a_time_until_it_is_back():
    borne = after(32, ["failed"] * 31)
    assert (borne.limit, borne.is_down) == (32, False)
    borne.failed()
    assert (borne.limit, borne.is_down) == (1, True)
    for _ in range(31):
        borne.answered()
    assert (borne.limit, borne.is_down) == (32, False)


def test_failures_among_answers_say_nothing_about_load():
    assert after(32, (["failed"] * 3 + ["answered"]) * 100).limit == 32


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that is set by hand."""
    now = [1000.0]
    monkeypatch.setattr(load.time, "monotonic", lambda: now[0])
    return now


def test_requests_a_minute_are_spread_evenly(clock: list[float]):
    pace = Pace(120, None)
    went = []
    for _ in range(5):
        clock[0] = max(clock[0], pace.next)
        went.append(clock[0] - 1000)
        pace.took(10)
    assert went == [0, 0.5, 1.0, 1.5, 2.0]


def test_tokens_that_were_not_used_are_given_back(clock: list[float]):
    pace = Pace(None, 6000)
    pace.took(500)
    assert pace.next == 1005
    pace.used(500, 100)
    assert pace.next == 1001


def test_who_was_not_asked_for_long_has_saved_nothing(clock: list[float]):
    pace = Pace(60, None)
    pace.took(1)
    clock[0] += 600
    pace.took(1)
    assert pace.next == clock[0] + 1


def test_without_limits_nothing_waits(clock: list[float]):
    pace = Pace(None, None)
    pace.took(10**9)
    assert pace.next <= clock[0]


def test_each_of_two_rates_holds(clock: list[float]):
    pace = Pace(60, 600_000)
    went = []
    for _ in range(5):
        clock[0] = max(clock[0], pace.next)
        went.append(clock[0] - 1000)
        pace.took(9000)
        pace.used(9000, 10)
    assert went == [0, 1, 2, 3, 4]
