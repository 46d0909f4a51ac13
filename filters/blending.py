"""Mixing by named weights: over domain, source, format, verifier, or what any rule said, several of them at once.

The shares are kept and the size gives way: where a stratum has too few rows, the blend is as large as it can be with
every stratum within one row of its share. After the blending of Nemotron-CrossThink (arXiv 2504.13941). Weights may
change over the stages of a curriculum; what was mixed is told as a trajectory, from which a mixer can be learned, as
the Data Mixing Agent is (arXiv 2507.15640).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise, product
from math import lcm, prod
from typing import Any, NamedTuple

from filters.rule import Case, Ruling, failed, unsure
from filters.selection import arms, drawn, name_of, score_of

Weights = Mapping[str, Mapping[str, float]]
"""By dimension, the weight of each name: `{"domain": {"algebra": 1, "geometry": 3}}`."""

Stratum = tuple[str, ...]
"""One name for each dimension, in their order."""

OWN = ("domain", "source", "format", "verifier")  # what a problem says itself; else a dimension is a rule
FORMATS = ("choice", "open")
STRATA = 10_000  # at most
LISTED = 50  # strata that the context of every ruling lists; of more it tells only how many there are


# --- As a rule ------------------------------------------------------------------------------------------------


def blend(cases: Sequence[Case], *, weights: Weights | None = None, k: int = 1_000, seed: int = 0) -> list[Ruling]:
    """Keep up to k problems in the shares that `weights` names: every stratum within one row of its share.

    A dimension is `domain`, `source`, `format` (choice or open), `verifier`, or a rule: then by the value that it
    gave, or, where all names are bands such as "0-0.25", by its score. Bands hold their lower end; the highest holds
    its upper end as well. Weights are numbers above zero and need not sum to one. The strata are the products of the
    dimensions; what has no weight is left out. Where a stratum has too few rows, fewer than k are kept, and
    `limited_by` in the context says which. The value is the stratum. Raises ValueError for bad weights.
    """
    if weights is None:
        return [unsure("no weights to blend by: say weights = { domain = { NAME = WEIGHT } }")] * len(cases)
    known = axes(weights)
    placed = {case.problem.id: place(known, partial(_name, case), partial(score_of, case)) for case in cases}
    mixed = mix(placed, strata(known), size=k, seed=seed)
    rulings = arms(
        cases,
        mixed.chosen,
        {id: None for id, stratum in placed.items() if stratum in mixed.shares},
        context=mixed.told(),
        otherwise="its stratum has its share",
        unknown=f"not known by {' and '.join(weights)}",
    )
    return [_of_stratum(placed[case.problem.id], ruling, mixed) for case, ruling in zip(cases, rulings, strict=True)]


def _of_stratum(stratum: Stratum | None, ruling: Ruling, mixed: Mix) -> Ruling:
    """The ruling, with its stratum's name; a stratum without weight fails."""
    if stratum is None:
        return ruling
    value = " / ".join(stratum)
    if stratum not in mixed.shares:
        return failed("its stratum has no weight", value=value, context=ruling.context)
    numbers = {"available": mixed.available[stratum], "realised": mixed.counts[stratum]}
    return ruling._replace(value=value, evidence={**ruling.evidence, **numbers})


def _name(case: Case, by: str) -> str | None:
    match by:
        case "format":
            return format_of(case.problem.verifier)
        case "verifier":
            return case.problem.verifier
        case _:
            return name_of(case, by)


def format_of(verifier: str | None) -> str:
    """`choice` where options are chosen from, else `open`."""
    return "choice" if verifier == "choice" else "open"


# --- Dimensions and strata ------------------------------------------------------------------------------------


class Band(NamedTuple):
    """Scores from `low` up to `high`, which only a closed band holds."""

    name: str
    low: float
    high: float
    closed: bool

    def holds(self, score: float) -> bool:
        return self.low <= score < self.high or (self.closed and score == self.high)


class Axis(NamedTuple):
    """A dimension, checked: the shares of its names, which sum to one, and the bands if they are such."""

    by: str
    shares: dict[str, Fraction]
    bands: tuple[Band, ...]


