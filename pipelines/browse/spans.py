"""Which draws there are, and where their facts lie: those of a version, or of the finished shards of a run."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

_OUTPUT = re.compile(r"[0-9a-f]{2}/[0-9a-f]{32}", re.ASCII)


class Span(NamedTuple):
    """Draws that lie together: all of a version, or those of one finished shard of a run."""

    start: int
    stop: int
    row: int  # of the first draw
    folders: Sequence[Path]  # with the facts, in the order they were made

    @property
    def rows(self) -> range:
        return range(self.row, self.row + self.stop - self.start)


def span_of_row(spans: Sequence[Span], row: int) -> Span:
    """Raises ValueError for a row that is not there."""
    found = spans[bisect_right(spans, row, key=lambda span: span.row) - 1] if spans else None
    if found is None or row not in found.rows:
        raise ValueError(f"no row {row}; there are {spans[-1].rows.stop if spans else 0:,}, counted from 0")
    return found


def span_of_draw(spans: Sequence[Span], draw: int) -> Span:
    """The span that holds a draw. Raises ValueError."""
    found = spans[bisect_right(spans, draw, key=lambda span: span.start) - 1] if spans else None
    if found is None or not found.start <= draw < found.stop:
        raise ValueError(f"no draw {draw} is finished here")
    return found


def spans_between(spans: Sequence[Span], first: int, stop: int) -> list[Span]:
    """Those that hold the rows from `first` up to `stop`."""
    return [span for span in spans if span.row < stop and span.rows.stop > first]


# ---------------------------------------------------------------------------------------------------------------
# Finding them


def spans_of_version(facts: Path, candidates: int) -> list[Span]:
    """The draws of a version: all before some number, unless a person took some out."""
    import duckdb
    import pyarrow.parquet as pq

    with pq.ParquetFile(facts / "verdicts.parquet") as file:
        groups, draw = file.metadata.num_row_groups, file.schema_arrow.names.index("draw")
        if not candidates or not groups:
            return []
        last = file.metadata.row_group(groups - 1).column(draw).statistics  # they are in draw order
        if last is not None and last.max == candidates - 1:
            return [Span(0, candidates, 0, (facts,))]
    with duckdb.connect() as connection:
        closings = connection.read_parquet(str(facts / "verdicts.parquet")).filter("rule = 'accepted@1'")
        draws = [draw for (draw,) in closings.order("draw").project("draw").fetchall()]
    spans: list[Span] = []
    for row, draw in enumerate(draws):
        if spans and spans[-1].stop == draw:
            spans[-1] = spans[-1]._replace(stop=draw + 1)
        else:
            spans.append(Span(draw, draw + 1, row, (facts,)))
    return spans


def spans_of_run(data: Path, home: Path) -> list[Span]:
    """The shards that are finished and still there, in draw order. A line that is being written is left for later."""
    shards: dict[int, dict[str, Any]] = {}
    for line in (home / "shards.jsonl").read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            told = orjson.loads(line)
            shards[told["start"]] = told
    spans: list[Span] = []
    for told in (shards[start] for start in sorted(shards)):
        folders = tuple(data / "runs" / "outputs" / each for each in told["outputs"] if _OUTPUT.fullmatch(each))
        if folders and all((folder / "manifest.json").is_file() for folder in folders):
            row = spans[-1].rows.stop if spans else 0
            spans.append(Span(told["start"], told["stop"], row, folders))
    return spans
