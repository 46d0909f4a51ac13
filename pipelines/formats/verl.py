"""verl: prompts with rewards, and conversations.

Read in verl 0.9.1 (2026-11): `utils/dataset/{rl_dataset,multiturn_sft_dataset}.py`, `utils/reward_score/__init__.py`,
`trainer/config/data/legacy_data.yaml`. What counts:

- `RLHFDataset` reads `prompt`, `data_source`, `reward_model.ground_truth`, `extra_info.index`. A `data_source` that
  the built-in scorer does not know raises NotImplementedError unless a reward function is given; each that it knows
  reads answers in one form (`lighteval/MATH`: the last `\\boxed{}`): only where the prompt asks so may it be used.
- `max_prompt_length` is 512 and `truncation` is "error": one longer prompt ends the training.
- `MultiTurnSFTDataset` reads `messages` and, row by row, `enable_thinking`; it learns from every assistant turn. It
  templates each message alone and refuses a row where that gives other tokens than the whole conversation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.formats import conversations
from pipelines.formats.rows import (
    BOXED,
    Format,
    Made,
    Row,
    asks_for_box,
    columns,
    each,
    messages,
    pick,
    room_for_prompts,
    tokens,
)

if TYPE_CHECKING:
    import pyarrow as pa


def rl(row: Row) -> Row:
    """A prompt with the source that says how it is scored, and the answer."""
    return {
        "data_source": data_source(row),
        "prompt": row["prompt"],
        "ability": row.get("domain") or "reasoning",
        "reward_model": {"style": "rule", "ground_truth": row["answer"]},
        "extra_info": pick(row, "split", "index", "verifier", "problem_id", "pass_rate", "pair_id"),
    }


def data_source(row: Row) -> str:
    """A source whose scorer reads answers as the prompt asks for them, else one that our reward function knows."""
    if row["verifier"] in BOXED and asks_for_box(row["prompt"]):
        return "lighteval/MATH"
    return f"thoughtmill/{row['verifier']}"


def rl_schema() -> pa.Schema:
    """One row for each problem; of tasks of judging `pair_id` says which belong together."""
    import pyarrow as pa

    told = {"split": pa.string(), "index": pa.int64(), "verifier": pa.string(), "problem_id": pa.string()}
    return columns(
        data_source=pa.string(),
        prompt=messages(),
        ability=pa.string(),
        reward_model=pa.struct([("style", pa.string()), ("ground_truth", pa.string())]),
        extra_info=pa.struct([*told.items(), ("pass_rate", pa.float64()), ("pair_id", pa.string())]),
    )


def twin(row: Row) -> Row:
    return {**conversations.conversation(row), "enable_thinking": bool(row["thinking"])}


def twin_schema() -> pa.Schema:
    """One row for each conversation, with the switch of the chat template."""
    import pyarrow as pa

    return conversations.schema().append(pa.field("enable_thinking", pa.bool_()))


# ---------------------------------------------------------------------------------------------------------------
# How to train


def reward_file(made: Made) -> Mapping[str, str]:
    return {"reward.py": REWARD}


REWARD = '''"""The verifiers that gated this dataset, as verl's reward function."""

from filters.rewards import compute_score

__all__ = ["compute_score"]
'''


def rl_training(made: Made) -> str:
    """The command of GRPO, with room for every prompt and the reward function."""
    validation = "test.parquet" if "test" in made.splits else "train.parquet"
    return f"""```sh
python -m verl.trainer.main_ppo algorithm.adv_estimator=grpo \\
    data.train_files=$PWD/train.parquet data.val_files=$PWD/{validation} \\
    data.max_prompt_length={room_for_prompts(made)} data.max_response_length=4096 \\
    reward.custom_reward_function.path=$PWD/reward.py reward.custom_reward_function.name=compute_score \\
    actor_rollout_ref.model.path=Qwen/Qwen3-0.6B actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.n=8
```

The longest prompt has {made.longest_prompt:,} characters, about {tokens(made.longest_prompt):,} tokens. verl's own
`data.max_prompt_length` is 512, and one longer prompt ends the training (`data.truncation=error`); the command leaves
room for all. Before version 0.7 the reward function's options have no `reward.` in front.

Without `reward.py`, rows with the source `lighteval/MATH` are scored by verl itself, which compares the last box as a
text; rows with a source `thoughtmill/...` raise NotImplementedError. In verl's environment install
`math-verify[antlr4_9_3]` beside this package, not its extra `math`: verl's configuration needs the older ANTLR.
"""


def sft_training(made: Made) -> str:
    """The command of fine-tuning, and what its loader refuses."""
    validation = "test.parquet" if "test" in made.splits else "train.parquet"
    return f"""```sh
torchrun --nproc_per_node=1 -m verl.trainer.sft_trainer \\
    data.train_files=$PWD/train.parquet data.val_files=$PWD/{validation} data.messages_key=messages \\
    data.max_length=8192 data.truncation=right model.path=Qwen/Qwen3-0.6B
```

verl templates every message by itself, and refuses rows where that differs from the conversation as a whole. Qwen3's
published template strips `<think>` so: use one that keeps what a message says. `data.ignore_input_ids_mismatch=True`
would train on answers without their thoughts.
"""


# ---------------------------------------------------------------------------------------------------------------
# The entries of the table

FORMATS = {
    "rl": Format("RLHFDataset", each(rl), rl_schema, rl_training, extra=reward_file),
    "messages": Format("MultiTurnSFTDataset", conversations.whole, conversations.schema, sft_training),
    "twins": Format("MultiTurnSFTDataset", each(twin), twin_schema, sft_training),
    "turns": Format("MultiTurnSFTDataset", conversations.learned_whole("verl"), conversations.schema, sft_training),
}
