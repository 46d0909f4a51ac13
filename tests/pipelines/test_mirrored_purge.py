"""What is purged or collected goes from the store and from every machine of it, wherever that breaks off."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from flows.cli_house import forget
from pipelines import journal, journal_mirror
from pipelines.gc import DAY, InUse, collect, preview
from pipelines.journal import Journal
from pipelines.lease import HOUSE, Busy, Lease
from pipelines.merge import entries, frames
from pipelines.mirror import Mirror, opened
from pipelines.purge import purge
from pipelines.records import Attempt
from pipelines.release import versions
from pipelines.remote import Remote, StoreDown
from pipelines.segment import Entry
from pipelines.store import Output, output_folder, read_output, write_output
from pipelines.tombstones import Tombstone, append, read_stones, text_digests
from tests.bucket import Bucket, Fault
from tests.versions import candidate, together, write_version

SECRET = "Where does Zoe Quill live?"
GONE, STAYS = candidate(0, question=SECRET), candidate(1, question="What is 3 + 1?")
STONE = Tombstone("row", tuple(each.id for each in GONE.problems), text_digests(SECRET))
KEY = "ab" * 16
SAID = [*GONE.attempts, *STAYS.attempts]
WANTED = {each.request for each in STAYS.attempts}
LEFT = ["forgotten.json", "prompts", "recipe.toml"]  # of a version


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "GATHER_SECONDS", 0)
    monkeypatch.setattr(journal_mirror, "PUT_SECONDS", 0)
    monkeypatch.setattr("pipelines.remote.WAITS", ())
    monkeypatch.setattr("pipelines.lease.RENEW_SECONDS", 1e6)
    monkeypatch.setenv("THOUGHTMILL_STORE", "memory://bucket")


class World:
    """A store, and the data folders of some machines. What belongs to them is told by `here`."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> None:
        self.home, self.bucket = home, bucket
        monkeypatch.setattr("pipelines.mirror.remote_at", lambda url: Remote(self.bucket, "bucket"))

    def __truediv__(self, machine: str) -> Path:
        return self.home / machine

    def run(self, machine: str, work: Callable[[Path, Mirror], None] = lambda data, mirror: None) -> None:
        """A run in small on one machine, which also opens and closes the journal."""

        async def job() -> None:
            mirror = opened(self / machine)
            assert mirror
            async with mirror.run("sums"):
                await asyncio.to_thread(work, self / machine, mirror)
                await Journal(self / machine / "journal", mirror.journal()).close()

        asyncio.run(job())

    def replies(self, machine: str) -> set[str]:
        """The requests to which a machine finds replies."""
        mirror = opened(self / machine)
        assert mirror

        async def job() -> set[str]:
            read = Journal(self / machine / "journal", mirror.journal())
            found = {each.request for each in SAID if read.find(bytes.fromhex(each.request), 100)}
            await read.close()
            return found

        return asyncio.run(job())

    def holding(self) -> list[str]:
        """Everything, in the store or on a machine, that holds the forgotten text."""
        shutil.rmtree(self / "store", ignore_errors=True)
        for name, content in self.bucket.objects.items():
            path = self / "store" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return [str(path.relative_to(self.home)) for path, text in texts(self.home) if "Zoe Quill" in text]

    def let_two_minutes_pass(self) -> None:
        for path in [path for path in self.bucket.objects if "/lease/" in path]:
            del self.bucket.objects[path]


def texts(home: Path) -> Iterator[tuple[Path, str]]:
    """Every file as text: the replies in logs and parts of them, and the rows of Parquet."""
    logs = [path for path in home.rglob("*") if path.is_file() and (path.suffix == ".log" or path.name.isdigit())]
    for path in logs:
        yield path, "".join(entry.reply.decode() for frame in frames(path) for entry in entries(frame))
    for path in [path for path in home.rglob("*.parquet") if path.is_file()]:
        yield path, parquet(path)
    for path in home.rglob("*"):
        if path.is_file() and path not in logs and path.suffix != ".parquet":
            yield path, path.read_bytes().decode("utf-8", "replace")


def parquet(path: Path) -> str:
    import pyarrow.parquet as pq

    return orjson.dumps(pq.read_table(path).to_pylist()).decode()


def reply(of: Attempt) -> Entry:
    text = orjson.dumps({"choices": [{"message": {"content": of.text + (SECRET if of in GONE.attempts else "")}}]})
    return Entry(bytes.fromhex(of.request), 100, False, 10, text)


