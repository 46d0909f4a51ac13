"""open-instruct: rewards that can be verified, conversations, pairs.

Read in allenai/open-instruct, `open_instruct/dataset_transformation.py` and `ground_truth_utils.py` (main, 2025-08 to
2026-01). What counts:

- RLVR reads `messages` (the prompt; a last assistant message would be cut off), `ground_truth`, and `dataset`, which
  is the name of a *verifier* there. `math` reads the last box, and is the only one that checks as ours do.
- A column `prompt` is overwritten with text, so none is written.
- Pairs hold whole conversations in `chosen` and `rejected`, the same up to their last message.
- A file is named in the mixer by its path, which has to end in .jsonl or .parquet; its split is `train`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.formats import conversations
from pipelines.formats.rows import (
    BOXED,
    Format,
    LeftOut,
    Made,
    Row,
    asks_for_box,
    columns,
    each,
    messages,
    pick,
    room_for_prompts,
)

if TYPE_CHECKING:
    import pyarrow as pa


def rl(row: Row) -> Row | LeftOut:
    """A prompt with its answer, where `math` there checks as we do."""
    if row["verifier"] not in BOXED:
        return LeftOut(f"open-instruct has no verifier for {row['verifier']}")
    if not asks_for_box(row["prompt"]):
        return LeftOut("open-instruct reads the answer in a box, and the prompt asks for none")
    told = {"messages": row["prompt"], "ground_truth": row["answer"], "dataset": "math"}
    return {**told, **pick(row, "problem_id")}


def rl_schema() -> pa.Schema:
    """One row for each problem; `dataset` names the verifier."""
    import pyarrow as pa

    return columns(messages=messages(), ground_truth=pa.string(), dataset=pa.string(), problem_id=pa.string())


def preference(row: Row) -> Row:
    whole = {side: [*row["prompt"], *row[side]] for side in ("chosen", "rejected")}
    return {**whole, **pick(row, "problem_id")}


def preference_schema() -> pa.Schema:
    """One row for each pair of whole conversations."""
    import pyarrow as pa

    return columns(chosen=messages(), rejected=messages(), problem_id=pa.string())


def _training(script: str, more: str) -> str:
    return f"""```sh
python open_instruct/{script} --model_name_or_path Qwen/Qwen3-0.6B \\
    --dataset_mixer_list $PWD/train.parquet 1.0 --dataset_mixer_list_splits train{more}
```
"""


def rl_training(made: Made) -> str:
    """The command of GRPO, with room for every prompt."""
    room = room_for_prompts(made)
    told = f" \\\n    --apply_verifiable_reward true --max_prompt_token_length {room}"
    return _training("grpo_fast.py", told) + "\nThe limit is 256 by default, and longer prompts are dropped.\n"


def sft_training(made: Made) -> str:
    return _training("finetune.py", " --max_seq_length 8192") + "\nThe loss is on every assistant turn.\n"


def preference_training(made: Made) -> str:
    return _training("dpo_tune_cache.py", " --max_seq_length 8192")


# ---------------------------------------------------------------------------------------------------------------
# The entries of the table

FORMATS = {
    "rl": Format("grpo_fast.py", each(rl), rl_schema, rl_training),
    "messages": Format("finetune.py", conversations.whole, conversations.schema, sft_training),
    "turns": Format("finetune.py", conversations.learned_whole("open-instruct"), conversations.schema, sft_training),
    "preference": Format("dpo_tune_cache.py", each(preference), preference_schema, preference_training),
}
