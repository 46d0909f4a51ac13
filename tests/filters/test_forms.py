"""One item in two forms: what becomes open, what becomes a choice, and that both are the same item."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.forms import Form, choice_form, decidable, decidable_compares, distractors_of, open_form, quickly
from filters.verifiers import VERIFIERS, choice
from tests.each import each_of
from tests.filters.cases import needs_data, rows

ITEM = "item-1"
CAPITAL = "What is the capital of France?"
AREA = "A square has a side of 3. What is its area?"

# A question with options, its reference, and the open form: question, answer and verifier.
OPEN = {
    "on lines": (f"{CAPITAL}\n(A) Lyon\n(B) Paris\n(C) Nice", "B", (CAPITAL, "Paris", "exact")),
    "in a row": (f"{CAPITAL} A. Lyon B. Paris C. Nice", "B", (CAPITAL, "Paris", "exact")),
    "in small letters": (f"{CAPITAL}\na) Lyon\nb) Paris", "B", (CAPITAL, "Paris", "exact")),
    "in LaTeX": (
        AREA + r" $\textbf{(A)}\ 6 \qquad \textbf{(B)}\ 9 \qquad \textbf{(C)}\ 12$",
        "B",
        (AREA, "9", "math"),
    ),
    "in bold": (f"{AREA}\n\n**A.** 6\n**B.** 9", "B", (AREA, "9", "math")),
    "under a heading": (f"{AREA}\n\nOptions:\nA) 6\nB) 9", "B", (AREA, "9", "math")),
    "after a formula": ("What is half of $x$?\n(A) $x/2$\n(B) $x/3$", "A", ("What is half of $x$?", "$x/2$", "math")),
    "words behind": (f"{AREA}\n(A) 6\n(B) 9\n\nThink first.", "B", (f"{AREA}\n\nThink first.", "9", "math")),
    "commands": (AREA + r" (A) \frac{1}{2} (B) \sqrt{3} (C) 2", "B", (AREA, r"\sqrt{3}", "math")),
    "with a unit": (f"{AREA}\n(A) 6 cm\n(B) 9 cm", "B", (AREA, "9 cm", "math")),
    "an earlier list": (
        "Let (A) and (B) be sets of 2 and 3. How many pairs are there?\n(A) 5\n(B) 6",
        "B",
        ("Let (A) and (B) be sets of 2 and 3. How many pairs are there?", "6", "math"),
    ),
    "a reference with its options": (
        f"{CAPITAL}\n(A) Lyon\n(B) Paris",
        '{"key": "B", "options": ["Lyon", "Paris"]}',
        (CAPITAL, "Paris", "exact"),
    ),
    "another option that is about the others": (f"{AREA}\n(A) 6\n(B) 9\n(C) None of these", "B", (AREA, "9", "math")),
}


@each_of(OPEN)
def test_a_choice_becomes_open(name: str) -> None:
    question, reference, expected = OPEN[name]
    assert open_form(question, reference, id=ITEM) == Form(ITEM, "open", *expected)


TWO = "\n(A) Lyon\n(B) Paris"

CLOSED = {
    "of the following": [f"Which of the following is a capital?{TWO}", f"Which of these is a city?{TWO}"],
    "which following": [f"Which one following word fits?{TWO}", f"The following statements are about a city.{TWO}"],
    "best": [
        f"Which word best describes it?{TWO}",
        f"What is the most likely place?{TWO}",
        f"What could be true?{TWO}",
    ],
    "nearest": [f"The value is closest to{TWO}"],
    "negated": [f"All are cities EXCEPT{TWO}", f"Which is NOT a capital?{TWO}", f"Which statement is true?{TWO}"],
    "letters": [f"Is it option A or B?{TWO}", f"{CAPITAL} Answer with the letter.{TWO}"],
    "about the options": [
        *(f"{CAPITAL}\n(A) Lyon\n(B) {said}" for said in ("None of the above", "all of these", "Both A and C")),
        *(f"{CAPITAL}\n(A) Lyon\n(B) {said}" for said in ("neither", "either of them", "A or C", "one of the above")),
    ],
    "too long": [f"{CAPITAL}\n(A) Lyon\n(B) It is the city on the Seine where I was born"],
    "no options": [CAPITAL, "", f"{CAPITAL} (B)"],
    "no question": ["(A) Lyon\n(B) Paris", "?\n(A) Lyon\n(B) Paris"],
}


@each_of([question for questions in CLOSED.values() for question in questions])
def test_what_makes_no_sense_without_options_has_no_open_form(question: str) -> None:
    assert open_form(question, "B", id=ITEM) is None


@each_of(["C", "", "Paris", "A, B", '{"key": "B"}', '{"key": "B", "options": ["Lyon", "Rome"]}', "{"])
def test_a_key_that_is_none_of_the_options(reference: str) -> None:
    assert open_form(CAPITAL + TWO, reference, id=ITEM) is None


# --- Choices --------------------------------------------------------------------------------------------------


def made(question: str, answer: str, distractors: Sequence[str], *, id: str = ITEM, seed: int = 0) -> Form:
    form = choice_form(question, answer, distractors, id=id, seed=seed)
    assert form is not None
    return form


def test_a_choice_shows_its_options_and_knows_the_right_one() -> None:
    form = made(AREA, "9", ["6", "12", "3"])
    reference = orjson.loads(form.answer)
    assert (form.item, form.format, form.verifier) == (ITEM, "choice", "choice")
    assert form.question.startswith(f"{AREA}\n\n(A) ")
    assert choice.options_in(form.question) == reference["options"]
    assert sorted(reference["options"].values()) == ["12", "3", "6", "9"]
    assert reference["options"][reference["key"]] == "9"


def test_the_order_hangs_on_the_item_and_the_seed_alone() -> None:
    assert len({made(AREA, "9", order) for order in permutations(["6", "12", "3"])}) == 1
    keys = [orjson.loads(made(AREA, "9", ["6", "12", "3"], id=f"item-{i}").answer)["key"] for i in range(400)]
    assert all(70 <= keys.count(letter) <= 130 for letter in "ABCD")
    assert len({made(AREA, "9", ["6", "12", "3"], seed=seed) for seed in range(50)}) > 10


NO_CHOICE = {
    "no distractor": ("9", []),
    "the answer again": ("9", ["9.0"]),
    "the same value": ("1/2", ["0.3", r"\frac{2}{4}"]),
    "two that are the same": ("9", ["6", "12/2"]),
    "the same word": ("Paris", ["Lyon", "paris"]),
    "the same formula": ("x^2 + x", ["x(x+1)"]),
    "a blank": ("9", ["6", "  "]),
    "too long": ("9", ["6" * 201]),
    "beyond J": ("0", [str(number) for number in range(1, 11)]),
    "not readable": ("9", ["(A) 6 (B) 7"]),
}


@each_of(NO_CHOICE)
def test_what_makes_no_choice(name: str) -> None:
    answer, distractors = NO_CHOICE[name]
    assert choice_form(AREA, answer, distractors, id=ITEM) is None


def test_ten_options_are_the_most() -> None:
    assert made(AREA, "0", [str(number) for number in range(1, 10)]).question.count("\n(") == 10


def test_a_question_that_has_options_gets_no_others() -> None:
    assert choice_form(CAPITAL + TWO, "Paris", ["Rome"], id=ITEM) is None


BACK = {
    "numbers": (AREA, "9", ["6", "12", "3"]),
    "words": (CAPITAL, "Paris", ["Lyon", "Nice"]),
    "formulas": ("What is the derivative of $x^2$?", r"$2x$", [r"$x$", r"$\frac{x^3}{3}$"]),
    "fractions": ("What is half of a third?", r"\frac{1}{6}", [r"\frac{1}{5}", r"\frac{2}{3}"]),
    "points": ("Where do they meet?", "(1, 2)", ["(2, 1)", "(0, 0)"]),
}


@each_of(BACK)
def test_an_item_comes_back_as_itself(name: str) -> None:
    question, answer, distractors = BACK[name]
    closed = made(question, answer, distractors)
    opened = open_form(closed.question, closed.answer, id=closed.item)
    assert opened is not None
    assert (opened.item, opened.question, opened.answer) == (ITEM, question, answer)
    assert made(opened.question, opened.answer, distractors, id=opened.item) == closed


# --- Distractors ----------------------------------------------------------------------------------------------

GIVEN = ["9"] * 9 + ["6"] * 3 + ["12/2"] * 2 + ["6.0"] + ["12"] * 4 + ["3"] + ["  12 "] + ["", "7" * 300]


def test_the_most_frequent_wrong_answers_are_one_of_each_class() -> None:
    assert distractors_of(GIVEN, "9", "math") == ["6", "12", "3"]
    assert distractors_of(GIVEN, "9", "math", at_most=1) == ["6"]
    assert distractors_of(GIVEN, "9", "math", at_most=0) == []
    assert distractors_of(["9", r"\frac{18}{2}"], "9", "math") == []


@settings(max_examples=20)
@given(st.permutations(GIVEN))
def test_the_order_of_the_answers_does_not_matter(answers: list[str]) -> None:
    assert distractors_of(answers, "9", "math") == distractors_of(GIVEN, "9", "math")


def test_what_is_not_known_to_be_wrong_is_no_distractor() -> None:
    doubtful, told = "isosceles triangle", ["triangle", "triangle", "5"]
    assert quickly("math", doubtful, "triangle").same is None
    assert distractors_of(told, doubtful, "math") == ["5"]


def test_only_answers_that_are_compared_make_distractors() -> None:
    assert {name: distractors_of(GIVEN, "B", name) for name in VERIFIERS if name not in ("math", "exact")} == {
        name: [] for name in VERIFIERS if name not in ("math", "exact")
    }
    with pytest.raises(ValueError, match="should not be negative"):
        distractors_of([], "9", "math", at_most=-1)


# --- Decidable ------------------------------------------------------------------------------------------------

NINE = Form(ITEM, "open", AREA, "9", "math")
DECIDED = {
    "a choice": (made(AREA, "9", ["6", "12"]), [], "pass", None, 1.0),
    "a letter": (NINE._replace(format="choice", answer="B", verifier="choice"), [], "unsure", "no distractor", None),
    "open": (NINE, ["6", "12"], "pass", None, 1.0),
    "one that is right": (NINE, ["6", "18/2"], "pass", None, 0.5),
    "none is wrong": (NINE, ["9.0"], "fail", "no distractor is rejected", 0.0),
    "none at all": (NINE, [], "unsure", "no distractor", None),
    "no reference": (NINE._replace(answer=""), ["6"], "fail", "cannot use", None),
    "too long": (NINE._replace(answer="9" * 2_000), ["6"], "fail", "cannot use", None),
    "of itself": (
        NINE._replace(answer='{"text": "Paris", "at_least": 0.1}', verifier="fuzzy"),
        ["paris!"],
        "fail",
        "no distractor is rejected",
        0.0,
    ),
}


@each_of(DECIDED)
def test_what_can_be_decided(name: str) -> None:
    form, distractors, status, reason, score = DECIDED[name]
    ruling = decidable(form, quickly, distractors=distractors)
    assert (ruling.status, ruling.score) == (status, score)
    assert (reason or "") in (ruling.reason or "")


@each_of(DECIDED)
def test_only_what_was_told_is_compared(name: str) -> None:
    form, distractors, *_ = DECIDED[name]
    known = {pair: quickly(form.verifier, *pair) for pair in decidable_compares(form, distractors)}
    once = decidable(form, lambda _, *pair: known[pair], distractors=distractors)
    assert once == decidable(form, quickly, distractors=distractors)


def test_a_verifier_that_does_not_take_its_own_answer_decides_nothing() -> None:
    ruling = decidable(NINE, lambda name, a, b: quickly(name, a, "8"), distractors=["6"])
    assert (ruling.status, ruling.reason) == ("fail", "its own answer is not accepted")


# --- Any text -------------------------------------------------------------------------------------------------

pieces = st.sampled_from(["(A) ", "(B) ", "\nA. ", "\nB. ", "a) ", "b) ", "Which?", "9", "$", "\\textbf{(A)}", "\n"])
texts = st.lists(pieces | st.text(max_size=8), max_size=12).map("".join)


@settings(max_examples=60)
@given(texts, texts)
def test_whatever_a_question_is_its_open_form_can_be_checked(question: str, reference: str) -> None:
    for key in ("A", "B", reference):
        if form := open_form(question, key, id=ITEM):
            assert VERIFIERS[form.verifier].problem_with(form.answer) is None
            assert form.question.strip() == form.question != ""


@settings(max_examples=60)
@given(texts, texts, st.lists(texts, max_size=4))
def test_whatever_the_options_are_a_choice_is_decidable(question: str, answer: str, distractors: list[str]) -> None:
    if form := choice_form(question, answer, distractors, id=ITEM):
        assert VERIFIERS["choice"].problem_with(form.answer) is None
        assert decidable(form, quickly).status == "pass"
    assert len(distractors_of([answer, *distractors], question, "math")) <= 3


@pytest.mark.parametrize("piece", ["(A) x ", "(A) x (B) x ", "A. ", " ", "$", "\\text{", "Options: ", "\n", "(A"])
def test_long_texts_take_no_longer_than_their_length(piece: str) -> None:
    long = piece * (60_000 // len(piece))
    for question in (long, f"{long}(A) Lyon (B) Paris", f"{CAPITAL} (A) Lyon (B) Paris {long}"):
        form = open_form(question, "B", id=ITEM)
        assert form is None or len(form.question) < len(question)


@needs_data
def test_wrong_answers_of_real_models_make_choices_that_come_back() -> None:
    """Of 300 problems of GSM8K, with what two models answered: which words need options is a matter of guessing."""
    came_back = []
    for number, row in enumerate(rows("gsm8k/model_solutions_6b.jsonl")[:300]):
        gold, *said = (text.rpartition("A: ")[2] for text in (row["ground_truth"], *_solutions(row)))
        if distractors := distractors_of(said, gold, "math"):
            closed = made(row["question"], gold, distractors, id=str(number))
            assert decidable(closed, quickly).status == "pass"
            opened = open_form(closed.question, closed.answer, id=closed.item)
            came_back.append(
                opened is not None and (opened.question, opened.answer) == (row["question"].strip(), gold)
            )
    assert len(came_back) > 200
    assert sum(came_back) / len(came_back) >= 0.98


def _solutions(row: dict[str, Any]) -> list[str]:
    return [row[model]["solution"] for model in ("6b_finetuning", "6b_verification")]
