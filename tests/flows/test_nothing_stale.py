"""Nothing stale, nothing wasted: what is asked again after a change, and what never is."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import tomli_w

from filters.table import RULES
from filters.verifiers import VERIFIERS
from flows import make
from flows.make import Made
from pipelines import checks
from pipelines.views.table import VIEWS
from tests.server import Behaviour
from tests.small import Site, attempts, loaded_bytes, marked, problems, verdicts

SECOND = "said in the second run"


def solved(made) -> set[str]:
    """The problems that solutions were asked for."""
    return {each.problem for each in attempts(made) if each.stage.startswith("expand")}


# Nothing changed that a model sees


def test_an_identical_run_sends_nothing_and_makes_no_new_version(site: Site):
    first = site.turn()
    again = site.turn()  # at another URL
    assert first.requests > 24
    assert again.requests == 0
    assert first.made.is_new
    assert not again.made.is_new
    assert again.made.folder == first.made.folder
    assert again.made.ledger == first.made.ledger


def test_a_changed_filter_behind_the_last_call_sends_nothing_and_is_judged_anew(site: Site):
    first = site.turn()
    site.stage("verify")["rules"][1] = {"rule": "pass_rate", "at_least": 1.0}
    second = site.turn()
    assert second.requests == 0
    assert second.made.folder.name == "v2"
    assert second.made.ledger["accepted"] < first.made.ledger["accepted"]
    told = [each for each in verdicts(second.made) if each.rule.startswith("pass_rate@")]
    assert told
    assert all('"at_least":1.0' in each.context for each in told)
    assert attempts(second.made) == attempts(first.made)


def test_a_raised_rule_version_is_judged_anew(site: Site, monkeypatch: pytest.MonkeyPatch):
    first = site.turn()
    monkeypatch.setitem(RULES, "answer_matches", RULES["answer_matches"]._replace(version=99))
    second = site.turn()
    assert second.requests == 0
    assert second.made.folder.name == "v2"
    rules = {each.rule for each in verdicts(second.made)}
    assert {rule for rule in rules if rule.startswith("answer_matches@")} == {"answer_matches@99"}
    assert second.made.ledger["accepted"] == first.made.ledger["accepted"]


@pytest.mark.slow
def test_a_raised_verifier_version_is_judged_anew(site: Site, monkeypatch: pytest.MonkeyPatch):
    site.turn()
    monkeypatch.setitem(VERIFIERS, "math", dataclasses.replace(VERIFIERS["math"], version=99))
    second = site.turn()
    assert second.requests == 0
    assert second.made.folder.name == "v2"
    told = [orjson.loads(each.context) for each in verdicts(second.made) if each.rule.startswith("answer_matches")]
    named = {each["verifier"] for each in told if "verifier" in each}
    assert {each for each in named if each.startswith("math@")} == {"math@99"}


def test_with_another_algebra_answers_are_compared_anew(site: Site, monkeypatch: pytest.MonkeyPatch):
    """What could not be compared without one is compared once it is installed, not read from an old output."""
    compared: list[Any] = []
    table = checks.Checks.table

    async def counted(self: checks.Checks, pairs: Any) -> Any:
        compared.append(pairs)
        return await table(self, pairs)

    monkeypatch.setattr(checks, "installed", lambda package: None)
    site.turn()
    monkeypatch.setattr(checks.Checks, "table", counted)
    site.turn()
    assert compared == []
    monkeypatch.setattr(checks, "installed", lambda package: "99.0")
    assert site.turn().requests == 0
    assert compared


def test_a_raised_view_version_makes_a_version_of_the_same_facts(site: Site, monkeypatch: pytest.MonkeyPatch):
    first = site.turn()
    query = (
        "select * from (" + VIEWS["sft"].query.rpartition("order by")[0] + ") where sample = 0 order by problem_id"
    )
    monkeypatch.setitem(VIEWS, "sft", VIEWS["sft"]._replace(version=99, query=query))
    second = site.turn()
    assert second.requests == 0
    assert second.made.folder.name == "v2"
    before, after = loaded_bytes(first.made), loaded_bytes(second.made)
    changed = {name for name in before if before[name] != after[name]}
    assert {name.partition("/")[0] for name in changed} == {"sft"}


@pytest.mark.slow
def test_another_choice_of_views_makes_a_version_without_a_request(site: Site):
    site.turn()
    second = site.turn('views=["rl"]')
    assert second.requests == 0
    assert second.made.folder.name == "v2"
    assert not (second.made.folder / "sft").exists()


@pytest.mark.slow
def test_another_name_uses_every_reply(site: Site):
    first = site.turn()
    renamed = site.turn(dataset="other")
    assert renamed.requests == 0
    assert renamed.made.folder.parent.name == "other"
    assert loaded_bytes(renamed.made) == loaded_bytes(first.made)


# A changed gate before a call


@pytest.mark.parametrize("at_most", [0.9, 0.3])
def test_a_changed_gate_sends_only_what_it_newly_admits(site: Site, at_most: float):
    first = site.turn()
    site.stage("screen")["rules"][1] = {"rule": "novelty", "at_most": at_most}
    second = site.turn()
    new = solved(second.made) - solved(first.made)
    assert solved(second.made) != solved(first.made)
    assert second.requests == 2 * len(new)
    assert not second.digests & first.digests


# More seeds, more draws


def test_appended_seeds_change_no_earlier_draw_and_send_only_new_ones(site: Site):
    first = site.turn()
    site.append_seeds(12)
    second = site.turn("target.candidates=40")
    earlier = [each for each in attempts(second.made) if (each.draw or 0) < 24]
    assert earlier == attempts(first.made)
    assert not second.digests & first.digests
    assert second.requests == len(attempts(second.made)) - len(attempts(first.made))
    fresh = {each.question for each in problems(second.made) if each.kind == "seed"}
    assert fresh > {each.question for each in problems(first.made) if each.kind == "seed"}


def brought(site: Site, row: str, **columns: str) -> Made:
    """What comes of rows that are there already, their fields read under these names."""
    (site.folder / "rows.jsonl").write_text(row + "\n")
    rows = {"path": "rows.jsonl", "columns": columns}
    stages = [{"use": "bring", "rows": rows}, {"use": "sift", "rules": ["answer_matches"]}]
    recipe = site.folder / "brought.toml"
    recipe.write_text(tomli_w.dumps({"name": "brought", "about": "rows that were there", "stages": stages}))
    return asyncio.run(make.make(str(recipe)))


def test_a_column_under_another_name_is_read_anew(site: Site):
    row = '{"question": "1 + 1?", "right": "2", "other": "3", "responses": "So 2."}'
    assert [each.answer for each in problems(brought(site, row, answer="right"))] == ["2"]
    assert [each.answer for each in problems(brought(site, row, answer="other"))] == ["3"]


def test_a_column_inside_of_another(site: Site):
    row = '{"question": "1 + 1?", "reward_model": {"ground_truth": "2"}}'
    [problem] = problems(brought(site, row, answer="reward_model.ground_truth"))
    assert problem.answer == "2"


def test_appended_seeds_alone_change_nothing(site: Site):
    site.turn()
    site.append_seeds(12)
    second = site.turn()
    assert second.requests == 0
    assert not second.made.is_new


@pytest.mark.slow
def test_a_raised_limit_sends_only_the_new_draws(site: Site):
    first = site.turn()
    second = site.turn("target.candidates=32")
    assert not second.digests & first.digests
    assert [each for each in attempts(second.made) if (each.draw or 0) < 24] == attempts(first.made)
    assert max(each.draw or 0 for each in attempts(second.made)) == 31


# A higher limit on tokens


@pytest.mark.slow
def test_raising_max_tokens_asks_again_only_what_was_cut(site: Site):
    site.stage("expand")["sampling"] = {"max_tokens": 60}
    first = site.turn()
    cut = [each for each in attempts(first.made) if each.finish == "length" and each.stage.startswith("expand")]
    whole = [each for each in attempts(first.made) if each.finish == "stop" and each.stage.startswith("expand")]
    assert cut
    assert whole
    site.stage("expand")["sampling"] = {"max_tokens": 4096}
    second = site.turn(behaviour=Behaviour(author=marked(SECOND)))
    assert second.requests == len(cut)
    again = [each for each in attempts(second.made) if each.text.endswith(SECOND)]
    assert {(each.problem, each.sample) for each in again} == {(each.problem, each.sample) for each in cut}


@pytest.mark.slow
def test_lowering_max_tokens_never_exports_what_would_have_been_cut(site: Site):
    site.turn()
    site.stage("expand")["sampling"] = {"max_tokens": 60}
    second = site.turn()
    solutions = [each for each in attempts(second.made) if each.stage.startswith("expand")]
    assert all(each.finish == "length" or (each.completion_tokens or 0) <= 60 for each in solutions)
    assert 0 < second.requests == sum(each.finish == "length" for each in solutions)


# Whatever the model sees, or is


def system(site: Site) -> None:
    site.value["models"]["teacher"]["system"] = "You are brief."


def revision(site: Site) -> None:
    site.value["models"]["teacher"]["revision"] = "4f1a"


def deployment(site: Site) -> None:
    site.value["models"]["teacher"]["deployment"] = "fp8"


def temperature(site: Site) -> None:
    site.value["models"]["teacher"]["sampling"]["temperature"] = 0.7


def top_p(site: Site) -> None:
    site.value["models"]["teacher"]["sampling"]["top_p"] = 0.9


def stop(site: Site) -> None:
    site.value["models"]["teacher"]["sampling"]["stop"] = ["never said"]


def extra(site: Site) -> None:
    site.value["models"]["teacher"]["sampling"]["extra"] = {"reasoning_effort": "low"}


def run_seed(site: Site) -> None:
    site.value["seed"] = 1


def prompt_text(site: Site) -> None:
    """A prompt of the recipe's own goes before ours of the same name."""
    ours = Path(__file__).parents[2] / "prompts" / "pose" / "plan-solve.md"
    own = site.folder / "prompts" / "pose" / "plan-solve.md"
    own.parent.mkdir(parents=True)
    own.write_text(ours.read_text() + "\nTake care.\n")


