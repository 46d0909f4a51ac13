"""Shards cut into legs: whoever runs them, the version is that of one process, byte for byte.

Here each worker is an object in this process, and everything passes to it and back as bytes, as it does between
machines; `tests/with_ray` does the same with Ray.
"""

from __future__ import annotations

import asyncio
import itertools
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flows import make
from flows.spread import Back, Job, Leg, Worker, job_of, leg_end, portable, run_spread
from pipelines.bind import Recipe
from pipelines.inference.budget import Spent
from pipelines.inference.client import Stopping
from pipelines.inference.engine import Misconfigured, Outage
from pipelines.recipe import BadRecipe
from pipelines.stage import Run, Shard
from pipelines.store import DiskFull
from tests.each import each_of
from tests.server import Behaviour
from tests.small import Site, Turned, attempts, author, loaded_bytes


class Machines:
    """Workers that take legs in turn, and what was sent to them."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._workers: list[Worker] = []
        self._turn = itertools.count()
        self.sent: list[Leg] = []
        self.bytes = 0  # that passed to and fro

    async def run_shard(self, recipe: Recipe, start: int, stop: int, run: Run) -> Shard:
        if not self._workers:
            job = self._passed(job_of(recipe, run.data, workers=self._count))
            self._workers = [await asyncio.to_thread(Worker, job) for _ in range(self._count)]
        return await run_spread(recipe, start, stop, run, send=self.send)

    async def send(self, leg: Leg) -> Back:
        worker = self._workers[next(self._turn) % self._count]
        self.sent.append(leg)
        return self._passed(await asyncio.to_thread(worker.run, self._passed(leg)))

    def sent_in_order(self) -> list[Leg]:
        return sorted(self.sent, key=lambda leg: (leg.start, leg.first))

    def close(self) -> None:
        for worker in self._workers:
            worker.close()

    def _passed(self, told: Any) -> Any:
        content = pickle.dumps(told)
        self.bytes += len(content)
        return pickle.loads(content)


@contextmanager
def machines(count: int) -> Iterator[Machines]:
    there = Machines(count)
    try:
        yield there
    finally:
        there.close()


def spread(site: Site, count: int, *changes: str, behaviour: Behaviour | None = None) -> tuple[Turned, Machines]:
    with machines(count) as there:
        return site.turn(*changes, behaviour=behaviour, run_shard=there.run_shard), there


def test_two_workers_make_the_version_of_one_process(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    site.value["target"]["candidates"] = 16
    alone = site.turn()
    again, there = spread(site, 2)
    assert (again.requests, there.sent) == (0, [])  # what is there already is not sent
    assert again.made.folder == alone.made.folder
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / "elsewhere"))
    turned, there = spread(site, 2)
    assert loaded_bytes(turned.made) == loaded_bytes(alone.made)
    assert turned.requests == alone.requests == turned.made.counts["sent"]
    # Two legs for each of two shards: up to the ordered rules, and behind them. Of facts only the names travel.
    assert [(leg.first, leg.behind) for leg in there.sent_in_order()] == [(0, 2), (3, 5)] * 2
    assert there.bytes < 20_000 < sum(len(str(each)) for each in attempts(alone.made))


@pytest.mark.slow
def test_a_changed_gate_sends_only_the_steps_behind_it(site: Site):
    site.turn()
    site.stage("verify")["rules"] = ["answer_matches", {"rule": "pass_rate", "at_least": 0.9}]
    turned, there = spread(site, 1)
    assert [(leg.first, leg.behind) for leg in there.sent] == [(4, 5)] * 3
    assert turned.requests == 0


@pytest.mark.slow
def test_seeds_that_are_appended_change_no_earlier_draw(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Workers draw over the driver's batches of seeds, not over those that they find."""

    def grown() -> Turned:
        return site.turn("target.candidates=16")

    site.turn("target.candidates=8")
    site.append_seeds(4)
    alone = grown()
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / "elsewhere"))
    (site.folder / "seeds.jsonl").unlink()
    site.append_seeds(12)
    spread(site, 1, "target.candidates=8")
    site.append_seeds(4)
    turned, _ = spread(site, 1, "target.candidates=16")
    assert loaded_bytes(turned.made) == loaded_bytes(alone.made)


@pytest.mark.slow
def test_an_outage_on_a_worker_ends_the_run_as_it_does_here_and_leaves_what_was_given(site: Site, data: Path):
    site.value["models"]["teacher"].update(outage_limit=0.3)
    down = Behaviour(author=author, schedule=["ok"] * 12 + ["503"] * 10_000)
    with pytest.raises(Outage, match="has not answered"):
        spread(site, 1, behaviour=down)
    assert not list(data.glob("datasets/*/v*"))
    turned, _ = spread(site, 1)
    assert turned.requests == len(attempts(turned.made)) - 12


