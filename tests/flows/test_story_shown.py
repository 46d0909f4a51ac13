"""What the terminal says of a row: why first, everything findable, and no text of a model that does anything."""

from __future__ import annotations

import io
import os
import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
from rich.console import Console

from flows import story, versions
from flows.readable import LITTLE, folded, readable
from flows.show import NotThere
from pipelines.records import Facts, problem
from pipelines.story.story import story_of_facts
from tests.each import each_of
from tests.versions import RECIPE, candidate, closed, said, together, told, write_version

GOLDEN = Path(__file__).parent / "story.txt"
LONG = "\n".join(f"Thought number {n}." for n in range(40))
NEW, COPY, HARD = candidate(0, thought=LONG), candidate(1, similarity=0.9), candidate(2, given=("5", "5"))


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_version(tmp_path_factory.mktemp("made") / "sums" / "v1", together(NEW, COPY, HARD))


def console(colours: Literal["truecolor"] | None = None) -> Console:
    return Console(file=io.StringIO(), width=80, highlight=False, color_system=colours, force_terminal=bool(colours))


def output(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in screen.file.getvalue().split("\n")).rstrip("\n") + "\n"


@cache
def shown(folder: Path, row: str, **how: Any) -> str:
    screen = console()
    story.show(folder, row, console=screen, **how)
    return output(screen)


# What is told


