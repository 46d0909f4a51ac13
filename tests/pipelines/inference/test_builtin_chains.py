"""The builtin engine on chains: it carries answers on, lists them all, and tells which number an answer hangs on."""

from __future__ import annotations

import json
from random import Random

from filters.annotations import number_marked, read_key
from filters.chains import chained
from filters.verifiers import VERIFIERS, answer_in
from filters.whole_numbers import numbers_in
from pipelines.inference.builtin import Faults, chains, solve
from pipelines.inference.builtin.faults import NONE
from pipelines.inference.builtin.recognise import Skilled, recognise
from prompts.template import load

FIRST = "Tara's guests picked 6 rows of 7 plants each. How many plants is that?"
SECOND = "The fee of a club is 360 at first. Later it falls by 25%. Find the final fee."
LAST = "Find the remainder of 3 to the power 49 on division by 20."


def prompt_of(questions: list[str], answers: list[str]) -> str:
    keys = [None, *(numbers_in(each)[0] for each in questions[1:])]
    [asked] = load("solve/chain").render({"question": chained(questions, answers, keys)})
    return asked["content"]


def solved(prompt: str, faults: Faults, seed: int = 0) -> str:
    request = chains.read_chain(prompt)
    assert request is not None
    return chains.solve_chain(request, "", rng=Random(seed), faults=faults)


QUESTIONS = [SECOND, LAST, SECOND]
ANSWERS = [str(solve.truth(each)) for each in QUESTIONS]
PROMPT = prompt_of(QUESTIONS, ANSWERS)


def test_it_solves_a_chain_and_lists_every_answer():
    request = recognise(PROMPT)
    assert isinstance(request, Skilled)
    assert request.skill == "chain"
    said = solved(PROMPT, NONE)
    assert json.loads(answer_in("chain", said) or "") == ANSWERS
    assert said.count(r"\boxed") == len(ANSWERS)


def test_a_wrong_answer_is_carried_on_and_an_open_variable_gets_none():
    wrong = solved(PROMPT.replace("is 360", "is 400", 1), NONE)
    listed = json.loads(answer_in("chain", wrong) or "")
    assert listed[0] == "300"
    assert listed[1:] != ANSWERS[1:]
    alone = PROMPT.replace("Problem 1:\n", "", 1)
    assert "[answer1]" in alone
    assert chains.opened("Here [variable2] is [answer1] + 3, where it is.\nAdd [variable2].", 2, {}) is None
    assert chains.opened("Here [variable2] is [answer1] - 9, where it is.\nAdd [variable2].", 2, {1: "4"}) is None
    assert chains.opened("Here [variable2] is [answer1], so.\nAdd {[variable2]}.", 2, {1: "4"}) == "Add 4."


def test_now_and_then_only_the_last_answer_is_listed():
    rows = [solved(PROMPT, Faults(last_only=0.2, slip=0), seed) for seed in range(200)]
    reference = json.dumps({"chain": ANSWERS})
    told = [VERIFIERS["chain"].check_quickly(reference, answer_in("chain", said) or "") for said in rows]
    share = sum(each is not None and each.status == "fail" for each in told) / len(told)
    assert 0.1 < share < 0.3


def judged(question: str, place: int, faults: Faults, seed: int = 0) -> str:
    number = numbers_in(question)[place]
    [asked] = load("judge/key-number").render({"material": number_marked(question, number.start, number.stop)})
    key = chains.read_key(asked["content"])
    assert key is not None
    return chains.judge_key(key, "", rng=Random(seed), faults=faults)


def test_a_number_is_key_where_another_changes_the_answer():
    assert read_key(judged(SECOND, 0, NONE), "high").status == "pass"
    replies = [read_key(judged(SECOND, 0, Faults(misjudge_key=0.2), seed), "low").status for seed in range(200)]
    assert 0.1 < replies.count("fail") / 200 < 0.3


def test_it_takes_nothing_else_for_a_chain_or_a_key():
    for name in ("solve/boxed", "solve/plain"):
        [asked] = load(name).render({"question": f"Problem 1:\n{FIRST}\n\nProblem 2:\n{LAST} [[3]]"})
        assert chains.read_chain(asked["content"]) is None
        assert chains.read_key(asked["content"]) is None
