"""A small OpenAI-compatible server for tests and benchmarks, with faults to order.

From a shell it prints its address as its first line and ends cleanly on SIGTERM:

    python -m tests.server --port 0 --fault 429=0.1 --latency 0.3 --log requests.jsonl

A test opens it in its own event loop with `serving`, or as a process of its own with `running`.

It speaks `POST /v1/chat/completions` (not streamed), `GET /v1/models` and, about itself, `GET /stats`.
Texts and usage are a function of the request's messages, seed and limits; `id` and `created` are new in
each reply, as they are on real servers. A token is four characters here, which is cheap and exact.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson
from aiohttp import web
from yarl import URL

Body = dict[str, Any]
TOKEN = 4  # characters


class Said(NamedTuple):
    """What a model said, and whether it was cut at the limit."""

    text: str
    cut: bool


Author = Callable[[Body, int], str | Said]
"""Writes what is said to a request, for the choice of that index. A plain text is the whole answer: the server
leaves out the prefix that it continues and cuts it at the limit. A `Said` stands as it is."""


# Texts


def digest(*parts: bytes) -> bytes:
    return blake2b(b"\0".join(parts), digest_size=8).digest()


def number(*parts: bytes) -> int:
    return int.from_bytes(digest(*parts))


def limit(body: Body) -> int | None:
    """The most tokens to write, or None. Clients of reasoning models send the first name."""
    return body.get("max_completion_tokens") or body.get("max_tokens")


def asked(body: Body) -> list[Body]:
    """The conversation without the prefix of an answer that is to be continued."""
    return body["messages"][:-1] if body.get("continue_final_message") else body["messages"]


LINES = (
    "Write both quantities as multiples of {a}, so that we compare whole numbers, and keep {b} aside.",
    "Suppose the total were {a}; then the remainder would be {b}, which the second condition forbids.",
    "Group the terms in pairs: each pair contributes {a}, and the one left over contributes {b} by itself.",
    "Subtracting the first equation from the second removes one unknown and leaves {a} against {b}.",
    "A check with small values, {a} and {b}, shows the same pattern, so that was no coincidence.",
    "Since {a} and {b} have no common factor, only the whole second amount divides evenly.",
    "Order does not matter, so we divide by the number of arrangements and keep {a} of the {b} cases.",
    "Now substitute back: the left side becomes {a} plus the unknown, the right side {b}, both positive.",
    "Counting from the other end gives {a} again, which agrees with the earlier count once {b} is added.",
    "With speed {a} for the first part and {b} for the rest, the times are in the opposite ratio.",
    "The bound is reached when both parts are equal; other splits of {a} lower the product by at least {b}.",
    "Modulo {a} the powers repeat with a short period, so only the last exponent counts, and it leaves {b}.",
    "Drop a perpendicular: the two right triangles share it, and their bases are {a} and {b} units.",
    "By symmetry it is enough to treat one of the cases, with {a} before {b}; the other has the same number.",
    "Let the smaller number be the unknown. Then the larger is {a} more, and their sum is fixed by {b}.",
    "Here one could be tempted to add {a} twice, but it was counted in the step before, so only {b} is new.",
)


def canned(body: Body, index: int) -> str:
    """About 1.2 kB that end in \\boxed{N}. N is the question's, but for one sample in eight, which slips."""
    question = digest(orjson.dumps(asked(body)))
    sample = digest(question, b"%a/%d" % (body.get("seed"), index))
    rest = int.from_bytes(sample)
    answer = 2 + int.from_bytes(question) % 900 + (rest % 8 == 0) * (1 + rest // 8 % 3)
    lines = [LINES[byte % 16].format(a=byte + 3, b=answer + byte) for byte in (*sample, *question[:2])]
    return "\n".join(lines) + f"\n\nTherefore the answer is \\boxed{{{answer}}}."


def builtin(body: Body, index: int) -> Said:
    """What the pipeline's builtin engine says, as if it sat behind a server. It cuts by its own count of tokens."""
    engine = importlib.import_module("pipelines.inference.builtin")  # late: canned texts need none of it
    seed = body.get("seed") or 0
    reply = engine.reply(
        body["messages"],
        seed=number(b"%d/%d" % (seed, index)) if index else seed,
        temperature=body.get("temperature", 1.0),
        max_tokens=limit(body) or 16_384,
        stop=body.get("stop") or (),
        bad_words=body.get("bad_words") or (),
    )
    return Said(reply.text, reply.finish == "length")


def scripted(path: Path) -> Author:
    """Texts from JSON lines like {"contains": "apples", "content": ["first", "second"]}.

    The first line whose `contains` occurs in the last message speaks; of several contents the request's
    seed and the choice's index take one.
    """
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip()]

    def author(body: Body, index: int) -> str:
        question = str(asked(body)[-1]["content"])
        for line in lines:
            if line.get("contains", "") in question:
                contents = [line["content"]] if isinstance(line["content"], str) else line["content"]
                return contents[number(b"%a/%d" % (body.get("seed"), index)) % len(contents)]
        raise LookupError(f"{path} has no line for {question!r}")

    return author


