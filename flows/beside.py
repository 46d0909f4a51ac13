"""Two attempts side by side in the terminal, with what differs marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from flows.readable import narrow
from flows.show import plain
from pipelines.story.side_by_side import Line, Span, side_by_side, words_apart
from pipelines.story.story import Tried

SAME = 2  # equal lines that are shown around a difference


def beside(left: tuple[int, Tried], right: tuple[int, Tried]) -> RenderableType:
    """Two attempts in two columns; ~ marks lines that differ, < and > what only one has. Equal runs are folded."""
    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column("", width=1)
    for number, tried in (left, right):
        right_or_not = f" · {tried.right}" if tried.right else ""
        table.add_column(plain(f"attempt {number} · {tried.attempt.model}{right_or_not}"), ratio=1, overflow="fold")
    for line in _with_equal_folded(side_by_side(_whole(left[1]), _whole(right[1]))):
        table.add_row(*_cells(line))
    return table


def _whole(tried: Tried) -> str:
    """Thought and answer as one text."""
    last = tried.attempt.turns[-1]
    thought = f"[thought]\n{last.reasoning}\n[answered]\n" if last.reasoning else ""
    return thought + (last.content or "")


def _with_equal_folded(lines: Sequence[Line]) -> Iterable[Line | int]:
    """The lines, with a number in place of the equal ones that are far from any difference."""
    apart = [place for place, line in enumerate(lines) if line.change != "same"]
    shown = {near for place in apart for near in range(place - SAME, place + SAME + 1)}
    hidden = 0
    for place, line in enumerate(lines):
        if place in shown:
            if hidden:
                yield hidden
            hidden = 0
            yield line
        else:
            hidden += 1
    if hidden:
        yield hidden


def _cells(line: Line | int) -> tuple[Text, Text, Text]:
    if isinstance(line, int):
        same = Text(f"… {line:,} equal lines" if line > 1 else "… one equal line", style="dim")
        return Text(), same, same
    left, right = line.left or "", line.right or ""
    match line.change:
        case "same":
            return Text(), plain(narrow(left), style="dim"), plain(narrow(right), style="dim")
        case "changed":
            spans = words_apart(narrow(left), narrow(right))
            return Text("~", style="yellow"), _spans(spans[0], "red"), _spans(spans[1], "green")
        case "left":
            return Text("<", style="red"), plain(narrow(left), style="red"), Text()
        case "right":
            return Text(">", style="green"), Text(), plain(narrow(right), style="green")


def _spans(spans: Sequence[Span], style: str) -> Text:
    """What the other line has not is underlined."""
    return Text.assemble(*(plain(span.text, style="" if span.is_shared else f"underline {style}") for span in spans))
