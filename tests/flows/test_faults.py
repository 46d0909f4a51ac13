"""Bad nights: whatever an endpoint does, a run ends with the rows of a good one, or goes on when it is run again."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from flows import make
from flows.make import Made
from flows.run import Progress
from pipelines.inference import overdue, role
from pipelines.inference.engine import Outage
from pipelines.records import Attempt
from tests.server import FAULTS, Behaviour, Server, served
from tests.small import Site, attempts, author, loaded_bytes, verdicts

ROWS_OWN = {"context", "null-content"}  # an answer, of which nothing more can be had
SLOW = {"hang", "trickle", "429-date"}  # they cost a time-out, or a second
MIXED = FAULTS.keys() - ROWS_OWN


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds, for tests of what happens and not of when."""
    monkeypatch.setattr(role, "FIRST_PAUSE", 0.002)
    monkeypatch.setattr(role, "LONGEST_PAUSE", 0.1)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The version that a server without faults gives, which is right."""
    return quiet_night(few(Site(tmp_path_factory.mktemp("recipe"))), tmp_path_factory.mktemp("quiet"))


@pytest.fixture
def night(site: Site) -> Site:
    return few(site)


def few(site: Site) -> Site:
    site.value["target"]["candidates"] = 12
    return site


def many(site: Site) -> Site:
    site.append_seeds(60)
    site.value["target"]["candidates"] = 400
    return site


def quiet_night(site: Site, folder: Path) -> Made:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder))
        patch.setattr("pipelines.reports.plots.write_plots", lambda told, folder: [])  # as in `data`
        return site.turn().made


@asynccontextmanager
async def endpoints(*behaviours: Behaviour) -> AsyncIterator[list[Server]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(served(Server(each))) for each in behaviours]


async def run(site: Site, servers: Sequence[Server], **how: Any) -> Made:
    """Run the site's recipe with a teacher who is behind all of these."""
    teacher = site.value["models"]["teacher"]
    site.value["models"]["teacher"] = {
        **teacher,
        "use": "openai:test",
        "endpoints": [{"url": each.url} for each in servers],
    }
    return await make.make(site.write(), **how)


def good(**how: Any) -> Behaviour:
    return Behaviour(author=author, retry_after=0.01, **how)


# Faults that pass


def test_mixed_faults_change_nothing(night: Site, quiet: Made):
    """Three requests in ten fail, each in one of all quick ways, and the version is the one of a quiet night."""
    rates = dict.fromkeys(sorted(MIXED - SLOW), 0.3 / len(MIXED - SLOW))
    turned = night.turn(behaviour=good(faults=rates))
    assert turned.requests > len(attempts(quiet))
    assert loaded_bytes(turned.made) == loaded_bytes(quiet)


