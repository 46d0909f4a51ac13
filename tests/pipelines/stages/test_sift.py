"""Sifting and selecting: every rule speaks, and the first that does not pass is the reason why a problem goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from filters.rule import Case, Check, Memory, Rule, Ruling, failed, passed, unsure
from filters.verifiers.outcome import of_comparison
from pipelines.checks import Checks, Pair
from pipelines.inference.client import Client, Stopping
from pipelines.records import Facts, Problem
from pipelines.stage import BoundRule, Order, Run, Shard, Step, run_step
from pipelines.stages.select import select
from pipelines.stages.table import STAGES
from pipelines.store import Output
from tests.pipelines.stages.bench import answered, posed


class Asked:
    """Stands for the checks of a run: nothing is ever right."""

    def __init__(self) -> None:
        self.pairs: list[Pair] = []

    async def table(self, pairs: Iterator[Pair]) -> Check:
        self.pairs = list(pairs)
        return lambda name, reference, answer: of_comparison(False)


def ruled(*rules: tuple[str, Rule], **parameters: Any) -> list[BoundRule]:
    return [BoundRule(name, rule, parameters) for name, rule in rules]


def sift(problems: Sequence[Problem], rules: list[BoundRule], *, order: Order | None = None) -> tuple[Output, Asked]:
    shard, asked = Shard(0, 8), Asked()
    attempts = [answered(problem, f"\\boxed{{{k}}}", sample=k) for problem in problems for k in range(2)]
    shard.take(Output(Facts(list(problems), attempts, []), [each.id for each in problems]), Path())
    run = Run(Path(), 0, cast(Client, None), cast(Checks, asked))
    step = Step("screen", STAGES["sift"], {"rules": rules}, order)
    return asyncio.run(STAGES["sift"].run(shard, run, step, rules=rules)), asked


def short(case: Case, check: Check, *, at_most: int = 10) -> list[Ruling]:
    if len(case.problem.question) > at_most:
        return [failed("too long", score=len(case.problem.question), evidence={"seen": True})]
    return [passed()]


def doubtful(case: Case, check: Check) -> list[Ruling]:
    return [unsure("cannot tell") if "?" in case.problem.question else passed()]


def each_attempt(case: Case, check: Check) -> Iterator[Ruling]:
    for attempt in case.attempts:
        equal = check("math", "1", attempt.text).same
        yield (passed() if equal else failed("wrong"))._replace(about=(attempt.id,))


def compares(case: Case) -> list[tuple[str, str]]:
    return [("1", attempt.text) for attempt in case.attempts]


SHORT, DOUBTFUL = ("short", Rule(short, 3, "row")), ("doubtful", Rule(doubtful, 1, "row"))
EACH = ("each", Rule(each_attempt, 1, "row", compares))


def test_every_rule_speaks_and_the_first_that_does_not_pass_is_the_reason():
    problems = [posed(0, "short"), posed(1, "very long indeed?"), posed(2, "what?")]
    output, _ = sift(problems, ruled(SHORT, DOUBTFUL))
    told = {each.id: each for each in output.facts.verdicts}
    assert len(told) == 6
    assert output.live == [problems[0].id]
    reasons = [(draw, told[id].rule, told[id].status) for draw, id in output.out]
    assert reasons == [(1, "short@3", "fail"), (2, "doubtful@1", "unsure")]


def test_a_verdict_tells_the_rule_its_parameters_and_the_reason():
    output, _ = sift([posed(4, "very long indeed")], ruled(SHORT, at_most=5))
    [verdict] = output.facts.verdicts
    assert (verdict.rule, verdict.stage, verdict.draw, verdict.score) == ("short@3", "screen@1", 4, 16)
    assert orjson.loads(verdict.context) == {"at_most": 5}
    assert orjson.loads(verdict.evidence) == {"reason": "too long", "seen": True}


def test_verdicts_on_attempts_take_no_problem_out():
    problems = [posed(0, "one", verifier="math"), posed(1, "two", verifier="math")]
    output, asked = sift(problems, ruled(EACH))
    assert output.live == [each.id for each in problems]
    assert [each.status for each in output.facts.verdicts] == ["fail"] * 4
    assert len(asked.pairs) == 4  # every comparison was known before the rules spoke


def test_without_rules_everything_stays():
    problems = [posed(0), posed(1)]
    output, _ = sift(problems, [])
    assert output.live == [each.id for each in problems]
    assert not any(output.facts)


# Ordered rules


class Words:
    """Passes a question that shares no word with any that stayed."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def judge(self, case: Case) -> Ruling:
        known = {word for question in self.seen for word in question.split()}
        return failed("known") if known & set(case.problem.question.split()) else passed()

    def remember(self, question: str) -> None:
        self.seen.append(question)


