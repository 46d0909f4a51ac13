"""Small to large: clusters of losses, as planted."""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from filters.artifact import Artifact, artifact
from filters.rule import Case, Ruling
from filters.selection_s2l import Losses, equal_split, read_losses, s2l, write_losses
from tests.each import each_of
from tests.filters.cases import task

pytest.importorskip("numpy")

STEPS = (100, 200, 300, 400)
CENTRES = {"a": (2.0, 1.0, 0.5, 0.2), "b": (3.0, 2.9, 2.8, 2.8), "c": (2.0, 1.9, 0.3, 0.1)}


def planted(sizes: Sequence[int], *, seed: int = 0) -> tuple[list[Case], Losses]:
    """Problems whose questions begin with the name of their cluster, and their losses around its centre."""
    chance = random.Random(seed)
    names = [name for name, size in zip(CENTRES, sizes, strict=True) for _ in range(size)]
    cases = [Case(task(f"{name}{place}")) for place, name in enumerate(names)]
    rows = tuple(tuple(loss + chance.gauss(0, 0.03) for loss in CENTRES[name]) for name in names)
    return cases, Losses("proxy", "r1", STEPS, tuple(case.problem.id for case in cases), rows)


def selected(cases: Sequence[Case], rulings: Sequence[Ruling]) -> list[str]:
    return [case.problem.question for case, ruling in zip(cases, rulings, strict=True) if ruling.status == "pass"]


def test_small_clusters_give_all_and_the_others_evenly(tmp_path: Path) -> None:
    """T-1: clusters of 1000, 100 and 10, and a budget of 60: 25, 25 and 10."""
    cases, losses = planted((1000, 100, 10))
    write_losses(tmp_path / "losses.parquet", losses)
    rulings = s2l(cases, losses=artifact(tmp_path / "losses.parquet"), k=60, clusters=3)
    chosen = selected(cases, rulings)
    assert len(set(chosen)) == len(chosen) == 60
    assert Counter(question[0] for question in chosen) == {"a": 25, "b": 25, "c": 10}
    context = rulings[0].context
    assert (context["proxy"], context["revision"], context["steps"]) == ("proxy", "r1", STEPS)
    assert (context["clusters"], context["n"], context["chosen"], context["not_numbers"]) == (3, 1110, 60, 0)
    assert sum(ruling.evidence["random"] for ruling in rulings) == 60


def test_the_same_seed_gives_the_same_ids_whatever_the_order_of_rows(tmp_path: Path) -> None:
    cases, losses = planted((60, 30, 9))
    order = random.Random(1).sample(range(len(cases)), len(cases))
    turned = losses._replace(ids=tuple(losses.ids[n] for n in order), rows=tuple(losses.rows[n] for n in order))
    found = []
    for name, matrix, pool in (("a", losses, cases), ("b", turned, [cases[n] for n in order])):
        write_losses(tmp_path / name, matrix)
        found.append(
            [
                sorted(selected(pool, s2l(pool, losses=artifact(tmp_path / name), k=30, clusters=3, seed=s)))
                for s in (0, 1)
            ]
        )
    assert found[0] == found[1]
    assert found[0][0] != found[0][1]


@pytest.mark.parametrize("k", [99, 500])
def test_a_budget_for_all_returns_all(k: int, tmp_path: Path) -> None:
    cases, losses = planted((60, 30, 9))
    write_losses(tmp_path / "losses", losses)
    assert len(selected(cases, s2l(cases, losses=artifact(tmp_path / "losses"), k=k, clusters=3))) == 99


def test_rows_that_are_not_numbers_are_reported_and_left_out(tmp_path: Path) -> None:
    cases, losses = planted((5, 5, 5))
    rows = (tuple([float("nan")] * 4), (1.0, float("inf"), 1.0, 1.0), *losses.rows[2:-1])
    write_losses(tmp_path / "losses", losses._replace(rows=rows, ids=losses.ids[:-1]))
    rulings = s2l(cases, losses=artifact(tmp_path / "losses"), k=99, clusters=3)
    assert [place for place, ruling in enumerate(rulings) if ruling.status == "unsure"] == [0, 1, 14]
    assert rulings[0].reason == "the proxy's losses are missing, or are not numbers"
    assert (rulings[0].context["not_numbers"], rulings[0].context["n"]) == (2, 12)


