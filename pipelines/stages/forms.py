"""One item in two forms: a choice also as an open question, and an open question also as a choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from filters.answers import final_answer
from filters.forms import Form, choice_form, decidable, distractors_of, open_form, quickly
from filters.verifiers import choice
from pipelines.records import Attempt, Facts, Problem, problem
from pipelines.stage import Run, Shard, Step
from pipelines.store import Output

KIND = "form"


async def forms(shard: Shard, run: Run, step: Step, *, distractors: int = 3) -> Output:
    """Append the other form of each problem, where it has one whose answer its verifier can decide.

    A choice becomes open where it makes sense without its options. An open question becomes a choice among its answer
    and up to so many `distractors`: the wrong answers that its attempts gave most often. Both are one item, whose id
    is the problem's (NEMOTRON-CROSSTHINK, arXiv 2504.13941); the view `forms` has a row for each.
    """
    twins = [_twin(each, shard.case(each).attempts, distractors, run.seed) for each in shard.live]
    made = [_as_problem(of, twin, step.label) for of, twin in zip(shard.live, twins, strict=True) if twin is not None]
    return Output(Facts(made, [], []), [each.id for each in shard.live])


def _twin(of: Problem, attempts: Sequence[Attempt], most: int, seed: int) -> Form | None:
    """The other form; None where there is none that could be rewarded."""
    if not of.answer or of.verifier is None:
        return None
    if of.verifier == "choice":
        form = open_form(of.question, of.answer, id=of.id)
        wrong = [said for said in choice.options_in(of.question).values() if form and said != form.answer]
    else:
        given = [answer for each in attempts if (answer := final_answer(each, of.verifier))]
        wrong = distractors_of(given, of.answer, of.verifier, at_most=most)
        form = choice_form(of.question, of.answer, wrong, id=of.id, seed=seed) if wrong else None
    return form if form and decidable(form, quickly, distractors=wrong).status == "pass" else None


def _as_problem(of: Problem, twin: Form, stage: str) -> Problem:
    return problem(
        parents=[of.id],
        stage=stage,
        draw=of.draw,
        kind=KIND,
        question=twin.question,
        answer=twin.answer,
        verifier=twin.verifier,
        domain=of.domain,
        source=of.source,
        license=of.license,
        details={"item": twin.item, "format": twin.format},
    )


def check_forms(given: Mapping[str, Any]) -> None:
    """Raises ValueError where a choice would have no wrong option, or more than have letters."""
    if not 1 <= given["distractors"] <= 9:
        raise ValueError(f"distractors = {given['distractors']} should be from 1 to 9")
