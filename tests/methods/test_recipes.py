"""Every recipe that is shipped, whole: on the builtin engine, and on an endpoint over HTTP."""

from __future__ import annotations

import asyncio
import re
import tomllib
from pathlib import Path

import pytest

from docs import methods
from flows import make
from flows.make import Made
from pipelines import recipe as recipes
from tests.each import each_of
from tests.server import Behaviour, builtin, serving

ROOT = Path(__file__).parents[2]
ENOUGH = 3
FEW = [f"target.accepted={ENOUGH}", "target.candidates=200", "shard=8"]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path))


def balanced(made: Made) -> bool:
    """Whether it has its rows, and the books say of every draw what became of it.

    A blend may take several more with one draw, so there may be more.
    """
    return made.ledger["accepted"] >= ENOUGH and made.ledger["candidates"] == sum(
        count for outcome, count in made.outcomes() if outcome != "candidates"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_makes_its_rows(name: str) -> None:
    assert balanced(asyncio.run(make.make(name, changes=FEW)))


@pytest.mark.slow
@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_makes_its_rows_on_any_endpoint(name: str) -> None:
    async def scene() -> Made:
        async with serving(Behaviour(author=builtin)) as server:
            roles = tomllib.loads(recipes.find(name).read_text()).get("models", {})
            elsewhere = [f"models.{role}=openai:test@{server.url}" for role in roles]
            return await make.make(name, changes=[*FEW, *elsewhere])

    assert balanced(asyncio.run(scene()))


@each_of(recipes.names())
def test_the_page_of_a_method_names_tests_that_are_there(name: str) -> None:
    said = methods.text(name)
    assert "# Numbers\n" in said
    assert "# Tests\n" in said
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", said)
    assert named
    for path, test in named:
        assert f"def {test}" in (ROOT / path).read_text() if test else (ROOT / path).exists(), f"{path}::{test}"
