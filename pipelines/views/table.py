"""Views: what consumers load, as queries over the facts.

A view is a SQL query over `problems`, `attempts` and `verdicts`, and the Arrow schema of what it gives. `accepted`
holds the problems of the version that were accepted (or those of a random arm), in draw order; `asked` gives the
conversation of an attempt without its answer. `<think>` is rendered here, from reasoning that is kept apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

from pipelines.views import forms, rl, sft

BATCH_BYTES = 32 << 20
"""Of attempts that a query looks at: memory stays the same however large a version is."""

# Rules that choose among attempts: what they fail is in no view, whether it is right or not.
UNFIT = (
    *("switches", "strategy_count", "review_ratio", "boundary", "no_void_turns", "coherent", "failed_steps"),
    *("not_repetitive", "one_language", "no_prompt_words", "trace_length", "verbosity"),
    *("process_consistent", "shortest_right", "length_weighted"),
)

BASE = f"""
set variable first = 0; set variable stop = 0; set variable arm = null;
create temp view here_problems as
    select * from problems where draw >= getvariable('first') and draw < getvariable('stop');
create temp view here_attempts as
    select * from attempts where draw >= getvariable('first') and draw < getvariable('stop');
create temp view rulings as
    select unnest(subjects) as subject, split_part(rule, '@', 1) as rule, status, score, value, context, evidence
    from verdicts where draw >= getvariable('first') and draw < getvariable('stop');
create temp view accepted as
    select p.* from rulings v join here_problems p on p.id = v.subject
    where case when getvariable('arm') is null then v.rule = 'accepted' and v.status = 'pass'
               else v.rule = getvariable('arm') and json_extract_string(v.evidence, '$.random') = 'true' end;
create temp view unfit as
    select distinct subject from rulings where status = 'fail' and rule in {UNFIT};
create temp view openings as
    select problem, arg_min(
        [{{'role': t.role, 'content': t.content}}
         for t in turns[:list_position([t.role for t in turns], 'assistant') - 1]], (sample, id)) as opening
    from here_attempts group by problem;
create temp view answered as
    select a.*, [{{'role': t.role, 'content': t.content}} for t in a.turns[:-2]] as asked,
        case when a.turns[-1].reasoning is null then coalesce(a.turns[-1].content, '')
             else '<think>\n' || a.turns[-1].reasoning || '\n</think>\n\n' || coalesce(a.turns[-1].content, '') end
        as answer_text
    from here_attempts a join accepted p on p.id = a.problem
    where a.finish = 'stop' and a.id not in (select subject from unfit);
create temp view told as
    select subject, rule, max(status) as status, avg(score) as score from rulings group by subject, rule;
create temp view rates as
    select subject, arg_max(score, n) as pass_rate, max(n) as pass_rate_n from (
        select subject, score, cast(json_extract(context, '$.n') as bigint) as n from rulings where rule = 'pass_rate'
    ) group by subject;
"""


class View(NamedTuple):
    """An entry of the table VIEWS. A change of the query raises `version`."""

    query: str
    schema: Callable[[], pa.Schema]
    version: int


VIEWS: dict[str, View] = {
    "sft": View(sft.QUERY, sft.schema, version=3),
    "rl": View(rl.QUERY, rl.schema, version=2),
    "forms": View(forms.QUERY, forms.schema, version=1),
}


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Define what the queries share."""
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
