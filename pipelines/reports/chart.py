"""A quantity over the time of a run, as SVG that stands in a page: no script, no style but the page's own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from pipelines.reports.page import text
from pipelines.reports.timeline import Wait

WIDTH, HEIGHT = 420, 150
LEFT, RIGHT, TOP, BASE = 44, 412, 10, 122
STEPS = 120  # of time, at most: more could not be told apart


class Point(NamedTuple):
    seconds: float
    value: float


def rates(totals: Sequence[Point]) -> list[Point]:
    """How fast a total grew, for each second, over at most STEPS equal steps of time."""
    if len(totals) < 2 or totals[-1].seconds <= totals[0].seconds:
        return []
    first, last = totals[0].seconds, totals[-1].seconds
    steps = min(STEPS, len(totals) - 1)
    edges = [first + (last - first) * step / steps for step in range(steps + 1)]
    values = [_at(totals, edge) for edge in edges]
    width = (last - first) / steps
    grown = [max(0.0, after - before) / width for before, after in pairwise(values)]
    return [Point(first, grown[0]), *map(Point, edges[1:], grown)]


def _at(points: Sequence[Point], seconds: float) -> float:
    """The value at a moment, on the line between the points before and after it."""
    after = min(bisect_right(points, seconds, key=lambda each: each.seconds), len(points) - 1)
    a, b = points[max(after - 1, 0)], points[after]
    share = (seconds - a.seconds) / (b.seconds - a.seconds) if b.seconds > a.seconds else 1.0
    return a.value + (b.value - a.value) * min(max(share, 0.0), 1.0)


def chart(title: str, points: Sequence[Point], waits: Sequence[Wait] = ()) -> str:
    """A line over time with an area below it; grey where the run waited. Empty without two points."""
    if len(points) < 2:
        return ""
    end = max(points[-1].seconds, 1e-9)
    top = _nice(max(point.value for point in points))
    xy = [(LEFT + (RIGHT - LEFT) * x / end, BASE - (BASE - TOP) * y / top) for x, y in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in xy)
    area = f"{xy[0][0]:.1f},{BASE} {line} {xy[-1][0]:.1f},{BASE}"
    highest = max(points, key=lambda each: each.value)
    told = f"{title}: at most {number(highest.value)}, after {clock(highest.seconds)}; {clock(end)} in all"
    return (
        f'<figure><figcaption>{text(title)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{text(told)}</title>{_waits(waits, end)}"
        f'<polygon class="area" points="{area}"/><polyline class="line" points="{line}"/>'
        f"{_axes(end, top)}</svg></figure>"
    )


def _waits(waits: Sequence[Wait], end: float) -> str:
    scale = (RIGHT - LEFT) / end
    return "".join(
        f'<rect class="wait" x="{LEFT + each.start * scale:.1f}" y="{TOP}" '
        f'width="{max(1.0, (min(each.stop, end) - each.start) * scale):.1f}" height="{BASE - TOP}"/>'
        for each in waits
        if each.start <= end
    )


def _axes(end: float, top: float) -> str:
    heights = [(BASE, 0.0), ((BASE + TOP) / 2, top / 2), (TOP, top)]
    rows = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:g}" y2="{y:g}"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:g}" text-anchor="end">{number(value)}</text>'
        for y, value in heights
    )
    times = [(LEFT, "start", "0"), ((LEFT + RIGHT) / 2, "middle", clock(end / 2)), (RIGHT, "end", clock(end))]
    return rows + "".join(
        f'<text x="{x:g}" y="{BASE + 18}" text-anchor="{anchor}">{label}</text>' for x, anchor, label in times
    )


def _nice(value: float) -> float:
    """A round number that is at least so high."""
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value > 0:
        power /= 10
    return next((power * step for step in (1, 2, 5, 10) if power * step >= value), 1.0) if value > 0 else 1.0


def number(value: float) -> str:
    """A quantity in few digits: 0.25, 12, 3.4k, 1.2M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if letter == 'k' else size):.3g}{letter}"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2g}"


def clock(seconds: float) -> str:
    """A length of time: 12 s, 3:20, 2:03:20."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
