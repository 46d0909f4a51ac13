"""How a run goes, while it goes: drawn in the terminal, or told in a line now and then where there is none."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table

    from flows.run import Progress

Watch = Callable[["Progress"], None]

REDRAW = 0.45  # seconds between two pictures, at least
TELL = 10.0  # seconds between two lines, where there is no terminal
RECENT = 60.0  # seconds over which rates are taken
LONGEST_NOTE = 300  # characters


def together(*watchers: Watch) -> Watch:
    """One that tells them all."""

    def tell(told: Progress) -> None:
        for watcher in watchers:
            watcher(told)

    return tell


@contextlib.contextmanager
def watching(
    *, quiet: bool = False, console: Console | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Watch]:
    """What a run is to tell its progress to: a picture on a terminal, lines on anything else, nothing when quiet."""
    if quiet:
        yield lambda told: None
        return
    from rich.live import Live

    from flows.show import aside, plain

    screen = console or aside
    recent = Recent(clock)
    if not screen.is_terminal:

        def say(told: Progress) -> None:
            said = plain(line(told, recent.rates(told))).plain.replace("\n", " ")
            screen.print(said, markup=False, soft_wrap=True)

        yield at_most_every(TELL, say, clock, first=False)
        return
    with Live(console=screen, auto_refresh=False, transient=True) as live:
        yield at_most_every(REDRAW, lambda told: live.update(picture(told, recent.rates(told)), refresh=True), clock)


def at_most_every(seconds: float, watch: Watch, clock: Callable[[], float], *, first: bool = True) -> Watch:
    """The same watcher, told no more often than that; the first time at once or only after as many seconds."""
    last = clock() - (seconds if first else 0)

    def tell(told: Progress) -> None:
        nonlocal last
        if clock() - last >= seconds:
            last = clock()
            watch(told)

    return tell


# ---------------------------------------------------------------------------------------------------------------
# Rates


class Rates(NamedTuple):
    """What comes in a second, of late; `left` is the seconds until the run may end, where that can be told."""

    seconds: float  # since the run began
    requests: float
    tokens: float
    left: float | None


class Recent:
    """Remembers the last minute: what a run did before, when it read its journal, says nothing of what is to come."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: deque[tuple[float, ...]] = deque()

    def rates(self, told: Progress) -> Rates:
        """Take note of where the run stands, and tell how fast it is."""
        now = self._clock()
        counts = told.counts
        if self._known and counts.get("sent", 0) < self._known[-1][1]:
            self._known.clear()  # the next round of a loop counts from nothing
        self._known.append((now, counts.get("sent", 0), counts.get("completion_tokens", 0), told.candidates))
        while len(self._known) > 2 and self._known[1][0] <= now - RECENT:
            self._known.popleft()
        last = self._known[-1]
        first = self._known[0] if len(self._known) > 1 else (told.started, 0.0, 0.0, 0.0)
        seconds = max(now - first[0], 1e-9)
        requests, tokens, candidates = ((b - a) / seconds for a, b in zip(first[1:], last[1:], strict=True))
        return Rates(now - told.started, requests, tokens, _left(told, candidates))


def _left(told: Progress, candidates_a_second: float) -> float | None:
    """Seconds until the target or the limit is reached, whichever comes first."""
    missing: list[float] = [told.limit - told.candidates] if told.limit else []
    if told.target and told.accepted:
        missing.append((told.target - told.accepted) * told.candidates / told.accepted)
    if not missing or candidates_a_second <= 0 or min(missing) <= 0:
        return None
    return min(missing) / candidates_a_second


# ---------------------------------------------------------------------------------------------------------------
# What is said


def line(told: Progress, rates: Rates) -> str:
    """All of it in one line."""
    counts = told.counts
    parts = [_accepted(told), _candidates(told)]
    parts.append(f"{counts.get('sent', 0):,} requests ({rates.requests:,.1f}/s)")
    parts += [f"{counts[name]:,} {words}" for name, words in NOTABLE.items() if counts.get(name)]
    if again := sum(each.get("again", 0) for each in told.by_role.values()):
        parts.append(f"{again:,} tried again")
    parts.append(f"{counts.get('completion_tokens', 0):,} tokens ({rates.tokens:,.0f}/s)")
    parts += [f"{name} {amount(spent)} of {amount(limit)}" for name, spent, limit in spending(told.budget)]
    parts += [f"about {duration(rates.left)} left"] if rates.left else []
    return " · ".join([*parts, *([told.note[:LONGEST_NOTE]] if told.note else [])])


