"""Judges: tasks of judging with the answer that a verifier knows, and what judges replied to them.

Only tasks in which the judge was shown no reference. The truth is the verifier's, or as it was given with the data,
or of those who made a worse response on purpose; what a judge had overturned on appeal is not known. Pairs are there
in both orders, or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.views.columns import about_attempt, about_problem, conversation

if TYPE_CHECKING:
    import pyarrow as pa

# The task in the words that the judge was asked in, so that a reply is read as the judge's was. What `contrast` made
# is a task by itself, whether anybody was asked or not.
JUDGE = """
select
    coalesce(q.opening, [{'role': 'user', 'content': t.question}]) as prompt, j.answer, 'judging' as verifier,
    j.form, j.judged, coalesce(json_extract_string(t.details, '$.pair'), md5(list_aggregate(
        list_sort(j.judged), 'string_agg', ' '))) as pair_id,
    cast(json_extract(t.details, '$.order') as bigint) as "order", p.source,
    json_extract_string(t.details, '$.corruption') as corruption,
    json_extract_string(t.details, '$.modified_instruction') as modified_instruction,
    p.id as problem_id, p.question, p.domain, j.id as task_id
from judging j join here_problems t on t.id = j.id left join openings q on q.problem = j.id
join accepted p on p.id = j.about where t.kind = 'judgement' or q.opening is not null
order by p.draw, j.form, list_sort(j.judged), j.judged, j.id
"""

REPLIES = """
replies as (
    select a.*, j.form, j.judged, j.answer, j.about, judgement_in(coalesce(a.turns[-1].content, '')) as said
    from judging j join here_attempts a on a.problem = j.id
    where a.finish = 'stop' and not a.is_private and a.id not in (select subject from unfit)
)
"""

CRITIQUE = f"""
with {REPLIES}
select
    list_append(a.asked, {{'role': 'assistant', 'content': a.answer_text}}) as messages,
    list_append([false for _ in a.asked], true) as learnt, a.said as verdict, a.form, a.judged,
    [coalesce((select any_value(w.model) from here_attempts w where w.id = a.judged[1]), ''),
     coalesce((select any_value(w.model) from here_attempts w where w.id = a.judged[2]), '')][:len(a.judged)]
    as solvers, p.id as problem_id, p.question, p.domain, a.id as attempt_id, a.model, a.sample
from replies a join accepted p on p.id = a.about where a.said = a.answer
order by p.draw, a.form, list_sort(a.judged), a.judged, a.sample, a.id
"""

# One pair for each prompt: of the right and wrong replies those nearest in length. A pair of attempts needs one in
# each order, so that A is preferred as often as B.
PREFERENCE = f"""
with {REPLIES}, pairs as (
    select r.problem as task, r.form, r.judged, r.about, r.id as chosen_id, w.id as rejected_id
    from replies r join replies w on w.problem = r.problem and r.said = r.answer and w.said not in ('', w.answer)
    qualify row_number() over (partition by r.problem order by
        abs(length(r.answer_text) - length(w.answer_text)), r.sample, r.id, w.sample, w.id) = 1
), balanced as (
    select * from pairs qualify form = 'single' or count(*) over (partition by list_sort(judged), form) = 2
)
select
    c.asked as prompt, [{{'role': 'assistant', 'content': c.answer_text}}] as chosen,
    [{{'role': 'assistant', 'content': r.answer_text}}] as rejected, 1.0::double as margin, b.form as how,
    p.id as problem_id, p.question, p.domain, b.chosen_id, b.rejected_id
from balanced b join here_attempts c on c.id = b.chosen_id join here_attempts r on r.id = b.rejected_id
join accepted p on p.id = b.about
order by p.draw, b.form, list_sort(b.judged), b.judged, b.task
"""


def judge_schema() -> pa.Schema:
    """One row for each task of judging.

    `answer` is yes or no where one attempt is judged (`form` is `single`), A or B where two are (`pair`): the ids
    in `judged`, the first is A. Tasks with one `pair_id` are about the same pair of responses, in both orders and
    each alone: keep them in one batch. Where `contrast` made the pair, `order` is 0 where the better response comes
    first (or is the one) and 1 where the worse does, and `corruption` says why that is worse: `wrong_answer`, or
    `modified_instruction` for an answer to that other instruction. `source` is where the problem comes from.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("prompt", conversation()),
            ("answer", pa.string()),
            ("verifier", pa.string()),
            ("form", pa.string()),
            ("judged", pa.list_(pa.string())),
            ("pair_id", pa.string()),
            ("order", pa.int64()),
            ("source", pa.string()),
            ("corruption", pa.string()),
            ("modified_instruction", pa.string()),
            *about_problem(),
            ("task_id", pa.string()),
        ]
    )


def critique_schema() -> pa.Schema:
    """One row for each reply of a judge that says what the verifier says; `messages` ends with it.

    Only that is to be learnt, as `learnt` says of each message. `model` wrote it, `solvers` what was judged.
    """
    import pyarrow as pa

    judged = [("judged", pa.list_(pa.string())), ("solvers", pa.list_(pa.string()))]
    told = [("learnt", pa.list_(pa.bool_())), ("verdict", pa.string()), ("form", pa.string()), *judged]
    return pa.schema([("messages", conversation()), *told, *about_attempt()])
