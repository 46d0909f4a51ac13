"""OpenRLHF: prompts with labels, conversations, pairs.

Read in OpenRLHF 0.11.2 (2026-11): `datasets/{prompts_dataset,sft_dataset,reward_dataset,utils}.py`, `utils/agent.py`,
`cli/train_{ppo_ray,sft,dpo,rm}.py`. What counts:

- The reward function is given the label alone, so the label carries the verifier beside the answer, as JSON.
- `<image>` in a prompt becomes a picture that is not there.
- SFT learns from the last turn, or with `--data.multiturn` from every assistant turn; rows with an empty answer or a
  prompt that fills `max_len` are dropped without a word.
- Pairs are read with `--data.prompt_key`; `margin` counts with `--model.margin_loss_enable`, and is 0 where absent.
- Flags have had dots since 0.10 (`--data.input_key`); before, `--input_key`, `--remote_rm_url`, `--prompt_data`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.formats import conversations
from pipelines.formats.rows import Format, LeftOut, Made, Row, columns, each, messages, pick
from pipelines.records import to_json

if TYPE_CHECKING:
    import pyarrow as pa


def rl(row: Row) -> Row | LeftOut:
    """A prompt with a label that names the answer and its verifier."""
    if any("<image>" in said["content"] for said in row["prompt"]):
        return LeftOut("<image> in a prompt, which OpenRLHF takes for a picture")
    label = to_json({"answer": row["answer"], "verifier": row["verifier"]})
    return {"input": row["prompt"], "label": label, "datasource": row["verifier"], **pick(row, "problem_id")}


def rl_schema() -> pa.Schema:
    """One row for each problem; `label` is JSON text."""
    import pyarrow as pa

    return columns(input=messages(), label=pa.string(), datasource=pa.string(), problem_id=pa.string())


def preference(row: Row) -> Row:
    return pick(row, "prompt", "chosen", "rejected", "margin", "problem_id")


def preference_schema() -> pa.Schema:
    """One row for each pair: the prompt, and a turn for each side."""
    import pyarrow as pa

    return columns(
        prompt=messages(),
        chosen=messages(),
        rejected=messages(),
        margin=pa.float64(),
        problem_id=pa.string(),
    )


# ---------------------------------------------------------------------------------------------------------------
# How to train


def reward_file(made: Made) -> Mapping[str, str]:
    return {"reward.py": REWARD}


REWARD = '''"""The verifiers that gated this dataset, as OpenRLHF's reward function."""

from filters.rewards import reward_func

__all__ = ["reward_func"]
'''


def rl_training(made: Made) -> str:
    """The command of PPO and its kin, with the reward function."""
    return """```sh
python -m openrlhf.cli.train_ppo_ray --actor.model_name_or_path Qwen/Qwen3-0.6B \\
    --data.prompt_dataset $PWD/train.jsonl --data.input_key input --data.label_key label \\
    --data.apply_chat_template --reward.remote_url $PWD/reward.py \\
    --algo.advantage.estimator group_norm --rollout.n_samples_per_prompt 8
```

`label` is JSON with the answer and the verifier that checks it, since that is all that a reward function is given.
"""


def sft_training(made: Made) -> str:
    """The command that learns the last turn."""
    return """```sh
python -m openrlhf.cli.train_sft --model.model_name_or_path Qwen/Qwen3-0.6B \\
    --data.dataset $PWD/train.jsonl --data.input_key messages --data.apply_chat_template --data.max_len 8192
```

The loss is on the last turn.
"""


def turns_training(made: Made) -> str:
    """The command that learns every assistant turn."""
    return """```sh
python -m openrlhf.cli.train_sft --model.model_name_or_path Qwen/Qwen3-0.6B --data.multiturn \\
    --data.dataset $PWD/train.jsonl --data.input_key messages --data.apply_chat_template --data.max_len 8192
```

The loss is on every assistant turn.
"""


def preference_training(made: Made) -> str:
    """The command of DPO."""
    return """```sh
python -m openrlhf.cli.train_dpo --model.model_name_or_path Qwen/Qwen3-0.6B --data.dataset $PWD/train.jsonl \\
    --data.prompt_key prompt --data.chosen_key chosen --data.rejected_key rejected \\
    --data.apply_chat_template --data.max_len 8192
```

`openrlhf.cli.train_rm` takes the same.
"""


# ---------------------------------------------------------------------------------------------------------------
# The entries of the table

FORMATS = {
    "rl": Format("PromptDataset", each(rl), rl_schema, rl_training, "jsonl", reward_file),
    "messages": Format("SFTDataset", conversations.whole, conversations.schema, sft_training, "jsonl"),
    "turns": Format(
        "SFTDataset", conversations.learned_whole("OpenRLHF"), conversations.schema, turns_training, "jsonl"
    ),
    "preference": Format("RewardDataset", each(preference), preference_schema, preference_training, "jsonl"),
}
