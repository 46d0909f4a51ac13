"""A provider's batch API for tests: `/v1/files` and `/v1/batches` beside what tests/server.py speaks.

Time is counted in looks: a batch moves on when it is looked at, so that no test has to wait. Every call can be
troubled, before or after it has had its effect, and every request of a batch can fare in its own way. `paid` counts
the answers that a provider would put on the bill.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from tests.server import Behaviour, Body, Server, completion, failure, hang_up, objection, refused, reply, served

STEPS = ("upload", "create", "look", "list", "fetch")
BEFORE = ("500", "503", "429", "400", "401", "404", "close")  # nothing is done
AFTER = ("unanswered", "hang", "damaged", "within")  # it is done, but that cannot be heard
FATES = ("completed", "expired", "cancelled", "failed", "never")


@dataclass(frozen=True, kw_only=True)
class Provider:
    """How batches fare. The defaults are a provider that ends a batch at the second look.

    calls      what befalls the first, second, … call of a step: of `BEFORE`, `AFTER` or "ok"
    fates      how the first, second, … batch ends: of `FATES`
    answered   how many requests of one that expires or is cancelled are answered before that
    line       how a request fares, by its body and how often it was in a batch before: "ok", a status, "error" for a
               line without a response, or "missing" for no line
    looks      how often a batch is looked at until it has ended
    room       how many requests may be in batches that have not ended
    page       batches in a page of the list
    unlisted   how many lists do not show the newest batch yet
    metadata   whether the provider keeps what it is told beside a batch
    """

    calls: Mapping[str, Sequence[str]] = field(default_factory=dict)
    fates: Sequence[str] = ()
    answered: int = 1
    line: Callable[[Body, int], str] = lambda body, times: "ok"
    looks: int = 2
    room: int | None = None
    page: int = 2
    unlisted: int = 0
    metadata: bool = True


class BatchServer(Server):
    """Answers calls of the batch API, and keeps the books."""

    def __init__(self, provider: Provider, behaviour: Behaviour) -> None:
        super().__init__(behaviour)
        self.provider = provider
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, Body] = {}
        self.paid: Counter[str] = Counter()  # by custom_id
        self.counts: Counter[str] = Counter()  # calls by step
        self._times: Counter[str] = Counter()  # in how many batches a request was
        self._looked: Counter[str] = Counter()
        self._called = asyncio.Condition()

    async def did(self, step: str, number: int = 1) -> None:
        """Wait until a step has been called, and has had its effect, as often as that."""
        async with self._called:
            await self._called.wait_for(lambda: self.counts[step] >= number)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        step = step_of(request.method, request.path)
        if step is None:
            return await super().handle(request)
        troubles = self.provider.calls.get(step, ())
        trouble = troubles[self.counts[step]] if self.counts[step] < len(troubles) else "ok"
        answer = None if trouble in BEFORE else await self._do(step, request)
        async with self._called:
            self.counts[step] += 1
            self._called.notify_all()
        return await troubled(trouble, request, answer)

    async def _do(self, step: str, request: web.BaseRequest) -> web.Response:
        key = self.behaviour.api_key
        if key is not None and request.headers.get("Authorization") != f"Bearer {key}":
            return refused(401, f"Incorrect API key provided: {request.headers.get('Authorization')}")
        last = request.path.removesuffix("/content").rpartition("/")[2]
        match step:
            case "upload":
                return reply(await self._upload(request))
            case "create":
                return reply(self._create(orjson.loads(await request.read())))
            case "look":
                return reply(self._look(last)) if last in self.batches else refused(404, f"no batch {last}")
            case "list":
                return reply(self._list(request.query.get("after")))
        return web.Response(body=self.files[last]) if last in self.files else refused(404, f"no file {last}")

    async def _upload(self, request: web.BaseRequest) -> Body:
        form = await request.post()
        sent = form["file"]
        assert form["purpose"] == "batch"
        assert isinstance(sent, web.FileField)
        with sent.file:
            return self._file(sent.file.read())

    def _file(self, content: bytes) -> Body:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return {"id": name, "object": "file", "bytes": len(content)}

    def _create(self, asked: Body) -> Body:
        number = len(self.batches)
        fate = self.provider.fates[number] if number < len(self.provider.fates) else "completed"
        batch = {
            "id": f"batch_{number}",
            "object": "batch",
            "status": "validating",
            "created_at": int(time.time()),
            "fate": fate,
            **{name: asked[name] for name in ("endpoint", "input_file_id", "completion_window")},
            "metadata": asked["metadata"] if self.provider.metadata else None,
        }
        requests = [orjson.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        self.batches[batch["id"]] = batch
        batch["request_counts"] = {"total": len(requests), "completed": 0, "failed": 0}
        if problem := self._problem(requests, fate):
            batch |= {"fate": "failed", "errors": {"object": "list", "data": [problem]}}
        elif fate != "never":
            self._compute(batch, requests if fate == "completed" else requests[: self.provider.answered], requests)
        return told(batch)

    def _problem(self, requests: list[Body], fate: str) -> Body | None:
        names = [each["custom_id"] for each in requests]
        assert len(set(names)) == len(names)
        under_way = sum(each["request_counts"]["total"] for each in self.batches.values() if not has_ended(each))
        if self.provider.room is not None and under_way > self.provider.room:
            return {"code": "token_limit_exceeded", "message": "Enqueued token limit reached for this model."}
        if fate == "failed":
            return {"code": "model_not_found", "message": "The provided model does not exist.", "line": 1}
        complaints = (objection(each["body"]) for each in requests)
        return next(({"code": "invalid_request", "message": each} for each in complaints if each), None)

    def _compute(self, batch: Body, answered: list[Body], requests: list[Body]) -> None:
        """Write the files of what came: outputs, and errors of what failed or was never begun."""
        lines = [self._line(each) for each in answered]
        failed = [never_begun(each, batch["fate"]) for each in requests[len(answered) :]]
        out = [line for line in lines if line and is_answered(line)]
        errors = failed + [line for line in lines if line and not is_answered(line)]
        self.paid.update(line["custom_id"] for line in out)
        for name, lines in (("output_file_id", out), ("error_file_id", errors)):
            content = b"".join(orjson.dumps(line) + b"\n" for line in reversed(lines))  # in no special order
            batch[name] = self._file(content)["id"] if content else None

    def _line(self, asked: Body) -> Body | None:
        body, name = asked["body"], asked["custom_id"]
        times = self._times[name]
        self._times[name] += 1
        fares = self.provider.line(body, times)
        if fares == "missing":
            return None
        if fares == "error":
            error = {"code": "server_error", "message": "It went wrong."}
            return {"id": "x", "custom_id": name, "response": None, "error": error}
        status = 200 if fares == "ok" else int(fares)
        self.calls += 1
        made = completion(body, self.behaviour, call=self.calls) if status == 200 else failure("No.", kind="error")
        return {"id": "x", "custom_id": name, "response": {"status_code": status, "body": made}, "error": None}

    def _look(self, name: str) -> Body:
        batch = self.batches[name]
        self._looked[name] += 1
        if batch["fate"] == "never" or self._looked[name] < self.provider.looks:
            batch["status"] = "in_progress"
        else:
            batch["status"] = batch["fate"]
        return told(batch)

    def _list(self, after: str | None) -> Body:
        newest = list(reversed(self.batches))[self.counts["list"] < self.provider.unlisted :]
        start = newest.index(after) + 1 if after else 0
        names = newest[start : start + self.provider.page]
        more = start + self.provider.page < len(newest)
        return {"object": "list", "data": [told(self.batches[name]) for name in names], "has_more": more}


def step_of(method: str, path: str) -> str | None:
    match method, path.split("/")[2:]:
        case "POST", ["files"]:
            return "upload"
        case "POST", ["batches"]:
            return "create"
        case "GET", ["batches"]:
            return "list"
        case "GET", ["batches", _]:
            return "look"
        case "GET", ["files", _, "content"]:
            return "fetch"
    return None


async def troubled(trouble: str, request: web.BaseRequest, answer: web.Response | None) -> web.StreamResponse:
    """What is heard of a call."""
    if trouble in ("close", "unanswered"):
        hang_up(request)
        return web.Response()
    if trouble == "hang":
        await asyncio.get_running_loop().create_future()
    if answer is None:
        headers = {"Retry-After": "0"} if trouble == "429" else None
        return reply(failure(f"It answers {trouble}.", kind="error"), status=int(trouble), headers=headers)
    assert isinstance(answer.body, bytes)
    if trouble == "damaged":
        return web.Response(body=answer.body[:-20])
    if trouble == "within":
        return await broken_off(request, answer.body)
    return answer


async def broken_off(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    hang_up(request)
    return response


def is_answered(line: Body) -> bool:
    return line["response"] is not None and line["response"]["status_code"] == 200


def has_ended(batch: Body) -> bool:
    return batch["status"] in FATES


def never_begun(asked: Body, fate: str) -> Body:
    error = {"code": f"batch_{fate}", "message": "This request could not be executed in time."}
    return {"id": "x", "custom_id": asked["custom_id"], "response": None, "error": error}


def told(batch: Body) -> dict[str, Any]:
    """A batch as its provider tells of it: files and errors are there when it has ended."""
    at_the_end = ("output_file_id", "error_file_id", "errors")
    return {
        name: value
        for name, value in batch.items()
        if name != "fate" and (has_ended(batch) or name not in at_the_end)
    }


@asynccontextmanager
async def batching(
    provider: Provider | None = None, behaviour: Behaviour | None = None
) -> AsyncIterator[BatchServer]:
    """Such a provider in this event loop; it ends with the block."""
    async with served(BatchServer(provider or Provider(), behaviour or Behaviour())) as server:
        yield server
