"""Exports: a view of a version as one trainer loads it, with what else it needs beside it.

    OUT/train.parquet     or train.jsonl, in the consumer's own columns
        test.parquet      the items held out, where a share was asked for
        README.md         the exact command to train on it, and what was left out and why
        ...               reward.py, dataset_info.json, axolotl.yaml: what the consumer needs

A view is a query over facts, so that any view can be exported, whether the recipe wrote it or not. The folder appears
when all of it is there.
"""

from __future__ import annotations

import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipelines.formats.files import write
from pipelines.formats.rows import KINDS, Format, LeftOut, Made, Row, characters, fault, kind_of, normal, prompt_of
from pipelines.formats.table import CONSUMERS
from pipelines.records import digest
from pipelines.store import connect, disk_full
from pipelines.tombstones import refuse_forgotten, stones_beside
from pipelines.views.table import VIEWS, batches, prepare

if TYPE_CHECKING:
    import duckdb


class Exported(NamedTuple):
    """What was written."""

    folder: Path
    rows: int  # in all splits
    splits: dict[str, int]  # rows of "train", and of "test" where a share was asked for
    left_out: dict[str, int]  # rows of the view that are in no file, by the reason
    files: list[str]
    longest_prompt: int  # in characters


def export(folder: Path, out: Path, *, view: str, to: str, split: float = 0.0, seed: int = 0) -> Exported:
    """Write the view of the version in `folder` as the consumer `to` loads it, into the new folder `out`.

    `split` is the share of problems that is held out for testing: which ones depends on their ids and on `seed`
    alone, so that exports of other views, and of later versions, hold out the same. Raises ValueError, in one line,
    for a view, a consumer or a folder that will not do.
    """
    entry = format_of(view, to)
    if not 0 <= split < 1:
        raise ValueError(f"split is the share of problems to test on, at least 0 and below 1, not {split}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} exists already; name a new folder")
    refuse_forgotten(folder, stones_beside(folder), "make it again, and export that")
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}")
    try:
        aside.mkdir()
        told = _write_all(folder, aside, entry, view=view, to=to, split=split, seed=seed)
        aside.rename(out)
        return told._replace(folder=out)
    except OSError as error:
        raise disk_full(error, out) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def format_of(view: str, to: str) -> Format:
    """How the consumer `to` takes this view. Raises ValueError with what there is."""
    if view not in VIEWS:
        raise ValueError(f"no view {view!r}; there are: {', '.join(VIEWS)}")
    if to not in CONSUMERS:
        raise ValueError(f"no consumer {to!r}; there are: {', '.join(CONSUMERS)}")
    kind = kind_of(VIEWS[view].schema().names)
    if kind not in CONSUMERS[to]:
        takes = [name for name in VIEWS if kind_of(VIEWS[name].schema().names) in CONSUMERS[to]]
        raise ValueError(f"{to} has no use for {view}; it takes: {', '.join(takes) or 'no view that there is'}")
    return CONSUMERS[to][kind]


def _write_all(folder: Path, out: Path, entry: Format, *, view: str, to: str, split: float, seed: int) -> Exported:
    connection = connect([folder / "facts"])
    try:
        prepare(connection)
        tally = Tally()
        side = _sides(connection, split, seed) if split else _all_train
        splits = {}
        for name in ("train", "test") if split else ("train",):
            rows = _rows(connection, view, tally, lambda row, name=name: side(row) == name)
            rendered = _rendered(entry, _in_split(rows, name), tally)
            path = out / f"{name}.{entry.file}"
            splits[name] = write(path, rendered, schema=entry.schema(), kind=entry.file)
    finally:
        connection.close()
    made = Made(f"{folder.parent.name}@{folder.name}", view, splits, tally.longest_prompt)
    files = {**entry.extra(made), "README.md": _readme(made, to, entry, tally.left_out)}
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    written = sorted(path.name for path in out.iterdir())
    return Exported(out, sum(splits.values()), splits, dict(tally.left_out), written, tally.longest_prompt)


