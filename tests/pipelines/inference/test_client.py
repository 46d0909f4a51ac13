"""Journal first, then the engine: what is sent, in which order, how often, and what is left of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.inference import role
from pipelines.inference.client import Client, Stopping
from pipelines.inference.engine import Misconfigured, Outage, read
from pipelines.inference.engines import parse_model
from pipelines.inference.model import Asking, Model, Sampling, asking
from pipelines.inference.places import Places
from pipelines.inference.role import Endpoint
from pipelines.journal import Journal
from tests.server import Behaviour, Server, canned, serving
from tests.small import Site, author


def messages(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


def line(of: Model, question: str = "What is 6 times 6?", **changes: Any) -> Asking:
    return asking(of, of.sampling.but(changes), messages(question))


@asynccontextmanager
async def opened(of: Model, folder: Path) -> AsyncIterator[Client]:
    journal = Journal(folder)
    client = Client({of.role: of}, journal)
    try:
        yield client
    finally:
        await client.close()
        await journal.close()


@asynccontextmanager
async def connected(
    folder: Path, behaviour: Behaviour | None = None, **more: Any
) -> AsyncIterator[tuple[Client, Model, Server]]:
    async with serving(behaviour) as server:
        of = parse_model("teacher", {"use": f"openai:test@{server.url}", **more})
        async with opened(of, folder) as client:
            yield client, of, server


async def text(client: Client, asked: Asking, *, seed: int = 7, sample: int = 0, draw: int = 0, n: int = 1) -> str:
    _, reply = await client.reply(asked, seed=seed, sample=sample, draw=draw, n=n)
    return reply["choices"][0]["message"]["content"]


def seeds_in(path: Path) -> list[int]:
    """The seeds of the requests that a server answered, in the order of their arrival."""
    lines = sorted(map(orjson.loads, path.read_bytes().splitlines()), key=lambda line: line["arrived"])
    return [orjson.loads(line["body"])["seed"] for line in lines]


# The journal comes first


def test_what_is_journaled_is_not_asked_again(tmp_path: Path):
    async def run() -> None:
        async with connected(tmp_path, Behaviour(fresh=True)) as (client, of, server):
            first = await text(client, line(of))
            assert await text(client, line(of)) == first
            async with opened(of, tmp_path) as later:
                assert await text(later, line(of)) == first
                assert (later.counts["sent"], later.counts["replayed"]) == (0, 1)
            assert server.calls == 1
            assert (client.counts["sent"], client.counts["replayed"]) == (1, 1)

    asyncio.run(run())


def test_no_engine_is_opened_for_what_is_journaled(tmp_path: Path):
    """A run whose replies are all there needs no endpoint, and no key."""

    async def run() -> None:
        async with connected(tmp_path) as (client, of, _):
            first = await text(client, line(of))
        gone = parse_model("teacher", {"use": "openai:test@http://127.0.0.1:9/v1", "key_env": "NO_SUCH_KEY"})
        async with opened(gone, tmp_path) as later:
            assert await text(later, line(gone)) == first

    asyncio.run(run())


SEEN: list[dict[str, Any]] = [
    {"name": "other"},
    {"revision": "2"},
    {"deployment": "fp8"},
    {"system": "Be brief."},
    {"settings": {"limit_field": "max_completion_tokens"}},
]
SAMPLED: dict[str, Any] = {
    "temperature": 0.1,
    "top_p": 0.5,
    "top_k": 3,
    "min_p": 0.1,
    "presence_penalty": 1.0,
    "frequency_penalty": 1.0,
    "repetition_penalty": 1.2,
    "stop": ["x"],
    "bad_words": ["x"],
    "logprobs": 1,
    "extra": {"x": 1},
}
UNSEEN: list[dict[str, Any]] = [
    *({"timeout": 5}, {"in_flight": 2}, {"outage_limit": 5}, {"price": {"input": 1.0}}),
    *({"requests_per_minute": 600.0}, {"tokens_per_minute": 6e6}, {"serving": {"port": 1}}, {"batch": True}),
    *({"endpoints": [{"url": "http://127.0.0.1:9/v1"}]}, {"reasoning": True}),
]


def calls_after(folder: Path, changes: dict[str, Any], **sampling: Any) -> int:
    """How many requests a server has had when the same is asked of a model as it was, and of one changed."""

    async def run() -> int:
        async with connected(folder) as (client, of, server):
            await text(client, line(of))
            other = replace(of, **changes)
            async with opened(other, folder) as later:
                await text(later, line(other, **sampling))
            return server.calls

    return asyncio.run(run())


@pytest.mark.parametrize("changes", SEEN, ids=str)
def test_another_model_is_asked_again(tmp_path: Path, changes: dict[str, Any]):
    assert calls_after(tmp_path, changes) == 2


@pytest.mark.parametrize("name", SAMPLED)
def test_another_way_of_sampling_is_asked_again(tmp_path: Path, name: str):
    assert calls_after(tmp_path, {}, **{name: SAMPLED[name]}) == 2


def test_no_parameter_is_left_out_here():
    assert {*SAMPLED, "max_tokens"} == {each.name for each in fields(Sampling)}
    changed = {name for changes in (*SEEN, *UNSEEN) for name in changes}
    assert {*changed, "role", "engine", "sampling", "url", "key_env"} == {each.name for each in fields(Model)}


@pytest.mark.parametrize("changes", UNSEEN, ids=str)
def test_what_no_model_sees_asks_nothing_again(tmp_path: Path, changes: dict[str, Any]):
    assert calls_after(tmp_path, changes) == 1


def test_samples_seeds_and_numbers_of_choices_are_requests_of_their_own(tmp_path: Path):
    async def run() -> int:
        async with connected(tmp_path) as (client, of, server):
            await asyncio.gather(
                text(client, line(of), seed=1, sample=0),
                text(client, line(of), seed=2, sample=0),
                text(client, line(of), seed=1, sample=1),
                text(client, line(of), seed=1, sample=0, n=2),
            )
            return server.calls

    assert asyncio.run(run()) == 4


def test_equal_requests_under_way_are_sent_once(tmp_path: Path):
    async def run() -> None:
        async with connected(tmp_path, Behaviour(latency=0.1, fresh=True)) as (client, of, server):
            texts = await asyncio.gather(*(text(client, line(of)) for _ in range(20)))
            assert len(set(texts)) == server.calls == client.counts["sent"] == 1

    asyncio.run(run())


@pytest.mark.usefixtures("no_patience")
def test_who_waits_for_an_equal_request_hears_of_its_failure(tmp_path: Path):
    async def run() -> list[Any]:
        of = parse_model("teacher", "openai:test@http://127.0.0.1:9/v1")
        async with opened(of, tmp_path) as client:
            asked = (client.reply(line(of), seed=7, sample=0, draw=0) for _ in range(3))
            return await asyncio.gather(*asked, return_exceptions=True)

    assert [type(each) for each in asyncio.run(run())] == [Misconfigured] * 3


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(role, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(role, "LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(role, "PATIENCE_AT_START", 0.1)


def test_a_refusal_is_a_fact_and_is_not_asked_again(tmp_path: Path):
    async def run() -> None:
        async with connected(tmp_path, Behaviour(each=["context"])) as (client, of, server):
            for _ in range(2):
                _, reply = await client.reply(line(of), seed=7, sample=0, draw=0)
                [answer] = read(reply)
                assert answer.finish == "refused"
                assert answer.turn.content is None
                assert "maximum context length is 4096 tokens" in orjson.loads(answer.details)["reason"]
            assert server.calls == 1

    asyncio.run(run())


@pytest.mark.usefixtures("no_patience")
def test_an_outage_leaves_no_fact(tmp_path: Path):
    async def run() -> None:
        async with connected(tmp_path, Behaviour(each=["503"] * 500), outage_limit=0.2) as (client, of, server):
            with pytest.raises(Outage):
                await text(client, line(of))
        async with connected(tmp_path) as (client, of, server):
            await text(client, line(of))
            assert server.calls == 1

    asyncio.run(run())


def test_counts_agree_with_what_the_server_told(tmp_path: Path):
    async def run() -> None:
        async with connected(tmp_path) as (client, of, server):
            replies = await asyncio.gather(
                *(client.reply(line(of), seed=seed, sample=0, draw=0, n=2) for seed in range(20))
            )
            for name in ("prompt_tokens", "completion_tokens"):
                assert client.counts[name] == sum(reply["usage"][name] for _, reply in replies)
            assert client.counts["sent"] == server.calls == 20

    asyncio.run(run())


# Places


def test_no_more_is_under_way_than_there_are_places(tmp_path: Path):
    async def run() -> tuple[int, int]:
        async with connected(tmp_path, Behaviour(latency=0.01), in_flight=3) as (client, of, server):
            await asyncio.gather(*(text(client, line(of), seed=seed) for seed in range(30)))
            return server.peak, server.calls

    assert asyncio.run(run()) == (3, 30)


def test_earlier_draws_are_sent_first(tmp_path: Path):
    path = tmp_path / "log"
    order = [5, 3, 9, 1, 1, 7, 0, 8]

    async def run() -> None:
        async with connected(tmp_path, Behaviour(latency=0.02, log=path), in_flight=1) as (client, of, _):
            first = asyncio.create_task(text(client, line(of), seed=100, draw=100))  # takes the place there is
            await asyncio.sleep(0.01)
            await asyncio.gather(
                first, *(text(client, line(of), seed=10 * draw + i, draw=draw) for i, draw in enumerate(order))
            )

    asyncio.run(run())
    assert seeds_in(path) == [100, *sorted(10 * draw + i for i, draw in enumerate(order))]


@pytest.mark.usefixtures("no_patience")
def test_a_failure_gives_its_place_back(tmp_path: Path):
    behaviour = Behaviour(each=["503"] * 500)

    async def run() -> list[type]:
        async with connected(tmp_path, behaviour, in_flight=2, outage_limit=0.05) as (client, of, _):
            asked = (text(client, line(of), seed=seed) for seed in range(6))
            came = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 20)
            return [type(each) for each in came]

    came = asyncio.run(run())
    assert Outage in came
    assert set(came) <= {Outage, Stopping}  # the others are not sent any more


def one_place() -> Places:
    return Places([Endpoint(parse_model("teacher", {"use": "builtin", "in_flight": 1}), 1.0)])


async def taken(places: Places, draw: int) -> asyncio.Task[int]:
    task = asyncio.create_task(places.take(draw))
    await asyncio.sleep(0)
    return task


def test_who_leaves_the_queue_takes_no_place():
    async def run() -> None:
        places = one_place()
        await places.take(0)
        leaver, other = await taken(places, 1), await taken(places, 2)
        leaver.cancel()
        places.give_back(0)
        await asyncio.wait_for(other, 1)

    asyncio.run(run())


def test_a_place_is_not_lost_with_who_leaves_just_as_it_gets_free():
    async def run() -> None:
        places = one_place()
        await places.take(0)
        leaver, other = await taken(places, 1), await taken(places, 2)
        places.give_back(0)
        leaver.cancel()  # it has the place, and has not been told yet
        await asyncio.wait_for(other, 1)

    asyncio.run(run())


# Stopping


def test_after_a_stop_nothing_new_is_sent_and_what_is_under_way_is_kept(tmp_path: Path):
    async def run() -> None:
        async with connected(tmp_path, Behaviour(latency=0.2), in_flight=2) as (client, of, server):
            asked = [asyncio.create_task(text(client, line(of), seed=seed)) for seed in range(6)]
            await asyncio.sleep(0.1)
            client.stop()
            came = await asyncio.gather(*asked, return_exceptions=True)
            assert [isinstance(each, str) for each in came] == [True, True, False, False, False, False]
            assert [type(each) for each in came[2:]] == [Stopping] * 4
            assert server.calls == 2
            assert await text(client, line(of), seed=0) == came[0]  # the journal still answers
            with pytest.raises(Stopping):
                await text(client, line(of), seed=9)
            assert server.calls == 2

    asyncio.run(run())


# A whole run


def test_a_runs_books_are_the_servers_books_under_mixed_faults(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(role, "FIRST_PAUSE", 0.001)
    path = site.folder / "log"
    rates = {name: 0.04 for name in ("429", "500", "503", "close", "close-within", "malformed", "no-choices")}
    quiet = site.turn()
    monkeypatch.setenv("THOUGHTMILL_DATA", str(site.folder / "other"))
    noisy = site.turn(behaviour=Behaviour(author=author, faults=rates, retry_after=0.01, log=path))
    answered = [each for each in map(orjson.loads, path.read_bytes().splitlines()) if each["fault"] == "ok"]
    assert noisy.requests > len(answered) == noisy.made.counts["sent"] == quiet.requests
    assert {each["status"] for each in answered} == {200}
    assert noisy.digests == quiet.digests
    assert noisy.made.ledger == quiet.made.ledger


def test_a_key_is_in_no_file_and_in_no_log(site: Site, monkeypatch: pytest.MonkeyPatch, caplog: Any, capfd: Any):
    key = "sk-a-key-that-nobody-should-see"
    monkeypatch.setenv("SOME_KEY", key)
    monkeypatch.setattr(role, "FIRST_PAUSE", 0.001)
    caplog.set_level(logging.DEBUG)
    site.value["models"]["teacher"]["key_env"] = "SOME_KEY"
    path = site.folder / "log"
    turned = site.turn(behaviour=Behaviour(author=author, api_key=key, faults={"500": 0.1, "close": 0.05}, log=path))
    assert turned.requests > 24  # so the right key came
    assert key not in caplog.text + "".join(capfd.readouterr())
    written = [each for each in site.folder.parent.rglob("*") if each.is_file() and each != path]
    assert len(written) > 10
    assert [each.name for each in written if key.encode() in each.read_bytes()] == []


def test_a_wrong_key_is_in_no_error(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOME_KEY", "sk-wrong")
    site.value["models"]["teacher"]["key_env"] = "SOME_KEY"
    with pytest.raises(Misconfigured) as caught:
        site.turn(behaviour=Behaviour(author=author, api_key="right"))
    assert "401" in str(caught.value)
    assert "sk-wrong" not in str(caught.value)


def test_replies_are_the_servers(tmp_path: Path):
    async def run() -> Sequence[str]:
        async with connected(tmp_path) as (client, of, _):
            return await asyncio.gather(*(text(client, line(of), seed=seed) for seed in range(50)))

    wanted = [canned({"messages": messages("What is 6 times 6?"), "seed": seed}, 0) for seed in range(50)]
    assert asyncio.run(run()) == wanted


def test_a_higher_limit_asks_only_for_what_was_cut(tmp_path: Path):
    """Half of the answers are longer than the first limit."""

    def author(body: dict[str, Any], index: int) -> str:
        return "x" * (80 if body["seed"] % 2 else 20)  # 20 or 5 tokens

    async def run() -> list[int]:
        async with connected(tmp_path, Behaviour(author=author)) as (client, of, server):
            calls = []
            for limit in (10, 40, 30, 10, 4):
                asked = asking(of, Sampling(max_tokens=limit), messages("How long?"))
                await asyncio.gather(*(text(client, asked, seed=seed) for seed in range(10)))
                calls.append(server.calls)
            return calls

    # 10: all; 40: the five that were cut; 30 and 10: nothing; 4: the five that would now be cut and were not.
    assert asyncio.run(run()) == [10, 15, 15, 15, 20]
