"""Long thoughts: what to learn of thoughts that were continued, and which of two is preferred.

By what `thought_class` says of each: O is right, X wrong, OO, OX, XO and XX continue one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import about_attempt, conversation

if TYPE_CHECKING:
    import pyarrow as pa

CLASSES = """
classes as (select subject, any_value(value) as class from rulings where rule = 'thought_class' group by subject)
"""

# Of a thought that corrected itself what is wrong, up to the cue, is not to be learnt; the cue is.
CONTINUED = f"""
with {CLASSES}, picks as (
    select subject, bool_and(status = 'pass') as picked from rulings where rule = 'thought_picks' group by subject
)
select
    list_append(r.asked, {{'role': 'assistant', 'content': r.answer_text}}) as messages,
    case when c.class <> 'XO' then 0
         else length('<think>\n') + cast(json_extract(r.details, '$.begun') as bigint) end as begun,
    c.class, p.id as problem_id, p.question, p.domain, r.id as attempt_id, r.model, r.sample
from checked r join accepted p on p.id = r.problem join classes c on c.subject = r.id
left join picks k on k.subject = r.id
where r.ends_right and c.class in ('O', 'OO', 'XO') and coalesce(k.picked, true)
    and stripped(r.thought) <> '' and stripped(r.spoken) <> '' and not r.uses_tools
order by p.draw, r.stage, r.sample, r.id
"""

LONGER = 1.5
"""How much longer a right thought has to be for a shorter one to be preferred to it."""

# By kinship: `own` continues the other, `twin` continues the same, `any` is another thought about the same problem.
# Of each kind of pair one from each problem, so that none crowds out the others.
PREFERENCE = f"""
with {CLASSES}, sides as materialized (
    select r.id, r.problem, c.class, r.parents[2] as before, length(r.answer_text) as size,
        md5(r.answer_text) as text, md5(cast(r.asked as varchar)) as prompt
    from checked r join classes c on c.subject = r.id
    where stripped(r.thought) <> '' and stripped(r.spoken) <> '' and not r.uses_tools and (r.ends_right or r.is_wrong)
), kinds(good, bad, kin) as (
    values ('O', 'OX', 'own'), ('XO', 'XX', 'twin'), ('XO', 'X', 'own'), ('O', 'X', 'any'), ('O', 'XX', 'any'),
        ('O', 'OO', 'own')
), pairs as (
    select g.id as chosen_id, b.id as rejected_id, k.good || '>' || k.bad as how,
        if(k.bad = 'OO', 1.0 - g.size / b.size, 1.0)::double as margin
    from kinds k join sides g on g.class = k.good join sides b on b.class = k.bad and b.problem = g.problem
    where case k.kin when 'own' then coalesce(b.before = g.id, false) or coalesce(g.before = b.id, false)
                     when 'twin' then g.before = b.before else true end
        and g.prompt = b.prompt and g.text <> b.text and (k.bad <> 'OO' or b.size >= {LONGER} * g.size)
    qualify row_number() over (partition by g.problem, how order by md5(g.id || b.id)) = 1
)
select
    c.asked as prompt, [{{'role': 'assistant', 'content': c.answer_text}}] as chosen,
    [{{'role': 'assistant', 'content': r.answer_text}}] as rejected, x.margin, x.how,
    p.id as problem_id, p.question, p.domain, x.chosen_id, x.rejected_id
from pairs x join answered c on c.id = x.chosen_id join here_attempts r on r.id = x.rejected_id
join accepted p on p.id = c.problem
order by p.draw, p.id, x.how
"""


def continued_schema() -> pa.Schema:
    """One row for each right thought that was picked; of its last message `begun` characters are not to be learnt."""
    import pyarrow as pa

    return pa.schema([("messages", conversation()), ("begun", pa.int64()), ("class", pa.string()), *about_attempt()])
