"""Running shards on several machines: what a driver sends, and what a worker does with it.

Only references travel. Every output lies in the store under the digest of what decides it, so a worker is told which
outputs a shard has, runs the next steps of it, and names the outputs that it wrote. A worker that dies leaves whole
outputs or none, and replies in the journal: another one takes the same leg again, to the same facts.

Steps with ordered rules need what all earlier draws left behind, and are cheap: those the driver runs itself.

Nothing here knows what schedules legs: `flows.ray` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pickle
import threading
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple

from flows.run import RunShard, opened
from flows.shares import part
from pipelines.bind import Recipe, bind
from pipelines.inference.budget import AMOUNTS, Purse
from pipelines.inference.client import Stopping
from pipelines.inference.engine import Misconfigured
from pipelines.remote import store_url
from pipelines.stage import Run, Shard, Step, output_in, output_of, run_step, write

MARK = ".spread"  # in the folder of a run: names the job whose workers are to see it

Counts = Mapping[str, Mapping[str, int]]  # by role


class Job(NamedTuple):
    """What a worker must know of a run."""

    run: str  # names it: two runs of one recipe are two
    store: str | None  # where what is made here goes, besides the data folder: THOUGHTMILL_STORE
    recipe: dict[str, Any]  # its value, after all changes
    folder: str  # where it lies
    batches: list[dict[str, Any]]  # of its seeds
    data: str
    workers: int  # at once, each with its part of what a model may be asked
    processors: int  # of each worker: answers that it checks at once


class Leg(NamedTuple):
    """Consecutive steps of one shard."""

    start: int
    stop: int
    outputs: list[str]  # that the shard has so far, below data/runs/outputs
    first: int  # the number of the first step
    behind: int  # and of the one behind the last


class Back(NamedTuple):
    """What a worker hands back."""

    outputs: list[str]  # that it added
    counts: Counts  # of requests
    failure: Exception | None = None  # what ended the leg; its outputs and counts stay


class Runner(NamedTuple):
    """How a mill runs its shards."""

    run_shard: RunShard
    window: int | None  # shards at once; None: as many as keep the models busy


Send = Callable[[Leg], Awaitable[Back]]


def job_of(recipe: Recipe, data: Path, *, workers: int, processors: int = 1) -> Job:
    """What is told to workers, who may have another working directory, and nothing but the shared data folder.

    A mark in that folder lets them see that it is the same.
    """
    batches = recipe.seeds.batches if recipe.seeds else []
    home, run = data / "runs" / recipe.name, uuid.uuid4().hex
    home.mkdir(parents=True, exist_ok=True)
    (home / MARK).write_text(run)  # in place: a file that is replaced may be seen late over a network
    return Job(
        run=run,
        store=store_url(),
        recipe={key: each for key, each in recipe.value.items() if key != "earlier"},  # only the driver compares
        folder=str(recipe.folder.absolute()),
        batches=batches,
        data=str(data.absolute()),
        workers=workers,
        processors=processors,
    )


def named(outputs: Sequence[Path]) -> list[str]:
    """Outputs by their folders below `data/runs/outputs`."""
    return [f"{folder.parent.name}/{folder.name}" for folder in outputs]


def placed(data: Path, name: str) -> Path:
    return data / "runs" / "outputs" / name


# --- The driver's side --------------------------------------------------------------------------------


async def run_spread(recipe: Recipe, start: int, stop: int, run: Run, *, send: Send) -> Shard:
    """Take the draws from `start` up to `stop` through all steps: ordered ones here, others where `send` takes them.

    What is there already is read and not sent. Raises whatever ended a leg.
    """
    shard, steps = Shard(start, stop), recipe.steps
    while (at := len(shard.outputs)) < len(steps):
        if steps[at].order:
            await run_step(steps[at], shard, run)
        elif not await _take(shard, output_of(steps[at], shard, run)[0], run):
            run.fresh.set()
            leg = Leg(start, stop, named(shard.outputs), at, leg_end(steps, at))
            back = await send(leg)
            _note(back, shard, run)
            await _take_back(steps[at : leg.behind], back, shard, run)
    await write(shard, run)
    return shard


async def _take_back(steps: Sequence[Step], back: Back, shard: Shard, run: Run) -> None:
    """Take in what a worker made: outputs under the digests that the driver reckons itself, or none."""
    for step, name in zip(steps, back.outputs, strict=True):
        folder, _ = output_of(step, shard, run)
        if named([folder]) != [name]:
            other = "a worker has other versions of Thoughtmill, or of what verifies, or other seeds"
            raise Misconfigured(f"{step.name}: {other}; install the same on all machines")
        if not await _take(shard, folder, run):
            raise Misconfigured(f"{step.name}: what a worker wrote is not in {run.data}; do all machines share that?")


def leg_end(steps: Sequence[Step], first: int) -> int:
    """The number of the next step that the driver runs itself, or of the end."""
    return next((at for at in range(first, len(steps)) if steps[at].order), len(steps))


def _note(back: Back, shard: Shard, run: Run) -> None:
    """Count what was asked, remember that draws were begun, and let the run end for the reason why a leg did."""
    run.client.add(back.counts)
    if back.outputs:
        run.begun(shard.stop)
    if back.failure is not None:
        run.client.end_with(back.failure)
        raise back.failure


async def _take(shard: Shard, folder: Path, run: Run) -> bool:
    """Take an output into the shard; false where it is not there."""
    output = await output_in(folder, run)
    if output is not None:
        shard.take(output, folder, run.forgotten)
    return output is not None


# --- The worker's side --------------------------------------------------------------------------------


class Worker:
    """A process that runs legs of one run.

    The recipe is bound once; journal, models and checks are open for as long as the worker is, on an event loop in
    a thread of its own. Raises BadRecipe where the recipe cannot be bound on this machine.
    """

    def __init__(self, job: Job) -> None:
        if job.store:
            os.environ["THOUGHTMILL_STORE"] = job.store
        self._recipe = bound(job)
        self._counted: Counts = {}  # what the driver knows of
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._open = contextlib.AsyncExitStack()
        self._run: Run = self._await(self._open.enter_async_context(opened_part(self._recipe, job)))

    def run(self, leg: Leg) -> Back:
        """Run a leg; what ended it comes back with what it made until then."""
        return self._await(self._back(leg))

    def stop(self) -> None:
        """Send nothing new; what is under way is awaited and kept. From any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._run.client.stop)

    def close(self) -> None:
        """Finish the journal's segment, and end models and checks."""
        self._await(self._open.aclose())
        self._await(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _back(self, leg: Leg) -> Back:
        shard, failure = Shard(leg.start, leg.stop), None
        try:
            await run_leg(self._recipe.steps, leg, shard, self._run)
        except Exception as error:  # noqa: BLE001 - the boundary: the driver raises it
            client = self._run.client
            cause = client.failure or client.spent if isinstance(error, Stopping) else None
            failure = portable(cause or error)
        self._run.client.purse.rest()  # others may need it
        added = [] if shard.unwritten else shard.outputs[len(leg.outputs) :]
        return Back(named(added), self._newly_counted(), failure)

    def _newly_counted(self) -> Counts:
        """What was asked since the last leg came back, by role."""
        before, self._counted = self._counted, counted(self._run)
        return {role: since(before.get(role, {}), now) for role, now in self._counted.items()}

    def _await(self, job: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(job, self._loop).result()


async def run_leg(steps: Sequence[Step], leg: Leg, shard: Shard, run: Run) -> None:
    """Take in what a shard has, and run the steps of a leg on it. Raises whatever ends a run."""
    await run.client.catch_up()  # a worker that died over this leg may have left replies
    for name in leg.outputs:
        if not await _take(shard, placed(run.data, name), run):
            raise Misconfigured(f"a worker does not find in {run.data} what is there; do all machines share that?")
    for step in steps[leg.first : leg.behind]:
        await run_step(step, shard, run)
    await write(shard, run)


def portable(error: Exception) -> Exception:
    """An exception as it can cross to another process, with where it arose as a note."""
    error.add_note("on a worker:\n" + "".join(traceback.format_exception(error)))
    try:
        crossed = pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever its own way to be pickled trips over
        crossed = None
    if type(crossed) is type(error) and str(crossed) == str(error):
        return error
    stated = RuntimeError(f"{type(error).__name__}: {error}")
    stated.add_note(error.__notes__[-1])
    return stated


def bound(job: Job) -> Recipe:
    """The recipe of a job as it runs here, over the driver's batches of seeds, with its part of every limit."""
    recipe = bind(job.recipe, folder=Path(job.folder))
    if recipe.seeds:
        recipe.seeds.batches = job.batches
    models = {role: part(model, job.workers) for role, model in recipe.models.items()}
    return dataclasses.replace(recipe, models=models)


def opened_part(recipe: Recipe, job: Job) -> AbstractAsyncContextManager[Run]:
    """What the stages use. Hours are the driver's to count; tokens and money hold for all processes together."""
    data = Path(job.data)
    limits = {name: limit for name, limit in recipe.budget.items() if name in AMOUNTS}
    _check_folder(job, data / "runs" / recipe.name / MARK, limits)
    purse = Purse(recipe.models, limits, path=data / "runs" / recipe.name / "budget.json")
    return opened(recipe, data, purse=purse, checkers=job.processors)


def _check_folder(job: Job, mark: Path, limits: Mapping[str, float]) -> None:
    """Raises Misconfigured where this machine has another data folder than the driver, and that cannot work."""
    if mark.is_file() and mark.read_text() == job.run:
        return
    if not job.store:
        ways = "share it between all machines, at the same path, or set THOUGHTMILL_STORE"
        raise Misconfigured(f"{job.data} is another folder here than the driver's: {ways}")
    if limits:
        names = " and ".join(f"budget.{name}" for name in limits)
        ways = "share one folder, or limit the run by budget.hours"
        raise Misconfigured(f"{names} cannot be kept where machines have data folders of their own: {ways}")


def counted(run: Run) -> Counts:
    """What was asked so far, by role, without what is only true at the moment."""
    momentary = ("under_way", "limit")
    return {
        role: {name: count for name, count in told.items() if name not in momentary}
        for role, told in run.client.by_role().items()
    }


def since(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    return {name: count - before.get(name, 0) for name, count in now.items()}
