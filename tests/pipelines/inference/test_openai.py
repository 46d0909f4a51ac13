"""Endpoints over real sockets: whatever a server does, each row ends where it should."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from pipelines.inference import role
from pipelines.inference.budget import Purse
from pipelines.inference.engine import Misconfigured, Outage, Refused, read
from pipelines.inference.engines import parse_model
from pipelines.inference.model import Message, Model, Request, Sampling, asking
from pipelines.inference.openai import OpenAI
from pipelines.inference.role import Role
from tests.server import Behaviour, Body, Server, canned, objection, serving

QUESTION = "A shelf holds three boxes of 12 pencils. How many pencils is that?"
LINE = [{"role": "user", "content": QUESTION}]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds, for tests of what happens and not of when."""
    monkeypatch.setattr(role, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(role, "LONGEST_PAUSE", 0.02)


def model(url: str | None, **more: Any) -> Model:
    return parse_model("teacher", {"use": f"openai:test@{url}" if url else "openai:test", **more})


def request(
    of: Model,
    messages: Sequence[Message] = LINE,
    *,
    seed: int = 7,
    n: int = 1,
    sampling: Sampling | None = None,
) -> Request:
    return asking(of, sampling or of.sampling, messages).request(seed=seed, sample=0, draw=0, n=n)[1]


@asynccontextmanager
async def engine_for(url: str | None, **more: Any) -> AsyncIterator[tuple[Role, Model]]:
    of = model(url, **more)
    engine = Role(of, OpenAI, Purse({of.role: of}, {}))
    try:
        yield engine, of
    finally:
        await engine.close()


@asynccontextmanager
async def connected(behaviour: Behaviour | None = None, **more: Any) -> AsyncIterator[tuple[Role, Model, Server]]:
    async with serving(behaviour) as server, engine_for(server.url, **more) as (engine, of):
        yield engine, of, server


def ask(
    behaviour: Behaviour | None = None,
    messages: Sequence[Message] = LINE,
    *,
    n: int = 1,
    sampling: Sampling | None = None,
    **more: Any,
) -> tuple[dict[str, Any], Server]:
    """The reply to one request, and the server that gave it."""

    async def once() -> tuple[dict[str, Any], Server]:
        async with connected(behaviour, **more) as (engine, of, server):
            return await engine.send(request(of, messages, n=n, sampling=sampling)), server

    return asyncio.run(once())


@asynccontextmanager
async def handling(handle: Callable[[Body], web.Response | Awaitable[web.Response]]) -> AsyncIterator[str]:
    """A server for what real ones do and the test server does not."""

    async def answer(arrived: web.BaseRequest) -> web.StreamResponse:
        made = handle(orjson.loads(await arrived.read()) | {"authorization": arrived.headers.get("Authorization")})
        return made if isinstance(made, web.Response) else await made

    runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield "http://127.0.0.1:{1}/v1".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


def said(content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(content, status=status, headers=headers)


def completion(content: Any = "36", **more: Any) -> Body:
    return {"choices": [{"message": {"content": content}, "finish_reason": "stop", **more}]}


def log(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# What is asked


def sent(sampling: Sampling | None = None, messages: Sequence[Message] = LINE, n: int = 1, **more: Any) -> Body:
    of = model("http://127.0.0.1:1/v1", **more)
    return OpenAI(of).body(request(of, messages, n=n, sampling=sampling))


def test_a_bare_request_holds_nothing_that_the_recipe_did_not_ask_for():
    assert sent() == {"model": "test", "messages": LINE, "max_tokens": 4096, "seed": 7}


def test_every_sampling_parameter_arrives_as_it_was_given():
    given: dict[str, Any] = {
        "max_tokens": 99,
        "temperature": 0.0,
        "top_p": 0.9,
        "top_k": 20,
        "min_p": 0.05,
        "presence_penalty": 0.1,
        "frequency_penalty": -0.2,
        "repetition_penalty": 1.05,
        "stop": ["\n\n"],
        "bad_words": ["foo"],
    }
    assert set(given) | {"logprobs", "extra"} == set(Sampling.__dataclass_fields__)
    body = sent(Sampling(**given, logprobs=3, extra={"reasoning_effort": "low"}))
    wanted = {**given, "logprobs": True, "top_logprobs": 3, "reasoning_effort": "low"}
    assert body == {"model": "test", "messages": LINE, "seed": 7, **wanted}


def test_a_system_prompt_comes_first():
    assert sent(system="Be brief.")["messages"] == [{"role": "system", "content": "Be brief."}, *LINE]


def test_n_is_sent_only_when_there_is_more_than_one():
    assert "n" not in sent()
    assert sent(n=4)["n"] == 4


def test_a_server_that_knows_no_seed_and_another_name_for_the_limit_is_spared_them():
    body = sent(send_seed=False, limit_field="max_completion_tokens")
    assert body == {"model": "test", "messages": LINE, "max_completion_tokens": 4096}


PREFIX = [*LINE, {"role": "assistant", "content": "Three boxes of 12 are"}]


@pytest.mark.parametrize(
    ("way", "marks", "last"),
    [
        ("vllm", {"add_generation_prompt": False, "continue_final_message": True}, {}),
        ("prefix", {}, {"prefix": True}),
        ("plain", {}, {}),
    ],
)
def test_an_assistants_prefix_is_marked_in_the_servers_way(way: str, marks: Body, last: Body):
    body = sent(messages=PREFIX, continuation=way)
    assert body["messages"] == [*LINE, {**PREFIX[-1], **last}]
    assert {name: body[name] for name in body if name not in ("model", "messages", "max_tokens", "seed")} == marks
    assert way != "vllm" or objection(body) is None


def test_a_prefix_is_continued_and_not_said_again():
    whole = ask()[0]["choices"][0]["message"]["content"]
    prefix = {"role": "assistant", "content": whole[:40]}
    reply, _ = ask(Behaviour(author=lambda body, index: whole), [*LINE, prefix])
    assert reply["choices"][0]["message"]["content"] == whole[40:]


def test_what_arrives_at_the_server_is_what_was_made(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    ask(Behaviour(log=path), sampling=Sampling(temperature=0.5, stop=["END"]), system="Be brief.")
    [line] = log(path)
    assert orjson.loads(line["body"]) == sent(Sampling(temperature=0.5, stop=["END"]), system="Be brief.")


# What is kept of the reply


def test_text_usage_and_finish_are_kept():
    reply, server = ask()
    [answer] = read(reply)
    assert answer.turn.content == canned({"messages": LINE, "seed": 7}, 0)
    assert (answer.turn.role, answer.turn.reasoning, answer.finish) == ("assistant", None, "stop")
    assert answer.prompt_tokens == -(-len(QUESTION) // 4)
    assert answer.completion_tokens == -(-len(answer.turn.content or "") // 4)
    assert "id" not in reply  # and nothing else that is new in every reply
    assert "created" not in reply
    assert server.calls == 1


def test_an_answer_cut_at_the_limit_says_so():
    [answer] = read(ask(sampling=Sampling(max_tokens=5))[0])
    assert (answer.finish, answer.completion_tokens, len(answer.turn.content or "")) == ("length", 5, 20)


def test_the_usage_of_several_choices_sums_to_what_was_paid():
    reply, _ = ask(n=3)
    answers = read(reply)
    assert len({answer.turn.content for answer in answers}) == 3
    for name in ("prompt_tokens", "completion_tokens"):
        assert sum(getattr(answer, name) for answer in answers) == reply["usage"][name]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_told_apart_stays_apart(field: str):
    thought = Behaviour(author=lambda body, index: "<think>12 times 3.</think>It is 36.", reasoning=field)
    reply, _ = ask(thought)
    [answer] = read(reply)
    assert (answer.turn.content, answer.turn.reasoning) == ("It is 36.", "12 times 3.")
    assert answer.reasoning_tokens == reply["usage"]["completion_tokens_details"]["reasoning_tokens"] == 3


def test_reasoning_in_tags_is_taken_out_of_the_text():
    [answer] = read(ask(Behaviour(author=lambda body, index: "<think>\n12 times 3.\n</think>\n\nIt is 36."))[0])
    assert (answer.turn.content, answer.turn.reasoning) == ("It is 36.", "12 times 3.")


def test_a_thought_cut_at_the_limit_is_no_answer():
    author = Behaviour(author=lambda body, index: "<think>12 times 3, or so it seems.</think>36")
    [answer] = read(ask(author, sampling=Sampling(max_tokens=5))[0])
    assert (answer.turn.content, answer.turn.reasoning, answer.finish) == (None, "12 times 3, o"[:13], "length")


def test_log_probabilities_are_kept():
    [answer] = read(ask(sampling=Sampling(max_tokens=2, logprobs=2))[0])
    told = orjson.loads(answer.details)["logprobs"]
    assert "".join(each["token"] for each in told) == answer.turn.content
    assert [len(each["top_logprobs"]) for each in told] == [2, 2]


def test_tool_calls_are_kept_as_they_came():
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}

    async def once() -> dict[str, Any]:
        message = {"content": None, "tool_calls": [call]}
        answer = said({"choices": [{"message": message, "finish_reason": "tool_calls"}]})
        async with handling(lambda body: answer) as url, engine_for(url) as (engine, of):
            return await engine.send(request(of))

    [answer] = read(asyncio.run(once()))
    assert (answer.finish, answer.turn.content) == ("tool_calls", None)
    assert orjson.loads(answer.turn.tool_calls or "") == [call]


def test_null_content_is_an_empty_answer_and_not_asked_again():
    reply, server = ask(Behaviour(each=["null-content"]))
    [answer] = read(reply)
    assert (answer.turn.content, answer.finish, server.calls) == (None, "stop", 1)


def test_choices_are_counted_as_they_came_back():
    assert len(ask(Behaviour(each=["few-choices"]), n=3)[0]["choices"]) == 2
    assert len(ask(Behaviour(ignore_n=True), n=3)[0]["choices"]) == 1


# What passes is tried again


PASSING = [
    "429",
    "429-date",
    "500",
    "502",
    "503",
    "error-in-200",
    "malformed",
    "no-choices",
    "few-choices",  # of one choice that leaves none
    "close",
    "close-within",
    "hang",
]


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("answered_before", [False, True])
def test_a_fault_that_passes_costs_one_more_request_and_nothing_else(fault: str, answered_before: bool):
    behaviour = Behaviour(schedule=["ok"] * answered_before + [fault], retry_after=0.01)

    async def run() -> tuple[dict[str, Any], Server]:
        async with connected(behaviour, timeout=0.3) as (engine, of, server):
            if answered_before:
                await engine.send(request(of, seed=1))
            return await engine.send(request(of)), server

    reply, server = asyncio.run(run())
    assert reply["choices"][0]["message"]["content"] == canned({"messages": LINE, "seed": 7}, 0)
    assert server.calls == 2 + answered_before


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "broken",
    [
        [],
        "36",
        {"choices": None},
        {"choices": [None]},
        {"choices": [{"message": None}]},
        {"choices": [{"message": "36"}]},
        {"choices": [{"text": "36"}]},
        {"error": {"message": "overloaded"}},
    ],
    ids=str,
)
def test_a_body_that_is_no_completion_is_not_believed(broken: Any):
    answers = iter([said(broken), said(completion())])

    async def once() -> dict[str, Any]:
        async with handling(lambda body: next(answers)) as url, engine_for(url) as (engine, of):
            return await engine.send(request(of))

    assert read(asyncio.run(once()))[0].turn.content == "36"


@pytest.mark.usefixtures("hasty")
def test_the_status_is_checked_before_the_body_is_believed():
    answers = iter([said(completion("not this"), status=503), said(completion("this"))])

    async def once() -> dict[str, Any]:
        async with handling(lambda body: next(answers)) as url, engine_for(url) as (engine, of):
            return await engine.send(request(of))

    assert read(asyncio.run(once()))[0].turn.content == "this"


def arrivals(behaviour: Behaviour, rows: int, path: Path) -> list[dict[str, Any]]:
    """The server's log of some rows that are asked one after another, each without waiting for the last."""

    async def run() -> None:
        async with connected(behaviour) as (engine, of, _), asyncio.TaskGroup() as group:
            for seed in range(rows):
                group.create_task(engine.send(request(of, seed=seed)))
                await asyncio.sleep(0.05)

    asyncio.run(run())
    return sorted(log(path), key=lambda line: line["arrived"])


def test_nothing_is_sent_before_the_seconds_that_the_server_names(tmp_path: Path):
    path = tmp_path / "log"
    first, *others = arrivals(Behaviour(schedule=["429"], retry_after=0.6, log=path), 3, path)
    assert first["status"] == 429
    assert [line["status"] for line in others] == [200, 200, 200]
    assert all(line["arrived"] - first["done"] >= 0.6 for line in others)  # its siblings wait too


@pytest.mark.slow
def test_nothing_is_sent_before_the_date_that_the_server_names(tmp_path: Path):
    path = tmp_path / "log"
    first, *others = arrivals(Behaviour(schedule=["429-date"], retry_after=2, log=path), 2, path)
    named = int(first["arrived"] + 2)  # a date has whole seconds
    assert len(others) == 2
    assert all(named <= line["arrived"] for line in others)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("value", ["soon", "-3", "", "Fri, 20 Nov 2020 13:09:24 GMT"])
def test_a_retry_after_that_names_no_moment_to_come_holds_up_nothing(value: str):
    answers = iter([said({}, status=429, headers={"Retry-After": value}), said(completion())])

    async def once() -> float:
        async with handling(lambda body: next(answers)) as url, engine_for(url) as (engine, of):
            started = time.monotonic()
            await engine.send(request(of))
            return time.monotonic() - started

    assert asyncio.run(once()) < 1


def test_pauses_grow_while_a_server_stays_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(role, "FIRST_PAUSE", 0.04)
    path = tmp_path / "log"
    ask(Behaviour(schedule=["503"] * 4, log=path))
    came = [line["arrived"] for line in log(path)]
    pauses = [later - earlier for earlier, later in pairwise(came)]
    for power, pause in enumerate(pauses):
        assert pause >= 0.5 * 0.04 * 2**power


@pytest.mark.usefixtures("hasty")
@pytest.mark.slow
def test_every_row_is_answered_once_under_mixed_faults(tmp_path: Path):
    path, rows = tmp_path / "log", 400
    rates = {name: 0.03 for name in PASSING if name not in ("hang", "429-date")} | {"hang": 0.005}
    behaviour = Behaviour(faults=rates, retry_after=0.02, seed=5, log=path)

    async def run() -> list[dict[str, Any]]:
        async with connected(behaviour, timeout=3) as (engine, of, _):
            return await asyncio.gather(*(engine.send(request(of, seed=seed)) for seed in range(rows)))

    replies = asyncio.run(run())
    for seed, reply in enumerate(replies):
        assert reply["choices"][0]["message"]["content"] == canned({"messages": LINE, "seed": seed}, 0)
    lines = log(path)
    answered = Counter(line["digest"] for line in lines if line["fault"] == "ok")
    assert len(answered) == rows
    assert set(answered.values()) == {1}
    assert len(lines) == rows + sum(line["fault"] != "ok" for line in lines)
    assert {line["fault"] for line in lines} == {*rates, "ok"}


# The row's own fault


def refusing(status: int, text: str, *, of: Callable[[Body], bool]) -> Callable[[Body], web.Response]:
    error = {"object": "error", "message": text, "type": "BadRequestError", "code": status}
    return lambda body: said(error, status=status) if of(body) else said(completion())


async def outcome(engine: Role, asked: Request) -> str:
    try:
        return read(await engine.send(asked))[0].turn.content or ""
    except Refused as error:
        return f"refused: {error}"


def test_a_request_that_is_too_long_is_refused_in_the_servers_words():
    async def once() -> None:
        async with connected(Behaviour(each=["context"])) as (engine, of, server):
            with pytest.raises(Refused, match="status 400: This model's maximum context length is 4096 tokens"):
                await engine.send(request(of))
            assert server.calls == 1

    asyncio.run(once())


TOO_LONG = [
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
    "The prompt (total length 5000) is too long to fit into the model (context length 4096).",
    "litellm.ContextWindowExceededError: context_length_exceeded",
]


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("words", TOO_LONG)
def test_rows_that_are_too_long_never_cost_their_siblings(words: str):
    """They are refused before any of the others, which take longer, has been answered."""

    async def run() -> list[str]:
        async def handle(body: Body) -> web.Response:
            if body["seed"] % 2:
                return said({"object": "error", "message": words, "type": "BadRequestError"}, status=400)
            await asyncio.sleep(0.3)
            return said(completion())

        async with handling(handle) as url, engine_for(url) as (engine, of):
            return await asyncio.gather(*(outcome(engine, request(of, seed=seed)) for seed in range(12)))

    outcomes = asyncio.run(run())
    assert outcomes == ["36", f"refused: status 400: {words}"] * 6


@pytest.mark.parametrize("status", [400, 413, 422])
def test_once_others_are_answered_a_refusal_is_the_rows(status: int):
    async def run() -> list[str]:
        handle = refusing(status, "no, because", of=lambda body: body["seed"] == 1)
        async with handling(handle) as url, engine_for(url) as (engine, of):
            return [await outcome(engine, request(of, seed=seed)) for seed in range(3)]

    assert asyncio.run(run()) == ["36", f"refused: status {status}: no, because", "36"]


@pytest.mark.usefixtures("hasty")
def test_a_row_that_breaks_the_server_is_given_up_while_others_are_answered():
    async def run() -> tuple[list[str], int]:
        tries = Counter[int]()

        def handle(body: Body) -> web.Response:
            tries[body.get("seed", 0)] += 1
            return said({}, status=500) if body.get("seed") == 3 else said(completion())

        async with handling(handle) as url, engine_for(url) as (engine, of):
            bad = asyncio.create_task(outcome(engine, request(of, seed=3)))
            good = []
            while not bad.done():
                good.append(await outcome(engine, request(of, seed=4)))
            return [await bad, *good], tries[3]

    (bad, *good), tries = asyncio.run(run())
    assert bad.startswith("refused: status 500")
    assert set(good) == {"36"}
    assert tries == role.ROW_TRIES


@pytest.mark.usefixtures("hasty")
def test_a_row_that_breaks_the_server_is_given_up_when_it_is_the_last_one_too():
    """Else a run could never end: neither this time, nor when it is started again."""

    async def run() -> str:
        handle = lambda body: said({}, status=500) if body.get("seed") == 3 else said(completion())  # noqa: E731
        async with handling(handle) as url, engine_for(url, outage_limit=5) as (engine, of):
            return await outcome(engine, request(of, seed=3))

    assert asyncio.run(run()).startswith("refused: status 500")


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("trouble", ["500", "error-in-200", "malformed"])
def test_a_bad_night_never_becomes_a_fact(trouble: str):
    """All rows under way fail for longer than one row alone would be given; none of them is to blame."""
    behaviour = Behaviour(schedule=["ok"] + [trouble] * 8 * (role.ROW_TRIES + 2), latency=0.01)

    async def run() -> list[str]:
        async with connected(behaviour) as (engine, of, _):
            return await asyncio.gather(*(outcome(engine, request(of, seed=seed)) for seed in range(9)))

    assert [text for text in asyncio.run(run()) if text.startswith("refused")] == []


@pytest.mark.usefixtures("hasty")
def test_being_held_back_is_not_held_against_a_row():
    came = Counter[int]()

    def handle(body: Body) -> web.Response:
        came[body.get("seed", 0)] += 1
        if body.get("seed") == 2 and came[2] < role.ROW_TRIES:
            return said({}, status=429, headers={"Retry-After": "0"})
        return said({}, status=500) if came[2] == role.ROW_TRIES else said(completion())

    async def run() -> str:
        async with handling(handle) as url, engine_for(url) as (engine, of):
            row = asyncio.create_task(outcome(engine, request(of, seed=2)))
            await outcome(engine, request(of, seed=1))
            return await row

    assert asyncio.run(run()) == "36"
    assert came[2] == role.ROW_TRIES + 1


# The set-up's fault


async def misconfigured(url: str | None, **more: Any) -> str:
    async with engine_for(url, **more) as (engine, of):
        with pytest.raises(Misconfigured) as caught:
            await engine.send(request(of))
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("teacher (test at ")
    return text


def test_a_wrong_key_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOME_KEY", "wrong-key")

    async def once() -> str:
        async with serving(Behaviour(api_key="right-key")) as server:
            text = await misconfigured(server.url, key_env="SOME_KEY")
            assert server.calls == 1
            return text

    text = asyncio.run(once())
    assert "401" in text
    assert text.endswith("is the key in SOME_KEY right?")
    assert "wrong-key" not in text


def test_a_wrong_path_is_told_in_one_line():
    async def once() -> str:
        async with serving() as server:
            return await misconfigured(server.url.removesuffix("/v1"))

    text = asyncio.run(once())
    assert "404" in text
    assert "does the URL end in /v1?" in text


@pytest.mark.usefixtures("hasty")
def test_a_parameter_that_the_server_refuses_in_every_request_is_the_set_ups():
    async def once() -> str:
        handle = refusing(400, "unknown parameter: 'top_k'", of=lambda body: True)
        async with handling(handle) as url:
            return await misconfigured(url)

    assert "unknown parameter: 'top_k'" in asyncio.run(once())


def test_nobody_listening_is_told_within_seconds(monkeypatch: pytest.MonkeyPatch):
    """As long as it is set to be patient; the command line's tests wait that long."""
    assert role.PATIENCE_AT_START < 10
    monkeypatch.setattr(role, "PATIENCE_AT_START", 0.5)
    started = time.monotonic()
    text = asyncio.run(misconfigured(f"http://127.0.0.1:{free_port()}/v1"))
    assert "does not answer" in text
    assert "is it running" in text
    assert time.monotonic() - started < 10


def test_a_missing_key_is_told_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NO_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(Misconfigured, match="needs a key: set NO_KEY"):
        OpenAI(model("http://127.0.0.1:1/v1", key_env="NO_KEY"))
    with pytest.raises(Misconfigured, match="needs a key: set OPENAI_API_KEY"):
        OpenAI(model(None))


def test_a_key_that_becomes_wrong_in_the_middle_is_an_outage_and_no_fact():
    answers = iter([said(completion())])

    async def once() -> None:
        handle = lambda body: next(answers, said({"error": {"message": "expired"}}, status=401))  # noqa: E731
        async with handling(handle) as url, engine_for(url, outage_limit=0.3) as (engine, of):
            await engine.send(request(of))
            with pytest.raises(Outage, match=r"status 401: expired"):
                await engine.send(request(of, seed=8))

    asyncio.run(once())


# Nobody's fault


@pytest.mark.usefixtures("hasty")
def test_an_endpoint_that_comes_back_goes_on():
    port = free_port()

    async def run() -> str:
        async with engine_for(f"http://127.0.0.1:{port}/v1", outage_limit=20) as (engine, of):
            async with serving(port=port):
                await engine.send(request(of))
            row = asyncio.create_task(outcome(engine, request(of, seed=8)))
            await asyncio.sleep(0.5)
            assert not row.done()
            async with serving(port=port):
                return await row

    assert asyncio.run(run()) == canned({"messages": LINE, "seed": 8}, 0)


@pytest.mark.usefixtures("hasty")
def test_an_endpoint_that_stays_away_is_an_outage_after_its_limit():
    port = free_port()

    async def run() -> float:
        async with engine_for(f"http://127.0.0.1:{port}/v1", outage_limit=0.5) as (engine, of):
            async with serving(port=port):
                await engine.send(request(of))
            started = time.monotonic()
            with pytest.raises(Outage, match=r"has not answered for 0\.5 s"):
                await engine.send(request(of, seed=8))
            return time.monotonic() - started

    assert 0.3 < asyncio.run(run()) < 3


@pytest.mark.usefixtures("hasty")
def test_a_role_that_was_not_asked_for_long_has_not_been_silent():
    behaviour = Behaviour(schedule=["ok", "503"])

    async def run() -> str:
        async with connected(behaviour, outage_limit=0.3) as (engine, of, _):
            await engine.send(request(of))
            await asyncio.sleep(0.5)  # other roles are at work
            return await outcome(engine, request(of, seed=8))

    assert asyncio.run(run()) == canned({"messages": LINE, "seed": 8}, 0)


def test_a_server_that_wants_to_be_left_alone_beyond_the_limit_is_an_outage_at_once():
    async def run() -> float:
        async with connected(Behaviour(schedule=["ok", "429"], retry_after=3600), outage_limit=5) as (engine, of, _):
            await engine.send(request(of))
            started = time.monotonic()
            with pytest.raises(Outage):
                await asyncio.wait_for(engine.send(request(of, seed=8)), 3)
            return time.monotonic() - started

    assert asyncio.run(run()) < 1


# Secrets


def test_the_key_goes_to_the_server_and_into_no_error(monkeypatch: pytest.MonkeyPatch):
    """Some servers say the key back."""
    monkeypatch.setenv("SOME_KEY", "sk-secret-123")
    came: list[str] = []

    def handle(body: Body) -> web.Response:
        came.append(body["authorization"])
        return said({"error": {"message": f"bad header: {body['authorization']}"}}, status=401)

    async def once() -> str:
        async with handling(handle) as url:
            return await misconfigured(url, key_env="SOME_KEY")

    text = asyncio.run(once())
    assert came == ["Bearer sk-secret-123"]
    assert "bad header" in text
    assert "sk-secret" not in text


def test_without_a_key_no_header_is_sent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    came: list[Any] = []

    def handle(body: Body) -> web.Response:
        came.append(body["authorization"])
        return said(completion())

    async def once() -> None:
        async with handling(handle) as url, engine_for(url) as (engine, of):
            await engine.send(request(of))

    asyncio.run(once())
    assert came == [None]
