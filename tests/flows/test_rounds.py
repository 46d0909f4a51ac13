"""Loops over rounds: how they are written down, and how models come to be between them."""

from __future__ import annotations

import asyncio
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import tomli_w

from filters.difficulty import still_hard
from filters.rule import Case
from filters.selection_groups import best_right
from flows import make, rounds
from flows.make import Made
from flows.run import Busy
from flows.tonight import tonight
from pipelines.bind import bind
from pipelines.recipe import BadRecipe, find, read
from pipelines.records import problem
from pipelines.rounds import Train, binding, inline, loop_of
from tests.filters.cases import run, solved

NAME = "imitate-explore-improve"


def value() -> dict[str, Any]:
    return read(find(NAME))


def test_what_a_round_changes_can_be_said_in_one_line() -> None:
    given = {"a": ['x "y"', 1, 0.5, True], "b-c": {"d": {}}, "e": []}
    assert tomllib.loads(f"value = {inline(given)}")["value"] == given
    assert binding({"use": "a", "sampling": {"top_p": 1}}, {"use": "b", "sampling": {"top_k": 2}}) == {
        "use": "b",
        "sampling": {"top_p": 1, "top_k": 2},
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"count": 0}, "at least 1"),
        ({"view": "rl"}, "none of the recipe's views"),
        ({"often": 2}, "no key 'often'"),
        ({"models": {"policy": ["builtin"]}}, "1 models for 3 rounds"),
        ({"models": {"judge": ["a", "b", "c"]}}, "no model 'judge'"),
        ({"train": {"role": "policy"}}, "rounds.train needs"),
        ({"into": 3}, "rounds.into"),
        ({"into": "bring.seeds"}, "rounds.into = 'bring.seeds' should be a stage and what it now reads"),
        ({"models": {"policy": ["builtin", "clay:x", "builtin"]}}, "rounds: no engine 'clay'"),
        ({"train": {"role": "policy", "command": ["x"], "use": "clay:{out}"}}, "rounds: no engine 'clay'"),
    ],
)
def test_rounds_that_cannot_be_run_are_told_before_anything_is(change: dict[str, Any], says: str) -> None:
    given = value()
    given["rounds"].update(change)
    with pytest.raises(BadRecipe, match=says):
        bind(given, folder=Path())


def test_a_recipe_that_is_one_round_is_no_loop() -> None:
    assert loop_of(value())
    assert loop_of({**value(), "round": {"number": 1}}) is None
    assert loop_of({"name": "other"}) is None


def version(folder: Path, number: int, rows: int) -> Made:
    there = folder / f"data/datasets/loop-r{number}/v1"
    (there / "pool").mkdir(parents=True, exist_ok=True)
    told = {"version": "v1", "digest": f"d{number}", "schema": 1, "rows": {"pool": rows}, "files": {}}
    (there / "version.json").write_bytes(orjson.dumps(told))
    (there / "pool" / "data-00000.arrow").touch()
    return Made(f"loop-r{number}", there, True, {}, {}, None)


def test_each_round_reads_the_one_before_and_a_loop_ends_when_nothing_is_left(tmp_path: Path) -> None:
    asked: list[tuple[Sequence[str], str | None]] = []

    async def one(recipe: str, changes: Sequence[str], dataset: str | None) -> Made:
        asked.append((changes, dataset))
        return version(tmp_path, len(asked) - 1, rows=2 - len(asked))

    mine = ["bring.rows=mine.jsonl", "seed=1"]
    made = asyncio.run(rounds.turn(NAME, mine, "loop", run_round=one))
    assert len(made) == 2
    assert made[1].note == "no round 2 of 2: loop-r1 has no rows in pool"
    assert [name for _, name in asked] == ["loop-r0", "loop-r1"]
    first, second = (changes for changes, _ in asked)
    assert first[-1] == 'round={ "number" = 0 }'
    assert second[-2] == f'bring.rows=["{made[0].folder}/pool/data-00000.arrow"]'
    assert second.index("bring.rows=mine.jsonl") < len(second) - 2
    assert tomllib.loads(second[-1])["round"] == {"number": 1, "parent": "loop-r0@v1", "digest": "d0"}


def test_a_round_whose_budget_is_spent_is_not_read_by_the_next(tmp_path: Path) -> None:
    async def one(recipe: str, changes: Sequence[str], dataset: str | None) -> Made:
        made = version(tmp_path, 0, rows=1)
        made.ended = "the budget of 3 requests is spent"
        return made

    (made,) = asyncio.run(rounds.turn(NAME, [], "loop", run_round=one))
    assert made.note.startswith("no round 1 of 2: the budget of 3 requests is spent, before loop-r0 was whole")


TRAINER = "import sys, pathlib; out = pathlib.Path(sys.argv[2]); (out / 'w').write_text(sys.argv[1][-12:])"


