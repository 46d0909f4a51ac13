"""FLAMES: ways of posing compared at an equal budget of tokens, and two policies over the same problems."""

from __future__ import annotations

import asyncio
import re
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson
import pytest
import tomli_w
from click.testing import CliRunner

from docs import methods
from flows import make
from flows.cli import main
from flows.flames import SHOWN, compared
from flows.run import tokens_of
from pipelines import comparison
from pipelines.bind import bind
from pipelines.inference.engine import Misconfigured
from pipelines.recipe import BadRecipe, find, read
from pipelines.records import Attempt, Facts, verdict
from pipelines.reports.comparison import as_markdown, measured
from pipelines.stage import Shard
from pipelines.store import Output, as_tables, to_parquet
from tests.each import each_of
from tests.methods.test_recipes import leaks
from tests.pipelines.stages.bench import answered, posed
from tests.pipelines.test_views_laws import rows_in
from tests.server import Behaviour, builtin, serving
from tests.small import Site, attempts, loaded_bytes, problems, verdicts

ROOT = Path(__file__).parents[2]
TOKENS, LONGEST = 4_000, 512  # of a recipe, and of one answer


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / "data"))


# --- Plans ----------------------------------------------------------------------------------------------------


def plan(**changes: Any) -> dict[str, Any]:
    """A small plan of three recipes, without judges."""
    return {
        "name": "small",
        "tokens": TOKENS,
        "reliability": "self_consistency",
        "models": {"teacher": {"use": "builtin", "sampling": {"temperature": 0.6, "max_tokens": LONGEST}}},
        "recipes": [
            {"name": "planned", "use": "cot-self-instruct", "until": "screen"},
            {"name": "unplanned", "use": "cot-self-instruct", "until": "screen", "set": ["plan=false"]},
            {"name": "listed", "use": "self-instruct", "until": "novel", "set": ["pose.verifier='math'"]},
        ],
        "stages": [
            {"name": "solve", "use": "expand", "prompt": "solve/boxed", "n": 2},
            {"name": "agree", "use": "sift", "rules": ["self_consistency"], "drop": False},
        ],
        "policies": {"coverage": [], "reliable": ["agree.drop=true"]},
        **changes,
    }


def written(folder: Path, value: dict[str, Any]) -> Path:
    path = folder / "plan.toml"
    path.write_bytes(tomli_w.dumps(value).encode())
    return path


@each_of(comparison.names())
def test_every_plan_that_is_shipped_is_of_recipes_that_bind(name: str) -> None:
    path = comparison.find_plan(name)
    read = comparison.read_plan(path)
    assert len(read.recipes) >= 3
    assert [bind(value, folder=path.parent).tokens for value in read.recipes.values()] == [read.tokens] * 4


def test_recipes_of_a_plan_differ_in_how_they_pose_alone(tmp_path: Path) -> None:
    made = comparison.read_plan(written(tmp_path, plan())).recipes
    ends = [each["stages"][-2:] for each in made.values()]
    assert ends[0] == ends[1] == ends[2] == plan()["stages"]
    assert {each["target"]["tokens"] for each in made.values()} == {TOKENS}
    assert {each["models"]["teacher"]["use"] for each in made.values()} == {"builtin"}
    assert made["unplanned"]["stages"][1]["prompt"] == "pose/solve"
    assert list(made["listed"]["models"]) == ["teacher"]  # nobody asks its judge any more


def test_a_plan_says_which_budget_it_has_unless_somebody_says_another(tmp_path: Path) -> None:
    assert comparison.read_plan(written(tmp_path, plan()), tokens=7).tokens == 7


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"token": 3}, "the plan has no key 'token'"),
        ({"tokens": 0}, "tokens = 0 should be at least 1"),
        ({"recipes": plan()["recipes"][:1]}, "two recipes or more"),
        ({"recipes": plan()["recipes"] + plan()["recipes"][:1]}, "a name of its own"),
        ({"recipes": [{"use": "cot-self-instruct", "until": "scren"}]}, "no stage until = 'scren'; there are: draw"),
        ({"recipes": [{"use": "cot-self-instructed"}]}, "do you mean 'cot-self-instruct'"),
        ({"reliability": "novelty"}, "should be a rule of the plan's"),
    ],
)
def test_a_wrong_plan_says_what_is_wrong(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match=re.escape(said)):
        comparison.read_plan(written(tmp_path, plan(**changes)))


