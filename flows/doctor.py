"""What doctor finds, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows import make
from flows.show import aside, plain, screen
from pipelines.doctor.table import examine as examined
from pipelines.doctor.world import Finding, World
from pipelines.store import data_folder

MARKS = {"well": ("✓", "green"), "note": ("·", "dim"), "mend": ("✗", "red")}


def examine(recipe: str | None, *, changes: Sequence[str], offline: bool) -> list[Finding]:
    """Look at this machine, and what a recipe needs of it. Raises BadRecipe."""
    bound = make.prepare(recipe, changes=changes) if recipe else None
    world = World(data=data_folder(), recipe=bound, asks_models=not offline)
    with aside.status("looking") as status:
        return list(examined(world, watch=lambda check: status.update(f"looking at {check}")))


def show(findings: Sequence[Finding], *, as_json: bool, console: Console = screen) -> None:
    """Print the findings as a table, or as JSON on standard output."""
    if as_json:
        click.echo(orjson.dumps([each._asdict() for each in findings], option=orjson.OPT_INDENT_2).decode())
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for each in findings:
        mark, style = MARKS[each.state]
        told = plain(each.told, style="dim" if each.state == "note" else "")
        table.add_row(Text(mark, style=style), each.about, told)
        if each.mend:
            table.add_row("", "", plain(f"→ {each.mend}", style="cyan"))
    console.print(table)
    broken = sum(bool(each.mend) for each in findings)
    console.print(f"{broken} to mend" if broken else "all well")
