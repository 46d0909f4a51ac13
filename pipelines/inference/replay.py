"""Recorded responses as an engine, for tests: `replay:FILE`.

FILE is JSON lines. Each has `messages` (or `prompt`, the last user message) and `content`, and may have
`reasoning`, `finish_reason` and `usage`. The responses to equal messages serve the samples in their order.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson

from pipelines.inference.engine import Misconfigured, Refused
from pipelines.inference.model import Model, Request


class Replay:
    """Answers what is in the file and refuses everything else."""

    def __init__(self, model: Model) -> None:
        self._path = Path(model.name)
        self._recorded: dict[str, list[dict[str, Any]]] = defaultdict(list)
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError as error:
            raise Misconfigured(f"{model.role}: cannot read {self._path}: {error.strerror}") from error
        for number, line in enumerate(lines, start=1):
            self._record(number, line)

    async def send(self, request: Request) -> dict[str, Any]:
        prompt = next(said["content"] for said in reversed(request.messages) if said["role"] == "user")
        recorded = self._recorded[prompt][request.sample : request.sample + request.n]
        if not recorded:
            raise Refused(f"{self._path} has no response {request.sample} to {prompt[:80]!r}")
        return {"choices": [_choice(line) for line in recorded], "usage": recorded[0].get("usage")}

    async def answers_others(self) -> bool:
        return True

    async def close(self) -> None:
        self._recorded.clear()

    def _record(self, number: int, line: bytes) -> None:
        try:
            said = orjson.loads(line)
            prompt = said["prompt"] if "prompt" in said else said["messages"][-1]["content"]
            self._recorded[prompt].append({"content": said["content"], **said})
        except (orjson.JSONDecodeError, IndexError, KeyError, TypeError) as error:
            raise Misconfigured(f"{self._path}, line {number}: not a recorded response ({error})") from error


def _choice(line: dict[str, Any]) -> dict[str, Any]:
    message = {"content": line["content"], "reasoning": line.get("reasoning")}
    return {"message": message, "finish_reason": line.get("finish_reason", "stop")}
