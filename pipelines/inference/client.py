"""The one way to ask a model: journal first, then the engine, and nothing is used before it is durable."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from pipelines.inference.budget import Purse, Spent
from pipelines.inference.engine import Refused, finish
from pipelines.inference.engines import open_engine
from pipelines.inference.model import Asking, Model, Request
from pipelines.inference.places import Stopping
from pipelines.inference.role import Role
from pipelines.journal import Journal
from pipelines.segment import Entry

__all__ = ["Client", "Stopping", "to_entry"]


class Client:
    """The models of a run, behind the journal. For one event loop.

    `counts` tells for the progress line what happened: sent, replayed, prompt_tokens, completion_tokens, refused;
    `by_role` the same for each role, with what had to be tried again and why. `home` is the data folder.
    """

    def __init__(
        self, models: Mapping[str, Model], journal: Journal, *, home: Path | None = None, purse: Purse | None = None
    ) -> None:
        self._journal = journal
        self._home = home or Path()
        self.purse = purse or Purse(models, {})
        self._roles = {role: Role(model, self._open, self.purse) for role, model in models.items()}
        self._asked: dict[tuple[bytes, int], asyncio.Future[Any]] = {}
        self.stopped = asyncio.Event()
        self.failure: Exception | None = None  # what ended the run, if anything did
        self.spent: Spent | None = None  # why nothing more may be sent, if the budget says so
        self.counts: Counter[str] = Counter()
        self._by_role: dict[str, Counter[str]] = defaultdict(Counter)

    async def reply(self, asking: Asking, *, seed: int, sample: int, draw: int, n: int = 1) -> tuple[bytes, Any]:
        """The request's key and its reply, from the journal or from the engine; a refusal is a reply too.

        Raises Stopping, Misconfigured or Outage.
        """
        key, request = asking.request(seed=seed, sample=sample, draw=draw, n=n)
        return key, await self._replied(request)

    async def score(self, request: Request) -> Any:
        """The reply to a request for a score (`scoring.scoring` makes one), journaled as every other.

        Raises Stopping, Misconfigured or Outage.
        """
        return await self._replied(request)

    def stop(self) -> None:
        """Send nothing new from now on."""
        self.stopped.set()
        for role in self._roles.values():
            role.stop()

    def look_at_the_clock(self) -> None:
        """Stop when the hours that the budget gives are over."""
        if self.spent is None and (over := self.purse.over()):
            self.end_with(Spent(over))

    async def catch_up(self) -> None:
        """Know what other processes have journaled."""
        await asyncio.to_thread(self._journal.catch_up)

    def add(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Count what was asked for this run elsewhere, by role."""
        for role, told in counts.items():
            self._count(role, **told)

    async def close(self) -> None:
        for role in self._roles.values():
            await role.close()
        self.purse.close()

    def by_role(self) -> dict[str, dict[str, int]]:
        """For each role its counts, and how many requests are under way, of how many that may be."""
        return {
            name: {**self._by_role[name], **role.counts, "under_way": role.under_way, "limit": role.limit}
            for name, role in self._roles.items()
        }

    def is_idle(self) -> bool:
        """Whether no role is asked even half of what it bears."""
        return all(2 * role.under_way < role.limit for role in self._roles.values())

    def waits(self) -> str | None:
        """What is waited for, where a role gets no answers."""
        told = [said for role in self._roles.values() if (said := role.waits())]
        return "; ".join(told) or None

    async def _replied(self, request: Request) -> Any:
        entry = self._journal.find(request.key, request.sampling["max_tokens"])
        if entry is None:
            return await self._once(request)
        self._count(request.model.role, replayed=1)
        return orjson.loads(entry.reply)

    async def _once(self, request: Request) -> Any:
        """Ask, unless the same is being asked already."""
        mark = (request.key, request.sampling["max_tokens"])
        if mark in self._asked:
            return await asyncio.shield(self._asked[mark])
        answer = self._asked[mark] = asyncio.get_running_loop().create_future()
        try:
            reply = await self._send(request)
            entry = to_entry(request, reply)
            kept = await self._journal.add(entry)
            if kept is not entry:  # another run was first
                reply = orjson.loads(kept.reply)
        except BaseException as error:
            answer.set_exception(error)
            answer.exception()  # there may be nobody else to see it
            self.end_with(error)
            raise
        else:
            answer.set_result(reply)
            return reply
        finally:
            del self._asked[mark]

    async def _send(self, request: Request) -> dict[str, Any]:
        role = request.model.role
        try:
            reply = await self._roles[role].send(request)
        except Refused as error:
            self._count(role, sent=1, refused=1)
            return {"refused": str(error)}
        usage = reply.get("usage") or {}
        tokens = {name: usage.get(name) or 0 for name in ("prompt_tokens", "completion_tokens")}
        self._count(role, sent=1, **tokens)
        return reply

    def end_with(self, error: BaseException) -> None:
        """After a failure that ends the run nothing more is sent, and paid for in vain."""
        if isinstance(error, Spent):
            self.spent = self.spent or error
            self.stop()
        elif isinstance(error, Exception) and not isinstance(error, Stopping):
            self.failure = self.failure or error
            self.stop()

    def _open(self, model: Model) -> Any:
        return open_engine(model, self._home)

    def _count(self, role: str, **counts: int) -> None:
        self.counts.update(counts)
        self._by_role[role].update(counts)


def to_entry(request: Request, reply: dict[str, Any]) -> Entry:
    """A reply as it is journaled."""
    cut = any(finish(choice) == "length" for choice in reply.get("choices", ()))
    tokens = (reply.get("usage") or {}).get("completion_tokens")
    return Entry(
        request.key, request.sampling["max_tokens"], cut, -1 if tokens is None else tokens, orjson.dumps(reply)
    )
