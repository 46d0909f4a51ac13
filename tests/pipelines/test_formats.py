"""Formats keep their word: every row comes out or is counted, in exactly the schema, and nothing leaks."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa
import pytest
import yaml

from pipelines.formats import llama_factory, openr1, trl
from pipelines.formats.rows import KINDS, Format, LeftOut, Made, Row, fault, kind_of, normal
from pipelines.formats.table import CONSUMERS, FORMATS
from pipelines.views.table import VIEWS
from tests.each import each_of

SECRET = "SECRET-ANSWER"
"""The reference of every problem here: no prompt may hold it."""

MADE = Made("squares@v3", "rl", {"train": 3, "test": 1}, 1_000)


def said(*turns: str, system: str | None = None) -> list[dict[str, str]]:
    """A conversation that user and assistant have by turns."""
    talk = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(turns)]
    return [{"role": "system", "content": system}, *talk] if system else talk


BOX = "What is 3 squared? \u2028 <script>\n\nBox it: \\boxed{}."
NINE = "<think>\nThree threes.\n</think>\n\n\\boxed{9}"
IDS = {"problem_id": "p1", "attempt_id": "a1", "question": "What is 3 squared?", "domain": "math", "model": "m"}
PAIR = {"problem_id": "p1", "chosen_id": "a1", "rejected_id": "a2", "margin": 1.0}


def asked(verifier: str, prompt: list[dict[str, str]], **more: Any) -> Row:
    return {"prompt": prompt, "answer": SECRET, "verifier": verifier, **IDS, "split": "train", "index": 0, **more}


def tried(completion: str, label: bool, problem: str = "p1", **more: Any) -> Row:
    told = {"prompt": said(BOX), "completion": [{"role": "assistant", "content": completion}], "label": label}
    return {**told, **IDS, "reward": float(label), "answer": SECRET, "problem_id": problem, **more}


def chosen(prompt: list[dict[str, str]], good: str, bad: str) -> Row:
    pair = {side: [{"role": "assistant", "content": text}] for side, text in (("chosen", good), ("rejected", bad))}
    return {"prompt": prompt, **pair, **PAIR}


SOUND: dict[str, list[Row]] = {
    "messages": [
        {"messages": said(BOX, NINE), **IDS},
        {"messages": said("Hello", "Hi.", BOX, NINE, system="Be brief."), **IDS, "domain": None},
        {"messages": [*said("Search"), {"role": "tool", "content": "found"}, *said("x", "Yes.")[1:]], **IDS},
    ],
    "twins": [{"messages": said(BOX, text), "thinking": "<think>" in text, **IDS} for text in (NINE, "\\boxed{9}")],
    "begun": [
        {"messages": said(BOX, NINE), "begun": 0, **IDS},
        {"messages": said(BOX, f"<think>\nFour. Wait, no. {NINE[8:]}"), "begun": 13, **IDS},
    ],
    "turns": [
        {"messages": said("Hello", "Hi.", BOX, NINE), "train": [False, True, False, True], **IDS},
        {"messages": said("Hello", "Hm.", BOX, NINE), "train": [False, False, False, True], **IDS},
    ],
    "preference": [
        chosen(said(BOX), NINE, "\\boxed{8}"),
        chosen(said("Hello", "Hi.", BOX, system="Be brief."), NINE, "8"),
        chosen([*said(BOX), {"role": "user", "content": "Now!"}], NINE, "8"),
    ],
    "offline": [tried(NINE, True), tried("8", False), tried("9", True, "p2", answer=None), tried("7", False, "p3")],
    "process": [{"prompt": said(BOX), "steps": ["Three threes.", "So 8."], "labels": [True, False], **IDS}],
    "rl": [
        asked("math", said(BOX), pass_rate=0.5, sampling_weight=None),
        asked("math", said("What is 3 squared?")),
        asked("math", said(BOX, system="Be brief.")),
        asked("choice", said("Which? (A) 9 (B) 8. Put the letter in \\boxed{}.")),
        asked("code", said("Write a function. <image>"), item="i1", format="open"),
    ],
}
"""Rows of each kind that some consumer can take, with what makes them hard."""


def rendered(entry: Format, rows: list[Row]) -> tuple[list[Row], list[LeftOut]]:
    out = list(entry.render(iter(rows)))
    return [row for row in out if not isinstance(row, LeftOut)], [row for row in out if isinstance(row, LeftOut)]


# --- Laws -----------------------------------------------------------------------------------------------------


def test_there_are_rows_of_every_kind_that_a_format_takes():
    assert SOUND.keys() == KINDS.keys() == {kind for _, kind in FORMATS}
    assert all(fault(kind, row) is None for kind, rows in SOUND.items() for row in rows)


def test_every_view_has_a_kind_and_a_consumer():
    for name, view in VIEWS.items():
        kind = kind_of(view.schema().names)
        assert kind in {kind for _, kind in FORMATS}, name


@each_of(FORMATS.items())
def test_every_row_comes_out_or_is_left_out_for_a_reason(key: tuple[str, str], entry: Format):
    rows = SOUND[key[1]]
    out, left = rendered(entry, rows)
    into = sum(len(row["generations"]) for row in out) if key[0] == "openr1" else len(out)
    assert into + sum(each.rows for each in left) == len(rows)
    assert out, "nothing is taken"
    assert all(each.reason and "\n" not in each.reason for each in left)


@each_of(FORMATS.items())
def test_the_schema_is_exactly_what_is_written(key: tuple[str, str], entry: Format):
    out, _ = rendered(entry, SOUND[key[1]])
    names = entry.schema().names
    assert pa.RecordBatch.from_pylist(out, entry.schema()).to_pylist() == [
        {name: row.get(name) for name in names} for row in out
    ]
    assert all(row.keys() <= set(names) for row in out)


@each_of(FORMATS.items())
def test_types_are_plain(key: tuple[str, str], entry: Format):
    """As a library of any version reads them: no 64-bit offsets, no dictionaries, no columns of nothing."""
    assert not re.search(r"large|dictionary|view|null", str(entry.schema()))
    assert not entry.schema().metadata


NULLABLE = {
    *("domain", "pass_rate", "sampling_weight", "pair_id", "attempt_id"),
    *("source", "license", "version", "category", "answer", "solution", "problem_type", "question_type"),
    "correctness_llama",
}


@each_of(FORMATS.items())
def test_nothing_is_null_but_what_is_only_told(key: tuple[str, str], entry: Format):
    out, _ = rendered(entry, SOUND[key[1]])
    for row in pa.RecordBatch.from_pylist(out, entry.schema()).to_pylist():
        assert set(nulls(row)) <= NULLABLE


def nulls(value: Any, name: str = "") -> Iterator[str]:
    """The names under which there is a null, however deep."""
    if value is None:
        yield name
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from nulls(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from nulls(part, name)


@each_of([key for key in FORMATS if key[1] == "rl"])
def test_the_answer_is_where_it_is_checked_and_nowhere_else(consumer: str, kind: str):
    out, _ = rendered(FORMATS[consumer, kind], SOUND[kind])
    for row in out:
        shown = [row.get(name) for name in ("prompt", "messages", "input")]
        assert SECRET not in str(shown)
        assert SECRET in str(row), "nothing to check against"


@each_of(FORMATS.items())
def test_messages_say_who_speaks(key: tuple[str, str], entry: Format):
    out, _ = rendered(entry, SOUND[key[1]])
    roles = {message["role"] for row in out for message in messages_in(row)}
    assert roles <= {"system", "user", "assistant", "tool"}


def messages_in(value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, dict) and "role" in value:
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from messages_in(part)


RESERVED = {"prompts", "completions", "trainer_state", "log_extra", "log_metric", "environments"}


@each_of([(consumer, kind) for consumer, kind in FORMATS if consumer.startswith("trl")])
def test_no_column_for_trl_has_a_name_that_it_gives_out_itself(consumer: str, kind: str):
    names = set(FORMATS[consumer, kind].schema().names)
    assert not names & (RESERVED - ({"completions"} if kind == "process" else set()))
    assert not names & {"input_ids", "tools", "margin", "text"}  # each would be taken for something else


@each_of(FORMATS.items())
def test_how_to_train_is_code_that_can_be_read(key: tuple[str, str], entry: Format):
    text = entry.training(MADE)
    for language, code in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL):
        parse(language, code)
    for name, content in entry.extra(MADE).items():
        parse(name.partition(".")[2], content)
    assert "/root" not in text + str(entry.extra(MADE))


def parse(language: str, code: str) -> None:
    """Raise what the language's own reader raises."""
    match language:
        case "python" | "py":
            ast.parse(code)
        case "yaml":
            assert isinstance(yaml.safe_load(code), dict)
        case "json":
            orjson.loads(code)
        case "sh":
            subprocess.run(["bash", "-n"], input=code, text=True, check=True)
        case _:
            raise AssertionError(f"what is {language}?")


