"""A role of a run: one model behind one or several endpoints, asked until it answers.

What may pass is tried again, at another endpoint where there is one, with growing pauses and jitter, and never before
the moment that an endpoint names. Waiting for an endpoint is no failure; when none has answered for too long, the run
ends and can go on later, and no outage becomes a fact.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from pipelines.inference import latency
from pipelines.inference.budget import Purse, Reserved, Spent
from pipelines.inference.engine import (
    PROBE,
    PROBE_TOKENS,
    Again,
    Engine,
    HoldsGPUs,
    Misconfigured,
    Outage,
    Refused,
    Slow,
)
from pipelines.inference.load import Load, Pace
from pipelines.inference.model import Model, Request
from pipelines.inference.overdue import Late, Overdue
from pipelines.inference.places import Places, Stopping
from pipelines.inference.scoring import put

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0  # seconds
PATIENCE_AT_START = 4.0  # seconds: an endpoint that was never reached is more likely mistyped than down
ROW_TRIES = 10  # of one request that breaks the server, or takes forever; then it is seen whether others do too
WORTH_SAYING = 2.0  # seconds of silence, after which it is told what is waited for


class Endpoint:
    """One place where answers come from, how much it bears, and since when it is silent."""

    def __init__(self, model: Model, weight: float) -> None:
        self.model = model
        self.weight = weight
        self.engine: Engine | None = None
        self.overdue: Overdue | None = None
        self.under_way = 0
        self.load = Load(model.in_flight)
        self.pace = Pace(model.requests_per_minute, model.tokens_per_minute)
        self.has_answered = self.was_reached = False
        self.silent_since: float | None = None  # the first failure after the last answer
        self.trouble = ""
        self.scored: Request | None = None  # the last score that it told: what it can be asked again
        self._not_before = self._told_until = 0.0
        self._downs = 0

    @property
    def limit(self) -> int:
        return self.load.limit

    @property
    def rests_until(self) -> float:
        return max(self._not_before, self.pace.next)

    @property
    def name(self) -> str:
        return f"{self.model.name} at {self.model.url}" if self.model.url else self.model.name

    def admit(self, tokens: int) -> None:
        self.under_way += 1
        self.pace.took(tokens)

    def answered(self) -> None:
        self.load.answered()
        self.has_answered = True
        self.silent_since = None
        self._told_until = 0.0
        self._downs = 0

    def failed(self, again: Again) -> float:
        """Take note, and rest as long as it says; or, when it answers nobody, longer each time.

        Returns the seconds that this request alone should wait: a stray "later" is meant for it, and not for all.
        """
        if isinstance(again, Late):  # others are answered: neither silence nor load
            self.silent_since = None
            return 0
        now = time.monotonic()
        self.silent_since = self.silent_since or now
        self.trouble = str(again)
        self.was_reached |= again.reached
        if not self.model.batch:  # there all wait together, and a line of it says nothing about load
            self._learn(again)
        self._told_until = max(self._told_until, now + (again.after or 0))
        if again.after is not None and (self.load.is_throttled or not self.has_answered):
            self._not_before = max(self._not_before, now + again.after + random.uniform(0, 0.1))
        elif self.load.is_down:
            self._downs += now >= self._not_before  # those that were under way together failed as one
            self._not_before = max(self._not_before, now + pause(self._downs), self._told_until)
        elif again.after is not None:
            return again.after
        return 0

    def _learn(self, again: Again) -> None:
        if again.overloaded:
            self.load.too_much()
        elif again.reached:
            self.load.failed()
        else:
            self.load.gone()

    def silence(self, *, until_told: bool = False) -> float | None:
        """Seconds since it should have answered, with those that it asks to wait; None while it answers."""
        now = max(time.monotonic(), self._told_until) if until_told else time.monotonic()
        return None if self.silent_since is None else now - self.silent_since


class Role:
    """Who answers for one model. For one event loop; `open_engine` makes an engine when it is first needed.

    `counts`: sent (requests), again (further tries) and `again: WHY` for each kind of trouble.
    """

    def __init__(self, model: Model, open_engine: Callable[[Model], Engine], purse: Purse) -> None:
        self._model = model
        self._open = open_engine
        self._purse = purse
        self._stopped = asyncio.Event()
        self.endpoints = [Endpoint(each, weight) for each, weight in _endpoints(model)]
        self._places = Places(self.endpoints)
        self.counts: Counter[str] = Counter()

    async def send(self, request: Request) -> dict[str, Any]:
        """The reply to a request, however many tries it takes.

        Raises Refused, Misconfigured, Outage, or Stopping where it is not sent (again) any more.
        """
        tries = by_row = late = 0
        failed_at: int | None = None
        tokens = sum(self._purse.most(request))
        while True:
            index = await self._places.take(request.draw, tokens=tokens, avoiding=failed_at)
            endpoint = self.endpoints[index]
            try:
                reply = await self._try(endpoint, request, late)
                endpoint.pace.used(tokens, _used(reply) or tokens)
                return reply
            except Again as again:
                tries, by_row, failed_at = tries + 1, by_row + again.by_row, index
                late += isinstance(again, Late)
                self.counts.update(["again", f"again: {again.kind}"])
                endpoint.pace.used(tokens, tokens if again.paid else 0)
                alone = endpoint.failed(again)
                if again.by_row and by_row % ROW_TRIES == 0 and await self._answers_others(endpoint, request):
                    endpoint.silent_since = None  # it answers, if not this row
                    raise Refused(f"{again} {by_row} times, while others are answered") from again
                self._check_patience(endpoint, again)
                rest = alone if again.after is not None else min(pause(tries), LONGEST_PAUSE / 4)
                if len(self.endpoints) > 1:  # another may have it
                    rest = min(rest, LONGEST_PAUSE / 4)
            except Refused:
                endpoint.silent_since = None  # it answers, if not this row
                endpoint.pace.used(tokens, 0)
                raise
            except (Outage, Spent) as ended:
                if self._stopped.is_set():  # it was broken off, or is not needed any more
                    raise Stopping from ended
                raise
            finally:
                self._places.give_back(index)
            await self._rest(rest)

    def stop(self) -> None:
        """Send nothing new from now on, and nothing again."""
        self._stopped.set()
        self._places.close()
        for engine in self._slow():
            engine.stop()

    async def close(self) -> None:
        for endpoint in self.endpoints:
            if endpoint.engine is not None:
                await endpoint.engine.close()

    def waits(self) -> str | None:
        """What it waits for, where nothing is answered."""
        for engine in self._slow():
            if said := engine.waits():
                return f"{self._model.role} waits: {said}"
        silences = [endpoint.silence() for endpoint in self.endpoints]
        silent = min((each for each in silences if each is not None), default=0)
        if None in silences or silent < WORTH_SAYING:
            return None
        endpoint = max(self.endpoints, key=lambda each: each.silence() or 0)
        return (
            f"{self._model.role} waits for {endpoint.name} ({endpoint.trouble}): {silent:.0f} s of at most "
            f"{self._model.outage_limit:g} s"
        )

    @property
    def under_way(self) -> int:
        return sum(endpoint.under_way for endpoint in self.endpoints)

    @property
    def limit(self) -> int:
        """Requests that may be under way at once, as things are."""
        return sum(endpoint.limit for endpoint in self.endpoints)

    async def _try(self, endpoint: Endpoint, request: Request, late: int) -> dict[str, Any]:
        if self._stopped.is_set():
            raise Stopping
        engine = self._engine(endpoint)
        reserved = await self._purse.reserve(request)
        if self._stopped.is_set():  # while it waited for others to give back
            self._purse.release(reserved)
            raise Stopping
        started = time.monotonic()
        with self._settling(reserved):
            reply = await self._put(endpoint, engine, request, late)
            self._purse.settle(reserved, reply)
        endpoint.answered()
        if request.score is not None:
            endpoint.scored = request
        latency.add(self.counts, time.monotonic() - started)
        return reply

    async def _put(self, endpoint: Endpoint, engine: Engine, request: Request, late: int) -> dict[str, Any]:
        """Its reply, unless it hangs. Scores, and what may wait in the engine itself, take as long as they take."""
        in_process = endpoint.model.engine == "transformers"  # with a queue of its own, by draws
        if not request.prompt or isinstance(engine, Slow) or in_process:
            return await put(engine, request)
        endpoint.overdue = endpoint.overdue or Overdue(
            partial(self._looks, engine, request), in_flight=endpoint.model.in_flight
        )
        return await endpoint.overdue.bounded(put(engine, request), prompt=request.prompt, late=late)

    async def _answers_others(self, endpoint: Endpoint, request: Request) -> bool:
        """Whether it answers what this row cannot have spoilt: a score that it told once, where this is to be one."""
        engine = self._engine(endpoint)
        if request.score is None:
            return await self._looks(engine, request)
        if endpoint.scored is None:
            return False
        try:
            await put(engine, endpoint.scored)
        except (Again, Refused, Misconfigured):
            return False
        return True

    async def _looks(self, engine: Engine, request: Request) -> bool:
        """Whether the engine answers the shortest of questions, which costs as well."""
        shortest = {"messages": PROBE, "sampling": {"max_tokens": PROBE_TOKENS}, "n": 1, "score": None}
        try:
            reserved = await self._purse.reserve(request._replace(**shortest))
        except Spent:
            return False
        try:
            return await engine.answers_others()
        finally:
            self._purse.lose(reserved)

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until nothing is sent any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()

    @contextlib.contextmanager
    def _settling(self, reserved: Reserved) -> Any:
        """Whatever happens, what was reserved is given back, or counted as lost."""
        try:
            yield
        except Again as again:
            (self._purse.lose if again.paid else self._purse.release)(reserved)
            raise
        except (Refused, Misconfigured, Outage):
            self._purse.release(reserved)
            raise
        except BaseException:  # broken off: nobody knows
            self._purse.lose(reserved)
            raise

    def _engine(self, endpoint: Endpoint) -> Engine:
        if endpoint.engine is None:
            endpoint.engine = engine = self._open(endpoint.model)
            if isinstance(engine, HoldsGPUs):
                engine.hold_gpus = self._purse.hold_gpus
        return endpoint.engine

    def _slow(self) -> list[Slow]:
        return [each.engine for each in self.endpoints if isinstance(each.engine, Slow)]

    def _check_patience(self, endpoint: Endpoint, again: Again) -> None:
        """Go on as long as any endpoint answers, or not all have been silent for too long."""
        if self._stopped.is_set():
            raise Stopping
        silences = [each.silence(until_told=True) for each in self.endpoints]
        if None in silences:
            return
        silent = min(each for each in silences if each is not None)
        nobody = not any(each.has_answered or each.was_reached for each in self.endpoints)
        name = f"{self._model.role} ({endpoint.name})"
        if nobody and silent > PATIENCE_AT_START:
            raise Misconfigured(f"{name} does not answer ({again}); is it running, and is the URL right?")
        if silent > self._model.outage_limit:
            raise Outage(f"{name} has not answered for {self._model.outage_limit:g} s ({again})")


def pause(tries: int) -> float:
    """Seconds before the next try, with jitter."""
    return random.uniform(0.5, 1) * min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries - 1, 10))


def _used(reply: dict[str, Any]) -> int:
    """The tokens that a reply tells of; 0 where it tells none."""
    usage = reply.get("usage") or {}
    return (usage.get("prompt_tokens") or 0) + (usage.get("completion_tokens") or 0)


def _endpoints(model: Model) -> list[tuple[Model, float]]:
    """The model at each of its endpoints, with the weight of each."""
    if not model.endpoints:
        return [(model, 1.0)]
    return [
        (
            dataclasses.replace(model, endpoints=(), **{key: each[key] for key in each if key != "weight"}),
            float(each.get("weight", 1)),
        )
        for each in model.endpoints
    ]
