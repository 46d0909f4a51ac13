"""A recipe is a value: how it is changed, what counts of it, and what never does. For wrong ones see test_cli."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from pipelines.bind import SHARD_BYTES, TOKEN_BYTES, Recipe, bind, stage_parameters
from pipelines.recipe import BadRecipe, apply, read
from pipelines.stages.table import STAGES
from tests.each import each_of
from tests.small import LINE, Site


def changed(*changes: str) -> dict[str, Any]:
    value = copy.deepcopy(LINE)
    for change in changes:
        apply(value, change)
    return value


@each_of(
    [
        ("target.accepted=50", lambda v: v["target"]["accepted"] == 50),
        ("target={accepted=3}", lambda v: v["target"] == {"accepted": 3}),
        ("expand.n=4", lambda v: v["stages"][3]["n"] == 4),
        ("expand.sampling.top_k = 20", lambda v: v["stages"][3]["sampling"] == {"top_k": 20}),
        ("models.teacher.sampling.temperature=1", lambda v: v["models"]["teacher"]["sampling"]["temperature"] == 1),
        ("models.judge=builtin", lambda v: v["models"]["judge"] == "builtin"),
        ("verify.rules=[]", lambda v: v["stages"][4]["rules"] == []),
        ("pose.prompt=pose/solve", lambda v: v["stages"][1]["prompt"] == "pose/solve"),
        ("about=a = b", lambda v: v["about"] == "a = b"),
        ("seed=0x10", lambda v: v["seed"] == 16),
    ]
)
def test_a_change_goes_to_its_place(change: str, place: Any):
    assert place(changed(change))


def test_another_engine_is_asked_as_the_recipe_says():
    teacher = changed("models.teacher=openai:x@http://localhost/v1")["models"]["teacher"]
    assert teacher == {"use": "openai:x@http://localhost/v1", "sampling": LINE["models"]["teacher"]["sampling"]}


def test_an_arm_is_taken_out_by_its_name(tmp_path: Path):
    path = tmp_path / "r.toml"
    path.write_text('arms = { plan = true }\nstages = [{ use = "draw" }]\n[without.plan]\n"draw.within" = "domain"\n')
    assert "within" not in read(path)["stages"][0]
    assert read(path, changes=["plan=false"])["stages"][0]["within"] == "domain"
    again = read(path, changes=["plan=false"])
    assert again["without"]["plan"] == {"draw.within": "domain"}  # still there: the value runs again as it stands


def test_a_recipe_without_a_name_is_called_like_its_file(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text("")
    assert read(path)["name"] == "mine"


# What is bound


def bound(site: Site, *changes: str) -> Recipe:
    site.write()
    return bind(read(site.folder / "recipe.toml", changes=changes), folder=site.folder)


def test_what_a_recipe_leaves_out_is_written_down_where_it_counts(site: Site):
    recipe = bound(site)
    verify = next(step for step in recipe.steps if step.name == "verify")
    assert [each.label for each in verify.parameters["rules"]] == ["answer_matches@2", "pass_rate@2"]
    assert verify.parameters["rules"][1].parameters == {"at_least": 0.4, "at_most": 1.0}
    assert next(step for step in recipe.steps if step.name == "expand").parameters["together"] is False


def test_sampling_is_the_models_with_the_stages_own_changes(site: Site):
    recipe = bound(site, "expand.sampling={max_tokens=99, top_k=5}")
    pose, expand = (step.parameters["sampling"].given() for step in recipe.steps if "sampling" in step.parameters)
    assert pose == {"max_tokens": 4096, "temperature": 0.6}
    assert expand == {"max_tokens": 99, "temperature": 0.6, "top_k": 5}


def identities(recipe: Recipe) -> dict[str, Any]:
    return {step.name: step.identity(0, 8) for step in recipe.steps}


COUNTS = {
    "draw.per_problem=3": "draw",
    "draw.within=domain": "draw",
    "pose.prompt=pose/solve": "pose",
    "pose.verifier=math": "pose",
    "pose.sampling={temperature=0.1}": "pose",
    "screen.rules=[]": "screen",
    "expand.n=3": "expand",
    "expand.together=true": "expand",
    "expand.sampling={max_tokens=10}": "expand",
    "verify.rules=[{rule='pass_rate', at_most=0.9}]": "verify",
}


@pytest.mark.parametrize("change", COUNTS)
def test_every_parameter_of_a_stage_is_part_of_its_identity(site: Site, change: str):
    before, after = identities(bound(site)), identities(bound(site, change))
    assert {name for name in before if before[name] != after[name]} == {COUNTS[change]}


@pytest.mark.parametrize(
    "change",
    [
        "name=other",
        "about=x",
        "paper=y",
        "shard=3",
        "target.candidates=7",
        "views=[]",
        "models.teacher.in_flight=3",
        "models.teacher.timeout=5",
        "models.teacher.outage_limit=5",
        "models.teacher.key_env=KEY",
        "models.teacher.price={input=1.0}",
        "models.teacher.use=openai:test@http://elsewhere/v1",
    ],
)
def test_what_does_not_count_changes_no_identity(site: Site, change: str):
    assert identities(bound(site, change)) == identities(bound(site))


@pytest.mark.parametrize("setting", ["revision='a'", "deployment='a'", "system='a'", "send_seed=false"])
def test_what_the_model_is_counts_in_every_stage_that_asks_it(site: Site, setting: str):
    before, after = identities(bound(site)), identities(bound(site, f"models.teacher.{setting}"))
    assert {name for name in before if before[name] != after[name]} == {"pose", "expand"}


def test_shards_are_bounded_by_the_length_of_their_answers(site: Site):
    assert bound(site, "shard=500").rows_per_shard == 500
    long = bound(site, "shard=500", "expand.n=64", "expand.sampling={max_tokens=32768}").rows_per_shard
    assert long == SHARD_BYTES // ((64 * 32768 + 4096) * TOKEN_BYTES) < 500
    assert bound(site, "expand.n=100000", "expand.sampling={max_tokens=32768}").rows_per_shard == 1


def test_the_files_of_a_recipe_lie_beside_it_or_in_the_project(site: Site):
    assert len(bound(site).seeds.rows) == 12  # pyright: ignore[reportOptionalMemberAccess]
    assert len(bound(site, "draw.seeds=data/seeds/math.jsonl").seeds.rows) > 200  # pyright: ignore
    with pytest.raises(BadRecipe, match=r"no file nowhere\.jsonl"):
        bound(site, "draw.seeds=nowhere.jsonl")


@each_of(STAGES)
def test_the_parameters_of_a_stage_are_its_keyword_only_ones(name: str):
    parameters = stage_parameters(STAGES[name])
    assert parameters
    assert not parameters.keys() & {"shard", "run", "step", "cases"}


def test_what_a_likelihood_is_of_is_no_kind_of_problem():
    value = {
        "name": "scored",
        "target": {"candidates": 1},
        "models": {"teacher": "builtin", "scorer": "openai:small@http://127.0.0.1:9/v1"},
        "stages": [
            {"use": "draw", "seeds": "data/seeds/math.jsonl"},
            {"use": "expand", "prompt": "solve/plain"},
            {"use": "likelihood"},
        ],
    }
    assert bind(value, folder=Path()).steps[-1].parameters["of"] == "response"