# --- Rows that nobody can train on ----------------------------------------------------------------------------

MESSAGES, RL, PROCESS = SOUND["messages"][0], SOUND["rl"][0], SOUND["process"][0]
OFFLINE, PREFERENCE = SOUND["offline"][0], SOUND["preference"][0]
NOBODY = [{"role": "narrator", "content": "Once"}, *said("What?", "That.")]
LATE = [*said("What?", "That."), {"role": "system", "content": "Be brief."}, *said("What?", "That.")]


@each_of(
    [
        ("messages", {**MESSAGES, "messages": []}, "no messages"),
        ("messages", {**MESSAGES, "messages": said(BOX, " \n")}, "an empty message"),
        ("messages", {**MESSAGES, "messages": said(BOX)}, "does not end with the assistant"),
        ("messages", {**MESSAGES, "messages": NOBODY}, "a role that is none of"),
        ("messages", {**MESSAGES, "messages": LATE}, "a system message that is not the first"),
        ("messages", {**MESSAGES, "messages": said("x", NINE)[1:]}, "no user message"),
        ("turns", {**SOUND["turns"][0], "train": [True]}, "not as many marks as messages"),
        ("begun", {**SOUND["begun"][0], "begun": len(NINE)}, "nothing is to be learnt"),
        ("rl", {**RL, "answer": " "}, "no answer to check against"),
        ("rl", {**RL, "answer": None}, "no answer to check against"),
        ("rl", {**RL, "verifier": None}, "no verifier called None"),
        ("rl", {**RL, "verifier": "oracle"}, "no verifier called oracle"),
        ("rl", {**RL, "prompt": said(BOX, NINE)}, "ends with an answer"),
        ("preference", {**PREFERENCE, "rejected": PREFERENCE["chosen"]}, "the same"),
        ("preference", {**PREFERENCE, "rejected": said("8")}, "not one assistant turn"),
        ("offline", {**OFFLINE, "label": None}, "not decided"),
        ("offline", {**OFFLINE, "completion": [{"role": "assistant", "content": None}]}, "an empty message"),
        ("process", {**PROCESS, "steps": []}, "an empty step"),
        ("process", {**PROCESS, "steps": ["So.", ""]}, "an empty step"),
        ("process", {**PROCESS, "labels": [True]}, "steps without labels"),
        ("process", {**PROCESS, "labels": [True, None]}, "steps without labels"),
    ]
)
def test_a_row_that_nobody_can_train_on_says_why(kind: str, row: Row, reason: str):
    assert reason in (fault(kind, row) or "")


