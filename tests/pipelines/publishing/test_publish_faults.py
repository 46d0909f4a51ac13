"""Whatever goes wrong on the way, and whoever else publishes: readers see a whole version, and no tag moves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest

from pipelines.hub import publish as ours
from pipelines.hub.publish import Published
from tests.hub_writing import FIRST, WritableHub
from tests.pipelines.publishing.released import REPO, WRITING, commits, main, outcome, refused, tagged

# huggingface_hub still uploads to LFS in the old way of its client.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


# --- Failures -------------------------------------------------------------------------------------------------


class Troubled:
    """Publishing v2 over v1 while something goes wrong, and again when nothing does. Of both only a few files."""

    def __init__(self, hub: WritableHub, publish, versions: tuple[Path, Path]) -> None:
        self.hub, self.publish, self.versions = hub, publish, versions
        publish(versions[0])
        self.before, self.objects = deepcopy(hub.repos), dict(hub.objects)

    def __call__(self, trouble: Callable[[int, str], str]) -> int:
        """See what readers find in between, and what comes of it; how many requests there were until then."""
        hub, old = self.hub, self.before[REPO].commits[self.before[REPO].tags["v1"]]
        hub.repos, hub.objects, hub.seen, hub.trouble = deepcopy(self.before), dict(self.objects), [], trouble
        if (told := outcome(lambda: self.publish(self.versions[1]))) and isinstance(told, str):
            assert len(told.splitlines()) == 1
        requests, between = len(hub.seen), deepcopy(hub.repos[REPO])
        hub.trouble = lambda number, kind: "ok"
        done = self.publish(self.versions[1])
        assert done.sha == hub.repos[REPO].tags["v2"] == hub.repos[REPO].refs["main"]
        assert commits(hub) == 2
        assert tagged(hub, "v1") == old
        assert between.commits[between.refs["main"]] in (old, main(hub))
        assert between.tags.get("v2") in (None, done.sha)
        return requests


@pytest.fixture
def troubled(hub, laid, publish, versions, naps, monkeypatch) -> Troubled:
    few = ("data/sft/", "data/rl/", "recipe.toml", "version.json")
    less = {
        folder: each._replace(files=tuple(file for file in each.files if file.path.startswith(few)))
        for folder, each in laid.items()
    }
    monkeypatch.setattr(ours, "layout", lambda folder, into: less[folder])
    return Troubled(hub, publish, versions)


@pytest.mark.slow
def test_wherever_it_breaks_off_readers_see_old_or_new_and_the_next_time_completes_it(troubled):
    """From the n-th request on no answer arrives, though what was asked is done."""
    requests = troubled(lambda number, kind: "ok")
    assert requests > 12
    for n in range(requests):
        troubled(lambda number, kind, n=n: "cut" if number >= n else "ok")


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["lost", "500", "403"])
def test_nor_does_it_matter_how(troubled, fault):
    for n in range(troubled(lambda number, kind: "ok")):
        troubled(lambda number, kind, n=n: fault if number >= n else "ok")


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["lost", "cut", "500", "503", "429", "403", "401", "html"])
def test_a_fault_at_any_one_request_does_no_harm(troubled, fault):
    for n in range(troubled(lambda number, kind: "ok")):
        troubled(lambda number, kind, n=n: fault if number == n else "ok")


@pytest.mark.parametrize("kind", ["info", "put", "commit", "tag"])
def test_what_passes_is_waited_for(hub, publish, versions, naps, kind):
    hub.retry_after = 7
    hub.schedule[kind] = ["429", "503", "cut"] if kind in ("commit", "tag") else ["429", "503"]
    naps.clear()
    assert publish(versions[0], waits=(0.5, 0.5, 0.5)).is_new
    assert not hub.schedule[kind]
    assert commits(hub) == 1
    assert max(naps) in (7, 8)  # as the Hub said; the library itself adds one


def test_a_lost_answer_to_the_first_creation_is_made_good(hub, publish, versions):
    hub.schedule["create"] = ["cut"]
    refused(lambda: publish(versions[0]))
    assert publish(versions[0]).is_new
    assert hub.repos[REPO].private


# --- Several at once ------------------------------------------------------------------------------------------


@pytest.fixture
def together(monkeypatch) -> None:
    """Two publishers have both looked what is there before either commits."""
    barrier, commit = Barrier(2, timeout=30), ours._commit
    monkeypatch.setattr(ours, "_commit", lambda release, main: (barrier.wait(), commit(release, main))[1])


def at_once(*calls: Callable[[], Published]) -> list[Published | str]:
    with ThreadPoolExecutor(len(calls)) as threads:
        return [*threads.map(outcome, calls)]


def test_of_two_publishers_one_wins_and_the_other_says_so(hub, publish, versions, together):
    hub.commit(REPO, FIRST)
    outcomes = at_once(*(partial(publish, version) for version in versions))
    [won] = [each for each in outcomes if isinstance(each, Published)]
    [lost] = [each for each in outcomes if isinstance(each, str)]
    assert "somebody else has changed ada/sums meanwhile" in lost
    assert hub.repos[REPO].tags == {won.tag: won.sha}
    assert commits(hub) == 1


def test_two_publishers_of_the_same_version_both_get_it(hub, publish, versions, together):
    hub.commit(REPO, FIRST)
    one, other = at_once(*[partial(publish, versions[0])] * 2)
    assert one == other
    assert commits(hub) == 1


def test_a_commit_between_looking_and_committing_is_not_covered(hub, publish, versions):
    publish(versions[0])

    def meanwhile(number: int, kind: str) -> str:
        if kind == "commit":
            hub.commit(REPO, {"notes.md": b"by somebody else"})
        return "ok"

    hub.trouble = meanwhile
    assert "somebody else has changed" in refused(lambda: publish(versions[1]))
    assert "v2" not in hub.repos[REPO].tags
    hub.trouble = lambda number, kind: "ok"
    publish(versions[1])
    assert tagged(hub, "v2")["notes.md"] == b"by somebody else"


@pytest.mark.parametrize("same", [True, False])
def test_a_tag_that_comes_first_is_looked_at(hub, publish, versions, same):
    """Somebody sets the tag just before we do: on this version, or on something else."""

    def meanwhile(number: int, kind: str) -> str:
        if kind == "tag":
            there = hub.repos[REPO]
            there.tags["v1"] = there.refs["main"] if same else next(iter(there.commits))
        return "ok"

    hub.trouble = meanwhile
    if same:
        assert publish(versions[0]).is_new
    else:
        assert "has a v1 of other content" in refused(lambda: publish(versions[0]))


def test_a_tag_of_other_content_is_never_moved(hub, publish, versions, tmp_path):
    other = tmp_path / "small" / "v1"
    shutil.copytree(versions[1], other)
    publish(versions[0])
    hub.seen.clear()
    assert "has a v1 of other content, and tags are never moved" in refused(lambda: publish(other))
    assert hub.count(*WRITING) == 0
