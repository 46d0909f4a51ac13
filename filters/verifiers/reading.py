"""References and responses as people's files and trainers hold them, as the texts that verifiers read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def reference_text(value: Any) -> str | None:
    """A reference: text as it is, a number as it is written, an object as JSON, several forms of an answer as such.

    Raises ValueError for anything else.
    """
    match value:
        case None | str():
            return value
        case bool() | int() | float():
            return str(value)
        case Mapping():
            return json.dumps(dict(value), default=str, sort_keys=True)
        case [one]:
            return reference_text(one)
        case [*forms] if all(isinstance(each, str | int | float) for each in forms):
            return json.dumps({"answers": [str(each) for each in forms]})
    raise ValueError(f"should be a reference, not {kind_of(value)}")


SPEAKERS = {"human": "user", "gpt": "assistant", "bing": "assistant", "model": "assistant"}


def messages(value: Any) -> list[dict[str, Any]] | None:
    """A conversation as messages with role and content, also from ShareGPT's `from` and `value`; None for others."""
    if not isinstance(value, list) or not value or not all(isinstance(each, Mapping) for each in value):
        return None
    if all("role" in each for each in value):
        return [dict(each) for each in value]
    if all({"from", "value"} <= each.keys() for each in value):
        return [{"role": SPEAKERS.get(each["from"], each["from"]), "content": each["value"]} for each in value]
    return None


def response_text(value: Any) -> str | None:
    """A response: text as it is, of a conversation what the assistant says last, of a message its texts.

    A conversation in which the assistant says nothing gives "". Raises ValueError for anything else.
    """
    match messages(value) or value:
        case None | str():
            return value
        case [{"role": _}, *_] as turns:
            said = [message for message in turns if message.get("role") == "assistant"]
            return (response_text(said[-1].get("content")) or "") if said else ""
        case []:
            return ""
        case [{"type": _}, *_]:
            return "".join(part.get("text") or "" for part in value if part.get("type") in ("text", "output_text"))
        case {"content": content}:
            return response_text(content)
    raise ValueError(f"should be text or a list of texts, not {kind_of(value)}")


def question_text(value: Any) -> str:
    """A question: text as it is, a number as it is written, of a conversation what the user says; else empty."""
    match messages(value) or value:
        case str():
            return value
        case int() | float():
            return str(value)
        case [{"role": _}, *_] as turns:
            said = (message for message in turns if message.get("role") == "user")
            return "\n\n".join(question_text(message.get("content")) for message in said)
        case [{"type": _}, *_]:
            parts = (part for part in value if isinstance(part, Mapping) and part.get("type") == "text")
            return "".join(question_text(part.get("text")) for part in parts)
    return ""


def is_several(value: Any) -> bool:
    """Whether a value is a list of responses, rather than one response in several messages."""
    return isinstance(value, list) and not (value and isinstance(value[0], Mapping))


def kind_of(value: Any) -> str:
    """What a value is, for an error message."""
    return f"a list of {len(value)}" if isinstance(value, list) else type(value).__name__


# --- Files of well-known form -------------------------------------------------------------------------


def composed(kind: str, row: Row) -> str | None:
    """The reference that a row holds in several columns, as public datasets of this kind have it, or None.

    constraints: `instruction_id_list` and `kwargs` (IFEval). code: `prompt`, `test` and `entry_point` (HumanEval),
    `test_list` (MBPP), `input_output` or `inputs` and `outputs` (APPS, CodeContests). choice: `choices` or `options`,
    with the key in `answer` or `label`.
    """
    found = {"constraints": _instructions, "code": _tests, "choice": _options}.get(kind, lambda row: None)(row)
    return None if found is None else json.dumps(found, default=str, sort_keys=True)


def _instructions(row: Row) -> Row | None:
    if not {"instruction_id_list", "kwargs"} <= row.keys():
        return None
    return {"instruction_id_list": row["instruction_id_list"], "kwargs": row["kwargs"]}


def _tests(row: Row) -> Row | None:
    if {"prompt", "test", "entry_point"} <= row.keys():
        return {name: row[name] for name in ("prompt", "test", "entry_point")}
    if isinstance(row.get("test_list"), Sequence):
        setup = row.get("test_setup_code") or "\n".join(row.get("test_imports") or [])
        return {"asserts": list(row["test_list"]), **({"setup": setup} if setup else {})}
    return _programs(row)


def _programs(row: Row) -> Row | None:
    """Inputs and outputs of a program, or of a function where one is named."""
    given: Any = row.get("input_output", row)
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            return None
    if not isinstance(given, Mapping) or not {"inputs", "outputs"} <= given.keys():
        return None
    pairs = list(zip(given["inputs"], given["outputs"], strict=False))
    if name := given.get("fn_name"):
        return {"entry_point": name, "cases": [{"args": each, "expected": expected} for each, expected in pairs]}
    return {"io": [{"input": each, "output": expected} for each, expected in pairs]}


def _options(row: Row) -> Row | None:
    options = row.get("choices", row.get("options"))
    key = row.get("answer", row.get("label"))
    if isinstance(options, Mapping) and {"text", "label"} <= options.keys():  # ARC
        options = dict(zip(options["label"], options["text"], strict=False))
        key = row.get("answerKey", key)
    return {"key": key, "options": options} if isinstance(options, list | dict) and key is not None else None
