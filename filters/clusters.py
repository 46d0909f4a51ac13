"""Which problems are about the same?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from filters import embedding
from filters.k_means import spherical_k_means
from filters.rule import Case, Ruling, passed, unsure
from pipelines.records import digest


def semantic_clusters(
    cases: Sequence[Case], *, embedder: str = "words", clusters: int = 100, seed: int = 0
) -> list[Ruling]:
    """Name the cluster of each problem, by what its question means; `cluster_balanced` may then choose among them.

    Spherical k-means over the vectors of `filters.embedding`. All problems pass, but those without a question, which
    are unsure. Clusters are numbered from 1 by the lowest id in them; the score is the cosine to the cluster's centre
    in four decimals. Raises ValueError for fewer than one cluster and for an embedder that is not there.
    """
    if clusters < 1:
        raise ValueError(f"semantic_clusters: clusters = {clusters} should be at least 1")
    asked = {case.problem.id: case.problem.question for case in cases if case.problem.question.strip()}
    found = clustered(asked, embedding.embedder(embedder), clusters=clusters, seed=seed)
    context = {
        "n": len(found),
        "clusters": len({place.cluster for place in found.values()}),
        "embedder": embedding.version_of(embedder),
        "pool": digest(sorted(case.problem.id for case in cases)),
    }

    def ruling(id: str) -> Ruling:
        if id not in found:
            return unsure("no question to embed", context=context)
        return passed(value=f"cluster {found[id].cluster}", score=found[id].cosine, context=context)

    return [ruling(case.problem.id) for case in cases]


class Place(NamedTuple):
    """Where a text ended."""

    cluster: int  # from 1, by the lowest id in it
    cosine: float  # to the centre, in four decimals; 0 where opposites leave it without direction


def clustered(texts: Mapping[str, str], embed: embedding.Embed, *, clusters: int, seed: int) -> dict[str, Place]:
    """The cluster of each text, by its id. Equal texts count as one, so that they are together."""
    import numpy as np

    if not texts:
        return {}
    different = list(dict.fromkeys(texts[id] for id in sorted(texts)))
    vectors = embed(different)
    found = spherical_k_means(vectors, min(clusters, len(different)), seed=seed)
    labels = found.labels.tolist()
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels), start=1)}
    cosines = np.einsum("ij,ij->i", vectors, found.centres[found.labels]).tolist()
    places = {
        text: Place(numbers[label], round(cosine, embedding.DECIMALS))
        for text, label, cosine in zip(different, labels, cosines, strict=True)
    }
    return {id: places[text] for id, text in texts.items()}
