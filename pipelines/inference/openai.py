"""Any endpoint that speaks OpenAI's chat completions: `openai:MODEL@URL`.

Requests go over aiohttp: the official client costs a multiple of it in processor time (benchmarks/README.md).
A status is read before the body is believed. What will pass is tried again, with growing pauses and jitter, and
never before the moment that the server names; what will not is told apart by whose fault it is: the row's
(`Refused`), the set-up's (`Misconfigured`), or nobody's (`Outage`).
"""

from __future__ import annotations

import asyncio
import email.utils
import os
import random
import re
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
from yarl import URL

from pipelines.inference.engine import Misconfigured, Outage, Refused
from pipelines.inference.model import Model, Request

OPENAI = "https://api.openai.com/v1"

# Settings of a `[models.NAME]` table that belong to this engine. They change what is sent, so they are part of a
# model's identity.
SETTINGS = {
    "limit_field": "max_tokens",  # some models want it as `max_completion_tokens`
    "send_seed": True,  # false for servers that refuse the parameter
    "continuation": "vllm",  # how an assistant's prefix is marked: "vllm", "prefix" (DeepSeek, Mistral) or "plain"
}

CONTINUATIONS: dict[str, dict[str, Any]] = {
    "vllm": {"add_generation_prompt": False, "continue_final_message": True},
    "prefix": {},
    "plain": {},
}

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0  # seconds
CONNECT_WITHIN = 10.0  # seconds
PATIENCE_AT_START = 4.0  # seconds: an endpoint that was never reached is more likely mistyped than down
STRIKES = 3  # refusals before anything was answered, after which it is the set-up that is wrong
ROW_TRIES = 10  # of one request that breaks the server, or takes forever; then it is seen whether others do too
PROBE = [{"role": "user", "content": "Say yes."}]

BROKEN_OFF = {"error", "abort", "insufficient_system_resource"}  # finish reasons of what is no answer
ROW_ERRORS = {400, 413, 422}
OF_THE_ROW = re.compile(rb"context.?length|too long|content.?(?:filter|policy)", re.IGNORECASE)
SETUP_ERRORS = {401, 403, 404, 405}


