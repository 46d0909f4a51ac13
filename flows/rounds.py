"""Loops over rounds: each is a run of the recipe to a dataset of its own, which reads what the round before has made.

Nothing is noted of how far a loop has come. It always begins with round 0, and a round that is finished is read
again: its facts are there, its version is the same, and nobody is asked. So a loop that was ended between two rounds,
or within one, goes on when it is run again. What changes from round to round is said in the words of `--set`, and
each version's recipe tells its `[round]`: the number, the version that it was made of, and that one's digest.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tomllib
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from flows.make import Made
from flows.run import locked
from pipelines import recipe as recipes
from pipelines.inference.engines import parse_model
from pipelines.inference.model import Model
from pipelines.recipe import BadRecipe
from pipelines.records import digest
from pipelines.release import read_version, versions
from pipelines.rounds import Loop, Train, binding, inline, loop_of, succeeding
from pipelines.store import data_folder

PATIENCE = 10.0  # seconds that a command has to end when it is asked to

RunRound = Callable[[str, Sequence[str], str | None], Coroutine[Any, Any, Made]]
"""`(recipe, changes, dataset)`: what runs one round."""


def is_loop(recipe: str, changes: Sequence[str]) -> bool:
    """Whether a recipe is run in rounds."""
    return loop_of(recipes.read(recipes.find(recipe), changes=changes)) is not None


def rounds_made(recipe: str, changes: Sequence[str], dataset: str | None) -> int:
    """How many rounds of a loop have a version."""
    value = recipes.read(recipes.find(recipe), changes=changes)
    there = data_folder() / "datasets"
    return sum(bool(versions(there / f"{dataset or value['name']}-r{n}")) for n in range(value["rounds"]["count"]))


async def turn(
    recipe: str, changes: Sequence[str], dataset: str | None, *, run_round: RunRound, most: int | None = None
) -> list[Made]:
    """Run a recipe, or each of its rounds, at `most` so many: what they made, in order.

    A loop ends early when a round leaves nothing for the next, or had no budget for all of its own. `changes` are a
    person's and count in every round, but what they say of the rows to begin with counts in the first, as does the
    model of a role that is trained.
    """
    value = recipes.read(recipes.find(recipe), changes=changes)
    loop, made = loop_of(value), list[Made]()
    if loop is None:
        return [await run_round(recipe, changes, dataset)]
    for number in range(min(loop.number, most or loop.number)):
        if made and (why := _without_next(loop, made[-1])):
            made[-1].note = f"no round {number} of {loop.number - 1}: {why}"
            break
        before = made[-1] if made else None
        bound = [_bound(role, binding(value["models"][role], some[number])) for role, some in loop.models.items()]
        own = [*await successor_of(loop, value, before), *lineage_of(loop, number, before)]
        made.append(await run_round(recipe, [*bound, *changes, *own], f"{dataset or value['name']}-r{number}"))
    return made


def _without_next(loop: Loop, made: Made) -> str:
    """Why no round follows this one; empty where one does. A part of a pool would be less than the version before."""
    if made.ended:
        return f"{made.ended}, before {made.name} was whole; run the same command again to go on"
    return "" if read_version(made.folder)["rows"].get(loop.view) else f"{made.name} has no rows in {loop.view}"


async def successor_of(loop: Loop, value: dict[str, Any], before: Made | None) -> list[str]:
    """The model that is trained on the version before, asked as the one that it comes from."""
    if before is None or loop.train is None:
        return []
    return [_bound(loop.train.role, succeeding(value["models"][loop.train.role], await trained(loop.train, before)))]


def _bound(role: str, model: dict[str, Any]) -> str:
    return f"models.{role}={inline(model)}"


def lineage_of(loop: Loop, number: int, before: Made | None) -> list[str]:
    """Which round it is, and what it has of the one before."""
    if before is None:
        return [f"round={inline({'number': number})}"]
    parent = {"parent": f"{before.name}@{before.folder.name}", "digest": read_version(before.folder)["digest"]}
    rows = f"{loop.into}={inline(view_of(before.folder, loop.view))}"
    return [rows, f"round={inline({'number': number, **parent})}"]


def view_of(version: Path, view: str) -> list[str]:
    """The files of a version's view."""
    return [str(path) for path in sorted((version / view).glob("data-*.arrow"))]


# --- Training ---------------------------------------------------------------------------------------------------


async def trained(train: Train, before: Made) -> dict[str, str]:
    """The model that the command makes of a version; made once, and known by the digest of its weights.

    Raises BadRecipe where it makes none, and Busy while another run is at it.
    """
    home, filled = data_folder() / "runs" / before.name, {"{version}": str(before.folder)}
    key = [list(train.command), read_version(before.folder)["digest"]]
    if any("{before}" in word for word in train.command):
        model = asked_before(train, before)
        filled["{before}"] = model.name
        key.append(model.revision or model.name)
    out = home / "weights" / digest(*key)
    with locked(home, before.name):
        if not out.is_dir():
            aside = _aside(out)
            await _run([_filled(word, {**filled, "{out}": str(aside)}) for word in train.command])
            _keep(aside, out)
    return {"use": _filled(train.use, {**filled, "{out}": str(out)}), "revision": weights_of(out)}


def _aside(out: Path) -> Path:
    """A new folder beside `out`, which no command writes to that outlived its run; what such left goes."""
    out.parent.mkdir(exist_ok=True)
    for left in out.parent.glob(f".{out.name}.*"):
        shutil.rmtree(left, ignore_errors=True)
    return Path(mkdtemp(prefix=f".{out.name}.", dir=out.parent))


def _keep(aside: Path, out: Path) -> None:
    if not any(aside.iterdir()):
        raise BadRecipe("rounds.train: the command ended well, but wrote nothing to {out}")
    aside.chmod(0o755)
    aside.rename(out)


def asked_before(train: Train, before: Made) -> Model:
    """The model that was asked in the round of that version."""
    told = tomllib.loads((before.folder / "recipe.toml").read_text(encoding="utf-8"))
    return parse_model(train.role, told["models"][train.role])


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word


async def _run(command: Sequence[str]) -> None:
    """Raises BadRecipe where the command fails. One that is not waited for any more is ended."""
    try:
        process = await asyncio.create_subprocess_exec(*command)
    except OSError as error:
        raise BadRecipe(f"rounds.train: {command[0]} cannot be run ({error.strerror})") from error
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        await _end(process)
        raise
    if code:
        raise BadRecipe(f"rounds.train: {command[0]} ended with {code}; what it wrote is thrown away")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask a process to end, and end it where it does not."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), PATIENCE)
        except TimeoutError:
            process.kill()


def weights_of(folder: Path) -> str:
    """The digest of all that a folder holds."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return digest([[str(path.relative_to(folder)), _digest_of(path)] for path in files])


def _digest_of(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
