"""Versions in the terminal: what there is, what changed from one to another, and going back to an older one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from flows.readable import one_line, readable
from flows.show import STYLES, NotThere, find_version, plain, screen
from pipelines.release import versions as versions_of
from pipelines.store import data_folder
from pipelines.versions import pin
from pipelines.versions.compare import Difference, compare
from pipelines.versions.facts import Row
from pipelines.versions.recipes import Change, Rewritten

PROMPT_LINES = 40  # of the difference of a prompt
MARKS = {"+": "green", "-": "red", "@": "cyan"}


def versions(dataset: str | None, *, console: Console = screen) -> None:
    """Print the versions of a dataset, or of all, with what changed from one to the next. Raises NotThere."""
    homes = [_home(dataset)] if dataset else _homes()
    if not homes:
        console.print("no datasets yet: thoughtmill run RECIPE makes one")
    for home in homes:
        console.print(_listed(home))
    if homes:
        console.print(Text("* is what the name alone means; thoughtmill diff tells a change in full", style="dim"))


def _listed(home: Path) -> Table:
    table = _table(home.name, "accepted", "candidates", "what changed", right=(1, 2))
    for each in pin.versions_table(home):
        name = f"{each.name} *" if each.is_current else each.name
        table.add_row(name, f"{each.accepted:,}", f"{each.candidates:,}", plain(each.changed))
    return table


def diff(old: str, new: str, *, console: Console = screen) -> None:
    """Print what changed from OLD to NEW: NAME@vN both, or vN alone for another of the same. Raises NotThere."""
    if re.fullmatch(r"v\d+", new):
        new = f"{old.partition('@')[0]}@{new}"
    found = compare(find_version(old), find_version(new))
    for part in _difference(found):
        console.print(part)


def rollback(dataset: str, version: str, *, console: Console = screen) -> None:
    """Make VERSION the one that DATASET means. Raises NotThere."""
    home = _home(dataset)
    try:
        folder = pin.pin(home, version)
    except ValueError as error:
        raise NotThere(str(error)) from error
    newest = versions_of(home)[-1].name
    until = "" if folder.name == newest else f", until a version after {newest} is made; nothing was deleted"
    console.print(plain(f"{home.name} means {folder.name} now{until}"), soft_wrap=True)


def _home(dataset: str) -> Path:
    return find_version(dataset.partition("@")[0]).parent


def _homes() -> list[Path]:
    return [home for home in sorted((data_folder() / "datasets").glob("*")) if versions_of(home)]


# --- A difference ----------------------------------------------------------------------------------------------


def _difference(found: Difference) -> Iterator[RenderableType]:
    """What matters most comes first: rows, then why, then what was done differently."""
    yield Text(f"{found.old} → {found.new}", style="bold")
    if found.is_same:
        yield "the same facts and views"
    yield from _rows(found)
    yield from _section("rows of views", _beside(_differing(found.views)) if _differing(found.views) else None)
    yield from _section("verdicts on the same subjects", _verdicts(found) if found.verdicts else None)
    yield from _section("rules", _rules(found) if found.rules else None)
    yield from _section("recipe", _beside(found.recipe) if found.recipe else None)
    yield from _section("models", _beside(found.models) if found.models else None)
    for prompt in found.prompts:
        yield from _section(f"prompt {prompt.name}", _prompt(prompt))
    yield from _section("books", _beside(found.books))


def _section(title: str, part: RenderableType | None) -> Iterator[RenderableType]:
    if part is not None:
        yield from ("", Text(title, style="bold"), part)


def _rows(found: Difference) -> Iterator[RenderableType]:
    rows = found.rows
    yield f"{rows.both:,} accepted rows in both, {rows.only_old:,} only in the old, {rows.only_new:,} only in the new"
    if rows.same_question:
        yield f"{rows.same_question:,} of the new ones have the question of one of the old, under another id"
    for title, counts, examples in (
        ("only in the old: what the new version says of them", rows.went, rows.went_examples),
        ("only in the new: what the old version said of them", rows.came, rows.came_examples),
    ):
        if counts:
            yield from _section(title, _outcomes(counts))
            yield _examples(examples)


def _outcomes(counts: Mapping[str, int]) -> Table:
    table = _table(right=(0,))
    for outcome, count in counts.items():
        table.add_row(f"{count:,}", plain(outcome))
    return table


def _examples(rows: Sequence[Row]) -> Table:
    table = _table()
    table.add_column(style="dim", no_wrap=True)
    table.add_column(style="dim", no_wrap=True, overflow="ellipsis", max_width=24)
    table.add_column(style="dim", no_wrap=True, overflow="ellipsis", ratio=1)
    table.expand = True
    for row in rows:
        table.add_row(f"draw:{row.draw}", plain(row.elsewhere), plain(one_line(row.question)))
    return table


def _verdicts(found: Difference) -> Table:
    table = _table("rule", "old", "new", "subjects", "for example", right=(3,))
    for each in found.verdicts:
        draws = ", ".join(dict.fromkeys(f"draw:{draw}" for draw, _ in each.examples[:3]))
        table.add_row(plain(each.rule), *map(_status, (each.old, each.new)), f"{each.subjects:,}", draws)
    return table


def _status(status: str | None) -> Text:
    return Text("not asked", style="dim") if status is None else Text(status, style=STYLES.get(status, ""))


def _rules(found: Difference) -> Table:
    table = _table("rule", "", "old", "new")
    for each in found.rules:
        if each.old_versions != each.new_versions:
            versions = (", ".join(told) or "not there" for told in (each.old_versions, each.new_versions))
            table.add_row(plain(each.rule), "version", *versions)
        for change in each.context:
            table.add_row(plain(each.rule), plain(change.key), *map(_value, change[1:]))
    return table


def _beside(changes: Sequence[Change]) -> Table:
    """Both values of each key; of numbers also how far they are apart."""
    are_numbers = all(_is_number(value) for each in changes for value in each[1:] if value is not None)
    apart = [""] if are_numbers else []
    table = _table("", "old", "new", *apart, right=(1, 2, 3) if are_numbers else ())
    for each in changes:
        more = [f"{(each.new or 0) - (each.old or 0):+,g}" if each.old != each.new else ""] if apart else []
        table.add_row(plain(each.key), *map(_value, each[1:]), *more)
    return table


def _value(value: Any) -> Text:
    if value is None:
        return Text("none", style="dim")
    return Text(f"{value:,}") if _is_number(value) else plain(one_line(readable(value)), most=300)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _differing(changes: Sequence[Change]) -> list[Change]:
    return [each for each in changes if each.old != each.new]


def _prompt(prompt: Rewritten) -> Text:
    """The lines that differ, as `diff -u` writes them."""
    shown = [plain(line, style=MARKS.get(line[:1], "dim")) for line in prompt.lines[:PROMPT_LINES]]
    if len(prompt.lines) > PROMPT_LINES:
        shown.append(Text(f"… {len(prompt.lines) - PROMPT_LINES:,} more lines", style="dim"))
    return Text("\n").join(shown)


def _table(*headers: str, right: Sequence[int] = ()) -> Table:
    """Columns without lines; those with these places are set to the right."""
    table = Table(box=None, pad_edge=False, header_style="dim", show_header=bool(headers))
    for header in headers:
        table.add_column(header, overflow="fold")
    while len(table.columns) <= max(right, default=-1):
        table.add_column()
    for place in right:
        table.columns[place].justify = "right"
    return table
