"""Evol-Instruct: each task is rewritten by one operation, and what did not evolve goes for one of four reasons.

Shown elsewhere:
- every task of the pool evolves once before any does again:
  tests/pipelines/stages/test_draw.py::test_in_turn_every_seed_is_drawn_once_before_any_is_drawn_again
- an apology of fewer than 80 words is none of more: tests/filters/test_wording.py::test_an_answer_or_none
- parent and child stand between marks that they cannot close:
  tests/pipelines/stages/test_review.py::test_what_it_came_from_stands_beside_it
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from flows import make
from flows.make import Made
from pipelines.bind import Recipe
from pipelines.inference.model import seed_of
from pipelines.records import Attempt, Problem
from tests.methods import lines
from tests.pipelines.stages.bench import Bench, posed
from tests.server import Behaviour, Body, Said, serving
from tests.small import SEEDS, attempts, problems, verdicts

FEW = ["target.accepted=16", "target.candidates=200", "shard=8"]
OPERATIONS = ("constrain", "deepen", "concretise", "reason", "broaden")


def recipe() -> Recipe:
    return make.prepare("evol-instruct")


def test_five_operations_are_chosen_with_equal_chances() -> None:
    [evolve] = [step for step in recipe().steps if step.name == "evolve"]
    assert [each.name for each in evolve.parameters["prompt"]] == [f"evolve/{name}" for name in OPERATIONS]
    turns = Counter(seed_of(0, posed(i).id, "prompt") % len(OPERATIONS) for i in range(2_000))
    assert len(turns) == 5
    assert max(turns.values()) < 1.25 * min(turns.values())


def test_the_recipe_samples_as_the_paper_does() -> None:
    steps = {step.name: step.parameters for step in recipe().steps}
    given = steps["evolve"]["sampling"].given()
    assert (given["temperature"], given["top_p"], given["max_tokens"]) == (1.0, 0.95, 2048)
    assert steps["expand"]["n"] == 1
    [refusal] = [each for each in steps["answered"]["rules"] if each.name == "no_refusal"]
    assert refusal.parameters["at_least_words"] == 80


# --- Four eliminations ------------------------------------------------------------------------------------------

PARENT = "Name three herbs for a balcony."
FATES = {
    "Name three herbs for a balcony, please.": "gain",
    "Name three herbs for a balcony in Oslo, and apologise.": "no_refusal",
    "Name three herbs for a balcony in Bergen that need no words.": "no_refusal",
    "Name three herbs for a balcony as the given prompt does.": "no_words",
    "Name three herbs for a balcony facing north, with a reason each.": "accepted",
}


def author(body: Body, index: int) -> Said:
    """Evolves the parent into each of the children in turn, and says of each what its name promises."""
    text = body["messages"][-1]["content"]
    if "<verdict>" in text:
        gained = "please." not in text.partition("<question_b>")[2]
        return Said(f"<reason>\nSo.\n</reason>\n<verdict>\n{'yes' if gained else 'no'}\n</verdict>", False)
    if "<question>" in text:
        child = next(child for number, child in enumerate(FATES) if f"No. {number}" in text)
        return Said(f"<question>\n{child}\n</question>", False)
    answers = {"apologise": "I am sorry, I have no garden.", "no words": "... !"}
    return Said(next((said for sign, said in answers.items() if sign in text), "Mint, thyme and chives."), False)


@pytest.fixture(scope="module")
def fates(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("fates")
    path = folder / "pool.jsonl"
    path.write_text("".join(json.dumps({"question": f"{PARENT} No. {i}"}) + "\n" for i in range(len(FATES))))

    async def scene() -> Made:
        async with serving(Behaviour(author=author)) as server:
            models = [f"models.{role}=openai:test@{server.url}" for role in ("teacher", "judge")]
            target = ["target.accepted=5", f"target.candidates={len(FATES)}"]
            return await make.make("evol-instruct", changes=[f"draw.seeds={path}", *models, *target])

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder / "data"))
        return asyncio.run(scene())


@pytest.mark.slow
def test_each_elimination_takes_out_what_it_is_for(fates: Made) -> None:
    assert fates.ledger["accepted"] == 1
    assert fates.ledger["not_accepted"] == {"gain": 1, "no_refusal": 2, "no_words": 1}
    questions = {each.id: each.question for each in problems(fates)}
    for told in verdicts(fates):
        name, about = told.rule.partition("@")[0], questions.get(told.subjects[0], "")
        if about in FATES and told.status == "fail" and name != "accepted":
            assert FATES[about] == name


@pytest.mark.slow
def test_the_judge_sees_the_parent_itself_and_the_child(fates: Made) -> None:
    tasks = {each.id: each for each in problems(fates) if each.kind == "judge"}
    shown = [each.turns[0].content or "" for each in attempts(fates) if each.problem in tasks]
    assert shown
    assert all(f"<question_a>\n{PARENT} No. " in each and "Seed task" not in each for each in shown)


# --- Rounds -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    """A round over the seeds, and one over the seeds and what came of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(tmp_path_factory.mktemp("evol")))
        seeds = SEEDS / "instructions.jsonl"
        first = asyncio.run(make.make("evol-instruct", changes=[f"draw.seeds={seeds}", *FEW]))
        pool = json.dumps([str(seeds), str(first.folder / "sft" / "data-00000.arrow")])
        many = ["target.accepted=300", "target.candidates=232"]  # once over the whole pool
        return [first, asyncio.run(make.make("evol-instruct", changes=["name=second", f"draw.seeds={pool}", *many]))]


