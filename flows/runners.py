"""Where the shards of a run are run: in this process, or on a Ray cluster. It changes no fact."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from flows.run import directly
from flows.spread import Runner

RUNNERS = ("here", "ray")


@contextlib.contextmanager
def chosen(name: str, *, workers: int | None = None) -> Iterator[Runner]:
    """The runner of that name; with `ray`, `workers` is how many legs of shards run at once.

    Raises BadSetup where Ray is not installed, Outage where no cluster answers.
    """
    if name not in RUNNERS:
        raise ValueError(f"no runner {name!r}; there are: {', '.join(RUNNERS)}")
    if name == "here":
        yield Runner(directly, workers)
        return
    from flows.ray import on_ray

    with on_ray(workers=workers) as there:
        yield there
