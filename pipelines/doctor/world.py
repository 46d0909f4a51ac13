"""What doctor looks at: a machine, a data folder and a recipe, each behind a function that tests can replace."""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from filters.verifiers.code import confine
from pipelines.bind import Recipe
from pipelines.inference.engine import Engine
from pipelines.inference.model import Model


class Finding(NamedTuple):
    """One line of what doctor found. What is to be mended has the command, or the words, that mend it."""

    about: str
    state: Literal["well", "mend", "note"]
    told: str
    mend: str = ""


def well(about: str, told: str) -> Finding:
    return Finding(about, "well", told)


def note(about: str, told: str) -> Finding:
    """Something to know, which keeps nothing from working."""
    return Finding(about, "note", told)


def broken(about: str, told: str, *, mend: str) -> Finding:
    return Finding(about, "mend", told, mend)


class Gpu(NamedTuple):
    """A GPU, and its memory in bytes."""

    name: str
    memory: int
    free: int


def installed(package: str) -> str | None:
    """The version of a distribution; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def own_requirements() -> Sequence[str]:
    """What this installation says that it needs, as `pyproject.toml` has it; nothing in a bare checkout."""
    try:
        return importlib.metadata.requires("thoughtmill") or []
    except importlib.metadata.PackageNotFoundError:
        return []


def confined(program: str) -> str:
    """What a stranger's program prints when it is run as code under test is. Raises `confine.Refused`."""
    with confine.sandbox("program", program.encode(), limits=confine.Limits()) as box:
        output, ended = confine.finish(box, b"", within=20.0)
        return f"{output.decode(errors='replace')}{ended}"


def free(folder: Path) -> int:
    """The bytes that are free where a folder lies."""
    return shutil.disk_usage(folder).free


def sync_seconds(folder: Path) -> float:
    """How long a write of 4 kB takes to be durable, the median of three. Raises OSError where none is allowed."""
    path, times = folder / f".doctor.{uuid.uuid4().hex[:8]}", []
    try:
        with path.open("wb") as file:
            for _ in range(3):
                start = time.perf_counter()
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
                times.append(time.perf_counter() - start)
    finally:
        path.unlink(missing_ok=True)
    return sorted(times)[1]


def locks_hold(folder: Path) -> bool:
    """Whether a lock keeps others out here."""
    one, other = os.open(folder, os.O_RDONLY), os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(one, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(one)
        os.close(other)
    return False


def gpus() -> list[Gpu]:
    """The GPUs that the driver tells of; none where there is no driver."""
    if not (program := shutil.which("nvidia-smi")):
        return []
    query = [program, "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    told = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
    rows = [line.rsplit(", ", 2) for line in told.stdout.splitlines() if told.returncode == 0]
    return [Gpu(name, int(total) << 20, int(left) << 20) for name, total, left in rows]


def reached(url: str) -> bool:
    """Whether a web server answers there with anything but an error of its own."""
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status < 500
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (OSError, ValueError):
        return False


async def features(engine: Engine, model: Model) -> Sequence[Any]:
    """Which features an endpoint really honours, measured."""
    from pipelines.inference.features import features as measured

    return await measured(engine, model)


def open_engine(model: Model, home: Path) -> Engine:
    """The engine for a model. Raises Misconfigured where it cannot be set up."""
    from pipelines.inference.engines import open_engine as opened

    return opened(model, home)


@dataclass(frozen=True, kw_only=True)
class World:
    """A machine with a data folder, and perhaps a recipe that is to run there."""

    data: Path
    recipe: Recipe | None = None
    asks_models: bool = True
    python: tuple[int, int] = sys.version_info[:2]
    platform: str = sys.platform
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    requirements: Sequence[str] = field(default_factory=own_requirements)
    installed: Callable[[str], str | None] = installed
    confined: Callable[[str], str] = confined
    free: Callable[[Path], int] = free
    sync_seconds: Callable[[Path], float] = sync_seconds
    locks_hold: Callable[[Path], bool] = locks_hold
    gpus: Callable[[], list[Gpu]] = gpus
    reached: Callable[[str], bool] = reached
    open_engine: Callable[[Model, Path], Engine] = open_engine
    features: Callable[[Engine, Model], Awaitable[Sequence[Any]]] = features

    @property
    def models(self) -> Mapping[str, Model]:
        return self.recipe.models if self.recipe else {}
