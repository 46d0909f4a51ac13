"""P-A07, MMR1: variance-aware sampling, which draws prompts that promise variance of the reward.

Shown elsewhere:
- the part of the outcomes is 0 at pass rates 0 and 1 and largest at a half:
  tests/filters/test_difficulty.py::test_the_outcome_part_is_that_of_a_coin
- at equal pass rate more distinct trajectories score higher:
  tests/filters/test_difficulty.py::test_at_equal_pass_rate_more_distinct_trajectories_score_higher
- a batch drawn so has more reward variance and fewer groups without any than a uniform one, by a paired bootstrap
  over seeds: tests/filters/test_selection.py::test_variance_sampling_raises_reward_variance_over_seeds
- with a uniform share no prompt has probability 0:
  tests/filters/test_selection.py::test_with_a_uniform_share_every_problem_can_be_drawn
"""

from __future__ import annotations

from pathlib import Path

import pytest

from filters.answers import answer_matches_compares
from filters.difficulty import variance_promotion
from flows.make import Made
from tests.filters.trace_cases import by_solvers, ruled
from tests.methods import lines
from tests.methods.lines import told

OLD = {f"What is the number {place}?": k for place, k in enumerate([0, 0, 1, 2, 3, 4])}
NEW = OLD | {"What is the number 1?": 2, "What is the number 3?": 4}
"""How many of four rollouts are right, of the old and of the newer model."""


def sampled(folder: Path, rates: dict[str, int], *, model: str) -> Made:
    """A version whose prompts are drawn by the weights that the rollouts of this model give them."""
    rows = [
        {"question": question, "answer": "1", "responses": lines.boxed(*[1] * k, *[2] * (4 - k))}
        for question, k in rates.items()
    ]
    draw = {"rule": "variance_sampled", "k": 3, "uniform": 0.25}
    score = lines.sift({"rule": "variance_promotion", "solver": model})
    return lines.run(folder, rows, score, lines.select(draw), bring={"model": model})


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Made]:
    folder = tmp_path_factory.mktemp("pa07")
    return sampled(folder, OLD, model="step-100"), sampled(folder, NEW, model="step-200")


def test_weights_are_taken_anew_when_rollouts_of_a_newer_model_arrive(versions: tuple[Made, Made]) -> None:
    """In the next version what moved has another score, and the weights follow the scores of their own version."""
    assert [made.folder.name for made in versions] == ["v1", "v2"]
    old, new = ({q: each.score for q, each in told(made, "variance_promotion").items()} for made in versions)
    assert {question for question in OLD if old[question] != new[question]} == {
        question for question in OLD if OLD[question] != NEW[question]
    }
    for made, scores in zip(versions, (old, new), strict=True):
        total = sum(score or 0.0 for score in scores.values())
        wanted = {question: 0.25 / 6 + 0.75 * (score or 0.0) / total for question, score in scores.items()}
        weights = {question: each.score for question, each in told(made, "variance_sampled").items()}
        assert weights == pytest.approx(wanted)
        assert sum(wanted.values()) == pytest.approx(1.0)
        assert min(wanted.values()) > 0  # also where nothing was ever right


def test_beside_older_rollouts_of_the_same_prompt_those_of_the_newer_model_count_alone() -> None:
    """By its name; asked for no model, there is no weight rather than one of two models together."""

    def promise(solver: str | None, **rollouts: list[str]) -> float | None:
        [ruling] = ruled(variance_promotion, by_solvers(rollouts), answer_matches_compares, solver=solver)
        return ruling.score

    alone = promise("new", new=["1", "2"])
    assert alone is not None
    assert promise("new", old=["1", "1"], new=["1", "2"]) == alone
    assert promise("old", old=["1", "1"], new=["1", "2"]) != alone
    assert promise(None, old=["1", "1"], new=["1", "2"]) is None
