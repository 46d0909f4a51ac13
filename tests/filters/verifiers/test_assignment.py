"""Assignments under constraints: evaluated here, compared with what Z3 and brute force find."""

import json
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.verifiers import assignment
from tests.each import each_of
from tests.filters.verifiers.tables.assignment import COLORS, IMPOSSIBLE, MOST, SUM

STATES = {"pass", "fail", "unsure"}


@pytest.mark.parametrize("reference", [SUM, MOST, COLORS, IMPOSSIBLE])
def test_gold_passes(reference):
    assert assignment.check(reference, assignment.gold(reference) or "").status == "pass"


def test_what_is_violated_is_named_and_scored():
    outcome = assignment.check_quickly(SUM, "x = 5\ny = 5")
    assert outcome is not None
    assert (outcome.status, outcome.score) == ("fail", 0.5)
    assert outcome.evidence == {"violated": ["x < y"]}


def test_a_better_assignment_is_shown_and_is_better():
    outcome = assignment.check(MOST, "x = 6\ny = 3")
    assert outcome.evidence["objective"] == 21
    assert outcome.evidence["better"] > 21


def test_the_core_of_an_infeasible_task_is_infeasible_by_itself_and_leaves_out_the_rest():
    outcome = assignment.check(IMPOSSIBLE, "infeasible")
    assert outcome.evidence == {"core": ["2*x + 4*y == 51"]}


@each_of(
    [
        ("", "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ({"variables": {"x": [0, 9]}, "constraints": []}, "constraints is no list"),
        ({"variables": {"x": [9, 0]}, "constraints": ["x > 1"]}, "the range of x is empty"),
        ({"variables": {"x": [0, "a"]}, "constraints": ["x > 1"]}, "no list of one type"),
        ({"variables": {"x": [0, 10**12]}, "constraints": ["x > 1"]}, "neither whole numbers up to"),
        ({"variables": {"max": [0, 1]}, "constraints": ["max > 1"]}, "no variable can be called 'max'"),
        ({"variables": {"x": [0, 9]}, "constraints": ["y > 1"]}, "no variable is called y"),
        ({"variables": {"x": [0, 9]}, "constraints": ["x + 1"]}, "neither true nor false"),
        ({"variables": {"x": [0, 9]}, "constraints": ["x > 'a'"]}, "different types"),
        ({"variables": {"x": [0, 9]}, "constraints": ["x // 0 > 1"]}, "no positive number"),
        ({"variables": {"x": [0, 9]}, "constraints": ["x > 0 or y"]}, "no variable is called y"),
        ({"variables": {"x": [0, 9]}, "constraints": ["x.real > 1"]}, "Attribute is not in the language"),
        ({"variables": {"x": [0, 9]}, "constraints": ["open(x)"]}, "no function with these arguments"),
        ({"variables": {"x": [0, 9]}, "constraints": ["x / 2 > 1"]}, "Div is not in the language"),
        ({"variables": {"x": [0, 9]}, "constraints": ["x > 1"], "objective": "x"}, "the objective is not"),
        ({"variables": {"x": [0, 9]}, "constraints": ["x > 1"], "objective": {"maximize": "x > 1"}}, "is no number"),
    ]
)
def test_what_is_wrong_with_a_reference_is_told(reference, problem):
    reference = reference if isinstance(reference, str) else json.dumps(reference)
    assert problem in (assignment.problem_with(reference) or "")
    assert assignment.check(reference, "x = 1").status == "unsure"
    assert assignment.gold(reference) is None


# --- Evaluation, solver and brute force agree ---------------------------------------------------------

DOMAIN = range(-2, 4)
numbers = st.recursive(
    st.sampled_from(["x", "y", "2", "3", "-1"]),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner)
        | st.builds("({} {} {})".format, inner, st.sampled_from(["//", "%"]), st.sampled_from(["2", "3"]))
        | st.builds("{}({}, {})".format, st.sampled_from(["min", "max", "sum"]), inner, inner)
        | st.builds("({} if x > y else {})".format, inner, inner)
        | st.builds("abs({})".format, inner)
        | st.builds("{} ** 2".format, st.sampled_from(["x", "y"]))
    ),
    max_leaves=4,
)
comparisons = st.builds("{} {} {}".format, numbers, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), numbers)
constraints = st.recursive(
    comparisons | st.builds("{} in ({}, 1)".format, numbers, numbers) | st.just("all_different(x, y)"),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
        | st.builds("not ({})".format, inner)
        | st.builds("implies({}, {})".format, inner, inner)
        | st.builds("count({}, {}) == 1".format, inner, inner)
    ),
    max_leaves=3,
)


def by_python(text, x, y):
    """What Python says, which has the same notation."""
    functions = {
        "all_different": lambda *values: len(set(values)) == len(values),
        "count": lambda *values: sum(values),
        "implies": lambda p, q: not p or q,
        "sum": lambda *values: sum(values),
    }
    return eval(text, {"__builtins__": {"min": min, "max": max, "abs": abs}}, {**functions, "x": x, "y": y})


@settings(max_examples=40, deadline=None)
@given(st.lists(constraints, min_size=1, max_size=2), numbers)
def test_the_best_is_what_brute_force_finds(texts, objective):
    variables = {"x": [DOMAIN[0], DOMAIN[-1]], "y": [DOMAIN[0], DOMAIN[-1]]}
    task = {"variables": variables, "constraints": texts}
    reference, ranked = json.dumps(task), json.dumps({**task, "objective": {"maximize": objective}})
    kept = [(x, y) for x, y in product(DOMAIN, DOMAIN) if all(by_python(text, x, y) for text in texts)]
    assert assignment.check(reference, "infeasible").status == ("fail" if kept else "pass")
    best = max((by_python(objective, x, y) for x, y in kept), default=None)
    for x, y in [*kept[:2], *kept[-1:], (0, 0)]:
        answer = f"x = {x}\ny = {y}"
        assert assignment.check(reference, answer).status == ("pass" if (x, y) in kept else "fail")
        right = (x, y) in kept and by_python(objective, x, y) == best
        assert assignment.check(ranked, answer).status == ("pass" if right else "fail")


# --- Nothing breaks it --------------------------------------------------------------------------------

pieces = st.sampled_from(
    ["x", "y", " = ", ": ", ", ", "\n", " and ", "{", "}", '"', "3", "7", "-", "infeasible", "é", "."]
)
texts = st.text() | st.lists(pieces, max_size=20).map("".join)


@settings(max_examples=200, deadline=None)
@given(texts, st.sampled_from([SUM, MOST, COLORS]) | st.text())
def test_nothing_raises(text, reference):
    answer = assignment.final_answer(text)
    assert answer is None or answer.strip()
    assert assignment.check(reference, text).status in STATES
    task = {"variables": {"x": [0, 1], text: [text]}, "constraints": [text, f"x == {text}"]}
    assert isinstance(assignment.problem_with(json.dumps(task)), str | None)


@each_of(["(" * 900, "not " * 200 + "x", "-" * 900 + "x", "x" + "+x" * 400, "x" + "**8" * 200, "\0"])
def test_a_hostile_expression_is_a_problem_with_the_reference(text):
    reference = json.dumps({"variables": {"x": [0, 9]}, "constraints": [f"{text} > 0"]})
    assert assignment.problem_with(reference) is not None


@each_of(["x = 3, ", "{", '{"a":', " and ", "\n", "infeasible ", "-", "x", '"'])
def test_a_long_answer_is_read_at_once(piece):
    text = piece * 100_000
    assert assignment.final_answer(text) is None
    assert assignment.check(SUM, text).status == "fail"
