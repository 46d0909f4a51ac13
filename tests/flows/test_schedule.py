"""Nights that really come: from `thoughtmill schedule`, and from a worker, on a Prefect server of these tests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson
import pytest
from click.testing import CliRunner

from flows.make import Interrupted, OutOfBudget
from flows.run import Busy
from pipelines.inference.engine import Outage
from pipelines.recipe import BadRecipe
from pipelines.store import DiskFull
from pipelines.versions.compare import compare
from tests.each import each_of
from tests.flows.test_prefect import free_port
from tests.server import running
from tests.small import Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
pytest.importorskip("prefect")

ROOT = Path(__file__).parents[2]
IN_TIME = 400.0  # seconds: a cron of minutes, a server that looks now and then, and two slow cores
EVERY_MINUTE = "* * * * *"
SCHEDULE = ["-m", "flows.cli", "schedule"]
HASTE = {"PREFECT_WORKER_QUERY_SECONDS": "2", "PREFECT_RUNNER_POLL_FREQUENCY": "2"}  # looks for nights that are due
SECRET = "7f3a-secret"  # in the addresses of webhooks

T = TypeVar("T")


class Place(NamedTuple):
    """A Prefect server, and what processes that use it are started with."""

    url: str
    environment: dict[str, str]
    folder: Path

    @property
    def data(self) -> Path:
        """Where nights make their datasets."""
        return self.folder / "data"


class Started(NamedTuple):
    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-6000:]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("prefect")
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "THOUGHTMILL_"))}
    mine |= {"PREFECT_HOME": str(folder / "home"), "DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    mine |= {"THOUGHTMILL_DATA": str(folder / "data"), **HASTE}
    serving = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with process(serving, mine, folder / "server.log") as server:
        eventually(lambda: is_ready(url), server, "server that answers")
        yield Place(url, {**mine, "PREFECT_API_URL": url}, folder)


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=10):
            return True
    except (urllib.error.URLError, TimeoutError):
        return False


@contextmanager
def process(words: list[str], environment: dict[str, str], log: Path) -> Iterator[Started]:
    """A Python process in a group of its own, which is told to end with the block, and then made to."""
    with log.open("ab") as told:
        started = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, env=environment, stdout=told, stderr=told, start_new_session=True
        )
    try:
        yield Started(started, log)
    finally:
        started.terminate()
        try:
            started.wait(timeout=IN_TIME)
        finally:
            if group_is_there(started.pid):
                os.killpg(started.pid, signal.SIGKILL)
                started.wait()


def group_is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(look: Callable[[], T | None], by: Started, what: str) -> T:
    """What `look` finds, once it finds something that a process that was started makes."""
    deadline = time.monotonic() + IN_TIME
    while time.monotonic() < deadline:
        if found := look():
            return found
        assert by.process.poll() is None, f"it ended before there was a {what}: {by.said()}"
        time.sleep(0.5)
    raise TimeoutError(f"no {what} after {IN_TIME:.0f} seconds: {by.said()}")


def prefect(place: Place, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *words],
        cwd=ROOT,
        env=place.environment,
        capture_output=True,
        text=True,
        timeout=IN_TIME,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask(place: Place, where: str, body: Any = None, *, how: str = "POST") -> Any:
    """What the server answers; while its database is busy it says 503, and is asked again."""
    content, kind = json.dumps(body).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{place.url}/{where}", data=content, headers=kind, method=how)
    deadline = time.monotonic() + IN_TIME
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return orjson.loads(reply.read() or b"null")
        except (urllib.error.URLError, TimeoutError) as error:  # an HTTPError is one, too
            if getattr(error, "code", 503) != 503 or time.monotonic() > deadline:
                raise
        time.sleep(0.5)


def every(place: Place, what: str) -> list[dict[str, Any]]:
    return ask(place, f"{what}/filter", {"limit": 200})


def begin(place: Place, deployment: str) -> str:
    """Run a deployment now; returns the id of the flow run."""
    return ask(place, f"deployments/{deployment}/create_flow_run", {"idempotency_key": str(uuid.uuid4())})["id"]


def flow_runs(place: Place, dataset: str) -> list[dict[str, Any]]:
    return [each for each in every(place, "flow_runs") if each["parameters"].get("name") == dataset]


def ended(place: Place, dataset: str, state: str) -> list[dict[str, Any]]:
    return [each for each in flow_runs(place, dataset) if each["state_type"] == state]


def version(place: Place, dataset: str, number: int) -> Path | None:
    """A version that a night made, once it is there; nights that failed are told at once."""
    failed = [each for kind in ("FAILED", "CRASHED") for each in ended(place, dataset, kind)]
    assert not failed, failed[0]["state"]["message"]
    folder = place.data / "datasets" / dataset / f"v{number}"
    return folder if (folder / "version.json").is_file() else None


def stats(model: str) -> dict[str, Any]:
    with urllib.request.urlopen(model.removesuffix("/v1") + "/stats", timeout=60) as reply:
        return orjson.loads(reply.read())


IN_VAIN = ["500", "close", "hang", "500"]  # what befalls the notice of a first version, however often it is told


@contextmanager
def webhook(*fails: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook with a secret in its address, and what it took. It `fails` in turn where it is told of a v1."""
    got: list[dict[str, Any]] = []
    faults, ended = list(fails), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fault = faults.pop(0) if faults and told.get("version") == "v1" and told["new"] else "ok"
            if fault == "hang":
                ended.wait()
            if fault in ("hang", "close"):
                self.close_connection = True
                return
            if fault == "ok":
                got.append(told)
            self.send_response(204 if fault == "ok" else int(fault))
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook/{SECRET}", got
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def recipe_asking(site: Site, model: str, *, seed: int) -> str:
    """A recipe of 16 draws; with another seed it asks what no other does, though all share a data folder."""
    site.value["models"]["teacher"]["use"] = f"openai:test@{model}"
    site.value |= {"target": {"candidates": 16}, "seed": seed}
    return site.write()


