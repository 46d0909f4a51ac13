"""The builtin engine as a judge: it answers all prompts for judges, in forms that are read, not always rightly."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

import pytest

from filters import annotations
from filters.verifiers import answer_in, judgement, judging
from pipelines.inference.builtin import NONE, Faults, reply, truth
from pipelines.inference.builtin.pose.families import FAMILIES
from prompts.template import load
from tests.each import each_of

BIASED = Faults(misjudge=0, first_place=0.3, malformed=0)


def say(prompt: str, seed: int = 0, faults: Faults = NONE, **values: str) -> str:
    messages = load(prompt).render(values)
    return reply(messages, seed=seed, temperature=1.0, max_tokens=4096, faults=faults).text


@cache
def solved(most: int = 24) -> tuple[tuple[str, str, str], ...]:
    """Questions with a right and a wrong solution, as the engine writes them: one step is off by one."""
    found = []
    for seed in range(4):
        for family in FAMILIES:
            question = family.pose(Random(seed), 4).question
            right = say("solve/boxed", question=question)
            wrong = say("solve/boxed", question=question, faults=Faults(slip=1, refuse=0))
            answers = [answer_in("math", text) for text in (right, wrong)]
            if truth(question) and answers[0] == truth(question) != answers[1] and "Step 1" in right:
                found.append((question, right, wrong))
    return tuple(found[:most])


def pair(prompt: str, swap: bool = False, **how: Any) -> list[str | None]:
    """What it says of each pair; the right solution is A, or B with `swap`."""
    said = []
    for i, (question, right, wrong) in enumerate(solved()):
        first, second = (wrong, right) if swap else (right, wrong)
        material = judging.pairwise(question=question, first=first, second=second)
        said.append(judgement.final_answer(say(prompt, seed=i, material=material, **how)))
    return said


def alone(prompt: str, **how: Any) -> list[str | None]:
    """What it says of each right solution, and then of each wrong one."""
    both = [(question, text) for place in (1, 2) for question, *texts in solved() for text in [texts[place - 1]]]
    materials = [judging.pointwise(question=question, response=text) for question, text in both]
    return [judgement.final_answer(say(prompt, seed=i, material=each, **how)) for i, each in enumerate(materials)]


@each_of(["judge/pair", "judge/pair-verdict", "judge/pair-scores", "judge/pair-both"])
def test_of_two_the_right_one_is_better_wherever_it_stands(prompt: str):
    assert set(pair(prompt)) == {"A"}
    assert set(pair(prompt, swap=True)) == {"B"}


@each_of(["judge/task", "judge/score"])
def test_of_one_it_is_said_whether_it_is_right(prompt: str):
    said = alone(prompt)
    assert said == ["yes"] * len(solved()) + ["no"] * len(solved())


def test_it_errs_at_a_rate_and_prefers_the_first_place():
    told = alone("judge/task", faults=Faults(misjudge=0.3, malformed=0))
    wrong = sum(said != ("yes" if i < len(solved()) else "no") for i, said in enumerate(told)) / len(told)
    assert 0.1 < wrong < 0.5
    first, second = pair("judge/pair", faults=BIASED), pair("judge/pair", swap=True, faults=BIASED)
    assert set(first) == {"A"}
    assert 0.1 < second.count("A") / len(second) < 0.6
    assert None in alone("judge/task", faults=Faults(malformed=0.5))


def test_a_reference_is_compared_and_not_solved():
    task = "Which colour do I think of?"
    for reference, expected in (("Green", "yes"), ("1,000", "no")):
        material = judging.pointwise(question=task, response=r"So \boxed{green}", reference=reference)
        assert judgement.final_answer(say("judge/reference", material=material)) == expected


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ("A baker sells 24 warm rolls and then 17 more rolls. How many rolls does he sell?", "yes"),
        ("A baker sells 25 rolls, then 17 rolls more. How many rolls does the baker sell?", "no"),
        ("Planes cross 24 oceans and 17 deserts: name the longest distance.", "no"),
    ],
)
def test_questions_are_the_same_with_the_same_numbers_and_words(other: str, expected: str):
    one = "A baker sells 24 rolls, then 17 rolls more. How many rolls does the baker sell?"
    assert judgement.final_answer(say("judge/same", material=judging.beside(one, other))) == expected


def test_the_first_wrong_step_is_the_one_that_differs():
    for question, right, wrong in solved():
        lines = annotations.steps(wrong)
        mine = annotations.steps(right)
        first = next(i for i, (one, other) in enumerate(zip(lines, mine, strict=True), start=1) if one != other)
        for text, expected in ((right, 0), (wrong, first)):
            told = say("judge/first-error", material=annotations.with_trace(question, text))
            assert annotations.read_step(told, len(lines)) == expected


def test_levels_and_strategies_are_read():
    levels = {annotations.read_level(say("judge/level", material=annotations.problem_alone(q))) for q, *_ in solved()}
    assert None not in levels
    assert len(levels) > 1
    trace = "First, I add.\nWait, that is wrong.\nLet me check the sum.\nAlternatively, I count."
    told = annotations.read_strategies(say("judge/strategies", material=annotations.with_trace("Q?", trace)))
    assert told == {"verification", "backtracking", "subgoals", "exploration"}


def test_an_option_is_picked_by_the_reasoning_alone():
    question = "Which is it? (A) 12 (B) 15 (C) 18 (D) 21"
    assert say("recheck/option", question=question, trace="3 times 6 is 18.") == r"\boxed{C}"
    others = {say("recheck/option", i, Faults(misjudge=1), question=question, trace="It is 18.") for i in range(20)}
    assert others == {r"\boxed{A}", r"\boxed{B}", r"\boxed{D}"}


def test_a_variation_is_another_instruction_and_sometimes_the_same():
    asked = "Write a poem about the sea for children. Keep the tone warm."
    said = [say("vary/instruction", i, question=asked) for i in range(20)]
    assert all(text.startswith("<question>\n") and text.endswith("\n</question>") for text in said)
    assert not any(asked in text for text in said)
    assert asked in say(
        "vary/instruction", faults=Faults(near_duplicate=0.8, wrong_author=0, malformed=0), question=asked
    )


NOT_ASKED: dict[str, Callable[[], str]] = {
    "grading": lambda: say("grade/response", question="What is 2 + 2?", response=r"\boxed{4}"),
    "a task that speaks of judging": lambda: say(
        "solve/plain", question="Explain <verdict> and <task> marks to a friend."
    ),
}


@each_of(NOT_ASKED)
def test_what_is_no_request_to_judge_is_answered_as_before(kind: str):
    assert "</verdict>" not in NOT_ASKED[kind]()
