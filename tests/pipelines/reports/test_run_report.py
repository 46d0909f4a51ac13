"""The report of a run: it is there however a run ends, tells what it came to, and shows texts as texts alone."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import make
from flows.make import Interrupted, Made
from flows.reported import reported
from flows.run import Progress
from pipelines.inference.engine import Outage
from pipelines.reports import page
from pipelines.reports.chart import Point, chart, clock, number, rates
from pipelines.reports.run import report, write_report
from pipelines.reports.timeline import MANY, SECONDS, Timeline, Wait, read, waits
from tests.each import each_of
from tests.small import Site

HOSTILE = "<script>alert(1)</script>\"'&\x1b[31m\u202e</td><img src=x onerror=y>"


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def sample(seconds: float, *, note: str = "", sent: int = 1, candidates: int = 0) -> dict[str, Any]:
    by_role = {"teacher": {"sent": sent, "completion_tokens": 100 * sent, "under_way": 3}}
    told = {"seconds": seconds, "candidates": candidates, "accepted": candidates // 2, "by_role": by_role}
    return {**told, "budget": {}, "note": note}


# --- The timeline ---------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "timeline.jsonl"


def written(path: Path, samples: list[dict[str, Any]]) -> Timeline:
    """A timeline to which each of these was told at its time."""
    now = Clock()
    timeline = Timeline(path, lambda: {"name": "x"}, now)
    for each in samples:
        now.now = each["seconds"]
        timeline.add(each)
    return timeline


def test_a_line_is_written_every_few_seconds_and_one_at_the_end(path: Path):
    timeline = written(path, [sample(0.5 * step, sent=step + 1) for step in range(41)])
    assert timeline.end(how="done", version="v1")
    told = read(path)
    assert [each["seconds"] for each in told.samples] == [0, 5, 10, 15, 20]
    assert told.about["name"] == "x"
    assert told.ended is not None
    assert (told.ended["how"], told.ended["version"]) == ("done", "v1")


def test_where_it_stood_at_the_end_is_always_there(path: Path):
    written(path, [sample(0), sample(3, sent=9)]).end(how="done")
    assert read(path).samples[-1]["by_role"]["teacher"]["sent"] == 9


def test_a_run_that_got_nothing_leaves_nothing(path: Path):
    timeline = written(path, [sample(0, sent=0), sample(60, sent=0)])
    assert not timeline.end(how="outage")
    assert not path.exists()


def test_what_it_waits_for_is_written_when_that_changes(path: Path):
    notes = ["", "", "teacher waits: 1 s", "teacher waits: 2 s", "", ""]
    written(path, [sample(1.0 * step, note=note) for step, note in enumerate(notes)])
    assert [each["seconds"] for each in read(path).samples] == [0, 2, 4]


def test_a_night_takes_no_more_lines_than_some_hours(path: Path):
    step = SECONDS
    timeline = written(path, [sample(step * n) for n in range(8 * 720)])
    assert timeline.end(how="done")
    assert MANY < len(read(path).samples) < 4 * MANY


def test_a_line_that_was_not_finished_is_left_out(path: Path):
    written(path, [sample(0), sample(6)])
    path.write_bytes(path.read_bytes() + b'{"seconds": 12, "cand')
    told = read(path)
    assert [each["seconds"] for each in told.samples] == [0, 6]
    assert told.ended is None


def test_a_disk_that_refuses_ends_the_timeline_and_not_the_run(path: Path, caplog: pytest.LogCaptureFixture):
    path.mkdir()
    timeline = written(path, [sample(0), sample(10), sample(20)])
    assert not caplog.records  # what else the disk refuses may end the run, which is told in a line of its own
    timeline.end(how="done")
    assert [each.message.partition(":")[0] for each in caplog.records] == ["timeline.jsonl ends too early"]


def test_notes_that_differ_in_numbers_alone_are_one_wait():
    notes = ["", "waits: 1.5 s", "waits: 12 s", "", "waits: 1 s", "judge waits"]
    told = waits([sample(10.0 * step, note=note) for step, note in enumerate(notes)])
    assert told == [Wait(10, 30, "waits: 12 s"), Wait(40, 50, "waits: 1 s"), Wait(50, 50, "judge waits")]


@given(st.lists(st.sampled_from(["", "a 1", "a 2", "b"]), max_size=12))
def test_waits_follow_one_another_and_have_their_words(notes: list[str]):
    told = waits([sample(float(step), note=note) for step, note in enumerate(notes)])
    assert all(each.what in notes and each.what for each in told)
    assert all(a.stop <= b.start for a, b in pairwise(told))
    assert sum(each.stop - each.start for each in told) <= len(notes)


# --- Charts ---------------------------------------------------------------------------------------------------

totals = st.lists(st.tuples(st.floats(0.01, 100), st.floats(0, 1e6)), min_size=2, max_size=40).map(
    lambda steps: [
        Point(sum(s for s, _ in steps[: at + 1]), sum(v for _, v in steps[: at + 1])) for at in range(len(steps))
    ]
)


@given(totals)
def test_rates_add_up_to_what_came(points: list[Point]):
    told = rates(points)
    width = (points[-1].seconds - points[0].seconds) / (len(told) - 1)
    came = sum(each.value for each in told[1:]) * width
    assert came == pytest.approx(points[-1].value - points[0].value, rel=1e-6, abs=1e-3)


@given(totals)
def test_a_chart_stays_in_its_frame(points: list[Point]):
    drawn = chart("tokens", points, [Wait(points[0].seconds, 1e9, "x")])
    [line] = re.findall(r'polyline class="line" points="([^"]*)"', drawn)
    for pair in line.split():
        x, y = map(float, pair.split(","))
        assert 0 <= x <= 420
        assert 0 <= y <= 150
    assert balanced(drawn) == []


@each_of([(0, "0"), (0.254, "0.25"), (12, "12"), (12_345, "12.3k"), (2_500_000, "2.5M")])
def test_numbers_of_a_chart_are_short(value: float, told: str):
    assert number(value) == told


@each_of([(0, "0 s"), (59.6, "1:00"), (125, "2:05"), (3_725, "1:02:05")])
def test_a_clock(seconds: float, told: str):
    assert clock(seconds) == told


def test_a_chart_of_nothing_is_none():
    assert chart("x", []) == chart("x", [Point(0, 1)]) == ""
    assert rates([Point(1, 1)]) == []


# --- The page -------------------------------------------------------------------------------------------------

TAGS = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "section", "div", "span", "dl", "dt", "dd"}
TAGS |= {"table", "thead", "tbody", "tr", "td", "figure", "figcaption"}
TAGS |= {"svg", "rect", "line", "text", "polygon", "polyline"}
VOID = {"meta", "rect", "line", "polygon", "polyline"}


class Checked(HTMLParser):
    """Collects whatever a page should not have."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.wrong += [tag] if tag not in TAGS else []
        self.wrong += [name for name, _ in attrs if name.startswith("on") or name in ("href", "src", "style")]
        self.open += [] if tag in VOID else [tag]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        assert tag in VOID

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"/{tag}")


