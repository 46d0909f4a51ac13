"""What all formats share: rows as they come out of a view, the kinds of view, and what makes a row unfit for anyone.

A format is a function from the rows of a view to the rows of one consumer. Each row that goes in comes out, or a
`LeftOut` says why not: nothing is dropped where nobody sees it, which is what most loaders would do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from filters.verifiers import VERIFIERS

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
Message = Mapping[str, str]

FileKind = Literal["parquet", "jsonl"]


class LeftOut(NamedTuple):
    """Rows that a consumer cannot take, and why, in words that can be counted."""

    reason: str
    rows: int = 1


class Made(NamedTuple):
    """What was exported, for the text that tells how to train on it."""

    dataset: str  # "cot-self-instruct@v1"
    view: str
    splits: Mapping[str, int]  # rows of "train" and, if asked for, "test"
    longest_prompt: int  # in characters


def no_files(made: Made) -> Mapping[str, str]:
    return {}


class Format(NamedTuple):
    """How a consumer wants a kind of view: an entry of the table FORMATS."""

    reader: str  # what reads it there
    render: Callable[[Iterator[Row]], Iterator[Row | LeftOut]]
    schema: Callable[[], pa.Schema]  # of exactly what is written
    training: Callable[[Made], str]  # Markdown: how to train on it
    file: FileKind = "parquet"
    extra: Callable[[Made], Mapping[str, str]] = no_files  # files beside the data, by name


def each(change: Callable[[Row], Row | LeftOut]) -> Callable[[Iterator[Row]], Iterator[Row | LeftOut]]:
    """A format that makes one row of one row."""
    return lambda rows: (change(row) for row in rows)


# ---------------------------------------------------------------------------------------------------------------
# Kinds of view

KINDS = {
    "turns": ("messages", "train"),
    "twins": ("messages", "thinking"),
    "begun": ("messages", "begun"),
    "messages": ("messages",),
    "preference": ("prompt", "chosen", "rejected"),
    "process": ("prompt", "steps", "labels"),
    "offline": ("prompt", "completion", "label"),
    "rl": ("prompt", "answer", "verifier"),
}
"""What a view can be used for, by the columns that make it so; the first that fits."""


def kind_of(columns: Iterable[str]) -> str | None:
    """The kind of a view with these columns; None where no format takes it."""
    there = set(columns)
    return next((kind for kind, needed in KINDS.items() if there.issuperset(needed)), None)


# ---------------------------------------------------------------------------------------------------------------
# Rows that nobody can train on

ROLES = ("system", "user", "assistant", "tool")


def normal(row: Row) -> Row | LeftOut:
    """A row with what formats know alone: messages of role and content, and pairs of whole answers.

    Of pairs that part after some steps the beginning goes to both sides, since few trainers can continue a turn. In
    the loss of DPO what both share cancels.
    """
    if "prefix" in row:
        whole = {
            side: [{"role": "assistant", "content": row["prefix"] + row[side]}] for side in ("chosen", "rejected")
        }
        return {**row, **whole}
    if "train" in row:
        if any(said.get("tool_calls") for said in row["messages"]):
            return LeftOut("calls of tools, which no format here carries")
        return {**row, "messages": [pick(said, "role", "content") for said in row["messages"]]}
    return row


def fault(kind: str, row: Row) -> str | None:
    """Why no trainer should get this row; None if it is sound."""
    return _CHECKS[kind](row)


def prompt_of(kind: str, row: Row) -> Sequence[Message]:
    """What the model is shown before it has to answer."""
    return row["messages"][:-1] if "messages" in KINDS[kind] else row["prompt"]


def characters(messages: Sequence[Message]) -> int:
    return sum(len(message["content"]) for message in messages)


def _of_messages(row: Row) -> str | None:
    return _of_conversation(row["messages"]) or _ends_with(row["messages"], "assistant")


def _of_begun(row: Row) -> str | None:
    wrong = _of_messages(row)
    if not wrong and not 0 <= row["begun"] < len(row["messages"][-1]["content"].rstrip()):
        return "an answer of which nothing is to be learnt"
    return wrong


def _of_turns(row: Row) -> str | None:
    if len(row["train"]) != len(row["messages"]):
        return "not as many marks as messages"
    return _of_messages(row)


def _of_rl(row: Row) -> str | None:
    if not (row["answer"] or "").strip():
        return "no answer to check against"
    if row["verifier"] not in VERIFIERS:
        return f"no verifier called {row['verifier']}"
    return _of_prompt(row["prompt"])


def _of_preference(row: Row) -> str | None:
    if row["chosen"] == row["rejected"]:
        return "chosen and rejected are the same"
    return _of_prompt(row["prompt"]) or _of_answer(row["chosen"]) or _of_answer(row["rejected"])


def _of_offline(row: Row) -> str | None:
    if row["label"] is None:
        return "not decided whether it is right"
    return _of_prompt(row["prompt"]) or _of_answer(row["completion"])


def _of_process(row: Row) -> str | None:
    steps, labels = row["steps"] or [], row["labels"] or []
    if not steps or not all((step or "").strip() for step in steps):
        return "an empty step"
    if len(steps) != len(labels) or None in labels:
        return "steps without labels"
    return _of_prompt(row["prompt"])


def _of_prompt(prompt: Sequence[Message]) -> str | None:
    wrong = _of_conversation(prompt)
    return wrong or ("a prompt that ends with an answer" if prompt[-1]["role"] == "assistant" else None)


def _of_answer(answer: Sequence[Message]) -> str | None:
    if [message["role"] for message in answer] != ["assistant"]:
        return "an answer that is not one assistant turn"
    return None if (answer[0]["content"] or "").strip() else "an empty message"


def _of_conversation(messages: Sequence[Message]) -> str | None:
    if not messages:
        return "no messages"
    if any(message["role"] not in ROLES for message in messages):
        return "a role that is none of system, user, assistant, tool"
    if any(message["role"] == "system" for message in messages[1:]):
        return "a system message that is not the first"
    if any(not (message["content"] or "").strip() for message in messages):
        return "an empty message"
    return None if any(message["role"] == "user" for message in messages) else "no user message"


def _ends_with(messages: Sequence[Message], role: str) -> str | None:
    return None if messages[-1]["role"] == role else f"a conversation that does not end with the {role}"


_CHECKS: dict[str, Callable[[Row], str | None]] = {
    "turns": _of_turns,
    "twins": _of_messages,
    "begun": _of_begun,
    "messages": _of_messages,
    "preference": _of_preference,
    "process": _of_process,
    "offline": _of_offline,
    "rl": _of_rl,
}

# ---------------------------------------------------------------------------------------------------------------
# What several formats need


def message() -> pa.StructType:
    """What somebody said: a role and a content."""
    import pyarrow as pa

    return pa.struct([("role", pa.string()), ("content", pa.string())])


def messages() -> pa.ListType:
    """A conversation."""
    import pyarrow as pa

    return pa.list_(message())


def columns(**types: Any) -> pa.Schema:
    """A schema of plain Arrow types; text has 32-bit offsets, as every loader reads them."""
    import pyarrow as pa

    return pa.schema(list(types.items()))


def pick(row: Row, *names: str) -> Row:
    """These columns of a row; None for those that the view does not have."""
    return {name: row.get(name) for name in names}


def as_text(prompt: Sequence[Message]) -> str:
    """A prompt for consumers that know no roles."""
    return "\n\n".join(said["content"] for said in prompt)


def asks_for_box(prompt: Sequence[Message]) -> bool:
    """Is the answer wanted in a box? Only then do scorers that read boxes agree with the prompt."""
    return any("\\boxed" in said["content"] for said in prompt)


BOXED = ("math", "choice")
"""Verifiers whose references are what stands in the box."""


def reference(answer: str) -> str:
    """The reference as LaTeX that Math-Verify reads whole: of bare `x^2+1` it would find the 1."""
    return answer if "\\boxed" in answer or "$" in answer else f"\\boxed{{{answer}}}"


CHARACTERS_PER_TOKEN = 3  # of mathematics and code; prose has four


def tokens(characters: int) -> int:
    """Estimated, on the safe side."""
    return -(-characters // CHARACTERS_PER_TOKEN)


def room_for_prompts(made: Made) -> int:
    """A limit in tokens that no prompt should pass: with room for the chat template, in steps of 256."""
    return max(512, -(-(tokens(made.longest_prompt) + 64) // 256) * 256)
