"""The builtin engine behind the interface of all engines."""

from __future__ import annotations

import asyncio
from typing import Any

from pipelines.inference.builtin import Faults, reply
from pipelines.inference.model import Model, Request


class Builtin:
    """The embedded symbolic program; its faults are the model's settings."""

    def __init__(self, model: Model) -> None:
        self._faults = Faults(**model.settings)
        self._name = "" if model.name == "builtin" else model.name

    async def send(self, request: Request) -> dict[str, Any]:
        await asyncio.sleep(0)  # it computes in the loop: let others in between
        replies = [
            reply(
                request.messages,
                seed=request.seed + i,
                temperature=request.sampling.get("temperature", 1.0),
                max_tokens=request.sampling["max_tokens"],
                faults=self._faults,
                name=self._name,
                stop=request.sampling.get("stop") or (),
                bad_words=request.sampling.get("bad_words") or (),
            )
            for i in range(request.n)
        ]
        return {
            "choices": [{"message": {"content": said.text}, "finish_reason": said.finish} for said in replies],
            "usage": {
                "prompt_tokens": replies[0].prompt_tokens,
                "completion_tokens": sum(said.completion_tokens for said in replies),
            },
        }

    async def answers_others(self) -> bool:
        return True

    async def close(self) -> None:
        """Nothing is held."""
