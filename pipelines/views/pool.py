"""The pool of a loop: every problem, with what solves it so far; the next round brings it and goes on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import conversation

if TYPE_CHECKING:
    import pyarrow as pa

# An answer that came with the pool keeps the round and the id that it had when it was found.
QUERY = """
with had as (
    select id, coalesce(cast(json_extract(details, '$.round') as bigint), 0) as round,
        cast(json_extract(details, '$.rounds') as bigint[]) as rounds,
        cast(json_extract(details, '$.attempts') as varchar[]) as attempts,
        json_extract_string(details, '$.measured') as measured
    from accepted
), found as (
    select c.problem, list_append(c.asked, {'role': 'assistant', 'content': c.answer_text}) as response,
        case when c.role = 'given' then coalesce(h.rounds[c.sample + 1], h.round) else h.round end as round,
        case when c.role = 'given' then coalesce(h.attempts[c.sample + 1], c.id) else c.id end as attempt
    from checked c join had h on h.id = c.problem where c.is_right and not c.uses_tools
), solved as (
    select problem, list(response order by round, attempt) as responses,
        list(round order by round, attempt) as rounds, list(attempt order by round, attempt) as attempts
    from found group by problem
), counted as (
    select subject, min(context) as measured from rulings
    where rule = 'balanced' and json_exists(context, '$.k') group by subject
)
select
    [{'role': 'user', 'content': p.question}] as prompt, p.answer, coalesce(p.verifier, 'math') as verifier,
    f.responses, f.rounds, f.attempts, h.round + 1 as round, coalesce(c.measured, h.measured) as measured,
    p.source, p.license, p.id as problem_id, p.question, p.domain
from accepted p join had h on h.id = p.id left join solved f on f.problem = p.id
left join counted c on c.subject = p.id
where p.answer is not null
order by p.draw, p.id
"""


def schema() -> pa.Schema:
    """One row for each problem that has an answer.

    `responses` are the right ones as conversations, or null; `rounds` and `attempts` say of each in which round it
    was found and as which attempt. `round` is the round that is to read the row. `measured` is the last count of how
    often a solver was right, as JSON: k, n, the solver.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("prompt", conversation()),
            ("answer", pa.string()),
            ("verifier", pa.string()),
            ("responses", pa.list_(conversation())),
            ("rounds", pa.list_(pa.int64())),
            ("attempts", pa.list_(pa.string())),
            ("round", pa.int64()),
            *[(name, pa.string()) for name in ("measured", "source", "license", "problem_id", "question", "domain")],
        ]
    )
