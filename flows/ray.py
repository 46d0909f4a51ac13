"""Shards on a Ray cluster: `thoughtmill run RECIPE --runner ray`, or `[run] runner = "ray"` in the recipe.

A leg of a shard (see `flows.spread`) goes to whichever worker is free, and to another one when that dies. Workers are
actors: what one has opened stays its own from leg to leg, and so do the GPUs of engines that it starts. Ray places
them; nothing here knows which machines there are. All of them have Thoughtmill installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flows.exits import BadSetup
from flows.shares import at_once
from flows.spread import Back, Job, Leg, Runner, Worker, job_of, portable, run_spread
from pipelines.bind import Recipe
from pipelines.inference.client import Stopping
from pipelines.inference.engine import Outage
from pipelines.stage import Run, Shard

RETRIES = 5  # of a leg whose worker died; then it may be the leg that kills them
CLOSING = 40.0  # seconds for workers to end what they have started, engines among it
QUIET: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
LOCAL_STORE = 100 << 20  # bytes for what Ray passes around: names of outputs, no more


class Terms(NamedTuple):
    """How many workers there are, and what each has."""

    workers: int
    cpus: float
    gpus: int
    legs: int  # at once


@contextlib.contextmanager
def on_ray(
    *, workers: int | None = None, address: str | None = None, cpus: float = 1, gpus: int = 0, legs: int = 1
) -> Iterator[Runner]:
    """Use the cluster at `address` (or RAY_ADDRESS; or else one on this machine, which ends with the run).

    There are as many workers as the cluster has room for, if nobody says. Each holds `cpus` processors, less than one
    where it mostly waits for answers, and `gpus` GPUs, where the cluster has any; it runs so many `legs` at once.
    Raises BadSetup, or Outage where no cluster answers.
    """
    with _connected(address or os.environ.get("RAY_ADDRESS"), workers, cpus) as ray:
        gpus = _gpus_of_each(ray, gpus)
        terms = Terms(workers or _room(ray, cpus, gpus), cpus, gpus, legs)
        crews = _Crews(terms)
        try:
            yield Runner(crews.run_shard, 2 * terms.workers * legs + 2)
        finally:
            crews.close()


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
        raise BadSetup(f"no module {error.name!r}: install thoughtmill[ray], or run with --runner here") from error
    return importlib.import_module("ray")


def _machines(ray: Any) -> list[Mapping[str, float]]:
    """What each machine of the cluster has: CPU, GPU."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _gpus_of_each(ray: Any, wanted: int) -> int:
    """The GPUs that a worker gets: none where the cluster has none, and engines use processors. Raises BadSetup."""
    most = max((int(has.get("GPU", 0)) for has in _machines(ray)), default=0)
    if 0 < most < wanted:
        raise BadSetup(f"the engines of a worker take {wanted} GPUs; no machine of the cluster has more than {most}")
    return wanted if most else 0


def _room(ray: Any, cpus: float, gpus: int) -> int:
    """How many workers the machines of the cluster have room for."""
    shares = {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}
    return max(1, sum(min(int(has.get(name, 0) / share) for name, share in shares.items()) for has in _machines(ray)))


class _Place(NamedTuple):
    """Room for one leg at a worker. Those that sort first are taken first: one at each worker, then a second one."""

    number: int
    order: int  # of the worker
    hand: Any = None  # None: there is no more to be run


