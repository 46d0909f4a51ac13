"""The pipeline beside two loops written by hand, with aiohttp and with the openai client, in one run.

    python -m benchmarks.beside                      # all sections
    python -m benchmarks.beside cpu killed           # some
    python -m benchmarks.beside memory --small 1000 --large 5000

The loops (`by_hand.py`) are careful ones: they try again, append every answer at once, and skip what is there when
they are started again. The pipeline journals, makes facts, votes, and writes a dataset (`vote.toml`). All send the
same requests to a server of their own (`tests/server.py`), in turn. Nothing is asserted: absolute numbers are the
machine's.
"""

import argparse
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import orjson
import pyarrow.parquet as pq

from benchmarks.throughput import ROOT, Load, Row, Side, contest, per_thousand, pipeline, stats, write_seeds
from tests.server import FAULTS, running

PASSING = sorted(FAULTS.keys() - {"context", "null-content", "hang", "trickle"})
"""Faults that pass when one tries again. Those that cost a time-out are left out, which would be all that is seen."""


def by_hand(client: str, load: Load, *, url: str, seeds: Path) -> list[str]:
    """The command of a loop; its answers lie beside the seeds."""
    numbers = ["--samples", str(load.samples), "--in-flight", str(load.in_flight)]
    files = ["--seeds", str(seeds), "--out", str(seeds.with_name("answers.jsonl"))]
    return [sys.executable, "-m", "benchmarks.by_hand", client, url, *files, *numbers]


SIDES: dict[str, Side] = {
    "aiohttp": partial(by_hand, "aiohttp"),
    "openai": partial(by_hand, "openai"),
    "pipeline": pipeline,
}


# Costs


def cpu(options: argparse.Namespace) -> Iterator[Row]:
    """CPU seconds for 1,000 requests, and the rate, as in throughput.py."""
    costs = contest(Load(options.questions), sides=SIDES, rounds=options.rounds)
    yield "CPU s/1,000, 256 in flight", {side: per_thousand(cost) for side, cost in costs.items()}


def rate(options: argparse.Namespace) -> Iterator[Row]:
    costs = contest(Load(options.questions, latency=0.3), sides=SIDES, rounds=options.rounds)
    yield "requests/s at 300 ms, 256 in flight", {side: cost.requests / cost.serving for side, cost in costs.items()}
    yield "  of the whole run", {side: cost.requests / cost.wall for side, cost in costs.items()}


