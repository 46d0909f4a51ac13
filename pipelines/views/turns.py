"""Conversations of several turns: everything that was said, by tools too, and which messages to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import about_attempt

if TYPE_CHECKING:
    import pyarrow as pa

QUERY = """
select
    [{'role': t.role, 'tool_calls': t.tool_calls, 'content':
        case when t.role = 'assistant' and stripped(t.reasoning) <> ''
             then '<think>\n' || t.reasoning || '\n</think>\n\n' else '' end || coalesce(t.content, '')
     } for t in i.turns] as messages,
    [t.role = 'assistant' for t in i.turns] as train,
    p.id as problem_id, p.question, p.domain, i.id as attempt_id, i.model, i.sample
from imitated i join accepted p on p.id = i.problem
where i.has_several
order by p.draw, i.sample, i.id
"""


def schema() -> pa.Schema:
    """One row for each attempt worth imitating in which the assistant speaks more than once.

    `train` has a truth for each message; `tool_calls` is a JSON list as text, or null.
    """
    import pyarrow as pa

    message = pa.struct([("role", pa.string()), ("content", pa.string()), ("tool_calls", pa.string())])
    return pa.schema([("messages", pa.list_(message)), ("train", pa.list_(pa.bool_())), *about_attempt()])
