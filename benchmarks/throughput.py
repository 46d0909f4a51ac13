"""What the pipeline costs beyond the bare loop, side by side on this machine in one run.

    python -m benchmarks.throughput                 # all sections
    python -m benchmarks.throughput cpu rate        # some
    python -m benchmarks.throughput cpu --rounds 1 --sides bare

Both sides send the same number of requests to the same server (`tests/server.py`, canned texts), each in a
process of its own with a fresh server and a fresh data folder, in turn: bare, pipeline, bare, pipeline, ...
The kernel counts their CPU time (with that of their children), wall time and peak memory, the server counts
the requests. Start and end of the processes are included. Medians and ratios are printed, nothing is asserted:
absolute numbers are the machine's, ratios travel.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import orjson

from tests.server import running

ROOT = Path(__file__).parents[1]


class Load(NamedTuple):
    """What is asked for: `samples` requests for each of `questions`, `latency` in seconds."""

    questions: int
    samples: int = 4
    in_flight: int = 256
    latency: float = 0.0


class Cost(NamedTuple):
    """What one process took: seconds, MB, and what its server saw.

    `first`: until the first request; `serving`: from there to the last.
    """

    cpu: float
    wall: float
    peak: float
    first: float
    serving: float
    requests: int
    repeats: int
    peak_in_flight: int


# The two sides


def bare(load: Load, *, url: str, seeds: Path) -> list[str]:
    """The command of the bare loop."""
    numbers = ["--samples", str(load.samples), "--in-flight", str(load.in_flight)]
    return [sys.executable, "-m", "benchmarks.bare", url, "--seeds", str(seeds), *numbers]


def pipeline(load: Load, *, url: str, seeds: Path) -> list[str]:
    """The command of the whole pipeline: requests, journal, facts, vote, ledger, dataset."""
    settings = {
        "bring.rows": seeds,
        "models.teacher": f"openai:test@{url}",
        "models.teacher.in_flight": load.in_flight,
        "expand.n": load.samples,
    }
    options = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    return [sys.executable, "-m", "flows.cli", "run", "benchmarks/vote.toml", *options]


Side = Callable[..., list[str]]
SIDES: dict[str, Side] = {"bare": bare, "pipeline": pipeline}


# One run


def question(index: int) -> dict[str, str]:
    """A seed task of about 300 characters; no two are equal."""
    crates, weight, days = 11 + index % 97, 3 + index % 31, 2 + index % 13
    text = (
        f"Order {index}: a mill receives {crates} crates of grain, each of which weighs {weight} kilograms, on "
        f"every one of {days} days. A tenth of the grain is lost when it is ground, and the flour is filled into "
        f"bags of two kilograms. How many full bags leave the mill when all the grain of these days has been ground?"
    )
    return {"question": text, "answer": str(crates * weight * days * 9 // 20), "domain": "arithmetic"}


def write_seeds(path: Path, count: int) -> None:
    path.write_bytes(b"\n".join(orjson.dumps(question(index)) for index in range(count)) + b"\n")


# The kernel takes a parent's memory at the fork for the child's peak, so a process of 10 MB stands between.
MEASURE = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(process.pid, 0)
wall = time.perf_counter() - start
process.returncode = os.waitstatus_to_exitcode(status)
with open(sys.argv[1], "w") as report:
    json.dump([usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024], report)
sys.exit(process.returncode != 0)
"""


