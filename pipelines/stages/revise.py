"""Revising: a model is shown what it, or another, has got wrong, says what is wrong with it, and does it anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from filters.answers import final_answer
from filters.feedback import feedback, visible
from filters.rule import Check
from pipelines.inference.model import Model, Sampling
from pipelines.records import Attempt, Facts, Problem, Status, Verdict, problem, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.store import Output
from prompts.template import Template

RULE, KIND = "repaired@1", "revision"


class Start(NamedTuple):
    """A wrong attempt to begin from, at a problem of a draw."""

    problem: Problem
    wrong: Attempt
    answer: str


class Tried(NamedTuple):
    """An attempt to do better, and whether it is right."""

    problem: Problem
    attempt: Attempt
    status: Status | None


async def revise(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    n: int = 1,
    rounds: int = 1,
    starts: int = 2,
    shown: int = 2,
    at_least: int = 1,
) -> Output:
    """Ask the model `n` times to explain and repair each of up to `starts` wrong attempts at every problem.

    An attempt is wrong where the problem's verifier says so now. The model is told how it went on the first `shown`
    tests; the others stay hidden, so that nobody passes who learns those by heart. Each round after the first starts
    from what the one before has left wrong. Repairs are attempts at problems of kind `revision`, whose parent is what
    was wrong; all stay, right or wrong. A problem stays if anything was wrong, and at least so many repairs are right
    (explained repairs, arXiv 2405.18649, which says neither how many are sampled nor how many rounds there are).
    """
    asker = Asker(run, step, prompt, model, sampling)
    cases = [(each, shard.case(each).attempts) for each in shard.live]
    begun = wrong = await _wrong([Tried(of, each, None) for of, attempts in cases for each in attempts], run, starts)
    facts, tried = Facts.none(), list[Tried]()
    for number in range(1, rounds + 1):
        beside, attempts = await _asked(wrong, asker, n, shown, number)
        facts.extend(Facts(beside, attempts, []))
        of = {task.id: start.problem for task, start in zip(beside, wrong, strict=True)}
        came = await _judged([Tried(of[each.problem], each, None) for each in attempts], run)
        tried += came
        wrong = _first(came, starts)
    told = [_told(each, begun, tried, at_least, step) for each in shard.live]
    live = [each.id for each, said in zip(shard.live, told, strict=True) if said.status == "pass"]
    out = [(said.draw or 0, said.id) for said in told if said.status != "pass"]
    return Output(Facts(facts.problems, facts.attempts, told), live, out)


def check_revise(given: Mapping[str, Any]) -> None:
    """Raises ValueError for less than one of anything that there must be."""
    for name in ("n", "rounds", "starts", "shown"):
        if given[name] < 1:
            raise ValueError(f"{name} = {given[name]} should be at least 1")


async def _judged(tried: Sequence[Tried], run: Run) -> list[Tried]:
    """The same, with what the verifier says of each now; None of one that gave no answer or has no reference."""
    pairs = {each: pair for each in tried if (pair := _pair(each))}
    check = await run.checks.table(pairs.values())
    return [each._replace(status=check(*pairs[each]).status if each in pairs else None) for each in tried]


def _pair(tried: Tried) -> tuple[str, str, str] | None:
    name, reference = tried.problem.verifier, tried.problem.answer
    answer = final_answer(tried.attempt, name) if name else None
    return (name, reference, answer) if name and reference and answer else None


async def _wrong(tried: Sequence[Tried], run: Run, starts: int) -> list[Start]:
    return _first(await _judged(tried, run), starts)


def _first(tried: Iterable[Tried], count: int) -> list[Start]:
    """The first wrong ones of each problem, of several that give the same answer one."""
    found: dict[str, dict[str, Start]] = {}
    for of, attempt, status in tried:
        answer = final_answer(attempt, of.verifier) if of.verifier and status == "fail" else None
        if answer:
            found.setdefault(of.id, {}).setdefault(answer, Start(of, attempt, answer))
    return [start for some in found.values() for start in list(some.values())[:count]]


async def _asked(
    wrong: Sequence[Start], asker: Asker, n: int, shown: int, number: int
) -> tuple[list[Problem], list[Attempt]]:
    """The problems of repairing these, and `n` attempts at each."""
    tests = {start.problem.id: _shown(start.problem, shown) for start in wrong}
    known = {start: tests[start.problem.id] for start in wrong}
    check = await asker.run.checks.table(
        ("code", reference, start.answer) for start, reference in known.items() if reference
    )
    said = [_feedback(start, known[start], check) for start in wrong]
    beside = [_task(start, told, number, asker.step.label) for start, told in zip(wrong, said, strict=True)]
    questions = [
        asker.question(task, question=start.problem.question, attempt=start.answer, feedback=told)
        for task, start, told in zip(beside, wrong, said, strict=True)
    ]
    return beside, await each_of(question.attempt(k) for question in questions for k in range(n))


def _shown(of: Problem, count: int) -> str | None:
    return visible(of.verifier or "", of.answer or "", count)


def _feedback(start: Start, tests: str | None, check: Check) -> str:
    return feedback(tests, check("code", tests, start.answer) if tests else None)


def _task(start: Start, told: str, number: int, stage: str) -> Problem:
    """What is to be repaired, as whoever rates a repair reads it."""
    of = start.problem
    return problem(
        parents=[start.wrong.id],
        stage=stage,
        draw=of.draw,
        kind=KIND,
        question=f"{of.question}\n\nThis answer is wrong:\n\n{start.answer}\n\nHow it went:\n\n{told}",
        answer=of.answer,
        verifier=of.verifier,
        domain=of.domain,
        source=of.source,
        details={"round": number},
    )


def _told(of: Problem, begun: Sequence[Start], tried: Sequence[Tried], at_least: int, step: Step) -> Verdict:
    wrong = sum(start.problem.id == of.id for start in begun)
    ends = [each.status for each in tried if each.problem.id == of.id]
    right = ends.count("pass")
    reason = "nothing was wrong" if not wrong else "too few repairs are right" if right < at_least else None
    return verdict(
        subjects=[of.id],
        stage=step.label,
        draw=of.draw,
        rule=RULE,
        status="fail" if reason else "pass",
        score=right / len(ends) if ends else None,
        context={"wrong": wrong, "repairs": len(ends), "right": right, "at_least": at_least},
        evidence={"reason": reason} if reason else {},
    )
