"""Forgetting: what a person names, as a tombstone that says it by ids and digests.

A row is the draw that it came of: its question, the posing it was read from, and every answer and verdict. A seed
takes with it all that was posed from it, a source all of its seeds and rows. `pipelines/tombstones.py` says how what
is made later honours that, and `pipelines/purge.py` takes it out of what was made before.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson

from pipelines.gc import outputs
from pipelines.recipe import BadRecipe, find_file
from pipelines.release import versions
from pipelines.rows import BadRows, Rows
from pipelines.store import connect
from pipelines.story.find_draw import SHORTEST_ID, find_draw
from pipelines.tombstones import Kind, Tombstone, append, name_digest, read_stones, text_digest, text_digests

if TYPE_CHECKING:
    import duckdb

# A draw's own facts, with the task of posing, so that nobody asks it again; not the seeds, which other draws share.
ROW = "select id, parents, question, kind from problems where draw = $1"


class Said(NamedTuple):
    """A tombstone that stands now, and whether it did before."""

    stone: Tombstone
    is_new: bool


def forget(data: Path, stone: Tombstone) -> Said:
    """Let a tombstone stand; saying it again changes nothing. Durable when this returns."""
    there = {each.id for each in read_stones(data)}
    if stone.id not in there:
        append(data, stone._replace(date=stone.date or date.today().isoformat()))
    return Said(stone, stone.id not in there)


# --- What is meant --------------------------------------------------------------------------------------------


def row_of(version: Path, row: str, *, reason: str) -> Tombstone:
    """A row of a version: its number among the accepted, draw:N, or the id of a fact of it. Raises ValueError."""
    with connect([version / "facts"]) as connection:
        return _row(connection, find_draw(connection, row), (), reason)


def fact_of(data: Path, id: str, *, reason: str) -> Tombstone:
    """A fact by its id, or 8 digits of it or more: a seed, or the row that it belongs to. Raises ValueError."""
    if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST_ID},32}}", id):
        raise ValueError(
            f"{id[:40]!r} is nothing that can be forgotten: say NAME@vN and a row, at least {SHORTEST_ID} digits of a"
            " fact's id, text:DIGEST, or source=NAME"
        )
    for folders in _places(data):
        with connect(folders) as connection:
            if seeds := _seeds(connection, id):
                return _seed(data, seeds, id, reason)
            if whole := _whole_ids(connection, id):
                return _row(connection, find_draw(connection, whole[0]), whole, reason)
    raise ValueError(f"no fact's id begins with {id}, neither in a version nor in what the last runs made")


def text_of(data: Path, text: str, *, reason: str) -> Tombstone:
    """A question by its own digest (32 hex digits), wherever it turns up: a seed, or a row. Raises ValueError."""
    if not re.fullmatch("[0-9a-f]{32}", text):
        raise ValueError(f"{text[:40]!r} is no digest of a text: 32 hex digits; text:- reads the text from the input")
    if text == text_digest(""):
        raise ValueError("that is the digest of an empty text; nothing can be forgotten by it")
    found = list(_questions(data, lambda question, source: text_digest(question) == text))
    digests = {each for _, question in found for each in text_digests(question)}
    return _stone("seed", [id for id, _ in found if id], {text, *digests}, reason)


def source_of(data: Path, source: str, *, reason: str) -> Tombstone:
    """Every seed and row of a source, by the name that their column `source` has."""
    found = list(_questions(data, lambda question, named: named == source))
    digests = {each for _, question in found for each in text_digests(question)}
    return _stone("source", [id for id, _ in found if id], digests, reason, sources=[name_digest(source)])


def _stone(
    kind: Kind, ids: Iterable[str], texts: Iterable[str], reason: str, *, sources: Sequence[str] = ()
) -> Tombstone:
    return Tombstone(kind, tuple(sorted(set(ids))), tuple(sorted(set(texts))), tuple(sources), reason)


def _row(connection: duckdb.DuckDBPyConnection, draw: int, named: Iterable[str], reason: str) -> Tombstone:
    """The problems of a draw, with the posings that its questions were read from."""
    found = connection.execute(ROW, [draw]).fetchall()
    above = sorted({parent for _, parents, *_ in found for parent in parents})
    posings = connection.execute("select id from attempts where list_contains($1, id)", [above]).fetchall()
    texts = {each for *_, text, kind in found if kind != "pose" for each in text_digests(text)}
    return _stone("row", [*(id for id, *_ in found), *(id for (id,) in posings), *named], texts, reason)


def _seed(data: Path, found: Sequence[tuple[str, str]], id: str, reason: str) -> Tombstone:
    if len({text for _, text in found}) > 1:
        raise ValueError(
            f"several seeds' ids begin with {id}; say more of it: {', '.join(each for each, _ in found)}"
        )
    text = found[0][1]
    return text_of(data, text_digest(text), reason=reason)._replace(kind="seed")


def _seeds(connection: duckdb.DuckDBPyConnection, start: str) -> list[tuple[str, str]]:
    query = "select distinct id, question from problems where draw is null and starts_with(id, $1) order by id"
    return connection.execute(query, [start]).fetchall()


def _whole_ids(connection: duckdb.DuckDBPyConnection, start: str) -> list[str]:
    """The ids of a draw's facts that begin so; a verdict stands for what it is about."""
    query = (
        "select id from problems where starts_with(id, $1) union select id from attempts where starts_with(id, $1)"
        " union select subjects[1] from verdicts where starts_with(id, $1) order by 1"
    )
    return [id for (id,) in connection.execute(query, [start]).fetchall()]


