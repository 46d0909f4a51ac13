"""Supervised fine-tuning: conversations that end in a good answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import conversation

if TYPE_CHECKING:
    import pyarrow as pa

QUERY = """
select
    list_append(r.asked, {'role': 'assistant', 'content': r.answer_text}) as messages,
    p.id as problem_id, r.id as attempt_id, p.question, p.answer, p.domain, r.model, r.sample, r.reward, s.pass_rate
from imitated r join accepted p on p.id = r.problem left join rates s on s.subject = p.id
order by p.draw, r.sample, r.id
"""


def schema() -> pa.Schema:
    """One row for each attempt that is worth imitating; `messages` ends with it."""
    import pyarrow as pa

    return pa.schema(
        [
            ("messages", conversation()),
            ("problem_id", pa.string()),
            ("attempt_id", pa.string()),
            ("question", pa.string()),
            ("answer", pa.string()),
            ("domain", pa.string()),
            ("model", pa.string()),
            ("sample", pa.int32()),
            ("reward", pa.float64()),
            ("pass_rate", pa.float64()),
        ]
    )
