"""Posing: what is read out of an answer, and in which words it is told why nothing could be."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from pipelines.stages.pose import Posing, read_posing
from prompts.template import load
from tests.each import each_of
from tests.pipelines.stages.bench import Bench, answered, posed

PLAN_SOLVE = load("pose/plan-solve")
GOOD = "<plan>two steps</plan>\n<question>What is 2 + 2?</question>\n<answer>4</answer>"

READ: dict[str, tuple[str, Posing]] = {
    "as it should be": (GOOD, Posing("What is 2 + 2?", "4", {"plan": "two steps"})),
    "talk around the parts": (
        f"Sure!\n{GOOD}\nI hope this helps.",
        Posing("What is 2 + 2?", "4", {"plan": "two steps"}),
    ),
    "parts in another order": (
        "<answer>4</answer><question>What?</question><plan>p</plan>",
        Posing("What?", "4", {"plan": "p"}),
    ),
    "white space around": (
        "<plan>\n p \n</plan><question>\n\nWhat?\n</question><answer> 4\n</answer>",
        Posing("What?", "4", {"plan": "p"}),
    ),
    "lines within": (
        "<plan>a\nb</plan><question>x\n\ny</question><answer>4</answer>",
        Posing("x\n\ny", "4", {"plan": "a\nb"}),
    ),
    "tags of something else": (
        "<plan>p</plan><question>Is a<b and b>c?</question><answer>yes</answer>",
        Posing("Is a<b and b>c?", "yes", {"plan": "p"}),
    ),
}

MALFORMED: dict[str, tuple[str, str]] = {
    "empty": ("", "0 parts <plan> where one is asked for"),
    "prose": ("What is 2 + 2? It is 4.", "0 parts <plan> where one is asked for"),
    "no answer": ("<plan>p</plan><question>What?</question>", "0 parts <answer> where one is asked for"),
    "an unclosed part": (
        "<plan>p</plan><question>What?<answer>4</answer>",
        "0 parts <question> where one is asked for",
    ),
    "two questions": (
        "<plan>p</plan><question>a</question><question>b</question><answer>4</answer>",
        "2 parts <question> where one is asked for",
    ),
    "the form told again before it": (
        f"<answer>...</answer> is how I end.\n{GOOD}",
        "2 parts <answer> where one is asked for",
    ),
    "an empty question": ("<plan>p</plan><question> \n</question><answer>4</answer>", "an empty <question>"),
    "upper case": ("<PLAN>p</PLAN><QUESTION>a</QUESTION><ANSWER>4</ANSWER>", "0 parts <plan> where one is asked for"),
    "escaped": ("&lt;plan&gt;p&lt;/plan&gt;", "0 parts <plan> where one is asked for"),
}


@each_of(READ)
def test_the_parts_of_a_posing_are_read(name: str):
    text, wanted = READ[name]
    assert read_posing(answered(posed(0), text), PLAN_SOLVE) == wanted


@each_of(MALFORMED)
def test_what_cannot_be_read_is_told_why(name: str):
    text, reason = MALFORMED[name]
    assert read_posing(answered(posed(0), text), PLAN_SOLVE) == reason


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "cut off at the limit"), ("refused", "refused by the engine")]
)
def test_an_answer_that_did_not_end_by_itself_is_never_read(finish: str, reason: str):
    assert read_posing(answered(posed(0), GOOD, finish=finish), PLAN_SOLVE) == reason


def test_only_what_the_prompt_asks_for_is_read():
    assert read_posing(answered(posed(0), GOOD), load("pose/plan")) == Posing(
        "What is 2 + 2?", None, {"plan": "two steps"}
    )
    assert read_posing(answered(posed(0), GOOD), load("pose/plain")) == Posing("What is 2 + 2?", None)


def test_a_posing_that_cannot_be_read_stays_with_its_reason(tmp_path: Path):
    drawn = [posed(number, f"Seed question 1:\n{number}") for number in range(3)]
    said = [GOOD, "nothing", GOOD.replace("2", "3")]
    bench = Bench(tmp_path)
    output = bench.run(
        "pose",
        problems=drawn,
        prompt="pose/plan-solve",
        says=lambda message, _: said[int(message.partition("1:\n")[2][0])],
    )
    assert [each.draw for each in output.facts.problems] == [0, 2]
    assert output.live == [each.id for each in output.facts.problems]
    assert len(output.facts.attempts) == len(output.facts.verdicts) == 3
    [(draw, verdict)] = output.out
    against = next(each for each in output.facts.verdicts if each.id == verdict)
    assert (draw, against.status, against.rule) == (1, "fail", "posed@1")
    assert orjson.loads(against.evidence)["reason"].startswith("0 parts")
    assert output.facts.problems[0].parents == (output.facts.attempts[0].id,)


@pytest.mark.parametrize(
    ("question", "answer", "verifier", "kept"),
    [
        ("What is 2 + 2?", r"\boxed{4}", "math", "4"),
        ("What is 2 + 2?", "The answer is $4$.", "math", "4"),
        ("Which is even? (A) 1 (B) 2", "B", "choice", "B"),
        ("Which is even?\nA. 1\nB. 2", "(B) 2", "choice", "B"),
        ("Which is even?\nA) 1\nB) 2", "**b**", "choice", "B"),
        ("Anna A. met Bob. How many?", "2", "math", "2"),
    ],
)
def test_an_answer_comes_with_what_checks_it(tmp_path: Path, question: str, answer: str, verifier: str, kept: str):
    text = f"<plan>p</plan><question>{question}</question><answer>{answer}</answer>"
    output = Bench(tmp_path).run("pose", problems=[posed(0)], prompt="pose/plan-solve", says=lambda *_: text)
    [made] = output.facts.problems
    assert (made.verifier, made.answer) == (verifier, kept)


def test_without_an_answer_there_is_no_verifier_unless_one_is_named(tmp_path: Path):
    for name, wanted in [("", None), ("math", "math")]:
        output = Bench(tmp_path).run(
            "pose", problems=[posed(0)], prompt="pose/plan", verifier=name, says=lambda *_: GOOD
        )
        [made] = output.facts.problems
        assert (made.verifier, made.answer) == (wanted, None)
