"""Traces that were looked at for shorter ways, each beside what it was before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import about_attempt, conversation

if TYPE_CHECKING:
    import pyarrow as pa

# Where a later rule fails the new trace, the original is there as it was.
QUERY = """
with searches as (
    select b.id, b.accepted, b.parents[1] as original, v.value as kept, v.context
    from beside b join rulings v on v.subject = b.id and v.rule = 'revised'
), sides as (
    select s.* exclude (context), r.asked, r.answer_text, r.id as attempt_id, r.model, r.sample,
        json_extract(s.context, '$.tokens')::bigint[] as tokens,
        json_extract(s.context, '$.steps')::bigint[] as steps,
        json_extract(s.context, '$.thoughts')::bigint[] as thoughts, if(r.id = s.original, 1, 2) as side
    from searches s join imitated r on r.id in (s.kept, s.original)
    qualify row_number() over (partition by s.id order by side desc) = 1
)
select
    list_append(s.asked, {'role': 'assistant', 'content': s.answer_text}) as messages, s.side = 2 as revised,
    o.answer_text as original, s.tokens[1] as tokens_before, s.tokens[s.side] as tokens_after,
    s.steps[1] as steps_before, s.steps[s.side] as steps_after,
    s.thoughts[1] as thoughts_before, s.thoughts[s.side] as thoughts_after, o.model as author,
    p.id as problem_id, p.question, p.domain, s.attempt_id, s.model, s.sample
from sides s join here_attempts o on o.id = s.original join accepted p on p.id = s.accepted
order by p.draw, s.sample, s.attempt_id
"""


def schema() -> pa.Schema:
    """One row for each right trace: as it is now in `messages`, and as its author wrote it in `original`.

    `revised` says whether the two differ; `model` wrote the end of the one, `author` the other. Lengths are in words
    and signs, in steps (parted by blank lines, the answer's among them), and in thoughts (parted by switch words).
    """
    import pyarrow as pa

    measures = [f"{name}_{when}" for name in ("tokens", "steps", "thoughts") for when in ("before", "after")]
    return pa.schema(
        [
            ("messages", conversation()),
            ("revised", pa.bool_()),
            ("original", pa.string()),
            *((name, pa.int64()) for name in measures),
            ("author", pa.string()),
            *about_attempt(),
        ]
    )
