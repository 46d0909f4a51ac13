"""Any endpoint that speaks OpenAI's chat completions: `openai:MODEL@URL`.

Requests go over aiohttp: the official client costs a multiple of it in processor time (benchmarks/README.md).
A status is read before the body is believed. What may pass is `Again`; what will not is told apart by whose fault it
is: the row's (`Refused`) or the set-up's (`Misconfigured`).
"""

from __future__ import annotations

import email.utils
import os
import re
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
from yarl import URL

from pipelines.inference.engine import PROBE, PROBE_TOKENS, Again, Misconfigured, Refused
from pipelines.inference.model import Model, Request
from pipelines.inference.scoring import score_by_echo, score_by_vllm

OPENAI = "https://api.openai.com/v1"

# Settings of a `[models.NAME]` table that belong to this engine. They change what is sent, so they are part of a
# model's identity.
SETTINGS = {
    "limit_field": "max_tokens",  # some models want it as `max_completion_tokens`
    "send_seed": True,  # false for servers that refuse the parameter
    "scoring": "vllm",  # how likelihoods are asked for: "vllm", or "echo" of plain completions
    "continuation": "vllm",  # how an assistant's prefix is marked: "vllm", "prefix" (DeepSeek, Mistral) or "plain"
}

CONTINUATIONS: dict[str, dict[str, Any]] = {
    "vllm": {"add_generation_prompt": False, "continue_final_message": True},
    "prefix": {},
    "plain": {},
}

CONNECT_WITHIN = 10.0  # seconds
STRIKES = 3  # refusals before anything was answered, after which it is the set-up that is wrong

KEPT = ("model", "system_fingerprint", "usage", "prompt_logprobs")  # of a reply, besides its choices
BROKEN_OFF = {"error", "abort", "insufficient_system_resource"}  # finish reasons of what is no answer
ROW_ERRORS = {400, 413, 422}
OF_THE_ROW = re.compile(rb"context.?length|too long|content.?(?:filter|policy)", re.IGNORECASE)
SETUP_ERRORS = {401, 403, 404, 405}
OVERLOAD = {429, 503, 529}  # the last is Anthropic's


class OpenAI:
    """One endpoint, for one role and event loop. `send` tries once."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._settings = {**SETTINGS, **model.settings}
        self._url = (model.url or OPENAI).rstrip("/")
        self._address = URL(f"{self._url}/chat/completions")
        self._headers = {"Content-Type": "application/json", **authorization(model, self._url)}
        self._session: aiohttp.ClientSession | None = None
        self.answered = 0
        self._refused = 0

    async def send(self, request: Request) -> dict[str, Any]:
        return self.take(await self._post(orjson.dumps(self.body(request))), request.n)

    async def score(self, request: Request) -> dict[str, Any]:
        """A likelihood or a reward: one try, at the endpoints that servers have for it."""
        return await (score_by_echo if self._settings["scoring"] == "echo" else score_by_vllm)(request, self._ask)

    async def answers_others(self) -> bool:
        """Whether it answers what no row can have spoilt. Only then a row is to blame: when all requests fail alike,
        that is a bad night, and no fact."""
        probe = {"model": self._model.name, "messages": PROBE, self._settings["limit_field"]: PROBE_TOKENS}
        try:
            self.take(await self._post(orjson.dumps(probe)), 1)
        except (Again, Refused, Misconfigured):
            return False
        return True

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def body(self, request: Request) -> dict[str, Any]:
        """The request's JSON, as the server gets it."""
        sampling = dict(request.sampling)
        body: dict[str, Any] = {"model": self._model.name, "messages": request.messages}
        body[self._settings["limit_field"]] = sampling.pop("max_tokens")
        if self._settings["send_seed"]:
            body["seed"] = request.seed
        if request.n > 1:
            body["n"] = request.n
        if (alternatives := sampling.pop("logprobs", None)) is not None:
            body |= {"logprobs": True, "top_logprobs": alternatives}
        if request.continues:
            body |= self._continuation(request)
        extra = sampling.pop("extra", {})
        return {**body, **sampling, **extra}

    def _continuation(self, request: Request) -> dict[str, Any]:
        if self._settings["continuation"] != "prefix":
            return CONTINUATIONS[self._settings["continuation"]]
        return {"messages": [*request.messages[:-1], {**request.messages[-1], "prefix": True}]}

    async def _ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What the server says to a POST below its root, read."""
        root = self._url.removesuffix("/v1")
        content = await self._post(orjson.dumps({"model": self._model.name, **body}), URL(f"{root}/{path}"))
        try:
            said = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise Again(f"status 200, but no JSON: {self._excerpt(content)}", by_row=True, paid=True) from error
        self.answered += 1
        return said

    async def _post(self, body: bytes, address: URL | None = None) -> bytes:
        """The body of a reply whose status is 200. Raises Again, Refused or Misconfigured for any other."""
        if self._session is None:
            self._session = session(self._url, self._model.timeout, self._headers)
        try:
            async with self._session.post(address or self._address, data=body) as reply:
                content = await reply.read()
        except aiohttp.ConnectionTimeoutError as error:
            raise Again(f"no connection within {CONNECT_WITHIN:g} s", reached=False) from error
        except TimeoutError as error:
            raise Again(f"no reply within {self._model.timeout:g} s", by_row=True, paid=True) from error
        except (aiohttp.ClientError, OSError) as error:
            connected = not isinstance(error, aiohttp.ClientConnectorError)
            raise Again(f"{type(error).__name__}: {error}", reached=False, paid=connected) from error
        if address and reply.status in (404, 405):
            raise Misconfigured(f"{self._name()} has no {address.path}; is this a server, and a model, for scores?")
        if reply.status != 200:
            self.explain(reply.status, content, reply.headers)
        return content

    def take(self, content: bytes, n: int) -> dict[str, Any]:
        """What is kept of a completion, once it is seen to be one."""
        try:
            said = orjson.loads(content)
            choices = [_choice(choice) for choice in said["choices"]]
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
            told = f"status 200, but no completion: {self._excerpt(content)}"
            raise Again(told, by_row=True, paid=True) from error
        if not choices:
            raise Again("status 200, but no choices", by_row=True, paid=True)
        if broken := {choice["finish_reason"] for choice in choices} & BROKEN_OFF:
            raise Again(f"status 200, but broken off ({', '.join(sorted(broken))})", by_row=True, paid=True)
        self.answered += 1
        kept = {name: said[name] for name in KEPT if said.get(name) is not None}
        return {"choices": choices[:n], **kept}

    def explain(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        """Raise what a status other than 200 means."""
        told = f"status {status}: {self._excerpt(content)}"
        if status in SETUP_ERRORS and not self.answered:
            raise Misconfigured(f"{self._name()} answers {told}{_hint(status, self._model)}")
        if status in ROW_ERRORS:
            self._refused += 1
            if self.answered or OF_THE_ROW.search(content):
                raise Refused(told)
            if self._refused >= STRIKES:
                raise Misconfigured(f"{self._name()} refuses every request, {told}")
        raise Again(told, by_row=status == 500, after=retry_after(headers), overloaded=status in OVERLOAD)

    def _excerpt(self, content: bytes) -> str:
        """The server's own words, without the key: some say it back."""
        key = self._headers.get("Authorization", "").removeprefix("Bearer ").encode()
        return _excerpt(content.replace(key, b"[the key]") if key else content)

    def _name(self) -> str:
        return f"{self._model.role} ({self._model.name} at {self._url})"


