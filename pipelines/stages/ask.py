"""Asking a model: the part that pose, expand and grade share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from pipelines.inference.client import Stopping
from pipelines.inference.engine import Answer, read
from pipelines.inference.model import Asking, Model, Sampling, asking, seed_of
from pipelines.records import Attempt, Problem, Turn, attempt, to_json
from pipelines.stage import Run, Step
from prompts.template import Template

T = TypeVar("T")
Message = dict[str, str]  # role and content


async def each_of(answers: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All answers. When one fails the others are still awaited, for they are under way and paid for."""
    done = await asyncio.gather(*answers, return_exceptions=True)
    if failed := [each for each in done if isinstance(each, BaseException)]:
        raise min(failed, key=lambda each: isinstance(each, Stopping))  # the cause, before what follows from it
    return [each for each in done if not isinstance(each, BaseException)]


@dataclass
class Asker:
    """Who asks: a step of a run, with its prompt, its model and how that samples."""

    run: Run
    step: Step
    prompt: Template
    model: Model
    sampling: Sampling
    accept: Callable[[Answer], None] = lambda answer: None  # raises Misconfigured for a model that will not do

    def __post_init__(self) -> None:
        self.prompt_name = str(self.prompt)
        self.sampling_text = to_json(self.sampling.given())

    def marked(self, details: str) -> str:
        """The details of an attempt, with what it was shown that no training prompt may show."""
        private = self.prompt.private
        return to_json({**orjson.loads(details), "private": private}) if private else details

    def question(self, problem: Problem, *, after: Sequence[Message] = (), **values: str) -> Question:
        """A problem in the words of the prompt; `after` are messages behind it, as an answer's beginning."""
        return Question(self, problem, values, after)


class Question:
    """One problem put to one model; `attempt` asks for a sample of the answer."""

    def __init__(
        self, asker: Asker, problem: Problem, values: Mapping[str, str], after: Sequence[Message] = ()
    ) -> None:
        self._asker = asker
        self._problem = problem
        self._asking: Asking = asking(
            asker.model, asker.sampling, [*asker.prompt.render(values), *after], asker.prompt_name
        )
        self._asked = tuple(Turn(said["role"], said["content"]) for said in self._asking.messages)

    async def attempt(self, sample: int) -> Attempt:
        """One sample, from its own request. Raises Stopping, Misconfigured or Outage."""
        seed = seed_of(self._asker.run.seed, self._problem.id, sample)
        key, reply = await self._asker.run.client.reply(self._asking, seed=seed, sample=sample, draw=self._draw)
        return self._as_attempt(read(reply)[0], sample, seed, key)

    async def together(self, n: int) -> list[Attempt]:
        """`n` samples from one request; those that the server did not give are asked for one by one."""
        seed = seed_of(self._asker.run.seed, self._problem.id, "together")
        key, reply = await self._asker.run.client.reply(self._asking, seed=seed, sample=0, draw=self._draw, n=n)
        came = [self._as_attempt(answer, i, seed, key) for i, answer in enumerate(read(reply))]
        return [*came, *[await self.attempt(sample) for sample in range(len(came), n)]]

    @property
    def _draw(self) -> int:
        return self._problem.draw or 0

    def _as_attempt(self, answer: Answer, sample: int, seed: int, key: bytes) -> Attempt:
        asker = self._asker
        asker.accept(answer)
        return attempt(
            of=self._problem,
            stage=asker.step.label,
            sample=sample,
            role=asker.model.role,
            model=asker.model.name,
            revision=asker.model.revision,
            prompt=asker.prompt_name,
            sampling=asker.sampling_text,
            seed=seed,
            request=key.hex(),
            turns=(*self._asked, answer.turn),
            finish=answer.finish,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            reasoning_tokens=answer.reasoning_tokens,
            details=asker.marked(answer.details),
        )
