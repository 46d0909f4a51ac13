"""Nights: each adds its rows to those of the nights before, and asks for nothing twice. Without Prefect."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import tomli_w
from aiohttp import web

from flows import make, notice
from flows.changes import funnel_in_words, note_of
from flows.goal import Goal, plan
from flows.make import Interrupted
from flows.run import Busy, Progress, State, locked
from flows.tonight import Night, tonight, when_free
from pipelines.recipe import BadRecipe
from pipelines.store import connect
from pipelines.versions.compare import Difference, compare
from pipelines.versions.facts import Row, Rows
from tests.each import each_of
from tests.server import Behaviour, Said, Server, running, serving
from tests.small import Site, attempts, author, loaded_bytes, problems, tree

IN_TIME = 60.0  # seconds after which a test gives up waiting


async def night_on(server: Server, site: Site, **how: Any) -> Night:
    """One night against a server that is there."""
    site.value["models"]["teacher"]["use"] = f"openai:test@{server.url}"
    return await tonight(site.write(), **how)


def night(site: Site, *, seen: list[bytes] | None = None, behaviour: Behaviour | None = None, **how: Any) -> Night:
    """One night against a server of its own; the digests of its requests are added to `seen`."""

    async def job() -> Night:
        async with serving(behaviour or Behaviour(author=author)) as server:
            made = await night_on(server, site, **how)
            if seen is not None:
                seen.extend(server.times.elements())
            return made

    return asyncio.run(job())


def questions(made: Night) -> list[str]:
    """The questions of a version's accepted rows."""
    with connect([made.made.folder / "facts"]) as connection:
        found = connection.execute(
            "select p.question from problems p join verdicts v on v.subjects[1] = p.id"
            " where v.rule = 'accepted@1' and v.status = 'pass' order by p.draw"
        ).fetchall()
    return [question for (question,) in found]


def pretend(site: Site, data: Path, *, accepted: int = 4, candidates: int = 16) -> Path:
    """A first version, as far as the plan for the next night looks at it; nothing is run for it."""
    recipe, version = make.prepare(site.write()), data / "datasets" / "small" / "v1"
    for name, text in recipe.prompts.items():
        path = version / "prompts" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (version / "recipe.toml").write_bytes(tomli_w.dumps(recipe.value).encode())
    (version / "ledger.json").write_bytes(orjson.dumps({"accepted": accepted, "candidates": candidates}))
    (version / "version.json").write_bytes(b"{}")
    home = data / "runs" / "small"
    home.mkdir(parents=True)
    state = State(home / "state.json")
    state.settle(recipe)
    state.begun(candidates)
    return version


# Two nights on growing seeds


def test_the_second_night_sends_only_what_is_new_and_adds_exactly_its_rows(site: Site, data: Path):
    site.value["target"] = {"candidates": 16}  # no draw lies beyond a version, so every request is of a new draw
    first_seen, second_seen = [], []
    first = night(site, seen=first_seen)
    site.append_seeds(6)
    second = night(site, seen=second_seen)

    assert (first.made.folder.name, second.made.folder.name) == ("v1", "v2")
    assert (first.made.ledger["candidates"], second.made.ledger["candidates"]) == (16, 32)
    old, new = attempts(first.made), attempts(second.made)
    assert new[: len(old)] == old
    assert {each.draw for each in new[len(old) :]} <= set(range(16, 32))
    assert len(first_seen) == len(set(first_seen)) == len(old)
    assert len(second_seen) == len(new) - len(old)
    assert not set(first_seen) & set(second_seen)

    rows = compare(first.made.folder, second.made.folder).rows
    assert (rows.only_old, rows.both) == (0, first.made.ledger["accepted"])
    assert rows.only_new == second.new_rows == second.made.ledger["accepted"] - first.made.ledger["accepted"] > 0
    assert appended(second)
    assert first.changes.startswith("# small@v1\n\nThe first version: ")
    assert f"# small@v2, after small@v1\n\nRows: {rows.only_new} new, {rows.both} stayed, 0 went.\n" in second.changes
    assert "- `target.candidates`: `16` → `32`" in second.changes
    assert (data / "runs/small/changes/v2.md").read_text(encoding="utf-8") == second.changes


