"""Imitate, explore, self-improve: a pool of problems, of which each round solves some that no round before could.

The loop itself is tried in tests/flows/test_rounds.py.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from filters.answers import wilson
from filters.verifiers import answer_in, verifier
from flows import make, rounds
from flows.make import Interrupted, Made
from flows.run import Mill, Progress
from pipelines.release import read_version
from tests.methods import lines
from tests.server import Behaviour, Body, Said, number, serving
from tests.small import attempts, problems

PROBLEMS, K = 48, 8
SUCCESS = {"weak": 0.05, "fair": 0.2, "good": 0.5}
"""How often a policy is right, with one sample at one problem; each round has the next."""


def said(body: Body, index: int) -> Said:
    """A policy of fixed success, of which each sample has its own words."""
    found = re.search(r"Problem (\d+):", body["messages"][-1]["content"])
    if not found or body.get("seed") is None:
        return Said("Yes.", False)
    lucky = number(b"%d/%d" % (int(found[1]), body["seed"])) < SUCCESS[body["model"]] * 2**64
    steps = "so " * (body["seed"] % 9)
    return Said(f"I count, {steps}\\boxed{{{int(found[1]) + (not lucky)}}} ({body['seed']}).", False)


class Asked:
    """A policy's author that notes what it was asked."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def __call__(self, body: Body, index: int) -> Said:
        if body.get("seed") is not None:
            self.requests.append(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
        return said(body, index)


async def loop(folder: Path, author: Any = said, **how: Any) -> list[Made]:
    """All three rounds over problems whose answer is their number."""
    rows = [{"question": f"Problem {i}: what is {i - 1} plus 1?", "answer": str(i)} for i in range(1, PROBLEMS + 1)]
    (folder / "rows.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    async with serving(Behaviour(author=author)) as server:
        models = ", ".join(f'"openai:{name}@{server.url}"' for name in SUCCESS)
        changes = [f"bring.rows={folder / 'rows.jsonl'}", f"rounds.models.policy=[{models}]", "shard=8"]
        changes.append(f"target.accepted={PROBLEMS}")
        one = how.pop("one", make.make)
        run = lambda recipe, own, name: one(recipe, changes=own, dataset=name, **how)  # noqa: E731
        return await rounds.turn("imitate-explore-improve", changes, None, run_round=run)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("explored")


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked()


@pytest.fixture(scope="module")
def made(folder: Path, asked: Asked) -> list[Made]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder / "data"))
        return asyncio.run(loop(folder, asked))


def pool(made: Made) -> dict[str, dict[str, Any]]:
    return {row["question"]: row for row in lines.loaded(made, "pool")}


def solved(made: Made) -> set[str]:
    return {question for question, row in pool(made).items() if row["responses"]}


@pytest.mark.slow
def test_each_version_holds_only_what_the_verifier_accepts_with_its_round_and_its_parent(made: list[Made]) -> None:
    check = verifier("math").check_quickly
    for round, each in enumerate(made):
        for row in lines.loaded(each, "sft"):
            outcome = check(row["answer"], answer_in("math", row["messages"][-1]["content"]) or "")
            assert outcome
            assert outcome.same
        rounds_of = [found for row in pool(each).values() for found in row["rounds"] or []]
        assert set(rounds_of) == set(range(round + 1))
        told = make.recipes.read(each.folder / "recipe.toml")["round"]
        before = made[round - 1] if round else None
        parent = {"parent": f"{before.name}@v1", "digest": read_version(before.folder)["digest"]} if before else {}
        assert told == {"number": round, **parent}


@pytest.mark.slow
def test_what_is_solved_stays_solved_by_at_most_two_of_the_shortest(made: list[Made]) -> None:
    assert len(made) == 3
    for earlier, later in pairwise(made):
        assert solved(earlier) < solved(later)
        assert all(len(row["responses"] or []) <= 2 for row in pool(later).values())
    first = pool(made[0])
    kept = {question: row for question, row in pool(made[2]).items() if 0 in (row["rounds"] or [])}
    assert kept
    for question, row in kept.items():
        assert row["attempts"][0] in first[question]["attempts"]
        assert row["responses"][0] in first[question]["responses"]


@pytest.mark.slow
def test_only_what_was_hard_for_the_model_before_is_explored(made: list[Made]) -> None:
    for earlier, later in pairwise(made):
        counts = {question: orjson.loads(row["measured"]) for question, row in pool(earlier).items()}
        hard = {question for question, told in counts.items() if told["k"] / told["n"] <= 0.5}
        questions = {each.id: each.question for each in problems(later)}
        tried = Counter(questions[each.problem] for each in attempts(later) if each.role == "policy")
        assert tried == dict.fromkeys(hard, K)
        assert len(tried) < PROBLEMS or later is made[1]


@pytest.mark.slow
def test_new_coverage_is_that_of_k_samples_each_right_with_p(made: list[Made]) -> None:
    left = PROBLEMS
    for each, before, p in zip(made, [set[str](), *map(solved, made)], SUCCESS.values(), strict=False):
        new = len(solved(each) - before)
        low, high = wilson(new, left)
        assert low <= 1 - (1 - p) ** K <= high
        left -= new


@pytest.mark.slow
def test_with_a_policy_that_improves_more_of_what_was_hard_is_solved_each_round(made: list[Made]) -> None:
    hard = pool(made[0]).keys() - solved(made[0])
    covered = [len(solved(each) & hard) for each in made]
    assert 0 == covered[0] < covered[1] < covered[2]


@pytest.mark.slow
def test_a_loop_that_is_run_again_asks_nobody_and_has_the_same_versions(
    folder: Path, made: list[Made], asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THOUGHTMILL_DATA", str(folder / "data"))
    before = len(asked.requests)
    again = asyncio.run(loop(folder, asked))
    assert len(asked.requests) == before == len(set(asked.requests))
    assert [each.folder for each in again] == [each.folder for each in made]
    assert not any(each.is_new for each in again)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["between", "within"])
def test_a_loop_that_was_ended_goes_on_without_repeating_a_call(
    where: str, tmp_path: Path, made: list[Made], asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / "data"))
    mine, mills = Asked(), list[Mill]()

    async def ended(recipe: str, *, changes: list[str], dataset: str) -> Made:
        if where == "between" and dataset.endswith("r1"):
            raise Interrupted("ended between two rounds")
        return await make.make(recipe, changes=changes, dataset=dataset, began=mills.append, watch=partial(end, mine))

    def end(noted: Asked, progress: Progress) -> None:
        if where == "within" and dataset_is_second(mills) and progress.candidates:
            mills[-1].interrupt()

    with pytest.raises(Interrupted):
        asyncio.run(loop(tmp_path, mine, one=ended))
    sent = len(mine.requests)
    assert PROBLEMS * K <= sent < len(asked.requests)
    again = asyncio.run(loop(tmp_path, mine))
    assert len(mine.requests) == len(set(mine.requests)) == len(asked.requests)
    digests = [[read_version(each.folder)["digest"] for each in some] for some in (again, made)]
    assert digests[0] == digests[1]


def dataset_is_second(mills: list[Mill]) -> bool:
    return len(mills) == 2
