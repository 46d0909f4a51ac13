"""The three facts: what their ids cover, that their schemas are fixed, and that nothing gets lost on disk."""

import asyncio
import io

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.make import make
from pipelines.records import (
    Attempt,
    Facts,
    Problem,
    Turn,
    Verdict,
    attempt,
    digest,
    from_table,
    problem,
    schema,
    to_json,
    to_table,
    verdict,
)
from pipelines.store import Output, read_output, write_output
from tests.each import each_of

KINDS = (Problem, Attempt, Verdict)

SEED = problem(parents=(), stage="seed@1", draw=None, kind="seed", question="What is 2 + 3?", answer="5")
ASKED = Turn("user", "What is 2 + 3?")
SAID = Turn("assistant", "It is \\boxed{5}.", "Two and three make five.", '[{"id":"a"}]')


def drawn(**changes):
    fields = {"parents": [SEED.id], "stage": "draw@1", "draw": 4, "kind": "pose", "question": "Pose another."}
    return problem(**{**fields, **changes})


def answered(of=SEED, **changes):
    fields = {
        "stage": "expand@1",
        "sample": 0,
        "role": "teacher",
        "model": "m",
        "revision": None,
        "prompt": "solve/boxed@1f2e3d4c",
        "sampling": '{"max_tokens":64}',
        "seed": 7,
        "request": "00" * 16,
        "turns": (ASKED, SAID),
        "finish": "stop",
    }
    return attempt(of=of, **{**fields, **changes})


def ruled(**changes):
    fields = {"subjects": [SEED.id], "stage": "screen@1", "draw": 4, "rule": "form@1", "status": "fail"}
    return verdict(**{**fields, **changes})


# Ids


def test_ids_are_those_of_the_first_release():
    """Every stored fact names its parents by id: when these change, SCHEMA_VERSION and a migration are due."""
    assert digest("a", 1, None, [2.5, {"b": True, "a": "é"}]) == "e537193f29f0be5738e6dcc8eda9f2a6"
    assert SEED.id == "b63a9026a6ff1fd3813166acef951d1f"
    assert answered().id == "ed4da8a61621b5226808d79c50e58b31"
    assert ruled(score=0.5, value="x", context={"at_most": 0.7}).id == "1702590151196bc98bd36ab1c6033f9d"


@each_of(
    [
        {"parents": []},
        {"stage": "draw@2"},
        {"draw": 5},
        {"draw": None},
        {"kind": "task"},
        {"question": "Pose another!"},
        {"answer": "5"},
        {"answer": ""},
        {"verifier": "math"},
        {"domain": "science"},
        {"source": "elsewhere"},
        {"license": "CC0-1.0"},
        {"details": {"plan": "none"}},
    ]
)
def test_every_field_of_a_problem_counts(change):
    assert drawn(**change).id != drawn().id


@each_of(
    [
        {"of": drawn()},
        {"stage": "expand@2"},
        {"sample": 1},
        {"request": "01" * 16},
        {"finish": "length"},
        {"turns": (ASKED, SAID._replace(content="It is 5."))},
        {"turns": (ASKED, SAID._replace(content=None))},
        {"turns": (ASKED, SAID._replace(reasoning=None))},
        {"turns": (ASKED, SAID._replace(tool_calls=None))},
        {"continues": answered(sample=3)},
    ]
)
def test_the_same_answer_given_otherwise_is_another_attempt(change):
    assert answered(**change).id != answered().id


def test_equal_answers_to_one_question_drawn_twice_stay_two_attempts():
    once, again = answered(of=drawn(draw=4)), answered(of=drawn(draw=5))
    assert once.text == again.text
    assert once.id != again.id
    assert once.draw == 4
    assert again.draw == 5


@each_of(
    [
        {"subjects": [SEED.id, SEED.id]},
        {"stage": "verify@1"},
        {"draw": None},
        {"rule": "form@2"},
        {"status": "unsure"},
        {"score": 0.0},
        {"value": ""},
        {"context": {"at_most": 0.7}},
    ]
)
def test_whatever_a_verdict_rests_on_counts(change):
    assert ruled(**change).id != ruled().id


def test_the_words_of_the_evidence_do_not_renumber_a_verdict():
    assert ruled(evidence={"reason": "too short"}).id == ruled(evidence={"reason": "it is too short"}).id


def test_the_name_of_the_recipe_renumbers_nothing(tmp_path, monkeypatch):
    def facts(name):
        monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / name))
        made = asyncio.run(make("cot-self-instruct", changes=["target.accepted=2", "shard=4"], dataset=name))
        return {path.name: path.read_bytes() for path in sorted(made.folder.glob("facts/*"))}

    assert facts("mine") == facts("yours")


def test_the_order_of_keys_does_not_count():
    assert drawn(details={"a": 1, "b": 2}).id == drawn(details={"b": 2, "a": 1}).id
    assert to_json({"b": 1, "a": [None, 0.5]}) == '{"a":[null,0.5],"b":1}'


def test_parts_do_not_run_into_each_other():
    assert len({digest("ab", "c"), digest("a", "bc"), digest("abc"), digest(["ab", "c"]), digest()}) == 5


# Schemas

