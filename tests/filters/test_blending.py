"""Blends by named weights: every stratum within one row of its share, and the size that the scarcest allows."""

import random
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.blending import (
    Policy,
    Stratum,
    Weights,
    apportion,
    axes,
    blend,
    fill,
    mixing_row,
    schedule,
    static,
    strata,
    toward,
)
from filters.rule import Case
from pipelines.records import to_json
from tests.each import each_of
from tests.filters.cases import task
from tests.filters.trace_cases import beside, kept, told

WEIGHTS = st.integers(1, 20) | st.floats(0.01, 5)


@st.composite
def tables(draw: st.DrawFn, dimensions: int = 2) -> Weights:
    """Weights over dimensions of up to five names."""
    return {
        by: draw(st.dictionaries(st.sampled_from("abcde"), WEIGHTS, min_size=1, max_size=5))
        for by in ("domain", "source", "skill")[:dimensions]
    }


def pool(counts: dict[tuple[str, ...], int]) -> list[Case]:
    """So many problems of each domain, source and skill."""
    cases = []
    for names, count in counts.items():
        for place in range(count):
            domain, source, skill = (*names, "a", "a")[:3]
            of = task(f"{'/'.join(names)} {place}")._replace(domain=domain, source=source)
            cases.append(told(Case(of), "skill", None, value=skill))
    return cases


# Whole rows


@settings(max_examples=60)
@given(tables(1) | tables(2) | tables(3), st.integers(0, 300))
def test_every_stratum_and_margin_is_its_share_rounded_down_or_up(weights: Weights, size: int) -> None:
    shares = strata(axes(weights))
    counts = apportion(shares, size)
    assert sum(counts.values()) == size
    assert all(abs(counts[stratum] - share * size) < 1 for stratum, share in shares.items())
    for at, axis in enumerate(axes(weights)[:2]):
        margin = Counter[str]()
        for stratum, count in counts.items():
            margin[stratum[at]] += count
        assert all(abs(margin[name] - share * size) < 1 for name, share in axis.shares.items())


@given(st.dictionaries(st.tuples(*[st.sampled_from("abcd")] * 2), st.integers(1, 30), min_size=1), st.integers(0, 99))
def test_margins_are_rounded_too_where_weights_are_no_product(table: dict[Stratum, int], size: int) -> None:
    total = sum(table.values())
    counts = apportion({stratum: Fraction(weight) for stratum, weight in table.items()}, size)
    for side in (0, 1):
        for name in {stratum[side] for stratum in table}:
            exact, found = (sum(of[each] for each in of if each[side] == name) for of in (table, counts))
            assert abs(found - Fraction(exact * size, total)) < 1


@each_of(
    [
        ("53", 10, "64"),
        ("111", 10, "433"),  # of equal remainders the first by name
        ("111", 2, "110"),
        ("712", 5, "401"),
        ("9", 7, "7"),
        ("19", 0, "00"),
    ]
)
def test_one_dimension_by_largest_remainder(weights: str, size: int, counts: str) -> None:
    table = {(name,): Fraction(weight) for name, weight in zip("abc", weights, strict=False)}
    assert "".join(map(str, apportion(table, size).values())) == counts


@each_of([({}, 1, "some"), ({("a",): Fraction(0)}, 1, "above 0"), ({("a",): Fraction(1)}, -1, "k = -1")])
def test_what_cannot_be_apportioned(weights: dict[Stratum, Fraction], size: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        apportion(weights, size)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 6)), min_size=1, max_size=4), st.integers(0, 20))
def test_no_blend_could_be_larger(strata: list[tuple[int, int]], size: int) -> None:
    """Every way of rounding is tried at every size."""
    shares = {(str(place),): Fraction(weight) for place, (weight, _) in enumerate(strata)}
    available = {(str(place),): rows for place, (_, rows) in enumerate(strata)}
    total = sum(shares.values())
    counts = fill(shares, available, size)
    assert all(counts[each] <= available[each] for each in shares)
    assert all(abs(counts[each] - shares[each] / total * sum(counts.values())) < 1 for each in shares)
    for larger in range(sum(counts.values()) + 1, size + 1):
        exact = [shares[each] / total * larger for each in shares]
        least = [int(share) for share in exact]
        most = [min(low + (low < share), have) for low, share, (_, have) in zip(least, exact, strata, strict=True)]
        assert sum(most) < larger or any(low > have for low, (_, have) in zip(least, strata, strict=True))


def test_scarce_rows_are_rounded_down_and_not_the_size() -> None:
    shares = strata(axes({"domain": dict.fromkeys("abcd", 1), "source": {"x": 1, "y": 1}}))
    available = dict.fromkeys(shares, 5) | {("a", "x"): 0, ("d", "y"): 0}
    assert sum(fill(shares, available, 100).values()) == 6
    assert fill(shares, dict.fromkeys(shares, 0), 100) == dict.fromkeys(shares, 0)


