"""Batches where there is a store: another machine finds those that a dead one left, and nothing is paid for twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest

from pipelines.inference import batch_records
from pipelines.remote import Remote
from pipelines.store import DiskFull
from tests.batch_server import Provider, batching
from tests.bucket import Bucket, Fault
from tests.pipelines.inference.test_batches import (
    DEATHS,
    expected,
    hasty,  # noqa: F401 - a fixture that is used by itself
    once_each,
    opened,
    requests,
    send,
    until,
)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The store of every data folder."""
    store = Bucket()
    monkeypatch.setattr("pipelines.inference.batches.remote_of", lambda home: Remote(store, "bucket"))
    monkeypatch.setattr("pipelines.remote.WAITS", ())
    return store


@pytest.fixture
def an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_records, "LEFT_BEHIND", 0.0)


QUICK = [("create", "hang"), ("look", "hang")]
OTHERS = [pytest.param(*each, marks=pytest.mark.slow) for each in DEATHS if each not in QUICK]


@pytest.mark.parametrize(("step", "trouble"), [*QUICK, *OTHERS])
def test_another_machine_goes_on_where_one_died(
    tmp_path: Path, bucket: Bucket, an_hour_later: None, step: str, trouble: str
) -> None:
    async def run() -> None:
        async with batching(Provider(calls={step: [trouble]})) as server:
            async with opened(server, tmp_path / "a") as (engine, of):
                dying = asyncio.create_task(send(engine, requests(of)))
                await server.did(step)
            await dying
            for machine in "bc":
                async with opened(server, tmp_path / machine) as (engine, of):
                    assert await send(engine, requests(of)) == expected(requests(of))
            assert once_each(server)

    asyncio.run(run())
    assert not [path for path, content in bucket.objects.items() if b"pencils" in content], "no text is in the store"


def test_a_machine_waits_for_a_batch_that_another_is_about_to_make(tmp_path: Path, bucket: Bucket) -> None:
    async def run() -> None:
        async with (
            batching(Provider(calls={"upload": ["503"] * 20}, looks=4)) as server,
            opened(server, tmp_path / "a") as (one, of),
            opened(server, tmp_path / "b") as (other, _),
        ):
            first = asyncio.create_task(send(one, requests(of)))
            await until(lambda: bool(bucket.objects))
            assert await send(other, requests(of)) == await first == expected(requests(of))
            assert once_each(server)
            assert len(server.batches) == 1

    asyncio.run(run())


def test_who_was_taken_for_dead_makes_no_batch(tmp_path: Path, bucket: Bucket, an_hour_later: None) -> None:
    async def run() -> None:
        async with (
            batching() as server,
            opened(server, tmp_path / "a") as (asleep, of),
            opened(server, tmp_path / "b") as (other, _),
        ):
            upload, awake = asleep._api.upload, asyncio.Event()

            async def uploaded_at_last(name: str, lines: Sequence[bytes]) -> str:
                file = await upload(name, lines)
                await awake.wait()
                return file

            asleep._api.upload = uploaded_at_last
            first = asyncio.create_task(send(asleep, requests(of)))
            await server.did("upload")
            assert await send(other, requests(of)) == expected(requests(of))
            awake.set()
            assert await first == expected(requests(of))
            assert once_each(server)
            assert len(server.batches) == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    ("fault", "step"),
    [("half", 3), *(pytest.param(each, 1, marks=pytest.mark.slow) for each in get_args(Fault))],
)
def test_wherever_the_store_fails_every_request_is_paid_for_once(
    tmp_path: Path, bucket: Bucket, an_hour_later: None, fault: Fault, step: int
) -> None:
    """On the same machine or on another it goes on."""

    async def run(at: int, machine: str) -> bool:
        async with batching() as server:
            bucket.objects.clear()
            bucket.fail(at, fault)
            async with opened(server, tmp_path / f"{at} a") as (engine, of):
                said = await send(engine, requests(of))
                assert said == expected(requests(of)) or all(isinstance(each, DiskFull) for each in said)
            reached = len(bucket.requests) > at
            bucket.fail(None, fault)
            for each in (machine, "c"):
                async with opened(server, tmp_path / f"{at} {each}") as (engine, of):
                    assert await send(engine, requests(of)) == expected(requests(of)), (at, machine)
            assert once_each(server), (at, machine)
            return reached

    for machine in "ab":
        at = step // 2
        while asyncio.run(run(at, machine)):
            at += step
        assert at > 5, "list, three steps, and looking whether it is still ours"


def test_a_batch_from_before_there_was_a_store_is_found_elsewhere(
    tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with batching(Provider(calls={"look": ["hang"]})) as server:
            with monkeypatch.context() as patch:
                patch.setattr("pipelines.inference.batches.remote_of", lambda home: None)
                async with opened(server, tmp_path / "a") as (engine, of):
                    dying = asyncio.create_task(send(engine, requests(of)))
                    await server.did("look")
                await dying
            async with opened(server, tmp_path / "a") as (engine, of):
                engine._read_others()
            async with opened(server, tmp_path / "b") as (engine, of):
                assert await send(engine, requests(of)) == expected(requests(of))
            assert once_each(server)

    asyncio.run(run())


def test_old_batches_leave_the_store(tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with batching() as server:
            for machine in "abb":
                async with opened(server, tmp_path / machine) as (engine, of):
                    await send(engine, requests(of))
            assert len({path.split("/")[3] for path in bucket.objects}) == 1
            monkeypatch.setattr(batch_records, "KEPT", 0.0)
            async with opened(server, tmp_path / "b") as (engine, of):
                engine._read_others()
            assert not bucket.objects
            assert [path.name for path in (tmp_path / "b").rglob("*") if path.is_file()] == ["lock"]

    monkeypatch.setattr(batch_records, "LEFT_BEHIND", 0.0)
    asyncio.run(run())
