"""What hangs is broken off while others are answered, and nothing is where all are slow."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipelines.inference import overdue
from pipelines.inference.engine import Again
from pipelines.inference.overdue import ENOUGH, Overdue

ANSWER = {"choices": [{}]}


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overdue, "AT_LEAST", 0.02)


async def answered(seconds: float = 0.0) -> dict[str, Any]:
    await asyncio.sleep(seconds)
    return ANSWER


async def hangs() -> dict[str, Any]:
    return await asyncio.get_running_loop().create_future()


async def known(*, others: bool) -> Overdue:
    """An endpoint that has answered often enough, at once; whether it answers when it is asked for anything."""

    async def answers_others() -> bool:
        return others

    watched = Overdue(answers_others, in_flight=1)
    for _ in range(ENOUGH):
        await watched.bounded(answered(), prompt="p", late=0)
    return watched


def test_what_hangs_is_broken_off_and_may_be_tried_again():
    async def scene() -> None:
        watched = await known(others=True)
        with pytest.raises(Again, match="while others are answered") as told:
            await watched.bounded(hangs(), prompt="p", late=0)
        assert told.value.by_row
        assert told.value.paid
        assert await watched.bounded(answered(), prompt="p", late=9) == ANSWER

    asyncio.run(scene())


def test_what_is_overtaken_hangs_whatever_a_look_would_say():
    async def scene() -> None:
        watched = await known(others=False)
        waiting = asyncio.ensure_future(watched.bounded(hangs(), prompt="p", late=0))
        await asyncio.sleep(0)
        await watched.bounded(answered(), prompt="p", late=0)
        with pytest.raises(Again):
            await waiting

    asyncio.run(scene())


@pytest.mark.parametrize("why", ["nothing is answered", "it hung before", "it is of another prompt"])
def test_nothing_else_is_broken_off(why: str):
    async def scene() -> None:
        watched = await known(others=why != "nothing is answered")
        prompt, late = ("another" if "another" in why else "p"), (9 if why == "it hung before" else 0)
        assert await watched.bounded(answered(0.1), prompt=prompt, late=late) == ANSWER

    asyncio.run(scene())


def test_what_fails_teaches_nothing():
    """A storm of quick failures says nothing about what an answer takes."""

    async def fails() -> dict[str, Any]:
        raise Again("status 429", overloaded=True)

    async def scene() -> None:
        watched = Overdue(answers, in_flight=1)
        for _ in range(2 * ENOUGH):
            with pytest.raises(Again, match="429"):
                await watched.bounded(fails(), prompt="p", late=0)
        assert await watched.bounded(answered(0.1), prompt="p", late=0) == ANSWER

    asyncio.run(scene())


def test_who_waited_while_little_was_known_has_the_same_time_as_others():
    async def scene() -> None:
        watched = Overdue(answers, in_flight=1)
        waiting = asyncio.ensure_future(watched.bounded(answered(0.1), prompt="p", late=0))
        await watched.bounded(answered(), prompt="another", late=0)  # sent later, and answered
        for _ in range(ENOUGH):
            watched._usual["p"].learn(10.0)
        assert await waiting == ANSWER  # four times ten seconds were not over

    asyncio.run(scene())


def test_a_reply_is_not_kept_waiting_by_a_look_that_waits_itself():
    async def scene() -> None:
        watched = await known(others=True)
        watched._answers_others = hangs_too
        assert await watched.bounded(answered(0.2), prompt="p", late=0) == ANSWER

    asyncio.run(scene())


async def answers() -> bool:
    return True


async def hangs_too() -> bool:
    return await asyncio.get_running_loop().create_future()


def test_what_is_broken_off_from_outside_lets_go_of_its_request():
    gone = []

    async def held() -> dict[str, Any]:
        try:
            return await hangs()
        finally:
            gone.append(True)

    async def scene() -> None:
        watched = await known(others=False)
        waiting = asyncio.ensure_future(watched.bounded(held(), prompt="p", late=0))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(scene())
    assert gone


def test_a_failure_is_told_as_it_is():
    async def fails() -> dict[str, Any]:
        raise Again("status 500")

    async def scene() -> None:
        watched = await known(others=True)
        with pytest.raises(Again, match="status 500"):
            await watched.bounded(fails(), prompt="p", late=0)

    asyncio.run(scene())