def test_nights_come_from_the_command_and_add_what_new_seeds_give(site: Site, place: Place):
    """The webhook fails as the first night tells it of its version: that is a line in the log, and nothing else."""
    log = place.folder / "schedule.log"
    with running("--author", "builtin") as (model, _), webhook(*IN_VAIN) as (hook, told):
        words = [*SCHEDULE, recipe_asking(site, model, seed=1), "--cron", EVERY_MINUTE, "--name", "served"]
        with process(words, {**place.environment, "THOUGHTMILL_WEBHOOK": hook}, log) as served:
            first = eventually(lambda: version(place, "served", 1), served, "first night")
            [deployment] = [each for each in every(place, "deployments") if each["name"] == "served"]
            pause(place, deployment["id"])
            site.append_seeds(6)
            begin(place, deployment["id"])
            second = eventually(lambda: version(place, "served", 2), served, "second night")
            eventually(lambda: made(told), served, "second notice")
            eventually(lambda: len(made_by(place, "served")) == 2, served, "second end")
            eventually(lambda: IN_LOG in warnings(place), served, "line on the webhook")
        sent = stats(model)
    assert sent["requests"] == sent["distinct"] > 0

    rows = compare(first, second).rows
    assert (rows.only_old, rows.only_new > 0) == (0, True)
    assert [(each["version"], each["new"]) for each in made(told)] == [("v2", rows.only_new)]
    assert made(told)[0]["text"].startswith("served v2: ")

    artifacts = {each["key"]: each for each in every(place, "artifacts")}
    assert {f"served-{each}" for each in ("outcomes", "funnel", "changes", "progress")} <= artifacts.keys()
    newest = max(made_by(place, "served"), key=lambda each: each["start_time"])
    progress = [each for each in every(place, "artifacts") if each["flow_run_id"] == newest["id"]]
    assert [each["data"] for each in progress if each["type"] == "progress"] == [100.0]
    assert SECRET not in everything_told(place, log)


IN_LOG = "the webhook was not told: status 500, 4 times"


def made_by(place: Place, dataset: str) -> list[dict[str, Any]]:
    """The nights that ended well, with a version of their own."""
    return [each for each in ended(place, dataset, "COMPLETED") if each["state_name"] == "Completed"]


def warnings(place: Place) -> list[str]:
    """What the UI shows of what went wrong."""
    return [each["message"] for each in ask(place, "logs/filter", {"logs": {"level": {"ge_": 30}}, "limit": 200})]


