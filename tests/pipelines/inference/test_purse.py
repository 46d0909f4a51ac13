"""Budgets: never exceeded, whatever happens in between; used up, where that is possible."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.inference import budget
from pipelines.inference.budget import Purse, Spent, closed
from pipelines.inference.engines import parse_model
from pipelines.inference.model import Model, Request, asking

MODEL = parse_model("teacher", {"use": "builtin", "price": {"input": 2.0, "output": 8.0}})


def request(max_tokens: int = 100, text: str = "What is 6 times 6?", of: Model = MODEL) -> Request:
    asked = asking(of, of.sampling.but({"max_tokens": max_tokens}), [{"role": "user", "content": text}])
    return asked.request(seed=1, sample=0, draw=0)[1]


def reply(prompt: int, completion: int) -> dict[str, Any]:
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": completion}}


def purse(path: Path | None = None, **limits: float) -> Purse:
    return Purse({"teacher": MODEL}, limits, path=path)


def paid(purse: Purse) -> dict[str, float]:
    told = purse.told()
    return {name: told["spent"][name] + told["unknown"][name] for name in ("tokens", "money")}


ENDS = st.sampled_from(["answered", "lost", "refused"])


@given(st.integers(300, 5000), st.lists(st.tuples(ENDS, st.integers(1, 400), st.floats(0, 1)), max_size=60))
def test_nothing_is_ever_spent_beyond_the_limit(limit: int, asked: list[tuple[str, int, float]]):
    async def run() -> None:
        own = purse(tokens=limit, money=limit * 5e-6)
        under_way: list[Any] = []
        for end, most, share in asked:
            asking = asyncio.create_task(own.reserve(request(most)))
            await asyncio.sleep(0)
            if not asking.done() or share < 0.7:
                _settle(own, under_way)
            try:
                under_way.append((end, await asking, share))
            except Spent:
                break
        _settle(own, under_way)
        assert paid(own)["tokens"] <= limit
        assert paid(own)["money"] <= limit * 5e-6 + 1e-12

    asyncio.run(run())


def _settle(own: Purse, under_way: list[Any]) -> None:
    for end, reserved, share in under_way:
        match end:
            case "answered":
                own.settle(reserved, reply(round(reserved.prompt_tokens * share), round(share * 40) % 40))
            case "lost":
                own.lose(reserved)
            case "refused":
                own.release(reserved)
    under_way.clear()


def spend(own: Purse, *, at_once: int, seed: int = 1, most: int = 100) -> int:
    """Ask until the budget is spent, as many at once as that; returns how many were answered."""
    dice, answered = random.Random(seed), 0

    async def one() -> bool:
        nonlocal answered
        try:
            reserved = await own.reserve(request(most))
        except Spent:
            return False
        await asyncio.sleep(0)
        own.settle(reserved, reply(6, dice.randint(1, most)))
        answered += 1
        return True

    async def worker() -> None:
        while await one():
            pass

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(worker())

    asyncio.run(run())
    return answered


@pytest.mark.parametrize("limits", [{"tokens": 50_000}, {"money": 0.3}, {"tokens": 50_000, "money": 0.3}], ids=str)
@pytest.mark.parametrize("at_once", [1, 16])
def test_nearly_all_of_it_is_used(limits: dict[str, float], at_once: int, tmp_path: Path):
    own = purse(tmp_path / "budget.json", **limits)
    spend(own, at_once=at_once)
    shares = [paid(own)[name] / limit for name, limit in limits.items()]
    assert 0.98 <= max(shares) <= 1


def test_what_a_killed_process_had_under_way_counts_as_spent(tmp_path: Path):
    path = tmp_path / "budget.json"

    async def killed() -> float:
        own = purse(path, tokens=20_000)
        held = [await own.reserve(request()) for _ in range(20)]
        for reserved in held[:10]:
            own.settle(reserved, reply(6, 50))
        return sum(each.amount["tokens"] for each in held[10:])  # and never comes back

    lost = asyncio.run(killed())
    later = purse(path, tokens=20_000)
    spend(later, at_once=4)
    before = later.told()["before"]["tokens"]
    assert before == 10 * 56 + lost
    assert paid(later)["tokens"] + before <= 20_000


def test_what_a_process_did_not_use_the_next_one_may(tmp_path: Path):
    path = tmp_path / "budget.json"

    async def run() -> None:
        own = purse(path, tokens=20_000)
        own.settle(await own.reserve(request()), reply(6, 50))
        own.close()
        assert purse(path, tokens=20_000).told()["before"]["tokens"] == 56

    asyncio.run(run())
    closed(path)
    assert list(tmp_path.iterdir()) == []


def test_who_does_not_fit_waits_for_what_others_give_back():
    async def run() -> None:
        own = purse(tokens=400)
        first = await own.reserve(request())
        second = asyncio.create_task(own.reserve(request(150)))
        await asyncio.sleep(0)
        assert not second.done()
        own.settle(first, reply(6, 4))
        assert (await asyncio.wait_for(second, 5)).completion_tokens == 150

    asyncio.run(run())


def test_a_reply_that_tells_no_usage_costs_what_was_reserved():
    async def run() -> None:
        own = purse(tokens=1000)
        reserved = await own.reserve(request())
        own.settle(reserved, {"choices": []})
        assert own.told()["unknown"]["tokens"] == reserved.amount["tokens"]

    asyncio.run(run())


def test_a_template_that_adds_much_is_reserved_from_then_on():
    async def run() -> Sequence[int]:
        own = purse(tokens=10_000)
        first = await own.reserve(request())
        own.settle(first, reply(first.prompt_tokens + 300, 100))
        return [first.prompt_tokens, (await own.reserve(request())).prompt_tokens]

    first, second = asyncio.run(run())
    assert second == first + 300


@pytest.mark.parametrize("limit", ["hours", "gpu_hours"])
def test_when_its_hours_are_over_nothing_more_is_sent(limit: str, monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    monkeypatch.setattr(budget.time, "monotonic", lambda: now[0])

    async def run() -> None:
        own = Purse({}, {limit: 2})
        own.hold_gpus(1)
        now[0] = 3600 * 1.9
        own.release(await own.reserve(request()))
        assert own.over() is None
        now[0] = 3600 * 2.1
        with pytest.raises(Spent, match="hours"):
            await own.reserve(request())

    asyncio.run(run())


def test_gpu_hours_count_from_taking_to_giving_back(monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    monkeypatch.setattr(budget.time, "monotonic", lambda: now[0])
    own = purse()
    for hour, gpus in ((1, 4), (3, -2), (4, -2), (9, 0)):
        now[0] = 3600 * hour
        own.hold_gpus(gpus)
    assert own.gpu_hours == pytest.approx(2 * 4 + 1 * 2)


def test_what_was_spent_where_is_told():
    async def run() -> dict[str, Any]:
        own = purse()
        for _ in range(3):
            own.settle(await own.reserve(request()), reply(1000, 500))
        return own.told()

    told = asyncio.run(run())
    assert told["by_role"]["teacher"] == {
        **{"requests": 3, "prompt_tokens": 3000, "completion_tokens": 1500},
        "money": pytest.approx(3 * (1000 * 2 + 500 * 8) / 1e6),
    }


def test_what_several_learn_at_once_is_learnt_once():
    async def run() -> int:
        own = purse()
        under_way = [await own.reserve(request()) for _ in range(50)]
        for reserved in under_way:
            own.settle(reserved, reply(reserved.prompt_tokens + 50, 100))
        return (await own.reserve(request())).prompt_tokens - under_way[0].prompt_tokens

    assert asyncio.run(run()) == 50


def test_what_is_broken_off_when_a_run_ends_counts_as_spent(tmp_path: Path):
    path = tmp_path / "budget.json"

    async def run() -> float:
        own = purse(path, tokens=20_000)
        lost = [await own.reserve(request()) for _ in range(3)]
        own.close()
        return sum(each.amount["tokens"] for each in lost)

    assert asyncio.run(run()) == purse(path, tokens=20_000).told()["before"]["tokens"]
