"""A long run at full rate: do memory and open files stay flat?

    python -m benchmarks.soak                        # ten minutes
    python -m benchmarks.soak --minutes 2 --fault 500=0.02 --fault close=0.02

The pipeline asks a server (`tests/server.py`, canned texts) as fast as it can, as in `throughput.py`, until the time
is over; then it is interrupted, as by Ctrl-C, and ends in order. Every tenth of the time a line tells what the kernel
and the server say: requests until then and a second, resident memory of the run and of the processes it started,
open files, and what lies on disk. The last line compares the end with the time after the first fifth, when caches
are full. It needs Linux's /proc.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.throughput import ROOT, Load, pipeline, stats, write_seeds
from tests.server import running

MOST = 1_000  # questions a second, four requests each: more than any machine so far has asked


class Sample(NamedTuple):
    """What is seen of a run at one moment."""

    seconds: float
    requests: int
    memory: float  # MB, of the run itself
    others: float  # MB, of the processes that it started
    files: int
    disk: float  # MB


def sample(process: subprocess.Popen[bytes], url: str, folder: Path, begun: float) -> Sample:
    children = list(descendants(process.pid))
    return Sample(
        seconds=time.monotonic() - begun,
        requests=stats(url)["requests"],
        memory=resident(process.pid),
        others=sum(map(resident, children)),
        files=sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in (process.pid, *children)),
        disk=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6,
    )


def resident(pid: int) -> float:
    """Anonymous memory in MB, without what is mapped from files."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0  # it has just ended


def descendants(pid: int) -> Iterator[int]:
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            yield child
            yield from descendants(child)


def soak(options: argparse.Namespace, folder: Path) -> list[Sample]:
    """Run for the time that is asked, printing a line at every tenth of it."""
    write_seeds(folder / "seeds.jsonl", int(60 * options.minutes * MOST))
    faults = [word for fault in options.fault for word in ("--fault", fault)]
    with running("--latency", str(options.latency), *faults) as (url, _):
        command = pipeline(Load(0, in_flight=options.in_flight), url=url, seeds=folder / "seeds.jsonl")
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "THOUGHTMILL_DATA": str(folder / "data")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for_requests(process, url)
            return list(watched(process, url, folder / "data", options.minutes * 60))
        finally:
            process.send_signal(signal.SIGINT)
            print(f"interrupted; it ended with {process.wait(timeout=120)}")


def wait_for_requests(process: subprocess.Popen[bytes], url: str) -> None:
    while not stats(url)["requests"]:
        if process.poll() is not None:
            raise RuntimeError(f"the run ended with {process.returncode} before it asked anything")
        time.sleep(0.1)


def watched(process: subprocess.Popen[bytes], url: str, data: Path, seconds: float) -> Iterator[Sample]:
    begun, last = time.monotonic(), None
    for tenth in range(11):
        time.sleep(max(0.0, begun + tenth * seconds / 10 - time.monotonic()))
        if process.poll() is not None:
            raise RuntimeError(f"the run ended with {process.returncode} before its time")
        now = sample(process, url, data, begun)
        print(line(now, last), flush=True)
        yield now
        last = now


def line(now: Sample, last: Sample | None) -> str:
    rate = (now.requests - last.requests) / (now.seconds - last.seconds) if last else 0
    figures = (now.seconds, now.requests, rate, now.memory, now.others, now.files, now.disk)
    return "".join(f"{figure:>12,.0f}" for figure in figures)


def verdict(samples: list[Sample]) -> str:
    warm, end = samples[2], samples[-1]
    more, requests = end.memory + end.others - warm.memory - warm.others, end.requests - warm.requests
    files = end.files - warm.files
    return f"after the first fifth: {more:+.1f} MB over {requests:,} requests, {files:+d} open files"


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.soak", description="A long run at full rate.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds, of the server")
    parser.add_argument("--in-flight", type=int, default=256, help="requests at once")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME=RATE", help="as tests.server takes it")
    options = parser.parse_args()
    names = ("seconds", "requests", "a second", "MB", "MB others", "open files", "MB on disk")
    print("".join(f"{name:>12}" for name in names))
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        print(verdict(soak(options, Path(folder))))


if __name__ == "__main__":
    sys.exit(main())
