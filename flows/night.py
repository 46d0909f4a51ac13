"""The nightly flow: more rows for a dataset, and what came of it where people look in the morning.

What a night is lies in `flows.tonight`. Here it becomes a Prefect flow: its shards are task runs, its end is a state
with a line that says what happened, its books are artifacts, and a webhook is told, if there is one.
"""

from __future__ import annotations

import os

# Before Prefect is imported, which else sends telemetry, and so does its server.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import orjson
from prefect import flow
from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.client.schemas.objects import State
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from filters.verifiers import Unable
from flows import make, notice
from flows.changes import funnel_in_words
from flows.exits import BadSetup, refusals
from flows.make import Interrupted, OutOfBudget
from flows.mill import as_task
from flows.run import Busy, Progress
from flows.runners import chosen
from flows.tonight import Night, tonight
from flows.watch import Recent, line
from pipelines.inference.engine import Misconfigured, Outage
from pipelines.recipe import BadRecipe
from pipelines.remote import BadStore
from pipelines.rows import BadRows
from pipelines.store import DiskFull
from pipelines.tombstones import Forgotten

log = logging.getLogger(__name__)

EVERY = 10.0  # seconds between two updates of the progress in the UI
GO_ON = "run it again to go on: nothing that was answered is asked for again"

T = TypeVar("T")

# What may end a night in one line.
ENDS = (
    Busy,
    Interrupted,
    OutOfBudget,
    Outage,
    DiskFull,
    BadRecipe,
    BadRows,
    BadSetup,
    BadStore,
    Forgotten,
    Misconfigured,
    Unable,
)


def _called() -> str:
    """How a night is called in the UI: by its dataset, and the moment."""
    given = flow_run.parameters
    return f"{given.get('name') or stem(given['recipe'])} {flow_run.scheduled_start_time:%Y-%m-%d %H:%M}"


@flow(name="thoughtmill-night", flow_run_name=_called)
async def night(
    recipe: str,
    changes: list[str] | None = None,
    name: str | None = None,
    more: int | None = None,
    wait_minutes: float = 0,
    workers: int | None = None,
) -> State[Any]:
    """Add a night's rows to the dataset of a recipe, and release the next version.

    `changes` are those of `--set`; `name` is the dataset, if not the recipe's own; `more` is how many rows to add, if
    not as many as the recipe's target says. While another run is making the dataset, this one waits for
    `wait_minutes`, and then leaves.

    The states it ends in: Completed; Completed as "Nothing new"; Cancelled as "Skipped" where another run was making
    the dataset; Cancelled after a cancellation; Failed as "Resumable" after an outage or with a full disk; Failed
    where something must be mended.
    """
    key = artifact_key(name or recipe)
    try:
        async with telling(key) as watch:
            with contextlib.ExitStack() as stack:
                with refusals():
                    bound = make.prepare(recipe, changes=changes or [], dataset=name)
                    there = stack.enter_context(chosen(bound, workers=workers))
                made = await tonight(
                    recipe,
                    changes=changes or [],
                    dataset=name,
                    more=more,
                    wait=60 * wait_minutes,
                    workers=there.window,
                    run_shard=partial(as_task, within=there.run_shard),
                    watch=watch,
                )
    except ENDS as error:
        state = state_of(error)
        await tell(_bad_news(recipe, state.name, state.message))
        return state
    except Exception as error:
        await tell(_bad_news(recipe, "Failed", type(error).__name__))
        raise
    await publish_artifacts(key, made)
    state = Completed(name=None if made.made.is_new else "Nothing new", message=made.in_short)
    await tell({"recipe": recipe, "state": state.name, "text": made.in_short, **about(made)})
    return state


def _bad_news(recipe: str, state: str | None, message: str | None) -> dict[str, Any]:
    return {"recipe": recipe, "state": state, "text": f"{recipe}: {state}: {message}"}


