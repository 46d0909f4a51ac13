"""Difficulty, which belongs to a solver; and how many samples it takes to tell."""

from collections.abc import Sequence
from fractions import Fraction
from statistics import fmean

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from filters.answers import answer_matches_compares as compares
from filters.difficulty import (
    balanced,
    difficulty,
    disagreement,
    disagreement_compares,
    error_of_looking,
    likely_settled,
    narrow_enough,
    surely_settled,
    teachable,
    trace_length,
    trajectory_diversity,
    unsolved,
    variance_promotion,
    verbosity,
    weak_strong_gap,
)
from filters.rule import Case, Ruling
from filters.selection import cluster_balanced
from filters.verifiers.outcome import of_comparison
from tests.filters.cases import answered, rule_on, solved, task
from tests.filters.trace_cases import beside, by_solvers, kept, rated, ruled, told, written

# A12: balanced bands


def band(case: Case, solver: str | None = "student", within: float = 0.3) -> Ruling:
    [ruling] = ruled(balanced, case, compares, solver=solver, within=within)
    return ruling


@given(st.integers(1, 16), st.floats(0.0, 0.5))
def test_always_right_and_always_wrong_always_go(n: int, within: float) -> None:
    assert band(rated(0, n), within=within).reason == "never right"
    assert band(rated(n, n), within=within).reason == "always right"


@given(st.integers(1, 16), st.integers(0, 16), st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5]))
def test_the_band_is_symmetric(n: int, k: int, within: float) -> None:
    assume(k <= n)
    below, above = band(rated(k, n), within=within), band(rated(n - k, n), within=within)
    assert (below.status, below.score) == (above.status, above.score)
    inside = abs(Fraction(k, n) - Fraction(1, 2)) <= Fraction(str(within))
    assert (below.status == "pass") == (inside and 0 < k < n)


def test_the_score_peaks_at_one_half() -> None:
    scores = [band(rated(k, 8)).score for k in range(9)]
    assert scores == [k / 8 * (1 - k / 8) for k in range(9)]
    assert max(range(9), key=lambda k: scores[k] or 0) == 4


def test_a_difficulty_says_whose_it_is() -> None:
    context = band(rated(3, 4)).context
    assert (context["k"], context["n"], context["verifier"].partition("@")[0]) == (3, 4, "math")
    assert context["low"] < 0.75 < context["high"]
    solver = context["solver"]
    assert (solver["model"], solver["revision"], solver["sampling"]) == ("student", "r1", {"temperature": 0.6})


@pytest.mark.parametrize("solver", ["teacher", "student@r2", "stud"])
def test_another_models_difficulty_is_refused(solver: str) -> None:
    ruling = band(rated(3, 4), solver)
    assert (ruling.status, ruling.reason, ruling.score) == ("unsure", "this solver was not measured", None)
    assert ruling.context["asked"] == solver


@pytest.mark.parametrize("solver", ["student", "student@r1", None])
def test_a_solver_has_three_names(solver: str | None) -> None:
    assert band(rated(3, 4), solver).score == 3 / 16


def test_solvers_are_not_pooled() -> None:
    case = by_solvers({"student": ["1", "2"], "teacher": ["1", "1"]})
    assert band(case, None).reason == "several solvers, whose attempts cannot be pooled"
    assert band(case, "student").score == 1 / 4
    hotter = case.attempts[0]._replace(sampling='{"temperature":1.0}')
    assert band(Case(case.problem, None, [hotter, case.attempts[1]])).status == "unsure"


def test_what_was_cut_off_is_left_out() -> None:
    context = band(solved(["1", "2"], author="1", cut=2), "solver").context
    assert (context["k"], context["n"], context["left_out"]) == (1, 2, {"cut off at the limit": 2})


def test_rescoring_after_an_update_changes_only_what_moved() -> None:
    """A student gets better at some problems: theirs are the only rulings that change in status and score."""
    before, after = [0, 2, 4, 6, 8], [0, 2, 6, 8, 8]

    def said(ks: Sequence[int]) -> list[tuple[str, float | None]]:
        return [(ruling.status, ruling.score) for k in ks if (ruling := band(rated(k, 8)))]

    changed = [old != new for old, new in zip(said(before), said(after), strict=True)]
    assert changed == [old != new for old, new in zip(before, after, strict=True)]


