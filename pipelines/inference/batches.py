"""A provider's batch API, at half the price and within a day: `batch = true` for an `openai:` model.

Requests gather for a moment, go up as a file, and become a batch, which is looked at with growing pauses; each is
then answered from its line of the results. How it was asked changes no reply, so it is no part of a model's identity.
A batch has a durable record before it exists (`batch_records.py`): when this process dies the next one finds it,
running or ended, and waits for it or takes its results, rather than pay again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson

from pipelines.inference.batch_api import Api
from pipelines.inference.batch_records import Record, Results, locked, others
from pipelines.inference.engine import Again, Misconfigured, Outage
from pipelines.inference.model import Model, Request
from pipelines.inference.openai import OPENAI, OpenAI
from pipelines.inference.places import Stopping
from pipelines.remote import remote_of

log = logging.getLogger(__name__)

T = TypeVar("T")

GATHER, LONGEST_GATHER = 3.0, 60.0  # seconds without a new request, and in all, until a batch is made
MOST_REQUESTS, MOST_BYTES = 50_000, 100 << 20  # in one file: OpenAI takes 200 MB, others less
FIRST_LOOK, LONGEST_LOOK = 5.0, 120.0  # seconds between two looks at a batch
PATIENCE = 26 * 3600.0  # seconds: the window of a day, and time to clean up after it
UNANSWERED = 3  # batches in a row that may expire or be cancelled before a request is answered
ROOM_AFTER = 60.0  # seconds, before a batch that the provider had no room for is made again, smaller

ENDED = {"completed", "failed", "expired", "cancelled"}
NEVER_BEGUN = {"batch_expired", "batch_cancelled"}
NO_ROOM = re.compile(r"token_limit_exceeded|enqueued", re.IGNORECASE)


class Gathered(NamedTuple):
    line: bytes
    batch: asyncio.Future[Record]


class Batches:
    """The batches of one endpoint, for one role and event loop. `send` tries once, which may take a day."""

    def __init__(self, model: Model, home: Path) -> None:
        self._model = model
        self._url = (model.url or OPENAI).rstrip("/")
        self._plain = OpenAI(model)  # for what is sent, and what a reply means
        self._api = Api(model, self._url, self._plain._excerpt)
        self._folder = home / "journal" / "batches"
        self._remote = remote_of(home)
        self._records: dict[str, Record] = {}
        self._batch_of: dict[str, Record] = {}  # by request
        self._gathered: dict[str, Gathered] = {}
        self._gathering: asyncio.Task[None] | None = None
        self._full = asyncio.Event()
        self._bytes = 0  # of what has gathered
        self._most = MOST_REQUESTS
        self._without_room: float | None = None  # since when, on the monotonic clock
        self._ends: dict[str, asyncio.Task[Results | None]] = {}
        self._told: dict[str, str] = {}

    async def send(self, request: Request) -> dict[str, Any]:
        name = f"{request.key.hex()}-{request.sampling['max_tokens']}"
        left = UNANSWERED
        while left:
            record = await self._batch(name, request)
            results = await self._results(record)
            line = results and results.line(name)
            if results and line and (line.get("error") or {}).get("code") not in NEVER_BEGUN:
                return await self._take(name, record, results, request)
            self._forget(name, record)
            left -= results is not None
        raise Outage(f"{self._name()}: {UNANSWERED} batches ended without an answer to the same request")

    async def answers_others(self) -> bool:
        """Whether the endpoint answers what no row can have spoilt; asked plainly, since that is told at once."""
        return await self._plain.answers_others()

    def waits(self) -> str | None:
        """What is waited for, in one line."""
        return "; ".join(self._told.values()) or None

    def stop(self) -> None:
        """Wait no longer: what waits for a batch raises Outage, what was not in one yet Stopping. Nothing is lost."""
        for task in self._ends.values():
            task.cancel()
        self._refuse(Stopping())

    async def close(self) -> None:
        self.stop()
        tasks = [*self._ends.values(), *([self._gathering] if self._gathering else [])]
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for results in ended:
            if isinstance(results, Results):
                results.close()
        for record in self._records.values():
            record.close()
        self._records.clear()
        await self._api.close()
        await self._plain.close()

    # Gathering

    async def _batch(self, name: str, request: Request) -> Record:
        """The batch that a request is in: one of an earlier run, or the next that is made."""
        if name not in self._gathered:
            body = {"method": "POST", "url": "/v1/chat/completions", "body": self._plain.body(request)}
            line = orjson.dumps({"custom_id": name, **body}, option=orjson.OPT_APPEND_NEWLINE)
            self._gathered[name] = Gathered(line, asyncio.get_running_loop().create_future())
            self._bytes += len(line)
            if self._fills_a_file():
                self._full.set()
        if self._gathering is None:
            self._gathering = asyncio.create_task(self._gather())
        return await self._gathered[name].batch

    async def _gather(self) -> None:
        try:
            while self._gathered:
                await self._until_quiet()
                await self._begin()
        except Exception as error:  # noqa: BLE001 - it goes to those who wait
            self._refuse(error)
        finally:
            self._gathering = None

    async def _until_quiet(self) -> None:
        """Wait until a file is full, or no request came for a moment."""
        begun, count = time.monotonic(), 0
        while count != len(self._gathered) and not self._fills_a_file() and time.monotonic() < begun + LONGEST_GATHER:
            count = len(self._gathered)
            self._full.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), GATHER)

    def _fills_a_file(self) -> bool:
        return len(self._gathered) >= self._most or self._bytes >= MOST_BYTES

    def _refuse(self, error: Exception) -> None:
        """Tell those that are in no batch yet that they will be in none."""
        for each in self._gathered.values():
            if not each.batch.done():
                each.batch.set_exception(error)
        self._gathered.clear()
        self._bytes = 0

    async def _begin(self) -> None:
        """Make a batch of what has gathered, but for what is in one already."""
        record, lines = await to_its_end(self._booked, dict(self._gathered))
        if record:
            self._ends[record.name] = self._task(record, lines)
        for name in [name for name in self._gathered if name in self._batch_of]:
            line, batch = self._gathered.pop(name)
            self._bytes -= len(line)
            if not batch.done():
                batch.set_result(self._batch_of[name])

    def _booked(self, gathered: dict[str, Gathered]) -> tuple[Record | None, list[bytes]]:
        """The durable record of the next batch, and its lines. Waits for other processes, and for the store."""
        with locked(self._folder):
            self._read_others()
            new = self._fitting({n: each for n, each in gathered.items() if n not in self._batch_of})
            if not new:
                return None, []
            record = Record.begin(self._folder, url=self._url, requests=list(new), remote=self._remote)
            self._know(record)
        return record, [each.line for each in new.values()]

    def _fitting(self, gathered: dict[str, Gathered]) -> dict[str, Gathered]:
        """The first of them, as many as one file holds."""
        fitting, size = {}, 0
        for name, each in gathered.items():
            size += len(each.line)
            if fitting and (size > MOST_BYTES or len(fitting) >= self._most):
                break
            fitting[name] = each
        return fitting

    def _read_others(self) -> None:
        """Take in what earlier runs, and those beside this one, have asked for."""
        for record in others(self._folder, url=self._url, known=self._records, remote=self._remote):
            record.take()
            self._know(record)

    def _know(self, record: Record) -> None:
        self._records[record.name] = record
        for name in record.told["requests"]:
            if name not in self._batch_of or self._batch_of[name].told["begun"] <= record.told["begun"]:
                self._batch_of[name] = record

    def _forget(self, name: str, record: Record) -> None:
        """Let the next batch have this request."""
        if self._batch_of.get(name) is record:
            del self._batch_of[name]

    # Carrying

    async def _results(self, record: Record) -> Results | None:
        """What came of a batch, once it has ended; None where it never began."""
        if record.name not in self._ends:
            self._ends[record.name] = self._task(record, None)
        task = self._ends[record.name]
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
        raise Outage(
            f"{self._name()}: a batch of {len(record.told['requests'])} requests goes on at the provider; "
            "run the same command again to take its results"
        )

    def _task(self, record: Record, lines: Sequence[bytes] | None) -> asyncio.Task[Results | None]:
        task = asyncio.create_task(self._carry(record, lines))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # there may be nobody to see it
        return task

    async def _carry(self, record: Record, lines: Sequence[bytes] | None) -> Results | None:
        """Bring a batch to its end. `lines` are those of a new one."""
        try:
            made = await self._make(record, lines) if lines else await self._find(record)
            if not made or not await self._has_ended(record):
                await self._drop(record)
                return None
            results = await asyncio.to_thread(Results, record.results)
        finally:
            self._told.pop(record.name, None)
        self._plain.answered += results.answered  # beside answers a refusal is the row's own fault
        return results

    async def _make(self, record: Record, lines: Sequence[bytes]) -> bool:
        self._told[record.name] = f"uploading a batch of {len(lines)} requests"
        file = await self._api.upload(record.name, lines)
        if not await to_its_end(record.exists):
            return False  # another machine took this one for dead
        await to_its_end(record.note, {"file": file})
        made = await self._api.create(record.name, record.told["file"], begun=record.told["begun"])
        await to_its_end(record.note, {"batch": made["id"]})
        log.info("%s: batch %s of %d requests", self._name(), made["id"], len(lines))
        return True

    async def _find(self, record: Record) -> bool:
        """Whether a batch came of the record of another process. As long as that lives it is waited for."""
        while "batch" not in record.told:
            taken = record.take()
            await to_its_end(record.look)  # what was read of it may be hours old
            if taken and "batch" not in record.told:
                return await self._look_for(record)
            if "batch" not in record.told:
                if not await to_its_end(record.exists):
                    return False
                await asyncio.sleep(FIRST_LOOK)
        return True

    async def _look_for(self, record: Record) -> bool:
        """Whether a process that died before it could write so made the batch; one without a file did not."""
        if "file" not in record.told:
            return False
        made = await self._api.find(record.name, record.told["file"], begun=record.told["begun"])
        if made is not None:
            await to_its_end(record.note, {"batch": made["id"]})
        return made is not None

    async def _has_ended(self, record: Record) -> bool:
        """Wait for the end and fetch the results; False where the provider had no room for the batch."""
        if record.results.exists():
            return True
        batch = await self._until_ended(record)
        files = [batch[name] for name in ("output_file_id", "error_file_id") if batch.get(name)]
        if str(batch["status"]).lower() == "failed" and not files:
            return await self._explain(record, batch)
        self._without_room = None
        await self._api.fetch(files, record.results)
        if record.take():
            await to_its_end(record.note, {"ended": batch["status"]})
        return True

    async def _until_ended(self, record: Record) -> dict[str, Any]:
        pause = FIRST_LOOK
        while True:
            batch = await self._api.look(record.told["batch"])
            counts = batch.get("request_counts") or {}
            done = (counts.get("completed") or 0) + (counts.get("failed") or 0)
            self._told[record.name] = f"batch {batch['id']}: {done} of {len(record.told['requests'])} done"
            if str(batch.get("status")).lower() in ENDED:
                return batch
            if time.time() - record.told["begun"] > PATIENCE:
                raise Outage(
                    f"{self._name()}: batch {batch['id']} has not ended within {PATIENCE / 3600:g} hours; remove "
                    f"{record.path} to ask anew"
                )
            await asyncio.sleep(pause)
            pause = min(LONGEST_LOOK, 1.5 * pause)

    async def _explain(self, record: Record, batch: dict[str, Any]) -> bool:
        """A batch that was refused as a whole: for want of room, which comes again, or for what is in it."""
        errors = (batch.get("errors") or {}).get("data") or [{}]
        told = " ".join(f"{errors[0].get('code')}: {errors[0].get('message')}".split())[:300]
        if NO_ROOM.search(told):
            self._most = max(1, len(record.told["requests"]) // 2)
            self._told[record.name] = f"waiting for room at the provider ({told})"
            await self._wait_for_room(told)
            return False
        await self._drop(record)
        raise Misconfigured(f"{self._name()}: the provider refuses batch {batch['id']}, {told}")

    async def _wait_for_room(self, told: str) -> None:
        now = time.monotonic()
        self._without_room = self._without_room or now
        if now - self._without_room > PATIENCE:
            raise Outage(f"{self._name()}: no room at the provider for {PATIENCE / 3600:g} hours ({told})")
        await asyncio.sleep(ROOM_AFTER)

    async def _drop(self, record: Record) -> None:
        """Forget a batch of which nothing came."""
        for name in record.told["requests"]:
            self._forget(name, record)
        if record.take():
            await to_its_end(record.remove)

    async def _take(self, name: str, record: Record, results: Results, request: Request) -> dict[str, Any]:
        """A reply from its line, by the same rules as one that came at once."""
        try:
            return self._read(results.line(name) or {}, request)
        except Again:
            self._forget(name, record)
            raise
        except Misconfigured:
            if not results.answered:  # once that is mended it is to be asked anew
                await self._drop(record)
            raise

    def _read(self, line: dict[str, Any], request: Request) -> dict[str, Any]:
        response = line.get("response")
        if not response:
            error = line.get("error") or {}
            raise Again(f"{error.get('code') or 'no response'}: {error.get('message')}", by_row=True)
        status, body = response.get("status_code"), orjson.dumps(response.get("body"))
        if status != 200:
            self._plain.explain(status if isinstance(status, int) else 500, body, {})
        return self._plain.take(body, request.n)

    def _name(self) -> str:
        return f"{self._model.role} ({self._model.name} at {self._url})"


async def to_its_end(job: Callable[..., T], *given: Any) -> T:
    """Do a job in a thread, to its end though we are cancelled meanwhile: nobody may close what it writes to."""
    running = asyncio.ensure_future(asyncio.to_thread(job, *given))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
