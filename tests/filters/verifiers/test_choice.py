"""Finding and comparing the letters of multiple-choice questions."""

import pytest

from filters.verifiers import choice

FOUND = [
    (r"\boxed{B}", "B"),
    (r"\boxed{\text{(C)}}", "C"),
    (r"\boxed{\textbf{(D)}\ 12}", "D"),
    (r"\boxed{b}", "B"),
    ("The answer is (B).", "B"),
    ("First I thought the answer is A. The final answer is **C**", "C"),
    ("The correct option is: D) Paris", "D"),
    ("Answer: (B) A whale", "B"),
    ("Because it floats.\nB.", "B"),
    ("Because it floats.\n**B) A whale**", "B"),
]
NOT_FOUND = [
    "",
    r"\boxed{}",
    r"\boxed{5}",
    r"\boxed{A, B}",
    "The answer is A or B.",
    "The answer is (A) and C.",
    "The answer is unclear.",
    "A whale floats in the sea.",
    "(A) (B) (C) (D)",
]


@pytest.mark.parametrize(("response", "letter"), FOUND)
def test_the_letter_is_found(response, letter):
    assert choice.final_answer(response) == letter


@pytest.mark.parametrize("response", NOT_FOUND)
def test_no_letter_or_several_are_none(response):
    assert choice.final_answer(response) is None


@pytest.mark.parametrize("answer", ["B", "b", "(B)", "B.", r"\text{(B)}", "**B**", "B) Paris"])
def test_decoration_does_not_count(answer):
    assert choice.same_quickly("B", answer) is True
    assert choice.same("(C)", answer) is False


@pytest.mark.parametrize("answer", ["12", "Paris", "A, B"])
def test_what_is_no_letter_cannot_be_told(answer):
    assert choice.same("B", answer) is None
