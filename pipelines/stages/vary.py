"""Varying: a model writes another problem that is close to a given one, and is not the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filters.similarity import Index
from pipelines.inference.model import Model, Sampling
from pipelines.records import Attempt, Facts, Problem, Verdict, problem, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.stages.pose import Posing, read_posing
from pipelines.store import Output
from prompts.template import Template

RULE = "varied@1"  # raise it with the way a variation is read
ASKED, KIND = "vary", "varied"


async def vary(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    n: int = 1,
    at_least: float = 0.0,
    at_most: float = 0.9,
) -> Output:
    """Ask the model `n` times for a variation of each problem; those that can be read stand beside it as `varied`.

    A variation passes if its similarity to the problem, ROUGE-L F1, lies in the band; the score says it. What is too
    like the problem asks for the same, and what shares no word with it is no variation. The modified instructions of
    J1 (arXiv 2505.10320, section 3) come so.
    """
    asker = Asker(run, step, prompt, model, sampling)
    tasks = [_task(each, step.label) for each in shard.live]
    of = {task.id: each for task, each in zip(tasks, shard.live, strict=True)}
    came = await each_of(
        asker.question(task, question=task.question).attempt(sample) for task in tasks for sample in range(n)
    )
    facts = Facts(list(tasks), list(came), [])
    for attempt in came:
        varied = _varied(of[attempt.problem], attempt, asker.prompt, step.label)
        told = _ruling(of[attempt.problem], attempt, varied, step.label, at_least, at_most)
        facts.verdicts.append(told)
        if isinstance(varied, Problem) and told.status == "pass":
            facts.problems.append(varied)
    return Output(facts, [each.id for each in shard.live])


def check_vary(given: Mapping[str, Any]) -> None:
    """Raises ValueError for less than one variation, an empty band, or a prompt whose answer holds no question."""
    if given["n"] < 1:
        raise ValueError(f"n = {given['n']} should be at least 1")
    if not 0 <= given["at_least"] <= given["at_most"] <= 1:
        raise ValueError(f"from {given['at_least']} to {given['at_most']} is no band of similarities from 0 to 1")
    if "<question>" not in given["prompt"].header.get("replies", ""):
        raise ValueError(f"the header of prompt {given['prompt'].name!r} should name <question> under replies")


def _task(of: Problem, stage: str) -> Problem:
    return problem(parents=[of.id], stage=stage, draw=of.draw, kind=ASKED, question=of.question, domain=of.domain)


def _varied(of: Problem, attempt: Attempt, prompt: Template, stage: str) -> Problem | str:
    """The variation as a problem without an answer, or in words why there is none."""
    said = read_posing(attempt, prompt)
    if not isinstance(said, Posing):
        return said
    return problem(
        parents=[attempt.id],
        stage=stage,
        draw=of.draw,
        kind=KIND,
        question=said.question,
        domain=of.domain,
        source=attempt.model,
        details=dict(said.others),
    )


def _ruling(
    of: Problem, attempt: Attempt, varied: Problem | str, stage: str, at_least: float, at_most: float
) -> Verdict:
    score = None if isinstance(varied, str) else likeness(of.question, varied.question)
    reason = varied if isinstance(varied, str) else None
    if score is not None and not at_least <= score <= at_most:
        reason = "says the same again" if score > at_most else "has nothing to do with what was varied"
    return verdict(
        subjects=[attempt.id],
        stage=stage,
        draw=of.draw,
        rule=RULE,
        status="fail" if reason else "pass",
        score=score,
        context={"at_least": at_least, "at_most": at_most},
        evidence={"reason": reason} if reason else {},
    )


def likeness(one: str, other: str) -> float:
    """ROUGE-L F1 of two texts."""
    index = Index()
    index.add(one)
    return index.nearest(other).score
