"""Purging: what is forgotten, taken out of what was made before.

Outputs of stages are rewritten: their facts keep their ids and lose their texts, so that a run finds everything that
it did before and asks nothing anew. Replies leave the journal. A version that holds something of it goes, but for its
recipe, which makes it anew without. Indexes beside datasets are grown anew from the versions that stay. Killed at any
point, the same command goes on where it was.

Where there is a store, all facts are brought here first, and what changes here changes there; then the store tells of
the purge, and every other data folder does the same with its own copies when it is next opened (`follow`).
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable, Iterator, Set
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from filters import signature_files
from filters.near_duplicates import Scheme, grow
from pipelines import mirrored_outputs
from pipelines.beyond_reach import OF_STORES, beyond_reach
from pipelines.emptied import empty, is_half_done
from pipelines.gc import Rubbish, alone, left_over, outputs, remove
from pipelines.indexes import ACCEPTED
from pipelines.merge import Follow, is_to_be_cut, merge, nobody, tidied
from pipelines.migrate import present_file
from pipelines.mirror import Mirror, opened
from pipelines.records import Attempt, Facts, Problem, Turn, Verdict
from pipelines.release import versions
from pipelines.segment import Entry
from pipelines.store import KINDS, Output, connect, read_output, replace, write_output
from pipelines.tombstones import (
    OUTCOME,
    STUB,
    Tombstones,
    blotted,
    holds,
    read_stones,
    text_digest,
    tombstones,
)

ASKED = re.compile(r'"custom_id"\s*:\s*"([0-9a-f]{32})-')  # the key of a request, in a batch
VERSION = re.compile(r"v\d+(-here-[0-9a-f]{8})?")  # the latter was set aside for one that came from a store


class Purged(NamedTuple):
    """What was changed, and what could not be reached."""

    outputs: int  # that were rewritten
    replies: int  # that left the journal
    versions: list[str]  # NAME@vN that went
    indexes: list[str]  # that were grown anew
    caches: int  # files of the local page
    beyond: list[str]  # what a person has to see to, in words


def purge(data: Path, *, watch: Callable[[str], None] = lambda told: None) -> Purged:
    """Take everything that is forgotten out of a data folder, and of its store.

    Raises InUse while a run is under way, here or on another machine of the store, and BadStore or StoreDown.
    """
    mirror = opened(data)
    if mirror is None:
        with alone(data):
            return _purge(data, partial(_merged, data / "journal", nobody), watch)[0]
    with alone(data, mirror):
        watch("bringing here what the store has")
        mirror.bring()
        drop = partial(_drop, mirror, data)
        take_out, begun = partial(_out_of_store, data / "journal", mirror), mirror.begun_purge()
        done, requests = _purge(data, take_out, watch, mirror.keep, drop, begun)
        for home in _homes(data):
            mirror.sync_versions(home.name)
        mirror.tell_purged(requests, [stone.id for stone in read_stones(data)])
    return done._replace(beyond=[*done.beyond, *OF_STORES])


def follow(data: Path, mirror: Mirror, requests: Set[str]) -> None:
    """Take out of this data folder what was purged elsewhere; `requests` are those whose replies went.

    In the store all of it is gone by then, but for what this folder alone had journaled. Raises InUse.
    """
    purged = {bytes.fromhex(each) for each in requests}
    with alone(data):
        journal = mirror.journal()
        journal.adopt(lambda index: False)  # what is gone in the store goes here
        take_out = partial(_merged, data / "journal", journal.follow)
        _purge(data, take_out, lambda told: None, purged=purged)


def _out_of_store(folder: Path, mirror: Mirror, keys: Set[bytes]) -> int:
    """Take the replies to these requests out of the journal, whoever journaled them; their number."""
    mirror.begin_purge({key.hex() for key in keys})  # once versions are empty nobody knows them any more
    journal = mirror.journal()
    journal.sweep()
    journal.adopt(lambda index: any(index.offsets(key) for key in keys))
    return _merged(folder, journal.follow, keys)


def _merged(folder: Path, follow: Follow, keys: Set[bytes]) -> int:
    """The same of what is here."""

    def needed(entry: Entry) -> bool:
        return entry.key not in keys

    if not any(is_to_be_cut(path, needed) for path in folder.glob("*.log")):
        tidied(folder, follow)
        return 0
    return merge(folder, needed=needed, settled=0, follow=follow).replies


def _drop(mirror: Mirror, data: Path, folder: Path) -> None:
    mirrored_outputs.remove(mirror.remote, data, [folder])


Keep = Callable[[Path, Any], None]
Drop = Callable[[Path], None]


def _purge(
    data: Path,
    take_out: Callable[[Set[bytes]], int],
    watch: Callable[[str], None],
    keep: Keep = lambda path, content: None,
    drop: Drop = lambda folder: None,
    purged: Set[bytes] = frozenset(),
) -> tuple[Purged, Set[str]]:
    """What was done, and the requests whose replies went.

    `take_out` takes replies to such requests out of the journal; `keep` and `drop` change outputs in the store first;
    `purged` are such requests as are known already.
    """
    stones = tombstones(data)
    remove(Rubbish([], [], list(left_over(data))))  # of killed processes
    watch("looking for what descends from it")
    ids = descendants(data, stones)
    keys = purged | _requests(data, ids)
    watch("rewriting the journal")
    gone = take_out(keys)
    _batches(data / "journal" / "batches", {key.hex() for key in keys})
    watch("rewriting outputs")  # after the journal: they tell what is to leave it
    rewritten = sum(_rewrite(folder, stones, ids, keep, drop) for folder in outputs(data))
    went = [name for home in _homes(data) for name in _versions(home, stones)]
    indexes = [name for home in _homes(data) for name in _indexes(home, stones)]
    caches = _caches(data / "cache" / "browse")
    told = Purged(rewritten, gone, went, indexes, caches, beyond_reach(data, stones, keys))
    return told, {key.hex() for key in keys}


def _homes(data: Path) -> list[Path]:
    return [path for path in sorted((data / "datasets").glob("*")) if path.is_dir()]


# --- What is to go --------------------------------------------------------------------------------------------


def descendants(data: Path, stones: Tombstones) -> set[str]:
    """The ids of all forgotten facts: those that tombstones cover, and whatever was made from them."""
    found, before = set(stones.ids), -1
    while len(found) != before:
        before = len(found)
        for row in _edges(data):
            if row["id"] in found:
                if row.get("kind") == "posed":
                    found.update(row["above"])  # the posing that it was read from says the same
                continue
            covered = "question" in row and stones.cover_text(row["question"], row["source"])
            is_covered = covered or row.get("details") == STUB
            if is_covered or not found.isdisjoint(row["above"]):
                found.add(row["id"])
    return found


COLUMNS = {
    "problems": ["id", "parents", "question", "source", "kind", "details"],
    "attempts": ["id", "parents", "details"],
    "verdicts": ["id", "subjects"],
}


def _edges(data: Path) -> Iterator[dict[str, Any]]:
    """Every fact of outputs and versions, with what it was made from as `above`; parents mostly before children."""
    import pyarrow.parquet as pq

    for folder in (*outputs(data), *sorted((data / "datasets").glob("*/v*/facts"))):
        for name, columns in COLUMNS.items():
            for path in sorted(folder.glob(f"{name}*.parquet")):
                with pq.ParquetFile(present_file(path, KINDS[name])) as file:
                    for batch in file.iter_batches(4096, columns=columns, use_threads=False):
                        for row in batch.to_pylist():
                            yield {**row, "above": row[columns[1]]}


def _requests(data: Path, ids: Set[str]) -> set[bytes]:
    """The journal's keys of the forgotten attempts in outputs and versions."""
    import pyarrow.parquet as pq

    keys: set[bytes] = set()
    folders = (*outputs(data), *sorted((data / "datasets").glob("*/v*/facts")))
    for path in (path for folder in folders for path in sorted(folder.glob("attempts*.parquet"))):
        table = pq.read_table(path, columns=["id", "request"])
        pairs = zip(*(column.to_pylist() for column in table.columns), strict=True)
        keys |= {bytes.fromhex(key) for id, told in pairs if id in ids for key in told.split()}
    return keys


