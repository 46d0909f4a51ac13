"""What consumers load: rows that mean what they say, in the form that their own loader reads."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import orjson
import pytest

from filters.answers import final_answer
from flows.make import Made
from tests.server import Behaviour, Body, Said
from tests.small import Site, attempts, problems, verdicts

POSED = """<plan>
Two steps.
</plan>
<question>
Number {n}: what is {n} times {n}, plus one?
</question>
<answer>
{answer}
</answer>"""


class Scene:
    """An author who poses squares, and solves each right, wrong, cut off, after a thought and silently, in turn."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()

    def __call__(self, body: Body, index: int) -> Said:
        text = body["messages"][-1]["content"]
        if "Seed question" in text:
            n = body["seed"] % 100_000 + 2
            return Said(POSED.format(n=n, answer=n * n + 1), False)
        self._asked[text] += 1
        answer = int(text.split()[1].strip(":")) ** 2 + 1
        return [
            Said("", False),
            Said(f"I multiply.\n\\boxed{{{answer}}}", False),
            Said(f"I guess.\n\\boxed{{{answer + 1}}}", False),
            Said(f"I go on and on, \\boxed{{{answer}}} and", True),
            Said(f"<think>\nWhat is a square?\n</think>\n\n\\boxed{{{answer}}}", False),
        ][self._asked[text] % 5]


@pytest.fixture
def made(site: Site) -> Made:
    site.value["target"]["candidates"] = 6
    site.stage("screen")["rules"] = ["form"]
    site.stage("expand")["n"] = 5
    return site.turn(behaviour=Behaviour(author=Scene())).made


def load(made: Made, view: str) -> list[dict[str, Any]]:
    return datasets.load_from_disk(str(made.folder / view)).to_list()  # pyright: ignore


def test_sft_holds_every_right_answer_and_no_other(made: Made):
    rows = load(made, "sft")
    right = {each.subjects[0] for each in verdicts(made) if each.rule == "answer_matches@2" and each.status == "pass"}
    assert {row["attempt_id"] for row in rows} == right
    assert len(rows) == 2 * 6
    for row in rows:
        assert [said["role"] for said in row["messages"]] == ["user", "assistant"]
        assert row["question"] in row["messages"][0]["content"]
        assert f"\\boxed{{{row['answer']}}}" in row["messages"][1]["content"]


def test_reasoning_is_rendered_in_think_tags_exactly_once(made: Made):
    thought = {each.id for each in attempts(made) if each.turns[-1].reasoning}
    rows = {row["attempt_id"]: row["messages"][-1]["content"] for row in load(made, "sft")}
    assert thought
    assert thought <= rows.keys()
    for attempt, said in rows.items():
        assert said.startswith("<think>\nWhat is a square?\n</think>\n\n\\boxed{") == (attempt in thought)
        assert said.count("<think>") == (attempt in thought)


def test_no_view_holds_what_was_cut_though_it_has_the_right_answer(made: Made):
    cut = {each.id for each in attempts(made) if each.finish == "length"}
    assert len(cut) == 6
    assert not cut & {row["attempt_id"] for row in load(made, "sft")}


def test_rl_has_prompt_answer_verifier_and_pass_rate(made: Made):
    rows = load(made, "rl")
    posed = {each.id: each for each in problems(made) if each.kind == "posed"}
    assert {row["problem_id"] for row in rows} == posed.keys()
    for row in rows:
        problem = posed[row["problem_id"]]
        assert row["prompt"][-1]["role"] == "user"
        assert problem.question in row["prompt"][-1]["content"]
        assert "boxed" in row["prompt"][-1]["content"]  # the form that the verifier reads
        assert (row["answer"], row["verifier"]) == (problem.answer, "math")
        assert (row["pass_rate"], row["pass_rate_n"]) == (0.5, 4)  # of four that ended, two were right


def test_the_prompt_of_rl_is_the_one_that_was_asked(made: Made):
    asked = {each.problem: each.turns[:-1] for each in attempts(made) if each.stage.startswith("expand")}
    for row in load(made, "rl"):
        assert [(said["role"], said["content"]) for said in row["prompt"]] == [
            (turn.role, turn.content) for turn in asked[row["problem_id"]]
        ]


def test_a_system_prompt_is_part_of_both(site: Site):
    site.value["models"]["teacher"]["system"] = "You are brief."
    made = site.turn().made
    for view, column in [("sft", "messages"), ("rl", "prompt")]:
        rows = load(made, view)
        assert rows
        assert all(row[column][0] == {"role": "system", "content": "You are brief."} for row in rows)


