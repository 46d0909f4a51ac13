"""Thoughts, strategies, turns, and where the thinking ends."""

import json
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.rule import Case, Ruling
from filters.trace import (
    STRATEGIES,
    SWITCH_WORDS,
    boundary,
    boundary_defect,
    no_void_turns,
    review_ratio,
    steps,
    strategies,
    strategy_count,
    switches,
    thoughts,
    trace,
    void_turns,
)
from filters.trace_coherence import coherent
from filters.trace_graph import failed_steps
from filters.trace_text import no_prompt_words, not_repetitive, one_language
from pipelines.records import Turn
from tests.each import each_of
from tests.filters.cases import answered, task
from tests.filters.trace_cases import ruled, thought, written

LONG = """Okay, we need to find x.
Wait, maybe squares help. Alternatively, we can factor.
But the second one is wrong. Hmm, that is odd.
Actually, let me verify that. Let me try a different approach.
So we actually have x = 3. Another way: count."""


def test_a_text_is_cut_where_its_thought_switches() -> None:
    assert [thought.split()[0] for thought in thoughts(LONG)] == [
        "Okay,",
        "Wait,",
        "Alternatively,",
        "Hmm,",
        "Actually,",
        "Let",
        "Another",
    ]


def test_with_words_a_text_is_cut_where_a_sentence_begins_with_one() -> None:
    parts = [
        "Add. ",
        "But why?\n\n",
        "Not sure. ",
        "hmmm, but so.\nOtherwise no. Buttons. ",
        "Going back (wait) it is.",
    ]
    assert thoughts("".join(parts), words=SWITCH_WORDS) == parts
    assert thoughts("Add. A.B? Yes.", words=["a.b"]) == ["Add. ", "A.B? Yes."]
    assert thoughts("Add. AxB. Wait, no.", words=["a.b"]) == ["Add. AxB. Wait, no."]


@pytest.mark.parametrize(
    "text", ["We wait here.", "The waiter, alternatively.", "But so it is.", "In fact, actually no."]
)
def test_a_word_in_a_sentence_is_no_switch(text: str) -> None:
    assert thoughts(text) == [text]


@given(st.lists(st.sampled_from(["Wait, ", "a. ", "\n", "Hmm. ", "x = 1", "Alternatively", " "])).map("".join))
def test_thoughts_joined_are_the_text(text: str) -> None:
    assert "".join(thoughts(text)) == text


def test_switches_are_counted_by_length() -> None:
    [ruling] = ruled(switches, written(LONG), at_most=3.0)
    assert (ruling.status, ruling.reason) == ("fail", "switches of thought: more than asked")
    assert ruling.score == 1_000 * 6 / len(LONG)
    assert ruling.evidence["thoughts"] == 7


@each_of(
    [
        ("Let me double-check the sum, then verify it again.", {"verification": 2}),
        ("Wait, that's not right. Let me start over.", {"backtracking": 3}),
        ("First, we need to find the area. Step 2: add.", {"subgoals": 3}),
        ("Alternatively, maybe we can pair them. What if n is odd?", {"exploration": 3}),
        ("Working backwards from the goal: for this to hold, n is even.", {"backward chaining": 2}),
        ("Case 1: n is even. In the second case n is odd.", {"case analysis": 2}),
        ("Suppose n is prime, and assume that p divides it.", {"supposition": 2}),
        ("For example, take smaller values and look for patterns.", {"examples": 3}),
        ("Recall that by the binomial theorem this is known.", {"recall": 2}),
        ("That is roughly 7, of the same order of magnitude.", {"estimation": 2}),
        ("In general, by symmetry, the claim follows.", {"abstraction": 2}),
        ("So far we have two. In summary, three.", {"summary": 2}),
        ("Two and two make four.", {}),
        ("The waiter supposedly checks a patterned firsthand recalling.", {}),
    ]
)
def test_strategies_show_by_their_words(text: str, shown: dict[str, int]) -> None:
    assert strategies(text) == shown


def test_the_score_is_the_number_of_strategies() -> None:
    few, many = ruled(strategy_count, written("Recall it.", LONG), at_least=2.0)
    assert (few.status, few.score) == ("fail", 1.0)
    assert few.evidence == {"strategies": {"recall": 1}, "density": 100.0}
    assert (many.status, many.score) == ("pass", float(len(many.evidence["strategies"])))
    assert set(many.evidence["strategies"]) <= STRATEGIES.keys()


def test_review_is_measured_by_characters() -> None:
    [ruling] = ruled(review_ratio, written("Let me check this. It is four.And done.Stop."), at_most=0.4)
    assert (ruling.status, ruling.evidence) == ("fail", {"sentences": 4, "reviews": 1})
    assert ruling.score == len("Let me check this.") / len("Let me check this. It is four.And done.Stop.")


def test_reasoning_kept_apart_is_the_trace() -> None:
    of = task()
    assert trace(thought(of, "I reason.", "I answer.")) == "I reason."
    assert trace(answered(of, "I answer.")) == "I answer."


def test_a_trace_without_words_is_not_measured() -> None:
    for rule in (switches, strategy_count, review_ratio):
        assert [ruling.status for ruling in ruled(rule, written("", " \n"))] == ["unsure", "unsure"]


# Steps


