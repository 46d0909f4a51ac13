"""Checks for code that is not asynchronous: a trainer's reward function, a script, a notebook.

One pool serves a process. Its event loop runs in a thread of its own, which only waits; the checks run in child
processes, as everywhere. It starts with the first check that needs a child, and ends with the process.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, NamedTuple, TypeVar

from filters.verifiers import able, answer_in, verifier
from filters.verifiers.outcome import Outcome, failed, unsure
from filters.verifiers.workers import Workers

T = TypeVar("T")


class Item(NamedTuple):
    """A response to be verified, by a verifier of this name, against this reference."""

    kind: str
    reference: str | None
    response: str | None


def verify(kind: str, reference: str | None, response: str | None) -> Outcome:
    """Whether a whole response is right. Raises KeyError for an unknown kind, and Unable; no text raises anything."""
    return verify_all([Item(kind, reference, response)])[0]


def verify_all(items: Sequence[Item]) -> list[Outcome]:
    """As `verify`, for many at once and side by side; outcomes in the order of the items.

    Raises Unable where this machine cannot check what is asked.
    """
    outcomes = [_told_before_the_check(item) for item in items]
    pairs: dict[str, dict[tuple[str, str], list[int]]] = {}  # by kind, and where each pair is asked for
    for place, item in enumerate(items):
        if outcomes[place] is None:
            pair = (item.reference or "", answer_in(item.kind, item.response or "") or "")
            pairs.setdefault(item.kind, {}).setdefault(pair, []).append(place)
    for kind, places in pairs.items():
        for pair, outcome in check(kind, list(places)).items():
            for place in places[pair]:
                outcomes[place] = outcome
    return [outcome for outcome in outcomes if outcome is not None]


def check(kind: str, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Outcome]:
    """Outcomes of distinct pairs of reference and answer."""
    quickly = able(kind).check_quickly
    told = {pair: quickly(*pair) for pair in pairs}
    if slow := [pair for pair, outcome in told.items() if outcome is None]:
        told |= _run(_workers().check_slowly(kind, slow))
    return {pair: outcome for pair, outcome in told.items() if outcome is not None}


def _told_before_the_check(item: Item) -> Outcome | None:
    """What can be told without looking at the answer itself."""
    if item.reference is None or not item.reference.strip():
        verifier(item.kind)
        return unsure("no reference answer")
    if problem := verifier(item.kind).problem_with(item.reference):
        return unsure(f"the reference cannot be used: {problem}")
    if item.response is None:
        return unsure("no response")
    return failed("no final answer") if answer_in(item.kind, item.response) is None else None


# --- The pool of this process -------------------------------------------------------------------------


class _Pool(NamedTuple):
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread
    workers: Workers


_pool: _Pool | None = None
_starting = threading.Lock()


def _workers() -> Workers:
    return _the_pool().workers


def _run(job: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(job, _the_pool().loop).result()


def _the_pool() -> _Pool:
    global _pool
    with _starting:
        if _pool is None:
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="thoughtmill-verifiers", daemon=True)
            thread.start()
            workers = Workers(count=max(1, len(os.sched_getaffinity(0))))
            asyncio.run_coroutine_threadsafe(workers.__aenter__(), loop).result()
            _pool = _Pool(loop, thread, workers)
        return _pool


@atexit.register
def close() -> None:
    """End the pool's children. The next check starts others."""
    global _pool
    with _starting:
        pool, _pool = _pool, None
        if pool is not None:
            asyncio.run_coroutine_threadsafe(_end(pool.workers), pool.loop).result()
            pool.loop.call_soon_threadsafe(pool.loop.stop)
            pool.thread.join()
            pool.loop.close()


async def _end(workers: Workers) -> None:
    """Give up what is still being checked, so that nobody who leaves waits for it."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await workers.__aexit__()


def _after_fork() -> None:
    """A forked process has neither the thread nor the children: it starts its own."""
    global _pool, _starting
    _pool, _starting = None, threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
