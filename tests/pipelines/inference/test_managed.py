"""Servers that a run starts: served from, looked after, and gone with the run, whatever happens to either."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pipelines.inference import vllm
from pipelines.inference.engine import Again, Misconfigured, Outage
from pipelines.inference.managed import Program, Server, dismiss, hire
from tests import fake_engine

FAKE = str(Path(fake_engine.__file__))
DEADLINE = 60.0  # seconds for what happens in one, on a machine that does a lot besides


def program(folder: Path, *faults: str, **more: Any) -> Program:
    """The fake engine, looked after with little patience."""
    command = (sys.executable, "-I", "-S", FAKE, *faults, "--pids", str(folder / "pids"))
    hasty = {"check_every": 0.05, "checks": 1000, "first_pause": 0.01, "grace": 5.0}
    return Program("vllm:fake/model", command, **{**hasty, **more})


@contextlib.asynccontextmanager
async def running(told: Program, folder: Path) -> AsyncIterator[Server]:
    server = hire(told, folder / "engines")
    try:
        async with asyncio.timeout(DEADLINE):
            yield server
    finally:
        await dismiss(server)


async def ask(server: Server, question: str) -> int:
    """The status of its reply; 0 where there is none."""
    body = {"model": "fake", "messages": [{"role": "user", "content": question}]}
    try:
        async with aiohttp.ClientSession() as session, session.post(f"{server.base}/v1", json=body) as reply:
            return reply.status
    except aiohttp.ClientError:
        return 0


async def ready_at_last(server: Server) -> list[str]:
    """What was said to who waited until it served."""
    told = []
    while True:
        try:
            await server.ready()
        except Again as again:
            told.append(str(again))
        else:
            return told


async def comes(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 — nothing tells of it
        await asyncio.sleep(0.01)


async def starts(server: Server, number: int) -> None:
    await comes(lambda: server.starts >= number)
    await ready_at_last(server)


def processes(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "pids").read_text().split()]


def is_alive(process: int) -> bool:
    """Whether it runs; one that is dead and only not fetched yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(folder: Path) -> bool:
    return not any(is_alive(each) for each in processes(folder))


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def test_it_serves_once_asked_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(program(tmp_path), tmp_path) as server:
            assert not (tmp_path / "pids").exists()  # nobody has asked
            await asyncio.gather(*(server.ready() for _ in range(3)))
            assert await ask(server, "Well?") == 200
            assert await server.is_well()
            assert server.starts == 1
            assert all(is_alive(each) for each in processes(tmp_path))

    asyncio.run(scene())
    assert len(processes(tmp_path)) == 2
    assert gone(tmp_path)


