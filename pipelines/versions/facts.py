"""Which rows and verdicts changed from one version to another, some draws at a time.

A fact's id covers its draw, so a fact that is in both versions has the same draw in both; draws whose verdicts have
the same ids on both sides need no look.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import duckdb

SIDES = ("old", "new")
DRAWS = 50_000  # that are compared together
EXAMPLES = 5

# What became of a row in a version that has not its problem.
NOT_DRAWN, ANOTHER = "not drawn", "another question was posed"

_Turn = tuple[str, str | None, str | None]  # a rule, and its old and new status


class Row(NamedTuple):
    """An accepted row that one version has and the other has not."""

    draw: int
    problem: str  # its id
    question: str
    elsewhere: str  # what left it out of the other version; NOT_DRAWN, or ANOTHER


class Rows(NamedTuple):
    """The accepted rows of two versions, by the ids of their problems."""

    both: int
    only_old: int
    only_new: int
    same_question: int  # of those only in the new one: the old one has the question too, under another id
    went: dict[str, int]  # the rows only in the old one, by what left them out of the new one
    came: dict[str, int]  # the rows only in the new one, by what left them out of the old one
    went_examples: list[Row]
    came_examples: list[Row]


class Turned(NamedTuple):
    """Verdicts of a rule on the same subjects that say something else; None where the rule did not speak."""

    rule: str  # without its version
    old: str | None
    new: str | None
    subjects: int
    examples: list[tuple[int, str]]  # draw, and id of the first subject


WINDOW = """
create or replace temp table {side}_closing as
    select draw, subjects[1] as subject, value from {side}_verdicts
    where rule = 'accepted@1' and draw >= {first} and draw < {stop};
create or replace temp table {side}_here as
    select id, question from {side}_problems where draw >= {first} and draw < {stop};
create or replace temp table {side}_ids as
    select id from {side}_here union all select id from {side}_attempts where draw >= {first} and draw < {stop};
create or replace temp table {side}_told as
    select id, draw, subjects, split_part(rule, '@', 1) as rule, status from {side}_verdicts
    where rule <> 'accepted@1' and draw >= {first} and draw < {stop};
"""

BOTH = """
select count(*) from old_closing o join new_closing n using (subject)
where o.value = 'accepted' and n.value = 'accepted'
"""

# What one version accepted and the other did not, with what became of it there.
ONLY = f"""
select a.draw, a.subject, p.question, case
        when c.draw is null then '{NOT_DRAWN}' when c.value = 'forgotten' then c.value
        when q.id is null then '{ANOTHER}' else c.value end as elsewhere
from {{one}}_closing a join {{one}}_here p on p.id = a.subject
left join {{other}}_closing c on c.draw = a.draw left join {{other}}_here q on q.id = a.subject
where a.value = 'accepted' and a.subject not in (select subject from {{other}}_closing where value = 'accepted')
order by a.draw
"""

# A verdict's id covers what it says: what has the same id on both sides has not changed.
SAID = """
    select subjects, rule, string_agg(distinct status, ' and ' order by status) as said, min(draw) as draw
    from {one}_told where id not in (select id from {other}_told) and subjects[1] in (select id from {other}_ids)
    group by subjects, rule
"""
TURNED = f"""
select rule, o.said, n.said, count(*),
    list([coalesce(o.draw, n.draw)::varchar, subjects[1]] order by coalesce(o.draw, n.draw), subjects)[:{EXAMPLES}]
from ({SAID.format(one="old", other="new")}) o full join ({SAID.format(one="new", other="old")}) n
    using (subjects, rule)
where o.said is distinct from n.said group by all
"""


class _Window(NamedTuple):
    """The verdicts of some draws in one version: how many, a digest of their ids, and how many rows are accepted."""

    verdicts: int
    ids: int
    accepted: int


class _Only(NamedTuple):
    """The rows that one version alone accepted, as they are found."""

    counts: Counter[str]
    examples: list[Row]


def changed_facts(connection: duckdb.DuckDBPyConnection) -> tuple[Rows, list[Turned]]:
    """The rows and the verdicts that changed, from the tables old_problems, new_problems and so on."""
    both, only, turned = 0, {side: _Only(Counter(), []) for side in SIDES}, dict[_Turn, Turned]()
    for side in SIDES:
        connection.execute(f"create temp table {side}_questions (digest uhugeint)")
    old, new = (_windows(connection, side) for side in SIDES)
    for window in sorted({*old, *new}):
        if old.get(window) == new.get(window):  # the same verdicts, so the same draws
            both += old[window].accepted
            continue
        first = window * DRAWS
        for side in SIDES:
            connection.execute(WINDOW.format(side=side, first=first, stop=first + DRAWS))
        both += connection.execute(BOTH).fetchall()[0][0]
        for one, other in (SIDES, SIDES[::-1]):
            _add_only(only[one], connection, one, other)
        for found in connection.execute(TURNED).fetchall():
            _add_turned(turned, *found)
    rows = _as_rows(both, only["old"], only["new"], _same_questions(connection))
    return rows, sorted(turned.values(), key=lambda each: (-each.subjects, each.rule, str(each.old), str(each.new)))


def _windows(connection: duckdb.DuckDBPyConnection, side: str) -> dict[int, _Window]:
    """What tells the verdicts of some draws from others, for every DRAWS draws."""
    query = f"""
        select draw // {DRAWS}, count(*), bit_xor(hash(id)), count(*) filter (rule = 'accepted@1' and status = 'pass')
        from {side}_verdicts group by 1
    """
    return {window: _Window(*told) for window, *told in connection.execute(query).fetchall()}


def _add_only(found: _Only, connection: duckdb.DuckDBPyConnection, one: str, other: str) -> None:
    connection.execute("create or replace temp table only_one as " + ONLY.format(one=one, other=other))
    counts = connection.execute("select elsewhere, count(*) from only_one group by 1").fetchall()
    found.counts.update(dict(counts))
    shown = connection.execute(f"from only_one order by draw limit {EXAMPLES - len(found.examples)}").fetchall()
    found.examples.extend(Row(*row) for row in shown)
    connection.execute(f"insert into {one}_questions select md5_number(question) from only_one")


def _add_turned(
    turned: dict[_Turn, Turned], rule: str, old: str | None, new: str | None, count: int, examples: list[list[str]]
) -> None:
    before = turned.get((rule, old, new), Turned(rule, old, new, 0, []))
    more = [(int(draw), id) for draw, id in examples[: EXAMPLES - len(before.examples)]]
    turned[rule, old, new] = before._replace(subjects=before.subjects + count, examples=[*before.examples, *more])


def _same_questions(connection: duckdb.DuckDBPyConnection) -> int:
    query = "select count(*) from new_questions where digest in (select digest from old_questions)"
    return connection.execute(query).fetchall()[0][0]


def _as_rows(both: int, old: _Only, new: _Only, same: int) -> Rows:
    went, came = (dict(sorted(each.counts.items(), key=lambda pair: (-pair[1], pair[0]))) for each in (old, new))
    return Rows(both, old.counts.total(), new.counts.total(), same, went, came, old.examples, new.examples)
