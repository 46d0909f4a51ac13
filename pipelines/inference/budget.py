"""What a run may spend: tokens, money, hours and GPU-hours; reserved before a request is sent, settled after it.

A request reserves the most that it can cost: a token for each byte that it asks, and `max_tokens` for each answer. So
nothing is ever spent beyond a limit, and what is reserved in vain comes back when the answer is there.

Limits hold across processes, and across kills: see `account.py`. Who finds no room waits as long as any process may
give something back, so that a budget is spent only when what is left of it is less than one request may cost.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.inference.account import AMOUNTS, Account, Amount, closed
from pipelines.inference.model import Model, Request
from pipelines.inference.places import Stopping

__all__ = ["AMOUNTS", "BILLED", "LIMITS", "Purse", "Reserved", "Spent", "closed", "cost", "nothing"]

TEMPLATE_TOKENS = 64  # what a chat template may add
MESSAGE_TOKENS = 8  # and to each message
LOOK_AGAIN = 0.1  # seconds: how often the account is looked at while processes wait, by all of them together
LIMITS = (*AMOUNTS, "hours", "gpu_hours")
BILLED = ("requests", "prompt_tokens", "completion_tokens", "money")


class Spent(Stopping):
    """The budget admits nothing more. What is under way is awaited and kept. The message says what is spent."""


class Reserved(NamedTuple):
    """The most that one request can cost, put aside for it."""

    role: str
    prompt_tokens: int
    completion_tokens: int
    amount: dict[str, float]
    more: int = 0  # of the prompt's tokens: those that were learnt


class Purse:
    """The budget of a run, for one process. `limits` may name `tokens`, `money`, `hours` and `gpu_hours`."""

    def __init__(self, models: Mapping[str, Model], limits: Amount, *, path: Path | None = None) -> None:
        self._models = models
        self._limits = {name: limits[name] for name in AMOUNTS if name in limits}
        self._hours = {name: limits[name] for name in LIMITS if name in limits and name not in AMOUNTS}
        self._account = Account(path) if path and self._limits else None
        self._started = time.monotonic()
        self._spent, self._unknown, self._reserved = nothing(), nothing(), nothing()
        self._under_way = 0
        self._more: dict[str, int] = defaultdict(int)  # tokens that a role was billed beyond what it reserved
        self._by_role: dict[str, dict[str, float]] = {role: dict.fromkeys(BILLED, 0.0) for role in models}
        self._settled = asyncio.Event()
        self._turn = asyncio.Lock()  # of those who wait: the first looks whether there is room
        self.gpus = 0  # those that engines of this run hold; whoever starts one adds them
        self._gpu_seconds, self._gpus_since = 0.0, time.monotonic()

    async def reserve(self, request: Request) -> Reserved:
        """Put aside what a request may cost, waiting for what others may give back. Raises Spent."""
        asked = self._reserved_for(request)
        async with self._turn:
            while not (over := self.over()) and not self._fits(asked.amount):
                if not self._may_come_back():
                    raise Spent(f"the budget is spent: {self.short()}")
                await self._given_back()
            if over:
                raise Spent(over)
            for name in AMOUNTS:
                self._reserved[name] += asked.amount[name]
            self._under_way += 1
        return asked

    def settle(self, reserved: Reserved, reply: Mapping[str, Any]) -> None:
        """Pay for a reply; one that tells no usage costs what was reserved."""
        usage = reply.get("usage") or {}
        prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if prompt is None or completion is None:
            self.lose(reserved)
        else:
            self._learn(reserved, prompt + completion)
            self._pay(self._spent, reserved, prompt, completion)

    def lose(self, reserved: Reserved) -> None:
        """An answer may have been billed that never came: it counts as if."""
        self._pay(self._unknown, reserved, reserved.prompt_tokens, reserved.completion_tokens)

    def release(self, reserved: Reserved) -> None:
        """Nothing was billed."""
        self._give_back(reserved)

    def over(self) -> str | None:
        """Why nothing more may be sent, as far as time tells."""
        hours = (time.monotonic() - self._started) / 3600
        if "hours" in self._hours and hours >= self._hours["hours"]:
            return f"the budget of {self._hours['hours']:g} hours is over"
        if "gpu_hours" in self._hours and self.gpu_hours >= self._hours["gpu_hours"]:
            return f"the budget of {self._hours['gpu_hours']:g} GPU-hours is spent"
        return None

    @property
    def gpu_hours(self) -> float:
        return (self._gpu_seconds + self.gpus * (time.monotonic() - self._gpus_since)) / 3600

    def hold_gpus(self, number: int) -> None:
        """An engine has taken so many GPUs, or given them back where negative."""
        self._gpu_seconds = self.gpu_hours * 3600
        self._gpus_since = time.monotonic()
        self.gpus += number

    def told(self) -> dict[str, Any]:
        """What there was and what is spent: `unknown` may have been billed without an answer; `before` was spent, or
        may have been, by other processes and by earlier tries at the same version."""
        others = self._account.others() if self._account else {}
        return {
            "limits": {**self._limits, **self._hours},
            "spent": dict(self._spent),
            "unknown": dict(self._unknown),
            "before": {name: others.get(name, 0.0) for name in AMOUNTS},
            "hours": (time.monotonic() - self._started) / 3600,
            "gpu_hours": self.gpu_hours,
            "by_role": {role: dict(counts) for role, counts in self._by_role.items()},
        }

    def short(self) -> str:
        """What is spent of what, in a few words."""
        told = self.told()
        spent = {name: sum(told[kind][name] for kind in ("spent", "unknown", "before")) for name in AMOUNTS}
        return ", ".join(f"{name} {spent[name]:,.6g} of {limit:,.6g}" for name, limit in self._limits.items())

    def rest(self) -> None:
        """Write down what is spent, and hold no more than what is under way: others may have the rest."""
        if self._account:
            self._account.rest(paid=self._paid(), used=self._used())

    def close(self) -> None:
        """Write down what is spent, with what is broken off: that may have been billed. Nothing more is reserved."""
        self.rest()
        if self._account:
            self._account.close()

    def most(self, request: Request) -> tuple[int, int]:
        """How many tokens a request can ask, and be answered with, at most."""
        said = sum(len((each["content"] or "").encode()) + MESSAGE_TOKENS for each in request.messages)
        prompt = said + TEMPLATE_TOKENS + self._more[request.model.role]
        return prompt, request.sampling["max_tokens"] * request.n

    def _reserved_for(self, request: Request) -> Reserved:
        prompt, completion = self.most(request)
        more = self._more[request.model.role]
        return Reserved(request.model.role, prompt, completion, cost(request.model, prompt, completion), more)

    def _fits(self, amount: Amount) -> bool:
        """Whether all limits allow it, beside what is spent and reserved here and held elsewhere."""
        used = self._used()
        if self._account is None:
            return all(used[name] + amount[name] <= limit for name, limit in self._limits.items())
        return self._account.hold(paid=self._paid(), used=used, more=amount, limits=self._limits)

    def _may_come_back(self) -> bool:
        """Whether anything is under way, here or elsewhere, that may cost less than it could."""
        return self._under_way > 0 or (self._account is not None and self._account.others_hold)

    async def _given_back(self) -> None:
        """Wait until something is given back here, or it is time to see whether another process has."""
        self._settled.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN * self._account.alive if self._account else None):
                await self._settled.wait()

    def _paid(self) -> dict[str, float]:
        return {name: self._spent[name] + self._unknown[name] for name in AMOUNTS}

    def _used(self) -> dict[str, float]:
        """What is paid, and what is under way at its most."""
        paid = self._paid()
        return {name: paid[name] + self._reserved[name] for name in AMOUNTS}

    def _pay(self, into: dict[str, float], reserved: Reserved, prompt: int, completion: int) -> None:
        amount = cost(self._models[reserved.role], prompt, completion)
        billed = self._by_role[reserved.role]
        for name, value in zip(BILLED, (1, prompt, completion, amount["money"]), strict=True):
            billed[name] += value
        for name in AMOUNTS:
            into[name] += amount[name]
        self._give_back(reserved)

    def _give_back(self, reserved: Reserved) -> None:
        self._under_way -= 1
        for name in AMOUNTS:  # what is left by rounding is nothing that could come back
            self._reserved[name] = self._reserved[name] - reserved.amount[name] if self._under_way else 0.0
        if self._account:
            self._account.say(self._used())
        self._settled.set()

    def _learn(self, reserved: Reserved, tokens: int) -> None:
        """A server whose template adds more than was thought is given more from now on."""
        beyond = reserved.more + tokens - reserved.prompt_tokens - reserved.completion_tokens
        self._more[reserved.role] = max(self._more[reserved.role], beyond)


def nothing() -> dict[str, float]:
    return dict.fromkeys(AMOUNTS, 0.0)


def cost(model: Model, prompt_tokens: int, completion_tokens: int) -> dict[str, float]:
    """Tokens, and money by the model's prices for a million tokens."""
    prices = model.price
    money = prompt_tokens * prices.get("input", 0) + completion_tokens * prices.get("output", 0)
    money *= prices.get("batch", 1) if model.batch else 1
    return {"tokens": prompt_tokens + completion_tokens, "money": money / 1e6}
