"""Annotating: a judge tells what a problem is about and how hard it is, how a trace reasons and where it errs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from filters import annotations
from filters.rule import Ruling
from filters.trace import trace
from pipelines.inference.model import Model, Sampling
from pipelines.records import Attempt, Facts, Problem
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.stages.judge import check_votes, gathered, judging_task, standing, who
from pipelines.stages.sift import as_fact
from pipelines.store import Output
from prompts.template import Template

# Raise them with the way a judgement is read.
LEVEL, STRATEGIES, FIRST_ERROR = "judged_level@1", "judged_strategies@1", "first_error@1"
DOMAIN, VERBOSITY = "judged_domain@1", "judged_verbosity@1"


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


async def domain(
    shard: Shard, run: Run, step: Step, *, prompt: Template, model: Model, sampling: Sampling, votes: int = 1
) -> Output:
    """Ask the model `votes` times for the domain and the topic of each problem; the value is the domain.

    Domains are those that the prompt lists, each in a line behind a dash; the one that most votes name is taken, and
    of equals the first in the list (NaturalThoughts, arXiv 2507.01921, has thirteen).
    """
    asker = Asker(run, step, prompt, model, sampling)
    read = partial(annotations.domain, domains=annotations.listed(prompt.body))
    made = await each_of(
        _annotated(each, each, annotations.problem_alone(each.question), asker, votes, DOMAIN, read)
        for each in shard.live
    )
    return gathered(made, shard)


async def verbosity(
    shard: Shard, run: Run, step: Step, *, prompt: Template, model: Model, sampling: Sampling, votes: int = 1
) -> Output:
    """Ask the model `votes` times how wordy each trace is; the score is the mean, from 0 to 10.

    As a label of NaturalThoughts (arXiv 2507.01921); the rule `verbosity` measures words against a right answer's.
    """
    asker = Asker(run, step, prompt, model, sampling)
    made = await each_of(
        _annotated(of, attempt, _material(of, attempt), asker, votes, VERBOSITY, annotations.verbosity)
        for of, attempt in _traces(shard)
    )
    return gathered(made, shard)


def check_domain(given: Mapping[str, Any]) -> None:
    """Raises ValueError for less than one vote, and for a prompt that lists no domains."""
    check_votes(given)
    if not annotations.listed(given["prompt"].body):
        raise ValueError(f"prompt {given['prompt'].name!r} should list domains, each in a line behind '- '")


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
    """The attempts that ended by themselves, said anything, and were passed over by no rule, with their problems."""
    attempts = ((of, attempt) for of in shard.live for attempt in standing(shard.case(of)))
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
