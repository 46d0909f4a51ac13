"""Preference pairs: of two answers to one prompt, the one that is right, or the one that is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import about_problem, conversation

if TYPE_CHECKING:
    import pyarrow as pa

PAIRS = 4
"""At most so many of one problem, so that hard ones do not crowd out the rest."""

# Each wrong answer goes with the right one that is nearest to it in length, so that length tells nothing; those of
# which the lengths are nearest come first where there are too many. Where no answer was checked, the best by reward
# goes with the worst; where none was rated either, a judge's preference counts that holds in both orders. Answers
# are paired by digests, and their texts are fetched for the pairs alone: n wrong and m right ones make n times m.
QUERY = f"""
with sides as materialized (
    select id, problem, sample, is_right, is_wrong, correct, length(answer_text) as size,
        md5(answer_text) as text, md5(cast(asked as varchar)) as prompt,
        avg(reward) over (partition by problem, prompt, text) as reward
    from checked where stripped(spoken) <> '' and not uses_tools
    qualify row_number() over (partition by problem, prompt, text, is_right, is_wrong order by sample, id) = 1
), matched as (
    select w.problem, r.id as chosen_id, w.id as rejected_id, w.sample, abs(r.size - w.size) as gap
    from sides w join sides r on r.problem = w.problem and r.prompt = w.prompt and r.text <> w.text
    where w.is_wrong and r.is_right
    qualify row_number() over (partition by w.id order by gap, r.sample, r.id) = 1
), nearest as (
    select *, row_number() over (partition by problem order by gap, sample, rejected_id) as place from matched
), open as (
    select * from sides where problem not in (select problem from sides where correct is not null)
), rated as (
    select problem, prompt, arg_max(id, (reward, -sample, id)) as chosen_id, arg_min(id, (reward, sample, id)) as
        rejected_id, max(reward) - min(reward) as margin
    from open where reward is not null group by problem, prompt
), judged as (
    select b.problem, b.id as chosen_id, w.id as rejected_id, 2 * v.score - 1 as margin
    from here_verdicts v join open b on b.id = v.value
    join open w on w.id = [each for each in v.subjects if each <> v.value][1]
    where v.rule like 'preferred@%' and v.status = 'pass' and b.prompt = w.prompt and b.text <> w.text
        and b.reward is null and w.reward is null
), pairs as (
    select chosen_id, rejected_id, 1.0::double as margin, 'right/wrong' as how, place
    from nearest where place <= {PAIRS}
    union all select chosen_id, rejected_id, margin, 'reward', 1 from rated where margin > 0
    union all select chosen_id, rejected_id, max(margin), 'judge', 1 from judged where margin > 0 group by 1, 2
)
select
    c.asked as prompt, [{{'role': 'assistant', 'content': c.answer_text}}] as chosen,
    [{{'role': 'assistant', 'content': r.answer_text}}] as rejected, x.margin, x.how,
    p.id as problem_id, p.question, p.domain, x.chosen_id, x.rejected_id
from pairs x join answered c on c.id = x.chosen_id join here_attempts r on r.id = x.rejected_id
join accepted p on p.id = c.problem
where c.answer_text <> r.answer_text
order by p.draw, p.id, x.how, x.place, x.rejected_id, x.chosen_id
"""


def schema() -> pa.Schema:
    """One row for each pair. `margin` is 1 for right over wrong, else the difference of rewards or votes.

    `how` says which: `right/wrong`, `reward` or `judge`.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("prompt", conversation()),
            ("chosen", conversation()),
            ("rejected", conversation()),
            ("margin", pa.float64()),
            ("how", pa.string()),
            *about_problem(),
            ("chosen_id", pa.string()),
            ("rejected_id", pa.string()),
        ]
    )