@pytest.mark.parametrize(
    ("fault", "checks"),
    [
        ("die-now", 1000),
        pytest.param("die-slowly", 1000, marks=pytest.mark.slow),
        pytest.param("fall-ill", 2, marks=pytest.mark.slow),
    ],
)
def test_one_that_dies_or_falls_ill_is_started_anew(fault: str, checks: int, tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(program(tmp_path, checks=checks), tmp_path) as server:
            await server.ready()
            await ask(server, fault)
            await starts(server, 2)
            assert await ask(server, fault) == 200
            assert len(server.deaths) == 1
            first, worker, *now = processes(tmp_path)
            assert not is_alive(first)
            assert not is_alive(worker)
            assert all(is_alive(each) for each in now)

    asyncio.run(scene())
    assert gone(tmp_path)


@pytest.mark.slow
def test_one_that_does_nothing_with_work_to_do_is_started_anew(tmp_path: Path) -> None:
    async def scene() -> None:
        told = program(tmp_path, "stuck", pulse=vllm.pulse, stuck_after=0.0)
        async with running(told, tmp_path) as server:
            await server.ready()
            await starts(server, 2)

    asyncio.run(scene())


@pytest.mark.slow
def test_one_that_has_nothing_to_do_is_left_alone(tmp_path: Path) -> None:
    looks: list[str] = []

    def pulse(metrics: str) -> str | None:
        looks.append(metrics)
        return vllm.pulse(metrics)

    async def scene() -> None:
        async with running(program(tmp_path, pulse=pulse, stuck_after=0.0), tmp_path) as server:
            await server.ready()
            await comes(lambda: len(looks) >= 5)
            assert server.starts == 1

    asyncio.run(scene())
    assert "num_requests_running" in looks[0]


@pytest.mark.slow
def test_who_waits_for_a_start_that_fails_is_told_to_try_again(tmp_path: Path) -> None:
    async def scene() -> list[str]:
        async with running(program(tmp_path, "die-once"), tmp_path) as server:
            told = await ready_at_last(server)
            assert await ask(server, "Well?") == 200
            return told

    assert asyncio.run(scene()) == ["the server is started anew: vllm:fake/model ended with status 7"]


@pytest.mark.parametrize(
    ("fault", "limit", "why"),
    [
        ("die", 60.0, "ended with status 7"),
        pytest.param("hang", 0.5, "did not serve within 0.5 s", marks=pytest.mark.slow),
    ],
)
def test_one_that_never_serves_is_set_up_wrongly(fault: str, limit: float, why: str, tmp_path: Path) -> None:
    async def scene() -> str:
        async with running(program(tmp_path, fault, start_within=limit), tmp_path) as server:
            with pytest.raises(Misconfigured) as told:
                await ready_at_last(server)
            with pytest.raises(Misconfigured):  # and stays so: it is not tried for ever
                await server.ready()
            assert server.starts == 2
            assert str(server.log) in str(told.value)
            return str(told.value)

    told = asyncio.run(scene())
    assert f"vllm:fake/model {why}, before it ever served" in told
    assert ("ValueError: no such model" in told) == (fault == "die")
    assert "\x1b" not in told
    assert gone(tmp_path)


@pytest.mark.slow
def test_one_that_dies_again_and_again_is_an_outage(tmp_path: Path) -> None:
    async def scene() -> str:
        async with running(program(tmp_path, deaths=3), tmp_path) as server:
            await server.ready()
            for start in (1, 2, 3):
                await starts(server, start)
                (tmp_path / "pids.die-now").unlink(missing_ok=True)
                await ask(server, "die-now")
            await comes(lambda: len(server.deaths) == 3)
            with pytest.raises(Outage) as told:
                await ready_at_last(server)
            assert server.starts == 3
            return str(told.value)

    told = asyncio.run(scene())
    assert "ended with status 3, and ended 3 times within 60 minutes" in told
    assert "== " in told  # the end of its log
    assert gone(tmp_path)


@pytest.mark.slow
def test_deaths_that_lie_far_apart_are_no_outage(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(program(tmp_path, deaths=2, deaths_within=0.0), tmp_path) as server:
            await server.ready()
            for start in (1, 2, 3):
                await starts(server, start)
                (tmp_path / "pids.die-now").unlink(missing_ok=True)
                await ask(server, "die-now")
            await starts(server, 4)

    asyncio.run(scene())


def test_roles_that_want_the_same_share_one(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(program(tmp_path), tmp_path) as one:
            async with running(program(tmp_path), tmp_path) as other:
                assert one is other
                await other.ready()
            assert await ask(one, "Still there?") == 200
            async with running(program(tmp_path, "stuck"), tmp_path) as third:
                assert third is not one

    asyncio.run(scene())
    assert len(processes(tmp_path)) == 2
    assert gone(tmp_path)


@pytest.mark.slow
def test_a_keeper_that_is_killed_is_noticed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(program(tmp_path), tmp_path) as server:
            await server.ready()
            first = processes(tmp_path)[0]
            os.kill(parent(first), signal.SIGKILL)
            await starts(server, 2)
            assert not is_alive(first)

    asyncio.run(scene())


def parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


RUN = """
import asyncio, sys
from pathlib import Path
from tests.pipelines.inference.test_managed import program, running

async def scene(folder):
    async with running(program(folder), folder) as server:
        await server.ready()
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(scene(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_nothing_outlives_a_run_that_is_killed(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as run:
        assert run.stdout
        assert run.stdout.readline() == b"ready\n"
        run.send_signal(number)
    wait_for(lambda: gone(tmp_path))


def test_only_so_many_logs_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "engines"
    folder.mkdir()
    for number in range(30):
        (folder / f"old-{number}.log").write_text("long ago")
        os.utime(folder / f"old-{number}.log", (number, number))

    async def scene() -> str:
        async with running(program(tmp_path, "hang"), tmp_path) as server:
            start = asyncio.create_task(server.ready())
            await comes(server.log.exists)
            start.cancel()
            assert "vllm:fake/model is starting, for" in (server.waits() or "")
            return server.log.name

    name = asyncio.run(scene())
    assert {path.name for path in folder.iterdir()} == {name, *(f"old-{number}.log" for number in range(10, 30))}
