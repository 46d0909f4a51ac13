"""Questions too near earlier ones, by cosine."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.embedding import by_words, cosines
from filters.embedding_novelty import Vectors, embedding_novelty
from filters.rule import Case, Memory, Ruling
from tests.filters.cases import task

np = pytest.importorskip("numpy")

EARLIER = "A baker sells 12 loaves of bread on Monday and 15 on Tuesday. How many loaves does he sell in both days?"
CHANGED = EARLIER.replace("12", "13")


def judged(memory: Memory, question: str) -> Ruling:
    return memory.judge(Case(task(question)))


def remembering(questions: Sequence[str], at_most: float = 0.9) -> Memory:
    memory = embedding_novelty(at_most=at_most)
    for question in questions:
        memory.remember(question)
    return memory


def test_a_changed_number_is_too_near() -> None:
    ruling = judged(remembering(["Something else, about trains.", EARLIER], at_most=0.8), CHANGED)
    assert (ruling.status, ruling.reason) == ("fail", "too near an earlier question")
    assert ruling.score is not None
    assert 0.8 < ruling.score < 1
    assert ruling.evidence == {"nearest": EARLIER}
    assert ruling.context == {"pool": 2, "embedder": "words@1"}


def test_the_score_is_told_however_low_it_is() -> None:
    memory = embedding_novelty()
    assert judged(memory, EARLIER) == Ruling("pass", score=0.0, context={"pool": 0, "embedder": "words@1"})
    memory.remember(EARLIER)
    ruling = judged(memory, "Two trains leave.")
    assert ruling.status == "pass"
    assert ruling.score == pytest.approx(0, abs=0.2)


def test_the_threshold_itself_is_novel_enough() -> None:
    score = judged(remembering([EARLIER]), CHANGED).score
    assert score is not None
    assert judged(remembering([EARLIER], at_most=score), CHANGED).status == "pass"
    assert judged(remembering([EARLIER], at_most=score - 1e-4), CHANGED).status == "fail"
    assert judged(remembering([EARLIER], at_most=1), EARLIER).status == "pass"


def test_of_equals_the_earliest_is_shown_and_no_more_than_its_beginning() -> None:
    long = "word " * 200
    ruling = judged(remembering(["other", f"First: {long}", f"First {long}", f"first {long}"]), f"FIRST {long}")
    assert (ruling.score, ruling.evidence) == (1.0, {"nearest": f"First: {long}"[:300]})


some_questions = st.lists(st.text("abc 1", max_size=12), max_size=12)


@given(some_questions, st.lists(st.booleans(), min_size=12, max_size=12))
def test_one_by_one_is_as_all_at_once(questions: list[str], looks: list[bool]) -> None:
    """Whatever was judged in between, and so whenever the earlier ones were embedded."""
    memory, whole = embedding_novelty(at_most=0.5), cosines(by_words(questions), by_words(questions))
    for number, question in enumerate(questions):
        if looks[number]:
            ruling = judged(memory, question)
            highest = max((round(float(each), 4) for each in whole[number, :number]), default=0.0)
            assert ruling.score == highest
            assert ruling.status == ("fail" if highest > 0.5 else "pass")
        memory.remember(question)


@given(st.lists(st.integers(0, 9), max_size=9))
def test_the_matrix_holds_what_was_added(sizes: list[int]) -> None:
    chance, vectors, all_rows = Random(1), Vectors(), np.empty((0, 1_024), np.float32)
    for size in sizes:
        rows = by_words([f"word{chance.random()}" for _ in range(size)])
        vectors.add(rows)
        all_rows = np.concatenate([all_rows, rows])
    assert len(vectors) == len(all_rows)
    for number in chance.sample(range(len(all_rows)), min(3, len(all_rows))):
        assert vectors.nearest(all_rows[number]) == (number, 1.0)


@pytest.mark.parametrize("at_most", [-1.1, 1.1, float("nan")])
def test_a_limit_that_is_no_cosine_is_refused(at_most: float) -> None:
    with pytest.raises(ValueError, match="a cosine lies between -1 and 1"):
        embedding_novelty(at_most=at_most)


def test_an_unknown_embedder_is_refused() -> None:
    with pytest.raises(ValueError, match="no embedder 'sense'; there are: words"):
        embedding_novelty(embedder="sense")