def balanced(html: str) -> list[str]:
    """What is wrong with some HTML: other elements than ours, scripts, addresses, elements that are not closed."""
    parser = Checked()
    parser.feed(html)
    parser.close()
    return parser.wrong + parser.open


def test_no_text_is_markup():
    html = page.document(
        HOSTILE,
        [
            page.section(HOSTILE, page.table([HOSTILE, "n"], [[HOSTILE, 1], [None, 2.5]])),
            page.numbers([(HOSTILE, HOSTILE)]),
            page.bar(HOSTILE, HOSTILE, left=0.5, lost=0.25),
            chart(HOSTILE, [Point(0, 1), Point(1, 2)]),
        ],
    )
    assert balanced(html) == []
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "url(" not in html


def test_a_section_with_nothing_in_it_is_none():
    assert page.section("x", page.table(["a"], [])) == ""


# --- Of a run -------------------------------------------------------------------------------------------------


class Ran(NamedTuple):
    site: Site
    data: Path
    made: Made


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """A run that all of these reports are of: what a report reads, it does not change."""
    site, data = Site(tmp_path_factory.mktemp("recipe")), tmp_path_factory.mktemp("data")
    site.value["models"]["teacher"]["price"] = {"input": 1.0, "output": 4.0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(data))
        patch.setattr("pipelines.reports.plots.write_plots", lambda told, folder: [])
        yield Ran(site, data, site.embedded())


def steps(change: Callable[[Progress], Any]) -> Iterator[Progress]:
    """How a run came along."""
    counts = {"sent": 72, "replayed": 3, "prompt_tokens": 7_000, "completion_tokens": 9_000, "refused": 1}
    teacher = {**counts, "again": 4, "again: status 429": 4, "under_way": 7, "limit": 8}
    budget = {"limits": {"money": 5.0}, "spent": {"money": 1.5}, "unknown": {}, "before": {"money": 1.0}}
    budget |= {"by_role": {"teacher": {"money": 1.5}}}
    for step in range(4):
        told = Progress(target=None, limit=24, candidates=8 * step, accepted=2 * step, counts=counts, started=0.0)
        told.by_role, told.budget = {"teacher": teacher}, budget
        told.note = "teacher waits for a model (status 503)" if step == 2 else ""
        change(told)
        yield told