def appended(made: Night) -> set[str]:
    """The seeds that only tonight's draws know."""
    late = {parent for each in problems(made.made) if (each.draw or 0) >= 16 for parent in each.parents}
    early = {parent for each in problems(made.made) if (each.draw or 99) < 16 for parent in each.parents}
    return late - early


@pytest.mark.slow
def test_each_night_adds_as_many_rows_as_are_asked_for_and_uses_what_was_made_too_much(site: Site):
    site.value["target"] = {"accepted": 7, "candidates": 60}
    seen: list[bytes] = []
    nights = [night(site, seen=seen, more=more) for more in (4, 4, None)]
    assert [each.made.ledger["accepted"] for each in nights] == [4, 8, 15]
    assert [each.new_rows for each in nights] == [4, 4, 7]
    for before, after in itertools.pairwise(nights):
        assert questions(after)[: before.made.ledger["accepted"]] == questions(before)
    assert len(seen) == len(set(seen))


def test_the_goal_grows_with_the_last_version(site: Site, data: Path):
    site.value["target"] = {"accepted": 3, "candidates": 40}
    assert plan(site.write()) == Goal(None, (0, 0), 3, 40)
    before = pretend(site, data, accepted=9, candidates=33)
    assert plan(site.write()) == Goal(before, (9, 33), 12, 73)
    assert plan(site.write(), more=5).changes == ["target.accepted=14", "target.candidates=73"]
    site.value["target"] = {"candidates": 40}
    assert plan(site.write()).changes == ["target.candidates=73"]
    with pytest.raises(BadRecipe, match="more = 0 should be at least 1"):
        plan(site.write(), more=0)


SHARES = [  # had, how far it is, what is wanted: which share of the night is done
    ("nothing yet", (100, 400), (100, 400), (150, 800), 0.0),
    ("reading what is there", (100, 400), (30, 100), (150, 800), 0.0),
    ("half of the rows", (100, 400), (125, 450), (150, 800), 0.5),
    ("the limit is nearer", (100, 400), (105, 700), (150, 800), 0.75),
    ("more than enough", (100, 400), (170, 500), (150, 800), 1.0),
    ("no target", (100, 400), (105, 700), (None, None), 0.0),
    ("nothing to do", (100, 400), (100, 400), (None, 400), 0.0),
]


@each_of(SHARES)
def test_progress_is_that_of_the_night(case: str, had: Any, now: Any, ends: Any, share: float):
    told = Progress(*ends, candidates=now[1], accepted=now[0])
    assert Goal(None, had, *ends).share(told) == pytest.approx(share)


# Rows that people bring


def brought(numbers: Sequence[int]) -> bytes:
    rows = [
        {"question": f"How much is {n} times {n + 7}, less {3 * n}?", "answer": str(n * (n + 4))} for n in numbers
    ]
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


@pytest.fixture
def bringing(site: Site) -> Site:
    site.value["stages"] = [
        {"use": "bring", "rows": "rows.jsonl"},
        {"name": "screen", "use": "sift", "rules": ["not_duplicate"]},
        {"use": "expand", "prompt": "solve/boxed", "n": 1},
    ]
    site.value["target"] = {}
    (site.folder / "rows.jsonl").write_bytes(brought(range(6)))
    return site


def test_appended_rows_are_the_night_and_copies_of_earlier_ones_are_no_rows(bringing: Site):
    seen: list[bytes] = []
    first = night(bringing, seen=seen)
    assert (first.made.ledger["accepted"], len(seen)) == (6, 6)

    idle = night(bringing, seen=seen)
    assert not idle.made.is_new
    assert (idle.new_rows, idle.changes, len(seen)) == (0, "", 6)
    assert idle.in_short == "small v1: nothing new"

    with (bringing.folder / "rows.jsonl").open("ab") as file:
        file.write(brought([3, 100, 0, 101, 100]))
    second = night(bringing, seen=seen)
    assert (second.new_rows, len(seen)) == (2, 8)
    assert second.made.ledger["not_accepted"] == {"not_duplicate": 3}
    assert questions(second)[:6] == questions(first)


