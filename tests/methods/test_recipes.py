"""Every recipe that is shipped, whole: on the builtin engine, and on an endpoint over HTTP.

And for all of them one test that no exported prompt holds what helped to make a row: plans, references, hints, tests.
"""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import orjson
import pytest

from docs import methods
from filters.trace_text import longest_copy
from filters.words import words
from flows import make
from flows.make import Made
from pipelines import recipe as recipes
from pipelines.records import Attempt, Problem, Turn, problem
from prompts.template import Template, load, names
from tests.each import each_of
from tests.pipelines.stages.bench import answered
from tests.pipelines.test_views_laws import Row, prompts_in, rows_in, texts_in
from tests.server import Behaviour, builtin, serving
from tests.small import attempts, problems, verdicts

ROOT = Path(__file__).parents[2]
ENOUGH = 3
FEW = [f"target.accepted={ENOUGH}", "target.candidates=200", "shard=8"]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path))


def balanced(made: Made) -> bool:
    """Whether the books say of every draw what became of it."""
    told = sum(count for outcome, count in made.outcomes() if outcome != "candidates")
    return made.ledger["candidates"] == told


async def stopped_in_time(made: Made, name: str, changes: Sequence[str]) -> bool:
    """Whether it has the rows that were asked for, and no draw beyond them.

    A blend may take several more rows with one draw. Then with one draw fewer it has too few, and asks for nothing.
    """
    if made.ledger["accepted"] <= ENOUGH:
        return made.ledger["accepted"] == ENOUGH
    without_the_last = f"target.candidates={made.ledger['candidates'] - 1}"
    fewer = await make.make(name, changes=[*changes, without_the_last], dataset="fewer")
    return fewer.ledger["accepted"] < ENOUGH and not fewer.counts.get("sent")


def shown(made: Made, rows: dict[str, list[Row]]) -> bool:
    """Whether everything that was accepted is in one of the version's views at least."""
    views = orjson.loads((made.folder / "version.json").read_bytes())["rows"]
    there = {row["problem_id"] for view in rows.keys() & views.keys() for row in rows[view]}
    accepted = {each.subjects[0] for each in verdicts(made) if each.rule == "accepted@1" and each.status == "pass"}
    return len(accepted) == made.ledger["accepted"] and accepted <= there


@pytest.mark.slow
@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_makes_its_rows_and_no_prompt_holds_what_helped(name: str) -> None:
    async def scene() -> Made:
        made = await make.make(name, changes=FEW)
        assert balanced(made)
        assert await stopped_in_time(made, name, FEW)
        return made

    made = asyncio.run(scene())
    rows = rows_in([*problems(made), *attempts(made), *verdicts(made)])
    assert shown(made, rows)
    assert leaks(problems(made), attempts(made), rows) == []
    assert references(problems(made), rows) == []


IN_A_ROW = 8  # words that are no accident


def helped(problems: list[Problem], attempts: list[Attempt]) -> Iterator[str]:
    """What was there for those who made the rows: plans and other details, references, prompts with private parts."""
    for each in problems:
        yield from texts_in(orjson.loads(each.details))
        yield each.answer or ""
    ours = {name: template for name, template in templates().items() if template.private}
    for each in attempts:
        if orjson.loads(each.details).get("private") or each.prompt.partition("@")[0] in ours:
            yield from (turn.content or "" for turn in each.turns[:-1])


@cache
def templates() -> dict[str, Template]:
    return {name: load(name) for name in names()}


def leaks(problems: list[Problem], attempts: list[Attempt], views: dict[str, list[Row]]) -> list[str]:
    """Runs of words that stand in an exported prompt and come from what helped, and from no question."""
    questions = "\n\n".join(each.question for each in problems)
    secrets = "\n\n".join(dict.fromkeys(helped(problems, attempts)))
    prompts = {prompt for view, rows in views.items() for row in rows for prompt in prompts_in(view, row)}
    found = (longest_copy(prompt, secrets, besides=questions, at_least=IN_A_ROW) for prompt in prompts)
    return [" ".join(words) for words in found if words]


SHOW_AN_ANSWER = {"critique", "judge", "judge_preference", "step_preference", "generator", "repairs", "repairs_rl"}


def references(problems: list[Problem], views: dict[str, list[Row]]) -> list[str]:
    """Prompts with the reference, be it one letter, besides what the draw's questions and our templates say.

    Views that show somebody's answer, as there is something to say of it, are left out.
    """
    of, found = {each.id: each for each in problems}, list[str]()
    for view, row in [(name, row) for name, rows in views.items() if name not in SHOW_AN_ANSWER for row in rows]:
        answer = words(of[row["problem_id"]].answer or "")
        questions = [each.question for each in problems if each.draw == of[row["problem_id"]].draw]
        for prompt in prompts_in(view, row) if answer else ():
            rest = words(without(prompt, [*questions, *wordings()]))
            found += [prompt] * (answer in (rest[place : place + len(answer)] for place in range(len(rest))))
    return found


@cache
def wordings() -> list[str]:
    """What our templates say around their values."""
    parts = (part.strip() for each in templates().values() for part in re.split(r"{{.*?}}|\[user\]\n", each.body))
    return [part for part in parts if len(words(part)) > 2]


def without(text: str, parts: list[str]) -> str:
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "\n")
    return text


def test_a_prompt_that_holds_a_short_reference_is_seen() -> None:
    posed = problem(parents=[], stage="pose@1", draw=0, kind="posed", question="How many of 59 leave?", answer="59")
    for asked, is_seen in {f"{posed.question} Not 60, but 59.": True, posed.question: False}.items():
        solve = load("solve/boxed").render({"question": asked})
        row = {"prompt": solve, "question": posed.question, "problem_id": posed.id}
        assert bool(references([posed], {"rl": [row]})) == is_seen


def test_a_private_prompt_is_known_by_its_template_and_not_only_by_what_the_attempt_says_of_it() -> None:
    guidance = "think as one who has seen ten such tables and knows where the legs are"
    shown = load("think/guided").render({"guidance": guidance, "question": "How many legs?"})
    of = problem(parents=[], stage="bring@1", draw=0, kind="task", question="How many legs?")
    row = {"messages": [*shown, {"role": "assistant", "content": "4"}], "question": of.question}
    turns = (*(Turn(each["role"], each["content"]) for each in shown), Turn("assistant", "4"))
    tried = answered(of, "4")._replace(prompt="think/guided@0", turns=turns)
    assert guidance in leaks([of], [tried], {"sft": [row]})[0]


def test_a_prompt_that_holds_a_plan_is_seen() -> None:
    plan = "first count the crates, then take away a tenth of them, and halve what is left"
    posed = problem(
        parents=[], stage="pose@1", draw=0, kind="posed", question="How many bags leave?", details={"plan": plan}
    )
    hinted = f"{posed.question} A hint: {plan}."
    for asked, found in {hinted: [plan.replace(",", "")], posed.question: []}.items():
        row = {"prompt": [{"role": "user", "content": asked}], "question": posed.question}
        assert leaks([posed], [], {"rl": [row]}) == found


@pytest.mark.slow
@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_makes_its_rows_on_any_endpoint(name: str) -> None:
    async def scene() -> Made:
        async with serving(Behaviour(author=builtin)) as server:
            roles = tomllib.loads(recipes.find(name).read_text()).get("models", {})
            elsewhere = [f"models.{role}=openai:test@{server.url}" for role in roles]
            made = await make.make(name, changes=[*FEW, *elsewhere])
            assert await stopped_in_time(made, name, [*FEW, *elsewhere])
            return made

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
