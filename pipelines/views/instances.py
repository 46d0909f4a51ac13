"""Instances of accepted tasks: each with its input, as a conversation that ends in its output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import about_problem, conversation

if TYPE_CHECKING:
    import pyarrow as pa

QUERY = """
select
    [{'role': 'user', 'content': s.question}, {'role': 'assistant', 'content': s.answer}] as messages,
    json_extract_string(s.details, '$.instruction') as instruction,
    json_extract_string(s.details, '$.input') as input, s.answer as output,
    p.id as problem_id, p.question, p.domain, s.id as instance_id, s.parents[1] as attempt_id, s.source as model
from beside s join accepted p on p.id = s.accepted where s.kind = 'instance'
order by p.draw, p.id, s.id
"""


def schema() -> pa.Schema:
    """One row for each instance of each accepted task; `question` is the task, and what wrote both the attempt."""
    import pyarrow as pa

    columns = [(name, pa.string()) for name in ("instruction", "input", "output")]
    return pa.schema(
        [
            ("messages", conversation()),
            *columns,
            *about_problem(),
            *[(name, pa.string()) for name in ("instance_id", "attempt_id", "model")],
        ]
    )
