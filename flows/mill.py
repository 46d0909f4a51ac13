"""The mill as a Prefect flow: `python -m flows.mill RECIPE [PLACE=VALUE ...]`.

Every shard is a task run, so that the Prefect UI shows how far a run is; the draws, rules and facts are those of
`thoughtmill run`. Only names and numbers pass between flow and tasks: live objects stay inside.
"""

from __future__ import annotations

import os

# Before Prefect is imported, which else sends telemetry, and so does its server.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")

import asyncio
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from prefect import flow, task
from prefect.artifacts import acreate_table_artifact

from flows import make, show
from flows.exits import or_one_line, refusals
from flows.metrics import metrics
from flows.rounds import is_loop, turn
from flows.run import RunShard, directly
from flows.runners import chosen
from pipelines.bind import Recipe
from pipelines.inference.client import Stopping
from pipelines.stage import Run, Shard


@flow(name="thoughtmill", flow_run_name="{recipe}", validate_parameters=False)
async def mill(
    recipe: str,
    changes: list[str] | None = None,
    name: str | None = None,
    workers: int | None = None,
    runner: str | None = None,
) -> make.Made:
    """Run a recipe to its next version. Returns the ledger, and where the dataset is."""
    with ExitStack() as stack:
        with refusals():
            measure = stack.enter_context(metrics(os.environ.get("THOUGHTMILL_METRICS")))
            bound = make.prepare(recipe, changes=changes or [], dataset=name)
            there = stack.enter_context(chosen(bound, runner, workers=workers))
        how = {"workers": there.window, "run_shard": partial(as_task, within=there.run_shard), "watch": measure}
        made = await make.make(recipe, changes=changes or [], dataset=name, **how)
    await acreate_table_artifact(
        key="ledger",
        table=[{"outcome": outcome, "draws": count} for outcome, count in made.outcomes()],
        description=f"{made.name}: {made.ledger['candidates']} candidates",
    )
    return made


@flow(name="rounds", flow_run_name="{recipe}", validate_parameters=False)
async def rounds(
    recipe: str,
    changes: list[str] | None = None,
    name: str | None = None,
    workers: int | None = None,
    runner: str | None = None,
) -> list[make.Made]:
    """Run a recipe, or its rounds one after another, each as a flow of its own."""

    async def one(recipe: str, changes: Sequence[str], dataset: str | None) -> make.Made:
        return await mill(recipe, list(changes), dataset, workers, runner)

    return await turn(recipe, changes or [], name, run_round=one)


async def as_task(recipe: Recipe, start: int, stop: int, run: Run, within: RunShard = directly) -> Shard:
    """Run a shard inside a task of its own; what it made stays on this side."""
    finished: list[Shard] = []

    @task(name="shard", task_run_name=f"draws {start} to {stop - 1}", persist_result=False)
    async def shard(start: int, stop: int) -> str:
        try:
            finished.append(await within(recipe, start, stop, run))
        except Stopping:
            return "not needed any more"  # no failure, so that the UI shows none
        return f"{len(finished[0].live)} of {stop - start} draws got through"

    await shard(start, stop)
    if not finished:
        raise Stopping
    return finished[0]


def main(arguments: list[str]) -> None:
    if not arguments:
        sys.exit("usage: python -m flows.mill RECIPE [PLACE=VALUE ...]")
    recipe, *changes = arguments
    or_one_line(lambda: make.check(recipe, changes=changes))  # before a flow run is there that could only fail
    loops = or_one_line(lambda: is_loop(recipe, changes))
    made = or_one_line(lambda: asyncio.run(rounds(recipe, changes) if loops else mill(recipe, changes)))
    for each in made if loops else [made]:
        show.ledger(each)


if __name__ == "__main__":
    main(sys.argv[1:])
