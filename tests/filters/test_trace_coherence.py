"""Coherence: broken structure lowers it, broken content does not."""

from collections.abc import Sequence
from itertools import product
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.trace import steps
from filters.trace_coherence import BREAKS, broken, coherence, coherent
from tests.each import each_of
from tests.filters.cases import needs_data, rows
from tests.filters.trace_cases import ruled, written

WHOLE = r"""To find the area of the garden, we need its length and its width.

First, let the width be \(w\). Then the length is twice the width:

\[ l = 2w \]

The fence around the garden has 36 metres, so the width and the length satisfy:

\[ 2w + 2l = 36 \]

Substituting the length into this equation, we get:

\[ 6w = 36 \]
so the width is 6 metres and the length is 12 metres.

The area is the product of the length and the width, which is 72 square metres.

Therefore, the final answer is \(\boxed{72}\)."""

FRACTIONS = (1 / 3, 2 / 3, 1.0)


def score(text: str) -> float:
    return coherence(text).score


def variants(text: str, kind: str, fraction: float) -> list[str]:
    return [broken(text, kind, fraction=fraction, key=str(key)) for key in range(20)]


def test_a_whole_trace_holds_together() -> None:
    assert score(WHOLE) > 0.85
    assert coherence(WHOLE).start == coherence(WHOLE).end == 1.0


@pytest.mark.parametrize("kind", ["shuffled", "deleted"])
def test_broken_structure_lowers_the_score(kind: str) -> None:
    means = [fmean(map(score, variants(WHOLE, kind, fraction))) for fraction in FRACTIONS]
    assert score(WHOLE) - 0.1 > means[0] > means[1] > means[2]


@given(st.integers(), st.floats(0.01, 1.0))
def test_changed_digits_never_change_the_score(key: int, fraction: float) -> None:
    assert coherence(broken(WHOLE, "digits", fraction=fraction, key=str(key))) == coherence(WHOLE)


@given(st.text("0123456789 ab.)\n=$\\[]:"), st.text("0123456789", min_size=10, max_size=10))
def test_no_text_has_digits_that_count(text: str, digits: str) -> None:
    assert coherence(text.translate(str.maketrans("0123456789", digits))) == coherence(text)


def test_catchwords_hardly_count() -> None:
    assert all(abs(score(text) - score(WHOLE)) < 0.1 for text in variants(WHOLE, "keywords", 1.0))


@given(st.text())
def test_the_score_lies_between_0_and_1(text: str) -> None:
    assert all(0 <= part <= 1 for part in (*coherence(text), score(text)))


def test_the_rule_says_which_part_is_weak() -> None:
    whole, headless = ruled(coherent, written(WHOLE, "\n".join(steps(WHOLE)[2:])), at_least=0.8)
    assert (whole.status, whole.evidence["start"], whole.evidence["steps"]) == ("pass", 1.0, 10)
    assert (headless.status, headless.reason) == ("fail", "coherence: less than asked")
    assert headless.evidence["start"] < 0.5 <= headless.evidence["end"]


# Breaking


@each_of(product(BREAKS, FRACTIONS))
def test_breaking_is_deterministic_and_by_key(kind: str, fraction: float) -> None:
    assert variants(WHOLE, kind, fraction) == variants(WHOLE, kind, fraction)
    assert kind in ("keywords", "deleted") or len(set(variants(WHOLE, kind, fraction))) > 1


@given(st.integers(2, 30), st.floats(0.01, 1.0), st.integers())
def test_breaking_does_what_it_says(count: int, fraction: float, key: int) -> None:
    lines = [f"{chr(97 + number)} line" for number in range(count)]
    text = "\n".join(lines)
    if count < 3:
        text = "\n\n".join([*lines, "z end"])
        lines.append("z end")
    moved = broken(text, "shuffled", fraction=fraction, key=str(key)).split("\n\n")
    assert sorted(moved) == sorted(lines)
    changed = sum(a != b for a, b in zip(moved, lines, strict=True))
    assert changed == min(len(lines), max(2, round(fraction * len(lines))))
    left = broken(text, "deleted", fraction=fraction, key=str(key)).split("\n\n")
    assert left == [line for line in lines if line in left]
    assert len(left) == len(lines) - min(max(1, round(fraction * len(lines))), len(lines) - 1)


@pytest.mark.parametrize("kind", BREAKS)
@given(text=st.text(), key=st.text())
def test_any_text_can_be_broken(kind: str, text: str, key: str) -> None:
    assert isinstance(broken(text, kind, fraction=0.5, key=key), str)


def test_breaking_refuses_what_it_cannot_do() -> None:
    with pytest.raises(KeyError):
        broken(WHOLE, "reversed", fraction=0.5, key="")
    with pytest.raises(ValueError, match="fraction = 0"):
        broken(WHOLE, "digits", fraction=0, key="")


# P-A09 on real answers


def auc(higher: Sequence[float], lower: Sequence[float]) -> float:
    """How often one of the first is above one of the second."""
    return fmean((a > b) + 0.5 * (a == b) for a in higher for b in lower)


@pytest.fixture(scope="module")
def answers() -> list[str]:
    responses = [text for row in rows("math_samples/qwen_math_8_samples.jsonl") for text in row["response"][::2]]
    return [text for text in responses if len(steps(text)) >= 4]


def scores(texts: Sequence[str], kind: str, fraction: float) -> list[float]:
    return [score(broken(text, kind, fraction=fraction, key=str(key))) for key, text in enumerate(texts)]


@needs_data
@pytest.mark.parametrize("kind", ["shuffled", "deleted"])
def test_the_score_separates_real_answers_from_broken_ones(kind: str, answers: list[str]) -> None:
    """At half of the steps the areas under the curve are 0.95 and 0.91, at a third 0.89 and 0.86."""
    whole = [score(text) for text in answers]
    assert auc(whole, scores(answers, kind, 0.5)) >= 0.9
    means = [fmean(whole), *(fmean(scores(answers, kind, fraction)) for fraction in (1 / 3, 1 / 2, 2 / 3))]
    assert means == sorted(means, reverse=True)


@needs_data
@pytest.mark.parametrize("kind", ["digits", "keywords"])
def test_the_score_hardly_moves_with_the_content_of_real_answers(kind: str, answers: list[str]) -> None:
    whole = [score(text) for text in answers]
    for fraction in FRACTIONS:
        assert 0.4 < auc(whole, scores(answers, kind, fraction)) < 0.6
        assert abs(fmean(scores(answers, kind, fraction)) - fmean(whole)) < 0.02
