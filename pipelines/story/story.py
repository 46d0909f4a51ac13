"""The story of one draw: where it came from, what was asked and answered, what every check said, where it went.

Plain data for whoever shows it, in the terminal or on a page. A draw is read by itself, and its views are taken of
these few facts alone, so that a story costs the same in a dataset of a million rows.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from filters.answers import final_answer
from filters.table import RULES
from filters.verifiers import VERIFIERS
from pipelines.records import Attempt, Facts, Problem, Status, Verdict, from_table
from pipelines.release import read_version
from pipelines.store import KINDS, connect
from pipelines.story.exported import Exported, curriculum_stage, exported
from pipelines.story.find_draw import CLOSING, extent, find_draw
from pipelines.views.table import VIEWS

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

RIGHT = ("option_consistency", "label", "answer_matches", "given")
"""The rules that tell whether an attempt is right; the first that spoke decides, and options only against it."""


class Told(NamedTuple):
    """A verdict, with its texts read."""

    verdict: Verdict
    reason: str  # empty for a pass
    evidence: dict[str, Any]  # besides the reason
    context: dict[str, Any]
    is_decisive: bool  # the verdict that the draw was left out for


class Tried(NamedTuple):
    """An attempt, what was said of it, and which views show it."""

    attempt: Attempt
    verdicts: list[Told]
    exported: list[str]  # names of views; "preference (chosen)" where a view says as what
    answer: str | None  # the final answer, as its problem's verifier reads it
    right: Status | None  # None where nothing checked it
    judged: list[Posed]  # the tasks of judging it


class Posed(NamedTuple):
    """A problem, what was said of it, and the attempts at it."""

    problem: Problem
    verdicts: list[Told]
    attempts: list[Tried]
    plan: str | None  # its author's, from before it was posed
    judged: list[Posed]  # the tasks of judging it


class Story(NamedTuple):
    """Everything about one draw."""

    draw: int
    outcome: str  # "accepted", or the rule that left it out; "open" where nothing has said so yet
    reason: str
    subjects: tuple[str, ...]  # what the outcome is about: the accepted problem, or what was left out
    decisive: Verdict | None  # the verdict that the draw was left out for
    seeds: list[Problem]
    problems: list[Posed]  # the task of posing, the posed question, its other forms, in the order they were made
    others: list[Told]  # verdicts about nothing of this draw
    exported: dict[str, int]  # rows by view, where there are any


class Where(NamedTuple):
    """A story of a version, and what only the version's files tell."""

    story: Story
    version: dict[str, Any]  # version.json
    stage: str | None  # of the curriculum


def story_of(folder: Path, row: str) -> Where:
    """The story of a row of the version in `folder`. Raises ValueError, saying what rows there are."""
    told = read_version(folder)
    with connect([folder / "facts"]) as connection:
        found = story(connection, find_draw(connection, row), views=list(told["rows"]))
    return Where(found, told, curriculum_stage(folder, found.subjects))


def story(
    connection: duckdb.DuckDBPyConnection,
    draw: int,
    *,
    views: Collection[str] | None = None,
    marks: Sequence[Verdict] = (),
) -> Story:
    """The story of a draw, from a connection with the tables problems, attempts and verdicts.

    `views` are those to look for it in, as version.json names them ("sft", "random/sft"); all that there are where it
    is None. `marks` are further verdicts to tell of it. Raises ValueError where there is no such draw.
    """
    tables = {name: _draw_of(connection, name, draw) for name in KINDS}
    facts = Facts(*(from_table(kind, tables[name]) for name, kind in KINDS.items()))
    if not facts.problems and not facts.verdicts:
        raise ValueError(f"there is no draw {draw}; {extent(connection)}")
    seeds = _seeds(connection, _from_outside(facts))
    went = exported(tables, VIEWS if views is None else views, facts.verdicts)
    return _assembled(draw, facts, seeds, went, marks)


def story_of_facts(facts: Facts, draw: int) -> Story:
    """The story of a draw of a shard that no version holds yet."""
    here = Facts(
        [each for each in facts.problems if each.draw == draw],
        [each for each in facts.attempts if each.draw == draw],
        [each for each in facts.verdicts if each.draw == draw],
    )
    wanted = _from_outside(here)
    found = {each.id: each for each in facts.problems if each.draw is None}
    return _assembled(draw, here, [found[id] for id in wanted if id in found], Exported({}, {}))


def _from_outside(facts: Facts) -> list[str]:
    """The ids of parents that are no facts of the draw: its seeds, in their order."""
    here = {each.id for each in (*facts.problems, *facts.attempts)}
    return list(dict.fromkeys(id for each in facts.problems for id in each.parents if id not in here))


def _assembled(draw: int, facts: Facts, seeds: list[Problem], went: Exported, marks: Sequence[Verdict] = ()) -> Story:
    closing = next((each for each in facts.verdicts if each.rule == CLOSING), None)
    why = orjson.loads(closing.evidence) if closing else {}
    decisive = next((each for each in facts.verdicts if each.id == why.get("verdict")), None)
    known = {each.id for each in (*facts.problems, *facts.attempts)}
    by_subject, others = _by_subject([*facts.verdicts, *marks], known, decisive)
    return Story(
        draw=draw,
        outcome=(closing.value if closing else None) or "open",
        reason=why.get("reason") or "",
        subjects=closing.subjects if closing else (),
        decisive=decisive,
        seeds=seeds,
        problems=_tree(facts.problems, facts.attempts, by_subject, went.shown),
        others=others,
        exported=went.rows,
    )


