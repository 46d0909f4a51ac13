"""Requests that hang: noticed by what others take, long before the model's `timeout`.

A server that never answers one request, or lets its answer trickle, costs that request alone: it is broken off when
it takes several times as long as the longest answer should, while others that were sent later are answered. Where a
whole server is slow or silent nothing is broken off.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from pipelines.inference.engine import Again

TIMES = 4  # what the longest answer should take
AT_LEAST = 5.0  # seconds; shorter pauses are hiccups
ENOUGH = 64  # answers, after which it is known what they take, and looked at anew
KNOWN = 512  # that are remembered
SLOW = 0.9  # of them are faster than what is held to be usual: some of the others trickled
FEW_TOKENS = 100  # a shorter answer tells how long the way is, and not the writing


class Late(Again):
    """It hangs, as it seems: a reply may have been computed and billed."""


class Overdue:
    """How long one endpoint may take. `answers_others` asks whether it answers anything at all."""

    def __init__(self, answers_others: Callable[[], Awaitable[bool]]) -> None:
        self._answers_others = answers_others
        self._rates: deque[float] = deque(maxlen=KNOWN)  # seconds for a token, of the last answers
        self._answers = 0
        self._usual: float | None = None  # seconds for a token, of slow ones
        self._latest = 0.0  # when that request was sent, of all answered ones, which was sent last

    async def bounded(
        self, asking: Coroutine[Any, Any, dict[str, Any]], *, tokens: int, tries: int
    ) -> dict[str, Any]:
        """The reply, of at most so many tokens. Raises Late when it hangs, the later the more tries hung before."""
        sent = time.monotonic()
        task = asyncio.ensure_future(asking)
        try:
            while not await _done(task, self._limit(tokens, tries) or AT_LEAST):
                if self._limit(tokens, tries) and (self._latest > sent or await self._answers_others()):
                    waited = time.monotonic() - sent
                    raise Late(f"no reply within {waited:.0f} s, while others are answered", by_row=True, paid=True)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        reply = task.result()
        self._learn(sent, reply)
        return reply

    def _limit(self, tokens: int, tries: int) -> float | None:
        """Seconds that an answer may take; None while too little is known."""
        if self._usual is None:
            return None
        return max(AT_LEAST, TIMES * self._usual * tokens) * 2**tries

    def _learn(self, sent: float, reply: dict[str, Any]) -> None:
        self._latest = max(self._latest, sent)
        if written := (reply.get("usage") or {}).get("completion_tokens"):
            each = max(FEW_TOKENS, written / len(reply["choices"]))
            self._rates.append((time.monotonic() - sent) / each)
            self._answers += 1
            if self._answers % ENOUGH == 0:
                self._usual = sorted(self._rates)[int(SLOW * len(self._rates))]


async def _done(task: asyncio.Task[Any], seconds: float) -> bool:
    return bool((await asyncio.wait({task}, timeout=seconds))[0])
