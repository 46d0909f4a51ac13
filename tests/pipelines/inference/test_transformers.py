"""The engine `transformers:MODEL` without torch: how requests become batches. What is computed: tests/scoring."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pipelines.inference import transformers
from pipelines.inference.engine import Misconfigured, Refused
from pipelines.inference.model import Model, Request, Sampling, asking
from pipelines.inference.places import Stopping
from pipelines.inference.scoring import scoring
from pipelines.inference.transformers import Transformers, check_settings
from tests.each import each_of

MODEL = Model(role="student", engine="transformers", name="tiny", serving={"rows": 4})


@pytest.fixture(autouse=True)
def _torch_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as the engine looks, before it computes anything."""
    monkeypatch.setattr(transformers, "find_spec", lambda name: name)


def request(draw: int, *, n: int = 1) -> Request:
    messages = [{"role": "user", "content": f"question {draw}"}]
    return asking(MODEL, Sampling(), messages).request(seed=draw, sample=0, draw=draw, n=n)[1]


class Batched(Transformers):
    """Notes what is computed together, instead of computing it."""

    def __init__(self, computing: Callable[[Sequence[Request]], Any] = lambda requests: None) -> None:
        super().__init__(MODEL)
        self.batches = list[list[int]]()
        self.threads = set[int]()
        self.begun = threading.Event()
        self._computing = computing

    def _compute(self, requests: Sequence[Request]) -> list[Any]:
        self.batches.append([each.draw for each in requests])
        self.threads.add(threading.get_ident())
        self.begun.set()
        self._computing(requests)
        return [Refused("odd") if each.draw % 2 else {"draw": each.draw} for each in requests]


def sent(engine: Transformers, requests: Sequence[Request]) -> list[Any]:
    async def all_of_them() -> list[Any]:
        each = [engine.score(of) if of.score else engine.send(of) for of in requests]
        replies = await asyncio.gather(*each, return_exceptions=True)
        await engine.close()
        return replies

    return asyncio.run(all_of_them())


def test_requests_that_wait_are_computed_together_the_earliest_draws_first():
    engine = Batched()
    sent(engine, [request(draw) for draw in (8, 3, 5, 1, 9, 2)])
    assert engine.batches == [[1, 2, 3, 5], [8, 9]]


def test_everybody_gets_the_own_reply_and_a_bad_row_costs_the_others_nothing():
    replies = sent(Batched(), [request(draw) for draw in (4, 1, 2)])
    assert replies[0] == {"draw": 4}
    assert isinstance(replies[1], Refused)
    assert replies[2] == {"draw": 2}


def test_a_batch_holds_so_many_answers_and_one_request_at_least():
    engine = Batched()
    sent(engine, [request(0, n=2), request(2, n=9), request(4, n=2), request(6)])
    assert engine.batches == [[0, 4], [2], [6]]


def test_answers_and_scores_are_not_computed_together():
    engine = Batched()
    scored = scoring(MODEL, "likelihood", [], "text", draw=2)
    sent(engine, [request(0), scored, request(4)])
    assert engine.batches == [[0, 4], [2]]


def test_the_event_loop_goes_on_while_one_other_thread_computes():
    """Else this would never end: what is computed waits for the loop."""
    going_on = threading.Event()
    engine = Batched(lambda requests: going_on.wait(60))

    async def run() -> list[Any]:
        replies = asyncio.gather(*[engine.send(request(draw)) for draw in range(0, 20, 2)])
        await asyncio.to_thread(engine.begun.wait, 60)
        going_on.set()
        return await replies

    assert [each["draw"] for each in asyncio.run(run())] == list(range(0, 20, 2))
    assert len(engine.threads) == 1
    assert threading.get_ident() not in engine.threads


def test_what_comes_while_a_batch_computes_is_the_next_batch():
    going_on = threading.Event()
    engine = Batched(lambda requests: going_on.wait(60))

    async def run() -> None:
        first = asyncio.create_task(engine.send(request(6)))
        await asyncio.to_thread(engine.begun.wait, 60)
        others = asyncio.gather(*[engine.send(request(draw)) for draw in (4, 2)])
        await asyncio.sleep(0)
        going_on.set()
        await asyncio.gather(first, others)

    asyncio.run(run())
    assert engine.batches == [[6], [2, 4]]


def test_what_ends_a_batch_ends_each_of_its_requests():
    def broken(requests: Sequence[Request]) -> None:
        raise Misconfigured("no such model")

    replies = sent(Batched(broken), [request(0), request(2)])
    assert [str(each) for each in replies] == ["no such model"] * 2


def test_whoever_still_waits_when_it_closes_is_told():
    going_on = threading.Event()
    engine = Batched(lambda requests: going_on.wait(60))

    async def run() -> list[Any]:
        replies = asyncio.gather(*[engine.send(request(draw)) for draw in range(0, 12, 2)], return_exceptions=True)
        await asyncio.to_thread(engine.begun.wait, 60)
        closing = asyncio.create_task(engine.close())
        await asyncio.sleep(0)
        going_on.set()
        await closing
        return await replies

    replies = asyncio.run(run())
    assert [each["draw"] for each in replies[:4]] == [0, 2, 4, 6]
    assert [type(each) for each in replies[4:]] == [Stopping, Stopping]


# --- What it cannot be ----------------------------------------------------------------------------------------

BAD = [
    ({"dtype": "int4"}, "dtype = 'int4'; there are: auto, float32"),
    ({"device": "tpu"}, "device = 'tpu'; there are: auto, cuda"),
    ({"rows": 0}, "rows = 0 should be at least 1"),
]


@each_of(BAD)
def test_settings_that_there_are_not_are_told(table: dict[str, Any], told: str):
    with pytest.raises(ValueError) as caught:
        check_settings(table)
    assert str(caught.value).startswith(told)


def test_missing_packages_are_told_with_what_brings_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transformers, "find_spec", lambda name: None)
    with pytest.raises(Misconfigured, match=r"student: tiny needs torch and transformers: pip install"):
        Transformers(MODEL)
