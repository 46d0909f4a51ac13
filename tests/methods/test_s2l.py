"""S2L: a subset that is even over what a small model learns alike, over any rows.

Shown elsewhere:
- what T-01 asks of the selection by itself: tests/methods/test_t01.py and tests/filters/test_selection_s2l.py
- that a proxy really learns, and the same each time: tests/pipelines/test_proxy.py
- the three commands of the recipe, with a proxy that is trained: tests/trainers/test_s2l_trained.py
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from math import log2
from pathlib import Path
from typing import Any

import pytest

from filters.artifact import artifact
from filters.rule import Case
from filters.selection_s2l import Losses, equal_split, read_losses, s2l, write_losses
from filters.words import words
from flows import make
from flows.make import Made
from pipelines import recipe as recipes
from pipelines.bind import bind
from tests.filters.cases import needs_data, task
from tests.filters.cases import rows as rows_of
from tests.methods import lines

pytest.importorskip("numpy")

MATRIX = Path(__file__).parents[2] / "data" / "seeds" / "worded-losses.parquet"
STEPS = (60, 120, 180, 240, 300, 360, 420, 480)


# --- 480 real responses -----------------------------------------------------------------------------------------


@cache
def responses() -> list[tuple[str, str, str]]:
    """Level, question and text of each: 60 problems of MATH, 8 responses to each."""
    pool = rows_of("math_samples/qwen_math_8_samples.jsonl")
    return [(row["level"], f"{row['question']} #{i}", text) for row in pool for i, text in enumerate(row["response"])]


@cache
def losses_of_responses() -> tuple[list[Case], Losses]:
    """What a model of single words has learnt of each when it has read so many of them: bits a word."""
    cases = [Case(task(question)._replace(source=level)) for level, question, _ in responses()]
    texts = [Counter(words(text.lower())) for _, _, text in responses()]
    read, columns = Counter[str](), []
    for start, stop in zip((0, *STEPS), STEPS, strict=False):
        for text in texts[start:stop]:
            read.update(text)
        columns.append([_bits(text, read, read.total()) for text in texts])
    by_row = tuple(zip(*columns, strict=True))
    return cases, Losses("single words", None, STEPS, tuple(case.problem.id for case in cases), by_row)


def _bits(text: Mapping[str, int], read: Mapping[str, int], total: int) -> float:
    told = sum(count * log2((total + 5_000) / (read.get(word, 0) + 1)) for word, count in text.items())
    return told / max(1, sum(text.values()))


def chosen(cases: Sequence[Case], path: Path, **given: Any) -> set[str]:
    rulings = s2l(cases, losses=artifact(path), **given)
    return {case.problem.id for case, told in zip(cases, rulings, strict=True) if told.status == "pass"}


@needs_data
@pytest.mark.slow
def test_of_480_real_responses_each_level_gives_as_many_and_the_order_does_not_matter(tmp_path: Path) -> None:
    cases, losses = losses_of_responses()
    write_losses(tmp_path / "losses", losses)
    found = chosen(cases, tmp_path / "losses", share=0.25, by="source")
    assert len(cases) == 480
    assert len(found) == 120
    sizes = Counter(str(case.problem.source) for case in cases)
    taken = Counter(case.problem.source for case in cases if case.problem.id in found)
    assert taken == equal_split(sizes, 120)
    assert chosen(cases[::-1], tmp_path / "losses", share=0.25, by="source") == found
    assert chosen(cases, tmp_path / "losses", share=0.25, by="source", seed=1) != found
    assert len(chosen(cases, tmp_path / "losses", k=500)) == 480


# --- The recipe -------------------------------------------------------------------------------------------------


def made_in(folder: Path, *changes: str) -> Made:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder))
        return asyncio.run(make.make("s2l", changes=changes))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made_in(tmp_path_factory.mktemp("s2l"))


@pytest.mark.slow
def test_half_of_our_seeds_evenly_over_their_domains_with_as_many_by_chance_beside(made: Made) -> None:
    """The smallest gives no more than the others: 250 rows of 120, 65 and 65."""
    assert made.ledger["candidates"] == 2 * made.ledger["accepted"] == 250
    domains = Counter(each.domain for each in _accepted(made))
    assert sorted(domains.values()) == [41, 42, 42]
    assert len(lines.loaded(made, "sft")) == 125
    assert len(lines.by_chance(made, "s2l")) == 125


def _accepted(made: Made) -> list[Any]:
    from tests.small import problems

    questions = lines.accepted(made)
    return [each for each in problems(made) if each.question in questions]


@pytest.mark.slow
def test_the_matrix_that_is_shipped_is_of_just_these_rows(made: Made) -> None:
    losses = read_losses(MATRIX)
    assert set(losses.ids) == set(lines.questions(made))
    assert list(losses.steps) == sorted(losses.steps)
    assert (losses.model, losses.training["not_numbers"]) == ("tiny-qwen2", 0)


@pytest.mark.slow
def test_it_runs_over_any_rows_first_as_a_pool_and_then_by_its_losses(tmp_path: Path) -> None:
    """What the head of the recipe says, with losses of our own instead of a training."""
    file = tmp_path / "mine.jsonl"
    rows = ({"question": f"{n} and 1?", "responses": [f"It is {n + 1}."], "source": str(n % 2)} for n in range(20))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    mine = f"bring.rows={file}"
    pool = made_in(tmp_path / "data", mine, "select.rules=[]")
    assert pool.ledger["accepted"] == 20
    ids = sorted(lines.questions(pool))
    write_losses(
        tmp_path / "losses", Losses("p", None, (1, 2), tuple(ids), tuple((float(n), 0.0) for n in range(20)))
    )
    rule = f'select.rules=[{{rule="s2l", losses="{tmp_path / "losses"}", share=0.5, by="source"}}]'
    again = made_in(tmp_path / "data", mine, rule)
    assert again.counts.get("sent", 0) == 0
    assert Counter(each.source for each in _accepted(again)) == {"0": 5, "1": 5}


def test_the_head_of_the_recipe_says_how_to_make_losses_and_its_commands_bind() -> None:
    text = recipes.find("s2l").read_text()
    head = text.partition("name   =")[0]
    assert "thoughtmill losses s2l --model" in head
    bound = make.prepare("s2l", changes=["select.rules=[]"])
    assert bound.selection is not None
    assert bound.selection.parameters["rules"] == []
    path = recipes.find("s2l")
    value = recipes.read(path, changes=[f'select.rules=[{{rule="s2l", losses="{MATRIX}", share=0.11, by="source"}}]'])
    assert bind(value, folder=path.parent).selection