def model_name(site: Site) -> None:
    site.value["models"]["teacher"]["limit_field"] = "max_completion_tokens"


SEEN_TOO = [system, temperature, revision, deployment, top_p, stop, extra, run_seed, model_name]


@pytest.mark.parametrize(
    "change",
    [
        prompt_text,
        *(pytest.param(each, marks=pytest.mark.slow, id=each.__name__) for each in SEEN_TOO),
    ],
    ids=lambda change: change.__name__,
)
def test_a_change_that_the_model_sees_asks_everything_again(site: Site, change: Callable[[Site], None]):
    site.turn()
    change(site)
    second = site.turn(behaviour=Behaviour(author=marked(SECOND)))
    said = attempts(second.made)
    assert second.requests == len(said)
    assert all(each.text.endswith(SECOND) for each in said if each.finish == "stop")
    assert second.made.counts.get("replayed", 0) == 0


def test_a_change_to_one_stage_asks_only_that_stage_again(site: Site):
    first = site.turn()
    site.stage("expand")["sampling"] = {"temperature": 0.9}
    second = site.turn(behaviour=Behaviour(author=marked(SECOND)))
    assert second.requests == 2 * len(solved(first.made))
    for each in attempts(second.made):
        assert each.text.endswith(SECOND) == each.stage.startswith("expand")


