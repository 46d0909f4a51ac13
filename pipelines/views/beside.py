"""What was written beside the problems, and found right or wrong there: tests, and repairs of programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import about_attempt, conversation
from pipelines.views.preference import PAIRS

if TYPE_CHECKING:
    import pyarrow as pa


def _tried(kind: str) -> str:
    """Finished attempts at the problems of a kind, with what is known of each."""
    return f"""
with marks as (
    select subject, coalesce(worst(status, rule = 'answer_matches'), worst(status, rule = 'agreed')) as correct,
        avg(score) filter (rule = 'reward') as reward
    from rulings group by subject
), tried as (
    select a.*, b.accepted, b.details as about_task, m.correct, m.reward
    from here_attempts a join beside b on b.id = a.problem join marks m on m.subject = a.id
    where b.kind = '{kind}' and a.finish = 'stop' and not coalesce(a.is_open, false) and not a.is_private
        and stripped(a.spoken) <> '' and a.id not in (select subject from unfit)
)"""


def _right(kind: str) -> str:
    return f"""
{_tried(kind)}
select
    list_append(t.asked, {{'role': 'assistant', 'content': t.answer_text}}) as messages, t.reward,
    p.id as problem_id, p.question, p.domain, t.id as attempt_id, t.model, t.sample
from tried t join accepted p on p.id = t.accepted where t.correct = 'pass'
order by p.draw, t.problem, t.sample, t.id
"""


TESTS, REPAIRS = _right("tests"), _right("revision")

# Each that is wrong goes with the right one that is nearest to it in length.
TESTS_PREFERENCE = f"""
{_tried("tests")}, pairs as (
    select r.id as chosen_id, w.id as rejected_id, abs(length(r.answer_text) - length(w.answer_text)) as gap
    from tried w join tried r on r.problem = w.problem and r.asked = w.asked
    where r.correct = 'pass' and w.correct = 'fail' and r.answer_text <> w.answer_text
    qualify row_number() over (partition by w.id order by gap, r.sample, r.id) = 1
)
select
    c.asked as prompt, [{{'role': 'assistant', 'content': c.answer_text}}] as chosen,
    [{{'role': 'assistant', 'content': r.answer_text}}] as rejected, 1.0::double as margin, 'right/wrong' as how,
    p.id as problem_id, p.question, p.domain, x.chosen_id, x.rejected_id
from pairs x join tried c on c.id = x.chosen_id join tried r on r.id = x.rejected_id
join accepted p on p.id = c.accepted
qualify row_number() over (partition by p.id order by x.gap, r.sample, x.rejected_id) <= {PAIRS}
order by p.draw, r.sample, x.rejected_id
"""

# Its two rewards stand apart, so that whoever trains may weigh them anew; `reward` is their mean.
REPAIRS_RL = f"""
{_tried("revision")}
select
    t.asked as prompt, [{{'role': 'assistant', 'content': t.answer_text}}] as completion, t.correct = 'pass' as label,
    (cast(t.correct = 'pass' as double) + coalesce(t.reward / 10, cast(t.correct = 'pass' as double))) / 2 as reward,
    cast(t.correct = 'pass' as double) as exec, t.reward / 10 as explanation,
    cast(json_extract(t.about_task, '$.round') as bigint) as round,
    p.id as problem_id, p.question, p.domain, t.id as attempt_id, t.model, t.sample
from tried t join accepted p on p.id = t.accepted where t.correct in ('pass', 'fail')
order by p.draw, round, t.problem, t.sample, t.id
"""


def schema() -> pa.Schema:
    """One row for each that was found right; `messages` ends with it. `reward` is how a model rated it."""
    import pyarrow as pa

    return pa.schema([("messages", conversation()), ("reward", pa.float64()), *about_attempt()])


def repairs_rl_schema() -> pa.Schema:
    """One row for each repair that was tried.

    `exec` is 1 where the program passes all tests, else 0; `explanation` is how well it explains what was wrong, from
    0 to 1, or null where nobody rated it; `reward` is the mean of what there is. `round` counts from 1.
    """
    import pyarrow as pa

    rewards = [(name, pa.float64()) for name in ("reward", "exec", "explanation")]
    return pa.schema(
        [
            ("prompt", conversation()),
            ("completion", conversation()),
            ("label", pa.bool_()),
            *rewards,
            ("round", pa.int64()),
            *about_attempt(),
        ]
    )
