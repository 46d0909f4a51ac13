"""Options: a question that was posed about a passage becomes a choice with exactly one key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from filters.verifiers import choice
from pipelines.records import Attempt, Problem, Turn, problem
from pipelines.stages.options import Choice, check_options, choice_of
from tests.each import each_of
from tests.pipelines.stages.bench import Bench, answered, posed

LISTED = "(A) the red hen\n(B) a goat\n(C) two cats\n(D) nobody"
PASSAGE = "There is a yard. A goat stands in it."


def asked(key: str, listed: str = LISTED, number: int = 0) -> Problem:
    return posed(number, f"Who stands in yard {number}?", details={"choices": listed, "key": key, "type": "spatial"})


@each_of(["a goat", "A goat.", "(B) a goat", "B. a goat"])
def test_the_key_is_the_option_that_says_it(key: str):
    made = choice_of(asked(key), PASSAGE, 0, at_least=3)
    assert isinstance(made, Choice)
    assert choice.options_in(made.question)[made.key] == "a goat"
    assert made.question.startswith(f"{PASSAGE}\n\nWho stands in yard 0?\n\n")


@each_of(
    [
        (asked("a cow"), "the key is none of the options"),
        (asked("B"), "the key is none of the options"),
        (asked("a goat", LISTED.replace("nobody", "A goat.")), "two options say the same"),
        (asked("a goat", "(A) a hen\n(B) a goat"), "too few options"),
        (asked("a goat", "a hen, a goat, a cat"), "too few options"),
        (posed(0, "Who?"), "too few options"),
    ]
)
def test_what_has_not_exactly_one_key_says_why(of: Problem, reason: str):
    assert choice_of(of, PASSAGE, 0, at_least=3) == reason


def run(folder: Path, key: str) -> tuple[Any, Problem, Problem, Attempt]:
    """The stage on one draw, with the seed, the draw and the posing before it."""
    seed = problem(parents=[], stage="draw@1", draw=None, kind="seed", question=PASSAGE)
    drawn = problem(parents=[seed.id], stage="draw@1", draw=0, kind="pose", question=f"Seed task 1:\n{PASSAGE}")
    posing = answered(drawn, "...")._replace(turns=(Turn("user", "Pose"), Turn("assistant", "...")))
    of = asked(key)._replace(parents=(posing.id,))
    bench = Bench(folder)
    return bench.run("options", problems=[seed, drawn, of], attempts=[posing], at_least=3), of, drawn, posing


def test_a_choice_stays_with_its_passage_and_its_lineage(tmp_path: Path):
    output, of, _, posing = run(tmp_path, "a goat")
    [made] = output.facts.problems
    assert made.parents == (posing.id, of.id)
    assert made.id in output.live
    assert (made.kind, made.verifier, orjson.loads(made.details)) == ("choice", "choice", {"type": "spatial"})
    assert made.question.startswith(PASSAGE)
    said = {each.subjects[0]: each for each in output.facts.verdicts}[of.id]
    assert (said.rule, said.status, said.value) == ("one_key@1", "pass", made.answer)


def test_what_cannot_be_a_choice_goes_out(tmp_path: Path):
    output, of, _, _ = run(tmp_path, "a cow")
    assert output.facts.problems == []
    told = {each.id: each.subjects[0] for each in output.facts.verdicts}
    assert of.id in [told[id] for _, id in output.out]


def test_one_option_is_no_choice():
    with pytest.raises(ValueError, match="at least 2"):
        check_options({"at_least": 1})
