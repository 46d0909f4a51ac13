"""Killed at any moment: nothing is lost, nothing is doubled, and what was durable is never asked for again."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from flows.make import prepare
from pipelines.inference.engine import read
from pipelines.inference.model import Model, asking
from pipelines.records import from_table
from pipelines.segment import HEADER, Entry, content_length, is_whole, unpack
from pipelines.store import KINDS, scan
from tests.server import running

ROOT = Path(__file__).parents[2]
RECIPE = "cot-self-instruct"
SAMPLES = 8  # that its stage `expand` asks for
IN_FLIGHT = 24

FEW = pytest.param(2, 6, id="2 kills")
MANY = pytest.param(20, 60, id="20 kills", marks=[pytest.mark.slow, pytest.mark.timeout(600)])


# A command that is killed


@dataclass
class Server:
    """The test server in a process of its own, and how much of its log was read."""

    url: str
    log: Path
    read: int = 0

    def stats(self) -> dict[str, int]:
        with urllib.request.urlopen(self.url.removesuffix("/v1") + "/stats") as reply:
            return orjson.loads(reply.read())

    def settle(self) -> None:
        """Wait until it has noticed that its client is gone."""
        before = None
        while (now := self.stats()) != before or now["in_flight"]:
            before = now
            time.sleep(0.02)

    def news(self) -> list[dict[str, Any]]:
        """The lines of the log since the last call: requests, answered or not."""
        content = self.log.read_bytes()[self.read :]
        self.read += len(content)
        return [orjson.loads(line) for line in content.splitlines()]


@pytest.fixture
def server(tmp_path, request):
    options = ["--author", "builtin", "--latency", "0.05", "--jitter", "0.05", *getattr(request, "param", [])]
    log = tmp_path / "requests.jsonl"
    with running(*options, "--log", str(log)) as (url, _):
        yield Server(url, log)


def command(*changes: str) -> list[str]:
    flags = [word for change in changes for word in ("--set", change)]
    return [sys.executable, "-m", "flows.cli", "run", RECIPE, "--quiet", *flags]


def asking_it(server: Server, accepted: int) -> list[str]:
    """The changes to the recipe that make it ask the server."""
    teacher = [f"models.teacher=openai:test@{server.url}", f"models.teacher.in_flight={IN_FLIGHT}"]
    return [*teacher, f"target.accepted={accepted}", "shard=8"]


def start(words: list[str], data: Path) -> subprocess.Popen[bytes]:
    """The command, in a process group of its own."""
    place = {**os.environ, "THOUGHTMILL_DATA": str(data)}
    place.pop("PREFECT_API_URL", None)
    told = (data.parent / f"{data.name}.txt").open("ab")
    with told:
        return subprocess.Popen(words, cwd=ROOT, env=place, stdout=told, stderr=told, start_new_session=True)


def finish(words: list[str], data: Path) -> None:
    told = data.parent / f"{data.name}.txt"
    assert start(words, data).wait(timeout=300) == 0, told.read_text()


def kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it had ended already: there was nothing to kill"


@dataclass
class Life:
    """What one process of the run did until its end."""

    sent: list[frozenset[bytes]]  # each request, as the keys that it may have in the journal
    unanswered: int  # of these, when it ended
    entries: list[Entry]  # everything in the journal afterwards

    def replies(self) -> dict[bytes, bytes]:
        """What models said, without what else is journaled."""
        return {entry.key: entry.reply for entry in self.entries if b'"choices"' in entry.reply}

    def lost(self) -> int:
        """How many requests had no durable reply when it ended."""
        return sum(1 for keys in self.sent if not keys & self.replies().keys())


def journaled(data: Path) -> Iterator[Entry]:
    """Every entry of the journal, read without mending anything."""
    for path in sorted((data / "journal").glob("*.log")):
        content, at = path.read_bytes(), 0
        while True:
            header = content[at : at + HEADER.size]
            body = content[at + len(header) : at + len(header) + content_length(header)]
            if not is_whole(header, body):
                break
            yield from unpack(header, body)
            at += len(header) + len(body)


def life(server: Server, data: Path, changes: list[str]) -> Life:
    """What happened since the last call."""
    server.settle()
    model = prepare(RECIPE, changes=changes).models["teacher"]
    lines = server.news()
    sent = [keys_of(model, orjson.loads(line["body"])) for line in lines]
    return Life(sent, sum(line["status"] == 0 for line in lines), list(journaled(data)))


def keys_of(model: Model, body: dict[str, Any]) -> frozenset[bytes]:
    """The keys that a request may have in the journal; which sample it is for, it does not say."""
    asked = asking(model, model.sampling, body["messages"])
    return frozenset(asked.request(seed=body["seed"], sample=sample, draw=0)[0] for sample in range(SAMPLES))


@dataclass
class Killed:
    """A run that was killed again and again until it came to its end."""

    kills: int
    expected: int  # requests of the whole run
    chance: random.Random
    lives: list[Life] = field(default_factory=list)

    def run(self, server: Server, data: Path, accepted: int) -> None:
        changes = asking_it(server, accepted)
        for number in range(self.kills):
            process = start(command(*changes), data)
            self.wait(server, process, at_start=number % 3 == 2)
            kill(process)
            self.lives.append(life(server, data, changes))
        finish(command(*changes), data)
        self.lives.append(life(server, data, changes))

    def wait(self, server: Server, process: subprocess.Popen[bytes], *, at_start: bool) -> None:
        """Until the moment of the kill: some requests later, or while it starts and reads what is there."""
        if not at_start:
            later = server.stats()["requests"] + self.chance.randrange(
                1, max(2, int(1.2 * self.expected / self.kills))
            )
            while server.stats()["requests"] < later and process.poll() is None:
                time.sleep(0.005)
        time.sleep(self.chance.uniform(0, 0.6 if at_start else 0.1))


# What must hold


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def version(data: Path) -> Path:
    (folder,) = (data / "datasets" / RECIPE).glob("v*")
    return folder


def check_sent(killed: Killed) -> None:
    """No request went out whose reply was durable, and no more were repeated than had been under way."""
    for before, after in zip(killed.lives, killed.lives[1:], strict=False):
        again = [keys for keys in after.sent if keys & before.replies().keys()]
        assert again == []
    times = Counter(keys for each in killed.lives for keys in each.sent)
    repeated, lost = sum(times.values()) - len(times), [each.lost() for each in killed.lives]
    assert lost[-1] == 0
    assert repeated <= sum(lost)
    unanswered = [each.unanswered for each in killed.lives]
    assert max(unanswered) <= IN_FLIGHT
    assert sum(lost) <= 2 * IN_FLIGHT * killed.kills  # answers wait for one commit, and seldom for a slow one
    print(f"{killed.kills} kills, {len(times)} requests, {repeated} repeated")
    print(f"not durable at the kills {lost}, of these unanswered {unanswered}")


def check_journal(killed: Killed) -> None:
    """What is once in the journal stays as it is, and there is one reply to a request."""
    for before, after in zip(killed.lives, killed.lives[1:], strict=False):
        assert after.entries[: len(before.entries)] == before.entries
    keys = [entry.key for entry in killed.lives[-1].entries]
    assert len(keys) == len(set(keys))


def check_facts(folder: Path, replies: dict[bytes, bytes]) -> None:
    """Every fact is there once, with its parents, and says what was journaled."""
    facts = {
        name: [fact for table in scan([folder / "facts"], name) for fact in from_table(kind, table)]
        for name, kind in KINDS.items()
    }
    ids = [fact.id for each in facts.values() for fact in each]
    assert len(ids) == len(set(ids))
    above = [id for fact in (*facts["problems"], *facts["attempts"]) for id in fact.parents]
    assert {*above, *(id for fact in facts["verdicts"] for id in fact.subjects)} <= set(ids)
    for attempt in facts["attempts"]:
        (answer,) = read(orjson.loads(replies[bytes.fromhex(attempt.request)]))
        assert (attempt.turns[-1], attempt.finish) == (answer.turn, answer.finish)


@pytest.mark.parametrize(("kills", "accepted"), [FEW, MANY])
def test_a_killed_run_ends_as_an_undisturbed_one(server, tmp_path, kills, accepted):
    finish(command(*asking_it(server, accepted)), tmp_path / "undisturbed")
    killed = Killed(kills, len(server.news()), random.Random(kills))
    killed.run(server, tmp_path / "killed", accepted)
    check_sent(killed)
    check_journal(killed)
    folder = version(tmp_path / "killed")
    assert contents(folder) == contents(version(tmp_path / "undisturbed"))
    check_facts(folder, killed.lives[-1].replies())


@pytest.mark.parametrize(("kills", "accepted"), [FEW, MANY])
@pytest.mark.parametrize("server", [["--fresh"]], indirect=True, ids=["fresh"])
@pytest.mark.slow
def test_replies_once_journaled_never_change(server, tmp_path, kills, accepted):
    killed = Killed(kills, 25 * accepted, random.Random(kills + 1))
    killed.run(server, tmp_path / "killed", accepted)
    check_sent(killed)
    check_journal(killed)
    check_facts(version(tmp_path / "killed"), killed.lives[-1].replies())
    finish(command(*asking_it(server, accepted)), tmp_path / "killed")
    assert server.news() == []
    version(tmp_path / "killed")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kills", [2, 20])
def test_a_version_is_there_whole_or_not_at_all(tmp_path, kills):
    words, chance = command("target.accepted=4", "shard=8"), random.Random(kills)
    finish(words, tmp_path / "undisturbed")
    expected = contents(version(tmp_path / "undisturbed"))
    data, home = tmp_path / "killed", tmp_path / "killed" / "datasets" / RECIPE
    shutil.copytree(tmp_path / "undisturbed", data)
    for _ in range(kills):
        shutil.rmtree(home)
        process = start(words, data)
        while process.poll() is None and not (home.is_dir() and any(home.iterdir())):
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.2))  # while it writes the facts, the views and what is told about them
        process.kill()
        process.wait()
        assert all(contents(folder) == expected for folder in home.glob("v*"))
    finish(words, data)
    assert contents(version(data)) == expected


@pytest.fixture
def small_disk(tmp_path):
    """An empty disk of 120 KiB, where this process may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("may not mount a disk")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.slow
