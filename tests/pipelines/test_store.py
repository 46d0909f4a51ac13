"""Outputs on disk: there and whole, or not there at all; and the way to read them without loading everything."""

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines import store
from pipelines.records import Facts, Turn, attempt, problem, schema, verdict
from pipelines.store import KINDS, DiskFull, Output, connect, output_folder, read_output, replace, scan, write_output

ROOT = Path(__file__).parents[2]


def output(draw=0, samples=3):
    """One draw with everything that a stage can append."""
    seed = problem(parents=(), stage="seed@1", draw=None, kind="seed", question="What is 2 + 3?", answer="5")
    posed = problem(parents=[seed.id], stage="pose@1", draw=draw, kind="posed", question=f"What is {draw} + 3?")
    attempts = [
        attempt(
            of=posed,
            stage="expand@1",
            sample=sample,
            role="teacher",
            model="m",
            revision=None,
            prompt="solve/boxed@1f2e3d4c",
            sampling="{}",
            seed=sample,
            request=f"{sample:032x}",
            turns=(Turn("user", posed.question), Turn("assistant", "\\boxed{5} 😀")),
            finish="stop",
        )
        for sample in range(samples)
    ]
    ruling = verdict(subjects=[posed.id], stage="screen@1", draw=draw, rule="form@1", status="fail", score=0.5)
    return Output(Facts([seed, posed], attempts, [ruling]), [posed.id], [(draw, ruling.id)])


NOTHING = Output(Facts.none(), [], [])


@pytest.fixture
def folder(tmp_path):
    return output_folder(tmp_path, "0123456789abcdef" * 2)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_written_is_read(folder):
    write_output(folder, output(), closure={"stage": "expand@1", "draws": [0, 1]})
    assert read_output(folder) == output()
    assert sorted(files(folder)) == ["attempts.parquet", "manifest.json", "problems.parquet", "verdicts.parquet"]


def test_an_output_without_facts_is_one_too(folder):
    assert read_output(folder) is None
    write_output(folder, NOTHING, closure={})
    assert read_output(folder) == NOTHING
    assert sorted(files(folder)) == ["manifest.json"]


def test_the_same_output_is_the_same_bytes(tmp_path):
    for name in ("once", "again"):
        write_output(tmp_path / name, output(), closure={"a": 1})
    assert files(tmp_path / "once") == files(tmp_path / "again")


def test_a_digest_names_the_facts_and_what_goes_on():
    facts = output().facts
    same = Output(Facts(list(facts.problems), list(facts.attempts), list(facts.verdicts)), list(output().live))
    others = [output(draw=1), Output(facts, []), Output(Facts(facts.problems, facts.attempts, []), output().live)]
    assert output().digest == same.digest
    assert len({each.digest for each in (output(), *others)}) == 4


# Damage


class Gone(Exception):
    """The process ends here."""


@pytest.mark.parametrize("survived", range(4))
def test_a_write_that_ends_early_leaves_no_output_and_can_be_made_again(folder, monkeypatch, survived):
    count = iter(range(99))

    def dying(path, content, **options):
        if next(count) >= survived:
            raise Gone
        replace(path, content, **options)

    with monkeypatch.context() as patch:
        patch.setattr(store, "replace", dying)
        with pytest.raises(Gone):
            write_output(folder, output(), closure={})
    assert len(files(folder)) == survived
    assert read_output(folder) is None
    write_output(folder, output(), closure={})
    assert read_output(folder) == output()