def test_a_large_blend_of_many_strata_and_next_to_no_weight() -> None:
    light = {(name,): Fraction(1, 10**6) for name in "bc"}
    counts = fill({("a",): Fraction(1), **light}, {("a",): 10**6, ("b",): 0, ("c",): 0}, 10**6)
    assert list(counts.values()) == [500_000, 0, 0]
    chance = random.Random(3)
    table = {pair: Fraction(chance.randrange(1, 99)) for pair in product("abcdefghijklmnopqrst", repeat=2)}
    available = {pair: chance.randrange(20, 60) for pair in table}
    counts = fill(table, available, 10**6)
    assert min(available[pair] / table[pair] for pair in table) * sum(table.values()) <= sum(counts.values())


# The rule


@settings(max_examples=40)
@given(tables(2), st.integers(0, 20), st.lists(st.integers(0, 5), min_size=25, max_size=25), st.randoms())
def test_a_blend_has_its_shares_whatever_the_order_of_the_pool(
    weights: Weights, k: int, counts: list[int], chance: random.Random
) -> None:
    cases = pool(dict(zip(product("abcde", repeat=2), counts, strict=True)))
    rulings = blend(cases, weights=weights, k=k)
    chosen = [case.problem for case, ruling in zip(cases, rulings, strict=True) if ruling.status == "pass"]
    found = Counter[Stratum]((problem.domain or "", problem.source or "") for problem in chosen)
    shares = strata(axes(weights))
    assert all(abs(found[each] - share * len(chosen)) < 1 for each, share in shares.items())
    assert found.keys() <= shares.keys()
    assert len(beside(cases, rulings)) == len(chosen) <= k
    shuffled = chance.sample(cases, len(cases))
    again = dict(zip([case.problem.id for case in shuffled], blend(shuffled, weights=weights, k=k), strict=True))
    assert [again[case.problem.id] for case in cases] == rulings


def test_the_seed_changes_who_is_drawn_and_nothing_else() -> None:
    cases = pool({("a", "x"): 50, ("b", "x"): 50})
    weights = {"domain": {"a": 1, "b": 3}}
    draws = [blend(cases, weights=weights, k=20, seed=seed) for seed in (1, 1, 2)]
    assert draws[0] == draws[1]
    assert kept(cases, draws[0]) != kept(cases, draws[2])
    assert Counter(question[0] for question in kept(cases, draws[2])) == {"a": 5, "b": 15}


def test_the_size_gives_way_and_the_context_says_to_what() -> None:
    cases = pool({("a", "x"): 50, ("b", "x"): 4, ("c", "x"): 9})
    rulings = blend(cases, weights={"domain": {"a": 0.5, "b": 0.5}}, k=20)
    context = orjson.loads(to_json(rulings[0].context))
    assert {name: context[name] for name in ("requested", "realised", "limited_by", "n", "chosen")} == {
        "requested": 20,
        "realised": 9,
        "limited_by": {"stratum": ["b"], "available": 4},
        "n": 54,
        "chosen": 9,
    }
    assert context["counts"] == [
        {"stratum": ["a"], "requested": 10.0, "realised": 5},
        {"stratum": ["b"], "requested": 10.0, "realised": 4},
    ]
    passed_over = next(ruling for ruling in rulings if ruling.status == "fail")
    assert (passed_over.reason, passed_over.value) == ("its stratum has its share", "a")
    assert passed_over.evidence == {"random": passed_over.evidence["random"], "available": 50, "realised": 5}
    assert (rulings[-1].status, rulings[-1].reason) == ("fail", "its stratum has no weight")
    [full, *_] = blend(cases, weights={"domain": {"a": 1}}, k=20)
    assert full.context["limited_by"] is None


def test_a_stratum_without_rows_leaves_next_to_nothing_and_is_named() -> None:
    cases = pool({("a", "x"): 5})
    rulings = blend(cases, weights={"domain": {"a": 1, "history": 1}})
    assert len(kept(cases, rulings)) == 1  # where half a row each was asked for
    assert rulings[0].context["limited_by"] == {"stratum": ("history",), "available": 0}


def test_dimensions_are_told_by_problems_and_by_rules() -> None:
    of = task(verifier="choice")._replace(domain="algebra", source="gsm8k")
    case = told(told(Case(of), "skill", None, value="sums"), "pass_rate", 0.25)
    for by, name in {
        "domain": "algebra",
        "source": "gsm8k",
        "format": "choice",
        "verifier": "choice",
        "skill": "sums",
        "pass_rate": "0.25-0.75",
    }.items():
        [ruling] = blend([case], weights={by: {name: 2}}, k=1)
        assert (ruling.status, ruling.value) == ("pass", name)
    [ruling] = blend([Case(task())], weights={"format": {"open": 1}}, k=1)
    assert ruling.status == "pass"


@each_of([(0.0, "0-0.5"), (0.25, "0-0.5"), (0.5, "0.5-1"), (1.0, "0.5-1"), (1.5, "no band"), (-0.1, "no band")])
def test_bands_hold_their_lower_end_and_the_highest_its_upper_one(score: float, band: str) -> None:
    [ruling] = blend([told(Case(task()), "pass_rate", score)], weights={"pass_rate": {"0.5-1": 1, "0-0.5": 1}})
    assert ruling.value == band
    assert (ruling.reason == "its stratum has no weight") == (band == "no band")


