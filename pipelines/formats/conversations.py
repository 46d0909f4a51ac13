"""Conversations as most consumers want them: a column of messages, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from pipelines.formats.rows import Format, LeftOut, Row, columns, each, messages, pick

if TYPE_CHECKING:
    import pyarrow as pa


def conversation(row: Row) -> Row:
    return pick(row, "messages", "problem_id", "attempt_id")


def schema() -> pa.Schema:
    """One row for each conversation, with the ids that it comes from."""
    import pyarrow as pa

    return columns(messages=messages(), problem_id=pa.string(), attempt_id=pa.string())


whole = each(conversation)


def learned_whole(
    consumer: str, change: Callable[[Row], Row | LeftOut] = conversation
) -> Callable[[Iterator[Row]], Iterator[Row | LeftOut]]:
    """For a consumer without marks, which learns from each assistant turn: conversations where that is wanted."""
    refused = LeftOut(f"{consumer} learns from every answer, and here some are not to be learned")
    return each(lambda row: change(row) if trains_every_answer(row) else refused)


def trains_every_answer(row: Row) -> bool:
    """Is each assistant turn to be learned, and nothing else?"""
    told = zip(row["messages"], row["train"], strict=True)
    return all(train == (said["role"] == "assistant") for said, train in told)


BEGUN = LeftOut("an answer that begins with what is not to be learnt, which cannot be said here")


def from_the_start(kinds: Mapping[str, Format]) -> dict[str, Format]:
    """A consumer's formats, and where it has none for them also the thoughts of which all is to be learnt."""
    if "messages" not in kinds or "begun" in kinds:
        return dict(kinds)
    plain = kinds["messages"]
    return {**kinds, "begun": plain._replace(render=lambda rows: _from_the_start(rows, plain))}


def _from_the_start(rows: Iterator[Row], plain: Format) -> Iterator[Row | LeftOut]:
    for row in rows:
        yield from [BEGUN] if row["begun"] else plain.render(iter([row]))
