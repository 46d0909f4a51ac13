"""Whole runs whose store is S3: the same facts, from whatever machine, and nothing is asked for twice."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import orjson
import pytest

from flows.make import prepare
from pipelines.lease import Busy, Lease
from pipelines.remote import at_once, remote_at
from tests.flows.test_killed import (
    RECIPE,
    Server,
    asking_it,
    command,
    contents,
    finish,
    keys_of,
    kill,
    start,
    version,
)
from tests.server import running
from tests.small import Site, tree
from tests.with_s3.conftest import S3

pytestmark = pytest.mark.slow


def test_a_run_makes_what_it_makes_without_a_store(s3: S3, site: Site, data: Path, monkeypatch) -> None:
    stored = site.turn()
    monkeypatch.delenv("THOUGHTMILL_STORE")
    monkeypatch.setenv("THOUGHTMILL_DATA", str(data.with_name("local")))
    local = site.turn()
    assert facts(stored.made.folder) == facts(local.made.folder)
    assert stored.requests == local.requests


def facts(folder: Path) -> dict[str, bytes]:
    """The bytes of a version, but for the recipe, which names the port of the test's server."""
    return tree(folder, but=lambda path: path.name == "recipe.toml")


def test_a_run_goes_on_from_the_store_alone(s3: S3, site: Site, data: Path) -> None:
    first = site.turn("target.candidates=12")
    shutil.rmtree(data)
    again = site.turn("target.candidates=12")
    assert (again.requests, again.made.is_new) == (0, False)
    assert tree(again.made.folder) == s3_tree(s3, "datasets/small/v1")
    shutil.rmtree(data)
    site.stage("screen")["rules"][1]["at_most"] = 0.69
    site.stage("verify")["rules"][1]["at_least"] = 0.1
    assert site.turn("target.candidates=12").requests == 0, "every reply is read from the journal"
    shutil.rmtree(data)
    more = site.turn("target.candidates=24")
    assert first.digests.isdisjoint(more.digests)
    assert sorted(path.name for path in more.made.folder.parent.iterdir()) == ["v1", "v2", "v3"]


def s3_tree(s3: S3, under: str) -> dict[str, bytes]:
    return {name.removeprefix(f"{under}/"): s3.remote.get(name) or b"" for name in s3.objects(under)}


def test_seeds_that_are_appended_elsewhere_change_no_earlier_draw(s3: S3, site: Site, data: Path) -> None:
    first = site.turn()
    shutil.rmtree(data)
    site.append_seeds(3)
    more = site.turn("target.candidates=32")
    assert first.digests.isdisjoint(more.digests), "where the draws of the new batch begin was in the store"


def test_of_many_who_create_an_object_one_succeeds(s3: S3) -> None:
    def create(number: int) -> bool:
        return remote_at(s3.url).create("lock", f"{number}".encode())

    assert sorted(at_once(create, range(8))) == [False] * 7 + [True]


def test_one_machine_makes_a_dataset(s3: S3) -> None:
    ours = Lease(s3.remote, "small", folder="ours")
    with pytest.raises(Busy, match="another run"):
        Lease(s3.remote, "small", folder="theirs")
    ours.renew()
    ours.check()
    ours.release()
    Lease(s3.remote, "small", folder="theirs").release()


@pytest.mark.timeout(600)
def test_a_run_that_is_killed_goes_on_on_another_machine(s3: S3, tmp_path: Path) -> None:
    """Killed four times, each time going on with nothing but the store."""
    chance, log = random.Random(4), tmp_path / "requests.jsonl"
    with running("--author", "builtin", "--latency", "0.05", "--jitter", "0.05", "--log", str(log)) as (url, _):
        server = Server(url, log)
        changes = asking_it(server, 12)
        model = prepare(RECIPE, changes=changes).models["teacher"]
        durable: set[bytes] = set()
        for machine in range(4):
            process = start(command(*changes), tmp_path / f"machine {machine}")
            later = server.stats()["requests"] + chance.randrange(5, 60)
            while server.stats()["requests"] < later and process.poll() is None:
                time.sleep(0.01)
            kill(process)
            server.settle()
            check_news(server, model, durable)
            durable |= s3.journaled().keys()
            s3.let_two_minutes_pass(RECIPE)
        finish(command(*changes), tmp_path / "last")
        check_news(server, model, durable)
        finish(command(*changes), tmp_path / "afterwards")
        assert server.news() == []
    made = [contents(version(tmp_path / name)) for name in ("last", "afterwards")]
    assert made[0] == made[1] == s3_tree(s3, f"datasets/{RECIPE}/v1")


def check_news(server: Server, model, durable: set[bytes]) -> None:
    """Nothing was asked for that was durable."""
    sent = [keys_of(model, orjson.loads(line["body"])) for line in server.news()]
    assert [keys for keys in sent if keys & durable] == []