def parent_of(child: Problem, by_id: dict[str, Problem], posings: dict[str, Attempt]) -> Problem:
    return by_id[by_id[posings[child.parents[0]].problem].parents[0]]


@pytest.mark.slow
def test_every_child_tells_its_parent_and_its_operation(rounds: list[Made]) -> None:
    for made in rounds:
        by_id, posings = {each.id: each for each in problems(made)}, {each.id: each for each in attempts(made)}
        children = [each for each in by_id.values() if each.kind == "posed"]
        assert children
        for child in children:
            assert parent_of(child, by_id, posings).kind == "seed"
            assert posings[child.parents[0]].prompt.partition("@")[0].removeprefix("evolve/") in OPERATIONS


@pytest.mark.slow
def test_the_second_round_evolves_the_whole_pool_once_those_that_failed_before_too(rounds: list[Made]) -> None:
    first, second = rounds
    pool = Counter(each.question for each in problems(second) if each.kind == "pose")
    evolved = {row["question"] for row in lines.loaded(first, "sft")}
    assert len(evolved) == 16
    assert len(pool) == sum(pool.values()) == 216 + 16
    assert {f"Seed task 1:\n{each}" for each in evolved} <= pool.keys()


@pytest.mark.slow
def test_operations_in_depth_add_ten_to_twenty_words_to_most(rounds: list[Made]) -> None:
    """As the prompts ask for; nothing is dropped for it, as the paper has no such filter."""
    made = rounds[1]
    by_id, posings = {each.id: each for each in problems(made)}, {each.id: each for each in attempts(made)}
    deeper = [
        len(child.question.split()) - len(parent_of(child, by_id, posings).question.split())
        for child in by_id.values()
        if child.kind == "posed" and "broaden" not in posings[child.parents[0]].prompt
    ]
    assert sum(10 <= more <= 20 for more in deeper) > 0.6 * len(deeper)


@pytest.mark.slow
def test_no_exported_prompt_speaks_of_the_rewriting(rounds: list[Made]) -> None:
    for row in (row for made in rounds for row in lines.loaded(made, "sft")):
        prompt = row["messages"][0]["content"]
        assert prompt == row["question"]
        assert not any(sign in prompt.lower() for sign in ("seed task", "rewritten", "given prompt", "<question>"))


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["breadth", "depth", "elimination"])
def test_without_an_arm_that_part_is_left_out(arm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path))
    made = asyncio.run(make.make("evol-instruct", changes=[f"{arm}=false", *FEW]))
    used = {each.prompt.partition("@")[0] for each in attempts(made) if each.prompt.startswith("evolve/")}
    assert ("evolve/broaden" in used) == (arm != "breadth")
    assert ("evolve/deepen" in used) == (arm != "depth")
    assert arm != "elimination" or not {"gain", "no_refusal", "no_words"} & made.ledger["not_accepted"].keys()


def test_a_task_that_cannot_be_read_goes_and_its_parent_is_still_a_seed(tmp_path: Path) -> None:
    output = Bench(tmp_path).run("pose", problems=[posed(0, "Seed task 1:\nSing.")], prompt="evolve/deepen")
    assert output.live == []
    assert [each.status for each in output.facts.verdicts] == ["fail"]
