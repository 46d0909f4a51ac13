"""The journal: what it says is durable is durable, whatever happens to disks, clocks, processes and other runs."""

import asyncio
import contextlib
import errno
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from threading import Event

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from pipelines import journal, segment
from pipelines.journal import Journal
from pipelines.segment import Entry, Segment
from pipelines.store import DiskFull
from tests.each import each_of

ROOT = Path(__file__).parents[2]


def key(number):
    """The key of a number. Those of 1, 11, ... 91 share their first eight bytes, by which an index finds them."""
    return (number % 10 if number < 100 else number).to_bytes(8, "big") + number.to_bytes(8, "big")


def entry(number, reply=None, *, limit=100, cut=False, tokens=10):
    return Entry(key(number), limit, cut, tokens, f"reply {number}".encode() if reply is None else reply)


def add(folder, *entries):
    """Add entries at once in a run of its own; what `add` returned for each, as replies."""

    async def job():
        journal = Journal(folder)
        added = await asyncio.gather(*map(journal.add, entries))
        await journal.close()
        return [each.reply for each in added]

    return asyncio.run(job())


def add_in_turn(folder, *entries):
    """The same, each in a commit and so in a frame of its own."""

    async def job():
        journal = Journal(folder)
        for each in entries:
            await journal.add(each)
        await journal.close()

    asyncio.run(job())


def found(folder, numbers, *, limit=100):
    """The replies that somebody who opens the journal now finds, by the number of their key."""

    async def job():
        journal = Journal(folder)
        entries = {number: journal.find(key(number), limit) for number in numbers}
        await journal.close()
        return {number: each.reply for number, each in entries.items() if each}

    return asyncio.run(job())


def replies(numbers):
    return {number: entry(number).reply for number in numbers}


def only(folder, pattern):
    (path,) = folder.glob(pattern)
    return path


# Which reply serves


@each_of(
    [
        (100, False, 40, 100, True),
        (100, False, 40, 200, True),  # it stopped by itself, and would again
        (100, False, 40, 40, True),  # it fits exactly
        (100, False, 40, 39, False),
        (100, False, 0, 0, True),
        (100, False, -1, 100, True),  # of unknown length
        (100, False, -1, 200, True),
        (100, False, -1, 99, False),
        (100, True, 100, 100, True),
        (100, True, 100, 60, True),  # cut at more than is asked for now
        (100, True, 100, 101, False),
        (100, True, -1, 100, True),
        (100, True, -1, 101, False),
    ]
)
def test_a_reply_serves_other_limits(asked_with, cut, tokens, limit, serves):
    assert entry(1, limit=asked_with, cut=cut, tokens=tokens).serves(limit) == serves


def test_raising_the_limit_asks_again_only_for_what_was_cut(tmp_path):
    add(tmp_path, entry(1, limit=50, cut=True), entry(2, limit=50, cut=False))
    assert found(tmp_path, [1, 2], limit=80) == replies([2])
    assert add(tmp_path, entry(1, b"longer", limit=80)) == [b"longer"]
    assert found(tmp_path, [1, 2], limit=80) == {1: b"longer", 2: entry(2).reply}
    assert found(tmp_path, [1, 2], limit=50) == replies([1, 2])


# Against a model

SOME = [0, 1, 10, 11, 20]


class AnyUse(RuleBasedStateMachine):
    """Adding, finding and opening again in any order: the first reply that serves is the reply for good."""

    entries = st.builds(
        entry,
        st.sampled_from(SOME),
        st.binary(max_size=60),
        limit=st.sampled_from([10, 20, 30]),
        cut=st.booleans(),
        tokens=st.sampled_from([-1, 5, 10, 15]),
    )

    def __init__(self):
        super().__init__()
        self.patches = pytest.MonkeyPatch()
        self.patches.setattr(journal, "SEGMENT_ENTRIES", 4)
        self.patches.setattr(segment, "FRAME_BYTES", 64)
        self.patches.setattr(segment, "CACHE_BYTES", 100)
        self.place = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.model: list[Entry] = []
        self.runner.run(self.open())

    async def open(self):
        self.journal = Journal(Path(self.place.name))

    def first(self, wanted, limit):
        return next((each.reply for each in self.model if each.key == wanted and each.serves(limit)), None)

    @rule(entries=st.lists(entries, min_size=1, max_size=4))
    def add(self, entries):
        async def together():
            return await asyncio.gather(*map(self.journal.add, entries))

        added = self.runner.run(together())
        for entry, got in zip(entries, added, strict=True):
            expected = self.first(entry.key, entry.limit)
            if expected is None:
                self.model.append(entry)
            assert got.reply == (entry.reply if expected is None else expected)

    @rule()
    def open_again(self):
        self.runner.run(self.journal.close())
        self.runner.run(self.open())

    @rule(number=st.sampled_from(SOME), limit=st.sampled_from([5, 10, 20, 30]))
    def find(self, number, limit):
        entry = self.journal.find(key(number), limit)
        assert (entry.reply if entry else None) == self.first(key(number), limit)

    def teardown(self):
        self.runner.run(self.journal.close())
        self.runner.close()
        self.place.cleanup()
        self.patches.undo()


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)


