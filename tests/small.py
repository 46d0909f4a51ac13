"""Small runs for tests: a recipe with its seeds in a folder, turned against the test server or the builtin engine."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import tomli_w

from flows import make
from flows.make import Made
from pipelines.inference.builtin import Faults, reply
from pipelines.records import Attempt, Problem, Verdict, from_table
from tests.server import Author, Behaviour, Body, Said, limit, serving

SEEDS = Path(__file__).parents[1] / "data" / "seeds"
FAULTY = Faults(near_duplicate=0.2, malformed=0.1, wrong_author=0.2)
"""Enough goes wrong that two dozen draws meet every gate."""


def author(body: Body, index: int) -> Said:
    """The builtin engine's answer, with many faults."""
    said = reply(
        body["messages"],
        seed=body.get("seed", 0) + index,  # a probe has none
        temperature=body.get("temperature", 1.0),
        max_tokens=limit(body) or 4096,
        faults=FAULTY,
    )
    return Said(said.text, said.finish == "length")


def marked(mark: str) -> Author:
    """The same author, who signs: what it says now can be told from what was said before."""

    def signed(body: Body, index: int) -> Said:
        said = author(body, index)
        return Said(f"{said.text}\n\n{mark}", said.cut)

    return signed


LINE: dict[str, Any] = {
    "name": "small",
    "about": "a small run",
    "target": {"candidates": 24},
    "shard": 8,
    "models": {
        "teacher": {"use": "openai:test@http://127.0.0.1:9/v1", "sampling": {"temperature": 0.6, "max_tokens": 4096}}
    },
    "stages": [
        {"use": "draw", "seeds": "seeds.jsonl"},
        {"use": "pose", "prompt": "pose/plan-solve"},
        {"name": "screen", "use": "sift", "rules": ["form", {"rule": "novelty", "at_most": 0.7}]},
        {"use": "expand", "prompt": "solve/boxed", "n": 2},
        {"name": "verify", "use": "sift", "rules": ["answer_matches", {"rule": "pass_rate", "at_least": 0.4}]},
    ],
}


@dataclass
class Turned:
    """What a run made, and what its server saw."""

    made: Made
    requests: int = 0
    digests: set[bytes] = field(default_factory=set)  # of the requests' bytes


class Site:
    """A folder with a recipe and its seeds. `THOUGHTMILL_DATA` is set by the fixture that makes it."""

    def __init__(self, folder: Path, *, seeds: int = 12) -> None:
        self.folder = folder
        self.value = copy.deepcopy(LINE)
        self.append_seeds(seeds)

    def append_seeds(self, number: int) -> None:
        """Add the next seeds of the project to those of the site."""
        path = self.folder / "seeds.jsonl"
        old = path.read_bytes() if path.exists() else b""
        lines = (SEEDS / "math.jsonl").read_bytes().splitlines(keepends=True)
        there = len(old.splitlines())
        path.write_bytes(old + b"".join(lines[there : there + number]))

    def write_seeds(self, *rows: Any) -> None:
        (self.folder / "seeds.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))

    def stage(self, name: str) -> dict[str, Any]:
        return next(each for each in self.value["stages"] if each.get("name", each["use"]) == name)

    def write(self) -> str:
        """The recipe's file, as it stands now."""
        path = self.folder / "recipe.toml"
        path.write_bytes(tomli_w.dumps(self.value).encode())
        return str(path)

    def turn(self, *changes: str, behaviour: Behaviour | None = None, **how: Any) -> Turned:
        """Run against a server of its own, so that each run has another URL."""
        return asyncio.run(self._against_server(behaviour or Behaviour(author=author), changes, how))

    async def _against_server(self, behaviour: Behaviour, changes: Sequence[str], how: dict[str, Any]) -> Turned:
        async with serving(behaviour) as server:
            teacher = {"use": f"openai:test@{server.url}"}
            self.value["models"]["teacher"].update(teacher)
            made = await make.make(self.write(), changes=changes, **how)
            return Turned(made, server.calls, set(server.times))

    def embedded(self, *changes: str, **how: Any) -> Made:
        """Run on the builtin engine."""
        self.value["models"]["teacher"]["use"] = "builtin"
        return asyncio.run(make.make(self.write(), changes=changes, **how))


def problems(made: Made) -> list[Problem]:
    return _facts(made, Problem, "problems")


def attempts(made: Made) -> list[Attempt]:
    return _facts(made, Attempt, "attempts")


def verdicts(made: Made) -> list[Verdict]:
    return _facts(made, Verdict, "verdicts")


def _facts(made: Made, kind: type[Any], name: str) -> list[Any]:
    return from_table(kind, pq.read_table(made.folder / "facts" / f"{name}.parquet"))


def tree(folder: Path, *, but: Callable[[Path], bool] = lambda path: False) -> dict[str, bytes]:
    """Every file under a folder with its bytes, by its path from there."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not but(path))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def loaded_bytes(made: Made) -> dict[str, bytes]:
    """The bytes that consumers of a version load: facts and views, not what tells how it was made."""
    return {name: content for name, content in tree(made.folder).items() if "/" in name}
