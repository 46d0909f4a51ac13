"""Judging: a language model says whether attempts are right, or which of two is better."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

from filters.answers import LEFT_OUT
from filters.rule import Case
from filters.verifiers.gaming import gaming
from filters.verifiers.judging import (
    Preference,
    agree,
    check_threshold,
    decide,
    pairwise,
    pointwise,
    read_judgement,
    read_preference,
    spoken,
)
from filters.verifiers.outcome import Outcome, failed, unsure
from pipelines.inference.model import Model, Sampling
from pipelines.records import Attempt, Facts, Problem, Verdict, digest, problem, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.store import Output
from pipelines.views.table import UNFIT
from prompts.template import Template

JUDGED, PREFERRED = "judged@1", "preferred@1"  # raise them with the way a judgement is read


@dataclass
class Panel:
    """A judge who is asked several times, and the share of yes that decides."""

    asker: Asker
    votes: int
    at_least: float
    at_most: float

    def context(self) -> dict[str, Any]:
        """Who judged and how, for a verdict."""
        return {**who(self.asker, self.votes), "at_least": self.at_least, "at_most": self.at_most}


class Judged(NamedTuple):
    """What came of asking a panel: the judge's attempts, how many said yes of those that could be read."""

    attempts: list[Attempt]
    outcome: Outcome
    yes: int
    votes: int


async def judge(
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
    of: str = "",
) -> Output:
    """Ask the model `votes` times whether each attempt is right; the score is the share of yes.

    An attempt passes from the share `at_least` on, fails below it up to `at_most`, and is unsure between. Which share
    tells right from wrong depends on the judge: `noise.calibrate` finds it. Cut attempts are unsure; what is written
    for the judge (`gaming`) fails unasked, and of what a rule of UNFIT has passed over nothing is said. Votes that
    cannot be read are left out and counted. The reference is not shown: where there is one, `appeal` asks about it.
    With `of` attempts at problems of that kind are judged, which stand beside those of the draws.
    """
    panel = Panel(Asker(run, step, prompt, model, sampling), votes, at_least, at_most)
    asked = [(each, attempt) for each in shard.asked(of) for attempt in standing(shard.case(each))]
    return gathered(await each_of(_judge(problem, attempt, panel) for problem, attempt in asked), shard)


async def _judge(asked: Problem, attempt: Attempt, panel: Panel) -> Facts:
    if outcome := unasked(attempt, asked):
        return Facts([], [], [as_verdict(Judged([], outcome, 0, 0), panel, JUDGED, about=attempt)])
    task = judging_task(asked, panel.asker, parents=[attempt.id])
    material = pointwise(question=asked.question, response=spoken(attempt.text))
    judged = await put(task, material, panel)
    return Facts([task], judged.attempts, [as_verdict(judged, panel, JUDGED, about=attempt)])


async def prefer(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    votes: int = 1,
    pairs: int = 1,
) -> Output:
    """Ask the model which of two attempts is better, for up to `pairs` random pairs of each problem.

    Each pair is asked about in both orders, `votes` times each, and passes with the better one's id as its value when
    both orders prefer it; a preference that turns with the order is unsure. The score is the better one's share of
    the votes. Attempts that were cut or are written for the judge are in no pair. Both orders as in J1 (arXiv
    2505.10320).
    """
    asker = Asker(run, step, prompt, model, sampling)
    drawn = [(each, pair) for each in shard.live for pair in _pairs(each, shard, run.seed, pairs)]
    return gathered(await each_of(_prefer(problem, pair, asker, votes) for problem, pair in drawn), shard)


def _pairs(asked: Problem, shard: Shard, seed: int, most: int) -> list[tuple[Attempt, Attempt]]:
    found = list(combinations(fit(shard.case(asked)), 2))
    random.Random(digest(seed, "pairs", asked.id)).shuffle(found)
    return found[:most]


async def _prefer(asked: Problem, pair: tuple[Attempt, Attempt], asker: Asker, votes: int) -> Facts:
    orders = [pair, pair[::-1]]
    tasks = [judging_task(asked, asker, parents=[first.id, second.id]) for first, second in orders]
    came = await each_of(
        _compare(task, first, second, asker, votes) for task, (first, second) in zip(tasks, orders, strict=True)
    )
    read: list[list[Preference | None]] = [[read_preference(each.text) for each in attempts] for attempts in came]
    outcome = agree(*read)
    said = verdict(
        subjects=[attempt.id for attempt in pair],
        stage=asker.step.label,
        draw=asked.draw,
        rule=PREFERRED,
        status=outcome.status,
        score=outcome.score,
        value=pair[outcome.evidence["place"]].id if outcome.status == "pass" else None,
        context=who(asker, votes),
        evidence={**_reason(outcome), "first_order": read[0], "second_order": read[1]},
    )
    return Facts(tasks, [each for attempts in came for each in attempts], [said])


