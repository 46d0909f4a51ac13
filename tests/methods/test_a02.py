"""A2, NaturalThoughts: hard examples that take many strategies, always beside as many at random.

Shown elsewhere:
- for a seed and a size the choice is always the same, and in the mean harder and richer than the random arm:
  tests/filters/test_selection.py::test_the_selected_are_harder_and_more_diverse_than_random_ones
- in whatever order the pool comes: tests/filters/test_selection.py::test_the_order_of_the_pool_never_matters
- strategies as a judge labels them:
  tests/pipelines/stages/test_annotate.py::test_strategies_are_those_that_half_of_the_votes_list
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from statistics import fmean

import orjson
import pytest

from flows.make import Made
from tests.methods import lines
from tests.small import attempts, verdicts

SHOWN = [
    "Let me verify this.",
    "Alternatively, we count.",
    "Suppose it is even.",
    "For example, take 2.",
    "Recall it.",
]
SELECTOR = {"rule": "diverse_strategies", "difficulty": "semantic_entropy", "k": 8}


def row(place: int) -> dict[str, object]:
    """A question with four responses: `place` says how many of them differ, and how many strategies they show."""
    answers = [str(place + min(sample, place % 4)) for sample in range(4)]
    shown = " ".join(SHOWN[: place * 7 % 6])
    return {
        "question": f"What is the number {place}?",
        "answer": str(place),
        "responses": [f"{shown} {said}" for said in lines.boxed(*answers)],
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    sift = lines.sift("answer_matches", "semantic_entropy", "strategy_count")
    return lines.run(tmp_path_factory.mktemp("a02"), [*map(row, range(24))], sift, lines.select(SELECTOR))


def test_both_arms_are_datasets_of_the_version_with_the_config_that_chose_them(made: Made) -> None:
    """The chosen and as many by chance lie side by side as datasets, in one version with the selector's settings."""
    asked = lines.questions(made)
    arms = [{asked[each["problem_id"]] for each in lines.loaded(made, view)} for view in ("rl", "random/rl")]
    assert arms == [lines.accepted(made), lines.by_chance(made, "diverse_strategies")]
    assert [len(arm) for arm in arms] == [8, 8]
    assert arms[0] != arms[1]
    recipe = tomllib.loads((made.folder / "recipe.toml").read_text())
    assert recipe["stages"][-1]["rules"] == [SELECTOR]
    contexts = [orjson.loads(each.context) for each in lines.told(made, "diverse_strategies").values()]
    assert all((each["difficulty"], each["k"]) == ("semantic_entropy", 8) for each in contexts)
    version = orjson.loads((made.folder / "version.json").read_bytes())
    assert (version["version"], version["rows"]["rl"], version["rows"]["random/rl"]) == ("v1", 8, 8)


def test_the_chosen_arm_is_harder_and_richer_than_the_random_one(made: Made) -> None:
    """By what the facts of the version say of both arms."""
    chosen, chance = lines.accepted(made), lines.by_chance(made, "diverse_strategies")
    entropy = {question: each.score for question, each in lines.told(made, "semantic_entropy").items()}
    assert mean(entropy, chosen) > mean(entropy, chance)
    assert mean(strategies(made), chosen) > mean(strategies(made), chance)


def mean(scores: dict[str, float | None], arm: Collection[str]) -> float:
    return fmean(scores[question] or 0.0 for question in arm)


def strategies(made: Made) -> dict[str, float | None]:
    """How many strategies a problem's responses show: each row's four show the same."""
    asked = lines.questions(made)
    counts = {each.subjects[0]: each.score for each in verdicts(made) if each.rule.startswith("strategy_count@")}
    return {asked[each.problem]: counts[each.id] for each in attempts(made)}
