"""NeMo-RL: one question with its answer, conversations, pairs.

Read in NVIDIA-NeMo/RL, `nemo_rl/data/datasets/{response_datasets/{response_dataset,oai_format_dataset},
preference_datasets/preference_dataset}.py`, `nemo_rl/data/processors.py` (main, 2026-01). What counts:

- `ResponseDataset` reads two texts, `input` and `output`, and makes one user message of the first: there is no place
  for a system prompt or an earlier turn. The mathematics environment compares `output` with the last box.
- `OpenAIFormatDataset` reads `messages` from JSON only and asserts that the last is the assistant's.
- `PreferenceDataset` reads `context` and two `completions` with a `rank`, the lower the better; ties are an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.formats import conversations
from pipelines.formats.rows import Format, LeftOut, Made, Row, asks_for_box, columns, each, messages, pick

if TYPE_CHECKING:
    import pyarrow as pa


def rl(row: Row) -> Row | LeftOut:
    """One question with its answer, as mathematics that is read in a box."""
    if row["verifier"] != "math":
        return LeftOut(f"NeMo-RL's mathematics environment does not check {row['verifier']}")
    if len(row["prompt"]) != 1:
        return LeftOut("NeMo-RL reads one user message, and the prompt has more")
    if not asks_for_box(row["prompt"]):
        return LeftOut("NeMo-RL reads the answer in a box, and the prompt asks for none")
    return {"input": row["prompt"][0]["content"], "output": row["answer"], **pick(row, "problem_id")}


def rl_schema() -> pa.Schema:
    """One row for each problem: two texts."""
    import pyarrow as pa

    return columns(input=pa.string(), output=pa.string(), problem_id=pa.string())


def preference(row: Row) -> Row:
    ranked = [{"rank": rank, "completion": row[side]} for rank, side in enumerate(("chosen", "rejected"))]
    return {"context": row["prompt"], "completions": ranked, **pick(row, "problem_id")}


def preference_schema() -> pa.Schema:
    """One row for each pair; rank 0 is the better."""
    import pyarrow as pa

    ranked = pa.struct([("rank", pa.int64()), ("completion", messages())])
    return columns(context=messages(), completions=pa.list_(ranked), problem_id=pa.string())


def _training(script: str, config: str) -> str:
    return f"""In the configuration that `examples/{script}` is given with `--config`:

```yaml
data:
{config}
```
"""


def rl_training(made: Made) -> str:
    """The lines of configuration for GRPO."""
    return _training(
        "run_grpo.py",
        "  train: {dataset_name: ResponseDataset, data_path: train.jsonl, input_key: input, output_key: output}\n"
        "  default: {processor: math_hf_data_processor, env_name: math}",
    )


def sft_training(made: Made) -> str:
    """The lines of configuration for fine-tuning."""
    return _training(
        "run_sft.py", "  train: {dataset_name: openai_format, data_path: train.jsonl, chat_key: messages}"
    )


def preference_training(made: Made) -> str:
    return _training("run_dpo.py", "  train: {dataset_name: PreferenceDataset, data_path: train.jsonl}")


# ---------------------------------------------------------------------------------------------------------------
# The entries of the table

FORMATS = {
    "rl": Format("ResponseDataset", each(rl), rl_schema, rl_training, "jsonl"),
    "messages": Format("OpenAIFormatDataset", conversations.whole, conversations.schema, sft_training, "jsonl"),
    "turns": Format(
        "OpenAIFormatDataset", conversations.learned_whole("NeMo-RL"), conversations.schema, sft_training, "jsonl"
    ),
    "preference": Format("PreferenceDataset", each(preference), preference_schema, preference_training, "jsonl"),
}
