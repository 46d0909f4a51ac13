"""Whole runs through a provider's batch API: the version of a plain run, and every answer paid for once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import pytest

from flows import make
from flows.make import Made
from pipelines.inference import batches
from tests.batch_server import BatchServer, Provider, batching
from tests.server import Behaviour
from tests.small import Site, attempts, author, loaded_bytes

ROOT = Path(__file__).parents[2]

HASTY = """
import sys
from flows.cli import main
from pipelines.inference import batch_api, batches
batches.GATHER, batches.FIRST_LOOK, batches.LONGEST_LOOK = 0.05, 0.01, 0.01
batch_api.FIRST_PAUSE = batch_api.LISTED_WITHIN = 0.01
main()
"""
KILLS = [("upload", "ok"), ("create", "hang"), ("look", "ok"), ("fetch", "hang"), ("create", "ok"), ("fetch", "ok")]


@pytest.fixture
def plain(site: Site, tmp_path: Path) -> Made:
    """The version that is made without batches."""
    site.value["target"]["candidates"] = 12
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(tmp_path / "plain"))
        made = site.turn().made
    site.value["models"]["teacher"]["batch"] = True
    return made


def recipe(site: Site, server: BatchServer) -> str:
    site.value["models"]["teacher"]["use"] = f"openai:test@{server.url}"
    return site.write()


@pytest.mark.slow
def test_batches_make_the_same_version(site: Site, plain: Made, monkeypatch: pytest.MonkeyPatch):
    for name in ("GATHER", "FIRST_LOOK", "LONGEST_LOOK"):
        monkeypatch.setattr(batches, name, 0.005)

    async def run() -> None:
        async with batching(behaviour=Behaviour(author=author)) as server:
            made = await make.make(recipe(site, server))
            assert loaded_bytes(made) == loaded_bytes(plain)
            assert sorted(server.paid.values()) == [1] * len(attempts(plain))
            assert len(server.batches) < len(attempts(plain)) / 2

    asyncio.run(run())


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_pays_for_every_answer_once(site: Site, plain: Made, data: Path):
    async def run() -> None:
        async with batching(behaviour=Behaviour(author=author)) as server:
            words = [sys.executable, "-c", HASTY, "run", recipe(site, server), "--quiet"]
            for step, trouble in KILLS:
                done = server.counts[step]
                server.provider = Provider(calls={step: ["ok"] * done + [trouble]})
                process = await start(words, data)
                await asyncio.wait(
                    {asyncio.create_task(each) for each in (server.did(step, done + 1), process.wait())},
                    return_when=asyncio.FIRST_COMPLETED,
                )
                with contextlib.suppress(ProcessLookupError):  # it ended by itself that very moment
                    process.kill()
                await process.wait()
            server.provider = Provider()
            process = await start(words, data)
            assert await process.wait() == 0, told(data)
            assert sorted(server.paid.values()) == [1] * len(attempts(plain))

    asyncio.run(run())
    [folder] = data.glob("datasets/small/v*")
    made = Made("small", folder, True, {}, {}, None)
    assert {each.id for each in attempts(made)} == {each.id for each in attempts(plain)}
    assert [each.turns for each in attempts(made)] == [each.turns for each in attempts(plain)]


async def start(words: list[str], data: Path) -> asyncio.subprocess.Process:
    place = {**os.environ, "THOUGHTMILL_DATA": str(data)}
    with data.with_suffix(".txt").open("ab") as out:
        return await asyncio.create_subprocess_exec(*words, cwd=ROOT, env=place, stdout=out, stderr=out)


def told(data: Path) -> str:
    return data.with_suffix(".txt").read_text()
