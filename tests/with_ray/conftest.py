"""Two Ray workers of one core each, on this machine, for all tests here; and what is known of their processes.

Ray is told that there are two GPUs, which nothing uses but what looks at the numbers.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.ray import start_here

WHY = "Ray is not installed here: make test-ray"
MARK = "THOUGHTMILL_TEST"  # in the environment of every process that Ray starts for these tests


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """A cluster of its own, whichever else this machine may have."""
    ray: Any = importlib.import_module("ray")
    os.environ[MARK] = uuid.uuid4().hex
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # short: sockets in it may have 107 characters
    start_here(ray, 2, num_gpus=2, _temp_dir=folder)
    _both_started(ray)
    yield
    ray.shutdown()
    assert not processes("")
    shutil.rmtree(folder)


def _both_started(ray: Any) -> None:
    """Wait until both processes are there: each joins, and stays until the other has."""

    class Meeting:
        def __init__(self) -> None:
            self.joined = 0
            self.all = asyncio.Event()

        async def join(self) -> None:
            self.joined += 1
            if self.joined == 2:
                self.all.set()
            await self.all.wait()

    def come(meeting: Any) -> None:
        ray.get(meeting.join.remote())

    meeting = ray.remote(num_cpus=0)(Meeting).remote()
    task = ray.remote(num_cpus=1)(come)
    ray.get([task.remote(meeting) for _ in range(2)], timeout=120)


def processes(title: str) -> list[int]:
    """The processes of our cluster whose command begins so, by id."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and int(place.name) != os.getpid() and _is_ours(place, title):
            found.append(int(place.name))
    return sorted(found)


def _is_ours(place: Path, title: str) -> bool:
    try:
        environment = (place / "environ").read_bytes()
        return f"{MARK}={os.environ[MARK]}".encode() in environment and (
            (place / "cmdline").read_bytes().startswith(title.encode())
        )
    except OSError:  # it has just ended
        return False
