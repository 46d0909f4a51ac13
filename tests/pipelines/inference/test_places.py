"""Places at several endpoints: who comes first, and where to."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.inference.places import Places, Stopping


@dataclass
class Room:
    limit: int
    weight: float = 1.0
    rests_until: float = 0.0
    under_way: int = 0

    def admit(self, tokens: int) -> None:
        self.under_way += 1


def given_out(rooms: list[Room], draws: list[int]) -> list[int]:
    """The endpoints of those who got a place at once, in the order of asking."""

    async def run() -> list[int]:
        places = Places(rooms)
        tasks = [asyncio.create_task(places.take(draw)) for draw in draws]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        found = [task.result() for task in tasks if task.done()]
        places.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        return found

    return asyncio.run(run())


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(0, 30))
def test_no_endpoint_gets_more_than_it_bears(limits: list[int], asking: int):
    rooms = [Room(limit) for limit in limits]
    found = given_out(rooms, [0] * asking)
    assert len(found) == min(asking, sum(limits))
    assert all(found.count(i) <= limit for i, limit in enumerate(limits))


def test_weights_share_out_the_work():
    found = given_out([Room(100, weight=3), Room(100, weight=1)], [0] * 40)
    assert (found.count(0), found.count(1)) == (30, 10)


def test_the_earliest_draws_come_first():
    async def run() -> list[int]:
        rooms, came = [Room(1)], []
        places = Places(rooms)

        async def ask(draw: int) -> None:
            index = await places.take(draw)
            came.append(draw)
            places.give_back(index)

        first = await places.take(99)
        waiting = [asyncio.create_task(ask(draw)) for draw in (5, 3, 9, 0, 3)]
        await asyncio.sleep(0)
        places.give_back(first)
        await asyncio.gather(*waiting)
        return came

    assert asyncio.run(run()) == [0, 3, 3, 5, 9]


def test_an_endpoint_that_failed_is_avoided_while_another_has_room():
    async def run() -> list[int]:
        places = Places([Room(2), Room(1)])
        return [await places.take(0, avoiding=0) for _ in range(3)]

    assert asyncio.run(run()) == [1, 0, 0]


def test_who_waits_for_a_rest_gets_the_place_when_it_is_over():
    async def run() -> float:
        started = time.monotonic()
        places = Places([Room(1, rests_until=started + 0.05)])
        await asyncio.wait_for(places.take(0), 30)
        return time.monotonic() - started

    assert asyncio.run(run()) >= 0.05


def test_rests_hold_up_nobody_where_another_endpoint_is_awake():
    assert given_out([Room(5, rests_until=time.monotonic() + 600), Room(2)], [0, 0, 0]) == [1, 1]


def test_when_an_endpoint_bears_more_those_who_wait_hear_of_it():
    async def run() -> None:
        rooms = [Room(1)]
        places = Places(rooms)
        await places.take(0)
        waiting = [asyncio.create_task(places.take(0)) for _ in range(3)]
        await asyncio.sleep(0)
        rooms[0].limit = 4
        places.hand_out()
        assert await asyncio.gather(*waiting) == [0, 0, 0]

    asyncio.run(run())


def test_after_the_end_nobody_waits_and_nobody_comes():
    async def run() -> None:
        places = Places([Room(1, rests_until=time.monotonic() + 600)])
        waiting = asyncio.create_task(places.take(0))
        await asyncio.sleep(0)
        places.close()
        with pytest.raises(Stopping):
            await waiting
        with pytest.raises(Stopping):
            await places.take(0)

    asyncio.run(run())