class OpenAI:
    """One endpoint, for one role and event loop."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._settings = {**SETTINGS, **model.settings}
        self._url = (model.url or OPENAI).rstrip("/")
        self._address = URL(f"{self._url}/chat/completions")
        self._headers = {"Content-Type": "application/json", **_authorization(model, self._url)}
        self._session: aiohttp.ClientSession | None = None
        self._answered = 0
        self._refused = 0
        self._silent_since: float | None = None  # the first failure after the last answer
        self._not_before = 0.0

    async def send(self, request: Request) -> dict[str, Any]:
        body = orjson.dumps(self.body(request))
        tries = by_row = 0
        while True:
            await self._wait_until_allowed()
            try:
                return self._take(await self._post(body), request)
            except Again as again:
                tries, by_row = tries + 1, by_row + again.by_row
                if again.by_row and by_row % ROW_TRIES == 0 and await self._answers_others(request):
                    raise Refused(f"{again} {by_row} times, while others are answered") from again
                self._check_patience(again)
                await self._pause(again, tries)

    async def _answers_others(self, request: Request) -> bool:
        """Whether it answers what no row can have spoilt. Only then a row is to blame: when all requests fail alike,
        that is a bad night, and no fact."""
        probe = {"model": self._model.name, "messages": PROBE, self._settings["limit_field"]: 16}
        try:
            self._take(await self._post(orjson.dumps(probe)), request)
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

    async def _post(self, body: bytes) -> bytes:
        """The body of a reply whose status is 200. Raises Again, Refused or Misconfigured for any other."""
        if self._session is None:
            self._session = _session(self._model.timeout, self._headers)
        try:
            async with self._session.post(self._address, data=body) as reply:
                content = await reply.read()
        except aiohttp.ConnectionTimeoutError as error:
            raise Again(f"no connection within {CONNECT_WITHIN:g} s", reached=False) from error
        except TimeoutError as error:
            raise Again(f"no reply within {self._model.timeout:g} s", by_row=True) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Again(f"{type(error).__name__}: {error}", reached=False) from error
        if reply.status != 200:
            self._explain(reply.status, content, reply.headers)
        return content

    def _take(self, content: bytes, request: Request) -> dict[str, Any]:
        """What is kept of a completion, once it is seen to be one."""
        try:
            said = orjson.loads(content)
            choices = [_choice(choice) for choice in said["choices"]]
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
            raise Again(f"status 200, but no completion: {self._excerpt(content)}", by_row=True) from error
        if not choices:
            raise Again("status 200, but no choices", by_row=True)
        if broken := {choice["finish_reason"] for choice in choices} & BROKEN_OFF:
            raise Again(f"status 200, but broken off ({', '.join(sorted(broken))})", by_row=True)
        self._answered += 1
        self._silent_since = None
        kept = {name: said[name] for name in ("model", "system_fingerprint", "usage") if said.get(name) is not None}
        return {"choices": choices[: request.n], **kept}

    def _explain(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        """Raise what a status other than 200 means."""
        told = f"status {status}: {self._excerpt(content)}"
        if status in SETUP_ERRORS and not self._answered:
            raise Misconfigured(f"{self._name()} answers {told}{_hint(status, self._model)}")
        if status in ROW_ERRORS:
            self._refused += 1
            if self._answered or OF_THE_ROW.search(content):
                raise Refused(told)
            if self._refused >= STRIKES:
                raise Misconfigured(f"{self._name()} refuses every request, {told}")
        raise Again(told, by_row=status == 500, after=_retry_after(headers))

    def _check_patience(self, again: Again) -> None:
        now = time.monotonic()
        self._silent_since = self._silent_since or now  # a role that nobody asks is not silent
        silent = now + (again.after or 0) - self._silent_since
        if not self._answered and not again.reached and silent > PATIENCE_AT_START:
            raise Misconfigured(f"{self._name()} does not answer ({again}); is it running, and is the URL right?")
        if silent > self._model.outage_limit:
            raise Outage(f"{self._name()} has not answered for {self._model.outage_limit:g} s ({again})")

    async def _wait_until_allowed(self) -> None:
        wait = self._not_before - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait + random.uniform(0, 0.1))
            await self._wait_until_allowed()  # it may have been told a later moment meanwhile

    async def _pause(self, again: Again, tries: int) -> None:
        if again.after is not None:  # the server speaks for all requests, not for this one
            self._not_before = max(self._not_before, time.monotonic() + again.after)
        else:
            await asyncio.sleep(random.uniform(0.5, 1) * min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries - 1, 10)))

    def _excerpt(self, content: bytes) -> str:
        """The server's own words, without the key: some say it back."""
        key = self._headers.get("Authorization", "").removeprefix("Bearer ").encode()
        return _excerpt(content.replace(key, b"[the key]") if key else content)

    def _name(self) -> str:
        return f"{self._model.role} ({self._model.name} at {self._url})"


class Again(Exception):
    """A failure that may pass.

    `by_row`: this one request may be what causes it; `after`: seconds that the server asks to be left alone;
    `reached`: the server said so itself.
    """

    def __init__(
        self, message: str, *, by_row: bool = False, after: float | None = None, reached: bool = True
    ) -> None:
        super().__init__(message)
        self.by_row = by_row
        self.after = after
        self.reached = reached


def _session(timeout: float, headers: Mapping[str, str]) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        headers=headers,
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_WITHIN),
        trust_env=any(name.lower().endswith("_proxy") for name in os.environ),
    )


def _authorization(model: Model, url: str) -> dict[str, str]:
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
    return url.startswith("https://") or URL(url).host in ("localhost", "127.0.0.1", "::1")


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


def _retry_after(headers: Mapping[str, str]) -> float | None:
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
