"""Small to large: what a small model's losses say about which rows a larger one needs (S2L, arXiv 2403.07384).

A proxy is trained on the pool, and its loss on every row is kept at every checkpoint. Rows whose losses run alike are
learnt alike, so each cluster of such rows gives as many as the others. The matrix is a Parquet file of its own, which
names the proxy and its checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from filters.artifact import Artifact
from filters.k_means import k_means
from filters.rule import Case, Ruling, failed, unsure
from filters.selection import arms, balanced_draw, clusters_of

# --- The matrix -----------------------------------------------------------------------------------------------

META = b"thoughtmill.losses"


class Losses(NamedTuple):
    """The losses of a proxy: one row for each id, one column for each checkpoint, in the order of training.

    `training` tells how the proxy was trained, and how many rows were cut or got no number.
    """

    model: str
    revision: str | None
    steps: tuple[int, ...]
    ids: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]
    training: Mapping[str, Any] = {}


def check_losses(losses: Losses) -> None:
    """Raises ValueError where checkpoints are out of order, ids doubled, or rows of another length."""
    if list(losses.steps) != sorted(set(losses.steps)) or not losses.steps:
        raise ValueError(f"the checkpoints {list(losses.steps)} should be there, and in the order of training")
    if len(set(losses.ids)) != len(losses.ids) or len(losses.ids) != len(losses.rows):
        raise ValueError(
            f"{len(losses.ids)} ids, {len(set(losses.ids))} of them different, for {len(losses.rows)} rows"
        )
    if wrong := next((row for row in losses.rows if len(row) != len(losses.steps)), None):
        raise ValueError(f"a row of {len(wrong)} losses for {len(losses.steps)} checkpoints")


def write_losses(path: Path, losses: Losses) -> None:
    """The matrix as a Parquet file. Raises ValueError where it is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_losses(losses)
    told = {name: getattr(losses, name) for name in ("model", "revision", "steps", "training")}
    schema = pa.schema([("id", pa.string()), ("losses", pa.list_(pa.float64()))], metadata={META: orjson.dumps(told)})
    pq.write_table(pa.table([list(losses.ids), list(losses.rows)], schema=schema), path)


def read_losses(path: Path) -> Losses:
    """A matrix from its file. Raises ValueError where it is none."""
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        told = orjson.loads((table.schema.metadata or {})[META])
        rows = tuple(
            tuple(float("nan") if loss is None else loss for loss in row)
            for row in table.column("losses").to_pylist()
        )
        ids = tuple(table.column("id").to_pylist())
        training = told.get("training", {})
        losses = Losses(told["model"], told["revision"], tuple(told["steps"]), ids, rows, training)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no losses of a proxy: {error}") from error
    check_losses(losses)
    return losses


# --- The rule -------------------------------------------------------------------------------------------------

TINY = 2  # members of a cluster that only fills what is left
K = 1_000  # problems to keep where nothing else is said


def s2l(
    cases: Sequence[Case],
    *,
    losses: Artifact | None = None,
    k: int | None = None,
    share: float | None = None,
    by: str = "",
    budgets: dict[str, int] | None = None,
    clusters: int = 100,
    seed: int = 0,
) -> list[Ruling]:
    """Keep k problems (1,000), or this share of them, as evenly over clusters of like losses as their sizes allow.

    `losses` is a file written by `write_losses`, whose ids are those of the problems. Rows with a loss that is not a
    number are unsure, as are problems without a row. With `by` (source or domain) each source gives as many as
    the others, as far as it has them, chosen among its own problems in clusters of their own. `budgets`, as
    {"gsm8k": 200}, says for each how many, and none of others. Needs numpy. Raises ValueError for a file that holds
    no losses, and for numbers that say different things.
    """
    if losses is None:
        return [unsure("no losses of a proxy are named")] * len(cases)
    _check(k, share, by, budgets, clusters)
    matrix = read_losses(Path(losses.path))
    context: dict[str, Any] = {"proxy": matrix.model, "revision": matrix.revision, "steps": matrix.steps}
    context["losses"] = losses.digest
    known = dict(zip(matrix.ids, matrix.rows, strict=True))

    def select(some: Sequence[Case], size: int, about: Mapping[str, Any]) -> list[Ruling]:
        return _selection(some, known, size, clusters=clusters, seed=seed, context={**context, **about})

    size = round(share * len(cases)) if share is not None else K if k is None else k
    if budgets is None and not by:
        return select(cases, size, {})
    groups = _groups(cases, by or "source")
    usable = {name: sum(_is_known(case, known) for case in own) for name, own in groups.items()}
    return _by_group(groups, equal_split(usable, size) if budgets is None else budgets, cases, select)


