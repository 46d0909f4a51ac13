"""A night: a run that continues a dataset, waits its turn, and can be told to end. `flows.night` adds Prefect."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from flows import make
from flows.changes import note_of, note_of_first
from flows.goal import Goal, plan
from flows.rounds import is_loop, rounds_made, turn
from flows.run import Busy, Mill, Progress, RunShard, directly, locked
from pipelines.bind import Recipe
from pipelines.recipe import BadRecipe
from pipelines.stage import Run, Shard
from pipelines.store import data_folder, replace
from pipelines.versions.compare import compare

POLL = 5.0  # seconds between two looks at a dataset that another run is making

NOTHING_YET = Goal(None, (0, 0), None, None)

T = TypeVar("T")


class Night(NamedTuple):
    """What came of a night."""

    made: make.Made
    goal: Goal
    changes: str  # what changed, as Markdown; empty where the version is none of its own

    @property
    def new_rows(self) -> int:
        return self.made.ledger["accepted"] - self.goal.had[0] if self.made.is_new else 0

    @property
    def in_short(self) -> str:
        """One line for whoever wakes up."""
        name = f"{self.made.name} {self.made.folder.name}"
        if not self.made.is_new:
            return f"{name}: nothing new"
        books, sent = self.made.ledger, self.made.counts.get("sent", 0)
        rows = f"{books['accepted']:,} rows, {self.new_rows:,} of them new"
        ended = f"; it ended early: {self.made.ended}" if self.made.ended else ""
        return f"{name}: {rows}; {books['candidates'] - self.goal.had[1]:,} candidates, {sent:,} requests{ended}"


async def tonight(
    recipe: str,
    *,
    changes: Sequence[str] = (),
    dataset: str | None = None,
    more: int | None = None,
    wait: float = 0.0,
    workers: int | None = None,
    run_shard: RunShard = directly,
    watch: Callable[[Progress, float], None] = lambda told, share: None,
) -> Night:
    """Add a night's rows to a dataset: `more`, or as many as the recipe's target says, and release its next version.

    Of a recipe with rounds a night makes the next round; those before it are read again, and nobody is asked.

    While another run is making the dataset, this one waits for up to `wait` seconds. SIGTERM and Ctrl-C let it finish
    what is under way. `watch` is told how far the run is, and which share of the night is done.

    Raises Busy, and whatever ends a run: BadRecipe, Misconfigured, Outage, DiskFull, OutOfBudget, Interrupted.
    Everything that was made is kept, and the next night continues with it.
    """

    async def next_round() -> Night:
        name = make.prepare(recipe, changes=changes, dataset=dataset).name
        with locked(data_folder() / "runs" / name / "night", name):
            most = 1 + rounds_made(recipe, changes, dataset)
            made = await turn(recipe, changes, dataset, run_round=one_round, most=most)
        return Night(made[-1], NOTHING_YET, _write_changes(None, made[-1]))

    async def one_round(recipe: str, changes: Sequence[str], dataset: str | None) -> make.Made:
        with interruptible() as began:
            return await make.make(
                recipe,
                changes=changes,
                dataset=dataset,
                workers=workers,
                run_shard=run_shard,
                watch=lambda told: watch(told, NOTHING_YET.share(told)),
                began=began,
                had=0,
            )

    async def job() -> Night:
        plan(
            recipe, changes=changes, dataset=dataset, more=more
        )  # what it refuses, it refuses before it holds anything
        name = make.prepare(recipe, changes=changes, dataset=dataset).name
        # Of two nights the second plans only once the first has released its version.
        with locked(data_folder() / "runs" / name / "night", name), interruptible() as began:
            goal = plan(recipe, changes=changes, dataset=dataset, more=more)
            made = await make.make(
                recipe,
                changes=[*changes, *goal.changes],
                dataset=dataset,
                workers=workers,
                run_shard=_of_new_draws(run_shard, goal.had[1]),
                watch=lambda told: watch(told, goal.share(told)),
                began=began,
                had=goal.had[1],
            )
        return Night(made, goal, _write_changes(goal.before, made))

    if is_loop(recipe, changes):
        check_loop(more)
        return await when_free(next_round, wait=wait, poll=POLL)
    return await when_free(job, wait=wait, poll=POLL)


def check_loop(more: int | None) -> None:
    """Raises BadRecipe where a night should add rows to rounds that are made."""
    if more is not None:
        raise BadRecipe(
            "a night makes the next of [rounds], and how many rows it has the recipe says: leave out --more"
        )


def _of_new_draws(run_shard: RunShard, had: int) -> RunShard:
    """The runner for tonight's draws; those of the version before are only read, here and now."""

    async def run_it(recipe: Recipe, start: int, stop: int, run: Run) -> Shard:
        return await (directly if stop <= had else run_shard)(recipe, start, stop, run)

    return run_it


async def when_free(job: Callable[[], Awaitable[T]], *, wait: float, poll: float = POLL) -> T:
    """What `job` gives; while it is Busy it is tried again, for up to `wait` seconds. Then Busy is raised."""
    deadline = time.monotonic() + wait
    while True:
        try:
            return await job()
        except Busy:
            if (left := deadline - time.monotonic()) <= 0:
                raise
        await asyncio.sleep(min(poll, left))


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[Mill], None]]:
    """Gives what is to be called with a mill that begins: from then on SIGTERM and Ctrl-C let it drain and end.

    Afterwards the signals mean what they meant before, which for SIGTERM is what Prefect makes of it.
    """
    loop, before = asyncio.get_running_loop(), {}

    def began(mill: Mill) -> None:
        if threading.current_thread() is threading.main_thread():  # no other can have handlers
            for signum in (signal.SIGTERM, signal.SIGINT):
                before[signum] = signal.getsignal(signum)
                loop.add_signal_handler(signum, mill.interrupt)

    try:
        yield began
    finally:
        for signum, handler in before.items():
            loop.remove_signal_handler(signum)
            signal.signal(signum, handler)


def _write_changes(before: Path | None, made: make.Made) -> str:
    """The note on what changed from one version to the next, kept as data/runs/NAME/changes/vN.md."""
    if not made.is_new:
        return ""
    note = note_of(compare(before, made.folder)) if before else note_of_first(made.folder)
    path = data_folder() / "runs" / made.name / "changes" / f"{made.folder.name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, note.encode())
    return note
