"""Checks in child processes that can be killed.

Algebra on a stranger's formula may never end (`9^{9^{9^9}}`) or take all memory, and neither a thread nor a
signal stops it reliably. So what cannot be told at once goes to a small pool of children, one pair at a time and
with a deadline. A child that misses it is killed; another is started when it is needed.
`python -m filters.verifiers.workers` is such a child: one JSON line in, one out.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import resource
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from filters.verifiers import verifier
from filters.verifiers.outcome import Outcome, broken, unsure

START_WITHIN = 60.0  # seconds for a child to import what a verifier needs, on a busy machine
MAX_REMEMBERED = 65_536  # pairs that children have told
MAX_SHORT = 2_000  # characters of a pair that is remembered
MAX_LINE = 16 * 2**20  # bytes of one outcome

Pair = tuple[str, str]  # reference, answer

CRASHED = broken("the check crashed")


class Workers:
    """A pool of at most `count` children, as an async context manager; each is started when first needed.

    `deadline` is in seconds for each pair, instead of what its verifier allows; `memory` in bytes of address space
    for each child. A pool belongs to the event loop that entered it, and its children end with it.
    """

    def __init__(self, *, count: int = 2, deadline: float | None = None, memory: int = 2 * 2**30) -> None:
        self._count = count
        self._deadline = deadline
        self._memory = memory
        self._places: asyncio.LifoQueue[_Child | None] | None = None  # last in, first out: starts fewest
        self._remembered: dict[tuple[str, Pair], Outcome] = {}

    async def __aenter__(self) -> Self:
        self._places = asyncio.LifoQueue()
        for _ in range(self._count):
            self._places.put_nowait(None)
        return self

    async def __aexit__(self, *failure: object) -> None:
        places, self._places = self._places, None
        assert places is not None
        for _ in range(self._count):
            if child := await places.get():
                await child.end()

    async def check(self, verifier_name: str, pairs: Sequence[Pair]) -> list[Outcome]:
        """Check each (reference, answer); outcomes in the order of the pairs.

        What can be told quickly is told here, the rest by the children, equal pairs once. A bad pair costs the
        others nothing but time. Raises KeyError for an unknown verifier, RuntimeError outside the context or when
        no child can be started.
        """
        quickly = verifier(verifier_name).check_quickly
        told = [quickly(*pair) for pair in pairs]
        slow = dict.fromkeys(pair for pair, outcome in zip(pairs, told, strict=True) if outcome is None)
        outcomes = await self.check_slowly(verifier_name, slow)
        return [outcome or outcomes[pair] for pair, outcome in zip(pairs, told, strict=True)]

    async def check_slowly(self, verifier_name: str, pairs: Iterable[Pair]) -> dict[Pair, Outcome]:
        """As `check`, for distinct pairs that are known not to be told quickly."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {pair: group.create_task(self._check(verifier_name, pair)) for pair in pairs}
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        return {pair: task.result() for pair, task in tasks.items()}

    async def _check(self, name: str, pair: Pair) -> Outcome:
        if (name, pair) in self._remembered:
            return self._remembered[name, pair]
        outcome = await self._ask(name, pair)
        if len(pair[0]) + len(pair[1]) <= MAX_SHORT:
            if len(self._remembered) >= MAX_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[name, pair] = outcome
        return outcome

    async def _ask(self, name: str, pair: Pair) -> Outcome:
        """Wait for a free place, put a child there if there is none, and ask it within the deadline."""
        if (places := self._places) is None:
            raise RuntimeError("use Workers as a context: async with Workers() as workers: ...")
        child, keep = await places.get(), False
        seconds = self._deadline or verifier(name).seconds
        try:
            child = child or await _start(self._memory)
            await child.learn(name)
            try:
                async with asyncio.timeout(seconds):
                    outcome = await child.ask(name, pair, seconds)
            except TimeoutError:
                return unsure(f"not decided within {seconds:g} seconds")
            keep = outcome is not CRASHED
            return outcome
        finally:  # also when cancelled: a child in the middle of a question is of no more use
            places.put_nowait(child if keep else None)
            if child and not keep:
                await child.end()


# --- The parent's side of a child ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Child:
    memory: int
    process: asyncio.subprocess.Process
    questions: asyncio.StreamWriter
    answers: asyncio.StreamReader
    learned: set[str] = field(default_factory=set)

    async def learn(self, name: str) -> None:
        """Have it import what a verifier needs, so that no pair pays for that."""
        if name in self.learned:
            return
        async with _in_time_to_start():
            if (await self.ask(name, verifier(name).example, START_WITHIN)).status == "error":
                raise _no_start(self.memory, name)
        self.learned.add(name)

    async def ask(self, name: str, pair: Pair, seconds: float) -> Outcome:
        """What the child says, or CRASHED when it ends without saying anything."""
        try:
            self.questions.write(json.dumps([name, *pair, seconds]).encode() + b"\n")
            await self.questions.drain()
            line = await self.answers.readline()
        except (ConnectionError, ValueError):  # gone, or a line without end
            return CRASHED
        return Outcome(*json.loads(line)) if line.endswith(b"\n") else CRASHED

    async def end(self) -> None:
        """Kill the child and wait until it is gone."""
        if self.process.returncode is None:
            self.process.kill()
        self.questions.close()
        await self.process.wait()


async def _start(memory: int) -> _Child:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "filters.verifiers.workers", str(memory)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,  # an interrupt at the terminal is the parent's to handle
        limit=MAX_LINE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    child, ready = _Child(memory, process, process.stdin, process.stdout), b""
    try:
        async with _in_time_to_start():
            ready = await child.answers.readline()
    finally:
        if not ready:
            await child.end()
    if not ready:
        raise _no_start(memory)
    return child


@contextlib.asynccontextmanager
async def _in_time_to_start() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(START_WITHIN):
            yield
    except TimeoutError:
        raise RuntimeError(f"a verifier's process did not start within {START_WITHIN:g} seconds") from None


def _no_start(memory: int, *learning: str) -> RuntimeError:
    command = " ".join([sys.executable, "-m", "filters.verifiers.workers", str(memory), *learning])
    return RuntimeError(f"a verifier's process ended at once; see why with: {command}")


def _environment() -> dict[str, str]:
    """The child imports what the parent would, and orders its sets the same in every run."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": "0"}


# --- The child ----------------------------------------------------------------------------------------


def main(memory: int, *learning: str) -> None:
    """Answer questions from standard input, until it closes, under limits of memory and processor time.

    The verifiers named check their examples first, which is for a person who wonders why that fails.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in learning:
        verifier(name).check(*verifier(name).example)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is no answer
    print("ready", file=answers)
    for question in sys.stdin:
        name, reference, answer, seconds = json.loads(question)
        _limit_processor_time(seconds)
        print(json.dumps(_checked(name, reference, answer)), file=answers)


def _checked(name: str, reference: str, answer: str) -> Outcome:
    """A check that raises is broken itself. A lack of memory ends the child, which may not be whole any more."""
    try:
        return verifier(name).check(reference, answer)
    except MemoryError:
        raise
    except Exception as failure:  # noqa: BLE001 - the boundary: whatever a check trips over
        return broken(f"the check failed: {type(failure).__name__}")


def _limit_processor_time(seconds: float) -> None:
    """End this process soon after the deadline even if the parent is no longer there to do it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = math.ceil(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
