"""JSON against a schema: the table, what is strict about it, and what no text may do."""

import json
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.verifiers import schema
from filters.verifiers.outcome import Outcome
from tests.each import each_of
from tests.filters.verifiers.tables.schema import ANN, HITS, MISSES, PERSON, WRAPPED

pytest.importorskip("jsonschema")


def outcome(reference: str, response: str) -> Outcome:
    answer = schema.final_answer(response) or ""
    return schema.check_quickly(reference, answer) or schema.check(reference, answer)


def test_the_table_is_as_large_as_promised():
    assert len(HITS) >= 45
    assert len(MISSES) >= 45


# --- References ---------------------------------------------------------------------------------------


@each_of(
    [
        ("", "not JSON"),
        ("an object with a name", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"type": "object", "type": "array"}', "a key is given twice"),
        ("{}", "demands nothing"),
        ("true", "demands nothing"),
        ("[]", "is no object"),
        ('{"title": "A person"}', "demands nothing"),
        ('{"schema": {}}', "demands nothing"),
        ('{"type": "objekt"}', "not a valid schema: 'objekt'"),
        ('{"minimum": "3"}', "not a valid schema"),
        ('{"pattern": "("}', "not a valid schema"),
        ('{"$schema": "https://example.org/mine", "type": "object"}', "unknown $schema 'https://example.org/mine'"),
        ('{"$schema": 7, "type": "object"}', "unknown $schema 7"),
        ('{"$ref": "https://example.org/person.json"}', "leads nowhere in the schema, and nothing is fetched"),
        ('{"properties": {"a": {"$ref": "file:///etc/passwd"}}}', "nothing is fetched"),
        ('{"$ref": "#/$defs/person"}', "leads nowhere"),
        ('{"$ref": "#person"}', "leads nowhere"),
        (json.dumps({"type": "string", "description": "x" * 200_000}), "longer than"),
    ]
)
def test_what_is_wrong_with_a_schema_is_said_and_never_the_fault_of_the_answer(reference, problem):
    assert problem in (schema.problem_with(reference) or "")
    for answer in ["", "{}", "no JSON"]:
        assert schema.check(reference, answer).status == "unsure"
        assert schema.check_quickly(reference, answer) in (None, schema.check(reference, answer))


@pytest.mark.parametrize(
    "reference",
    [
        '{"$ref": "https://json-schema.org/draft/2020-12/schema"}',  # known without fetching
        '{"properties": {"$ref": {"type": "string"}}}',  # a property of that name
        '{"enum": [{"$ref": "https://example.org/"}]}',  # data
        '{"$id": "https://example.org/a", "$defs": {"b": {"$id": "b", "type": "null"}}, "$ref": "b"}',
    ],
)
def test_references_that_need_no_fetching_are_fine(reference):
    assert schema.problem_with(reference) is None


