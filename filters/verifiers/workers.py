"""Comparisons in child processes that can be killed.

Algebra on a stranger's formula may never end (`9^{9^{9^9}}`) or take all memory, and neither a thread nor a
signal stops it reliably. So what exact arithmetic cannot decide goes to a small pool of children, one pair
at a time and with a deadline. A child that misses it is killed; another is started when it is needed.
`python -m filters.verifiers.workers` is such a child: one JSON line in, one out.
"""

import asyncio
import json
import math
import os
import resource
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Self

from filters.verifiers import VERIFIERS, verifier

START_WITHIN = 60.0  # seconds for a child to import SymPy on a busy machine
MAX_REMEMBERED = 65_536  # pairs that children have answered

Pair = tuple[str, str]  # reference, answer


class Same(Enum):
    """What came of comparing an answer with its reference. Only YES and NO are verdicts."""

    YES = "yes"
    NO = "no"
    UNSURE = "unsure"  # cannot tell
    TIMEOUT = "timeout"  # cannot tell within the deadline
    CRASH = "crash"  # the child broke, as when it runs out of memory


_SAME = {True: Same.YES, False: Same.NO, None: Same.UNSURE}


class Workers:
    """A pool of at most `count` children, as an async context manager; each is started when first needed.

    `deadline` is in seconds for each pair, `memory` in bytes of address space for each child. A pool belongs
    to the event loop that entered it, and its children end with it.
    """

    def __init__(self, *, count: int = 2, deadline: float = 5.0, memory: int = 2 * 2**30) -> None:
        self._count = count
        self._deadline = deadline
        self._memory = memory
        self._places: asyncio.LifoQueue[_Child | None] | None = None  # last in, first out: starts fewest
        self._remembered: dict[tuple[str, Pair], Same] = {}

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

    async def same(self, verifier_name: str, pairs: Sequence[Pair]) -> list[Same]:
        """Compare each (reference, answer); outcomes in the order of the pairs.

        What can be decided quickly is decided here, the rest by the children, equal pairs once. A bad pair
        costs the others nothing but time. Raises KeyError for an unknown verifier, RuntimeError outside the
        context or when no child can be started.
        """
        quickly = verifier(verifier_name).same_quickly
        verdicts = [quickly(*pair) for pair in pairs]
        slow = {pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict is None}
        outcomes = await self._same_slowly(verifier_name, slow)
        return [
            outcomes[pair] if verdict is None else _SAME[verdict]
            for pair, verdict in zip(pairs, verdicts, strict=True)
        ]

    async def _same_slowly(self, name: str, pairs: Iterable[Pair]) -> dict[Pair, Same]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {pair: group.create_task(self._same(name, pair)) for pair in pairs}
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        return {pair: task.result() for pair, task in tasks.items()}

    async def _same(self, name: str, pair: Pair) -> Same:
        if (name, pair) not in self._remembered:
            outcome = await self._ask(name, pair)
            if len(self._remembered) >= MAX_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[name, pair] = outcome
        return self._remembered[name, pair]

    async def _ask(self, name: str, pair: Pair) -> Same:
        """Wait for a free place, put a child there if there is none, and ask it within the deadline."""
        if (places := self._places) is None:
            raise RuntimeError("use Workers as a context: async with Workers() as workers: ...")
        child, keep = await places.get(), False
        try:
            child = child or await _start(self._memory, self._deadline)
            async with asyncio.timeout(self._deadline):
                outcome = await child.ask(name, pair)
            keep = outcome is not Same.CRASH
            return outcome
        except TimeoutError:
            return Same.TIMEOUT
        finally:  # also when cancelled: a child in the middle of a question is of no more use
            places.put_nowait(child if keep else None)
            if child and not keep:
                await child.end()


# --- The parent's side of a child ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Child:
    process: asyncio.subprocess.Process
    questions: asyncio.StreamWriter
    answers: asyncio.StreamReader

    async def ask(self, name: str, pair: Pair) -> Same:
        """The child's answer, or CRASH when it ends without one."""
        try:
            self.questions.write(json.dumps([name, *pair]).encode() + b"\n")
            await self.questions.drain()
            line = await self.answers.readline()
        except ConnectionError:
            return Same.CRASH
        return _SAME[json.loads(line)] if line.endswith(b"\n") else Same.CRASH

    async def end(self) -> None:
        """Kill the child and wait until it is gone."""
        if self.process.returncode is None:
            self.process.kill()
        self.questions.close()
        await self.process.wait()


async def _start(memory: int, deadline: float) -> _Child:
    """A child that has imported what it needs, so that no pair pays for that."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "filters.verifiers.workers", str(memory), str(deadline)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,  # an interrupt at the terminal is the parent's to handle
    )
    assert process.stdin is not None
    assert process.stdout is not None
    child, ready = _Child(process, process.stdin, process.stdout), b""
    try:
        async with asyncio.timeout(START_WITHIN):
            ready = await child.answers.readline()
    except TimeoutError:
        raise RuntimeError(f"a verifier's process did not start within {START_WITHIN:g} seconds") from None
    finally:
        if not ready:
            await child.end()
    if not ready:
        raise RuntimeError(
            f"a verifier's process ended at once (exit {process.returncode}); see why with: "
            f"{sys.executable} -m filters.verifiers.workers {memory} {deadline}"
        )
    return child


def _environment() -> dict[str, str]:
    """The child imports what the parent would, and orders its sets the same in every run."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": "0"}


# --- The child ----------------------------------------------------------------------------------------


def main(memory: int, deadline: float) -> None:
    """Answer questions from standard input, until it closes, under limits of memory and processor time."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is no answer
    for each in VERIFIERS.values():
        each.same("x + x", "2x")
    print("ready", file=answers)
    for question in sys.stdin:
        _limit_processor_time(deadline)
        name, reference, answer = json.loads(question)
        print(json.dumps(verifier(name).same(reference, answer)), file=answers)


def _limit_processor_time(deadline: float) -> None:
    """End this process soon after the deadline even if the parent is no longer there to do it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = math.ceil(used.ru_utime + used.ru_stime + deadline) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
