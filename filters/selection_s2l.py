"""Small to large: what a small model's losses say about which rows a larger one needs (S2L, arXiv 2403.07384).

A proxy is trained on the pool, and its loss on every row is kept at every checkpoint. Rows whose losses run alike are
learnt alike, so each cluster of such rows gives as many as the others. The matrix is a Parquet file of its own, which
names the proxy and its checkpoints.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from filters.rule import Case, Ruling, unsure
from filters.selection import arms, balanced_draw, clusters_of
from pipelines.records import digest

if TYPE_CHECKING:
    import numpy as np

# --- The matrix -----------------------------------------------------------------------------------------------

META = b"thoughtmill.losses"


class Losses(NamedTuple):
    """The losses of a proxy: one row for each id, one column for each checkpoint, in the order of training."""

    model: str
    revision: str | None
    steps: tuple[int, ...]
    ids: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]


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
    told = {"model": losses.model, "revision": losses.revision, "steps": losses.steps}
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
        losses = Losses(told["model"], told["revision"], tuple(told["steps"]), ids, rows)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no losses of a proxy: {error}") from error
    check_losses(losses)
    return losses


# --- The rule -------------------------------------------------------------------------------------------------

TINY = 2  # members of a cluster that only fills what is left


def s2l(
    cases: Sequence[Case], *, losses: str = "", k: int = 1_000, clusters: int = 100, seed: int = 0
) -> list[Ruling]:
    """Keep k problems, as evenly over clusters of like losses as their sizes allow.

    `losses` is a file written by `write_losses`, whose ids are those of the problems. Rows with a loss that is not a
    number are unsure, as are problems without a row. Needs numpy. Raises ValueError for a file that holds no losses.
    """
    if not losses:
        return [unsure("no losses of a proxy are named")] * len(cases)
    if clusters < 1 or k < 0:
        raise ValueError(f"clusters = {clusters} should be at least 1, and k = {k} not negative")
    if find_spec("numpy") is None:
        raise ValueError("s2l needs numpy: pip install numpy")
    matrix = read_losses(Path(losses))
    known = dict(zip(matrix.ids, matrix.rows, strict=True))
    mine = {case.problem.id: known[case.problem.id] for case in cases if case.problem.id in known}
    usable = {id: row for id, row in sorted(mine.items()) if all(map(isfinite, row))}
    found = clusters_of(dict(zip(usable, map(str, _labels(list(usable.values()), clusters, seed)), strict=True)))
    chosen = balanced_draw(found, k, seed=seed, tiny=TINY)
    context: dict[str, Any] = {"proxy": matrix.model, "revision": matrix.revision, "steps": matrix.steps}
    context |= {"losses": digest(*matrix), "clusters": len(found), "not_numbers": len(mine) - len(usable)}
    return arms(
        cases,
        chosen,
        dict.fromkeys(usable),
        context=context,
        otherwise="its cluster has its share",
        unknown="the proxy's losses are missing, or are not numbers",
    )


# --- k-means --------------------------------------------------------------------------------------------------

ROUNDS = 20
STARTS = 4
AT_ONCE = 16_384  # rows whose distances are held in memory


def _labels(rows: Sequence[Sequence[float]], clusters: int, seed: int) -> list[int]:
    """The cluster of each row: the best of a few starts, by the squared distances to the centres."""
    import numpy as np

    if not rows:
        return []
    points = np.asarray(rows, dtype=np.float64)
    # More would leave hardly any that are larger than tiny.
    clusters = max(1, min(clusters, len(points) // (TINY + 1), len(np.unique(points, axis=0))))
    runs = [_k_means(points, clusters, random.Random(digest("k-means", seed, start))) for start in range(STARTS)]
    return min(runs, key=lambda run: run[0])[1].tolist()


def _k_means(points: np.ndarray, clusters: int, chance: random.Random) -> tuple[float, np.ndarray]:
    """Squared distances in all, and the cluster of each point (Lloyd 1982). An empty cluster keeps its centre."""
    import numpy as np

    centres = _far_apart(points, clusters, chance)
    for _ in range(ROUNDS):
        labels, _distances = _nearest(points, centres)
        sizes = np.bincount(labels, minlength=clusters)
        sums = np.stack([np.bincount(labels, column, minlength=clusters) for column in points.T], axis=1)
        centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
    labels, distances = _nearest(points, centres)
    return float(distances.sum()), labels


def _far_apart(points: np.ndarray, clusters: int, chance: random.Random) -> np.ndarray:
    """First centres: each a point, likelier the farther it is from those before (k-means++, 2007)."""
    import numpy as np

    centres = [points[int(chance.random() * len(points))]]
    distances = ((points - centres[0]) ** 2).sum(axis=1)
    while len(centres) < clusters:
        cumulated = np.cumsum(distances)
        place = int(np.searchsorted(cumulated, chance.random() * cumulated[-1], side="right"))
        centres.append(points[min(place, len(points) - 1)])
        distances = np.minimum(distances, ((points - centres[-1]) ** 2).sum(axis=1))
    return np.stack(centres)


def _nearest(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each point its nearest centre, and the squared distance to it; of equals the first centre."""
    import numpy as np

    labels, distances = [], []
    for start in range(0, len(points), AT_ONCE):
        block = points[start : start + AT_ONCE]
        # But for the square of the point itself, which is the same for all centres.
        squares = (centres**2).sum(axis=1) - 2 * (block @ centres.T)
        labels.append(squares.argmin(axis=1))
        distances.append(np.maximum(0.0, squares.min(axis=1) + (block**2).sum(axis=1)))
    return np.concatenate(labels), np.concatenate(distances)
