"""Shards on a Ray cluster: `thoughtmill run RECIPE --runner ray`.

A leg of a shard (see `flows.spread`) is one Ray task. Ray places it, and places it again when its worker dies;
nothing here knows which machines there are. All of them see one data folder, and have Thoughtmill installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
from collections.abc import Iterator
from typing import Any

from flows.exits import BadSetup
from flows.spread import Back, Job, Leg, Runner, Worker, job_of, portable, run_spread
from pipelines.bind import Recipe
from pipelines.inference.client import Stopping
from pipelines.inference.engine import Outage
from pipelines.stage import Run, Shard

RETRIES = 5  # of a leg whose worker died; then it may be the leg that kills them
QUIET: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
LOCAL_STORE = 100 << 20  # bytes for what Ray passes around: names of outputs, no more


@contextlib.contextmanager
def on_ray(*, workers: int | None = None, address: str | None = None, cpus: float = 1) -> Iterator[Runner]:
    """Use the cluster at `address` (or RAY_ADDRESS; or else one on this machine, which ends with the run).

    `workers` is how many legs run at once, each holding `cpus` processors; as many as the cluster has room for, if
    nobody says. Less than one processor each suits workers that mostly wait for answers.
    """
    with _connected(address or os.environ.get("RAY_ADDRESS"), workers, cpus) as ray:
        legs = workers or max(1, int(ray.cluster_resources().get("CPU", 1) / cpus))
        yield Runner(_Legs(legs, cpus).run_shard, 2 * legs + 2)


@contextlib.contextmanager
def _connected(address: str | None, workers: int | None, cpus: float) -> Iterator[Any]:
    """Ray, connected, unless this process is already. Raises BadSetup without Ray, Outage where nobody answers."""
    ray = _ray()
    if ray.is_initialized():
        yield ray
        return
    if address:
        _join(ray, address)
    else:
        start_here(ray, max(1, round(workers * cpus)) if workers else None)
    try:
        yield ray
    finally:
        ray.shutdown()


def _join(ray: Any, address: str) -> None:
    try:
        ray.init(address=address, **QUIET)
    except ConnectionError as error:
        raise Outage(f"no Ray cluster answers at {address}: {error}") from error


def start_here(ray: Any, processors: int | None, **where: Any) -> None:
    """A cluster on this machine, which ends with this process. Raises Outage.

    Where the machine is busy Ray may miss the 15 seconds that it gives its own agent (ray-project/ray#62883).
    """
    for last in (False, False, True):
        try:
            ray.init(
                "local",
                num_cpus=processors,
                object_store_memory=LOCAL_STORE,
                include_dashboard=False,
                **QUIET,
                **where,
            )
            return
        except Exception as error:
            if last or "during startup" not in str(error):
                raise Outage(f"Ray did not start on this machine: {error}") from error


def _ray() -> Any:
    """The package. It sends statistics home unless it is told not to."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        importlib.import_module("ray.exceptions")
    except ModuleNotFoundError as error:
        raise BadSetup(f"no module {error.name!r}: install thoughtmill[ray], or run without --runner ray") from error
    return importlib.import_module("ray")


class _Legs:
    """Legs on the cluster that this process is connected to, of one run at a time."""

    def __init__(self, most: int, cpus: float) -> None:
        self._most, self._processors = most, max(1, int(cpus))
        self._task = _ray().remote(num_cpus=cpus, max_retries=RETRIES)(run_here)
        self._run: Run | None = None

    async def run_shard(self, recipe: Recipe, start: int, stop: int, run: Run) -> Shard:
        """Run a shard, most of it elsewhere. Raises what ended it there, or Outage when its workers keep dying."""
        if run is not self._run:
            self._begin(recipe, run)

        async def send(leg: Leg) -> Back:
            async with self._places:
                if run.client.stopped.is_set():
                    raise Stopping
                return await self._sent(leg)

        return await run_spread(recipe, start, stop, run, send=send)

    def _begin(self, recipe: Recipe, run: Run) -> None:
        """Before the first shard: more legs than requests may be under way would ask more than that."""
        legs = min([self._most, *(model.in_flight for model in recipe.models.values())])
        self._run, self._places = run, asyncio.Semaphore(legs)
        self._job = _ray().put(job_of(recipe, run.data, legs=legs, processors=self._processors))
        self._flag = _ray().remote(num_cpus=0, max_concurrency=100_000)(Flag).remote()
        self._watch = asyncio.create_task(self._pass_on_stop(run, self._flag))

    async def _sent(self, leg: Leg) -> Back:
        errors = _ray().exceptions
        try:
            return await self._task.remote(self._job, leg, self._flag)
        except errors.RayTaskError:  # an error of ours, with the worker's traceback
            raise
        except errors.RayError as error:
            what = f"draws {leg.start} to {leg.stop - 1}: the worker died {RETRIES + 1} times"
            raise Outage(f"{what} ({type(error).__name__}); Ray's logs say why") from error

    async def _pass_on_stop(self, run: Run, flag: Any) -> None:
        """Once this run is to send nothing more, tell the workers."""
        await run.client.stopped.wait()
        await flag.up.remote()


# --- In a worker --------------------------------------------------------------------------------------


class Flag:
    """Tells all workers at once that nothing more is to be sent: an actor."""

    def __init__(self) -> None:
        self._raised = asyncio.Event()

    async def up(self) -> None:
        self._raised.set()

    async def wait(self) -> None:
        await self._raised.wait()


_mine: dict[str, tuple[Job, Worker]] = {}  # of this process: one, which outlives its legs


def run_here(job: Job, leg: Leg, flag: Any) -> Back:
    """Run a leg in this process, with what earlier legs of the run have opened."""
    try:
        back = _worker(job, flag).run(leg)
    except Exception as error:  # noqa: BLE001 - the boundary: the driver raises it
        back = Back([], {}, portable(error))
    if back.failure is not None:  # it would send nothing any more
        _forget()
    return back


def _worker(job: Job, flag: Any) -> Worker:
    """The worker for this run; that of another run in the same process is closed."""
    if "worker" in _mine and _mine["worker"][0] == job:
        return _mine["worker"][1]
    _forget()
    worker = Worker(job)
    flag.wait.remote().future().add_done_callback(lambda raised: raised.exception() or worker.stop())
    _mine["worker"] = job, worker
    return worker


def _forget() -> None:
    if "worker" in _mine:
        _mine.pop("worker")[1].close()
