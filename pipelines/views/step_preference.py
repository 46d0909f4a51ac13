"""Pairs that begin alike: a right and a wrong answer with the same first steps, from where they part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import about_problem, conversation

if TYPE_CHECKING:
    import pyarrow as pa

PAIRS = 4
"""At most so many of one problem."""

# Each wrong answer goes with the right one that goes along with it furthest, told by lines and sentences. Where the
# two part is a matter of their steps, which are those of the trace; in the answer as it is exported, the trace has an
# `opening` before it if reasoning was kept apart.
QUERY = f"""
with pieces as materialized (
    select id, problem, sample, is_right, md5(cast(asked as varchar)) as prompt,
        left(answer_text, strpos(answer_text, shown_trace) - 1) as opening,
        [hash(piece) for piece in regexp_split_to_array(shown_trace, '\\n|[.!?]\\s')] as pieces
    from checked where (is_right or is_wrong) and not uses_tools
    qualify row_number() over (partition by problem, prompt, md5(answer_text), is_right order by sample, id) = 1
), matched as (
    select w.problem, r.id as chosen_id, w.id as rejected_id, w.sample, r.opening,
        list_position([x[1] is distinct from x[2] for x in list_zip(r.pieces, w.pieces)], true) - 1 as along
    from pieces w join pieces r on r.problem = w.problem and r.prompt = w.prompt and r.opening = w.opening
        and r.pieces[1] = w.pieces[1]
    where r.is_right and not w.is_right and along < least(len(r.pieces), len(w.pieces))
    qualify row_number() over (partition by w.id order by along desc, r.sample, r.id) = 1
), pairs as (
    select *, row_number() over (partition by problem order by along desc, sample, rejected_id) as place from matched
    qualify place <= {PAIRS}
), begun as (
    select x.*, c.asked, c.answer_text as good, r.answer_text as bad,
        shared_steps(c.shown_trace, r.shown_trace) as alike
    from pairs x join answered c on c.id = x.chosen_id join here_attempts r on r.id = x.rejected_id
), parted as (
    select *, opening || struct_extract(alike, 'text') as prefix, struct_extract(alike, 'steps') as steps from begun
)
select
    b.asked as prompt, b.prefix, substr(b.good, length(b.prefix) + 1) as chosen,
    substr(b.bad, length(b.prefix) + 1) as rejected, b.steps as shared,
    p.id as problem_id, p.question, p.domain, b.chosen_id, b.rejected_id
from parted b join accepted p on p.id = b.problem where b.steps > 0
order by p.draw, p.id, b.place, b.rejected_id
"""


def schema() -> pa.Schema:
    """One row for each pair: `prefix` + `chosen` is the right answer, `prefix` + `rejected` the wrong one.

    `prefix` is the text of the `shared` first steps, as the beginning of the assistant's turn.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("prompt", conversation()),
            ("prefix", pa.string()),
            ("chosen", pa.string()),
            ("rejected", pa.string()),
            ("shared", pa.int64()),
            *about_problem(),
            ("chosen_id", pa.string()),
            ("rejected_id", pa.string()),
        ]
    )
