"""Going on: a model takes up a thought that another has begun, from a cue, and ends it in its own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from pipelines.inference.model import Model, Sampling, seed_of
from pipelines.records import Attempt, Facts, Problem, Turn, continuation, to_json
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.store import Output
from prompts.template import Template

CUES = ("Wait,", "Hmm,", "Alternatively,", "Let's double-check the details.")
JOINS = ("\n", " ")


class Beginning(NamedTuple):
    """What a thought is continued from: what was thought before, and the words that turn it."""

    before: str
    cue: str


async def go_on(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    n: int = 3,
    cues: list[str] = list(CUES),  # noqa: B006 (read, never changed)
    joins: list[str] = list(JOINS),  # noqa: B006
    opening: str = "",
) -> Output:
    """Continue each finished thought so far `n` times, each time from one of the `cues`, to a longer thought.

    The thought gets an `opening`, a full stop where it has none, one of the `joins`, and a cue, all by the run's seed
    and the ids; the model goes on from there. The new attempt is the whole trace in one turn: its second parent is
    the attempt that it continues, and `begun` in its details says how many characters of its thought that one wrote.
    The third stage of LongPerceptualThoughts (arXiv 2504.15362, section 3).
    """
    asker = Asker(run, step, prompt, model, sampling)
    thoughts = [
        (each, place, short)
        for each in shard.live
        for place, short in enumerate(filter(may_go_on, shard.case(each).attempts))
    ]
    longer = await each_of(
        continued(asker, each, short, beginning(short, run.seed, sample, cues, joins, opening), sample)
        for each, place, short in thoughts
        for sample in range(place * n, place * n + n)
    )
    return Output(Facts([], list(longer), []), [each.id for each in shard.live])


def check_go_on(given: Mapping[str, Any]) -> None:
    """Raises ValueError for a number that is none, and where there is nothing to begin with. Of 0 none goes on."""
    if given["n"] < 0:
        raise ValueError(f"n = {given['n']} should be at least 0")
    if not given["cues"] or not given["joins"] or not all(each.strip() for each in given["cues"]):
        raise ValueError("cues and joins should each have one to choose, and no cue may be blank")


def may_go_on(before: Attempt) -> bool:
    """Whether it came to an end, with a thought of its own that is no continuation already."""
    thought = (before.turns[-1].reasoning or "").strip()
    return before.finish == "stop" and bool(thought) and "begun" not in orjson.loads(before.details)


def beginning(
    before: Attempt, seed: int, sample: int, cues: Sequence[str], joins: Sequence[str], opening: str
) -> Beginning:
    """The thought as far as another wrote it, and what it is continued with."""
    thought = " ".join(part for part in (opening, (before.turns[-1].reasoning or "").strip()) if part)
    whole = thought if thought.endswith((".", "!", "?")) else f"{thought}."
    cue = cues[seed_of(seed, "cue", before.id, sample) % len(cues)]
    return Beginning(whole, joins[seed_of(seed, "join", before.id, sample) % len(joins)] + cue)


async def continued(asker: Asker, of: Problem, before: Attempt, begun: Beginning, sample: int) -> Attempt:
    """One continuation, as an attempt that holds the whole thought and the new answer.

    Raises Stopping, Misconfigured or Outage.
    """
    prefix = f"<think>\n{begun.before}{begun.cue}"
    question = asker.question(of, after=[{"role": "assistant", "content": prefix}], question=of.question)
    came = await question.attempt(sample)
    told = {**orjson.loads(came.details), "begun": len(begun.before), "cue": begun.cue.strip()}
    turns = (*came.turns[:-2], whole(begun, came.turns[-1]))
    return continuation(came, of=of, before=before, sample=sample, turns=turns, details=to_json(told))


def whole(begun: Beginning, came: Turn) -> Turn:
    """The thought in one piece, and the answer behind it. What never ended the thought is all thought."""
    rest, answer = (came.content or "", None) if came.reasoning is None else (came.reasoning, came.content)
    space = "" if not rest or rest[0].isspace() else " "
    return Turn("assistant", answer, f"{begun.before}{begun.cue}{space}{rest}".rstrip())
