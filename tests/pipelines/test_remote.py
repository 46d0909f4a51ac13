"""Requests to a store: each kind of store does the same, what passes is tried again, and what is wrong is said."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pipelines import remote
from pipelines.lease import LEASE_SECONDS, Busy, Lease
from pipelines.remote import BadStore, Remote, StoreDown, at_once, is_safe, remote_at
from pipelines.shared_folder import SharedFolder
from tests.bucket import Bucket
from tests.each import each_of


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that would have been waited between tries."""
    seconds: list[float] = []
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds


@pytest.fixture(params=["bucket", "folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path, waited: list[float]) -> Remote:
    match request.param:
        case "bucket":
            return Remote(Bucket(), "bucket/prefix")
        case "folder":
            (tmp_path / "share").mkdir()
            return remote_at(f"file://{tmp_path}/share")
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory", use_listings_cache=False).store.clear()
    return remote_at("memory://bucket/prefix")


def test_what_was_put_is_there(store: Remote, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"from a file")
    store.put("a/b/c", b"first")
    store.put("a/b/c", b"0123456789")
    store.put_file("a/d", tmp_path / "file")
    store.put("ab", b"not below a")
    assert store.get("a/b/c") == b"0123456789"
    assert (store.get("a/b/c", 0), store.get("a/b/c", 3, 5)) == (b"0123456789", b"34")
    assert store.get("a/d") == b"from a file"
    assert store.sizes("a") == {"a/b/c": 10, "a/d": 11}


def test_what_was_not_put_or_was_removed_is_not_there(store: Remote) -> None:
    assert store.get("a/b") is None
    assert store.sizes("a") == {}
    store.put("a/b", b"here")
    store.remove(["a/b"])
    store.remove(["a/b"])
    store.remove([])
    assert store.get("a/b") is None
    assert store.sizes("a") == {}


def test_an_object_is_created_once(store: Remote) -> None:
    assert store.create("a/lock", b"mine")
    assert not store.create("a/lock", b"theirs")
    assert store.create("a/lock", b"mine"), "an earlier try whose answer was lost"
    assert store.get("a/lock") == b"mine"


def test_of_many_who_create_in_a_shared_folder_one_succeeds(tmp_path: Path) -> None:
    store, ready = remote_at(str(tmp_path)), threading.Barrier(8)

    def create(number: int) -> bool:
        ready.wait()
        return store.create("lock", f"{number}".encode())

    assert sorted(at_once(create, range(8))) == [False] * 7 + [True]


def test_nothing_half_written_is_seen_in_a_shared_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Remote(SharedFolder(), str(tmp_path))
    store.put("a/b", b"old")
    monkeypatch.setattr(remote, "WAITS", ())
    monkeypatch.setattr("pipelines.shared_folder._sync", lambda path: os.fsync(-1))
    with pytest.raises(StoreDown, match="a/b"):
        store.put("a/b", b"new")
    assert store.get("a/b") == b"old"
    assert store.sizes("a") == {"a/b": 3}
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


# What passes, and what does not


def test_what_passes_is_tried_again(waited: list[float]) -> None:
    bucket = Bucket()
    store = Remote(bucket, "bucket")
    for fault in ("refused", "unheard", "half"):
        bucket.fail(0, fault)
        store.put("a", fault.encode())
        assert store.get("a") == fault.encode()
    assert waited == [remote.WAITS[0]] * 3
    for fault in ("refused", "unheard"):
        bucket.fail(0, fault)
        assert store.create(f"new/{fault}", b"content"), fault


def test_a_store_that_stays_away_ends_the_run(waited: list[float]) -> None:
    bucket = Bucket()
    bucket.fail(0, "dead")
    with pytest.raises(StoreDown, match="failed at a: ConnectionError: request 9"):
        Remote(bucket, "bucket").put("a", b"content")
    assert waited == list(remote.WAITS)


def test_what_is_forbidden_is_not_tried_again(waited: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket()
    monkeypatch.setattr(
        bucket, "pipe_file", lambda *told, **also: (_ for _ in ()).throw(PermissionError("no rights"))
    )
    with pytest.raises(StoreDown, match="PermissionError: no rights"):
        Remote(bucket, "bucket").put("a", b"content")
    assert waited == []


def test_a_bucket_that_is_not_there_is_told(waited: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket()
    monkeypatch.setattr(
        bucket, "pipe_file", lambda *told, **also: (_ for _ in ()).throw(FileNotFoundError("no bucket"))
    )
    for write in (lambda store: store.put("a", b""), lambda store: store.create("a", b"")):
        with pytest.raises(BadStore, match="the store nowhere/at/all is not there: make it"):
            write(Remote(bucket, "nowhere/at/all"))
    assert waited == []


# Names and addresses


@each_of(
    [
        ("runs/a/state.json", True),
        ("a/b..c", True),
        ("../a", False),
        ("a/../../b", False),
        ("/etc/passwd", False),
        ("a\\b", False),
        ("a\0b", False),
    ]
)
def test_names_stay_below_the_folder(name: str, safe: bool) -> None:
    assert is_safe(name) == safe


@each_of(
    [
        ("s3://key:secret@bucket/prefix", "holds credentials"),
        ("s3://bucket/*", "a plain URL"),
        ("simplecache::s3://bucket", "a plain URL"),
        ("nosuch://bucket", "nosuch"),
        ("file:///not/mounted", "no such folder; make it, or mount"),
    ]
)
def test_an_address_that_cannot_be_is_refused_in_one_line(url: str, why: str) -> None:
    with pytest.raises(BadStore, match=why) as refused:
        remote_at(url)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


# Leases


class Clock:
    """The time of day, as it is set; hearts do not beat by themselves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1e9
        monkeypatch.setattr("pipelines.lease.time.time", lambda: self.now)
        monkeypatch.setattr("pipelines.lease.RENEW_SECONDS", 1e6)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_one_run_holds_a_dataset(clock: Clock) -> None:
    store = Remote(Bucket(), "bucket")
    ours = Lease(store, "data", folder="ours")
    with pytest.raises(Busy, match=r"another run \(process .*\) is making 'data'; wait for it.*ends in 120 s"):
        Lease(store, "data", folder="theirs")
    Lease(store, "other data", folder="theirs").release()
    ours.check()
    ours.release()
    Lease(store, "data", folder="theirs").release()


def test_the_lease_of_one_that_died_ends(clock: Clock) -> None:
    store = Remote(Bucket(), "bucket")
    dead = Lease(store, "data", folder="ours")
    clock.now += LEASE_SECONDS
    dead.renew()
    clock.now += LEASE_SECONDS + 59
    with pytest.raises(Busy, match="ends in 1 s"):
        Lease(store, "data", folder="theirs")
    clock.now += 2
    theirs = Lease(store, "data", folder="theirs")
    with pytest.raises(Busy, match="another run has begun"):
        dead.check()
    dead.renew()  # it had only been asleep
    with pytest.raises(Busy, match="another run has begun"):
        dead.check()
    theirs.check()
    dead.release()
    theirs.check()
    theirs.release()


def test_a_data_folder_takes_its_own_lease_over_at_once(clock: Clock) -> None:
    store = Remote(Bucket(), "bucket")
    dead, again = (Lease(store, "data", folder="ours") for _ in range(2))
    again.check()
    again.release()
    dead.release()


def test_of_two_who_find_a_lease_that_has_ended_one_gets_it(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Remote(Bucket(), "bucket")
    dead = Lease(store, "data", folder="dead")
    clock.now += 1000
    seen = store.sizes("runs/data/lease")
    first = Lease(store, "data", folder="first")
    with monkeypatch.context() as patch:
        patch.setattr(store, "sizes", lambda under: seen)
        with pytest.raises(Busy, match="just begun"):
            Lease(store, "data", folder="second")
    first.check()
    first.release()
    dead.release()


def test_a_lease_that_was_left_half_written_is_free(clock: Clock) -> None:
    bucket = Bucket()
    bucket.objects["bucket/runs/data/lease/00000000000000000007"] = b'{"who": "some'
    Lease(Remote(bucket, "bucket"), "data", folder="ours").release()
    assert list(bucket.objects) == ["bucket/runs/data/lease/00000000000000000008"]