def test_clusters_of_two_only_fill_what_is_left(tmp_path: Path) -> None:
    cases, losses = planted((20, 20, 2))
    write_losses(tmp_path / "losses", losses)
    counts = [
        Counter(
            question[0]
            for question in selected(cases, s2l(cases, losses=artifact(tmp_path / "losses"), k=k, clusters=3))
        )
        for k in (10, 41)
    ]
    assert counts == [{"a": 5, "b": 5}, {"a": 20, "b": 20, "c": 1}]


def test_rows_that_are_all_alike_are_one_cluster(tmp_path: Path) -> None:
    cases, losses = planted((9, 0, 0))
    write_losses(tmp_path / "losses", losses._replace(rows=(CENTRES["a"],) * 9))
    rulings = s2l(cases, losses=artifact(tmp_path / "losses"), k=4, clusters=5)
    assert (rulings[0].context["clusters"], len(selected(cases, rulings))) == (1, 4)


def test_without_a_file_nothing_is_told() -> None:
    cases, _ = planted((1, 1, 1))
    assert {ruling.reason for ruling in s2l(cases)} == {"no losses of a proxy are named"}


# Budgets of sources


def brought(tmp_path: Path) -> tuple[list[Case], str]:
    """Clusters of 60, 30 and 10 problems, of which every other is of "even" and the rest of "odd"; five of "none"."""
    cases, losses = planted((60, 30, 10))
    sources = ["none" if place < 5 else ("even", "odd")[place % 2] for place in range(len(cases))]
    write_losses(tmp_path / "losses", losses)
    cases = [Case(case.problem._replace(source=source)) for case, source in zip(cases, sources, strict=True)]
    return cases, str(tmp_path / "losses")


def test_each_source_has_a_selection_of_its_own(tmp_path: Path) -> None:
    cases, path = brought(tmp_path)
    rulings = s2l(cases, losses=artifact(path), budgets={"even": 9, "odd": 25}, clusters=3)
    chosen = [case for case, ruling in zip(cases, rulings, strict=True) if ruling.status == "pass"]
    found = Counter((case.problem.source, case.problem.question[0]) for case in chosen)
    assert found == {
        ("even", "a"): 3, ("even", "b"): 3, ("even", "c"): 3, ("odd", "a"): 10, ("odd", "b"): 10, ("odd", "c"): 5
    }  # fmt: skip
    for source, budget in (("even", 9), ("odd", 25)):
        own = [place for place, case in enumerate(cases) if case.problem.source == source]
        alone = s2l([cases[place] for place in own], losses=artifact(path), k=budget, clusters=3)
        assert [rulings[place].status for place in own] == [ruling.status for ruling in alone]
        assert [rulings[place].evidence for place in own] == [ruling.evidence for ruling in alone]
        assert {rulings[place].context["source"] for place in own} == {source}


def test_what_has_no_budget_is_passed_over(tmp_path: Path) -> None:
    cases, path = brought(tmp_path)
    cases[0] = Case(cases[0].problem._replace(source=None))
    rulings = s2l(cases, losses=artifact(path), budgets={"even": 9, "even more": 5}, clusters=3)
    other = [ruling for case, ruling in zip(cases, rulings, strict=True) if case.problem.source != "even"]
    assert {(ruling.status, ruling.reason) for ruling in other} == {("fail", "its source has no budget")}
    assert all(ruling.context["absent"] == ["even more"] for ruling in rulings)
    assert len(selected(cases, rulings)) == 9


def test_budgets_give_the_same_whatever_the_order_of_the_pool(tmp_path: Path) -> None:
    cases, path = brought(tmp_path)
    budgets = {"even": 9, "odd": 25}
    found = [
        sorted(selected(pool, s2l(pool, losses=artifact(path), budgets=given, clusters=3)))
        for pool, given in ((cases, budgets), (cases[::-1], dict(reversed(budgets.items()))))
    ]
    assert found[0] == found[1]


def test_a_budget_above_what_a_source_has_returns_all_of_it(tmp_path: Path) -> None:
    cases, path = brought(tmp_path)
    rulings = s2l(cases, losses=artifact(path), budgets={"none": 500, "odd": 0}, clusters=3)
    assert [case.problem.source for case in cases if case.problem.question in selected(cases, rulings)] == [
        "none"
    ] * 5


