"""Reading replies: text and reasoning apart, how they ended, what they cost."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipelines.inference.engine import read, split_think
from tests.each import each_of

CASES: list[tuple[str, bool, str | None, str | None]] = [
    # content, cut at the limit, the answer, the reasoning
    ("36", False, "36", None),
    ("<think>12 times 3</think>36", False, "36", "12 times 3"),
    ("<think>\n12 times 3\n</think>\n\n36", False, "36", "12 times 3"),
    ("\n<think>12 times 3</think>36", False, "36", "12 times 3"),
    ("12 times 3\n</think>\n36", False, "36", "12 times 3"),  # the template wrote the opening tag
    ("<think></think>36", False, "36", ""),
    ("<think>12 times 3</think>", False, None, "12 times 3"),  # thought, and said nothing
    ("<think>12 times 3</think>36 and then", True, "36 and then", "12 times 3"),
    ("<think>12 ti", True, None, "12 ti"),
    ("  <think>12 ti", True, None, "12 ti"),
    ("12 ti", True, "12 ti", None),
    ("It is 36, as I <think>.", False, "It is 36, as I <think>.", None),
    ("<think>a</think>b</think>c", False, "b</think>c", "a"),
]


@each_of(CASES)
def test_tagged_reasoning_is_split_off(content: str, cut: bool, answer: str | None, reasoning: str | None):
    assert split_think(content, cut=cut) == (answer, reasoning)


def reply(*messages: dict[str, Any], finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": finish} for message in messages], **more}


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_in_a_field_of_its_own_leaves_the_text_alone(name: str):
    [answer] = read(reply({"content": "It <think>is</think> 36", name: "12 times 3"}))
    assert (answer.turn.content, answer.turn.reasoning) == ("It <think>is</think> 36", "12 times 3")


def test_an_empty_field_does_not_hide_the_tags():
    [answer] = read(reply({"content": "<think>12 times 3</think>36", "reasoning_content": ""}))
    assert (answer.turn.content, answer.turn.reasoning) == ("36", "12 times 3")


@each_of(
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("content_filter", "refused"),
        (None, "stop"),
        ("eos", "stop"),
    ]
)
def test_how_an_answer_ended(told: str | None, finish: str):
    assert read(reply({"content": "36"}, finish=told))[0].finish == finish


@pytest.mark.parametrize("choices", [1, 2, 3, 7])
def test_tokens_told_for_all_choices_are_shared_out_without_a_rest(choices: int):
    usage = {"prompt_tokens": 11, "completion_tokens": 100, "completion_tokens_details": {"reasoning_tokens": 61}}
    answers = read(reply(*({"content": "36"} for _ in range(choices)), usage=usage))
    assert sum(each.prompt_tokens or 0 for each in answers) == 11
    assert sum(each.completion_tokens or 0 for each in answers) == 100
    assert sum(each.reasoning_tokens or 0 for each in answers) == 61


@pytest.mark.parametrize(
    "usage", [{}, {"usage": None}, {"usage": {}}, {"usage": {"completion_tokens_details": None}}]
)
def test_tokens_that_nobody_told_are_unknown_and_not_none_at_all(usage: dict[str, Any]):
    [answer] = read(reply({"content": "36"}, **usage))
    assert (answer.prompt_tokens, answer.completion_tokens, answer.reasoning_tokens) == (None, None, None)


def test_a_refusal_has_the_reason_and_no_text():
    [answer] = read({"refused": "status 400: too long"})
    assert (answer.turn.role, answer.turn.content, answer.finish) == ("assistant", None, "refused")
    assert orjson.loads(answer.details) == {"reason": "status 400: too long"}


def test_details_hold_what_was_told_and_nothing_else():
    assert read(reply({"content": "36"}))[0].details == "{}"
    [answer] = read(reply({"content": None, "refusal": "I would rather not."}, model="m-1", system_fingerprint="f"))
    assert orjson.loads(answer.details) == {"served": "m-1", "fingerprint": "f", "refusal": "I would rather not."}
