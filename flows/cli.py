"""The command line: what makes data is here, `cli_files` works on files, `cli_datasets` on what was made, `cli_house`
keeps house."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click

from flows import cli_datasets, cli_files, cli_house, estimate, flames, schedule
from flows.exits import EXIT_NOTHING, BadSetup, or_one_line, refusals


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="thoughtmill")
def main() -> None:
    """Thoughtmill makes synthetic reasoning data: problems, thoughts, verified answers, and why each row is there."""


CHANGES = click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="PLACE=VALUE",
    help="Change the recipe: target.accepted=50, plan=false.",
)
MODELS = click.option(
    "--model", "models", multiple=True, metavar="ROLE=ENGINE", help="Bind a role: teacher=openai:MODEL@URL."
)


@main.command()
@click.argument("recipe", required=False)
@click.option("--from", "published", metavar="ORG/REPO[@vN]", help="Run the recipe of a dataset on the Hub instead.")
@CHANGES
@MODELS
@click.option("--name", help="The dataset to make, if not the recipe's own name.")
@click.option("--workers", type=click.IntRange(min=1), help="Shards at once; changes no fact.")
@click.option("--runner", metavar="here|ray", help="Where shards are run, if not where the recipe says.")
@click.option("--metrics", metavar="PORT", help="Serve metrics for Prometheus there, on this machine alone.")
@click.option("--quiet", is_flag=True, help="No progress.")
def run(
    recipe: str | None,
    published: str | None,
    changes: tuple[str, ...],
    models: tuple[str, ...],
    name: str | None,
    workers: int | None,
    runner: str | None,
    metrics: str | None,
    quiet: bool,
) -> None:
    """Run RECIPE until it has its rows, and write the next version of its dataset."""
    from flows import make, rounds, show
    from flows.lean import lean
    from flows.metrics import metrics as measuring
    from flows.runners import chosen
    from flows.watch import together, watching

    if (recipe is None) == (published is None):
        raise click.UsageError("say a RECIPE, or --from and a dataset on the Hub")
    all_changes = [*changes, *_bindings(models)]

    def job() -> Any:
        path = _fetched(published, all_changes) if published else str(recipe)
        if os.environ.get("PREFECT_API_URL"):  # a server is set: its UI shows the run
            if metrics:
                os.environ["THOUGHTMILL_METRICS"] = metrics
            return _through_prefect(path, all_changes, name, workers, runner)
        lean()
        with contextlib.ExitStack() as stack:
            with refusals():
                bound = make.prepare(path, changes=all_changes, dataset=name)
                there = stack.enter_context(chosen(bound, runner, workers=workers))
                measured = stack.enter_context(measuring(metrics or os.environ.get("THOUGHTMILL_METRICS")))
            watch = together(stack.enter_context(watching(quiet=quiet)), measured)
            how = {"workers": there.window, "run_shard": there.run_shard, "watch": watch}
            return asyncio.run(
                _interruptible(
                    lambda mills: rounds.turn(path, all_changes, name, run_round=partial(_round, mills, how))
                )
            )

    made = or_one_line(job)
    for each in made:
        show.ledger(each)
    sys.exit(0 if made[-1].ledger["accepted"] else EXIT_NOTHING)


@main.command()
@click.argument("recipe")
@CHANGES
@MODELS
@click.option("--rows", default=3, show_default=True, type=click.IntRange(min=1), help="How many draws.")
def preview(recipe: str, changes: tuple[str, ...], models: tuple[str, ...], rows: int) -> None:
    """Take the first draws of RECIPE through the whole line and show them, with the exact prompts."""
    from flows import make
    from flows.preview import preview as show

    bound, shard = or_one_line(
        lambda: asyncio.run(make.preview(recipe, changes=[*changes, *_bindings(models)], rows=rows))
    )
    show(bound, shard)


@main.command()
@click.argument("recipe")
@CHANGES
@MODELS
def check(recipe: str, changes: tuple[str, ...], models: tuple[str, ...]) -> None:
    """Check RECIPE, its files, prompts and models, without running anything."""
    from flows import make, show

    show.line(or_one_line(lambda: make.check(recipe, changes=[*changes, *_bindings(models)])))


@main.command(name="list")
def list_() -> None:
    """List the recipes, and the datasets with their versions."""
    from flows import show

    or_one_line(show.everything)


@main.command(name="rules")
def rules_() -> None:
    """List the rules, with their parameters."""
    from flows import show

    show.rules()


def _bindings(models: tuple[str, ...]) -> list[str]:
    return [f"models.{binding}" for binding in models]


def _fetched(published: str, changes: list[str]) -> str:
    """The recipe of a dataset on the Hub, brought here."""
    from pipelines.hub.published import fetch_recipe
    from pipelines.recipe import BadRecipe, read
    from pipelines.store import data_folder

    with refusals():
        path = fetch_recipe(published, into=data_folder() / "recipes", changes=changes)
        if "train" in read(path).get("rounds", {}):
            raise BadRecipe(f"{path} names a command in rounds.train: read it, and run it as a recipe of your own")
        return str(path)


def _through_prefect(
    recipe: str, changes: list[str], name: str | None, workers: int | None, runner: str | None
) -> Any:
    """Run as a Prefect flow. Raises BadSetup where Prefect is not installed, or its server not there."""
    from flows.rounds import is_loop

    url = os.environ["PREFECT_API_URL"]
    try:
        from flows.mill import mill, rounds
    except ModuleNotFoundError as error:
        raise BadSetup(
            f"PREFECT_API_URL is set, but there is no module {error.name!r}: install thoughtmill[flows], or unset it"
        ) from error
    try:
        if is_loop(recipe, changes):
            return asyncio.run(rounds(recipe, changes, name, workers, runner))
        return [asyncio.run(mill(recipe, changes, name, workers, runner))]
    except RuntimeError as error:
        if "Failed to reach API" not in str(error):
            raise
        raise BadSetup(f"no Prefect server answers at {url}: start one, or unset PREFECT_API_URL") from error


async def _round(
    mills: list[Any], how: dict[str, Any], recipe: str, changes: Sequence[str], dataset: str | None
) -> Any:
    """A run, or one round of it. Between rounds, while a model is trained, there is no mill that could finish."""
    from flows import make

    try:
        return await make.make(recipe, changes=changes, dataset=dataset, began=mills.append, **how)
    finally:
        mills.clear()


async def _interruptible(start: Callable[[list[Any]], Any]) -> Any:
    """Run; the first Ctrl-C lets what is under way finish, the second ends at once. Nothing is lost either way."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    mills: list[Any] = []

    def interrupt() -> None:
        if mills and not mills[-1].interrupted:
            mills[-1].interrupt()
        elif task:
            task.cancel()

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, interrupt)
    return await start(mills)


for module in (cli_files, cli_datasets, cli_house, estimate, flames, schedule):
    for command in vars(module).values():
        if isinstance(command, click.Command):
            main.add_command(command)


if __name__ == "__main__":
    main()
