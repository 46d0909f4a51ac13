"""What it costs to run code in confinement: HumanEval's solutions, and small faults put into them.

    python -m benchmarks.code              # needs bubblewrap, and HumanEval in ../shared/data: under a minute
    python -m benchmarks.code --workers 4

Each function is run in one sandbox and its tests in another, so a check of a function is two executions. Prints, for
each set, how many there were, what the verdicts are, and the time. Faults that loop for ever have a second each.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from filters.verifiers import code
from filters.verifiers.code.confine import Limits, finish, sandbox
from tests.filters.verifiers.confined import humaneval, reference
from tests.filters.verifiers.mutants import mutants

Check = tuple[str, str]  # reference, answer


def solutions(tasks: Sequence[dict[str, Any]]) -> list[Check]:
    return [(reference(task), task["canonical_solution"]) for task in tasks]


def faults(tasks: Sequence[dict[str, Any]], *, count: int) -> list[Check]:
    """`count` faults in each solution."""
    whole = [(task, task["prompt"] + task["canonical_solution"]) for task in tasks]
    return [
        (reference(task, seconds=1), fault)
        for task, source in whole
        for _, fault in mutants(source, task["entry_point"], count=count)
    ]


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def one_execution() -> float:
    """Milliseconds to start a sandbox, run a program that prints one line, and end it; median of 50."""

    def execute() -> None:
        with sandbox("program", b"print(1)", limits=Limits()) as box:
            finish(box, b"", within=10.0)

    return 1_000 * median(seconds(execute) for _ in range(50))


def measure(name: str, checks: Sequence[Check], workers: int) -> list[str]:
    """A row of the table; threads do no more than wait here."""
    outcomes: Counter[str] = Counter()

    def run() -> None:
        with ThreadPoolExecutor(workers) as pool:
            outcomes.update(outcome.status for outcome in pool.map(lambda check: code.check(*check), checks))

    took = seconds(run)
    said = ", ".join(f"{count} {status}" for status, count in outcomes.most_common())
    return [name, str(len(checks)), said, f"{took:.1f} s", f"{1_000 * took / len(checks):.1f} ms"]


def main() -> None:
    parser = argparse.ArgumentParser(description="HumanEval in confinement")
    parser.add_argument("--workers", type=int, default=2)
    workers = parser.parse_args().workers
    tasks = humaneval()
    table = Table("set", "checks", "verdicts", "time", "time a check")
    table.add_row(*measure("canonical solutions", solutions(tasks), workers))
    table.add_row(*measure("faults in them", faults(tasks, count=5), workers))
    console = Console()
    console.print(f"one execution of a program: {one_execution():.1f} ms; below, {workers} at once")
    console.print(table)


if __name__ == "__main__":
    main()
