"""Looking back: where a right trace turned to another thought, the thought that it left is gone on with instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from filters.answers import final_answer
from filters.thoughts import begun
from filters.trace import SWITCH_WORDS
from filters.trace_text import size
from pipelines.inference.engine import split_think
from pipelines.inference.model import Model, Sampling, seed_of
from pipelines.records import Attempt, Facts, Problem, Turn, Verdict, continuation, problem, to_json, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.stages.rollout import Rollout, Search, Trace, rolled_out, steps_behind, switches_in
from pipelines.store import Output
from prompts.template import Template

RULE, KIND = "revised@1", "search"


class Revision(NamedTuple):
    """A better end of a trace: behind how many characters of the thought, the worth of both ends, and who ends it."""

    at: int
    old: float
    new: float
    by: Attempt


class Searched(NamedTuple):
    """A trace that was looked at: the problem of doing so, what became of it, and all that was tried."""

    of: Problem
    original: Attempt
    task: Problem
    trace: Trace
    revisions: list[Revision]
    tried: list[Rollout]
    points: int


async def retro(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    n: int = 1,
    points: int = 8,
    gamma: float = 0.9,
    begin_within: float = 0.0,
    words: list[str] = SWITCH_WORDS,
    forbid: list[str] = SWITCH_WORDS,
) -> Output:
    """Look for shorter ways in every right trace: go on `n` times where it switches its thought, without switching.

    At each of up to `points` switches the model gets the trace up to there. The words in `forbid` are banned from its
    first step, up to a blank line, and then it is free; a first step that switches all the same, at one of `words`,
    is lost. A right end is worth `gamma` to the number of its steps, a wrong one nothing; what is worth more than the
    old end takes its place, and the search goes on behind it. It begins at a switch drawn from the share
    `begin_within` of them: 0 is the first, 1 any. A trace that ends up right and shorter, in words and signs, becomes
    an attempt that continues the original; all that was tried is at a problem of kind `search`, of which `revised`
    says how much shorter. The model may be the traces' author or a smaller one (Retro-Search, arXiv 2504.04383).
    """
    banned = {"bad_words": forbid} if forbid else {}
    changes: list[dict[str, Any]] = [{"stop": ["\n\n"], **banned}, banned, {}]
    askers = [Asker(run, step, prompt, model, sampling.but(each)) for each in changes]
    how = Search(run, askers[0], askers[1], askers[2], n, points, gamma, begin_within, words)
    searched = await each_of(_searched(of, trace, how) for of, trace in await _right(shard, run))
    facts = Facts.none()
    for each in searched:
        facts.extend(_facts(each, how))
    return Output(facts, [each.id for each in shard.live])


def check_retro(given: Mapping[str, Any]) -> None:
    """Raises ValueError for numbers and words with which nothing can be searched. Of 0 points none is."""
    if given["n"] < 1 or given["points"] < 0:
        raise ValueError(f"n = {given['n']} should be at least 1, points = {given['points']} at least 0")
    if not 0 < given["gamma"] < 1 or not 0 <= given["begin_within"] <= 1:
        raise ValueError("gamma should be between 0 and 1, and begin_within a share")
    if not given["words"] or not all(each.strip() for each in (*given["words"], *given["forbid"])):
        raise ValueError("words should name some at which a thought switches, and none may be blank")


async def _right(shard: Shard, run: Run) -> list[tuple[Problem, Attempt]]:
    """The finished traces with a thought, all of it their own, that the problem's verifier passes now."""
    there = [(of, each) for of in shard.live for each in shard.case(of).attempts if _is_own(each)]
    pairs = {each.id: pair for of, each in there if (pair := _pair(of, each))}
    check = await run.checks.table(pairs.values())
    return [(of, each) for of, each in there if each.id in pairs and check(*pairs[each.id]).status == "pass"]


def _is_own(each: Attempt) -> bool:
    """Also not one of several turns, of which a new end would have the last alone."""
    is_one = sum(turn.role == "assistant" for turn in each.turns) == 1
    return each.finish == "stop" and is_one and begun(each) is None and bool(_trace(each).thought)


def _pair(of: Problem, each: Attempt) -> tuple[str, str, str] | None:
    answer = final_answer(each, of.verifier) if of.verifier else None
    return (of.verifier, of.answer, answer) if of.verifier and of.answer and answer else None


# --- One trace ------------------------------------------------------------------------------------------------


