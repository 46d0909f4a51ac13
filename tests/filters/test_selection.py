"""Choosing among all problems, with a random arm beside."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise, product
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.rule import Case, Ruling
from filters.selection import (
    balanced_draw,
    bottom_k,
    cluster_balanced,
    covering,
    diverse_strategies,
    drawn,
    name_of,
    names_in,
    quantile_band,
    random_k,
    sampling_weights,
    score_of,
    skill_coverage,
    top_k,
    variance_sampled,
    weighted_draw,
)
from filters.trace import STRATEGIES
from tests.each import each_of
from tests.filters.cases import task
from tests.filters.trace_cases import beside, kept, told, written


def pool(scores: Sequence[float | None], by: str = "variance_promotion") -> list[Case]:
    """Problems named by their place, with these scores."""
    cases = [Case(task(str(place))) for place in range(len(scores))]
    return [told(case, by, score) if score is not None else case for case, score in zip(cases, scores, strict=True)]


def numbers(questions: set[str]) -> list[int]:
    return sorted(map(int, questions))


SCORES = [0.3, 0.9, None, 0.1, 0.5, 0.7]

# What holds of every selection

SKILLS = list(STRATEGIES)


def rich(count: int, seed: int = 0) -> list[Case]:
    """A pool of which every rule here knows what it asks for."""
    chance = random.Random(seed)
    cases = []
    for place in range(count):
        case = Case(task(str(place))._replace(domain=chance.choice("abcd")))
        for by in ("variance_promotion", "pass_rate", "disagreement"):
            case = told(case, by, chance.randrange(17) / 16)
        shown = chance.sample(SKILLS, chance.randrange(1, 7))
        evidence: dict[str, Any] = {"strategies": {name: 1 for name in shown}}
        cases.append(told(case, "strategy_count", float(len(shown)), evidence=evidence))
    return cases


RULES: dict[str, Callable[..., list[Ruling]]] = {
    "top_k": top_k,
    "bottom_k": bottom_k,
    "random_k": random_k,
    "diverse_strategies": diverse_strategies,
    "variance_sampled": variance_sampled,
    "cluster_balanced": cluster_balanced,
    "skill_coverage": skill_coverage,
}


@each_of(product(RULES, [0, 1, 17, 40, 99]))
def test_as_many_as_asked_and_as_many_at_random(name: str, k: int) -> None:
    cases = rich(40)
    rulings = RULES[name](cases, k=k)
    assert len(kept(cases, rulings)) == len(beside(cases, rulings)) == min(k, 40)
    assert all(ruling.context["chosen"] == min(k, 40) and ruling.context["n"] == 40 for ruling in rulings)


@pytest.mark.parametrize("name", RULES)
@given(chance=st.randoms())
def test_the_order_of_the_pool_never_matters(name: str, chance: random.Random) -> None:
    cases = rich(30)
    shuffled = chance.sample(cases, len(cases))
    by_id = {case.problem.id: ruling for case, ruling in zip(shuffled, RULES[name](shuffled, k=9), strict=True)}
    assert [by_id[case.problem.id] for case in cases] == RULES[name](cases, k=9)


@each_of(RULES)
def test_nothing_is_chosen_of_nothing_and_no_size_is_negative(name: str) -> None:
    assert RULES[name]([]) == []
    with pytest.raises(ValueError, match="k = -1"):
        RULES[name]([], k=-1)


def test_the_random_arm_is_no_choice() -> None:
    """It is drawn from the same problems, whatever their scores."""
    cases = rich(400)
    rulings = top_k(cases, k=100)
    scores = {case.problem.question: score_of(case, "variance_promotion") or 0.0 for case in cases}
    chosen, chance = (fmean(scores[each] for each in arm) for arm in (kept(cases, rulings), beside(cases, rulings)))
    assert chosen > 0.85
    assert chance == pytest.approx(0.5, abs=0.1)


# By one score


def test_the_highest_and_the_lowest() -> None:
    cases = pool(SCORES)
    rulings = top_k(cases, k=2)
    assert numbers(kept(cases, rulings)) == [1, 5]
    assert rulings[1].context == {"n": 5, "chosen": 2, "pool": rulings[0].context["pool"], "from": 0.7, "to": 0.9}
    assert (rulings[0].reason, rulings[0].score) == ("not among the highest", 0.3)
    assert rulings[2].reason == "no score; sift with variance_promotion before"
    assert numbers(kept(cases, bottom_k(cases, by="variance_promotion", k=2))) == [0, 3]


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(0, 8), st.integers(0, 8))
def test_bands_of_quantiles_that_touch_share_none_and_miss_none(scores: list[int], a: int, b: int) -> None:
    cases = pool([float(score) for score in scores])
    low, high = sorted((a / 8, b / 8))
    bands = [(0.0, low), (low, high), (high, 1.0)]
    parts = [kept(cases, quantile_band(cases, by="variance_promotion", at_least=x, at_most=y)) for x, y in bands]
    assert sorted(each for part in parts for each in part) == sorted(case.problem.question for case in cases)
    tops = [[scores[int(each)] for each in part] for part in parts if part]
    assert all(max(below) <= min(above) for below, above in pairwise(tops))


def test_a_quantile_lies_between_0_and_1() -> None:
    with pytest.raises(ValueError, match=r"at_most = 1.5 should lie between 0 and 1"):
        quantile_band([], at_most=1.5)


def test_the_last_score_counts_and_the_attempts_count_by_their_mean() -> None:
    case = written("a", "b")
    for attempt, score in zip(case.attempts, (1.0, 2.0), strict=True):
        case = told(case, "strategy_count", score, about=attempt.id)
    assert score_of(case, "strategy_count") == 1.5
    assert score_of(told(case, "strategy_count", 5.0), "strategy_count") == 5.0
    assert score_of(told(case, "strategy_count", float("nan"), about=case.attempts[0].id), "strategy_count") == 2.0
    assert score_of(told(told(case, "x", 1.0), "x", 3.0), "x") == 3.0
    assert score_of(case, "strategy") is None


# A2: difficulty and diversity


@pytest.mark.parametrize("k", [20, 60, 120])
def test_the_selected_are_harder_and_more_diverse_than_random_ones(k: int) -> None:
    cases = rich(300)
    rulings = diverse_strategies(cases, k=k)
    assert rulings == diverse_strategies(cases, k=k)
    arms = [
        [case for case in cases if case.problem.question in arm]
        for arm in (kept(cases, rulings), beside(cases, rulings))
    ]
    for by in ("disagreement", "strategy_count"):
        chosen, chance = (fmean(score_of(case, by) or 0.0 for case in arm) for arm in arms)
        assert chosen > chance
        assert rulings[0].context[by] == pytest.approx(chosen)


# P-A07: drawn by weight


@given(st.dictionaries(st.text(max_size=3), st.floats(-1, 1), min_size=1, max_size=20), st.floats(0.01, 1.0))
def test_with_a_uniform_share_every_problem_can_be_drawn(scores: dict[str, float], uniform: float) -> None:
    weights = sampling_weights(scores, uniform=uniform)
    assert min(weights.values()) > 0
    assert sum(weights.values()) == pytest.approx(1.0)


def test_weights_follow_the_scores_and_without_scores_are_even() -> None:
    assert sampling_weights({"a": 3.0, "b": 1.0}, uniform=0.0) == {"a": 0.75, "b": 0.25}
    assert sampling_weights({"a": 3.0, "b": 1.0}, uniform=1.0) == {"a": 0.5, "b": 0.5}
    assert sampling_weights({"a": 0.0, "b": 0.0}, uniform=0.0) == {"a": 0.5, "b": 0.5}


def test_heavier_ones_are_drawn_first_as_often_as_they_weigh() -> None:
    weights = {"a": 0.6, "b": 0.3, "c": 0.1, "d": 0.0}
    first = Counter(weighted_draw(weights, 1, seed=seed)[0] for seed in range(2_000))
    assert {id: first[id] / 2_000 for id in "abc"} == pytest.approx({"a": 0.6, "b": 0.3, "c": 0.1}, abs=0.04)
    assert {weighted_draw(weights, 4, seed=seed)[-1] for seed in range(50)} == {"d"}


def test_variance_sampling_raises_reward_variance_over_seeds() -> None:
    """Against a uniform batch of the same size: higher mean p(1-p), fewer groups without variance."""
    chance = random.Random(5)
    rates = [chance.choice([0, 0, 0, 1, 2, 4, 6, 8, 8, 8]) / 8 for _ in range(200)]
    scores = [0.8 * 4 * p * (1 - p) + 0.2 * chance.random() for p in rates]
    cases = pool(scores)
    gains = []
    for seed in range(40):
        batches = [
            kept(cases, rulings)
            for rulings in (variance_sampled(cases, k=32, seed=seed), random_k(cases, k=32, seed=seed))
        ]
        variances = [[rates[int(each)] * (1 - rates[int(each)]) for each in batch] for batch in batches]
        gains.append((fmean(variances[0]) - fmean(variances[1]), variances[1].count(0) - variances[0].count(0)))
    for gain in zip(*gains, strict=True):
        means = sorted(fmean(chance.choices(gain, k=len(gain))) for _ in range(1_000))
        assert means[25] > 0  # 95 % of the paired bootstrap


def test_weights_are_taken_anew_when_a_newer_model_was_measured() -> None:
    cases = pool([0.1, 0.9, 0.5])
    newer = [told(case, "variance_promotion", score) for case, score in zip(cases, (0.9, 0.1, 0.5), strict=True)]
    old, new = ([ruling.score or 0.0 for ruling in variance_sampled(each, k=1)] for each in (cases, newer))
    assert old == pytest.approx([new[1], new[0], new[2]])
    assert old[0] < old[1]


# Balance


@given(st.lists(st.integers(0, 20), min_size=1, max_size=8), st.integers(0, 100), st.integers(0, 3))
def test_a_balanced_draw_spends_its_budget_evenly(sizes: list[int], budget: int, tiny: int) -> None:
    clusters = {f"{place}": [f"{place}-{each}" for each in range(size)] for place, size in enumerate(sizes)}
    chosen = balanced_draw(clusters, budget, seed=1, tiny=tiny)
    assert len(chosen) == min(budget, sum(sizes))
    counts = Counter(id.split("-")[0] for id in chosen)
    large = {place: len(each) for place, each in clusters.items() if len(each) > tiny}
    for a in large:
        for b in large:
            # Who has less than another by more than the rest of a division has given all.
            assert counts[a] >= counts[b] - 1 or counts[a] == large[a]
    assert not any(counts[place] for place in clusters.keys() - large.keys()) or all(
        counts[a] == large[a] for a in large
    )


def test_clusters_are_named_by_rules_or_by_the_problem() -> None:
    case = told(Case(task("a")._replace(domain="algebra", source="gsm8k")), "skill", None, value="sums")
    assert [name_of(case, by) for by in ("domain", "source", "skill", "other")] == ["algebra", "gsm8k", "sums", None]
    cases = [case, Case(task("b"))]
    rulings = cluster_balanced(cases, k=2)
    assert [ruling.status for ruling in rulings] == ["pass", "unsure"]
    assert rulings[0].context["covered"] == 1


# Coverage


def test_skills_are_covered_before_they_are_repeated() -> None:
    skills = {"a": frozenset("xy"), "b": frozenset("xy"), "c": frozenset("z"), "d": frozenset("xyz")}
    gains = covering(skills, 4)
    assert gains == {"d": 3.0, "a": 1.0, "b": 2 / 3, "c": 1 / 2}
    assert list(gains) == ["d", "a", "b", "c"]


@given(st.lists(st.frozensets(st.sampled_from("uvwxyz"), min_size=1), min_size=1, max_size=12), st.integers(1, 12))
def test_covering_always_takes_what_gains_most(sets: list[frozenset[str]], size: int) -> None:
    skills = {f"{place:02}": each for place, each in enumerate(sets)}
    have, gains = Counter[str](), []
    for id, gain in covering(skills, size).items():
        rest = {
            other: sum(1 / (1 + have[skill]) for skill in skills[other]) for other in skills if other not in gains
        }
        assert gain == pytest.approx(max(rest.values()))
        have.update(skills[id])
        gains.append(id)


def test_coverage_beats_chance() -> None:
    cases = rich(100)
    context = skill_coverage(cases, k=3)[0].context
    assert context["skills"] == context["covered"] == len(SKILLS)
    by_chance = drawn([case.problem.id for case in cases], 3)
    shown = [names_in(case, "strategy_count", "strategies") for case in cases if case.problem.id in by_chance]
    assert len(frozenset().union(*shown)) < len(SKILLS)
