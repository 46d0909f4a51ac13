"""What changed from one version to another: rows, verdicts, rules, recipe, prompts, models and books.

The versions may be of one dataset or of two. A fact's id covers its draw, so a fact that is in both versions has the
same draw in both: they are compared some draws at a time, and memory stays the same however large they are.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from filters.table import RULES
from pipelines.records import to_json
from pipelines.release import read_version
from pipelines.store import KINDS, connect
from pipelines.versions.facts import SIDES, Rows, Turned, changed_facts
from pipelines.versions.recipes import (
    Change,
    Rewritten,
    beside,
    books_beside,
    changed,
    changed_prompts,
    changed_recipe,
)

if TYPE_CHECKING:
    import duckdb

MEMORY = "1GB"  # for sorting and joining; what is beyond goes to a temporary folder


class Ruled(NamedTuple):
    """A rule that has another version, or whose verdicts are all relative to something else."""

    rule: str
    old_versions: list[str]  # empty where the rule did not speak
    new_versions: list[str]
    context: list[Change]


class Difference(NamedTuple):
    """Everything that changed from one version to another."""

    old: str  # NAME@vN
    new: str
    is_same: bool  # the same facts and views
    rows: Rows
    views: list[Change]  # rows of every view
    verdicts: list[Turned]  # the most frequent first
    rules: list[Ruled]
    recipe: list[Change]
    prompts: list[Rewritten]
    models: list[Change]  # by role
    books: list[Change]  # the numbers of the ledger, those that are the same too


def compare(old: Path, new: Path) -> Difference:
    """What changed from the version in one folder to that in another."""
    told = [read_version(folder) for folder in (old, new)]
    with tempfile.TemporaryDirectory() as aside, _both(old, new, aside) as connection:
        rows, turned = changed_facts(connection)
        return Difference(
            old=_named(old),
            new=_named(new),
            is_same=told[0]["digest"] == told[1]["digest"],
            rows=rows,
            views=beside(told[0]["rows"], told[1]["rows"]),
            verdicts=turned,
            rules=_rules(connection),
            recipe=changed_recipe(old, new),
            prompts=changed_prompts(old / "prompts", new / "prompts"),
            models=changed(*(_models(connection, side) for side in SIDES)),
            books=books_beside(_books(old), _books(new)),
        )


def in_short(old: Path, new: Path, *, most: int = 4) -> str:
    """What changed from one version to another in one line, from what lies beside the facts."""
    more = _books(new)["accepted"] - _books(old)["accepted"]
    recipe = [f"{each.key} {_short(each.old)} → {_short(each.new)}" for each in changed_recipe(old, new)]
    prompts = [f"prompt {each.name}" for each in changed_prompts(old / "prompts", new / "prompts")]
    told = [*([f"{more:+,} accepted"] if more else []), *recipe, *prompts]
    rest = [f"and {len(told) - most} more changes"] if len(told) > most else []
    return "; ".join([*told[:most], *rest]) or "other facts, by the same recipe"


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _named(folder: Path) -> str:
    return f"{folder.parent.name}@{folder.name}"


def _books(folder: Path) -> dict[str, Any]:
    return orjson.loads((folder / "ledger.json").read_bytes())


def _both(old: Path, new: Path, aside: str) -> duckdb.DuckDBPyConnection:
    """A connection with the facts of both versions: old_problems, new_problems, ..."""
    connection = connect([])
    connection.execute(f"set memory_limit = '{MEMORY}'")
    connection.execute("set temp_directory = $1", [aside])
    for side, folder in zip(SIDES, (old, new), strict=True):
        for name in KINDS:
            connection.read_parquet(str(folder / "facts" / f"{name}.parquet")).create_view(f"{side}_{name}")
    return connection


# --- Rules and models ------------------------------------------------------------------------------------------


class _Spoken(NamedTuple):
    """What the verdicts of a rule have in common."""

    versions: set[str]
    context: dict[str, set[str]]  # the values of each key, as JSON


def _rules(connection: duckdb.DuckDBPyConnection) -> list[Ruled]:
    """The rules that have another version, or whose verdicts are all measured with something else."""
    old, new = (_spoken(connection, side) for side in SIDES)
    none = _Spoken(set(), {})
    found = []
    for rule in sorted({*old, *new}):
        before, after = old.get(rule, none), new.get(rule, none)
        context = changed(_common(rule, before), _common(rule, after)) if before.versions and after.versions else []
        if before.versions != after.versions or context:
            found.append(Ruled(rule, sorted(before.versions), sorted(after.versions), context))
    return found


def _spoken(connection: duckdb.DuckDBPyConnection, side: str) -> dict[str, _Spoken]:
    found: defaultdict[str, _Spoken] = defaultdict(lambda: _Spoken(set(), defaultdict(set)))
    query = f"select rule, context from {side}_verdicts where rule <> 'accepted@1' group by all order by all"
    told = connection.execute(query)
    while rows := told.fetchmany(1000):
        for rule, context in rows:
            name, _, version = rule.partition("@")
            found[name].versions.add(version)
            for key, value in orjson.loads(context).items():
                if len(values := found[name].context[key]) < 2:  # more need not be known
                    values.add(to_json(value))
    return dict(found)


def _common(rule: str, spoken: _Spoken) -> dict[str, Any]:
    """What all verdicts of the rule are relative to: thresholds, verifiers, solvers; not counts."""
    common = {key: orjson.loads(*values) for key, values in sorted(spoken.context.items()) if len(values) == 1}
    if rule not in RULES:
        return common
    parameters = signature(RULES[rule].run).parameters
    return {key: value for key, value in common.items() if key in parameters or isinstance(value, str)}


def _models(connection: duckdb.DuckDBPyConnection, side: str) -> dict[str, str]:
    """The models of each role, with their revisions."""
    named = f"select distinct role, model || coalesce('@' || revision, '') as named from {side}_attempts"
    query = f"select role, string_agg(named, ', ' order by named) from ({named}) group by role order by role"
    return dict(connection.execute(query).fetchall())
