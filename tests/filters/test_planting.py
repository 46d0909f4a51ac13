"""Copies made by rules."""

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.planting import SYNONYMS, edited, embedded, paraphrased, renamed, renumbered, verbatim

TEXT = "On Monday Ann buys 12 eggs, and Ben finds 3 more. Then Ann gives Ben 150 cents. How many eggs does Ann have?"
PLANTINGS = [verbatim, renumbered, renamed, paraphrased, edited, embedded(["Before it.", "After it."])]


@given(st.text(), st.integers())
@pytest.mark.parametrize("planting", PLANTINGS)
def test_any_text_can_be_planted_and_the_same_chance_plants_the_same(planting, text: str, seed: int):
    assert planting(text, Random(seed)) == planting(text, Random(seed))


@given(st.integers())
def test_every_number_is_another_of_as_many_digits(seed: int):
    before, after = (re.findall(r"\d+", text) for text in (TEXT, renumbered(TEXT, Random(seed))))
    assert all(a != b and len(a) == len(b) for a, b in zip(before, after, strict=True))
    assert re.sub(r"\d+", "", renumbered(TEXT, Random(seed))) == re.sub(r"\d+", "", TEXT)


@given(st.integers())
def test_a_name_is_another_everywhere_and_days_stay(seed: int):
    text = renamed(TEXT, Random(seed))
    names = re.findall(r"\b[A-Z][a-z]+\b", text)
    assert names[:2] == ["On", "Monday"]
    assert names[2] == names[5] == names[-1] != "Ann"
    assert names[3] == names[6] != "Ben"


@given(st.integers())
def test_a_paraphrase_keeps_numbers_and_changes_words(seed: int):
    text = paraphrased(TEXT, Random(seed))
    assert sorted(re.findall(r"\d+", text)) == sorted(re.findall(r"\d+", TEXT))


@given(st.integers())
def test_an_edit_is_small(seed: int):
    before, after = TEXT.split(), edited(TEXT, Random(seed)).split()
    assert abs(len(before) - len(after)) <= 5
    assert edited(TEXT, Random(seed)) != TEXT


def test_an_embedded_text_stands_between_others():
    assert embedded(["x"])(TEXT, Random(1)) == f"x\n\nx\n\n{TEXT}\n\nx\n\nx"


def test_no_word_is_its_own_synonym():
    assert all(word not in others and word.isalpha() for word, others in SYNONYMS.items())
