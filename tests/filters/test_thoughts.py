"""Long thoughts: whose words are looked at, what became of a thought, which are drawn, what is left."""

from __future__ import annotations

from typing import Any

import pytest

from filters import thoughts
from filters.answers import answer_matches_compares
from filters.rule import Case, Ruling
from pipelines.records import Attempt, Problem, to_json
from tests.each import each_of
from tests.filters.cases import answered, reward, task
from tests.filters.trace_cases import ruled, thought, told

CHOICE = task("Which is it?\n\n(A) a hen\n(B) a goat\n(C) a cat", "B", verifier="choice")


def longer(before: Attempt, rest: str, answer: str, *, sample: int, of: Problem = CHOICE, **changed: Any) -> Attempt:
    """An attempt that goes on from the thought of another."""
    begun = before.turns[-1].reasoning or ""
    details = to_json({"begun": len(begun), "cue": "Wait,"})
    went = thought(of, f"{begun} {rest}", answer, sample=sample, details=details, **changed)
    return went._replace(parents=(of.id, before.id))


RIGHT, WRONG = thought(CHOICE, "It says: a goat.", "B", sample=0), thought(CHOICE, "I see a hen.", "A", sample=1)
ALL = [
    RIGHT,
    WRONG,
    longer(RIGHT, "Wait, I look again. It is a goat indeed.", "B", sample=2),
    longer(RIGHT, "Wait, no: it is a cat.", "C", sample=3),
    longer(WRONG, "Wait, that is a goat.", "B", sample=4),
    longer(WRONG, "Hmm, a hen it is.", "A", sample=5),
]


def by_attempt(rulings: list[Ruling]) -> list[Ruling]:
    return [each for each in rulings if each.about]


def classes(attempts: list[Attempt]) -> list[str | None]:
    rulings = ruled(thoughts.thought_class, Case(CHOICE, None, attempts), answer_matches_compares)
    return [each.value for each in rulings]


def test_a_thought_is_told_by_whether_it_is_right_and_by_what_it_goes_on_from() -> None:
    assert classes(ALL) == ["O", "X", "OO", "OX", "XO", "XX"]


def test_what_was_cut_has_no_class_and_gives_none() -> None:
    cut = RIGHT._replace(id="cut", finish="length")
    assert classes([cut, longer(cut, "Wait.", "B", sample=1)]) == [None, None]


@each_of(["a hen", "hen", "(A) a hen", "A", "C"])
def test_only_the_key_is_right_and_not_just_any_option(said: str) -> None:
    """The mistake of the published code, which takes the text of any option for a hit."""
    assert classes([thought(CHOICE, "Hm.", said)]) != ["O"]


@each_of(
    [
        ("the description is clear", True),
        ("As STATED, a goat", True),
        ("in the user\u2019s place", True),
        ("the image described here", True),
        ("its context and texture, an estate, an essay", False),
        ("I see it plainly", False),
    ]
)
def test_leak_words_are_whole_words_of_what_was_added(words: str, leaks: bool) -> None:
    case = Case(CHOICE, None, [longer(RIGHT, words, "B", sample=1)])
    assert [each.status for each in ruled(thoughts.no_leak_words, case)] == ["fail" if leaks else "pass"]


def test_what_was_there_before_is_not_held_against_a_continuation() -> None:
    """ "It says" stands in the thought that was continued, and in one that continues nothing."""
    case = Case(CHOICE, None, ALL)
    assert {each.status for each in ruled(thoughts.no_leak_words, case, words=["says"])} == {"pass"}
    assert ruled(thoughts.no_leak_words, case, words=["cat"])[3].status == "fail"
    with pytest.raises(ValueError, match="names none"):
        ruled(thoughts.no_leak_words, case, words=[])


def test_what_was_said_before_sign_for_sign_is_a_repetition() -> None:
    same = [longer(RIGHT, "Wait, yes.", "B", sample=2), longer(WRONG, "Wait, yes.", "B", sample=3)]
    near = longer(WRONG, "Wait, yes!", "B", sample=4)
    rulings = ruled(thoughts.not_repeated, Case(CHOICE, None, [RIGHT, *same, near]))
    assert [each.status for each in rulings] == ["pass", "pass", "fail", "pass"]
    assert rulings[2].evidence == {"first": same[0].id}


