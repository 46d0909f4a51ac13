"""From a recipe's name to a version on disk: what the command line and the Prefect flow both do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from flows.run import Log, Mill, Progress, RunShard, State, accepted_verdicts, directly, locked, opened
from pipelines import recipe as recipes
from pipelines.bind import Recipe, bind
from pipelines.indexes import grow_indexes
from pipelines.inference.engines import open_engine
from pipelines.release import Part, Plan, release
from pipelines.sources import benchmarks_of, seeds_in_benchmarks, sizes
from pipelines.stage import Shard
from pipelines.store import data_folder, replace


class Interrupted(Exception):
    """A person ended the run before it had its rows; it makes no version, and goes on when it is run again."""


@dataclass
class Made:
    """What a run made."""

    name: str
    folder: Path
    is_new: bool
    ledger: dict[str, Any]
    counts: dict[str, int]
    wanted: int | None

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
        open_engine(model)
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
) -> Made:
    """Run a recipe and write the next version of its dataset.

    Raises BadRecipe, Busy, Misconfigured, Outage, DiskFull or Interrupted; what was made until then is kept.
    """
    recipe, data = prepare(name, changes=changes, dataset=dataset), data_folder()
    home = data / "runs" / recipe.name
    with locked(home, recipe.name):
        state = State(home / "state.json")
        state.settle(recipe)
        async with opened(recipe, data, state.begun) as run:
            keep = Log(home, recipe, data / "runs" / "outputs").add
            mill = Mill(recipe, run, workers=workers, run_shard=run_shard, watch=watch, keep=keep)
            began(mill)
            stop = await mill.turn()
            counts = dict(run.client.counts)
        if mill.interrupted:
            raise Interrupted(
                f"stopped with {mill.progress.accepted} accepted of {mill.progress.candidates} candidates"
            )
        return _release(recipe, data, mill, stop, counts)


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
    told = {"version": made.folder.name, "draws": stop, "requests": counts, "ledger": made.ledger}
    replace(data / "runs" / recipe.name / "last.json", orjson.dumps(told, option=orjson.OPT_INDENT_2))
    return Made(recipe.name, made.folder, made.is_new, made.ledger, counts, recipe.accepted)


async def preview(name: str, *, changes: Sequence[str] = (), rows: int = 3) -> tuple[Recipe, Shard]:
    """Take the first draws through the whole line, for looking at. A run then has their replies for free."""
    recipe = prepare(name, changes=changes)
    async with opened(recipe, data_folder()) as run:
        limit = rows if recipe.available is None else min(rows, recipe.available)
        return recipe, await directly(recipe, 0, limit, run)
