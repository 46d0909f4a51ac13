"""What changed from one version to another: counted once, none left out, and nothing called a change that is none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipelines.records import Facts
from pipelines.versions import facts as compare_facts
from pipelines.versions.compare import Ruled, compare
from pipelines.versions.facts import ANOTHER, NOT_DRAWN, Turned
from pipelines.versions.recipes import Change, flat
from tests.each import each_of
from tests.small import Site
from tests.versions import RECIPE, candidate, together, told, write_version

EASY, SOME, HARD = ["4", "4"], ["4", "5"], ["5", "5"]
LATER = candidate(2, question="What is 3 + 1?")


def written(tmp_path: Path, *versions: Facts) -> list[Path]:
    return [write_version(tmp_path / "sums" / f"v{number}", facts) for number, facts in enumerate(versions, 1)]


def test_a_version_differs_from_itself_in_nothing(tmp_path: Path):
    [folder] = written(tmp_path, together(candidate(0), candidate(1, similarity=0.9)))
    found = compare(folder, folder)
    assert found.is_same
    assert (found.rows.both, found.rows.only_old, found.rows.only_new) == (1, 0, 0)
    assert (found.verdicts, found.rules, found.recipe, found.prompts, found.models) == ([], [], [], [], [])
    assert all(each.old == each.new for each in (*found.books, *found.views))


def test_a_larger_version_has_rows_more(tmp_path: Path):
    old, new = written(tmp_path, together(candidate(0)), together(candidate(0), candidate(1, similarity=0.9), LATER))
    rows = compare(old, new).rows
    assert (rows.both, rows.only_old, rows.only_new) == (1, 0, 1)
    assert rows.came == {NOT_DRAWN: 1}
    [row] = rows.came_examples
    assert (row.draw, row.question, row.elsewhere) == (2, "What is 3 + 1?", NOT_DRAWN)


def test_a_stricter_threshold_is_told_with_the_rows_and_verdicts_that_it_changed(tmp_path: Path):
    draws = [{"draw": 0}, {"draw": 1, "similarity": 0.6}, {"draw": 2, "similarity": 0.9}]
    old, new = written(
        tmp_path, *(together(*(candidate(**each, at_most=limit) for each in draws)) for limit in (0.7, 0.5))
    )
    found = compare(old, new)
    assert (found.rows.both, found.rows.went, found.rows.came) == (1, {"novelty": 1}, {})
    [novelty] = found.rules
    assert (novelty.rule, novelty.context) == ("novelty", [Change("at_most", 0.7, 0.5)])
    turned = {(each.rule, each.old, each.new): each.subjects for each in found.verdicts}
    # What was tried no more has no attempts in the new version, so their verdicts are no change.
    assert turned == {("novelty", "pass", "fail"): 1, ("pass_rate", "pass", None): 1}
    assert found.verdicts[0].examples[0][0] == 1


def test_another_version_of_a_rule_is_told(tmp_path: Path):
    facts = together(candidate(0))
    raised = [
        each._replace(rule=each.rule.replace("matches@2", "matches@3"), id=f"{n:032x}")
        for n, each in enumerate(facts.verdicts)
    ]
    old, new = written(tmp_path, facts, facts._replace(verdicts=raised))
    found = compare(old, new)
    assert [(each.rule, each.old_versions, each.new_versions) for each in found.rules] == [
        ("answer_matches", ["2"], ["3"])
    ]
    assert found.verdicts == []  # they say the same


def test_a_rule_that_is_new_speaks_where_it_did_not(tmp_path: Path):
    facts = together(candidate(0))
    more = told(facts.problems[2], "form@1")
    old, new = written(tmp_path, facts, facts._replace(verdicts=[*facts.verdicts, more]))
    found = compare(old, new)
    assert found.verdicts == [Turned("form", None, "pass", 1, [(0, facts.problems[2].id)])]
    assert found.rules == [Ruled("form", [], ["1"], [])]


def test_the_same_question_under_another_id_is_told(tmp_path: Path):
    old, new = written(tmp_path, together(candidate(0)), together(candidate(5)))
    rows = compare(old, new).rows
    assert (rows.both, rows.only_old, rows.only_new, rows.same_question) == (0, 1, 1, 1)


def test_a_draw_that_was_posed_anew_is_another_question(tmp_path: Path):
    old, new = written(tmp_path, together(candidate(0)), together(candidate(0, question="What is 1 + 3?")))
    rows = compare(old, new).rows
    assert (rows.went, rows.came, rows.same_question) == ({ANOTHER: 1}, {ANOTHER: 1}, 0)


def test_other_models_are_told(tmp_path: Path):
    facts = together(candidate(0))
    other = [
        facts.attempts[0],
        *(each._replace(revision="r2", id=f"{n:032x}") for n, each in enumerate(facts.attempts[1:])),
    ]
    old, new = written(tmp_path, facts, facts._replace(attempts=other))
    assert compare(old, new).models == [Change("teacher", "tiny@r1", "tiny@r1, tiny@r2")]


def test_versions_of_two_datasets_and_an_empty_one_can_be_compared(tmp_path: Path):
    old = write_version(tmp_path / "one" / "v1", together(candidate(0)))
    new = write_version(tmp_path / "two" / "v7", Facts.none())
    found = compare(old, new)
    assert (found.old, found.new) == ("one@v1", "two@v7")
    assert (found.rows.only_old, found.rows.went) == (1, {NOT_DRAWN: 1})
    assert compare(new, old).rows.only_new == 1


def test_the_rows_add_up_however_draws_are_cut_and_whichever_way_one_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    drawn = [(EASY, HARD, SOME, EASY), (EASY, EASY, HARD)]
    folders = written(
        tmp_path, *(together(*(candidate(n, given=each) for n, each in enumerate(some))) for some in drawn)
    )
    found, back = compare(*folders), compare(*folders[::-1])
    monkeypatch.setattr(compare_facts, "DRAWS", 2)
    assert compare(*folders) == found
    accepted = next(each[1:] for each in found.books if each.key == "accepted")
    rows = found.rows
    assert (rows.both + rows.only_old, rows.both + rows.only_new) == accepted == (3, 2)
    assert (sum(rows.went.values()), sum(rows.came.values())) == (rows.only_old, rows.only_new)
    assert (back.rows.both, back.rows.went, back.rows.came) == (rows.both, rows.came, rows.went)
    turned = Counter((each.rule, each.old, each.new, each.subjects) for each in found.verdicts)
    assert turned == Counter((each.rule, each.new, each.old, each.subjects) for each in back.verdicts)


@pytest.mark.slow
def test_a_run_that_goes_on_keeps_what_it_had(site: Site):
    made = [site.embedded(f"target={{accepted={n}, candidates=40}}") for n in (3, 6)]
    found = compare(*(each.folder for each in made))
    assert (found.rows.both, found.rows.only_old, found.rows.only_new) == (3, 0, 3)
    assert (found.verdicts, found.rules, found.prompts, found.models) == ([], [], [], [])
    assert found.recipe == [Change("target.accepted", 3, 6)]


# Recipes


def test_a_recipe_is_told_key_by_key_as_it_is_set(tmp_path: Path):
    stages = [
        {"use": "pose", "prompt": "pose/plan"},
        {"name": "screen", "use": "sift", "rules": ["form", {"rule": "novelty", "at_most": 0.5}, "no_leak"]},
        {"use": "expand", "n": 4},
    ]
    prompts = {"pose/plan": "One.\nTwo.\n", "solve/old": "Solve.\n"}
    old = write_version(tmp_path / "v1", together(candidate(0)), prompts=prompts)
    changed = {"pose/plan": "One.\nThree.\n", "solve/new": "Solve.\n"}
    new = write_version(tmp_path / "v2", together(candidate(0)), recipe={**RECIPE, "stages": stages}, prompts=changed)
    found = compare(old, new)
    assert found.recipe == [
        Change("screen.rules", "form, novelty", "form, novelty, no_leak"),
        Change("screen.rules.novelty.at_most", 0.7, 0.5),
        Change("expand.n", 2, 4),
    ]
    assert [(each.name, each.lines[1:]) for each in found.prompts] == [
        ("pose/plan", [" One.", "-Two.", "+Three."]),
        ("solve/new", ["+Solve."]),
        ("solve/old", ["-Solve."]),
    ]


@each_of(
    [
        ({"a": {"b": 1}}, {"a.b": 1}),
        (
            {"stages": [{"use": "draw", "per_problem": 2}]},
            {"stages": "draw", "draw.use": "draw", "draw.per_problem": 2},
        ),
        ({"views": ["sft", "rl"]}, {"views": "sft, rl"}),
        ({"sizes": [1, 2]}, {"sizes": "[1,2]"}),
        ({"twice": ["form", "form"]}, {"twice": '["form","form"]'}),
        ({"none": []}, {"none": "[]"}),
    ]
)
def test_nested_values_have_one_place_each(value: dict, places: dict):
    assert dict(flat(value)) == places