def test_told_rates_are_read_again_for_their_solver_only() -> None:
    case = rated(3, 4)
    ruling = rule_on("pass_rate", case)
    case = told(case, "pass_rate", ruling.score, context=dict(ruling.context))
    assert difficulty(case.verdicts, model="student", revision="r1") == {case.problem.id: 0.75}
    assert difficulty(case.verdicts, model="student", revision="r2") == {}
    assert difficulty(case.verdicts, model="teacher", revision="r1") == {}
    both = by_solvers({"student": ["1", "2"], "teacher": ["1"]})
    ruling = rule_on("pass_rate", both)
    assert (
        difficulty(
            told(both, "pass_rate", ruling.score, context=dict(ruling.context)).verdicts,
            model="student",
            revision="r1",
        )
        == {}
    )


# P-A07: variance promotion


def promise(case: Case, outcome_weight: float = 0.8) -> Ruling:
    [ruling] = ruled(variance_promotion, case, compares, outcome_weight=outcome_weight)
    return ruling


def test_the_outcome_part_is_that_of_a_coin() -> None:
    parts = [promise(rated(k, 8)).evidence["variance"] for k in range(9)]
    assert parts[0] == parts[8] == 0.0
    assert parts[4] == max(parts) == 1.0


def test_at_equal_pass_rate_more_distinct_trajectories_score_higher() -> None:
    def case(words: Sequence[str]) -> Case:
        of = task(answer="1")
        texts = [rf"{word} one two three four five. \boxed{{{1 + place % 2}}}" for place, word in enumerate(words)]
        return Case(of, None, [answered(of, text, place) for place, text in enumerate(texts)])

    def different(texts: int) -> Case:
        """So many trajectories, each answer told as often by each."""
        return case(
            [
                f"{'abcd'[place // 2 % texts]} {'abcd'[place // 2 % texts] * 2} by {'efgh'[place // 2 % texts]}"
                for place in range(8)
            ]
        )

    scores = [promise(different(texts)).score or 0.0 for texts in (1, 2, 4)]
    assert scores[0] < scores[1] < scores[2]
    assert len({promise(different(texts)).evidence["variance"] for texts in (1, 2, 4)}) == 1


@given(st.lists(st.text("abcd ", max_size=30), max_size=6))
def test_diversity_lies_between_0_and_1(texts: list[str]) -> None:
    assert 0 <= trajectory_diversity(texts) <= 1
    assert trajectory_diversity([text for text in texts[:1] for _ in range(3)]) == 0.0


def test_trajectories_without_a_common_run_are_as_diverse_as_can_be() -> None:
    assert trajectory_diversity(["a b c d e", "f g h i j", "k l m n o"]) == 1.0


# Two solvers, A39


def test_the_gap_has_an_interval() -> None:
    case = by_solvers({"student": ["1"] * 2 + ["2"] * 6, "teacher": ["1"] * 7 + ["2"]})
    [ruling] = ruled(weak_strong_gap, case, compares)
    low, high = ruling.context["interval"]
    assert ruling.score == 5 / 8
    assert 0 < low < 5 / 8 < high < 1
    assert (ruling.context["weak"]["k"], ruling.context["strong"]["k"]) == (2, 7)
    assert ruled(weak_strong_gap, case, compares, at_least=0.7)[0].reason == "the gap is smaller than asked"
    assert ruled(weak_strong_gap, case, compares, weak="another")[0].reason == "this solver was not measured"


def ability(student: int, teacher: int, domain: str) -> Case:
    """A problem that student and teacher solve so many times of eight."""
    answers = {"student": ["1"] * student + ["2"] * (8 - student), "teacher": ["1"] * teacher + ["2"] * (8 - teacher)}
    case = by_solvers(answers, question=f"{domain} {student} {teacher}?")
    return case._replace(problem=case.problem._replace(domain=domain))


