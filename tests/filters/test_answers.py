"""Attempts against the reference."""

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import answers
from filters.answers import wilson
from filters.rule import Case
from filters.verifiers import VERIFIERS, answer_in
from tests.each import each_of
from tests.filters.cases import answered, rule_on, run, solved, task

HARD = r"12\cos^2 x + 12\sin^2 x"  # only algebra can tell


def test_each_attempt_gets_a_ruling_of_its_own() -> None:
    case = solved(["12", "24/2", "13", None, HARD], author="12", cut=1)
    rulings = run("answer_matches", case)
    assert [ruling.about for ruling in rulings] == [(each.id,) for each in case.attempts]
    assert [(ruling.status, ruling.reason, ruling.value) for ruling in rulings] == [
        ("pass", None, "12"),
        ("pass", None, "24/2"),
        ("fail", "wrong answer", "13"),
        ("fail", "no final answer", None),
        ("unsure", "cannot be compared with the reference", HARD),
        ("unsure", "cut off at the limit", None),
    ]


def test_an_attempt_that_was_refused_or_waits_for_a_tool_is_not_wrong() -> None:
    of = task(answer="1")
    case = Case(of, None, [answered(of, "", 0, "refused"), answered(of, r"\boxed{1}", 1, "tool_calls")])
    assert [ruling.status for ruling in run("answer_matches", case)] == ["unsure", "unsure"]


@pytest.mark.parametrize(
    ("author", "verifier", "reason"),
    [(None, "math", "no reference answer"), ("", "math", "no reference answer"), ("1", None, "no verifier")],
)
def test_nothing_to_compare_with_is_unsure(author: str | None, verifier: str | None, reason: str) -> None:
    [ruling] = run("answer_matches", solved(["1"], author=author, verifier=verifier))
    assert (ruling.status, ruling.reason) == ("unsure", reason)


def test_a_blank_box_is_no_answer_even_to_a_blank_reference() -> None:
    [ruling] = run("answer_matches", solved([" "], author=" "))
    assert ruling.status != "pass"


def test_a_pass_rate_says_what_it_is_relative_to() -> None:
    ruling = rule_on("pass_rate", solved(["5", "5", "6", None], author="5", cut=2))
    assert (ruling.status, ruling.score) == ("pass", 0.5)
    context = dict(ruling.context)
    assert (context.pop("low"), context.pop("high")) == wilson(2, 4)
    assert context == {
        "k": 2,
        "n": 4,
        "left_out": {"cut off at the limit": 2},
        "solvers": [
            {"model": "solver", "revision": "r1", "prompt": "solve/boxed@1", "sampling": {"temperature": 0.6}}
        ],
        "verifier": f"math@{VERIFIERS['math'].version}",
    }


def test_two_kinds_of_solvers_are_both_named() -> None:
    of = task(answer="5")
    case = Case(of, None, [answered(of, r"\boxed{5}", i, model=name) for i, name in enumerate(["one", "two", "one"])])
    assert [solver["model"] for solver in rule_on("pass_rate", case).context["solvers"]] == ["one", "two"]


@pytest.mark.parametrize(
    ("right", "status", "reason"),
    [
        (0, "fail", "solved less often than asked"),
        (1, "pass", None),
        (3, "pass", None),
        (4, "fail", "solved more often than asked"),
    ],
)
def test_the_band_of_a_pass_rate_includes_its_ends(right: int, status: str, reason: str | None) -> None:
    case = solved(["5"] * right + ["6"] * (4 - right), author="5")
    ruling = rule_on("pass_rate", case, at_least=0.25, at_most=0.75)
    assert (ruling.status, ruling.reason) == (status, reason)


@pytest.mark.parametrize("case", [solved([], author="5"), solved([], author="5", cut=3), solved(["5"])])
def test_a_pass_rate_of_nothing_is_unsure(case: Case) -> None:
    ruling = rule_on("pass_rate", case, at_least=0.5)
    assert (ruling.status, ruling.score) == ("unsure", None)


def test_finished_counts_those_that_ended_by_themselves() -> None:
    case = solved(["1", None, "2"], cut=1)
    assert rule_on("finished", case).reason == "too few attempts ended by themselves"
    ruling = rule_on("finished", case, at_least=0.75)
    assert (ruling.status, ruling.score, ruling.context["ends"]) == ("pass", 0.75, {"stop": 3, "length": 1})


def test_finished_looks_at_the_posing_while_there_are_no_attempts() -> None:
    drawn, posed = task("two seeds"), task()
    assert rule_on("finished", Case(posed, answered(drawn, "<question>", finish="length"))).status == "fail"
    assert rule_on("finished", Case(posed, answered(drawn, "<question>"))).status == "pass"
    assert rule_on("finished", Case(posed)).status == "unsure"


# From the formula's standard worked tables, to four decimals.
@each_of(
    [
        (5, 16, 0.1416, 0.5560),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
        (1, 1, 0.2065, 1.0),
    ]
)
def test_wilson_against_known_values(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_ends_are_where_the_rate_is_1_96_deviations_away(pair: tuple[int, int]) -> None:
    k, n = pair
    low, high = wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    for end in (low, high):
        if 1e-9 < end < 1 - 1e-9:
            assert abs(k / n - end) == pytest.approx(1.959963984540054 * sqrt(end * (1 - end) / n), rel=1e-6)
    assert wilson(n - k, n) == pytest.approx((1 - high, 1 - low))


def test_a_rate_of_nothing_may_be_anything() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_answers_are_found_once_and_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []

    def counting(name: str, text: str) -> str | None:
        found.append(text)
        return answer_in(name, text)

    monkeypatch.setattr(answers, "answer_in", counting)
    monkeypatch.setattr(answers, "_remembered", {})
    monkeypatch.setattr(answers, "MAX_REMEMBERED", 2)
    attempts = solved(["1", "2", "3"]).attempts
    first, again = ([answers.final_answer(each, "math") for each in attempts[:2]] for _ in range(2))
    assert first == again == ["1", "2"]
    assert len(found) == 2
    assert answers.final_answer(attempts[2], "math") == "3"
    assert len(answers._remembered) <= 2
