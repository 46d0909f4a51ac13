"""Supervised fine-tuning: conversations that end in a good answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

# Where answers were checked, every attempt that was right: by the final label if there was an appeal, and with the
# same choice when its options were shuffled if that was tried. Elsewhere the one with the highest reward, or all.
QUERY = """
with checked as (
    select a.*, case when o.status <> 'pass' then o.status else coalesce(l.status, r.status) end as matches
    from answered a
    left join told r on r.subject = a.id and r.rule = 'answer_matches'
    left join told l on l.subject = a.id and l.rule = 'label'
    left join told o on o.subject = a.id and o.rule = 'option_consistency'
), rewarded as (
    select c.*, w.score as reward,
        row_number() over (partition by c.problem order by w.score desc nulls last, c.sample) as place
    from checked c left join told w on w.subject = c.id and w.rule = 'reward'
)
select
    list_append(r.asked, {'role': 'assistant', 'content': r.answer_text}) as messages,
    p.id as problem_id, r.id as attempt_id, p.question, p.answer, p.domain, r.model, r.sample, r.reward, s.pass_rate
from rewarded r join accepted p on p.id = r.problem left join rates s on s.subject = p.id
where r.matches = 'pass' or (r.matches is null and (r.reward is null or r.place = 1))
order by p.draw, r.sample, r.id
"""


def schema() -> pa.Schema:
    """One row for each attempt that is worth imitating; `messages` ends with it."""
    import pyarrow as pa

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    return pa.schema(
        [
            ("messages", pa.list_(message)),
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
