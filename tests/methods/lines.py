"""Whole runs for the tests of methods: rows that are brought, stages over them, and the version that comes of it."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import datasets
import orjson
import tomli_w

from flows import make
from flows.make import Made
from pipelines.records import Verdict
from tests.server import Author, Behaviour, Body, Said, canned, serving
from tests.small import problems, verdicts

Row = Mapping[str, Any]
Abilities = Mapping[str, Mapping[str, int]]
"""By model and question: how many of its attempts are right; the first ones are."""


def run(
    folder: Path,
    rows: Sequence[Row],
    *stages: Row,
    models: Mapping[str, str] | None = None,
    author: Author = canned,
    bring: Row | None = None,
    **recipe: Any,
) -> Made:
    """Bring the rows, take them through the stages, and release them; `folder` holds all that this makes.

    `models` are roles with the names of the models that `author` speaks for.
    """
    folder.mkdir(exist_ok=True)
    (folder / "rows.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    value: dict[str, Any] = {"name": "method", "target": {"candidates": len(rows)}, **recipe}
    value["stages"] = [{"use": "bring", "rows": "rows.jsonl", **(bring or {})}, *stages]
    with patch.dict(os.environ, THOUGHTMILL_DATA=str(folder / "data")):
        return asyncio.run(_made(folder / "recipe.toml", value, models or {}, author))


async def _made(path: Path, value: dict[str, Any], models: Mapping[str, str], author: Author) -> Made:
    async with serving(Behaviour(author=author)) as server:
        _write(path, value, {role: f"openai:{name}@{server.url}" for role, name in models.items()})
        return await make.make(str(path))


def _write(path: Path, value: Mapping[str, Any], models: Mapping[str, str]) -> None:
    sampling = {"temperature": 0.6, "max_tokens": 512}
    told = {role: {"use": model, "sampling": sampling} for role, model in models.items()}
    path.write_text(tomli_w.dumps({**value, "models": told}))


def able(abilities: Abilities, answers: Mapping[str, str]) -> Author:
    """A server of models that are right as often as it is said; a wrong answer is the right one and a 7 behind it."""
    asked = Counter[tuple[str, str]]()

    def author(body: Body, index: int) -> Said:
        text, model = body["messages"][-1]["content"], body["model"]
        question = next(each for each in answers if each in text)
        asked[model, question] += 1
        wrong = asked[model, question] > abilities[model][question]
        return Said(rf"I say \boxed{{{answers[question]}{'7' if wrong else ''}}}.", False)

    return author


def boxed(*answers: str | int) -> list[str]:
    """Responses that end in these answers."""
    return [rf"So it is \boxed{{{answer}}}." for answer in answers]


def sift(*rules: str | Row) -> Row:
    return {"use": "sift", "rules": list(rules)}


def select(*rules: str | Row) -> Row:
    return {"use": "select", "rules": list(rules)}


# --- What a version says --------------------------------------------------------------------------------------


def questions(made: Made) -> dict[str, str]:
    """The question of each problem that was brought, by its id."""
    return {each.id: each.question for each in problems(made) if each.kind == "task"}


def told(made: Made, rule: str) -> dict[str, Verdict]:
    """What the rule, of whatever version, said of each problem, by its question."""
    asked = questions(made)
    said = (each for each in verdicts(made) if each.rule.partition("@")[0] == rule)
    return {asked[each.subjects[0]]: each for each in said if each.subjects[0] in asked}


def accepted(made: Made) -> set[str]:
    """The questions of the problems that were accepted."""
    return {question for question, each in told(made, "accepted").items() if each.status == "pass"}


def by_chance(made: Made, selector: str) -> set[str]:
    """The questions of the random arm, as the facts of the selector tell it."""
    return {question for question, each in told(made, selector).items() if orjson.loads(each.evidence).get("random")}


def loaded(made: Made, view: str) -> list[dict[str, Any]]:
    """The rows of a view as consumers load them."""
    return datasets.load_from_disk(str(made.folder / view)).to_list()  # pyright: ignore


def report(made: Made) -> dict[str, Any]:
    return orjson.loads((made.folder / "report" / "report.json").read_bytes())
