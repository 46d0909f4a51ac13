"""Who may ask next, and where: the earliest draw first, at the endpoint with the most room."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Stopping(Exception):
    """No new request is sent any more; what is under way is still awaited and kept."""


class Room(Protocol):
    """What an endpoint says of itself: how many requests are there, how many it bears, and until when it rests."""

    under_way: int
    weight: float

    @property
    def limit(self) -> int: ...

    @property
    def rests_until(self) -> float: ...

    def admit(self, tokens: int) -> None:
        """One more request is there, which may take so many tokens."""
        ...


class Place(NamedTuple):
    draw: int
    order: int
    free: asyncio.Future[int]
    tokens: int
    avoiding: int | None


class Places:
    """Gives out the places of some endpoints. Who waits longest for the earliest draw comes first, so that places
    which the first draws leave idle go to later ones, and are never taken from them."""

    def __init__(self, rooms: Sequence[Room]) -> None:
        self._rooms = rooms
        self._waiting: list[Place] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def take(self, draw: int, *, tokens: int = 0, avoiding: int | None = None) -> int:
        """Wait for a place for a request that may take so many tokens; returns the index of its endpoint, which is
        `avoiding` only if no other has room.

        Raises Stopping once no places are given any more.
        """
        if self._closed:
            raise Stopping
        place = Place(draw, next(self._order), asyncio.get_running_loop().create_future(), tokens, avoiding)
        heapq.heappush(self._waiting, place)
        self.hand_out()
        try:
            return await place.free
        except asyncio.CancelledError:
            if place.free.done() and not place.free.cancelled() and place.free.exception() is None:
                self.give_back(place.free.result())  # it was given the place, and will not use it
            raise

    def give_back(self, index: int) -> None:
        self._rooms[index].under_way -= 1
        self.hand_out()

    def close(self) -> None:
        """Give no places any more, and tell those that wait."""
        self._closed = True
        for place in self._waiting:
            if not place.free.done():
                place.free.set_exception(Stopping())
        self._waiting.clear()
        if self._timer:
            self._timer.cancel()

    def hand_out(self) -> None:
        """Give away what is free, as when an endpoint bears more than before."""
        while self._waiting:
            if self._waiting[0].free.done():  # it has left
                heapq.heappop(self._waiting)
                continue
            index = self._roomiest(self._waiting[0].avoiding)
            if index is None:
                return
            place = heapq.heappop(self._waiting)
            self._rooms[index].admit(place.tokens)
            place.free.set_result(index)

    def _roomiest(self, avoiding: int | None) -> int | None:
        """The endpoint with the most room for its weight that does not rest; None, and a timer, where none is."""
        having_room = [i for i, room in enumerate(self._rooms) if room.under_way < room.limit]
        now = time.monotonic()
        awake = [i for i in having_room if self._rooms[i].rests_until <= now]
        others = [i for i in awake if i != avoiding] or awake
        if others:
            return min(others, key=lambda i: (self._rooms[i].under_way + 1) / self._rooms[i].weight)
        if having_room:
            self._look_again(min(self._rooms[i].rests_until for i in having_room) - now)
        return None

    def _look_again(self, after: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(after, self.hand_out)
