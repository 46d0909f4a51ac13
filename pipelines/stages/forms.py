"""One item in two forms: a choice also as an open question, and an open question also as a choice."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from filters.answers import final_answer
from filters.blending import FORMATS, format_of
from filters.forms import MAX_WORDS, Form, choice_form, decidable, distractors_of, open_form, quickly
from filters.verifiers import choice
from pipelines.inference.model import seed_of
from pipelines.records import Attempt, Facts, Problem, Verdict, problem, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.store import Output

KIND = "form"
ASKED = "asked_form@1"


async def forms(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    distractors: int = 3,
    words: int = MAX_WORDS,
    ask: dict[str, Any] | None = None,
) -> Output:
    """Append the other form of each problem, where it has one whose answer its verifier can decide.

    A choice becomes open where it makes sense without its options, and what the right one says is a value or of at
    most so many `words`. An open question becomes a choice among its answer and up to so many `distractors`: the
    wrong answers that its attempts gave most often. Both are one item, whose id is the problem's
    (NEMOTRON-CROSSTHINK, arXiv 2504.13941); the view `forms` has a row for each. With `ask`, weights as
    { choice = 1, open = 2 }, the draw is from here on about one of the forms that the item has, by chance in these
    shares; an item that has none goes.
    """
    facts, live, out = Facts.none(), [], []
    for of in shard.live:
        twin = _twin(of, shard.case(of).attempts, distractors, words, run.seed)
        made = [of, *([_as_problem(of, twin, step.label)] if twin else [])]
        facts.problems.extend(made[1:])
        chosen = _asked(made, ask, run.seed) if ask else of
        if ask:
            facts.verdicts.append(_told(chosen, of, step.label))
        if chosen is None:
            out.append((of.draw, facts.verdicts[-1].id))
        else:
            live.append(chosen.id)
    return Output(facts, live, out)


def _asked(forms: Sequence[Problem], weights: Mapping[str, float], seed: int) -> Problem | None:
    """One of an item's forms, by chance in these shares; None where it has none that has a weight."""
    known = [(each, weights.get(format_of(each.verifier), 0)) for each in forms]
    weighed = [(each, weight) for each, weight in known if weight > 0]
    if not weighed:
        return None
    chance = random.Random(seed_of(seed, forms[0].id, "form"))
    return chance.choices([each for each, _ in weighed], [weight for _, weight in weighed])[0]


def _told(chosen: Problem | None, of: Problem, stage: str) -> Verdict:
    return verdict(
        subjects=[(chosen or of).id],
        stage=stage,
        draw=of.draw,
        rule=ASKED,
        status="pass" if chosen else "fail",
        value=format_of(chosen.verifier) if chosen else None,
        evidence={} if chosen else {"reason": "it has none of the forms that are asked for"},
    )


def _twin(of: Problem, attempts: Sequence[Attempt], most: int, words: int, seed: int) -> Form | None:
    """The other form; None where there is none that could be rewarded."""
    if not of.answer or of.verifier is None:
        return None
    if of.verifier == "choice":
        form = open_form(of.question, of.answer, id=of.id, at_most_words=words)
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
    """Raises ValueError where a choice would have no wrong option or more than have letters, and for bad weights."""
    if not 1 <= given["distractors"] <= 9:
        raise ValueError(f"distractors = {given['distractors']} should be from 1 to 9")
    for name, weight in (given["ask"] or {}).items():
        if name not in FORMATS or isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
            raise ValueError(f"ask: {name} = {weight!r} should be a weight from 0 on, of {' or '.join(FORMATS)}")
