"""An answer is checked once, and what a child process said is never decided anew."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import pytest

from filters.verifiers import VERIFIERS, Unable
from filters.verifiers.outcome import Outcome, broken, failed, passed, unsure
from filters.verifiers.workers import Workers
from pipelines import checks
from pipelines.checks import Checks, Pair
from pipelines.journal import Journal

HARD = ("math", r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}")  # equal, but only algebra can tell


class Children:
    """Stand for the child processes: they say what the test wants, and remember what they were asked."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self.asked: list[tuple[str, str]] = []

    async def check_slowly(self, name: str, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Outcome]:
        self.asked.extend(pairs)
        return dict.fromkeys(pairs, self._outcome)


def decide(folder: Path, pairs: Iterable[Pair], children: Children) -> dict[Pair, Outcome]:
    """What a run says of these pairs, over the journal in `folder`."""

    async def run() -> dict[Pair, Outcome]:
        journal = Journal(folder)
        try:
            check = await Checks(journal, cast(Workers, children)).table(pairs)
            return {pair: check(*pair) for pair in pairs}
        finally:
            await journal.close()

    return asyncio.run(run())


def test_what_is_quickly_told_asks_no_child(tmp_path: Path):
    children = Children(broken("crashed"))
    pairs = [("math", "0.5", r"\frac{1}{2}"), ("math", "100", "101"), ("choice", "A", "(A)"), ("choice", "A", "B")]
    assert [each.same for each in decide(tmp_path, pairs, children).values()] == [True, False, True, False]
    assert children.asked == []


OUTCOMES = [
    passed(),
    failed("1 of 2 tests", score=0.5, evidence={"tests": [{"status": "pass"}, {"status": "fail"}]}),
    unsure("not decided within 5 seconds"),
    broken("the check crashed"),
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.status)
def test_what_a_child_said_stands_also_when_it_would_say_otherwise_now(tmp_path: Path, outcome: Outcome):
    first, second = Children(outcome), Children(unsure("something else"))
    assert VERIFIERS["math"].check_quickly(*HARD[1:]) is None
    assert decide(tmp_path, [HARD], first) == {HARD: outcome}
    assert decide(tmp_path, [HARD], second) == {HARD: outcome}
    assert first.asked == [HARD[1:]]
    assert second.asked == []


def test_a_pair_is_asked_once_however_often_it_comes(tmp_path: Path):
    children = Children(passed())
    decide(tmp_path, [HARD, HARD, ("math", "1", "1"), HARD], children)
    assert children.asked == [HARD[1:]]


@pytest.mark.parametrize("change", ["verifier", "package"])
def test_another_verifier_or_another_package_decides_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
):
    decide(tmp_path, [HARD], Children(unsure("?")))
    if change == "verifier":
        monkeypatch.setitem(VERIFIERS, "math", dataclasses.replace(VERIFIERS["math"], version=1000))
    else:
        monkeypatch.setattr(checks, "installed", lambda package: "another")
    children = Children(passed())
    assert decide(tmp_path, [HARD], children) == {HARD: passed()}
    assert children.asked == [HARD[1:]]


def test_what_this_machine_cannot_check_ends_the_run_and_is_no_fact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lacking = dataclasses.replace(VERIFIERS["math"], missing=lambda: "no algebra")
    children = Children(passed())
    with monkeypatch.context() as patched:
        patched.setitem(VERIFIERS, "math", lacking)
        with pytest.raises(Unable, match="the verifier 'math' cannot work here: no algebra"):
            decide(tmp_path, [HARD], children)
    assert children.asked == []
    assert decide(tmp_path, [HARD], children) == {HARD: passed()}


def test_the_order_of_an_answer_and_its_reference_counts(tmp_path: Path):
    children = Children(passed())
    name, reference, answer = HARD
    decide(tmp_path, [HARD, (name, answer, reference)], children)
    assert len(children.asked) == 2


@pytest.mark.slow
def test_a_real_child_decides(tmp_path: Path):
    pytest.importorskip("math_verify")

    async def run() -> Outcome:
        journal = Journal(tmp_path)
        try:
            async with Workers(count=1) as workers:
                return (await Checks(journal, workers).table([HARD]))(*HARD)
        finally:
            await journal.close()

    assert asyncio.run(run()) == passed()


def test_what_calls_came_to_is_played_once_and_journaled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    played: list[tuple[str, ...]] = []

    def play(environment: str, calls: Sequence[str]) -> list[str]:
        played.append((environment, *calls))
        return [f"{len(played)}"] * len(calls)

    async def run() -> list[tuple[bytes, list[str]]]:
        journal = Journal(tmp_path)
        try:
            told = Checks(journal, cast(Workers, Children(passed())))
            return [await told.played(*each) for each in (("E", ["a"]), ("E", ["a", "b"]), ("F", ["a"]))]
        finally:
            await journal.close()

    monkeypatch.setattr(checks, "able", lambda name: None)
    monkeypatch.setattr(checks.environments, "play", play)
    first = asyncio.run(run())
    assert asyncio.run(run()) == first
    assert [results for _, results in first] == [["1"], ["2", "2"], ["3"]]
    assert len({key for key, _ in first}) == 3
    assert played == [("E", "a"), ("E", "a", "b"), ("F", "a")]