def test_rows_come_in_draw_order_without_repeats(site: Site):
    made = site.embedded("expand.n=4")
    draws = {each.id: each.draw or 0 for each in problems(made)}
    sft, rl = load(made, "sft"), load(made, "rl")
    order = [(draws[row["problem_id"]], row["sample"]) for row in sft]
    assert order == sorted(set(order))
    order = [draws[row["problem_id"]] for row in rl]
    assert order == sorted(set(order))
    assert len(rl) == made.ledger["accepted"]


def test_every_row_of_sft_verifies_against_its_answer(site: Site):
    made = site.embedded("expand.n=4")
    said = {each.id: each for each in attempts(made)}
    matched = {each.subjects[0]: each.value for each in verdicts(made) if each.rule == "answer_matches@2"}
    verifiers = {each.id: each.verifier for each in problems(made)}
    rows = load(made, "sft")
    assert rows
    for row in rows:
        attempt = said[row["attempt_id"]]
        assert final_answer(attempt, verifiers[row["problem_id"]] or "") == matched[attempt.id]


def test_without_a_reference_the_answer_is_the_one_that_was_agreed_on(site: Site):
    """Posed without an answer, solved by several: what self-consistency found is what `rl` asks for."""
    site.stage("pose").update(prompt="pose/plan", verifier="math")
    site.stage("verify")["rules"] = [{"rule": "self_consistency", "at_least": 0.5}]
    made = site.embedded("expand.n=4")
    agreed = {each.subjects[0]: each.value for each in verdicts(made) if each.rule == "self_consistency@1"}
    rows = load(made, "rl")
    assert rows
    assert all(row["answer"] == agreed[row["problem_id"]] for row in rows)


def test_where_answers_are_rated_the_best_is_imitated(site: Site):
    site.value["models"]["reward"] = "builtin"
    site.value["stages"][4:] = [{"use": "grade"}]
    site.value["views"] = ["sft"]
    made = site.embedded("expand.n=3")
    rewards = {each.subjects[0]: each.score for each in verdicts(made) if each.rule == "reward@1"}
    rows = load(made, "sft")
    assert len(rows) == len({row["problem_id"] for row in rows}) > 0
    for row in rows:
        rivals = [
            rewards.get(each.id)
            for each in attempts(made)
            if each.problem == row["problem_id"] and each.finish == "stop"
        ]
        assert row["reward"] == max((score for score in rivals if score is not None), default=None)


# The form on disk


@pytest.mark.parametrize("view", ["sft", "rl"])
def test_the_loader_maps_a_view_with_its_features(made: Made, view: str):
    loaded = datasets.load_from_disk(str(made.folder / view))
    assert isinstance(loaded, datasets.Dataset)
    assert loaded.cache_files  # mapped from the files, not read into memory
    features = loaded.features
    column = "messages" if view == "sft" else "prompt"
    assert set(features[column].feature) == {"role", "content"}  # pyright: ignore
    assert str(features["pass_rate"].dtype) == "float64"
    assert loaded.num_rows == orjson.loads((made.folder / "version.json").read_bytes())["rows"][view]
    again = Path(made.folder / "again")
    loaded.select(range(2)).save_to_disk(again)
    assert datasets.load_from_disk(str(again)).num_rows == 2


@pytest.mark.parametrize("view", ["sft", "rl"])
def test_an_empty_view_is_loaded_too(site: Site, view: str):
    site.stage("screen")["rules"] = [{"rule": "form", "at_least_words": 399}]
    made = site.embedded("target={accepted=5, candidates=10}")
    loaded = datasets.load_from_disk(str(made.folder / view))
    assert loaded.num_rows == 0
    assert "pass_rate" in loaded.column_names


def test_a_text_of_any_kind_survives(site: Site):
    """Thirty thousand tokens, every plane of Unicode, and what other formats would escape."""
    strange = "\u0000\u2028\U0001f600e\u0301 \\boxed{} <|im_end|> \t\r\n" + "ein langer Gedanke " * 8000

    def author(body: Body, index: int) -> Said:
        text = body["messages"][-1]["content"]
        if "Seed question" in text:
            return Said(POSED.format(n=body["seed"], answer=1), False)
        return Said(f"{strange}\n\\boxed{{1}}", False)

    site.value["target"]["candidates"] = 2
    site.stage("screen")["rules"] = ["form"]
    made = site.turn(behaviour=Behaviour(author=author)).made
    rows = load(made, "sft")
    assert rows
    assert all(row["messages"][-1]["content"] == f"{strange}\n\\boxed{{1}}" for row in rows)
