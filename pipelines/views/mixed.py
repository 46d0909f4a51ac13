"""System 1 and System 2 in one set: hard problems with the thinking about them, easy ones with the answer alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import about_attempt, conversation

if TYPE_CHECKING:
    import pyarrow as pa

# Which are hard is said by `system2` or `system2_by_chance`, the last of them that spoke; else by whether a weak and
# a strong solver disagree. What nobody could decide is thought about. Chat templates that know the switch are told by
# `chat_template_kwargs`; leave that out to have the model choose by itself. All are asked in the same words, as
# `openings` gives them, since a prompt that asks for thoughts does not go with an answer that has none.
QUERY = """
with said as (
    select subject, arg_max(status, stage) as status from rulings
    where rule in ('system2', 'system2_by_chance') group by subject
), hard as (
    select p.id, coalesce(s.status <> 'fail', t.score >= 0.5, true) as thinking, t.score as difficulty
    from accepted p left join said s on s.subject = p.id
    left join told t on t.subject = p.id and t.rule = 'disagreement'
)
select
    list_append(coalesce(q.opening, i.asked), {'role': 'assistant', 'content': case
        when h.thinking then '<think>\n' || i.thought || '\n</think>\n\n' || i.spoken else i.spoken end}) as messages,
    h.thinking, {'enable_thinking': h.thinking} as chat_template_kwargs, h.difficulty,
    p.id as problem_id, p.question, p.domain, i.id as attempt_id, i.model, i.sample
from imitated i join accepted p on p.id = i.problem join hard h on h.id = p.id
left join openings q on q.problem = p.id
where stripped(i.thought) <> '' and stripped(i.spoken) <> '' and not i.uses_tools
order by p.draw, i.sample, i.id
"""


def schema() -> pa.Schema:
    """One row for each attempt worth imitating that has reasoning and an answer: with the reasoning, or without."""
    import pyarrow as pa

    return pa.schema(
        [
            ("messages", conversation()),
            ("thinking", pa.bool_()),
            ("chat_template_kwargs", pa.struct([("enable_thinking", pa.bool_())])),
            ("difficulty", pa.float64()),
            *about_attempt(),
        ]
    )
