"""axolotl: a data file, and the lines of the configuration that read it.

Read in axolotl 0.19.0 (2026-11): `prompt_strategies/{chat_template,stepwise_supervised,dpo/chat_template}.py`,
`utils/schemas/datasets.py`. What counts:

- `type: chat_template` reads `messages`; with `message_field_training` each message says whether it is learned.
- Pairs are read by `chat_template.default`: the prompt in `messages`, one message each in `chosen` and `rejected`.
  An answer is looked for by its text in the rendered turn: with a template that strips or reshapes thoughts (that of
  DeepSeek's distilled models) it is not found, and the pair is empty without a word.
- `stepwise_supervised` reads `prompt` as text, `completions` and `labels`.
- `sharegpt` is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.formats import conversations
from pipelines.formats.rows import Format, Made, Row, as_text, columns, each, message, messages, pick

if TYPE_CHECKING:
    import pyarrow as pa


def turns(row: Row) -> Row:
    """A conversation whose messages say whether they are learned."""
    told = zip(row["messages"], row["train"], strict=True)
    return {
        "messages": [{**said, "train": bool(train)} for said, train in told],
        **pick(row, "problem_id", "attempt_id"),
    }


def turns_schema() -> pa.Schema:
    """One row for each conversation; each message has `train`."""
    import pyarrow as pa

    marked = pa.struct([("role", pa.string()), ("content", pa.string()), ("train", pa.bool_())])
    return columns(messages=pa.list_(marked), problem_id=pa.string(), attempt_id=pa.string())


def preference(row: Row) -> Row:
    pair = {side: row[side][0] for side in ("chosen", "rejected")}
    return {"messages": row["prompt"], **pair, **pick(row, "problem_id")}


def preference_schema() -> pa.Schema:
    """One row for each pair: the prompt as messages, and one message for each side."""
    import pyarrow as pa

    return columns(messages=messages(), chosen=message(), rejected=message(), problem_id=pa.string())


def process(row: Row) -> Row:
    told = {"prompt": as_text(row["prompt"]), "completions": row["steps"], "labels": row["labels"]}
    return {**told, **pick(row, "problem_id")}


def process_schema() -> pa.Schema:
    """One row for each trace; `labels` has a truth for each of `completions`."""
    import pyarrow as pa

    steps = {"completions": pa.list_(pa.string()), "labels": pa.list_(pa.bool_())}
    return columns(prompt=pa.string(), **steps, problem_id=pa.string())


# ---------------------------------------------------------------------------------------------------------------
# The configuration, and how to train


def conversation_files(made: Made) -> Mapping[str, str]:
    return _config(made, "    type: chat_template\n    field_messages: messages\n    roles_to_train: [assistant]\n")


def turns_files(made: Made) -> Mapping[str, str]:
    marks = "    message_field_training: train\n    roles_to_train: []\n"
    return _config(made, f"    type: chat_template\n    field_messages: messages\n{marks}")


def preference_files(made: Made) -> Mapping[str, str]:
    reads = "    field_messages: messages\n    field_chosen: chosen\n    field_rejected: rejected\n"
    return _config(made, f"    type: chat_template.default\n{reads}", "rl: dpo\n")


def process_files(made: Made) -> Mapping[str, str]:
    special = "process_reward_model: true\nnum_labels: 2\nmodel_type: AutoModelForTokenClassification\n"
    return _config(made, '    type: stepwise_supervised\n    step_separator: "\\n\\n"\n', special)


def _config(made: Made, lines: str, special: str = "") -> Mapping[str, str]:
    train = f"datasets:\n  - path: train.jsonl\n    ds_type: json\n    split: train\n{lines}"
    test = f"test_datasets:\n  - path: test.jsonl\n    ds_type: json\n    split: train\n{lines}"
    return {"axolotl.yaml": special + train + (test if "test" in made.splits else "")}


def training(made: Made) -> str:
    """The command, beside the lines of configuration in the folder."""
    return """```sh
cat axolotl.yaml my-model.yaml > config.yaml    # base_model, sequence_len, micro_batch_size, learning_rate, ...
axolotl train config.yaml
```

Paths in `axolotl.yaml` are relative to the folder where `axolotl` runs.
"""


# ---------------------------------------------------------------------------------------------------------------
# The entries of the table

FORMATS = {
    "messages": Format(
        "chat_template", conversations.whole, conversations.schema, training, "jsonl", conversation_files
    ),
    "turns": Format("chat_template", each(turns), turns_schema, training, "jsonl", turns_files),
    "preference": Format(
        "chat_template.default", each(preference), preference_schema, training, "jsonl", preference_files
    ),
    "process": Format("stepwise_supervised", each(process), process_schema, training, "jsonl", process_files),
}
