"""Appealing: a judge looks again at what the rule failed, at some of what it passed, and at planted controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from filters.answers import label
from filters.cascade import drawn, last_about, wrong_answer
from filters.rule import Case
from filters.verifiers import verifier
from filters.verifiers.judging import pointwise, spoken
from pipelines.inference.model import Model, Sampling
from pipelines.records import Attempt, Facts, Problem, digest
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.stages.judge import (
    Judged,
    Panel,
    as_verdict,
    check_judge,
    gathered,
    judging_task,
    put,
    unasked,
)
from pipelines.store import Output
from prompts.template import Template


class _Ask(NamedTuple):
    """One question to the judge: whether this response arrives at this reference."""

    rule: str  # raise it with the way a judgement is read
    problem: Problem
    reference: str
    attempt: Attempt | None  # None: the reference itself, as a response
    truth: str | None = None  # of a control

    @property
    def response(self) -> str:
        return spoken(self.attempt.text) if self.attempt else rf"The final answer is $\boxed{{{self.reference}}}$."


async def appeal(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    at_least: float,
    at_most: float = 1.0,
    votes: int = 1,
    audit: float = 0.0,
    controls: float = 0.0,
) -> Output:
    """Ask the model whether attempts that `answer_matches` failed, or left open, arrive at the reference after all.

    Its verdicts are `appeal@1`. A random share `audit` of the attempts that passed is asked about too (`audit@1`). So
    that the judge's own errors can be told, a random share `controls` of the problems gives two questions of known
    answer (`control@1`, about the judging task): the reference restated as a response, which is right, and a response
    that passed with another reference, which is wrong. Who is drawn depends on the run's seed and the id alone. The
    rule's verdicts stay as they are; the rule `label` reads both. Only where answers can be compared with a
    reference; cut attempts are no case for a judge. From arXiv 2510.00915.
    """
    panel = Panel(Asker(run, step, prompt, model, sampling), votes, at_least, at_most)
    cases = [shard.case(each) for each in shard.live]
    asks = [ask for case in cases for ask in _asks(case, run.seed, audit, controls)]
    return gathered(await each_of(_answer(ask, panel) for ask in asks), shard)


def check_appeal(given: Mapping[str, Any]) -> None:
    """Raises ValueError for a panel that cannot be, and for shares that are none."""
    check_judge(given)
    for name in ("audit", "controls"):
        if not 0 <= given[name] <= 1:
            raise ValueError(f"{name} = {given[name]} should be from 0 to 1")


def _asks(case: Case, seed: int, audit: float, controls: float) -> Iterator[_Ask]:
    reference = _reference(case.problem)
    if reference is None:
        return
    rulings = last_about(case, "answer_matches")
    checked = [attempt for attempt in case.attempts if attempt.finish == "stop" and attempt.id in rulings]
    passing = [attempt for attempt in checked if rulings[attempt.id].status == "pass"]
    for attempt in checked:
        if attempt not in passing:
            yield _Ask("appeal@1", case.problem, reference, attempt)
        elif drawn(audit, seed=digest(seed, "audit", attempt.id)):
            yield _Ask("audit@1", case.problem, reference, attempt)
    if drawn(controls, seed=digest(seed, "controls", case.problem.id)):
        yield from _controls(case.problem, reference, passing)


def _reference(asked: Problem) -> str | None:
    """The reference as an answer that a judge can compare with; None where there is none."""
    if not asked.answer or asked.verifier is None or not verifier(asked.verifier).compares:
        return None
    if verifier(asked.verifier).problem_with(asked.answer):
        return None
    return verifier(asked.verifier).gold(asked.answer)


def _controls(asked: Problem, reference: str, passing: list[Attempt]) -> Iterator[_Ask]:
    yield _Ask("control@1", asked, reference, None, "right")
    other = wrong_answer(reference, verifier_name=str(asked.verifier), seed=asked.id)
    if passing and other is not None:
        yield _Ask("control@1", asked, other, passing[0], "wrong")


async def _answer(ask: _Ask, panel: Panel) -> Facts:
    by = label(str(ask.problem.verifier))
    parents = [ask.attempt.id] if ask.attempt else [ask.problem.id]
    about = f"{ask.truth} control" if ask.truth else ask.rule.partition("@")[0]
    task = judging_task(ask.problem, panel.asker, parents=parents, reference=ask.reference, about=about)
    subject = task if ask.truth or ask.attempt is None else ask.attempt
    if ask.attempt and (outcome := unasked(ask.attempt, ask.problem)):
        tasks = [task] if subject is task else []
        judged = Judged([], outcome, 0, 0)
    else:
        tasks = [task]
        material = pointwise(question=ask.problem.question, reference=ask.reference, response=ask.response)
        judged = await put(task, material, panel)
    said = as_verdict(judged, panel, ask.rule, about=subject, value=ask.truth, verifier=by)
    return Facts(tasks, judged.attempts, [said])