@pytest.mark.slow
def test_any_use_at_length():
    run_state_machine_as_test(AnyUse, settings=settings(max_examples=200, stateful_step_count=40, deadline=None))


def test_segments_rotate_and_everything_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "SEGMENT_ENTRIES", 10)
    add_in_turn(tmp_path, *map(entry, range(35)))
    assert len(list(tmp_path.glob("*.log"))) == 4
    assert len(list(tmp_path.glob("*.idx"))) == 4
    assert found(tmp_path, range(40)) == replies(range(35))


# Durable before it is used


@pytest.fixture
def synced(monkeypatch):
    """How far each file was last synced, by its inode; and how often anything was."""
    sizes, fsync = Counter(), os.fsync

    def watched(file):
        fsync(file)
        sizes[os.fstat(file).st_ino] = os.fstat(file).st_size
        sizes["times"] += 1

    monkeypatch.setattr(os, "fsync", watched)
    return sizes


def test_a_reply_is_on_disk_before_anyone_has_it(tmp_path, synced):
    async def job():
        journal, on_disk = Journal(tmp_path), []
        for number in range(5):
            await journal.add(entry(number))
            told = only(tmp_path, "*.log").stat()
            on_disk.append((synced[told.st_ino] == told.st_size, await asyncio.to_thread(found, tmp_path, range(9))))
        await journal.close()
        return on_disk

    assert asyncio.run(job()) == [(True, replies(range(number + 1))) for number in range(5)]


def test_the_name_of_a_segment_is_durable_too(tmp_path, synced):
    add(tmp_path, entry(1))
    assert tmp_path.stat().st_ino in synced


def test_replies_that_wait_together_are_synced_together(tmp_path, synced):
    assert len(add(tmp_path, *map(entry, range(2000)))) == 2000
    assert synced["times"] <= 3  # the folder when the segment begins, and the commit
    assert found(tmp_path, range(2000)) == replies(range(2000))


def test_a_run_that_is_cancelled_leaves_no_other_waiting(tmp_path):
    async def job():
        journal = Journal(tmp_path)
        cancelled, stays = (asyncio.create_task(journal.add(entry(number))) for number in (1, 2))
        await asyncio.sleep(0)
        cancelled.cancel()
        assert (await stays).reply == entry(2).reply
        await journal.close()

    asyncio.run(job())
    assert found(tmp_path, [2]) == replies([2])


