"""Two texts beside each other: nothing is lost, and what is called the same is the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.story.side_by_side import MOST_CHARS, MOST_LINES, Line, Span, side_by_side, words_apart

TEXTS = st.lists(st.sampled_from(["", "one", "two", "one two", "  three  four"]), max_size=8).map("\n".join)


@given(TEXTS, TEXTS)
@settings(deadline=None)
def test_both_texts_can_be_read_from_their_columns(left: str, right: str):
    found = side_by_side(left, right)
    assert [line.left for line in found if line.left is not None] == left.split("\n")
    assert [line.right for line in found if line.right is not None] == right.split("\n")
    for line in found:
        assert (line.change == "same") == (line.left == line.right)
        assert (line.change == "left") == (line.right is None)
        assert (line.change == "right") == (line.left is None)


@given(TEXTS, TEXTS)
@settings(deadline=None)
def test_spans_are_the_lines_again_and_share_what_both_have(left: str, right: str):
    ours, theirs = words_apart(left, right)
    assert "".join(span.text for span in ours) == left
    assert "".join(span.text for span in theirs) == right
    shared = [[span.text for span in side if span.is_shared] for side in (ours, theirs)]
    assert shared[0] == shared[1]


def test_a_changed_word_is_told_from_the_rest_of_its_line():
    assert side_by_side("a\nso 4\nb", "a\nso 5\nb") == [
        Line("a", "a", "same"),
        Line("so 4", "so 5", "changed"),
        Line("b", "b", "same"),
    ]
    assert words_apart("so 4 apples", "so 5 apples") == (
        [Span("so ", True), Span("4", False), Span(" apples", True)],
        [Span("so ", True), Span("5", False), Span(" apples", True)],
    )


def test_what_is_very_long_is_not_compared_word_by_word_or_to_its_end():
    assert len(side_by_side("a\n" * 3 * MOST_LINES, "a")) == MOST_LINES
    long = "a " * MOST_CHARS
    assert words_apart(long, "a") == ([Span(long, False)], [Span("a", False)])
