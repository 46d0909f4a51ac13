"""Where a draw went: the rows that it has in each view, and its stage of the curriculum.

The views are taken anew of the facts of this draw alone, so nothing is looked for in what was written of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson

from pipelines.curriculum import MANIFEST, read_manifest
from pipelines.records import Verdict
from pipelines.store import connect
from pipelines.story.find_draw import CLOSING
from pipelines.views.table import VIEWS, batches, prepare

if TYPE_CHECKING:
    import pyarrow as pa


class Exported(NamedTuple):
    """The rows of a draw by view, where there are any, and the views of each fact."""

    rows: dict[str, int]
    shown: dict[str, list[str]]  # by id; "preference (chosen)" where a view says as what


def exported(tables: Mapping[str, pa.Table], views: Collection[str], verdicts: Sequence[Verdict]) -> Exported:
    """Take these views of the facts of one draw, given as tables; "random/sft" is the random arm of `sft`."""
    wanted = _wanted(views, verdicts)
    rows: Counter[str] = Counter()
    shown: defaultdict[str, dict[str, None]] = defaultdict(dict)
    if not wanted:
        return Exported({}, {})
    with connect([]) as connection:
        for name, table in tables.items():
            if table.num_rows:
                connection.from_arrow(table).insert_into(name)
        prepare(connection)
        for name, arm in wanted.items():
            for batch in batches(connection, VIEWS[name.rpartition("/")[2]], arm=arm):
                rows[name] += batch.num_rows
                for id, label in _ids(batch, name):
                    shown[id][label] = None
    counts = {name: count for name, count in rows.items() if count}
    return Exported(counts, {id: list(labels) for id, labels in shown.items()})


def _wanted(views: Collection[str], verdicts: Sequence[Verdict]) -> dict[str, str | None]:
    """The views that may hold something of the draw, each with the selector of its random arm.

    Views hold what was accepted, and random arms what their selector marked: nothing else needs a look. Nor does a
    view that is no longer made.
    """
    is_accepted = any(each.rule == CLOSING and each.status == "pass" for each in verdicts)
    selector = _selector(verdicts)
    there = [name for name in views if name.removeprefix("random/") in VIEWS]
    arms = {name: selector if name.startswith("random/") else None for name in there}
    return {name: arm for name, arm in arms.items() if arm or (is_accepted and not name.startswith("random/"))}


def _selector(verdicts: Sequence[Verdict]) -> str | None:
    """The last rule that spoke of this draw and marked rows by chance."""
    marking = (each for each in reversed(verdicts) if "random" in orjson.loads(each.evidence))
    return next((each.rule.partition("@")[0] for each in marking), None)


def _ids(batch: pa.RecordBatch, view: str) -> Iterator[tuple[str, str]]:
    """The ids in a batch, with the view and what its column calls them: nothing more for attempts and problems."""
    for column in batch.schema.names:
        if column.endswith("_id"):
            how = column.removesuffix("_id")
            label = view if how in ("attempt", "problem") else f"{view} ({how})"
            yield from ((id, label) for id in batch.column(column).to_pylist() if isinstance(id, str))


def curriculum_stage(folder: Path, problems: Sequence[str]) -> str | None:
    """The stage of the version's curriculum that holds one of these problems; None where none does."""
    if not problems or not (folder / "curriculum" / MANIFEST).is_file():
        return None
    stages = read_manifest(folder / "curriculum")["stages"]
    return next(
        (told["name"] for told in stages if _holds(folder / "curriculum" / Path(told["file"]).name, problems)), None
    )


def _holds(path: Path, problems: Sequence[str]) -> bool:
    with connect([]) as connection:
        connection.read_parquet(str(path)).create_view("rows")
        query = "select 1 from rows where problem_id in (select unnest($1)) limit 1"
        return bool(connection.sql(query, params=[list(problems)]).fetchall())
