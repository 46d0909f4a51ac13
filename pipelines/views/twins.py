"""Thinking on and off: each good answer that was thought about, once with its thinking and once without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import about_attempt, conversation

if TYPE_CHECKING:
    import pyarrow as pa

# Both say the same after `</think>`. Chat templates that know the switch are told by `chat_template_kwargs`.
QUERY = """
select
    list_append(i.asked, {'role': 'assistant', 'content': case
        when t.thinking then '<think>\n' || i.thought || '\n</think>\n\n' || i.spoken else i.spoken end}) as messages,
    t.thinking, {'enable_thinking': t.thinking} as chat_template_kwargs,
    p.id as problem_id, p.question, p.domain, i.id as attempt_id, i.model, i.sample
from imitated i join accepted p on p.id = i.problem cross join (values (true), (false)) t(thinking)
where stripped(i.thought) <> '' and stripped(i.spoken) <> '' and not i.uses_tools
order by p.draw, i.sample, i.id, t.thinking desc
"""


def schema() -> pa.Schema:
    """Two rows for each attempt worth imitating that has reasoning and an answer: first with it, then without."""
    import pyarrow as pa

    return pa.schema(
        [
            ("messages", conversation()),
            ("thinking", pa.bool_()),
            ("chat_template_kwargs", pa.struct([("enable_thinking", pa.bool_())])),
            *about_attempt(),
        ]
    )
