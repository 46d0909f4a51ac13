"""One model behind several endpoints: what one cannot do another does, and waiting is not failing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest

from pipelines.inference import role
from pipelines.inference.budget import Purse
from pipelines.inference.engine import Again, Misconfigured, Outage, Refused
from pipelines.inference.engines import parse_model
from pipelines.inference.model import Model, Request, asking
from pipelines.inference.places import Stopping
from pipelines.inference.role import Role

ANSWER = {"choices": [{"message": {"content": "36"}, "finish_reason": "stop"}]}


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(role, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(role, "LONGEST_PAUSE", 0.004)


class Told:
    """An engine that does what its address says, until the address is told otherwise."""

    does: ClassVar[dict[str, Any]] = {}  # for each address a failure, how many it bears at once, or nothing
    seen: ClassVar[list[str]] = []
    under_way: ClassVar[dict[str, int]] = {}

    def __init__(self, model: Model) -> None:
        self._url = model.url or ""

    async def send(self, request: Request) -> dict[str, Any]:
        Told.seen.append(self._url)
        Told.under_way[self._url] = Told.under_way.get(self._url, 0) + 1
        try:
            await asyncio.sleep(0.001)
            what = Told.does[self._url]
            if isinstance(what, Exception):
                raise what
            if isinstance(what, int) and Told.under_way[self._url] > what:
                raise Again("status 429: too many", overloaded=True)
            return ANSWER
        finally:
            Told.under_way[self._url] -= 1

    async def answers_others(self) -> bool:
        return False

    async def close(self) -> None:
        """Nothing is held."""


GONE = Again("ClientConnectorError: refused", reached=False)
BUSY = Again("status 503: overloaded", overloaded=True)
BROKEN = Again("ServerDisconnectedError: reset", paid=True)


@asynccontextmanager
async def asked(does: dict[str, Any], **more: Any) -> AsyncIterator[tuple[Role, Model]]:
    Told.does, Told.seen, Told.under_way = does, [], {}
    endpoints = [{"url": url} for url in does]
    of = parse_model("teacher", {"use": "openai:m", "endpoints": endpoints, **more})
    one = Role(of, Told, Purse({"teacher": of}, {}))
    try:
        yield one, of
    finally:
        await one.close()


def request(of: Model, seed: int = 1) -> Request:
    return asking(of, of.sampling, [{"role": "user", "content": "?"}]).request(seed=seed, sample=0, draw=seed)[1]


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what other tasks bring about."""
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


A, B = "http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1"


@pytest.mark.parametrize(
    "trouble", [GONE, Again("status 503: overloaded", overloaded=True), Again("reset", paid=True)]
)
def test_what_one_endpoint_cannot_answer_another_does(trouble: Again):
    async def run() -> None:
        async with asked({A: trouble, B: None}) as (one, of):
            replies = await asyncio.gather(*(one.send(request(of, seed)) for seed in range(50)))
            assert replies == [ANSWER] * 50
            assert one.waits() is None

    asyncio.run(run())


def test_an_endpoint_that_is_down_is_left_alone_but_for_a_look_now_and_then():
    async def run() -> None:
        async with asked({A: GONE, B: None}, in_flight=8) as (one, of):
            for start in range(0, 400, 8):
                await asyncio.gather(*(one.send(request(of, seed)) for seed in range(start, start + 8)))
            assert Told.seen.count(A) < 200 < Told.seen.count(B)

    asyncio.run(run())


def test_an_endpoint_that_returns_is_used_again():
    async def run() -> None:
        async with asked({A: GONE, B: None}, in_flight=8) as (one, of):
            await asyncio.gather(*(one.send(request(of, seed)) for seed in range(60)))
            Told.does[A] = None
            await asyncio.sleep(0.02)  # its rest is over
            Told.seen.clear()
            for start in range(0, 80, 8):
                await asyncio.gather(*(one.send(request(of, seed)) for seed in range(start, start + 8)))
            assert Told.seen.count(A) > 10

    asyncio.run(run())


def test_a_throttled_endpoint_is_asked_as_much_as_it_bears():
    async def run() -> None:
        async with asked({A: 5}, in_flight=64) as (one, of):
            replies = await asyncio.gather(*(one.send(request(of, seed)) for seed in range(600)))
            assert len(replies) == 600
            assert one.limit <= 16
            assert one.counts["again: status 429"] < 1200

    asyncio.run(run())


def test_when_all_are_silent_for_too_long_it_is_an_outage():
    async def run() -> None:
        async with asked({A: None, B: None}, outage_limit=0.05) as (one, of):
            await one.send(request(of))
            Told.does = {A: GONE, B: GONE}
            with pytest.raises(Outage, match=r"has not answered for 0\.05 s \(ClientConnectorError"):
                await asyncio.wait_for(one.send(request(of)), 30)

    asyncio.run(run())


