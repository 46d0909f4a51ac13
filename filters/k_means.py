"""k-means: points in so many clusters, each point in that of the nearest centre (Lloyd 1982).

Plain, by squared distances, and spherical, by the cosine (Dhillon and Modha 2001). Begun as k-means++ does (Arthur
and Vassilvitskii 2007), a few times over, of which the best is taken. Needs numpy.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pipelines.records import digest

if TYPE_CHECKING:
    import numpy as np

ROUNDS = 20
STARTS = 4
AT_ONCE = 16_384  # rows whose distances are held in memory


class Clustering(NamedTuple):
    """Where n points of d numbers ended. Of fewer different points than clusters there are fewer of these, too."""

    labels: np.ndarray  # (n,) the cluster of each point, from 0
    centres: np.ndarray  # (clusters, d), of which some may have lost all their points
    distances: np.ndarray  # (n,) squared, of each point to its centre


def k_means(points: np.ndarray, clusters: int, *, seed: int) -> Clustering:
    """The points, (n, d) with n from 1, around the means of at least one cluster."""
    return _best(points, clusters, seed, lambda means: means)


def spherical_k_means(points: np.ndarray, clusters: int, *, seed: int) -> Clustering:
    """The same for points of length 1, around centres of length 1: of these the nearest has the highest cosine."""
    return _best(points, clusters, seed, _unit)


def _unit(means: np.ndarray) -> np.ndarray:
    import numpy as np

    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)


def _best(points: np.ndarray, clusters: int, seed: int, centred: Callable[[np.ndarray], np.ndarray]) -> Clustering:
    starts = (random.Random(digest("k-means", seed, start)) for start in range(STARTS))
    runs = [_settled(points, clusters, chance, centred) for chance in starts]
    return min(runs, key=lambda run: float(run.distances.sum()))


def _settled(
    points: np.ndarray, clusters: int, chance: random.Random, centred: Callable[[np.ndarray], np.ndarray]
) -> Clustering:
    """One run from one start, until no point changes its cluster or the rounds are over."""
    import numpy as np

    centres = _far_apart(points, clusters, chance)
    labels, distances = _nearest(points, centres)
    for _ in range(ROUNDS):
        centres = _moved(centres, points, labels, centred)
        before, (labels, distances) = labels, _nearest(points, centres)
        if np.array_equal(labels, before):
            break
    return Clustering(labels, centres, distances)


def _moved(
    centres: np.ndarray, points: np.ndarray, labels: np.ndarray, centred: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """The centres of the points that have these labels. An empty cluster keeps its centre."""
    import numpy as np

    sizes = np.bincount(labels, minlength=len(centres))[:, None]
    sums = np.stack([points[labels == each].sum(axis=0, dtype=np.float64) for each in range(len(centres))])
    means = centred(sums / np.maximum(sizes, 1)).astype(points.dtype)
    return np.where(sizes > 0, means, centres)


def _far_apart(points: np.ndarray, clusters: int, chance: random.Random) -> np.ndarray:
    """First centres: each a point, likelier the farther it is from those before. Equal points make one at most."""
    import numpy as np

    centres = [points[int(chance.random() * len(points))]]
    distances = _squares(points - centres[0])
    while len(centres) < clusters and distances.any():
        cumulated = np.cumsum(distances)
        place = int(np.searchsorted(cumulated, chance.random() * cumulated[-1], side="right"))
        centres.append(points[min(place, len(points) - 1)])
        distances = np.minimum(distances, _squares(points - centres[-1]))
    return np.stack(centres)


def _squares(rows: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.einsum("ij,ij->i", rows, rows)


def _nearest(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each point its nearest centre, and the squared distance to it; of equals the first centre."""
    import numpy as np

    labels, distances = [], []
    for start in range(0, len(points), AT_ONCE):
        block = points[start : start + AT_ONCE]
        # But for the square of the point itself, which is the same for all centres.
        squares = _squares(centres) - 2 * (block @ centres.T)
        labels.append(squares.argmin(axis=1))
        distances.append(np.maximum(0.0, squares.min(axis=1) + _squares(block)))
    return np.concatenate(labels), np.concatenate(distances)
