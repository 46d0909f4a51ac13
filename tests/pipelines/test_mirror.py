"""A data folder and its store: what was granted is in the store, wherever a run breaks off and goes on."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import journal, journal_mirror
from pipelines.journal import Journal
from pipelines.lease import Busy, Lease
from pipelines.mirror import Mirror, opened
from pipelines.remote import BadStore, Remote, StoreDown
from pipelines.segment import Entry, pack
from pipelines.store import Output, output_folder, read_output, write_output
from tests.bucket import Bucket, Fault
from tests.each import each_of
from tests.small import tree

# --- Replies, outputs and versions that are made in no time ----------------------------------------------------


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is gathered, nothing is tried again, and no lease is renewed."""
    monkeypatch.setattr(journal, "GATHER_SECONDS", 0)
    monkeypatch.setattr(journal_mirror, "PUT_SECONDS", 0)
    monkeypatch.setattr("pipelines.remote.WAITS", ())
    monkeypatch.setattr("pipelines.lease.RENEW_SECONDS", 1e6)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def mirror_of(bucket: Bucket, data: Path) -> Mirror:
    return Mirror(Remote(bucket, "bucket"), data, folder=data.name)


def entry(number: int, reply: bytes | None = None) -> Entry:
    return Entry(number.to_bytes(16, "big"), 100, False, 10, b"reply %d" % number if reply is None else reply)


def replies(numbers: Iterable[int]) -> dict[int, bytes]:
    return {number: entry(number).reply for number in numbers}


def add(mirror: Mirror, data: Path, *entries: Entry) -> list[bytes]:
    """What the journal grants, one commit for each entry, until the store fails."""
    granted: list[bytes] = []

    async def job() -> None:
        journal = Journal(data / "journal", mirror.journal())
        try:
            for each in entries:
                granted.append((await journal.add(each)).reply)
        finally:
            await journal.close()

    with contextlib.suppress(StoreDown):
        asyncio.run(job())
    return granted


def found(bucket: Bucket, data: Path, numbers: Iterable[int] = range(20)) -> dict[int, bytes]:
    """The replies that a machine with this data folder finds."""

    async def job() -> dict[int, bytes]:
        journal = Journal(data / "journal", mirror_of(bucket, data).journal())
        entries = {number: journal.find(entry(number).key, 100) for number in numbers}
        await journal.close()
        return {number: each.reply for number, each in entries.items() if each}

    return asyncio.run(job())


def an_output() -> Output:
    from pipelines.records import Facts, verdict

    facts = Facts.none()
    facts.verdicts.append(verdict(subjects=("a",), stage="test@1", draw=0, rule="test@1", status="pass"))
    return Output(facts, ["a"], [])


def a_version(data: Path, name: str = "v1", text: str = "some rows") -> Path:
    folder = data / "datasets" / "small" / name
    (folder / "facts").mkdir(parents=True)
    (folder / "facts" / "attempts.parquet").write_text(text)
    (folder / "version.json").write_bytes(orjson.dumps({"digest": text}))
    return folder


# --- The journal -----------------------------------------------------------------------------------------------


def test_a_reply_is_in_the_store_before_anyone_has_it(bucket: Bucket, tmp_path: Path) -> None:
    async def job() -> list[bool]:
        journal, seen = Journal(tmp_path / "a" / "journal", mirror_of(bucket, tmp_path / "a").journal()), []
        for number in range(4):
            await journal.add(entry(number))
            elsewhere = await asyncio.to_thread(found, bucket, tmp_path / f"elsewhere {number}")
            seen.append(elsewhere == replies(range(number + 1)))
        await journal.close()
        return seen

    assert asyncio.run(job()) == [True] * 4


def test_replies_that_wait_together_are_one_object(bucket: Bucket, tmp_path: Path) -> None:
    async def job() -> int:
        journal = Journal(tmp_path / "journal", mirror_of(bucket, tmp_path).journal())
        await asyncio.gather(*(journal.add(entry(number)) for number in range(500)))
        parts = len([how for how, path in bucket.requests if how == "put"])
        await journal.close()
        return parts

    assert asyncio.run(job()) <= 2


