"""What an engine is: something that answers a request, or says in one of three ways why it does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

from pipelines.inference.model import Request
from pipelines.records import Finish, Turn, to_json

PROBE, PROBE_TOKENS = [{"role": "user", "content": "Say yes."}], 16
"""A request that no row can have spoilt, and the most tokens of its answer."""


class Refused(Exception):
    """The engine will never answer this request; a fact about the request. The message says why."""


class Misconfigured(Exception):
    """The engine cannot be used as it is set up; nothing about any row. The message says how to mend it."""


class Outage(Exception):
    """The engine has not answered for too long. What it gave is kept, and the run can go on later."""


class Again(Exception):
    """A failure that may pass.

    `by_row`: this one request may be what causes it; `after`: seconds that the endpoint asks to be left alone;
    `reached`: the endpoint said so itself; `overloaded`: it says that it has too much to do; `paid`: an answer may
    have been computed and billed that never came.
    """

    def __init__(
        self,
        message: str,
        *,
        by_row: bool = False,
        after: float | None = None,
        reached: bool = True,
        overloaded: bool = False,
        paid: bool = False,
    ) -> None:
        super().__init__(message)
        self.by_row = by_row
        self.after = after
        self.reached = reached
        self.overloaded = overloaded
        self.paid = paid

    @property
    def kind(self) -> str:
        """What happened, without the endpoint's own words."""
        return str(self).partition(":")[0]


class Engine(Protocol):
    """Where answers come from: one try at one endpoint. Waiting and trying again are the business of `Role`.

    `send` gives a reply in the form of an OpenAI chat completion: `choices`, each with `message` and
    `finish_reason`, and where known `usage` and `model`. It raises Refused, Misconfigured, Outage or Again.
    """

    async def send(self, request: Request) -> dict[str, Any]: ...

    async def answers_others(self) -> bool:
        """Whether it answers a request that no row can have spoilt."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Slow(Protocol):
    """An engine whose requests may wait in it for long: for a server that starts, for a batch."""

    def waits(self) -> str | None:
        """What it waits for, in a few words."""
        ...

    def stop(self) -> None:
        """Let go those who wait; each raises Again or Outage."""
        ...


@runtime_checkable
class HoldsGPUs(Protocol):
    """An engine that takes GPUs of its own, and says how many it takes or, negative, gives back."""

    hold_gpus: Callable[[int], None]


class Answer(NamedTuple):
    """One choice of a reply, read."""

    turn: Turn
    finish: Finish
    prompt_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None
    details: str  # a JSON object: the model as the engine names it, logprobs, why it was refused
    apart: bool = False  # whether the engine itself told its reasoning from its answer


THINK = re.compile(r"\A\s*(?:<think>)?(.*?)</think>\s*", re.DOTALL)
FINISHES: dict[str | None, Finish] = {
    "length": "length",
    "model_length": "length",  # Mistral
    "tool_calls": "tool_calls",
    "content_filter": "refused",
}


def read(reply: dict[str, Any]) -> list[Answer]:
    """The answers in a journaled reply, one for each choice that came back; one for a refusal."""
    if "refused" in reply:
        nothing = Turn("assistant", None)
        return [Answer(nothing, "refused", None, None, None, to_json({"reason": reply["refused"]}))]
    choices = reply["choices"]
    usage = reply.get("usage") or {}
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    asked = [usage.get("prompt_tokens")] + [0] * (len(choices) - 1)  # the prompt is read once for all choices
    answered = _share(usage.get("completion_tokens"), len(choices))
    thought = _share(reasoning, len(choices))
    return [
        Answer(
            _turn(choice),
            finish(choice),
            asked[i],
            answered[i],
            thought[i],
            _details(reply, choice),
            _reasoning(choice) is not None,
        )
        for i, choice in enumerate(choices)
    ]


def finish(choice: dict[str, Any]) -> Finish:
    return FINISHES.get(choice.get("finish_reason"), "stop")


def _turn(choice: dict[str, Any]) -> Turn:
    """The assistant's message, with its reasoning apart, in whichever of three ways it came."""
    message = choice["message"]
    content = message.get("content")
    reasoning = _reasoning(choice)
    if reasoning is None and content:
        content, reasoning = split_think(content, cut=finish(choice) == "length")
    calls = message.get("tool_calls")
    return Turn("assistant", content, reasoning, to_json(calls) if calls else None)


def _reasoning(choice: dict[str, Any]) -> str | None:
    """What the engine gave as reasoning, apart from the content."""
    message = choice["message"]
    return message.get("reasoning_content") or message.get("reasoning") or None


def split_think(content: str, *, cut: bool) -> tuple[str | None, str | None]:
    """Answer and reasoning of a text that holds its reasoning in `<think>` tags; the opening one may be missing."""
    if "</think>" in content and (found := THINK.match(content)):
        return content[found.end() :] or None, found[1].strip()
    if cut and content.lstrip().startswith("<think>"):
        return None, content.lstrip().removeprefix("<think>").strip()
    return content, None


def _share(total: int | None, among: int) -> list[int | None]:
    """Tokens are told for all choices together: shared out evenly, so that their sum stays right."""
    if total is None:
        return [None] * among
    return [total // among + (i < total % among) for i in range(among)]


def _details(reply: dict[str, Any], choice: dict[str, Any]) -> str:
    said = {
        "served": reply.get("model"),
        "fingerprint": reply.get("system_fingerprint"),
        "refusal": choice["message"].get("refusal"),
        "logprobs": (choice.get("logprobs") or {}).get("content"),
    }
    return to_json({name: value for name, value in said.items() if value is not None})
