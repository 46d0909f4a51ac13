"""Annotating: a judge tells how hard a problem is, how a trace reasons, and where it first goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from filters import annotations
from filters.rule import Ruling
from filters.trace import trace
from pipelines.inference.model import Model, Sampling
from pipelines.records import Attempt, Facts, Problem
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.stages.judge import gathered, judging_task, who
from pipelines.stages.sift import as_fact
from pipelines.store import Output
from prompts.template import Template

# Raise them with the way a judgement is read.
LEVEL, STRATEGIES, FIRST_ERROR = "judged_level@1", "judged_strategies@1", "first_error@1"


async def level(
    shard: Shard, run: Run, step: Step, *, prompt: Template, model: Model, sampling: Sampling, votes: int = 1
) -> Output:
    """Ask the model `votes` times how hard each problem is; the score is the mean level, from 1 to 10.

    A judged level is one reader's opinion; what a solver finds hard is told by `pass_rate`.
    """
    asker = Asker(run, step, prompt, model, sampling)
    made = await each_of(
        _annotated(each, each, annotations.problem_alone(each.question), asker, votes, LEVEL, annotations.level)
        for each in shard.live
    )
    return gathered(made, shard)


async def strategies(
    shard: Shard, run: Run, step: Step, *, prompt: Template, model: Model, sampling: Sampling, votes: int = 1
) -> Output:
    """Ask the model which strategies each trace shows, of those that the rule `strategy_count` knows.

    The score is how many at least half of the votes list (NaturalThoughts, arXiv 2507.01921, labels so).
    """
    asker = Asker(run, step, prompt, model, sampling)
    made = await each_of(
        _annotated(of, attempt, _material(of, attempt), asker, votes, STRATEGIES, annotations.strategies_shown)
        for of, attempt in _traces(shard)
    )
    return gathered(made, shard)


async def first_error(
    shard: Shard, run: Run, step: Step, *, prompt: Template, model: Model, sampling: Sampling, votes: int = 1
) -> Output:
    """Ask the model for the first wrong step of each trace; the score is the share of the steps before it.

    The majority of the votes decides; a tie is unsure.
    """
    asker = Asker(run, step, prompt, model, sampling)
    made = await each_of(
        _annotated(of, attempt, _material(of, attempt), asker, votes, FIRST_ERROR, _errors_of(attempt))
        for of, attempt in _traces(shard)
    )
    return gathered(made, shard)


def _traces(shard: Shard) -> list[tuple[Problem, Attempt]]:
    """The attempts that ended by themselves and said anything, with their problems."""
    attempts = ((of, attempt) for of in shard.live for attempt in shard.case(of).attempts)
    return [(of, attempt) for of, attempt in attempts if attempt.finish == "stop" and trace(attempt).strip()]


def _material(of: Problem, attempt: Attempt) -> str:
    return annotations.with_trace(of.question, trace(attempt))


def _errors_of(attempt: Attempt) -> Callable[[Sequence[str]], Ruling]:
    return lambda replies: annotations.first_error(replies, trace(attempt))


async def _annotated(
    of: Problem,
    about: Problem | Attempt,
    material: str,
    asker: Asker,
    votes: int,
    rule: str,
    conclude: Callable[[Sequence[str]], Ruling],
) -> Facts:
    """The judge's task, its replies, and what they come to."""
    task = judging_task(of, asker, parents=[about.id])
    question = asker.question(task, material=material)
    replies = await each_of(question.attempt(vote) for vote in range(votes))
    ruling = conclude([each.text for each in replies])
    told = as_fact(
        ruling, about=[about.id], draw=about.draw, stage=asker.step.label, rule=rule, context=who(asker, votes)
    )
    return Facts([task], list(replies), [told])
