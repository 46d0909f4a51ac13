"""LLaMA-Factory: a data file and its stanza in `dataset_info.json`.

Read in llamafactory 0.9.5 (2026-11): `data/{parser,converter,loader}.py`. What counts:

- Columns and tags that a stanza does not name are set to None as soon as it names one: all are named.
- After a system message, user and assistant have to take turns and the answer has to be last, else the row becomes
  empty, with a warning. `ranking: true` is for pairs only, and a pair's prompt ends with the user.
- In the `sharegpt` form `chosen` and `rejected` are one message each, and `kto_tag` has to be a boolean.
- It learns from every assistant turn (`mask_history: true`: from the last alone).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import orjson

from pipelines.formats import conversations
from pipelines.formats.rows import Format, LeftOut, Made, Message, Row, columns, each, message, messages, pick

if TYPE_CHECKING:
    import pyarrow as pa

TURNS = LeftOut("user and assistant do not take turns, as LLaMA-Factory wants")
TAGS = {
    **{"role_tag": "role", "content_tag": "content", "system_tag": "system", "user_tag": "user"},
    **{"assistant_tag": "assistant", "observation_tag": "tool", "function_tag": "function"},
}


def conversation(row: Row) -> Row | LeftOut:
    """A conversation in which user and assistant take turns."""
    if not take_turns(row["messages"], last="assistant"):
        return TURNS
    return pick(row, "messages", "problem_id", "attempt_id")


def preference(row: Row) -> Row | LeftOut:
    """A prompt that ends with the user, with one message for each side."""
    if not take_turns(row["prompt"], last="user"):
        return TURNS
    pair = {side: row[side][0] for side in ("chosen", "rejected")}
    return {"messages": row["prompt"], **pair, **pick(row, "problem_id")}


def preference_schema() -> pa.Schema:
    """One row for each pair; `messages` is the prompt."""
    import pyarrow as pa

    return columns(messages=messages(), chosen=message(), rejected=message(), problem_id=pa.string())


def offline(row: Row) -> Row | LeftOut:
    """A conversation that ends with an answer, and whether that is right."""
    said = [*row["prompt"], *row["completion"]]
    if not take_turns(said, last="assistant"):
        return TURNS
    return {"messages": said, "label": row["label"], **pick(row, "problem_id", "attempt_id")}


def offline_schema() -> pa.Schema:
    """One row for each answer; `label` is what `kto_tag` names."""
    import pyarrow as pa

    ids = dict.fromkeys(("problem_id", "attempt_id"), pa.string())
    return columns(messages=messages(), label=pa.bool_(), **ids)


def alpaca(row: Row) -> Row | LeftOut:
    """The last question and its answer, with what was said before in pairs."""
    said = row["messages"]
    if not take_turns(said, last="assistant"):
        return TURNS
    system, talk = (said[0]["content"], said[1:]) if said[0]["role"] == "system" else ("", said)
    told = [turn["content"] for turn in talk]
    history = [list(pair) for pair in zip(told[:-2:2], told[1:-2:2], strict=True)]
    parts = {"instruction": told[-2], "input": "", "output": told[-1], "system": system, "history": history}
    return {**parts, **pick(row, "problem_id", "attempt_id")}


def alpaca_schema() -> pa.Schema:
    """One row for each conversation; `history` holds pairs of question and answer."""
    import pyarrow as pa

    texts = dict.fromkeys(("instruction", "input", "output", "system"), pa.string())
    ids = dict.fromkeys(("problem_id", "attempt_id"), pa.string())
    return columns(**texts, history=pa.list_(pa.list_(pa.string())), **ids)


def take_turns(said: Sequence[Message], *, last: str) -> bool:
    """Does the talk, after a system message, go from user to assistant and back, and end with `last`?"""
    talk = [message["role"] for message in said if message["role"] != "system"]
    return talk == [("user", "assistant")[i % 2] for i in range(len(talk))] and talk[-1:] == [last]


# ---------------------------------------------------------------------------------------------------------------
# The stanza, and how to train


def conversation_files(made: Made) -> Mapping[str, str]:
    return _info(made, {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": TAGS})


def preference_files(made: Made) -> Mapping[str, str]:
    read = {"messages": "messages", "chosen": "chosen", "rejected": "rejected"}
    return _info(made, {"formatting": "sharegpt", "ranking": True, "columns": read, "tags": TAGS})


def offline_files(made: Made) -> Mapping[str, str]:
    read = {"messages": "messages", "kto_tag": "label"}
    return _info(made, {"formatting": "sharegpt", "columns": read, "tags": TAGS})


def alpaca_files(made: Made) -> Mapping[str, str]:
    read = {"prompt": "instruction", "query": "input", "response": "output", "system": "system", "history": "history"}
    return _info(made, {"formatting": "alpaca", "columns": read})


def _info(made: Made, stanza: Mapping[str, object]) -> Mapping[str, str]:
    names = {"train": name_of(made), "test": f"{name_of(made)}_test"}
    told = {names[split]: {"file_name": f"{split}.parquet", **stanza} for split in made.splits}
    return {"dataset_info.json": orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n"}


def name_of(made: Made) -> str:
    """The dataset's name in LLaMA-Factory, where a comma or @ would mean something."""
    return "".join(letter if letter.isalnum() else "_" for letter in f"{made.dataset}_{made.view}")


def _training(made: Made, stage: str) -> str:
    test = f" --eval_dataset {name_of(made)}_test" if "test" in made.splits else ""
    return f"""```sh
llamafactory-cli train --stage {stage} --do_train true --model_name_or_path Qwen/Qwen3-0.6B --template qwen3 \\
    --dataset_dir $PWD --dataset {name_of(made)}{test} --cutoff_len 8192 --output_dir out
```

`dataset_info.json` describes the file; to train on several datasets, copy its stanza into your own.
"""


def sft_training(made: Made) -> str:
    return _training(made, "sft")


def preference_training(made: Made) -> str:
    return _training(made, "dpo") + "\n`--stage rm` takes the same.\n"


def offline_training(made: Made) -> str:
    return _training(made, "kto")


# ---------------------------------------------------------------------------------------------------------------
# The entries of the table

FORMATS = {
    "messages": Format("sharegpt", each(conversation), conversations.schema, sft_training, extra=conversation_files),
    "turns": Format(
        "sharegpt",
        conversations.learned_whole("LLaMA-Factory", conversation),
        conversations.schema,
        sft_training,
        extra=conversation_files,
    ),
    "preference": Format(
        "sharegpt, ranking", each(preference), preference_schema, preference_training, extra=preference_files
    ),
    "offline": Format("sharegpt, kto_tag", each(offline), offline_schema, offline_training, extra=offline_files),
}

ALPACA = {"messages": Format("alpaca", each(alpaca), alpaca_schema, sft_training, extra=alpaca_files)}
