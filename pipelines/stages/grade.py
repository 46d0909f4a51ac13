"""Grading: a judge or a reward model scores every attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filters.verifiers.judging import between_marks, read_score
from pipelines.inference.model import Model, Sampling
from pipelines.records import Attempt, Facts, Problem, Verdict, problem, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.store import Output
from prompts.template import Template

RULE = "reward@1"  # raise it with the way a judgement is read


async def grade(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    votes: int = 1,
    of: str = "",
) -> Output:
    """Ask the model to rate each attempt from 0 to 10, `votes` times; the reward is the mean of what can be read.

    RIP (2501.18578) averages ten calls of a judge, or takes a reward model. Attempts that have no text, and those of
    which no judgement can be read, get an `unsure` without a score. With `of` attempts at problems of that kind are
    graded, which stand beside those of the draws.
    """
    asker = Asker(run, step, prompt, model, sampling)
    answered = [(each, attempt) for each in shard.asked(of) for attempt in shard.case(each).attempts]
    graded = await each_of(_grade(problem, attempt, asker, votes) for problem, attempt in answered)
    facts = Facts.none()
    for each in graded:
        facts.extend(each)
    return Output(facts, [each.id for each in shard.live])


def check_grade(given: Mapping[str, Any]) -> None:
    """Raises ValueError for less than one vote."""
    if given["votes"] < 1:
        raise ValueError(f"votes = {given['votes']} should be at least 1")


async def _grade(asked: Problem, attempt: Attempt, asker: Asker, votes: int) -> Facts:
    if not attempt.text.strip():
        return Facts([], [], [_reward(attempt, [], asker, "no text to judge")])
    task = problem(
        parents=[attempt.id],
        stage=asker.step.label,
        draw=attempt.draw,
        kind="judge",
        question=asked.question,
        domain=asked.domain,
    )
    question = asker.question(task, question=between_marks(asked.question), response=between_marks(attempt.text))
    judgements = await each_of(question.attempt(vote) for vote in range(votes))
    scores = [score for each in judgements if (score := read_score(each.text)) is not None]
    return Facts([task], list(judgements), [_reward(attempt, scores, asker, "no judgement can be read")])


def _reward(attempt: Attempt, scores: list[float], asker: Asker, otherwise: str) -> Verdict:
    return verdict(
        subjects=[attempt.id],
        stage=asker.step.label,
        draw=attempt.draw,
        rule=RULE,
        status="pass" if scores else "unsure",
        score=sum(scores) / len(scores) if scores else None,
        context={"scorer": asker.model.name, "revision": asker.model.revision, "votes": len(scores)},
        evidence={} if scores else {"reason": otherwise},
    )
