"""Plots as geometry that templates draw as SVG: numbers in, rectangles out, each with the rows it stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pipelines.browse.plots import Bin, Plot
from pipelines.browse.table import Filter

WIDTH, HEIGHT, BASE = 360, 130, 110
FEW = 12  # categories that are shown; the others are in the table


class Bar(NamedTuple):
    """A bin, where it stands, and the address of its rows."""

    label: str
    rows: int
    told: str
    link: str
    share: float  # of the highest bar
    x: str = ""
    y: str = ""
    width: str = ""
    height: str = ""


class Chart(NamedTuple):
    """A histogram with ticks, or counts without."""

    id: str
    title: str
    told: str  # a sentence for those who do not see the picture
    bars: list[Bar]
    ticks: list[tuple[str, str, str]]  # place, anchor, label
    width: int = WIDTH
    height: int = HEIGHT
    base: int = BASE


def chart(number: int, plot: Plot, link: Callable[[Sequence[Filter]], str]) -> Chart:
    """A plot as a picture, the `number`-th of its page; `link` gives the address of the rows behind a bin."""
    bins = plot.bins if plot.kind == "histogram" else plot.bins[:FEW]
    highest = max((each.rows for each in bins), default=0) or 1
    bars = [_bar(each, place, len(bins), highest, link) for place, each in enumerate(bins)]
    ticks = _ticks(bars) if plot.kind == "histogram" else []
    return Chart(f"plot-{number}", plot.column.replace("_", " "), _told(plot), bars, ticks)


def _bar(each: Bin, place: int, bins: int, highest: int, link: Callable[[Sequence[Filter]], str]) -> Bar:
    step = WIDTH / bins
    share = each.rows / highest
    height = share * (BASE - 6)
    return Bar(
        each.label,
        each.rows,
        f"{each.label}: {each.rows:,} rows",
        link(each.where) if each.rows else "",
        share,
        x=f"{place * step + 0.5:.2f}",
        y=f"{BASE - height:.2f}",
        width=f"{max(step - 1, 0.5):.2f}",
        height=f"{height:.2f}",
    )


def _ticks(bars: Sequence[Bar]) -> list[tuple[str, str, str]]:
    """The labels of the first, the middle and the last bin: more would run into each other."""
    if not bars:
        return []
    if len(bars) == 1:
        return [(f"{WIDTH / 2:.0f}", "middle", bars[0].label)]
    ends = [("0", "start", bars[0].label), (f"{WIDTH}", "end", bars[-1].label)]
    middle = len(bars) // 2
    place = f"{(middle + 0.5) * WIDTH / len(bars):.1f}"
    return [ends[0], (place, "middle", bars[middle].label), ends[1]] if len(bars) > 4 else ends


def _told(plot: Plot) -> str:
    """What a plot is of, in a sentence."""
    others = plot.others + sum(each.rows for each in plot.bins[FEW:]) if plot.kind == "counts" else 0
    parts = [
        plot.about,
        f"{others:,} rows with other values" if others else "",
        f"{plot.missing:,} rows without" if plot.missing else "",
    ]
    return "; ".join(part for part in parts if part)