NOTABLE = {"replayed": "from the journal", "refused": "refused"}


def picture(told: Progress, rates: Rates) -> Group:
    """The same with a bar, and a line for each role."""
    from rich.console import Group
    from rich.table import Table

    from flows.show import plain

    top = Table.grid(padding=(0, 1))
    left = f"about {duration(rates.left)} left" if rates.left else ""
    top.add_row(_bar(told), plain(_accepted(told), style="bold"), plain(left))
    acceptance = f" · acceptance {told.accepted / told.candidates:.0%}" if told.candidates else ""
    pace = f"{rates.requests:,.1f} attempts/s · {rates.tokens:,.0f} tokens/s · {duration(rates.seconds)}"
    parts: list[Any] = [top, plain(f"{_candidates(told)}{acceptance} · {pace}")]
    if told.by_role:
        parts.append(_roles(told.by_role))
    parts += [plain(f"{name}: {words}") for name, words in _money(told.budget)]
    parts += [plain(told.note, most=LONGEST_NOTE, style="yellow")] if told.note else []
    return Group(*parts)


def _bar(told: Progress) -> Any:
    from rich.progress_bar import ProgressBar

    done, total = (told.accepted, told.target) if told.target else (told.candidates, told.limit)
    return ProgressBar(total=total or 1, completed=min(done, total or 0), width=32)


def _accepted(told: Progress) -> str:
    if not told.target:
        return f"accepted {told.accepted:,}"
    return f"accepted {min(told.accepted, told.target):,} of {told.target:,}"  # the last shard may hold more


def _candidates(told: Progress) -> str:
    return f"candidates {told.candidates:,}" + (f" of at most {told.limit:,}" if told.limit else "")


def _roles(by_role: Mapping[str, Mapping[str, float]]) -> Table:
    """Each role: under way, of how many at once; sent, replayed, refused; tried again, by kind; tokens."""
    from rich.table import Table

    from flows.show import plain

    table = Table(
        "role", "under way", "sent", "journal", "refused", "tokens in", "out", "again", box=None, pad_edge=False
    )
    for column in table.columns[1:-1]:
        column.justify = "right"
    for role, counts in by_role.items():
        numbers = (f"{counts.get(name, 0):,}" for name in COLUMNS)
        under_way = f"{counts.get('under_way', 0):,} of {counts.get('limit', 0):,}"
        table.add_row(plain(role), under_way, *numbers, plain(_again(counts), most=LONGEST_NOTE, style="yellow"))
    return table


COLUMNS = ("sent", "replayed", "refused", "prompt_tokens", "completion_tokens")
AGAIN = "again: "


def _again(counts: Mapping[str, float]) -> str:
    """Why requests were tried again, most frequent first."""
    kinds = sorted((each for each in counts if each.startswith(AGAIN)), key=lambda each: -counts[each])
    return ", ".join(f"{kind.removeprefix(AGAIN)} {counts[kind]:,}" for kind in kinds)


def spending(budget: Mapping[str, Any]) -> Iterator[tuple[str, float, float]]:
    """For each thing that is limited what is spent, or may be, and the limit."""
    for name, limit in budget.get("limits", {}).items():
        parts = [budget.get(part, {}).get(name, 0) for part in ("spent", "unknown", "before")]
        yield name, budget.get(name, 0) if name in ("hours", "gpu_hours") else sum(parts), limit


def _money(budget: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is spent and left, limited or not as long as it costs anything."""
    for name, spent, limit in spending(budget):
        yield name.replace("_", "-"), f"{amount(spent)} of {amount(limit)}, {amount(max(0, limit - spent))} left"
    if "money" not in budget.get("limits", {}) and (money := budget.get("spent", {}).get("money")):
        yield "money", f"{amount(money)} spent"


def amount(value: float) -> str:
    """A quantity in whole numbers where it is large, and in four digits where it is small."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def duration(seconds: float) -> str:
    """A length of time: 0:12, 3:20, 2 h 03 min."""
    whole = round(seconds)
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min" if whole >= 3600 else f"{whole // 60}:{whole % 60:02d}"
