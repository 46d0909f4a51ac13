"""Options in other places: all of them move, nothing else does, and no letter of the reasoning stays unnoticed."""

from __future__ import annotations

from itertools import product
from string import ascii_uppercase

from hypothesis import given
from hypothesis import strategies as st

from filters.verifiers.choice import options_in
from filters.verifiers.shuffling import chosen, key_of, moves, shuffled, speaks_of_places, trace
from tests.each import each_of

CITIES = {"A": "Paris", "B": "Rome", "C": "Oslo", "D": "Bern"}

QUESTIONS = [
    "Which is the capital of Italy?\n(A) Paris (B) Rome (C) Oslo (D) Bern",
    "Which is the capital of Italy?\nA) Paris\nB) Rome\nC) Oslo\nD) Bern",
    "Which is the capital of Italy?\n\nA. Paris\nB. Rome\nC. Oslo\nD. Bern\n\nAnswer with one letter.",
    "Rome or Bern? A. Paris  B. Rome  C. Oslo  D. Bern",
    "Which?\n(A) 1 (B) 11 (C) 111 (D) 1111",
    "Find x.\n\\textbf{(A)}\\ 12 \\qquad \\textbf{(B)}\\ 13 \\qquad \\textbf{(C)}\\ 14",
    "What does 2 + 2 make?\n(A) 2 + 2\n(B) 5\n(C) $\\frac{8}{2}$\n(D) the  square\nof two",
    "**A.** red\n**B.** green\n**C.** blue",
    "Ann said: (A) Paris! Is she right?\n(A) Paris\n(B) Rome\n(C) Oslo",
]


@given(st.integers(2, 26), st.text(max_size=8))
def test_every_option_moves(n: int, seed: str):
    letters = ascii_uppercase[:n]
    moved = moves(letters, seed=seed)
    assert list(moved) == list(letters)
    assert sorted(moved.values()) == list(letters)
    assert all(old != new for old, new in moved.items())
    assert moved == moves(letters, seed=seed)


def test_the_key_moves_to_each_other_place_about_as_often():
    places = [moves("ABCD", seed=str(k))["B"] for k in range(900)]
    assert all(250 < places.count(letter) < 350 for letter in "ACD")


@each_of(product(QUESTIONS, "xyz"))
def test_a_question_keeps_everything_but_the_places_of_its_options(question: str, seed: str):
    options = options_in(question)
    assert len(options) >= 3
    moved = moves("".join(options), seed=seed)
    new = shuffled(question, options, moved)
    assert new is not None
    now = options_in(new)
    assert {old: now[new] for old, new in moved.items()} == options
    assert sorted(" ".join(new.split())) == sorted(" ".join(question.split()))
    back = shuffled(new, now, {new: old for old, new in moved.items()})
    assert " ".join(str(back).split()) == " ".join(question.split())


def test_options_that_are_not_there_cannot_be_moved():
    assert shuffled("Which?", CITIES, moves("ABCD", seed="")) is None
    assert shuffled("(A) Paris (B) Rome", CITIES, moves("ABCD", seed="")) is None


@each_of(
    [
        "None of the above",
        "all the options above",
        "Both A and B",
        "neither (A) nor (C)",
        "A and C",
        "option B is wrong",
    ]
)
def test_options_that_mean_others_by_their_place_are_noticed(content: str):
    assert speaks_of_places({**CITIES, "D": content})


@each_of(["Paris", "A dog", "x + 1", "I and II", "vitamin A", "all of these", "B flat"])
def test_other_options_are_not(content: str):
    assert not speaks_of_places({**CITIES, "D": content})


# The reasoning

TRACES = {
    # the conclusion goes
    "Italy is governed from Rome. The answer is (B).": "Italy is governed from Rome.",
    "Italy is governed from Rome.\n\nAnswer: B": "Italy is governed from Rome.",
    "It is Rome.\n\\boxed{B}": "It is Rome.",
    "It is Rome.\n\nThe correct choice is $\\boxed{\\text{B}}$, as I said.": "It is Rome.",
    "It is Rome.\nB": "It is Rome.",
    "It is Rome.\n\n**(B)**\n": "It is Rome.",
    "The answer is B. I check it. Rome, yes. The answer is B.": 'The answer is "Rome". I check it. Rome, yes.',
    # letters become what the options say
    "Paris is in France, so (B). Right?": 'Paris is in France, so "Rome". Right?',
    "(A) Paris is in France. It is Rome.": "Paris is in France. It is Rome.",
    "A. Paris: no. B. Rome: yes. Fine": "Paris: no. Rome: yes. Fine",
    "Option A is out; choice C too.": 'Option "Paris" is out; choice "Oslo" too.',
    "It is neither, so B. Done": 'It is neither, so "Rome". Done',
    "Hence, **B**. Done": 'Hence, **"Rome"**. Done',
    # and what is none stays
    "A city is a place (e.g. Rome).": "A city is a place (e.g. Rome).",
    "P(A) = 1/2 by symmetry.": "P(A) = 1/2 by symmetry.",
}


@each_of(TRACES)
def test_a_trace_loses_its_conclusion_and_its_letters(text: str):
    assert trace(text, CITIES).text == TRACES[text]


@each_of(
    [
        ("It is Rome by all accounts.", []),
        ("so (B) it is", []),
        ("A city is a place.", []),
        ("I rule out B and C at once.", ["B", "C"]),
        ("Let D be the midpoint.", ["D"]),
        ("It must be B or so.", ["B"]),
    ]
)
def test_letters_that_may_be_options_are_told(text: str, left: list[str]):
    assert trace(text, CITIES).left == left


@each_of(["", "B", "The answer is B.", "\\boxed{B}", "(B)\n\n"])
def test_an_answer_alone_has_no_reasoning(text: str):
    assert trace(text, CITIES).text in ("", "The")


@given(st.text(max_size=300), st.dictionaries(st.sampled_from("ABCDE"), st.text(min_size=1, max_size=20), min_size=2))
def test_any_reasoning_about_any_options_is_read(text: str, options: dict[str, str]):
    found = trace(text, options)
    assert set(found.left) <= set(options)
    moved = moves("".join(sorted(options)), seed=text)
    new = shuffled(text, options, moved)
    assert new is None or isinstance(new, str)


# What was chosen


@each_of([("B", "B"), ("(b)", "B"), ("B. Rome", "B"), ("Rome", "B"), ("rome", "B"), ("Lima", None), ("A or B", None)])
def test_an_option_is_chosen_by_letter_or_content(answer: str, letter: str | None):
    assert chosen(answer, CITIES) == letter


def test_nothing_chosen_is_no_option():
    assert chosen(None, CITIES) is None
    assert chosen("B", {}) is None


def test_the_key_is_one_of_the_options():
    assert key_of("B", CITIES) == "B"
    assert key_of('{"key": "B", "options": ["Paris", "Rome"]}', CITIES) == "B"
    assert key_of("E", CITIES) is None
    assert key_of(None, CITIES) is None
