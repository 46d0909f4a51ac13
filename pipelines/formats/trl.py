"""TRL: columns by the kind of trainer.

Read in TRL 1.16.0 (2026-11): `trainer/{sft,dpo,kto,reward,grpo}_trainer.py`, `rewards/accuracy_rewards.py`. What
counts:

- SFT takes `prompt` and `completion` and learns from the completion alone; a `messages` column is learned whole
  unless `assistant_only_loss=True`. `chat_template_kwargs` is unpacked, so that a null there is an error.
- GRPO and RLOO pass every other column to the reward functions by name. `prompts` and `completions` would be given
  twice, `trainer_state`, `log_extra`, `log_metric` and `environments` silently replaced.
- `accuracy_reward` reads `solution`, and ignores rows whose solution it cannot parse.
- KTO wants `label` as a boolean; DPO and reward models take `prompt`, `chosen`, `rejected` as messages. A column
  `margin` would enter the loss of reward models unasked.
- The PRM trainer left with 1.0; versions before it, and others since, read `prompt`, `completions`, `labels` as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.formats import conversations
from pipelines.formats.rows import (
    BOXED,
    Format,
    Made,
    Row,
    as_text,
    columns,
    each,
    messages,
    pick,
    reference,
)

if TYPE_CHECKING:
    import pyarrow as pa


def completed(row: Row) -> Row:
    asked, said = row["messages"][:-1], row["messages"][-1:]
    return {"prompt": asked, "completion": said, **pick(row, "problem_id", "attempt_id")}


def completed_schema() -> pa.Schema:
    """One row for each conversation: what was asked, and the last answer."""
    import pyarrow as pa

    return columns(prompt=messages(), completion=messages(), problem_id=pa.string(), attempt_id=pa.string())


def twin(row: Row) -> Row:
    return {**completed(row), "chat_template_kwargs": {"enable_thinking": bool(row["thinking"])}}


def twin_schema() -> pa.Schema:
    """As `completed_schema`, with the switch of the chat template."""
    import pyarrow as pa

    kwargs = pa.struct([("enable_thinking", pa.bool_())])
    return completed_schema().append(pa.field("chat_template_kwargs", kwargs))


def begun(row: Row) -> Row:
    """The answer in two, cut where the loss begins."""
    said, at = row["messages"][-1]["content"], row["begun"]
    told = {"asked": row["messages"][:-1], "begun": said[:at], "rest": said[at:]}
    return {**told, **pick(row, "problem_id", "attempt_id")}


def begun_schema() -> pa.Schema:
    """One row for each answer: what was asked, what of the answer is not to be learnt, and what is."""
    import pyarrow as pa

    ids = dict.fromkeys(("problem_id", "attempt_id"), pa.string())
    return columns(asked=messages(), begun=pa.string(), rest=pa.string(), **ids)


def rl(row: Row) -> Row:
    """What rewards read: the reference for our verifiers, and as `solution` for those that read mathematics."""
    told = pick(
        row, "prompt", "answer", "verifier", "problem_id", "domain", "pass_rate", "sampling_weight", "pair_id"
    )
    return {**told, "solution": reference(row["answer"]) if row["verifier"] in BOXED else ""}


def rl_schema() -> pa.Schema:
    """One row for each problem; all columns but `prompt` reach the reward functions.

    `pair_id` is there for tasks of judging, whose rewards may look at both tasks of a pair (`filters.pair_rewards`).
    """
    import pyarrow as pa

    return columns(
        prompt=messages(),
        answer=pa.string(),
        verifier=pa.string(),
        solution=pa.string(),
        problem_id=pa.string(),
        domain=pa.string(),
        pass_rate=pa.float64(),
        sampling_weight=pa.float64(),
        pair_id=pa.string(),
    )


def preference(row: Row) -> Row:
    return pick(row, "prompt", "chosen", "rejected", "problem_id", "chosen_id", "rejected_id")


def preference_schema() -> pa.Schema:
    """One row for each pair: the prompt, and a turn for each side."""
    import pyarrow as pa

    ids = dict.fromkeys(("problem_id", "chosen_id", "rejected_id"), pa.string())
    return columns(prompt=messages(), chosen=messages(), rejected=messages(), **ids)


def offline(row: Row) -> Row:
    return pick(row, "prompt", "completion", "label", "problem_id", "attempt_id")


def offline_schema() -> pa.Schema:
    """One row for each answer, and whether it is right."""
    import pyarrow as pa

    ids = dict.fromkeys(("problem_id", "attempt_id"), pa.string())
    return columns(prompt=messages(), completion=messages(), label=pa.bool_(), **ids)


def process(row: Row) -> Row:
    told = {"prompt": as_text(row["prompt"]), "completions": row["steps"], "labels": row["labels"]}
    return {**told, **pick(row, "problem_id", "attempt_id")}


def process_schema() -> pa.Schema:
    """One row for each trace; `labels` has a truth for each of `completions`."""
    import pyarrow as pa

    ids = dict.fromkeys(("problem_id", "attempt_id"), pa.string())
    return columns(prompt=pa.string(), completions=pa.list_(pa.string()), labels=pa.list_(pa.bool_()), **ids)


# ---------------------------------------------------------------------------------------------------------------
# How to train

LOAD = """from datasets import load_dataset
{imports}

