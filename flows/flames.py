"""Recipes compared at an equal budget of tokens: `thoughtmill compare PLAN` (FLAMES, arXiv 2508.16514)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.exits import or_one_line

if TYPE_CHECKING:
    from pipelines.comparison import Comparison


@click.command()
@click.argument("plan")
@click.option("--tokens", type=click.IntRange(min=1), help="Of each recipe's answers, in place of the plan's.")
@click.option("--model", "models", multiple=True, metavar="ROLE=ENGINE", help="Bind a role of all recipes.")
@click.option("--quiet", is_flag=True, help="No progress.")
def compare(plan: str, tokens: int | None, models: tuple[str, ...], quiet: bool) -> None:
    """Run the recipes of PLAN at an equal budget of tokens, and write what each gave beside the others.

    Each policy of the plan chooses among the same answers: only the first one sends requests.
    """
    from flows.lean import lean

    lean()
    told, folder = or_one_line(lambda: asyncio.run(compared(plan, tokens=tokens, models=models, quiet=quiet)))
    show(told, folder)


async def compared(
    plan: str, *, tokens: int | None = None, models: Sequence[str] = (), quiet: bool = True
) -> tuple[dict[str, Any], Path]:
    """Make what a plan asks for; returns the comparison and the folder that has it. Raises what runs raise."""
    import orjson
    import tomli_w

    from pipelines.comparison import bindings, check_plan, copy_prompts, find_plan, read_plan
    from pipelines.reports.comparison import as_markdown
    from pipelines.store import data_folder, replace

    wanted = read_plan(find_plan(plan), tokens=tokens)
    folder = data_folder() / "comparisons" / wanted.name
    check_plan(wanted, models=models)
    told: dict[str, Any] = {"name": wanted.name, "tokens": wanted.tokens, "reliability": wanted.reliability}
    told["recipes"] = {}
    for name, value in wanted.recipes.items():
        path = folder / "recipes" / name / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        copy_prompts(wanted.folders[name], path.parent)
        replace(path, tomli_w.dumps(value).encode())
        told["recipes"][name] = await _policies(path, value, wanted, bindings(value, models), quiet)
    replace(folder / "comparison.json", orjson.dumps(told, option=orjson.OPT_INDENT_2))
    replace(folder / "comparison.md", as_markdown(told).encode())
    return told, folder


async def _policies(
    path: Path, value: dict[str, Any], plan: Comparison, models: Sequence[str], quiet: bool
) -> dict[str, dict[str, Any]]:
    """A recipe under every policy: the draws are those that the first one pays for."""
    from flows import make
    from flows.watch import together, watching
    from pipelines.reports.comparison import accepted_ids, measured

    solve = next(each.get("name", "expand") for each in value["stages"][::-1] if each["use"] == "expand")
    told: dict[str, dict[str, Any]] = {}
    first: list[str] = []
    cut: list[str] = []
    for policy, changes in plan.policies.items():
        name, all_changes = f"{value['name']}-{policy}", [*models, *cut, *changes]
        with watching(quiet=quiet) as watch:
            made = await make.make(str(path), changes=all_changes, dataset=name, watch=together(watch))
        told[policy] = measured(made.folder, reliability=plan.reliability, solve=solve)
        told[policy] |= {"dataset": f"{made.name}@{made.folder.name}"}
        ids = accepted_ids(made.folder)
        # The draws of the first, neither more nor fewer: a guess how many are needed could ask for others.
        first, cut = first or ids, cut or [f"target={{candidates={made.ledger['candidates']}}}"]
        told[policy]["of_the_first"] = len(set(ids) & set(first))
    return told


SHOWN = ("recipe", "policy", "coverage", "reliability", "difficulty", "diversity", "tokens a row")


def show(told: dict[str, Any], folder: Path) -> None:
    """The comparison on the terminal: what fits there, without intervals; all of it is in the file."""
    from rich.table import Table

    from flows.show import plain, screen
    from pipelines.reports.comparison import COLUMNS, rows

    table = Table(*SHOWN, box=None, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = "right"
    for row in rows(told):
        by_column = dict(zip(COLUMNS, row, strict=True))
        table.add_row(*(plain(by_column[column].partition(" (")[0]) for column in SHOWN))
    screen.print(f"{told['name']}: {told['tokens']:,} tokens for each recipe", markup=False)
    screen.print(table)
    screen.print(f"written to {folder / 'comparison.md'}", markup=False, soft_wrap=True)
