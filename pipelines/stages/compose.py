"""Composing: several seeds become one problem, each of which needs the answer to the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from filters.annotations import number_marked, read_key
from filters.chains import chained, resolved, whole
from filters.rule import Case
from filters.verifiers import VERIFIERS
from filters.whole_numbers import Number, by_priority, numbers_in, said_once
from pipelines.inference.model import Model, Sampling
from pipelines.records import Facts, Problem, Verdict, problem, to_json, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.stages.judge import gathered, judging_task, who
from pipelines.stages.sift import as_fact
from pipelines.store import Output
from prompts.template import Template

COMPOSED = "composed@1"
KEY = "key_number@1"  # raise it with the way a judgement is read
SINGLE = "single"  # a member of a chain, as a problem by itself


class Member(NamedTuple):
    """A seed that can be in a chain; `key` is its number that the answer before may say."""

    seed: Problem
    question: str
    answer: str
    key: Number | None


async def compose(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    lengths: list[int],
    linked: bool = True,
    verifier: str = "chain",
) -> Output:
    """Make one problem of the first seeds of each draw that fit, as many as `lengths` says of the draws in turn.

    In each but the first a number is said by the answer before, so that its own answer stays what it was; who cannot
    do one cannot do those after it (R-Horizon, arXiv 2510.08189). A seed fits whose answer is a whole number and
    whose text has a number that stands by itself and is said once: of several the one that a judge called key, if any
    was asked, then the one nearest to plain words. Without `linked` seeds only stand one after another, and any that
    is mathematics fits. With `verifier = "math"` the last answer alone is the reference. The members stand beside the
    chain as problems of kind `single`, so that it can be compared with them.
    """
    facts, live, out = Facts.none(), [], []
    for drawn in shard.live:
        length = lengths[(drawn.draw or 0) % len(lengths)]
        found = [each for seed in shard.made_of(drawn) if (each := _member(shard.case(seed), drawn, linked))]
        text = _text(found[:length]) if len(found) >= length else None
        if text is None:
            reason = "too few seeds fit" if len(found) < length else "it cannot be taken apart again"
            facts.verdicts.append(_told(drawn.id, drawn, step, length, reason))
            out.append((drawn.draw, facts.verdicts[-1].id))
            continue
        made = _problems(drawn, found[:length], text, step, verifier)
        facts.problems.extend(made)
        facts.verdicts.append(_told(made[0].id, drawn, step, length, None))
        live.append(made[0].id)
    return Output(facts, live, out)


def check_compose(given: Mapping[str, Any]) -> None:
    """Raises ValueError for no lengths or bad ones, and for a verifier that no chain has."""
    lengths = given["lengths"]
    if not lengths or not all(type(each) is int and 1 <= each <= 64 for each in lengths):
        raise ValueError(f"lengths = {lengths} should be numbers of problems, from 1 to 64")
    if given["verifier"] not in ("chain", "math"):
        raise ValueError(f"verifier = {given['verifier']!r}; it may be 'chain', or 'math' for the last answer alone")


def _member(case: Case, drawn: Problem, linked: bool) -> Member | None:
    """The seed as a member of a chain; None where it does not fit."""
    seed, question = case.problem, case.problem.question.strip()
    if seed.verifier != "math" or not seed.answer or VERIFIERS["math"].problem_with(seed.answer):
        return None
    if not linked:
        return Member(seed, question, seed.answer, None)
    keys = _keys(case, question, drawn)
    answer = whole(seed.answer)
    return Member(seed, question, str(answer), keys[0]) if keys and answer is not None else None


def _keys(case: Case, question: str, drawn: Problem) -> list[Number]:
    """The numbers that may be said by another answer, the best first."""
    told = {each.value: each.status for each in case.verdicts if each.rule == KEY and each.draw == drawn.draw}
    return [each for each in candidates(question) if not told or told.get(str(each.start)) == "pass"]


def candidates(question: str) -> list[Number]:
    """The numbers of a question that stand by themselves and are said once, the nearest to plain words first."""
    return by_priority(said_once(numbers_in(question), question))


def _text(members: Sequence[Member]) -> str | None:
    """The members as one text; None where they could not be told apart in it."""
    questions, answers = [each.question for each in members], [each.answer for each in members]
    text = chained(questions, answers, [None, *(each.key for each in members[1:])])
    back = resolved(text, dict(enumerate(answers, start=1)))
    return text if back == dict(enumerate(questions, start=1)) else None


def _problems(drawn: Problem, members: Sequence[Member], text: str, step: Step, name: str) -> list[Problem]:
    """The chain, then each of its members by itself."""
    answers = [each.answer for each in members]
    domains, licenses = ({getattr(each.seed, field) for each in members} for field in ("domain", "license"))
    chain = problem(
        parents=[each.seed.id for each in members],
        stage=step.label,
        draw=drawn.draw,
        kind="composed",
        question=text,
        answer=to_json({"chain": answers}) if name == "chain" else answers[-1],
        verifier=name,
        domain=domains.pop() if len(domains) == 1 else None,
        license=licenses.pop() if len(licenses) == 1 else None,
        details={"length": len(members), "keys": [each.key._asdict() if each.key else None for each in members[1:]]},
    )
    return [chain, *(_single(chain, each.seed, place, step) for place, each in enumerate(members, start=1))]


def _single(chain: Problem, seed: Problem, place: int, step: Step) -> Problem:
    return problem(
        parents=[chain.id, seed.id],
        stage=step.label,
        draw=chain.draw,
        kind=SINGLE,
        question=seed.question,
        answer=seed.answer,
        verifier=seed.verifier,
        domain=seed.domain,
        source=seed.source,
        license=seed.license,
        details={"place": place},
    )


def _told(subject: str, drawn: Problem, step: Step, length: int, reason: str | None) -> Verdict:
    return verdict(
        subjects=[subject],
        stage=step.label,
        draw=drawn.draw,
        rule=COMPOSED,
        status="fail" if reason else "pass",
        value=str(length),
        evidence={"reason": reason} if reason else {},
    )


# --- Which number is key --------------------------------------------------------------------------------------


async def key_numbers(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    at_most: int = 3,
    confidence: str = "low",
) -> Output:
    """Ask the model of each seed that could be in a chain which of its numbers the answer hangs on.

    The numbers nearest to plain words come first; it is asked until it names one with this confidence (low, medium or
    high) or more, and about `at_most` of them. With `at_most = 0` nothing is asked, and rules alone decide.
    """
    asker = Asker(run, step, prompt, model, sampling)
    seeds = ((drawn, seed) for drawn in shard.live for seed in shard.made_of(drawn) if whole(seed.answer) is not None)
    return gathered(await each_of(_key(drawn, seed, asker, at_most, confidence) for drawn, seed in seeds), shard)


async def _key(drawn: Problem, seed: Problem, asker: Asker, at_most: int, confidence: str) -> Facts:
    """What the judge says of a seed's numbers, one after another until one is key."""
    facts, question = Facts.none(), seed.question.strip()
    here = seed._replace(draw=drawn.draw, question=question)
    for number in candidates(question)[:at_most]:
        task = judging_task(here, asker, parents=[seed.id], about=f"the number at {number.start}")
        asked = asker.question(task, material=number_marked(question, number.start, number.stop))
        attempt = await asked.attempt(0)
        ruling = read_key(attempt.text, confidence)._replace(value=str(number.start))
        told = as_fact(
            ruling, about=[seed.id], draw=drawn.draw, stage=asker.step.label, rule=KEY, context=who(asker, 1)
        )
        facts.extend(Facts([task], [attempt], [told]))
        if ruling.status == "pass":
            break
    return facts


def check_key_numbers(given: Mapping[str, Any]) -> None:
    """Raises ValueError for an unknown confidence, and for less than no numbers."""
    if given["confidence"] not in ("low", "medium", "high"):
        raise ValueError(f"confidence = {given['confidence']!r}; it may be 'low', 'medium' or 'high'")
    if given["at_most"] < 0:
        raise ValueError(f"at_most = {given['at_most']} should not be negative")
