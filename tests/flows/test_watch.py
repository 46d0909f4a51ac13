"""Watching a run: what is drawn, how seldom, and that nothing of it can be markup or a control code."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from flows.run import Progress
from flows.watch import REDRAW, TELL, Recent, duration, line, picture, together, watching
from tests.each import each_of


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def going(clock: Clock, **changed: Any) -> Progress:
    counts = {"sent": 300, "replayed": 50, "completion_tokens": 60_000}
    teacher = {**counts, "under_way": 5, "limit": 8, "again": 3, "again: status 429": 2, "again: reset": 1}
    budget = {
        "limits": {"money": 5.0, "hours": 8.0},
        "spent": {"money": 1.25},
        "unknown": {"money": 0.5},
        "hours": 2.0,
    }
    told = Progress(target=20, limit=100, candidates=40, accepted=10, counts=counts, by_role={"teacher": teacher})
    told.budget, told.started = budget, clock.now - 100
    for name, value in changed.items():
        setattr(told, name, value)
    return told


def screen(*, terminal: bool = False, width: int = 200) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, highlight=False, color_system=None)


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def drawn(told: Progress, clock: Clock, width: int = 200) -> str:
    console = screen(width=width)
    console.print(picture(told, Recent(clock).rates(told)))
    return said(console)


# --- What is said ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["picture", "line"])
def test_everything_that_a_person_asks_of_a_run_is_there(shape: str):
    clock = Clock()
    told = going(clock, note="teacher waits for test at http://127.0.0.1 (status 503): 12 s of at most 900 s")
    text = drawn(told, clock) if shape == "picture" else line(told, Recent(clock).rates(told))
    for part in ("accepted 10 of 20", "candidates 40 of at most 100", "300", "50", "3.0", "600", "status 503): 12 s"):
        assert part in text, part
    assert "1:40" in text  # ten more of a quarter that is accepted, at 0.4 candidates a second


def test_the_picture_has_a_line_for_each_role_and_each_limit():
    clock = Clock()
    text = drawn(going(clock), clock)
    assert "5 of 8" in text
    assert "status 429 2, reset 1" in text
    assert "money: 1.75 of 5, 3.25 left" in text
    assert "hours: 2 of 8, 6 left" in text


def test_what_the_last_shard_holds_beyond_the_target_is_not_shown():
    clock = Clock()
    assert "accepted 20 of 20" in drawn(going(clock, accepted=31), clock)


def test_a_run_that_has_just_begun_promises_nothing():
    clock = Clock()
    told = Progress(target=20, limit=None, started=clock.now)
    rates = Recent(clock).rates(told)
    assert rates.left is None
    assert "left" not in line(told, rates)
    assert "accepted 0 of 20" in drawn(told, clock)


def test_the_next_round_of_a_loop_is_not_measured_by_the_one_before():
    clock = Clock()
    recent = Recent(clock)
    assert recent.rates(going(clock)).requests > 0
    clock.now += 5
    next_round = going(clock, counts={"sent": 0}, candidates=0, accepted=0, started=clock.now)
    assert recent.rates(next_round).requests == 0


def test_rates_are_those_of_the_last_minute():
    """What came from the journal at first, in no time, says nothing of the rest."""
    clock = Clock()
    recent = Recent(clock)
    rates = recent.rates(going(clock, candidates=1, accepted=1))
    for second in range(200):
        clock.now += 1
        counts = {"sent": 300 + 2 * second, "completion_tokens": 60_000 + 500 * second}
        rates = recent.rates(going(clock, counts=counts, candidates=40 + second // 10))
    assert rates.requests == pytest.approx(2)
    assert rates.tokens == pytest.approx(500)


def test_the_limit_on_candidates_ends_a_run_that_accepts_nothing():
    clock = Clock()
    rates = Recent(clock).rates(going(clock, accepted=0))
    assert rates.left == pytest.approx(60 / 0.4)


def test_lengths_of_time_are_as_people_say_them():
    assert [duration(each) for each in (0, 75, 3_599, 7_380)] == ["0:00", "1:15", "59:59", "2 h 03 min"]


# --- Texts from outside ---------------------------------------------------------------------------------------

HOSTILE = ["\x1b[31mred\x1b[2J", "[bold]loud[/bold] [/]", "a\rb\ac\x00", "\u202edlo\u2066", "[link=http://x]y[/link]"]


@each_of(HOSTILE)
def test_nothing_from_outside_is_markup_or_moves_the_cursor(text: str):
    clock, console = Clock(), screen()
    told = going(clock, note=text, by_role={text: {f"again: {text}": 1}})
    with watching(console=console, clock=clock) as tell:
        clock.now += TELL
        tell(told)
    for shown in (drawn(told, clock), said(console)):
        assert all(char.isprintable() or char == "\n" for char in shown)
        assert shown.count("[") >= text.count("[")  # nothing of it was taken for markup


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_narrow_terminal_is_no_trouble(width: int):
    clock = Clock()
    assert all(len(row) <= width for row in drawn(going(clock), clock, width=width).splitlines())


# --- How often ------------------------------------------------------------------------------------------------


def frames(console: Console, clock: Clock, steps: int, seconds: float) -> Iterator[int]:
    """How often a run that tells of each of its steps has been drawn."""
    with watching(console=console, clock=clock) as tell:
        for _ in range(steps):
            tell(going(clock))
            clock.now += seconds
            yield said(console).count("accepted 10 of 20")


def test_a_terminal_is_drawn_at_once_and_then_a_few_times_a_second():
    told = list(frames(screen(terminal=True), Clock(), steps=201, seconds=0.05))
    assert told[0] == 1
    assert 10 / REDRAW * 0.8 <= told[-1] <= 10 / REDRAW + 1


def test_elsewhere_there_is_a_line_now_and_then_and_nothing_for_a_run_of_moments():
    told = list(frames(screen(), Clock(), steps=101, seconds=1.0))
    assert told[5] == 0
    assert told[-1] == 100 / TELL


def test_a_line_is_one_line_however_narrow_the_log_and_whatever_it_waits_for():
    clock, console = Clock(), screen(width=40)
    with watching(console=console, clock=clock) as tell:
        clock.now += TELL
        tell(going(clock, note="teacher waits\nfor two lines"))
    [said_once] = said(console).splitlines()
    assert said_once.endswith("teacher waits for two lines")


def test_a_terminal_is_left_as_it_was():
    clock, console = Clock(), screen(terminal=True)
    with watching(console=console, clock=clock) as tell:
        tell(going(clock))
    assert said(console).endswith("\x1b[2K")  # the picture is wiped out: the books of the run come in its place
    assert "\x1b[?25h" in said(console)  # and the cursor is there again


def test_nobody_is_told_who_wants_quiet():
    clock, console = Clock(), screen(terminal=True)
    with watching(quiet=True, console=console, clock=clock) as tell:
        tell(going(clock))
    assert said(console) == ""


def test_several_may_watch():
    told: list[Progress] = []
    progress = going(Clock())
    together(told.append, told.append)(progress)
    assert told == [progress, progress]
