"""Exact text: the table, what little is forgiven, and what no text may do."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.verifiers import exact
from filters.verifiers.outcome import Outcome
from tests.each import each_of
from tests.filters.verifiers.tables.exact import HITS, MISSES


def outcome(reference: str, response: str) -> Outcome:
    answer = exact.final_answer(response) or ""
    return exact.check_quickly(reference, answer) or exact.check(reference, answer)


def test_the_table_is_as_large_as_promised():
    assert len(HITS) >= 25
    assert len(MISSES) >= 25


@each_of(["", " ", "\n", "\u200b", "\u3164"])
def test_a_blank_reference_is_a_problem_and_not_the_fault_of_the_answer(blank):
    assert exact.problem_with(blank) == "the reference is blank"
    assert exact.gold(blank) is None
    assert outcome(blank, "Paris").status == "unsure"


@given(st.text(max_size=60), st.text(max_size=60))
def test_it_is_equality_of_normal_forms(a, b):
    answers = [" ".join(unicodedata.normalize("NFC", text).split()) for text in (a, b)]
    found = exact.check(a, b)
    assert found == (exact.check_quickly(a, b) or found)
    if exact.problem_with(a) is None:
        assert found.status == ("pass" if answers[0] == answers[1] else "fail")
        assert exact.check(a, a).status == "pass"
        assert exact.check(a, unicodedata.normalize("NFD", exact.gold(a) or "")).status == "pass"


@given(st.text(max_size=80) | st.text(alphabet='<>answer/is: *`"“”\\boxed{}.\nA\ud800', max_size=80))
def test_no_response_makes_it_raise(response):
    answer = exact.final_answer(response)
    assert answer is None or answer.strip()
    assert outcome("Paris", response).status in {"pass", "fail"}


def test_long_runs_of_marks_are_not_sorted_quickly():
    marks = "a" + "\u0301\u0327" * 100_000
    assert outcome(marks, marks).status == "pass"  # equal as they are
    assert exact.check_quickly(marks, marks[::-1]) is None
    assert outcome("a", marks).status == "fail"


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit",
    [
        "<answer>",
        "</answer>",
        "answer:",
        "answer is ",
        "**",
        "`",
        '"',
        "“",
        "\\boxed{",
        "\\text{",
        " \n",
        "answer:\n",
    ],
)
def test_long_responses_are_gone_through_in_linear_time(unit):
    """Seconds at most; a quadratic step over so many characters takes longer than the test's own time limit."""
    for before in ("", "answer: ", "<answer>", "\\boxed{"):
        outcome("Paris", before + unit * (1_000_000 // len(unit)))
