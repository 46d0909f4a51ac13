"""A whole run on models in this process: it answers, is rewarded and measured, and nothing is computed twice."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
import tomli_w

from flows import make
from pipelines.inference.model import Model
from tests.scoring.tiny import TALKS
from tests.small import attempts, loaded_bytes, verdicts

pytestmark = pytest.mark.slow


def recipe(folder: Path, student: Model, critic: Model) -> str:
    """Three questions, two answers each, a reward and a likelihood for each answer, and the better one of the two."""
    rows = [{"question": asked, "answer": told.split()[-1].strip(".")} for asked, told in TALKS]
    (folder / "rows.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    engine = {"device": "cpu", "dtype": "float32"}
    value: dict[str, Any] = {
        "name": "scored",
        "models": {
            "teacher": {
                "use": f"transformers:{student.name}",
                **engine,
                "sampling": {"max_tokens": 40, "temperature": 1.0},
            },
            "scorer": {"use": f"transformers:{student.name}", **engine},
            "reward": {"use": f"transformers:{critic.name}", **engine},
        },
        "stages": [
            {"use": "bring", "rows": "rows.jsonl"},
            {"use": "expand", "prompt": "solve/plain", "n": 2},
            {"use": "reward"},
            {"use": "likelihood", "against": "nothing"},
            {"use": "sift", "rules": ["best_of_n", "worst_reward"]},
            {"use": "select", "rules": [{"rule": "top_k", "by": "likelihood_gain", "k": 2}]},
        ],
    }
    path = folder / "recipe.toml"
    path.write_bytes(tomli_w.dumps(value).encode())
    return str(path)


def test_a_run_is_scored_and_scored_once(student: Model, critic: Model, data: Path, tmp_path: Path):
    path = recipe(tmp_path, student, critic)
    first = asyncio.run(make.make(path))
    told = verdicts(first)
    answers = {each.id for each in attempts(first)}
    for rule in ("reward@1", "likelihood@1", "likelihood_gain@1"):
        assert {each.subjects[0] for each in told if each.rule == rule and each.status == "pass"} == answers
    assert len(answers) == 6
    assert {each.status for each in told if each.rule.startswith("top_k")} == {"pass", "fail"}

    # The same journal, and nothing else: the same facts, without a model.
    for other in [each for each in data.iterdir() if each.name not in ("journal", "lock")]:
        shutil.rmtree(other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.inference.transformers.find_spec", lambda name: pytest.fail("a model is loaded"))
        again = asyncio.run(make.make(path))
    assert loaded_bytes(again) == loaded_bytes(first)