def axes(weights: Weights) -> list[Axis]:
    """The dimensions in their order. Raises ValueError unless there are some, with sound weights and bands."""
    if not isinstance(weights, Mapping) or not weights:
        raise ValueError(f"weights = {weights!r:.100} should name dimensions: {{ domain = {{ NAME = WEIGHT }} }}")
    for names in (weights, *(table for table in weights.values() if isinstance(table, Mapping))):
        if odd := [name for name in names if not isinstance(name, str)]:
            raise ValueError(f"weights: {odd[0]!r:.100} should be a name, in quotes")
    known = [Axis(by, _shares(by, table), _bands(by, table)) for by, table in weights.items()]
    if (count := prod(len(axis.shares) for axis in known)) > STRATA:
        raise ValueError(f"weights: {count:,} strata are too many; name fewer than {STRATA:,} products")
    return known


def strata(known: Iterable[Axis]) -> dict[Stratum, Fraction]:
    """The share of each stratum: the product of those of its names."""
    parts = product(*(axis.shares.items() for axis in known))
    return {tuple(name for name, _ in each): prod(share for _, share in each) for each in parts}  # pyright: ignore[reportReturnType]


def place(
    known: Iterable[Axis], name: Callable[[str], str | None], score: Callable[[str], float | None]
) -> Stratum | None:
    """The stratum of something that tells its `name` and its `score` by each dimension; None where it does not.

    It may be a stratum that has no weight.
    """
    told = [_banded(axis, score(axis.by)) if axis.bands else name(axis.by) for axis in known]
    names = [each for each in told if each is not None]
    return tuple(names) if len(names) == len(told) else None


def _banded(axis: Axis, score: float | None) -> str | None:
    if score is None:
        return None
    return next((band.name for band in axis.bands if band.holds(score)), "no band")


def _shares(by: str, table: Mapping[str, float]) -> dict[str, Fraction]:
    if not isinstance(table, Mapping) or not table:
        raise ValueError(f"weights.{by} = {table!r:.100} should give names their weights: {{ NAME = WEIGHT }}")
    if by == "format" and not table.keys() <= set(FORMATS):
        raise ValueError(f"weights.format: the formats are {' and '.join(FORMATS)}, not {list(table)!r:.100}")
    exact = {name: _weight(f"weights.{by}: {name!r:.100}", weight) for name, weight in table.items()}
    total = sum(exact.values())
    return {name: weight / total for name, weight in exact.items()}