# --- Outputs --------------------------------------------------------------------------------------------------


def _rewrite(folder: Path, stones: Tombstones, ids: Set[str], keep: Keep, drop: Drop) -> bool:
    """Rewrite an output where it holds something forgotten; whether it did."""
    output = read_output(folder)
    if output is None:  # unfinished or damaged: nothing reads it
        drop(folder)
        shutil.rmtree(folder, ignore_errors=True)
        return True
    clean = Facts(
        [_problem(each) if each.id in ids else each for each in output.facts.problems],
        [_attempt(each) if each.id in ids else each for each in output.facts.attempts],
        [_verdict(each) if each.id in ids else blotted(each, stones) for each in output.facts.verdicts],
    )
    if clean == output.facts:
        return False
    closure = orjson.loads((folder / "manifest.json").read_bytes())["closure"]
    write_output(folder, Output(clean, output.live, output.out), closure=closure, keep=keep)
    return True


def _problem(each: Problem) -> Problem:
    return each._replace(question="", answer=None, domain=None, source=None, details=STUB)


def _attempt(each: Attempt) -> Attempt:
    return each._replace(turns=(Turn("assistant", None),), details=STUB)


def _verdict(each: Verdict) -> Verdict:
    return each._replace(value=None, context="{}", evidence=f'{{"reason":"{OUTCOME}"}}')