@pytest.mark.parametrize(
    "reference",
    [
        '{"$id": "https://example.org/a", "$defs": {"b": {"$id": "b", "$ref": "c"}}, "$ref": "b"}',
        '{"$dynamicRef": "https://example.org/a"}',
        '{"$ref": "#"}',
    ],
)
def test_nothing_is_fetched_and_what_never_ends_is_unsure(reference, monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    monkeypatch.setattr(socket, "getaddrinfo", None)
    assert schema.check(reference, '{"a": 1}').status == "unsure"


def test_without_jsonschema_it_says_what_to_install(monkeypatch):
    schema._problem.cache_clear()
    monkeypatch.setattr(schema, "find_spec", lambda name: None)
    assert schema.check(PERSON, ANN).reason == "needs the extra schema: pip install 'thoughtmill[schema]'"
    assert schema.check(PERSON, ANN).status == "unsure"
    assert schema.check(PERSON, "not JSON").status == "fail"
    schema._problem.cache_clear()


def test_the_gold_answer_is_the_solution_or_the_first_example():
    assert json.loads(schema.gold(WRAPPED) or "") == {"name": "Ann", "age": 31}
    assert schema.gold('{"type": "integer", "examples": [3, 4]}') == "3"
    assert schema.gold(PERSON) is None
    assert schema.gold("no schema") is None


# --- Answers ------------------------------------------------------------------------------------------


@each_of(
    [
        ("", None),
        (" \n", None),
        ("```json\n```", None),
        ("17", "17"),
        ("It is 17.", "It is 17."),
        ('{"a": 1} and {"b": 2}', '{"b": 2}'),
        ('{"a": 1} and [2]', '{"a": 1}'),
        ("[1] and [2]", "[2]"),
        ('[{"a": 1}] it is', '[{"a": 1}]'),
        ('(see [here) {"a": 1}', '{"a": 1}'),
        ('[open {"a": 1}', '{"a": 1}'),
        ('{"a": "}"} it is', '{"a": "}"}'),
        ('{"a": "\\"}"} it is', '{"a": "\\"}"}'),
        ('```json\n{"a": "```"}\n``` it is', '{"a": "```"}'),
        ('```python\n{"a": 1}\n```\n', '{"a": 1}'),
        ('```jsonl\n{"a": 1}\n```\n', '{"a": 1}'),
    ]
)
def test_where_the_answer_is(response, answer):
    assert schema.final_answer(response) == answer


def test_errors_tell_their_place_and_are_at_most_five():
    found = schema.check(PERSON, '{"name": 5, "age": -1}')
    assert found.evidence["errors"] == [
        {"at": "$.name", "message": "5 is not of type 'string'"},
        {"at": "$.age", "message": "-1 is less than the minimum of 0"},
    ]
    many = schema.check('{"items": {"type": "null"}}', json.dumps(["x" * 1_000] * 20))
    assert len(many.evidence["errors"]) == 5
    assert len(json.dumps(many.evidence)) < 3_000


def test_patterns_are_never_run_quickly():
    assert schema.check_quickly('{"pattern": "^(a+)+$"}', '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"') is None


# --- What no text may do ------------------------------------------------------------------------------

LIVELY = st.text(alphabet='{}[]":,. \n`\\jsonatruefl0123e-\ud800é', max_size=120)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
KEYWORDS = ["type", "properties", "items", "required", "$ref", "$defs", "$schema", "$id", "pattern", "enum", "const"]
KEYWORDS += ["multipleOf", "minimum", "maxLength", "oneOf", "not", "if", "then", "format", "uniqueItems", "schema"]
SCHEMAS = st.recursive(
    VALUES | st.sampled_from(["object", "array", "#", "#/a", "date", "^a", "http://a/b", "string", "integer"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(response=LIVELY | st.text())
def test_no_response_makes_it_raise(response):
    found = outcome(PERSON, response)
    assert found.status in {"pass", "fail"}
    json.dumps(found).encode()
    (found.reason or "").encode()


@settings(max_examples=400, deadline=None)
@given(reference=SCHEMAS.map(json.dumps) | LIVELY, value=VALUES)
def test_no_schema_makes_it_raise(reference, value):
    problem = schema.problem_with(reference)
    assert problem is None or (problem and "\n" not in problem)
    assert (schema.check(reference, json.dumps(value)).status == "unsure") or problem is None
    schema.gold(reference)


@settings(max_examples=200, deadline=None)
@given(
    value=VALUES, before=st.sampled_from(["", "Here: ", "As [1] says, "]), after=st.sampled_from(["", " Done.", "\n"])
)
def test_a_value_is_found_in_prose_and_accepted_by_its_own_schema(value, before, after):
    container = {"value": value}
    reference = json.dumps({"const": container})
    assert outcome(reference, f"{before}{json.dumps(container)}{after}").status == "pass"
    assert outcome(reference, f"{before}\n```json\n{json.dumps(container, indent=2)}\n```{after}").status == "pass"
    assert outcome(reference, json.dumps({"value": [value]})).status == "fail"


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit", ["{", "[", '"', "}", '{"a":', "[1,", '{"', '\\"', "{}", "```json\n", "[[1],", '{"a":"', "`", '{"\\"']
)
def test_long_responses_are_gone_through_in_linear_time(unit):
    """Seconds at most; a quadratic step over so many characters takes longer than the test's own time limit."""
    for before in ("", "{", '{"', "[1, "):
        outcome(PERSON, before + unit * (400_000 // len(unit)))
