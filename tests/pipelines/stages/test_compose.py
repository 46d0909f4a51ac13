"""Chains of seeds, and which number of each another answer may say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.records import Problem, Status, problem, verdict
from pipelines.stages.compose import check_compose, check_key_numbers
from pipelines.store import Output
from tests.pipelines.stages.bench import Bench

EGGS = ("A farm has 12 hens and 3 geese. How many birds are there?", "15")
CARS = ("Ann paints 4 cars a day for 20 days. How many cars is that?", "80")
Said = dict[int, dict[str, Status]]
"""By seed and place, what a judge said of the number there."""

TREES = ("Of 90 trees 25 fall. How many still stand?", "65")


def seed(question: str, answer: str | None, **more: Any) -> Problem:
    told = {"verifier": "math", "domain": "words", "license": "CC0-1.0", **more}
    return problem(parents=(), stage="seed@1", draw=None, kind="seed", question=question, answer=answer, **told)


def drawn(seeds: list[Problem], draw: int = 0) -> Problem:
    ids = [each.id for each in seeds]
    return problem(parents=ids, stage="draw@1", draw=draw, kind="pose", question="the seeds", answer=None)


def composed(
    tmp_path: Path, *seeds: Problem, said: dict[int, dict[str, Status]] | None = None, **given: Any
) -> Output:
    """What `compose` makes of a draw; `said` is by seed what a judge said of the number at each place."""
    of = drawn(list(seeds))
    verdicts = [
        verdict(subjects=[seeds[i].id], stage="keys@1", draw=0, rule="key_number@1", status=status, value=place)
        for i, told in (said or {}).items()
        for place, status in told.items()
    ]
    return Bench(tmp_path).run("compose", problems=[of], beside=seeds, verdicts=verdicts, **{"lengths": [2], **given})


def test_each_needs_the_answer_of_the_one_before_and_stands_beside_the_chain(tmp_path: Path):
    output = composed(tmp_path, seed(*EGGS), seed(*CARS), seed(*TREES), lengths=[3])
    chain, *singles = output.facts.problems
    assert output.live == [chain.id]
    assert (chain.kind, chain.verifier, chain.domain, chain.license) == ("composed", "chain", "words", "CC0-1.0")
    assert orjson.loads(chain.answer or "") == {"chain": ["15", "80", "65"]}
    assert "[variable2] is [answer1] - 11" in chain.question
    assert "[variable3] is [answer2] + 10" in chain.question
    assert "Ann paints [variable2] cars" in chain.question
    assert [(each.question, each.answer) for each in singles] == [EGGS, CARS, TREES]
    assert {each.kind for each in singles} == {"single"}
    assert all(each.parents[0] == chain.id and each.draw == chain.draw for each in singles)


def test_a_number_is_taken_that_a_judge_called_key_if_any_was_asked(tmp_path: Path):
    told: Said = {1: {"11": "fail", "28": "pass"}}
    output = composed(tmp_path, seed(*EGGS), seed(*CARS), said=told)
    assert "for [variable2] days" in output.facts.problems[0].question
    nothing = composed(tmp_path, seed(*EGGS), seed(*CARS), said={1: {"11": "fail", "28": "unsure"}})
    assert nothing.live == []
    assert orjson.loads(nothing.facts.verdicts[0].evidence) == {"reason": "too few seeds fit"}
    assert nothing.out == [(0, nothing.facts.verdicts[0].id)]


UNFIT: dict[str, Problem] = {
    "no answer": seed(EGGS[0], None),
    "no whole number": seed(EGGS[0], "15/2"),
    "a letter": seed("Which? (A) 4 (B) 7", "B", verifier="choice"),
    "no number in the text": seed("A dozen hens and three geese. How many birds?", "15"),
    "each number twice": seed("Is 12 hens and 12 geese more than 12?", "24"),
    "only decimals": seed("Add 2.5 and 3.5.", "6"),
}


def test_what_does_not_fit_is_passed_over(tmp_path: Path):
    for name, unfit in UNFIT.items():
        assert composed(tmp_path, unfit, seed(*EGGS)).live == [], name
        chain, *_ = composed(tmp_path, seed(*EGGS), unfit, seed(*CARS)).facts.problems
        assert orjson.loads(chain.answer or "") == {"chain": ["15", "80"]}, name


def test_what_could_not_be_taken_apart_again_is_no_chain(tmp_path: Path):
    trap = seed("Look at this.\nProblem 2:\nThere are 7 cats. How many legs?", "28")
    output = composed(tmp_path, seed(*EGGS), trap)
    assert orjson.loads(output.facts.verdicts[0].evidence) == {"reason": "it cannot be taken apart again"}


def test_the_last_answer_alone_or_problems_that_need_no_other(tmp_path: Path):
    last, *_ = composed(tmp_path, seed(*EGGS), seed(*CARS), verifier="math").facts.problems
    assert (last.answer, last.verifier) == ("80", "math")
    half = seed("What is half of 7?", "7/2")
    apart, *_ = composed(tmp_path, half, seed(*CARS), linked=False).facts.problems
    assert apart.question == f"Problem 1:\n{half.question}\n\nProblem 2:\n{CARS[0]}"
    assert json.loads(apart.answer or "") == {"chain": ["7/2", "80"]}


def test_lengths_and_verifiers_that_cannot_be_are_refused():
    for lengths, verifier in (([], "chain"), ([0], "chain"), ([True], "chain"), ([2], "exact")):
        with pytest.raises(ValueError, match=r"should be|may be"):
            check_compose({"lengths": lengths, "verifier": verifier})
    for at_most, confidence in ((-1, "low"), (1, "some")):
        with pytest.raises(ValueError, match=r"should not|may be"):
            check_key_numbers({"at_most": at_most, "confidence": confidence})


# --- Which number is key --------------------------------------------------------------------------------------


def reply(verdict: str, confidence: str) -> str:
    return f"<reason>\nso\n</reason>\n<verdict>\n{verdict}\n</verdict>\n<confidence>\n{confidence}\n</confidence>"


def keys(tmp_path: Path, said: dict[str, str], **given: Any) -> tuple[list[tuple[str | None, str]], list[str]]:
    """What is said of the numbers of one seed, and what was asked."""
    hens = seed(*EGGS)
    bench = Bench(tmp_path)
    output = bench.run(
        "key_numbers",
        says=lambda message, sample: next(reply for mark, reply in said.items() if mark in message),
        problems=[drawn([hens])],
        beside=[hens, UNFIT["no whole number"]],
        prompt="judge/key-number",
        **given,
    )
    assert all(each.subjects == (hens.id,) and each.draw == 0 for each in output.facts.verdicts)
    assert {each.kind for each in output.facts.problems} <= {"judge"}
    return [(each.value, each.status) for each in output.facts.verdicts], [each[0] for each in bench.client.asked]


def test_a_judge_is_asked_of_one_number_after_another_until_one_is_key(tmp_path: Path):
    told, asked = keys(tmp_path, {"has [[12]]": reply("no", "high"), "and [[3]]": reply("yes", "medium")})
    assert told == [("11", "fail"), ("23", "pass")]
    assert "A farm has [[12]] hens and 3 geese." in asked[0]
    told, asked = keys(tmp_path, {"has [[12]]": reply("yes", "low")})
    assert (told, len(asked)) == ([("11", "pass")], 1)


def test_who_is_not_sure_enough_or_cannot_be_read_names_no_number(tmp_path: Path):
    said = {"has [[12]]": reply("yes", "medium"), "and [[3]]": "I think so."}
    told, _ = keys(tmp_path, said, confidence="high")
    assert told == [("11", "unsure"), ("23", "unsure")]
    assert keys(tmp_path, {}, at_most=0) == ([], [])
    assert len(keys(tmp_path, said, confidence="high", at_most=1)[1]) == 1
