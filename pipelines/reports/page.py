"""One page of HTML that needs nothing else: no script, nothing from elsewhere, and every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from pipelines.reports.tally import plain

LONGEST = 400  # characters of one text
SHORT = 28  # characters that need not be wrapped

CSS = """
:root { color-scheme: light dark; --ground: light-dark(#f7f7f5, #111417); --paper: light-dark(#fff, #181c20);
  --ink: light-dark(#1c2024, #e6e8ea); --soft: light-dark(#59626c, #9aa4ae); --line: light-dark(#e0e2df, #2c3238);
  --accent: light-dark(#0b6a6f, #56bfb8); --well: light-dark(#e3f1f0, #14302f); --warn: light-dark(#875800, #e3b454);
  --wait: light-dark(#f8f0dc, #2e2613); }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem 1rem 3rem; max-width: 60rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; } h2 { font-size: 1.05rem; margin: 0 0 .6rem; } p { margin: .25rem 0; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 1rem;
  margin: 1rem 0; }
.soft { color: var(--soft); } .warn { color: var(--warn); font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; border-top: 1px solid var(--line); }
thead td { color: var(--soft); border-top: 0; } .n { text-align: right; white-space: nowrap; }
td { white-space: nowrap; overflow-wrap: normal; }
.t { white-space: normal; overflow-wrap: anywhere; min-width: 14rem; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .75rem; margin: 0; }
dt { color: var(--soft); font-size: .85rem; } dd { margin: 0; font-size: 1.15rem; font-weight: 600; }
.bar { display: grid; grid-template-columns: minmax(6rem, 11rem) 1fr minmax(4rem, auto); gap: .75rem;
  padding: .2rem 0; }
.bar span:last-child { text-align: right; }
.bar svg { width: 100%; height: 1.1rem; align-self: center; }
.bar .left { fill: var(--accent); } .bar .lost { fill: var(--line); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .85rem; }
figure svg { width: 100%; height: auto; } svg text { fill: var(--soft); font-size: 11px; }
.line { fill: none; stroke: var(--accent); stroke-width: 1.75; } .area { fill: var(--well); }
.grid { stroke: var(--line); } .wait { fill: var(--wait); }
@media print { body { max-width: none; } section { break-inside: avoid; } }
"""

POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def document(title: str, parts: Iterable[str]) -> str:
    """The whole page; `parts` are HTML."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{text(title)}</title>\n<style>{CSS}</style>\n'
        f"</head>\n<body>\n{''.join(parts)}\n</body>\n</html>\n"
    )


def text(value: Any) -> str:
    """A text from outside, as inert HTML: one line of at most LONGEST characters that can be seen."""
    return escape(plain(str(value), LONGEST))


def section(title: str, *parts: str) -> str:
    """A section; none where there is nothing in it."""
    inside = "".join(parts)
    return f"<section><h2>{text(title)}</h2>{inside}</section>\n" if inside else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table of texts and numbers, which stand right; none without rows."""
    rows = list(rows)
    if not rows:
        return ""
    kinds = [_kind([row[i] for row in rows]) for i in range(len(heads))]
    head, *body = ["".join(map(_cell, kinds, row)) for row in (heads, *rows)]
    lines = "".join(f"<tr>{row}</tr>" for row in body)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def _kind(values: Sequence[Any]) -> str:
    """The class of a column: numbers, long texts, or short ones."""
    there = [each for each in values if each is not None]
    if there and all(isinstance(each, int | float) for each in there):
        return "n"
    return "t" if any(len(str(each)) > SHORT for each in there) else ""


def _cell(kind: str, value: Any) -> str:
    return f'<td class="{kind}">{text(figure(value))}</td>'


def figure(value: Any) -> str:
    """A value as it is read: numbers with separators, fractions with up to four digits, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.4f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:,.2f}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


def numbers(pairs: Iterable[tuple[str, Any]]) -> str:
    """A few numbers, each with its name."""
    return f"<dl>{''.join(f'<div><dt>{text(n)}</dt><dd>{text(figure(v))}</dd></div>' for n, v in pairs)}</dl>"


def bar(name: str, told: str, *, left: float, lost: float) -> str:
    """A bar with what is left and what was lost, as shares of all."""
    drawn = (
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="lost" width="{100 * (left + lost):.2f}" height="10"/>'
        f'<rect class="left" width="{100 * left:.2f}" height="10"/></svg>'
    )
    return f'<div class="bar"><span>{text(name)}</span>{drawn}<span>{text(told)}</span></div>'
