"""Columns that several views have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def conversation() -> pa.ListType:
    """Messages, each with `role` and `content`; the thinking of an answer stands in its content, in `<think>`."""
    import pyarrow as pa

    return pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def about_problem() -> list[tuple[str, pa.DataType]]:
    """Which problem a row is about."""
    import pyarrow as pa

    return [("problem_id", pa.string()), ("question", pa.string()), ("domain", pa.string())]


def about_attempt() -> list[tuple[str, pa.DataType]]:
    """Which attempt a row shows, of which problem."""
    import pyarrow as pa

    return [*about_problem(), ("attempt_id", pa.string()), ("model", pa.string()), ("sample", pa.int32())]
