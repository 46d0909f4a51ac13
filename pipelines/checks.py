"""Checks of answers against references: told quickly where they can be, else by a child process, and journaled.

A check that takes algebra, or runs a program, may run into its time limit on a busy day. So that facts stay a pure
function of recipe and journal, what a child process said is journaled like a model's reply.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.metadata
import platform
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from filters import environments
from filters.rule import Check
from filters.verifiers import VERIFIERS, Unable, able, verifier
from filters.verifiers.code.confine import Refused
from filters.verifiers.outcome import Outcome
from filters.verifiers.workers import Workers
from pipelines.journal import Journal
from pipelines.records import digest
from pipelines.segment import Entry

Pair = tuple[str, str, str]  # verifier, reference, answer
PLAYING = 4  # environments at once


class Checks:
    """Checks answers for a run. `table` gives what rules call `check`."""

    def __init__(self, journal: Journal, workers: Workers) -> None:
        self._journal = journal
        self._workers = workers
        self._playing = asyncio.Semaphore(PLAYING)

    async def table(self, pairs: Iterable[Pair]) -> Check:
        """`check` for these pairs, each decided once. Raises Unable where this machine cannot check them."""
        known = {pair: verifier(pair[0]).check_quickly(*pair[1:]) for pair in set(pairs)}
        slow = sorted(pair for pair, outcome in known.items() if outcome is None)
        outcomes = {pair: outcome for pair, outcome in known.items() if outcome is not None}
        outcomes |= await self._decide(slow)
        return lambda name, reference, answer: outcomes[name, reference, answer]

    async def played(self, environment: str, calls: Sequence[str]) -> tuple[bytes, list[str]]:
        """The journal's key, and what each of these calls came to, all in one fresh environment.

        It is journaled because time may run out in there. Raises Unable where there is no sandbox to run it in.
        """
        key = bytes.fromhex(digest("played", environments.VERSION, made_by("code"), environment, list(calls)))
        if (entry := self._journal.find(key, 0)) is None:
            able("code")
            async with self._playing:
                results = await _in_sandbox(environment, calls)
            entry = await self._journal.add(Entry(key, 0, False, 0, orjson.dumps(results)))
        return key, orjson.loads(entry.reply)

    async def _decide(self, pairs: Sequence[Pair]) -> dict[Pair, Outcome]:
        journaled = {pair: self._journal.find(_key(pair), 0) for pair in pairs}
        decided = {pair: _read(entry) for pair, entry in journaled.items() if entry}
        for name in VERIFIERS:
            new = [pair for pair in pairs if pair not in decided and pair[0] == name]
            if new:
                able(name)
                outcomes = await self._workers.check_slowly(name, [pair[1:] for pair in new])
                adding = [self._add(pair, outcomes[pair[1:]]) for pair in new]
                decided |= dict(zip(new, await asyncio.gather(*adding), strict=True))
        return decided

    async def _add(self, pair: Pair, outcome: Outcome) -> Outcome:
        return _read(await self._journal.add(Entry(_key(pair), 0, False, 0, orjson.dumps(tuple(outcome)))))


async def _in_sandbox(environment: str, calls: Sequence[str]) -> list[str]:
    try:
        return await asyncio.to_thread(environments.play, environment, calls)
    except Refused as refused:
        raise Unable(str(refused)) from None


def _read(entry: Entry) -> Outcome:
    return Outcome(*orjson.loads(entry.reply))


def _key(pair: Pair) -> bytes:
    return bytes.fromhex(digest("check", made_by(pair[0]), pair))


def comparing() -> dict[str, Any]:
    """What decides how answers are found and checked: for each verifier its version, and those of the packages."""
    return {name: made_by(name) for name in VERIFIERS}


def made_by(name: str) -> list[Any]:
    """A verifier's version and its packages': what none could decide is decided anew once one is installed."""
    return [verifier(name).version, *map(installed, verifier(name).packages)]


@functools.cache
def installed(package: str) -> str | None:
    """The version of a package, or of Python itself; None where it is not installed."""
    if package == "python":
        return platform.python_version()
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
