"""Both forms of an item: one id, each decidable, and the view that holds them side by side."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import datasets
import orjson
import pytest
import tomli_w

from flows import make
from pipelines.records import Problem
from pipelines.stages.forms import check_forms
from tests.pipelines.stages.bench import Bench, answered, posed

CHOICE = "What is the capital of France?\n(A) Rome\n(B) Paris\n(C) Berlin"
OPEN = "What is 12 times 12?"


def twins(tmp_path: Path, of: Problem, *answers: str) -> list[Problem]:
    attempts = [answered(of, rf"\boxed{{{each}}}", sample=i) for i, each in enumerate(answers)]
    output = Bench(tmp_path).run("forms", problems=[of], attempts=attempts, distractors=3)
    assert output.live == [of.id]
    return output.facts.problems


def test_a_choice_becomes_open(tmp_path: Path):
    of = posed(0, CHOICE, answer="B", verifier="choice")
    [twin] = twins(tmp_path, of)
    assert (twin.question, twin.answer, twin.verifier) == ("What is the capital of France?", "Paris", "exact")
    assert orjson.loads(twin.details) == {"item": of.id, "format": "open"}


def test_an_open_question_becomes_a_choice_among_the_wrong_answers_it_got(tmp_path: Path):
    of = posed(0, OPEN, answer="144", verifier="math")
    [twin] = twins(tmp_path, of, "144", "124", "124", "24", "288/2")
    reference = orjson.loads(twin.answer or "")
    assert sorted(reference["options"].values()) == ["124", "144", "24"]
    assert reference["options"][reference["key"]] == "144"


def test_where_there_is_nothing_to_tell_apart_there_is_no_other_form(tmp_path: Path):
    assert twins(tmp_path, posed(0, OPEN, answer="144", verifier="math"), "144") == []
    assert twins(tmp_path, posed(0, OPEN), "144", "12") == []
    of_these = posed(0, "Which of the following is even?\n(A) 1\n(B) 2", answer="B", verifier="choice")
    assert twins(tmp_path, of_these) == []


def test_the_view_has_both_under_one_item(data: Path, tmp_path: Path):
    rows: list[dict[str, Any]] = [
        {"question": OPEN, "answer": "144", "responses": [r"\boxed{144}", r"\boxed{124}"]},
        {"question": CHOICE, "answer": "B", "verifier": "choice", "responses": ["B"]},
        {"question": "What is 1 + 1?", "answer": "2", "responses": [r"\boxed{2}"]},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = {
        "name": "pairs",
        "views": ["forms"],
        "stages": [{"use": "bring", "rows": "rows.jsonl"}, {"use": "forms"}],
    }
    (tmp_path / "pairs.toml").write_text(tomli_w.dumps(recipe))
    made = asyncio.run(make.make(str(tmp_path / "pairs.toml")))
    loaded = datasets.load_from_disk(str(made.folder / "forms")).to_list()  # pyright: ignore
    assert [row["format"] for row in loaded] == ["choice", "open", "choice", "open", "open"]
    items = [row["item"] for row in loaded]
    assert (items[0], items[2]) == (items[1], items[3])
    assert len({row["problem_id"] for row in loaded}) == 5
    assert all(row["prompt"][-1]["content"] == row["question"] for row in loaded)


def asked(tmp_path: Path, of: Problem, *answers: str, **given: Any) -> tuple[list[str], list[str]]:
    """The verifiers of what the draw is about from here on, and why it went if it did."""
    attempts = [answered(of, rf"\boxed{{{each}}}", sample=i) for i, each in enumerate(answers)]
    output = Bench(tmp_path).run("forms", problems=[of], attempts=attempts, **given)
    known = {each.id: each for each in [of, *output.facts.problems]}
    [told] = output.facts.verdicts
    assert told.rule == "asked_form@1"
    assert [id for _, id in output.out] == ([told.id] if told.status == "fail" else [])
    reason = orjson.loads(told.evidence).get("reason")
    return [str(known[id].verifier) for id in output.live], [reason] if reason else []


def test_the_draw_is_about_the_form_that_is_asked_for(tmp_path: Path):
    choice, number = posed(0, CHOICE, answer="B", verifier="choice"), posed(0, OPEN, answer="144", verifier="math")
    assert asked(tmp_path, choice, ask={"open": 1}) == (["exact"], [])
    assert asked(tmp_path, choice, ask={"choice": 2, "open": 0}) == (["choice"], [])
    assert asked(tmp_path, number, "124", ask={"choice": 1}) == (["choice"], [])
    assert asked(tmp_path, number, ask={"choice": 1, "open": 1}) == (["math"], [])
    none = "it has none of the forms that are asked for"
    assert asked(tmp_path, number, "144", ask={"choice": 1}) == ([], [none])


def test_an_open_answer_may_have_so_many_words(tmp_path: Path):
    long = "the one that is on the left bank"
    of = posed(0, f"Where do they live?\n(A) nowhere at all\n(B) {long}", answer="B", verifier="choice")
    assert asked(tmp_path, of, ask={"open": 1}) == ([], ["it has none of the forms that are asked for"])
    assert asked(tmp_path, of, ask={"open": 1}, words=10) == (["exact"], [])


@pytest.mark.parametrize("ask", [{"closed": 1}, {"open": -1}, {"open": True}, {"open": "1"}])
def test_weights_that_are_none_are_refused(ask: dict[str, Any]):
    with pytest.raises(ValueError, match="a weight from 0 on, of choice or open"):
        check_forms({"distractors": 3, "ask": ask})
