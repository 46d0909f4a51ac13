"""Choosing among the attempts at one problem."""

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from filters.answers import answer_matches_compares as compares
from filters.rule import Case, Ruling
from filters.selection_groups import length_weighted, process_consistent, shortest_right
from tests.each import each_of
from tests.filters.cases import answered, solved, task
from tests.filters.trace_cases import by_solvers, ruled, told, written

# P-A05: PROF


def group(right: Sequence[float], wrong: Sequence[float], *, question: str = "How many?") -> Case:
    """Right and wrong attempts whose steps have these mean process rewards."""
    case = by_solvers({"solver": ["1"] * len(right) + ["2"] * len(wrong)}, question=question)
    for attempt, score in zip(case.attempts, [*right, *wrong], strict=True):
        case = told(case, "process", score, about=attempt.id)
    return case


def chosen(case: Case, rulings: Sequence[Ruling]) -> list[int]:
    places = {attempt.id: place for place, attempt in enumerate(case.attempts)}
    return [places[ruling.about[0]] for ruling in rulings if ruling.about and ruling.status == "pass"]


def test_the_kept_are_those_computed_by_hand() -> None:
    case = group(right=[0.9, 0.2, 0.7, 0.8], wrong=[0.6, 0.1, 0.3])
    rulings = ruled(process_consistent, case, compares, keep=2)
    assert chosen(case, rulings) == [0, 3, 5, 6]
    assert rulings[0].status == "pass"
    assert rulings[0].context == {"n": 7, "chosen": 4, "right": 4, "wrong": 3, "scorers": ["process@1"]}
    assert sum(bool(ruling.evidence.get("random")) for ruling in rulings) == 4


@each_of((*group, keep) for group in [(5, 2), (2, 5), (1, 7), (4, 4), (8, 8)] for keep in [1, 3, 9])
def test_right_and_wrong_are_kept_in_equal_number_and_stay_what_they_are(right: int, wrong: int, keep: int) -> None:
    chance = random.Random(1)
    case = group([chance.random() for _ in range(right)], [chance.random() for _ in range(wrong)])
    rulings = ruled(process_consistent, case, compares, keep=keep)
    kept = chosen(case, rulings)
    assert sum(place < right for place in kept) == sum(place >= right for place in kept) == min(keep, right, wrong)
    assert [ruling.value for ruling in rulings[1:]] == ["right"] * right + ["wrong"] * wrong


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [([0.5], [], "all scored attempts are right"), ([], [0.5, 0.1], "all scored attempts are wrong")],
)
def test_where_all_end_alike_nothing_is_chosen(right: list[float], wrong: list[float], reason: str) -> None:
    case = group(right, wrong)
    rulings = ruled(process_consistent, case, compares)
    assert (rulings[0].status, rulings[0].reason) == ("fail", reason)
    assert {ruling.status for ruling in rulings[1:]} == {"unsure"}


def test_without_scores_or_with_two_scorers_nothing_is_told() -> None:
    bare = solved(["1", "2"], author="1")
    assert ruled(process_consistent, bare, compares)[0].reason == "no attempt has a score; score with process before"
    both = told(
        group([0.5], [0.5]), "process", 0.1, about=group([0.5], [0.5]).attempts[0].id, context={"scorer": "another"}
    )
    assert ruled(process_consistent, both, compares)[0].reason == "scores of several scorers cannot be compared"


