"""Finding and checking what was picked in multiple-choice questions."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.verifiers import choice
from tests.each import each_of
from tests.filters.verifiers.tables.choice import CITIES

FOUND = [
    (r"\boxed{B}", "B"),
    (r"\boxed{\text{(C)}}", "C"),
    (r"\boxed{b}", "B"),
    ("The answer is (B).", "B"),
    ("First I thought the answer is A. The final answer is **C**", "C"),
    ("The correct option is: D) Paris", "D) Paris"),
    ("Answer: (B) A whale", "(B) A whale"),
    ("Because it floats.\nB.", "B"),
    ("Because it floats.\n**B) A whale**", "B) A whale"),
    ("The answer is Paris.", "Paris"),
    (r"\boxed{A, B}", "A, B"),
    ("The answer is A or B.", "A or B"),
]
NOT_FOUND = ["", r"\boxed{}", "A whale floats in the sea.", "(A) (B) (C) (D)", r"\boxed{" + "B " * 2_000 + "}"]

# References that cannot be used, and a word of the reason.
UNUSABLE = [
    ("", "no option"),
    ("A and B", "several"),
    ('{"key": "B"', "no JSON"),
    ('{"answer": "B"}', "key"),
    ('{"key": "B"}', "options"),
    ('{"key": "B", "options": ["12"]}', "options"),
    ('{"key": "C", "options": ["12", "13"]}', "none of the options"),
    ('{"key": 2, "options": ["12", "13"]}', "none of the options"),
    ('{"key": "A", "options": ["12", " "]}', "blank"),
    ('{"key": "A", "options": ["12", "12.0", "13"]}', "A and B have the same content"),
    ('{"key": "A", "options": ["Paris", "paris", "Lyon"]}', "A and B have the same content"),
    ('{"key": "A", "options": {"A": "1", "(a)": "2"}}', "same label"),
]

# A question, the labels and the contents of its options.
QUESTIONS = [
    ("What floats?\n(A) A stone\n(B) A whale\n(C) A nail", "ABC", ["A stone", "A whale", "A nail"]),
    (
        "What is $6+6$? (A) $11$ (B) $12$ (C) $13$ (D) None of these",
        "ABCD",
        ["$11$", "$12$", "$13$", "None of these"],
    ),
    ("What floats?\nA. A stone\nB. A whale\nC. A nail", "ABC", ["A stone", "A whale", "A nail"]),
    ("What floats?\n\nA) A stone\nB) A whale\n\nPut your answer in a box.", "AB", ["A stone", "A whale"]),
    ("What floats? A) A stone, B) A whale, C) A nail", "ABC", ["A stone", "A whale", "A nail"]),
    (
        r"What is $6+6$? $\textbf{(A)}\ 11 \qquad \textbf{(B)}\ 12 \qquad \textbf{(C)}\ 13$",
        "ABC",
        ["11", "12", "13"],
    ),
    ("Which is right? (1) I (2) II (3) both", "123", ["I", "II", "both"]),
    ("Which is right?\n1) I\n2) II", "12", ["I", "II"]),
    ("Let (A) and (B) be sets. Which holds?\n(A) x\n(B) y\n(C) z", "ABC", ["x", "y", "z"]),
    ("**A.** does not matter. What is 1 + 1?", "", []),
    ("What is the area of triangle ABC with (B) on AC?", "", []),
    ("", "", []),
]


@each_of(FOUND)
def test_what_was_picked_is_found(response, answer):
    assert choice.final_answer(response) == answer


@each_of(NOT_FOUND)
def test_nothing_picked_is_none(response):
    assert choice.final_answer(response) is None


@each_of(UNUSABLE)
def test_what_is_wrong_with_a_reference_is_said(reference, reason):
    assert reason in choice.problem_with(reference)
    assert choice.gold(reference) is None
    assert choice.check(reference, "A").status == "unsure"


def test_options_in_another_order_have_another_key():
    options = json.loads(CITIES)["options"]
    for seed in range(24):
        moved = choice.shuffled(options, seed=seed)
        assert moved.keys() == options.keys()
        assert sorted(moved.values()) == sorted(options.values())
        key = next(label for label, content in moved.items() if content == "Paris")
        reference = json.dumps({"key": key, "options": moved})
        picked = [label for label in moved if choice.check(reference, label).status == "pass"]
        assert picked == [key]
        assert choice.check(reference, "Paris").status == "pass"


@each_of(QUESTIONS)
def test_options_are_read_from_a_question(question, labels, contents):
    assert list(choice.options_in(question).items()) == list(zip(labels, contents, strict=True))


@each_of(["B", "b", "(B)", "B.", r"\text{(B)}", "**B**", "B) Paris"])
def test_decoration_does_not_count_between_answers(answer):
    assert choice.same_quickly("B", answer) is True
    assert choice.same("(C)", answer) is False


@pytest.mark.parametrize("answer", ["12", "Paris", "A, B"])
def test_what_is_no_letter_cannot_be_told_from_one(answer):
    assert choice.same("B", answer) is None
    assert choice.same(answer, answer) is True


texts = st.one_of(
    st.text(max_size=60), st.lists(st.sampled_from([*'ABC(). ,1{}"', "or ", "answer is ", "\\"])).map("".join)
)


@given(texts, texts)
@settings(max_examples=300, deadline=None)
def test_nothing_raises(reference, answer):
    said = choice.check_quickly(reference, answer)
    assert said is None or said.status in ("pass", "fail", "unsure")
    assert choice.check_quickly(CITIES, answer) == choice.check_quickly(CITIES, answer)
    assert choice.same_quickly(reference, answer) is choice.same_quickly(answer, reference)
    choice.final_answer(answer)
    choice.options_in(answer)
    assert (choice.problem_with(reference) is None) is (choice.gold(reference) is not None)


@each_of(
    [
        "answer is ",
        "(A) ",
        "A",
        "**",
        "option ",
        "A. ",
        "\\",
        r"\boxed{",
        " ",
        "or ",
        "(1) ",
        "C is correct ",
        "A   ",
        "A)   and",
        "answer\n",
    ]
)
def test_linear_time_on_hostile_text(piece):
    text = piece * (100_000 // len(piece))
    started = time.process_time()
    choice.final_answer(text)
    choice.options_in(text)
    for answer in (text, text[:999], "A) " + text[:990], text[:990] + " (B)"):
        choice.check_quickly("B", answer)
        choice.check_quickly(CITIES, answer)
    assert time.process_time() - started < 2
