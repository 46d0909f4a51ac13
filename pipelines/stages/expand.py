"""Expanding: a model solves every problem several times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.inference.model import Model, Sampling
from pipelines.records import Facts
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.store import Output
from prompts.template import Template


async def expand(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    n: int = 8,
    together: bool = False,
) -> Output:
    """Ask the model for `n` independent solutions of every problem, each from a request and a seed of its own.

    With `together` one request asks for all, which costs servers that honour it less.
    """
    asker = Asker(run, step, prompt, model, sampling)
    questions = [asker.question(each, question=each.question) for each in shard.live]
    if together:
        came = await each_of(question.together(n) for question in questions)
        attempts = [attempt for group in came for attempt in group]
    else:
        attempts = await each_of(question.attempt(k) for question in questions for k in range(n))
    return Output(Facts([], list(attempts), []), [each.id for each in shard.live])


def check_expand(given: Mapping[str, Any]) -> None:
    """Raises ValueError for less than one sample."""
    if given["n"] < 1:
        raise ValueError(f"n = {given['n']} should be at least 1")
