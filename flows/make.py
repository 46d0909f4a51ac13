"""From a recipe's name to a version on disk: what the command line and the Prefect flow both do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from flows.reported import reported
from flows.run import Log, Mill, Progress, RunShard, State, accepted_verdicts, directly, locked, opened
from flows.watch import together
from pipelines import recipe as recipes
from pipelines.bind import Recipe, bind
from pipelines.gc import using
from pipelines.indexes import grow_indexes
from pipelines.inference.budget import Purse, closed
from pipelines.inference.engines import open_engine
from pipelines.mirror import Mirror
from pipelines.mirror import opened as opened_store
from pipelines.release import Part, Plan, release
from pipelines.sources import benchmarks_of, seeds_in_benchmarks, sizes
from pipelines.stage import Shard
from pipelines.store import data_folder, replace


class Interrupted(Exception):
    """A person ended the run before it had its rows; it makes no version, and goes on when it is run again."""


class OutOfBudget(Exception):
    """The budget was spent before a single shard was finished. What was answered is kept."""


@dataclass
class Made:
    """What a run made. `ended` says why it ended before it had its rows, where it did; `spent` is as `Purse.told`;
    `note` is what else whoever started it should know."""

    name: str
    folder: Path
    is_new: bool
    ledger: dict[str, Any]
    counts: dict[str, int]
    wanted: int | None
    ended: str | None = None
    spent: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    def outcomes(self) -> list[tuple[str, int]]:
        return [("accepted", self.ledger["accepted"]), *self.ledger["not_accepted"].items()]


def prepare(name: str, *, changes: Sequence[str] = (), dataset: str | None = None) -> Recipe:
    """Find, read and check a recipe. Raises BadRecipe."""
    path = recipes.find(name)
    value = recipes.read(path, changes=changes)
    if dataset:
        value["name"] = dataset
    return bind(value, folder=path.parent)


def check(name: str, *, changes: Sequence[str] = ()) -> Recipe:
    """Check a recipe as far as that goes without asking anyone. Raises BadRecipe or Misconfigured."""
    recipe = prepare(name, changes=changes)
    for model in recipe.models.values():
        open_engine(model, data_folder())
    return recipe


async def make(
    name: str,
    *,
    changes: Sequence[str] = (),
    dataset: str | None = None,
    workers: int | None = None,
    run_shard: RunShard = directly,
    watch: Callable[[Progress], None] = lambda progress: None,
    began: Callable[[Mill], None] = lambda mill: None,
    had: int | None = None,
) -> Made:
    """Run a recipe and write the next version of its dataset: a night's, of `had` draws or more.

    Raises BadRecipe, Busy, Misconfigured, Outage, DiskFull, OutOfBudget or Interrupted; what was made until then is
    kept. A run whose budget is spent makes a version of what it has; each night has a budget of its own.
    """
    recipe, data = prepare(name, changes=changes, dataset=dataset), data_folder()
    home, mirror = data / "runs" / recipe.name, await asyncio.to_thread(opened_store, data)
    async with held(home, recipe.name, mirror) as stack:
        state = State(home / "state.json")
        state.settle(recipe)
        watch = together(watch, stack.enter_context(reported(recipe, data)))
        purse = Purse(recipe.models, recipe.budget, path=home / "budget.json")
        async with opened(recipe, data, state.begun, purse, mirror=mirror) as run:
            keep = Log(home, recipe, data / "runs" / "outputs").add
            mill = Mill(recipe, run, workers=workers, run_shard=run_shard, watch=watch, keep=keep)
            began(mill)
            stop = await mill.turn()
            counts, spent = dict(run.client.counts), run.client.spent
        if mill.interrupted:
            raise Interrupted(
                f"stopped with {mill.progress.accepted} accepted of {mill.progress.candidates} candidates"
            )
        if spent and had is not None and stop <= had:  # no version of tonight, and the next one is to get on
            stack.callback(closed, home / "budget.json")
        if spent and not stop:
            raise OutOfBudget(f"{spent}, before {recipe.rows_per_shard} draws were finished")
        if spent and stop < (had or 0):
            raise OutOfBudget(f"{spent}, before the {had} draws of the version that it continues were finished")
        made = _release(recipe, data, mill, stop, counts)
        made.ended, made.spent = str(spent) if spent else None, purse.told()
        if made.is_new or not spent:  # else the version that it is for is still to be made
            closed(home / "budget.json")
        told = {"version": made.folder.name, "draws": stop, "requests": counts, "ledger": made.ledger}
        told |= {"ended": made.ended, "spent": made.spent}
        replace(home / "last.json", orjson.dumps(told, option=orjson.OPT_INDENT_2))
        return made


@contextlib.asynccontextmanager
async def held(home: Path, name: str, mirror: Mirror | None) -> AsyncIterator[contextlib.ExitStack]:
    """Hold a dataset for one run: on this disk, and in the store where there is one. Raises Busy."""
    with locked(home, name), using(home.parent.parent):
        async with mirror.run(name) if mirror else contextlib.nullcontext():
            with contextlib.ExitStack() as stack:
                yield stack


def _release(recipe: Recipe, data: Path, mill: Mill, stop: int, counts: dict[str, int]) -> Made:
    parts = [Part(done.outputs, closing) for done, closing in accepted_verdicts(mill, stop)]
    plan = Plan(
        recipe=recipe.value,
        prompts=recipe.prompts,
        views=recipe.views,
        prices={role: model.price for role, model in recipe.models.items()},
        selectors=[each.name for each in recipe.selection.parameters["rules"]] if recipe.selection else [],
        curriculum=recipe.curriculum,
        order=recipe.order,
        benchmarks=sizes(benchmarks_of(recipe.steps)),
        seeds_in_benchmarks=seeds_in_benchmarks(recipe.steps),
    )
    made = release(data / "datasets", name=recipe.name, parts=parts, stop=stop, plan=plan)
    grow_indexes(made.folder, recipe.steps)
    return Made(recipe.name, made.folder, made.is_new, made.ledger, counts, recipe.accepted)


async def preview(name: str, *, changes: Sequence[str] = (), rows: int = 3) -> tuple[Recipe, Shard]:
    """Take the first draws through the whole line, for looking at. A run then has their replies for free."""
    recipe = prepare(name, changes=changes)
    mirror = await asyncio.to_thread(opened_store, data_folder())  # before the folder is held: it takes out purges
    with using(data_folder()):
        return await _preview(recipe, rows, mirror)


async def _preview(recipe: Recipe, rows: int, mirror: Mirror | None) -> tuple[Recipe, Shard]:
    async with opened(recipe, data_folder(), mirror=mirror) as run:
        limit = rows if recipe.available is None else min(rows, recipe.available)
        return recipe, await directly(recipe, 0, limit, run)
