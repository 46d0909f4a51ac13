"""The report of a version, from its facts: some draws at a time, so that memory stays the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from filters.trace import trace
from filters.words import words
from pipelines.records import Attempt, Problem, Verdict, from_table
from pipelines.reports.tally import Tally

if TYPE_CHECKING:
    import duckdb

WINDOW_BYTES = 32 << 20  # of attempts that are looked at together

T = TypeVar("T")


def report_of_version(
    connection: duckdb.DuckDBPyConnection, *, benchmarks: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """What came of every draw of a version, from the tables problems, attempts and verdicts.

    A row is a draw, about what its verdict `accepted` is about, and named by that id. A problem that has no domain
    counts under those of the seeds it was drawn from. Some draws are looked at at a time, so memory stays the same.
    """
    tally = Tally(benchmarks=benchmarks)
    for first, stop in _windows(connection):
        domains = dict(connection.execute(_SEED_DOMAINS, [first, stop]).fetchall())
        for row in _draws(connection, first, stop):
            _add_draw(tally, row, domains)
    return tally.told()


class _Draw(NamedTuple):
    problems: dict[str, Problem]
    attempts: dict[str, Attempt]
    verdicts: list[Verdict]


_SEED_DOMAINS = """
    select drawn.draw, string_agg(distinct seed.domain, ' + ' order by seed.domain)
    from (select draw, unnest(parents) as parent from problems where draw >= ? and draw < ?) drawn
    join problems seed on seed.id = drawn.parent and seed.draw is null group by 1
"""


def _windows(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[int, int]]:
    """Ranges of draws whose attempts are about WINDOW_BYTES, taking four bytes for a token."""
    draws, size = connection.execute(
        "select (select coalesce(max(draw), -1) + 1 from verdicts),"
        " (select sum(2000 + 4 * coalesce(completion_tokens, 2000)) from attempts)"
    ).fetchall()[0]
    step = max(1, draws * WINDOW_BYTES // max(1, int(size or 0)))
    step = min(step, 4_096)  # verdicts take room as well
    return ((first, first + step) for first in range(0, draws, step))


def _draws(connection: duckdb.DuckDBPyConnection, first: int, stop: int) -> Iterator[_Draw]:
    """The facts of each of these draws; of its attempts the last turn: what was asked is long, and not needed."""
    draws: defaultdict[int | None, _Draw] = defaultdict(lambda: _Draw({}, {}, []))

    def facts(kind: type[T], columns: str, table: str) -> list[T]:
        query = f"select {columns} from {table} where draw >= $1 and draw < $2"
        return from_table(kind, connection.sql(query, params=[first, stop]).to_arrow_table())

    for problem in facts(Problem, "*", "problems"):
        draws[problem.draw].problems[problem.id] = problem
    for attempt in facts(Attempt, "* replace (turns[-1:] as turns)", "attempts"):
        draws[attempt.draw].attempts[attempt.id] = attempt
    for told in facts(Verdict, "*", "verdicts"):
        draws[told.draw].verdicts.append(told)
    return (draws[draw] for draw in range(first, stop) if draw in draws)


def _add_draw(tally: Tally, row: _Draw, seed_domains: Mapping[int, str]) -> None:
    closing = next((each for each in row.verdicts if each.rule == "accepted@1"), None)
    if closing is None or closing.draw is None:
        return
    about = closing.subjects[0]
    posing = row.attempts.get(about)  # where it never came to a problem
    problem = row.problems.get(about if posing is None else posing.problem)
    tries = [each for each in row.attempts.values() if posing is None and each.problem == about]
    tally.add(
        where=about,
        question=problem.question if problem else "",
        domain=(problem and problem.domain) or seed_domains.get(closing.draw),
        verdicts=[each for each in row.verdicts if each is not closing],
        lengths=[len(words(trace(each))) for each in tries],
        accepted=closing.status == "pass",
        about=about,
    )