def test_pairs_that_part_later_become_whole_answers():
    row = {"prompt": said(BOX), "prefix": "Three threes. ", "chosen": "9.", "rejected": "8.", **PAIR}
    assert kind_of(row) == "preference"
    told = normal(row)
    assert isinstance(told, dict)
    assert told["chosen"] == [{"role": "assistant", "content": "Three threes. 9."}]
    assert told["rejected"] == [{"role": "assistant", "content": "Three threes. 8."}]
    assert fault("preference", told) is None


def test_calls_of_tools_are_not_lost_in_silence():
    turns = [{**each, "tool_calls": None} for each in said(BOX, NINE, BOX, NINE)]
    row = {"messages": turns, "train": [False, True, False, True], **IDS}
    told = normal(row)
    assert isinstance(told, dict)
    assert told["messages"] == said(BOX, NINE, BOX, NINE)
    turns[1]["tool_calls"] = "[{}]"
    assert isinstance(normal(row), LeftOut)


# --- What single consumers want -------------------------------------------------------------------------------


def test_a_source_of_verl_is_named_only_where_its_scorer_reads_what_the_prompt_asks_for():
    out, _ = rendered(FORMATS["verl", "rl"], SOUND["rl"])
    for row, made in zip(SOUND["rl"], out, strict=True):
        is_boxed = row["verifier"] in ("math", "choice") and "\\boxed" in str(row["prompt"])
        assert made["data_source"] == ("lighteval/MATH" if is_boxed else f"thoughtmill/{row['verifier']}")


