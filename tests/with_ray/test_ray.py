"""The same recipe on two Ray workers: the version of one process, whoever dies on the way."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
import pytest

from flows import make
from flows.make import Interrupted
from flows.ray import on_ray as runner
from flows.run import Mill
from pipelines.inference.engine import Misconfigured, Outage
from tests.flows.test_killed import journaled
from tests.server import Behaviour, Body, Said, serving
from tests.small import Site, Turned, author, loaded_bytes
from tests.with_ray.conftest import WHY, processes

pytest.importorskip("ray", reason=WHY)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default"),
    pytest.mark.usefixtures("cluster"),
]

LONGEST_PROMPT = 4_000  # bytes that a request of these may ask, at most


def on_ray(site: Site, *changes: str, behaviour: Behaviour | None = None, **how: Any) -> Turned:
    with runner(workers=2) as there:
        return site.turn(*changes, behaviour=behaviour, run_shard=there.run_shard, workers=there.window, **how)


@pytest.fixture
def site(site: Site) -> Site:
    site.value["target"]["candidates"] = 40
    return site


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Turned:
    """What one process makes of the recipe, when every answer is signed with its request."""
    folder = tmp_path_factory.mktemp("alone")
    site = Site(folder)
    site.value["target"]["candidates"] = 40
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder / "data"))
        return site.turn(behaviour=Behaviour(author=Signed()))


class Signed:
    """An author who signs with the digest of what was asked, and keeps a list; something may happen at one answer."""

    def __init__(self, at: int = 0, happens: Any = lambda: None) -> None:
        self.answered: list[str] = []
        self._at, self._happens = at, happens

    def __call__(self, body: Body, index: int) -> Said:
        said = author(body, index)
        mark = blake2b(orjson.dumps([body["messages"], body["seed"]]), digest_size=8).hexdigest()
        self.answered.append(mark)
        if len(self.answered) == self._at:
            self._happens()
        return Said(f"{said.text}\n\nsigned {mark}", said.cut)


def marks(data: Path) -> set[str]:
    """The signatures of all answers that are durable."""
    replies = [entry.reply.decode() for entry in journaled(data)]
    return {mark for reply in replies for mark in re.findall(r"signed ([0-9a-f]{16})", reply)}


def test_two_workers_make_what_one_process_makes(site: Site, data: Path, alone: Turned):
    turned = on_ray(site, behaviour=Behaviour(author=Signed(), latency=0.2))
    assert loaded_bytes(turned.made) == loaded_bytes(alone.made)
    assert turned.digests == alone.digests
    assert turned.requests == alone.requests == turned.made.counts["sent"]
    assert len(list((data / "journal").glob("*.log"))) > 1, "one worker did it all"
    again = on_ray(site)
    assert again.requests == 0
    assert again.made.folder == turned.made.folder


def test_what_workers_make_is_in_the_store(
    site: Site, data: Path, tmp_path: Path, alone: Turned, monkeypatch: pytest.MonkeyPatch
):
    """Set for the driver alone, after the workers have started."""
    (tmp_path / "store").mkdir()
    monkeypatch.setenv("THOUGHTMILL_STORE", f"file://{tmp_path}/store")
    turned = on_ray(site, behaviour=Behaviour(author=Signed()))
    assert loaded_bytes(turned.made) == loaded_bytes(alone.made)
    outputs = {path.parent.name for path in (data / "runs" / "outputs").glob("*/*/manifest.json")}
    assert outputs <= {path.parent.name for path in (tmp_path / "store").glob("runs/outputs/*/*/manifest.json")}
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / "another machine"))
    assert on_ray(site).requests == 0


def test_a_worker_that_is_killed_changes_nothing(site: Site, data: Path, alone: Turned):
    durable: set[str] = set()

    def kill() -> None:
        durable.update(marks(data))
        os.kill(processes("ray::Hand")[0], signal.SIGKILL)

    writer = Signed(at=30, happens=kill)
    turned = on_ray(site, behaviour=Behaviour(author=writer, latency=0.05))
    assert durable
    assert durable.isdisjoint(writer.answered[30:])
    assert loaded_bytes(turned.made) == loaded_bytes(alone.made)
    assert turned.digests == alone.digests
    assert turned.requests >= alone.requests


def test_all_workers_may_die(site: Site, alone: Turned):
    def kill() -> None:
        for pid in processes("ray::Hand"):
            os.kill(pid, signal.SIGKILL)

    turned = on_ray(site, behaviour=Behaviour(author=Signed(at=40, happens=kill), latency=0.05))
    assert loaded_bytes(turned.made) == loaded_bytes(alone.made)


def test_a_leg_that_kills_every_worker_ends_the_run_as_resumable(
    site: Site, alone: Turned, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("flows.ray.RETRIES", 1)

    class Deadly(Signed):
        def __call__(self, body: Body, index: int) -> Said:
            if len(self.answered) >= 20:
                for pid in processes("ray::Hand"):
                    os.kill(pid, signal.SIGKILL)
            return super().__call__(body, index)

    with pytest.raises(Outage, match="the worker died 2 times"):
        on_ray(site, behaviour=Behaviour(author=Deadly(), latency=0.05))
    turned = on_ray(site, behaviour=Behaviour(author=Signed()))
    assert loaded_bytes(turned.made) == loaded_bytes(alone.made)


def test_an_interrupted_run_keeps_every_answer_and_goes_on(site: Site, data: Path, alone: Turned):
    mills: list[Mill] = []
    writer = Signed(at=20, happens=lambda: mills[0].interrupt())
    with pytest.raises(Interrupted):
        on_ray(site, behaviour=Behaviour(author=writer, latency=0.2), began=mills.append)
    assert len(writer.answered) < alone.requests
    assert marks(data) == set(writer.answered)  # what was under way was awaited
    turned = on_ray(site, behaviour=Behaviour(author=Signed()))
    assert loaded_bytes(turned.made) == loaded_bytes(alone.made)
    assert turned.requests == alone.requests - len(writer.answered)


def test_a_server_that_nobody_started_is_told_as_in_one_process(site: Site, data: Path):
    with pytest.raises(Misconfigured, match="does not answer") as raised:
        on_ray(site, behaviour=Behaviour(schedule=["close"] * 10_000))
    assert "\n" not in str(raised.value)
    assert not list(data.glob("datasets/*/v*"))


def test_an_outage_on_one_worker_ends_all_and_the_run_goes_on_later(site: Site, alone: Turned):
    site.value["models"]["teacher"]["outage_limit"] = 0.5
    down = Behaviour(author=Signed(), schedule=["ok"] * 12 + ["503"] * 10_000)
    with pytest.raises(Outage, match="has not answered"):
        on_ray(site, behaviour=down)
    turned = on_ray(site, behaviour=Behaviour(author=Signed()))
    assert loaded_bytes(turned.made) == loaded_bytes(alone.made)
    assert turned.requests == alone.requests - 12


def test_one_runner_does_for_several_runs(site: Site, alone: Turned):
    """The same recipe twice: workers that the end of the first run stopped ask for the second."""
    mills: list[Mill] = []
    writer = Signed(at=20, happens=lambda: mills[0].interrupt())

    async def twice() -> make.Made:
        async with serving(Behaviour(author=writer, latency=0.1)) as server:
            site.value["models"]["teacher"]["use"] = f"openai:test@{server.url}"
            with runner(workers=2) as there:
                how: dict[str, Any] = {"run_shard": there.run_shard, "workers": there.window}
                with pytest.raises(Interrupted):
                    await make.make(site.write(), began=mills.append, **how)
                return await make.make(site.write(), **how)

    assert loaded_bytes(asyncio.run(twice())) == loaded_bytes(alone.made)
    assert len(writer.answered) == alone.requests


def test_both_workers_together_ask_no_more_at_once_than_a_model_bears(site: Site, alone: Turned):
    site.value["models"]["teacher"]["in_flight"] = 6

    async def peak() -> int:
        async with serving(Behaviour(author=Signed(), latency=0.2)) as server:
            site.value["models"]["teacher"]["use"] = f"openai:test@{server.url}"
            with runner(workers=2) as there:
                await make.make(site.write(), run_shard=there.run_shard, workers=there.window)
            return server.peak

    assert 3 < asyncio.run(peak()) <= 6  # three each


def test_both_workers_together_use_up_a_budget_and_no_more(site: Site):
    site.value["models"]["teacher"]["sampling"]["max_tokens"] = 1_000
    site.value.update(target={"candidates": 400}, shard=2)
    made = on_ray(site, "budget.tokens=40000", behaviour=Behaviour(author=Signed(), latency=0.01)).made
    used = sum(made.spent[part]["tokens"] for part in ("spent", "unknown", "before"))
    assert "the budget is spent" in str(made.ended)
    assert 0 <= 40_000 - used < 1_000 + LONGEST_PROMPT