@pytest.mark.parametrize(
    ("changes", "models", "said"),
    [
        ({"policies": {"all": ["agre.drop=true"]}}, [], "nothing in the recipe is called 'agre'"),
        ({"policies": {"../all": []}}, [], "should be letters, digits"),
        ({"name": "../small"}, [], "should be letters, digits"),
        ({}, ["judge=builtin"], "no recipe of the plan asks the model 'judge'; they ask: teacher"),
        ({}, ["teacher=clay:tablet"], "clay"),
        ({"stages": ["solve"]}, [], "each of stages"),
    ],
)
def test_what_could_not_run_later_is_told_before_anything_runs(
    changes: dict[str, Any], models: list[str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadRecipe, match=re.escape(said)):
        asyncio.run(compared(str(written(tmp_path, plan(**changes))), models=models))
    assert not (tmp_path / "data").exists()


def test_a_target_in_tokens_stands_alone_and_ends(tmp_path: Path) -> None:
    site = Site(tmp_path)
    for target in ({"tokens": 100}, {"tokens": 100, "candidates": 9, "accepted": 3}):
        with pytest.raises(BadRecipe, match=r"target\.tokens stands in place of"):
            bind({**site.value, "target": target}, folder=tmp_path)


def test_recipes_and_prompts_of_ones_own_are_found_beside_the_plan(tmp_path: Path) -> None:
    """From wherever it is run; two recipes may each have a prompt of the same name."""
    folders, ours = [tmp_path / name for name in ("ann", "ben")], (ROOT / "prompts" / "pose" / "solve.md").read_text()
    for folder in folders:
        (folder / "prompts" / "mine").mkdir(parents=True)
        (folder / "prompts" / "mine" / "pose.md").write_text(f"{ours}\nThis is how {folder.name} asks.\n")
        value = read(find("cot-self-instruct"), changes=["plan=false", "pose.prompt=mine/pose"])
        (folder / "mine.toml").write_text(tomli_w.dumps(value))
    entries = [{"name": each.name, "use": f"{each.name}/mine.toml", "until": "screen"} for each in folders]
    path = written(tmp_path, plan(recipes=entries))
    read_plan = comparison.read_plan(path)
    comparison.check_plan(read_plan)
    for folder in folders:
        comparison.copy_prompts(read_plan.folders[folder.name], tmp_path / "copied")
        assert f"how {folder.name} asks" in (tmp_path / "copied" / "prompts" / "mine" / "pose.md").read_text()


@pytest.mark.slow
def test_what_is_measured_is_what_the_facts_say(tmp_path: Path) -> None:
    """Four accepted problems, of which two are nearly the same; one of them is reliable, one not, two are open."""
    questions = ["How many kites fly?", "How many kites fly?", "What is half of 8 pears and 3 plums?", "Who won?"]
    made = [posed(draw, question) for draw, question in enumerate(questions)]
    said = [("pass", 1.0), ("fail", 0.25), ("unsure", None), ("unsure", None)]
    told = [
        verdict(subjects=[each.id], stage="s@1", draw=each.draw, rule="accepted@1", status="pass") for each in made
    ]
    told += [
        verdict(
            subjects=[each.id], stage="s@1", draw=each.draw, rule="self_consistency@1", status=status, score=score
        )
        for each, (status, score) in zip(made, said, strict=True)
    ]
    solved = [answered(made[0], "one two three")._replace(stage="solve@1")]
    (tmp_path / "facts").mkdir()
    for name, table in as_tables(Output(Facts(made, solved, told), [])).items():
        (tmp_path / "facts" / f"{name}.parquet").write_bytes(to_parquet(table))
    spent = {"a": {"prompt_tokens": 5, "completion_tokens": 30, "attempts": 4, "cost": 0.5}}
    spent["b"] = {"prompt_tokens": 1, "completion_tokens": 10, "attempts": 2}
    (tmp_path / "ledger.json").write_bytes(orjson.dumps({"candidates": 9, "accepted": 4, "models": spent}))
    found = measured(tmp_path, reliability="self_consistency", solve="solve")
    assert found["coverage"]["distinct"] == 3
    assert [found["reliability"][name] for name in ("k", "n", "undecided", "share")] == [1, 2, 2, 0.5]
    assert (found["difficulty"]["value"], found["difficulty"]["words"]) == (1 - 0.625, 3)
    assert 0 < found["diversity"]["distance"] < 0.9
    cost = {"prompt_tokens": 6, "completion_tokens": 40, "requests": 6, "money": 0.5, "tokens_a_row": 10}
    assert (found["draws"], found["cost"]) == (9, cost)


# --- The budget -----------------------------------------------------------------------------------------------


def shard_of(*given: tuple[int, int | None, str]) -> Shard:
    """Three draws, and attempts at them: of which draw, its tokens, and how it ended."""
    problems = [posed(draw) for draw in range(3)]
    made = [
        answered(problems[draw], "so", sample=i, finish=finish)._replace(completion_tokens=tokens)
        for i, (draw, tokens, finish) in enumerate(given)
    ]
    shard = Shard(0, 3)
    shard.take(Output(Facts(problems, made, []), [each.id for each in problems]), Path())
    return shard


def test_what_a_draw_takes_is_told_by_its_facts() -> None:
    told = tokens_of(shard_of((0, 5, "stop"), (2, 7, "length"), (0, 6, "stop"), (2, None, "refused")))
    assert list(told) == [11, 0, 7]


def test_a_draw_of_which_somebody_does_not_tell_is_not_taken_for_a_cheap_one() -> None:
    assert list(tokens_of(shard_of((1, None, "stop"), (1, 6, "stop"))))[1] == -1


def taken(made: list[Attempt], draws: int) -> list[int]:
    """The tokens of the first draws together, one by one."""
    by_draw = [sum(each.completion_tokens or 0 for each in made if each.draw == draw) for draw in range(draws)]
    return list(accumulate(by_draw))


@pytest.mark.slow
def test_a_version_is_the_longest_prefix_of_draws_that_fits(tmp_path: Path) -> None:
    site = Site(tmp_path)
    sums = taken(attempts(site.embedded("target={candidates=24}", dataset="all")), 24)
    for most in (sums[9], sums[9] + 1, sums[10] - 1):
        made = site.embedded(f"target={{candidates=24, tokens={most}}}", dataset="cut")
        assert made.ledger["candidates"] == 10
        assert made.ledger["models"]["teacher"]["completion_tokens"] == sums[9] <= most < sums[10]


@pytest.mark.slow
def test_shards_and_workers_do_not_move_the_cut(tmp_path: Path) -> None:
    site, target = Site(tmp_path), "target={candidates=60, tokens=6000}"
    ways = [("shard=8", 1), ("shard=3", 6), ("shard=64", 2)]
    made = [
        site.embedded(target, shard, workers=workers, dataset=f"by-{i}") for i, (shard, workers) in enumerate(ways)
    ]
    assert len({tuple(sorted(loaded_bytes(each).items())) for each in made}) == 1
    assert 0 < made[0].ledger["candidates"] < 60


@pytest.mark.slow
def test_a_budget_that_the_first_draw_passes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"target\.tokens = 9, and the first draw alone took \d+"):
        Site(tmp_path).embedded("target={candidates=24, tokens=9}")


