"""The bare loop: ask, decode the answer, forget it. The least that any client of an endpoint has to spend.

    python -m benchmarks.bare http://127.0.0.1:8000/v1 --seeds questions.jsonl --samples 4 --in-flight 256

It retries nothing, keeps nothing and checks only the status, so what a pipeline spends beyond this is what
its facts, its journal and its checks cost. Prints one JSON object: requests, wall and CPU seconds (user and
system), requests a second, and the peak of resident memory in MB, which the kernel puts no lower than that of
the process that started this one.
"""

import argparse
import asyncio
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import orjson

HEADERS = {"Content-Type": "application/json"}


def bodies(seeds: Path, *, samples: int) -> Iterator[bytes]:
    """`samples` chat requests for every line of `seeds`, a JSON object with a "question"."""
    seed = 0
    with seeds.open("rb") as lines:
        for line in lines:
            messages = [{"role": "user", "content": orjson.loads(line)["question"]}]
            for _ in range(samples):
                seed += 1
                yield orjson.dumps({"model": "test", "messages": messages, "seed": seed, "max_tokens": 2048})


async def ask(session: aiohttp.ClientSession, url: str, body: bytes) -> None:
    async with session.post(url, data=body, headers=HEADERS) as response:
        if response.status != 200:
            raise RuntimeError(f"status {response.status}: {await response.text()}")
        orjson.loads(await response.read())


async def loop(url: str, requests: Iterator[bytes], *, in_flight: int) -> int:
    """Send all requests, at most `in_flight` at once, and return how many there were."""

    async def worker() -> int:
        done = 0
        for body in requests:  # one iterator for all workers: each takes the next
            await ask(session, f"{url}/chat/completions", body)
            done += 1
        return done

    # The workers are the limit; a second one in the connector would only keep a queue.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        return sum(await asyncio.gather(*(worker() for _ in range(in_flight))))


def report(done: int, seconds: float) -> dict[str, float]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "requests": done,
        "wall": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "requests_per_second": done / seconds,
        "peak_mb": usage.ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.bare", description="Ask, decode the answer, forget it.")
    parser.add_argument("url", help="of an OpenAI-compatible endpoint, with its /v1")
    parser.add_argument("--seeds", type=Path, required=True, help="JSON lines with a question each")
    parser.add_argument("--samples", type=int, default=4, help="requests for each question")
    parser.add_argument("--in-flight", type=int, default=256, help="requests at once")
    options = parser.parse_args()
    start = time.perf_counter()
    requests = bodies(options.seeds, samples=options.samples)
    done = asyncio.run(loop(options.url, requests, in_flight=options.in_flight))
    print(orjson.dumps(report(done, time.perf_counter() - start)).decode())


if __name__ == "__main__":
    main()
