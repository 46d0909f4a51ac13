"""Deriving: a model writes something else about each problem than its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.inference.model import Model, Sampling
from pipelines.records import Facts, Problem, problem
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.store import Output
from prompts.template import Template

KINDS = ("tests",)
"""What may be derived. Other stages, and views, go by these names."""


async def derive(
    shard: Shard, run: Run, step: Step, *, prompt: Template, model: Model, sampling: Sampling, kind: str, n: int = 1
) -> Output:
    """Put a problem of this kind beside each, and ask the model for `n` attempts at it.

    The model is shown the question and nothing else: who writes tests must not see the programs that they are to
    judge (Sol-Ver, arXiv 2502.14948).
    """
    asker = Asker(run, step, prompt, model, sampling)
    beside = [_beside(each, kind, step.label) for each in shard.live]
    questions = [asker.question(each, question=each.question) for each in beside]
    attempts = await each_of(question.attempt(k) for question in questions for k in range(n))
    return Output(Facts(beside, list(attempts), []), [each.id for each in shard.live])


def _beside(of: Problem, kind: str, stage: str) -> Problem:
    return problem(
        parents=[of.id],
        stage=stage,
        draw=of.draw,
        kind=kind,
        question=of.question,
        domain=of.domain,
        source=of.source,
    )


def check_derive(given: Mapping[str, Any]) -> None:
    """Raises ValueError for a kind that nothing reads, and for less than one attempt."""
    if given["kind"] not in KINDS:
        raise ValueError(f"kind = {given['kind']!r} should be one of: {', '.join(KINDS)}")
    if given["n"] < 1:
        raise ValueError(f"n = {given['n']} should be at least 1")