def add(data: Path, mirror: Mirror, said: Sequence[Attempt]) -> None:
    async def job() -> None:
        write = Journal(data / "journal", mirror.journal())
        for each in said:
            await write.add(reply(each))
        await write.close()

    asyncio.run(job())


def first(data: Path, mirror: Mirror) -> None:
    """What machine a makes: replies, an output that its run lists, and a version."""
    add(data, mirror, [*GONE.attempts[:2], *STAYS.attempts[:2]])
    write_output(output_folder(data, KEY), Output(together(GONE, STAYS), []), closure={}, keep=mirror.keep)
    (data / "runs" / "sums" / "shards.jsonl").write_bytes(orjson.dumps({"outputs": [f"ab/{KEY}"]}) + b"\n")
    write_version(data / "datasets" / "sums" / "v1", together(GONE, STAYS), prompts={"pose/plan": "Plan."})


def second(data: Path, mirror: Mirror) -> None:
    """What machine b adds: the other replies."""
    add(data, mirror, [*GONE.attempts[2:], *STAYS.attempts[2:]])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bucket]:
    """Machines a and b, which both have all that there is."""
    home, bucket = tmp_path_factory.mktemp("made"), Bucket()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_STORE", "memory://bucket")
        patch.setattr(journal_mirror, "PUT_SECONDS", 0)
        world = World(home, patch, bucket)
        world.run("a", first)
        world.run("b", second)
        assert world.replies("a") == world.replies("b") == {each.request for each in SAID}
    return home, bucket