def test_gathering_for_a_store_takes_half_a_second_from_the_last_put(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = itertools.count(100.0, 0.125)
    monkeypatch.setattr(journal_mirror, "PUT_SECONDS", 0.5)
    monkeypatch.setattr(journal_mirror.time, "monotonic", lambda: next(now))
    mirror = mirror_of(bucket, tmp_path).journal()
    assert mirror.wait() == 0
    mirror.put("name", 0, b"frames")
    waits = [mirror.wait() for _ in range(5)]
    assert waits[0] <= 0.5
    assert waits[-1] == 0
    assert waits == sorted(waits, reverse=True)


def test_a_finished_segment_is_two_objects(bucket: Bucket, tmp_path: Path) -> None:
    add(mirror_of(bucket, tmp_path / "a"), tmp_path / "a", *map(entry, range(5)))
    assert [path.rpartition(".")[2] for path in sorted(bucket.objects)] == ["idx", "log"]
    assert [how for how, path in bucket.requests if path.endswith((".log", ".idx"))] == ["put", "put"]
    assert found(bucket, tmp_path / "b") == replies(range(5))


def test_long_segments_are_finished(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_mirror, "MOST_PARTS", 3)
    add(mirror_of(bucket, tmp_path / "a"), tmp_path / "a", *map(entry, range(8)))
    assert len(bucket.objects) == 2 * 3
    assert found(bucket, tmp_path / "b") == replies(range(8))


@pytest.mark.parametrize("block", [64, 1 << 20], ids=["small blocks", "large blocks"])
def test_of_a_finished_log_only_what_is_asked_for_is_read(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(journal_mirror, "BLOCK", block)
    add(mirror_of(bucket, tmp_path / "a"), tmp_path / "a", *map(entry, range(20)))
    bucket.fail(None, "refused")
    assert found(bucket, tmp_path / "b", []) == {}
    assert not [path for how, path in bucket.requests if how == "get" and path.endswith(".log")]
    assert found(bucket, tmp_path / "b", [17, 3]) == replies([17, 3])
    assert found(bucket, tmp_path / "b") == replies(range(20))
    bucket.fail(None, "refused")
    assert found(bucket, tmp_path / "b") == replies(range(20))
    assert {how for how, path in bucket.requests} == {"list"}, "all is here by now"


@pytest.mark.parametrize("damage", [b"", b"half of it", bytes(40)], ids=["empty", "short", "zeros"])
def test_a_damaged_index_is_made_anew(bucket: Bucket, tmp_path: Path, damage: bytes) -> None:
    add(mirror_of(bucket, tmp_path / "a"), tmp_path / "a", *map(entry, range(5)))
    index = next(path for path in bucket.objects if path.endswith(".idx"))
    bucket.objects[index] = damage
    assert found(bucket, tmp_path / "b") == replies(range(5))


def test_a_run_takes_in_what_another_machine_journals_and_finishes(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_mirror, "PULL_SECONDS", 0)

    async def job() -> None:
        ours = Journal(tmp_path / "a" / "journal", mirror_of(bucket, tmp_path / "a").journal())
        theirs = Journal(tmp_path / "b" / "journal", mirror_of(bucket, tmp_path / "b").journal())
        for number in range(3):
            await theirs.add(entry(number, b"theirs"))
            assert (await ours.add(entry(number, b"ours"))).reply == b"theirs"
        await ours.add(entry(10))
        await theirs.close()
        assert (await ours.add(entry(2, b"ours"))).reply == b"theirs"
        assert (await ours.add(entry(11))).reply == entry(11).reply
        await ours.close()

    asyncio.run(job())
    assert found(bucket, tmp_path / "c") == {0: b"theirs", 1: b"theirs", 2: b"theirs", **replies([10, 11])}


def test_of_two_replies_journaled_at_once_the_earlier_serves_everyone(bucket: Bucket, tmp_path: Path) -> None:
    async def job() -> None:
        ours = Journal(tmp_path / "a" / "journal", mirror_of(bucket, tmp_path / "a").journal())
        theirs = Journal(tmp_path / "b" / "journal", mirror_of(bucket, tmp_path / "b").journal())
        assert (await theirs.add(entry(1, b"theirs"))).reply == b"theirs"
        assert (await ours.add(entry(1, b"ours"))).reply == b"ours"  # it has not looked for a minute
        await ours.close()
        await theirs.close()

    asyncio.run(job())
    for machine in "abc":
        assert found(bucket, tmp_path / machine, [1]) == {1: b"theirs"}


def test_a_segment_that_was_left_behind_is_finished_by_who_finds_it(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left(bucket, [entry(number) for number in range(4)])
    assert found(bucket, tmp_path / "a") == replies(range(4))
    assert len(bucket.objects) == 4, "whoever wrote it may still live"
    monkeypatch.setattr(journal_mirror, "GROWS_SECONDS", 0)
    assert found(bucket, tmp_path / "b") == replies(range(4))
    assert [path.rpartition(".")[2] for path in sorted(bucket.objects)] == ["idx", "log"]
    assert found(bucket, tmp_path / "c") == replies(range(4))


def left(bucket: Bucket, entries: Sequence[Entry], name: str | None = None) -> list[str]:
    """Parts of a segment that a machine left behind, one for each entry; their names in order."""
    name, offset, names = name or f"{journal_mirror.time.time_ns():020d}-01234567", 0, []
    for each in entries:
        (frame,) = pack([each])
        names.append(f"bucket/journal/{name}/{offset:020d}")
        bucket.objects[names[-1]] = frame.content
        offset += len(frame.content)
    return names


@given(data=st.data(), count=st.integers(1, 6))
def test_parts_are_believed_up_to_the_first_that_is_missing(data: st.DataObject, count: int) -> None:
    """Whatever order they are listed in, whatever is lost, cut short or also there as a whole."""
    bucket = Bucket()
    names = left(bucket, [entry(number) for number in range(count)])
    lost = data.draw(st.sets(st.integers(0, count - 1)), "lost")
    cut = data.draw(st.none() | st.integers(0, count - 1), "cut short")
    if cut is not None:
        bucket.objects[names[cut]] = bucket.objects[names[cut]][: data.draw(st.integers(0, 30))]
    order = data.draw(st.permutations([name for at, name in enumerate(names) if at not in lost]))
    bucket.objects = {name: bucket.objects[name] for name in order}
    with tempfile.TemporaryDirectory() as folder:
        whole = next(at for at in range(count + 1) if at in {count, cut, *lost})
        assert found(bucket, Path(folder)) == replies(range(whole))
        assert found(bucket, Path(folder)) == replies(range(whole)), "and again with what was fetched"


@each_of([set(), {0}, {4}, {1, 2}, {0, 1, 2, 3, 4}])
def test_parts_that_are_left_beside_the_whole_change_nothing(remaining: set[int]) -> None:
    bucket = Bucket()
    with tempfile.TemporaryDirectory() as folder:
        add(mirror_of(bucket, Path(folder, "a")), Path(folder, "a"), *map(entry, range(5)))
        name = next(path for path in bucket.objects if path.endswith(".log"))
        names = left(bucket, [entry(number) for number in range(5)], name.split("/")[-1].removesuffix(".log"))
        for number in set(range(5)) - remaining:
            del bucket.objects[names[number]]
        assert found(bucket, Path(folder, "b")) == replies(range(5))
        assert found(bucket, Path(folder, "a")) == replies(range(5))
        assert len(bucket.objects) == 2, "who wrote them takes them away"


def test_what_a_disk_has_lost_comes_back(bucket: Bucket, tmp_path: Path) -> None:
    add(mirror_of(bucket, tmp_path), tmp_path, *map(entry, range(5)))
    (log,) = (tmp_path / "journal").glob("*.log")
    log.write_bytes(log.read_bytes()[:50])
    before = dict(bucket.objects)
    assert found(bucket, tmp_path) == replies(range(5))
    assert bucket.objects == before


# --- Faults ----------------------------------------------------------------------------------------------------


def work(bucket: Bucket, data: Path) -> list[bytes]:
    """A run in small: replies, an output, a version. What was granted of the replies; raises StoreDown."""
    mirror = mirror_of(bucket, data)
    lease = Lease(mirror.remote, "small", folder=data.name)
    granted: list[bytes] = []
    try:
        mirror.pull_run("small")
        (data / "runs" / "small" / "state.json").write_bytes(b'{"drawn":8}')
        granted += add(mirror, data, *map(entry, range(3)))
        folder = output_folder(data, "ab" * 16)
        if read_output(folder) is None and mirror.read_output(folder) is None:
            write_output(folder, an_output(), closure={}, keep=mirror.keep)
        if not (data / "datasets" / "small" / "v1").exists():
            a_version(data)
        mirror.push_run("small", lease)
    except StoreDown:
        return granted
    finally:
        lease.release()
    return granted


def check(bucket: Bucket, data: Path, granted: list[bytes]) -> None:
    """On another machine: every reply that was granted, and of all else all or nothing."""
    mirror, there = mirror_of(bucket, data), found(bucket, data)
    assert [there[number] for number in range(len(granted))] == granted
    assert mirror.read_output(output_folder(data, "ab" * 16)) in (None, an_output())
    mirror.pull_run("small")
    versions = tree(data / "datasets") if (data / "datasets").exists() else {}
    assert versions in ({}, WHOLE)
    if versions or mirror.read_output(output_folder(data, "ab" * 16)):
        assert (data / "runs" / "small" / "state.json").read_bytes() == b'{"drawn":8}'


WHOLE = {"small/v1/facts/attempts.parquet": b"some rows", "small/v1/version.json": b'{"digest":"some rows"}'}


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("fault", get_args(Fault))
def test_wherever_a_run_breaks_off_it_goes_on(fault: Fault, step: int, tmp_path: Path) -> None:
    calm = Bucket()
    assert work(calm, tmp_path / "calm") == list(replies(range(3)).values())
    assert len(calm.requests) > 25
    for at in range(get_args(Fault).index(fault) % step, len(calm.requests), step):
        bucket, here, there = Bucket(), tmp_path / str(at) / "here", tmp_path / str(at) / "there"
        bucket.fail(at, fault)
        granted: list[bytes] = []
        with contextlib.suppress(StoreDown, Busy):
            granted = work(bucket, here)
        bucket.fail(None, fault)
        for leases in [path for path in bucket.objects if "/lease/" in path]:
            del bucket.objects[leases]  # two minutes have passed
        check(bucket, there, granted)
        for machine in (here, there):
            assert work(bucket, machine) == list(replies(range(3)).values()), (at, machine.name)
            assert tree(machine / "datasets") == WHOLE
        check(bucket, tmp_path / str(at) / "third", list(replies(range(3)).values()))
        shutil.rmtree(tmp_path / str(at))


def test_a_reply_that_was_not_granted_is_not_lost_where_it_was_paid_for(bucket: Bucket, tmp_path: Path) -> None:
    bucket.fail(1, "refused")  # the first put, after the listing
    assert add(mirror_of(bucket, tmp_path / "a"), tmp_path / "a", entry(1)) == []
    bucket.fail(None, "refused")
    assert found(bucket, tmp_path / "b") == {}
    assert found(bucket, tmp_path / "a") == replies([1])
    assert found(bucket, tmp_path / "b") == replies([1])


def test_after_the_store_has_failed_nothing_more_is_granted(bucket: Bucket, tmp_path: Path) -> None:
    async def job() -> list[type]:
        journal = Journal(tmp_path / "journal", mirror_of(bucket, tmp_path).journal())
        bucket.fail(0, "unheard")  # the put: it has listed what is there just now
        told = [await asyncio.gather(journal.add(entry(number)), return_exceptions=True) for number in range(2)]
        await journal.close()
        return [type(each) for (each,) in told]

    assert asyncio.run(job()) == [StoreDown, StoreDown]
    assert found(bucket, tmp_path / "b") == replies([0])
    assert found(bucket, tmp_path) == replies([0])


# --- Outputs, runs and versions --------------------------------------------------------------------------------


def test_an_output_is_fetched_and_a_damaged_one_is_not_believed(bucket: Bucket, tmp_path: Path) -> None:
    key = "ab" * 16
    write_output(
        output_folder(tmp_path / "a", key), an_output(), closure={}, keep=mirror_of(bucket, tmp_path / "a").keep
    )
    assert list(bucket.objects)[-1].endswith("manifest.json")
    folder = output_folder(tmp_path / "b", key)
    assert mirror_of(bucket, tmp_path / "b").read_output(folder) == an_output()
    assert tree(folder) == tree(output_folder(tmp_path / "a", key))
    for name, content in list(bucket.objects.items()):
        bucket.objects[name] = content[:-1]
        assert mirror_of(bucket, tmp_path / "c").read_output(output_folder(tmp_path / "c", key)) is None
        assert not (tmp_path / "c").exists()
        bucket.objects[name] = content


def test_a_version_of_another_run_is_never_replaced(bucket: Bucket, tmp_path: Path) -> None:
    a_version(tmp_path / "a", text="theirs")
    mirror_of(bucket, tmp_path / "a").sync_versions("small")
    a_version(tmp_path / "b", text="ours")
    mirror_of(bucket, tmp_path / "b").sync_versions("small")
    home = tmp_path / "b" / "datasets" / "small"
    assert tree(home / "v1") == tree(tmp_path / "a" / "datasets" / "small" / "v1")
    (aside,) = home.glob("v1-here-*")
    assert (aside / "facts" / "attempts.parquet").read_text() == "ours"


def test_what_does_not_agree_with_the_list_of_a_version_is_not_fetched(bucket: Bucket, tmp_path: Path) -> None:
    a_version(tmp_path / "a")
    mirror_of(bucket, tmp_path / "a").sync_versions("small")
    bucket.objects["bucket/datasets/small/v1/facts/attempts.parquet"] = b"other rows"
    with pytest.raises(StoreDown, match=r"facts/attempts.parquet in the store is not what v1.json tells of"):
        mirror_of(bucket, tmp_path / "b").sync_versions("small")
    assert not [path for path in (tmp_path / "b").rglob("*") if path.is_file()]


def test_a_run_that_lost_its_lease_publishes_nothing(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def job() -> None:
        mirror = mirror_of(bucket, tmp_path / "a")
        async with mirror.run("small"):
            a_version(tmp_path / "a")
            bucket.objects["bucket/runs/small/lease/00000000000000000009"] = b"another's"

    with pytest.raises(Busy, match="while this one was out of reach"):
        asyncio.run(job())
    assert not [path for path in bucket.objects if "datasets" in path]


def test_what_is_forgotten_on_one_machine_is_forgotten_on_all(bucket: Bucket, tmp_path: Path) -> None:
    lines = {"a": [b'{"row":1}', b'{"row":2}'], "b": [b'{"row":2}', b'{"row":3}'], "c": []}
    for machine, told in lines.items():
        (tmp_path / machine).mkdir()
        (tmp_path / machine / "tombstones.jsonl").write_bytes(b"".join(line + b"\n" for line in told))
    for machine in "abcabc":
        mirror_of(bucket, tmp_path / machine).sync_tombstones()
    for machine, told in lines.items():
        now = (tmp_path / machine / "tombstones.jsonl").read_bytes().splitlines()
        assert now[: len(told)] == told
        assert sorted(now) == [b'{"row":1}', b'{"row":2}', b'{"row":3}']


def test_the_newer_of_two_states_is_kept(bucket: Bucket, tmp_path: Path) -> None:
    here, there = (tmp_path / machine / "runs" / "small" / "state.json" for machine in ("here", "there"))
    for path in (here, there):
        mirror_of(bucket, path.parents[2]).pull_run("small")

    def write(path: Path, drawn: bytes, *, put: bool) -> None:
        path.write_bytes(drawn)
        if put:
            mirror = mirror_of(bucket, path.parents[2])
            mirror._put_files("small")

    write(here, b"8", put=True)
    write(here, b"16", put=False)  # and then it was killed
    mirror_of(bucket, tmp_path / "here").pull_run("small")
    assert here.read_bytes() == b"16", "nobody else has gone on"
    mirror_of(bucket, tmp_path / "there").pull_run("small")
    assert there.read_bytes() == b"8"
    write(there, b"24", put=True)
    mirror_of(bucket, tmp_path / "here").pull_run("small")
    assert here.read_bytes() == b"24", "another machine has"


# --- Which store ------------------------------------------------------------------------------------------------


def test_without_a_store_nothing_is_mirrored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THOUGHTMILL_STORE", raising=False)
    assert opened(tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_a_data_folder_keeps_to_its_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "share").mkdir()
    monkeypatch.setenv("THOUGHTMILL_STORE", f"file://{tmp_path}/share")
    first, again = opened(tmp_path / "data"), opened(tmp_path / "data")
    assert first
    assert again
    assert first.folder == again.folder
    for other in (f"file://{tmp_path}/other", ""):
        monkeypatch.setenv("THOUGHTMILL_STORE", other)
        with pytest.raises(BadStore, match=r"data belongs to a store .*set THOUGHTMILL_STORE=file://.*/share"):
            opened(tmp_path / "data")


def test_what_was_made_before_there_was_a_store_is_put_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_output(output_folder(tmp_path / "a", "ab" * 16), an_output(), closure={})

    async def without_a_store() -> None:
        journal = Journal(tmp_path / "a" / "journal")
        await journal.add(entry(1))
        await journal.close()

    asyncio.run(without_a_store())
    (tmp_path / "share").mkdir()
    monkeypatch.setenv("THOUGHTMILL_STORE", f"file://{tmp_path}/share")
    a, b = opened(tmp_path / "a"), opened(tmp_path / "b")
    assert a
    assert b
    assert add(a, tmp_path / "a", entry(1, b"another")) == [entry(1).reply]
    assert b.read_output(output_folder(tmp_path / "b", "ab" * 16)) == an_output()
    assert add(b, tmp_path / "b", entry(1, b"another")) == [entry(1).reply]
