"""Whether two answers are the same is decided once, and what a child process said is never decided anew."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import pytest

from filters.verifiers import VERIFIERS
from filters.verifiers.workers import Same, Workers
from pipelines import sameness
from pipelines.journal import Journal
from pipelines.sameness import Pair, Sameness

HARD = ("math", r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}")  # equal, but only algebra can tell


class Children:
    """Stand for the child processes: they say what the test wants, and remember what they were asked."""

    def __init__(self, outcome: Same) -> None:
        self._outcome = outcome
        self.asked: list[tuple[str, str]] = []

    async def same(self, name: str, pairs: Sequence[tuple[str, str]]) -> list[Same]:
        self.asked.extend(pairs)
        return [self._outcome] * len(pairs)


def decide(folder: Path, pairs: Iterable[Pair], children: Children) -> dict[Pair, bool | None]:
    """What a run says of these pairs, over the journal in `folder`."""

    async def run() -> dict[Pair, bool | None]:
        journal = Journal(folder)
        try:
            same = await Sameness(journal, cast(Workers, children)).table(pairs)
            return {pair: same(*pair) for pair in pairs}
        finally:
            await journal.close()

    return asyncio.run(run())


def test_what_is_quickly_told_asks_no_child(tmp_path: Path):
    children = Children(Same.CRASH)
    pairs = [("math", "0.5", r"\frac{1}{2}"), ("math", "100", "101"), ("choice", "A", "(A)"), ("choice", "A", "B")]
    assert list(decide(tmp_path, pairs, children).values()) == [True, False, True, False]
    assert children.asked == []


@pytest.mark.parametrize(
    ("outcome", "told"),
    [(Same.YES, True), (Same.NO, False), (Same.UNSURE, None), (Same.TIMEOUT, None), (Same.CRASH, None)],
)
def test_what_a_child_said_stands_also_when_it_would_say_otherwise_now(
    tmp_path: Path, outcome: Same, told: bool | None
):
    first, second = Children(outcome), Children(Same.NO if outcome is Same.YES else Same.YES)
    assert VERIFIERS["math"].same_quickly(*HARD[1:]) is None
    assert decide(tmp_path, [HARD], first) == {HARD: told}
    assert decide(tmp_path, [HARD], second) == {HARD: told}
    assert first.asked == [HARD[1:]]
    assert second.asked == []


def test_a_pair_is_asked_once_however_often_it_comes(tmp_path: Path):
    children = Children(Same.YES)
    decide(tmp_path, [HARD, HARD, ("math", "1", "1"), HARD], children)
    assert children.asked == [HARD[1:]]


@pytest.mark.parametrize("change", ["verifier", "algebra"])
def test_another_verifier_or_another_algebra_decides_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
):
    decide(tmp_path, [HARD], Children(Same.UNSURE))
    if change == "verifier":
        monkeypatch.setitem(VERIFIERS, "math", dataclasses.replace(VERIFIERS["math"], version=1000))
    else:
        monkeypatch.setattr(sameness, "algebra", lambda: "another")
    children = Children(Same.YES)
    assert decide(tmp_path, [HARD], children) == {HARD: True}
    assert children.asked == [HARD[1:]]


def test_the_order_of_an_answer_and_its_reference_counts(tmp_path: Path):
    children = Children(Same.YES)
    name, reference, answer = HARD
    decide(tmp_path, [HARD, (name, answer, reference)], children)
    assert len(children.asked) == 2


def test_a_real_child_decides(tmp_path: Path):
    pytest.importorskip("math_verify")

    async def run() -> bool | None:
        journal = Journal(tmp_path)
        try:
            async with Workers(count=1) as workers:
                return (await Sameness(journal, workers).table([HARD]))(*HARD)
        finally:
            await journal.close()

    assert asyncio.run(run()) is True
