"""`thoughtmill schedule`: a recipe's nights, served from here. A server with workers has `prefect.yaml` instead."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.exits import BadSetup, or_one_line, refusals

if TYPE_CHECKING:
    from prefect.schedules import Schedule


@click.command()
@click.argument("recipe")
@click.option("--cron", default="0 2 * * *", show_default=True, help="When, in the five fields of cron.")
@click.option("--timezone", help="Whose clock cron means, such as Europe/Berlin; UTC if not said.")
@click.option("--set", "changes", multiple=True, metavar="PLACE=VALUE", help="Change the recipe, as for run.")
@click.option("--model", "models", multiple=True, metavar="ROLE=ENGINE", help="Bind a role, as for run.")
@click.option("--name", help="The dataset to make, if not the recipe's own name.")
@click.option("--more", type=click.IntRange(min=1), help="Rows that a night adds, if not the recipe's target.")
@click.option("--wait", type=click.FloatRange(min=0), default=0, help="Minutes to wait for another run to end.")
def schedule(
    recipe: str,
    cron: str,
    timezone: str | None,
    changes: tuple[str, ...],
    models: tuple[str, ...],
    name: str | None,
    more: int | None,
    wait: float,
) -> None:
    """Add rows to the dataset of RECIPE every night, for as long as this command runs; of [rounds] make the next.

    It needs a Prefect server, which keeps the clock and shows the nights: start one with `prefect server start`, and
    set PREFECT_API_URL.
    """
    all_changes = [*changes, *(f"models.{binding}" for binding in models)]

    def job() -> None:
        from flows import make
        from flows.goal import plan
        from flows.rounds import is_loop
        from flows.tonight import check_loop

        prefect_there()
        with refusals():
            clock = clock_of(cron, timezone)
        checked = make.check(recipe, changes=all_changes)  # what would end a night is told today
        dataset = name or checked.name
        if is_loop(recipe, all_changes):
            check_loop(more)
        else:
            plan(recipe, changes=all_changes, dataset=dataset, more=more)
        server_there()
        serve(recipe, dataset, clock, {"changes": all_changes, "more": more, "wait_minutes": wait})

    or_one_line(job)


def prefect_there() -> None:
    """Check that Prefect is installed. Raises BadSetup."""
    if find_spec("prefect") is None:
        raise BadSetup("Prefect is not installed: install thoughtmill[flows]")
    os.environ.setdefault("DO_NOT_TRACK", "1")


def server_there() -> None:
    """Check that a Prefect server is set, and answers. Raises BadSetup: without one a night would never come."""
    from prefect.client.orchestration import get_client
    from prefect.settings import get_current_settings

    url = get_current_settings().api.url
    if not url:
        raise BadSetup(
            "no Prefect server, so no night would ever come: run `prefect server start` in another terminal, and here"
            " `export PREFECT_API_URL=http://127.0.0.1:4200/api`"
        )
    with get_client(sync_client=True) as client:
        if trouble := client.api_healthcheck():
            raise BadSetup(f"no Prefect server answers at {url} ({type(trouble).__name__}): start one") from trouble


def clock_of(cron: str, timezone: str | None) -> Schedule:
    """When nights come. Raises ValueError."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from prefect.schedules import Cron

    try:
        zone = ZoneInfo(timezone or "UTC")
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(
            f"--timezone {timezone}: no time zone of that name; say one such as Europe/Berlin"
        ) from error
    try:
        return Cron(cron, timezone=zone.key)
    except ValueError as error:
        raise ValueError(f'--cron "{cron}": should be five fields, such as "0 2 * * *" for two at night') from error


def serve(recipe: str, dataset: str, clock: Schedule, parameters: dict[str, Any]) -> None:
    """Make a deployment of a recipe's nights and run them when they are due, until this process is told to end."""
    from prefect.types.entrypoint import EntrypointType

    from flows.night import night
    from pipelines.store import data_folder

    os.environ["THOUGHTMILL_DATA"] = str(data_folder().resolve())
    click.echo(f"{dataset}: nights at {clock.cron} ({clock.timezone}), into {os.environ['THOUGHTMILL_DATA']}")
    place = str(Path(recipe).resolve()) if Path(recipe).is_file() else recipe
    night.serve(
        name=dataset,
        schedules=[clock],
        parameters={"recipe": place, "name": dataset, **parameters},
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
