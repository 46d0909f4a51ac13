"""Children that compare, and are killed when they do not come back."""

import asyncio
import os
import time

import pytest

from filters.verifiers import VERIFIERS, workers
from filters.verifiers.outcome import failed, passed, unsure
from filters.verifiers.workers import CRASHED, Workers

pytest.importorskip("math_verify", reason="needs the extra math")

ALGEBRA = (r"1+\cos^2 x", r"2-\sin^2 x")  # only algebra can tell them, and importing it takes a child seconds,
POWERS = ("1+x", "9^{9^{9^9}}")
ENDLESS, ENDLESS_TOO = (('{"pattern": "^(a+)+$"}', f'"{"a" * n}!"') for n in (40, 41))  # so most ask for patterns


def hard(n):
    """A pair that no parent tells quickly, and another one for each number."""
    return f'{{"pattern": "^a{{{n}}}$"}}', f'"{"a" * n}"'


HARD = hard(1)


def compare(*pairs, name="schema", **limits):
    async def run():
        async with Workers(**limits) as pool:
            return await pool.check(name, pairs)

    return asyncio.run(run())


def children():
    """The processes that this one has started and that are still there, zombies included."""
    with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children") as listed:
        return set(listed.read().split())


@pytest.fixture(autouse=True)
def leaves_no_process():
    before = children()
    yield
    assert children() <= before


@pytest.mark.slow
def test_outcomes_come_in_order_and_a_bad_pair_costs_no_other():
    pairs = [ALGEBRA, POWERS, ("5", "5"), ("x", "y"), ("204_5", "54"), ("5", "6"), (r"\sqrt8", r"2\sqrt2")]
    outcomes = compare(*pairs, name="math", deadline=1.5)
    states = [outcome.status for outcome in outcomes]
    assert states == ["pass", "unsure", "pass", "fail", "unsure", "fail", "pass"]
    assert outcomes[1] == unsure("not decided within 1.5 seconds")


@pytest.mark.slow
def test_what_never_ends_is_stopped_at_the_deadline():
    async def run():
        async with Workers(count=1, deadline=1) as pool:
            await pool.check("schema", [HARD])  # so that starting the child is not counted
            started = time.monotonic()
            return await pool.check("schema", [ENDLESS]), time.monotonic() - started

    outcomes, seconds = asyncio.run(run())
    assert outcomes == [unsure("not decided within 1 seconds")]
    assert 1 <= seconds < 3


def test_no_child_is_started_for_what_is_told_at_once(monkeypatch):
    async def refuse(memory):
        raise AssertionError("started a child")

    monkeypatch.setattr(workers, "_start", refuse)
    told = [passed(), failed("wrong answer")]
    assert compare(("1/2", "0.5"), ("1", "2"), name="math") == told
    assert compare(("B", "(b)"), ("B", "C"), name="choice") == told


def test_a_child_that_is_killed_is_a_crash_and_is_replaced():
    async def run():
        async with Workers(count=1, deadline=30) as pool:
            first = await pool.check("schema", [HARD])
            asking = asyncio.create_task(pool.check("schema", [ENDLESS, hard(2)]))
            await asyncio.sleep(0.5)
            for child in children():
                os.kill(int(child), 9)
            return first + await asking

    first, *others = asyncio.run(run())
    assert first == passed()
    assert sorted(outcome.status for outcome in others) == ["error", "pass"]


@pytest.mark.slow
def test_running_out_of_memory_is_a_crash_of_that_pair():
    grows = ("1", "2^{2^{33}}+x")
    crashed, fine = compare(grows, ALGEBRA, name="math", count=1, deadline=60, memory=400 * 2**20)
    assert crashed == CRASHED
    assert fine == passed()


def test_cancelling_leaves_no_child_behind():
    async def run():
        async with Workers(deadline=60) as pool:
            await pool.check("schema", [HARD])
            asking = asyncio.create_task(pool.check("schema", [ENDLESS, ENDLESS_TOO]))
            await asyncio.sleep(0.3)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            return await pool.check("schema", [hard(2)])

    assert asyncio.run(run()) == [passed()]


def test_equal_pairs_are_asked_once(monkeypatch):
    asked = []
    ask = workers._Child.ask

    async def counting(child, name, pair, seconds):
        if pair != VERIFIERS[name].example:
            asked.append(pair)
        return await ask(child, name, pair, seconds)

    async def run():
        async with Workers(count=1) as pool:
            return await pool.check("schema", [HARD] * 3) + await pool.check("schema", [HARD])

    monkeypatch.setattr(workers._Child, "ask", counting)
    assert asyncio.run(run()) == [passed()] * 4
    assert len(asked) == 1


def test_no_more_is_remembered_than_allowed(monkeypatch):
    async def run():
        async with Workers(count=1) as pool:
            await pool.check("schema", [hard(n) for n in range(1, 6)])
            return len(pool._remembered)

    monkeypatch.setattr(workers, "MAX_REMEMBERED", 3)
    assert asyncio.run(run()) == 3


def test_a_child_that_cannot_start_says_how_to_see_why(monkeypatch):
    monkeypatch.setattr(workers.sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match=r"ended at once; see why with: /bin/false -m filters.verifiers.workers"):
        compare(HARD)


def test_outside_its_context_a_pool_refuses():
    with pytest.raises(RuntimeError, match="async with Workers"):
        asyncio.run(Workers().check("schema", [HARD]))


def test_an_unknown_verifier_is_refused():
    with pytest.raises(KeyError, match="there are: assignment, chain, choice"):
        compare(("1", "1"), name="maths")
