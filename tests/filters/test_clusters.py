"""Problems by what they are about, as planted."""

from collections import Counter, defaultdict
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.clusters import clustered, semantic_clusters
from filters.embedding import by_words
from filters.k_means import spherical_k_means
from filters.rule import Case, Ruling
from filters.selection import cluster_balanced
from pipelines.records import digest, verdict
from tests.filters.cases import task

np = pytest.importorskip("numpy")

TOPICS = {
    "baking": "oven flour bread cake sugar dough baker tray loaves butter eggs cream",
    "trains": "train rail station miles hour speed track engine journey city leaves arrives",
    "chess": "board knight rook pawn king queen square move bishop game player rank",
}


def planted(sizes: tuple[int, int, int], *, seed: int = 0) -> dict[str, list[Case]]:
    """Problems of three vocabularies, which share the words that every question has."""
    chance = Random(seed)

    def question(topic: str) -> str:
        told = " ".join(chance.choices(TOPICS[topic].split(), k=12))
        return f"How many of the {told} are there, if it is {chance.randrange(1000)}?"

    return {topic: [Case(task(question(topic))) for _ in range(n)] for topic, n in zip(TOPICS, sizes, strict=True)}


def all_of(found: dict[str, list[Case]]) -> list[Case]:
    return [case for cases in found.values() for case in cases]


@pytest.mark.parametrize("sizes", [(60, 60, 60), (150, 40, 15)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_planted_topics_are_found(sizes: tuple[int, int, int], seed: int) -> None:
    found = planted(sizes, seed=seed)
    rulings = semantic_clusters(all_of(found), clusters=3, seed=seed)
    topics = [topic for topic, cases in found.items() for _ in cases]
    counts: dict[str | None, Counter[str]] = defaultdict(Counter)
    for topic, ruling in zip(topics, rulings, strict=True):
        counts[ruling.value][topic] += 1
    purity = sum(max(each.values()) for each in counts.values()) / len(topics)
    assert purity > 0.95
    assert len(counts) == 3


def test_every_problem_passes_and_is_in_one_cluster() -> None:
    cases = all_of(planted((9, 9, 9)))
    rulings = semantic_clusters(cases, clusters=4)
    names = {f"cluster {number}" for number in range(1, 5)}
    assert [ruling.status for ruling in rulings] == ["pass"] * 27
    assert {ruling.value for ruling in rulings} == names
    pool = digest(sorted(case.problem.id for case in cases))
    assert rulings[0].context == {"n": 27, "clusters": 4, "embedder": "words@1", "pool": pool}


@settings(max_examples=20)
@given(st.randoms(use_true_random=False), st.integers(1, 9))
def test_the_order_of_the_pool_changes_nothing(chance: Random, clusters: int) -> None:
    cases = all_of(planted((4, 4, 4)))
    mixed = chance.sample(cases, len(cases))
    by_id = dict(zip((case.problem.id for case in mixed), semantic_clusters(mixed, clusters=clusters), strict=True))
    assert [by_id[case.problem.id] for case in cases] == semantic_clusters(cases, clusters=clusters)


def test_clusters_are_numbered_by_the_lowest_id_in_them() -> None:
    texts = {f"id{number}": text for number, text in enumerate(["rook", "rail", "rook", "oven", "rail"])}
    found = clustered(texts, by_words, clusters=3, seed=0)
    assert [found[id].cluster for id in sorted(found)] == [1, 2, 1, 3, 2]
    assert {place.cosine for place in found.values()} == {1.0}


def test_the_score_is_the_cosine_to_the_centre() -> None:
    texts = {case.problem.id: case.problem.question for case in all_of(planted((9, 9, 9)))}
    found = clustered(texts, by_words, clusters=3, seed=0)
    for cluster in range(1, 4):
        ids = [id for id in sorted(found) if found[id].cluster == cluster]
        vectors = by_words([texts[id] for id in ids])
        centre = vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0))
        assert [found[id].cosine for id in ids] == pytest.approx((vectors @ centre).tolist(), abs=2e-4)


