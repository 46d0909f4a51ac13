"""Guided attempts: a model is shown demonstrations that no exported prompt may show."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from filters.artifact import Artifact
from pipelines.inference.engine import Answer, Misconfigured
from pipelines.inference.model import Model, Sampling
from pipelines.records import Attempt, Facts, Problem, digest, to_json
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.store import Output
from prompts.template import Template


class Demonstration(NamedTuple):
    """A task with a thought and an answer, as somebody wrote them by hand."""

    id: str
    question: str
    thought: str
    answer: str


async def guided(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    demonstrations: Artifact,
    plainly: Template,
    shown: int = 3,
    n: int = 1,
) -> Output:
    """Ask the model `n` times about each problem, each time behind `shown` of the demonstrations, drawn by chance.

    The prompt's `guidance` is private: what is exported asks as `plainly` does. The details of an attempt name the
    demonstrations and say that its model did no reasoning of its own; a model that does ends the run, for then
    nothing would be bootstrapped. After BOLT, which writes ten of them (arXiv 2502.03860).
    """
    asker = Asker(run, step, prompt, model, sampling, accept=not_reasoning)
    written = read_demonstrations(Path(demonstrations.path))
    attempts = await each_of(
        _attempt(asker, each, chosen(written, each, run.seed, sample, shown), plainly, sample)
        for each in shard.live
        for sample in range(n)
    )
    return Output(Facts([], list(attempts), []), [each.id for each in shard.live])


def check_guided(given: Mapping[str, Any]) -> None:
    """Raises ValueError for a reasoning model, and where there are not so many demonstrations."""
    if given["model"].reasoning:
        role = given["model"].role
        raise ValueError(
            f"models.{role} has reasoning = true, and shown demonstrations a plain model is to think: name another"
        )
    there = len(read_demonstrations(Path(given["demonstrations"].path)))
    if not 0 <= given["shown"] <= there or given["n"] < 1:
        raise ValueError(f"shown = {given['shown']} of {there} demonstrations, n = {given['n']}: that cannot be")
    given["plainly"].render({"question": ""})


def not_reasoning(answer: Answer) -> None:
    """Raises Misconfigured for an answer whose model has reasoned by itself."""
    if answer.apart or answer.reasoning_tokens:
        raise Misconfigured(
            "the model that is shown demonstrations reasons by itself: take a plain instruct model, or switch its"
            " thinking off"
        )


def read_demonstrations(path: Path) -> list[Demonstration]:
    """Those of a file of JSON lines. Raises ValueError, with the line, for one that is none."""
    if not path.is_file():
        raise ValueError(f"{path.name} should be a file of demonstrations, one in each line")
    found: list[Demonstration] = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            row = orjson.loads(line)
            found.append(Demonstration(*(str(row[name]) for name in Demonstration._fields)))
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            names = ", ".join(Demonstration._fields)
            raise ValueError(f"{path.name}, line {number}: a demonstration is an object of {names}") from error
    return found


def chosen(written: Sequence[Demonstration], of: Problem, seed: int, sample: int, shown: int) -> list[Demonstration]:
    """So many of them, in an order by chance: other samples see others."""
    return random.Random(digest(seed, "demonstrations", of.id, sample)).sample(list(written), shown)


def guidance(demonstrations: Sequence[Demonstration]) -> str:
    """The demonstrations as a prompt shows them; empty where there are none."""
    shown = (
        f"<example>\n<task>\n{each.question}\n</task>\n<think>\n{each.thought}\n</think>\n\n{each.answer}\n</example>"
        for each in demonstrations
    )
    listed = "\n\n".join(shown)
    return f"This is how others have thought about other tasks. Copy nothing from them.\n\n{listed}" if listed else ""


async def _attempt(
    asker: Asker, of: Problem, shown: Sequence[Demonstration], plainly: Template, sample: int
) -> Attempt:
    came = await asker.question(of, question=of.question, guidance=guidance(shown)).attempt(sample)
    told = {
        "demonstrations": [each.id for each in shown],
        "reasoning": False,
        "plainly": plainly.render({"question": of.question}),
    }
    return came._replace(details=to_json({**orjson.loads(came.details), **told}))
