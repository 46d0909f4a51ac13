"""Environments: calls are read out of a text, and played in a sandbox one after another."""

from __future__ import annotations

import json

import pytest

from filters.environments import MAX_SHOWN, calls_in, environment_of, observation, play
from pipelines.records import to_json
from tests.each import each_of
from tests.filters.test_tasks import SHOP
from tests.filters.verifiers.confined import needs_bubblewrap

ADD = '["add", {"item": "pear"}]'
NO_CALL = 'error: no call: write ["tool", {"argument": "value"}]'

TEXTS: dict[str, tuple[str, list[str]]] = {
    "a block": (f"I look.\n\n```calls\n{ADD}\n\n  {ADD}  \n```\n", [ADD, ADD]),
    "the last block": (f"```calls\nfirst\n```\n\nNo:\n\n```calls\n{ADD}\n```", [ADD]),
    "an empty block": ("```calls\n\n```", []),
    "another language": (f"```json\n{ADD}\n```", []),
    "a block that is not closed": (f"```calls\n{ADD}", []),
    "none": ("I have seen enough.", []),
    "empty": ("", []),
    "too many": ("```calls\n" + f"{ADD}\n" * 50 + "```", [ADD] * 20),
}


@each_of(TEXTS)
def test_calls_are_the_lines_of_the_last_block(name: str) -> None:
    text, calls = TEXTS[name]
    assert calls_in(text) == calls


def test_an_environment_is_what_a_reference_sets_up() -> None:
    whole = {"entry_point": "solve", "setup": SHOP, "test": "def check(candidate):\n    assert candidate()"}
    assert environment_of(to_json(whole)) == SHOP
    for other in (None, "", "42", to_json({**whole, "setup": "PRICES = {}"}), to_json({"asserts": ["assert f()"]})):
        assert environment_of(other) is None


def test_a_model_is_told_how_many_messages_it_has_left() -> None:
    assert "```results\n3\n```\n\nYou have 2 messages left." in observation(["3"], 2)
    assert "no call in it is made" in observation(["3"], 1)


@pytest.mark.slow
@needs_bubblewrap
def test_calls_change_one_environment_and_a_call_that_fails_is_told() -> None:
    calls = [ADD, '["total", {}]', "nonsense", '["rob", {}]', "[1, 2, 3]", '["add", []]', ADD, '["total", {}]']
    told = ["null", "5", NO_CALL, "error: KeyError: 'rob'", NO_CALL, NO_CALL, "null", "10"]
    assert play(SHOP, calls) == told
    assert play(SHOP, calls[-1:]) == ["0"], "each time a fresh one"


BROKEN = {
    "no Python": ("def start(:\n", "error: the environment broke down"),
    "ends": ("import os\ndef start():\n    os._exit(0)\n", "error: the environment broke down"),
    "never ends": ("def start():\n    while True: pass\n", "error: the environment ran longer than 4 s"),
}


@pytest.mark.slow
@needs_bubblewrap
@pytest.mark.parametrize("name", BROKEN)
def test_an_environment_that_breaks_is_told_so(name: str) -> None:
    source, told = BROKEN[name]
    assert play(source, [ADD, ADD]) == [told, told]


@pytest.mark.slow
@needs_bubblewrap
def test_what_an_environment_prints_or_cannot_write_is_no_trouble() -> None:
    talks = """
class World:
    def call(self, tool, **given):
        print("[]")
        return {"own": object(), "list": (1, 2), "half": "\\ud800", "lines": "a\\u2028b", "long": "x" * 9_000}[tool]

def start():
    print("hello")
    return World()
"""
    calls = [json.dumps([tool, {}]) for tool in ("own", "list", "half", "lines", "long")]
    *told, long = play(talks, calls)
    assert told == ['"object"', "[1, 2]", '"?"', '"a b"']
    assert len(long) == MAX_SHOWN