@pytest.mark.parametrize("clusters", [1, 2, 5, 100])
def test_more_clusters_than_different_questions_are_no_trouble(clusters: int) -> None:
    texts = {f"id{number}": f"{number % 3} rooks" for number in range(12)}
    found = clustered(texts, by_words, clusters=clusters, seed=0)
    assert len({place.cluster for place in found.values()}) == min(clusters, 3)
    assert all(found[f"id{number}"].cluster == found[f"id{number % 3}"].cluster for number in range(12))


def test_equal_questions_are_together_however_near_others_are() -> None:
    """Of these some are nearer to each other than single precision tells apart."""
    questions = ["1 " * length for length in (5_000, 5_001, 10_000, 10_001, 20_000)]
    texts = {f"id{copy}{number}": text for copy in range(5) for number, text in enumerate(questions)}
    found = clustered(texts, by_words, clusters=5, seed=0)
    assert all(found[f"id{copy}{number}"] == found[f"id0{number}"] for copy in range(5) for number in range(5))


def test_points_have_the_nearest_of_centres_of_length_1() -> None:
    points = by_words([case.problem.question for case in all_of(planted((20, 20, 20)))])
    found = spherical_k_means(points, 5, seed=3)
    assert np.linalg.norm(found.centres, axis=1) == pytest.approx(1, abs=1e-6)
    assert (found.labels == (points @ found.centres.T).argmax(axis=1)).all()
    assert found.distances == pytest.approx(2 - 2 * (points @ found.centres.T).max(axis=1), abs=1e-5)


def test_opposites_leave_a_centre_without_direction() -> None:
    def embed(texts):
        return np.asarray([[1.0, 0.0] if text == "up" else [-1.0, 0.0] for text in texts], np.float32)

    found = clustered({"a": "up", "b": "down"}, embed, clusters=1, seed=0)
    assert list(found.values()) == [(1, 0.0), (1, 0.0)]


def test_problems_without_a_question_are_unsure() -> None:
    cases = [Case(task("")), Case(task(" \n")), *all_of(planted((2, 2, 2)))]
    blank, spaces, *others = semantic_clusters(cases, clusters=3)
    assert (blank.status, blank.reason, blank.value) == ("unsure", "no question to embed", None)
    assert spaces == blank
    assert [ruling.status for ruling in others] == ["pass"] * 6
    assert blank.context["n"] == 6


@pytest.mark.parametrize("cases", [[], [Case(task(""))]], ids=["none", "a blank one"])
def test_a_pool_of_nothing_has_no_clusters(cases: list[Case]) -> None:
    assert [ruling.status for ruling in semantic_clusters(cases)] == ["unsure"] * len(cases)


def test_fewer_than_one_cluster_is_refused() -> None:
    with pytest.raises(ValueError, match="clusters = 0 should be at least 1"):
        semantic_clusters([], clusters=0)


def named(case: Case, ruling: Ruling) -> Case:
    told = verdict(
        subjects=[case.problem.id],
        stage="sift@1",
        draw=0,
        rule="semantic_clusters@1",
        status=ruling.status,
        value=ruling.value,
    )
    return case._replace(verdicts=[told])


def test_a_balanced_choice_takes_as_many_of_each_topic() -> None:
    found = planted((100, 30, 20))
    cases = all_of(found)
    cases = [named(case, ruling) for case, ruling in zip(cases, semantic_clusters(cases, clusters=3), strict=True)]
    rulings = cluster_balanced(cases, by="semantic_clusters", k=30)
    topics = [topic for topic, cases in found.items() for _ in cases]
    chosen = Counter(topic for topic, ruling in zip(topics, rulings, strict=True) if ruling.status == "pass")
    assert chosen == {"baking": 10, "trains": 10, "chess": 10}
