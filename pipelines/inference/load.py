"""How much an endpoint bears: requests at once, which it shows, and requests and tokens a minute, which it states."""

from __future__ import annotations

import time

ROUND = 8  # answers at least, before a share of them is believed
TOLERATED = 0.1  # of all outcomes may say "too much" before less is asked; stray ones mean nothing


class Load:
    """How many requests may be under way at once, between 1 and `most`.

    Begins at `most`. After each round of about `limit` outcomes the limit shrinks by half the share that said "too
    much", as DCTCP does (Alizadeh et al. 2010, section 3.1): a storm halves it, a gust hardly moves it. Each answer
    makes it grow: by one up to where it last was too much, and from there by one a round.
    """

    def __init__(self, most: int) -> None:
        self.limit = most
        self.is_down = False  # nothing was answered for a whole round
        self._share = 0.0  # of the last outcomes, about a round of them, that said "too much"
        self._most = most
        self._grown = float(most)
        self._enough = float(most)  # from here on it grows slowly
        self._is_gone = False
        self._outcomes = self._too_much = self._in_a_row = 0

    def answered(self) -> None:
        if self._is_gone:
            self._grown = self._enough
        self.is_down = self._is_gone = False
        self._in_a_row = 0
        self._share *= 1 - 1 / max(ROUND, self.limit)
        self._grown = min(self._most, self._grown + (1 if self._grown < self._enough else 1 / self._grown))
        self._count()

    def too_much(self) -> None:
        """It said that it has too much to do."""
        self._too_much += 1
        self._share += (1 - self._share) / max(ROUND, self.limit)
        self._count()
        self._without_answer()

    @property
    def is_throttled(self) -> bool:
        """Whether it says so to more than a stray request."""
        return self._share > TOLERATED

    def failed(self) -> None:
        """It gave no answer, for whatever reason."""
        self._without_answer()

    def gone(self) -> None:
        """It was not there: that says nothing about what it bears, so once it is back it is used as before."""
        self._is_gone = True
        self._without_answer()

    def _count(self) -> None:
        self._outcomes += 1
        if self._outcomes >= max(ROUND, self.limit):
            share = self._too_much / self._outcomes
            if share > TOLERATED:
                self._grown = self._enough = max(1.0, self._grown * (1 - share / 2))
            self._outcomes = self._too_much = 0
        self.limit = int(self._grown)

    def _without_answer(self) -> None:
        """After a whole round without an answer it is down: one at a time asks whether it is back.

        Where it grew slowly stays where it was, so that what returns is soon used as before.
        """
        self._in_a_row += 1
        if self._in_a_row >= max(ROUND, self.limit):
            self.is_down = True
            self._grown, self.limit = 1.0, 1
            self._outcomes = self._too_much = 0


class Pace:
    """Requests and tokens a minute, spread evenly: what one request takes is paid off before the next may go."""

    def __init__(self, requests_per_minute: float | None, tokens_per_minute: float | None) -> None:
        self._requests = (requests_per_minute or 0) / 60
        self._tokens = (tokens_per_minute or 0) / 60
        self._by_requests = self._by_tokens = 0.0  # when the next may go, on the monotonic clock

    @property
    def next(self) -> float:
        """When the next may go, on the monotonic clock."""
        return max(self._by_requests, self._by_tokens)

    def took(self, tokens: int) -> None:
        """A request of so many tokens goes now."""
        now = time.monotonic()
        self._by_requests = max(self._by_requests, now) + (1 / self._requests if self._requests else 0)
        self._by_tokens = max(self._by_tokens, now) + (tokens / self._tokens if self._tokens else 0)

    def used(self, reserved: int, tokens: int) -> None:
        """It took fewer tokens than were reserved for it."""
        if self._tokens:
            self._by_tokens -= max(0, reserved - tokens) / self._tokens
