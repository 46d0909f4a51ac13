"""OpenR1's parallel arrays: one row for each problem, with all its generations.

The columns of open-r1/OpenR1-Math-220k (card of 2025-02): text, then lists that run in parallel, one entry for each
generation. `messages` is the question with a generation that is right. What is not known is null (`problem_type`,
`question_type`, `correctness_llama`, `solution`): derived datasets have lost a column's type where all was null, so
types are written down here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pipelines.formats.rows import Format, LeftOut, Made, Row, columns, messages, pick

if TYPE_CHECKING:
    import pyarrow as pa


def problems(rows: Iterator[Row]) -> Iterator[Row | LeftOut]:
    """A row for each problem; attempts of one problem follow each other in a view."""
    for _, attempts in groupby(rows, key=lambda row: row["problem_id"]):
        yield _problem(list(attempts))


def _problem(attempts: list[Row]) -> Row:
    first = attempts[0]
    right = [bool(row["label"]) for row in attempts]
    shown = attempts[right.index(True)] if any(right) else None
    return {
        "problem": first["question"],
        **pick(first, "answer", "source"),
        "uuid": first["problem_id"],
        "is_reasoning_complete": [True] * len(attempts),  # views hold no answer that was cut
        "generations": [row["completion"][0]["content"] for row in attempts],
        "correctness_math_verify": right,
        "finish_reasons": ["stop"] * len(attempts),
        "correctness_count": sum(right),
        "messages": [*shown["prompt"], *shown["completion"]] if shown else [],
    }


def schema() -> pa.Schema:
    """One row for each problem: texts, then lists of one entry for each generation."""
    import pyarrow as pa

    text, flags = pa.string(), pa.list_(pa.bool_())
    types: dict[str, Any] = dict.fromkeys(("problem", "solution", "answer", "problem_type", "question_type"), text)
    return columns(
        **types,
        source=text,
        uuid=text,
        is_reasoning_complete=flags,
        generations=pa.list_(text),
        correctness_math_verify=flags,
        correctness_llama=flags,
        finish_reasons=pa.list_(text),
        correctness_count=pa.int64(),
        messages=messages(),
    )


def training(made: Made) -> str:
    """How it is loaded, and what its lists mean."""
    return """```python
from datasets import load_dataset

rows = load_dataset("parquet", data_files="train.parquet", split="train")
solved = rows.filter(lambda row: row["correctness_count"] > 0)
```

`generations`, `correctness_math_verify`, `is_reasoning_complete` and `finish_reasons` run in parallel. Right is what
this dataset's own verifier says, whichever it is. `messages` is empty where no generation is right.
"""


FORMATS = {"offline": Format("parallel arrays", problems, schema, training)}