rows = load_dataset("parquet", data_files="train.parquet", split="train")
"""


def _snippet(imports: str, train: str, *notes: str) -> str:
    code = LOAD.format(imports=imports) + train + "\ntrainer.train()"
    return "\n\n".join([f"```python\n{code}\n```", *notes])


def sft_training(made: Made) -> str:
    """Fine-tuning on completions."""
    return _snippet(
        "from trl import SFTConfig, SFTTrainer",
        'trainer = SFTTrainer("Qwen/Qwen3-0.6B", args=SFTConfig(output_dir="out"), train_dataset=rows)',
        "The loss is on the completion alone. `SFTConfig(max_length=1024)` is the default, and what is longer is cut:"
        " long thoughts need more. DeepSeek's distilled models have a chat template that drops all before `</think>`,"
        " even of what is to be learned: for those export to `trl-messages`. Qwen3's writes an empty thought before"
        " an answer without one, and that is learned, too; it drops what stands before a thought, as plans do in"
        " `planned`.",
    )


def messages_training(made: Made) -> str:
    """Fine-tuning on whole conversations, of which the assistant's turns are learned."""
    return _snippet(
        "from trl import SFTConfig, SFTTrainer",
        'args = SFTConfig(output_dir="out", assistant_only_loss=True)\n'
        'trainer = SFTTrainer("Qwen/Qwen3-0.6B", args=args, train_dataset=rows)',
        "Without `assistant_only_loss=True` the model learns the questions as well. It needs a chat template with"
        " `{% generation %}`: TRL brings one for the usual families, which keeps thoughts that the published ones of"
        " Qwen3 (in earlier turns) and of DeepSeek's distilled models (always) strip.",
    )


def begun_training(made: Made) -> str:
    """Fine-tuning on answers that go on from where the loss begins."""
    return _snippet(
        "from transformers import AutoTokenizer\nfrom trl import SFTConfig, SFTTrainer",
        'speaks = AutoTokenizer.from_pretrained("Qwen/Qwen3-0.6B")\n\n\n'
        "def rendered(row):\n"
        '    asked = speaks.apply_chat_template(row["asked"], add_generation_prompt=True, tokenize=False)\n'
        '    return {"prompt": asked + row["begun"], "completion": row["rest"] + speaks.eos_token}\n\n\n'
        "rows = rows.map(rendered, remove_columns=rows.column_names)\n"
        'args = SFTConfig(output_dir="out")\n'
        'trainer = SFTTrainer("Qwen/Qwen3-0.6B", args=args, train_dataset=rows, processing_class=speaks)',
        "`begun` is a thought that went wrong, up to where it turns: the model reads it, and the loss is on `rest`"
        " alone. Conversations cannot say that to TRL, so prompt and completion are rendered to text first. A chat"
        " template that opens the thought by itself doubles the `<think>` of the answer: cut one of them.",
    )


def rl_training(made: Made) -> str:
    """GRPO with this package's own rewards."""
    return _snippet(
        "from trl import GRPOConfig, GRPOTrainer\n\nfrom filters.rewards import verified",
        'args = GRPOConfig(output_dir="out")\n'
        'trainer = GRPOTrainer("Qwen/Qwen3-0.6B", reward_funcs=verified, args=args, train_dataset=rows)',
        "`RLOOTrainer` takes the same. `verified` is this package's own verifier, the one that gated the data; it"
        " reads the columns `answer` and `verifier`. TRL's `accuracy_reward` reads `solution`, which is empty where"
        " an answer is not mathematics: it ignores those rows.",
    )


def preference_training(made: Made) -> str:
    """DPO, or a reward model."""
    return _snippet(
        "from trl import DPOConfig, DPOTrainer",
        'trainer = DPOTrainer("Qwen/Qwen3-0.6B", args=DPOConfig(output_dir="out"), train_dataset=rows)',
        "`RewardTrainer` with `RewardConfig` takes the same file.",
    )


def offline_training(made: Made) -> str:
    """KTO."""
    return _snippet(
        "from trl import KTOConfig, KTOTrainer",
        'trainer = KTOTrainer("Qwen/Qwen3-0.6B", args=KTOConfig(output_dir="out"), train_dataset=rows)',
        "Right and wrong answers need not balance: set `desirable_weight` and `undesirable_weight` by their counts.",
    )


def process_training(made: Made) -> str:
    """How it is loaded; TRL has no trainer for it any more."""
    return (
        "For process reward models: `prompt`, `completions` (the steps) and `labels`, as the PRM trainer of TRL"
        " before 1.0 and axolotl's `stepwise_supervised` read them.\n\n"
        '```python\nfrom datasets import load_dataset\n\nrows = load_dataset("parquet", data_files="train.parquet",'
        ' split="train")\n```'
    )


# ---------------------------------------------------------------------------------------------------------------
# The entries of the table

FORMATS = {
    "messages": Format("SFTTrainer", each(completed), completed_schema, sft_training),
    "twins": Format("SFTTrainer", each(twin), twin_schema, sft_training),
    "begun": Format("SFTTrainer", each(begun), begun_schema, begun_training),
    "turns": Format("SFTTrainer", conversations.learned_whole("TRL"), conversations.schema, messages_training),
    "rl": Format("GRPOTrainer, RLOOTrainer", each(rl), rl_schema, rl_training),
    "preference": Format("DPOTrainer, RewardTrainer", each(preference), preference_schema, preference_training),
    "offline": Format("KTOTrainer", each(offline), offline_schema, offline_training),
    "process": Format("process reward models", each(process), process_schema, process_training),
}

MESSAGES = {"messages": Format("SFTTrainer", conversations.whole, conversations.schema, messages_training)}
"""Whole conversations, for who wants `assistant_only_loss` with single answers, too."""
