"""OpenRLHF: its own dataset classes read the exports, and its rollouts ask our reward file."""

from __future__ import annotations

import asyncio
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from filters.rewards import reward_func
from tests.trainers import tiny
from tests.trainers.conftest import Export
from tests.trainers.views import load, rows_of

openrlhf = pytest.importorskip("openrlhf", reason=tiny.WHY)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def strategy(**keys: Any) -> Any:
    """What the command line makes of `--data.input_key` and the like."""
    data = SimpleNamespace(apply_chat_template=True, **keys)
    return SimpleNamespace(args=SimpleNamespace(data=data), is_rank_0=lambda: False)


def read(kind: str, folder: Path, *given: Any, keys: dict[str, str], **settings: Any) -> tuple[Any, Any]:
    speaks = tiny.tokenizer()
    dataset = getattr(import_module("openrlhf.datasets"), kind)
    return dataset(load(folder), speaks, *given, strategy(**keys), **settings), speaks


# Rewards


@pytest.mark.parametrize("view", ["rl", "forms"])
def test_prompts_are_rendered_and_answers_rewarded(exported: Export, version: Path, view: str):
    folder = exported(view, "openrlhf")
    prompts, speaks = read("PromptDataset", folder, keys={"input_key": "input", "label_key": "label"})
    asks = import_module("openrlhf.utils.agent").SingleTurnAgentExecutor(str(folder / "reward.py"))
    for (_, prompt, label, _), row in zip(prompts, rows_of(version, view), strict=True):
        assert prompt == speaks.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
        said = [
            f"{prompt}<think>\nHm.\n</think>\n\n\\boxed{{{row['answer']}}}{tiny.END}",
            f"{prompt}\\boxed{{-1}}{tiny.END}",
        ]
        told = asyncio.run(asks._fetch_rewards_via_func(said, [prompt] * 2, [label] * 2))
        assert [each["rewards"].tolist() for each in told] == [[1.0], [0.0]]
        assert [each["extra_logs"]["decided"].tolist() for each in told] == [[1.0], [1.0]]


def test_the_mark_that_ends_a_turn_is_no_part_of_a_short_answer():
    label = '{"answer": "B", "verifier": "choice"}'
    for mark in ("", "<|im_end|>", "<|eot_id|>\n", "</s><|endoftext|>"):
        assert reward_func([f"Q: B{mark}"], ["Q: "], [label])["rewards"].tolist() == [1.0]


def test_a_plain_label_is_mathematics_and_an_open_question_is_told_apart():
    told = reward_func(["?\\boxed{1/2}", "?\\boxed{2}", "?2"], ["?"] * 3, ["0.5", "3", ""])
    assert told["rewards"].tolist() == [1.0, 0.0, 0.0]
    assert told["extra_logs"]["decided"].tolist() == [1.0, 1.0, 0.0]
    assert reward_func([], [], [])["rewards"].tolist() == []


def test_a_query_without_its_prompt_is_no_response():
    with pytest.raises(ValueError, match="does not begin with its prompt"):
        reward_func(["tail of the question \\boxed{2}"], ["The whole tail of the question "], ["2"])


# Fine-tuning


def learned(rows: Any, speaks: Any) -> list[str]:
    """The mask is one place to the left of what is learned, since it is laid over what is predicted."""
    batch = (rows.collate_fn([rows[i]]) for i in range(len(rows)))
    return [speaks.decode(ids[0][1:][mask[0][:-1].bool()]) for ids, _, mask in batch]


@pytest.mark.parametrize("view", ["sft", "planned", "critique"])
def test_the_loss_is_on_the_answers_alone(exported: Export, version: Path, view: str):
    keys = {"input_key": "messages"}
    rows, speaks = read("SFTDataset", exported(view, "openrlhf"), 4096, keys=keys, num_processors=1)
    assert learned(rows, speaks) == [row["messages"][-1]["content"] + tiny.END for row in rows_of(version, view)]


def test_every_turn_is_learned(exported: Export, conversations: Path):
    settings: dict[str, Any] = {"num_processors": 1, "multiturn": True}
    rows, speaks = read("SFTDataset", exported("turns", "openrlhf"), 4096, keys={"input_key": "messages"}, **settings)
    turns = [[turn["content"] for turn in row["messages"][1::2]] for row in rows_of(conversations, "turns")]
    assert learned(rows, speaks) == [f"{tiny.END}\n".join(row) + tiny.END for row in turns]


# Pairs


@pytest.mark.parametrize("view", ["preference", "judge_preference"])
def test_pairs_are_chosen_and_rejected(exported: Export, version: Path, view: str):
    keys = {"prompt_key": "prompt", "chosen_key": "chosen", "rejected_key": "rejected"}
    rows, speaks = read("RewardDataset", exported(view, "openrlhf"), 4096, keys=keys, num_processors=1, is_dpo=True)
    for (chosen, _, rejected, _, asked), row in zip(rows, rows_of(version, view), strict=True):
        for ids, side in ((chosen, "chosen"), (rejected, "rejected")):
            assert speaks.decode(ids[0][asked:]) == row[side][0]["content"] + tiny.END
