"""How long requests take, counted in buckets as Prometheus has them: each holds all that took no longer."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)  # seconds
LABELS = (*(f"{bound:g}" for bound in BOUNDS), "+Inf")
_KEYS = tuple(f"latency: {label}" for label in LABELS)
SUM = "latency_seconds"


def add(counts: Counter[str], seconds: float) -> None:
    """Count a request that was answered after so many seconds."""
    counts[_KEYS[bisect_left(BOUNDS, seconds)]] += 1
    counts[SUM] += seconds  # pyright: ignore[reportArgumentType]  # a sum among counts, so that all travel together


def buckets(counts: Mapping[str, float]) -> list[tuple[str, float]]:
    """For each bound how many requests took no longer; the last is all of them."""
    told, total = [], 0.0
    for label, key in zip(LABELS, _KEYS, strict=True):
        total += counts.get(key, 0)
        told.append((label, total))
    return told


def mean(counts: Mapping[str, float]) -> float | None:
    """Seconds of a request, on average; None where none was counted."""
    number = buckets(counts)[-1][1]
    return counts[SUM] / number if number else None