def test_a_run_goes_on_once_a_full_disk_has_room(tmp_path, small_disk):
    words, told = command("target.accepted=12", "shard=8"), tmp_path / "disk.txt"
    assert start(words, small_disk).wait(timeout=60) == 75
    assert re.fullmatch(
        r"thoughtmill: no space left for .*\. Run the same command again to go on\n", told.read_text()
    )
    paid = {entry.key: entry.reply for entry in journaled(small_disk)}
    assert paid
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    finish(words, small_disk)
    assert paid.items() <= {entry.key: entry.reply for entry in journaled(small_disk)}.items()
    finish(words, tmp_path / "undisturbed")
    assert contents(version(small_disk)) == contents(version(tmp_path / "undisturbed"))


@pytest.mark.slow
@pytest.mark.parametrize("server", [["--jitter", "0.2"]], indirect=True, ids=["slow"])
def test_a_run_that_has_enough_throws_nothing_away(server, tmp_path):
    """What is under way when the last row is accepted is paid for: it is awaited and kept for the next run."""
    changes = [*asking_it(server, 8), "models.teacher.in_flight=8", "shard=4"]
    finish(command(*changes), tmp_path / "data")
    ended = life(server, tmp_path / "data", changes)
    assert (ended.lost(), ended.unanswered) == (0, 0)