def memory(options: argparse.Namespace) -> Iterator[Row]:
    for rows in (options.small, options.large):
        costs = contest(Load(rows // 4), sides=SIDES, rounds=1)
        yield f"peak MB at {rows:,} rows", {side: cost.peak for side, cost in costs.items()}


# What becomes of the rows


class Night(NamedTuple):
    """What came of a command under some trouble."""

    seconds: float
    rows: int  # with an answer
    told: int  # without one, but with a reason
    twice: int  # answers that were given, and paid for, more than once
    repeated: int  # requests that came more than once, whatever became of them


def killed(options: argparse.Namespace) -> Iterator[Row]:
    """Killed half-way and run again."""
    nights = {side: night(side, options, ["--latency", "0.05"], kill=True) for side in SIDES}
    yield from figures(nights, options, "after a kill", ("twice", "repeated"))


def faults(options: argparse.Namespace) -> Iterator[Row]:
    """5 and 10 % of requests fail, in all ways that pass."""
    calm = {side: night(side, options, ["--latency", "0.3"]) for side in SIDES}
    for share in (0.05, 0.1):
        rates = [f"--fault={name}={share / len(PASSING):.6f}" for name in PASSING]
        nights = {side: night(side, options, ["--latency", "0.3", *rates]) for side in SIDES}
        yield from figures(nights, options, f"under {share:.0%} faults", ("twice",))
        yield (
            f"  times as long, {share:.0%} faults",
            {side: nights[side].seconds / calm[side].seconds for side in SIDES},
        )


def hangs(options: argparse.Namespace) -> Iterator[Row]:
    """10 % of requests fail in all ways, hangs and trickles among them. A loop would wait for its time-out."""
    names = [*PASSING, "hang", "trickle"]
    rates = [f"--fault={name}={0.1 / len(names):.6f}" for name in names]
    calm, night_of_faults = (night("pipeline", options, ["--latency", "0.3", *each]) for each in ([], rates))
    lost = options.questions * 4 - night_of_faults.rows - night_of_faults.told
    none = dict.fromkeys(SIDES, math.nan)
    yield "rows lost under 10% faults with hangs", {**none, "pipeline": lost}
    yield "  times as long", {**none, "pipeline": night_of_faults.seconds / calm.seconds}


def figures(nights: dict[str, Night], options: argparse.Namespace, when: str, names: Sequence[str]) -> Iterator[Row]:
    wanted = options.questions * 4
    yield f"rows lost {when}", {side: wanted - each.rows - each.told for side, each in nights.items()}
    yield "  without an answer, but told", {side: each.told for side, each in nights.items()}
    words = {"twice": "answers paid for twice", "repeated": "requests sent again"}
    for name in names:
        yield f"  {words[name]}", {side: getattr(each, name) for side, each in nights.items()}


def night(side: str, options: argparse.Namespace, server: Sequence[str], *, kill: bool = False) -> Night:
    load = Load(options.questions)
    with tempfile.TemporaryDirectory(prefix="beside-") as name:
        folder, log = Path(name), Path(name) / "requests.jsonl"
        write_seeds(folder / "seeds.jsonl", load.questions)
        with running(*server, "--log", str(log), "--log-digests") as (url, _):
            command = SIDES[side](load, url=url, seeds=folder / "seeds.jsonl")
            begun = time.perf_counter()
            if kill:
                kill_half_way(command, folder, url, load.questions * load.samples // 2)
            code = start(command, folder).wait()
            seconds = time.perf_counter() - begun
        rows, told = made(folder)
        answered = Counter(line["digest"] for line in lines(log) if line["status"] == 200 and line["fault"] == "ok")
        times = Counter(line["digest"] for line in lines(log))
    print(f"  {side:8} {' '.join(server)[:60]}: exit {code}, {seconds:.1f} s, {rows} rows", file=sys.stderr)
    return Night(seconds, rows, told, answered.total() - len(answered), times.total() - len(times))


def start(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """A command in a process group of its own."""
    place = {**os.environ, "THOUGHTMILL_DATA": str(folder / "data")}
    with (folder / "told.txt").open("ab") as out:
        return subprocess.Popen(command, cwd=ROOT, env=place, stdout=out, stderr=out, start_new_session=True)


def kill_half_way(command: list[str], folder: Path, url: str, requests: int) -> None:
    process = start(command, folder)
    while stats(url)["requests"] < requests and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def made(folder: Path) -> tuple[int, int]:
    """How many rows have an answer, and how many have none but say why."""
    if (folder / "answers.jsonl").exists():
        seeds = {line["seed"] for line in lines(folder / "answers.jsonl") if line["content"]}
        return len(seeds), 0
    rows = told = 0
    for path in folder.glob("data/datasets/vote/v1/facts/attempts*.parquet"):
        finishes = Counter(pq.read_table(path, columns=["finish"]).column("finish").to_pylist())
        told += finishes["refused"]
        rows += finishes.total() - finishes["refused"]
    return rows, told


def lines(path: Path) -> Iterator[dict[str, str]]:
    with path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)


SECTIONS: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "cpu": cpu,
    "rate": rate,
    "memory": memory,
    "killed": killed,
    "faults": faults,
    "hangs": hangs,
}


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.beside", description="The pipeline beside loops written by hand.")
    parser.add_argument("sections", nargs="*", metavar="section", help=", ".join(SECTIONS))
    parser.add_argument("--questions", type=int, default=1_500, help="four samples each")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each side in `cpu` and `rate`")
    parser.add_argument("--small", type=int, default=10_000, help="rows, in `memory`")
    parser.add_argument("--large", type=int, default=100_000)
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are: {', '.join(SECTIONS)}")
    print(f"{'':40}" + "".join(f"{side:>12}" for side in SIDES))
    for section in options.sections or SECTIONS:
        for name, row in SECTIONS[section](options):
            print(f"{name:40}" + "".join(f"{figure:>12.4g}" for figure in row.values()), flush=True)


if __name__ == "__main__":
    main()
