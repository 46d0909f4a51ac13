"""Small to large: clusters of losses, as planted."""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from filters.rule import Case, Ruling
from filters.selection_s2l import Losses, read_losses, s2l, write_losses
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
    rulings = s2l(cases, losses=str(tmp_path / "losses.parquet"), k=60, clusters=3)
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
            [sorted(selected(pool, s2l(pool, losses=str(tmp_path / name), k=30, clusters=3, seed=s))) for s in (0, 1)]
        )
    assert found[0] == found[1]
    assert found[0][0] != found[0][1]


@pytest.mark.parametrize("k", [99, 500])
def test_a_budget_for_all_returns_all(k: int, tmp_path: Path) -> None:
    cases, losses = planted((60, 30, 9))
    write_losses(tmp_path / "losses", losses)
    assert len(selected(cases, s2l(cases, losses=str(tmp_path / "losses"), k=k, clusters=3))) == 99


def test_rows_that_are_not_numbers_are_reported_and_left_out(tmp_path: Path) -> None:
    cases, losses = planted((5, 5, 5))
    rows = (tuple([float("nan")] * 4), (1.0, float("inf"), 1.0, 1.0), *losses.rows[2:-1])
    write_losses(tmp_path / "losses", losses._replace(rows=rows, ids=losses.ids[:-1]))
    rulings = s2l(cases, losses=str(tmp_path / "losses"), k=99, clusters=3)
    assert [place for place, ruling in enumerate(rulings) if ruling.status == "unsure"] == [0, 1, 14]
    assert rulings[0].reason == "the proxy's losses are missing, or are not numbers"
    assert (rulings[0].context["not_numbers"], rulings[0].context["n"]) == (2, 12)


def test_clusters_of_two_only_fill_what_is_left(tmp_path: Path) -> None:
    cases, losses = planted((20, 20, 2))
    write_losses(tmp_path / "losses", losses)
    counts = [
        Counter(
            question[0] for question in selected(cases, s2l(cases, losses=str(tmp_path / "losses"), k=k, clusters=3))
        )
        for k in (10, 41)
    ]
    assert counts == [{"a": 5, "b": 5}, {"a": 20, "b": 20, "c": 1}]


def test_rows_that_are_all_alike_are_one_cluster(tmp_path: Path) -> None:
    cases, losses = planted((9, 0, 0))
    write_losses(tmp_path / "losses", losses._replace(rows=(CENTRES["a"],) * 9))
    rulings = s2l(cases, losses=str(tmp_path / "losses"), k=4, clusters=5)
    assert (rulings[0].context["clusters"], len(selected(cases, rulings))) == (1, 4)


def test_without_a_file_nothing_is_told() -> None:
    cases, _ = planted((1, 1, 1))
    assert {ruling.reason for ruling in s2l(cases)} == {"no losses of a proxy are named"}


# The matrix


def test_a_matrix_is_read_as_it_was_written(tmp_path: Path) -> None:
    _, losses = planted((3, 2, 1))
    write_losses(tmp_path / "losses", losses)
    assert read_losses(tmp_path / "losses") == losses


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
    for path in (tmp_path / "losses", tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="holds no losses of a proxy"):
            s2l([], losses=str(path))
