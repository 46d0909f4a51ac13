"""A model in this process, through Hugging Face transformers: `transformers:MODEL`, for laptops and for scores.

MODEL is a folder or a name on the Hub. Requests that wait are gathered into batches; one thread computes, so that the
event loop goes on. A server such as vLLM is many times as fast where there is a GPU for it.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pipelines.inference.engine import Misconfigured
from pipelines.inference.model import Model, Request
from pipelines.inference.places import Stopping
from pipelines.inference.scoring import Kind

if TYPE_CHECKING:
    from pipelines.inference.loaded import Loaded

SETTINGS = {
    "dtype": "auto",  # of the weights: "auto" (as they are stored), "float32", "bfloat16" or "float16"
    "plain": False,  # show messages as plain text, for models without a chat template
}
SERVING = {
    "device": "auto",  # "cuda", "mps" or "cpu"; "auto": the first of them that is there
    "rows": 16,  # at most, in one batch
}
CHOICES = {"dtype": ("auto", "float32", "bfloat16", "float16"), "device": ("auto", "cuda", "mps", "cpu")}

GATHER_SECONDS = 0.01  # for which requests are gathered into the first batch; the next gathers while it computes
OUT_OF_MEMORY = re.compile(r"out of memory|not enough memory|allocate memory", re.IGNORECASE)


def check_settings(table: Mapping[str, Any]) -> None:
    """Raises ValueError for settings, or ways of serving, that there are not."""
    for name, choices in CHOICES.items():
        if (given := table.get(name, choices[0])) not in choices:
            raise ValueError(f"{name} = {given!r}; there are: {', '.join(choices)}")
    if table.get("rows", 1) < 1:
        raise ValueError(f"rows = {table['rows']} should be at least 1")


@dataclass
class Job:
    """A request that waits for its reply."""

    request: Request
    done: asyncio.Future[dict[str, Any]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def order(self) -> tuple[int, int]:
        return self.request.draw, self.request.sample


class Transformers:
    """The model of one role, for one event loop. It is loaded with the first request that needs it."""

    def __init__(self, model: Model) -> None:
        """Raises Misconfigured where packages are missing, or settings are none."""
        if missing := [name for name in ("torch", "transformers") if find_spec(name) is None]:
            how = "pip install torch, then 'thoughtmill[transformers]'"
            raise Misconfigured(f"{model.role}: {model.name} needs {' and '.join(missing)}: {how}")
        table = {**SETTINGS, **SERVING, **model.settings, **model.serving}
        try:
            check_settings(table)
        except ValueError as error:
            raise Misconfigured(f"[models.{model.role}] {error}") from error
        self._model = model
        self._table = table
        self._loaded: dict[bool, Loaded] = {}  # whether it rewards → the model
        self._waiting: list[Job] = []
        self._batches: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=model.role)
        self._closing = threading.Event()

    async def send(self, request: Request) -> dict[str, Any]:
        return await self._done(request)

    async def score(self, request: Request) -> dict[str, Any]:
        return await self._done(request)

    async def answers_others(self) -> bool:
        """It always answers, or ends the run."""
        return True

    async def close(self) -> None:
        """Break off what is under way, and let go of the model."""
        self._closing.set()
        if self._batches is not None:
            await asyncio.wait([self._batches])
        await asyncio.to_thread(self._thread.shutdown)
        self._loaded.clear()

    async def _done(self, request: Request) -> dict[str, Any]:
        job = Job(request)
        self._waiting.append(job)
        if self._batches is None:
            self._batches = asyncio.create_task(self._compute_waiting())
        return await job.done

    async def _compute_waiting(self) -> None:
        """Compute until nothing waits: batch by batch, the earliest draws first."""
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(GATHER_SECONDS)
            while batch := self._next_batch():
                computed = loop.run_in_executor(self._thread, self._compute, [job.request for job in batch])
                await asyncio.wait([computed])
                _tell(batch, computed)
        finally:
            self._batches = None

    def _next_batch(self) -> list[Job]:
        """Requests of one kind that wait, for up to `rows` answers in all, and one at least."""
        if self._closing.is_set():
            for job in self._waiting:
                job.done.set_exception(Stopping())
        self._waiting = sorted((job for job in self._waiting if not job.done.done()), key=lambda job: job.order)
        batch = list[Job]()
        for job in self._waiting:
            rows = sum(other.request.n for other in batch) + job.request.n
            if not batch or (rows <= self._table["rows"] and job.request.score == batch[0].request.score):
                batch.append(job)
        self._waiting = [job for job in self._waiting if job not in batch]
        return batch

    # --- In the thread ------------------------------------------------------------------------------------------

    def _compute(self, requests: Sequence[Request]) -> list[Any]:
        """A reply for each request, or why it gets none. Raises Misconfigured for what none can get past."""
        from pipelines.inference import forward

        kind = requests[0].score
        compute = {None: forward.answers, "likelihood": forward.likelihoods, "reward": forward.rewards}[kind]
        loaded = self._model_for(kind)
        try:
            return compute(loaded, requests, self._closing.is_set)
        except RuntimeError as error:  # torch's own, for what a machine cannot do
            if not OUT_OF_MEMORY.search(str(error)):
                raise Misconfigured(f"{loaded.who}: torch cannot compute this: {_line(error)}") from error
            if len(requests) == 1:
                way_out = "lower max_tokens, or take a smaller dtype or model"
                raise Misconfigured(f"{loaded.who} does not fit into memory: {way_out} ({_line(error)})") from error
        half = len(requests) // 2
        return [*self._compute(requests[:half]), *self._compute(requests[half:])]

    def _model_for(self, kind: Kind | None) -> Loaded:
        from pipelines.inference.loaded import load

        rewards = kind == "reward"
        if rewards not in self._loaded:
            ways = {name: self._table[name] for name in ("dtype", "device", "plain")}
            self._loaded[rewards] = load(self._model, rewards=rewards, **ways)
        return self._loaded[rewards]


def _tell(batch: Sequence[Job], computed: asyncio.Future[list[Any]]) -> None:
    """Give each job its reply, or the error that it, or all, came to."""
    error = computed.exception()
    results = [error] * len(batch) if error else computed.result()
    for job, result in zip(batch, results, strict=True):
        if job.done.done():
            continue
        if isinstance(result, BaseException):
            job.done.set_exception(result)
        else:
            job.done.set_result(result)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