@pytest.mark.slow
def test_a_model_that_does_not_tell_its_tokens_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.server.usage", lambda *said: None)
    with pytest.raises(Misconfigured, match="one of them does not tell how much it is"):
        Site(tmp_path).turn("target={candidates=24, tokens=9000}")


# --- Works when (CI) ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_command_compares_three_recipes_at_an_equal_budget(tmp_path: Path) -> None:
    path = written(tmp_path, plan())
    ended = CliRunner(env={"COLUMNS": "200"}).invoke(main, ["compare", str(path), "--quiet"])
    assert ended.exit_code == 0, ended.output
    folder = tmp_path / "data" / "comparisons" / "small"
    told = orjson.loads((folder / "comparison.json").read_bytes())
    assert list(told["recipes"]) == ["planned", "unplanned", "listed"]
    assert (folder / "comparison.md").read_text() == as_markdown(told)
    assert all(column in ended.output for column in SHOWN)
    for policies in told["recipes"].values():
        for each in policies.values():
            assert TOKENS - 3 * LONGEST < each["cost"]["completion_tokens"] <= TOKENS  # less than a draw is left
            assert 0 < each["coverage"]["distinct"] <= each["accepted"] or not each["accepted"]
    best = told["recipes"]["planned"]["coverage"]
    assert best["reliability"]["k"] <= best["reliability"]["n"]
    assert 0 <= best["difficulty"]["value"] < 1
    assert 0 < best["diversity"]["distance"] <= 1
    assert best["cost"]["tokens_a_row"] > 0


@pytest.mark.slow
def test_two_policies_choose_among_the_same_answers_and_nothing_is_asked_twice(tmp_path: Path) -> None:
    async def scene(value: dict[str, Any]) -> tuple[dict[str, Any], int]:
        async with serving(Behaviour(author=builtin)) as server:
            told, _ = await compared(str(written(tmp_path, value)), models=[f"teacher=openai:test@{server.url}"])
            return told, server.calls

    _, paid = asyncio.run(scene(plan(name="alone", policies={"coverage": []})))
    told, more = asyncio.run(scene(plan()))
    assert paid > 0
    assert more == 0  # with what coverage alone was asked for, reliable is there as well
    for policies in told["recipes"].values():
        coverage, reliable = policies["coverage"], policies["reliable"]
        assert reliable["draws"] == coverage["draws"]
        assert reliable["cost"]["completion_tokens"] == coverage["cost"]["completion_tokens"]
        assert reliable["of_the_first"] == reliable["accepted"] == coverage["reliability"]["k"]
        assert reliable["coverage"]["distinct"] <= coverage["coverage"]["distinct"]
    assert 0 < told["recipes"]["planned"]["reliable"]["accepted"] < told["recipes"]["planned"]["coverage"]["accepted"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["planned", "unplanned", "harder", "evolved"])
def test_no_prompt_of_the_shipped_plan_holds_what_helped(name: str, tmp_path: Path) -> None:
    value = comparison.read_plan(comparison.find_plan("flames")).recipes[name]
    path = written(tmp_path, {**value, "target": {"candidates": 12}})
    made = asyncio.run(make.make(str(path)))
    facts = problems(made), attempts(made)
    assert made.ledger["accepted"]
    assert leaks(*facts, rows_in([*facts[0], *facts[1], *verdicts(made)])) == []


@each_of(comparison.names())
def test_the_page_of_a_plan_names_tests_that_are_there(name: str) -> None:
    said = methods.text(name)
    for path, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", said):
        assert f"def {test}" in (ROOT / path).read_text(), f"{path}::{test}"
