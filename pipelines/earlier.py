"""Rows of other versions of a dataset, which are not to come again.

    earlier = [{ version = "v2", since = 16 }]    in a recipe: from draw 16 on, no row repeats one of v2

The versions of a dataset may come of several recipes, or of a line that was given up. A night names those with rows
that the version which it continues does not have (`flows.goal`), from its own first draw on: what was drawn before
stands as it is. From there every ordered rule compares a question with their rows, too, by its own measure.

No row repeats itself: a question whose id is that of such a row is not compared with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from filters.rule import Case, Memory, Ruling
from pipelines.recipe import BadRecipe, checked, known
from pipelines.store import connect

if TYPE_CHECKING:
    from pipelines.stage import BoundRule

ROWS = (
    "select p.id, p.question from problems p join (select unnest(subjects) as id from verdicts"
    " where rule = 'accepted@1' and status = 'pass') v on p.id = v.id order by p.draw"
)
IDS = "select unnest(subjects) from verdicts where rule = 'accepted@1' and status = 'pass'"
AT_ONCE = 10_000  # questions in memory


class Earlier(NamedTuple):
    """A version, and the draw from which on its rows are not to come again."""

    folder: Path
    since: int

    @property
    def digest(self) -> str:
        """What stands for its content."""
        return orjson.loads((self.folder / "version.json").read_bytes())["digest"]


def earlier_of(given: Any, home: Path) -> list[Earlier]:
    """The versions that a recipe names as `earlier`, of the dataset in the folder `home`. Raises BadRecipe."""
    tables = [checked(each, dict, "each of earlier") for each in checked(given, list, "earlier")]
    return [_earlier(table, home) for table in tables]


def _earlier(table: dict[str, Any], home: Path) -> Earlier:
    known(table, {"version", "since"}, "each of earlier")
    version = checked(table.get("version", ""), str, "earlier: version")
    since = checked(table.get("since", 0), int, "earlier: since")
    if since < 0:
        raise BadRecipe(f"earlier: since = {since} should be 0 or more: the first draw that is compared")
    if not (re.fullmatch(r"v\d+", version) and (home / version / "version.json").is_file()):
        raise BadRecipe(f"earlier: {home.name} has no version {version!r} here; take it out, or bring it back")
    return Earlier(home / version, since)


def accepted_ids(version: Path) -> set[str]:
    """The ids of the problems that a version accepted."""
    with connect([version / "facts"]) as connection:
        return {id for (id,) in connection.execute(IDS).fetchall()}


def accepted_rows(version: Path) -> Iterator[tuple[str, str]]:
    """The accepted problems of a version in draw order: id and question."""
    with connect([version / "facts"]) as connection:
        found = connection.execute(ROWS)
        while some := found.fetchmany(AT_ONCE):
            yield from some


class OtherRows:
    """What ordered rules remember of the rows of other versions, as far as draws have come."""

    def __init__(self, rules: Sequence[BoundRule], earlier: Sequence[Earlier]) -> None:
        self._rules = rules
        self._to_come = sorted(earlier, key=lambda each: each.since)
        self._digests: list[str] = []
        self._ids: set[str] = set()
        self._memories: dict[str, Memory] = {}

    def learn(self, draw: int) -> list[str]:
        """Remember the versions that count from this draw on; the digests of all that count by then."""
        while self._to_come and self._to_come[0].since <= draw:
            version = self._to_come.pop(0)
            self.remember(accepted_rows(version.folder))
            self._digests.append(version.digest)
        return list(self._digests)

    def remember(self, rows: Iterable[tuple[str, str]]) -> None:
        """Compare with these rows, too: their ids and questions. One that several versions have counts once."""
        self._memories = self._memories or {each.label: each.rule.run(**each.parameters) for each in self._rules}
        for id, question in rows:
            if id not in self._ids:
                self._ids.add(id)
                for memory in self._memories.values():
                    memory.remember(question)

    def compared(self, label: str, case: Case, ruling: Ruling) -> Ruling:
        """A rule's ruling among the rows of its own version, and what these change about it."""
        if ruling.status != "pass" or not self._ids or case.problem.id in self._ids:
            return ruling
        theirs = self._memories[label].judge(case)
        context = {**ruling.context, "rows_of_other_versions": len(self._ids)}
        if theirs.status == "pass" and (theirs.score or 0.0) <= (ruling.score or 0.0):
            return ruling._replace(context=context)
        reason = theirs.reason and f"{theirs.reason}, of another version"
        return theirs._replace(reason=reason, context=context)
