"""The mill as a Prefect flow: the same facts, and a run that can be looked at. Servers have a home of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.flows.test_cli import process, the_one_line
from tests.small import Site, tree

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
pytest.importorskip("prefect")

ROOT = Path(__file__).parents[2]


@pytest.fixture
def prefect_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Prefect keeps its things in this test; what the person's own profile says does not count."""
    home = tmp_path / "prefect"
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(home))
    monkeypatch.setenv("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    return home


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def get_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert server.poll() is None, "the Prefect server ended"
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.3)
    raise TimeoutError(f"{url} is not ready after five minutes")


@pytest.fixture
def server(prefect_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Prefect server of this test's own; PREFECT_API_URL names it."""
    port = free_port()
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}/api"
    with (prefect_home.parent / "server.log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            get_ready(url, running)
            monkeypatch.setenv("PREFECT_API_URL", url)
            yield url
        finally:
            os.killpg(running.pid, signal.SIGTERM)
            running.wait(timeout=30)


def asked(url: str, what: str) -> list[dict[str, Any]]:
    """What the server answers; while its database is busy it says 503, and is asked again."""
    request = urllib.request.Request(
        f"{url}/{what}/filter", data=b'{"limit": 100}', headers={"Content-Type": "application/json"}
    )
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return orjson.loads(reply.read())
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline:
                raise
        time.sleep(0.5)


def facts(data: Path) -> dict[str, bytes]:
    [version] = data.glob("datasets/*/v*")
    return {name: content for name, content in tree(version).items() if "/" in name}


def directly(site: Site, folder: Path) -> dict[str, bytes]:
    """What the same recipe makes without Prefect."""
    ran = process("run", site.write(), "--quiet", THOUGHTMILL_DATA=str(folder), PREFECT_API_URL="")
    assert ran.returncode == 0, ran.stderr
    return facts(folder)


@pytest.fixture
def line(site: Site) -> Site:
    site.value["models"]["teacher"]["use"] = "builtin"
    return site


@pytest.mark.usefixtures("prefect_home")
def test_the_flow_runs_on_a_server_that_prefect_starts_for_it(line: Site, data: Path, tmp_path: Path):
    command = [sys.executable, "-m", "flows.mill", line.write(), "target.candidates=20"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "datasets/small/v1" in ran.stdout
    line.value["target"]["candidates"] = 20
    assert facts(data) == directly(line, tmp_path / "direct")


def test_with_a_server_the_command_line_goes_through_it_and_can_be_watched(
    line: Site, data: Path, tmp_path: Path, server: str
):
    ran = process("run", line.write(), "--workers", "3")
    assert ran.returncode == 0, ran.stderr
    assert facts(data) == directly(line, tmp_path / "direct")

    [flow] = asked(server, "flows")
    assert flow["name"] == "thoughtmill"
    [flow_run] = asked(server, "flow_runs")
    assert flow_run["state_type"] == "COMPLETED"
    assert flow_run["parameters"]["recipe"] == line.write()
    assert flow_run["parameters"]["workers"] == 3
    task_runs = asked(server, "task_runs")
    assert {each["name"] for each in task_runs} >= {"draws 0 to 7", "draws 8 to 15", "draws 16 to 23"}
    assert {each["state_type"] for each in task_runs} == {"COMPLETED"}
    assert {each["flow_run_id"] for each in task_runs} == {flow_run["id"]}
    [ledger] = [each for each in asked(server, "artifacts") if each["key"] == "ledger"]
    rows = {row["outcome"]: row["draws"] for row in orjson.loads(ledger["data"])}
    assert sum(rows.values()) == 24
    assert rows["accepted"] == orjson.loads((data / "datasets/small/v1/ledger.json").read_bytes())["accepted"]

    again = process("run", line.write())
    assert again.returncode == 0
    assert "nothing new" in again.stdout

    line.value["taget"] = 1  # what a person can mend is one line of ours, among what Prefect has to say
    wrong = process("run", line.write())
    assert wrong.returncode == 2
    [said] = [each for each in wrong.stderr.splitlines() if each.startswith("thoughtmill: ")]
    assert "do you mean 'target'" in said


@pytest.mark.usefixtures("prefect_home")
def test_a_server_that_is_not_there_is_told_in_one_line(line: Site, data: Path):
    url = f"http://127.0.0.1:{free_port()}/api"
    ran = process("run", line.write(), PREFECT_API_URL=url)
    assert url in the_one_line(ran)
    assert ran.returncode == 2
    assert not list(data.glob("datasets/*/v*"))
