"""Failed steps: traces annotated by hand."""

from hypothesis import given
from hypothesis import strategies as st

from filters.trace import steps
from filters.trace_graph import Step, cleaned, failed_step_fraction, failed_steps, graph
from tests.each import each_of
from tests.filters.trace_cases import ruled, written

# Each step with a mark: "x" for what was abandoned.
ANNOTATED = {
    "none": """
        . We need the sum of the first three odd numbers.
        . They are 1, 3 and 5.
        . Their sum is 9.
        . The answer is 9.
    """,
    "one": """
        . We need an even prime.
        x Let me try 4.
        x But 4 = 2 * 2, so that doesn't work.
        . Let me try 2.
        . That works.
        . The answer is 2.
    """,
    "two beside each other": """
        . We need x with x^2 = 9.
        x Try x = 1, which does not work.
        x Try x = 2.
        x We get 4, and this is wrong.
        . Try x = 3.
        . The answer is 3.
    """,
    "nested, the inner one alone": """
        . We count the tilings.
        . Suppose the first tile lies flat.
        x Try to cover the rest by symmetry.
        x That doesn't help.
        . The rest has 5 tilings.
        . That works.
        . The answer is 8.
    """,
    "nested, both": """
        . We count the tilings.
        x Suppose the first tile lies flat.
        x Try to cover the rest by symmetry.
        x That doesn't help.
        x Then the rest has 7 tilings.
        x This is impossible.
        . Both ends are free, which gives 8.
        . The answer is 8.
    """,
    "all at once": """
        . We count the tilings.
        x Suppose the first tile lies flat.
        x Try to cover the rest by symmetry.
        x Let me start over.
        . Both ends are free, which gives 8.
        . The answer is 8.
    """,
    "at the end": """
        . We need p.
        . It is a prime below 5.
        x Try p = 2.
        x That is wrong.
        x Suppose p = 4.
        x That fails.
    """,
    "at the end, with an answer": """
        . We need p.
        x Try p = 2.
        x That is wrong.
        . I give up, so the answer is 3.
    """,
    "another way without a failure": """
        . We need the area.
        . Let me try integrating.
        . The integral is 4.
        . Alternatively, we count squares, which gives 4 too.
        . The answer is 4.
    """,
    "failed and turned in one step": """
        . We need the area.
        x Let me try integrating.
        . That won't work. Alternatively, we count squares.
        . There are 4.
        . The answer is 4.
    """,
    "without a branch the step before": """
        . We need 17 + 26.
        x It is 33.
        x Wait, I made a mistake.
        . It is 43.
        . The answer is 43.
    """,
    "a proof by contradiction is none": """
        . Suppose the root is rational.
        . Then p is even, and so is q.
        . That is a contradiction, so the root is irrational.
        . The answer is no.
    """,
    "kept where something depends on it": """
        . We need m + k.
        . Let k = 3.
        x Try to pair the terms.
        . Let m = 2k, so that m is 6.
        x This is a dead end.
        . Anyway, m + k is 9.
        . The answer is 9.
    """,
    "kept through another step": """
        . We need the total.
        x Try it by pairs.
        . Let k = 3.
        . Let m = 2k.
        x That leads nowhere.
        . The total is m.
        . The answer is 6.
    """,
}


def annotated(name: str) -> tuple[list[str], list[bool]]:
    lines = [line.strip() for line in ANNOTATED[name].strip().splitlines()]
    return [line[2:] for line in lines], [line[0] == "x" for line in lines]


@each_of(ANNOTATED)
def test_annotated_traces(name: str) -> None:
    lines, abandoned = annotated(name)
    found = graph("\n".join(lines))
    assert [step.text for step in found] == lines
    assert [step.abandoned for step in found] == abandoned
    assert failed_step_fraction(found) == sum(abandoned) / len(lines)


@each_of(ANNOTATED)
def test_the_cleaned_trace_has_the_kept_steps_only(name: str) -> None:
    lines, abandoned = annotated(name)
    text = cleaned("\n".join(lines))
    assert text.split("\n\n") == [line for line, gone in zip(lines, abandoned, strict=True) if not gone]
    assert not any("answer is" in line and line not in text for line in lines)


def test_parents_lead_past_what_failed() -> None:
    lines, _ = annotated("nested, both")
    assert [step.parent for step in graph("\n".join(lines))] == [None, 0, 1, 2, 1, 4, 0, 6]


CUES = ["Try it.", "That fails.", "Suppose so.", "Alternatively, no.", "Let me start over.", "That works.", "Then k."]
CUES += ["Let k = 2.", "It is 4.", "The answer is 4.", "This fails. Let me try again.", "Suppose, but that fails."]


@given(st.lists(st.sampled_from(CUES), max_size=30))
def test_what_holds_of_every_trace(lines: list[str]) -> None:
    found = graph("\n".join(lines))
    assert all(step.parent is None or step.parent < number for number, step in enumerate(found))
    assert 0 <= failed_step_fraction(found) <= 1
    answers = [step for step in found if "answer is" in step.text]
    assert not answers or not answers[-1].abandoned
    # A kept step that uses k has it introduced before, if it was at all.
    for number, step in enumerate(found):
        before = [each for each in found[:number] if "Let k" in each.text]
        if step.text == "Then k." and not step.abandoned and before:
            assert not all(each.abandoned for each in before)


@given(st.text())
def test_any_text_has_a_graph(text: str) -> None:
    assert all(isinstance(step, Step) for step in graph(text))


def test_the_rule_numbers_the_abandoned_steps() -> None:
    clean, wasteful = ruled(
        failed_steps, written(*("\n".join(annotated(name)[0]) for name in ("none", "one"))), at_most=0.2
    )
    assert (clean.status, clean.score) == ("pass", 0.0)
    assert (wasteful.status, wasteful.reason, wasteful.score) == ("fail", "failed steps: more than asked", 2 / 6)
    assert wasteful.evidence == {"steps": 6, "abandoned": [1, 2]}


def test_a_proof_by_contradiction_is_not_cut_away():
    proof = (
        "Suppose sqrt(2) = p/q in lowest terms.\nThen p^2 = 2 q^2, so p is even.\nThen q is even as well.\n"
        "This contradicts lowest terms, so sqrt(2) is irrational.\nHence the answer is: irrational."
    )
    assert steps(cleaned(proof)) == steps(proof)


def test_what_is_not_too_complicated_has_not_failed():
    text = "Suppose the boys are b.\nThen 3b = 30, so b = 10.\nThis is not too complicated.\nThe answer is 10."
    assert steps(cleaned(text)) == steps(text)
