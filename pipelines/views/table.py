"""Views: what consumers load, as queries over the facts.

A view is a SQL query over `problems`, `attempts` and `verdicts`, and the Arrow schema of what it gives. `accepted`
holds the problems of the version that were accepted (or those of a random arm), in draw order; `asked` gives the
conversation of an attempt without its answer. `<think>` is rendered here, from reasoning that is kept apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

from pipelines.views import (
    beside,
    escalated,
    forms,
    instances,
    judging,
    mixed,
    offline,
    planned,
    pool,
    preference,
    process,
    revised,
    rl,
    sft,
    step_preference,
    thoughts,
    turns,
    twins,
)
from pipelines.views.functions import add_functions

BATCH_BYTES = 32 << 20
"""Of attempts that a query looks at: memory stays the same however large a version is."""

# Rules that choose among attempts: what they fail is in no view, whether it is right or not.
UNFIT = (
    *("switches", "strategy_count", "review_ratio", "boundary", "no_void_turns", "coherent", "failed_steps"),
    *("not_repetitive", "one_language", "no_prompt_words", "trace_length", "verbosity"),
    *("no_leak_words", "not_repeated", "thought_and_answer"),
    *("process_consistent", "shortest_right", "best_right", "length_weighted", "no_words", "no_refusal"),
    *("unlike", "made_by", "not_replaced"),
)

# As `pipelines.inference.engine` splits a text that holds its own thinking.
THINK = r"^\s*(?:<think>)?(.*?)</think>\s*"

# Templates of ours that show what no model to be trained may see, from before attempts said so in their details.
PRIVATE = ("judge/reference",)

BASE = f"""
set variable first = 0; set variable stop = 0; set variable arm = null;
create temp macro stripped(words) as trim(words, e' \\t\\r\\n');
-- Of several verdicts of one rule on one fact: pass where all say so, fail where any does.
create temp macro worst(status, counts) as case
    when bool_or(counts and status = 'fail') then 'fail'
    when bool_or(counts and status in ('unsure', 'error')) then 'unsure'
    when bool_or(counts and status = 'pass') then 'pass' end;

create temp view here_problems as
    select * from problems where draw >= getvariable('first') and draw < getvariable('stop');
create temp view here_verdicts as
    select * from verdicts where draw >= getvariable('first') and draw < getvariable('stop');

-- `asked` is the conversation before the answer, `answer_text` the answer with its thinking, `thought` and `spoken`
-- its two parts, wherever the engine put the thought. `trace` is what `filters.trace` calls so, `shown_trace` what of
-- it stands in `answer_text`, which is rendered anew where the thought came in the content. `is_open`: its thought
-- never ends, so it was cut, whatever brought it says. `is_private`: it was shown what no prompt may show.
create temp view here_attempts as
    select *,
        [{{'role': t.role, 'content': t.content}} for t in turns[:-2]] as asked,
        case when turns[-1].reasoning <> '' then turns[-1].reasoning
             when contains(turns[-1].content, '</think>')
             then stripped(regexp_extract(turns[-1].content, '{THINK}', 1, 's')) else '' end as thought,
        case when contains(turns[-1].content, '</think>')
                  and (coalesce(turns[-1].reasoning, '') = '' or starts_with(stripped(turns[-1].content), '<think>'))
             then regexp_replace(turns[-1].content, '{THINK}', '', 's')
             else coalesce(turns[-1].content, '') end as spoken,
        case when thought = '' then spoken else '<think>\n' || thought || '\n</think>\n\n' || spoken end
        as answer_text,
        starts_with(stripped(turns[-1].content), '<think>') and not contains(turns[-1].content, '</think>')
        as is_open,
        coalesce(nullif(turns[-1].reasoning, ''), turns[-1].content, '') as trace,
        case when contains(answer_text, trace) then trace else answer_text end as shown_trace,
        len([t for t in turns if t.role = 'assistant']) > 1 as has_several,
        len([t for t in turns if t.role = 'tool' or t.tool_calls is not null]) > 0 as uses_tools,
        split_part(prompt, '@', 1) in {PRIVATE!r}
            or coalesce(contains(details, '"private":') and json_array_length(details, '$.private') > 0, false)
        as is_private
    from attempts where draw >= getvariable('first') and draw < getvariable('stop');
