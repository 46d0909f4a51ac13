"""Work on a long stream, some rows at a time and on several cores, without ever holding the stream."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 3  # chunks for each process that are read before the first of them is asked for


def chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """The rows in lists of `size`; the last may be shorter."""
    rest = iter(rows)
    while chunk := list(islice(rest, size)):
        yield chunk


def in_processes(
    function: Callable[[Sequence[T]], R], each: Iterable[list[T]], processes: int
) -> Generator[R, None, None]:
    """`function` of each chunk, in their order; of 1 process, in this one.

    Processes are started anew, so `function` must be importable, and so must the program's main module. No more
    than some chunks are read ahead, whatever the stream's length. Ending early ends the processes.
    """
    if processes <= 1:
        yield from map(function, each)
        return
    pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))
    try:
        asked = (pool.submit(function, chunk) for chunk in each)
        waiting = deque(islice(asked, AHEAD * processes))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(islice(asked, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
