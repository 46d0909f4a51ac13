"""verl: its own dataset classes read the exports, and its own reward manager asks our reward file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.trainers import tiny
from tests.trainers.conftest import Export
from tests.trainers.views import load, rows_of

pytest.importorskip("verl", reason=tiny.WHY)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def prompts(folder: Path, cache: Path, **settings: Any) -> Any:
    """What verl trains GRPO and PPO on."""
    rl = import_module("verl.utils.dataset.rl_dataset")
    conf = import_module("omegaconf").OmegaConf
    told = {"max_prompt_length": 512, "cache_dir": str(cache), "filter_overlong_prompts_workers": 1, **settings}
    return rl.RLHFDataset(str(folder / "train.parquet"), tiny.tokenizer(), conf.create(told))


def conversations_of(folder: Path, speaks: Any) -> Any:
    """What verl fine-tunes on."""
    sft = import_module("verl.utils.dataset.multiturn_sft_dataset")
    return sft.MultiTurnSFTDataset(
        str(folder / "train.parquet"), speaks, {"max_length": 4096, "pad_mode": "no_padding"}
    )


# Rewards


@pytest.mark.parametrize("view", ["rl", "forms"])
def test_prompts_answers_and_places_come_through(exported: Export, version: Path, tmp_path: Path, view: str):
    read = prompts(exported(view, "verl"), tmp_path)
    rows = rows_of(version, view)
    assert len(read) == len(rows)
    for place, (item, row) in enumerate(zip(read, rows, strict=True)):
        assert item["raw_prompt"] == row["prompt"]
        assert item["reward_model"]["ground_truth"] == row["answer"]
        assert item["extra_info"]["verifier"] == row["verifier"]
        assert item["index"] == place


def answered(read: Any, answer: Any) -> Any:
    """A batch as a rollout of verl leaves it, with these answers to the first prompts."""
    verl = import_module("verl")
    torch = import_module("torch")
    collate = import_module("verl.utils.dataset.rl_dataset").collate_fn
    batch = collate([read[i] for i in range(4)])
    texts = [answer(truth["ground_truth"]) + tiny.END for truth in batch["reward_model"]]
    inputs = read.tokenizer(texts, padding=True, padding_side="right", return_tensors="pt", add_special_tokens=False)
    asked = torch.ones(4, 1, dtype=torch.long)
    batch |= {
        "prompts": asked,
        "responses": inputs["input_ids"],
        "attention_mask": torch.cat([asked, inputs["attention_mask"]], dim=1),
    }
    return verl.DataProto.from_single_dict(batch)


@pytest.mark.parametrize(
    ("said", "reward"), [(lambda truth: f"\\boxed{{{truth}}}", 1.0), (lambda truth: "\\boxed{-1}", 0.0)]
)
def test_the_reward_file_is_loaded_and_rewards(exported: Export, tmp_path: Path, said: Any, reward: float):
    folder = exported("rl", "verl")
    manager = import_module("verl.workers.reward_manager.naive")
    load_object = import_module("verl.utils.import_utils").load_extern_object
    read = prompts(folder, tmp_path)
    asks = load_object(str(folder / "reward.py"), "compute_score")
    told = manager.NaiveRewardManager(read.tokenizer, 0, compute_score=asks)(answered(read, said), return_dict=True)
    assert told["reward_tensor"].sum(dim=1).tolist() == [reward] * 4
    assert told["reward_extra_info"]["decided"] == [1.0] * 4


def test_the_scorer_of_verl_itself_agrees(exported: Export, tmp_path: Path):
    manager = import_module("verl.workers.reward_manager.naive")
    read = prompts(exported("rl", "verl"), tmp_path)
    told = manager.NaiveRewardManager(read.tokenizer, 0)(answered(read, lambda truth: f"\\boxed{{{truth}}}"))
    assert told.sum(dim=1).tolist() == [1.0] * 4


def test_a_source_that_only_we_know_is_refused_by_verl_and_not_by_us():
    default = import_module("verl.utils.reward_score").default_compute_score
    from filters.rewards import compute_score

    with pytest.raises(NotImplementedError):
        default("thoughtmill/exact", "yes", "yes")
    assert compute_score("thoughtmill/exact", "yes", "yes", {"verifier": "exact"})["score"] == 1.0


def test_a_prompt_that_is_too_long_is_dropped_only_where_verl_is_told_so(exported: Export, tmp_path: Path):
    folder = exported("rl", "verl")
    assert len(prompts(folder, tmp_path, max_prompt_length=8)) == 0
    assert len(prompts(folder, tmp_path, max_prompt_length=8, filter_overlong_prompts=False)) == len(load(folder))


# Fine-tuning


def learned(item: Any, speaks: Any) -> str:
    return speaks.decode(item["input_ids"][item["loss_mask"].bool()])


@pytest.mark.parametrize("view", ["sft", "twins", "planned", "critique"])
def test_the_loss_is_on_the_answers_alone(exported: Export, version: Path, view: str):
    speaks = tiny.tokenizer()
    read = conversations_of(exported(view, "verl"), speaks)
    assert [learned(item, speaks) for item in read] == [
        row["messages"][-1]["content"] + tiny.END + "\n" for row in rows_of(version, view)
    ]


def test_every_turn_is_learned(exported: Export, conversations: Path):
    speaks = tiny.tokenizer()
    read = conversations_of(exported("turns", "verl"), speaks)
    assert [learned(item, speaks) for item in read] == [
        "".join(turn["content"] + tiny.END + "\n" for turn in row["messages"][1::2])
        for row in rows_of(conversations, "turns")
    ]


def test_thinking_is_turned_on_and_off_row_by_row(exported: Export):
    template = "{% if enable_thinking %}on{% else %}off{% endif %} " + tiny.CHATML
    read = conversations_of(exported("twins", "verl"), tiny.tokenizer(template))
    assert read.enable_thinking == [True, False] * (len(read) // 2)


def test_thoughts_under_the_template_of_qwen3_are_refused(exported: Export):
    """It renders a turn alone without its thought, and verl notices; docs/trainers.md says what to do."""
    read = conversations_of(exported("sft", "verl"), tiny.tokenizer(tiny.published("qwen3")))
    with pytest.raises(AssertionError, match="may not equal"):
        read[0]
