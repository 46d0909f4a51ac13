"""Binding a role to an engine: what is understood, and the one clear line for what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.inference.engines import ENGINES, engine_settings, open_engine, parse_model
from pipelines.inference.model import BadModel, Sampling
from tests.each import each_of

URL = "http://localhost:8000/v1"

GOOD: list[tuple[Any, tuple[str, str, str | None]]] = [
    # what a recipe says, and engine, name and URL
    ("builtin", ("builtin", "builtin", None)),
    ({"use": "builtin"}, ("builtin", "builtin", None)),
    ("openai:gpt-x", ("openai", "gpt-x", None)),
    (f"openai:Qwen/Qwen3-8B@{URL}", ("openai", "Qwen/Qwen3-8B", URL)),
    ("openai:m@https://example.org/v1", ("openai", "m", "https://example.org/v1")),
    (f"openai:org/model:free@{URL}", ("openai", "org/model:free", URL)),
    (f"openai:@cf/meta/llama@{URL}", ("openai", "@cf/meta/llama", URL)),
    ("openai:claude-x@20990101", ("openai", "claude-x@20990101", None)),
    (f"openai:claude-x@20990101@{URL}", ("openai", "claude-x@20990101", URL)),
    ("replay:data/recorded.jsonl", ("replay", "data/recorded.jsonl", None)),
]


@each_of(GOOD)
def test_what_is_understood(spec: Any, wanted: tuple[str, str, str | None]):
    model = parse_model("teacher", spec)
    assert (model.engine, model.name, model.url) == wanted
    assert model.role == "teacher"
    assert model.sampling == Sampling()


def test_a_table_gives_everything():
    table = {
        "use": f"openai:m@{URL}",
        "revision": "abc",
        "deployment": "fp8",
        "system": "Be brief.",
        "key_env": "SOME_KEY",
        "in_flight": 9,
        "timeout": 5,
        "outage_limit": 60.5,
        "price": {"input": 0.5, "output": 2.0},
        "sampling": {"temperature": 0.3, "max_tokens": 77},
        "limit_field": "max_completion_tokens",
        "send_seed": False,
    }
    model = parse_model("judge", table)
    assert model.sampling == Sampling(temperature=0.3, max_tokens=77)
    assert model.settings == {"limit_field": "max_completion_tokens", "send_seed": False}
    for name in ("revision", "deployment", "system", "key_env", "in_flight", "timeout", "outage_limit", "price"):
        assert getattr(model, name) == table[name]


BAD: list[tuple[Any, str]] = [
    # what a recipe says, and a part of what the person is told
    (None, "needs use ="),
    (3, "needs use ="),
    ({}, "needs use ="),
    ({"use": 3}, "needs use ="),
    ("gpt-x", "no engine 'gpt-x'"),
    ("opnai:gpt-x", "there are: builtin, openai, replay"),
    ("openai", "names no model"),
    ("openai:", "names no model"),
    (f"openai:@{URL}", "names no model"),
    ("openai:m@localhost:8000/v1", "http"),
    ("replay:", "names no file"),
    ({"use": "builtin", "slips": 0.1}, "no key slips; it may have: "),
    ({"use": "openai:m", "slip": 0.1}, "no key slip"),
    ({"use": "replay:f", "send_seed": True}, "no key send_seed"),
    ({"use": "openai:m", "url": URL}, "no key url"),
    ({"use": "openai:m", "in_flight": 0}, "in_flight = 0 should be at least 1"),
    ({"use": "openai:m", "in_flight": "9"}, "in_flight = '9' should be of type int"),
    ({"use": "openai:m", "in_flight": True}, "in_flight = True should be of type int"),
    ({"use": "openai:m", "timeout": "long"}, "timeout = 'long' should be of type float"),
    ({"use": "openai:m", "revision": 2}, "revision = 2 should be of type str"),
    ({"use": "openai:m", "price": 2}, "price = 2 should be of type dict"),
    ({"use": "openai:m", "sampling": {"temprature": 1}}, "no sampling parameter temprature; there are: "),
    ({"use": "openai:m", "sampling": 0.7}, "sampling = 0.7 should be of type dict"),
    ({"use": "openai:m", "continuation": "suffix"}, "continuation = 'suffix'"),
    ({"use": "builtin", "slip": 2.0}, "slip"),
    ({"use": "builtin", "slip": "often"}, "slip"),
]


@each_of(BAD)
def test_what_is_not_is_told_in_one_line(spec: Any, told: str):
    with pytest.raises(BadModel) as caught:
        parse_model("teacher", spec)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "teacher" in str(caught.value) or "sampling parameter" in str(caught.value)


BAD_SAMPLING: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": 0}, "max_tokens = 0"),
    ({"max_tokens": "many"}, "max_tokens = 'many'"),
    ({"max_tokens": True}, "max_tokens = True"),
    ({"temperature": "hot"}, "temperature = 'hot'"),
    ({"stop": "END"}, "stop = 'END'"),
    ({"extra": 3}, "extra = 3"),
]


@each_of(BAD_SAMPLING)
def test_sampling_that_no_engine_could_use_is_told_before_anything_runs(sampling: dict[str, Any], told: str):
    with pytest.raises(BadModel) as caught:
        parse_model("teacher", {"use": "openai:m", "sampling": sampling})
    assert told in str(caught.value)


@pytest.mark.parametrize("name", ENGINES)
def test_every_setting_of_an_engine_is_part_of_its_identity(name: str):
    rest = {"builtin": "", "openai": f":m@{URL}", "replay": ":file"}.get(name, ":m")
    plain = parse_model("teacher", f"{name}{rest}")
    for setting, value in {"slip": 0.5, "send_seed": False, "dtype": "float32"}.items():
        if setting in engine_settings(name):
            other = parse_model("teacher", {"use": f"{name}{rest}", setting: value})
            assert other.identity() != plain.identity()


def test_a_url_is_no_part_of_identity():
    assert parse_model("a", f"openai:m@{URL}").identity() == parse_model("b", "openai:m").identity()


def test_the_builtin_opens_without_anything():
    assert open_engine(parse_model("teacher", "builtin"), Path())
