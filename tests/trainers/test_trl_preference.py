"""TRL's trainers that learn from better and worse: DPO, reward models, KTO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.trainers import tiny
from tests.trainers.conftest import Export
from tests.trainers.views import load, rows_of

trl = pytest.importorskip("trl", reason=tiny.WHY)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

STEPS = {"max_length": None, "max_steps": 2, "per_device_train_batch_size": 4, **tiny.QUIET}


def of_completions(batch: Any, speaks: Any) -> list[str]:
    """The texts that bear loss, one for each sequence of a batch."""
    pairs = zip(batch["input_ids"], batch["completion_mask"], strict=True)
    return [speaks.decode(ids[mask.bool()]) for ids, mask in pairs]


@pytest.mark.parametrize("view", ["preference", "step_preference", "judge_preference"])
@pytest.mark.parametrize("template", ["", "qwen3"])
def test_dpo_prefers_the_chosen_answer_and_nothing_of_the_prompt(
    exported: Export, version: Path, tmp_path: Path, view: str, template: str
):
    speaks = tiny.tokenizer(tiny.published(template) if template else tiny.CHATML)
    made = trl.DPOTrainer(
        model=tiny.model(speaks),
        ref_model=tiny.model(speaks),
        args=trl.DPOConfig(output_dir=str(tmp_path), **STEPS),
        train_dataset=load(exported(view, "trl")),
        processing_class=speaks,
    )
    pairs = set()
    for batch in made.get_train_dataloader():
        texts = of_completions(batch, speaks)
        pairs |= set(zip(texts[: len(texts) // 2], texts[len(texts) // 2 :], strict=True))
    assert pairs == {
        tuple(ended(row, side, template) for side in ("chosen", "rejected")) for row in rows_of(version, view)
    }
    made.train()
    assert made.state.global_step == 2
    assert "rewards/margins" in made.state.log_history[0]


def ended(row: dict[str, Any], side: str, template: str) -> str:
    """An answer of a pair as the model has to say it."""
    whole = row["prefix"] + row[side] if "prefix" in row else row[side][0]["content"]
    thought = "<think>\n\n</think>\n\n" if template == "qwen3" and "<think>" not in whole else ""
    return f"{thought}{whole}{tiny.END}\n"


def test_a_reward_model_sees_whole_conversations(exported: Export, version: Path, tmp_path: Path):
    speaks = tiny.tokenizer()
    made = trl.RewardTrainer(
        model=tiny.critic(speaks),
        args=trl.RewardConfig(output_dir=str(tmp_path), **STEPS),
        train_dataset=load(exported("preference", "trl")),
        processing_class=speaks,
    )
    seen = set()
    for batch in made.get_train_dataloader():
        pairs = zip(batch["input_ids"], batch["attention_mask"], strict=True)
        seen |= {speaks.decode(ids[mask.bool()]) for ids, mask in pairs}
    rows = rows_of(version, "preference")
    talks = [row["prompt"] + row[side] for row in rows for side in ("chosen", "rejected")]
    assert seen == {speaks.apply_chat_template(talk, tokenize=False) for talk in talks}
    made.train()
    assert made.state.global_step == 2


def test_kto_learns_from_right_and_wrong_answers_apart(exported: Export, version: Path, tmp_path: Path):
    speaks = tiny.tokenizer()
    made = trl.KTOTrainer(
        model=tiny.model(speaks),
        ref_model=tiny.model(speaks),
        args=trl.KTOConfig(output_dir=str(tmp_path), **STEPS),
        train_dataset=load(exported("offline", "trl")),
        processing_class=speaks,
    )
    seen = set()
    for batch in made.get_train_dataloader():
        seen |= set(zip(of_completions(batch, speaks), batch["label"].tolist(), strict=True))
    rows = rows_of(version, "offline")
    assert seen == {(f"{row['completion'][0]['content']}{tiny.END}\n", row["label"]) for row in rows}
    assert {row["label"] for row in rows} == {True, False}
    made.train()
    assert made.state.global_step == 2
