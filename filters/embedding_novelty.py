"""Is there anything that means the same already?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from filters import embedding
from filters.chunks import chunks
from filters.novelty import QUOTED
from filters.rule import Case, Memory, Ruling, failed, passed

if TYPE_CHECKING:
    import numpy as np


def embedding_novelty(*, embedder: str = "words", at_most: float = 0.9) -> Memory:
    """Pass a question whose cosine with every earlier one is `at_most` this; see `filters.embedding` for embedders.

    The score is the highest cosine, in four decimals, and 0 where there is nothing earlier; the evidence has the
    question it is with, of equals the earliest. Raises ValueError for an embedder that is not there.
    """
    if not -1 <= at_most <= 1:
        raise ValueError(f"embedding_novelty: at_most = {at_most}, but a cosine lies between -1 and 1")
    return _Pool(embedding.embedder(embedder), embedding.version_of(embedder), at_most)


class Nearest(NamedTuple):
    number: int
    cosine: float  # in four decimals


class Vectors:
    """Vectors of length 1, in a matrix that doubles whenever it is full."""

    def __init__(self) -> None:
        self._size = 0
        self._rows: np.ndarray | None = None

    def __len__(self) -> int:
        return self._size

    def add(self, vectors: np.ndarray) -> None:
        rows = self._room(len(vectors), vectors.shape[1])
        rows[self._size : self._size + len(vectors)] = vectors
        self._size += len(vectors)

    def _room(self, more: int, width: int) -> np.ndarray:
        import numpy as np

        rows = np.empty((0, width), np.float32) if self._rows is None else self._rows
        if self._size + more > len(rows):
            larger = np.empty((max(self._size + more, 2 * len(rows)), width), np.float32)
            larger[: self._size] = rows[: self._size]
            rows = larger
        self._rows = rows
        return rows

    def nearest(self, vector: np.ndarray) -> Nearest | None:
        """The first of those with the highest cosine; None where there are none."""
        if self._rows is None:
            return None
        similar = embedding.cosines(vector[None], self._rows[: self._size])[0]
        number = int(similar.argmax())
        return Nearest(number, round(float(similar[number]), embedding.DECIMALS))


class _Pool:
    """The earlier questions: how each begins, and its vector. Those remembered last wait, to be embedded at once."""

    def __init__(self, embed: embedding.Embed, version: str, at_most: float) -> None:
        self._embed, self._version, self._at_most = embed, version, at_most
        self._vectors = Vectors()
        self._beginnings: list[str] = []
        self._waiting: list[str] = []

    def judge(self, case: Case) -> Ruling:
        for block in self._arrived():
            self._vectors.add(self._embed(block))
        nearest = self._vectors.nearest(self._embed([case.problem.question])[0])
        context = {"pool": len(self._vectors), "embedder": self._version}
        if nearest is None:
            return passed(score=0.0, context=context)
        evidence = {"nearest": self._beginnings[nearest.number]}
        if nearest.cosine > self._at_most:
            return failed("too near an earlier question", score=nearest.cosine, context=context, evidence=evidence)
        return passed(score=nearest.cosine, context=context, evidence=evidence)

    def remember(self, question: str) -> None:
        self._beginnings.append(question[:QUOTED])
        self._waiting.append(question)

    def _arrived(self) -> Iterator[list[str]]:
        arrived, self._waiting = self._waiting, []
        return chunks(arrived, embedding.AT_ONCE)