@pytest.mark.slow
def test_a_command_makes_the_next_model_once_for_each_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / "data"))
    train = Train("policy", [sys.executable, "-c", TRAINER, "{version}", "{out}"], "vllm:{out}")
    first, second = version(tmp_path, 0, 1), version(tmp_path, 1, 1)
    models = [asyncio.run(rounds.trained(train, each)) for each in (first, first, second)]
    assert models[0] == models[1]
    assert models[0]["revision"] != models[2]["revision"]
    assert (Path(models[0]["use"].removeprefix("vllm:")) / "w").read_text() == "s/loop-r0/v1"
    for command in (["false"], ["/no/such/program"], ["true"]):
        with pytest.raises(BadRecipe, match="rounds"):
            asyncio.run(rounds.trained(train._replace(command=command), first))


def trained_loop(tmp_path: Path, *, count: int = 3) -> Path:
    """A recipe whose model is trained between rounds, of the version and of the model before."""
    command = [sys.executable, "-c", TRAINER, "{before} {version}", "{out}"]
    given = value()
    given["rounds"] = {"count": count, "into": "bring.rows", "view": "pool"}
    given["rounds"]["train"] = {"role": "policy", "command": command, "use": "builtin:{out}"}
    given["models"]["policy"] = {"use": "builtin:base", "slip": 0.2, "sampling": {"temperature": 0.5}}
    (tmp_path / "trained.toml").write_text(tomli_w.dumps(given))
    return tmp_path / "trained.toml"


@pytest.mark.slow
def test_the_model_that_was_trained_is_asked_whoever_was_named_to_begin_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / "data"))
    changes = ["models.policy.use=builtin:mine", "target.accepted=6"]

    async def one(recipe: str, changes: Sequence[str], dataset: str | None) -> Made:
        return await make.make(recipe, changes=changes, dataset=dataset)

    made = asyncio.run(rounds.turn(str(trained_loop(tmp_path)), changes, "mine", run_round=one))
    asked = [read(each.folder / "recipe.toml")["models"]["policy"] for each in made]
    assert asked[0]["use"] == "builtin:mine"
    weights = [Path(each["use"].removeprefix("builtin:")) for each in asked[1:]]
    assert [each.parents[1].name for each in weights] == ["mine-r0", "mine-r1"]
    assert len({each["revision"] for each in asked[1:]}) == 2
    assert all((each["slip"], each["sampling"]) == (0.2, {"temperature": 0.5}) for each in asked)
    train = loop_of(read(trained_loop(tmp_path)))
    assert train
    assert train.train
    assert [rounds.asked_before(train.train, each).name for each in made[:2]] == ["mine", str(weights[0])]


@pytest.mark.slow
def test_a_command_that_nobody_waits_for_is_ended_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / "data"))
    code = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    train = Train("policy", [sys.executable, "-c", code, "{out}"], "vllm:{out}")

    async def scene() -> None:
        training = asyncio.create_task(rounds.trained(train, version(tmp_path, 0, 1)))
        while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        with pytest.raises(Busy):
            await rounds.trained(train, version(tmp_path, 0, 1))
        training.cancel()
        with pytest.raises(asyncio.CancelledError):
            await training

    asyncio.run(scene())
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()
    weights = tmp_path / "data" / "runs" / "loop-r0" / "weights"
    assert all(each.name.startswith(".") for each in weights.iterdir())  # and goes when it is trained again


@pytest.mark.slow
def test_a_night_makes_the_next_round_until_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / "data"))
    changes = ["target.accepted=6", "explore.n=2"]
    nights = [asyncio.run(tonight(NAME, changes=changes, dataset="mine")) for _ in range(4)]
    assert [each.made.name for each in nights] == ["mine-r0", "mine-r1", "mine-r2", "mine-r2"]
    assert [each.new_rows for each in nights] == [6, 6, 6, 0]
    assert nights[3].in_short == "mine-r2 v1: nothing new"
    assert nights[3].made.counts.get("sent", 0) == 0
    assert all((tmp_path / "data" / "runs" / f"mine-r{n}" / "changes" / "v1.md").is_file() for n in range(3))
    with pytest.raises(BadRecipe, match="leave out --more"):
        asyncio.run(tonight(NAME, changes=changes, dataset="mine", more=3))


# --- What rounds go by ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measured", "status"),
    [
        (None, "pass"),
        ("no JSON", "pass"),
        ('{"k": 3, "n": 2}', "pass"),
        ('{"k": 4, "n": 8}', "pass"),
        ('{"k": 5, "n": 8}', "fail"),
    ],
)
def test_hard_is_what_was_right_half_of_the_time_or_never_tried(measured: Any, status: str) -> None:
    details = {"measured": measured}
    of = problem(parents=(), stage="bring@1", draw=0, kind="task", question="?", details=details)
    assert [each.status for each in still_hard(Case(of), lambda *_: None)] == [status]  # pyright: ignore


def test_of_the_right_ones_the_shortest_stay_and_no_text_twice() -> None:
    case = solved(["2", "1", "3", "1", "2"], author="2")
    ruled = run("best_right", case)
    kept = [each.about for each in ruled[1:] if each.status == "pass"]
    assert kept == [(case.attempts[0].id,)]  # the other says the same
    assert ruled[0].status == "pass"
    assert run("best_right", solved(["1"], author="2"))[0].reason == "no attempt is right"
    assert best_right.__doc__
