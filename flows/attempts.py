"""Attempts and verdicts in the terminal: a line for each, and the texts of those to look at."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from flows.readable import Fold, folded, one_line, readable
from flows.show import STYLES, plain
from pipelines.records import Attempt, Turn
from pipelines.story.find_draw import CLOSING
from pipelines.story.story import Posed, Told, Tried, best, reward

ID = 12  # digits of an id: enough to name it


class Look(NamedTuple):
    """What of a story is printed, and how texts are folded."""

    numbers: Mapping[str, int]  # of the attempts, by their ids
    chosen: Collection[int]  # of those to print whole
    plans: Collection[str]  # that stand in no attempt
    text: Fold | None
    prompt: Fold | None

    @property
    def is_full(self) -> bool:
        return self.text is None


def attempts_of(posed: Posed, look: Look) -> Iterator[RenderableType]:
    first = best(posed.attempts)
    if len(posed.attempts) > 1:
        yield from ("", _table(posed.attempts, look, first))
    for tried in posed.attempts:
        if tried is first or look.numbers[tried.attempt.id] in look.chosen:
            yield from ("", *_attempt(tried, look))


def _table(attempts: Sequence[Tried], look: Look, first: Tried | None) -> Table:
    """One line for each attempt; ▸ is the one that is printed below."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    rated = ["reward"] if any(reward(each) is not None for each in attempts) else []
    for name in ("#", "sample", "right", "tokens", *rated, "finish", "answer", "in"):
        table.add_column(name, justify="right" if name in ("#", "sample", "tokens", "reward") else "left")
    for tried in attempts:
        one, score = tried.attempt, reward(tried)
        table.add_row(
            f"{'▸' if tried is first else ''}{look.numbers[one.id]}",
            str(one.sample),
            Text(tried.right or "", style=STYLES.get(tried.right or "", "")),
            "" if one.completion_tokens is None else f"{one.completion_tokens:,}",
            *(["" if score is None else f"{score:.3g}"] if rated else []),
            one.finish,
            plain(one_line(tried.answer or ("" if tried.right else one.text)), most=60),
            plain(", ".join(tried.exported), most=60),
        )
    return table


def _attempt(tried: Tried, look: Look) -> Iterator[RenderableType]:
    """Who said it, what was asked, what was thought and said, and the verdicts on it."""
    one = tried.attempt
    yield plain(one_line(_who(one, look.numbers[one.id])), style="bold cyan")
    for turn in one.turns[:-1]:
        yield from _turn(turn, {"user": "asked"}.get(turn.role, turn.role), look.prompt, look)
    yield from _turn(one.turns[-1], "answered", look.text, look)
    yield verdicts(tried.verdicts, look)


def _who(one: Attempt, number: int) -> str:
    revision = f"@{one.revision}" if one.revision else ""
    thought = f", {one.reasoning_tokens:,} of them thought" if one.reasoning_tokens else ""
    told = [f"attempt {number}", f"{one.role} ({one.model}{revision})", f"sample {one.sample}", one.finish]
    if one.completion_tokens is not None:
        told.append(f"{one.prompt_tokens or 0:,} + {one.completion_tokens:,} tokens{thought}")
    return " · ".join([*told, one.prompt, one.id[:ID]])


def _turn(turn: Turn, name: str, fold: Fold | None, look: Look) -> Iterator[RenderableType]:
    if turn.reasoning:
        yield from labelled("thought", turn.reasoning, look.text, style="dim")
    if turn.content or not turn.reasoning:
        yield from labelled(name, turn.content or "(nothing)", fold, style="" if name == "answered" else "dim")
    if turn.tool_calls:
        yield from labelled("called", turn.tool_calls, look.text)


def labelled(label: str, text: str, fold: Fold | None, style: str = "") -> Iterator[RenderableType]:
    yield inside(plain(label, style="bold"))
    yield inside(folded(text, fold, style), 4)


def inside(part: RenderableType, by: int = 2) -> RenderableType:
    return Padding(part, (0, 0, 0, by), expand=False)


# --- Judges ----------------------------------------------------------------------------------------------------


def judging_of(posed: Posed, look: Look) -> Iterator[RenderableType]:
    """A line for every vote of a judge on this problem and its attempts; whole those that are asked for."""
    tasks = [*(task for tried in posed.attempts for task in tried.judged), *posed.judged]
    if not tasks:
        return
    yield from ("", _votes(tasks, look))
    for task in tasks:
        if task.verdicts:
            numbers = ", ".join(str(look.numbers[tried.attempt.id]) for tried in task.attempts)
            yield Group(plain(f"of the task of {numbers}:", style="dim"), verdicts(task.verdicts, look))
        for tried in task.attempts:
            if look.numbers[tried.attempt.id] in look.chosen:
                yield from ("", *_attempt(tried, look))


def _votes(tasks: Sequence[Posed], look: Look) -> Table:
    table = Table("#", "judged", "said", "finish", "asked with", box=None, pad_edge=False, header_style="dim")
    table.columns[0].justify = "right"
    for task in tasks:
        of = [f"attempt {look.numbers[id]}" for id in task.problem.parents if id in look.numbers]
        for tried in task.attempts:
            one = tried.attempt
            told = (", ".join(of) or "the question", _said(one.text), one.finish, one.prompt.partition("@")[0])
            table.add_row(str(look.numbers[one.id]), *(plain(one_line(part), most=60) for part in told))
    return table


def _said(text: str) -> str:
    """What a judge settled on; where it said so in no form that is known, how its answer ends."""
    found = re.search(r"<verdict>(.*?)</verdict>", text, re.DOTALL)
    return found.group(1) if found else text[-60:]


# --- Verdicts --------------------------------------------------------------------------------------------------


def verdicts(told_of: Sequence[Told], look: Look) -> RenderableType:
    """A line for each verdict, in columns; below those that are no pass, or below all, the evidence."""
    shown = [told for told in told_of if look.is_full or told.verdict.rule != CLOSING]  # the headline says it
    width = min(28, max((len(told.verdict.rule) for told in shown), default=0))
    return Group(*(part for told in shown for part in _verdict(told, width, look)))


def _verdict(told: Told, width: int, look: Look) -> Iterator[RenderableType]:
    each = told.verdict
    line = Table.grid(padding=(0, 1))
    for size in (1, 6, width, 6):
        line.add_column(width=size, no_wrap=True)
    line.add_column(overflow="fold")
    said = [f"→ {one_line(each.value)}"] if each.value else []
    line.add_row(
        "▸" if told.is_decisive else "",
        Text(each.status, style=STYLES[each.status]),
        plain(each.rule, most=width, style="bold" if told.is_decisive else ""),
        "" if each.score is None else f"{each.score:.3g}",
        plain("  ".join([*said, told.reason, *(["◂ this decided"] if told.is_decisive else [])]).strip(), most=400),
    )
    yield line
    if look.is_full or each.status != "pass":
        yield inside(evidence(told, look), 10)


def evidence(told: Told, look: Look) -> RenderableType:
    """What gave rise to a verdict, and what it is relative to, as lines `key: value`."""
    lines = [f"{key}: {readable(value)}" for key, value in told.evidence.items()]
    if told.context and (look.is_full or told.is_decisive):
        lines.append(f"measured with: {readable(told.context)}")
    return Group(*(folded(line, look.text, "dim") for line in lines))