create temp view rulings as
    select unnest(subjects) as subject, split_part(rule, '@', 1) as rule, stage, status, score, value, context,
        evidence
    from here_verdicts;
-- Tests go out without the program that passes them.
create temp view accepted as
    select p.* replace (case when p.verifier = 'code' then without_solution(p.answer) else p.answer end as answer)
    from rulings v join here_problems p on p.id = v.subject
    where case when getvariable('arm') is null then v.rule = 'accepted' and v.status = 'pass'
               else v.rule = getvariable('arm') and json_extract_string(v.evidence, '$.random') = 'true' end;
-- Problems that stages put beside those of the draws, with the accepted one that each belongs to.
create temp view beside as
    select s.*, p.id as accepted from here_problems s join accepted p on p.draw = s.draw and p.id <> s.id;
create temp view unfit as
    select distinct subject from rulings where status = 'fail' and rule in {UNFIT};

-- How a problem was put to those who were shown nothing private: where several prompts were tried, to the first by
-- name, so that all problems are put in the same words. Where all were shown something private: as one of them says
-- that it would have been asked `plainly`.
create temp view openings as
    select problem, arg_min(opening, (is_private, prompt, sample, id)) as opening from (
        select problem, is_private, prompt, sample, id, case when is_private
            then from_json(json_extract(details, '$.plainly'), '[{{"role": "VARCHAR", "content": "VARCHAR"}}]')
            else [{{'role': t.role, 'content': t.content}}
                  for t in turns[:list_position([t.role for t in turns], 'assistant') - 1]] end as opening
        from here_attempts
    ) where opening is not null group by problem;

-- The finished attempts at what was accepted. One that was shown something private is given as if it had been asked
-- plainly; a conversation in which that cannot be done is left out.
create temp view answered as
    select a.* replace (case when a.is_private
        then coalesce(q.opening, [{{'role': 'user', 'content': p.question}}]) else a.asked end as asked)
    from here_attempts a join accepted p on p.id = a.problem left join openings q on q.problem = p.id
    where a.finish = 'stop' and not coalesce(a.is_open, false) and a.id not in (select subject from unfit)
        and not (a.is_private and a.has_several);
create temp view told as
    select subject, rule, max(status) as status, avg(score) as score from rulings group by subject, rule;
create temp view rates as
    select subject, arg_max(score, n) as pass_rate, max(n) as pass_rate_n from (
        select subject, score, cast(json_extract(context, '$.n') as bigint) as n from rulings where rule = 'pass_rate'
    ) group by subject;

-- What is known of each: right by the final label if there was an appeal, and with the same choice when its options
-- were shuffled if that was tried; wrong only where that was found. Where there is no reference nothing was checked
-- against it. `verified` leaves out what a judge has changed. What goes on from another's thought that was not right
-- may end right (`ends_right`) and is not to be learnt whole: `continued` leaves that beginning out of the loss.
create temp view checked as
    with marks as (
        select subject, worst(status, rule = 'answer_matches') as matched, worst(status, rule = 'given') as given,
            worst(status, rule = 'label') as label, worst(status, rule = 'option_consistency') as options,
            worst(status, rule = 'agreed') as agreed, avg(score) filter (rule = 'reward') as reward
        from rulings group by subject
    ), misled as (
        select a.id from here_attempts a left join marks b on b.subject = a.parents[2]
        where contains(a.details, '"begun":') and coalesce(b.label, b.matched, b.given, '') <> 'pass'
    )
    select a.*, m.reward,
        if(m.matched = 'unsure' and coalesce(p.answer = '' or p.verifier = '', true), null, m.matched) as compared,
        coalesce(m.label, compared, m.agreed, m.given) as correct,
        coalesce(correct = 'pass' and coalesce(m.options, 'pass') = 'pass', false) as ends_right,
        ends_right and a.id not in (from misled) as is_right,
        coalesce(correct = 'fail', false) as is_wrong, m.options,
        case when m.label is null or m.label = compared then coalesce(compared, m.given) end as verified
    from answered a join accepted p on p.id = a.problem left join marks m on m.subject = a.id;