# Damage


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The bytes of a log with four frames of one reply each, and where each frame ends."""
    folder = tmp_path_factory.mktemp("journal")
    add_in_turn(folder, *map(entry, range(4)))
    content = only(folder, "*.log").read_bytes()
    starts = [at for at in range(len(content)) if content.startswith(segment.MAGIC, at)]
    assert len(starts) == 4
    return content, [*starts[1:], len(content)]


def left_behind(folder, content):
    """A journal whose only process died and left a log of this content."""
    folder.mkdir()
    (folder / "1.log").write_bytes(content)
    return folder


def test_wherever_the_log_ends_the_whole_frames_are_believed(tmp_path, log):
    content, ends = log
    for size in range(len(content) + 1):
        folder = left_behind(tmp_path / str(size), content[:size])
        whole = [end for end in ends if end <= size]
        assert found(folder, range(4)) == replies(range(len(whole)))
        assert (folder / "1.log").stat().st_size == max(whole, default=0)


def test_a_journal_goes_on_after_a_damaged_tail(tmp_path, log):
    folder = left_behind(tmp_path / "journal", log[0][:-3])
    assert add(folder, entry(3, b"again"), entry(7)) == [b"again", entry(7).reply]
    assert found(folder, range(9)) == {**replies([0, 1, 2, 7]), 3: b"again"}


def test_whatever_is_flipped_in_the_last_frame_it_is_not_believed(tmp_path, log):
    content, ends = log
    chance = random.Random(1)
    for at in range(ends[2], ends[3]):
        damaged = bytearray(content)
        damaged[at] ^= 1 << chance.randrange(8)
        folder = left_behind(tmp_path / str(at), damaged)
        assert found(folder, range(4)) == replies(range(3))


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"TMJ1", b"TMJ1" + b"\xff" * 60, os.urandom(500)], ids=range(4))
def test_rubbish_after_the_last_frame_is_cut_off(tmp_path, log, tail):
    folder = left_behind(tmp_path / "journal", log[0] + tail)
    assert found(folder, range(4)) == replies(range(4))
    assert (folder / "1.log").read_bytes() == log[0]


def test_damage_in_the_middle_costs_its_own_frame_alone(tmp_path, log):
    content, ends = log
    for at in range(ends[0], ends[2]):
        damaged = bytearray(content)
        damaged[at] ^= 1 << at % 8
        lost = 1 if at < ends[1] else 2
        assert found(left_behind(tmp_path / str(at), damaged), range(4)) == replies({0, 1, 2, 3} - {lost})


def test_damage_in_a_finished_segment_costs_its_own_frame_alone(tmp_path, log):
    add_in_turn(tmp_path, *map(entry, range(4)))
    path = only(tmp_path, "*.log")
    content = bytearray(path.read_bytes())
    content[log[1][1] + 40] ^= 4
    path.write_bytes(content)
    assert found(tmp_path, range(4)) == replies([0, 1, 3])
    assert add(tmp_path, entry(2, b"again")) == [b"again"]
    assert found(tmp_path, range(4)) == {**replies([0, 1, 3]), 2: b"again"}


# Indexes


def test_an_index_that_is_not_whole_is_ignored(tmp_path):
    add_in_turn(tmp_path, *map(entry, range(6)))
    path = only(tmp_path, "*.idx")
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        assert found(tmp_path, range(8)) == replies(range(6))
        assert path.read_bytes() == content  # and made anew


def test_an_index_with_a_flipped_bit_is_ignored(tmp_path):
    add_in_turn(tmp_path, *map(entry, range(6)))
    path = only(tmp_path, "*.idx")
    content = path.read_bytes()
    for at in range(len(content)):
        damaged = bytearray(content)
        damaged[at] ^= 1 << at * 3 % 8
        path.write_bytes(damaged)
        assert found(tmp_path, range(8)) == replies(range(6))


def test_the_index_of_a_shorter_log_is_ignored(tmp_path, log):
    content, ends = log
    folder = left_behind(tmp_path / "journal", content[: ends[1]])
    assert found(folder, range(4)) == replies(range(2))
    assert (folder / "1.idx").is_file()
    (folder / "1.log").write_bytes(content)
    assert found(folder, range(4)) == replies(range(4))


# A full disk


@pytest.fixture
def full(monkeypatch):
    """A switch: once set, a log takes half of what is written to it and then says that the disk is full."""
    switch, write = Event(), os.write

    def refusing(file, content):
        if not switch.is_set():
            return write(file, content)
        if len(content) > 8:
            return write(file, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", refusing)
    return switch


def test_a_full_disk_refuses_and_leaves_the_log_as_it_was(tmp_path, full):
    async def job():
        journal = Journal(tmp_path)
        await journal.add(entry(1))
        before = only(tmp_path, "*.log").read_bytes()
        full.set()
        refused = await asyncio.gather(*map(journal.add, map(entry, (2, 3))), return_exceptions=True)
        assert [type(each) for each in refused] == [DiskFull, DiskFull]
        assert only(tmp_path, "*.log").read_bytes() == before
        full.clear()
        assert (await journal.add(entry(4))).reply == entry(4).reply
        await journal.close()

    asyncio.run(job())
    assert found(tmp_path, range(9)) == replies([1, 4])


def test_a_disk_that_fills_up_at_the_end_of_a_segment_leaves_nobody_waiting(tmp_path, monkeypatch):
    def refuse(path, content):
        raise DiskFull(f"no space left for {path}")

    monkeypatch.setattr(journal, "SEGMENT_ENTRIES", 1)

    async def job():
        journal = Journal(tmp_path)
        await journal.add(entry(1))
        with monkeypatch.context() as patch:
            patch.setattr(segment, "replace", refuse)  # so that the index cannot be written
            with pytest.raises(DiskFull):
                await asyncio.wait_for(journal.add(entry(2)), 5)
        await journal.add(entry(3))
        await journal.close()

    asyncio.run(job())
    assert found(tmp_path, range(9)) == replies([1, 3])


def test_a_disk_with_errors_is_not_called_full(tmp_path, monkeypatch):
    def broken(file):
        raise OSError(errno.EIO, "Input/output error")

    async def job():
        journal = Journal(tmp_path)
        await journal.add(entry(1))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", broken)
            with pytest.raises(OSError, match="Input/output"):
                await journal.add(entry(2))
        await journal.close()

    asyncio.run(job())
    assert found(tmp_path, range(9)) == replies([1])


# Several runs


def test_the_first_of_two_open_runs_gives_the_reply(tmp_path):
    async def job():
        ours, theirs = Journal(tmp_path), Journal(tmp_path)
        assert (await theirs.add(entry(1, b"theirs"))).reply == b"theirs"
        assert (await ours.add(entry(1, b"ours"))).reply == b"theirs"
        await ours.close()
        await theirs.close()

    asyncio.run(job())
    assert found(tmp_path, [1]) == {1: b"theirs"}


def test_a_run_that_began_and_ended_meanwhile_gave_the_reply(tmp_path):
    async def job():
        ours = Journal(tmp_path)
        await asyncio.to_thread(add, tmp_path, entry(1, b"theirs"))
        assert (await ours.add(entry(1, b"ours"))).reply == b"theirs"
        await ours.close()

    asyncio.run(job())
    assert found(tmp_path, [1]) == {1: b"theirs"}


@pytest.mark.slow
def test_processes_at_once_agree_on_every_reply(tmp_path):
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(child("race", tmp_path, name)) for name in ("a", "b", "c")]
        for _, _, said in children:
            assert said.readline() == b"ready\n"
        for _, go, _ in children:
            go.write(b"go\n")
            go.flush()
        told = [orjson.loads(said.readline()) for _, _, said in children]
    assert told[0] == told[1] == told[2]
    assert len(told[0]) == 600
    assert len({reply[0] for reply in told[0].values()}) > 1, "one was always first: they did not race"
    assert found(tmp_path, range(600)) == {int(number): reply.encode() for number, reply in told[0].items()}


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_what_a_killed_process_was_told_is_durable_is_there(tmp_path, kills):
    chance = random.Random(kills)
    acknowledged = set()
    for kill in range(kills):
        with child("endless", tmp_path, str(kill)) as (process, _, said):
            said.readline()
            time.sleep(chance.uniform(0, 0.15))
            process.kill()
            told = said.read().split(b"\n")[:-1]  # what follows the last line break was cut off
        acknowledged.update(map(int, told))
        assert found(tmp_path, acknowledged) == replies(acknowledged)
    assert len(acknowledged) > 5 * kills


@contextlib.contextmanager
def child(job, folder, name):
    """This file as a process that does one of the jobs below, its standard input and its standard output."""
    command = [sys.executable, __file__, job, str(folder), name]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=path) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield process, process.stdin, process.stdout
        finally:
            process.kill()


async def race(folder, name):
    """Add the same 600 keys as the others, in an order of its own; tell what they hold."""
    journal = Journal(folder)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    numbers, kept = list(range(600)), {}
    random.Random(name).shuffle(numbers)
    for i in range(0, 600, 20):
        adding = (journal.add(entry(number, f"{name} {number}".encode())) for number in numbers[i : i + 20])
        for each in await asyncio.gather(*adding):
            kept[int.from_bytes(each.key[8:], "big")] = each.reply.decode()
    await journal.close()
    print(orjson.dumps({str(number): kept[number] for number in sorted(kept)}).decode(), flush=True)


async def endless(folder, name):
    """Add groups of keys for ever, and tell each as soon as it is said to be durable."""
    journal = Journal(folder)

    async def tell(number):
        await journal.add(entry(number))
        os.write(1, b"%d\n" % number)

    await journal.add(entry(1_000_000 * int(name)))  # whatever is imported late is imported now
    os.write(1, b"ready\n")
    for start in itertools.count(1_000_000 * int(name), 50):
        await asyncio.gather(*map(tell, range(start, start + random.randrange(1, 50))))


if __name__ == "__main__":
    asyncio.run({"race": race, "endless": endless}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3]))


def test_a_journal_of_more_segments_than_a_shell_allows_files_can_be_opened(tmp_path: Path):
    """Each run leaves a segment: after some hundreds, 1,024 open files are too few."""
    for number in range(40):
        segment = Segment.start(tmp_path)
        segment.append([Entry(number.to_bytes(16), 1, False, 1, b"{}")])
        segment.finish()
        segment.close()
    code = f"""
import resource
from pathlib import Path
resource.setrlimit(resource.RLIMIT_NOFILE, (60, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from pipelines.journal import Journal
journal = Journal(Path({str(tmp_path)!r}))
assert all(journal.find(number.to_bytes(16), 1) for number in range(40))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