async def _searched(of: Problem, original: Attempt, how: Search) -> Searched:
    """Go through the switches of a trace from left to right, and take what is better."""
    task, trace = _task(of, original, how.then.step.label), _trace(original)
    places, points, revisions, tried = _places(original, how), 0, list[Revision](), list[Rollout]()
    while places and points < how.points:
        at, points, places = places[0], points + 1, places[1:]
        samples = range((points - 1) * how.n, points * how.n)
        came = await each_of(rolled_out(task, trace.thought[:at], how, sample) for sample in samples)
        best, now = max(came, key=lambda each: each.value), how.gamma ** steps_behind(trace, at)
        if best.trace and best.value > now:
            revisions.append(Revision(at, now, best.value, best.attempts[-1]))
            trace = best.trace
            places = [place for place in switches_in(trace.thought, how.words) if place > at]
        tried += came
    return Searched(of, original, task, trace, revisions, tried, points)


def _trace(attempt: Attempt) -> Trace:
    """Thought and answer, also where both were brought in one text."""
    turn = attempt.turns[-1]
    answer, thought = (turn.content, turn.reasoning) if turn.reasoning else split_think(turn.content or "", cut=False)
    return Trace((thought or "").strip(), answer or "")


def _places(original: Attempt, how: Search) -> list[int]:
    """The switches to look at: from one of the first on, drawn by the run's seed and the id."""
    places = switches_in(_trace(original).thought, how.words)
    among = 1 + int(how.begin_within * max(0, len(places) - 1))
    return places[seed_of(how.run.seed, "begin", original.id) % among :]


# --- As facts -------------------------------------------------------------------------------------------------


def _task(of: Problem, original: Attempt, stage: str) -> Problem:
    """Where all that is tried about a trace belongs."""
    return problem(
        parents=[original.id],
        stage=stage,
        draw=of.draw,
        kind=KIND,
        question=of.question,
        answer=of.answer,
        verifier=of.verifier,
        domain=of.domain,
        source=of.source,
    )


def _facts(searched: Searched, how: Search) -> Facts:
    """All that was tried, the revised trace if it is shorter, and how much shorter."""
    old, new = (size(f"{each.thought}\n{each.answer}") for each in (_trace(searched.original), searched.trace))
    better = [_revised(searched)] if searched.revisions and new < old else []
    tried = [each for rollout in searched.tried for each in rollout.attempts]
    told = _told(searched, old, new, better, how)
    return Facts([searched.task], [*tried, *better], [told])


def _revised(searched: Searched) -> Attempt:
    """The new trace as one attempt at the problem; its tokens are those of the attempts that it was found by."""
    by, trace = searched.revisions[-1].by, searched.trace
    told = {"begun": searched.revisions[0].at, "revises": searched.original.id}
    found = continuation(
        by,
        of=searched.of,
        before=searched.original,
        sample=searched.original.sample,
        turns=(*by.turns[:-1], Turn("assistant", trace.answer, trace.thought)),
        details=to_json({**orjson.loads(by.details), **told}),
    )
    return found._replace(prompt_tokens=0, completion_tokens=0, reasoning_tokens=None)


def _told(searched: Searched, old: int, new: int, better: list[Attempt], how: Search) -> Verdict:
    """Whether a trace was revised; the score is the share by which it became shorter, 0 where it stays."""
    before, after = _trace(searched.original), searched.trace if better else _trace(searched.original)
    found = "fewer steps, and not shorter" if searched.revisions else "no better way was found"
    reason = found if searched.points else "no switch was looked at"
    measures = {
        "points": searched.points,
        "rollouts": len(searched.tried),
        "lost": dict(Counter(each.lost for each in searched.tried if each.lost)),
        "thoughts": [1 + len(switches_in(each.thought, how.words)) for each in (before, after)],
        "steps": [steps_behind(each) for each in (before, after)],
        "tokens": [old, new if better else old],
    }
    revisions = [{"at": each.at, "old": each.old, "new": each.new, "by": each.by.id} for each in searched.revisions]
    return verdict(
        subjects=[searched.task.id],
        stage=how.then.step.label,
        draw=searched.of.draw,
        rule=RULE,
        status="pass" if better else "fail",
        score=1 - new / old if better else 0.0,
        value=better[0].id if better else searched.original.id,
        context=measures,
        evidence={**({} if better else {"reason": reason}), "revisions": revisions},
    )
