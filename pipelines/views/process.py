"""Process labels: the steps of a trace, and which of them come before the first error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import about_attempt, conversation

if TYPE_CHECKING:
    import pyarrow as pa

# The steps are cut as they were for the judge who numbered them; a trace that is now cut into another number of
# steps is left out. So is one on which judges disagree, and one of right steps that ends in a wrong answer: there
# the judge has overlooked something.
QUERY = """
with told as (
    select subject, any_value(status) as status, any_value(try_cast(value as bigint)) as first_error,
        any_value(try_cast(json_extract_string(evidence, '$.steps') as bigint)) as count
    from rulings where rule = 'first_error' and status in ('pass', 'fail')
    group by subject having count(distinct (status, value)) = 1
), stepped as (
    select a.*, steps_in(a.trace) as steps, t.status, t.count, case when t.status = 'fail' then t.first_error end as
        first_error
    from checked a join told t on t.subject = a.id where not a.uses_tools
)
select
    a.asked as prompt, a.steps,
    [a.first_error is null or place < a.first_error for place in range(1, len(a.steps) + 1)] as labels,
    a.first_error, case when a.is_right then true when a.is_wrong then false end as is_right,
    p.id as problem_id, p.question, p.domain, a.id as attempt_id, a.model, a.sample
from stepped a join accepted p on p.id = a.problem
where len(a.steps) = a.count and len(a.steps) > 0 and (a.status = 'pass') = (a.first_error is null)
    and not (a.is_wrong and a.first_error is null)
order by p.draw, a.sample, a.id
"""


def schema() -> pa.Schema:
    """One row for each trace of which a judge told the first error, or that there is none.

    `labels` has a truth for each of `steps`: before the first error true, from it on false. `first_error` is its
    number from 1, null for none; `is_right` what is known of the final answer.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("prompt", conversation()),
            ("steps", pa.list_(pa.string())),
            ("labels", pa.list_(pa.bool_())),
            ("first_error", pa.int64()),
            ("is_right", pa.bool_()),
            *about_attempt(),
        ]
    )
