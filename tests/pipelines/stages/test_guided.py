"""Guided attempts: demonstrations are shown and named, and a model that reasons by itself is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import orjson
import pytest

from filters.artifact import artifact
from pipelines.inference.engine import Misconfigured
from pipelines.inference.model import Model
from pipelines.records import Attempt
from pipelines.stages.guided import check_guided, read_demonstrations
from prompts.template import load
from tests.pipelines.stages.bench import Bench, posed

SAID = "<think>\nHm, one and one.\n</think>\n\n\\boxed{2}"


def demonstrations(folder: Path, count: int = 4) -> Path:
    path = folder / "shown.jsonl"
    rows = [
        {"id": f"d{i}", "question": f"Q{i}?", "thought": f"Thought {i}.", "answer": f"A{i}"} for i in range(count)
    ]
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def guided(folder: Path, says: Any = SAID, **given: Any) -> tuple[Bench, list[Attempt]]:
    bench = Bench(folder)
    told = {"shown": 2, "n": 3, "plainly": "think/plain", "prompt": "think/guided", **given}
    shown = artifact(demonstrations(folder))
    output = bench.run(
        "guided",
        says=lambda message, sample: says,
        problems=[posed(0, "What is 1 + 1?")],
        demonstrations=shown,
        **told,
    )
    return bench, output.facts.attempts


def test_an_attempt_names_the_demonstrations_that_it_was_shown(tmp_path: Path):
    bench, attempts = guided(tmp_path)
    assert len(attempts) == 3
    for each, (message, _, _) in zip(attempts, bench.client.asked, strict=True):
        told = orjson.loads(each.details)
        assert len(told["demonstrations"]) == 2
        shown = [f"d{i}" for i in range(4) if f"Thought {i}." in message]
        assert sorted(told["demonstrations"]) == shown
        assert (told["reasoning"], told["private"]) == (False, ["guidance"])
        assert told["plainly"] == load("think/plain").render({"question": "What is 1 + 1?"})
        assert each.turns[-1].reasoning == "Hm, one and one."
    assert len({message for message, _, _ in bench.client.asked}) > 1


def test_without_demonstrations_the_instruction_is_the_same(tmp_path: Path):
    bench, attempts = guided(tmp_path, shown=0, n=1)
    assert "<example>" not in bench.client.asked[0][0]
    assert orjson.loads(attempts[0].details)["demonstrations"] == []


def test_a_model_that_reasons_by_itself_ends_the_run(tmp_path: Path):
    for field in ("reasoning_content", "reasoning"):
        choice = {"message": {"content": "2", field: "Hm."}, "finish_reason": "stop"}
        with pytest.raises(Misconfigured, match="reasons by itself"):
            guided(tmp_path, {"choices": [choice]}, n=1)


def test_so_does_one_whose_reasoning_is_only_counted(tmp_path: Path):
    usage = {"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 7}}
    with pytest.raises(Misconfigured, match="plain instruct model"):
        guided(tmp_path, {"choices": [{"message": {"content": SAID}, "finish_reason": "stop"}], "usage": usage}, n=1)


def test_what_cannot_be_shown_is_refused(tmp_path: Path):
    plain = Model(role="teacher", engine="builtin", name="builtin")
    given = {"model": plain, "demonstrations": artifact(demonstrations(tmp_path)), "plainly": load("think/plain")}
    check_guided({**given, "shown": 4, "n": 1})
    for wrong in ({"shown": 5, "n": 1}, {"shown": -1, "n": 1}, {"shown": 1, "n": 0}):
        with pytest.raises(ValueError, match="cannot be"):
            check_guided({**given, **wrong})
    with pytest.raises(ValueError, match="needs seeds"):
        check_guided({**given, "shown": 1, "n": 1, "plainly": load("pose/plain")})
    with pytest.raises(ValueError, match="reasoning = true"):
        check_guided({**given, "shown": 1, "n": 1, "model": dataclasses.replace(plain, reasoning=True)})


def test_a_line_that_is_no_demonstration_is_named(tmp_path: Path):
    path = demonstrations(tmp_path)
    path.write_bytes(path.read_bytes() + b'{"id": "d9"}\n')
    with pytest.raises(ValueError, match="line 5"):
        read_demonstrations(path)
    with pytest.raises(ValueError, match="should be a file"):
        read_demonstrations(tmp_path)
