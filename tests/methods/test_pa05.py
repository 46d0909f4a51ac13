"""P-A05, PROF: of the right answers those with the best steps, of the wrong ones those with the worst.

Shown elsewhere:
- right and wrong are kept in equal number, with no tolerance, and stay what they are:
  tests/filters/test_selection_groups.py::test_right_and_wrong_are_kept_in_equal_number_and_stay_what_they_are
- right answers with a planted bad step go before clean ones, by 0.3 more precision than by chance:
  tests/filters/test_selection_groups.py::test_right_answers_with_a_bad_step_go_before_clean_ones
- without scores, or with those of two scorers, nothing is chosen:
  tests/filters/test_selection_groups.py::test_without_scores_or_with_two_scorers_nothing_is_told
"""

from __future__ import annotations

import pytest

from flows.make import Made
from pipelines.records import Attempt, Verdict
from tests.methods import lines
from tests.small import attempts, verdicts

GROUPS = {
    "mixed": (["1", "1", "1", "1", "2", "2", "2"], [0.9, 0.2, 0.7, 0.8, 0.6, 0.1, 0.3]),
    "more wrong than right": (["1", "2", "2", "2"], [0.4, 0.5, 0.2, 0.9]),
    "all right": (["1", "1"], [0.9, 0.1]),
    "all wrong": (["2", "2"], [0.9, 0.1]),
}
"""Answers, of which 1 is right, and the mean reward of each one's steps."""

BY_HAND = {"mixed": [0, 3, 5, 6], "more wrong than right": [0, 2]}
"""Of the right those with the highest means, of the wrong those with the lowest; at most two, and equally many."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    rows = [
        {"question": name, "answer": "1", "responses": lines.boxed(*answers), "rewards": means}
        for name, (answers, means) in GROUPS.items()
    ]
    prof = {"rule": "process_consistent", "by": "reward", "keep": 2}
    return lines.run(tmp_path_factory.mktemp("pa05"), rows, lines.sift("answer_matches", prof))


def of_group(made: Made, name: str, rule: str) -> list[tuple[Attempt, Verdict]]:
    """What the rule said of each attempt of the group, by sample."""
    said = {each.subjects[0]: each for each in verdicts(made) if each.rule.partition("@")[0] == rule}
    group = [each for each in attempts(made) if lines.questions(made)[each.problem] == name]
    return [(each, said[each.id]) for each in sorted(group, key=lambda each: each.sample)]


@pytest.mark.parametrize("name", BY_HAND)
def test_the_kept_are_those_computed_by_hand(made: Made, name: str) -> None:
    """By the facts of a version."""
    pairs = of_group(made, name, "process_consistent")
    assert [attempt.sample for attempt, told in pairs if told.status == "pass"] == BY_HAND[name]
    assert [told.score for _, told in pairs] == GROUPS[name][1]


@pytest.mark.parametrize("name", GROUPS)
def test_no_outcome_changes(made: Made, name: str) -> None:
    """Each answer is right or wrong as it was, whether it is kept or not."""
    outcomes = ["pass" if answer == "1" else "fail" for answer in GROUPS[name][0]]
    assert [told.status for _, told in of_group(made, name, "answer_matches")] == outcomes


def test_groups_that_all_end_alike_are_not_accepted(made: Made) -> None:
    """There is nothing to balance: the problem goes, with its reason in the books."""
    assert lines.accepted(made) == BY_HAND.keys()
    assert made.ledger["reasons"]["process_consistent"] == {
        "all scored attempts are right": 1,
        "all scored attempts are wrong": 1,
    }
    assert {told.status for _, told in of_group(made, "all right", "process_consistent")} == {"unsure"}
