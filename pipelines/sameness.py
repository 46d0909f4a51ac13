"""Whether two answers are the same: quickly where that can be told, else in a child process, and journaled.

A comparison that takes algebra may run into its time limit on a busy day. So that facts stay a pure function of
recipe and journal, what a child process said is journaled like a model's reply.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.metadata
from collections.abc import Iterable, Sequence
from typing import Any

from filters.rule import Same
from filters.verifiers import VERIFIERS, verifier
from filters.verifiers import workers as children
from pipelines.journal import Journal
from pipelines.records import digest
from pipelines.segment import Entry

Pair = tuple[str, str, str]  # verifier, reference, answer

OUTCOMES = {children.Same.YES: b"true", children.Same.NO: b"false"}  # all others: it cannot be told
FROM_JOURNAL = {b"true": True, b"false": False, b"null": None}


class Sameness:
    """Compares answers for a run. `table` gives what rules call `same`."""

    def __init__(self, journal: Journal, workers: children.Workers) -> None:
        self._journal = journal
        self._workers = workers

    async def table(self, pairs: Iterable[Pair]) -> Same:
        """`same` for these pairs, each decided once."""
        known = {pair: verifier(pair[0]).same_quickly(*pair[1:]) for pair in set(pairs)}
        hard = sorted(pair for pair, outcome in known.items() if outcome is None)
        known |= await self._decide(hard)
        return lambda name, reference, answer: known[name, reference, answer]

    async def _decide(self, pairs: Sequence[Pair]) -> dict[Pair, bool | None]:
        journaled = {pair: self._journal.find(_key(pair), 0) for pair in pairs}
        decided = {pair: FROM_JOURNAL[entry.reply] for pair, entry in journaled.items() if entry}
        for name in VERIFIERS:
            new = [pair for pair in pairs if pair not in decided and pair[0] == name]
            if new:
                outcomes = await self._workers.same(name, [pair[1:] for pair in new])
                adding = (self._add(pair, outcome) for pair, outcome in zip(new, outcomes, strict=True))
                decided |= dict(zip(new, await asyncio.gather(*adding), strict=True))
        return decided

    async def _add(self, pair: Pair, outcome: children.Same) -> bool | None:
        entry = Entry(_key(pair), 0, False, 0, OUTCOMES.get(outcome, b"null"))
        return FROM_JOURNAL[(await self._journal.add(entry)).reply]


def _key(pair: Pair) -> bytes:
    return bytes.fromhex(digest("same", verifier(pair[0]).version, algebra(), pair))


def comparing() -> list[Any]:
    """What decides how answers are found and compared: the versions of the verifiers, and which algebra is there."""
    return [{name: each.version for name, each in VERIFIERS.items()}, algebra()]


@functools.cache
def algebra() -> str | None:
    """Which algebra decides: a comparison that none could decide is decided anew once one is installed."""
    try:
        return importlib.metadata.version("math-verify")
    except importlib.metadata.PackageNotFoundError:
        return None
