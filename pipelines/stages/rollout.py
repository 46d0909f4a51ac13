"""Going on from a place in a trace without switching the thought: one step under a ban, then freely to the end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import orjson

from filters.trace import boundary_defect, thoughts
from filters.verifiers import answer_in
from pipelines.inference.engine import split_think
from pipelines.records import Attempt, Problem, Turn, to_json
from pipelines.stage import Run
from pipelines.stages.ask import Asker

BLANK_LINE = re.compile(r"\n\s*\n")  # between steps


class Trace(NamedTuple):
    """What was thought, and what was answered behind it."""

    thought: str
    answer: str


class Rollout(NamedTuple):
    """What came of going on from somewhere: the whole trace and its worth, or why it is lost."""

    attempts: list[Attempt]
    trace: Trace | None = None
    value: float = 0.0
    lost: str | None = None


class Search(NamedTuple):
    """How it is searched: who takes the first step, who goes on from there, and what counts."""

    run: Run
    first: Asker
    unstopped: Asker
    then: Asker
    n: int
    points: int
    gamma: float
    begin_within: float
    words: Sequence[str]


def switches_in(thought: str, words: Sequence[str]) -> list[int]:
    """Where a thought switches to another, in characters."""
    return list(accumulate(map(len, thoughts(thought, words=words))))[:-1]


def steps_behind(trace: Trace, at: int = 0) -> int:
    """How many steps there are to the end, from so many characters of the thought on: what blank lines part."""
    return sum(bool(each.strip()) for each in BLANK_LINE.split(f"{trace.thought[at:]}\n\n{trace.answer}"))


async def rolled_out(task: Problem, prefix: str, how: Search, sample: int) -> Rollout:
    """Take one step without a switch, go on freely from there to the end, and see what that is worth."""
    begun = f"<think>\n{prefix}"
    came = await _first_step(task, begun, how, 2 * sample)
    first = came[-1].turns[-1]
    step = BLANK_LINE.split(_spoken(first).strip())[0]
    if lost := _lost(came[-1], step, how.words):
        return Rollout(came, lost=lost)
    if not _is_whole(came[-1], task):
        ended = first.reasoning == ""  # right away; else a step that ends the thought ends it once more
        begun = f"{begun.rstrip()}\n</think>\n\n" if ended else f"{begun}{step}\n\n"
        came.append(await _asked(how.then, task, begun, 2 * sample + 1))
    if came[-1].finish != "stop":
        return Rollout(came, lost="cut or refused")
    text = begun + _text(came[-1].turns[-1]).lstrip()
    return await _worth(text, came, task, len(prefix), how)


async def _first_step(task: Problem, begun: str, how: Search, sample: int) -> list[Attempt]:
    """The first step, asked for once more without a stop where a chat template has eaten the blank line before it."""
    came = await _asked(how.first, task, begun, sample)
    if came.finish != "stop" or came.turns[-1].reasoning is not None or _spoken(came.turns[-1]).strip():
        return [came]
    return [came, await _asked(how.unstopped, task, begun, sample)]


async def _asked(asker: Asker, task: Problem, begun: str, sample: int) -> Attempt:
    """What comes behind a beginning, kept without it: that stands in the trace."""
    question = asker.question(task, after=[{"role": "assistant", "content": begun}], question=task.question)
    came = await question.attempt(sample)
    told = {**orjson.loads(came.details), "at": len(begun)}
    return came._replace(turns=(*came.turns[:-2], came.turns[-1]), details=to_json(told))


def _is_whole(first: Attempt, task: Problem) -> bool:
    """Whether the first step has come to the answer."""
    turn = first.turns[-1]
    answer = answer_in(task.verifier or "", turn.content or "") if turn.reasoning is not None else None
    return first.finish == "stop" and answer is not None


def _spoken(turn: Turn) -> str:
    """What was thought, wherever a server puts what follows a beginning."""
    return (turn.content if turn.reasoning is None else turn.reasoning) or ""


def _text(turn: Turn) -> str:
    return _spoken(turn) if turn.reasoning is None else f"{turn.reasoning}\n</think>\n\n{turn.content or ''}"


def _lost(came: Attempt, step: str, words: Sequence[str]) -> str | None:
    """Why a first step is none, if it is none."""
    if came.finish != "stop" and not BLANK_LINE.search(_spoken(came.turns[-1]).strip()):
        return "cut or refused"
    if not step and came.turns[-1].reasoning is None:
        return "nothing was said"
    return "switches at once" if switches_in(f"\n{step}", words) else None


async def _worth(text: str, came: list[Attempt], task: Problem, at: int, how: Search) -> Rollout:
    """What a whole trace is worth: the more, the fewer steps it takes; nothing where it is not right."""
    answer, thought = split_think(text, cut=False)
    pair = (task.verifier or "", task.answer or "", answer_in(task.verifier or "", answer or "") or "")
    if thought is None or not pair[2]:
        return Rollout(came, lost="no answer")
    if defect := boundary_defect(thought, answer or ""):  # as where a server drops the thought, and it thinks anew
        return Rollout(came, lost=defect)
    check = await how.run.checks.table([pair])
    if check(*pair).status != "pass":
        return Rollout(came, lost="not right")
    trace = Trace(thought, answer or "")
    return Rollout(came, trace, how.gamma ** steps_behind(trace, at))
