"""TRL's GRPOTrainer, rewarded by the verifier that gated the data."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from filters.rewards import verified
from tests.trainers import tiny
from tests.trainers.conftest import Export
from tests.trainers.views import load

trl = pytest.importorskip("trl", reason=tiny.WHY)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def grpo(rows: Any, folder: Path, **given: Any) -> Any:
    speaks = tiny.tokenizer()
    config = trl.GRPOConfig(
        output_dir=str(folder),
        max_steps=2,
        per_device_train_batch_size=4,
        num_generations=4,
        max_completion_length=16,
        **tiny.QUIET,
    )
    return trl.GRPOTrainer(
        model=tiny.model(speaks),
        reward_funcs=verified,
        args=config,
        train_dataset=rows,
        processing_class=speaks,
        **given,
    )


def planted(answers: dict[str, str]) -> Any:
    """Completions as a model that is right every other time would give them."""

    def rollout(prompts: list[Any], made: Any) -> dict[str, Any]:
        speaks = made.processing_class
        said = [
            f"<think>\nWell.\n</think>\n\n\\boxed{{{answers[prompt[-1]['content']] if i % 2 else 0}}}{tiny.END}"
            for i, prompt in enumerate(prompts)
        ]
        ids = [speaks.encode(text, add_special_tokens=False) for text in said]
        asked = [speaks.apply_chat_template(each, add_generation_prompt=True, return_dict=False) for each in prompts]
        return {"prompt_ids": asked, "completion_ids": ids, "logprobs": [[0.0] * len(each) for each in ids]}

    return rollout


@pytest.mark.parametrize("view", ["rl", "forms"])
def test_right_completions_get_one_and_wrong_ones_nothing(exported: Export, tmp_path: Path, view: str):
    rows = load(exported(view, "trl"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rollout_func calls itself experimental
        answers = {row["prompt"][-1]["content"]: row["answer"] for row in rows}
        made = grpo(rows, tmp_path, rollout_func=planted(answers))
    made.train()
    assert made.state.global_step == 2
    for told in made.state.log_history[:2]:
        assert told["rewards/verified/mean"] == 0.5
        assert told["rewards/verified/std"] > 0
        assert told["grad_norm"] > 0


def test_the_model_itself_is_asked_and_rewarded(exported: Export, tmp_path: Path):
    made = grpo(load(exported("rl", "trl")), tmp_path)
    made.train()
    assert made.state.global_step == 2
    assert {told.get("rewards/verified/mean") for told in made.state.log_history} <= {0.0, None}  # it says nothing


def test_a_stage_of_a_curriculum_is_read_as_it_lies_in_the_version(version: Path, tmp_path: Path):
    from datasets import load_dataset

    stages = sorted((version / "curriculum").glob("stage-*.parquet"))
    assert len(stages) == 2
    for stage in stages:
        made = grpo(load_dataset("parquet", data_files=str(stage), split="train"), tmp_path / stage.stem)
        made.train()
        assert made.state.global_step == 2


def test_verifiers_of_trl_itself_agree(exported: Export):
    rewards = import_module("trl.rewards")
    rows = load(exported("rl", "trl"))
    right = [[{"role": "assistant", "content": f"\\boxed{{{row['answer']}}}"}] for row in rows]
    wrong = [[{"role": "assistant", "content": "\\boxed{-1}"}] for row in rows]
    for completions, reward in ((right, 1.0), (wrong, 0.0)):
        assert rewards.accuracy_reward(completions, list(rows["solution"])) == [reward] * len(rows)
        assert verified(completions, list(rows["answer"]), list(rows["verifier"])) == [reward] * len(rows)