@pytest.fixture
def world(made: tuple[Path, Bucket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The same, to be changed."""
    return a_copy(made, tmp_path / "world", monkeypatch)


def a_copy(made: tuple[Path, Bucket], home: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    shutil.copytree(made[0], home)
    bucket = Bucket()
    bucket.objects, bucket.put_at = dict(made[1].objects), copy.copy(made[1].put_at)
    return World(home, monkeypatch, bucket)


# --- Purging ---------------------------------------------------------------------------------------------------


def check_purged(world: World) -> None:
    """What was purged is nowhere, nobody brings it back, and all else is there for everyone."""
    for _ in range(2):
        for machine in ("b", "a", "new"):
            world.run(machine)
            assert world.replies(machine) == WANTED
            home = world / machine / "datasets" / "sums"
            assert versions(home) == []
            assert sorted(path.name for path in (home / "v1").iterdir()) == [
                "forgotten.json",
                "prompts",
                "recipe.toml",
            ]
    assert world.holding() == []


def test_what_is_purged_is_gone_from_the_store_and_from_every_machine(world: World) -> None:
    assert len(world.holding()) > 8
    append(world / "a", STONE)
    done = purge(world / "a")
    assert (done.replies, done.versions) == (3, ["sums@v1"])
    assert not [path for path in world.holding() if not path.startswith("b/")]
    check_purged(world)
    output = read_output(output_folder(world / "new", KEY))
    assert output
    assert [each.question for each in output.facts.problems if each.draw == 0] == ["", ""]
    assert STAYS.attempts == [each for each in output.facts.attempts if each.draw == 1]


@pytest.mark.slow
def test_purging_again_changes_nothing_and_makes_nobody_work_again(world: World) -> None:
    append(world / "a", STONE)
    purge(world / "a")
    check_purged(world)
    before = without_leases(world)
    assert purge(world / "a")[:4] == purge(world / "b")[:4] == (0, 0, [], [])
    assert without_leases(world) == before


def without_leases(world: World) -> dict[str, bytes]:
    return {path: content for path, content in world.bucket.objects.items() if "/lease/" not in path}


STEPS: dict[Fault, int] = {"unheard": 1, "dead": 1, "refused": 3, "half": 3}  # the latter two are much like these
EVERYWHERE = [pytest.param(fault, step, marks=pytest.mark.slow) for fault, step in STEPS.items()]


@pytest.mark.parametrize(("fault", "step"), [("unheard", 97), *EVERYWHERE])
def test_wherever_a_purge_breaks_off_it_goes_on(
    made: tuple[Path, Bucket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, step: int
) -> None:
    at, is_done = step // 2, False
    while not is_done:
        world = a_copy(made, tmp_path / "world", monkeypatch)
        append(world / "a", STONE)
        world.bucket.fail(at, fault)
        with contextlib.suppress(StoreDown, InUse):
            purge(world / "a")
        is_done = len(world.bucket.requests) <= at
        world.bucket.fail(None, fault)
        world.let_two_minutes_pass()
        check_between(world)
        purge(world / "a")
        check_purged(world)
        shutil.rmtree(world.home)
        at += step


def check_between(world: World) -> None:
    """Old or new, and nothing that was to stay is lost."""
    for machine in ("third", "b"):
        world.run(machine)
        assert world.replies(machine) >= WANTED
        home = world / machine / "datasets" / "sums"
        assert [folder.name for folder in versions(home)] == ["v1"] or (home / "v1" / "forgotten.json").exists()
        output = read_output(output_folder(world / machine, KEY))
        assert output is None or [each.id for each in output.facts.attempts] == [each.id for each in SAID]
    shutil.rmtree(world / "third")


def test_a_folder_that_comes_to_the_store_later_brings_nothing_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made without a store, or is an old copy."""
    for machine in ("late", "backup"):
        shutil.copytree(world / "a", world / machine)
    (world / "late" / "store.json").unlink()
    append(world / "a", STONE)
    purge(world / "a")
    for machine in ("late", "backup"):
        world.run(machine)
        assert world.replies(machine) == WANTED
    check_purged(world)


def test_a_version_that_holds_what_is_forgotten_is_not_put(world: World, caplog: pytest.LogCaptureFixture) -> None:
    append(world / "a", STONE)
    write_version(world / "b" / "datasets" / "sums" / "v2", together(GONE))
    write_version(world / "b" / "datasets" / "sums" / "v3", together(STAYS))
    world.run("a")
    world.run("b")
    assert "sums@v2 stays here: it holds" in caplog.text
    there = {path.split("/")[3] for path in world.bucket.objects if path.startswith("bucket/datasets/sums")}
    assert there == {"v1", "v1.json", "v3", "v3.json"}


def test_a_number_that_was_purged_is_given_to_no_other_version(world: World) -> None:
    append(world / "a", STONE)
    purge(world / "a")
    write_version(world / "new" / "datasets" / "sums" / "v1", together(STAYS))  # before it knew of the store
    world.run("new")
    home = world / "new" / "datasets" / "sums"
    (aside,) = home.glob("v1-here-*")
    assert (aside / "version.json").exists()
    assert not (home / "v1" / "version.json").exists()


def test_what_a_machine_still_appends_to_is_told_and_purged_when_it_is_next_opened(world: World) -> None:
    mirror = opened(world / "b")
    assert mirror

    async def job() -> None:
        preview = Journal(world / "b" / "journal", mirror.journal())  # which takes no lease
        await preview.add(reply(GONE.attempts[0])._replace(limit=5, cut=True, tokens=5))
        done = await asyncio.to_thread(purge, world / "a")
        assert done.replies == 3
        assert [told for told in done.beyond if "another data folder may still append to this part" in told]
        await preview.close()

    append(world / "a", STONE)
    asyncio.run(job())
    check_purged(world)  # machine b, which comes first, has taken it out itself


def test_what_is_forgotten_is_told_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THOUGHTMILL_DATA", str(world / "a"))
    said = CliRunner().invoke(forget, ["sums", "0", "--reason", "asked for"])
    assert said.exit_code == 0, said.output
    opened(world / "b")
    assert read_stones(world / "b") == read_stones(world / "a") != []


# --- Who is at work --------------------------------------------------------------------------------------------


def test_nothing_is_removed_while_another_machine_makes_a_dataset(world: World) -> None:
    append(world / "a", STONE)
    before = without_leases(world)
    theirs = Lease(Remote(world.bucket, "bucket"), "other", folder="theirs")
    with pytest.raises(InUse, match=r"another run \(process .*\) is making 'other'; wait for it"):
        purge(world / "a")
    assert collect(world / "a", older_than=0, replies=True).under_way
    theirs.release()
    after = without_leases(world)
    assert {path for path in after if "tombstones" not in path} == before.keys()
    assert purge(world / "a").replies == 3


def test_no_run_begins_while_something_is_removed(world: World) -> None:
    theirs = Lease(Remote(world.bucket, "bucket"), HOUSE, folder="theirs")
    with pytest.raises(Busy, match=r"another run \(process .*\) is removing things from the store; wait for it"):
        world.run("a")
    theirs.release()
    world.run("a")


# --- Collecting ------------------------------------------------------------------------------------------------


def another_output(world: World, machine: str, key: str, *, age: float) -> Path:
    """An output that no run lists, so many seconds old, with its machine and in the store."""
    mirror, folder = opened(world / machine), output_folder(world / machine, key)
    assert mirror
    write_output(folder, Output(together(STAYS), []), closure={}, keep=mirror.keep)
    told = (folder / "manifest.json").stat().st_mtime - age
    os.utime(folder / "manifest.json", (told, told))
    for path in world.bucket.objects:
        if key in path:
            world.bucket.put_at[path] = told
    return folder


def stored_outputs(world: World) -> set[str]:
    return {path.split("/")[4][:2] for path in world.bucket.objects if path.startswith("bucket/runs/outputs/")}


def test_outputs_go_from_the_store_that_no_machines_run_lists(world: World) -> None:
    another_output(world, "a", "ca" * 16, age=8 * DAY)
    another_output(world, "b", "cb" * 16, age=8 * DAY)
    another_output(world, "b", "cc" * 16, age=1 * DAY)
    listed = another_output(world, "b", "cd" * 16, age=8 * DAY)
    world.run("b", lambda data, mirror: append_line(data / "runs" / "sums" / "shards.jsonl", listed))
    assert {path.name[:2] for path in preview(world / "a").rubbish.unneeded} == {"ca", "cb"}
    assert stored_outputs(world) == {"ab", "ca", "cb", "cc", "cd"}
    assert {path.name[:2] for path in collect(world / "a").rubbish.unneeded} == {"ca", "cb"}
    assert stored_outputs(world) == {"ab", "cc", "cd"}
    assert collect(world / "a").rubbish.unneeded == []


def append_line(path: Path, output: Path) -> None:
    with path.open("ab") as file:
        file.write(orjson.dumps({"outputs": [f"{output.name[:2]}/{output.name}"]}) + b"\n")


def test_replies_go_that_no_fact_of_any_machine_names(world: World) -> None:
    """One reply is named by an output, one by nothing any more, and all others by the version."""
    alone = Entry(bytes(16), 100, False, 10, b'{"choices": []}')
    mirror = opened(world / "b")
    assert mirror
    asyncio.run(added(world / "b", mirror, alone))
    shutil.rmtree(world / "a" / "datasets")
    later = 2e9
    kept = collect(world / "a", older_than=0, settled=0, now=later)
    assert kept.merged.replies == 0
    gone = collect(world / "a", older_than=0, settled=0, replies=True, now=later)
    assert gone.merged.replies == 1
    for machine in ("b", "a", "new"):
        world.run(machine)
        assert world.replies(machine) == {each.request for each in SAID}
    assert b'"choices": []' not in b"".join(text.encode() for _, text in texts(stored(world)))


async def added(data: Path, mirror: Mirror, entry: Entry) -> None:
    write = Journal(data / "journal", mirror.journal())
    await write.add(entry)
    await write.close()


def stored(world: World) -> Path:
    world.holding()
    return world / "store"


def test_what_would_go_of_replies_is_not_guessed(world: World) -> None:
    with pytest.raises(ValueError, match="cannot be told without fetching"):
        preview(world / "a", replies=True)


@pytest.mark.parametrize(("fault", "step"), [("dead", 97), *EVERYWHERE])
def test_wherever_collecting_breaks_off_no_reply_is_lost(
    made: tuple[Path, Bucket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, step: int
) -> None:
    at, is_done = step // 2, False
    while not is_done:
        world = a_copy(made, tmp_path / "world", monkeypatch)
        another_output(world, "b", "cb" * 16, age=8 * DAY)
        world.bucket.fail(at, fault)
        with contextlib.suppress(StoreDown):
            collect(world / "a", older_than=0, settled=0, replies=True, now=2e9)
        is_done = len(world.bucket.requests) <= at
        world.bucket.fail(None, fault)
        world.let_two_minutes_pass()
        for machine in ("third", "b"):
            world.run(machine)
            assert world.replies(machine) == {each.request for each in SAID}, at
        collect(world / "a", older_than=0, settled=0, replies=True, now=2e9)
        assert stored_outputs(world) == {"ab"}
        assert len([path for path in world.bucket.objects if path.endswith(".idx")]) == 1
        assert world.replies("new") == {each.request for each in SAID}
        shutil.rmtree(world.home)
        at += step
