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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson
import pytest

from flows.make import Interrupted, OutOfBudget
from flows.run import Busy, locked
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

T = TypeVar("T")


class Place(NamedTuple):
    """A Prefect server, and what processes that use it are started with."""

    url: str
    environment: dict[str, str]
    folder: Path


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
        time.sleep(0.25)
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


def ask(place: Place, where: str, body: Any) -> Any:
    """What the server answers; while its database is busy it says 503, and is asked again."""
    request = urllib.request.Request(
        f"{place.url}/{where}", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    deadline = time.monotonic() + IN_TIME
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return orjson.loads(reply.read())
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


def version(data: Path, dataset: str, number: int) -> Path | None:
    folder = data / "datasets" / dataset / f"v{number}"
    return folder if (folder / "version.json").is_file() else None


def stats(model: str) -> dict[str, Any]:
    with urllib.request.urlopen(model.removesuffix("/v1") + "/stats", timeout=60) as reply:
        return orjson.loads(reply.read())


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook with a secret in its address, and what it was sent."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(orjson.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook/7f3a-secret", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def recipe_asking(site: Site, model: str) -> str:
    site.value["models"]["teacher"]["use"] = f"openai:test@{model}"
    site.value["target"] = {"candidates": 16}
    return site.write()


def test_nights_come_from_the_command_and_add_what_new_seeds_give(site: Site, place: Place, tmp_path: Path):
    log, data = place.folder / "schedule.log", tmp_path / "data"
    with running("--author", "builtin") as (model, _), webhook() as (hook, told):
        words = [*SCHEDULE, recipe_asking(site, model), "--cron", EVERY_MINUTE, "--name", "served"]
        environment = {**place.environment, "THOUGHTMILL_DATA": str(data), "THOUGHTMILL_WEBHOOK": hook}
        with process(words, environment, log) as served:
            first = eventually(lambda: version(data, "served", 1), served, "first night")
            site.append_seeds(6)
            [deployment] = [each for each in every(place, "deployments") if each["name"] == "served"]
            begin(place, deployment["id"])  # rather than wait for another minute
            second = eventually(lambda: version(data, "served", 2), served, "second night")
            eventually(lambda: len(ended(place, "served", "COMPLETED")) >= 2, served, "second end")
            eventually(lambda: len(made(told)) >= 2, served, "second notice")
        sent = stats(model)
    assert sent["requests"] == sent["distinct"] > 0

    rows = compare(first, second).rows
    assert (rows.only_old, rows.only_new > 0) == (0, True)
    assert [each["version"] for each in made(told)[:2]] == ["v1", "v2"]
    assert made(told)[1]["new"] == rows.only_new
    assert made(told)[1]["text"].startswith("served v2: ")

    artifacts = {each["key"]: each for each in every(place, "artifacts")}
    assert {f"served-{each}" for each in ("outcomes", "funnel", "changes", "progress")} <= artifacts.keys()
    [newest] = [each for each in ended(place, "served", "COMPLETED") if "served v2: " in each["state"]["message"]]
    progress = [each for each in every(place, "artifacts") if each["flow_run_id"] == newest["id"]]
    assert [each["data"] for each in progress if each["type"] == "progress"] == [100.0]

    everything = log.read_text(errors="replace") + json.dumps(flow_runs(place, "served"))
    assert "7f3a-secret" not in everything


def made(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The notices of nights that made a version: of two at once one is skipped, and says so."""
    return [each for each in told if each.get("new")]


def test_nights_come_from_a_worker_as_prefect_yaml_has_them(site: Site, place: Place, tmp_path: Path):
    log, data = place.folder / "worker.log", tmp_path / "data"
    with running("--author", "builtin") as (model, _):
        parameters = {"recipe": recipe_asking(site, model), "name": "worked", "changes": [], "more": None}
        with deployed(place, parameters, "--cron", EVERY_MINUTE) as id, worker(place, data, log) as working:
            first = eventually(lambda: version(data, "worked", 1), working, "first night")
            site.append_seeds(6)
            begin(place, id)
            second = eventually(lambda: version(data, "worked", 2), working, "second night")
        sent = stats(model)
    assert sent["requests"] == sent["distinct"] > 0
    rows = compare(first, second).rows
    assert (rows.only_old, rows.only_new > 0) == (0, True)


def test_nights_leave_what_another_run_makes_and_can_be_cancelled(site: Site, place: Place, tmp_path: Path):
    log, data = place.folder / "cancelled.log", tmp_path / "data"
    with running("--author", "builtin", "--latency", "0.5") as (model, _):
        parameters = {"recipe": recipe_asking(site, model), "name": "ended", "more": None}
        parameters["changes"] = ["models.teacher.in_flight=2"]
        with deployed(place, parameters) as id, worker(place, data, log) as working:
            with locked(data / "runs" / "ended", "ended"):  # another run is making it
                skipped = begin(place, id)
                eventually(lambda: ended(place, "ended", "CANCELLED"), working, "night that leaves")
            assert stats(model)["requests"] == 0
            assert [each["state_name"] for each in flow_runs(place, "ended") if each["id"] == skipped] == ["Skipped"]

            run = begin(place, id)
            eventually(lambda: stats(model)["requests"] >= 6, working, "sixth request")
            ask(place, f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
            eventually(lambda: len(ended(place, "ended", "CANCELLED")) == 2, working, "cancelled night")
            there = stats(model)
            assert there["in_flight"] == 0
            assert version(data, "ended", 1) is None
            begin(place, id)
            eventually(lambda: ended(place, "ended", "COMPLETED"), working, "night that went on")
        both = stats(model)
    assert version(data, "ended", 1)
    assert 6 <= there["requests"] < both["requests"] == both["distinct"]


@contextmanager
def deployed(place: Place, parameters: dict[str, Any], *when: str) -> Iterator[str]:
    """The deployment that `prefect.yaml` has, with another name, other parameters and another time; gives its id."""
    if not every(place, "work_pools"):
        prefect(place, "work-pool", "create", "thoughtmill", "--type", "process")
    name = parameters["name"]
    content = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    assert "- name: cot-self-instruct" in content
    ours = place.folder / f"{name}.yaml"
    ours.write_text(content.replace("- name: cot-self-instruct", f"- name: {name}"), encoding="utf-8")
    words = ["deploy", "--prefect-file", str(ours), "--name", name, "--params", json.dumps(parameters)]
    prefect(place, *words, *when)
    [made] = [each for each in every(place, "deployments") if each["name"] == name]
    try:
        yield made["id"]
    finally:
        prefect(place, "deployment", "delete", f"thoughtmill-night/{name}")


@contextmanager
def worker(place: Place, data: Path, log: Path) -> Iterator[Started]:
    words = ["-m", "prefect", "worker", "start", "--pool", "thoughtmill", "--type", "process"]
    with process(words, {**place.environment, "THOUGHTMILL_DATA": str(data)}, log) as working:
        yield working


def test_what_would_end_every_night_is_told_when_it_is_scheduled(site: Site, place: Place, tmp_path: Path):
    recipe = site.write()
    refused = {
        (recipe, "--cron", "bad"): '--cron "bad": should be five fields',
        (recipe, "--timezone", "Mars/Phobos"): "no time zone of that name",
        (recipe, "--set", "target.acepted=3"): "do you mean 'accepted'",
    }
    for words, said in refused.items():
        assert said in scheduled(place.environment, tmp_path, *words)
    alone = {name: value for name, value in place.environment.items() if name != "PREFECT_API_URL"}
    assert "run `prefect server start` in another terminal" in scheduled(alone, tmp_path, recipe)
    nobody = {**place.environment, "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api"}
    assert "no Prefect server answers at http://127.0.0.1" in scheduled(nobody, tmp_path, recipe)


def scheduled(environment: dict[str, str], data: Path, *words: str) -> str:
    """What the command says that refuses."""
    done = subprocess.run(
        [sys.executable, *SCHEDULE, *words],
        cwd=ROOT,
        env={**environment, "THOUGHTMILL_DATA": str(data)},
        capture_output=True,
        text=True,
        timeout=IN_TIME,
        check=False,
    )
    assert done.returncode == 2, done.stderr
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
    assert "the server is away" in caplog.text


@pytest.mark.usefixtures("own_home")
def test_artifacts_are_called_as_prefect_allows():
    from flows.night import artifact_key

    names = ["cot-self-instruct", "Math_v2.1", "/data/my recipe.toml", "..."]
    assert [artifact_key(each) for each in names] == ["cot-self-instruct", "math-v2-1", "my-recipe", "night"]