def test_a_story_reads_as_it_did(version: Path):
    """After a wanted change: THOUGHTMILL_GOLDEN=1 writes it anew; read it before it is committed."""
    parts = [shown(version, "0"), shown(version, "draw:1"), shown(version, "0", diff=(2, 3))]
    text = f"\n{'=' * 80}\n".join(parts)
    if os.environ.get("THOUGHTMILL_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_why_stands_before_everything_else(version: Path):
    lines = shown(version, "draw:1").splitlines()
    assert lines[1] == "NOT ACCEPTED  novelty@1: too much like an earlier question"
    assert any("nearest: What is 1 + 1?" in line for line in lines[2:8])
    accepted = shown(version, "0").splitlines()
    assert accepted[1:3] == ["ACCEPTED  2 checks passed; 1 of 2 attempts right", "  in sft (1 row), rl (1 row)"]


def test_nothing_is_told_by_colour_alone(version: Path):
    screen = console("truecolor")
    story.show(version, "draw:1", console=screen)
    assert "\x1b[" in output(screen)
    assert re.sub(r"\x1b\[[0-9;]*m", "", output(screen)).split() == shown(version, "draw:1").split()


def test_the_verdict_that_decided_is_marked_once(version: Path):
    marked = [line for line in shown(version, "draw:1").splitlines() if "this decided" in line]
    assert len(marked) == 1
    assert marked[0].startswith("▸ fail   novelty@1 0.9")


def test_long_thoughts_are_folded_until_all_is_asked_for(version: Path):
    brief, full = shown(version, "0"), shown(version, "0", full=True)
    assert "Thought number 0." in brief
    assert "Thought number 39." in brief
    assert "… 28 more lines, " in brief
    assert "Thought number 20." not in brief
    assert all(line in full for line in LONG.splitlines())
    assert "more lines" not in full


def test_the_best_attempt_is_whole_and_any_other_that_is_asked_for(version: Path):
    assert [n for n in (1, 2, 3) if f"attempt {n} · teacher" in shown(version, "0")] == [1, 2]
    assert "attempt 3 · teacher" in shown(version, "0", attempts=(3,))
    assert "2 +" not in shown(version, "0", diff=(2, 3)).replace("2 + 2", "")


def test_two_attempts_beside_each_other_show_where_they_part(version: Path):
    lines = shown(version, "0", diff=(2, 3)).splitlines()
    assert "attempt 2 · tiny · pass" in lines[0]
    assert "attempt 3 · tiny · fail" in lines[0]
    [apart] = [line for line in lines if line.startswith("~")]
    assert r"\boxed{4}" in apart
    assert r"\boxed{5}" in apart
    assert any("equal lines" in line for line in lines)


@pytest.mark.parametrize("how", [{"attempts": (9,)}, {"diff": (1, 4)}], ids=str)
def test_an_attempt_that_is_not_there_is_answered_with_those_that_are(version: Path, how: dict[str, Any]):
    with pytest.raises(ValueError, match=r"there is no attempt [49] in the story of 0; its attempts are 1 to 3"):
        shown(version, "0", **how)


def test_a_row_that_is_not_there_is_one_clear_line(tmp_path: Path, version: Path):
    with pytest.raises(ValueError, match="there is no row 7: rows 0 to 0 are accepted"):
        shown(version, "7")
    empty = write_version(tmp_path / "sums" / "v1", together(candidate(0, similarity=0.9)))
    with pytest.raises(ValueError, match="no row was accepted, and draw:0 to draw:0 show every candidate"):
        shown(empty, "0")
    assert "NOT ACCEPTED" in shown(empty, "draw:0")


def test_what_is_of_no_version_yet_is_told_too():
    for facts, line in ((NEW, "NOT DECIDED YET"), (COPY, "NOT DECIDED YET  did not pass novelty@1")):
        draw = facts.problems[0].draw or 0
        screen, undecided = console(), [each for each in facts.verdicts if each.rule != "accepted@1"]
        story.tell(story_of_facts(together(facts._replace(verdicts=undecided)), draw), title="first", console=screen)
        assert output(screen).splitlines()[:2] == ["first", line]


def test_votes_of_judges_are_a_line_each_and_whole_when_asked_for(version: Path, tmp_path: Path):
    tried = NEW.attempts[1]
    task = problem(parents=[tried.id], stage="judge@1", draw=0, kind="judge", question="What is 2 + 2?")
    said_of_it = [f"<verdict>\n{vote}\n</verdict>" for vote in ("yes", "no")]
    votes = [said(task, text, stage="judge@1", sample=n) for n, text in enumerate(said_of_it)]
    facts = together(NEW)
    facts.extend(Facts([task], votes, [told(task, "control@1", value="right")]))
    folder = write_version(tmp_path / "sums" / "v1", facts, rows={})
    lines = shown(folder, "0").splitlines()
    assert any(line.split() == ["4", "attempt", "2", "yes", "stop", "solve/boxed"] for line in lines)
    assert any(line.split() == ["5", "attempt", "2", "no", "stop", "solve/boxed"] for line in lines)
    assert "of the task of 4, 5:" in lines
    assert "attempt 5 · teacher" in shown(folder, "0", attempts=(5,))


# Texts of models

HOSTILE = (
    "\x1b[31mred\x1b[0m \x07 \x9b2J [bold]loud[/bold] [link=file:///]x[/link] \u202egnp.exe \u2066\r\b :smile: end"
)


def test_texts_of_models_do_nothing(tmp_path: Path):
    bad = HOSTILE
    task = problem(parents=[], stage="bring@1", draw=0, kind=bad, question=bad, answer=bad, domain=bad, source=bad)
    tried = said(task, bad, thought=bad, asked=bad, prompt=bad)._replace(model=bad, role=bad)
    evidence = {"reason": bad, bad: [bad]}
    wrong = told(tried, bad, "fail", value=bad, context={bad: bad}, evidence=evidence)
    second = said(task, HOSTILE[::-1], sample=1)
    folder = write_version(tmp_path / "sums" / "v1", Facts([task], [tried, second], [wrong, closed(task, wrong)]))
    for text in (shown(folder, "draw:0"), shown(folder, "draw:0", full=True), shown(folder, "draw:0", diff=(1, 2))):
        assert not [char for char in text if unicodedata.category(char) in ("Cc", "Cf") and char != "\n"]
        assert "[bold]loud[/bold]" in text.replace("\n", "")
        assert ":smile:" in text


def test_a_line_of_a_megabyte_stays_a_few_lines(tmp_path: Path):
    task = problem(parents=[], stage="bring@1", draw=0, kind="task", question="x" * 1_000_000, answer="y" * 1_000_000)
    tried = said(task, "z" * 1_000_000, thought="w " * 500_000)
    folder = write_version(tmp_path / "sums" / "v1", Facts([task], [tried], [closed(task)]), rows={})
    text = shown(folder, "0")
    assert len(text.splitlines()) < 150
    assert max(map(len, text.splitlines())) <= 80
    assert "998,800 more characters" in text


@each_of(
    [
        (None, "none"),
        (True, "yes"),
        (0.123456, "0.1235"),
        ([["966", 7], ["967", 1]], "966 (7), 967 (1)"),
        ({"file": "math.jsonl", "share": 0.5}, "file math.jsonl, share 0.5"),
        ([{"a": 1}], "(a 1)"),
        ([], "none"),
        ("[bold]", "[bold]"),
    ]
)
def test_evidence_reads_without_quotes_and_braces(value: Any, wanted: str):
    assert readable(value) == wanted


@each_of(range(1, 9))
def test_a_fold_says_how_much_it_hides_and_hides_no_single_line(count: int):
    lines = [f"line {n}" for n in range(count)]
    kept = folded("\n".join(lines), LITTLE).plain.split("\n")
    assert (kept == lines) == (count <= 4)
    if count > 4:
        assert kept == [*lines[:2], f"… {count - 3} more lines, {6 * (count - 3)} characters …", lines[-1]]


# Versions


@pytest.fixture
def two(data: Path) -> Path:
    home = data / "datasets" / "sums"
    write_version(home / "v1", together(NEW, candidate(1, similarity=0.6)), prompts={"pose/plan": "Plan.\n"})
    pose, screen, expand = RECIPE["stages"]
    stricter = {**screen, "rules": ["form", {"rule": "novelty", "at_most": 0.5}]}
    recipe = {**RECIPE, "stages": [pose, stricter, expand]}
    facts = together(candidate(0, thought=LONG, at_most=0.5), candidate(1, similarity=0.6, at_most=0.5))
    write_version(home / "v2", facts, recipe=recipe, prompts={"pose/plan": "Plan well.\n"})
    return home


def told_of(what: Any, *names: Any) -> str:
    screen = console()
    what(*names, console=screen)
    return output(screen)


def test_versions_are_listed_with_what_changed(two: Path):
    text = " ".join(told_of(versions.versions, "sums").split())
    assert "v1 2 2 v2 * 1 2 -1 accepted; screen.rules.novelty.at_most 0.7 → 0.5; prompt pose/plan" in text
    assert told_of(versions.versions, None) == told_of(versions.versions, "sums")


def test_a_difference_tells_rows_verdicts_thresholds_and_prompts(two: Path):
    text = told_of(versions.diff, "sums@v1", "v2")
    assert text == told_of(versions.diff, "sums@v1", "sums@v2")
    lines = [line.split() for line in text.splitlines()]
    assert text.splitlines()[:2] == [
        "sums@v1 → sums@v2",
        "1 accepted rows in both, 1 only in the old, 0 only in the new",
    ]
    for wanted in (
        "1 novelty",
        "novelty pass fail 1 draw:1",
        "novelty at_most 0.7 0.5",
        "-Plan.",
        "+Plan well.",
        "accepted 2 1 -1",
    ):
        assert wanted.split() in lines


def test_a_rollback_is_told_and_undone_by_the_newest(two: Path):
    assert "sums means v1 now, until a version after v2 is made; nothing was deleted" in told_of(
        versions.rollback, "sums", "v1"
    )
    assert "v1 *" in told_of(versions.versions, "sums")
    assert told_of(versions.rollback, "sums", "v2") == "sums means v2 now\n"
    assert "v2 *" in told_of(versions.versions, "sums")


def test_versions_that_are_not_there_are_answered_with_those_that_are(two: Path):
    for what, names in ((versions.rollback, ("sums", "v9")), (versions.diff, ("sums@v1", "v9"))):
        with pytest.raises(NotThere, match="there are: v1, v2"):
            told_of(what, *names)
    with pytest.raises(NotThere, match="there are: sums"):
        told_of(versions.versions, "products")