def test_rows_that_do_not_begin_with_the_old_ones_are_refused(bringing: Site):
    night(bringing)
    for content in (brought(range(100, 106)), brought(range(5)), brought([0, 1, 2, 3, 4, 55, 6])):
        (bringing.folder / "rows.jsonl").write_bytes(content)
        with pytest.raises(BadRecipe, match="do not begin with those of v1: append new ones at the end"):
            plan(bringing.write())


# A night only adds


def test_a_recipe_that_asks_something_else_is_refused_before_anything_is_sent(site: Site, data: Path):
    changes = {
        "models.teacher.name: 'test' is 'another' now": "models.teacher=openai:another@http://127.0.0.1:9/v1",
        "models.teacher.sampling.temperature: 0.6 is 0.9 now": "models.teacher.sampling.temperature=0.9",
        "expand.n: 2 is 3 now": "expand.n=3",
        "seed: 0 is 1 now": "seed=1",
    }
    pretend(site, data)
    for said, change in changes.items():
        with pytest.raises(BadRecipe) as refused:
            plan(site.write(), changes=[change])
        assert f"({said}): a night only adds rows; give this recipe another --name" in str(refused.value)
        assert plan(site.write(), changes=[change], dataset="another").before is None


def test_a_prompt_with_other_words_is_refused(site: Site, data: Path):
    prompts = site.folder / "prompts" / "solve"
    prompts.mkdir(parents=True)
    text = Path("prompts/solve/boxed.md").read_text(encoding="utf-8")
    (prompts / "ours.md").write_text(text, encoding="utf-8")
    site.stage("expand")["prompt"] = "solve/ours"
    pretend(site, data)
    assert plan(site.write()).before
    (prompts / "ours.md").write_text(f"{text} Be brief.", encoding="utf-8")
    with pytest.raises(BadRecipe, match=r"does not ask what v1 asked \(prompt solve/ours\)"):
        plan(site.write())


def test_seeds_that_were_not_appended_to_are_refused(site: Site, data: Path):
    pretend(site, data)
    path = site.folder / "seeds.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[::-1]))
    with pytest.raises(BadRecipe, match="the seeds do not begin with those of v1"):
        plan(site.write())


def test_a_recipe_that_would_repeat_itself_is_refused(site: Site):
    site.stage("screen")["rules"] = ["form"]
    with pytest.raises(BadRecipe, match='the rule "not_duplicate"'):
        plan(site.write())


def test_rules_and_limits_may_change(site: Site, data: Path):
    first = pretend(site, data)
    site.stage("verify")["rules"][1] = {"rule": "pass_rate", "at_least": 1.0}
    site.value["models"]["teacher"]["in_flight"] = 3
    assert plan(site.write(), changes=["models.teacher.sampling.max_tokens=5000"]).before == first


@pytest.mark.slow
def test_a_night_continues_the_newest_version_that_asked_the_same(site: Site):
    """Somebody tried another temperature by hand; the nights go on where they were."""
    first = night(site, more=4)
    site.turn("models.teacher.sampling.temperature=0.9", "target.accepted=30")
    second = night(site, more=4)
    assert second.goal.before == first.made.folder
    assert (second.made.folder.name, second.made.ledger["accepted"]) == ("v3", 8)


# Two at once


