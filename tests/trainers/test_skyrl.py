"""SkyRL: its own dataset reads the prompts, and the environment beside them rewards answers."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.trainers import tiny
from tests.trainers.conftest import Export
from tests.trainers.views import rows_of

pytest.importorskip("skyrl", reason=tiny.WHY)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize("view", ["rl", "forms"])
def test_prompts_and_what_rewards_them_come_through(exported: Export, version: Path, view: str):
    folder = exported(view, "skyrl")
    dataset = import_module("skyrl.train.dataset").PromptDataset
    read = dataset([str(folder / "train.parquet")], tiny.tokenizer(), max_prompt_length=1024, num_workers=1)
    rows = rows_of(version, view)
    assert len(read) == len(rows)
    for i, row in enumerate(rows):
        prompt, env_class, extras, _ = read[i]
        assert (prompt, env_class) == (row["prompt"], "thoughtmill")
        assert extras["reward_spec"]["ground_truth"] == row["answer"]
        assert extras["extra_info"]["verifier"] == row["verifier"]


EPISODE = """
import skyrl_gym
from environment import register_environment
register_environment()
extras = {"reward_spec": {"ground_truth": "1/2"}, "extra_info": {"verifier": "math"}}
for said in ("\\\\boxed{0.5}", "\\\\boxed{2}"):
    env = skyrl_gym.make("thoughtmill", env_config={}, extras=extras)
    env.init([{"role": "user", "content": "?"}])
    step = env.step(said)
    print(step["reward"], step["done"], step["metadata"]["decided"])
"""


def test_the_environment_rewards_a_right_answer(exported: Export):
    pytest.importorskip("skyrl_gym", reason=tiny.WHY)
    asked = [sys.executable, "-W", "ignore", "-c", EPISODE]
    done = subprocess.run(asked, cwd=exported("rl", "skyrl"), capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("1.0 True True\n0.0 True True\n", "")