def test_endpoints_that_were_never_reached_are_more_likely_mistyped(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(role, "PATIENCE_AT_START", 0.02)

    async def run() -> None:
        async with asked({A: GONE, B: GONE}) as (one, of):
            with pytest.raises(Misconfigured, match="is it running"):
                await asyncio.wait_for(one.send(request(of)), 30)

    asyncio.run(run())


def test_it_says_what_it_waits_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(role, "WORTH_SAYING", 0.01)

    async def run() -> None:
        async with asked({A: None}) as (one, of):
            await one.send(request(of))
            assert one.waits() is None
            Told.does[A] = Again("status 503: loading", overloaded=True)
            waiting = asyncio.create_task(one.send(request(of)))
            await until(lambda: one.waits() is not None)
            assert str(one.waits()).startswith(
                f"teacher waits for m at {A} (status 503: loading): 0 s of at most 900 s"
            )
            Told.does[A] = None
            assert await waiting == ANSWER
            assert one.waits() is None

    asyncio.run(run())


def test_a_stop_ends_waiting_at_once():
    async def run() -> None:
        async with asked({A: Again("status 429: later", after=600, overloaded=True)}) as (one, of):
            waiting = asyncio.create_task(one.send(request(of)))
            await until(lambda: one.counts["again"] > 0)
            one.stop()
            with pytest.raises(Stopping):
                await asyncio.wait_for(waiting, 30)

    asyncio.run(run())


def test_requests_a_minute_are_kept_for_each_endpoint():
    async def run() -> float:
        async with asked({A: None, B: None}, requests_per_minute=6000) as (one, of):  # one in 10 ms
            started = time.monotonic()
            await asyncio.gather(*(one.send(request(of, seed)) for seed in range(20)))
            assert {Told.seen.count(A), Told.seen.count(B)} == {10}
            return time.monotonic() - started

    assert asyncio.run(run()) >= 0.09


def test_what_may_have_been_billed_is_counted_and_what_was_not_is_not():
    async def run() -> None:
        async with asked({A: Again("no reply", paid=True)}) as (one, of):
            waiting = asyncio.create_task(one.send(request(of)))
            await until(lambda: one.counts["again"] >= 2)
            Told.does[A] = Again("status 500")
            await until(lambda: one.counts["again: status 500"] >= 2)
            lost = one.counts["again: no reply"]
            Told.does[A] = None
            await waiting
            assert one._purse.told()["by_role"]["teacher"]["requests"] == lost + 1

    asyncio.run(run())


def test_an_endpoint_that_refuses_a_row_is_not_silent():
    async def run() -> None:
        async with asked({A: Refused("status 400: too long")}) as (one, of):
            with pytest.raises(Refused):
                await one.send(request(of))
            Told.does[A] = BROKEN
            waiting = asyncio.create_task(one.send(request(of)))
            await until(lambda: one.counts["again"] > 0)
            Told.does[A] = Refused("status 400: too long")
            with pytest.raises(Refused):
                await waiting
            assert one.endpoints[0].silence() is None

    asyncio.run(run())


def test_an_endpoint_that_is_down_is_not_asked_before_the_moment_that_it_named():
    async def run() -> float:
        async with asked({A: None}) as (one, _):
            endpoint = one.endpoints[0]
            endpoint.failed(Again("status 429: later", after=60, overloaded=True))
            for _ in range(200):
                endpoint.failed(Again("status 502"))
            assert endpoint.load.is_down
            return endpoint.rests_until - time.monotonic()

    assert asyncio.run(run()) > 50


def test_when_all_name_moments_beyond_the_limit_it_is_an_outage():
    later = Again("status 429: later", after=3600, overloaded=True)

    async def run() -> None:
        async with asked({A: later, B: later}, outage_limit=5) as (one, of):
            with pytest.raises(Outage):
                await asyncio.wait_for(one.send(request(of)), 30)

    asyncio.run(run())


def test_what_is_broken_off_by_a_stop_is_no_outage():
    async def run() -> None:
        async with asked({A: Outage("the batch is left at the provider")}) as (one, of):
            waiting = asyncio.create_task(one.send(request(of)))
            await asyncio.sleep(0)
            one.stop()
            with pytest.raises(Stopping):
                await waiting

    asyncio.run(run())


def test_what_fails_together_makes_the_first_rest_no_longer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(role, "FIRST_PAUSE", 10.0)
    monkeypatch.setattr(role, "LONGEST_PAUSE", 1000.0)

    async def run() -> float:
        async with asked({A: None}, in_flight=64) as (one, _):
            for _ in range(128):
                one.endpoints[0].failed(GONE)
            return one.endpoints[0].rests_until - time.monotonic()

    assert asyncio.run(run()) <= 10
