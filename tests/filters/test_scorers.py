"""The table of scorers: how right is told from wrong within a problem, on real answers and on planted ones."""

import random

import pytest

from benchmarks.scorers import PLANTED, Response, gsm8k, interval, measured, mixed_math, planted, ranked
from filters.answers import wilson
from tests.filters.cases import needs_data


@pytest.mark.parametrize(("k", "n"), [(0, 6), (3, 6), (6, 6), (180, 357)])
def test_the_interval_is_wilsons(k: int, n: int) -> None:
    assert interval(k / n, n) == pytest.approx(wilson(k, n))


def test_every_problem_counts_once() -> None:
    """One problem with many pairs, all right, and one with a single pair, wrong: a half, not nearly one."""
    many = [Response("a" * n, n > 3) for n in range(8)]
    one = [Response("a", True), Response("aa", False)]
    found = ranked([many, one], lambda each: len(each.text))
    assert (found.mean, found.problems, found.words) == (0.5, 2, "cannot tell")


def test_a_scorer_by_chance_tells_nothing_and_a_constant_never_differs() -> None:
    chance = random.Random(1)
    groups = [[Response("", place < 4) for place in range(8)] for _ in range(200)]
    assert ranked(groups, lambda each: chance.random()).words == "cannot tell"
    assert ranked(groups, lambda each: 1.0).words == "cannot tell: never differs"
    assert ranked(groups, lambda each: float(each.right)).words == "right above wrong"
    assert ranked(groups, lambda each: -float(each.right)).words == "wrong above right"


@needs_data
def test_no_surface_tells_right_from_wrong_where_models_differ_by_a_slip() -> None:
    """Of 357 pairs of short solutions; only who chose the solution tells, and that is no property of its text."""
    found = measured(gsm8k())
    assert found["fewer words"].problems == 357
    told = {name for name, each in found.items() if not each.words.startswith("cannot tell")}
    assert told == {"chosen by a verifier"}


@needs_data
def test_of_six_mixed_problems_only_the_reward_tells() -> None:
    found = measured(mixed_math())
    assert found["reward"].problems == 6
    assert {name for name, each in found.items() if each.words == "right above wrong"} == {"reward"}


@needs_data
def test_each_planted_defect_is_seen_by_what_looks_for_it() -> None:
    found = {defect: measured(groups) for defect, groups in planted().items()}
    seen_by = {
        "half the steps shuffled": "coherence",
        "half the steps deleted": "coherence",
        "a failed branch": "fewer failed steps",
        "ends in a loop": "less repetition",
        "cut off in the middle": "coherence",
    }
    assert all(found[defect][scorer].low > 0.8 for defect, scorer in seen_by.items())
    # Changed digits make an answer wrong, and no scorer of structure sees them.
    unseen = PLANTED.keys() - seen_by.keys()
    assert all(found[defect]["coherence"].words != "right above wrong" for defect in unseen)
