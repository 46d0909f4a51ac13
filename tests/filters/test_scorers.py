"""The table of scorers: how right is told from wrong within a problem, on real answers and on planted ones."""

import random

import pytest

from benchmarks.scorers import PLANTED, Response, gsm8k, interval, math_samples, measured, mixed, planted, ranked
from filters.answers import wilson
from tests.filters.cases import DATA, needs_data


@pytest.mark.parametrize(("k", "n"), [(0, 6), (3, 6), (6, 6), (180, 357)])
def test_the_interval_is_wilsons(k: int, n: int) -> None:
    assert interval(k / n, n) == pytest.approx(wilson(k, n))


def test_every_problem_counts_once() -> None:
    """One problem with many pairs, all right, and one with a single pair, wrong: a half, not nearly one."""
    many = [Response("a" * n, n > 3) for n in range(8)]
    one = [Response("a", True), Response("aa", False)]
    found = ranked([many, one], lambda group: [len(each.text) for each in group])
    assert (found.mean, found.decided, found.words) == (0.5, 2, "cannot tell")


def test_a_scorer_by_chance_tells_nothing_and_a_constant_never_differs() -> None:
    chance = random.Random(1)
    groups = [[Response("", place < 4) for place in range(8)] for _ in range(200)]
    assert ranked(groups, lambda group: [chance.random() for _ in group]).words == "cannot tell"
    assert ranked(groups, lambda group: [1.0 for _ in group]).words == "cannot tell: never differs"
    assert ranked(groups, lambda group: [float(each.right) for each in group]).words == "right above wrong"
    assert ranked(groups, lambda group: [-float(each.right) for each in group]).words == "wrong above right"


def test_pairs_that_are_tied_are_left_out_and_counted() -> None:
    tied, untied = [Response("a", True), Response("b", False)], [Response("aa", True), Response("b", False)]
    found = ranked([tied, untied], lambda group: [len(each.text) for each in group])
    assert (found.mean, found.decided, found.tied) == (1.0, 1, 0.5)
    unscored = ranked([untied], lambda group: [None, 1.0])
    assert (unscored.decided, unscored.words) == (0, "cannot tell: never differs")


@needs_data
def test_no_surface_tells_right_from_wrong_where_models_differ_by_a_slip() -> None:
    """Of 357 pairs of short solutions; who chose the solution tells, and that is no property of its text.

    Strategies and repetition seem to tell something of the few pairs that they do not hold for equal.
    """
    found = measured(gsm8k(DATA))
    assert found["chosen by a verifier"].decided == 357
    assert found["chosen by a verifier"].words == "right above wrong"
    assert found["fewer words"].words == found["coherence"].words == "cannot tell"
    assert found["fewer failed steps"].words == "cannot tell: never differs"


@needs_data
def test_of_six_mixed_problems_only_the_reward_tells() -> None:
    found = measured(mixed(math_samples(DATA)))
    assert found["reward"].decided == 6
    assert {name for name, each in found.items() if each.words == "right above wrong"} == {"reward"}


@pytest.mark.slow
@needs_data
def test_each_planted_defect_is_seen_by_what_looks_for_it() -> None:
    found = {defect: measured(groups) for defect, groups in planted(math_samples(DATA)).items()}
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