def test_the_teachable_are_those_that_the_student_fails_and_the_teacher_solves() -> None:
    values = {
        (student, teacher): ruled(teachable, ability(student, teacher, "x"), compares)[0].value
        for student in range(9)
        for teacher in range(9)
    }
    for (student, teacher), value in values.items():
        assert value == ("mastered" if student > 4 else "teachable" if teacher >= 6 else "beyond")


def test_the_others_go_with_their_reason() -> None:
    reasons = {8: "the student solves it already", 0: "the teacher does not solve it reliably"}
    for both, reason in reasons.items():
        [ruling] = ruled(teachable, ability(both, both, "x"), compares)
        assert (ruling.status, ruling.reason) == ("fail", reason)


def test_balanced_teachable_problems_cover_as_many_clusters_as_random_ones() -> None:
    sizes = {"algebra": 40, "geometry": 6, "counting": 3, "logic": 1}
    pool = [ability(0, 8, f"{domain}") for domain in sizes]
    pool = [
        case._replace(
            problem=case.problem._replace(question=f"{case.problem.domain} {i}?", id=f"{case.problem.id}{i}")
        )
        for case in pool
        for i in range(sizes[str(case.problem.domain)])
    ]
    for k in (4, 8, 16):
        rulings = cluster_balanced(pool, by="domain", k=k)
        chosen, random = ({each.split()[0] for each in arm} for arm in (kept(pool, rulings), beside(pool, rulings)))
        assert chosen == sizes.keys() >= random


# Disagreement


def differ(weak: Sequence[str], strong: Sequence[str], **limits: float) -> Ruling:
    case = by_solvers({"student": weak, "teacher": strong})
    [ruling] = ruled(disagreement, case, disagreement_compares, **limits)
    return ruling


@pytest.mark.parametrize(
    ("weak", "strong", "score"),
    [
        (["1", "1"], ["1", "1.0"], 0.0),
        (["1", "2"], ["1", "1"], 0.5),
        (["1", "2"], ["3", "4"], 1.0),
        (["1/2", "0.5"], [r"\frac12", "2"], 0.5),
    ],
)
def test_disagreement_is_the_share_of_pairs_that_differ(weak: list[str], strong: list[str], score: float) -> None:
    assert differ(weak, strong).score == score
    assert differ(strong, weak).score is not None


def test_disagreement_hangs_on_what_cannot_be_compared() -> None:
    case = by_solvers({"student": ["a", "b"], "teacher": ["a"]})

    def blind(at_least: float = 0.0) -> Ruling:
        [ruling] = disagreement(case, lambda *_: of_comparison(None), at_least=at_least)
        return ruling

    assert (blind().score, blind().evidence) == (0.5, {"lowest": 0.0, "highest": 0.5})
    assert blind(at_least=0.25).status == "unsure"
    assert blind(at_least=0.75).reason == "they disagree less than asked"
    assert differ(["1"], ["2"], at_most=0.5).reason == "they disagree more than asked"


# Length


def test_length_counts_words_of_what_was_finished() -> None:
    short, long = ruled(trace_length, written("one two", "one two three four"), at_most=3.0)
    assert (short.status, short.score, long.status, long.score) == ("pass", 2.0, "fail", 4.0)
    cut = solved([], cut=1)
    assert ruled(trace_length, cut)[0].reason == "did not end by itself"


def test_verbosity_is_beside_the_shortest_right_attempt() -> None:
    of = task(answer="1")
    texts = [r"\boxed{2}", r"one two three \boxed{1}", r"one two three four five six seven \boxed{1}"]
    attempts = [answered(of, text, place) for place, text in enumerate(texts)]
    found = ruled(verbosity, Case(of, None, attempts), compares, at_most=1.5)
    assert [ruling.score for ruling in found] == [2 / 5, 1.0, 9 / 5]
    assert [ruling.status for ruling in found] == ["pass", "pass", "fail"]
    none = ruled(verbosity, Case(of, None, attempts[:1]), compares)
    assert none[0].reason == "no attempt is known to be right"