def test_what_is_not_known_is_no_failure() -> None:
    [ruling] = blend([Case(task())], weights={"domain": {"a": 1}, "skill": {"b": 1}})
    assert (ruling.status, ruling.reason) == ("unsure", "not known by domain and skill")
    [ruling] = blend([Case(task())])
    assert (ruling.status, (ruling.reason or "")[:20]) == ("unsure", "no weights to blend ")


BAD: list[tuple[Any, str]] = [
    ({}, r"weights = {} should name dimensions"),
    ([1], r"weights = \[1\] should name dimensions"),
    ({"domain": {}}, r"weights.domain = {} should give names"),
    ({3: {"a": 1}}, "weights: 3 should be a name"),
    ({"domain": {"a": 1, None: 1}}, "weights: None should be a name"),
    ({"domain": {"a\nb": 0}}, r"weights.domain: 'a\\nb' = 0 should be a number above 0"),
    ({"domain": 3}, r"weights.domain = 3 should give names"),
    ({"format": {"mcq": 1}}, r"weights.format: the formats are choice and open, not \['mcq'\]"),
    ({"rate": {"0-0.5": 1, "high": 1}}, "bands and names"),
    ({"rate": {"0-0.5": 1, "0.4-1": 1}}, "the bands 0-0.5 and 0.4-1 overlap"),
    ({"rate": {"0.5-0.5": 1}}, "the band 0.5-0.5 should go from low to high"),
    (dict.fromkeys("abcde", dict.fromkeys("uvwxyz1234", 1)), "100,000 strata are too many"),
    *(
        ({"domain": {"a": weight}}, "weights.domain: 'a' = .* should be a number above 0")
        for weight in (0, -1, float("nan"), float("inf"), 10**400, True, "1", None)
    ),
]


@each_of(BAD)
def test_bad_weights_say_where_and_what_in_one_line(weights: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        blend([], weights=weights)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_the_size_is_not_negative() -> None:
    with pytest.raises(ValueError, match="k = -1"):
        blend([], weights={"domain": {"a": 1}}, k=-1)


def test_of_very_many_strata_each_row_tells_its_own() -> None:
    names = [f"{place:03}" for place in range(400)]
    cases = pool({(name, "x"): 1 for name in names})
    rulings = blend(cases, weights={"domain": dict.fromkeys(names, 1)})
    assert len(to_json(rulings[0].context)) < 300
    assert {ruling.evidence["realised"] for ruling in rulings} == {1}


# A36: weights over stages

MIXES = [{"domain": {"a": 1, "b": 3}}, {"domain": {"a": 2}}]


def weights_of(policy: Policy, stages: Sequence[int]) -> list[Weights]:
    return [policy(stage, []) for stage in stages]


def test_weights_stay_are_written_down_or_go_from_one_mix_to_another() -> None:
    assert weights_of(static(MIXES[0]), [0, 7]) == [MIXES[0]] * 2
    assert weights_of(schedule(MIXES), [0, 1]) == MIXES
    assert weights_of(toward(MIXES[0], MIXES[1], 3), [0, 1, 2, 9]) == [
        {"domain": {"a": 0.25, "b": 0.75}},
        {"domain": {"a": 0.625, "b": 0.375}},
        {"domain": {"a": 1.0}},
        {"domain": {"a": 1.0}},
    ]


@settings(max_examples=20)
@given(tables(2), tables(2), st.integers(2, 4))
def test_every_mix_on_the_way_can_be_blended_and_its_row_sums_to_one(a: Weights, b: Weights, stages: int) -> None:
    policy = toward(a, b, stages)
    for stage in range(stages):
        weights = policy(stage, [])
        counts = apportion(strata(axes(weights)), 17)
        row = mixing_row(stage, weights, {}, {"MATH500": 0.7})
        assert sum(counts.values()) == 17
        assert all(sum(shares.values()) == pytest.approx(1.0) for shares in row["weights"].values())
        assert orjson.loads(to_json(row)) == {**row, "stage": stage, "realised": {}, "feedback": {"MATH500": 0.7}}


@each_of(
    [
        (lambda: static({}), "should name dimensions"),
        (lambda: schedule([{}]), "should name dimensions"),
        (lambda: schedule(MIXES)(2, []), "no weights for stage 2: they are written down for 2 stages"),
        (lambda: schedule(MIXES)(-1, []), "no weights for stage -1"),
        (lambda: toward(MIXES[0], MIXES[1], 1), "stages = 1 should be at least 2"),
        (lambda: toward(MIXES[0], {"source": {"a": 1}}, 2), "same dimensions, not domain and source"),
        (lambda: toward({"r": {"0-0.5": 1}}, {"r": {"0-0.6": 1}}, 2), "overlap"),
    ]
)
def test_bad_policies_are_refused(made: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        made()
