"""Keeping house: what is needed stays, and no reply is lost or changed, wherever it is killed."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.cli_house import gc as command
from flows.housekeeping import seconds
from pipelines import gc, merge
from pipelines.gc import InUse, alone, collect, using
from pipelines.journal import Journal
from pipelines.merge import Busy, Needed, entries, everything, frames
from pipelines.records import Facts
from pipelines.segment import Entry
from pipelines.store import Output, output_folder, read_output, write_output
from tests.each import each_of
from tests.versions import candidate, said, together, write_version

NOW = 2_000_000_000.0
LOCKS = ["lock", "tidying"]  # of the journal, which are always there


def entry(number: int, reply: bytes | None = None) -> Entry:
    return Entry(number.to_bytes(16, "big"), 100, False, 10, reply or b'{"choices": %d}' % number)


def journal(folder: Path, *segments: list[Entry]) -> None:
    """Write a finished segment for each of these, every entry in a commit and so in a frame of its own."""

    async def write(some: list[Entry]) -> None:
        each = Journal(folder)
        for entry in some:
            await each.add(entry)
        await each.close()

    for some in segments:
        asyncio.run(write(some))


def kept(folder: Path) -> dict[int, tuple[bytes, int]]:
    """What every run finds: by the number of its key the first reply, and when it became durable."""

    async def read() -> dict[int, tuple[bytes, int]]:
        each = Journal(folder)
        found = {number: each.find(number.to_bytes(16, "big"), 100) for number in range(20)}
        await each.close()
        return {number: (one.reply, one.time) for number, one in found.items() if one}

    return asyncio.run(read())


def logs(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.log"))


def merged(folder: Path, needed: Needed = everything) -> merge.Merged:
    return merge.merge(folder, needed=needed, settled=0)


# The journal


def test_small_segments_become_one_with_the_same_replies_at_the_same_times(tmp_path: Path):
    journal(tmp_path, [entry(1), entry(2)], [entry(3)], [entry(4)])
    before = kept(tmp_path)
    assert len(before) == 4
    done = merged(tmp_path)
    assert (done.segments, done.into, done.replies) == (3, 1, 0)
    assert kept(tmp_path) == before
    assert len(logs(tmp_path)) == 1
    assert sorted(path.suffix or path.name for path in tmp_path.iterdir()) == [".idx", ".log", *LOCKS]
    assert merged(tmp_path).segments == 0  # one alone is left as it is


def test_the_first_of_two_replies_stays_the_first(tmp_path: Path):
    journal(tmp_path / "one", [entry(1, b'{"choices": "first"}')])
    journal(tmp_path / "two", [entry(1, b'{"choices": "second"}')])
    for path in [*(tmp_path / "one").iterdir()]:  # as on a shared disk, where neither run saw the other's
        path.rename(tmp_path / "two" / path.name)
    merged(tmp_path / "two")
    assert kept(tmp_path / "two")[1][0] == b'{"choices": "first"}'


class Killed(BaseException):
    """As a kill is: nothing catches it."""


def is_aside(path: Path) -> bool:
    """A file that never got its name: `collect` removes it, once no run may be writing one."""
    return gc.ASIDE.fullmatch(path.name) is not None


def steps(monkeypatch: pytest.MonkeyPatch, last: int) -> None:
    """Let only so many changes to the disk happen; then the process is as good as dead."""
    count = iter(range(1_000))
    real = {"rename": Path.rename, "unlink": Path.unlink, "replace": Path.replace, "write": merge.write_all}

    def counted(name: str):
        def act(*given, **more):
            if next(count) >= last:
                raise Killed
            return real[name](*given, **more)

        return act

    for name in ("rename", "unlink", "replace"):
        monkeypatch.setattr(Path, name, counted(name))
    monkeypatch.setattr(merge, "write_all", counted("write"))


def test_killed_at_any_point_no_reply_is_lost_and_the_next_time_ends_it(tmp_path: Path):
    last, ended = 0, False
    while not ended:
        folder = tmp_path / str(last)
        journal(folder, [entry(1), entry(2)], [entry(3)])
        before = kept(folder)
        with pytest.MonkeyPatch.context() as patch:
            steps(patch, last)
            try:
                merged(folder)
                ended = True
            except Killed:
                pass
        assert kept(folder) == before, f"killed after {last} changes"
        merged(folder)
        assert kept(folder) == before, f"tidied up after {last} changes"
        left = sorted(path.suffix or path.name for path in folder.iterdir() if not is_aside(path))
        assert left == [".idx", ".log", *LOCKS], f"after {last} changes"
        last += 1
    assert last > 6  # writing, the intent, the index, the name, and what goes


def test_a_run_that_is_under_way_loses_nothing(tmp_path: Path):
    journal(tmp_path, [entry(1)], [entry(2)])

    async def job() -> None:
        run = Journal(tmp_path)
        await run.add(entry(3))  # into a segment of its own, which is still open
        assert merged(tmp_path).segments == 2
        found = [run.find(number.to_bytes(16, "big"), 100) for number in (1, 2, 3)]
        assert [one.reply for one in found if one] == [entry(number).reply for number in (1, 2, 3)]
        again = await run.add(entry(1, b'{"choices": "another"}'))
        assert again.reply == entry(1).reply
        await run.add(entry(4))
        await run.close()

    asyncio.run(job())
    assert set(kept(tmp_path)) == {1, 2, 3, 4}


def test_what_was_written_just_now_is_left_alone(tmp_path: Path):
    journal(tmp_path, [entry(1)], [entry(2)])
    before = logs(tmp_path)
    assert merge.merge(tmp_path).segments == 0
    assert logs(tmp_path) == before


def test_two_do_not_tidy_up_at_once(tmp_path: Path):
    journal(tmp_path, [entry(1)], [entry(2)])
    with merge._alone(tmp_path), pytest.raises(Busy, match="another process is tidying up"):
        merged(tmp_path)


def test_replies_that_nothing_needs_go_and_the_others_keep_their_times(tmp_path: Path):
    async def together() -> None:  # in one commit, and so in one frame
        each = Journal(tmp_path)
        await asyncio.gather(*(each.add(entry(number)) for number in range(5)))
        await each.close()

    asyncio.run(together())
    before = kept(tmp_path)
    done = merged(tmp_path, lambda one: one.key[-1] % 2 == 0)
    assert done.replies == 2
    assert kept(tmp_path) == {number: told for number, told in before.items() if number % 2 == 0}
    assert merged(tmp_path, lambda one: False).into == 0
    assert kept(tmp_path) == {}


def test_a_damaged_place_is_left_out_and_the_rest_stays(tmp_path: Path):
    journal(tmp_path, [entry(1), entry(2), entry(3)])
    path = next(tmp_path.glob("*.log"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # within the second frame
    path.write_bytes(content)
    before = kept(tmp_path)
    assert set(before) == {1, 3}
    assert merged(tmp_path).into == 1
    assert kept(tmp_path) == before
    (left,) = tmp_path.glob("*.log")
    assert sum(map(len, frames(left))) == left.stat().st_size


@settings(deadline=None)  # it writes a file
@given(st.lists(st.binary(max_size=60), max_size=6), st.binary(max_size=20))
def test_frames_are_found_behind_whatever_is_damaged(replies: list[bytes], rubbish: bytes):
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"frames-{os.getpid()}"
    whole = [frame.content for number, reply in enumerate(replies) for frame in merge.pack([entry(number, reply)])]
    path.write_bytes(rubbish + rubbish.join(whole) + rubbish)
    try:
        assert [one for frame in frames(path) for one in entries(frame)] == [
            one for frame in whole for one in entries(frame)
        ]
    finally:
        path.unlink()


# Outputs


def output(data: Path, name: str, facts: Facts, *, age: float = 0.0) -> Path:
    folder = output_folder(data, name * 32)
    write_output(folder, Output(facts, []), closure={})
    os.utime(folder / "manifest.json", (NOW - age, NOW - age))
    return folder


def listed(data: Path, *folders: Path) -> None:
    """What a run lists, as `flows.run.Log` does."""
    home = data / "runs" / "sums"
    home.mkdir(parents=True, exist_ok=True)
    outputs = [folder.relative_to(data / "runs" / "outputs").as_posix() for folder in folders]
    told = {"start": 0, "stop": 8, "outputs": outputs}
    (home / "shards.jsonl").write_bytes(orjson.dumps(told) + b"\n" + b'{"start": 8, "st')


def test_outputs_stay_that_a_run_lists_or_that_are_young(tmp_path: Path):
    needed, young, old = (
        output(tmp_path, name, candidate(n), age=n * gc.DAY) for n, name in ((90, "a"), (1, "b"), (8, "c"))
    )
    listed(tmp_path, needed)
    foretold = gc.preview(tmp_path, now=NOW)
    assert old.is_dir()
    done = collect(tmp_path, now=NOW)
    assert done.rubbish == foretold.rubbish == gc.Rubbish([old], [], [])
    assert [read_output(folder) is not None for folder in (needed, young, old)] == [True, True, False]
    assert not old.parent.exists()
    assert done.freed == foretold.freed == done.before.outputs - done.after.outputs > 0


BROKEN = {
    "unfinished": lambda folder: (folder / "manifest.json").unlink(),
    "a damaged file": lambda folder: (folder / "attempts.parquet").write_bytes(b"PAR1"),
    "a damaged manifest": lambda folder: (folder / "manifest.json").write_bytes(b"{"),
    "another manifest": lambda folder: (folder / "manifest.json").write_bytes(b'{"files": {}, "digest": "00"}'),
    "a missing file": lambda folder: (folder / "problems.parquet").unlink(),
}


@each_of(BROKEN)
def test_a_broken_output_goes_though_a_run_lists_it(how: str):
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        folder, other = output(data, "a", candidate(0)), output(data, "b", candidate(1))
        listed(data, folder, other)
        BROKEN[how](folder)
        assert collect(data, now=NOW).rubbish.broken == [folder]
        assert not folder.exists()
        assert read_output(other) is not None


def test_what_killed_processes_left_goes_and_nothing_else(tmp_path: Path):
    left = [
        tmp_path / "runs" / "sums" / ".state.json.0123abcd",
        tmp_path / "journal" / "123-ab.idx",
        tmp_path / "datasets" / "sums" / ".0123abcd" / "facts.parquet",
    ]
    stays = [
        tmp_path / "runs" / "sums" / "state.json",
        tmp_path / "runs" / "engines" / "vllm.log",
        tmp_path / "journal" / "batches" / "state.json",
        tmp_path / "datasets" / "sums" / "v1" / ".hidden",
        tmp_path / "tombstones.jsonl",
    ]
    for path in (*left, *stays):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
    collect(tmp_path, now=NOW)
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in stays)


def test_a_run_that_is_under_way_keeps_everything_but_merged_segments(tmp_path: Path):
    old = output(tmp_path, "c", candidate(0), age=90 * gc.DAY)
    journal(tmp_path / "journal", [entry(1)], [entry(2)])
    with using(tmp_path), using(tmp_path):  # two runs at once
        for how in (gc.preview, collect):
            done = how(tmp_path, replies=True, older_than=0, settled=0, now=NOW)
            assert done.under_way
            assert (done.merged.segments, done.merged.replies) == (2, 0)
        with pytest.raises(InUse), alone(tmp_path):
            pass
    assert read_output(old) is not None
    assert set(kept(tmp_path / "journal")) == {1, 2}
    assert collect(tmp_path, now=NOW).rubbish.unneeded == [old]


def test_replies_go_only_where_asked_and_only_those_that_no_fact_names(tmp_path: Path):
    shown = candidate(0)
    tried = said(shown.problems[1], "6")._replace(request=entry(1).key.hex())
    in_version = said(shown.problems[1], "7")._replace(request=entry(2).key.hex())
    listed(tmp_path, output(tmp_path, "a", Facts([], [tried], [])))
    write_version(tmp_path / "datasets" / "sums" / "v1", together(Facts([], [in_version], [])))
    checks = entry(4, b'["pass", null, null, {}]')  # what a check came to, which no fact names
    journal(tmp_path / "journal", [entry(1), entry(2), entry(3), checks])
    later = time.time() + 60
    collect(tmp_path, settled=0, older_than=0, now=later)
    assert set(kept(tmp_path / "journal")) == {1, 2, 3, 4}
    collect(tmp_path, settled=0, older_than=3_600, replies=True, now=later)
    assert set(kept(tmp_path / "journal")) == {1, 2, 3, 4}  # it is young: its run may go on
    assert gc.preview(tmp_path, settled=0, older_than=0, replies=True, now=later).merged.replies == 1
    assert collect(tmp_path, settled=0, older_than=0, replies=True, now=later).merged.replies == 1
    assert set(kept(tmp_path / "journal")) == {1, 2, 4}


# The command


def test_the_command_says_what_would_go_and_then_what_went(tmp_path: Path):
    old = output(tmp_path, "c", candidate(0), age=NOW)  # as old as can be, by the clock of this machine
    place = {"THOUGHTMILL_DATA": str(tmp_path)}
    said = CliRunner().invoke(command, ["--dry-run", "--older-than", "30d"], env=place)
    assert (said.exit_code, old.is_dir()) == (0, True)
    assert "would go: 1 outputs that no run needs" in said.output
    said = CliRunner().invoke(command, ["--older-than", "30d"], env=place)
    assert (said.exit_code, old.is_dir()) == (0, False)
    assert "gone: 1 outputs that no run needs" in said.output


AGES = {"0": 0.0, "90": 90.0, "90s": 90.0, "5m": 300.0, "12h": 43_200.0, "7d": 604_800.0, "1.5w": 907_200.0}


@each_of(AGES.items())
def test_an_age_is_told_in_units(told: str, wanted: float):
    assert seconds(told) == wanted


@each_of(["soon", "-1d", "7 d", "7y", ""])
def test_what_is_no_age_is_refused_in_one_line(told: str):
    said = CliRunner().invoke(command, [f"--older-than={told}"])
    assert (said.exit_code, "say an age such as" in said.stderr) == (2, True)