def everything_told(place: Place, log: Path) -> str:
    """Whatever the server, and those who worked for it, have told of nights."""
    kinds = ("flow_runs", "deployments", "artifacts", "logs", "task_runs", "block_documents")
    asked = json.dumps([every(place, kind) for kind in kinds])
    return asked + log.read_text(errors="replace") + (place.folder / "server.log").read_text(errors="replace")


def made(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The notices of nights that made a version: of two at once one is skipped, and says so."""
    return [each for each in told if each.get("new")]


@pytest.mark.usefixtures("own_home")
def test_a_night_comes_from_a_worker_as_prefect_yaml_has_it(site: Site, place: Place, working: Started):
    """The address of the webhook is in a block of the type Secret, and nowhere else."""
    soon = datetime.now(UTC) + timedelta(seconds=15)
    with running("--author", "builtin") as (model, _), webhook() as (hook, told), secret(place, hook):
        parameters = {"recipe": recipe_asking(site, model, seed=2), "name": "worked", "changes": [], "more": None}
        id = deployed(place, parameters, "--interval", "60", "--anchor-date", soon.isoformat())
        eventually(lambda: version(place, "worked", 1), working, "night")
        pause(place, id)
        eventually(lambda: made(told), working, "notice")
        eventually(lambda: made_by(place, "worked"), working, "end")
        sent = stats(model)
    assert sent["requests"] == sent["distinct"] > 0
    assert [each["version"] for each in made(told)] == ["v1"]
    assert SECRET not in everything_told(place, working.log)


@contextmanager
def secret(place: Place, hook: str) -> Iterator[None]:
    """The block that a night looks for."""
    from prefect.blocks.system import Secret
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: place.url}):
        Secret(value=hook).save("thoughtmill-webhook")  # pyright: ignore[reportArgumentType]  # as Prefect's docs have it
    [made] = every(place, "block_documents")
    try:
        yield
    finally:
        ask(place, f"block_documents/{made['id']}", how="DELETE")


def test_a_night_leaves_what_another_makes_and_can_be_cancelled(site: Site, place: Place, working: Started):
    """The model hangs, so a cancelled night ends after Prefect's grace, killed; the next one goes on where it was."""
    with running("--author", "builtin", "--schedule", "ok*8,hang*2") as (model, _):
        parameters = {"recipe": recipe_asking(site, model, seed=3), "name": "ended", "more": None}
        parameters["changes"] = ["models.teacher.in_flight=2"]
        id = deployed(place, parameters)
        both = {begin(place, id), begin(place, id)}
        eventually(lambda: ended(place, "ended", "CANCELLED"), working, "night that leaves")
        [skipped] = ended(place, "ended", "CANCELLED")
        assert skipped["state_name"] == "Skipped"
        eventually(lambda: (stats(model)["in_flight"], stats(model)["requests"]) == (2, 10), working, "hang")

        [other] = both - {skipped["id"]}
        ask(place, f"flow_runs/{other}/set_state", {"state": {"type": "CANCELLING"}})
        eventually(lambda: len(ended(place, "ended", "CANCELLED")) == 2, working, "cancelled night")
        eventually(lambda: stats(model)["in_flight"] == 0, working, "end of its requests")
        assert version(place, "ended", 1) is None
        begin(place, id)
        eventually(lambda: version(place, "ended", 1), working, "night that went on")
        sent = stats(model)
    assert sent["requests"] == sent["distinct"] + 2  # but for the two that hung, nothing was asked again


@pytest.fixture(scope="module")
def working(place: Place) -> Iterator[Started]:
    """A worker, and the pool that it works for."""
    words = ["-m", "prefect", "worker", "start", "--pool", "thoughtmill", "--type", "process"]
    with process(words, place.environment, place.folder / "worker.log") as started:
        eventually(lambda: every(place, "work_pools"), started, "pool")
        yield started


def deployed(place: Place, parameters: dict[str, Any], *when: str) -> str:
    """The deployment that `prefect.yaml` has, with another name, other parameters and another time; gives its id."""
    name = parameters["name"]
    content = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    assert "- name: cot-self-instruct" in content
    ours = place.folder / f"{name}.yaml"
    ours.write_text(content.replace("- name: cot-self-instruct", f"- name: {name}"), encoding="utf-8")
    words = ["deploy", "--prefect-file", str(ours), "--name", name, "--params", json.dumps(parameters)]
    prefect(place, *words, *when)
    [made] = [each for each in every(place, "deployments") if each["name"] == name]
    return made["id"]


def pause(place: Place, deployment: str) -> None:
    """Its nights came by themselves; what is tried from now on is begun."""
    ask(place, f"deployments/{deployment}/pause_deployment", {})


@pytest.mark.usefixtures("own_home")
def test_what_would_end_every_night_is_told_when_it_is_scheduled(site: Site):
    recipe = site.write()
    nobody = f"http://127.0.0.1:{free_port()}/api"
    refused = [
        ((recipe, "--cron", "bad"), None, '--cron "bad": should be five fields'),
        ((recipe, "--timezone", "Mars/Phobos"), None, "no time zone of that name"),
        ((recipe, "--set", "target.acepted=3"), None, "do you mean 'accepted'"),
        ((recipe,), None, "run `prefect server start` in another terminal"),
        ((recipe,), nobody, f"no Prefect server answers at {nobody}"),
    ]
    for words, server, said in refused:
        assert said in scheduled(words, server)


def scheduled(words: Sequence[str], server: str | None) -> str:
    """The line of the command that refuses."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.schedule import schedule

    with temporary_settings({PREFECT_API_URL: server}):
        done = CliRunner().invoke(schedule, list(words))
    assert done.exit_code == 2, done.output
    [line] = [each for each in done.stderr.splitlines() if each.startswith("thoughtmill: ")]
    return line


ENDS = [
    (Busy("another run"), "CANCELLED", "Skipped", "another run"),
    (
        Interrupted("stopped with 3 accepted"),
        "CANCELLED",
        "Cancelled",
        "stopped with 3 accepted; run it again to go on",
    ),
    (Outage("nobody answers"), "FAILED", "Resumable", "nobody answers; run it again to go on"),
    (DiskFull("no space"), "FAILED", "Resumable", "no space; run it again to go on"),
    (OutOfBudget("all is spent"), "FAILED", "Resumable", "all is spent; run it again to go on"),
    (BadRecipe("no stage"), "FAILED", "Failed", "no stage"),
]


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Prefect writes when it is imported here."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))


@pytest.mark.usefixtures("own_home")
@each_of(ENDS)
def test_what_ends_a_night_is_a_state_with_one_line(error: Exception, kind: str, name: str, message: str):
    from flows.night import state_of

    state = state_of(error)
    assert (state.type.value, state.name) == (kind, name)
    assert (state.message or "").startswith(message)


@pytest.mark.usefixtures("own_home")
def test_a_report_that_fails_is_told_and_costs_nothing(caplog: pytest.LogCaptureFixture):
    from flows.night import harmless

    async def failing() -> int:
        raise RuntimeError("the server is away")

    assert asyncio.run(harmless(failing())) is None
    assert [each.getMessage() for each in caplog.records] == [
        "a report of this night did not come through: RuntimeError: the server is away"
    ]


@pytest.mark.usefixtures("own_home")
def test_a_block_that_cannot_be_read_is_told_without_what_is_in_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    from prefect.blocks.system import Secret

    from flows.night import tell

    async def damaged(name: str) -> Secret[str]:
        raise RuntimeError(f"no valid block: input_value=https://example.org/{SECRET}")

    monkeypatch.delenv("THOUGHTMILL_WEBHOOK", raising=False)
    monkeypatch.setattr(Secret, "aload", damaged)
    asyncio.run(tell({"text": "small v2: 4 new"}))
    assert [each.getMessage() for each in caplog.records] == ["the webhook was not told: RuntimeError"]


@pytest.mark.usefixtures("own_home")
def test_artifacts_are_called_as_prefect_allows():
    from flows.night import artifact_key

    names = ["cot-self-instruct", "Math_v2.1", "/data/my recipe.toml", "..."]
    assert [artifact_key(each) for each in names] == ["cot-self-instruct", "math-v2-1", "my-recipe", "night"]