@pytest.mark.slow
def test_a_further_sample_asks_only_for_itself(site: Site):
    first = site.turn()
    second = site.turn("expand.n=3")
    assert second.requests == len(solved(first.made))
    assert not second.digests & first.digests


# What does not count


@pytest.mark.parametrize(
    "target", ["target.candidates=24", pytest.param("target.accepted=8", marks=pytest.mark.slow)]
)
def test_workers_shards_and_places_change_no_fact(site: Site, target: str):
    site.value["target"] = {"candidates": 80}
    made = {}
    for workers, shard, in_flight in [(1, 8, 4), (8, 8, 64), (1, 512, 64), (8, 32, 4), (3, 7, 1)]:
        changes = [f"shard={shard}", f"models.teacher.in_flight={in_flight}", target]
        made[workers, shard, in_flight] = site.embedded(*changes, workers=workers, dataset=f"d{len(made)}")
    versions = [loaded_bytes(each) for each in made.values()]
    assert all(version == versions[0] for version in versions)


def test_a_run_in_other_shards_makes_no_new_version(site: Site):
    first = site.turn()
    second = site.turn("shard=5", workers=1)
    assert second.requests == 0
    assert not second.made.is_new
    assert second.made.folder == first.made.folder


@pytest.mark.slow
def test_each_in_a_folder_of_its_own_is_the_same_too(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without a journal to share: the facts follow from the recipe alone."""
    versions = []
    for workers, shard in [(1, 32), (8, 5)]:
        monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / f"data-{workers}"))
        versions.append(loaded_bytes(site.turn(f"shard={shard}", workers=workers).made))
    assert versions[0] == versions[1]