def told_of(ran: Ran, how: BaseException | None = None, change: Any = lambda told: None) -> str:
    """The report of a run that made what there is, and ended so."""
    recipe, now, data = make.prepare(ran.site.write()), Clock(), ran.data
    with contextlib.suppress(Interrupted, Outage, KeyboardInterrupt), reported(recipe, data, now) as sampled:
        for progress in steps(change):
            now.now += 10
            sampled(progress)
        if how:
            raise how
    return write_report(data, recipe.name).read_text(encoding="utf-8")


def seen(html: str) -> str:
    """The words of a page, one space between them."""
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL).split())


def test_a_report_tells_what_came_of_every_candidate_and_what_it_took(ran: Ran):
    html = told_of(ran)
    assert balanced(html) == []
    words = seen(html)
    assert "This run came to its version" in words
    assert f"accepted {ran.made.ledger['accepted']}" in words
    for outcome, count in ran.made.ledger["not_accepted"].items():
        assert f"{outcome} \N{MINUS SIGN} {count}" in words
    teacher = ran.made.ledger["models"]["teacher"]
    rows = re.findall(r"(?:pose|expand) teacher builtin (\d+) \d+ \d+ ([\d,]+) ([\d,]+) ([\d.]+)", words)
    assert sum(int(row[0]) for row in rows) == teacher["attempts"]
    assert sum(int(row[2].replace(",", "")) for row in rows) == teacher["completion_tokens"]
    assert sum(float(row[3]) for row in rows) == pytest.approx(teacher["cost"], abs=1e-3)


def test_a_report_tells_how_the_run_went(ran: Ran):
    words = seen(told_of(ran))
    for part in (
        "teacher status 429 4",  # tried again
        "30 s 10 s teacher waits for a model (status 503)",  # after, for about, what
        "money 5 1.5 0 1 2.5",  # the budget: limit, spent, unknown, before, left
        "teacher 72 3 4 1 7,000 9,000 1.5",  # what this run sent
        "tokens out a second",
        "thoughtmill 0.1.0",
    ):
        assert part in words, part


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (Outage("teacher gave no answer for 900 s"), "a model did not answer"),
        (Interrupted("stopped with 3 accepted"), "stopped by a person"),
        (KeyboardInterrupt(), "stopped by a person"),
    ],
)
def test_a_run_that_ends_early_has_its_report(ran: Ran, how: BaseException, sentence: str):
    words = seen(told_of(ran, how))
    assert sentence in words
    assert str(how) in words
    assert f"still in {ran.made.ledger['accepted']}" in words  # no version is made of them yet
    for outcome, count in ran.made.ledger["not_accepted"].items():
        assert f"{outcome} \N{MINUS SIGN} {count}" in words


def test_a_run_that_ended_by_its_budget_says_so(ran: Ran):
    path = ran.data / "runs" / "small" / "last.json"
    last = path.read_bytes()
    path.write_bytes(orjson.dumps({**orjson.loads(last), "ended": "the budget is spent: money 5 of 5"}))
    words = seen(told_of(ran))
    path.write_bytes(last)
    assert "ended by its budget" in words
    assert "money 5 of 5" in words


def test_a_run_that_was_killed_can_be_told_of_afterwards(ran: Ran):
    told_of(ran)
    path = ran.data / "runs" / "small" / "timeline.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    words = seen(report(ran.data, "small"))
    assert "still runs, or was killed" in words
    assert f"still in {ran.made.ledger['accepted']}" in words


def test_a_run_that_finished_no_shard_has_a_report_of_what_it_tried(site: Site, data: Path, ran: Ran):
    (data / "runs" / "small").mkdir(parents=True)
    words = seen(told_of(Ran(site, data, ran.made), Outage("no answer")))
    assert "status 429 4" in words
    assert "candidates 0" in words


def test_nothing_that_an_engine_says_is_markup(ran: Ran):
    def spoil(told: Progress) -> None:
        told.note = HOSTILE
        told.by_role = {HOSTILE: {"sent": 1, f"again: {HOSTILE}": 2}}

    assert balanced(told_of(ran, Outage(HOSTILE), spoil)) == []


def test_a_timeline_names_no_url_and_no_key(ran: Ran):
    site = copy.deepcopy(ran.site)
    site.value["models"]["teacher"] |= {"use": "openai:test@http://user-host.example:8000/v1", "key_env": "MY_KEY"}
    html = told_of(ran._replace(site=site))
    for text in (html, (ran.data / "runs" / "small" / "timeline.jsonl").read_text()):
        assert "example" not in text
        assert "MY_KEY" not in text
