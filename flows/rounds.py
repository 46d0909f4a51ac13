"""Loops over rounds: each is a run of the recipe to a dataset of its own, which reads what the round before has made.

Nothing is noted of how far a loop has come. It always begins with round 0, and a round that is finished is read
again: its facts are there, its version is the same, and nobody is asked. So a loop that was ended between two rounds,
or within one, goes on when it is run again. What changes from round to round is said in the words of `--set`, and
each version's recipe tells its `[round]`: the number, the version that it was made of, and that one's digest.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from flows.make import Made
from pipelines import recipe as recipes
from pipelines.recipe import BadRecipe
from pipelines.records import digest
from pipelines.release import read_version
from pipelines.rounds import Loop, Train, binding, inline, loop_of
from pipelines.store import data_folder

RunRound = Callable[[str, Sequence[str], str | None], Coroutine[Any, Any, Made]]
"""`(recipe, changes, dataset)`: what runs one round."""


def is_loop(recipe: str, changes: Sequence[str]) -> bool:
    """Whether a recipe is run in rounds."""
    return loop_of(recipes.read(recipes.find(recipe), changes=changes)) is not None


async def turn(recipe: str, changes: Sequence[str], dataset: str | None, *, run_round: RunRound) -> list[Made]:
    """Run a recipe, or each of its rounds: what they made, in order.

    A loop ends early when a round leaves nothing for the next. `changes` are a person's and count in every round, but
    what they say of the rows to begin with counts in the first.
    """
    value = recipes.read(recipes.find(recipe), changes=changes)
    loop, made = loop_of(value), list[Made]()
    if loop is None:
        return [await run_round(recipe, changes, dataset)]
    for number in range(loop.number):
        if made and not read_version(made[-1].folder)["rows"].get(loop.view):
            break
        before = made[-1] if made else None
        bound = await models_of(loop, value, number, before)
        own = lineage_of(loop, number, before)
        made.append(await run_round(recipe, [*bound, *changes, *own], f"{dataset or value['name']}-r{number}"))
    return made


async def models_of(loop: Loop, value: dict[str, Any], number: int, before: Made | None) -> list[str]:
    """The models of one round."""
    models = {role: some[number] for role, some in loop.models.items()}
    if before and loop.train:
        models[loop.train.role] = await trained(loop.train, before)
    return [f"models.{role}={inline(binding(value['models'][role], each))}" for role, each in models.items()]


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
    """The model that the command makes of a version; made once, and known by the digest of its weights."""
    key = digest(list(train.command), read_version(before.folder)["digest"])
    out = data_folder() / "runs" / before.name / "weights" / key
    if not out.is_dir():
        aside = out.with_name(f".{key}")
        shutil.rmtree(aside, ignore_errors=True)  # of a command that was killed
        aside.mkdir(parents=True)
        await _run([_filled(word, version=before.folder, out=aside) for word in train.command])
        aside.rename(out)
    return {"use": _filled(train.use, version=before.folder, out=out), "revision": weights_of(out)}


def _filled(word: str, *, version: Path, out: Path) -> str:
    return word.replace("{version}", str(version)).replace("{out}", str(out))


async def _run(command: Sequence[str]) -> None:
    """Raises BadRecipe where the command fails."""
    try:
        process = await asyncio.create_subprocess_exec(*command)
    except OSError as error:
        raise BadRecipe(f"rounds.train: {command[0]} cannot be run ({error.strerror})") from error
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        raise
    if code:
        raise BadRecipe(f"rounds.train: {command[0]} ended with {code}; what it wrote is thrown away")


def weights_of(folder: Path) -> str:
    """The digest of all that a folder holds."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return digest([[str(path.relative_to(folder)), _digest_of(path)] for path in files])


def _digest_of(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