# ---------------------------------------------------------------------------------------------------------------
# The rows


class Tally:
    """What is counted on the way: rows that are left out by their reason, and the longest prompt of the others."""

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        self.longest_prompt = 0


def _rows(
    connection: duckdb.DuckDBPyConnection, view: str, tally: Tally, wanted: Callable[[Row], bool]
) -> Iterator[Row]:
    """The sound rows of a view on one side of the split."""
    kind = kind_of(VIEWS[view].schema().names)
    assert kind in KINDS
    for batch in batches(connection, VIEWS[view]):
        known = _known(connection)
        for row in filter(wanted, batch.to_pylist()):
            told = normal({**known[row["problem_id"]], **row})
            reason = told.reason if isinstance(told, LeftOut) else fault(kind, told)
            if isinstance(told, LeftOut) or reason:
                tally.left_out[str(reason)] += 1
                continue
            tally.longest_prompt = max(tally.longest_prompt, characters(prompt_of(kind, told)))
            yield told


def _known(connection: duckdb.DuckDBPyConnection) -> dict[str, Row]:
    """What else is known of the problems that the view is looking at, for formats that want it."""
    found = connection.execute("select id, answer, source, license from here_problems").fetchall()
    return {id: {"answer": answer, "source": source, "license": license} for id, answer, source, license in found}


def _in_split(rows: Iterable[Row], split: str) -> Iterator[Row]:
    """The rows with the name of their split and their place in it, which some consumers keep."""
    return ({**row, "split": split, "index": index} for index, row in enumerate(rows))


def _rendered(entry: Format, rows: Iterator[Row], tally: Tally) -> Iterator[Row]:
    for row in entry.render(rows):
        if isinstance(row, LeftOut):
            tally.left_out[row.reason] += row.rows
        else:
            yield row


# ---------------------------------------------------------------------------------------------------------------
# The split


def _all_train(row: Row) -> str:
    return "train"


def _sides(connection: duckdb.DuckDBPyConnection, split: float, seed: int) -> Callable[[Row], str]:
    """On which side of the split a row is: by its item, where a view has several forms of one, else by its problem.

    Problems that ask the same, word for word, count as the first of them.
    """
    first = dict(
        connection.execute(
            "select p.id, t.first from problems p join ("
            "  select question, arg_min(id, (draw, id)) as first from problems where draw is not null"
            "  group by question having count(*) > 1"
            ") t using (question) where p.id <> t.first"
        ).fetchall()
    )

    def side(row: Row) -> str:
        problem = row.get("item") or row["problem_id"]
        return "test" if share(first.get(problem, problem), seed) < split else "train"

    return side


def share(problem: str, seed: int) -> float:
    """A number from 0 up to 1 that depends on the problem and the seed alone."""
    return int(digest("split", seed, problem)[:12], 16) / 16**12


# ---------------------------------------------------------------------------------------------------------------
# What tells how to use it


def _readme(made: Made, to: str, entry: Format, left_out: Mapping[str, int]) -> str:
    counts = ", ".join(f"{name}.{entry.file}: {rows:,} rows" for name, rows in made.splits.items())
    types = "\n".join(f"| `{field.name}` | `{field.type}` |" for field in entry.schema())
    parts = [
        f"# {made.dataset}: `{made.view}` for {to}",
        f"Read by: {entry.reader}. {counts}.",
        f"| column | type |\n|---|---|\n{types}",
        f"The longest prompt has {made.longest_prompt:,} characters.",
        f"## Train\n\nIn this folder:\n\n{entry.training(made).strip()}",
    ]
    if left_out:
        reasons = "\n".join(f"| {reason} | {rows:,} |" for reason, rows in sorted(left_out.items()))
        parts.append(f"## Left out\n\n| why | rows |\n|---|---|\n{reasons}")
    return "\n\n".join(parts) + "\n"
