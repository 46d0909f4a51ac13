"""Doctor: each check complains of a broken world, with what mends it, and finds nothing wrong with a whole one."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from filters.verifiers.code.confine import Over, Refused
from flows.cli_house import doctor
from flows.make import prepare
from pipelines.bind import Recipe
from pipelines.doctor import packages
from pipelines.doctor.table import CHECKS, examine
from pipelines.doctor.world import Finding, Gpu, World, locks_hold, sync_seconds
from pipelines.inference.engine import Again, Misconfigured
from pipelines.inference.engine import Refused as RefusedRow
from pipelines.inference.model import Model, Request
from pipelines.journal import Journal
from pipelines.segment import Entry
from pipelines.store import Output, output_folder, write_output
from pipelines.tombstones import FILE
from tests.each import each_of
from tests.versions import candidate, together, write_version

REQUIREMENTS = [
    "aiohttp>=3.11",
    "prefect==3.7.7; extra == 'flows'",
    "sqlalchemy<2.1; extra == 'flows'",
    "math-verify[antlr4-13-2]<0.10,>=0.9; extra == 'math'",
    "vllm==0.32.0; extra == 'vllm'",
    "prefect==3.7.7; extra == 'dev'",
]
INSTALLED = {"prefect": "3.7.7", "sqlalchemy": "2.0.46", "math-verify": "0.9.0", "vllm": "0.32.0"}
HELD = "tried everything\nexit 0"


class Feature(NamedTuple):
    """As the module that measures them tells it."""

    name: str
    honoured: bool | None
    evidence: str


class Server:
    """An engine that answers at once, or fails in one way."""

    def __init__(self, model: Model, trouble: Exception | None = None, served: str = "tiny") -> None:
        self.model, self.trouble, self.served = model, trouble, served

    async def send(self, request: Request) -> dict[str, Any]:
        if self.trouble:
            raise self.trouble
        return {"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}], "model": self.served}

    async def answers_others(self) -> bool:
        return self.trouble is None

    async def close(self) -> None:
        return None


def serving(trouble: Exception | None = None, served: str = "tiny") -> Callable[[Model, Path], Any]:
    return lambda model, home: Server(model, trouble, served)


def refusing(error: Exception) -> Callable[..., Any]:
    def refuse(*given: object) -> Any:
        raise error

    return refuse


def honouring(*found: Feature) -> Callable[..., Any]:
    async def features(engine: Any, model: Model) -> Sequence[Feature]:
        return found

    return features


@cache
def recipe(*changes: str) -> Recipe:
    return prepare("cot-self-instruct", changes=["models.teacher=openai:tiny@http://localhost:8000/v1", *changes])


def whole(data: Path) -> World:
    """A world in which there is nothing to mend, whatever machine this is."""
    return World(
        data=data,
        recipe=recipe(),
        python=(3, 12),
        platform="linux",
        environ={},
        requirements=REQUIREMENTS,
        installed=INSTALLED.get,
        confined=lambda program: HELD,
        free=lambda folder: 100 << 30,
        sync_seconds=lambda folder: 0.002,
        locks_hold=lambda folder: True,
        gpus=lambda: [Gpu("H200", 140 << 30, 139 << 30)],
        reached=lambda url: True,
        open_engine=serving(),
        features=honouring(Feature("n", True, "2 choices came back")),
    )


def filled(data: Path) -> Path:
    """A data folder with an output, a version and a reply."""
    facts = candidate(0)
    write_output(output_folder(data, "a" * 32), Output(facts, []), closure={})
    write_version(data / "datasets" / "sums" / "v1", together(facts))

    async def reply() -> None:
        journal = Journal(data / "journal")
        await journal.add(Entry(bytes(16), 100, False, 10, b"yes " * 100))
        await journal.close()

    asyncio.run(reply())
    return data


def damage(pattern: str, content: bytes | None = None) -> Callable[[Path], None]:
    """Spoil the first file of that name: its middle, or all of it."""

    def spoil(data: Path) -> None:
        path = next(iter(sorted(data.glob(pattern))))
        was = path.read_bytes()
        path.write_bytes(was[:-3] + b"???" if content is None else content)

    return spoil


def newer_schema(data: Path) -> None:
    path = data / "datasets" / "sums" / "v1" / "facts" / "problems.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata({"thoughtmill.schema": "Problem@99"}), path)


def damaged_stone(data: Path) -> None:
    (data / FILE).write_text("{}\n")


class Broken(NamedTuple):
    """A world in which a check should complain: what is other than in a whole one, and what should mend it."""

    check: str
    mend: str
    changes: Mapping[str, Any] = {}
    spoil: Callable[[Path], None] | None = None  # does harm to what lies in the data folder


OVERLOADED = Again("status 429", overloaded=True)
TOGETHER = recipe("expand.together=true")
VLLM = {"recipe": dataclasses.replace(recipe(), models={"teacher": Model(role="teacher", engine="vllm", name="big")})}

BROKEN = [
    Broken("python", "uv venv --python 3.12", {"python": (3, 10)}),
    Broken("python", "uv venv --python 3.12", {"python": (3, 14)}),
    Broken("extras", "pip install 'thoughtmill[math]'", {"installed": {"prefect": "3.7.7"}.get}),
    Broken("extras", "pip install 'thoughtmill[math]'", {"installed": {**INSTALLED, "math-verify": "0.10.1"}.get}),
    Broken("extras", "pip install 'thoughtmill[vllm]'", {**VLLM, "installed": {"math-verify": "0.9"}.get}),
    Broken("prefect", "thoughtmill[flows]", {"installed": {**INSTALLED, "prefect": "3.8.0"}.get}),
    Broken("prefect", "thoughtmill[flows]", {"installed": {**INSTALLED, "sqlalchemy": "2.1.0"}.get}),
    Broken("prefect", "unset PREFECT_API_URL", {"environ": {"PREFECT_API_URL": "x"}, "installed": {}.get}),
    Broken(
        "prefect",
        "prefect server start",
        {"environ": {"PREFECT_API_URL": "http://localhost:4200/api"}, "reached": lambda url: False},
    ),
    Broken("sandbox", "apt-get install bubblewrap", {"recipe": None, "confined": refusing(Refused("no bwrap"))}),
    Broken("sandbox", "sysctl -w", {"recipe": None, "confined": refusing(Refused("failed; sysctl -w kernel.x=1"))}),
    Broken("sandbox", "check no code", {"confined": lambda program: f"could reach the network\n{HELD}"}),
    Broken("sandbox", "apt-get install", {"confined": lambda program: "killed by SIGKILL"}),
    Broken("sandbox", "apt-get install", {"confined": refusing(Over("ran longer than 20 s"))}),
    Broken("disk", "chown", {"sync_seconds": refusing(OSError(30, "Read-only file system"))}),
    Broken("disk", "thoughtmill gc", {"free": lambda folder: 1 << 30}),
    Broken("disk", "THOUGHTMILL_DATA", {"sync_seconds": lambda folder: 0.9}),
    Broken("disk", "THOUGHTMILL_DATA", {"locks_hold": lambda folder: False}),
    Broken("journal", "thoughtmill gc", spoil=damage("journal/*.log")),
    Broken("facts", "thoughtmill gc", spoil=damage("runs/outputs/*/*/attempts.parquet")),
    Broken("facts", "v1/recipe.toml", spoil=damage("datasets/sums/v1/facts/problems.parquet", b"PAR1")),
    Broken("facts", "v1/recipe.toml", spoil=newer_schema),
    Broken("tombstones", "from a copy", spoil=damaged_stone),
    Broken("gpu", "gpu_memory_utilization", {**VLLM, "gpus": lambda: [Gpu("H200", 140 << 30, 20 << 30)]}),
    Broken("models", "export OPENAI_API_KEY=", {"open_engine": refusing(Misconfigured("teacher needs a key"))}),
    Broken("models", "curl http://localhost:8000/v1/models", {"open_engine": serving(Misconfigured("status 404"))}),
    Broken("models", "start the server", {"open_engine": serving(Again("no connection", reached=False))}),
    Broken("models", "in_flight = 4", {"open_engine": serving(OVERLOADED)}),
    Broken("models", "start the server", {"open_engine": serving(RefusedRow("status 400"))}),
    Broken("models", "--model teacher=openai:other@", {"open_engine": serving(served="other")}),
    Broken("models", "limit_field", {"features": honouring(Feature("max_tokens", False, "99 tokens of 8"))}),
    Broken("models", "together=false", {"recipe": TOGETHER, "features": honouring(Feature("n", False, "1 choice"))}),
]


@each_of(BROKEN)
def test_a_broken_world_makes_its_check_complain_and_say_what_mends_it(broken: Broken):
    complaints = [each for each in findings(broken) if each.state == "mend"]
    assert complaints
    assert all(each.mend and each.about for each in complaints)
    assert any(broken.mend in each.mend for each in complaints), complaints


def findings(broken: Broken) -> list[Finding]:
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        if broken.spoil:
            broken.spoil(filled(data))
        return list(CHECKS[broken.check](dataclasses.replace(whole(data), **broken.changes)))


def test_every_check_has_a_broken_world():
    assert {each.check for each in BROKEN} == set(CHECKS)


def test_a_whole_world_has_nothing_to_mend(tmp_path: Path):
    found = list(examine(whole(filled(tmp_path))))
    assert [each for each in found if each.state == "mend" or each.mend] == []
    assert {each.about for each in found} >= {"python", "disk", "journal", "models", "features"}


def test_what_is_here_is_really_measured(tmp_path: Path):
    """Not only in made-up worlds: the disk of this test, and a stranger in a real sandbox where there is one."""
    assert 0 < sync_seconds(tmp_path) < 60
    assert list(tmp_path.iterdir()) == []
    assert locks_hold(tmp_path)
    here = World(data=tmp_path)
    assert not [each for each in CHECKS["disk"](dataclasses.replace(here, sync_seconds=lambda f: 0.0)) if each.mend]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="bubblewrap is Linux's")
def test_a_stranger_who_is_not_confined_is_noticed(tmp_path: Path):
    """The program that tries to break out does get out where nothing holds it."""

    def loose(program: str) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as said:
            exec(program.replace("4 << 30", "4"), {})
        return said.getvalue()

    world = dataclasses.replace(whole(tmp_path), confined=loose)
    (told,) = (each for each in CHECKS["sandbox"](world) if each.mend)
    for what in ("reach the network", "read files of this machine", "see other processes", "memory"):
        assert what in told.told


VERSIONS = [
    ("3.7.7", "==3.7.7", True),
    ("3.7.8", "==3.7.7", False),
    ("2.1.0", "<2.1", False),
    ("2.0.46", "<2.1", True),
    ("0.9.0", "<0.10,>=0.9", True),
    ("0.10", "<0.10,>=0.9", False),
    ("0.10.0", "<=0.10", True),
    ("2.13.0+cpu", "==2.13.0", True),
    ("1.0", "", True),
]


@each_of(VERSIONS)
def test_versions_are_compared_as_numbers(version: str, wanted: str, will_do: bool):
    assert packages.satisfies(version, wanted) is will_do


def test_the_command_ends_with_1_where_something_is_to_be_mended_and_tells_it_as_json(
    data: Path, monkeypatch: pytest.MonkeyPatch
):
    told = [Finding("disk", "well", "room"), Finding("sandbox", "mend", "none [red]", "apt-get install bubblewrap")]
    monkeypatch.setattr("flows.doctor.examined", lambda world, watch: iter(told))
    ran = CliRunner().invoke(doctor, ["--json"])
    assert (ran.exit_code, orjson.loads(ran.stdout)) == (1, [each._asdict() for each in told])
    ran = CliRunner().invoke(doctor, [])
    assert "apt-get install bubblewrap" in ran.stdout
    assert "none [red]" in ran.stdout  # no markup
    assert "1 to mend" in ran.stdout
    monkeypatch.setattr("flows.doctor.examined", lambda world, watch: iter(told[:1]))
    ran = CliRunner().invoke(doctor, [])
    assert (ran.exit_code, "all well" in ran.stdout) == (0, True)


def test_a_model_without_a_recipe_is_refused_in_one_line(data: Path):
    ran = CliRunner().invoke(doctor, ["--model", "teacher=builtin"])
    assert ran.exit_code == 2
    assert "binds a role of a RECIPE" in ran.stderr