SPLITS: dict[str, tuple[dict[str, int], int, dict[str, int]]] = {
    "evenly": ({"a": 50, "b": 60}, 20, {"a": 10, "b": 10}),
    "what a small one lacks the others give": ({"a": 500, "b": 4, "c": 30}, 60, {"b": 4, "a": 28, "c": 28}),
    "the largest gives the odd one": ({"a": 9, "b": 8}, 5, {"b": 2, "a": 3}),
    "all": ({"a": 3, "b": 2}, 50, {"a": 3, "b": 2}),
    "none": ({}, 5, {}),
}


@each_of(SPLITS)
def test_each_source_gives_as_many_as_the_others_the_smallest_first(name: str) -> None:
    sizes, budget, expected = SPLITS[name]
    assert equal_split(sizes, budget) == expected


def test_a_share_of_the_pool_is_split_over_sources_and_no_row_without_a_loss_counts(tmp_path: Path) -> None:
    cases, path = brought(tmp_path)
    by_source = Counter(str(case.problem.source) for case in cases)
    for share in (0.2, 0.5):
        rulings = s2l(cases, losses=artifact(path), share=share, by="source", clusters=3)
        chosen = [case for case, ruling in zip(cases, rulings, strict=True) if ruling.status == "pass"]
        assert len(chosen) == round(share * len(cases))
        assert Counter(case.problem.source for case in chosen) == equal_split(by_source, len(chosen))
    assert len(selected(cases, s2l(cases, losses=artifact(path), share=0.3, clusters=3))) == round(0.3 * len(cases))


def test_without_k_and_budgets_a_thousand_are_kept(tmp_path: Path) -> None:
    cases, losses = planted((900, 150, 0))
    write_losses(tmp_path / "losses", losses)
    found = [s2l(cases, losses=artifact(tmp_path / "losses"), clusters=3, k=k) for k in (None, 1_000)]
    assert found[0] == found[1]
    assert len(selected(cases, found[0])) == 1_000


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"k": -1}, "k = -1 not negative"),
        ({"clusters": 0}, "clusters = 0 should be at least 1"),
        ({"k": 30, "budgets": {"a": 10, "b": 10}}, "k = 30, but the budgets sum up to 20; leave k out"),
        ({"budgets": {}}, "budgets = {} should name sources"),
        ({"budgets": {"a": -1}}, "each with a number from 0 on"),
        ({"budgets": {"a": 0.5}}, "each with a number from 0 on"),
        ({"budgets": {"a": True}}, "each with a number from 0 on"),
        ({"by": "color"}, "by = 'color'; it may be 'source' or 'domain'"),
        ({"share": 1.5}, "share = 1.5 should be from 0 to 1"),
        ({"share": 0.5, "k": 3}, "share = 0.5 should be from 0 to 1, and stand without k and budgets"),
    ],
)
def test_numbers_that_make_no_selection_are_refused(numbers: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        s2l([], losses=Artifact("losses", ""), **numbers)


# The matrix


def test_a_matrix_is_read_as_it_was_written(tmp_path: Path) -> None:
    _, losses = planted((3, 2, 1))
    write_losses(tmp_path / "losses", losses)
    assert read_losses(tmp_path / "losses") == losses
    trained = losses._replace(training={"epochs": 3, "rate": 2e-5, "cut": 7})
    write_losses(tmp_path / "losses", trained)
    assert read_losses(tmp_path / "losses") == trained


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": (100, 300, 200, 400)}, "in the order of training"),
        ({"steps": ()}, "in the order of training"),
        ({"ids": ("x",) * 6}, "1 of them different"),
        ({"ids": ("x",)}, "1 ids, 1 of them different, for 6 rows"),
        ({"steps": (100, 200, 300)}, "a row of 4 losses for 3 checkpoints"),
    ],
)
def test_what_is_no_matrix_is_refused(change: dict[str, tuple[int, ...]], message: str, tmp_path: Path) -> None:
    _, losses = planted((3, 2, 1))
    with pytest.raises(ValueError, match=message):
        write_losses(tmp_path / "losses", losses._replace(**change))


def test_a_file_that_holds_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "losses").write_text("no losses")
    with pytest.raises(ValueError, match="holds no losses of a proxy"):
        s2l([], losses=artifact(tmp_path / "losses"))
    with pytest.raises(ValueError, match="holds no losses of a proxy"):
        read_losses(tmp_path / "nowhere")
