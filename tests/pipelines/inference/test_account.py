"""One budget for several processes: never exceeded, and used up but for less than one request, whoever dies."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.inference import account, budget
from pipelines.inference.account import AMOUNTS, HELD_SHARE, Account, closed
from pipelines.inference.budget import Purse, Reserved, Spent, cost
from pipelines.inference.engines import parse_model
from pipelines.inference.model import Request, asking

MODEL = parse_model("teacher", {"use": "builtin", "price": {"input": 2.0, "output": 8.0}})
MOST = 400  # tokens of an answer
IN_TIME = 60.0  # seconds after which a test gives up waiting


def request(max_tokens: int) -> Request:
    asked = asking(MODEL, MODEL.sampling.but({"max_tokens": max_tokens}), [{"role": "user", "content": "6 times 6?"}])
    return asked.request(seed=1, sample=0, draw=0)[1]


def purse(path: Path, limits: dict[str, float]) -> Purse:
    return Purse({"teacher": MODEL}, limits, path=path)


# Many processes, each a task in this one


class Process(NamedTuple):
    """How a process asks: so many at once, so often, and until it is killed, after so many answers to anybody."""

    at_once: int
    requests: int | None  # None: until nothing is left
    killed_after: int | None


class World:
    """Processes with one account, and what a provider may bill them: what it answered, and what is under way."""

    def __init__(self, path: Path, limits: dict[str, float], dice: random.Random) -> None:
        self._path, self._limits, self._dice = path, limits, dice
        self._answers = 0
        self._billed: dict[str, float] = dict.fromkeys(AMOUNTS, 0.0)
        self._under_way: dict[int, Reserved] = {}
        self._doomed: dict[asyncio.Task[None], int] = {}
        self.refused: dict[str, float] = {}  # what did not fit any more

    def begin(self, process: Process) -> asyncio.Task[None]:
        own = purse(self._path, self._limits)
        task = asyncio.create_task(self._run(own, process))
        if process.killed_after is not None:
            self._doomed[task] = process.killed_after
            task.add_done_callback(lambda task: _let_go(own) if task.cancelled() else None)
        return task

    def most(self) -> dict[str, float]:
        """What may be billed, at most."""
        under_way = self._under_way.values()
        return {name: self._billed[name] + sum(each.amount[name] for each in under_way) for name in self._limits}

    async def _run(self, own: Purse, process: Process) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(process.at_once):
                group.create_task(self._ask(own, process.requests))

    async def _ask(self, own: Purse, requests: int | None) -> None:
        while requests != 0:
            asked = request(self._dice.randint(1, MOST))
            try:
                reserved = await own.reserve(asked)
            except Spent:
                self.refused = cost(MODEL, *own.most(asked))
                return
            self._under_way[id(reserved)] = reserved
            assert all(most <= self._limits[name] * (1 + 1e-9) for name, most in self.most().items())
            for _ in range(self._dice.randint(1, 4)):
                await asyncio.sleep(0)
            self._answer(own, self._under_way.pop(id(reserved)))
            requests = None if requests is None else requests - 1
        own.rest()

    def _answer(self, own: Purse, reserved: Reserved) -> None:
        prompt, completion = reserved.prompt_tokens // 2, self._dice.randint(0, reserved.completion_tokens)
        match self._dice.choice(["answered", "answered", "lost", "refused"]):
            case "answered":
                own.settle(reserved, {"usage": {"prompt_tokens": prompt, "completion_tokens": completion}})
                self._bill(cost(MODEL, prompt, completion))
            case "lost":
                own.lose(reserved)
                self._bill(reserved.amount)
            case "refused":
                own.release(reserved)
        self._answers += 1
        for task in [each for each, after in self._doomed.items() if self._answers >= after]:
            del self._doomed[task]
            task.cancel()

    def _bill(self, amount: dict[str, float]) -> None:
        self._billed = {name: self._billed[name] + amount[name] for name in AMOUNTS}


def _let_go(own: Purse) -> None:
    """As the system does when a process is killed."""
    own._account._let_go()  # pyright: ignore[reportOptionalMemberAccess]


PROCESSES = st.lists(
    st.builds(Process, st.integers(1, 4), st.none() | st.integers(0, 12), st.none() | st.integers(0, 60)), max_size=4
)
LIMITS = [{"tokens": 6_000.0}, {"money": 0.04}, {"tokens": 7_000.0, "money": 0.035}]


@given(PROCESSES, st.sampled_from(LIMITS), st.integers(0, 999))
def test_whoever_dies_no_more_is_billed_than_the_limit_and_all_of_it_is_used(
    processes: list[Process], limits: dict[str, float], seed: int
):
    """The last one asks until nothing is left; then what remains is less than the request that did not fit."""

    async def run(path: Path) -> World:
        world = World(path, limits, random.Random(seed))
        async with asyncio.timeout(IN_TIME):
            tasks = [world.begin(each) for each in [*processes, Process(2, None, None)]]
            await asyncio.wait(tasks)
            assert not [task.exception() for task in tasks if not task.cancelled() and task.exception()]
        return world

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "LOOK_AGAIN", 0.0)  # who waits looks again as soon as the others had their turn
        world = asyncio.run(run(Path(folder) / "budget.json"))
    left = {name: limit - world.most()[name] for name, limit in limits.items()}
    assert any(left[name] < world.refused[name] * (1 + 1e-9) for name in limits)


def test_a_process_with_nothing_under_way_waits_for_what_another_one_may_give_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(budget, "LOOK_AGAIN", 0.0)

    async def run() -> None:
        one, other = (purse(tmp_path / "budget.json", {"tokens": 1_000.0}) for _ in range(2))
        reserved = await one.reserve(request(700))
        waits = asyncio.create_task(other.reserve(request(600)))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not waits.done()
        one.settle(reserved, {"usage": {"prompt_tokens": 10, "completion_tokens": 20}})
        one.rest()
        other.release(await asyncio.wait_for(waits, IN_TIME))
        with pytest.raises(Spent, match="tokens 30 of 1,000"):
            await other.reserve(request(990))
        one.close()
        other.close()

    asyncio.run(run())


# What one of them sees


LIMIT = {"tokens": 100_000.0}
NOTHING: dict[str, float] = dict.fromkeys(AMOUNTS, 0.0)


def tokens(number: float) -> dict[str, float]:
    return {"tokens": number, "money": 0.0}


def hold(own: Account, more: float, *, paid: float = 0.0, used: float = 0.0) -> bool:
    return own.hold(paid=tokens(paid), used=tokens(used), more=tokens(more), limits=LIMIT)


def book(path: Path) -> dict[str, Any]:
    return orjson.loads(path.read_bytes())


def test_a_hundred_processes_hold_ahead_what_one_does(tmp_path: Path):
    """But for the first ones, which did not know of the others yet; that goes with their next look."""
    path, limits = tmp_path / "budget.json", {"tokens": 10e6}
    accounts = [Account(path) for _ in range(100)]
    for wanted in (1_000, 60_000):
        for own in accounts:
            assert own.hold(paid=NOTHING, used=NOTHING, more=tokens(wanted), limits=limits)
    ahead = [each["held"]["tokens"] - 60_000 for each in book(path).values()]
    assert min(ahead) > 0
    assert sum(ahead) <= HELD_SHARE * limits["tokens"]
    for own in accounts:
        own.close()


def test_who_finds_no_room_holds_nothing_ahead(tmp_path: Path):
    path = tmp_path / "budget.json"
    one, other = Account(path), Account(path)
    assert hold(one, 1_000)
    assert book(path)[one._me]["held"]["tokens"] > 1_000
    assert not hold(one, LIMIT["tokens"], used=1_000)
    assert book(path)[one._me]["held"]["tokens"] == 1_000
    assert hold(one, 60_000)
    assert not hold(other, 60_000)
    assert other.others_hold
    one.rest(paid=tokens(50_000), used=tokens(50_000))
    assert not hold(other, 60_000)
    assert not other.others_hold
    assert hold(other, 50_000)
    for own in (one, other):
        own.close()


def test_what_a_process_held_ahead_comes_back_when_it_is_killed_and_what_was_under_way_does_not(tmp_path: Path):
    path = tmp_path / "budget.json"
    one, other = Account(path), Account(path)
    assert hold(one, 1_000)
    one.say(tokens(700))
    one._let_go()
    assert not hold(other, LIMIT["tokens"] - 699)
    assert hold(other, LIMIT["tokens"] - 700)
    assert set(book(path)) == {"ended", other._me}
    other.close()


def test_the_last_word_of_another_machine_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A machine that went down may not have written it."""
    path = tmp_path / "budget.json"
    one, other = Account(path), Account(path)
    assert hold(one, 1_000)
    held = book(path)[one._me]["held"]["tokens"]
    one._let_go()
    monkeypatch.setattr(account, "_this_start", lambda: b"another start".ljust(36))
    assert held > 1_000
    assert not hold(other, LIMIT["tokens"] - held + 1)
    assert hold(other, LIMIT["tokens"] - held)
    other.close()


