"""Planning first: answers that give their plan, then their thinking, then what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import about_attempt, conversation

if TYPE_CHECKING:
    import pyarrow as pa

# A posing has its plan in the posed problem; a solution that was planned has it in its own details. The plan is cut
# out of the answer that it stands in, and put before everything else.
QUERY = """
with plans as (
    select a.*, p.id as about, 'pose' as task, json_extract_string(p.details, '$.plan') as plan
    from accepted p join here_attempts a on a.id = p.parents[1]
    where p.kind = 'posed' and a.finish = 'stop' and not a.is_private and a.id not in (select subject from unfit)
    union all by name
    select i.*, i.problem as about, 'solve' as task, json_extract_string(i.details, '$.plan') as plan
    from imitated i where contains(i.details, '"plan":')
)
select
    list_append(a.asked, {'role': 'assistant', 'content': '<plan>\n' || stripped(a.plan) || '\n</plan>\n\n'
        || case when stripped(a.thought) <> '' then '<think>\n' || a.thought || '\n</think>\n\n' else '' end
        || stripped(regexp_replace(a.spoken, '<plan>.*?</plan>\\s*', '', 's'))}) as messages,
    a.task, p.id as problem_id, p.question, p.domain, a.id as attempt_id, a.model, a.sample
from plans a join accepted p on p.id = a.about where stripped(a.plan) <> '' and not a.uses_tools
order by p.draw, a.task, a.sample, a.id
"""


def schema() -> pa.Schema:
    """One row for each posing of what was accepted, and for each good solution, that has a plan.

    `task` is `pose` or `solve`.
    """
    import pyarrow as pa

    return pa.schema([("messages", conversation()), ("task", pa.string()), *about_attempt()])