@each_of(
    [
        (thought(CHOICE, "Hm, a goat.", "B"), "pass"),
        (answered(CHOICE, "B"), "fail"),
        (answered(CHOICE, "<think>\nHm, B"), "fail"),
        (answered(CHOICE, "<think>\nHm, a goat.\n</think>\n\nB"), "pass"),  # as it is brought
        (answered(CHOICE, "<think>\n</think>\n\nB"), "fail"),
        (answered(CHOICE, "<think>Hm.</think>B</think>"), "fail"),
        (thought(CHOICE, "Hm.", ""), "fail"),
        (thought(CHOICE, "Hm. <think> again", "B"), "fail"),
        (thought(CHOICE, "Hm.", "B", finish="length"), "unsure"),
    ]
)
def test_a_row_needs_a_thought_and_an_answer(attempt: Attempt, status: str) -> None:
    assert [each.status for each in ruled(thoughts.thought_and_answer, Case(CHOICE, None, [attempt]))] == [status]


def classified(attempts: list[Attempt]) -> Case:
    case = Case(CHOICE, None, attempts)
    for each, marks in zip(attempts, classes(attempts), strict=True):
        case = told(case, "thought_class", None, about=each.id, value=marks)
    return case


def test_of_each_problem_one_right_and_one_corrected_thought_is_drawn() -> None:
    many = [longer(WRONG, f"Wait, {'look ' * n}a goat.", "B", sample=10 + n) for n in range(6)]
    rulings = ruled(thoughts.thought_picks, classified([*ALL, *many]))
    assert rulings[0].status == "pass"
    assert rulings[0].context == {"right": 2, "corrected": 7}
    picked = [each.value for each in by_attempt(rulings) if each.status == "pass"]
    assert sorted(map(str, picked)) == ["corrected", "right"]
    assert [each.status for each in by_attempt(rulings)].count("unsure") == 3  # X, OX and XX


def test_the_longest_is_drawn_about_half_the_time() -> None:
    some = [longer(WRONG, f"Wait, {'look ' * n}a goat.", "B", sample=10 + n) for n in range(5)]
    case = classified([WRONG, *some])
    longest = 0
    for seed in range(200):
        statuses = [each.status for each in by_attempt(ruled(thoughts.thought_picks, case, seed=seed))]
        longest += statuses[-1] == "pass"
    assert 85 <= longest <= 125  # 16 of 31 is 0.516


def test_a_problem_without_a_right_thought_goes_and_what_failed_is_not_drawn() -> None:
    assert ruled(thoughts.thought_picks, classified([WRONG, ALL[5]]))[0].status == "fail"
    case = told(classified([WRONG, ALL[4]]), "no_leak_words", None, about=ALL[4].id, status="fail")
    assert ruled(thoughts.thought_picks, case)[0].status == "fail"


def test_what_a_fit_trace_revises_is_replaced() -> None:
    new = thought(CHOICE, "A goat.", "B", sample=6, details=to_json({"begun": 3, "revises": RIGHT.id}))
    case = Case(CHOICE, None, [RIGHT, WRONG, new])
    assert [each.status for each in ruled(thoughts.not_replaced, case)] == ["fail", "pass", "pass"]
    case = told(case, "not_repetitive", None, about=new.id, status="fail")
    assert [each.status for each in ruled(thoughts.not_replaced, case)] == ["pass", "pass", "pass"]


def test_usable_counts_what_is_right_and_not_failed() -> None:
    case = told(Case(CHOICE, None, [RIGHT, WRONG]), "answer_matches", None, about=RIGHT.id)
    assert ruled(thoughts.usable, case)[0].score == 1
    assert ruled(thoughts.usable, case, at_least=2)[0].status == "fail"
    assert ruled(thoughts.usable, told(case, "boundary", None, about=RIGHT.id, status="fail"))[0].status == "fail"


def test_where_nobody_compared_with_the_reference_what_nothing_failed_is_usable() -> None:
    case = told(Case(CHOICE, None, [RIGHT, WRONG]), "made_by", None, about=WRONG.id, status="fail")
    assert ruled(thoughts.usable, case)[0].score == 1
    assert ruled(thoughts.usable, told(case, "made_by", None, about=RIGHT.id, status="fail"))[0].status == "fail"


def test_where_nothing_can_be_right_the_reward_decides_if_that_is_asked_for() -> None:
    of = task("Tell me.", verifier=None)
    said = [answered(of, "Once.", 0), answered(of, "Twice.", 1)]
    case = Case(of, None, said, [reward(said[0], 4.0), reward(said[1], 6.0)])
    assert ruled(thoughts.usable, case)[0].score == 2
    assert ruled(thoughts.usable, case, reward_at_least=5.0)[0].score == 1
    assert ruled(thoughts.usable, case, reward_at_least=7.0)[0].status == "fail"
