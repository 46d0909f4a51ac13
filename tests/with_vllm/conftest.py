"""One vLLM for all tests here, with a checkpoint of random weights that is made on the spot."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from pipelines.inference import vllm
from pipelines.inference.engines import parse_model
from pipelines.inference.managed import Server, dismiss, hire

# Nothing here is to be fetched from anywhere, and two processes share two cores.
if find_spec("torch"):  # elsewhere these tests are skipped, and others do ask a Hub
    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a tiny Qwen2 of random weights, and a tokenizer that has a token for every byte."""
    from tests.trainers import tiny

    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    speaks = tiny.tokenizer()
    tiny.transformers.set_seed(0)
    sizes = {**tiny.sizes(speaks), "hidden_size": 64, "intermediate_size": 128}  # vLLM wants heads of 32
    tiny.transformers.Qwen2ForCausalLM(tiny.transformers.Qwen2Config(**sizes)).save_pretrained(folder)
    speaks.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.Runner]:
    """The event loop that all tests share, as a server belongs to one."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def server(loop: asyncio.Runner, checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A vLLM that is held for all tests, so that each finds it running; its runs share it by its command."""

    async def hold() -> Server:
        import sys

        told = vllm.program(parse_model("teacher", f"vllm:{checkpoint}"), vllm.packages(sys.executable))
        server = hire(told, tmp_path_factory.mktemp("engines"))
        await server.ready()
        return server

    held = loop.run(hold())
    yield held
    loop.run(dismiss(held))