def test_while_another_run_makes_the_dataset_a_night_leaves_or_waits(site: Site, data: Path):
    """Without waiting it leaves; a job that waits begins once the other has ended."""
    site.value["models"]["teacher"]["use"] = "builtin"
    recipe, home = site.write(), data / "runs" / "small"

    async def job() -> str:
        with locked(home, "small"):
            return "its turn"

    async def held() -> str:
        with locked(home, "small"):
            with pytest.raises(Busy, match="another run"):
                await tonight(recipe, more=3)
            waiting = asyncio.create_task(when_free(job, wait=IN_TIME, poll=0.001))
            await asyncio.sleep(0.01)
            assert not waiting.done()
        return await waiting

    assert asyncio.run(held()) == "its turn"
    assert not list(data.glob("datasets/*/v*"))


@pytest.mark.slow
def test_of_two_nights_at_once_the_second_adds_to_the_first(site: Site, monkeypatch: Any):
    site.value["models"]["teacher"]["use"] = "builtin"
    recipe = site.write()
    monkeypatch.setattr("flows.tonight.POLL", 0.01)

    async def both() -> list[Night]:
        return await asyncio.gather(*(tonight(recipe, more=3, wait=IN_TIME) for _ in range(2)))

    first, second = sorted(asyncio.run(both()), key=lambda each: each.made.folder.name)
    assert [each.made.ledger["accepted"] for each in (first, second)] == [3, 6]
    assert second.goal.before == first.made.folder


def test_waiting_ends_with_the_time_that_was_stated_or_with_its_turn():
    tried = 0

    async def job(free_at: int = 1_000_000) -> str:
        nonlocal tried
        tried += 1
        if tried < free_at:
            raise Busy("another run")
        return "its turn"

    with pytest.raises(Busy):
        asyncio.run(when_free(job, wait=0.0))
    assert tried == 1
    with pytest.raises(Busy):
        asyncio.run(when_free(job, wait=0.01, poll=0.001))
    tried = 0
    assert asyncio.run(when_free(lambda: job(free_at=3), wait=IN_TIME, poll=0.001)) == "its turn"
    assert tried == 3


# Told to end


def test_a_cancelled_night_keeps_everything_and_goes_on(site: Site):
    """SIGTERM comes with the tenth request; what is under way is answered, and no more is begun."""
    seen: list[bytes] = []
    asked = 0

    def ending(body: Any, index: int) -> str | Said:
        nonlocal asked
        asked += 1
        if asked == 10:
            os.kill(os.getpid(), signal.SIGTERM)
        return author(body, index)

    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]

    async def cancelled() -> None:
        async with serving(Behaviour(author=ending)) as server:
            with pytest.raises(Interrupted, match="stopped with"):
                await night_on(server, site, changes=["models.teacher.in_flight=2"])
            seen.extend(server.times.elements())
            assert server.in_flight == 0

    asyncio.run(cancelled())
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == before
    assert 10 <= len(seen) < 20

    after = night(site, seen=seen)
    assert len(seen) == len(set(seen)) == len(attempts(after.made))


NIGHT = "import asyncio, sys; from flows.tonight import tonight; asyncio.run(tonight(sys.argv[1]))"


@pytest.mark.slow
def test_a_night_that_is_killed_leaves_the_last_version_as_it_is(site: Site, data: Path):
    """Killed in the midst of its requests; the next night asks for nothing that the first was answered."""
    with running("--author", "builtin", "--latency", "0.1") as (url, _):
        site.value["models"]["teacher"] |= {"use": f"openai:test@{url}", "in_flight": 4}
        words = [sys.executable, "-c", NIGHT, site.write()]
        subprocess.run(words, check=True, timeout=IN_TIME)
        first, there = tree(data / "datasets/small"), stats(url)["digests"]

        site.append_seeds(6)
        with subprocess.Popen(words) as killed:
            deadline = time.monotonic() + IN_TIME
            while stats(url)["requests"] < len(there) + 10:
                assert killed.poll() is None
                assert time.monotonic() < deadline
            killed.kill()
        assert killed.returncode == -signal.SIGKILL
        assert tree(data / "datasets/small") == first

        subprocess.run(words, check=True, timeout=IN_TIME)
        again = stats(url)["digests"]
    assert {digest: again[digest] for digest in there} == dict.fromkeys(there, 1)
    rows = compare(data / "datasets/small/v1", data / "datasets/small/v2").rows
    assert (rows.only_old, rows.only_new > 0) == (0, True)
    assert {name: content for name, content in tree(data / "datasets/small").items() if name in first} == first


