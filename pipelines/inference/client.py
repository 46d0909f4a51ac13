"""The one way to ask a model: journal first, then the engine, and nothing is used before it is durable."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from pipelines.inference.engine import Engine, Refused, finish
from pipelines.inference.engines import open_engine
from pipelines.inference.model import Asking, Model, Request
from pipelines.journal import Journal
from pipelines.segment import Entry


class Stopping(Exception):
    """No new request is sent any more; what is under way is still awaited and kept."""


class Client:
    """The models of a run, behind the journal. For one event loop.

    `counts` tells for the progress line what happened: sent, replayed, prompt_tokens, completion_tokens.
    """

    def __init__(self, models: Mapping[str, Model], journal: Journal) -> None:
        self._journal = journal
        self._models = models
        self._engines: dict[str, Engine] = {}
        self._places = {role: Places(model.in_flight) for role, model in models.items()}
        self._asked: dict[tuple[bytes, int], asyncio.Future[Any]] = {}
        self._stopping = False
        self.failure: Exception | None = None  # what ended the run, if anything did
        self.counts: Counter[str] = Counter()

    async def reply(self, asking: Asking, *, seed: int, sample: int, draw: int, n: int = 1) -> tuple[bytes, Any]:
        """The request's key and its reply, from the journal or from the engine; a refusal is a reply too.

        Raises Stopping, Misconfigured or Outage.
        """
        key, request = asking.request(seed=seed, sample=sample, draw=draw, n=n)
        entry = self._journal.find(key, request.sampling["max_tokens"])
        if entry is None:
            return key, await self._once(key, request)
        self.counts["replayed"] += 1
        return key, orjson.loads(entry.reply)

    def stop(self) -> None:
        """Send nothing new from now on."""
        self._stopping = True

    async def close(self) -> None:
        for engine in self._engines.values():
            await engine.close()

    async def _once(self, key: bytes, request: Request) -> Any:
        """Ask, unless the same is being asked already."""
        mark = (key, request.sampling["max_tokens"])
        if mark in self._asked:
            return await asyncio.shield(self._asked[mark])
        answer = self._asked[mark] = asyncio.get_running_loop().create_future()
        try:
            reply = await self._send(request)
            entry = to_entry(key, request, reply)
            kept = await self._journal.add(entry)
            if kept is not entry:  # another run was first
                reply = orjson.loads(kept.reply)
        except BaseException as error:
            answer.set_exception(error)
            answer.exception()  # there may be nobody else to see it
            self._end_with(error)
            raise
        else:
            answer.set_result(reply)
            return reply
        finally:
            del self._asked[mark]

    async def _send(self, request: Request) -> dict[str, Any]:
        places = self._places[request.model.role]
        await places.take(request.draw)
        try:
            if self._stopping:
                raise Stopping
            self.counts["sent"] += 1
            reply = await self._engine(request.model).send(request)
        except Refused as error:
            reply = {"refused": str(error)}
        finally:
            places.give_back()
        self._count(reply)
        return reply

    def _end_with(self, error: BaseException) -> None:
        """After a failure that ends the run nothing more is sent, and paid for in vain."""
        if isinstance(error, Exception) and not isinstance(error, Stopping):
            self.failure = self.failure or error
            self.stop()

    def _engine(self, model: Model) -> Engine:
        if model.role not in self._engines:
            self._engines[model.role] = open_engine(model)
        return self._engines[model.role]

    def _count(self, reply: dict[str, Any]) -> None:
        usage = reply.get("usage") or {}
        for name in ("prompt_tokens", "completion_tokens"):
            self.counts[name] += usage.get(name) or 0


def to_entry(key: bytes, request: Request, reply: dict[str, Any]) -> Entry:
    """A reply as it is journaled."""
    cut = any(finish(choice) == "length" for choice in reply.get("choices", ()))
    tokens = (reply.get("usage") or {}).get("completion_tokens")
    return Entry(key, request.sampling["max_tokens"], cut, -1 if tokens is None else tokens, orjson.dumps(reply))


class Place(NamedTuple):
    draw: int
    order: int
    free: asyncio.Future[None]


class Places:
    """How many requests may be under way at once. Who waits longest for the earliest draw comes first, so that
    places which the first draws leave idle go to later ones, and are never taken from them."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._waiting: list[Place] = []
        self._order = itertools.count()

    async def take(self, draw: int) -> None:
        if self._free:
            self._free -= 1
            return
        place = Place(draw, next(self._order), asyncio.get_running_loop().create_future())
        heapq.heappush(self._waiting, place)
        try:
            await place.free
        except asyncio.CancelledError:
            if not place.free.cancelled():  # it was given the place, and will not use it
                self.give_back()
            raise

    def give_back(self) -> None:
        while self._waiting:
            place = heapq.heappop(self._waiting)
            if not place.free.done():
                place.free.set_result(None)
                return
        self._free += 1
