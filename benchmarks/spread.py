r"""What spreading over Ray workers gives and costs, on this machine in one run.

    python -m benchmarks.spread                       # all sections
    python -m benchmarks.spread speed --rows 600 --rounds 3
    python -m benchmarks.spread sizes journal

`speed` brings problems with four answers each, which take algebra to compare (20 ms each), and verifies them: in one
process with two children that check, on one Ray worker of one core (one child), and on two. A round runs all three in
turn, each over a data folder of its own and after a warm-up of three shards; start and end of Ray are not counted.
The versions must be the same, byte for byte. It needs the extra `ray`.

The others measure what docs/scale.md reckons with, on an endpoint in this process (tests/server.py):

`sizes`     bytes and files on disk of a run of cot-self-instruct, for each shard and for 1,000 attempts; CPU of the
            driver for a shard whose outputs are all there, and of everything for one that is made
`driver`    CPU of the driver where a Ray worker does the rest, with the release
`journal`   commits a second of 1, 2, 4, 8 and 16 processes on one journal, and what opening a long one takes
`release`   seconds and memory of reading what is there and writing a version, of 1,000 and 8,000 attempts

Nothing is asserted but that versions are equal.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import tomli_w
from rich.console import Console
from rich.table import Table

from flows import make
from flows.run import RunShard, directly
from flows.spread import Runner
from pipelines.journal import Journal
from pipelines.segment import Entry, Segment
from pipelines.store import read_output
from tests.server import Behaviour, builtin, running, serving
from tests.small import tree

ATTEMPTS = 4  # of each problem that is brought
SHARD = 8


# --- What is verified ---------------------------------------------------------------------------------


def rows(count: int, *, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Problems whose answers are equal by an identity, which takes algebra to see; one in four is off by one."""
    chance = random.Random(seed)
    for index in range(count):
        a, b = chance.randrange(2, 60), index + 2
        slips = [chance.choice([0, 0, 0, 1]) for _ in range(ATTEMPTS)]
        said = [rf"{a + b + k + slip}-{k}-{a}\sin^2 x" for k, slip in enumerate(slips, start=1)]
        responses = [rf"By Pythagoras it is \(\boxed{{{each}}}\)." for each in said]
        question = rf"Write ${a}\cos^2 x+{b}$ with the sine alone."
        yield {"question": question, "answer": rf"{a}\cos^2 x+{b}", "responses": responses}


