"""Loops, repetition, languages, words of the prompt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.rule import Case
from filters.trace_text import (
    LOOP_PIECES,
    LOOP_TIMES,
    letters_by_script,
    longest_copy,
    no_prompt_words,
    not_repetitive,
    one_language,
    repeated_share,
    tail_loop,
)
from pipelines.records import Turn
from tests.each import each_of
from tests.filters.cases import answered, needs_data, rows, task
from tests.filters.trace_cases import ruled, thought, written

# Loops


@given(
    st.text("abcdefgh ", min_size=1).filter(str.strip),
    st.lists(st.integers(1, 99), min_size=1, max_size=8),
    st.integers(40, 60),
)
def test_a_loop_at_the_end_is_found(before: str, numbers: list[int], times: int) -> None:
    phrase = " ".join(f"n{number}" for number in numbers) + ". "
    loop = tail_loop(f"{before} # " + phrase * times)
    assert loop is not None
    assert loop.times >= times - 1
    assert len(loop.text) <= len(phrase)


@each_of(["a" * 1_000, "ha" * 400, "?!" * 50, "数学" * 40, "So x = 1.\n" * 20, "=" * 400])
def test_letters_and_signs_loop_too(text: str) -> None:
    assert tail_loop(text) is not None


@each_of(
    [
        "",
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22",
        "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |",
        "no, no, no, no, no",
        "We wait. " * 30 + "Then we go on with something else, and that is the end of it.",
    ]
)
def test_what_is_short_or_left_again_is_no_loop(text: str) -> None:
    assert tail_loop(text) is None


@given(st.integers(1, 30), st.integers(1, 40))
def test_a_loop_needs_rounds_and_words(period: int, times: int) -> None:
    text = " ".join(f"w{number}" for _ in range(times) for number in range(period))
    assert (tail_loop(text) is not None) == (times >= LOOP_TIMES and times * period >= LOOP_PIECES)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("a b c d e f g h i j k l m n o p", 0.0),
        ("a b c d e f g h a b c d e f g h", 1 / 9),
        ("a b c d", 0.0),
        ("x " * 16, 8 / 9),
    ],
)
def test_the_share_of_runs_that_recur(text: str, share: float) -> None:
    assert repeated_share(text) == pytest.approx(share)


def test_loops_and_repetition_fail() -> None:
    sentence = "We look at the first of the four cases and find that it holds. "
    texts = [
        "Fine.",
        "Well. " + "I think so. " * 30,
        (sentence * 6 + "Then something else. ") * 2 + "It ends in another way.",
    ]
    good, loop, repeats = ruled(not_repetitive, written(*texts))
    assert (good.status, good.score) == ("pass", 0.0)
    assert (loop.status, loop.reason, loop.evidence["times"]) == ("fail", "ends in a loop", 30)
    assert loop.evidence["begins"] == texts[1].index(". I think")
    assert (repeats.status, repeats.reason) == ("fail", "repeats itself")


@needs_data
def test_real_answers_hardly_ever_fail() -> None:
    responses = [text for row in rows("math_samples/qwen_math_8_samples.jsonl") for text in row["response"]]
    assert sum(ruling.status == "fail" for ruling in ruled(not_repetitive, written(*responses))) == 1


# Languages


def test_letters_are_counted_by_script_outside_of_formulas() -> None:
    assert letters_by_script(r"Let \alpha be 数学, $y = x$ и `code`") == {
        "Latin": 5,
        "Chinese and Japanese": 2,
        "Cyrillic": 1,
    }


@each_of(
    [
        ("How many?", "Four, as \u03b1 is \u03b2.", "pass"),
        ("How many?", "First we add, 然后我们相乘.", "fail"),
        ("How many?", "Ответ 4.", "fail"),
        ("有多少?", "四个.", "pass"),
        ("有多少?", "Four.", "fail"),
        ("有多少 apples?", "四 apples.", "pass"),
        ("1 + 1 = ?", "Two.", "unsure"),
        ("1 + 1 = ?", "2", "pass"),
        ("How many?", " ", "unsure"),
    ]
)
def test_the_answer_is_written_as_the_question_is(question: str, text: str, status: str) -> None:
    [ruling] = ruled(one_language, written(text, question=question))
    assert ruling.status == status


def test_a_share_of_another_script_may_be_allowed() -> None:
    case = written("The word 数学 means mathematics.")
    [ruling] = ruled(one_language, case)
    assert (ruling.status, ruling.evidence["found"]) == ("fail", ["数学"])
    assert ruling.score == 2 / 25
    assert ruled(one_language, case, at_most=0.1)[0].status == "pass"


# Words of the prompt

PROMPT = "Please reason step by step in numbered paragraphs, then put your final answer in a box.\n\n"


def asked(text: str, *, question: str = "How many eggs does the duck lay on a working day?") -> Case:
    of = task(question)
    turns = (Turn("user", PROMPT + question), Turn("assistant", text))
    return Case(of, None, [answered(of, text)._replace(turns=turns)])


@each_of(
    [
        ("The duck lays four eggs.", None),
        ("How many eggs does the duck lay on a working day? Four.", None),  # of the question
        ("I should put my final answer in a box: 4.", None),  # five words in a row
        (
            "They say: please reason step by step in numbered paragraphs, then put your final answer.",
            "copies its prompt",
        ),
        ("This matches the reference answer.", "speaks of what only the prompt knows"),
        ("As the system prompt says, four.", "speaks of what only the prompt knows"),
        ("Four.<|im_end|>", "holds a token of a chat template"),
        ("Four.<\uff5cend\u2581of\u2581sentence\uff5c>", "holds a token of a chat template"),
        ("It is {{ answer }}.", "holds an unfilled template variable"),
        (r"It is x^{{n}}.", None),
    ]
)
def test_words_of_the_prompt(text: str, reason: str | None) -> None:
    [ruling] = ruled(no_prompt_words, asked(text))
    assert ruling.reason == reason


def test_a_question_may_speak_of_it_itself() -> None:
    assert (
        ruled(no_prompt_words, asked("The answer key has 4.", question="What is in the answer key?"))[0].status
        == "pass"
    )


def test_reasoning_is_looked_at_too() -> None:
    of = task()
    attempt = thought(of, "The reference solution says 4.", "It is 4.")
    [ruling] = ruled(no_prompt_words, Case(of, None, [attempt]))
    assert ruling.evidence == {"found": "The reference solution"}


@given(st.lists(st.sampled_from("abcdef"), max_size=30), st.lists(st.sampled_from("abcdef"), min_size=4, max_size=9))
def test_a_copied_run_is_found(around: list[str], copied: list[str]) -> None:
    text = " ".join([*around, *copied, *around])
    assert len(longest_copy(text, " ".join(copied), besides="")) >= len(copied)
    assert longest_copy(text, text, besides=text) == []


def test_a_loop_that_counts_up_is_one_and_a_rule_is_none():
    assert tail_loop("\n".join(f"Wait, let me check again number {i}." for i in range(500))) is not None
    assert tail_loop("\n".join(f"Case {i}: no." for i in range(300))) is not None
    assert tail_loop("\n".join(f"For n = {i} we get {i * i}." for i in range(29))) is None
    assert tail_loop("The answer is 5.\n" + "-" * 60) is None
