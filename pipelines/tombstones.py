"""Tombstones: what a person wants forgotten, and how everything that is made later honours it.

    data/tombstones.jsonl     one line for each, only ever appended and durable before anything relies on it

A line holds ids and digests, with a reason and a date, and never the text itself. It stands for a *row* (a draw with
everything in it), a *seed* (with all that was made of it), or a *source* (with all of its seeds and rows). A draw
that it covers stays in the books as `forgotten`, keeps its number, and leaves no text: neither in facts, nor where
another row was compared with it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

from pipelines.migrate import present_file
from pipelines.records import Attempt, Facts, Problem, Verdict, digest, to_json, verdict
from pipelines.segment import sync_folder
from pipelines.store import KINDS, Output

FILE = "tombstones.jsonl"
OUTCOME = "forgotten"
RULE = f"{OUTCOME}@1"
STUB = '{"forgotten":true}'  # details of what a purge has emptied
GONE = "[forgotten]"  # in place of a text that was quoted elsewhere

QUOTES = (300,)
"""Characters at which rules cut what they quote of another row: the beginnings that are known by their digests."""

Kind = Literal["row", "seed", "source"]


class Forgotten(ValueError):
    """Something holds what was forgotten, and must not be made, or go out. The message says how to mend it."""


class Tombstone(NamedTuple):
    """One line of the file."""

    kind: Kind
    ids: tuple[str, ...]  # of facts; what descends from them is forgotten, too
    texts: tuple[str, ...] = ()  # digests of questions, and of their beginnings
    sources: tuple[str, ...] = ()  # digests of the names of sources
    reason: str = ""
    date: str = ""  # YYYY-MM-DD

    @property
    def id(self) -> str:
        return digest(self.kind, self.ids, self.texts, self.sources)


class Tombstones(NamedTuple):
    """All of them together, as what they cover."""

    ids: Set[str] = frozenset()
    texts: Set[str] = frozenset()
    sources: Set[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.ids or self.texts or self.sources)

    def cover(self, fact: Problem | Attempt) -> bool:
        """Whether the fact itself is forgotten, or what it was made from."""
        if fact.details == STUB or fact.id in self.ids or not self.ids.isdisjoint(fact.parents):
            return True
        return isinstance(fact, Problem) and self.cover_text(fact.question, fact.source)

    def cover_text(self, question: str, source: str | None = None) -> bool:
        """Whether a question is forgotten by its text, or by where it is from."""
        named = source is not None and bool(self.sources) and name_digest(source) in self.sources
        return named or (bool(self.texts) and text_digest(question) in self.texts)


NOTHING = Tombstones()


def text_digest(text: str) -> str:
    """What stands for a text; white space around it does not count."""
    return hashlib.blake2b(text.strip().encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def name_digest(source: str) -> str:
    """What stands for the name of a source."""
    return digest("source", source)


def text_digests(text: str) -> tuple[str, ...]:
    """The digests by which a text is known, also where only its beginning is quoted."""
    cuts = [text, *(text[:length] for length in QUOTES if len(text) > length)]
    return tuple(dict.fromkeys(text_digest(each) for each in cuts if each.strip()))


# --- The file -------------------------------------------------------------------------------------------------


def read_stones(data: Path) -> list[Tombstone]:
    """The tombstones of a data folder, oldest first. A last line that was never completely written does not count.

    Raises ValueError where another line is damaged: nobody may believe that less is forgotten than is.
    """
    try:
        lines = (data / FILE).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    return list(_stones(data / FILE, lines[:-1]))


def _stones(path: Path, lines: Iterable[bytes]) -> Iterator[Tombstone]:
    for number, line in enumerate(lines, start=1):
        try:
            if line.strip():
                yield _stone(**orjson.loads(line))
        except (orjson.JSONDecodeError, TypeError) as error:
            raise ValueError(
                f"{path}, line {number} is damaged ({error}): bring it back from a copy, or say it again with"
                " thoughtmill forget and take the line out"
            ) from error


def _stone(kind: Kind, ids: Sequence[str], texts: Sequence[str], sources: Sequence[str], **more: str) -> Tombstone:
    return Tombstone(kind, tuple(ids), tuple(texts), tuple(sources), **more)


def tombstones(data: Path) -> Tombstones:
    """What is forgotten in a data folder. Raises ValueError where that cannot be told."""
    stones = read_stones(data)
    return Tombstones(*(frozenset(each for stone in stones for each in stone[place]) for place in (1, 2, 3)))


def append(data: Path, stone: Tombstone) -> None:
    """Add a tombstone; it is durable when this returns."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / FILE).open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)  # what a process that was killed left unfinished
        file.write(orjson.dumps(stone._asdict()) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    sync_folder(data)


# --- Honouring them -------------------------------------------------------------------------------------------


def honoured(output: Output, stones: Tombstones, gone: Set[int] = frozenset()) -> Output:
    """An output without what is forgotten; `gone` are draws that were found forgotten in an earlier one.

    The facts of such draws and forgotten seeds are taken out. A draw that is found here goes no further: it is out
    by a verdict of the rule `forgotten`. Quotations of forgotten texts are blotted out.
    """
    if not stones:
        return output
    found = _covered(output.facts, stones, gone)
    every = gone | found.keys()
    seeds = {each.id for each in output.facts.problems if each.draw is None and stones.cover(each)}
    kept = Facts(*([each for each in facts if each.draw not in every] for facts in output.facts))  # type: ignore[arg-type]
    problems = [each for each in kept.problems if each.id not in seeds]
    told = {draw: _closing(draw, subject) for draw, subject in found.items()}
    verdicts = [*(blotted(each, stones) for each in kept.verdicts), *told.values()]
    dropped = {each.id for each in output.facts.problems if each.draw in every}
    dropped |= {each.problem for each in output.facts.attempts if each.draw in every}
    out = [(draw, verdict) for draw, verdict in output.out if draw not in every]
    return Output(
        Facts(problems, kept.attempts, verdicts),
        [id for id in output.live if id not in dropped],
        [*out, *((draw, each.id) for draw, each in told.items())],
    )


def _covered(facts: Facts, stones: Tombstones, gone: Collection[int]) -> dict[int, str]:
    """The draws that are newly found forgotten, each with the id of the fact that says so."""
    seeds = {each.id for each in facts.problems if each.draw is None and stones.cover(each)}
    found: dict[int, str] = {}
    for each in (*facts.problems, *facts.attempts):
        if each.draw is None or each.draw in gone or each.draw in found:
            continue
        if stones.cover(each) or not seeds.isdisjoint(each.parents):
            found[each.draw] = each.id
    return found


def _closing(draw: int, subject: str) -> Verdict:
    return verdict(
        subjects=[subject], stage="forget@1", draw=draw, rule=RULE, status="fail", evidence={"reason": OUTCOME}
    )


def blotted(told: Verdict, stones: Tombstones) -> Verdict:
    """A verdict whose evidence quotes no forgotten text. Its id stays: it does not cover the evidence."""
    evidence = blotted_evidence(told.evidence, stones)
    return told if evidence is told.evidence else told._replace(evidence=evidence)


def blotted_evidence(evidence: str, stones: Tombstones) -> str:
    """The same JSON text where nothing is to be blotted out."""
    if not stones.texts or evidence == "{}":
        return evidence
    value = orjson.loads(evidence)
    clean = _blotted(value, stones.texts)
    return evidence if clean == value else to_json(clean)


def _blotted(value: Any, texts: Set[str]) -> Any:
    match value:
        case str():
            return GONE if text_digest(value) in texts else value
        case list():
            return [_blotted(each, texts) for each in value]
        case dict():
            return {key: _blotted(each, texts) for key, each in value.items()}
        case _:
            return value


# --- Refusing what holds them ---------------------------------------------------------------------------------


def holds(facts: Path, stones: Tombstones) -> int:
    """How many facts in a folder of Parquet files are forgotten, or quote what is."""
    if not stones:
        return 0
    covered = (_covers(row, stones) for name in ("problems", "attempts") for row in _rows(facts, name))
    quoting = (blotted_evidence(row["evidence"], stones) is not row["evidence"] for row in _rows(facts, "verdicts"))
    return sum(covered) + sum(quoting)


COLUMNS = {
    "problems": ["id", "parents", "question", "source", "details"],
    "attempts": ["id", "parents", "details"],
    "verdicts": ["evidence"],
}


def _rows(facts: Path, name: str) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    for path in sorted(facts.glob(f"{name}*.parquet")):
        with pq.ParquetFile(present_file(path, KINDS[name])) as file:
            for batch in file.iter_batches(4096, columns=COLUMNS[name], use_threads=False):
                yield from batch.to_pylist()


def _covers(row: dict[str, Any], stones: Tombstones) -> bool:
    if row["details"] == STUB or row["id"] in stones.ids or not stones.ids.isdisjoint(row["parents"]):
        return True
    return "question" in row and stones.cover_text(row["question"], row["source"])


def refuse_forgotten(version: Path, stones: Tombstones, way_out: str = "make it again, and publish that") -> None:
    """Raises Forgotten where a version holds what a person wants forgotten."""
    if count := holds(version / "facts", stones):
        name = "the new version" if version.name.startswith(".") else f"{version.parent.name}@{version.name}"
        raise Forgotten(f"{name} holds {count:,} facts that are forgotten or quote what is: {way_out}")


def stones_beside(version: Path) -> Tombstones:
    """The tombstones of the data folder that a version lies in: data/datasets/NAME/vN."""
    return tombstones(version.parent.parent.parent)
