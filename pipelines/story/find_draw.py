"""Which draw a person means: by a row's number, by the draw's own, or by the beginning of any id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.store import KINDS

if TYPE_CHECKING:
    import duckdb

CLOSING = "accepted@1"  # the verdict that says what became of a draw
SHORTEST_ID = 8  # hex digits that are taken for the beginning of an id
FEW = 8  # facts, or draws of a seed, that an error names


def find_draw(connection: duckdb.DuckDBPyConnection, row: str) -> int:
    """The draw of the n-th accepted row, of `draw:N`, or of the fact whose id begins so (8 hex digits or more).

    Raises ValueError, saying what rows there are.
    """
    if row.startswith("draw:") and row[5:].isdigit() and len(row) < 20:
        return _known_draw(connection, int(row[5:]))
    is_number = row.isascii() and row.isdigit() and len(row) < 12
    if is_number and (draw := _accepted(connection, int(row))) is not None:
        return draw
    if re.fullmatch(rf"[0-9a-f]{{{SHORTEST_ID},32}}", row):
        found = _with_id(connection, row)
        if found or not is_number:
            return _one_draw(connection, row, found)
    if is_number:
        raise ValueError(f"there is no row {row}: {extent(connection)}")
    raise ValueError(
        f"{row[:40]!r} is no row; say its number among the accepted, draw:N, or at least {SHORTEST_ID} digits of the"
        f" id of a problem, attempt or verdict; {extent(connection)}"
    )


def _known_draw(connection: duckdb.DuckDBPyConnection, draw: int) -> int:
    if connection.execute("select 1 from problems where draw = ? limit 1", [draw]).fetchall():
        return draw
    if connection.execute("select 1 from verdicts where draw = ? and rule = 'forgotten@1'", [draw]).fetchall():
        raise ValueError(f"draw {draw} is forgotten: nothing is left of it but its number")
    raise ValueError(f"there is no draw {draw}; {extent(connection)}")


def _accepted(connection: duckdb.DuckDBPyConnection, number: int) -> int | None:
    query = f"select draw from verdicts where rule = '{CLOSING}' and status = 'pass' order by draw limit 1 offset ?"
    found = connection.execute(query, [number]).fetchall()
    return found[0][0] if found else None


def _with_id(connection: duckdb.DuckDBPyConnection, start: str) -> list[tuple[int | None, str, str]]:
    """Draw, id and kind of the facts whose ids begin so; the tables one after another, the smallest first."""
    found: list[tuple[int | None, str, str]] = []
    for name in KINDS:
        query = (
            f"select draw, id, '{name[:-1]}' from {name} where id >= $1 and id <= $1 || 'g' order by draw limit 20"
        )
        found += connection.execute(query, [start]).fetchall()
        if found and len(start) == 32:
            break
    return found


def _one_draw(connection: duckdb.DuckDBPyConnection, row: str, found: Sequence[tuple[int | None, str, str]]) -> int:
    if not found:
        raise ValueError(f"no fact's id begins with {row}; {extent(connection)}")
    draws = {draw for draw, *_ in found}
    if len(draws) > 1:
        told = ", ".join(f"{id} ({kind})" for _, id, kind in found[:FEW])
        raise ValueError(f"several facts' ids begin with {row}; say more of it: {told}")
    draw = draws.pop()
    if draw is not None:
        return draw
    query = f"select draw from problems where list_contains(parents, ?) order by draw limit {FEW + 1}"
    used = [f"draw:{draw}" for (draw,) in connection.execute(query, [found[0][1]]).fetchall()]
    if len(used) == 1:
        return int(used[0][5:])
    told = ", ".join(used[:FEW]) + (", ..." if len(used) > FEW else "")
    raise ValueError(f"{row} is a seed of more than one draw; say which: {told}")


def extent(connection: duckdb.DuckDBPyConnection) -> str:
    """Which rows and draws there are, in words."""
    query = f"select count(*), count(*) filter (status = 'pass'), max(draw) from verdicts where rule = '{CLOSING}'"
    count, accepted, last = connection.execute(query).fetchall()[0]
    if not count:
        return "nothing has been decided here yet"
    rows = f"rows 0 to {accepted - 1} are accepted" if accepted else "no row was accepted"
    return f"{rows}, and draw:0 to draw:{last} show every candidate"
