"""Are the seeds themselves items of the benchmarks that a recipe keeps away from?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from filters.artifact import Artifact
from filters.benchmarks import read
from filters.contamination import contaminated
from filters.contamination_report import overlaps
from pipelines.rows import Rows, Seeds
from pipelines.stage import Step


def benchmarks_of(steps: Iterable[Step]) -> list[Artifact]:
    """The folders of benchmarks that the steps, or their rules, compare with."""
    values = (value for step in steps for value in _parameters(step))
    return list(dict.fromkeys(value for value in values if isinstance(value, Artifact)))


def _parameters(step: Step) -> Iterator[Any]:
    yield step.parameters.get("against")
    for each in step.parameters.get("rules", ()):
        yield each.parameters.get("against")


def sizes(folders: Iterable[Artifact]) -> dict[str, int]:
    """How many items each benchmark file has."""
    counts: dict[str, int] = {}
    for folder in folders:
        for item in read(folder.path):
            counts[item.file] = counts.get(item.file, 0) + 1
    return counts


def seeds_in_benchmarks(steps: Sequence[Step]) -> dict[str, Mapping[str, Any]]:
    """By benchmark file, how many of its items the seeds hold, of those of which they hold any.

    Where that is a good part of a file, the file is a source of the seeds: what is posed from them will be near it.
    """
    seeds = [value for step in steps[:1] for value in step.parameters.values() if isinstance(value, Seeds | Rows)]
    rows = [each.rows if isinstance(each, Seeds) else each for each in seeds]
    found: dict[str, Mapping[str, Any]] = {}
    for folder in benchmarks_of(steps):
        texts = (each.text(i, "question") or "" for each in rows for i in range(len(each)))
        for overlap in overlaps(read(folder.path), contaminated(texts, folder, processes=1)):
            if overlap.found:
                told = {"items": overlap.items, "found": overlap.found, "is_source": overlap.seed_source}
                found[overlap.file] = told
    return found
