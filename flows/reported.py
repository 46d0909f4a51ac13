"""What a run leaves of how it went: its timeline while it goes, and its report at the end, however it ends."""

from __future__ import annotations

import contextlib
import logging
import platform
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from pipelines.reports.timeline import Timeline
from pipelines.store import DiskFull

if TYPE_CHECKING:
    from flows.run import Progress
    from pipelines.bind import Recipe

log = logging.getLogger(__name__)

PACKAGES = {"openai": ("aiohttp",), "vllm": ("vllm", "torch"), "transformers": ("transformers", "torch")}


@contextlib.contextmanager
def reported(
    recipe: Recipe, data: Path, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Progress], None]]:
    """What a run is to tell its progress to; when it ends, for whatever reason, its report is written."""
    home = data / "runs" / recipe.name
    timeline = Timeline(home / "timeline.jsonl", lambda: about(recipe), clock)
    try:
        yield lambda told: timeline.add(sample(told, clock()))
    except DiskFull:  # there is no room for a report
        raise
    except BaseException as error:
        _close(timeline, data, recipe.name, how=_word(error), told=str(error)[:1000])
        raise
    last = orjson.loads((home / "last.json").read_bytes()) if (home / "last.json").is_file() else {}
    ended = last.get("ended")
    _close(
        timeline, data, recipe.name, how="budget" if ended else "done", told=ended or "", version=last.get("version")
    )


def sample(told: Progress, now: float) -> dict[str, Any]:
    """How far a run has come, as its timeline has it."""
    by_role = {
        role: {name: count for name, count in counts.items() if not name.startswith("latency")}
        for role, counts in told.by_role.items()
    }
    return {
        "seconds": round(now - told.started, 3),
        "candidates": told.candidates,
        "accepted": min(told.accepted, told.target or told.accepted),  # the last shard may hold more
        "by_role": by_role,
        "budget": told.budget,
        "note": told.note,
    }


def about(recipe: Recipe) -> dict[str, Any]:
    """What runs: models as recipes name them, and the versions of what asks them. No URL, no key, no host."""
    models = {
        role: {
            "engine": each.engine,
            "model": each.name,
            "revision": each.revision,
            "deployment": each.deployment,
        }
        for role, each in recipe.models.items()
    }
    engines = sorted({each.engine for each in recipe.models.values()})
    packages = ["thoughtmill", *dict.fromkeys(name for engine in engines for name in PACKAGES.get(engine, ()))]
    versions = {name: _version(name) for name in packages}
    return {"name": recipe.name, "models": models, "versions": {**versions, "python": platform.python_version()}}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _word(error: BaseException) -> str:
    """How a run ended that raised this; the report has a sentence for each."""
    from flows.make import Interrupted, OutOfBudget
    from pipelines.inference.engine import Outage

    kinds = ((Interrupted, "interrupted"), (Outage, "outage"), (OutOfBudget, "spent"), (Exception, "failed"))
    return next((word for kind, word in kinds if isinstance(error, kind)), "interrupted")


def _close(timeline: Timeline, data: Path, name: str, **how: Any) -> None:
    """End the timeline and write the report. What the disk refuses is said, and does not hide how the run ended."""
    from pipelines.reports.run import write_report

    if timeline.end(**how):
        try:
            write_report(data, name)
        except Exception as error:  # noqa: BLE001 - a report never hides how a run ended
            log.warning("no report of this run is written: %s", error)
