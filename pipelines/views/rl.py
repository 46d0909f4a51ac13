"""Reinforcement learning with verifiable rewards: prompts, with what checks an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

# The prompt is the conversation as the solvers were asked, so that it asks for the answer in the form that the
# verifier reads; of a problem that nobody tried it is the question. Where no answer was given with the question, it
# is the one that the solutions agreed on.
QUERY = """
with agreed as (
    select subject, any_value(value) as answer from rulings
    where rule in ('self_consistency', 'agreed') group by subject
)
select
    coalesce(q.opening, [{'role': 'user', 'content': p.question}]) as prompt,
    coalesce(p.answer, g.answer) as answer, coalesce(p.verifier, 'math') as verifier,
    s.pass_rate, s.pass_rate_n, w.score as sampling_weight, p.id as problem_id, p.question, p.domain
from accepted p left join openings q on q.problem = p.id
left join agreed g on g.subject = p.id left join rates s on s.subject = p.id
left join told w on w.subject = p.id and w.rule = 'variance_sampled'
where coalesce(p.answer, g.answer) is not null
order by p.draw, p.id
"""


def schema() -> pa.Schema:
    """One row for each accepted problem that has an answer."""
    import pyarrow as pa

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    return pa.schema(
        [
            ("prompt", pa.list_(message)),
            ("answer", pa.string()),
            ("verifier", pa.string()),
            ("pass_rate", pa.float64()),
            ("pass_rate_n", pa.int64()),
            ("sampling_weight", pa.float64()),
            ("problem_id", pa.string()),
            ("question", pa.string()),
            ("domain", pa.string()),
        ]
    )
