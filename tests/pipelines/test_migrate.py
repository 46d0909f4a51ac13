"""Every schema that was ever written reads as that of today.

`schemas/N/` holds the facts of `tests/versions.py` as version N of the schema wrote them. Whoever raises
SCHEMA_VERSION runs `python -m tests.pipelines.test_migrate` once, and commits the new folder beside the old ones.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import migrate
from pipelines.migrate import MIGRATIONS, CannotRead, path, present, present_file
from pipelines.records import SCHEMA_VERSION, Facts, Problem, from_table, schema, to_table
from pipelines.store import KINDS, from_parquet, to_parquet
from tests.each import each_of
from tests.versions import candidate, together

SCHEMAS = Path(__file__).parent / "schemas"
FACTS = together(candidate(0), candidate(1, similarity=0.9))


def write_fixture() -> None:
    """Write the facts in the schema of today."""
    folder = SCHEMAS / str(SCHEMA_VERSION)
    folder.mkdir(parents=True)
    for (name, kind), facts in zip(KINDS.items(), FACTS, strict=True):
        pq.write_table(to_table(kind, facts), folder / f"{name}.parquet", compression="zstd")


@each_of(range(1, SCHEMA_VERSION + 1))
def test_every_schema_ever_written_reads_as_the_present_one(version: int):
    read = Facts.none()
    for (name, kind), into in zip(KINDS.items(), read, strict=True):
        table = present(kind, pq.read_table(SCHEMAS / str(version) / f"{name}.parquet"))
        into.extend(from_table(kind, table))
    assert read == FACTS


@each_of(range(1, SCHEMA_VERSION + 1))
def test_there_are_steps_from_every_schema_to_the_present_one(version: int):
    steps = path(version)
    assert [first for first, _ in steps] == [version, *(last for _, last in steps)][: len(steps)]
    assert ([version] + [last for _, last in steps])[-1] == SCHEMA_VERSION


def test_every_step_leads_upward():
    assert all(1 <= first < last <= SCHEMA_VERSION for first, last in MIGRATIONS)


@each_of(KINDS)
def test_the_present_schema_is_the_one_that_was_written_under_its_number(name: str):
    """Readers elsewhere rely on names and types: another schema has another number, and a fixture of its own."""
    written = pq.read_schema(SCHEMAS / str(SCHEMA_VERSION) / f"{name}.parquet")
    today = from_parquet(to_parquet(schema(KINDS[name]).empty_table())).schema
    assert written.equals(today, check_metadata=True)


# A schema that never was: version 0 had no licence, and called a question a `text`.


def from_nought(name: str, table: pa.Table) -> pa.Table:
    """Problems get a licence, which nobody knows, and `text` its name of today."""
    if name != "Problem":
        return table
    renamed = table.rename_columns(["question" if each == "text" else each for each in table.column_names])
    return renamed.append_column("license", pa.nulls(table.num_rows, pa.string()))


def as_nought(name: str) -> pa.Table:
    """The problems as version 0 would have written them; the other kinds as they are."""
    kind = KINDS[name]
    table = to_table(kind, FACTS[list(KINDS).index(name)])
    if name == "problems":
        table = table.drop_columns(["license"])
        table = table.rename_columns(["text" if each == "question" else each for each in table.column_names])
    return table.replace_schema_metadata({"thoughtmill.schema": f"{kind.__name__}@0"})


OLDER = {(0, 1): from_nought}


@each_of(KINDS)
def test_an_older_schema_is_migrated(name: str):
    table = present(KINDS[name], as_nought(name), migrations=OLDER)
    assert from_table(KINDS[name], table) == FACTS[list(KINDS).index(name)]


def test_a_file_of_an_older_schema_is_read_from_a_copy_and_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(migrate, "ROWS", 2)  # some rows at a time, as with a large file
    file = tmp_path / "problems.parquet"
    pq.write_table(as_nought("problems"), file)
    before = file.read_bytes()
    copy = present_file(file, Problem, migrations=OLDER)
    assert copy != file
    assert from_table(Problem, pq.read_table(copy)) == FACTS.problems
    assert file.read_bytes() == before
    made = copy.stat().st_mtime_ns
    assert present_file(file, Problem, migrations=OLDER).stat().st_mtime_ns == made


def test_a_file_of_today_is_read_where_it_lies():
    file = SCHEMAS / str(SCHEMA_VERSION) / "problems.parquet"
    assert present_file(file, Problem, migrations=OLDER) == file


UNREADABLE = {
    "Problem@99": "install a newer thoughtmill",
    "Problem@0": "run their recipe again",
    "Attempt@1": "this is a file of Attempt@1, where one of Problem is looked for",
    "Problem@first": "this is a file of Problem@first",
}


@each_of(UNREADABLE.items())
def test_what_cannot_be_read_says_what_can(told: str, way_out: str):
    table = to_table(Problem, FACTS.problems).replace_schema_metadata({"thoughtmill.schema": told})
    with pytest.raises(CannotRead, match=way_out):
        present(Problem, table)


def test_several_steps_are_taken_one_after_another_and_the_longest_first():
    steps = {(1, 2): from_nought, (2, 3): from_nought, (3, 4): from_nought, (1, 3): from_nought}
    assert path(1, steps, 4) == [(1, 3), (3, 4)]
    assert path(2, steps, 4) == [(2, 3), (3, 4)]
    with pytest.raises(CannotRead, match="nothing reads it any more"):
        path(1, {(1, 3): from_nought}, 2)


if __name__ == "__main__":
    write_fixture()