def test_a_worker_that_is_still_there_when_the_version_is_made_owes_the_next_one_nothing(tmp_path: Path):
    path = tmp_path / "budget.json"
    own = Account(path)
    assert hold(own, 1_000)
    own.rest(paid=tokens(800), used=tokens(800))
    closed(path)
    own.rest(paid=tokens(800), used=tokens(800))
    own.close()
    assert list(tmp_path.iterdir()) == []


# Real processes


def spend(path: Path, limits: dict[str, float], seed: int) -> None:
    """Ask until nothing is left, four at once."""
    dice = random.Random(seed)

    async def ask(own: Purse) -> None:
        while True:
            try:
                reserved = await own.reserve(request(dice.randint(1, MOST)))
            except Spent:
                return
            await asyncio.sleep(0.001)
            completion = dice.randint(0, reserved.completion_tokens)
            own.settle(reserved, {"usage": {"prompt_tokens": 20, "completion_tokens": completion}})

    async def run() -> None:
        own = purse(path, limits)
        await asyncio.gather(*(ask(own) for _ in range(4)))
        own.close()

    asyncio.run(run())


@pytest.mark.slow
def test_three_processes_use_all_of_it_and_one_that_is_killed_keeps_nothing_back(tmp_path: Path):
    path, limits = tmp_path / "budget.json", {"tokens": 200_000.0}
    new = multiprocessing.get_context("spawn").Process
    processes = [new(target=spend, args=(path, limits, seed), daemon=True) for seed in range(3)]
    for process in processes:
        process.start()
    deadline = time.monotonic() + IN_TIME
    while purse(path, limits).told()["before"]["tokens"] < 50_000:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    processes[0].kill()
    for process in processes:
        process.join(IN_TIME)
    assert [process.exitcode for process in processes[1:]] == [0, 0]
    used = purse(path, limits).told()["before"]["tokens"]
    assert limits["tokens"] - 4 * 600 - 600 < used <= limits["tokens"]
