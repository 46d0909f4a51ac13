"""Contrasting: a better and a worse response become tasks of judging whose answer is known, and no model is asked."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from filters.verifiers.judging import pairwise, pointwise, spoken
from pipelines.records import Attempt, Facts, Problem, Verdict, digest, problem, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.stages.judge import fit
from pipelines.store import Output
from prompts.template import Template

RULE = "contrasted@1"  # raise it with the way responses are set side by side
KIND = "judgement"
FORMS = ("pair", "single")


class Pair(NamedTuple):
    """Two responses to one task of which it is known which is better, and why the other is worse."""

    id: str
    better: Attempt
    worse: Attempt
    corruption: str
    instead: str | None  # the instruction that the worse one really answers, if that is another


async def contrast(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: list[Template],
    single: list[Template],
    forms: list[str],
    of: str = "",
    by: str = "answer_matches",
    pairs: int = 1,
) -> Output:
    """Make of each problem up to `pairs` pairs of a better and a worse response, and of each pair tasks of judging.

    A task stands beside the draw (kind `judgement`) and is complete: its question is what a judge is asked, in the
    words of one of the prompts by chance, its answer what a right judge says. The form `pair` gives both orders in
    the same words, with `prompt`; the form `single` each response alone, with `single`. The better responses are
    those that the rule `by` passed and the worse those that it failed; with `of`, the worse are the responses to the
    problems of that kind, which ask for something else. A problem without such a pair goes. J1, arXiv 2505.10320,
    section 3.
    """
    words = {form: prompts for form, prompts in (("pair", prompt), ("single", single)) if form in forms}
    facts, live, out = Facts.none(), [], []
    for asked in shard.live:
        made = _pairs(asked, shard, run.seed, of, by)[:pairs]
        told = _ruling(asked, made, step.label)
        facts.verdicts.append(told)
        if not made:
            out.append((asked.draw, told.id))
            continue
        live.append(asked.id)
        for pair in made:
            facts.problems.extend(_tasks(asked, pair, step.label, words))
    return Output(facts, live, out)


def check_contrast(given: Mapping[str, Any]) -> None:
    """Raises ValueError for unknown forms, no pairs, and prompts that are more than one plain message."""
    if given["pairs"] < 1:
        raise ValueError(f"pairs = {given['pairs']} should be at least 1")
    if not given["forms"] or not set(given["forms"]) <= set(FORMS):
        raise ValueError(f"forms = {given['forms']} should be of {', '.join(FORMS)}")
    for each in [*given["prompt"], *given["single"]]:
        if each.variables != {"material"} or each.private or len(each.render({"material": ""})) != 1:
            raise ValueError(f"prompt {each.name!r} should be one message that asks for material, and not private")


def _pairs(asked: Problem, shard: Shard, seed: int, of: str, by: str) -> list[Pair]:
    """Every response in one pair at most, in an order by chance."""
    better, worse = _sides(asked, shard, of, by)
    for side in (better, worse):
        random.Random(digest(seed, "contrast", asked.id)).shuffle(side)
    instead = {each.id: each.question for each in shard.asked(of)} if of else {}
    corruption = "modified_instruction" if of else "wrong_answer"
    return [
        Pair(digest(asked.id, right.id, wrong.id), right, wrong, corruption, instead.get(wrong.problem))
        for right, wrong in zip(better, worse, strict=False)
        if spoken(right.text) != spoken(wrong.text)
    ]


def _sides(asked: Problem, shard: Shard, of: str, by: str) -> tuple[list[Attempt], list[Attempt]]:
    """The better and the worse responses, those that say the same only once."""
    case = shard.case(asked)
    said = {each.subjects[0]: each.status for each in case.verdicts if each.rule.partition("@")[0] == by}
    mine = fit(case)
    if not of:
        right, wrong = ([each for each in mine if said.get(each.id) == status] for status in ("pass", "fail"))
        return _distinct(right), _distinct(wrong)
    others = [each for each in shard.asked(of) if each.draw == asked.draw]
    worse = [attempt for other in others for attempt in fit(shard.case(other))]
    return _distinct([each for each in mine if said.get(each.id) != "fail"]), _distinct(worse)


def _distinct(attempts: Sequence[Attempt]) -> list[Attempt]:
    by_text = {spoken(each.text): each for each in reversed(attempts)}
    return [each for text, each in reversed(by_text.items()) if text]


Words = Mapping[str, Sequence[Template]]
"""By form, the prompts in whose words its tasks may be put."""


def _tasks(asked: Problem, pair: Pair, stage: str, words: Words) -> Iterator[Problem]:
    """The tasks of judging that one pair gives: one for each order, and one for each response."""
    texts = {each.id: spoken(each.text) for each in (pair.better, pair.worse)}
    for form, prompts in words.items():
        prompt = prompts[int(pair.id, 16) % len(prompts)]
        for order, (first, second) in enumerate([(pair.better, pair.worse), (pair.worse, pair.better)]):
            if form == "pair":
                material = pairwise(question=asked.question, first=texts[first.id], second=texts[second.id])
                yield _task(asked, pair, stage, prompt, material, [first, second], "AB"[order], order)
            else:
                material = pointwise(question=asked.question, response=texts[first.id])
                yield _task(asked, pair, stage, prompt, material, [first], ("yes", "no")[order], order)


def _task(
    asked: Problem,
    pair: Pair,
    stage: str,
    prompt: Template,
    material: str,
    judged: Sequence[Attempt],
    answer: str,
    order: int,
) -> Problem:
    details = {"pair": pair.id, "order": order, "form": "pair" if len(judged) == 2 else "single"}
    details |= {"corruption": pair.corruption, "prompt": str(prompt)}
    return problem(
        parents=[each.id for each in judged],
        stage=stage,
        draw=asked.draw,
        kind=KIND,
        question=prompt.render({"material": material})[0]["content"],
        answer=answer,
        verifier="judging",
        domain=asked.domain,
        source=asked.source,
        details={**details, **({"modified_instruction": pair.instead} if pair.instead else {})},
    )


def _ruling(asked: Problem, made: Sequence[Pair], stage: str) -> Verdict:
    reason = {} if made else {"reason": "no better and worse response to set side by side"}
    return verdict(
        subjects=[asked.id],
        stage=stage,
        draw=asked.draw,
        rule=RULE,
        status="pass" if made else "fail",
        score=float(len(made)),
        evidence={"pairs": [each.id for each in made], **reason},
    )