def test_right_answers_with_a_bad_step_go_before_clean_ones() -> None:
    """One of eight steps is bad in a quarter of the right attempts: noisy step scores find it better than chance."""
    chance = random.Random(3)
    removed = Counter[str]()
    for number in range(100):
        flawed = [place < 2 for place in range(8)]
        steps = [
            [chance.gauss(0.8, 0.15) for _ in range(7)] + [chance.gauss(0.1 if flaw else 0.8, 0.15)]
            for flaw in flawed
        ]
        case = group([sum(each) / 8 for each in steps], [0.4] * 6, question=str(number))
        rulings = ruled(process_consistent, case, compares, keep=6)
        kept = chosen(case, rulings)
        by_chance = [place for place, ruling in enumerate(rulings[1:]) if ruling.evidence["random"]]
        removed["by score"] += sum(flawed[place] for place in range(8) if place not in kept)
        removed["by chance"] += sum(flawed[place] for place in range(8) if place not in by_chance)
    # Each removes two of eight, so that precision and recall are one.
    assert removed["by chance"] / 200 == pytest.approx(0.25, abs=0.1)
    assert removed["by score"] / 200 > removed["by chance"] / 200 + 0.3


# Shortest right


def lengthy(lengths: Sequence[int], answers: Sequence[str] | None = None) -> Case:
    """Attempts with so many words before their answer."""
    of = task(answer="1")
    given = answers or ["1"] * len(lengths)
    texts = [rf"{'word ' * length}\boxed{{{answer}}}" for length, answer in zip(lengths, given, strict=True)]
    return Case(of, None, [answered(of, text, place) for place, text in enumerate(texts)])


def test_the_shortest_is_kept_where_all_are_right() -> None:
    case = lengthy([7, 3, 5])
    rulings = ruled(shortest_right, case, compares)
    assert chosen(case, rulings) == [1]
    assert [ruling.score for ruling in rulings[1:]] == [9.0, 5.0, 7.0]
    assert chosen(case, ruled(shortest_right, case, compares, keep=2)) == [1, 2]


@pytest.mark.parametrize("answers", [["1", "2", "1"], ["1", "1", "x ?"], ["2", "2", "2"]])
def test_and_nowhere_else(answers: list[str]) -> None:
    case = lengthy([7, 3, 5], answers)
    rulings = ruled(shortest_right, case, compares)
    assert (rulings[0].status, rulings[0].reason) == ("fail", "not always solved")
    assert chosen(case, rulings) == []


def test_one_that_was_cut_off_is_not_known_to_be_right() -> None:
    assert ruled(shortest_right, solved(["1", "1"], author="1", cut=1), compares)[0].status == "fail"
    assert ruled(shortest_right, solved([], author="1", cut=1), compares)[0].reason == "no attempt could be decided"


# Weighted by length


def test_longer_ones_are_drawn_twice_as_often_as_the_next() -> None:
    case = written("a", "a b", "a b c", "a b c d")
    first = Counter(chosen(case, ruled(length_weighted, case, seed=seed))[0] for seed in range(1_500))
    weights = {3: 8 / 15, 2: 4 / 15, 1: 2 / 15, 0: 1 / 15}
    assert {place: first[place] / 1_500 for place in range(4)} == pytest.approx(weights, abs=0.04)


def test_so_many_are_drawn_and_as_many_at_random() -> None:
    case = written(*("word " * length for length in range(1, 9)))
    for keep in (1, 3, 8, 20):
        rulings = ruled(length_weighted, case, keep=keep)
        assert (
            len(chosen(case, rulings))
            == sum(bool(ruling.evidence.get("random")) for ruling in rulings)
            == min(keep, 8)
        )


def test_only_what_was_finished_is_drawn() -> None:
    case = solved(["1"], cut=2)
    assert chosen(case, ruled(length_weighted, case, keep=3)) == [0]
    assert ruled(length_weighted, solved([], cut=1))[0].reason == "no finished attempts that passed what was before"


def test_the_order_of_the_attempts_never_matters() -> None:
    case = group(right=[0.9, 0.2, 0.7, 0.8], wrong=[0.6, 0.1, 0.3])
    turned = case._replace(attempts=case.attempts[::-1])
    for rule in (process_consistent, length_weighted, shortest_right):
        said = [
            sorted((ruling.about or (), ruling.status) for ruling in ruled(rule, each, compares))
            for each in (case, turned)
        ]
        assert said[0] == said[1]