COLUMNS = {
    Problem: "id:string parents:list<item: string> stage:string draw:int64 kind:string question:large_string "
    "answer:string verifier:string domain:string source:string license:string details:large_string",
    Attempt: "id:string parents:list<item: string> stage:string draw:int64 problem:string sample:int32 role:string "
    "model:string revision:string prompt:string sampling:string seed:int64 request:string turns:list<item: struct<"
    "role: string, content: large_string, reasoning: large_string, tool_calls: large_string>> finish:string "
    "prompt_tokens:int64 completion_tokens:int64 reasoning_tokens:int64 details:large_string",
    Verdict: "id:string subjects:list<item: string> stage:string draw:int64 rule:string status:string score:double "
    "value:string context:large_string evidence:large_string",
}


def described(columns):
    """Names and types. Parquet calls the item of a list its element."""
    return " ".join(f"{field.name}:{field.type}" for field in columns).replace("list<element: ", "list<item: ")


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_are_fixed(kind):
    """Readers elsewhere rely on names and types; whoever changes one raises SCHEMA_VERSION."""
    assert described(schema(kind)) == COLUMNS[kind]
    assert schema(kind).metadata == {b"thoughtmill.schema": f"{kind.__name__}@1".encode()}
    assert tuple(schema(kind).names) == kind._fields


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_without_rows_has_every_column(kind):
    table = through_parquet(to_table(kind, []))
    assert described(table.schema) == COLUMNS[kind]
    assert table.schema.metadata == schema(kind).metadata
    assert from_table(kind, table) == []


@pytest.mark.parametrize(
    ("kind", "fact"), [(Problem, SEED), (Attempt, answered(turns=(Turn("user", None),))), (Verdict, ruled())]
)
def test_columns_that_hold_only_nulls_keep_their_type(kind, fact):
    assert to_table(kind, [fact]).schema.equals(schema(kind), check_metadata=True)


# Round trips


def through_parquet(table):
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return pq.read_table(pa.BufferReader(file.getvalue()))


text = st.text(max_size=40)  # of all Unicode but lone surrogates, which UTF-8 cannot hold
texts = st.none() | text
ids = st.lists(text, max_size=3).map(tuple)
draws = st.none() | st.integers(0, 2**63 - 1)
counts = st.none() | st.integers(-(2**63), 2**63 - 1)
turns = st.lists(st.builds(Turn, text, texts, texts, texts), min_size=1, max_size=4).map(tuple)
statuses = st.sampled_from(["pass", "fail", "unsure", "error"])
scores = st.none() | st.floats(allow_nan=False)

problems = st.builds(Problem, text, ids, text, draws, text, text, texts, texts, texts, texts, texts, text)
verdicts = st.builds(Verdict, text, ids, text, draws, text, statuses, scores, texts, text, text)
attempts = st.builds(
    Attempt,
    *(text, ids, text, draws, text, st.integers(0, 2**31 - 1), text, text, texts, text, text),
    *(st.integers(0, 2**31 - 1), text, turns, st.sampled_from(["stop", "length", "tool_calls", "refused"])),
    *(counts, counts, counts, text),
)


@pytest.mark.parametrize(("kind", "facts"), [(Problem, problems), (Attempt, attempts), (Verdict, verdicts)])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_is_read_is_what_was_written(kind, facts, data):
    written = data.draw(st.lists(facts, max_size=5))
    table = to_table(kind, written)
    assert from_table(kind, table) == written
    assert from_table(kind, through_parquet(table)) == written
    assert to_table(kind, from_table(kind, table)).equals(table)


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | scores | text, st.lists))
def test_equal_values_have_equal_digests_and_survive_json(value):
    assert digest(orjson.loads(to_json(value))) == digest(value)


# Long thoughts

PLANES = [chr((plane << 16) + at) for plane in range(17) for at in (0x21, 0x100, 0xD7FF, 0xE000, 0xFFFD)]
CONTROLS = "\0\t\r\n\r\n\x1b\u2028\ufeff\u200d"


def long_thought():
    """An attempt of 32,000 tokens: some 200 kB in which every plane of Unicode occurs."""
    alphabet = "".join(PLANES) + CONTROLS
    lines = (f"{i}: {alphabet[i % len(alphabet) :]}{alphabet[: i % len(alphabet)]}\n" for i in range(400))
    thought = "".join(lines)
    calls = to_json([{"id": f"call-{i}", "function": {"name": "run", "arguments": thought[:500]}} for i in range(64)])
    turns = (Turn("system", alphabet), ASKED, Turn("assistant", thought[::-1], thought, calls))
    return answered(turns=turns, completion_tokens=32_000, reasoning_tokens=31_000, finish="tool_calls")


def test_a_long_thought_is_untouched():
    thought = long_thought()
    assert sum(len(part.encode()) for part in thought.turns[-1] if part) > 200_000
    assert from_table(Attempt, through_parquet(to_table(Attempt, [answered(), thought, answered()])))[1] == thought


def test_a_long_thought_is_untouched_in_an_output(tmp_path):
    written = Output(Facts([SEED], [long_thought()] * 3, []), [SEED.id], [(0, "x")])
    write_output(tmp_path / "output", written, closure={})
    assert read_output(tmp_path / "output") == written