def equal_split(sizes: Mapping[str, int], budget: int) -> dict[str, int]:
    """How many each source gives: as many as the others, the smallest first; what one lacks the larger ones give."""
    split = dict[str, int]()
    for place, (name, size) in enumerate(sorted(sizes.items(), key=lambda each: (each[1], each[0]))):
        split[name] = min(size, (budget - sum(split.values())) // (len(sizes) - place))
    return split


def _groups(cases: Sequence[Case], by: str) -> dict[str, list[Case]]:
    """The problems of each source, or of each domain; those of none are together."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault((case.problem.source if by == "source" else case.problem.domain) or "", []).append(case)
    return groups


def _is_known(case: Case, known: Mapping[str, Sequence[float]]) -> bool:
    return case.problem.id in known and all(map(isfinite, known[case.problem.id]))


def _check(k: int | None, share: float | None, by: str, budgets: dict[str, int] | None, clusters: int) -> None:
    """Raises ValueError for numbers that make no selection."""
    if by not in ("", "source", "domain"):
        raise ValueError(f"by = {by!r}; it may be 'source' or 'domain', or be left out")
    if share is not None and (not 0 <= share <= 1 or k is not None or budgets is not None):
        raise ValueError(f"share = {share} should be from 0 to 1, and stand without k and budgets")
    if clusters < 1 or (k or 0) < 0:
        raise ValueError(f"clusters = {clusters} should be at least 1, and k = {k} not negative")
    wrong = {name: size for name, size in (budgets or {}).items() if type(size) is not int or size < 0}
    if wrong or budgets == {}:
        raise ValueError(f"budgets = {budgets} should name sources, each with a number from 0 on")
    if budgets is not None and k not in (None, sum(budgets.values())):
        raise ValueError(f"k = {k}, but the budgets sum up to {sum(budgets.values())}; leave k out")
    if find_spec("numpy") is None:
        raise ValueError("s2l needs numpy: pip install numpy")


def _by_group(
    groups: Mapping[str, list[Case]],
    budgets: Mapping[str, int],
    cases: Sequence[Case],
    select: Callable[[Sequence[Case], int, Mapping[str, Any]], list[Ruling]],
) -> list[Ruling]:
    """Of each source as many as its budget says. Sources that have one and no problem are named in the context."""
    about = {"budgets": dict(budgets), "absent": sorted(budgets.keys() - groups.keys())}
    rulings: dict[str, Ruling] = {}
    for name in budgets.keys() & groups.keys():
        told = select(groups[name], budgets[name], {"source": name, **about})
        rulings |= zip((case.problem.id for case in groups[name]), told, strict=True)
    other = failed("its source has no budget", context=about)
    return [rulings.get(case.problem.id, other) for case in cases]


def _selection(
    cases: Sequence[Case],
    known: Mapping[str, Sequence[float]],
    k: int,
    *,
    clusters: int,
    seed: int,
    context: Mapping[str, Any],
) -> list[Ruling]:
    """Keep k of these problems, whose losses are `known`."""
    mine = {case.problem.id: known[case.problem.id] for case in cases if case.problem.id in known}
    usable = {id: row for id, row in sorted(mine.items()) if all(map(isfinite, row))}
    found = clusters_of(dict(zip(usable, map(str, _labels(list(usable.values()), clusters, seed)), strict=True)))
    counts = {"clusters": len(found), "not_numbers": len(mine) - len(usable)}
    return arms(
        cases,
        balanced_draw(found, k, seed=seed, tiny=TINY),
        dict.fromkeys(usable),
        context={**context, **counts},
        otherwise="its cluster has its share",
        unknown="the proxy's losses are missing, or are not numbers",
    )


def _labels(rows: Sequence[Sequence[float]], clusters: int, seed: int) -> list[int]:
    """The cluster of each row, by k-means. More clusters would leave hardly any that are larger than tiny."""
    import numpy as np

    if not rows:
        return []
    points = np.asarray(rows, dtype=np.float64)
    clusters = max(1, min(clusters, len(points) // (TINY + 1), len(np.unique(points, axis=0))))
    return k_means(points, clusters, seed=seed).labels.tolist()