def session(url: str, timeout: float, headers: Mapping[str, str]) -> aiohttp.ClientSession:
    """A session for an endpoint, through the proxy that the environment names, if it is not on this machine."""
    return aiohttp.ClientSession(
        headers=headers,
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_WITHIN),
        trust_env=not is_loopback(url) and any(name.lower().endswith("_proxy") for name in os.environ),
    )


def authorization(model: Model, url: str) -> dict[str, str]:
    """The key's header. It is read from the environment here and is kept nowhere else."""
    variable = model.key_env or "OPENAI_API_KEY"
    key = os.environ.get(variable)
    if key and (model.key_env or is_private(url)):
        return {"Authorization": f"Bearer {key}"}
    if model.key_env or url == OPENAI:
        raise Misconfigured(f"{model.role} ({model.name} at {url}) needs a key: set {variable}")
    return {}


def is_private(url: str) -> bool:
    """Whether nobody on the way can read what is sent there. A key that no recipe names goes nowhere else."""
    return url.startswith("https://") or is_loopback(url)


def is_loopback(url: str) -> bool:
    return URL(url).host in ("localhost", "127.0.0.1", "::1")


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a choice; raises KeyError or TypeError where it is none."""
    message = choice["message"]
    names = ("content", "reasoning_content", "reasoning", "tool_calls", "refusal")
    kept: dict[str, Any] = {"message": {name: message[name] for name in names if message.get(name) is not None}}
    if isinstance(message.get("content"), list):  # parts, as some Mistral models give them
        kept["message"]["content"] = "".join(part["text"] for part in message["content"] if part["type"] == "text")
    kept["finish_reason"] = choice.get("finish_reason")
    if choice.get("logprobs"):
        kept["logprobs"] = choice["logprobs"]
    return kept


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from a Retry-After in either of its two forms."""
    value = headers.get("Retry-After")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass  # then it is a date
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _excerpt(content: bytes) -> str:
    """The server's own words, short and on one line."""
    try:
        said = orjson.loads(content)
        error = said.get("error", said) if isinstance(said, dict) else said
        text = error.get("message", str(error)) if isinstance(error, dict) else str(error)
    except orjson.JSONDecodeError:
        text = content.decode(errors="replace")
    return " ".join(str(text).split())[:200]


def _hint(status: int, model: Model) -> str:
    if status in (401, 403):
        return f"; is the key in {model.key_env or 'OPENAI_API_KEY'} right?"
    return "; is the model's name right, and does the URL end in /v1?"
