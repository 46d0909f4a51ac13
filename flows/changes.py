"""What changed from one version to the next, as a note in Markdown. Texts from outside stand in it as inert text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from pipelines.reports.markdown import code
from pipelines.versions.compare import Difference
from pipelines.versions.facts import Row
from pipelines.versions.recipes import Change


def note_of(found: Difference) -> str:
    """The note on a version that continues another: its rows first, then why, then what was done differently."""
    rows = found.rows
    parts = [
        f"# {found.new}, after {found.old}",
        f"Rows: {rows.only_new:,} new, {rows.both:,} stayed, {rows.only_old:,} went.",
        f"{rows.same_question:,} of the new rows ask what a row that went asked." if rows.same_question else "",
        *_section("New rows, for example", _examples(rows.came_examples)),
        *_section("Rows that went, by what the new version says of them", _counts(rows.went)),
        *_section("Recipe", _beside(found.recipe)),
        *_section("Models", _beside(found.models)),
        *_section("Rules of another version", (f"- {code(each.rule)}" for each in found.rules)),
        *_section("Prompts with other words", (f"- {code(each.name)}" for each in found.prompts)),
        *_section("Books", _beside(found.books)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def note_of_first(version: Path) -> str:
    """The note on a dataset's first version."""
    books = orjson.loads((version / "ledger.json").read_bytes())
    rows = f"{books['accepted']:,} rows of {books['candidates']:,} candidates"
    return f"# {version.parent.name}@{version.name}\n\nThe first version: {rows}.\n"


def funnel_in_words(steps: Sequence[Mapping[str, Any]], candidates: int) -> str:
    """A funnel as a table: what every rule took out, and what was left."""
    lines = [f"| {code(each['step'])} | {each['lost']:,} | {each['left']:,} |" for each in steps]
    return "\n".join(["| | lost | left |", "|---|---:|---:|", f"| candidates | | {candidates:,} |", *lines]) + "\n"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    if told := "\n".join(lines):
        yield from (f"## {title}", told)


def _examples(rows: Iterable[Row]) -> Iterator[str]:
    return (f"- draw {row.draw}: {code(row.question)}" for row in rows)


def _counts(counts: Mapping[str, int]) -> Iterator[str]:
    return (f"- {count:,}: {code(outcome)}" for outcome, count in counts.items())


def _beside(changes: Iterable[Change]) -> Iterator[str]:
    """The values that differ, old and new."""
    return (
        f"- {code(each.key)}: {_value(each.old)} → {_value(each.new)}" for each in changes if each.old != each.new
    )


def _value(value: Any) -> str:
    return "none" if value is None else code(value)