@pytest.mark.parametrize("name", ["problems.parquet", "attempts.parquet", "verdicts.parquet", "manifest.json"])
class TestDamage:
    """Whatever happens to one of its files, an output is not there any more, and can be written again."""

    @pytest.fixture
    def path(self, folder, name):
        write_output(folder, output(), closure={"a": 1})
        yield folder / name
        assert read_output(folder) is None
        write_output(folder, output(), closure={"a": 1})
        assert read_output(folder) == output()

    def test_a_flipped_bit(self, path):
        content = path.read_bytes()
        for at in range(0, len(content), 1 + len(content) // 200):
            damaged = bytearray(content)
            damaged[at] ^= 1 << at % 8
            path.write_bytes(damaged)
            assert read_output(path.parent) is None

    def test_a_file_that_ends_early(self, path):
        content = path.read_bytes()
        for size in range(0, len(content), 1 + len(content) // 100):
            path.write_bytes(content[:size])
            assert read_output(path.parent) is None

    def test_a_file_that_goes_on(self, path):
        path.write_bytes(path.read_bytes() + b"}")

    def test_a_missing_file(self, path):
        path.unlink()


def test_files_of_another_output_are_not_taken_for_its_own(tmp_path):
    write_output(tmp_path / "mine", output(), closure={})
    write_output(tmp_path / "other", output(draw=1), closure={})
    (tmp_path / "other" / "attempts.parquet").replace(tmp_path / "mine" / "attempts.parquet")
    assert read_output(tmp_path / "mine") is None


# Several writers


def test_writing_again_changes_nothing(folder):
    write_output(folder, output(), closure={})
    before = files(folder)
    write_output(folder, output(), closure={})
    assert files(folder) == before


WRITER = """
import sys
from pathlib import Path
from pipelines.store import read_output, write_output

folder, other = map(Path, sys.argv[1:])
made = read_output(other)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(50):
    write_output(folder, made, closure={})
    assert read_output(folder) == made
"""


def writer(folder, made):
    pipe = subprocess.PIPE
    words = [sys.executable, "-c", WRITER, str(folder), str(made)]
    return subprocess.Popen(words, cwd=ROOT, text=True, stdin=pipe, stdout=pipe, stderr=pipe)


@pytest.mark.slow
def test_two_processes_may_write_the_same_output_at_once(tmp_path, folder):
    write_output(tmp_path / "made", output(samples=40), closure={})
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(writer(folder, tmp_path / "made")) for _ in range(2)]
        for each in writers:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        with ThreadPoolExecutor() as threads:  # both begin at the same moment
            ended = list(threads.map(lambda each: each.communicate("go\n", timeout=60), writers))
    assert [(each.returncode, told[1]) for each, told in zip(writers, ended, strict=True)] == [(0, "")] * 2
    assert files(folder) == files(tmp_path / "made")


READER = """
import os, sys
from pathlib import Path
from pipelines.store import read_output

import pyarrow.parquet

before = os.listdir("/proc/self/task")
assert read_output(Path(sys.argv[1]))
print(len(os.listdir("/proc/self/task")) - len(before))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_reading_starts_no_thread(folder):
    """A process that ended while Arrow started one was aborted, once in a few hundred times."""
    write_output(folder, output(samples=40), closure={})
    words = [sys.executable, "-c", READER, str(folder)]
    assert subprocess.run(words, cwd=ROOT, text=True, capture_output=True, check=True).stdout == "0\n"


# A full disk


class Half:
    """A file that takes half of what is written, and then no more."""

    def __init__(self, file, number):
        self._file, self._number = file, number

    def __enter__(self):
        return self

    def __exit__(self, *failed):
        self._file.close()

    def write(self, content):
        self._file.write(bytes(content)[: len(content) // 2])
        raise OSError(self._number, os.strerror(self._number))


@pytest.mark.parametrize(
    ("number", "raised"), [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EIO, OSError)]
)
def test_a_disk_that_refuses_leaves_no_half_file(folder, monkeypatch, number, raised):
    write_output(folder, NOTHING, closure={})
    before, real = files(folder), Path.open
    with monkeypatch.context() as patch:
        patch.setattr(
            Path, "open", lambda path, mode="r": Half(real(path, mode), number) if "w" in mode else real(path)
        )
        with pytest.raises(raised):
            write_output(folder, output(), closure={})
    assert files(folder) == before
    assert read_output(folder) == NOTHING


def test_a_disk_without_room_for_a_folder_is_full(folder, monkeypatch):
    def refuse(path, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DiskFull):
        write_output(folder, output(), closure={})


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of 128 KiB, where this process may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("may not mount a disk")
    yield place
    subprocess.run(["umount", place], check=True)


def fill(disk, written):
    for number in range(1000):
        write_output(disk / str(number), output(draw=number, samples=9), closure={})
        written.append(number)


def test_a_full_disk_leaves_what_was_complete(small_disk):
    written: list[int] = []
    with pytest.raises(DiskFull, match="free some and run again"):
        fill(small_disk, written)
    assert len(written) > 1
    for number in written:
        assert read_output(small_disk / str(number)) == output(draw=number, samples=9)
    assert read_output(small_disk / str(len(written))) is None
    assert not list(small_disk.rglob(".*"))


# Reading without loading everything


@pytest.fixture
def folders(tmp_path):
    for draw in range(3):
        write_output(tmp_path / str(draw), output(draw=draw), closure={})
    return [tmp_path / str(draw) for draw in range(3)]


def test_a_scan_goes_file_by_file(folders):
    tables = scan(folders, "attempts")
    first = next(tables)
    assert first.num_rows == 3
    assert first.schema.equals(schema(KINDS["attempts"]), check_metadata=True)
    folders[2].joinpath("attempts.parquet").unlink()
    assert [table.num_rows for table in tables] == [3]


def test_queries_reach_over_several_folders(folders):
    with connect(folders) as connection:
        query = (
            "select p.draw, count(*), any_value(v.status) from problems p join attempts a on a.problem = p.id "
            "join verdicts v on list_contains(v.subjects, p.id) group by 1 order by 1"
        )
        assert connection.execute(query).fetchall() == [(draw, 3, "fail") for draw in range(3)]


def test_connecting_reads_no_rows(folders):
    """A view is resolved when it is queried: what is not asked for may be gone."""
    with connect(folders) as connection:
        for folder in folders:
            (folder / "attempts.parquet").unlink()
        assert connection.execute("select count(*) from problems").fetchone() == (6,)
        with pytest.raises(Exception, match=r"attempts\.parquet"):
            connection.execute("select count(*) from attempts").fetchone()


@pytest.mark.parametrize("name", KINDS)
def test_without_facts_there_are_empty_tables_with_every_column(tmp_path, name):
    write_output(tmp_path / "nothing", NOTHING, closure={})
    for folders in ([], [tmp_path / "nothing"]):
        with connect(folders) as connection:
            table = connection.sql(f"select * from {name}")
            assert table.columns == list(KINDS[name]._fields)
            assert table.fetchall() == []


def test_a_connection_reaches_for_no_extensions(folders):
    with connect(folders) as connection:
        told = "select value from duckdb_settings() where name in (?, ?)"
        names = ["autoinstall_known_extensions", "autoload_known_extensions"]
        assert connection.execute(told, names).fetchall() == [("false",), ("false",)]


def test_row_groups_are_cut_by_bytes(monkeypatch):
    table = store.to_table(KINDS["attempts"], output(samples=100).facts.attempts)
    assert store.rows_in_a_group(table) >= 100
    monkeypatch.setattr(store, "ROW_GROUP_BYTES", table.nbytes // 10)
    assert 5 <= store.rows_in_a_group(table) <= 10
    assert store.from_parquet(store.to_parquet(table).to_pybytes()).equals(table)