def _weight(where: str, given: Any) -> Fraction:
    """The weight as it is written. Also NaN and infinity are outside the range."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given <= 1e12:
        raise ValueError(f"{where} = {given!r:.100} should be a number above 0, up to 1e12; leave out what weighs 0")
    return Fraction(str(given))


_BAND = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)-(-?[0-9]+(?:\.[0-9]+)?)")


def _bands(by: str, table: Mapping[str, float]) -> tuple[Band, ...]:
    """The bands in ascending order; none where no name is one."""
    found = {name: _BAND.fullmatch(name) for name in table if by not in OWN}
    ends = {name: (float(each[1]), float(each[2])) for name, each in found.items() if each}
    if ends and len(ends) < len(table):
        raise ValueError(f"weights.{by}: {list(table)!r:.100} are bands and names; use the one or the other")
    ascending = sorted(ends, key=lambda name: (ends[name], name))
    for name in ascending:
        if ends[name][0] >= ends[name][1]:
            raise ValueError(f"weights.{by}: the band {name} should go from low to high, as 0-0.25")
    for below, above in pairwise(ascending):
        if ends[below][1] > ends[above][0]:
            raise ValueError(
                f"weights.{by}: the bands {below} and {above} overlap; let one end where the other begins"
            )
    return tuple(Band(name, *ends[name], closed=name == ascending[-1]) for name in ascending)


# --- A mix ----------------------------------------------------------------------------------------------------


class Mix(NamedTuple):
    """What came of a blend. Everything is by stratum but for what was chosen."""

    requested: int
    shares: Mapping[Stratum, Fraction]
    available: Mapping[Stratum, int]
    counts: Mapping[Stratum, int]  # within one row of share x size
    chosen: frozenset[str]

    @property
    def size(self) -> int:
        return len(self.chosen)

    @property
    def limited_by(self) -> Stratum | None:
        """Where fewer were chosen than requested: the stratum whose rows are used up first."""
        if self.size == self.requested:
            return None
        return min(self.shares, key=lambda stratum: (self.available[stratum] / self.shares[stratum], stratum))

    def told(self) -> dict[str, Any]:
        """As JSON: sizes, what limited them, and of each stratum the rows requested and realised."""
        scarce = self.limited_by
        context: dict[str, Any] = {"requested": self.requested, "realised": self.size, "strata": len(self.shares)}
        context["limited_by"] = None if scarce is None else {"stratum": scarce, "available": self.available[scarce]}
        if len(self.shares) <= LISTED:
            context["counts"] = [
                {"stratum": stratum, "requested": float(share * self.requested), "realised": self.counts[stratum]}
                for stratum, share in self.shares.items()
            ]
        return context

    def margins(self, dimensions: Iterable[str]) -> dict[str, dict[str, int]]:
        """The rows realised, by dimension and name: of the same shape as weights."""
        return {by: dict(_margin(self.counts, slice(at, at + 1))) for at, by in enumerate(dimensions)}


def _margin(counts: Mapping[Stratum, int], side: slice) -> Counter[str]:
    margin = Counter[str]()
    for stratum, count in counts.items():
        margin[stratum[side][0]] += count
    return margin


def mix(placed: Mapping[str, Stratum | None], shares: Mapping[Stratum, Fraction], *, size: int, seed: int = 0) -> Mix:
    """Draw up to `size` of the ids by the shares of their strata, within a stratum by digest.

    Neither the order of the ids nor what stands in other strata changes the draw within one. Raises ValueError for a
    negative size.
    """
    members = defaultdict[Stratum, list[str]](list)
    for id, stratum in placed.items():
        if stratum is not None and stratum in shares:
            members[stratum].append(id)
    available = {stratum: len(members[stratum]) for stratum in shares}
    counts = fill(shares, available, size)
    chosen = [id for each, count in counts.items() for id in drawn(members[each], count, seed=seed, why="blend")]
    return Mix(size, shares, available, counts, frozenset(chosen))


# --- Whole rows -----------------------------------------------------------------------------------------------


def apportion(weights: Mapping[Stratum, Fraction], size: int) -> dict[Stratum, int]:
    """So many rows in these shares: every stratum gets its exact share rounded down or up, and the sum is `size`.

    With one dimension by largest remainder, of equal ones the first by name. With two, their margins are their exact
    shares rounded down or up as well: such a controlled rounding of a table always exists (Cox 1987). With more this
    holds of the first two dimensions; the margins of the others may be further off, since for three dimensions there
    need not be any such rounding. Raises ValueError for weights that are not above zero, or a negative size.
    """
    counts = _rounded(_whole(weights), _size(size), dict.fromkeys(weights, size))
    assert counts is not None  # it exists where nothing is scarce
    return counts


def fill(weights: Mapping[Stratum, Fraction], available: Mapping[Stratum, int], size: int) -> dict[Stratum, int]:
    """The counts of the largest blend of up to `size` that is rounded as by `apportion` and finds all its rows."""
    whole = _whole(weights)
    total = sum(whole.values())
    size = min(_size(size), sum(available.values()))
    size = min([size, *(-(-(available[each] + 1) * total // weight) - 1 for each, weight in whole.items())])
    while (counts := _rounded(whole, size, available)) is None:
        size = min(size - 1, _reach(whole, size, available))
    return counts


def _size(size: int) -> int:
    if size < 0:
        raise ValueError(f"k = {size} should not be negative")
    return size


def _whole(weights: Mapping[Stratum, Fraction]) -> dict[Stratum, int]:
    """The same weights in whole numbers, which are exact and fast."""
    if not weights or min(weights.values()) <= 0:
        raise ValueError("weights: there should be some, all above 0")
    scale = lcm(*(Fraction(weight).denominator for weight in weights.values()))
    return {stratum: int(weight * scale) for stratum, weight in weights.items()}


ROW, COLUMN = slice(0, 1), slice(1, 2)  # of a stratum: its first and its second name; with one there is one column


def _reach(weights: Mapping[Stratum, int], size: int, limits: Mapping[Stratum, int]) -> int:
    """A bound for all sizes up to this one, by the rows that there are for the shares rounded up; none is lower."""
    total = sum(weights.values())
    ups = {each: -(-weight * size // total) for each, weight in weights.items()}
    found = {each: min(up, limits[each]) for each, up in ups.items()}
    sides = ((_sums(weights, side), _sums(found, side)) for side in (ROW, COLUMN))
    bounds = [sum(min(-(-exact[name] * size // total), rows[name]) for name in exact) for exact, rows in sides]
    if scarce := [each for each in weights if ups[each] > limits[each]]:
        # They give what they have, and the others less than one row more than their shares.
        most = sum(limits[each] for each in scarce) + len(weights) - len(scarce)
        bounds.append(most * total // sum(weights[each] for each in scarce))
    return min(bounds)


def _sums(numbers: Mapping[Stratum, int], side: slice) -> dict[Stratum, int]:
    sums = Counter[Stratum]()
    for stratum, number in numbers.items():
        sums[stratum[side]] += number
    return dict(sums)


def _rounded(weights: Mapping[Stratum, int], size: int, limits: Mapping[Stratum, int]) -> dict[Stratum, int] | None:
    """Exact shares rounded down or up, none above its limit, with margins rounded so too; None if none are such.

    The strata to be rounded up are edges between rows and columns of the table. Each row has as many as its margin
    rounded up asks for, where an edge to a slack column stands for a margin that is rounded down; so has each column.
    """
    total = sum(weights.values())
    least = {each: weight * size // total for each, weight in weights.items()}
    rest = {each: weight * size % total for each, weight in weights.items()}
    if any(least[each] > limits[each] for each in weights):
        return None
    loose = sorted(each for each in weights if rest[each] and least[each] < limits[each])
    loose.sort(key=rest.__getitem__, reverse=True)
    rows, loose_rows = _ups(weights, least, size, ROW)
    columns, loose_columns = _ups(weights, least, size, COLUMN)
    missing = size - sum(least.values())
    rows[SLACK], columns[SLACK] = sum(columns.values()) - missing, sum(rows.values()) - missing
    edges = [(stratum[ROW], stratum[COLUMN]) for stratum in loose]
    edges += [*((row, SLACK) for row in loose_rows), *((SLACK, column) for column in loose_columns)]
    taken = _matched(edges, rows, columns)
    ups = None if taken is None else {loose[edge] for edge in taken if edge < len(loose)}
    return None if ups is None else {each: least[each] + (each in ups) for each in weights}


SLACK: Stratum = ("", "")  # longer than any name of a side


def _ups(
    weights: Mapping[Stratum, int], least: Mapping[Stratum, int], size: int, side: slice
) -> tuple[dict[Stratum, int], list[Stratum]]:
    """How many strata are rounded up under each name if its margin is, and the names where it need not be."""
    total, below = sum(weights.values()), _sums(least, side)
    exact = {name: weight * size for name, weight in _sums(weights, side).items()}
    ups = {name: -(-number // total) - below[name] for name, number in exact.items()}
    return ups, [name for name, number in exact.items() if number % total]


Edge = tuple[Stratum, Stratum]


def _matched(edges: Sequence[Edge], rows: dict[Stratum, int], columns: dict[Stratum, int]) -> set[int] | None:
    """Edges, by their places, of which every row and column has just as many as it asks for; early ones preferred.

    Both sides ask for equally many in all. First what fits is taken, and then exchanged along augmenting paths.
    """
    wanted: dict[Node, int] = {(0, row): count for row, count in rows.items()}
    wanted |= {(1, column): count for column, count in columns.items()}
    beside = defaultdict[Node, list[int]](list)
    taken: set[int] = set()
    for place, (row, column) in enumerate(edges):
        beside[0, row].append(place)
        beside[1, column].append(place)
        if wanted[0, row] > 0 and wanted[1, column] > 0:
            taken.add(place)
            wanted[0, row] -= 1
            wanted[1, column] -= 1
    for start in [(0, row) for row in rows for _ in range(wanted[0, row])]:
        path = _augmenting(start, edges, beside, taken, wanted)
        if path is None:
            return None
        taken ^= set(path)
        wanted[1, edges[path[0]][1]] -= 1
    return taken


Node = tuple[int, Stratum]  # 0 for a row, 1 for a column


def _augmenting(
    start: Node,
    edges: Sequence[Edge],
    beside: Mapping[Node, Sequence[int]],
    taken: Collection[int],
    wanted: Mapping[Node, int],
) -> list[int] | None:
    """From the end on, the edges of a shortest path to a column that wants more: in turn not taken and taken."""
    came: dict[Node, int | None] = {start: None}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        if here[0] == 1 and wanted[here] > 0:
            return _back(here, came, edges)
        for edge in beside.get(here, ()):
            there = _across(here, edges[edge])
            if there not in came and (edge in taken) == (here[0] == 1):
                came[there] = edge
                waiting.append(there)
    return None


def _back(here: Node, came: Mapping[Node, int | None], edges: Sequence[Edge]) -> list[int]:
    path = []
    while (edge := came[here]) is not None:
        path.append(edge)
        here = _across(here, edges[edge])
    return path


def _across(here: Node, edge: Edge) -> Node:
    """The other end."""
    return 1 - here[0], edge[1 - here[0]]


# --- Weights that change over stages --------------------------------------------------------------------------

Policy = Callable[[int, Sequence[Mapping[str, Any]]], Weights]
"""`policy(stage, history)`: the weights of a stage, counted from 0, given the rows of `mixing_row` so far."""


def static(weights: Weights) -> Policy:
    """The same weights at every stage. Raises ValueError for bad ones."""
    axes(weights)
    return lambda stage, history: weights


def schedule(weights_by_stage: Sequence[Weights]) -> Policy:
    """The weights as they are written down for each stage. Raises ValueError for bad ones and for other stages."""
    for weights in weights_by_stage:
        axes(weights)

    def policy(stage: int, history: Sequence[Mapping[str, Any]]) -> Weights:
        if not 0 <= stage < len(weights_by_stage):
            raise ValueError(
                f"no weights for stage {stage}: they are written down for {len(weights_by_stage)} stages"
            )
        return weights_by_stage[stage]

    return policy


def toward(start: Weights, end: Weights, stages: int) -> Policy:
    """From one mix to another in equal steps, the first stage at `start` and the last, as any beyond it, at `end`.

    A name that only one of them has counts as 0 in the other. Raises ValueError for bad weights, for other dimensions
    in one than in the other, and for fewer than two stages.
    """
    if stages < 2:
        raise ValueError(f"stages = {stages} should be at least 2, to go from one mix to another")
    first, last = ({axis.by: axis.shares for axis in axes(weights)} for weights in (start, end))
    if first.keys() != last.keys():
        raise ValueError(f"both mixes should have the same dimensions, not {', '.join(first)} and {', '.join(last)}")
    axes(_between(first, last, Fraction(1, 2)))  # bands of the one may overlap those of the other
    return lambda stage, history: _between(first, last, min(Fraction(max(stage, 0), stages - 1), Fraction(1)))


Shares = Mapping[str, Mapping[str, Fraction]]


def _between(first: Shares, last: Shares, part: Fraction) -> dict[str, dict[str, float]]:
    mixed: dict[str, dict[str, float]] = {}
    for by in first:
        names = {
            name: (first[by].get(name, Fraction()), last[by].get(name, Fraction()))
            for name in {**first[by], **last[by]}
        }
        exact = {name: (1 - part) * a + part * b for name, (a, b) in names.items()}
        mixed[by] = {name: float(share) for name, share in exact.items() if share}
    return mixed


def mixing_row(
    stage: int,
    weights: Weights,
    realised: Mapping[str, Mapping[str, int]],
    feedback: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """One row of a mixing trajectory: the shares asked for at a stage, which sum to 1, and the rows realised.

    `realised` is of the shape of the weights, as `Mix.margins` gives it; `feedback` is what an evaluation said of a
    model trained so far, by benchmark. Raises ValueError for bad weights.
    """
    shares = {axis.by: {name: float(share) for name, share in axis.shares.items()} for axis in axes(weights)}
    return {"stage": stage, "weights": shares, "realised": realised, "feedback": feedback}
