"""Numbers that stand by themselves, and chains that are taken apart again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.chains import chained, resolved, whole
from filters.whole_numbers import by_priority, numbers_in, said_once
from tests.each import each_of

FOUND: dict[str, list[int]] = {
    "He buys 12 pens for $5 each.": [12, 5],
    "It takes 3.5 hours, from 10:30 to 11:45, or 1,000 days.": [],
    "A 7-year-old has 20% of 40 coins.": [7, 20, 40],
    "Between 3-5 and 6 to 9.": [6, 9],
    "Point (3, 4) and room x2, 2x, 3rd, v1.": [],
    "In Step 4 of Problem 2 there are 9 cats.": [9],
    "1. Add 6.\n2. Take 8 away.": [6, 8],
    "(1) Add 6.": [6],
    "Let $a_3 = x^2 + 5$ and $b_{12} = 7^{10}$.": [5, 7],
    "Temperature is -4 or −9, then 0, then 007.": [],  # noqa: RUF001
    "30 boys, 30 girls": [30, 30],
    "": [],
    "9": [9],
    "123456789012345678": [],
}


@each_of(FOUND)
def test_numbers_that_are_part_of_something_else_are_left_out(text: str):
    assert [each.value for each in numbers_in(text)] == FOUND[text]
    assert all(text[each.start : each.stop] == str(each.value) for each in numbers_in(text))


def test_free_numbers_come_before_those_in_functions_and_plain_words_before_formulas():
    text = r"Take $\frac{5}{7}$ of $f(11)$, $13 + x$, 17/x, and 19 pies."
    assert [each.value for each in by_priority(numbers_in(text))] == [19, 13, 17, 5, 7, 11]


def test_a_price_and_another_with_words_between_are_no_formula():
    assert [each.in_math for each in numbers_in("He paid $30 in June and $45 in May, then $5 + 6$.")] == [
        *(False, False, True, True)
    ]


def test_what_a_text_tells_twice_is_left_out():
    text = "There are 6 boys, 6 girls and 60 chairs."
    assert [each.value for each in said_once(numbers_in(text), text)] == [60]


@given(st.text(alphabet="$(){}^_\\ 0123456789.,:/-ax\n", max_size=60))
def test_numbers_are_read_from_any_text(text: str):
    found = numbers_in(text)
    assert all(text[each.start : each.stop] == str(each.value) for each in found)
    assert sorted(found, key=lambda each: each.start) == found


WHOLE = {
    "72": 72,
    "-3": -3,
    "1,200": 1200,
    r"{ 4 }": 4,
    "1,20": None,
    "3.0": None,
    "1/2": None,
    r"\pi": None,
    "": None,
}


@each_of(WHOLE)
def test_only_whole_numbers_are_linked(answer: str):
    assert whole(answer) == WHOLE[answer]
    assert whole(None) is None


@pytest.mark.parametrize(
    ("answer", "said"), [("10", "[answer1] - 3,"), ("7", "[answer1],"), ("-2", "[answer1] + 9,")]
)
def test_a_link_says_the_number_by_the_answer_before(answer: str, said: str):
    question = "Of 7 pies $7 + 1$ are gone?"
    for key in numbers_in(question)[:2]:
        text = chained(["How many?", question], [answer, "1"], [None, key])
        assert f"[variable2] is {said}" in text
        assert resolved(text, {1: answer, 2: "1"}) == {1: "How many?", 2: question}


def test_there_is_no_link_to_what_is_no_whole_number():
    key = numbers_in("Of 7 pies?")[0]
    for questions, answers in ((["a", "Of 7 pies?"], ["1/2", "1"]), (["Of 7 pies?"], ["1"])):
        with pytest.raises(ValueError, match="hangs on"):
            chained(questions, answers, [*[None] * (len(questions) - 1), key])