-- What is worth imitating: what is right. Where nothing was checked the one with the highest reward, or all.
create temp view imitated as
    select * from (
        select *, row_number() over (partition by problem order by reward desc nulls last, sample, id) as place
        from checked
    ) where is_right or (correct is null and coalesce(options, 'pass') = 'pass' and (reward is null or place = 1));

-- Tasks of judging one attempt, or which of two is better, whose answer a verifier knows, or those who made the pair;
-- no reference was shown.
create temp view judging as
    with known as (select id, problem, verified from checked where verified in ('pass', 'fail')),
    asked as (
        select t.id, t.stage, t.parents from here_problems t join (
            select distinct rule, stage, subject from rulings where rule in ('judged', 'preferred')
        ) v on v.stage = t.stage and v.subject = t.parents[1]
        where t.kind = 'judge' and t.answer is null and len(t.parents) = if(v.rule = 'judged', 1, 2)
    )
    select t.id, t.stage, t.parents as judged, 'single' as form, one.problem as about,
        if(one.verified = 'pass', 'yes', 'no') as answer
    from asked t join known one on one.id = t.parents[1] where len(t.parents) = 1
    union all
    select t.id, t.stage, t.parents, 'pair', one.problem, if(one.verified = 'pass', 'A', 'B')
    from asked t join known one on one.id = t.parents[1] join known other on other.id = t.parents[2]
    where len(t.parents) = 2 and one.verified <> other.verified
    qualify count(*) over (partition by t.stage, list_sort(t.parents)) = 2
    union all
    select t.id, t.stage, t.parents, json_extract_string(t.details, '$.form'), t.accepted, t.answer
    from beside t where t.kind = 'judgement';
"""

Kind = Literal["sft", "preference", "steps", "rl", "process", "offline"]
"""What training a view is for, and so the columns that all of its kind have.

