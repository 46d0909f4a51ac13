"""Searching all texts of a source, with hits as they are found.

The texts are looked at batch by batch in the order of the rows, so that the first hits are there soon, a person can
stop at any moment, and memory stays the same. What is searched for is a text and never a pattern; upper and lower
case are one, letter by letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.browse import index as indexes
from pipelines.browse.asking import cursor_of
from pipelines.browse.candidates import define_run
from pipelines.browse.files import Files, batches, value
from pipelines.browse.source import Source, draw_of, row_of
from pipelines.browse.table import Filter, condition, indexed

if TYPE_CHECKING:
    import duckdb

AROUND = 80  # characters of a text before and after a hit
FIRST, LONGEST = 256, 32_768  # rows of the first batch, and of the largest
BATCH_BYTES = 16 << 20  # of files that a batch is about: long thoughts make shorter batches, for who wants to stop
LONG = 1_000  # characters that can be searched for


class Hit(NamedTuple):
    """A cell that has the text, and what stands around it there first."""

    row: int
    draw: int | None  # of a version or run
    column: str  # question, answer, attempt, reasoning, reason; of a table the name of its column
    fact: str | None  # the id of the problem, attempt or verdict
    before: str
    match: str
    after: str


def _never() -> bool:
    return False


def search(
    source: Source,
    text: str,
    *,
    where: Sequence[Filter] = (),
    stop: Callable[[], bool] = _never,
    told: Callable[[int], None] = lambda rows: None,
    most: int = 1_000,
) -> Iterator[Hit]:
    """Every cell with the text, by row, at most `most`, in rows that pass the filters.

    Looked at are questions, answers, what models wrote and thought, and reasons in verdicts; of a table all texts,
    and nested values as JSON. `stop` is asked before each batch; `told` is given the number of rows that were
    looked at after each. Raises ValueError, at once.
    """
    if not text.strip() or len(text) > LONG:
        raise ValueError(f"search for a text of 1 to {LONG:,} characters")
    condition(source, where)
    return islice(_hits(source, text, where, stop, told), most)


def _hits(
    source: Source,
    text: str,
    where: Sequence[Filter],
    stop: Callable[[], bool],
    told: Callable[[int], None],
) -> Iterator[Hit]:
    look = _in_facts if source.files is None else _in_table
    with cursor_of(source.connection) as cursor:
        for first, end in _ranges(source):
            if stop():
                return
            passed = _passing(source, where, first, end) if where else None
            if passed is None or passed:
                hits = look(source, cursor, text, first, end)
                yield from (hit for hit in hits if passed is None or hit.row in passed)
            told(end)


def _ranges(source: Source) -> Iterator[tuple[int, int]]:
    """Rows that are looked at together: few at first, then more."""
    most = max(1, min(LONGEST, BATCH_BYTES // max(1, _bytes_of_a_row(source))))
    first, size = 0, min(FIRST, most)
    while first < source.rows:
        yield first, min(first + size, source.rows)
        first, size = first + size, min(2 * size, most)


def _bytes_of_a_row(source: Source) -> int:
    """About how long a row is in its files; of a run, in those of its first shard."""
    if source.files is not None:
        paths, rows = {block.path for block in source.files.blocks}, source.rows
    else:
        spans = source.spans[:1]
        paths = {path for span in spans for folder in span.folders for path in folder.glob("*.parquet")}
        rows = sum(len(span.rows) for span in spans)
    return sum(path.stat().st_size for path in paths) // max(1, rows)


def _passing(source: Source, where: Sequence[Filter], first: int, end: int) -> set[int]:
    """Which of these rows pass the filters; waits until they are indexed."""
    parts = sum(part.start < end for part in source.index.parts)
    indexes.wait(source.index, parts=parts)
    told, given = condition(source, where)
    with indexed(source) as here:
        query = f"select row from {here.rows} where row >= $first and row < $end and {told}"
        return {row for (row,) in here.ask(query, {**given, "first": first, "end": end})}


_AROUND = f"""
    substring(text, greatest(place - {AROUND}, 1), least(place - 1, {AROUND})) as before,
    substring(text, place, length($text)) as match, substring(text, place + length($text), {AROUND}) as after
"""
"""A hit in `text` at `place`, as strpos counts it: lower case has as many characters."""

# `part` orders what is found in a draw as its story goes.
_FACTS = f"""
with texts as (
    select draw, 0 as part, 0 as sample, id, 'question' as name, question as text from problems
    where draw >= $first and draw < $stop
    union all
    select draw, 1, 0, id, 'answer', answer from problems where draw >= $first and draw < $stop
    union all
    select draw, 2 + which, sample, id, ['reasoning', 'attempt'][which + 1],
        case which when 0 then turn.reasoning else turn.content end
    from (select draw, sample, id, unnest(turns) as turn from attempts where draw >= $first and draw < $stop),
        (values (0), (1)) w(which)
    where turn.role = 'assistant'
    union all
    select draw, 4, 0, id, 'reason', json_extract_string(evidence, '$.reason') from verdicts
    where draw >= $first and draw < $stop and rule <> 'accepted@1'
), found as (select *, strpos(lower(text), lower($text)) as place from texts)
select draw, name, id, {_AROUND} from found where place > 0 order by draw, part, sample, id, place
"""


def _in_facts(source: Source, cursor: duckdb.DuckDBPyConnection, text: str, first: int, end: int) -> Iterator[Hit]:
    if source.kind == "run":
        define_run(cursor, source.spans, first, end)
    given: dict[str, Any] = {"text": text, "first": draw_of(source, first), "stop": draw_of(source, end - 1) + 1}
    for draw, name, id, *around in cursor.execute(_FACTS, given).fetchall():
        yield Hit(row_of(source, draw), draw, name, id, *around)


def _in_table(source: Source, cursor: duckdb.DuckDBPyConnection, text: str, first: int, end: int) -> Iterator[Hit]:
    files = source.files
    assert files is not None
    texts = [i for i, column in enumerate(files.columns) if column.type in ("text", "category")]
    row = first
    for batch in batches(files, first, end, of=texts) if texts else ():
        cursor.register("batch", batch)
        union = " union all ".join(_texts(files, i) for i in texts)
        found = f"select *, strpos(lower(text), lower($text)) as place from ({union})"
        found = f"select * from ({found}) where place > 0"
        query = f"select nth, part, {_AROUND} from ({found}) order by nth, part"
        for nth, part, *around in cursor.execute(query, {"text": text}).fetchall():
            yield Hit(row + nth, None, files.columns[part].name, None, *around)
        row += batch.num_rows


def _texts(files: Files, place: int) -> str:
    """The texts of a column of a batch, with their rows in it."""
    text = value(files.schema.field(place).type, f'"{place}"')
    return f"select row_number() over () - 1 as nth, {place} as part, {text} as text from batch"
