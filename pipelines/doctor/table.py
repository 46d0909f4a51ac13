"""The table of checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pipelines.doctor import confinement, disk, models, packages
from pipelines.doctor.world import Finding, World

CHECKS: dict[str, Callable[[World], Iterable[Finding]]] = {
    "python": packages.python,
    "extras": packages.extras,
    "prefect": packages.prefect,
    "sandbox": confinement.sandbox,
    "disk": disk.disk,
    "journal": disk.journal,
    "facts": disk.facts,
    "tombstones": disk.forgotten,
    "gpu": models.gpu,
    "models": models.models,
}


def examine(world: World, *, watch: Callable[[str], None] = lambda told: None) -> Iterator[Finding]:
    """All findings, in the order of the table; `watch` is told which check is under way."""
    for name, check in CHECKS.items():
        watch(name)
        yield from check(world)
