"""The probe of an endpoint: what is honoured, what is ignored behind a 200, and what is refused."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.inference.engine import Again, Refused
from pipelines.inference.engines import open_engine
from pipelines.inference.features import PROBES, Feature, features
from pipelines.inference.model import Model, Request
from tests.each import each_of
from tests.server import serving

MODEL = Model(role="teacher", engine="openai", name="test", url="http://127.0.0.1:9/v1")
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


class Server:
    """A server that honours everything but what it ignores, and refuses what it is told to refuse."""

    def __init__(self, *, ignores: str = "", refuses: str = "", is_silent_on: str = "") -> None:
        self._ignores, self._refuses, self._silent_on = ignores, refuses, is_silent_on
        self._calls = count()

    async def answers_others(self) -> bool:
        return True

    async def close(self) -> None:
        """There is nothing to close."""

    async def send(self, request: Request) -> dict[str, Any]:
        given = {**request.sampling, **request.sampling.get("extra", {})}
        asked = {name for name, is_asked in self._asked(request, given).items() if is_asked}
        if self._refuses in asked:
            raise Refused(f"status 400: no {self._refuses} here")
        if self._silent_on in asked:
            raise Again("status 500: oh")
        said, finish = self._said(request, {name: given[name] for name in asked & given.keys() - {self._ignores}})
        choice: dict[str, Any] = {"message": {"content": said}, "finish_reason": finish}
        if "logprobs" in asked and self._ignores != "logprobs":
            choice["logprobs"] = {"content": [{"top_logprobs": [{}, {}]}]}
        reply: dict[str, Any] = {"choices": [choice] * (1 if self._ignores == "n" else request.n)}
        if "prompt_logprobs" in asked and self._ignores != "prompt_logprobs":
            reply["prompt_logprobs"] = [None, {}]
        if self._ignores != "usage":
            is_continued = "continue_final_message" in asked and self._ignores != "continue_final_message"
            tokens = len(said.split())
            reply["usage"] = {"prompt_tokens": 20 - 4 * is_continued, "completion_tokens": tokens}
        return reply

    def _asked(self, request: Request, given: dict[str, Any]) -> dict[str, bool]:
        """The features that a request needs."""
        named = {name: name in given for name in PROBES.keys() - {"usage", "n", "seed", "max_tokens"}}
        continues = request.continues and given.get("continue_final_message", True)
        return {
            **named,
            "n": request.n > 1,
            "max_tokens": given["max_tokens"] < 24,
            "seed": given["temperature"] > 0 and request.n == 1 and "response_format" not in given,
            "continue_final_message": continues,
            "usage": False,
        }

    def _said(self, request: Request, given: dict[str, Any]) -> tuple[str, str]:
        if "response_format" in given:
            return orjson.dumps({"code": "flour-7"}).decode(), "stop"
        if "structured_outputs" in given:
            return given["structured_outputs"]["choice"][0], "stop"
        begin = 0
        if request.sampling["temperature"]:
            begin = next(self._calls) if self._ignores == "seed" else request.seed
        words = [word for word in (NUMBERS[begin % 12 :] + NUMBERS) * 4 if word not in given.get("bad_words", ())]
        limit = 50 if self._ignores == "max_tokens" else request.sampling["max_tokens"]
        said = " ".join(words[:limit])
        for mark in given.get("stop", ()):
            if mark in said:
                return said.partition(mark)[0], "stop"
        return said, "length"


def probed(server: Server) -> dict[str, Feature]:
    told = asyncio.run(features(server, MODEL))
    assert [each.name for each in told] == list(PROBES)
    assert all(each.evidence for each in told)
    return {each.name: each for each in told}


def test_what_is_honoured_is_seen() -> None:
    assert {name: each.honoured for name, each in probed(Server()).items()} == dict.fromkeys(PROBES, True)


@each_of(PROBES)
def test_what_is_ignored_is_noticed_and_nothing_else(name: str) -> None:
    expected: dict[str, bool | None] = {**dict.fromkeys(PROBES, True), name: False}
    if name == "usage":  # by which it is told
        expected["continue_final_message"] = None
    assert {name: each.honoured for name, each in probed(Server(ignores=name)).items()} == expected


@each_of(PROBES.keys() - {"usage"})
def test_what_is_refused_is_said(name: str) -> None:
    told = probed(Server(refuses=name))
    assert told[name] == (name, False, f"refused: status 400: no {name} here")
    assert [each.name for each in told.values() if not each.honoured] == [name]


@each_of(PROBES.keys() - {"usage"})
def test_what_gets_no_answer_is_not_known(name: str) -> None:
    assert probed(Server(is_silent_on=name))[name] == (name, None, "no answer: status 500: oh")


def test_an_endpoint_that_answers_nothing_is_no_measurement() -> None:
    engine = open_engine(MODEL, Path())

    async def scene() -> None:
        with pytest.raises(Again):
            await features(engine, MODEL)
        await engine.close()

    asyncio.run(scene())


def test_over_a_real_socket() -> None:
    async def scene() -> dict[str, bool | None]:
        async with serving() as server:
            model = Model(role="teacher", engine="openai", name="test", url=server.url)
            engine = open_engine(model, Path())
            told = await features(engine, model)
            await engine.close()
            return {each.name: each.honoured for each in told}

    told = asyncio.run(scene())
    assert told["max_tokens"]
    assert told["usage"]
    assert told["n"]
    assert told["structured_outputs"] is False