@pytest.mark.slow
def test_a_tenth_of_all_faults_changes_nothing_of_a_long_night(site: Site, tmp_path: Path):
    night = many(site)
    night.value["models"]["teacher"]["timeout"] = 1.0
    quiet = quiet_night(night, tmp_path / "quiet")
    log = night.folder / "log"
    rates = dict.fromkeys(sorted(MIXED), 0.1 / len(MIXED))
    turned = night.turn(behaviour=good(faults=rates, log=log, log_digests=True))
    assert loaded_bytes(turned.made) == loaded_bytes(quiet)
    struck = Counter(orjson.loads(line)["fault"] for line in log.read_bytes().splitlines())
    assert struck.keys() == MIXED | {"ok"}
    assert 0.05 < 1 - struck["ok"] / turned.requests < 0.2


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_hangs_or_trickles_costs_no_time_out(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Half an hour each it would be, as the model is set: what the others take tells that it hangs."""
    monkeypatch.setattr(overdue, "AT_LEAST", 0.5)
    night = many(site)
    quiet = quiet_night(night, tmp_path / "quiet")
    turned = night.turn(behaviour=good(faults={"hang": 0.02, "trickle": 0.02}, trickle=60.0))
    assert loaded_bytes(turned.made) == loaded_bytes(quiet)
    assert turned.requests > len(attempts(quiet))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["few-choices", "many-choices"])
def test_choices_are_counted_and_what_is_missing_is_asked_for(night: Site, fault: str):
    night.stage("expand").update(n=3, together=True)
    turned = night.turn(behaviour=good(each=[fault]))
    groups = Counter(each.problem for each in attempts(turned.made) if each.stage.startswith("expand"))
    assert set(groups.values()) == {3}


# Faults that are a row's own


@pytest.mark.slow
@pytest.mark.parametrize("fault", sorted(ROWS_OWN))
def test_what_cannot_be_had_is_a_fact_with_a_reason_and_costs_no_other_row(night: Site, quiet: Made, fault: str):
    made = night.turn(behaviour=good(faults={fault: 0.2})).made
    struck = [each for each in attempts(made) if each.turns[-1].content is None]
    assert struck
    assert all(reason(each) for each in struck if fault == "context")
    right = {each.id: each for each in attempts(quiet)}
    unharmed = [each for each in attempts(made) if each.stage.startswith("pose") and each not in struck]
    assert all(right[each.id] == each for each in unharmed)
    assert_every_draw_is_told_of(made)
    lost = {each.draw for each in struck if each.stage.startswith("pose")}
    assert lost <= {each.draw for each in verdicts(made) if each.rule == "accepted@1" and each.status == "fail"}


def reason(of: Attempt) -> str:
    assert of.finish == "refused"
    return orjson.loads(of.details)["reason"]


def assert_every_draw_is_told_of(made: Made) -> None:
    """Every candidate is accepted, or there is one reason why it is not."""
    told = [each for each in verdicts(made) if each.rule == "accepted@1"]
    assert [each.draw for each in told] == list(range(made.ledger["candidates"]))
    assert all(orjson.loads(each.evidence)["reason"] for each in told if each.status != "pass")


# Several endpoints


def test_when_one_of_two_endpoints_dies_the_other_takes_its_work(night: Site, quiet: Made):
    async def run_it() -> None:
        async with endpoints(good(schedule=["ok"] * 4 + ["hang"] * 100), good()) as (dying, other):
            running = asyncio.create_task(run(night, [dying, other]))
            await dying.saw(5)
            await dying.die()
            assert loaded_bytes(await running) == loaded_bytes(quiet)
            assert (dying.statuses[200], other.statuses[200]) == (4, len(attempts(quiet)) - 4)

    asyncio.run(run_it())


@pytest.mark.slow
def test_endpoints_that_are_dead_or_always_fail_are_passed_over(night: Site, quiet: Made):
    async def run_it() -> None:
        async with endpoints(good(), good(faults={"500": 1.0}), good()) as (dead, failing, well):
            await dead.die()
            made = await run(night, [dead, failing, well])
            assert loaded_bytes(made) == loaded_bytes(quiet)
            assert (dead.calls, well.statuses[200]) == (0, len(attempts(quiet)))
            assert failing.calls > 0

    asyncio.run(run_it())


# Overload


@pytest.mark.slow
@pytest.mark.parametrize("throttles", ["429", "429-bare", "429-date", "503"])
def test_a_throttled_server_is_asked_less_and_no_row_is_lost(night: Site, quiet: Made, throttles: str):
    """It bears four requests at once, and is sent all that there are."""
    turned = night.turn(behaviour=good(at_once=4, latency=0.01, throttles=throttles))
    assert turned.requests > len(attempts(quiet))
    assert loaded_bytes(turned.made) == loaded_bytes(quiet)


@pytest.mark.slow
def test_throttling_costs_few_requests_in_the_long_run(site: Site):
    """After the first rounds hardly more is asked than the server bears."""
    night = many(site)

    async def run_it() -> Server:
        async with endpoints(good(at_once=16, latency=0.02, throttles="429-bare")) as [server]:
            made = await run(night, [server])
            assert server.statuses[200] == len(attempts(made))
            return server

    statuses = asyncio.run(run_it()).statuses
    assert statuses[429] < statuses[200]


# Outages


@pytest.fixture
def doomed() -> Behaviour:
    """A server that answers twelve requests, and no more until it has died."""
    return good(schedule=["ok"] * 12 + ["hang"] * 100)


@pytest.mark.slow
def test_a_server_that_dies_and_returns_is_waited_for_and_that_is_said(
    night: Site, quiet: Made, doomed: Behaviour, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(role, "WORTH_SAYING", 0.0)

    async def run_it() -> None:
        said = asyncio.Event()

        def watch(progress: Progress) -> None:
            if "waits for test at" in progress.note:
                said.set()

        async with endpoints(doomed) as [server]:
            running = asyncio.create_task(run(night, [server], watch=watch))
            await server.saw(13)
            await server.die()
            await said.wait()
            server.behaviour = good()
            await server.rise()
            assert loaded_bytes(await running) == loaded_bytes(quiet)
            assert server.statuses[200] == len(attempts(quiet))

    asyncio.run(run_it())


def versions(data: Path) -> list[str]:
    return [folder.name for folder in data.glob("datasets/*/v*")]


def test_a_server_that_stays_dead_ends_the_run_and_the_next_one_goes_on(
    night: Site, quiet: Made, data: Path, doomed: Behaviour
):
    """No outage becomes a fact, and what was answered before is not asked again."""
    night.value["models"]["teacher"]["outage_limit"] = 0.2

    async def run_it() -> None:
        async with endpoints(doomed) as [server]:
            running = asyncio.create_task(run(night, [server]))
            await server.saw(13)
            await server.die()
            with pytest.raises(Outage, match=r"has not answered for 0\.2 s"):
                await running
            assert versions(data) == []
            server.behaviour = good()
            await server.rise()
            made = await run(night, [server])
            assert loaded_bytes(made) == loaded_bytes(quiet)
            assert server.statuses[200] == len(attempts(quiet))

    asyncio.run(run_it())