def recipe(folder: Path, count: int) -> Path:
    """A recipe over so many of them."""
    (folder / "rows.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows(count)))
    value = {
        "name": f"spread-{count}",
        "shard": SHARD,
        "views": ["rl"],
        "stages": [
            {"use": "bring", "rows": "rows.jsonl"},
            {"name": "verify", "use": "sift", "rules": ["answer_matches", "pass_rate"]},
        ],
    }
    path = folder / f"spread-{count}.toml"
    path.write_bytes(tomli_w.dumps(value).encode())
    return path


# --- Speed --------------------------------------------------------------------------------------------


def speed(console: Console, *, count: int, rounds: int) -> None:
    """One process, one worker and two, in turn."""
    ways = {"one process, two children": 0, "one Ray worker": 1, "two Ray workers": 2}
    times: dict[str, list[float]] = {way: [] for way in ways}
    versions: dict[str, dict[str, bytes]] = {}
    for _ in range(rounds):
        for way, workers in ways.items():
            with _folder() as folder, _runner(workers) as (run_shard, window):
                _timed(folder, 3 * SHARD, run_shard, window)
                seconds, version = _timed(folder, count, run_shard, window)
            times[way].append(seconds)
            versions[way] = version
    assert all(made == versions["one process, two children"] for made in versions.values())
    table = Table(
        "way", "seconds", "answers a second", "of one worker", title=f"{count} problems, {ATTEMPTS} answers each"
    )
    for way, taken in times.items():
        best = median(taken)
        ratio = median(one / mine for one, mine in zip(times["one Ray worker"], taken, strict=True))
        table.add_row(way, f"{best:.1f}", f"{ATTEMPTS * count / best:.0f}", f"{ratio:.2f}")
    console.print(table)


@contextlib.contextmanager
def _runner(workers: int) -> Iterator[Runner]:
    """How shards are run, and how many at once: here, or on so many workers."""
    if not workers:
        yield Runner(directly, 4)
        return
    from flows.ray import on_ray

    with on_ray(workers=workers) as there:
        yield there


def _timed(folder: Path, count: int, run_shard: RunShard, window: int | None) -> tuple[float, dict[str, bytes]]:
    path = recipe(folder, count)
    before = time.monotonic()
    made = asyncio.run(make.make(str(path), run_shard=run_shard, workers=window))
    return time.monotonic() - before, tree(made.folder / "facts")


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A place of its own, with a data folder in it."""
    folder = Path(tempfile.mkdtemp(prefix="spread-"))
    before = os.environ.get("THOUGHTMILL_DATA")
    os.environ["THOUGHTMILL_DATA"] = str(folder / "data")
    try:
        yield folder
    finally:
        if before is None:
            del os.environ["THOUGHTMILL_DATA"]
        else:
            os.environ["THOUGHTMILL_DATA"] = before
        shutil.rmtree(folder)


# --- What lies on disk, and what a driver does ---------------------------------------------------------


def sizes(console: Console, *, candidates: int = 512, shard: int = 64) -> None:
    """A run of cot-self-instruct against a server that speaks as the builtin engine does."""
    with _folder() as folder:
        made, cpu = asyncio.run(_served_run(candidates, shard))
        outputs, journal = folder / "data" / "runs" / "outputs", folder / "data" / "journal"
        attempts = made.counts["sent"]
        shards = -(-candidates // shard)
        files = [path for path in outputs.rglob("*") if path.is_file()]
        segments = list(journal.glob("*.log"))
        reading = _cpu_of(lambda: [read_output(path) for path in outputs.glob("*/*")])
        again = _cpu_of(lambda: asyncio.run(_served_run(candidates, shard)))
        table = Table("figure", "a shard", "1,000 attempts", title=f"{shards} shards of {shard}, {attempts} attempts")
        of = [shards, attempts / 1000]
        for name, amount in [
            ("files of facts", len(files)),
            ("KB of facts", sum(path.stat().st_size for path in files) / 1e3),
            ("KB of journal", sum(path.stat().st_size for path in segments) / 1e3),
            ("KB of a version's facts", sum(map(len, tree(made.folder / "facts").values())) / 1e3),
            ("CPU seconds, made here", cpu),
            ("CPU seconds, all outputs read", reading),
            ("CPU seconds, the run again: read, and facts of a version written", again),
        ]:
            table.add_row(name, *(f"{amount / each:,.3g}" for each in of))
        console.print(table)
        replies = sum(len(entry.reply) for entry in _entries(segments))
        console.print(
            f"{replies / attempts:,.0f} bytes a reply, {_journal_bytes(segments) / attempts:,.0f} in the journal"
        )


async def _served_run(candidates: int, shard: int) -> tuple[make.Made, float]:
    async with serving(Behaviour(author=builtin)) as server:
        before = _cpu()
        made = await make.make(
            "cot-self-instruct",
            changes=[
                f"models.teacher=openai:test@{server.url}",
                f"target={{candidates={candidates}}}",
                f"shard={shard}",
            ],
        )
        return made, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _cpu_of(job: Callable[[], Any]) -> float:
    before = _cpu()
    job()
    return _cpu() - before


def _entries(segments: Sequence[Path]) -> Iterator[Entry]:
    from tests.flows.test_killed import journaled

    yield from journaled(segments[0].parents[1]) if segments else ()


def _journal_bytes(segments: Sequence[Path]) -> int:
    return sum(path.stat().st_size + path.with_suffix(".idx").stat().st_size for path in segments)


def driver(console: Console, *, candidates: int = 512, shard: int = 64) -> None:
    """What is left to the driver of such a run when a Ray worker does the rest; the server is another process."""
    with _folder(), running("--author", "builtin") as (url, _), _runner(1) as (run_shard, window):
        changes = [f"models.teacher=openai:test@{url}", f"target={{candidates={candidates}}}", f"shard={shard}"]
        before = _cpu()
        made = asyncio.run(make.make("cot-self-instruct", changes=changes, run_shard=run_shard, workers=window))
        cpu, shards = _cpu() - before, -(-candidates // shard)
        console.print(
            f"driver: {cpu / shards:.3f} CPU seconds a shard of {shard} draws ({made.counts['sent'] / shards:.0f}"
            f" attempts), {1000 * cpu / made.counts['sent']:.2f} for 1,000 attempts, with the release"
        )


# --- The journal --------------------------------------------------------------------------------------


def journal(console: Console, *, seconds: float = 4.0) -> None:
    """Processes that journal as fast as replies come: 16 under way in each, each reply 2 KB of text."""
    table = Table("processes", "replies a second", "commits a second", "ms to durable", title="one journal")
    for count in (1, 2, 4, 8, 16):
        with _folder() as folder, multiprocessing.get_context("spawn").Pool(count) as pool:
            told = pool.starmap(_journal, [(folder / "journal", number, seconds) for number in range(count)])
        added, waited = sum(each[0] for each in told), sum(each[1] for each in told)
        table.add_row(
            str(count),
            f"{added / seconds:,.0f}",
            f"{sum(each[2] for each in told) / seconds:,.0f}",
            f"{1000 * waited / added:.0f}",
        )
    console.print(table)
    _opening(console)


def _journal(folder: Path, number: int, seconds: float) -> tuple[int, float, int]:
    return asyncio.run(_add_until(folder, number, seconds))


async def _add_until(folder: Path, number: int, seconds: float) -> tuple[int, float, int]:
    """Replies added, seconds waited for them in all, and commits."""
    open_journal, chance, end = Journal(folder), random.Random(number), time.monotonic() + seconds
    added, waited = 0, 0.0

    async def one(place: int) -> None:
        nonlocal added, waited
        while time.monotonic() < end:
            words = orjson.dumps({"choices": [" ".join(f"{chance.random():.3f}" for _ in range(330))]})
            before = time.monotonic()
            await open_journal.add(Entry(random.randbytes(16), 4096, False, 500, words))
            waited += time.monotonic() - before
            added += 1

    await asyncio.gather(*(one(place) for place in range(16)))
    await open_journal.close()
    return added, waited, added // 16


def _opening(console: Console) -> None:
    """What a new worker pays for a journal of 65,536 replies that is finished, and for one that was left."""
    with _folder() as folder:
        entries = [Entry(random.randbytes(16), 4096, False, 500, random.randbytes(1500)) for _ in range(65_536)]
        (folder / "journal").mkdir()
        segment = Segment.start(folder / "journal")
        for at in range(0, len(entries), 64):
            segment.append(entries[at : at + 64])
        segment.close()
        for way in ("left behind by a process that died", "finished"):
            before = time.monotonic()
            opened = Journal(folder / "journal")
            console.print(f"opening 65,536 replies, {way}: {time.monotonic() - before:.2f} s")
            asyncio.run(opened.close())


# --- A release ----------------------------------------------------------------------------------------


def release(console: Console, *, candidates: Sequence[int] = (125, 1000)) -> None:
    """The same recipe on the builtin engine, then again without its version: everything else is there."""
    table = Table("attempts", "seconds", "CPU s for 1,000", "peak MB", title="reading what is there, and a release")
    for count in candidates:
        with _folder():
            changes = [f"target={{candidates={count}}}", "shard=64"]
            made = asyncio.run(make.make("cot-self-instruct", changes=changes))
            attempts = sum(1 for _ in _attempts(made.folder))
            shutil.rmtree(made.folder)
            before, cpu = time.monotonic(), _cpu()
            asyncio.run(make.make("cot-self-instruct", changes=changes))
            cpu, taken = _cpu() - cpu, time.monotonic() - before
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
            table.add_row(f"{attempts:,}", f"{taken:.1f}", f"{1000 * cpu / attempts:.2f}", f"{peak:.0f}")
    console.print(table)


def _attempts(version: Path) -> Iterator[Any]:
    import pyarrow.parquet as pq

    yield from range(pq.read_metadata(version / "facts" / "attempts.parquet").num_rows)


SECTIONS: dict[str, Callable[..., None]] = {
    "speed": speed,
    "sizes": sizes,
    "driver": driver,
    "journal": journal,
    "release": release,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], default=[])
    parser.add_argument("--rows", type=int, default=600, help="problems of `speed`")
    parser.add_argument("--rounds", type=int, default=3, help="of `speed`")
    options = parser.parse_args()
    console = Console()
    for name in options.sections or SECTIONS:
        how = {"count": options.rows, "rounds": options.rounds} if name == "speed" else {}
        SECTIONS[name](console, **how)


if __name__ == "__main__":
    main()
