"""Where the shards of a run are run: in this process, or on a Ray cluster. It changes no fact."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from flows.run import directly, window
from flows.shares import gpus_of, has_own_engine
from flows.spread import Runner
from pipelines.bind import RUNNERS, Recipe


@contextlib.contextmanager
def chosen(recipe: Recipe, name: str | None = None, *, workers: int | None = None) -> Iterator[Runner]:
    """The runner of that name, or else the one that the recipe names.

    `workers` is how many shards are run at once, and with `ray` how many processes do it. Raises ValueError for a
    runner that there is not, or an engine that it cannot start; BadSetup where Ray is not installed; Outage where no
    cluster answers.
    """
    name = name or recipe.runner
    if name not in RUNNERS:
        raise ValueError(f"no runner {name!r}; there are: {', '.join(RUNNERS)}")
    if name == "here":
        yield Runner(directly, workers)
        return
    from flows.ray import on_ray

    # One leg at a time would leave an engine of the worker's own idle whenever the leg waits for its last answers.
    legs = window(recipe) if any(map(has_own_engine, recipe.models.values())) else 1
    with on_ray(workers=workers, gpus=gpus_of(recipe), legs=legs) as there:
        yield there
