"""The filters work, measured by truth: benchmarks/filters.py on fewer rows."""

from __future__ import annotations

import pytest

from benchmarks.filters import ARMS, Measured, measure

pytestmark = pytest.mark.slow


def arm(recipe: str, *changes: str) -> int:
    """The place in ARMS of a recipe with these changes."""
    return next(i for i, each in enumerate(ARMS) if (each.recipe, *each.changes) == (recipe, *changes))


def test_answer_consistency_takes_out_wrong_authors():
    """The issue's thresholds: below 0.85 before, above 0.97 after."""
    got = measure(ARMS[arm("cot-self-instruct")], 400)
    assert got.candidates == 400
    assert 0.6 < got.before < 0.85
    assert got.after > 0.97
    assert got.accepted > 0.5 * got.screened  # it is no filter that lets nothing through
    assert kept_of_the_good(got) > 0.8


def test_without_the_filter_wrong_authors_stay():
    got = measure(ARMS[arm("cot-self-instruct", "filter=false")], 150)
    assert got.accepted == got.screened
    assert got.after == got.before < 0.85


def test_rip_takes_out_defective_instructions():
    got = measure(ARMS[arm("cot-self-instruct-chat")], 150)
    assert got.before < 0.92
    assert got.after > got.before + 0.05
    assert got.after > 0.97
    assert got.accepted == pytest.approx(got.screened / 2, abs=1)  # its quantile is a half


def kept_of_the_good(got: Measured) -> float:
    return got.after * got.accepted / (got.before * got.screened)
