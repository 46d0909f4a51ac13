"""Episodes: a model works with tools in an environment, over several messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from filters.environments import calls_in, environment_of, observation
from pipelines.inference.model import Model, Sampling
from pipelines.records import Attempt, Facts, Problem, Turn
from pipelines.rows import BadRows
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.store import Output
from prompts.template import Template


async def episode(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    n: int = 1,
    turns: int = 6,
) -> Output:
    """Let the model work `n` times at every problem, in the environment of its seed, for at most `turns` messages.

    A message with calls is answered by what they came to (`filters/environments.py`); the first without any ends the
    episode. Results are journaled like replies, and the attempt holds all turns. At a draw, before anything is posed,
    this explores the environment, and `pose` shows what was found; at a posed task it solves it (Self-Challenging
    agents, arXiv 2506.01716, where one model does both). Who solves is shown the task and the tools, nothing else.
    """
    asker = Asker(run, step, prompt, model, sampling)
    settings = [(each, setting(shard, each)) for each in shard.live]
    attempts = await each_of(played(asker, of, seed, turns, k) for of, seed in settings for k in range(n))
    return Output(Facts([], list(attempts), []), [each.id for each in shard.live])


def check_episode(given: Mapping[str, Any]) -> None:
    """Raises ValueError for less than one episode, and for less than one message of it."""
    for name in ("n", "turns"):
        if given[name] < 1:
            raise ValueError(f"{name} = {given[name]} should be at least 1")


def setting(shard: Shard, of: Problem) -> Problem:
    """What sets up the environment of a problem: a seed that it was made of, else the problem itself."""
    found = (each for each in (*shard.made_of(of), *shard.behind(of), of) if environment_of(each.answer))
    if (seed := next(found, None)) is None:
        where = of.question[:60]
        raise BadRows(f"{where!r} has no environment: the answer of its seed should set up one that defines start()")
    return seed


async def played(asker: Asker, of: Problem, seed: Problem, turns: int, sample: int) -> Attempt:
    """One episode. Raises Stopping, Misconfigured, Outage or Unable."""
    source = environment_of(seed.answer) or ""
    question = of.question if seed.question in of.question else f"{of.question}\n\n{seed.question}"
    said, calls, replies, keys = list[Turn](), list[str](), list[Attempt](), list[str]()
    for left in reversed(range(turns)):
        after = [{"role": turn.role, "content": turn.content or ""} for turn in said]
        replies.append(came := await asker.question(of, after=after, question=question).attempt(sample))
        keys.append(came.request)
        new = calls_in(came.text) if left and came.finish == "stop" else []
        if not new:
            break
        key, results = await asker.run.checks.played(source, [*calls, *new])
        keys.append(key.hex())
        said += [came.turns[-1], Turn("user", observation(results[len(calls) :], left))]
        calls += new
    return _whole(replies, said, keys)


def _whole(replies: Sequence[Attempt], said: Sequence[Turn], keys: Sequence[str]) -> Attempt:
    """The last reply, with all that was said before it, thoughts too; what all of them cost, and where they lie."""
    *opening, last = (*replies[0].turns[:-1], replies[-1].turns[-1])
    return replies[-1]._replace(
        turns=(*opening, *said, last),
        request=" ".join(keys),
        prompt_tokens=_sum([each.prompt_tokens for each in replies]),
        completion_tokens=_sum([each.completion_tokens for each in replies]),
        reasoning_tokens=_sum([each.reasoning_tokens for each in replies]),
    )


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [each for each in counts if each is not None]
    return sum(known) if len(known) == len(counts) else None
