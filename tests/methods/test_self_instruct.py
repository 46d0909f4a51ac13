"""Self-Instruct: a list of tasks is added to, what is alike or unusable is dropped, and instances are written.

Shown elsewhere:
- banned words are found whole and in any case: tests/filters/test_wording.py::test_a_whole_word_in_any_case_is_found
- what begins with a sign or another script goes:
  tests/filters/test_wording.py::test_a_sign_or_another_script_is_no_plain_beginning
- each filter of instances, and a set that contradicts itself:
  tests/filters/test_instances.py::test_what_cannot_be_used_goes_by_itself and
  tests/filters/test_instances.py::test_one_input_with_two_outputs_takes_the_whole_set_along
- six tasks of people and two of machines, in any order:
  tests/pipelines/stages/test_draw.py::test_of_eight_seeds_two_come_from_the_earlier_round_and_stand_anywhere
- a completion that was cut is discarded:
  tests/pipelines/stages/test_pose.py::test_an_answer_that_did_not_end_by_itself_is_never_read
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from filters.instances import Instance, choose
from filters.novelty import novelty
from filters.rule import Case
from flows import make
from flows.make import Made
from pipelines.bind import Recipe
from pipelines.records import Problem
from tests.each import each_of
from tests.filters.cases import needs_data, rows, run, task
from tests.methods import lines
from tests.pipelines.test_views_laws import accepted, asked, rows_of
from tests.small import problems, verdicts

SEEDS = 216  # in data/seeds/instructions.jsonl
FEW = ["target.accepted=12", "target.candidates=200", "shard=8"]


@cache
def recipe() -> Recipe:
    return make.prepare("self-instruct")


def reasons(question: str) -> list[tuple[str, str | None]]:
    """What the recipe's own rules about form say against a task."""
    [screen] = [step for step in recipe().steps if step.name == "screen"]
    case = Case(task(question, verifier=None))
    said = (
        (each.name, ruling)
        for each in screen.parameters["rules"]
        for ruling in run(each.name, case, **each.parameters)
    )
    return [(name, ruling.reason) for name, ruling in said if ruling.status != "pass"]


FAULTS: list[tuple[str, str]] = [
    ("Sing it twice.", "too few words"),
    ("Tell me all about it. " * 31, "too many words"),
    ("Describe the image of a harbour.", "holds a banned word"),
    ("Say where to go to in May.", "holds a banned word"),
    ("Write a program that sorts five names.", "begins as it must not"),
    ("- sort these five names", "begins with a sign or a letter beyond ASCII"),
    ("写一首关于秋天的诗歌给我", "begins with a sign or a letter beyond ASCII"),
]


@each_of(FAULTS)
def test_each_fault_of_form_is_dropped_for_its_own_reason(question: str, reason: str) -> None:
    assert reason in [told for _, told in reasons(question)]


def test_the_limits_on_words_are_those_of_the_code() -> None:
    """Three words or fewer go, and more than 150."""
    assert not reasons("Sing it twice now.")
    assert not reasons(" ".join(["word", "another"] * 75))
    assert reasons(" ".join(["word", "another"] * 75 + ["more"]))


# --- On the 175 tasks of the paper -------------------------------------------------------------------------------


def seeds() -> list[dict[str, Any]]:
    return rows("self_instruct/seed_tasks.jsonl")


@needs_data
def test_what_people_wrote_passes_the_filters_of_the_paper() -> None:
    """One of 175 is three words long and one begins "Write a program"; five end in a colon, which is ours to drop."""
    told = Counter(reason for seed in seeds() for _, reason in reasons(seed["instruction"]))
    assert told == {"ends in the middle of a sentence": 5, "too few words": 1, "begins as it must not": 1}


def kept(questions: list[str]) -> list[str]:
    """Those that stay when each is compared with all that stayed before it."""
    memory, stayed = novelty(at_most=0.7), []
    for question in questions:
        if memory.judge(Case(task(question))).status == "pass":
            memory.remember(question)
            stayed.append(question)
    return stayed


@needs_data
def test_novelty_keeps_the_first_of_two_that_are_alike() -> None:
    """ROUGE-L above 0.7 is rare among tasks of people: two pairs, of which the order says what stays."""
    questions = [seed["instruction"] for seed in seeds()]
    forwards, backwards = kept(questions), kept(questions[::-1])
    assert len(forwards) == len(backwards) == 173
    assert len(set(forwards) ^ set(backwards)) == 4


@needs_data
def test_instances_that_people_wrote_can_be_used() -> None:
    """Of 175 two end in a colon, as lists of names do."""
    found = [
        Instance(each["input"].strip(), each["output"].strip()) for seed in seeds() for each in seed["instances"]
    ]
    dropped = sum((choose([each], at_most=5).dropped for each in found), Counter[str]())
    assert (len(found), dropped) == (175, {"ends in a colon": 2})


