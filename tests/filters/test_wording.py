"""Words that a method bans, plain beginnings, and answers that are none."""

from __future__ import annotations

import pytest

from filters.rule import Case
from filters.wording import no_words
from tests.each import each_of
from tests.filters.cases import answered, rule_on, run, task

BANNED = ["image", "images", "draw", "go to", "user's", "#Rewritten", "图片"]

HELD = [
    ("Describe the image.", "image"),
    ("IMAGES, if any, come last", "IMAGES"),
    ("Then go\n to the shop", "go\n to"),
    ("Say what the user's aim is", "user's"),
    ("#rewritten prompt: sing", "#rewritten"),
    ("描述这张图片中的内容", "图片"),
]

FREE = ["Imagery and imagined things", "He withdraws and redraws it", "cargo to the port", "the users' aim", "drawn"]


@each_of(HELD)
def test_a_whole_word_in_any_case_is_found(question: str, found: str) -> None:
    ruling = rule_on("no_words", Case(task(question)), words=BANNED)
    assert (ruling.status, ruling.evidence["found"]) == ("fail", found)


@each_of(FREE)
def test_a_part_of_a_word_is_not(question: str) -> None:
    assert rule_on("no_words", Case(task(question)), words=BANNED).status == "pass"


def test_beginnings_and_ends_have_reasons_of_their_own() -> None:
    case = Case(task("  write a program that sorts these:\n"))
    assert rule_on("no_words", case, starts=["Write a program"]).reason == "begins as it must not"
    assert rule_on("no_words", case, ends=[":"]).reason == "ends as it must not"
    assert rule_on("no_words", case, starts=["a program"], ends=["write"]).status == "pass"


def test_of_attempts_each_is_looked_at_with_its_reasoning() -> None:
    of = task("Describe the image.")
    attempts = [answered(of, "A tree.", 0), answered(of, "The image shows a tree.", 1)]
    rulings = run("no_words", Case(of, None, attempts), words=BANNED, of="attempts")
    assert [(each.status, each.about) for each in rulings] == [
        ("pass", (attempts[0].id,)),
        ("fail", (attempts[1].id,)),
    ]
    turn = attempts[0].turns[-1]._replace(reasoning="I see an image in my mind.")
    thought = attempts[0]._replace(turns=(*attempts[0].turns[:-1], turn))
    [ruling] = run("no_words", Case(of, None, [thought]), words=BANNED, of="attempts")
    assert ruling.status == "fail"


@pytest.mark.parametrize("given", [{"of": "answers"}, {"words": [" "]}, {"starts": [3]}])
def test_what_cannot_be_looked_for_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no_words: "):
        list(no_words(Case(task()), lambda *_: None, **given))  # pyright: ignore


@each_of(["- a list", "«Hello»", '"Why?", she said', "Öffne die Tür", "…and so on", "\u200bWrite"])
def test_a_sign_or_another_script_is_no_plain_beginning(question: str) -> None:
    assert rule_on("plain_beginning", Case(task(question))).reason == "begins with a sign or a letter beyond ASCII"


@each_of(["Write", "7 dwarfs", "  a"])
def test_a_letter_or_digit_is(question: str) -> None:
    assert rule_on("plain_beginning", Case(task(question))).status == "pass"


LONG = "I am sorry that this took long. " + "Here is the plan that was wanted. " * 12

ANSWERS = [
    ("Plant the beans in May.", None),
    ("42", None),
    (LONG, None),
    ("I'm sorry, I cannot do that.", "a short apology"),
    ("SORRY!", "a short apology"),
    ("...", "says nothing"),
    ("", "says nothing"),
    ("Well, so it is, and not.", None),
    ("It is what it is.", "says nothing"),
    ("?! - **", "says nothing"),
]


@each_of(ANSWERS)
def test_an_answer_or_none(text: str, reason: str | None) -> None:
    of = task()
    about_attempt, about_problem = run("no_refusal", Case(of, None, [answered(of, text)]))
    assert about_attempt.reason == about_problem.reason == reason
    assert (about_attempt.about is None, about_problem.about) == (False, None)


def test_a_problem_stays_when_any_attempt_answers_it() -> None:
    of = task()
    attempts = [answered(of, "Sorry."), answered(of, "Sow in May.", 1), answered(of, "Sorry", 2, "length")]
    *each, whole = run("no_refusal", Case(of, None, attempts))
    assert [ruling.status for ruling in each] == ["fail", "pass", "unsure"]
    assert (whole.status, whole.score, whole.context) == ("pass", 0.5, {"n": 2})
    *_, cut = run("no_refusal", Case(of, None, attempts[2:]))
    assert cut.status == "unsure"


def test_other_apologies_and_lengths() -> None:
    case = Case(task(), None, [answered(task(), "As a model I cannot see birds.")])
    assert run("no_refusal", case)[-1].status == "pass"
    assert run("no_refusal", case, apologies=["as a model"])[-1].reason == "a short apology"
    assert run("no_refusal", case, apologies=["as a model"], at_least_words=5)[-1].status == "pass"