async def _compare(task: Problem, first: Attempt, second: Attempt, asker: Asker, votes: int) -> list[Attempt]:
    material = pairwise(question=task.question, first=spoken(first.text), second=spoken(second.text))
    question = asker.question(task, material=material)
    return await each_of(question.attempt(vote) for vote in range(votes))


def standing(case: Case) -> list[Attempt]:
    """The attempts that no rule has passed over which chooses among them: no view shows the others."""
    against = (each for each in case.verdicts if each.status == "fail" and each.rule.partition("@")[0] in UNFIT)
    passed_over = {subject for each in against for subject in each.subjects}
    return [each for each in case.attempts if each.id not in passed_over]


def fit(case: Case) -> list[Attempt]:
    """Those of them that are worth a judge's time: finished, and not written for the judge."""
    return [each for each in standing(case) if not unasked(each, case.problem)]


# --- What asking a judge is made of ---------------------------------------------------------------------------


def unasked(attempt: Attempt, asked: Problem) -> Outcome | None:
    """What is known of an attempt without asking: it was cut, or was written for the judge."""
    if attempt.finish != "stop":
        return unsure(LEFT_OUT[attempt.finish])
    why = gaming(attempt.text, question=asked.question)
    return failed(why) if why else None


def judging_task(
    asked: Problem, asker: Asker, *, parents: Sequence[str], reference: str | None = None, about: str | None = None
) -> Problem:
    """The task of judging something, as a problem of its own."""
    return problem(
        parents=parents,
        stage=asker.step.label,
        draw=asked.draw,
        kind="judge",
        question=asked.question,
        answer=reference,
        domain=asked.domain,
        details={"about": about} if about else None,
    )


async def put(task: Problem, material: str, panel: Panel) -> Judged:
    """Put a task to the panel. Raises Stopping, Misconfigured or Outage."""
    question = panel.asker.question(task, material=material)
    attempts = await each_of(question.attempt(vote) for vote in range(panel.votes))
    votes = [read_judgement(attempt.text) for attempt in attempts]
    readable = [vote for vote in votes if vote is not None]
    outcome = decide(votes, at_least=panel.at_least, at_most=panel.at_most)
    return Judged(attempts, outcome, sum(readable), len(readable))


def as_verdict(
    judged: Judged,
    panel: Panel,
    rule: str,
    *,
    about: Attempt | Problem,
    value: str | None = None,
    verifier: str | None = None,
) -> Verdict:
    """What the panel said of an attempt, or of a task that holds no one's attempt."""
    counted = {"yes": judged.yes, "votes": judged.votes, **({"verifier": verifier} if verifier else {})}
    return verdict(
        subjects=[about.id],
        stage=panel.asker.step.label,
        draw=about.draw,
        rule=rule,
        status=judged.outcome.status,
        score=judged.outcome.score,
        value=value,
        context={**panel.context(), **counted},
        evidence=_reason(judged.outcome),
    )


def who(asker: Asker, votes: int) -> dict[str, Any]:
    """The judge, as contexts name it."""
    model = asker.model
    return {"judge": model.name, "revision": model.revision, "prompt": asker.prompt_name, "asked": votes}


def _reason(outcome: Outcome) -> dict[str, Any]:
    return {} if outcome.reason is None else {"reason": outcome.reason}


def gathered(made: Iterable[Facts], shard: Shard) -> Output:
    """The facts of many, while every problem stays."""
    facts = Facts.none()
    for each in made:
        facts.extend(each)
    return Output(facts, [each.id for each in shard.live])


def check_judge(given: Mapping[str, Any]) -> None:
    """Raises ValueError for less than one vote, and for a threshold that decides nothing."""
    check_votes(given)
    check_threshold(at_least=given["at_least"], at_most=given["at_most"])


def check_prefer(given: Mapping[str, Any]) -> None:
    """Raises ValueError for less than one vote or pair."""
    check_votes(given)
    if given["pairs"] < 1:
        raise ValueError(f"pairs = {given['pairs']} should be at least 1")


def check_votes(given: Mapping[str, Any]) -> None:
    """Raises ValueError for less than one vote."""
    if given["votes"] < 1:
        raise ValueError(f"votes = {given['votes']} should be at least 1")