@each_of([(0, 512), (1_200, 512), (1_345, 768), (30_000, 10_240)])
def test_prompts_of_any_length_fit_what_trainers_are_told(characters: int, length: int):
    """Their own limits are 512, 512 and 256 tokens: one stops there, two drop the row."""
    made = MADE._replace(longest_prompt=characters)
    limits = {
        "verl": "max_prompt_length=",
        "skyrl": "max_prompt_length=",
        "open-instruct": "max_prompt_token_length ",
    }
    for consumer, limit in limits.items():
        assert re.search(rf"{limit}{length}\b", FORMATS[consumer, "rl"].training(made)), consumer
    assert f"{characters:,} characters" in FORMATS["verl", "rl"].training(made)


def test_other_scorers_get_only_what_they_check_as_we_do():
    for consumer in ("open-instruct", "nemo-rl"):
        out, left = rendered(FORMATS[consumer, "rl"], SOUND["rl"])
        assert "\\boxed" in str(out), consumer
        reasons = " ".join(each.reason for each in left)
        assert "code" in reasons, consumer
        assert "asks for none" in reasons, consumer


def test_a_label_of_openrlhf_names_its_verifier():
    out, left = rendered(FORMATS["openrlhf", "rl"], SOUND["rl"])
    assert [orjson.loads(row["label"]) for row in out] == [
        {"answer": SECRET, "verifier": row["verifier"]} for row in SOUND["rl"] if "<image>" not in str(row["prompt"])
    ]
    assert [each.reason for each in left] == ["<image> in a prompt, which OpenRLHF takes for a picture"]


def test_a_conversation_that_not_all_is_to_be_learned_of_goes_where_that_can_be_said():
    for consumer, kinds in CONSUMERS.items():
        if "turns" in kinds:
            out, left = rendered(kinds["turns"], SOUND["turns"])
            assert (len(out), len(left)) == ((2, 0) if consumer == "axolotl" else (1, 1)), consumer
    marked, _ = rendered(CONSUMERS["axolotl"]["turns"], SOUND["turns"])
    assert [message["train"] for message in marked[1]["messages"]] == [False, False, False, True]


def test_what_is_not_to_be_learnt_of_an_answer_goes_where_that_can_be_said():
    for consumer, kinds in CONSUMERS.items():
        if "begun" in kinds:
            out, left = rendered(kinds["begun"], SOUND["begun"])
            assert (len(out), len(left)) == ((2, 0) if consumer == "trl" else (1, 1)), consumer
        assert ("begun" in kinds) == ("messages" in kinds), consumer
    _, cut = rendered(CONSUMERS["trl"]["begun"], SOUND["begun"])[0]
    assert cut["begun"] == "<think>\nFour."
    assert cut["begun"] + cut["rest"] == SOUND["begun"][1]["messages"][-1]["content"]


@each_of(
    [
        (said("a", "b"), "assistant", True),
        (said("a", "b", "c", "d", system="s"), "assistant", True),
        (said("a", "b", "c"), "user", True),
        (said("a", "b", "c"), "assistant", False),
        (said("a", "b")[1:], "assistant", False),
        ([*said("a"), *said("a", "b")], "assistant", False),
        ([], "user", False),
    ]
)
def test_llama_factory_wants_user_and_assistant_by_turns(talk: list[dict[str, str]], last: str, ok: bool):
    assert llama_factory.take_turns(talk, last=last) is ok


