"""Steps of a proof, each checked by Z3."""

import json
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.verifiers import logic
from tests.each import each_of
from tests.filters.verifiers.tables.logic import AGES, CATS, CHAIN, WHOLE

STATES = {"pass", "fail", "unsure"}


@pytest.mark.parametrize("reference", [CATS, AGES])
def test_gold_passes(reference):
    assert logic.check(reference, logic.gold(reference) or "").status == "pass"


def test_a_step_that_cannot_be_read_is_unknown_and_not_wrong():
    outcome = logic.check(CHAIN, "q\nwhich is nice\nr")
    assert outcome.status == "unsure"
    assert outcome.evidence["steps"] == ["right", "unknown", "right"]
    assert outcome.score == pytest.approx(2 / 3)


def test_a_wrong_step_is_told_with_a_countermodel_and_is_no_premise_of_the_next():
    outcome = logic.check(WHOLE, "x = 4\ny = 5")
    assert outcome.evidence["steps"] == ["wrong", "wrong"]
    first = outcome.evidence["not_right"][0]
    assert first["step"] == 1
    assert int(first["countermodel"]["x"]) > 4


def test_contradicting_premises_prove_nothing():
    outcome = logic.check(json.dumps({"premises": ["p", "not p"]}), "q")
    assert (outcome.status, outcome.reason) == ("unsure", "the premises contradict each other")


def test_what_is_too_hard_is_unsure_and_the_same_each_time():
    endless = ["forall x. exists y. R(x,y)", "forall x,y,z. R(x,y) and R(y,z) -> R(x,z)", "forall x. not R(x,x)"]
    outcome = logic.check(json.dumps({"premises": endless}), "exists x. R(x,x)")
    assert (outcome.status, outcome.reason) == ("unsure", "the solver gave up")


@each_of(
    [
        ("", "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ('{"premises": []}', "no premises"),
        ('{"premises": ["p"], "goal": 5}', "no premises, or a goal"),
        ('{"premises": ["p ->"]}', "cannot be read: 'p ->': it ends too soon"),
        ('{"premises": ["p"], "goals": "p"}', "unknown key 'goals'"),
        ('{"premises": ["x > 0"], "declare": {"x": "integer"}}', "declare maps names to int, real, bool"),
    ]
)
def test_what_is_wrong_with_a_reference_is_told(reference, problem):
    assert problem in (logic.problem_with(reference) or "")
    assert logic.check(reference, "p").status == "unsure"
    assert logic.gold(reference) is None


@each_of(["x > 0", "p(a) and p", "p(a) and p(a, b)", "p(q and r)", "x + 1"])
def test_a_premise_that_means_nothing_is_a_problem_with_the_reference(premise):
    outcome = logic.check(json.dumps({"premises": [premise]}), "q")
    assert outcome.status == "unsure"
    assert "the reference cannot be used" in (outcome.reason or "")


@each_of(
    [
        ("1. p -> q", "p -> q"),
        ("(2) p and q [by 1]", "p and q"),
        ("Step 3: $x > 3.5$.", "x > 3.5"),
        ("3.5 < x", "3.5 < x"),
        (r"Therefore, $p \to q$ (from 1, 2)", "p  ->  q"),
        ("- **q**  # modus ponens", "q"),
        ("-x < 3 -- turned around", "-x < 3"),
    ]
)
def test_a_line_is_stripped_of_what_is_no_formula(line, step):
    assert logic.final_answer(f"<answer>{line}</answer>") == step


@each_of(
    [
        ("not p and q", "(not p) and q"),
        ("p and q or r", "(p and q) or r"),
        ("p -> q -> r", "p -> (q -> r)"),
        ("p or q -> r", "(p or q) -> r"),
        ("p <-> q -> r", "p <-> (q -> r)"),
        ("forall x. P(x) -> q", "forall x. (P(x) -> q)"),
        ("not x = y", "not (x = y)"),
        ("a - b - c = d", "(a - b) - c = d"),
        ("-a + b = c", "(-a) + b = c"),
        ("a + 2*b < c", "a + (2*b) < c"),
        ("0 <= x < 5", "0 <= x and x < 5"),
    ]
)
def test_signs_bind_as_told(text, same):
    assert logic.parse(text) == logic.parse(same)


# --- Labels match the truth: every valuation tried ----------------------------------------------------

NAMES = ("p", "q", "r")
formulas = st.recursive(
    st.sampled_from(NAMES),
    lambda inner: (
        st.builds("(not {})".format, inner)
        | st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or", "->", "<->", "xor"]), inner)
    ),
    max_leaves=5,
)


def holds(tree, values):
    match tree:
        case ("name", name, ()):
            return values[name]
        case ("not", inner):
            return not holds(inner, values)
        case (sign, left, right):
            a, b = holds(left, values), holds(right, values)
            return {"and": a and b, "or": a or b, "->": not a or b, "<->": a == b, "xor": a != b}[sign]


def models(*texts):
    trees = [logic.parse(text) for text in texts]
    valuations = [dict(zip(NAMES, values, strict=True)) for values in product([False, True], repeat=3)]
    return [values for values in valuations if all(holds(tree, values) for tree in trees)]


@settings(max_examples=60, deadline=None)
@given(st.lists(formulas, min_size=1, max_size=3), formulas)
def test_a_label_is_what_the_truth_table_says(premises, step):
    outcome = logic.check(json.dumps({"premises": premises}), step)
    if not models(*premises):
        assert outcome.reason == "the premises contradict each other"
    else:
        entailed = len(models(*premises)) == len(models(*premises, step))
        assert outcome.status == ("pass" if entailed else "fail")
    assert logic.check(json.dumps({"premises": premises}), step) == outcome


# --- Nothing breaks it --------------------------------------------------------------------------------

WORDS = "p q P ( ) , . : not and or -> <-> forall exists x = < <= + - * / 2 0.5 true { \\ é"
tokens = st.sampled_from(WORDS.split())


@settings(max_examples=150, deadline=None)
@given(st.text() | st.lists(tokens, max_size=30).map(" ".join), st.sampled_from([CHAIN, CATS, WHOLE]) | st.text())
def test_nothing_raises(text, reference):
    answer = logic.final_answer(text)
    assert answer is None or answer.strip()
    assert logic.check(reference, text).status in STATES
    assert isinstance(logic.gold(reference), str | None)
    assert isinstance(logic.problem_with(json.dumps({"premises": [text], "goal": text})), str | None)


@each_of(["(", "not ", "forall x. ", "p -> ", "p and ", "- ", "[a]", " ", "1. ", "\n", "p(", "--"])
def test_a_long_answer_is_read_at_once(piece):
    text = piece * 100_000
    assert isinstance(logic.final_answer(text + "p"), str | None)
    assert logic.check(CHAIN, text).status != "pass"
