"""The loop that people write by hand, with care, around either of two clients.

    python -m benchmarks.by_hand aiohttp http://127.0.0.1:8000/v1 --seeds questions.jsonl --out answers.jsonl

Every answer becomes a line of `--out`, flushed at once; what has a line is not asked again. A failure is tried again
up to five times, with pauses that double from half a second, or as long as the server asks; the openai client does
that by itself. What fails for good is told at the end, and lost.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TextIO

import aiohttp
import openai
import orjson

TRIES = 5
Ask = Callable[[dict[str, Any]], Awaitable[str]]


def wanted(seeds: Path, out: Path, *, samples: int) -> Iterator[dict[str, Any]]:
    """The requests that have no line yet."""
    done = {orjson.loads(line)["seed"] for line in out.read_bytes().splitlines()} if out.exists() else set()
    seed = 0
    for line in seeds.read_bytes().splitlines():
        messages = [{"role": "user", "content": orjson.loads(line)["question"]}]
        for _ in range(samples):
            seed += 1
            if seed not in done:
                yield {"model": "test", "messages": messages, "seed": seed, "max_tokens": 1024, "temperature": 0.7}


async def with_aiohttp(url: str, seconds: float, stack: AsyncExitStack) -> Ask:
    limits = {"connector": aiohttp.TCPConnector(limit=0), "timeout": aiohttp.ClientTimeout(total=seconds)}
    session = await stack.enter_async_context(aiohttp.ClientSession(**limits))

    async def ask(body: dict[str, Any]) -> str:
        for tries in range(TRIES + 1):
            wait = 0.5 * 2**tries
            try:
                async with session.post(f"{url}/chat/completions", json=body) as reply:
                    if reply.status == 429 and reply.headers.get("Retry-After", "").isdigit():
                        wait = float(reply.headers["Retry-After"])
                    reply.raise_for_status()
                    return (await reply.json())["choices"][0]["message"]["content"]
            except (aiohttp.ClientError, TimeoutError, ValueError, LookupError):
                if tries == TRIES:
                    raise
            await asyncio.sleep(wait)
        raise AssertionError

    return ask


async def with_openai(url: str, seconds: float, stack: AsyncExitStack) -> Ask:
    client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=TRIES, timeout=seconds)
    await stack.enter_async_context(client)

    async def ask(body: dict[str, Any]) -> str:
        reply = await client.chat.completions.create(**body)
        return reply.choices[0].message.content or ""

    return ask


CLIENTS = {"aiohttp": with_aiohttp, "openai": with_openai}


async def loop(ask: Ask, requests: Iterator[dict[str, Any]], out: TextIO, *, in_flight: int) -> int:
    """Ask everything, at most `in_flight` at once; returns how many failed for good."""

    async def worker() -> int:
        failed = 0
        for body in requests:  # one iterator for all workers: each takes the next
            try:
                content = await ask(body)
            except Exception as error:  # noqa: BLE001 - one row must not end the loop
                print(f"{body['seed']}: {error!r}", file=sys.stderr)
                failed += 1
            else:
                question = body["messages"][0]["content"]
                line = {"seed": body["seed"], "question": question, "content": content}
                out.write(orjson.dumps(line).decode() + "\n")
                out.flush()
        return failed

    return sum(await asyncio.gather(*(worker() for _ in range(in_flight))))


async def run(options: argparse.Namespace) -> None:
    async with AsyncExitStack() as stack:
        ask = await CLIENTS[options.client](options.url, options.timeout, stack)
        requests = wanted(options.seeds, options.out, samples=options.samples)
        out = stack.enter_context(options.out.open("a"))
        failed = await loop(ask, requests, out, in_flight=options.in_flight)
        print(f"{failed} failed for good", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.by_hand", description="The loop that people write by hand.")
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("url", help="of an OpenAI-compatible endpoint, with its /v1")
    parser.add_argument("--seeds", type=Path, required=True, help="JSON lines with a question each")
    parser.add_argument("--out", type=Path, required=True, help="JSON lines with an answer each")
    parser.add_argument("--samples", type=int, default=4, help="requests for each question")
    parser.add_argument("--in-flight", type=int, default=256, help="requests at once")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for a request")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
