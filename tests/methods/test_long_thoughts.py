"""A7, LongPerceptualThoughts in its text form: passage, choice, simple thought, long thought.

Shown elsewhere:
- a hit is the key and not any option's text (the mistake of the published code):
  tests/filters/test_thoughts.py::test_only_the_key_is_right_and_not_just_any_option
- what was wrong is masked from the loss: tests/pipelines/test_views_thoughts.py, tests/trainers/test_trl_sft.py
- all kinds of pairs: tests/pipelines/test_views_thoughts.py::test_every_kind_of_pair_is_there_once_for_each_problem
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from filters.thoughts import LEAK_WORDS, own_words
from filters.trace import trace
from filters.verifiers import answer_in, choice
from filters.words import words
from flows import make
from flows.make import Made
from pipelines.inference.builtin import Faults, reply
from pipelines.records import Attempt, Problem
from pipelines.stages.go_on import CUES
from pipelines.stages.options import Choice, choice_of
from pipelines.stages.pose import Posing, read_posing
from prompts.template import load
from tests.methods import lines
from tests.pipelines.stages.bench import answered, posed
from tests.small import attempts, loaded_bytes, problems

FEW = ["target.accepted=12", "shard=6"]
PASSAGES = Path(__file__).parents[2] / "data" / "seeds" / "passages.jsonl"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("long")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder))
        yield folder


@pytest.fixture(scope="module")
def made(data: Path) -> Made:
    return asyncio.run(make.make("long-thoughts", changes=FEW))


@pytest.fixture(scope="module")
def rows(made: Made) -> list[dict[str, Any]]:
    return lines.loaded(made, "continued")


# --- "Each record links description -> MCQ -> short CoT -> long CoT" -------------------------------------------


@pytest.mark.slow
def test_each_record_links_passage_choice_simple_and_long_thought(made: Made, rows: list[dict[str, Any]]) -> None:
    facts: dict[str, Any] = {each.id: each for each in (*problems(made), *attempts(made))}
    long = [facts[row["attempt_id"]] for row in rows if row["class"] != "O"]
    assert long
    for attempt in long:
        of, short = (facts[id] for id in attempt.parents)
        assert (of.id, short.problem) == (attempt.problem, of.id)
        assert trace(attempt).startswith((trace(short) or "?").strip())
        posing, question = (facts[id] for id in of.parents)
        assert isinstance(posing, Attempt)
        assert question.question in of.question
        drawn = facts[posing.problem]
        [seed] = (facts[id] for id in drawn.parents)
        assert isinstance(seed, Problem)
        assert of.question.startswith(seed.question)


# --- "long CoT is longer than the short one and (for kept records) ends in the key" ----------------------------


@pytest.mark.slow
def test_a_long_thought_is_longer_than_its_simple_one_and_ends_in_the_key(
    made: Made, rows: list[dict[str, Any]]
) -> None:
    facts: dict[str, Any] = {each.id: each for each in (*problems(made), *attempts(made))}
    for row in rows:
        attempt, of = facts[row["attempt_id"]], facts[row["problem_id"]]
        told = answer_in("choice", attempt.text)
        assert told
        assert choice.check(of.answer, told).status == "pass"
        if row["class"] != "O":
            assert len(words(trace(attempt))) > len(words(trace(facts[attempt.parents[1]])))
            assert not set(LEAK_WORDS) & set(words(own_words(attempt)))


# --- "MCQ has exactly one key among >= 3 options with key positions balanced" ----------------------------------


def choices(n: int, faults: Faults) -> list[Choice | str]:
    """What comes of so many questions that the builtin engine asks about our passages."""
    passages = [orjson.loads(line)["question"] for line in PASSAGES.read_bytes().splitlines()]
    prompt, found = load("pose/choice"), []
    for i in range(n):
        passage = passages[i % len(passages)]
        said = reply(
            prompt.render({"seeds": f"Seed task 1:\n{passage}"}),
            seed=i,
            temperature=0.7,
            max_tokens=1024,
            faults=faults,
        )
        posing = read_posing(answered(posed(i), said.text), prompt)
        if isinstance(posing, Posing):
            of = posed(i, posing.question, details=dict(posing.others))
            found.append(choice_of(of, passage, 0, at_least=3))
    return found


def test_a_choice_has_one_key_among_its_options() -> None:
    made = [each for each in choices(100, Faults(refuse=0, malformed=0)) if isinstance(each, Choice)]
    assert len(made) > 80
    for each in made:
        options = choice.options_in(each.question)
        assert len(options) >= 3
        assert len({said.casefold() for said in options.values()}) == len(options)
        assert each.key in options


def test_keys_stand_anywhere_though_their_author_puts_them_first() -> None:
    details = {"choices": "(A) a goat\n(B) a hen\n(C) a cat\n(D) a dog", "key": "a goat"}
    made = [choice_of(posed(i, "Which is it?", details=details), "", 0, at_least=3) for i in range(200)]
    assert all(isinstance(each, Choice) and choice.options_in(each.question)[each.key] == "a goat" for each in made)
    places = Counter(each.key for each in made if isinstance(each, Choice))
    expected = len(made) / 4
    assert sum((places[letter] - expected) ** 2 / expected for letter in "ABCD") < 11.3  # 99 % of fair ones


def test_a_choice_whose_key_is_none_or_two_of_its_options_is_no_choice() -> None:
    told = [each for each in choices(60, Faults(bad_key=1.0, refuse=0, malformed=0)) if isinstance(each, str)]
    assert set(told) <= {"two options say the same", "the key is none of the options"}
    assert len(told) > 40


# --- "each stage can be resumed and re-run alone" --------------------------------------------------------------


@pytest.mark.slow
def test_each_stage_is_made_again_alone_and_asks_nobody(made: Made, data: Path) -> None:
    """Whatever is lost of a stage is made anew from the journal, to the same bytes, and nothing behind it is."""
    before = loaded_bytes(made)
    outputs = data / "runs" / "outputs"
    by_stage: dict[str, list[Path]] = {}
    for path in outputs.glob("*/*/manifest.json"):
        by_stage.setdefault(orjson.loads(path.read_bytes())["closure"]["stage"], []).append(path.parent)
    assert len(by_stage) == 9
    for folders in by_stage.values():
        kept = {path: path.stat().st_mtime_ns for path in outputs.glob("*/*/manifest.json")}
        for folder in folders:
            shutil.rmtree(folder)
        again = asyncio.run(make.make("long-thoughts", changes=FEW))
        assert again.counts.get("sent", 0) == 0
        assert loaded_bytes(again) == before
        changed = {path.parent for path in kept if path.stat().st_mtime_ns != kept[path]}
        assert changed == set(folders)


# --- What else it does -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_told_the_thinker_how_to_look_is_in_no_prompt(made: Made) -> None:
    hidden = load("think/longer").render({"question": ""})[0]["content"]
    asked = [turn.content for each in attempts(made) if each.role == "thinker" for turn in each.turns]
    assert hidden in asked
    for view in ("continued", "thought_preference", "rl"):
        there = lines.loaded(made, view)
        assert there
        assert hidden[:60] not in str(there)


@pytest.mark.slow
def test_of_each_problem_at_most_one_right_and_one_corrected_thought_is_learnt(rows: list[dict[str, Any]]) -> None:
    kinds = Counter((row["problem_id"], row["class"] == "XO") for row in rows)
    assert set(kinds.values()) == {1}
    for row in rows:
        text = row["messages"][-1]["content"]
        assert (row["begun"] > 0) == (row["class"] == "XO")
        if row["begun"]:
            assert text[row["begun"] :].lstrip().startswith(CUES)


@pytest.mark.slow
def test_without_long_thoughts_only_simple_ones_are_learnt(data: Path) -> None:
    made = asyncio.run(make.make("long-thoughts", changes=[*FEW, "long=false"], dataset="short-thoughts"))
    assert {row["class"] for row in lines.loaded(made, "continued")} == {"O"}
    assert {row["how"] for row in lines.loaded(made, "thought_preference")} <= {"O>X"}
