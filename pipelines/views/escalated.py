"""New problems that were written where a solver failed: how to write such, and what the next round is to solve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import conversation

if TYPE_CHECKING:
    import pyarrow as pa

# A new problem counts when no rule failed it but the zone it is in, and a solver was measured at it.
NEW = """
with judged as (
    select subject, max(score) filter (rule = 'learnable') as weight, min(value) filter (rule = 'learnable') as zone,
        min(context) filter (rule = 'learnable') as measured,
        bool_and(rule = 'learnable' or status = 'pass') as is_good
    from rulings group by subject
), new as (
    select b.*, j.weight, j.zone, cast(json_extract(j.measured, '$.k') as double)
            / cast(json_extract(j.measured, '$.n') as double) as pass_rate,
        json_extract_string(b.details, '$.parent') as parent_id, json_extract_string(b.details, '$.cause') as cause,
        cast(json_extract(b.details, '$.round') as bigint) as round
    from beside b join judged j on j.subject = b.id
    where b.kind = 'escalated' and j.is_good and j.zone is not null
)"""

GENERATOR = f"""
{NEW}
select
    list_append(a.asked, {{'role': 'assistant', 'content': a.answer_text}}) as messages, n.weight, n.zone,
    n.pass_rate, n.round, n.parent_id, n.cause, n.id as new_id, p.id as problem_id, p.question, p.domain,
    a.id as attempt_id, a.model
from new n join accepted p on p.id = n.accepted join here_attempts a on a.id = n.parents[1]
order by p.draw, p.id, n.id
"""

CURRICULUM = f"""
{NEW}
select
    [{{'role': 'user', 'content': n.question}}] as prompt, n.answer, n.verifier, n.weight, n.pass_rate, n.round,
    n.parent_id, n.cause, n.id as new_id, p.id as problem_id, n.question, n.domain
from new n join accepted p on p.id = n.accepted where n.zone = 'learning'
order by p.draw, p.id, n.id
"""


def _about_new() -> list[tuple[str, pa.DataType]]:
    import pyarrow as pa

    numbers = [("weight", pa.float64()), ("pass_rate", pa.float64()), ("round", pa.int64())]
    return [*numbers, *[(name, pa.string()) for name in ("parent_id", "cause", "new_id")]]


def generator_schema() -> pa.Schema:
    """One row for each new problem: `messages` ends with how it was written, behind what the writer was shown.

    `weight` is what it is worth as an example, by the `pass_rate` of the solver it is meant for; `zone` is learning,
    mastered or too hard. `cause` is the wrong attempt at the problem `parent_id` that gave rise to it.
    """
    import pyarrow as pa

    about = [(name, pa.string()) for name in ("problem_id", "question", "domain", "attempt_id", "model")]
    return pa.schema([("messages", conversation()), ("zone", pa.string()), *_about_new(), *about])


def curriculum_schema() -> pa.Schema:
    """One row for each new problem in the zone of learning, for the round that its `round` tells.

    `question` is the new problem, and `problem_id` the one beside which it stands.
    """
    import pyarrow as pa

    about = [(name, pa.string()) for name in ("problem_id", "question", "domain")]
    return pa.schema(
        [
            ("prompt", conversation()),
            ("answer", pa.string()),
            ("verifier", pa.string()),
            *_about_new(),
            *about,
        ]
    )
