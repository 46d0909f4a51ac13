"""Expanding: a model solves every problem several times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.inference.model import Model, Sampling
from pipelines.records import Facts
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.stages.budget import ask_until, budget
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
    until: dict[str, Any] | None = None,
    of: str = "",
    only: str = "",
) -> Output:
    """Ask the model for `n` independent solutions of every problem, each from a request and a seed of its own.

    With `together` one request asks for all, which costs servers that honour it less. With `until` a problem is
    asked only until its pass rate is settled: see `pipelines/stages/budget.py`. With `of` the problems of that kind
    which stand beside the draws are solved, and with `only` those that this rule passed last.
    """
    asker = Asker(run, step, prompt, model, sampling)
    problems, live = shard.asked(of, only), [each.id for each in shard.live]
    questions = [asker.question(each, question=each.question) for each in problems]
    if until is not None:
        asked = zip(questions, problems, strict=True)
        settled = await each_of(ask_until(question, each, run, step, until, n) for question, each in asked)
        attempts = [attempt for some, _ in settled for attempt in some]
        return Output(Facts([], attempts, [verdict for _, verdict in settled]), live)
    if together:
        came = await each_of(question.together(n) for question in questions)
        attempts = [attempt for group in came for attempt in group]
    else:
        attempts = await each_of(question.attempt(k) for question in questions for k in range(n))
    return Output(Facts([], list(attempts), []), live)


def check_expand(given: Mapping[str, Any]) -> None:
    """Raises ValueError for less than one sample, and for an `until` that settles nothing."""
    if given["n"] < 1:
        raise ValueError(f"n = {given['n']} should be at least 1")
    if given["until"] is not None:
        if given["together"]:
            raise ValueError("together asks for all samples at once, and until for some at a time: choose one")
        budget(given["until"], given["n"])
