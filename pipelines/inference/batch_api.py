"""The calls of a provider's batch API: files are uploaded, batches made, looked at and listed, results fetched.

A call is repeated, with growing pauses, until it is answered. One that makes a batch is not repeated blindly: whether
an unanswered one made it, only the list of batches tells.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import aiohttp
import orjson

from pipelines.inference import openai
from pipelines.inference.engine import Again, Misconfigured, Outage
from pipelines.inference.model import Model
from pipelines.store import disk_full

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds between tries of one call
PATIENCE_AT_START = 4.0  # seconds: a provider that was never reached is more likely mistyped than down
LISTED_WITHIN = 5.0  # seconds after which a batch that was made is in the list
CLOCKS_DIFFER = 86_400.0  # seconds at most, between the provider's clock and ours
WINDOW = "24h"  # the only one there is
DAMAGED_DOWNLOADS = 3  # of one file; then what can be read of it counts


class Api:
    """Files and batches at one endpoint. Raises Misconfigured, or Outage after the model's `outage_limit`."""

    def __init__(self, model: Model, url: str, excerpt: Callable[[bytes], str]) -> None:
        self._model = model
        self._url = url
        self._headers = openai.authorization(model, url)
        self._excerpt = excerpt
        self._session: aiohttp.ClientSession | None = None
        self._was_reached = False

    async def upload(self, name: str, lines: Sequence[bytes]) -> str:
        """Upload requests as a file; returns its id."""

        async def attempt() -> str:
            form = aiohttp.FormData()
            form.add_field("purpose", "batch")
            form.add_field("file", b"".join(lines), filename=f"{name}.jsonl", content_type="application/jsonl")
            return (await self._json("POST", "/files", data=form))["id"]

        return await self._until_answered(attempt)

    async def create(self, name: str, file: str, *, begun: float) -> dict[str, Any]:
        """Make a batch of an uploaded file, exactly once."""
        tried = False

        async def attempt() -> dict[str, Any]:
            nonlocal tried
            if tried and (made := await self._find_twice(name, file, begun)):
                return made
            tried = True
            asked = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": WINDOW}
            return await self._json(
                "POST", "/batches", data=orjson.dumps({**asked, "metadata": {"thoughtmill": name}})
            )

        return await self._until_answered(attempt)

    async def find(self, name: str, file: str, *, begun: float) -> dict[str, Any] | None:
        """The batch of that name or file, if there is one."""
        return await self._until_answered(lambda: self._find_twice(name, file, begun))

    async def look(self, batch: str) -> dict[str, Any]:
        return await self._until_answered(lambda: self._json("GET", f"/batches/{batch}"))

    async def fetch(self, files: Sequence[str], into: Path) -> None:
        """Put the lines of some files, one file after another, into one of ours."""
        aside = into.with_name(f".{into.name}.{uuid.uuid4().hex[:8]}")
        try:
            for _ in range(DAMAGED_DOWNLOADS):
                await self._download(files, aside)
                if await asyncio.to_thread(is_whole, aside):
                    break
            aside.replace(into)
        except OSError as error:
            raise disk_full(error, into) from error
        finally:
            aside.unlink(missing_ok=True)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _download(self, files: Sequence[str], into: Path) -> None:
        with into.open("wb") as out:
            for file in files:
                start = out.tell()

                async def attempt(path: str = f"/files/{file}/content", start: int = start) -> None:
                    out.seek(start)
                    out.truncate()  # of what a broken download left
                    await self._call("GET", path, into=out)

                await self._until_answered(attempt)
                out.write(b"\n")  # a second one is an empty line, and means nothing
            out.flush()
            await asyncio.to_thread(os.fsync, out.fileno())

    async def _find_twice(self, name: str, file: str, begun: float) -> dict[str, Any] | None:
        """Look again before it is believed that there is none: it may just have been made."""
        if (made := await self._find(name, file, begun)) is None:
            await asyncio.sleep(LISTED_WITHIN)
            made = await self._find(name, file, begun)
        return made

    async def _find(self, name: str, file: str, begun: float) -> dict[str, Any] | None:
        """Look through the list, newest first, as far back as the batch can be."""
        after = ""
        while True:
            page = await self._json("GET", f"/batches?limit=100{after}")
            for batch in page["data"]:
                metadata = batch.get("metadata") or {}
                if metadata.get("thoughtmill") == name or batch.get("input_file_id") == file:
                    return batch
            too_old = all((each.get("created_at") or begun) < begun - CLOCKS_DIFFER for each in page["data"])
            if too_old or not page.get("has_more"):
                return None
            after = f"&after={page['data'][-1]['id']}"

    async def _json(self, method: str, path: str, *, data: Any = None) -> dict[str, Any]:
        content = await self._call(method, path, data=data)
        try:
            said = orjson.loads(content)
            if "id" not in said and "data" not in said:
                raise KeyError
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise Again(f"status 200, but nothing of use: {self._excerpt(content)}") from error
        return said

    async def _call(self, method: str, path: str, *, data: Any = None, into: BinaryIO | None = None) -> bytes:
        """One try. Raises Again or Misconfigured for whatever is not status 200."""
        if self._session is None:
            self._session = openai.session(self._url, self._model.timeout, self._headers)
        as_json = {"Content-Type": "application/json"} if isinstance(data, bytes) else None
        try:
            async with self._session.request(method, self._url + path, data=data, headers=as_json) as reply:
                if into and reply.status == 200:
                    async for chunk in reply.content.iter_chunked(1 << 16):
                        into.write(chunk)
                content = await reply.read()
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            reached = not isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
            raise Again(f"{type(error).__name__}: {error}", reached=reached) from error
        self._was_reached = True
        if reply.status != 200:
            self._explain(method, path, reply.status, content, openai.retry_after(reply.headers))
        return content

    def _explain(self, method: str, path: str, status: int, content: bytes, after: float | None) -> None:
        told = f"status {status}: {self._excerpt(content)}"
        place = f"{self._model.role}: {method} {self._url}{path.partition('?')[0]} answers {told}"
        if status in (401, 403):
            raise Misconfigured(f"{place}; is the key in {self._model.key_env or 'OPENAI_API_KEY'} right?")
        if status in (404, 405):
            raise Misconfigured(f"{place}; has this provider a batch API, and does it know of this run's batches?")
        if status == 413:
            raise Misconfigured(f"{place}; with a lower in_flight batches are smaller")
        if status in (400, 422):
            raise Misconfigured(place)
        raise Again(told, after=after)

    async def _until_answered(self, attempt: Callable[[], Awaitable[T]]) -> T:
        silent_since, pause = None, FIRST_PAUSE
        while True:
            try:
                return await attempt()
            except Again as again:
                now = time.monotonic()
                silent_since = silent_since or now
                wait = pause * random.uniform(0.5, 1) if again.after is None else again.after
                self._check_patience(now + wait - silent_since, again)
            await asyncio.sleep(wait)
            pause = min(LONGEST_PAUSE, 2 * pause)

    def _check_patience(self, silent: float, again: Again) -> None:
        place = f"{self._model.role} ({self._model.name} at {self._url})"
        if not self._was_reached and not again.reached and silent > PATIENCE_AT_START:
            raise Misconfigured(f"{place} does not answer ({again}); is it running, and is the URL right?")
        if silent > self._model.outage_limit:
            raise Outage(f"the batch API of {place} has not answered for {self._model.outage_limit:g} s ({again})")


def is_whole(path: Path) -> bool:
    """Whether every line of a file is JSON."""
    try:
        with path.open("rb") as lines:
            for line in lines:
                orjson.loads(line.strip() or b"null")
    except orjson.JSONDecodeError:
        return False
    return True
