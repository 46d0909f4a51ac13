"""The builtin engine asks about passages, looks at them, takes up thoughts, and thinks at length."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from filters.thoughts import LEAK_WORDS
from filters.trace import thoughts
from filters.words import words
from pipelines.inference.builtin import NONE, Faults, reply
from pipelines.inference.builtin.looking import question_in
from pipelines.stages.guided import guidance, read_demonstrations
from pipelines.stages.options import Choice, choice_of
from prompts.template import load
from tests.pipelines.stages.bench import posed

DATA = Path(__file__).parents[3] / "data"
PASSAGES = [orjson.loads(each)["question"] for each in (DATA / "seeds" / "passages.jsonl").read_bytes().splitlines()]
N = 40


def say(name: str, seed: int, *, begin: str = "", faults: Faults = NONE, **values: str) -> str:
    messages = load(name).render(values) + ([{"role": "assistant", "content": begin}] if begin else [])
    return reply(messages, seed=seed, temperature=1.0, max_tokens=2000, faults=faults).text


def choices(faults: Faults = NONE) -> list[Choice]:
    made = []
    for seed, passage in enumerate(PASSAGES[:N]):
        said = say("pose/choice", seed, faults=faults, seeds=f"Seed task 1:\n{passage}")
        parts = dict(re.findall(r"<(\w+)>\n(.*?)\n</\1>", said, re.S))
        made.append(choice_of(posed(seed, parts["question"], details=parts), passage, 0, at_least=3))
    return [each for each in made if isinstance(each, Choice)]


@pytest.fixture(scope="module")
def asked() -> list[Choice]:
    made = choices()
    assert len(made) == N
    return made


def picked(text: str) -> str:
    return re.findall(r"<answer>(\w)</answer>", text)[-1]


def test_without_faults_what_is_asked_is_found(asked: list[Choice]) -> None:
    """Two derivations that share nothing agree, in every kind of question and layout of the options."""
    for seed, each in enumerate(asked):
        said = say("think/short", seed, question=each.question)
        assert said.startswith("<think>\n")
        assert picked(said) == each.key, each.question


def test_misreading_comes_at_its_rate_and_wrong_keys_too(asked: list[Choice]) -> None:
    often = Faults(misread=0.25, malformed=0)
    said = [say("think/short", i, question=each.question, faults=often) for i, each in enumerate(asked)]
    wrong = sum(picked(each) != of.key for each, of in zip(said, asked, strict=True))
    assert 0.12 <= wrong / N <= 0.5
    false = choices(Faults(wrong_author=0.6, malformed=0, refuse=0, bad_key=0, leak=0, ambiguous=0, truncated=0))
    missed = sum(picked(say("think/short", i, question=q.question)) != q.key for i, q in enumerate(false))
    assert 0.05 <= missed / N <= 0.4


def test_a_thought_goes_on_from_a_cue_and_mostly_ends_well(asked: list[Choice]) -> None:
    ends = {True: 0, False: 0}
    for right in ends:
        for seed, each in enumerate(asked):
            held = each.key if right else "ABCD".replace(each.key, "")[seed % 3]
            begin = f"<think>\nI think it is option {held}. Wait,"
            said = say("think/longer", seed, begin=begin, question=each.question)
            assert "<think>" not in said
            ends[right] += picked(said) == each.key
    assert ends[True] / N > 0.75
    assert 0.45 <= ends[False] / N <= 0.85


def test_leak_words_come_at_their_rate_and_not_otherwise(asked: list[Choice]) -> None:
    begin = "<think>\nI think it is option A. Hmm,"
    for rate, low, high in ((0.0, 0.0, 0.0), (0.45, 0.25, 0.65)):
        faults = Faults(leak_words=rate)
        told = [say("think/longer", i, begin=begin, question=q.question, faults=faults) for i, q in enumerate(asked)]
        assert low <= sum(bool(set(words(each)) & set(LEAK_WORDS)) for each in told) / N <= high


def test_other_prompts_are_none_of_these() -> None:
    assert question_in(load("solve/boxed").render({"question": "What is 2 + 2?"})[0]["content"]) is None


TEN = read_demonstrations(DATA / "demonstrations" / "bolt.jsonl")
QUESTION = "Ana has 12 apples and buys 7 more. How many apples does Ana have now?"


def long_thought(seed: int, shown: int, question: str = QUESTION, faults: Faults = NONE) -> str:
    return say("think/guided", seed, question=question, guidance=guidance(TEN[:shown]), faults=faults)


def test_thinking_at_length_ends_in_an_answer_alone() -> None:
    for seed in range(10):
        thought, _, answer = long_thought(seed, 3, question="What is the sum of 14 and 27, times 3?").partition(
            "</think>\n\n"
        )
        assert thought.startswith("<think>\n")
        assert answer
    letter = long_thought(1, 3, question="Write a short note to a neighbour about a noisy party next Friday evening.")
    assert letter.count("</think>") == 1


def test_more_demonstrations_make_longer_thoughts() -> None:
    lengths = [sum(len(long_thought(seed, shown)) for seed in range(12)) for shown in (0, 1, 5)]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


def test_unclosed_and_copied_thoughts_come_at_their_rate() -> None:
    faults = Faults(refuse=0, unclosed=0.2, copied=0.3)
    told = [long_thought(seed, 3, faults=faults) for seed in range(50)]
    assert 0.1 <= sum("</think>" not in each for each in told) / 50 <= 0.32
    shown = " ".join(guidance(TEN[:3]).split())
    runs = [" ".join(each.split("\n\n")[1].split()) for each in told]
    assert 0.18 <= sum(len(each.split()) > 15 and each in shown for each in runs) / 50 <= 0.45


def test_an_end_that_names_another_option_is_told_and_now_and_then_misjudged() -> None:
    for answer, word in (("B", "yes"), ("C", "no")):
        material = f"<task>\nWhich?\n</task>\n<response>\n... so it stays option B.\n\nAnswer: {answer}\n</response>"
        told = [say("judge/agrees", seed, material=material) for seed in range(20)]
        assert sum(f"<verdict>\n{word}\n</verdict>" in each for each in told) >= 16


QUESTION = "Tom has 50 marbles. He buys 7 more marbles. He loses 4 marbles. How many marbles does Tom have now?"


def test_thinking_in_paragraphs_turns_away_and_goes_on_from_wherever_it_stands() -> None:
    detours = [
        len(thoughts(say("think/paragraphs", i, question=QUESTION, faults=Faults(refuse=0)))) for i in range(12)
    ]
    assert 1.5 < sum(detours) / 12 < 6
    whole = say("think/paragraphs", 0, question=QUESTION)
    assert thoughts(whole) == [whole]
    steps = whole.split("\n\n")
    for k in range(1, len(steps)):
        begun = "\n\n".join(steps[:k]) + "\n\n"
        rest = say("think/paragraphs", 1, begin=begun + "Wait, is it?\n\nIt is.\n\n", question=QUESTION)
        assert begun + rest.lstrip("\n" if k == len(steps) - 1 else "") in (whole, begun + f"</think>\n\n{steps[-1]}")