def test_a_leg_is_tried_again_on_a_worker_that_was_open_before_and_finds_what_the_first_journaled(site: Site):
    """The first worker's reply gets lost; the second had opened the journal when nothing was in it."""

    class Lossy(Machines):
        async def run_shard(self, recipe: Recipe, start: int, stop: int, run: Run) -> Shard:
            first, second = [await asyncio.to_thread(Worker, job_of(recipe, run.data, workers=2)) for _ in range(2)]
            self._workers += [first, second]

            async def send(leg: Leg) -> Back:
                await asyncio.to_thread(first.run, leg)
                for folder in (run.data / "runs" / "outputs").glob("*/*"):  # those of this leg are lost as well
                    if f"{folder.parent.name}/{folder.name}" not in leg.outputs:
                        (folder / "manifest.json").unlink()
                return await asyncio.to_thread(second.run, leg)

            return await run_spread(recipe, start, stop, run, send=send)

    there = Lossy(2)
    try:
        turned = site.turn("target.candidates=8", run_shard=there.run_shard)
    finally:
        there.close()
    assert turned.requests == len(attempts(turned.made))


def test_a_stopped_worker_sends_nothing_more(site: Site):
    made: list[Worker] = []

    async def stopped(recipe: Recipe, start: int, stop: int, run: Run) -> Shard:
        made.append(await asyncio.to_thread(Worker, job_of(recipe, run.data, workers=1)))
        made[0].stop()

        async def send(leg: Leg) -> Back:
            return await asyncio.to_thread(made[0].run, leg)

        return await run_spread(recipe, start, stop, run, send=send)

    try:
        turned = site.turn("target.candidates=8", run_shard=stopped)
    finally:
        made[0].close()
    assert turned.requests == 0
    assert turned.made.ledger["candidates"] == 0


def test_a_worker_that_would_make_other_facts_is_told_to_have_the_same_versions(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    """What verifies has another version on the worker, so its outputs have other names than the driver reckons."""

    class Newer(Machines):
        async def send(self, leg: Leg) -> Back:
            with monkeypatch.context() as patch:
                patch.setattr("pipelines.stage.comparing", lambda: {"math": ["another"]})
                return await super().send(leg)

    there = Newer(1)
    try:
        with pytest.raises(Misconfigured, match="install the same on all machines"):
            site.turn("target.candidates=8", run_shard=there.run_shard)
    finally:
        there.close()


def test_steps_with_ordered_rules_stay_with_the_driver(site: Site):
    steps = make.prepare(site.write()).steps
    ordered = [bool(step.order) for step in steps]
    assert ordered == [False, False, True, False, False]
    assert [leg_end(steps, first) for first in (0, 1, 3, 4)] == [2, 2, 5, 5]


# Whose folder it is


class Elsewhere(Machines):
    """Machines with a data folder of their own."""

    def _passed(self, told: Any) -> Any:
        crossed = super()._passed(told)
        return crossed._replace(data=f"{crossed.data}-elsewhere") if isinstance(crossed, Job) else crossed


def elsewhere(site: Site, *changes: str) -> Turned:
    there = Elsewhere(2)
    try:
        return site.turn("target.candidates=8", *changes, run_shard=there.run_shard)
    finally:
        there.close()


def test_machines_with_folders_of_their_own_need_a_store(site: Site, data: Path):
    with pytest.raises(Misconfigured, match=r"another folder here than the driver's: share it .* THOUGHTMILL_STORE"):
        elsewhere(site)
    assert not list(data.glob("journal/*"))


def test_over_folders_of_their_own_no_budget_of_tokens_or_money_can_be_kept(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "store").mkdir()
    monkeypatch.setenv("THOUGHTMILL_STORE", f"file://{tmp_path}/store")
    with pytest.raises(Misconfigured, match="tokens cannot be kept where machines have data folders of their own"):
        elsewhere(site, "budget.tokens=1000000")
    turned = elsewhere(site, "budget.hours=10")
    assert turned.requests == len(attempts(turned.made)) > 0


# What crosses


CROSS = [Stopping(), Spent("tokens"), Misconfigured("no key"), Outage("silent"), DiskFull("full"), BadRecipe("no")]


@each_of(CROSS)
def test_what_ends_a_run_crosses_as_itself(error: Exception):
    crossed = pickle.loads(pickle.dumps(portable(error)))
    assert type(crossed) is type(error)
    assert str(crossed) == str(error)


def test_what_cannot_cross_says_what_it_was():
    class Local(Exception):
        pass

    crossed = pickle.loads(pickle.dumps(portable(Local("with a lock"))))
    assert str(crossed) == "Local: with a lock"
    assert "Local" in crossed.__notes__[0]


def test_a_job_names_files_by_where_they_are(site: Site, monkeypatch: pytest.MonkeyPatch):
    """A worker has another working directory."""
    recipe = make.prepare(site.write())
    job = job_of(recipe, Path("data"), workers=1)
    assert isinstance(job, Job)
    assert Path(job.data).is_absolute()
    assert Path(job.folder) == site.folder
