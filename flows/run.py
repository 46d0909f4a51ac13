"""Running a recipe: shards within a window, until the version has its rows; then the version.

Nothing here knows Prefect: `flows.mill` hands in its own way to run a shard. Shard size and the number of workers
change no fact: a version is the shortest prefix of draws that holds the rows asked for, and what was made beyond it
is kept for the next time.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import math
import os
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson
import tomli_w

from filters.rule import Case
from filters.verifiers.workers import Workers
from pipelines.bind import Recipe
from pipelines.checks import Checks
from pipelines.inference.budget import Purse
from pipelines.inference.client import Client, Stopping
from pipelines.inference.engine import Misconfigured, Outage
from pipelines.inference.model import Model
from pipelines.journal import Journal
from pipelines.lease import Busy
from pipelines.mirror import Mirror
from pipelines.mirror import opened as opened_store
from pipelines.records import Verdict, verdict
from pipelines.stage import Run, Shard, Step, run_shard
from pipelines.stages.select import light, select
from pipelines.store import DiskFull, replace
from pipelines.tombstones import RULE as FORGOTTEN
from pipelines.tombstones import tombstones

log = logging.getLogger(__name__)

WIDENS = 4  # times the window, at most, where shards wait for stragglers
SELECTION_BLOCK = 64  # draws: how finely it is looked for the first prefix that is enough for a selection


RunShard = Callable[[Recipe, int, int, Run], Coroutine[Any, Any, Shard]]


async def directly(recipe: Recipe, start: int, stop: int, run: Run) -> Shard:
    """Run a shard here and now."""
    return await run_shard(recipe.steps, start, stop, run)


class Live(Mapping[int, str]):
    """The draws that are left, each with the id of its problem, in 24 bytes: a long run has millions."""

    def __init__(self, ids: Mapping[int, str]) -> None:
        self._draws = array("q", sorted(ids))
        self._ids = bytes.fromhex("".join(ids[draw] for draw in self._draws))
        self._width = len(self._ids) // max(1, len(self._draws))

    def __getitem__(self, draw: int) -> str:
        place = bisect_left(self._draws, draw)
        if place == len(self._draws) or self._draws[place] != draw:
            raise KeyError(draw)
        return self._ids[place * self._width : (place + 1) * self._width].hex()

    def __iter__(self) -> Iterator[int]:
        return iter(self._draws)

    def __len__(self) -> int:
        return len(self._draws)


@dataclass
class Done:
    """What remains of a shard when it has gone through: enough to make versions, and no more."""

    start: int
    stop: int
    outputs: list[Path]
    out: dict[int, Verdict]  # draws that were not accepted, each with the verdict that says why
    live: Live  # the others, each with the id of its problem
    cases: dict[int, Case]  # of the live ones, where a selection is to look at them
    tokens: array[int]  # that the answers of each draw have; -1 where an engine does not tell

    @classmethod
    def of(cls, shard: Shard, selection: Step | None) -> Done:
        told = {each.id: each for each in shard.facts.verdicts}
        out = {draw: told[id] for draw, id in shard.out.items()}
        live = Live({each.draw or 0: each.id for each in shard.live})
        cases = {each.draw or 0: light(shard.case(each), selection) for each in shard.live if selection}
        return cls(shard.start, shard.stop, shard.outputs, out, live, cases, tokens_of(shard))


def tokens_of(shard: Shard) -> array[int]:
    """What the answers of each draw have in tokens, whoever paid for them and when; -1 where one is not known."""
    tokens = array("q", bytes(8 * (shard.stop - shard.start)))
    for each in shard.facts.attempts:
        place = (each.draw or 0) - shard.start
        known = 0 if each.finish == "refused" else each.completion_tokens
        tokens[place] = -1 if known is None or tokens[place] < 0 else tokens[place] + known
    return tokens


@dataclass
class Progress:
    """How far a run has come, for whoever watches."""

    target: int | None
    limit: int | None
    candidates: int = 0
    accepted: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    by_role: dict[str, dict[str, int]] = field(default_factory=dict)
    budget: dict[str, Any] = field(default_factory=dict)  # what there is and what is spent, as `Purse.told` says it
    started: float = field(default_factory=time.monotonic)
    note: str = ""


class Mill:
    """A run of one recipe: which shards are under way, and what the finished ones gave."""

    def __init__(
        self,
        recipe: Recipe,
        run: Run,
        *,
        workers: int | None,
        run_shard: RunShard,
        watch: Callable[[Progress], None],
        keep: Callable[[Done], None] = lambda done: None,
    ) -> None:
        self._recipe = recipe
        self._run = run
        self._run_shard = run_shard
        self._watch = watch
        self._keep = keep
        self._window = workers or window(recipe)
        self._widest = workers or WIDENS * self._window
        self._next = 0
        self._under_way: dict[asyncio.Task[Shard], int] = {}
        self._early: dict[int, Done] = {}  # finished before an earlier one
        self.finished: list[Done] = []  # without a gap, in draw order
        self._left: list[int] = []  # how many draws are left, up to the end of each
        self._spent: list[int] = []  # how many tokens their answers have, up to the end of each
        self._untold = 0  # draws of which an engine does not tell it
        self.progress = Progress(recipe.accepted, recipe.available)
        self.interrupted = False
        self._kept_at = 0, 0
        self._not_enough = 0  # a prefix of which the selection is known to choose too few
        self._stopped = False

    def interrupt(self) -> None:
        """A person wants it to end: finish what is under way, and begin nothing new."""
        self.interrupted = True
        self.stop()

    async def turn(self) -> int:
        """Run shards until there is enough, or no more to draw; returns where the version ends.

        Raises Misconfigured, Outage or DiskFull when the run cannot go on; what is finished stays.
        """
        try:
            with contextlib.suppress(Stopping):  # a person ended it while a shard was about to ask
                while not self._stopped and self._end() is None:
                    self._admit()
                    if not self._under_way:
                        break
                    await self._one_more()
        finally:
            await self._drain()
        end = self._end()
        return self._made if end is None else end

    def stop(self) -> None:
        """Send nothing new; what is under way is awaited."""
        self._stopped = True
        self._run.client.stop()

    @property
    def _made(self) -> int:
        return self.finished[-1].stop if self.finished else 0

    def _end(self) -> int | None:
        """Where the shortest prefix with the rows that are asked for ends; None while there is none."""
        wanted = self._recipe.accepted
        if self._recipe.tokens is not None:
            return self._end_of_tokens(self._recipe.tokens)
        if wanted is None:
            return None
        if self._recipe.selection:
            return self._end_of_selection(wanted)
        enough = bisect_left(self._left, wanted)
        if enough == len(self._left):
            return None
        before = self._left[enough - 1] if enough else 0
        return list(self.finished[enough].live)[wanted - before - 1] + 1

    def _end_of_tokens(self, most: int) -> int | None:
        """Where the longest prefix ends whose answers have no more tokens than these; None while more may fit."""
        if self._untold:
            raise Misconfigured(
                "target.tokens counts what models write, and one of them does not tell how much it is"
            )
        over = bisect_right(self._spent, most)
        if over == len(self._spent):
            return None
        spent, done = (self._spent[over - 1] if over else 0), self.finished[over]
        fits = sum(so_far <= most for so_far in accumulate(done.tokens, initial=spent)) - 1
        if not (over or fits):
            raise Misconfigured(f"target.tokens = {most}, and the first draw alone took {done.tokens[0]}")
        return done.start + fits

    def _end_of_selection(self, wanted: int) -> int | None:
        """The same when a selection over the whole prefix comes last.

        More draws may make it choose fewer, so this is the first block of draws that is enough, and in it the first
        draw: both are the same however the draws were cut into shards.
        """
        while self._not_enough < self._made:
            end = self._not_enough + SELECTION_BLOCK
            if end > self._made and self._made != self._recipe.available:
                return None
            end = min(end, self._made)
            if self._chosen(end) >= wanted:
                return next(s for s in range(self._not_enough + 1, end + 1) if self._chosen(s) >= wanted)
            self._not_enough = end
        return None

    def _chosen(self, stop: int) -> int:
        return sum(all(each.status == "pass" for each in told) for told in self.choose(stop).values())

    def choose(self, stop: int) -> dict[int, list[Verdict]]:
        """The verdicts of the recipe's selection over the draws before `stop`, by draw."""
        if self._recipe.selection is None:
            return {draw: [] for done in self.finished for draw in done.live if draw < stop}
        cases = {draw: case for done in self.finished for draw, case in done.cases.items() if draw < stop}
        draws = sorted(cases)
        told = select([cases[draw] for draw in draws], self._recipe.selection)
        return dict(zip(draws, told, strict=True))

    def _admit(self) -> None:
        """Start shards, as many as the window holds and as the acceptance so far lets expect to be needed.

        As long as everything is there already it is read one shard at a time, so that a run which has nothing to
        do begins nothing.
        """
        if self._run.client.is_idle():
            self._window = widened(self._window, len(self._under_way), widest=self._widest)
        window = self._window if self._run.fresh.is_set() else 1
        while len(self._under_way) < window and self._next < self._wanted_draws():
            start, stop = self._next, self._shard_end(self._next)
            task = asyncio.create_task(self._run_shard(self._recipe, start, stop, self._run))
            self._under_way[task] = start
            self._next = stop

    def _wanted_draws(self) -> float:
        limit = math.inf if self._recipe.available is None else self._recipe.available
        if self._recipe.tokens is not None:
            spent = self._spent[-1] if self._spent else 0
            return min(limit, 1 + (self._made * self._recipe.tokens / spent if spent else self._made))
        if self._recipe.accepted is None:
            return limit
        missing = self._recipe.accepted - self._kept()
        rate = (self._kept() + 1) / (self._made + 2)
        return min(limit, self._made + max(1, missing) / rate)

    def _kept(self) -> int:
        """How many of the finished draws are accepted; counted anew only when more are finished."""
        if self._recipe.selection is None:
            return self._left[-1] if self._left else 0
        if self._kept_at[0] != self._made:
            self._kept_at = self._made, self._chosen(self._made)
        return self._kept_at[1]

    def _shard_end(self, start: int) -> int:
        """Where a shard from `start` ends: after its rows, with its batch of seeds, where other versions begin to
        count, or with the last draw."""
        ends = [start + self._recipe.rows_per_shard]
        ends += [each.since for each in self._recipe.earlier if each.since > start]
        if self._recipe.seeds:
            ends += [b["first_draw"] for b in self._recipe.seeds.batches if b["first_draw"] > start]
        if self._recipe.available is not None:
            ends.append(self._recipe.available)
        return min(ends)

    async def _one_more(self) -> None:
        """Wait until a shard has finished, the window opens, or half a second has passed for those who watch."""
        waiting: set[asyncio.Task[Any]] = set(self._under_way)
        opens = None if self._run.fresh.is_set() else asyncio.create_task(self._run.fresh.wait())
        if opens:
            waiting.add(opens)
        done, _ = await asyncio.wait(waiting, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
        self._run.client.look_at_the_clock()
        if opens:
            opens.cancel()
        for task in done & self._under_way.keys():
            start = self._under_way.pop(task)
            if isinstance(task.exception(), Stopping) and self._run.client.failure:
                raise self._run.client.failure
            self._early[start] = self._done(task.result())
        self._close_ranks()
        self._tell()

    def _done(self, shard: Shard) -> Done:
        return Done.of(shard, self._recipe.selection)

    def _close_ranks(self) -> None:
        while self._made in self._early:
            self.finished.append(self._early.pop(self._made))
            self._left.append(len(self.finished[-1].live) + (self._left[-1] if self._left else 0))
            self._spent.append(sum(self.finished[-1].tokens) + (self._spent[-1] if self._spent else 0))
            self._untold += self.finished[-1].tokens.count(-1)
            self._keep(self.finished[-1])

    async def _drain(self) -> None:
        """Send nothing new, wait for what is under way, and keep what that finishes."""
        self.stop()
        for step in self._recipe.steps:
            if step.order:
                await step.order.stop()
        while self._under_way:
            done, _ = await asyncio.wait(self._under_way, timeout=0.5)
            for task in done:
                start = self._under_way.pop(task)
                if task.exception() is None:
                    self._early[start] = self._done(task.result())
                elif not isinstance(task.exception(), Stopping | Misconfigured | Outage | DiskFull):
                    log.warning("draws from %d on were not finished: %s", start, task.exception())
            self._close_ranks()
            self._tell()

    def _tell(self) -> None:
        self.progress.candidates = self._made
        self.progress.accepted = self._kept()
        client = self._run.client
        self.progress.counts, self.progress.by_role = dict(client.counts), client.by_role()
        self.progress.budget = client.purse.told()
        draining = f"waiting for {len(self._under_way)} shards under way" if self._stopped and self._under_way else ""
        self.progress.note = client.waits() or draining
        self._watch(self.progress)


def window(recipe: Recipe) -> int:
    """Shards at once: enough that the slowest model's places stay filled while some shards wait for stragglers."""
    places = max(map(_places, recipe.models.values()), default=1)
    return 2 + math.ceil(2 * places / recipe.rows_per_shard)


def widened(window: int, under_way: int, *, widest: int) -> int:
    """One more than before, where it is full and yet hardly anything is asked: all wait for stragglers."""
    return min(window + 1, widest) if under_way >= window else window


def _places(model: Model) -> int:
    """Requests at once, at all endpoints together."""
    return sum(each.get("in_flight", model.in_flight) for each in model.endpoints) or model.in_flight


def accepted_verdicts(mill: Mill, stop: int) -> Iterator[tuple[Done, list[Verdict]]]:
    """For each finished shard before `stop` the verdicts that close its books: one `accepted` for every draw."""
    chosen = mill.choose(stop)
    for done in mill.finished:
        if done.start < stop:
            closing: list[Verdict] = []
            for draw in range(done.start, min(done.stop, stop)):
                if against := done.out.get(draw):
                    closing += [against] if against.rule == FORGOTTEN else []  # no output needs to have it
                    closing.append(_outcome(draw, against.subjects, against))
                    continue
                told = chosen[draw]
                against = next((each for each in told if each.status != "pass"), None)
                closing += [*told, _outcome(draw, (done.live[draw],), against)]
            yield done, closing


def _outcome(draw: int, subjects: Sequence[str], against: Verdict | None) -> Verdict:
    if against is None:
        return verdict(
            subjects=subjects, stage="release@1", draw=draw, rule="accepted@1", status="pass", value="accepted"
        )
    name = against.rule.partition("@")[0]
    reason = orjson.loads(against.evidence).get("reason")
    return verdict(
        subjects=subjects,
        stage="release@1",
        draw=draw,
        rule="accepted@1",
        status="fail",
        value=name if against.status == "fail" else f"{name}: {against.status}",
        evidence={"reason": reason, "verdict": against.id},
    )


# ---------------------------------------------------------------------------------------------------------------
# What a run keeps of itself


@contextlib.contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Hold a dataset for one run; a folder that the run left nothing in goes again. Raises Busy."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "lock"
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_there = path.exists() and path.stat().st_ino == os.fstat(lock.fileno()).st_ino
        except BlockingIOError:
            is_there = False
        if not is_there:  # held by another run, or removed by one that ended this very moment
            lock.seek(0)
            other = lock.read().strip() or "unknown"
            raise Busy(
                f"another run (process {other}) is making {name!r}; wait for it, or give this one another --name"
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            if [each.name for each in folder.iterdir()] == ["lock"]:
                path.unlink()
                folder.rmdir()


class State:
    """What must be known next time: how many draws were begun, over which seeds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._value: dict[str, Any] = {"drawn": 0, "batches": []}
        if path.is_file():
            self._value = orjson.loads(path.read_bytes())

    def settle(self, recipe: Recipe) -> None:
        """Let the seeds continue the batches of earlier runs."""
        if recipe.seeds is None:
            return
        known = self._value["batches"]
        recipe.seeds.settle(known, drawn=self._value["drawn"])
        if recipe.seeds.batches[: len(known)] != known:  # other seeds: the draws begin anew
            self._value["drawn"] = 0
        self._value["batches"] = recipe.seeds.batches

    def begun(self, stop: int) -> None:
        """Remember that facts of the draws before `stop` were made."""
        if stop > self._value["drawn"]:
            self._value["drawn"] = stop
            self._write()

    def _write(self) -> None:
        replace(self._path, orjson.dumps(self._value))


class Log:
    """Which shards of a run are finished, for who looks at it before there is a version: shards.jsonl.

    Begun anew with the first shard of every run, beside the recipe as it runs: what an earlier one finished is read
    again in a moment.
    """

    def __init__(self, home: Path, recipe: Recipe, outputs: Path) -> None:
        self._home, self._recipe, self._outputs = home, recipe, outputs
        self._begun = False

    def add(self, done: Done) -> None:
        """Write down where the outputs of a shard lie, below `data/runs/outputs`."""
        if not self._begun:
            replace(self._home / "recipe.toml", tomli_w.dumps(self._recipe.value).encode())
            replace(self._home / "shards.jsonl", b"")
            self._begun = True
        outputs = [each.relative_to(self._outputs).as_posix() for each in done.outputs]
        told = {"start": done.start, "stop": done.stop, "outputs": outputs}
        with (self._home / "shards.jsonl").open("ab") as file:
            file.write(orjson.dumps(told) + b"\n")


@contextlib.asynccontextmanager
async def opened(
    recipe: Recipe,
    data: Path,
    begun: Callable[[int], None] = lambda stop: None,
    purse: Purse | None = None,
    checkers: int = 2,
    mirror: Mirror | None = None,
) -> AsyncIterator[Run]:
    """What the stages of a run use, open for as long as it takes. `mirror`: that of a run which holds its dataset."""
    mirror = mirror or await asyncio.to_thread(opened_store, data)
    journal = await asyncio.to_thread(Journal, data / "journal", mirror.journal() if mirror else None)
    async with Workers(count=checkers) as workers:
        client = Client(recipe.models, journal, home=data, purse=purse)
        try:
            checks, forgotten = Checks(journal, workers), tombstones(data)
            yield Run(data, recipe.seed, client, checks, begun=begun, forgotten=forgotten, mirror=mirror)
        finally:
            await client.close()
            await journal.close()
