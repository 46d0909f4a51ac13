"""Plans: simulated step by step, the shortest found by search."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.verifiers import plan
from tests.each import each_of
from tests.filters.verifiers.tables.plan import BLOCKS, MAZE, RIVER, SELF, SHORTEST, SWITCH

STATES = {"pass", "fail", "unsure"}


@pytest.mark.parametrize("reference", [SHORTEST, SELF])
def test_gold_passes(reference):
    assert plan.check(reference, plan.gold(reference) or "").status == "pass"


def test_the_failing_step_is_named_with_what_it_lacks():
    outcome = plan.check_quickly(BLOCKS, "unstack a b\npick-up b")
    assert outcome is not None
    assert outcome.evidence == {"step": 2, "action": "pick-up b", "missing": ["hand-empty"]}


def test_the_share_of_the_goals_is_the_score():
    outcome = plan.check_quickly(SHORTEST, "unstack c a\nput-down c\npick-up b\nstack b c")
    assert outcome is not None
    assert (outcome.status, outcome.score) == ("fail", 0.5)
    assert outcome.evidence == {"missing": ["on a b"]}


def test_a_shorter_plan_is_shown_and_works():
    detour = "unstack c a\nput-down c\npick-up a\nput-down a\npick-up b\nstack b c\npick-up a\nstack a b"
    outcome = plan.check(SHORTEST, detour)
    assert outcome.reason == "there is a shorter plan"
    assert plan.check(SHORTEST, "\n".join(outcome.evidence["plan"])).status == "pass"


def test_where_a_plan_is_denied_one_is_shown():
    outcome = plan.check(RIVER, plan.NO_PLAN)
    assert outcome.reason == "there is a plan"
    assert outcome.evidence["steps"] == 7
    assert plan.check(RIVER, "\n".join(outcome.evidence["plan"])).status == "pass"


def test_within_too_few_steps_there_is_no_plan():
    short = {**json.loads(RIVER), "max_steps": 6}
    assert plan.check(json.dumps(short), plan.NO_PLAN).status == "pass"
    assert plan.check(json.dumps({**short, "max_steps": 7}), plan.NO_PLAN).status == "fail"


@pytest.mark.slow
def test_a_search_that_would_take_too_long_is_unsure():
    switches = {f"flip{i}": {"pre": [f"not s{i}"], "add": [f"s{i}"]} for i in range(40)}
    hard = json.dumps({"init": [], "goal": ["never"], "actions": switches})
    outcome = plan.check(hard, plan.NO_PLAN)
    assert (outcome.status, outcome.reason) == ("unsure", "the search would take too long")
    many = {"do ?a ?b ?c ?d ?e ?f": {"add": ["never"]}}
    objects = [f"o{i}" for i in range(30)]
    wide = json.dumps({"init": [], "goal": ["other"], "actions": many, "objects": objects})
    assert plan.check(wide, plan.NO_PLAN).status == "unsure"


@each_of(
    [
        ("", "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ({"init": [], "goal": ["a"], "actions": {"b": {}}, "maxsteps": 5}, "no JSON object"),
        ({"init": [], "goal": [], "actions": {"b": {}}}, "goal has none"),
        ({"init": ["not a"], "goal": ["a"], "actions": {"b": {}}}, "init has a fact with not"),
        ({"init": [], "goal": ["a"], "actions": {}}, "actions is no object"),
        ({"init": [], "goal": ["a"], "actions": {"b": {"pre": ["c ?x"]}}}, "pre has ?x, which is no parameter"),
        ({"init": ["c ?x"], "goal": ["a"], "actions": {"b": {}}}, "init has ?x, which is no parameter"),
        ({"init": [], "goal": ["a"], "actions": {"b x": {}}}, "do not begin with ?"),
        ({"init": [], "goal": ["a"], "actions": {"b": {"effects": []}}}, "has other parts"),
        ({"init": [], "goal": ["a"], "actions": {"b": {"add": ["not a"]}}}, "adds or deletes with not"),
        ({"init": [], "goal": ["a"], "actions": {"b": {}}, "max_steps": True}, "max_steps is no whole number"),
        ({"init": [], "goal": ["a"], "actions": {"b": {}}, "optimal": 1}, "optimal is neither"),
        (
            {"init": ["c"], "goal": ["a"], "actions": {"b": {}}, "never": [["c"]]},
            "init is a state that must never be",
        ),
    ]
)
def test_what_is_wrong_with_a_reference_is_told(reference, problem):
    reference = reference if isinstance(reference, str) else json.dumps(reference)
    assert problem in (plan.problem_with(reference) or "")
    assert plan.check(reference, "b").status == "unsure"
    assert plan.gold(reference) is None


# --- The search agrees with trying everything ---------------------------------------------------------

PLACES = "abcde"
roads = st.sets(st.tuples(st.sampled_from(PLACES), st.sampled_from(PLACES)), max_size=12)


def distance(pairs, *, start, end):
    """Steps from one place to another, by widening; None where there is no way."""
    near, steps = {start}, 0
    while end not in near:
        wider = near | {b for a, b in pairs if a in near}
        if wider == near:
            return None
        near, steps = wider, steps + 1
    return steps


@settings(max_examples=80, deadline=None)
@given(roads, st.sampled_from(PLACES))
def test_the_shortest_way_is_what_a_map_says(pairs, end):
    task = json.loads(MAZE)
    task |= {"init": ["at a", *(f"path {a} {b}" for a, b in sorted(pairs))], "goal": [f"at {end}"], "optimal": True}
    steps = distance(pairs, start="a", end=end)
    denied = plan.check(json.dumps(task), plan.NO_PLAN)
    if steps is None:
        assert denied.status == "pass"
    else:
        assert denied.evidence["steps"] == steps
        assert plan.check(json.dumps(task), "\n".join(denied.evidence["plan"]) or "[]").status == "pass"


# --- Nothing breaks it --------------------------------------------------------------------------------

words = st.sampled_from(
    ["press", "press-again", "no plan", "\n", "1. ", "- ", "(", ")", "[", '"', ",", "?x", "é", " "]
)
json_values = st.recursive(st.none() | st.booleans() | st.text() | st.integers(), st.lists, max_leaves=5)


@settings(max_examples=200, deadline=None)
@given(st.text() | st.lists(words, max_size=20).map("".join), st.sampled_from([SWITCH, BLOCKS, MAZE]) | st.text())
def test_nothing_raises(text, reference):
    answer = plan.final_answer(text)
    assert answer is None or answer.strip()
    assert plan.check(reference, text).status in STATES


@settings(deadline=None)
@given(st.sampled_from(sorted(plan._KEYS)), json_values)
def test_no_reference_raises(key, value):
    reference = json.dumps({**json.loads(SWITCH), key: value})
    assert isinstance(plan.problem_with(reference), str | None)
    assert isinstance(plan.gold(reference), str | None)
    assert plan.check(reference, "press").status in STATES


@each_of(["press\n", "1. ", "(", "press ", "[", "no plan ", "\n", "- "])
def test_a_long_answer_is_read_at_once(piece):
    text = piece * 100_000
    assert plan.final_answer(text) is None or len(plan.final_answer(text) or "") <= plan.MAX_ANSWER
    assert plan.check(SWITCH, text).status == "fail"