def is_accepted(told: Story) -> bool:
    return told.outcome == "accepted"


def all_posed(posed: Iterable[Posed]) -> Iterator[Posed]:
    """Every problem, those of judging too, from top to bottom."""
    for each in posed:
        yield each
        for tried in each.attempts:
            yield from all_posed(tried.judged)
        yield from all_posed(each.judged)


def numbered(told: Story) -> dict[int, Tried]:
    """Every attempt by its number in the story, from 1, from top to bottom."""
    return dict(enumerate((tried for posed in all_posed(told.problems) for tried in posed.attempts), start=1))


def best(attempts: Sequence[Tried]) -> Tried | None:
    """The attempt to look at first: right, at its end, of the highest reward, the earliest."""

    def rank(each: Tried) -> tuple[bool, bool, float]:
        return each.right != "pass", each.attempt.finish != "stop", -(reward(each) or 0)

    return min(attempts, key=rank, default=None)


def reward(tried: Tried) -> float | None:
    """The highest reward that an attempt was given."""
    scores = [each.verdict.score for each in tried.verdicts if _name(each.verdict) == "reward"]
    return max((score for score in scores if score is not None), default=None)


def what_it_asks(rule: str) -> str:
    """What a rule passes, in the first sentence of its documentation; empty for what is no entry of RULES."""
    entry = RULES.get(rule.partition("@")[0])
    return (inspect.getdoc(entry.run) or "").partition("\n\n")[0].replace("\n", " ") if entry else ""


# --- Its facts -------------------------------------------------------------------------------------------------


def _draw_of(connection: duckdb.DuckDBPyConnection, name: str, draw: int) -> pa.Table:
    return connection.sql(f"select * from {name} where draw = $1", params=[draw]).to_arrow_table()


def _seeds(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> list[Problem]:
    """The problems of no draw with these ids, in this order."""
    if not ids:
        return []
    query = "select * from problems where draw is null and id in (select unnest($1))"
    found = from_table(Problem, connection.sql(query, params=[list(ids)]).to_arrow_table())
    return sorted(found, key=lambda each: ids.index(each.id))


def _by_subject(
    verdicts: Sequence[Verdict], known: Collection[str], decisive: Verdict | None
) -> tuple[Mapping[str, list[Told]], list[Told]]:
    """The verdicts about each fact, in the order they were made, and those about none of these facts."""
    found: defaultdict[str, list[Told]] = defaultdict(list)
    others = []
    for each in verdicts:
        told = _told(each, decisive)
        about = [subject for subject in each.subjects if subject in known]
        for subject in about:
            found[subject].append(told)
        if not about:
            others.append(told)
    return found, others


def _told(each: Verdict, decisive: Verdict | None) -> Told:
    evidence = orjson.loads(each.evidence)
    reason = evidence.pop("reason", None) or ""
    return Told(each, reason, evidence, orjson.loads(each.context), decisive is not None and each.id == decisive.id)


def _tree(
    problems: Sequence[Problem],
    attempts: Sequence[Attempt],
    about: Mapping[str, list[Told]],
    shown: Mapping[str, list[str]],
) -> list[Posed]:
    """The problems in their order, each with its attempts, and the tasks of judging under what they judge."""
    here = {each.id for each in (*problems, *attempts)}
    under: defaultdict[str | None, list[Problem]] = defaultdict(list)
    for each in problems:
        above = next((parent for parent in each.parents if parent in here), None)
        under[above if each.kind in ("judge", "judgement") else None].append(each)
    tries: defaultdict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        tries[attempt.problem].append(attempt)

    def tried(attempt: Attempt, of: Problem) -> Tried:
        verdicts = about.get(attempt.id, [])
        return Tried(
            attempt,
            verdicts,
            shown.get(attempt.id, []),
            _answer(attempt, of, verdicts),
            _right(verdicts),
            [posed(task) for task in under.get(attempt.id, [])],
        )

    def posed(of: Problem) -> Posed:
        plan = orjson.loads(of.details).get("plan")
        below = [posed(task) for task in under.get(of.id, [])]
        return Posed(of, about.get(of.id, []), [tried(each, of) for each in tries[of.id]], plan, below)

    return [posed(each) for each in under[None]]


def _answer(attempt: Attempt, of: Problem, verdicts: Sequence[Told]) -> str | None:
    """The final answer that was checked; where none was, the one that the verifier reads."""
    told = next((each.verdict.value for each in verdicts if _name(each.verdict) == "answer_matches"), None)
    if told is not None or of.verifier not in VERIFIERS:
        return told
    return final_answer(attempt, of.verifier)


def _right(verdicts: Sequence[Told]) -> Status | None:
    statuses: dict[str, Status] = {_name(each.verdict): each.verdict.status for each in verdicts}
    if statuses.get("option_consistency") == "pass":
        del statuses["option_consistency"]
    return next((statuses[rule] for rule in RIGHT if rule in statuses), None)


def _name(verdict: Verdict) -> str:
    return verdict.rule.partition("@")[0]