# --- Where it may be ------------------------------------------------------------------------------------------


def _places(data: Path) -> Iterator[list[Path]]:
    """Folders of facts that belong together: versions, the newest first, then shards of the last runs."""
    for home in sorted((data / "datasets").glob("*")):
        yield from ([version / "facts"] for version in reversed(versions(home)))
    for path in sorted((data / "runs").glob("*/shards.jsonl")):
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(orjson.JSONDecodeError):  # the last one, where the disk was full
                yield [data / "runs" / "outputs" / each for each in orjson.loads(line)["outputs"]]


def _questions(data: Path, wanted: Callable[[str, str | None], bool]) -> Iterator[tuple[str, str]]:
    """Ids and questions of all problems that are wanted, and the questions of such seeds as were never drawn."""
    import pyarrow.parquet as pq

    folders = [*outputs(data), *(path.parent for path in sorted((data / "datasets").glob("*/v*/facts/problems*")))]
    for folder in folders:
        for path in sorted(folder.glob("problems*.parquet")):
            rows = pq.read_table(path, columns=["id", "kind", "question", "source"]).to_pylist()
            yield from (
                (row["id"], row["question"])
                for row in rows
                if row["kind"] != "pose" and wanted(row["question"], row["source"])
            )
    for rows in seed_files(data):
        for i in range(len(rows)):
            question = rows.text(i, "question") or ""
            if wanted(question, rows.text(i, "source")):
                yield "", question


def seed_files(data: Path) -> Iterator[Rows]:
    """The files that the recipes of versions and runs draw from, as far as they are still there."""
    recipes = [*(data / "runs").glob("*/recipe.toml"), *(data / "datasets").glob("*/v*/recipe.toml")]
    seen: set[tuple[str, ...]] = set()
    for path in sorted(recipes):
        value = tomllib.loads(path.read_text(encoding="utf-8"))
        for given in (stage[key] for stage in value.get("stages", []) for key in ("seeds", "rows") if key in stage):
            table = given if isinstance(given, dict) else {"path": given}
            names = [table["path"]] if isinstance(table["path"], str) else table["path"]
            if tuple(names) not in seen:
                seen.add(tuple(names))
                yield from _opened(names, table.get("columns", {}), path.parent)


def _opened(names: Sequence[str], columns: dict[str, str], folder: Path) -> Iterator[Rows]:
    try:
        yield Rows([find_file(name, "seeds", folder) for name in names], columns=columns)
    except (BadRecipe, BadRows):  # gone, or another file by now: it is nothing that a run could draw from
        return