class _Crews:
    """The workers of a run, and of the next one where one process makes several."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._crew: _Crew | None = None

    async def run_shard(self, recipe: Recipe, start: int, stop: int, run: Run) -> Shard:
        """Run a shard, most of it elsewhere. Raises what ended it there, or Outage when its workers keep dying."""
        if self._crew is None or self._crew.run is not run:
            self.close()
            self._crew = _Crew(recipe, run, self._terms)
        return await run_spread(recipe, start, stop, run, send=self._crew.send)

    def close(self) -> None:
        if self._crew is not None:
            self._crew.dismiss()


class _Crew:
    """The workers of one run, on the cluster that this process is connected to."""

    def __init__(self, recipe: Recipe, run: Run, terms: Terms) -> None:
        ray = _ray()
        workers = at_once(recipe, terms.workers)
        job = job_of(recipe, run.data, workers=workers, processors=max(1, int(terms.cpus)))
        self.run = run
        self._terms = terms
        # One call more than it runs legs, so that it hears of the end meanwhile.
        self._hand = ray.remote(num_cpus=terms.cpus, num_gpus=terms.gpus, max_concurrency=terms.legs + 1)(Hand)
        self._job = ray.put(job)
        self._hands: dict[int, Any] = {}  # by their order
        self._orders = itertools.count()
        self._free: asyncio.PriorityQueue[_Place] = asyncio.PriorityQueue()
        self._tasks = {asyncio.create_task(self._pass_on_stop())}
        for _ in range(workers):
            self._hire()

    async def send(self, leg: Leg) -> Back:
        """Have a leg run by who is free, and by another where that one dies. Raises Stopping, or Outage."""
        errors = _ray().exceptions
        died: Exception | None = None
        for _ in range(RETRIES + 1):
            place = await self._take()
            try:
                back = await place.hand.run.remote(leg)
            except errors.RayTaskError:  # an error of ours, with the worker's traceback
                raise
            except errors.RayError as error:
                died = error
                self._replace(place.order)
            else:
                self._free.put_nowait(place)
                return back
        what = f"draws {leg.start} to {leg.stop - 1}: the worker died {RETRIES + 1} times"
        raise Outage(f"{what} ({type(died).__name__}); Ray's logs say why") from died

    def dismiss(self) -> None:
        """End all workers; those that do nothing end what they have started before."""
        ray, free = _ray(), Counter[int]()
        while not self._free.empty():
            free[self._free.get_nowait().order] += 1
        idle = [hand for order, hand in self._hands.items() if free[order] == self._terms.legs]
        if idle:
            ray.wait([hand.close.remote() for hand in idle], num_returns=len(idle), timeout=CLOSING)
        for hand in self._hands.values():
            ray.kill(hand)

    async def _take(self) -> _Place:
        """Wait for a place at a worker that lives. Raises Stopping where nothing more is to be sent."""
        while True:
            place = await self._free.get()
            if self.run.client.stopped.is_set():
                self._free.put_nowait(place)  # so that the next one who waits sees it, too
                raise Stopping
            if place.order in self._hands:
                return place

    def _hire(self) -> None:
        task = asyncio.create_task(self._hired())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hired(self) -> None:
        """Wait until the cluster has room for another worker. One that cannot start is found out by its first leg."""
        order, hand = next(self._orders), self._hand.remote(self._job)
        self._hands[order] = hand
        await asyncio.gather(hand.ready.remote(), return_exceptions=True)
        self.run.client.purse.hold_gpus(self._terms.gpus)
        for number in range(self._terms.legs):
            self._free.put_nowait(_Place(number, order, hand))

    def _replace(self, order: int) -> None:
        """A worker has died. Where it did so over several legs, it is replaced once."""
        if self._hands.pop(order, None) is not None:
            self.run.client.purse.hold_gpus(-self._terms.gpus)
            self._hire()

    async def _pass_on_stop(self) -> None:
        """Once this run is to send nothing more, tell the workers, and who waits for one."""
        await self.run.client.stopped.wait()
        self._free.put_nowait(_Place(-1, -1))
        for hand in self._hands.values():
            hand.stop.remote()


# --- In a worker --------------------------------------------------------------------------------------


class Hand:
    """A worker of one run: an actor, which opens what it needs with its first leg."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._worker: Worker | None = None
        self._is_over = False
        self._opening = threading.Lock()  # several legs may be the first

    def ready(self) -> None:
        """Answers once this process is there."""

    def run(self, leg: Leg) -> Back:
        """Run a leg in this process."""
        try:
            return self._opened().run(leg)
        except Exception as error:  # noqa: BLE001 - the boundary: the driver raises it
            return Back([], {}, portable(error))

    def stop(self) -> None:
        """Send nothing new; what is under way is awaited and kept."""
        with self._opening:
            self._is_over = True
            if self._worker is not None:
                self._worker.stop()

    def close(self) -> None:
        """End what was started here."""
        if self._worker is not None:
            self._worker.close()

    def _opened(self) -> Worker:
        with self._opening:
            if self._is_over:
                raise Stopping
            self._worker = self._worker or Worker(self._job)
        return self._worker