def ordered() -> list[BoundRule]:
    return ruled(("words", Rule(lambda: cast(Memory, Words()), 1, "ordered")))


def test_an_ordered_rule_compares_with_what_stayed_and_not_with_what_went():
    rules = ordered()
    questions = ["red apple", "red pear", "pear plum", "plum"]
    output, _ = sift([posed(i, each) for i, each in enumerate(questions)], rules, order=Order(rules, None))
    assert [each.status for each in output.facts.verdicts] == ["pass", "fail", "pass", "fail"]


def test_what_another_rule_took_out_is_not_remembered():
    rules = [*ordered(), *ruled(SHORT)]
    questions = ["pear and a long text", "pear"]
    output, _ = sift([posed(i, each) for i, each in enumerate(questions)], rules, order=Order(rules[:1], None))
    assert len(output.live) == 1


@pytest.mark.parametrize("arrival", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_shards_pass_in_the_order_of_their_draws(tmp_path: Path, arrival: tuple[int, ...]):
    """Whoever comes first to the turnstile waits for all earlier draws."""

    async def through() -> list[list[str]]:
        rules = ordered()
        step = Step("screen", STAGES["sift"], {"rules": rules}, Order(rules, None))
        run = Run(tmp_path, 0, cast(Client, None), cast(Checks, Asked()))
        shards = [Shard(i, i + 1) for i in range(3)]
        for i, question in enumerate(["red apple", "apple pie", "pie red"]):
            problem = posed(i, question)
            shards[i].take(Output(Facts([problem], [], []), [problem.id]), Path())
            shards[i].digests = [question]
        tasks = []
        for i in arrival:
            tasks.append(asyncio.create_task(run_step(step, shards[i], run)))
            await asyncio.sleep(0.01)
        await asyncio.gather(*tasks)
        return [[each.status for each in shard.facts.verdicts] for shard in shards]

    assert asyncio.run(through()) == [["pass"], ["fail"], ["fail"]]


def test_who_waits_for_draws_that_will_not_come_is_let_go():
    async def wait() -> None:
        order = Order(ordered(), None)
        waiting = asyncio.create_task(order.enter(Shard(8, 16)))
        await asyncio.sleep(0.01)
        await order.stop()
        await waiting

    with pytest.raises(Stopping):
        asyncio.run(asyncio.wait_for(wait(), timeout=5))


# Selecting


def longest(cases: Sequence[Case], *, keep: int) -> list[Ruling]:
    ranked = sorted(cases, key=lambda case: -len(case.problem.question))[:keep]
    return [passed() if case in ranked else failed("shorter") for case in cases]


def test_a_selection_looks_at_all_cases_at_once():
    cases = [Case(posed(i, "x" * size)) for i, size in enumerate([3, 9, 1, 7])]
    rules = ruled(("longest", Rule(longest, 2, "snapshot")), keep=2)
    told = select(cases, Step("select", STAGES["select"], {"rules": rules}))
    assert [[each.status for each in verdicts] for verdicts in told] == [["fail"], ["pass"], ["fail"], ["pass"]]
    assert {each.rule for verdicts in told for each in verdicts} == {"longest@2"}
    assert [verdicts[0].subjects for verdicts in told] == [(case.problem.id,) for case in cases]
