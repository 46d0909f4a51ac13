"""How much of the benchmarks a corpus holds, and how far its findings can be believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from typing import NamedTuple

from filters.benchmarks import Item
from filters.contamination import Benchmarks, Hit, Limits

SEED_SOURCE = 0.1  # share of a benchmark's items in a corpus, from which on it looks like one of its sources
NORMAL = 1.96  # standard deviations of a 95 % interval

# --- What was found -------------------------------------------------------------------------------------------


class Overlap(NamedTuple):
    """What a corpus and one benchmark file share."""

    file: str
    items: int  # in the file
    found: int  # different items that some text holds
    texts: int  # that hold one or more
    methods: Mapping[str, int]  # texts by the method that found the best hit
    seed_source: bool  # so many items were found that the corpus seems to be made from it

    @property
    def share(self) -> float:
        return self.found / self.items if self.items else 0.0


def overlaps(items: Iterable[Item], hits: Iterable[Sequence[Hit]]) -> list[Overlap]:
    """What each file shares with a corpus, of whose texts these are the hits; the file of the largest share first."""
    sizes = Counter(item.file for item in items)
    found: dict[str, set[int]] = {file: set() for file in sizes}
    methods: dict[str, Counter[str]] = {file: Counter() for file in sizes}
    for each in hits:
        for hit in each:
            found[hit.file].add(hit.item)
        for file, method in {hit.file: hit.method for hit in reversed(each)}.items():
            methods[file][method] += 1
    said = [_overlap(file, sizes[file], len(found[file]), methods[file]) for file in sizes]
    return sorted(said, key=lambda overlap: (-overlap.share, overlap.file))


def _overlap(file: str, items: int, found: int, methods: Counter[str]) -> Overlap:
    return Overlap(file, items, found, methods.total(), dict(methods), found >= max(2, SEED_SOURCE * items))


# --- How far it can be believed -------------------------------------------------------------------------------


class Rate(NamedTuple):
    """k of n, as a share with its 95 % interval (Wilson 1927)."""

    k: int
    n: int

    @property
    def share(self) -> float | None:
        return self.k / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        if not self.n:
            return 0.0, 1.0
        share, square = self.k / self.n, NORMAL**2
        middle = (share + square / (2 * self.n)) / (1 + square / self.n)
        half = NORMAL / (1 + square / self.n) * sqrt(share * (1 - share) / self.n + square / (4 * self.n**2))
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        if not self.n:
            return "none tried"
        low, high = self.interval
        return f"{self.k} of {self.n} = {self.k / self.n:.1%} ({low:.1%} to {high:.1%})"


class Errors(NamedTuple):
    """What is missed of each kind of planted item, and what is found where nothing is."""

    missed: Mapping[str, Rate]
    false_alarms: Rate


def errors(
    benchmarks: Benchmarks,
    planted: Mapping[str, Sequence[str]],
    controls: Iterable[str],
    limits: Limits | None = None,
) -> Errors:
    """Look for the items in texts that hold one (by the kind of planting) and in controls that hold none."""
    missed = {kind: [not benchmarks.hits(text, limits) for text in texts] for kind, texts in planted.items()}
    alarms = [bool(benchmarks.hits(text, limits)) for text in controls]
    return Errors(
        {kind: Rate(sum(each), len(each)) for kind, each in missed.items()},
        Rate(sum(alarms), len(alarms)),
    )
