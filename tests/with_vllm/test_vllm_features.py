"""What a real vLLM honours, asked as one that runs already: everything."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipelines.inference.engine import Engine, read
from pipelines.inference.engines import open_engine, parse_model
from pipelines.inference.features import PROBES, Feature, features
from pipelines.inference.managed import Server
from pipelines.inference.model import Model, Sampling, asking

pytest.importorskip("vllm.entrypoints", reason="vLLM is not installed here: make test-vllm")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.filterwarnings("default")]

QUESTION = {"role": "user", "content": "How much is two and two?"}


@pytest.fixture
def attached(
    server: Server, checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Engine, Model]:
    monkeypatch.setenv("KEY_OF_THE_SERVER", server.key)
    use = {"use": f"vllm:{checkpoint}@{server.base}/v1", "key_env": "KEY_OF_THE_SERVER"}
    model = parse_model("teacher", use)
    return open_engine(model, tmp_path), model


def test_every_feature_is_honoured(attached: tuple[Engine, Model], loop: asyncio.Runner) -> None:
    async def scene() -> list[Feature]:
        engine, model = attached
        told = await features(engine, model)
        await engine.close()
        return told

    told = loop.run(scene())
    assert [each for each in told if not each.honoured] == []
    assert [each.name for each in told] == list(PROBES)


def test_a_prefix_is_continued_and_forbidden_words_stay_out(
    attached: tuple[Engine, Model], loop: asyncio.Runner
) -> None:
    async def scene() -> str:
        engine, model = attached
        prefix = {"role": "assistant", "content": "It is"}
        how = Sampling(max_tokens=16, bad_words=["four"], extra={"structured_outputs": {"choice": [" four", " 4"]}})
        reply = await engine.send(asking(model, how, [QUESTION, prefix]).request(seed=1, sample=0, draw=0)[1])
        await engine.close()
        return read(reply)[0].turn.content or ""

    assert loop.run(scene()).strip() in ("four", "4")
