"""Requests that hang: noticed by what others take, long before the model's `timeout`.

A server that never answers one request, or lets its answer trickle, costs that request alone: it is broken off when
it takes several times as long as nearly all others of the same prompt did, while some that were sent later are
answered. Where a whole server is slow or silent nothing is broken off.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from pipelines.inference.engine import Again

TIMES = 4  # what nearly all take
NEARLY_ALL = 0.99
AT_LEAST = 2.0  # seconds; shorter pauses are hiccups
ENOUGH = 64  # answers to one prompt at least, before it is known what they take; then it is looked at anew
KNOWN = 512  # that are remembered


class Late(Again):
    """It hangs, as it seems: a reply may have been computed and billed."""


class Overdue:
    """How long one endpoint may take, of which so many are asked at once.

    `answers_others` asks whether it answers anything at all.
    """

    def __init__(self, answers_others: Callable[[], Awaitable[bool]], *, in_flight: int) -> None:
        self._answers_others = answers_others
        self._usual = defaultdict[str, Usual](partial(Usual, in_flight))  # by prompt: answers differ in length
        self._latest = 0.0  # when that request was sent, of all answered ones, which was sent last

    async def bounded(self, asking: Coroutine[Any, Any, dict[str, Any]], *, prompt: str, late: int) -> dict[str, Any]:
        """The reply, or Late when it hangs; after `late` of the same that hung it is given longer each time."""
        sent, usual = time.monotonic(), self._usual[prompt]
        task = asyncio.ensure_future(asking)
        try:
            while not await _done(task, _until(usual.limit(late), time.monotonic() - sent)):
                limit, waited = usual.limit(late), time.monotonic() - sent
                if limit and waited >= limit and (self._latest > sent or await self._looked(task)):
                    raise Late(f"no reply within {waited:.0f} s, while others are answered", by_row=True, paid=True)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        reply = task.result()  # what fails says nothing about what answers take
        self._latest = max(self._latest, sent)
        usual.learn(time.monotonic() - sent)
        return reply

    async def _looked(self, task: asyncio.Task[Any]) -> bool:
        """Whether it answers others, and this one still not. It may wait for budget, but no longer."""
        look = asyncio.ensure_future(self._answers_others())
        try:
            await asyncio.wait({task, look}, return_when=asyncio.FIRST_COMPLETED)
            return not task.done() and look.result()
        finally:
            look.cancel()
            await asyncio.gather(look, return_exceptions=True)


class Usual:
    """What answers to one prompt take."""

    def __init__(self, in_flight: int) -> None:
        self._enough = max(ENOUGH, 2 * in_flight)  # of those asked first the shortest answers come first
        self._seconds: deque[float] = deque(maxlen=max(KNOWN, self._enough))
        self._answers = 0
        self._nearly_all: float | None = None

    def limit(self, late: int) -> float | None:
        """Seconds that an answer may take; None while too little is known."""
        return None if self._nearly_all is None else max(AT_LEAST, TIMES * self._nearly_all) * 2**late

    def learn(self, seconds: float) -> None:
        self._seconds.append(seconds)
        self._answers += 1
        if self._answers >= self._enough and self._answers % ENOUGH == 0:
            self._nearly_all = sorted(self._seconds)[int(NEARLY_ALL * len(self._seconds))]


def _until(limit: float | None, waited: float) -> float:
    """Seconds until it is looked at again: when its time is over, and after as long again."""
    if limit is None:
        return AT_LEAST
    return limit - waited if waited < limit else limit


async def _done(task: asyncio.Task[Any], seconds: float) -> bool:
    return bool((await asyncio.wait({task}, timeout=seconds))[0])