# Behaviour


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How a server answers. The defaults are a fast, friendly server that never fails.

    author          writes the texts: `canned`, `builtin`, `scripted(path)`, or any function of yours
    fresh           put the number of the call in front of every text, so that no two are equal
    model           the name told by `/v1/models`; a reply echoes the name that was asked for
    ignore_n        give one choice whatever `n` says, as some servers do
    reasoning       the message field that holds the thought, "reasoning_content" or "reasoning"
    api_key         refuse other keys with 401
    latency, jitter seconds: every answer waits `latency` plus a seeded share of `jitter`
    retry_after     seconds, told with 429
    at_once         requests that it bears; those beyond get `throttles` at once
    throttles       "429", "429-date", "429-bare" or "503"
    trickle         seconds between the pieces of an answer that trickles
    faults          rates by name (see `FAULTS`), at most 1 in sum: which one strikes is a function of
                    `seed`, the request's bytes and how often they came before
    schedule        what befalls the first, second, ... arrival: a name of `FAULTS`, or "ok"
    each            the same for the first, second, ... time that each distinct request comes
    seed            of faults and jitter
    log             a file that gets one JSON line for each request, when it has been dealt with
    log_digests     log a digest instead of the whole request
    """

    author: Author = canned
    fresh: bool = False
    model: str = "test"
    ignore_n: bool = False
    reasoning: str | None = None
    api_key: str | None = None
    latency: float = 0.0
    jitter: float = 0.0
    retry_after: float = 1.0
    at_once: int | None = None
    throttles: str = "429"
    trickle: float = 0.5
    faults: Mapping[str, float] | None = None
    schedule: Sequence[str] = ()
    each: Sequence[str] = ()
    seed: int = 0
    log: Path | None = None
    log_digests: bool = False

    def __post_init__(self) -> None:
        for name in (*(self.faults or {}), *self.schedule, *self.each, self.throttles):
            if name != "ok" and name not in FAULTS:
                raise ValueError(f"no fault {name!r}; there are: ok, {', '.join(FAULTS)}")
        if sum((self.faults or {}).values()) > 1:
            raise ValueError(f"the rates of faults sum to more than 1: {dict(self.faults or {})}")


# Replies


def tokens(content: str | list[Body] | None) -> int:
    """How many tokens a message's content is; a list of parts counts its texts."""
    if isinstance(content, list):
        return sum(tokens(part.get("text")) for part in content)
    return -(-len(content or "") // TOKEN)


def completion(body: Body, behaviour: Behaviour, *, call: int) -> Body:
    """The reply to a good request; `call` counts the requests that this server has had."""
    count = 1 if behaviour.ignore_n else body.get("n") or 1
    choices = [choice(body, index, behaviour, call=call) for index in range(count)]
    return {
        "id": f"chatcmpl-{call:016x}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": choices,
        "usage": usage(body["messages"], [choice["message"] for choice in choices], behaviour.reasoning),
    }


def usage(asked: list[Body], said: list[Body], reasoning: str | None) -> Body:
    prompt = sum(tokens(message.get("content")) for message in asked)
    answer = sum(tokens(message["content"]) for message in said)
    if reasoning is None:
        return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
    thought = sum(tokens(message[reasoning]) for message in said)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer + thought,
        "total_tokens": prompt + answer + thought,
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def choice(body: Body, index: int, behaviour: Behaviour, *, call: int) -> Body:
    written = behaviour.author(body, index)
    text, cut = fit(written, body) if isinstance(written, str) else written
    text = f"[call {call}] {text}" if behaviour.fresh else text
    scores = logprobs(text, top=body.get("top_logprobs") or 0) if body.get("logprobs") else None
    return {
        "index": index,
        "message": message(text, cut, behaviour.reasoning),
        "logprobs": scores and {"content": scores},
        "finish_reason": "length" if cut else "stop",
    }


def fit(text: str, body: Body) -> Said:
    """What of the whole answer follows the continued prefix, up to the limit."""
    if body.get("continue_final_message"):
        text = text.removeprefix(body["messages"][-1]["content"])
    most = TOKEN * (limit(body) or len(text))  # characters
    return Said(text[:most], len(text) > most)


def message(text: str, cut: bool, reasoning: str | None) -> Body:
    """Text as a message; a thought told apart ends at </think>, or else at the last blank line."""
    if reasoning is None:
        return {"role": "assistant", "content": text}
    thought, mark, said = text.rpartition("</think>" if "</think>" in text else "\n\n")
    if cut and mark != "</think>":  # the limit fell within the thought
        thought, said = text, ""
    return {"role": "assistant", "content": said or None, reasoning: thought.removeprefix("<think>")}


def logprobs(text: str, *, top: int) -> list[Body]:
    """Made-up but lawful log probabilities: the likeliest token is the one that was said."""
    said = []
    for at in range(0, len(text), TOKEN):
        piece = text[at : at + TOKEN]
        best = -0.01 - number(piece.encode()) % 64 / 100
        ranked = [likelihood(f"{piece}~{k}" if k else piece, best - k) for k in range(top)]
        said.append({**likelihood(piece, best), "top_logprobs": ranked})
    return said


def likelihood(token: str, logprob: float) -> Body:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


# Faults


@dataclass
class Call:
    """One request on its way: what a fault can work with."""

    request: web.BaseRequest
    body: Body
    behaviour: Behaviour
    number: int

    def completion(self) -> Body:
        return completion(self.body, self.behaviour, call=self.number)


def reply(content: Body, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json", headers=headers)


def failure(message: str, *, kind: str, code: str | None = None) -> Body:
    """An error as OpenAI words it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def refused(status: int, message: str, *, code: str | None = None) -> web.Response:
    """The client's own fault: trying again will not help."""
    return reply(failure(message, kind="invalid_request_error", code=code), status=status)


async def too_many(call: Call) -> web.Response:
    return limited(f"{call.behaviour.retry_after:g}")


async def too_many_until(call: Call) -> web.Response:
    return limited(formatdate(time.time() + call.behaviour.retry_after, usegmt=True))


async def too_many_untold(call: Call) -> web.Response:
    return limited(None)


def limited(retry_after: str | None) -> web.Response:
    content = failure("Rate limit reached.", kind="rate_limit_error", code="rate_limit_exceeded")
    return reply(content, status=429, headers={"Retry-After": retry_after} if retry_after else None)


async def server_error(call: Call, *, status: int) -> web.Response:
    return reply(failure(f"The server answers {status} here.", kind="server_error"), status=status)


async def context_exceeded(call: Call) -> web.Response:
    text = "This model's maximum context length is 4096 tokens, and these messages are longer."
    return refused(400, text, code="context_length_exceeded")


async def error_in_200(call: Call) -> web.Response:
    return reply(failure("The provider behind this one is overloaded.", kind="server_error"))


async def malformed(call: Call) -> web.Response:
    return web.Response(body=orjson.dumps(call.completion())[:-20], content_type="application/json")


async def no_choices(call: Call) -> web.Response:
    return reply({**call.completion(), "choices": []})


async def few_choices(call: Call) -> web.Response:
    full = call.completion()
    return reply({**full, "choices": full["choices"][:-1]})


async def many_choices(call: Call) -> web.Response:
    full = call.completion()
    return reply({**full, "choices": [*full["choices"], full["choices"][-1]]})


async def nulls(call: Call) -> web.Response:
    full = call.completion()
    empty = {"index": 0, "message": None, "logprobs": None, "finish_reason": None}
    return reply({**full, "choices": [empty for _ in full["choices"]], "usage": None})


async def null_content(call: Call) -> web.Response:
    full = call.completion()
    for made in full["choices"]:
        made["message"]["content"] = None
    return reply(full)


async def close_before(call: Call) -> web.Response:
    hang_up(call.request)
    return web.Response()  # aiohttp wants one, and finds nobody to send it to


async def close_within(call: Call) -> web.StreamResponse:
    raw, response = await begun(call)
    await response.write(raw[: len(raw) // 2])
    hang_up(call.request)
    return response


async def reset(call: Call) -> web.Response:
    if call.request.transport is not None:
        at_once = struct.pack("ii", 1, 0)  # lingering for 0 seconds: what is under way is thrown away, and told so
        call.request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        call.request.transport.abort()
    return web.Response()


async def trickle(call: Call) -> web.StreamResponse:
    raw, response = await begun(call)
    for at in range(0, len(raw), 64):
        await response.write(raw[at : at + 64])
        await asyncio.sleep(call.behaviour.trickle)
    return response


async def begun(call: Call) -> tuple[bytes, web.StreamResponse]:
    """A good answer, and the response that is to bring it, whose head is sent."""
    raw = orjson.dumps(call.completion())
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(raw)
    await response.prepare(call.request)
    return raw, response


def hang_up(request: web.BaseRequest) -> None:
    if request.transport is not None:  # None: the client was faster
        request.transport.close()


async def hang(call: Call) -> web.Response:
    return await asyncio.get_running_loop().create_future()  # cancelled when the client leaves or the server ends


FAULTS: dict[str, Callable[[Call], Awaitable[web.StreamResponse]]] = {
    "429": too_many,
    "429-date": too_many_until,
    "429-bare": too_many_untold,
    "500": partial(server_error, status=500),
    "502": partial(server_error, status=502),
    "503": partial(server_error, status=503),
    "context": context_exceeded,
    "error-in-200": error_in_200,
    "malformed": malformed,
    "no-choices": no_choices,
    "few-choices": few_choices,
    "many-choices": many_choices,
    "nulls": nulls,
    "null-content": null_content,
    "close": close_before,
    "close-within": close_within,
    "reset": reset,
    "trickle": trickle,
    "hang": hang,
}


def fault(behaviour: Behaviour, *, call: int, key: bytes, times: int) -> str:
    """What befalls a request that is the `call`-th of all (from 0) and came `times` times before, or "ok"."""
    if call < len(behaviour.schedule):
        return behaviour.schedule[call]
    if times < len(behaviour.each):
        return behaviour.each[times]
    drawn = share(behaviour, b"fault", key, times) if behaviour.faults else 1.0
    for name, rate in (behaviour.faults or {}).items():
        drawn -= rate
        if drawn < 0:
            return name
    return "ok"


def share(behaviour: Behaviour, purpose: bytes, key: bytes, times: int) -> float:
    """A number in [0, 1) that depends on nothing but the seed and the request."""
    return number(purpose, key, b"%d/%d" % (behaviour.seed, times)) / 2**64


# The server


class Server:
    """Answers requests as its behaviour says, and keeps the books that `/stats` and the log show."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.url = ""
        self.times: Counter[bytes] = Counter()  # by digest of the request's bytes
        self.statuses: Counter[int] = Counter()  # 0: no answer was given
        self.calls = self.in_flight = self.peak = self.borne = 0
        self.first = self.last = 0.0
        self.log = Log(behaviour.log) if behaviour.log else None
        self._awaited: list[tuple[int, asyncio.Future[None]]] = []

    async def start(self, port: int = 0) -> None:
        # Cancelling the handler of a client that left ends its wait or its hang, and logs it as unanswered.
        of_any_size = partial(web.BaseRequest, loop=asyncio.get_running_loop(), client_max_size=1 << 30)
        self._answering = web.Server(
            self.handle, request_factory=of_any_size, access_log=None, handler_cancellation=True
        )
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(self._answering, "127.0.0.1", port, backlog=1024)
        self.url = "http://127.0.0.1:{1}/v1".format(*self._listening.sockets[0].getsockname())

    async def die(self) -> None:
        """Answer nothing more, whatever is under way, and refuse connections."""
        for each in self._listening.sockets:
            asyncio.get_running_loop().remove_reader(each.fileno())
        for _ in range(3):
            await asyncio.sleep(0)  # asyncio leaks a connection that is accepted just when its server closes
        self._listening.close()
        await self._answering.shutdown(0.1)
        await self._listening.wait_closed()

    async def rise(self) -> None:
        """Be there again, under the same address."""
        port = URL(self.url).port
        assert port is not None
        await self.start(port)

    async def saw(self, calls: int) -> None:
        """Wait until so many requests have come."""
        if self.calls < calls:
            came = asyncio.get_running_loop().create_future()
            self._awaited.append((calls, came))
            await came

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        match request.method, request.path:
            case "POST", "/v1/chat/completions":
                return await self.chat(request)
            case "GET", "/v1/models":
                model = {"id": self.behaviour.model, "object": "model", "created": 0, "owned_by": "tests"}
                return reply({"object": "list", "data": [model]})
            case "GET", "/stats":
                return reply(self.stats())
        return refused(404, f"no route {request.method} {request.path}")

    async def chat(self, request: web.BaseRequest) -> web.StreamResponse:
        """Count the request in, answer it, and count it out whatever came of it."""
        arrived = time.time()
        raw = await request.read()
        key, call = digest(raw), self.calls
        times = self.times[key]
        self.times[key] += 1
        self.calls += 1
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        self.first = self.first or arrived
        self.tell_those_who_wait()
        bears = self.behaviour.at_once is None or self.borne < self.behaviour.at_once
        self.borne += bears
        name = fault(self.behaviour, call=call, key=key, times=times) if bears else self.behaviour.throttles
        status = 0
        try:
            if bears:
                await self.wait(key, times)
            response = await self.answer(request, raw, name=name, call=call)
            status = 0 if name in ("close", "reset") and response.status == 200 else response.status
            return response
        except Exception:
            status = 500  # aiohttp's word for a broken author, whose traceback it logs
            raise
        finally:
            self.in_flight -= 1
            self.borne -= bears
            self.statuses[status] += 1
            self.last = time.time()
            if self.log:
                self.log.write(self.line(raw, key, arrived=arrived, times=times, status=status, fault=name))

    def tell_those_who_wait(self) -> None:
        for calls, came in self._awaited:
            if self.calls >= calls and not came.done():
                came.set_result(None)

    async def wait(self, key: bytes, times: int) -> None:
        behaviour = self.behaviour
        if behaviour.latency or behaviour.jitter:
            await asyncio.sleep(behaviour.latency + behaviour.jitter * share(behaviour, b"wait", key, times))

    async def answer(self, request: web.BaseRequest, raw: bytes, *, name: str, call: int) -> web.StreamResponse:
        key = self.behaviour.api_key
        if key is not None and request.headers.get("Authorization") != f"Bearer {key}":
            return refused(401, "Incorrect API key provided.", code="invalid_api_key")
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            return refused(400, f"not JSON: {error}")
        if problem := objection(body):
            return refused(400, problem)
        if name == "ok":
            return reply(completion(body, self.behaviour, call=call))
        return await FAULTS[name](Call(request, body, self.behaviour, call))

    def line(self, raw: bytes, key: bytes, *, arrived: float, times: int, status: int, fault: str) -> Body:
        told = {} if self.behaviour.log_digests else {"body": raw.decode(errors="replace")}
        return {
            "digest": key.hex(),
            "times": times,
            "status": status,
            "fault": fault,
            "arrived": arrived,
            "done": self.last,
            **told,
        }

    def stats(self) -> Body:
        """Counts since the start; times are seconds since the epoch, 0 before the first request."""
        return {
            "requests": self.calls,
            "distinct": len(self.times),
            "repeats": self.calls - len(self.times),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak,
            "first": self.first,
            "last": self.last,
            "digests": {key.hex(): count for key, count in self.times.items()},
        }


def objection(body: Any) -> str | None:
    """What a real server would say against this request, or None."""
    match body:
        case {"model": str(), "messages": [*_, {"role": str(role)}]}:
            continued = body.get("continue_final_message")
        case _:
            return "a request needs `model` and at least one of `messages`"
    if body.get("stream"):
        return "this server does not stream"
    if continued and body.get("add_generation_prompt", True):
        return "`continue_final_message` needs `add_generation_prompt` to be false"
    if continued and role != "assistant":
        return f"there is nothing of the assistant to continue, the last message is of {role!r}"
    for name in ("max_tokens", "max_completion_tokens", "n"):
        if body.get(name) is not None and body[name] < 1:
            return f"`{name}` must be at least 1"
    return None


class Log:
    """JSON lines, written to the system once a turn of the event loop, so that they outlive any client."""

    def __init__(self, path: Path) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.lines: list[bytes] = []

    def write(self, line: Body) -> None:
        if not self.lines:
            asyncio.get_running_loop().call_soon(self.flush)
        self.lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def flush(self) -> None:
        lines, self.lines = self.lines, []
        if lines:
            os.write(self.file, b"".join(lines))

    def close(self) -> None:
        self.flush()
        os.close(self.file)


AnyServer = TypeVar("AnyServer", bound=Server)


@asynccontextmanager
async def serving(behaviour: Behaviour | None = None, *, port: int = 0) -> AsyncIterator[Server]:
    """A server in this event loop: `server.url` ends in /v1. It ends with the block."""
    async with served(Server(behaviour or Behaviour()), port=port) as server:
        yield server


@asynccontextmanager
async def served(server: AnyServer, *, port: int = 0) -> AsyncIterator[AnyServer]:
    """The same for a server of yours."""
    await server.start(port)
    try:
        yield server
    finally:
        await server.die()
        if server.log:
            server.log.close()


@contextmanager
def running(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The server as a process of its own, with command-line options: its URL, and the process."""
    command = [sys.executable, "-m", "tests.server", "--port", "0", *options]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError(f"the server ended with {process.wait()} before it gave its URL")
            yield url, process
        finally:
            process.terminate()


# The command line


def rate(option: str) -> tuple[str, float]:
    name, _, value = option.partition("=")
    return name, float(value or 1)


def names(option: str) -> tuple[str, ...]:
    """Names of faults, with repeats, as in 429*3,ok,500."""
    runs = (item.partition("*") for item in option.split(","))
    return tuple(name for name, _, times in runs for _ in range(int(times or 1)))


def author(option: str) -> Author:
    return {"canned": canned, "builtin": builtin}.get(option) or scripted(Path(option))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("tests.server", description="An OpenAI-compatible server with faults.")
    add = made.add_argument
    add("--port", type=int, default=8000, help="0 takes a free one")
    add("--author", type=author, default=canned, help="canned, builtin, or a JSONL file of scripted texts")
    add("--fresh", action="store_true", help="answers differ on each call")
    add("--model", default="test")
    add("--ignore-n", action="store_true", help="one choice, whatever n says")
    add("--reasoning", choices=["reasoning_content", "reasoning"], help="the field that holds the thought")
    add("--api-key", help="refuse other keys with 401")
    add("--latency", type=float, default=0.0, help="seconds")
    add("--jitter", type=float, default=0.0, help="seconds, a seeded share of which is added")
    add("--retry-after", type=float, default=1.0, help="seconds, told with 429")
    add("--at-once", type=int, help="requests that it bears; those beyond are throttled")
    add("--throttles", default="429", help="how: 429, 429-date, 429-bare or 503")
    add("--trickle", type=float, default=0.5, help="seconds between the pieces of an answer that trickles")
    add("--fault", dest="faults", type=rate, action="append", metavar="NAME=RATE", help=", ".join(FAULTS))
    add("--schedule", type=names, default=(), help="faults of the first arrivals, like 429*3,ok,500")
    add("--each", type=names, default=(), help="faults of the first arrivals of each distinct request")
    add("--seed", type=int, default=0, help="of faults and jitter")
    add("--log", type=Path, help="file of one JSON line for each request")
    add("--log-digests", action="store_true", help="log a digest instead of the request")
    return made


async def main(options: argparse.Namespace) -> None:
    settings = vars(options)
    port, faults = settings.pop("port"), dict(settings.pop("faults") or ())
    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    async with serving(Behaviour(**settings, faults=faults), port=port) as server:
        print(server.url, flush=True)
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(main(parser().parse_args()))
