"""Offline reinforcement learning: every answer that was checked, right and wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import about_attempt, conversation

if TYPE_CHECKING:
    import pyarrow as pa

QUERY = """
select
    a.asked as prompt, [{'role': 'assistant', 'content': a.answer_text}] as completion, a.is_right as label,
    cast(a.is_right as double) as reward, a.reward as score, s.pass_rate,
    p.id as problem_id, p.question, p.domain, a.id as attempt_id, a.model, a.sample
from checked a join accepted p on p.id = a.problem left join rates s on s.subject = p.id
where (a.is_right or a.is_wrong) and not a.uses_tools
order by p.draw, a.sample, a.id
"""


def schema() -> pa.Schema:
    """One row for each attempt that is right or wrong: `reward` is 1 or 0, `score` what a reward model gave."""
    import pyarrow as pa

    return pa.schema(
        [
            ("prompt", conversation()),
            ("completion", conversation()),
            ("label", pa.bool_()),
            ("reward", pa.float64()),
            ("score", pa.float64()),
            ("pass_rate", pa.float64()),
            *about_attempt(),
        ]
    )
