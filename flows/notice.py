"""A notice to a webhook: one JSON object, told a few times before it is given up. It never fails a night.

The address is a secret, since whoever has it can write there: it comes from the environment or from a Prefect block,
and stands in no parameter, log or error.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

VARIABLE = "THOUGHTMILL_WEBHOOK"
BLOCK = "thoughtmill-webhook"  # a Prefect block of the type Secret
TRIES = 4
SECONDS = 15.0  # seconds for one try
PAUSE = 2.0  # seconds before the second try; twice as many before each further one


async def address() -> str | None:
    """Where notices go: THOUGHTMILL_WEBHOOK, or else the Prefect block `thoughtmill-webhook`; None for nowhere."""
    if url := os.environ.get(VARIABLE):
        return url
    from prefect.blocks.system import Secret

    try:
        block = await Secret.aload(BLOCK)
    except ValueError:  # there is none
        return None
    return str(block.get())


async def post(
    body: Mapping[str, Any], url: str, *, tries: int = TRIES, seconds: float = SECONDS, pause: float = PAUSE
) -> str | None:
    """Send a JSON object; returns None once it is taken, and else why not, in words that hold nothing of the URL.

    What may pass is tried again: no answer, 429, and what servers say of themselves (500 and above).
    """
    why = ""
    for attempt in range(tries):
        if attempt:
            await asyncio.sleep(pause * 2 ** (attempt - 1))
        status, why = await _try(body, url, seconds)
        if 200 <= status < 300:
            return None
        if 300 <= status < 500 and status != 429:
            return why
    return f"{why}, {tries} times"


async def _try(body: Mapping[str, Any], url: str, seconds: float) -> tuple[int, str]:
    """The status of one try, 0 without an answer, and that in words. Redirects are not followed."""
    import aiohttp

    limits = aiohttp.ClientTimeout(total=seconds)
    try:
        async with (
            aiohttp.ClientSession(timeout=limits) as session,
            session.post(url, json=dict(body), allow_redirects=False) as reply,
        ):
            return reply.status, f"status {reply.status}"
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        return 400, "the address is no URL"
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return 0, type(error).__name__  # its text would tell the address
