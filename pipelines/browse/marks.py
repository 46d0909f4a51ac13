"""What a person says of a fact: a verdict of the rule `person@1`, kept beside the datasets.

    data/marks/NAME.jsonl      one verdict on each line, in the order they were made; only ever appended to

Marks are on ids, so they hold for every version of a dataset and for its runs. Of what a person said of one fact the
last counts. A line is on the disk before the mark is shown; one that was not finished when the power went is taken
away with the next mark.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, get_args

import orjson

from pipelines.browse.source import Source, check_row, draw_of, facts_at, row_of
from pipelines.records import Verdict, verdict
from pipelines.segment import sync_folder
from pipelines.store import disk_full

RULE = "person@1"
WITHDRAWN = "withdrawn"
NOTE, NAME = 20_000, 100  # characters at most

Said = Literal["pass", "fail", "unsure"]
SAID: dict[str, Said] = {each: each for each in get_args(Said)}


class Mark(NamedTuple):
    """What a person says of a fact of a row."""

    subject: str  # its id; of a row of a table "row:N"
    row: int
    status: Said
    note: str
    by: str
    verdict: Verdict


def mark(source: Source, *, subject: str, row: int, status: str, note: str, by: str) -> Mark:
    """Keep what a person says of a fact of this row; durable when this returns. Raises ValueError."""
    if (said := SAID.get(status)) is None:
        raise ValueError(f"a mark is one of {', '.join(SAID)}, not {status[:80]!r}")
    if len(note) > NOTE:
        raise ValueError(f"a note has at most {NOTE:,} characters, this one {len(note):,}")
    reason = {} if said == "pass" else {"reason": note or "marked by a person"}
    return _keep(source, subject, row, said, by, {"note": note, **reason}, None)


def unmark(source: Source, *, subject: str, row: int, by: str) -> None:
    """Take back what this person said of a fact: a line more in the file, and no mark in what is shown."""
    _keep(source, subject, row, "unsure", by, {"reason": WITHDRAWN}, WITHDRAWN)


def marks_on(source: Source, row: int) -> list[Mark]:
    """What was said of the facts of this row, by everyone, the latest last."""
    return [each for each in all_marks(source) if each.row == row]


def all_marks(source: Source) -> list[Mark]:
    """What everyone said last of every fact that is in this source, the latest last. Raises ValueError."""
    stamp = _stamp(source.marks)
    if source.known_marks is None or source.known_marks[0] != stamp:
        source.known_marks = stamp, _of_source(source, read_marks(source.marks))
    return source.known_marks[1]


def last_marks(source: Source) -> dict[int, Said]:
    """For every row with marks the one that was made last."""
    return {each.row: each.status for each in all_marks(source)}


def marks_file(source: Source) -> Path:
    """Where the marks are: verdicts as JSON lines. It may not be there yet."""
    return source.marks


# ---------------------------------------------------------------------------------------------------------------
# The file


def read_marks(path: Path) -> list[Verdict]:
    """All that was ever said, in order. A last line without an end is not there yet. Raises ValueError."""
    if not path.is_file():
        return []
    told: list[Verdict] = []
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True)):
        if line.endswith(b"\n"):
            try:
                value = orjson.loads(line)
                said = Verdict(**{**value, "subjects": tuple(value["subjects"])})
                if not _makes_sense(said):
                    raise TypeError("values of other types")
                told.append(said)
            except (orjson.JSONDecodeError, TypeError, KeyError) as error:
                raise ValueError(f"{path}, line {number + 1}: no verdict; mend it or take the line out") from error
    return told


def _makes_sense(told: Verdict) -> bool:
    """Whether a line that somebody may have edited has values of the right types."""
    texts = (*told.subjects, told.id, told.rule, told.status, told.context, told.evidence)
    is_typed = bool(told.subjects) and all(isinstance(each, str) for each in texts) and isinstance(told.draw, int)
    return is_typed and all(isinstance(orjson.loads(each), dict) for each in (told.context, told.evidence))


def append(path: Path, told: Verdict) -> None:
    """Add a line, whole and on the disk, whoever else adds to the file at this moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _repair(file)
            file.write(orjson.dumps(told._asdict()) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise disk_full(error, path) from error


def _repair(file: BinaryIO) -> None:
    """Take away a last line that has no end: it was never told to be kept."""
    end = size = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - 65_536)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        file.truncate(end)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        told = path.stat()
    except FileNotFoundError:
        return 0, 0
    return told.st_mtime_ns, told.st_size


# ---------------------------------------------------------------------------------------------------------------
# Marks and rows


def _keep(
    source: Source, subject: str, row: int, status: Said, by: str, evidence: dict[str, str], value: str | None
) -> Mark:
    check_row(source, row)
    name = by.strip()
    if not name or len(name) > NAME or not name.isprintable():
        raise ValueError(f"a mark needs the name of who made it, of at most {NAME} characters")
    if not _has(source, row, [subject]):
        raise ValueError(f"row {row} has no fact {subject[:80]!r}")
    draw = row if source.files is not None else draw_of(source, row)
    told = verdict(
        subjects=[subject],
        stage=RULE,
        draw=draw,
        rule=RULE,
        status=status,
        value=value,
        context={"by": name},
        evidence=evidence,
    )
    append(source.marks, told)
    return _mark(told, row)


def _mark(told: Verdict, row: int) -> Mark:
    note, by = orjson.loads(told.evidence).get("note", ""), orjson.loads(told.context).get("by", "")
    return Mark(told.subjects[0], row, told.status, note, by, told)  # pyright: ignore[reportArgumentType]


def _of_source(source: Source, told: Sequence[Verdict]) -> list[Mark]:
    """Those on facts that are here: another version may have drawn others under the same number."""
    last: dict[tuple[str, str], Mark] = {}
    for each in told:
        row = _row(source, each)
        if row is not None:
            found = _mark(each, row)
            last.pop((found.by, found.subject), None)  # so that the latest comes last
            last[found.by, found.subject] = found
    subjects: dict[int, list[str]] = {}
    for each in last.values():
        subjects.setdefault(each.row, []).append(each.subject)
    here = {row: _has(source, row, some) for row, some in subjects.items()}
    return [each for each in last.values() if each.subject in here[each.row] and each.verdict.value != WITHDRAWN]


def _row(source: Source, told: Verdict) -> int | None:
    if told.draw is None:
        return None
    try:
        row = told.draw if source.files is not None else row_of(source, told.draw)
        check_row(source, row)
    except ValueError:  # not among the draws of this version or run
        return None
    return row


def _has(source: Source, row: int, subjects: Sequence[str]) -> set[str]:
    """Which of these are facts of the row, or seeds that it was drawn from."""
    if source.files is not None:
        return {f"row:{row}"} & set(subjects)
    query = (
        "select id from problems where draw = $draw union all select id from attempts where draw = $draw"
        " union all select id from verdicts where draw = $draw"
        " union all select unnest(parents) from problems where draw = $draw"
    )
    with facts_at(source, row) as facts:
        found = facts.execute(query, {"draw": draw_of(source, row)}).fetchall()
    return {id for (id,) in found} & set(subjects)
