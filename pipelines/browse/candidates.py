"""The candidates of a version or a run as a flat table: one row for each draw, with what became of it.

Facts lie in draw order, so a range of rows is made from the few row groups that hold its draws: the first page as
well as each part of an index.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from pipelines.browse.columns import Column, kept
from pipelines.browse.spans import Span, spans_between
from pipelines.records import schema
from pipelines.store import KINDS

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

STILL_IN = "still in"
"""The outcome of a draw that went through every stage of a run which has no version yet."""

COLUMNS = [
    Column("draw", "number", "its place in the order of the run"),
    Column("outcome", "category", "accepted, or the rule that decided against it"),
    Column("stage", "category", "where that was decided"),
    Column("rule", "category", "the rule that decided, with its version"),
    Column("reason", "text", "why"),
    Column("question", "text"),
    Column("answer", "text", "the reference answer, or the author's own"),
    Column("domain", "category", "of the problem, else of its seeds"),
    Column("source", "category"),
    Column("attempts", "number", "at solving the problem"),
    Column("right", "number", "how many of them have the reference answer"),
    Column("pass_rate", "number", "of attempts that could be decided"),
    Column("tokens", "number", "that all of the draw's attempts took"),
    Column("longest", "number", "tokens of the longest attempt at the problem"),
    Column("problem", "text", "the id of what the outcome is about"),
]


# ---------------------------------------------------------------------------------------------------------------
# The query

_BASE = """
closings as (
    select a.draw, a.value as outcome,
        v.stage, v.rule, json_extract_string(a.evidence, '$.reason') as reason,
        a.subjects[1] as subject
    from here_verdicts a
    left join here_verdicts v on v.draw = a.draw and v.id = json_extract_string(a.evidence, '$.verdict')
    where a.rule = 'accepted@1'
)"""

# A run has not closed its books: the manifests of its outputs tell which draws go no further, and which are left.
_STILL_OPEN = f"""
gone as (select unnest($gone) as verdict),
left_over as (select unnest($live) as problem),
closings as (
    select v.draw,
        split_part(v.rule, '@', 1) || case v.status when 'fail' then '' else ': ' || v.status end as outcome,
        v.stage, v.rule, json_extract_string(v.evidence, '$.reason') as reason, v.subjects[1] as subject
    from here_verdicts v join gone on gone.verdict = v.id
    union all
    select p.draw, '{STILL_IN}', null, null, null, p.id
    from here_problems p join left_over on left_over.problem = p.id
)"""

_QUERY = """
with here_problems as materialized (
    select draw, id, parents, question, answer, domain, source from problems where draw >= $first and draw < $stop
), here_attempts as materialized (
    select draw, id, problem, completion_tokens as tokens from attempts where draw >= $first and draw < $stop
), here_verdicts as materialized (
    select draw, id, subjects, stage, rule, status, score, value, context, evidence from verdicts
    where draw >= $first and draw < $stop and (not starts_with(rule, 'answer_matches@') or status = 'pass')
), {closings},
posed as (  -- what the outcome is about: a problem, or an attempt that never came to one
    select c.*, coalesce(a.problem, c.subject) as problem, a.id is not null as is_attempt
    from closings c left join here_attempts a on a.id = c.subject
),
right_ones as (
    select distinct unnest(subjects) as attempt from here_verdicts
    where starts_with(rule, 'answer_matches@') and status = 'pass'
),
tries as (
    select a.problem, count(*) as attempts, count(r.attempt) as "right", max(tokens) as longest
    from here_attempts a left join right_ones r on r.attempt = a.id group by 1
),
spent as (select draw, sum(tokens)::bigint as tokens from here_attempts group by 1),
rates as (
    select subject, arg_max(score, n) as rate from (
        select unnest(subjects) as subject, score, json_extract(context, '$.n')::bigint as n
        from here_verdicts where starts_with(rule, 'pass_rate@')
    ) group by 1
),
seeded as (
    select drawn.draw, string_agg(distinct seeds.domain, ' + ' order by seeds.domain) as domain
    from (select draw, unnest(parents) as parent from here_problems) drawn
    join all_seeds seeds on seeds.id = drawn.parent group by 1
)
select {kept} from posed c
left join here_problems p on p.id = c.problem
left join tries on tries.problem = c.problem and not c.is_attempt
left join rates on rates.subject = c.problem and not c.is_attempt
left join spent on spent.draw = c.draw
left join seeded on seeded.draw = c.draw
order by c.draw, c.subject
"""

_VALUES = {
    "draw": "c.draw",
    "outcome": "c.outcome",
    "stage": "split_part(c.stage, '@', 1)",
    "rule": "c.rule",
    "reason": "c.reason",
    "question": "p.question",
    "answer": "p.answer",
    "domain": "coalesce(p.domain, seeded.domain)",
    "source": "p.source",
    "attempts": "coalesce(tries.attempts, 0)",
    "right": 'coalesce(tries."right", 0)',
    "pass_rate": "case when isnan(rates.rate) then null else rates.rate end",
    "tokens": "spent.tokens",
    "longest": "tries.longest",
    "problem": "c.subject",
}


def candidates_of_version(
    cursor: duckdb.DuckDBPyConnection, spans: Sequence[Span], first: int, stop: int
) -> pa.Table:
    """The rows from `first` up to `stop`, as an index keeps them; on a connection of `define_version`.

    Raises ValueError where draws are amiss.
    """
    return _candidates(cursor, spans, first, stop, _BASE, {})


def candidates_of_run(cursor: duckdb.DuckDBPyConnection, spans: Sequence[Span], first: int, stop: int) -> pa.Table:
    """The rows from `first` up to `stop`, as an index keeps them. Raises ValueError where draws are amiss."""
    define_run(cursor, spans, first, stop)
    manifests = [
        [orjson.loads((folder / "manifest.json").read_bytes()) for folder in span.folders]
        for span in spans_between(spans, first, stop)
    ]
    gone = [verdict for shard in manifests for each in shard for _, verdict in each["out"]]
    live = [problem for shard in manifests for problem in shard[-1]["live"]]
    return _candidates(cursor, spans, first, stop, _STILL_OPEN, {"gone": gone, "live": live})


def _candidates(
    cursor: duckdb.DuckDBPyConnection,
    spans: Sequence[Span],
    first: int,
    stop: int,
    closings: str,
    given: dict[str, Any],
) -> pa.Table:
    here = spans_between(spans, first, stop)
    draws = here[0].start + first - here[0].row, here[-1].start + stop - here[-1].row
    query = _QUERY.format(closings=closings, kept=kept(COLUMNS, [_VALUES[each.name] for each in COLUMNS]))
    # Into a table of this cursor's own: a relation would look through the ends of all files twice.
    cursor.execute(
        f"create or replace temp table candidates as {query}", {"first": draws[0], "stop": draws[1], **given}
    )
    table = cursor.sql("from candidates").to_arrow_table()
    cursor.execute("drop table candidates")
    if table.num_rows != stop - first:
        raise ValueError(
            f"{here[0].folders[0]}: {table.num_rows:,} outcomes of the {stop - first:,} draws from {draws[0]:,} up to"
            f" {draws[1]:,}; the facts are incomplete or damaged"
        )
    return table


# ---------------------------------------------------------------------------------------------------------------
# Where the queries find the facts


def define_version(connection: duckdb.DuckDBPyConnection, facts: Path) -> None:
    """Let every query on this connection read the facts of a version.

    Its seeds are read once: they lie where they were drawn first, which may be far away.
    """
    for name, files in _files([facts]).items():
        connection.execute(f"create view {name} as from {files}")
    connection.execute(f"create table all_seeds as {_SEEDS}")


def define_run(cursor: duckdb.DuckDBPyConnection, spans: Sequence[Span], first: int, stop: int) -> None:
    """Let the queries of this cursor read the facts of these rows of a run: each shard has files of its own."""
    folders = [folder for span in spans_between(spans, first, stop) for folder in span.folders]
    for name, files in _files(folders).items():
        cursor.execute(f"create or replace temp view {name} as from {files}")
    cursor.execute(f"create or replace temp view all_seeds as {_SEEDS}")


_SEEDS = "select id, domain from problems where draw is null and domain is not null"


def _files(folders: Sequence[Path]) -> dict[str, str]:
    """For each kind of fact the files that have some, as a table in SQL; an empty one where none has."""
    told: dict[str, str] = {}
    for name, kind in KINDS.items():
        files = [str(path) for folder in folders if (path := folder / f"{name}.parquet").is_file()]
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in files)
        told[name] = f"read_parquet([{listed}])" if files else _none(kind)
    return told


def _none(kind: type[Any]) -> str:
    """A table without rows, whose columns are those of a kind of fact as far as the queries look at them."""
    kinds = {"large_string": "varchar", "string": "varchar", "int64": "bigint", "int32": "int", "double": "double"}
    turns = "struct(role varchar, content varchar, reasoning varchar, tool_calls varchar)[]"
    lists = {"parents": "varchar[]", "subjects": "varchar[]", "turns": turns}
    columns = [f"null::{lists.get(each.name) or kinds[str(each.type)]} as {each.name}" for each in schema(kind)]
    return f"(select {', '.join(columns)} where false)"
