"""Text that is close enough: the table, the measures, and what no text may do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.verifiers import fuzzy
from filters.verifiers.outcome import Outcome
from tests.each import each_of
from tests.filters.verifiers.tables.fuzzy import ATP, HITS, MISSES, near

MEASURES = sorted(fuzzy.MEASURES)


def outcome(reference: str, response: str) -> Outcome:
    answer = fuzzy.final_answer(response) or ""
    return fuzzy.check_quickly(reference, answer) or fuzzy.check(reference, answer)


@each_of(HITS)
def test_hits_pass(reference, response):
    found = outcome(reference, response)
    assert found.status == "pass", found
    assert found.score is not None
    assert found.score >= found.evidence["at_least"]


@each_of(MISSES)
def test_near_misses_fail(reference, response):
    found = outcome(reference, response)
    assert found.status == "fail", found
    assert found.score is not None
    assert found.score < found.evidence["at_least"]


def test_the_table_is_as_large_as_promised():
    assert len(HITS) >= 25
    assert len(MISSES) >= 25


@each_of(
    [
        ("Paris", "declare at_least"),
        ('"Paris"', "declare at_least"),
        ("{}", "no text"),
        ('{"text": "Paris"}', "declare at_least"),
        ('{"text": "Paris", "at_least": "0.9"}', "declare at_least"),
        ('{"text": "Paris", "at_least": true}', "declare at_least"),
        ('{"text": "Paris", "at_least": 0}', "declare at_least"),
        ('{"text": "Paris", "at_least": 90}', "declare at_least"),
        ('{"text": "Paris", "at_least": NaN}', "declare at_least"),
        ('{"text": " ", "at_least": 0.9}', "no text"),
        ('{"texts": [], "at_least": 0.9}', "no text"),
        ('{"texts": "Paris", "at_least": 0.9}', "no text"),
        ('{"texts": ["Paris", 5], "at_least": 0.9}', "no text"),
        (
            '{"text": "Paris", "at_least": 0.9, "by": "meaning"}',
            "unknown measure 'meaning'; there are: characters, words",
        ),
    ]
)
def test_what_is_wrong_with_a_reference_is_said_and_never_the_fault_of_the_answer(reference, problem):
    assert problem in (fuzzy.problem_with(reference) or "")
    assert fuzzy.gold(reference) is None
    assert outcome(reference, "Paris").status == outcome(reference, "").status == "unsure"


@each_of(dict.fromkeys(reference for reference, _ in HITS))
def test_the_gold_answer_passes_with_full_marks(reference):
    found = outcome(reference, f"<answer>{fuzzy.gold(reference)}</answer>")
    assert (found.status, found.score) == ("pass", 1)


@each_of(
    [
        ("characters", "abcd", "abxd", 0.75),
        ("characters", "A  b", "a b", 1),
        ("words", "a b c", "c a", 0.8),
        ("words", "a a b", "a b b", 2 / 3),
        ("words_in_order", "a b c", "c a", 0.4),
        ("words_in_order", "a b c d", "a c d", 6 / 7),
    ]
)
def test_measures(by, a, b, similarity):
    assert fuzzy.MEASURES[by](a, b) == pytest.approx(similarity)


@pytest.mark.parametrize("by", MEASURES)
@given(a=st.text(max_size=60), b=st.text(max_size=60))
def test_measures_are_symmetric_shares(by, a, b):
    similarity = fuzzy.MEASURES[by](a, b)
    assert similarity == pytest.approx(fuzzy.MEASURES[by](b, a))
    assert 0 <= similarity <= 1


@pytest.mark.parametrize("by", MEASURES)
@given(before=st.text(max_size=200), after=st.text(max_size=200))
def test_a_long_answer_does_not_pass_by_containing_the_reference(by, before, after):
    """With n times as many words or letters as the reference, no answer is more similar than 2 / (1 + n)."""
    stuffed = f"{before} {ATP} {after} " + "and so on, and on; " * 20
    assert outcome(near(ATP, at_least=0.5, by=by), f"<answer>{stuffed}</answer>").status == "fail"


@given(
    reference=st.text(max_size=80) | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps),
    response=st.text(max_size=80) | st.text(alphabet="<answer>/ \ud800\u0301\u200bé.", max_size=80),
    by=st.sampled_from(MEASURES),
    at_least=st.floats(),
)
def test_nothing_makes_it_raise(reference, response, by, at_least):
    assert outcome(reference, response).status in {"pass", "fail", "unsure"}
    found = outcome(json.dumps({"text": reference, "at_least": at_least, "by": by}), response)
    assert found.status in {"pass", "fail", "unsure"}
    json.dumps(found).encode()


def test_long_texts_are_not_compared_quickly():
    reference = near("word " * 1_000, at_least=0.9)
    assert fuzzy.check_quickly(reference, "word " * 1_000) is None
    assert fuzzy.check(reference, "word " * 1_000).status == "pass"


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("by", MEASURES)
def test_a_megabyte_is_compared_in_seconds(by):
    assert fuzzy.check(near(ATP * 100, at_least=0.9, by=by), "e t\u0301\u0327" * 200_000).status == "fail"