def test_an_alpaca_row_holds_the_whole_conversation():
    row = llama_factory.alpaca(SOUND["messages"][1])
    assert isinstance(row, dict)
    assert row["system"] == "Be brief."
    assert row["history"] == [["Hello", "Hi."]]
    assert (row["instruction"], row["input"], row["output"]) == (BOX, "", NINE)


@each_of([(consumer, kind) for consumer, kind in FORMATS if consumer.startswith("llama-factory")])
def test_a_stanza_names_every_column_and_file(consumer: str, kind: str):
    entry = FORMATS[consumer, kind]
    info = orjson.loads(entry.extra(MADE)["dataset_info.json"])
    assert set(info) == {"squares_v3_rl", "squares_v3_rl_test"}
    for split, stanza in zip(MADE.splits, info.values(), strict=True):
        assert stanza["file_name"] == f"{split}.parquet"
        assert set(stanza["columns"].values()) <= set(entry.schema().names)
        assert stanza.get("ranking", False) is (kind == "preference")
    assert " --dataset squares_v3_rl " in entry.training(MADE)


@each_of([kind for consumer, kind in FORMATS if consumer == "axolotl"])
def test_the_configuration_of_axolotl_reads_the_files_that_are_there(kind: str):
    entry = FORMATS["axolotl", kind]
    for splits in ({"train": 3, "test": 1}, {"train": 3}):
        config = yaml.safe_load(entry.extra(MADE._replace(splits=splits))["axolotl.yaml"])
        files = [each["path"] for name in ("datasets", "test_datasets") for each in config.get(name, [])]
        assert files == [f"{split}.jsonl" for split in splits]
        fields = [value for key, value in config["datasets"][0].items() if key.startswith("field_")]
        assert set(fields) <= set(entry.schema().names)


def test_openr1_has_one_row_for_each_problem_with_arrays_in_parallel():
    out = list(openr1.problems(iter(SOUND["offline"])))
    assert [row["uuid"] for row in out if isinstance(row, dict)] == ["p1", "p2", "p3"]
    first, _, wrong = out
    assert isinstance(first, dict)
    assert isinstance(wrong, dict)
    assert first["generations"] == [NINE, "8"]
    assert first["correctness_math_verify"] == [True, False]
    assert first["correctness_count"] == 1
    assert first["messages"][-1]["content"] == NINE
    assert (wrong["correctness_count"], wrong["messages"]) == (0, [])
    parallel = ("generations", "correctness_math_verify", "is_reasoning_complete", "finish_reasons")
    assert {len(first[name]) for name in parallel} == {2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "good", "bad"),
    [
        ("9", "9", "8"),
        ("x^2+1", "1+x^2", "1"),
        ("\\frac{1}{3}", "\\frac{2}{6}", "0.3"),
        ("(1, 2)", "(1,2)", "(2,1)"),
        ("B", "B", "C"),
    ],
)
def test_the_solution_that_trl_reads_is_the_whole_answer(answer: str, good: str, bad: str):
    """As `accuracy_reward` reads it, with Math-Verify."""
    math_verify = pytest.importorskip("math_verify")
    gold = math_verify.parse(trl.rl(asked("math", said(BOX)) | {"answer": answer})["solution"], parsing_timeout=None)
    assert gold
    for response, is_right in ((good, True), (bad, False)):
        told = math_verify.parse(f"It is \\boxed{{{response}}}.", parsing_timeout=None)
        assert math_verify.verify(gold, told, timeout_seconds=None) is is_right


@each_of(
    [("math", "x^2+1", "\\boxed{x^2+1}"), ("choice", "B", "\\boxed{B}"), ("math", "$5$", "$5$"), ("code", "{}", "")]
)
def test_the_solution_for_trl_is_a_box_and_empty_where_there_is_no_mathematics(verifier: str, answer: str, read: str):
    assert trl.rl(asked(verifier, said(BOX)) | {"answer": answer})["solution"] == read
