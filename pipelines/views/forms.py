"""Items as a choice and as an open question: for learning by reward, with what checks an answer.

Both forms of an item have one `item`: split training from testing by it, never by the id of a problem.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

# The other form is asked for as the solvers were asked for the one they saw; where that did not have the question
# word for word, it is asked for plainly.
QUERY = """
with items as (
    select p.*, coalesce(q.opening, [{'role': 'user', 'content': p.question}]) as prompt,
        if(p.kind = 'form', json_extract_string(p.details, '$.item'), p.id) as item,
        case when p.verifier = 'choice' then 'choice' else 'open' end as format
    from accepted p left join openings q on q.problem = p.id where p.answer is not null and p.verifier is not null
), twins as (
    select t.*, i.prompt as asked, i.question as said, i.item,
        case when t.verifier = 'choice' then 'choice' else 'open' end as format
    from here_problems t join items i on t.draw = i.draw and t.id <> i.id
        and if(t.kind = 'form', json_extract_string(t.details, '$.item'), t.id) = i.item
)
select prompt, answer, verifier, item, format, id as problem_id, question, domain, draw from items
union all
select
    case when len([turn for turn in asked if said <> '' and contains(turn.content, said)]) > 0
         then [{'role': turn.role, 'content': replace(turn.content, said, question)} for turn in asked]
         else [{'role': 'user', 'content': question}] end,
    answer, verifier, item, format, id, question, domain, draw from twins
order by draw, item, format, problem_id
"""


def schema() -> pa.Schema:
    """One row for each form of each accepted problem that has an answer."""
    import pyarrow as pa

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    return pa.schema(
        [
            ("prompt", pa.list_(message)),
            ("answer", pa.string()),
            ("verifier", pa.string()),
            ("item", pa.string()),
            ("format", pa.string()),
            ("problem_id", pa.string()),
            ("question", pa.string()),
            ("domain", pa.string()),
        ]
    )
