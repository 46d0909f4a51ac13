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
from typing import Any

from pipelines.inference.engine import Again

TIMES = 4  # what nearly all take
NEARLY_ALL = 0.99
AT_LEAST = 5.0  # seconds; shorter pauses are hiccups
ENOUGH = 64  # answers to one prompt, after which it is known what they take, and looked at anew
KNOWN = 512  # that are remembered


class Late(Again):
    """It hangs, as it seems: a reply may have been computed and billed."""


class Overdue:
    """How long one endpoint may take. `answers_others` asks whether it answers anything at all."""

    def __init__(self, answers_others: Callable[[], Awaitable[bool]]) -> None:
        self._answers_others = answers_others
        self._usual: dict[str, Usual] = defaultdict(Usual)  # by prompt, since answers differ in length
        self._latest = 0.0  # when that request was sent, of all answered ones, which was sent last

    async def bounded(self, asking: Coroutine[Any, Any, dict[str, Any]], *, prompt: str, late: int) -> dict[str, Any]:
        """The reply, or Late when it hangs; after `late` of the same that hung it is given longer each time."""
        sent, usual = time.monotonic(), self._usual[prompt]
        task = asyncio.ensure_future(asking)
        try:
            while not await _done(task, usual.limit(late) or AT_LEAST):
                if usual.limit(late) and (self._latest > sent or await self._answers_others()):
                    waited = time.monotonic() - sent
                    raise Late(f"no reply within {waited:.0f} s, while others are answered", by_row=True, paid=True)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._latest = max(self._latest, sent)
        usual.learn(time.monotonic() - sent)
        return task.result()


class Usual:
    """What answers to one prompt take."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=KNOWN)
        self._answers = 0
        self._nearly_all: float | None = None

    def limit(self, late: int) -> float | None:
        """Seconds that an answer may take; None while too little is known."""
        return None if self._nearly_all is None else max(AT_LEAST, TIMES * self._nearly_all) * 2**late

    def learn(self, seconds: float) -> None:
        self._seconds.append(seconds)
        self._answers += 1
        if self._answers % ENOUGH == 0:
            self._nearly_all = sorted(self._seconds)[int(NEARLY_ALL * len(self._seconds))]


async def _done(task: asyncio.Task[Any], seconds: float) -> bool:
    return bool((await asyncio.wait({task}, timeout=seconds))[0])
