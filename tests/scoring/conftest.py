"""Tiny models, made once, and engines that let go of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import pytest

if find_spec("torch"):  # elsewhere these tests are skipped, and others do ask a Hub
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # two test processes on two cores
    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

from pipelines.inference.model import Model, Request
from pipelines.inference.transformers import Transformers

Had = Callable[[Model, Sequence[Request]], list[Any]]
"""The replies of an engine to requests that are made at once; an exception where one is raised."""


@pytest.fixture(scope="session")
def student(tmp_path_factory: pytest.TempPathFactory) -> Model:
    from tests.scoring import tiny

    folder = tiny.student(tmp_path_factory.mktemp("student"))
    return Model(role="student", engine="transformers", name=str(folder), serving={"device": "cpu"})


@pytest.fixture(scope="session")
def critic(tmp_path_factory: pytest.TempPathFactory) -> Model:
    from tests.scoring import tiny

    folder = tiny.critic(tmp_path_factory.mktemp("critic"))
    return Model(role="critic", engine="transformers", name=str(folder), serving={"device": "cpu"})


@pytest.fixture(scope="session")
def had() -> Had:
    return _had


def _had(of: Model, requests: Sequence[Request]) -> list[Any]:
    async def run() -> list[Any]:
        engine = Transformers(of)
        try:
            each = [engine.score(request) if request.score else engine.send(request) for request in requests]
            return await asyncio.gather(*each, return_exceptions=True)
        finally:
            await engine.close()

    return asyncio.run(run())
