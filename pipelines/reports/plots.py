"""Pictures of a report: the yield, pass rates, lengths, strategies and domains, as SVG files.

They need matplotlib, which comes with the extra `plots`. The same report gives the same bytes, with the same release
of matplotlib.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.reports.markdown import length_bin, rate_bin
from pipelines.reports.tally import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

BLUE, GREY, INK = "#2f6db3", "#c9ced6", "#333333"
SHOWN = 20  # strategies or domains in one picture
NAME = 40  # characters of their names


def write_plots(told: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw what the report `told` has numbers for, in `folder`; returns the files, none without matplotlib."""
    if find_spec("matplotlib") is None:
        return []
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # whatever style a person has set
        matplotlib.rcParams.update({"svg.hashsalt": "thoughtmill", "svg.fonttype": "none", "font.size": 10})
        # Text stays text, so what the font here lacks is drawn where it is read.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        for name, draw in PLOTS.items():
            if figure := draw(told):
                paths.append(folder / f"{name}.svg")
                figure.savefig(
                    paths[-1], format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": "Thoughtmill"}
                )
    return paths


# --- Each picture ---------------------------------------------------------------------------------------------


def funnel(told: Mapping[str, Any]) -> Figure | None:
    """How many candidates are left after each step, where the report is told of the steps (card/about.py)."""
    steps = told.get("funnel")
    if not steps:
        return None
    first = steps[0]["left"] + steps[0]["lost"]
    shown = [*steps[:SHOWN], {"step": "accepted", "lost": 0, "left": steps[-1]["left"]}]
    labels = [f"{each['left']:,} left, {each['lost']:,} lost" for each in shown[:-1]]
    before = [each["left"] + each["lost"] for each in shown]
    figure, axes = _bars([each["step"] for each in shown], before, [*labels, ""], GREY, x="candidates; grey: lost")
    axes.barh(range(len(shown)), [each["left"] for each in shown], color=BLUE)
    axes.set_xlim(0, 1.4 * max(first, 1))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_major_locator(_whole())
    axes.set_title(f"{shown[-1]['left']:,} of {first:,} candidates were accepted", loc="left")
    return figure


def pass_rates(told: Mapping[str, Any]) -> Figure | None:
    """How many problems are solved how often."""
    rates = told["pass_rates"]
    if not rates:
        return None
    names = [rate_bin(each).replace(" to ", "-") for each in rates["bins"]]
    counts = [each["rows"] for each in rates["bins"]]
    colours = [GREY, *[BLUE] * (len(counts) - 2), GREY]
    title = f"How often {rates['n']:,} problems are solved (grey: never, always)"
    return _columns(names, counts, colours, title=title, x="pass rate", y="problems")


def lengths(told: Mapping[str, Any]) -> Figure | None:
    """How many attempts have how many words."""
    found = told["lengths"]
    if not found:
        return None
    names = [length_bin(each).replace(" to ", "-") for each in found["bins"]]
    counts = [each["attempts"] for each in found["bins"]]
    title = f"How long {found['n']:,} attempts are: median {found['quantiles']['0.5']:,.0f} words"
    return _columns(names, counts, [BLUE] * len(counts), title=title, x="words (bins of equal ratio)", y="attempts")


def strategies(told: Mapping[str, Any]) -> Figure | None:
    """What share of the traces shows each strategy."""
    shown = dict([*told["strategies"]["shown"].items()][:SHOWN])
    if not shown:
        return None
    n = told["strategies"]["traces"]
    shares = [count / n for count in shown.values()]
    labels = [f"{share:.0%}" for share in shares]
    figure, axes = _bars(list(shown), shares, labels, BLUE, x="share of the traces that show it")
    axes.set_xlim(0, 1.1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], labels=["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.set_title(f"Strategies of {n:,} traces", loc="left")
    return figure


def domains(told: Mapping[str, Any]) -> Figure | None:
    """How many rows of each domain there are, and were accepted."""
    found = told["domains"][:SHOWN]
    if not found:
        return None
    names = ["none told" if each["domain"] is None else each["domain"] for each in found]
    rows, accepted = ([each[name] for each in found] for name in ("rows", "accepted"))
    labels = [f"{a:,} of {n:,}" for a, n in zip(accepted, rows, strict=True)]
    figure, axes = _bars(names, rows, labels, GREY, x="rows; blue: accepted")
    axes.barh(range(len(names)), accepted, color=BLUE)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_major_locator(_whole())
    left = len(told["domains"]) - SHOWN
    axes.set_title(
        f"Domains of {told['rows']:,} rows" + (f" ({left:,} more are not shown)" if left > 0 else ""), loc="left"
    )
    return figure


PLOTS: dict[str, Callable[[Mapping[str, Any]], Figure | None]] = {
    "funnel": funnel,
    "pass_rates": pass_rates,
    "lengths": lengths,
    "strategies": strategies,
    "domains": domains,
}

# --- What they share ------------------------------------------------------------------------------------------


def _columns(
    names: Sequence[str], counts: Sequence[int], colours: Sequence[str], *, title: str, x: str, y: str
) -> Figure:
    """Upright bars that touch, each with its number above."""
    figure, axes = _axes(width=max(5, 1.5 + 0.4 * len(names)), height=3.6)
    drawn = axes.bar(range(len(names)), counts, width=0.92, color=colours)
    axes.bar_label(drawn, labels=[f"{count:,}" if count else "" for count in counts], padding=2, fontsize=8)
    axes.set_xticks(range(len(names)), labels=names, rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_ylim(0, 1.12 * max(counts))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_locator(_whole())
    axes.set_title(title, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure


def _bars(
    names: Sequence[str], sizes: Sequence[float], labels: Sequence[str], colour: str, *, x: str
) -> tuple[Figure, Axes]:
    """Bars that lie, the first on top, each with its label at the end."""
    figure, axes = _axes(width=7.0, height=1.2 + 0.32 * len(names))
    drawn = axes.barh(range(len(names)), sizes, color=colour)
    axes.bar_label(drawn, labels=labels, padding=4, fontsize=8)
    axes.set_yticks(range(len(names)), labels=[plain(name, NAME) or "(empty)" for name in names])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)  # a dollar in a name is a dollar
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 1.25 * max(sizes))
    axes.set_xlabel(x)
    return figure, axes


def _axes(*, width: float, height: float) -> tuple[Figure, Axes]:
    """Empty axes on white, in inches, without what needs no ink."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, length=3)
    return figure, axes


def _whole() -> MaxNLocator:
    """Ticks at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True)
