"""The columns of NVIDIA's Nemotron post-training datasets (card of Nemotron-Post-Training-Dataset-v1, 2025-08)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.formats.rows import Format, Made, Row, columns, each, messages

if TYPE_CHECKING:
    import pyarrow as pa


def conversation(row: Row) -> Row:
    """A conversation with what is told about it beside it."""
    thinks = "<think>" in row["messages"][-1]["content"]
    return {
        "uuid": row.get("attempt_id") or row["problem_id"],
        "license": row.get("license"),
        "generator": row.get("model"),
        "version": None,
        "category": row.get("domain"),
        "reasoning": "on" if thinks else "off",
        "messages": row["messages"],
    }


def schema() -> pa.Schema:
    """One row for each conversation; what is not known is null."""
    import pyarrow as pa

    names = ("uuid", "license", "generator", "version", "category", "reasoning")
    return columns(**dict.fromkeys(names, pa.string()), messages=messages())


def training(made: Made) -> str:
    """How it is loaded."""
    return """```python
from datasets import load_dataset

rows = load_dataset("parquet", data_files="train.parquet", split="train")
```

`reasoning` is "on" where the answer has a thought in `<think>`.
"""


FORMATS = {"messages": Format("parallel columns", each(conversation), schema, training)}
