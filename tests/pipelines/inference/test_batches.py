"""A provider's batch API: every request is answered as if it had been asked plainly, and paid for once."""

from __future__ import annotations

import asyncio
import errno
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.inference import batch_api, batch_records, batches
from pipelines.inference.batches import Batches
from pipelines.inference.engine import Again, Misconfigured, Outage, Refused
from pipelines.inference.engines import parse_model
from pipelines.inference.model import Model, Request, asking
from pipelines.inference.openai import OpenAI
from pipelines.inference.places import Stopping
from pipelines.store import DiskFull
from tests.batch_server import STEPS, BatchServer, Provider, batching
from tests.server import Behaviour, Body, canned

LINE = [{"role": "user", "content": "A shelf holds three boxes of 12 pencils. How many pencils is that?"}]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds, for tests of what happens and not of when."""
    for name in ("GATHER", "FIRST_LOOK", "LONGEST_LOOK", "ROOM_AFTER"):
        monkeypatch.setattr(batches, name, 0.003)
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE", "LISTED_WITHIN"):
        monkeypatch.setattr(batch_api, name, 0.002)


def model(url: str, **more: Any) -> Model:
    return parse_model("teacher", {"use": f"openai:test@{url}", **more})


def requests(of: Model, number: int = 3, **sampling: Any) -> list[Request]:
    """So many samples of one question."""
    asked = asking(of, of.sampling.but(sampling), LINE)
    return [asked.request(seed=seed, sample=seed, draw=0)[1] for seed in range(number)]


@asynccontextmanager
async def opened(server: BatchServer, home: Path, **more: Any) -> AsyncIterator[tuple[Batches, Model]]:
    """An engine for as long as a process lives. That it closes writes nothing, so it dies as if it were killed."""
    of = model(server.url, **more)
    engine = Batches(of, home)
    try:
        yield engine, of
    finally:
        await engine.close()


async def send(engine: Batches, asked: Sequence[Request]) -> list[Any]:
    """What each request comes to: its text, or the error."""
    done = await asyncio.gather(*(engine.send(each) for each in asked), return_exceptions=True)
    return [each if isinstance(each, BaseException) else text(each) for each in done]


async def until_answered(engine: Batches, asked: Sequence[Request]) -> list[Any]:
    """The same, with trying again as above an engine is done."""
    said = await send(engine, asked)
    return [
        (await until_answered(engine, [each]))[0] if isinstance(came, Again) else came
        for each, came in zip(asked, said, strict=True)
    ]


def text(reply: dict[str, Any]) -> str:
    return reply["choices"][0]["message"]["content"]


def expected(asked: Sequence[Request]) -> list[str]:
    return [canned({"messages": LINE, "seed": each.seed}, 0) for each in asked]


def ask(home: Path, provider: Provider | None = None, number: int = 3, **more: Any) -> tuple[list[Any], BatchServer]:
    """What requests come to at a fresh provider, and the provider."""

    async def run() -> tuple[list[Any], BatchServer]:
        async with batching(provider) as server, opened(server, home, **more) as (engine, of):
            return await send(engine, requests(of, number)), server

    return asyncio.run(run())


def sizes(server: BatchServer) -> list[int]:
    return [batch["request_counts"]["total"] for batch in server.batches.values()]


def once_each(server: BatchServer, number: int = 3) -> bool:
    return sorted(server.paid.values()) == [1] * number


# What is asked


def test_what_is_asked_together_is_one_batch_of_the_requests_as_they_are_sent_plainly(tmp_path: Path):
    async def run() -> None:
        async with batching() as server, opened(server, tmp_path) as (engine, of):
            asked = requests(of)
            assert await send(engine, asked) == expected(asked)
            lines = [orjson.loads(line) for line in server.files["file-0"].splitlines()]
            assert [line["body"] for line in lines] == [OpenAI(of).body(each) for each in asked]
            assert {(line["method"], line["url"]) for line in lines} == {("POST", "/v1/chat/completions")}
            assert all(line["custom_id"].startswith(each.key.hex()) for line, each in zip(lines, asked, strict=True))
            assert (sizes(server), once_each(server)) == ([3], True)

    asyncio.run(run())


def test_a_reply_is_the_one_that_is_given_plainly(tmp_path: Path):
    async def run() -> None:
        async with batching() as server, opened(server, tmp_path) as (engine, of):
            [asked] = requests(of, 1)
            plain = OpenAI(of)
            assert await engine.send(asked) == await plain.send(asked)
            await plain.close()

    asyncio.run(run())


def test_a_file_holds_no_more_requests_than_the_provider_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "MOST_REQUESTS", 4)
    said, server = ask(tmp_path, number=10)
    assert [type(each) for each in said] == [str] * 10
    assert (sizes(server), once_each(server, 10)) == ([4, 4, 2], True)


def test_a_file_holds_no_more_bytes_than_the_provider_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _, server = ask(tmp_path / "measured", number=5)
    monkeypatch.setattr(batches, "MOST_BYTES", len(server.files["file-0"]) * 3 // 5)
    _, server = ask(tmp_path / "cut", number=5)
    assert (sizes(server), once_each(server, 5)) == ([3, 2], True)


def test_a_full_file_waits_for_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "GATHER", 1000.0)
    monkeypatch.setattr(batches, "MOST_REQUESTS", 3)
    assert sizes(ask(tmp_path)[1]) == [3]


def test_one_request_under_two_limits_is_two(tmp_path: Path):
    async def run() -> None:
        async with batching() as server, opened(server, tmp_path) as (engine, of):
            short, long = requests(of, 1, max_tokens=10), requests(of, 1, max_tokens=2000)
            assert short[0].key == long[0].key
            cut, whole = await send(engine, [*short, *long])
            assert (len(cut), whole) == (40, expected(long)[0])

    asyncio.run(run())


# A provider in trouble


PASSING = ("500", "503", "429", "close", "unanswered", "within")


def test_a_download_that_breaks_off_is_begun_anew(tmp_path: Path):
    said, server = ask(tmp_path, Provider(calls={"fetch": ["within"]}))
    assert said == expected(requests(model(server.url)))
    assert server.counts["fetch"] == 2


OTHER_STEPS = [pytest.param(each, marks=pytest.mark.slow) for each in STEPS if each != "create"]


@pytest.mark.parametrize("step", ["create", *OTHER_STEPS])
def test_trouble_with_a_call_passes_and_costs_nothing(tmp_path: Path, step: str):
    """Also where a call had its effect and only the answer was lost: no batch is made twice."""
    lost = {"create": ["unanswered"]} if step == "list" else {}  # only then the list is looked at
    for trouble in ("429", "unanswered", "damaged"):
        said, server = ask(tmp_path / trouble, Provider(calls={**lost, step: [trouble]}))
        assert said == expected(requests(model(server.url))), trouble
        assert once_each(server), trouble
        assert len(server.batches) == 1, trouble


@pytest.mark.slow
@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(STEPS), st.lists(st.sampled_from(["ok", *PASSING]))))
def test_whatever_befalls_the_calls_every_request_is_paid_for_once(
    tmp_path_factory: Any, calls: dict[str, list[str]]
):
    said, server = ask(tmp_path_factory.mktemp("calls"), Provider(calls=calls))
    assert said == expected(requests(model(server.url)))
    assert once_each(server)


@pytest.mark.slow
def test_a_batch_whose_making_was_not_answered_is_found_behind_many_others(tmp_path: Path):
    async def run() -> None:
        provider = Provider(calls={"create": ["ok"] * 5 + ["unanswered"]}, metadata=False)
        async with batching(provider) as server, opened(server, tmp_path) as (engine, of):
            for each in requests(of, 6):
                await engine.send(each)
            server.provider = replace(provider, calls={"create": ["ok"] * 6 + ["500", "ok"]})
            await engine.send(requests(of, 7)[6])
            assert (server.counts["list"] >= 4, once_each(server, 7)) == (True, True)

    asyncio.run(run())


@pytest.mark.parametrize(
    "line", [b"null", b"[]", b'{"custom_id": 7}', b'{"custom_id": "a", "response": "b"}', b"{", b"\xff"]
)
def test_a_line_that_is_none_is_left_out(tmp_path: Path, line: bytes):
    (tmp_path / "results").write_bytes(line + b'\n{"custom_id": "a", "response": {"status_code": 200}}\n')
    results = batch_records.Results(tmp_path / "results")
    assert (results.line("a"), results.answered) == ({"custom_id": "a", "response": {"status_code": 200}}, 1)
    results.close()


def test_a_batch_that_is_listed_late_is_not_made_twice(tmp_path: Path):
    said, server = ask(tmp_path, Provider(calls={"create": ["unanswered"]}, unlisted=1))
    assert said == expected(requests(model(server.url)))
    assert (server.counts["list"], once_each(server)) == (2, True)


def test_a_line_that_stays_damaged_costs_its_own_request_another_batch(tmp_path: Path):
    said, server = ask(tmp_path, Provider(calls={"fetch": ["damaged"] * 3}))
    assert said == expected(requests(model(server.url)))
    assert sizes(server) == [3, 1]


def test_a_provider_that_stays_away_is_an_outage_after_its_limit(tmp_path: Path):
    async def run() -> None:
        provider = Provider(calls={"look": ["ok"] + ["503"] * 10_000})
        async with batching(provider) as server:
            async with opened(server, tmp_path, outage_limit=0.05) as (engine, of):
                assert [type(each) for each in await send(engine, requests(of))] == [Outage] * 3
            server.provider = Provider()
            async with opened(server, tmp_path) as (engine, of):
                assert await send(engine, requests(of)) == expected(requests(of))
            assert (len(server.batches), once_each(server)) == (1, True)

    asyncio.run(run())


def test_a_batch_that_never_ends_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "PATIENCE", 0.0)
    said, _ = ask(tmp_path, Provider(fates=["never"]))
    assert [type(each) for each in said] == [Outage] * 3
    assert "has not ended" in str(said[0])


# What becomes of a request


def lines(*fares: str) -> Callable[[Body, int], str]:
    """The first sample fares so the first, second, … time; the others are answered."""
    return lambda body, times: fares[times] if body["seed"] == 0 and times < len(fares) else "ok"


def test_a_refusal_beside_answers_is_the_rows_own(tmp_path: Path):
    said, _ = ask(tmp_path, Provider(line=lines("400")))
    assert [type(each) for each in said] == [Refused, str, str]
    assert str(said[0]) == "status 400: No."


def test_a_parameter_that_the_provider_refuses_in_every_request_is_the_set_ups(tmp_path: Path):
    async def run() -> None:
        async with batching(Provider(line=lambda body, times: "400")) as server:
            async with opened(server, tmp_path) as (engine, of):
                said = await send(engine, requests(of))
                assert Counter(map(type, said)) == {Again: 2, Misconfigured: 1}
            server.provider = Provider()  # it was mended
            async with opened(server, tmp_path) as (engine, of):
                assert await send(engine, requests(of)) == expected(requests(of))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("fares", "flags"),
    [
        ("500", "by_row"),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in (("429", "overloaded"), ("error", "by_row"))),
    ],
)
def test_a_failure_that_may_pass_is_told_and_asked_again_when_it_is_sent_again(
    tmp_path: Path, fares: str, flags: str
):
    async def run() -> None:
        async with batching(Provider(line=lines(fares, fares))) as server:
            async with opened(server, tmp_path) as (engine, of):
                said = await send(engine, requests(of))
                assert [type(each) for each in said] == [Again, str, str]
                assert getattr(said[0], flags)
                assert await until_answered(engine, requests(of)[:1]) == expected(requests(of)[:1])
            async with opened(server, tmp_path) as (engine, of):  # the newest batch counts
                assert await send(engine, requests(of)) == expected(requests(of))
            assert (sizes(server), once_each(server)) == ([3, 1, 1], True)

    asyncio.run(run())


@pytest.mark.parametrize("fate", ["expired", pytest.param("cancelled", marks=pytest.mark.slow)])
def test_a_batch_that_ends_early_gives_what_came_and_the_rest_is_asked_again(tmp_path: Path, fate: str):
    said, server = ask(tmp_path, Provider(fates=[fate, fate]))
    assert said == expected(requests(model(server.url)))
    assert (sizes(server), once_each(server)) == ([3, 2, 1], True)


def test_a_request_without_a_line_is_asked_again(tmp_path: Path):
    said, server = ask(tmp_path, Provider(line=lines("missing")))
    assert said == expected(requests(model(server.url)))
    assert sizes(server) == [3, 1]


def test_a_request_that_no_batch_answers_is_an_outage(tmp_path: Path):
    said, server = ask(tmp_path, Provider(fates=["expired"] * 9, answered=0))
    assert [type(each) for each in said] == [Outage] * 3
    assert sizes(server) == [3] * batches.UNANSWERED


def test_a_batch_that_is_refused_as_a_whole_is_the_set_ups_and_asked_anew_when_that_is_mended(tmp_path: Path):
    async def run() -> None:
        async with batching(Provider(fates=["failed"])) as server:
            async with opened(server, tmp_path) as (engine, of):
                said = await send(engine, requests(of))
                assert [type(each) for each in said] == [Misconfigured] * 3
                assert "model_not_found: The provided model does not exist." in str(said[0])
            async with opened(server, tmp_path) as (engine, of):
                assert await send(engine, requests(of)) == expected(requests(of))
            assert once_each(server)

    asyncio.run(run())


@pytest.mark.slow
def test_a_provider_without_room_gets_smaller_batches(tmp_path: Path):
    said, server = ask(tmp_path, Provider(room=2), number=8)
    assert said == expected(requests(model(server.url), 8))
    assert once_each(server, 8)
    assert sizes(server)[0] == 8
    assert max(size for size, batch in zip(sizes(server), server.batches.values(), strict=True) if done(batch)) <= 2


def done(batch: Body) -> bool:
    return batch["status"] == "completed"


def test_a_provider_that_never_has_room_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "PATIENCE", -1.0)
    said, _ = ask(tmp_path, Provider(room=0, looks=1))
    assert [type(each) for each in said] == [Outage] * 3
    assert "no room" in str(said[0])


# Nothing is paid for twice

DEATHS = [
    ("upload", "ok"),
    ("create", "hang"),
    ("create", "ok"),
    ("look", "hang"),
    ("fetch", "hang"),
    ("fetch", "ok"),
]


@pytest.mark.parametrize(("step", "trouble"), DEATHS)
def test_who_dies_in_the_middle_finds_its_batch_again(tmp_path: Path, step: str, trouble: str):
    """Killed when a call has had its effect, whether that was heard or not."""

    async def run() -> None:
        async with batching(Provider(calls={step: [trouble]})) as server:
            async with opened(server, tmp_path) as (engine, of):
                dying = asyncio.create_task(send(engine, requests(of)))
                await server.did(step)
            await dying
            async with opened(server, tmp_path) as (engine, of):
                assert await send(engine, requests(of)) == expected(requests(of))
            assert once_each(server)

    asyncio.run(run())


def test_results_that_came_are_there_for_who_comes_later(tmp_path: Path):
    """A reply that was given may not be journaled yet when its process dies."""

    async def run() -> None:
        async with batching() as server:
            async with opened(server, tmp_path) as (engine, of):
                await send(engine, requests(of))
            calls = server.counts.total()
            async with opened(server, tmp_path) as (engine, of):
                for each in reversed(requests(of)):
                    assert await send(engine, [each]) == expected([each])
                assert server.counts.total() == calls
                assert await send(engine, requests(of, 4)) == expected(requests(of, 4))
            assert (sizes(server), once_each(server, 4)) == ([3, 1], True)

    asyncio.run(run())


def test_a_step_that_was_half_written_is_none(tmp_path: Path):
    async def run() -> None:
        async with batching() as server:
            folder = tmp_path / "journal" / "batches"
            folder.mkdir(parents=True)
            (folder / "0.log").write_bytes(b'{"url": "http')
            async with opened(server, tmp_path) as (engine, of):
                await send(engine, requests(of))
            [path] = folder.glob("*.log")
            path.write_bytes(path.read_bytes()[:-5])  # that it has ended
            path.with_suffix(".results").unlink()
            for _ in range(2):
                async with opened(server, tmp_path) as (engine, of):
                    assert await send(engine, requests(of)) == expected(requests(of))
            assert once_each(server)
            assert [list(orjson.loads(line)) for line in path.read_bytes().splitlines()][1:] == STEPS_TOLD

    asyncio.run(run())


STEPS_TOLD = [["file"], ["batch"], ["ended"]]


def test_two_processes_that_ask_the_same_share_a_batch(tmp_path: Path):
    async def run() -> None:
        async with (
            batching(Provider(calls={"create": ["ok"]}, looks=4)) as server,
            opened(server, tmp_path) as (one, of),
            opened(server, tmp_path) as (other, _),
        ):
            both = await asyncio.gather(send(one, requests(of)), send(other, requests(of)))
            assert both == [expected(requests(of))] * 2
            assert once_each(server)

    asyncio.run(run())


def test_who_waits_for_another_process_that_dies_takes_its_place(tmp_path: Path):
    async def run() -> None:
        async with batching(Provider(calls={"upload": ["hang"]})) as server, opened(server, tmp_path) as (other, of):
            async with opened(server, tmp_path) as (one, _):
                dying = asyncio.create_task(send(one, requests(of)))
                await server.did("upload")
                waiting = asyncio.create_task(send(other, requests(of)))
                await until(lambda: bool(other._ends))
            await dying
            assert await waiting == expected(requests(of))
            assert once_each(server)

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)


def test_who_leaves_loses_nothing(tmp_path: Path):
    async def run() -> None:
        async with batching(Provider(looks=1_000_000)) as server:
            async with opened(server, tmp_path) as (engine, of):
                waiting = asyncio.create_task(send(engine, requests(of)))
                await server.did("look", 2)
                assert engine.waits() == "batch batch_0: 0 of 3 done"
                late = asyncio.create_task(send(engine, requests(of, 4)[3:]))
                await until(lambda: bool(engine._gathered))
                engine.stop()
                assert [type(each) for each in await waiting] == [Outage] * 3
                assert [type(each) for each in await late] == [Stopping]
            server.provider = Provider()
            async with opened(server, tmp_path) as (engine, of):
                assert await send(engine, requests(of)) == expected(requests(of))
            assert once_each(server)

    asyncio.run(run())


def test_a_batch_at_another_endpoint_is_not_waited_for(tmp_path: Path):
    async def run() -> None:
        async with batching(Provider(fates=["never"])) as gone, opened(gone, tmp_path) as (engine, of):
            waiting = asyncio.create_task(send(engine, requests(of)))
            await gone.did("look")
            async with batching() as server, opened(server, tmp_path) as (other, of):
                assert await send(other, requests(of)) == expected(requests(of))
            engine.stop()
            await waiting

    asyncio.run(run())


def test_old_batches_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ask(tmp_path)
    monkeypatch.setattr(batch_records, "KEPT", 0.0)
    ask(tmp_path)
    folder = tmp_path / "journal" / "batches"
    assert [len(list(folder.glob(kind))) for kind in ("*.log", "*.results", ".*")] == [1, 1, 0]


def test_a_full_disk_is_told_and_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(file: int, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(batch_records, "write_all", full)
    said, server = ask(tmp_path)
    assert [type(each) for each in said] == [DiskFull] * 3
    assert server.counts.total() == 0


# The set-up's fault


@pytest.mark.parametrize("trouble", ["400", "401", "404"])
def test_what_the_provider_does_not_take_from_us_is_told_in_one_line(tmp_path: Path, trouble: str):
    said, _ = ask(tmp_path, Provider(calls={"upload": [trouble]}))
    assert [type(each) for each in said] == [Misconfigured] * 3
    assert f"/v1/files answers status {trouble}" in str(said[0])


def test_nobody_listening_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batch_api, "PATIENCE_AT_START", 0.0)

    async def run() -> None:
        async with batching() as server:
            pass
        async with opened(server, tmp_path) as (engine, of):
            with pytest.raises(Misconfigured, match="does not answer"):
                await engine.send(requests(of, 1)[0])

    asyncio.run(run())


def test_the_key_goes_to_the_provider_and_into_no_error_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def run() -> None:
        async with batching(None, Behaviour(api_key="s3cret")) as server:
            monkeypatch.setenv("TEACHER_KEY", "s3cret")
            async with opened(server, tmp_path, key_env="TEACHER_KEY") as (engine, of):
                assert await send(engine, requests(of)) == expected(requests(of))
            monkeypatch.setenv("TEACHER_KEY", "wr0ng")
            async with opened(server, tmp_path / "other", key_env="TEACHER_KEY") as (engine, of):
                [error] = await send(engine, requests(of, 1))
            assert isinstance(error, Misconfigured)
            assert "wr0ng" not in str(error)
            assert "TEACHER_KEY" in str(error)

    asyncio.run(run())
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"s3cret" not in written
    assert b"wr0ng" not in written