def measure(command: list[str], *, folder: Path) -> tuple[float, float, float]:
    """Run a command to its end: CPU seconds of it and its children, wall seconds, MB of the largest of them."""
    report = folder / "measured.json"
    ended = subprocess.run(
        [sys.executable, "-ISc", MEASURE, str(report), *command],
        cwd=ROOT,
        env={**os.environ, "THOUGHTMILL_DATA": str(folder / "data")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{ended.stdout.decode(errors='replace')[-4000:]}")
    cpu, wall, peak = orjson.loads(report.read_bytes())
    return cpu, wall, peak


def run(side: Side, load: Load) -> Cost:
    with (
        tempfile.TemporaryDirectory(prefix="throughput-") as folder,
        running("--latency", str(load.latency)) as (url, _),
    ):
        seeds = Path(folder) / "seeds.jsonl"
        write_seeds(seeds, load.questions)
        started = time.time()
        cpu, wall, peak = measure(side(load, url=url, seeds=seeds), folder=Path(folder))
        seen = stats(url)
    return Cost(
        cpu=cpu,
        wall=wall,
        peak=peak,
        first=seen["first"] - started,
        serving=seen["last"] - seen["first"],
        requests=seen["requests"],
        repeats=seen["repeats"],
        peak_in_flight=seen["peak_in_flight"],
    )


def stats(url: str) -> dict[str, Any]:
    """What a server says about itself."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as response:
        return orjson.loads(response.read())


def contest(load: Load, *, sides: Mapping[str, Side], rounds: int) -> dict[str, Cost]:
    """The medians of each side, taken in turn so that a slow minute of the machine hits all."""
    costs: dict[str, list[Cost]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side in sides:
            costs[side].append(run(sides[side], load))
            print(f"  {side:8}  {load}  {costs[side][-1]}", file=sys.stderr, flush=True)
    return {side: Cost(*map(median, zip(*measured, strict=True))) for side, measured in costs.items()}


# Sections: each yields rows of name, cost and the figures to show


Row = tuple[str, dict[str, float]]


def cpu(options: argparse.Namespace) -> Iterator[Row]:
    """CPU seconds for 1,000 requests at zero latency."""
    for in_flight in (64, 256):
        costs = contest(Load(options.questions, in_flight=in_flight), sides=options.sides, rounds=options.rounds)
        yield f"CPU s/1,000, {in_flight} in flight", {side: per_thousand(cost) for side, cost in costs.items()}
        yield "  requests", {side: cost.requests for side, cost in costs.items()}


def rate(options: argparse.Namespace) -> Iterator[Row]:
    """Requests a second at 300 ms latency and 256 in flight; at best 853."""
    costs = contest(Load(options.questions, latency=0.3), sides=options.sides, rounds=options.rounds)
    yield "requests/s as served", {side: cost.requests / cost.serving for side, cost in costs.items()}
    yield "requests/s of the whole run", {side: cost.requests / cost.wall for side, cost in costs.items()}
    yield "CPU s/1,000", {side: per_thousand(cost) for side, cost in costs.items()}
    yield "s to the first request", {side: cost.first for side, cost in costs.items()}
    yield "peak in flight", {side: cost.peak_in_flight for side, cost in costs.items()}


def scale(options: argparse.Namespace) -> Iterator[Row]:
    """Whether the cost of a request stays the same as a run grows."""
    for requests in (5_000, 20_000, 80_000):
        costs = contest(Load(requests // 4), sides=options.sides, rounds=options.rounds)
        yield f"CPU s/1,000 of {requests:,}", {side: per_thousand(cost) for side, cost in costs.items()}
        yield f"wall s of {requests:,}", {side: cost.wall for side, cost in costs.items()}


def memory(options: argparse.Namespace) -> Iterator[Row]:
    """The largest process, in MB."""
    for attempts in (10_000, 100_000):
        costs = contest(Load(attempts // 4), sides=options.sides, rounds=options.rounds)
        yield f"peak MB at {attempts:,}", {side: cost.peak for side, cost in costs.items()}


def per_thousand(cost: Cost) -> float:
    return cost.cpu / cost.requests * 1000


SECTIONS: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "cpu": cpu,
    "rate": rate,
    "scale": scale,
    "memory": memory,
}


def line(name: str, figures: dict[str, float]) -> str:
    first, *others = figures.values()
    ratio = f"{others[0] / first:>9.2f}" if others else ""
    return f"{name:32}" + "".join(f"{figure:>12.4g}" for figure in figures.values()) + ratio


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.throughput", description="The pipeline beside the bare loop.")
    parser.add_argument("sections", nargs="*", metavar="section", help=", ".join(SECTIONS))
    parser.add_argument("--questions", type=int, default=5_000, help="of `cpu` and `rate`; four samples each")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side, of which medians are taken")
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=SIDES)
    options = parser.parse_args()
    options.sides = {side: SIDES[side] for side in options.sides}
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are: {', '.join(SECTIONS)}")
    print(f"{'':32}" + "".join(f"{side:>12}" for side in options.sides) + ("    ratio" * (len(options.sides) > 1)))
    for section in options.sections or SECTIONS:
        for name, figures in SECTIONS[section](options):
            print(line(name, figures), flush=True)


if __name__ == "__main__":
    main()