# How many samples?

BANDS = st.tuples(st.integers(0, 10), st.integers(0, 10)).map(sorted).map(lambda band: (band[0] / 10, band[1] / 10))


@given(st.integers(1, 12), st.integers(0, 12), st.integers(0, 12), BANDS)
def test_surely_settled_says_whether_more_samples_could_change_the_ruling(
    most: int, n: int, k: int, band: tuple[float, float]
) -> None:
    assume(k <= n <= most)
    low, high = map(Fraction, map(str, band))
    endings = {low <= Fraction(k + more, most) <= high for more in range(most - n + 1)}
    if surely_settled(k, n, most=most, at_least=band[0], at_most=band[1]):
        assert len(endings) == 1
    else:
        # A band may lie between two possible rates; then it is not seen that none will be in it.
        assert len(endings) == 2 or (high - low) * most < 1


@given(st.integers(1, 40), st.integers(0, 40), st.floats(0.05, 1.0))
def test_an_estimate_gets_narrow_and_stays_so(n: int, k: int, width: float) -> None:
    assume(k <= n)
    if narrow_enough(k, n, width=width):
        assert narrow_enough(2 * k, 2 * n, width=width)
    assert not narrow_enough(0, 0, width=width) or width >= 1


def test_likely_settled_asks_where_the_interval_lies() -> None:
    assert likely_settled(0, 16, at_least=0.25, at_most=0.75)  # below
    assert likely_settled(16, 16, at_least=0.25, at_most=0.75)  # above
    assert likely_settled(32, 64, at_least=0.25, at_most=0.75)  # within
    assert not likely_settled(4, 16, at_least=0.25, at_most=0.75)
    assert not likely_settled(0, 0, at_least=0.25, at_most=0.75)


LOOKS = (4, 8, 16, 32, 64)


@pytest.mark.parametrize("p", [0.0, 0.05, 0.15, 0.35, 0.5, 0.65, 0.85, 0.95, 1.0])
def test_looking_again_errs_seldom_and_spends_less(p: float) -> None:
    """A schedule that doubles settles wrongly in less than one in ten cases, if the rate is 0.1 off the limits."""
    wrong, spent = error_of_looking(p, LOOKS, at_least=0.25, at_most=0.75)
    assert wrong < 0.1
    assert spent < 64


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_what_is_clear_is_settled_early(p: float) -> None:
    wrong, spent = error_of_looking(p, LOOKS, at_least=0.25, at_most=0.75)
    assert wrong < 0.01
    assert spent <= (16 if p != 0.5 else 40)


def test_the_error_of_looking_is_that_of_trying_it() -> None:
    import random

    def tried(chance: random.Random, p: float) -> tuple[bool, int]:
        k = n = 0
        for look in LOOKS:
            k, n = k + sum(chance.random() < p for _ in range(look - n)), look
            if likely_settled(k, n, at_least=0.25, at_most=0.75):
                return 0.25 <= k / n <= 0.75, n
        return False, n

    chance = random.Random(1)
    trials = [tried(chance, 0.2) for _ in range(4_000)]
    wrong, spent = error_of_looking(0.2, LOOKS, at_least=0.25, at_most=0.75)
    assert fmean(wrongly for wrongly, _ in trials) == pytest.approx(wrong, abs=0.01)
    assert fmean(n for _, n in trials) == pytest.approx(spent, abs=1.0)


# --- What a small solver leaves -------------------------------------------------------------------------------


@given(st.integers(1, 8), st.integers(0, 8), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_what_a_small_solver_gets_right_more_often_than_that_goes(n: int, k: int, at_most: float) -> None:
    assume(k <= n)
    [ruling] = ruled(unsolved, rated(k, n), compares, solver="student", at_most=at_most)
    assert (ruling.status == "pass") == (k / n <= at_most)
    assert ruling.score == k / n
    assert ruling.reason in (None, "solved too often")


def test_a_solver_that_was_not_asked_leaves_it_open() -> None:
    assert [each.status for each in ruled(unsolved, rated(0, 4), compares, solver="teacher")] == ["unsure"]
