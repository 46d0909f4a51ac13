"""The test server speaks the protocol, as OpenAI's own client hears it, and each fault does what it says."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import openai
import orjson
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion

from tests.server import FAULTS, Behaviour, Said, Server, author, canned, running, serving

QUESTION = "A shelf holds three boxes of 12 pencils. How many pencils is that?"


@asynccontextmanager
async def connected(behaviour: Behaviour | None = None) -> AsyncIterator[tuple[AsyncOpenAI, Server]]:
    async with (
        serving(behaviour) as server,
        AsyncOpenAI(base_url=server.url, api_key="right", max_retries=0) as client,
    ):
        yield client, server


def asked(content: str = QUESTION, **more: Any) -> dict[str, Any]:
    return {"model": "asked-for", "messages": [{"role": "user", "content": content}], "seed": 7, **more}


def ask(behaviour: Behaviour | None = None, **more: Any) -> ChatCompletion:
    """One request to a fresh server."""

    async def once() -> ChatCompletion:
        async with connected(behaviour) as (client, _):
            return await client.chat.completions.create(**asked(**more))

    return asyncio.run(once())


async def statuses(server: Server, bodies: list[dict[str, Any]]) -> list[int]:
    """What each body gets, one after another, without a client that could repair anything."""
    async with aiohttp.ClientSession() as session:
        got = []
        for body in bodies:
            async with session.post(f"{server.url}/chat/completions", json=body) as response:
                got.append(response.status)
        return got


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


# The protocol


def test_a_completion_has_what_a_real_one_has():
    reply = ask()
    [choice] = reply.choices
    assert reply.object == "chat.completion"
    assert reply.id.startswith("chatcmpl-")
    assert reply.model == "asked-for"
    assert abs(reply.created - time.time()) < 60
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "stop", "assistant")
    assert choice.message.content is not None
    assert 1000 < len(choice.message.content) < 1400
    assert choice.message.content.endswith("}.")
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == -(-len(QUESTION) // 4)
    assert reply.usage.completion_tokens == -(-len(choice.message.content) // 4)
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_n_choices_differ_and_are_all_paid_for():
    reply = ask(n=3)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in reply.choices}) == 3
    assert reply.usage is not None
    assert reply.usage.completion_tokens > 2 * 1000 // 4


def test_n_can_be_ignored():
    assert len(ask(Behaviour(ignore_n=True), n=3).choices) == 1


def test_the_text_depends_on_the_request_alone():
    first, again, other = ask(), ask(), ask(seed=8)
    assert first.choices[0].message.content == again.choices[0].message.content
    assert first.choices[0].message.content != other.choices[0].message.content


def test_fresh_texts_are_never_equal():
    async def twice() -> tuple[ChatCompletion, ChatCompletion]:
        async with connected(Behaviour(fresh=True)) as (client, _):
            create = client.chat.completions.create
            return await create(**asked()), await create(**asked())

    first, again = asyncio.run(twice())
    assert first.choices[0].message.content == f"[call 0] {canned(asked(), 0)}"
    assert again.choices[0].message.content == f"[call 1] {canned(asked(), 0)}"


def test_a_text_that_an_author_has_cut_stays_as_it_is():
    choice = ask(Behaviour(author=lambda body, index: Said("It runs on", cut=True)), max_tokens=1).choices[0]
    assert (choice.message.content, choice.finish_reason) == ("It runs on", "length")


def test_the_samples_of_a_question_mostly_agree():
    def ending(question: int, seed: int) -> str:
        return canned({**asked(f"Question {question}"), "seed": seed}, 0).rpartition("\n")[2]

    votes = [Counter(ending(question, seed) for seed in range(4)) for question in range(200)]
    agreed = sum(vote.most_common(1)[0][1] >= 3 for vote in votes)
    assert 170 < agreed < 200  # not all: a vote must have something to reject
    assert len({vote.most_common(1)[0][0] for vote in votes}) > 100


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_cut_reply_can_be_continued_to_the_same_text(name: str):
    async def go_on() -> tuple[ChatCompletion, ChatCompletion]:
        async with connected() as (client, _):
            head = await client.chat.completions.create(**{**asked(), name: 100})
            prefix = {"role": "assistant", "content": head.choices[0].message.content}
            extra = {"continue_final_message": True, "add_generation_prompt": False}
            messages = [*asked()["messages"], prefix]
            return head, await client.chat.completions.create(**{**asked(), "messages": messages}, extra_body=extra)

    head, tail = asyncio.run(go_on())
    assert (head.choices[0].finish_reason, tail.choices[0].finish_reason) == ("length", "stop")
    assert head.usage is not None
    assert head.usage.completion_tokens == 100
    texts = [reply.choices[0].message.content or "" for reply in (head, tail)]
    assert "".join(texts) == canned(asked(), 0)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_the_thought_can_have_a_field_of_its_own(field: str):
    reply = ask(Behaviour(reasoning=field))
    whole = reply.choices[0].message
    thought, said = getattr(whole, field), whole.content or ""
    assert f"{thought}\n\n{said}" == canned(asked(), 0)
    assert reply.usage is not None
    assert reply.usage.completion_tokens_details is not None
    assert reply.usage.completion_tokens_details.reasoning_tokens == -(-len(thought) // 4)
    assert reply.usage.completion_tokens == -(-len(thought) // 4) + -(-len(said) // 4)
    cut = ask(Behaviour(reasoning=field), max_tokens=50).choices[0]
    assert (cut.message.content, cut.finish_reason) == (None, "length")
    assert getattr(cut.message, field) == canned(asked(), 0)[:200]


def test_a_marked_thought_ends_at_its_mark():
    behaviour = Behaviour(author=lambda body, index: "<think>Hm.\n\nYes.</think>Four.", reasoning="reasoning")
    message = ask(behaviour).choices[0].message
    assert (message.content, getattr(message, "reasoning", None)) == ("Four.", "Hm.\n\nYes.")


def test_logprobs_cover_the_text_and_rank_the_said_token_first():
    choice = ask(logprobs=True, top_logprobs=2, max_tokens=20).choices[0]
    assert choice.logprobs is not None
    told = choice.logprobs.content or []
    assert "".join(token.token for token in told) == choice.message.content
    for token in told:
        assert token.top_logprobs[0].logprob == token.logprob < 0
        assert token.top_logprobs[1].logprob < token.logprob
    assert ask(max_tokens=20).choices[0].logprobs is None


def test_the_models_are_listed():
    async def models() -> list[str]:
        async with connected(Behaviour(model="small")) as (client, _):
            return [model.id async for model in client.models.list()]

    assert asyncio.run(models()) == ["small"]


def test_the_key_is_checked():
    assert ask(Behaviour(api_key="right")).choices
    with pytest.raises(openai.AuthenticationError):
        ask(Behaviour(api_key="other"))


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"messages": []}, "messages"),
        ({"stream": True}, "stream"),
        ({"max_tokens": 0}, "at least 1"),
        ({"n": 0}, "at least 1"),
        ({"extra_body": {"continue_final_message": True}}, "add_generation_prompt"),
        ({"extra_body": {"continue_final_message": True, "add_generation_prompt": False}}, "'user'"),
    ],
)
def test_a_bad_request_is_told_so(more: dict[str, Any], complaint: str):
    async def wrong() -> None:
        async with connected() as (client, _):
            await client.chat.completions.create(**{**asked(), **more})

    with pytest.raises(openai.BadRequestError, match=complaint):
        asyncio.run(wrong())


def test_what_is_not_json_or_not_there_is_told_so():
    async def wrong() -> tuple[int, int]:
        async with serving() as server, aiohttp.ClientSession() as session:
            async with session.post(f"{server.url}/chat/completions", data=b"{") as garbled:
                pass
            async with session.get(f"{server.url}/elsewhere") as lost:
                pass
            return garbled.status, lost.status

    assert asyncio.run(wrong()) == (400, 404)


# Authors


def test_a_script_answers_by_what_the_question_contains(tmp_path: Path):
    script = tmp_path / "script.jsonl"
    script.write_text('{"contains": "pencils", "content": "36"}\n{"content": ["even", "odd"]}\n')
    behaviour = Behaviour(author=author(str(script)))
    assert ask(behaviour).choices[0].message.content == "36"
    others = [choice.message.content for choice in ask(behaviour, content="Else?", n=12).choices]
    assert set(others) == {"even", "odd"}


def test_the_builtin_engine_can_sit_behind_the_server():
    from pipelines.inference.builtin import reply

    question = "What is 12 + 30? Think step by step and put the answer in \\boxed{}."
    for limit, reason in ((1000, "stop"), (3, "length")):
        said = reply([{"role": "user", "content": question}], seed=7, temperature=0.5, max_tokens=limit)
        choice = ask(
            Behaviour(author=author("builtin")), content=question, temperature=0.5, max_tokens=limit
        ).choices[0]
        assert (choice.message.content, choice.finish_reason) == (said.text, reason)


def test_a_broken_author_is_a_server_error(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    script = tmp_path / "script.jsonl"
    script.write_text('{"contains": "apples", "content": "4"}\n')
    with pytest.raises(openai.InternalServerError):
        ask(Behaviour(author=author(str(script))))
    assert "no line for" in caplog.text


# Faults


def spoiled(check: Callable[[ChatCompletion], bool]) -> Callable[[Awaitable[ChatCompletion]], Awaitable[None]]:
    async def arrives(reply: Awaitable[ChatCompletion]) -> None:
        assert check(await reply)

    return arrives


def raises(
    error: type[Exception], check: Callable[[Any], bool] = lambda error: True
) -> Callable[[Awaitable[ChatCompletion]], Awaitable[None]]:
    async def is_raised(reply: Awaitable[ChatCompletion]) -> None:
        with pytest.raises(error) as caught:
            await reply
        assert check(caught.value)

    return is_raised


def delay(error: openai.RateLimitError) -> float:
    """Seconds from now to the date in Retry-After."""
    return parsedate_to_datetime(error.response.headers["retry-after"]).timestamp() - time.time()


HEARD = {
    "429": raises(openai.RateLimitError, lambda error: error.response.headers["retry-after"] == "30"),
    "429-date": raises(openai.RateLimitError, lambda error: 25 < delay(error) <= 30),
    "429-bare": raises(openai.RateLimitError, lambda error: "retry-after" not in error.response.headers),
    "500": raises(openai.InternalServerError, lambda error: error.status_code == 500),
    "502": raises(openai.InternalServerError, lambda error: error.status_code == 502),
    "503": raises(openai.InternalServerError, lambda error: error.status_code == 503),
    "context": raises(openai.BadRequestError, lambda error: error.code == "context_length_exceeded"),
    "error-in-200": spoiled(lambda reply: not reply.choices and "error" in (reply.model_extra or {})),
    "malformed": raises(ValueError),
    "no-choices": spoiled(lambda reply: reply.choices == []),
    "few-choices": spoiled(lambda reply: [choice.index for choice in reply.choices] == [0, 1]),
    "many-choices": spoiled(lambda reply: [choice.index for choice in reply.choices] == [0, 1, 2, 2]),
    "nulls": spoiled(lambda reply: all(choice.message is None for choice in reply.choices)),
    "null-content": spoiled(lambda reply: all(choice.message.content is None for choice in reply.choices)),
    "close": raises(openai.APIConnectionError),
    "close-within": raises(openai.APIConnectionError),
    "reset": raises(openai.APIConnectionError),
    "trickle": raises(openai.APITimeoutError),
    "hang": raises(openai.APITimeoutError),
}


def test_every_fault_is_tested():
    assert HEARD.keys() == FAULTS.keys()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_strikes_once_and_the_server_goes_on(name: str):
    async def strike() -> None:
        async with connected(Behaviour(schedule=[name], retry_after=30)) as (client, _):
            create = client.chat.completions.create
            await HEARD[name](create(**asked(n=3), timeout=0.2 if name in ("hang", "trickle") else 10))
            assert len((await create(**asked(n=3))).choices) == 3

    asyncio.run(strike())


def test_rates_are_kept_and_repeat_themselves():
    behaviour = Behaviour(faults={"429": 0.2, "500": 0.1}, seed=3)
    bodies = [asked(seed=seed) for seed in range(150)] * 2

    async def several(behaviour: Behaviour) -> list[int]:
        async with serving(behaviour) as server:
            return await statuses(server, bodies)

    first = asyncio.run(several(behaviour))
    assert first == asyncio.run(several(behaviour))
    assert first[:150] != first[150:]  # the second time is another throw of the dice
    assert first != asyncio.run(several(Behaviour(faults={"429": 0.2, "500": 0.1}, seed=4)))
    counted = Counter(first)
    assert set(counted) == {200, 429, 500}
    assert 40 < counted[429] < 80
    assert 15 < counted[500] < 45


def test_requests_beyond_what_it_bears_are_throttled():
    async def several() -> None:
        async with serving(Behaviour(at_once=3, latency=1000, throttles="503")) as server:
            borne = [asyncio.create_task(statuses(server, [asked(seed=seed)])) for seed in range(3)]
            await server.saw(3)
            assert await statuses(server, [asked(seed=seed) for seed in range(3, 8)]) == [503] * 5
            for task in borne:
                task.cancel()
            await asyncio.wait(borne)
            server.behaviour = Behaviour(at_once=1)
            assert await statuses(server, [asked(seed=seed) for seed in range(3)]) == [200] * 3

    asyncio.run(several())


def test_a_trickling_answer_is_whole_in_the_end():
    reply = ask(Behaviour(schedule=["trickle"], trickle=0.001))
    assert reply.choices[0].message.content == canned({"messages": asked()["messages"], "seed": 7}, 0)


def test_what_is_under_way_dies_with_the_server_and_a_new_one_answers_at_the_same_address():
    async def once() -> None:
        async with connected(Behaviour(latency=1000)) as (client, server):
            dying = asyncio.create_task(client.chat.completions.create(**asked()))
            await server.saw(1)
            await server.die()
            with pytest.raises(openai.APIConnectionError):
                await dying
            with pytest.raises(openai.APIConnectionError):
                await client.models.list()
            await server.rise()
            assert [model.id async for model in client.models.list()] == ["test"]

    asyncio.run(once())


def test_a_schedule_goes_by_arrival_and_each_goes_by_request():
    async def several(behaviour: Behaviour) -> list[int]:
        async with serving(behaviour) as server:
            return await statuses(server, [asked(seed=seed) for seed in (1, 1, 2, 2)])

    assert asyncio.run(several(Behaviour(schedule=["429", "ok", "500"]))) == [429, 200, 500, 200]
    assert asyncio.run(several(Behaviour(each=["503"]))) == [503, 200, 503, 200]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [({"schedule": ["418"]}, "no fault '418'"), ({"faults": {"429": 0.6, "500": 0.6}}, "more than 1")],
)
def test_impossible_faults_are_refused(options: dict[str, Any], complaint: str):
    with pytest.raises(ValueError, match=complaint):
        Behaviour(**options)


# Books


def test_the_books_count_requests_repeats_and_the_peak():
    async def several() -> dict[str, Any]:
        behaviour = Behaviour(latency=0.1, schedule=["500"])
        async with serving(behaviour) as server, aiohttp.ClientSession() as session:
            start = time.time()
            await asyncio.gather(*(statuses(server, [asked(seed=seed % 3)]) for seed in range(4)))
            await statuses(server, [asked(seed=0)])
            async with session.get(server.url.removesuffix("/v1") + "/stats") as response:
                told = await response.json()
            assert start <= told["first"] <= told["last"] - 0.19 <= time.time() - 0.19
            return told

    told = asyncio.run(several())
    assert (told["requests"], told["distinct"], told["repeats"]) == (5, 3, 2)
    assert told["statuses"] == {"200": 4, "500": 1}
    assert (told["peak_in_flight"], told["in_flight"]) == (4, 0)
    assert sorted(told["digests"].values()) == [1, 1, 3]


def test_jitter_spreads_the_answers(tmp_path: Path):
    log = tmp_path / "log"

    async def several() -> None:
        async with serving(Behaviour(jitter=0.2, log=log)) as server:
            await asyncio.gather(*(statuses(server, [asked(seed=seed)]) for seed in range(10)))

    asyncio.run(several())
    waits = [line["done"] - line["arrived"] for line in lines(log)]
    assert len(waits) == 10
    assert max(waits) - min(waits) > 0.05


def test_the_log_tells_every_request_even_an_unanswered_one(tmp_path: Path):
    log = tmp_path / "log"

    async def several() -> None:
        async with connected(Behaviour(schedule=["429", "hang", "ok"], log=log)) as (client, _):
            create = client.chat.completions.create
            with pytest.raises(openai.RateLimitError):
                await create(**asked())
            with pytest.raises(openai.APITimeoutError):
                await create(**asked(), timeout=0.2)
            await create(**asked(seed=8))

    asyncio.run(several())
    told = sorted(lines(log), key=lambda line: line["arrived"])
    assert [(line["status"], line["fault"], line["times"]) for line in told] == [
        (429, "429", 0),
        (0, "hang", 1),
        (200, "ok", 0),
    ]
    assert [orjson.loads(line["body"])["seed"] for line in told] == [7, 7, 8]
    assert told[0]["digest"] == told[1]["digest"] != told[2]["digest"]


def test_the_process_says_its_url_and_ends_cleanly_with_its_log_written(tmp_path: Path):
    log = tmp_path / "log"
    options = ("--log", str(log), "--log-digests", "--schedule", "429*2,ok", "--retry-after", "0")
    with running(*options) as (url, process):
        with openai.OpenAI(base_url=url, api_key="any", max_retries=2) as client:
            assert client.chat.completions.create(**asked()).choices
            client.models.list()  # served in a later turn of the server's loop, so the log is written by now
        assert [line["status"] for line in lines(log)] == [429, 429, 200]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert [set(line) for line in lines(log)] == [{"digest", "times", "status", "fault", "arrived", "done"}] * 3


def test_a_hanging_request_does_not_keep_the_process_from_ending():
    with (
        running("--fault", "hang") as (url, process),
        openai.OpenAI(base_url=url, api_key="any", max_retries=0, timeout=0.2) as client,
    ):
        with pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(**asked())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_a_process_that_cannot_start_is_told(capfd: pytest.CaptureFixture[str]):
    with pytest.raises(RuntimeError, match="before it gave its URL"), running("--schedule", "418"):
        pass
    assert "no fault '418'" in capfd.readouterr().err