sft: `messages`, of which the last is to be learnt (`turns` says which by `train`, and `continued` from where on by
`begun`). preference: `prompt`, `chosen` and `rejected`, all messages. steps: `prompt` (messages), and the texts
`prefix`, `chosen` and `rejected`. rl: `prompt` (messages), `answer` and `verifier`. process: `prompt` (messages),
`steps` and `labels`. offline: `prompt` and `completion` (messages), `label` and `reward`.
"""


class View(NamedTuple):
    """An entry of the table VIEWS. A change of the query raises `version`."""

    query: str
    schema: Callable[[], pa.Schema]
    version: int
    kind: Kind = "sft"
    about: str = ""  # what a row is, in one line


VIEWS: dict[str, View] = {
    "sft": View(sft.QUERY, sft.schema, 6, "sft", "every right answer, with its thinking, as a conversation"),
    "twins": View(twins.QUERY, twins.schema, 2, "sft", "right answers twice: with their thinking and without"),
    "mixed": View(
        mixed.QUERY,
        mixed.schema,
        2,
        "sft",
        "right answers, with their thinking where the problem is hard, else without",
    ),
    "planned": View(
        planned.QUERY, planned.schema, 2, "sft", "plan, then thinking, then the answer or the posed task"
    ),
    "instances": View(
        instances.QUERY, instances.schema, 1, "sft", "inputs of accepted tasks with the outputs that belong to them"
    ),
    "turns": View(turns.QUERY, turns.schema, 2, "sft", "right conversations of several turns, with what tools said"),
    "critique": View(
        judging.CRITIQUE, judging.critique_schema, 2, "sft", "judgements that agree with the verifier, with reasons"
    ),
    "preference": View(
        preference.QUERY, preference.schema, 2, "preference", "right over wrong answers, or better over worse ones"
    ),
    "judge_preference": View(
        judging.PREFERENCE, preference.schema, 2, "preference", "right over wrong judgements, of pairs in both orders"
    ),
    "continued": View(
        thoughts.CONTINUED, thoughts.continued_schema, 1, "sft", "right long thoughts; what was wrong is not learnt"
    ),
    "revised": View(
        revised.QUERY, revised.schema, 1, "sft", "right traces, shorter where they were revised, and the originals"
    ),
    "thought_preference": View(
        thoughts.PREFERENCE,
        preference.schema,
        1,
        "preference",
        "right over wrong thoughts, corrected and short ones",
    ),
    "step_preference": View(
        step_preference.QUERY, step_preference.schema, 2, "steps", "right over wrong answers from where they part"
    ),
    "rl": View(rl.QUERY, rl.schema, 3, "rl", "prompts with the answer and the verifier that rewards it"),
    "pool": View(
        pool.QUERY, pool.schema, 3, "rl", "every problem, solved or not, with its right answers and their rounds"
    ),
    "generator": View(
        escalated.GENERATOR,
        escalated.generator_schema,
        1,
        "sft",
        "how new problems were written where a solver failed",
    ),
    "curriculum": View(
        escalated.CURRICULUM, escalated.curriculum_schema, 1, "rl", "new problems that a solver gets right sometimes"
    ),
    "forms": View(forms.QUERY, forms.schema, 2, "rl", "the same as a choice and as an open question"),
    "judge": View(judging.JUDGE, judging.judge_schema, 3, "rl", "tasks of judging whose answer a verifier knows"),
    "process": View(
        process.QUERY, process.schema, 2, "process", "steps, each labelled as before the first error or not"
    ),
    "offline": View(
        offline.QUERY, offline.schema, 2, "offline", "every checked answer, right and wrong, with its reward"
    ),
    "tests": View(beside.TESTS, beside.schema, 1, "sft", "unit tests that agree with programs, as a conversation"),
    "tests_preference": View(
        beside.TESTS_PREFERENCE, preference.schema, 1, "preference", "tests that agree with programs over others"
    ),
    "repairs": View(beside.REPAIRS, beside.schema, 1, "sft", "repairs of wrong answers that are right, explained"),
    "repairs_rl": View(
        beside.REPAIRS_RL, beside.repairs_rl_schema, 1, "offline", "every repair, right and wrong, with its rewards"
    ),
}


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Define what the queries share."""
    add_functions(connection)
    connection.execute(BASE)


def random_arm(connection: duckdb.DuckDBPyConnection, selectors: Sequence[str]) -> str | None:
    """The last of these rules that marked as many rows by chance as it chose; None where none did."""
    marked = "select exists (from verdicts where split_part(rule, '@', 1) = ? and json_exists(evidence, '$.random'))"
    having = (name for name in reversed(selectors) if connection.execute(marked, [name]).fetchall()[0][0])
    return next(having, None)


def batches(connection: duckdb.DuckDBPyConnection, view: View, *, arm: str | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a view in its own schema, in draw order, from some draws at a time.

    Of what was accepted; with `arm`, of what this selector would have taken by chance.
    """
    connection.execute("set variable arm = $1", [arm])
    draws, size = connection.execute(  # four bytes a token, and what stands around it: near enough
        "select (select coalesce(max(draw), -1) + 1 from problems),"
        " (select sum(2000 + 4 * coalesce(completion_tokens, 2000)) from attempts)"
    ).fetchall()[0]
    step = max(1, draws * BATCH_BYTES // max(1, int(size or 0)))
    for first in range(0, draws, step):
        connection.execute(f"set variable first = {first}; set variable stop = {first + step}")
        wanted = view.schema()
        yield from connection.sql(view.query).to_arrow_table().select(wanted.names).cast(wanted).to_batches()