def stats(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats", timeout=IN_TIME) as reply:
        return orjson.loads(reply.read())


# What is told


NOTHING = Rows(4, 0, 0, 0, {}, {}, [], [])


def test_the_note_holds_texts_still():
    hostile = "`code` \n# heading | [link](http://evil.example) <script>alert(1)</script>"
    rows = NOTHING._replace(only_new=1, came_examples=[Row(3, "id", hostile, "not drawn")])
    note = note_of(Difference("small@v1", "small@v2", False, rows, [], [], [], [], [], [], []))
    assert note.startswith("# small@v2, after small@v1\n\nRows: 1 new, 4 stayed, 0 went.\n")
    [line] = [each for each in note.splitlines() if "evil" in each]
    assert line.startswith("- draw 3: `` `code`")
    assert line.endswith(" ``")


def test_the_funnel_is_a_table():
    steps = [{"step": "form", "lost": 1500, "left": 500}, {"step": "novelty: unsure", "lost": 100, "left": 400}]
    assert funnel_in_words(steps, 2000).splitlines()[2:] == [
        "| candidates | | 2,000 |",
        "| `form` | 1,500 | 500 |",
        "| `novelty: unsure` | 100 | 400 |",
    ]


@pytest.mark.slow
def test_a_run_by_hand_and_a_night_make_the_same(site: Site):
    made = night(site, more=5).made
    assert loaded_bytes(site.turn("target.accepted=5", dataset="by-hand").made) == loaded_bytes(made)
    assert asyncio.run(make.make(site.write(), changes=["target.accepted=5"])).folder == made.folder


# The webhook


class Hook:
    """A webhook that answers as it is told, one status after another (0: never), and keeps what it was sent."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.got: list[Any] = []

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.got.append(await request.json())
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 0:
            await asyncio.get_running_loop().create_future()  # cancelled when the client leaves
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})

    def post(self, body: Any, **how: Any) -> str | None:
        async def job() -> str | None:
            runner = web.ServerRunner(web.Server(self.answer, access_log=None, handler_cancellation=True))
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                url = "http://127.0.0.1:{1}/secret-token".format(*runner.addresses[0])
                return await notice.post(body, url, pause=0, **how)
            finally:
                await runner.cleanup()

        return asyncio.run(job())


HOOKS = [  # the statuses it answers with: what is said, how often it was asked
    ("taken", [200], None, 1),
    ("taken after a while", [503, 429, 500, 204], None, 4),
    ("never", [500, 500, 500, 500], "status 500, 4 times", 4),
    ("refused", [404], "status 404", 1),
    ("elsewhere", [302], "status 302", 1),
]


def test_a_webhook_that_hangs_is_left():
    assert Hook(0, 0, 0).post({}, tries=3, seconds=0.05) == "TimeoutError, 3 times"


@each_of(HOOKS)
def test_a_webhook_is_told_until_it_takes_it(case: str, statuses: list[int], said: str | None, asked: int):
    hook = Hook(*statuses)
    assert hook.post({"text": "small v2: 4 new"}) == said
    assert hook.got == [{"text": "small v2: 4 new"}] * asked


def test_an_address_that_does_not_answer_is_never_shown():
    async def job() -> list[str | None]:
        nobody = "http://127.0.0.1:9/secret-token"
        return [
            await notice.post({}, url, tries=2, pause=0) for url in (nobody, "secret-token", "ftp://secret-token/")
        ]

    told = asyncio.run(job())
    assert all(told)
    assert not any("secret" in str(each) or "127.0.0.1" in str(each) for each in told)


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("THOUGHTMILL_WEBHOOK", "http://127.0.0.1:9/secret-token")
    assert asyncio.run(notice.address()) == "http://127.0.0.1:9/secret-token"