def state_of(error: Exception) -> State[Any]:
    """How a night ends that made no version: what can be mended is one line, and no traceback."""
    match error:
        case Busy():
            return Cancelled(name="Skipped", message=str(error))
        case Interrupted():
            return Cancelled(message=f"{error}; {GO_ON}")
        case Outage() | DiskFull() | OutOfBudget():
            return Failed(name="Resumable", message=f"{error}; {GO_ON}")
        case _:
            return Failed(message=str(error))


# --- Artifacts -------------------------------------------------------------------------------------------------


async def publish_artifacts(key: str, made: Night) -> None:
    """The outcomes as a table, the funnel and the note of what changed as Markdown."""
    books = made.made.ledger
    report = orjson.loads((made.made.folder / "report" / "report.json").read_bytes())
    outcomes = [{"outcome": outcome, "draws": count} for outcome, count in made.made.outcomes()]
    funnel = funnel_in_words(report["funnel"], books["candidates"])
    await harmless(acreate_table_artifact(key=f"{key}-outcomes", table=outcomes, description=made.in_short))
    await harmless(acreate_markdown_artifact(key=f"{key}-funnel", markdown=funnel, description=made.in_short))
    if made.changes:
        note = acreate_markdown_artifact(key=f"{key}-changes", markdown=made.changes, description=made.in_short)
        await harmless(note)


@contextlib.asynccontextmanager
async def telling(key: str, *, every: float = EVERY) -> AsyncIterator[Callable[[Progress, float], None]]:
    """A progress artifact that is brought up to date now and then, and at the end."""
    id = await harmless(acreate_progress_artifact(progress=0.0, key=f"{key}-progress", description="starting"))
    latest: list[tuple[float, str]] = [(0.0, "nothing was begun")]
    ended = asyncio.Event()

    def watch(told: Progress, share: float) -> None:
        latest[0] = 100 * share, line(told, Recent(time.monotonic).rates(told))

    async def keep_up() -> None:
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), every)
            if id is not None:
                progress, said = latest[0]
                await harmless(aupdate_progress_artifact(artifact_id=id, progress=progress, description=said))

    task = asyncio.create_task(keep_up())
    try:
        yield watch
    finally:
        ended.set()
        await task


async def harmless(doing: Awaitable[T]) -> T | None:
    """What it gives; None, and a line in the log, when it fails: no night is lost for want of a report."""
    try:
        return await doing
    except Exception as error:  # noqa: BLE001 - told, and else without consequence
        warn(f"a report of this night did not come through: {type(error).__name__}: {error}")
        return None


def warn(told: str) -> None:
    """A line in the log of the flow run, where the UI shows it; outside of one in that of the process."""
    try:
        get_run_logger().warning(told)
    except MissingContextError:
        log.warning(told)


def artifact_key(name: str) -> str:
    """A dataset or recipe as the key of an artifact: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", stem(name).lower()).strip("-") or "night"


def stem(name: str) -> str:
    """A recipe's name, where it is a path."""
    return re.sub(r".*/|\.toml$", "", name)


# --- The webhook -----------------------------------------------------------------------------------------------


def about(made: Night) -> dict[str, Any]:
    """A night in numbers."""
    books, counts = made.made.ledger, made.made.counts
    return {
        "dataset": made.made.name,
        "version": made.made.folder.name,
        "accepted": books["accepted"],
        "new": made.new_rows,
        "candidates": books["candidates"],
        "not_accepted": books["not_accepted"],
        "requests": counts.get("sent", 0),
        "completion_tokens": counts.get("completion_tokens", 0),
        "spent": made.made.spent,
        "ended_early": made.made.ended,
    }


async def tell(body: dict[str, Any]) -> None:
    """Tell the webhook, if there is one. What goes wrong is a line without an error's text: that may tell the URL."""
    try:
        url = await notice.address()
        why = await notice.post(body, url) if url else None
    except Exception as error:  # noqa: BLE001 - no night is lost for want of a notice
        why = type(error).__name__
    if why:
        warn(f"the webhook was not told: {why}")