def _batches(folder: Path, requests: Set[str]) -> None:
    """Take the answers to these requests out of the files that came of batches: a line of JSON for each request."""
    for path in sorted(folder.rglob("*.results")):
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if requests.isdisjoint(ASKED.findall(line.decode("utf-8", "replace")))]
        if len(kept) < len(lines):
            replace(path, b"".join(kept))


# --- Versions, and what lies beside them ----------------------------------------------------------------------


def _versions(home: Path, stones: Tombstones) -> Iterator[str]:
    """Empty the versions that hold something of it; their names."""
    for folder in sorted(path for path in home.glob("v*") if VERSION.fullmatch(path.name)):
        if is_half_done(folder) or holds(folder / "facts", stones):
            empty(folder)
            yield f"{home.name}@{folder.name}"


def _indexes(home: Path, stones: Tombstones) -> Iterator[str]:
    """Grow the indexes anew that hold the beginning of a forgotten question; their names."""
    for folder in sorted(home.glob("near_duplicates/*-grams-*")):
        names = (name for file in signature_files.files(folder) for name in _names(folder / file))
        if any(text_digest(name) in stones.texts for name in names):
            ngram, _, permutations = folder.name.split("-")
            aside = folder.with_name(f".{folder.name}")  # until it is whole the old one says that it must be made
            shutil.rmtree(aside, ignore_errors=True)
            for version in versions(home):
                grow(aside, _accepted(version), threshold=0.6, scheme=Scheme(int(ngram), int(permutations)))
            shutil.rmtree(folder)
            if aside.exists():
                aside.rename(folder)
            yield f"{home.name}/{folder.parent.name}/{folder.name}"


def _names(path: Path) -> Iterator[str]:
    rows = signature_files.read(path)
    flat, starts = rows.names
    for first, stop in itertools.pairwise(starts):
        yield flat[first:stop].tobytes().decode("utf-8", "surrogatepass")


def _accepted(version: Path) -> Iterator[str]:
    with connect([version / "facts"]) as connection:
        yield from (question for (question,) in connection.execute(ACCEPTED).fetchall())


def _caches(folder: Path) -> int:
    """Remove what the local page keeps of rows; it is made again when somebody looks."""
    files = [path for path in folder.glob("*") if path.is_file()]
    for path in files:
        path.unlink()
    return len(files)