@each_of(
    [
        ("", []),
        ("One. Two? Three!", ["One.", "Two?", "Three!"]),
        ("a\nb\n\nc", ["a", "b", "c"]),
        ("So:\n\\[\nx = 1\n\\]\nDone.", ["So:", "\\[\nx = 1\n\\]", "Done."]),
        ("So:\n\\[ x = 1 \\]\nDone.", ["So:", "\\[ x = 1 \\]", "Done."]),
        ("Code:\n```python\na\nb\n```\nDone.", ["Code:", "```python\na\nb\n```", "Done."]),
        ("Never:\nclosed\n\\[ x\ny", ["Never:", "closed", "\\[ x\ny"]),
    ]
)
def test_steps_are_lines_or_else_sentences(text: str, found: list[str]) -> None:
    assert steps(text) == found


@given(st.text())
def test_steps_lose_no_character_but_space(text: str) -> None:
    assert "".join("".join(steps(text)).split()) == "".join(text.split())


# Where the thinking ends


@each_of(
    [
        ("I think.", "It is 4.", None),
        ("", "It is 4.", None),
        ("I think.", "</think> It is 4.", "a tag of the thinking stands in the answer"),
        ("", "<think>It is 4.", "a tag of the thinking stands in the answer"),
        ("I <think> twice.", "It is 4.", "a tag of the thinking stands inside it"),
        ("I think.", " ", "thought, and never answered"),
        ("", "", "nothing was said"),
    ]
)
def test_thinking_and_answer_are_told_apart(thinking: str, answer: str, defect: str | None) -> None:
    assert boundary_defect(thinking, answer) == defect


def test_boundary_says_how_much_was_thought() -> None:
    of = task()
    attempts = [
        thought(of, "abc", "d"),
        answered(of, "It is 4.", 1),
        thought(of, "abc", "", finish="length", sample=2),
    ]
    found = ruled(boundary, Case(of, None, attempts))
    assert [(ruling.status, ruling.value, ruling.score) for ruling in found] == [
        ("pass", "apart", 0.75),
        ("pass", "no thinking", 0.0),
        ("unsure", None, None),
    ]


# Void turns (A14)

CODE = "```python\nprint(1)\n```"
CALLED = json.dumps([{"function": {"name": "run", "arguments": "{}"}}])


@each_of(
    [
        (f"Let me run it.\n{CODE}", False),  # code only
        (r"So it is \boxed{4}.", False),  # answer only
        (f"{CODE}\nThe answer is 4.", False),  # both
        ("Let me think about it.", True),  # neither
        ("```python\nprint(1)", True),  # unterminated
        ("The answer is 4.\n```python\nprint(1)", False),  # unterminated, but answered before
        ("```python\n# the answer is 4", True),  # answered in what never ends
        ("```python\n\n```", True),  # a block with nothing in it
        ("~~~\nprint(1)\n```", True),  # closed by another fence
        ("<tool_call>{}</tool_call>", False),
        ("<tool_call>{}", True),
        ("", True),
        ("#### 4", False),
        ("The answer is", True),
        ("I will answer: later, it is not clear how.", False),  # what announces an answer counts as one
    ]
)
def test_a_turn_without_code_or_answer_is_void(content: str, void: bool) -> None:
    assert void_turns([Turn("user", "?"), Turn("assistant", content)]) == ([0] if void else [])


def test_what_others_say_is_no_turn_and_no_answer() -> None:
    turns = [
        Turn("user", "?"),
        Turn("assistant", CODE),
        Turn("tool", r"the answer is \boxed{4}"),
        Turn("assistant", "I see.", reasoning=r"\boxed{4}"),  # only thought
        Turn("assistant", None, tool_calls=CALLED),
        Turn("assistant", None),
    ]
    assert void_turns(turns) == [1, 3]


def test_one_void_turn_among_many_fails_the_attempt_and_is_named() -> None:
    of = task()
    good = (Turn("user", "?"), *[Turn("assistant", CODE)] * 4, Turn("assistant", "The answer is 4."))
    bad = (*good[:3], Turn("assistant", "Hm."), *good[3:])
    attempts = [
        answered(of, "x", sample)._replace(turns=turns, id=str(sample)) for sample, turns in enumerate((good, bad))
    ]
    passes, fails = ruled(no_void_turns, Case(of, None, attempts))
    assert (passes.status, passes.score, passes.evidence) == ("pass", 0.0, {"void_turns": [], "turns": 5})
    assert (fails.status, fails.score, fails.evidence) == ("fail", 1 / 6, {"void_turns": [2], "turns": 6})
    assert fails.about == ("1",)


# Any text

RULES = [switches, strategy_count, review_ratio, boundary, no_void_turns, coherent, failed_steps]
RULES += [not_repetitive, one_language, no_prompt_words]


@pytest.mark.parametrize("rule", RULES)
@given(question=st.text(), thinking=st.text(), answer=st.text())
@settings(max_examples=30)
def test_every_rule_rules_on_any_text(
    rule: Callable[..., Iterable[Ruling]], question: str, thinking: str, answer: str
) -> None:
    of = task(question)
    attempts = [thought(of, thinking, answer), answered(of, answer, 1), answered(of, "", 2, "refused")]
    found = ruled(rule, Case(of, None, attempts))
    assert [ruling.about for ruling in found] == [(attempt.id,) for attempt in attempts]
    assert all(ruling.status in ("pass", "fail", "unsure") for ruling in found)
    assert all((ruling.reason is None) == (ruling.status == "pass") for ruling in found)