# --- The recipe -------------------------------------------------------------------------------------------------


def test_the_recipe_samples_as_the_paper_does() -> None:
    steps = {step.name: step.parameters for step in recipe().steps}
    assert steps["draw"]["per_problem"] == 8
    posing = steps["pose"]["sampling"].given()
    assert {key: posing[key] for key in ("temperature", "top_p", "presence_penalty", "max_tokens")} == {
        "temperature": 0.7,
        "top_p": 0.5,
        "presence_penalty": 2.0,
        "max_tokens": 1024,
    }
    for name in ("output_first", "input_first"):
        writing = steps[name]["sampling"].given()
        assert (writing["temperature"], writing["presence_penalty"], writing["max_tokens"]) == (0.0, 1.5, 350)
        assert steps[name]["at_most"] == 5


def test_instances_of_what_was_not_accepted_are_in_no_row() -> None:
    kept, lost = (asked(draw, f"Sort it {draw} times.") for draw in range(2))
    details = {"instruction": "Sort it.", "input": "b, a"}
    beside = [asked(draw, "Sort it.", kind="instance", answer="a, b", details=details) for draw in range(2)]
    [row] = rows_of([kept, lost, *beside, accepted(kept)], "instances")
    assert (row["problem_id"], row["input"], row["output"]) == (kept.id, "b, a", "a, b")
    assert row["messages"][-1] == {"role": "assistant", "content": "a, b"}


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    """A round over the seeds, and one that is shown what came of it as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(tmp_path_factory.mktemp("self-instruct")))
        first = asyncio.run(make.make("self-instruct", changes=FEW))
        also = f"draw.also={first.folder / 'instances' / 'data-00000.arrow'}"
        return [first, asyncio.run(make.make("self-instruct", changes=["name=second", also, *FEW]))]


def shown(made: Made) -> list[list[Problem]]:
    """The tasks that each draw was shown."""
    known = {each.id: each for each in problems(made)}
    return [[known[id] for id in each.parents] for each in known.values() if each.kind == "pose"]


@pytest.mark.slow
def test_the_second_round_is_shown_two_tasks_of_the_first(rounds: list[Made]) -> None:
    first, second = rounds
    new = {row["question"] for row in lines.loaded(first, "instances")}
    assert {sum(each.question in new for each in drawn) for drawn in shown(first)} == {0}
    assert {sum(each.question in new for each in drawn) for drawn in shown(second)} == {2}
    assert all(len(drawn) == 8 for drawn in shown(second))


@pytest.mark.slow
def test_the_second_round_is_novel_beside_the_first(rounds: list[Made]) -> None:
    first, second = rounds
    pool = {row["question"] for row in lines.loaded(first, "instances")}
    memory = novelty(at_most=0.7)
    for question in pool:
        memory.remember(question)
    for row in lines.loaded(second, "instances"):
        assert memory.judge(Case(task(row["question"]))).status == "pass"
    sizes = [orjson.loads(each.context)["pool"] for each in verdicts(second) if each.rule == "novelty@1"]
    assert min(sizes) == SEEDS + len(pool)


@pytest.mark.slow
def test_labels_come_first_for_what_was_called_a_classification_and_for_nothing_else(rounds: list[Made]) -> None:
    said = {
        each.subjects[0]: each.status for made in rounds for each in verdicts(made) if each.rule == "classification@1"
    }
    asked = {each.parents[0]: each.stage for made in rounds for each in problems(made) if each.kind == "instances"}
    assert set(asked) <= set(said)
    assert {(stage.partition("@")[0], said[id] == "pass") for id, stage in asked.items()} == {
        ("output_first", True),
        ("input_first", False),
    }


@pytest.mark.slow
def test_no_exported_prompt_shows_how_it_was_made(rounds: list[Made]) -> None:
    for row in (row for made in rounds for row in lines.loaded(made, "instances")):
        prompt = row["messages"][0]["content"]
        assert [each["role"] for each in row["messages"]] == ["user", "assistant"]
        assert row["instruction"] in prompt
        assert row["input"] in prompt
        assert not any(sign in prompt for sign in ("Seed task", "<instance>", "<input>", "exactly this form"))


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["novelty", "labels"])
def test_without_an_arm_that_part_is_left_out(arm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path))
    made = asyncio.run(make.make("self-instruct", changes=[f"{arm}=false", *FEW]))
    assert made.ledger["accepted"] == 12
    assert "novelty" not in made.ledger["not_accepted"] or arm != "novelty"
