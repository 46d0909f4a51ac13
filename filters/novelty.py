"""Is there anything like it already?

Both rules are ordered: a question is compared with the seeds and with everything that stayed before it, so that of
two that are alike the first stays, and a later one never changes that.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b

from filters.rule import Case, Memory, Ruling, failed, passed
from filters.similarity import Index

QUOTED = 300  # characters of the nearest question that go into the evidence
CANDIDATE = (
    0.4  # Jaccard similarity of two texts' word pairs at which they are compared; of most that are alike by 0.7
)

# --- Exact duplicates -----------------------------------------------------------------------------------------

_HYPHENS = re.compile(r"[\u2010-\u2015\u2212]")
_APOSTROPHES = re.compile(r"[\u2018-\u201b\u2032]")
# Only what can never change a problem: not the point of 3.5, nor any sign between numbers.
_RAISED = re.compile("[\u00b2\u00b3\u00b9\u2070-\u207f]+")
_LOWERED = re.compile("[\u2080-\u208e]+")
_FRACTION = re.compile(r"(?<=\d)(?=[\u00bc-\u00be\u2150-\u215e])")  # of 1\u00bd, which is no 11/2
_PUNCTUATION = re.compile(r"[.,;:?\"\u201c-\u201f\xab\xbb](?!\d)")


def not_duplicate() -> Memory:
    """Pass a question that is no copy: equal in all but case, spacing, punctuation and Unicode form."""
    return _Copies()


class _Copies:
    """Digests of the normal forms seen, 16 bytes each."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def judge(self, case: Case) -> Ruling:
        if _fingerprint(case.problem.question) in self._seen:
            return failed("a copy of an earlier question")
        return passed()

    def remember(self, question: str) -> None:
        self._seen.add(_fingerprint(question))


def normal(question: str) -> str:
    """What two copies have in common. Numbers and operators stay as they are."""
    text = _FRACTION.sub(" ", _LOWERED.sub(r"_\g<0>", _RAISED.sub(r"^\g<0>", question)))
    text = unicodedata.normalize("NFKC", text).casefold()
    text = _APOSTROPHES.sub("'", _HYPHENS.sub("-", text))
    return " ".join(_PUNCTUATION.sub(" ", text).split())


def _fingerprint(question: str) -> bytes:
    return blake2b(normal(question).encode("utf-8", "surrogatepass"), digest_size=16).digest()


# --- Near duplicates ------------------------------------------------------------------------------------------


def novelty(*, at_most: float = 0.7, exact_up_to: int = 100_000) -> Memory:
    """Pass a question whose ROUGE-L F1 with every earlier one is `at_most` this.

    Over lower-cased words without stemming, as in Self-Instruct (arXiv 2212.10560, section 2.2). The score is the
    highest similarity, exact however low it is; the evidence has the nearest question. Of more than `exact_up_to`
    questions the later ones are looked at only when their word pairs make them candidates by MinHash, which misses
    few that are alike; the context then says how many were compared exactly.
    """
    if not 0 <= at_most <= 1:
        raise ValueError(f"novelty: at_most = {at_most}, but a similarity lies between 0 and 1")
    if exact_up_to < 0:
        raise ValueError(f"novelty: exact_up_to = {exact_up_to}, but it is a number of questions")
    return _Pool(at_most, exact_up_to)


class _Pool:
    """The earlier questions, and how each begins."""

    def __init__(self, at_most: float, exact_up_to: int) -> None:
        self._at_most = at_most
        self._exact_up_to = exact_up_to
        self._index = Index()
        self._beginnings: list[str] = []
        self._later: _Later | None = None

    def judge(self, case: Case) -> Ruling:
        number, score = self._index.nearest(case.problem.question)
        nearest = None if number is None else self._beginnings[number]
        context: dict[str, int] = {"pool": len(self._index)}
        if self._later is not None:
            context = {"pool": len(self._index) + len(self._later), "compared_exactly": len(self._index)}
            nearest, score = self._later.nearest(case.problem.question, nearest, score)
        evidence = {} if nearest is None else {"nearest": nearest}
        if score > self._at_most:
            return failed("too much like an earlier question", score=score, context=context, evidence=evidence)
        return passed(score=score, context=context, evidence=evidence)

    def remember(self, question: str) -> None:
        if len(self._index) < self._exact_up_to:
            self._index.add(question)
            self._beginnings.append(question[:QUOTED])
            return
        self._later = self._later or _Later()
        self._later.add(question)


class _Later:
    """Questions beyond those that are all compared: only candidates by MinHash are."""

    def __init__(self) -> None:
        from filters import near_duplicates

        self._signatures = near_duplicates.Index(near_duplicates.Scheme(ngram=2), CANDIDATE)

    def __len__(self) -> int:
        return len(self._signatures)

    def add(self, question: str) -> None:
        self._signatures.add(question, name=question)

    def nearest(self, question: str, nearest: str | None, score: float) -> tuple[str | None, float]:
        """The better of what is known and what is here."""
        for other in self._signatures.candidates(question):
            index = Index()
            index.add(other)
            similarity = index.nearest(question).score
            if similarity > score:
                nearest, score = other[:QUOTED], similarity
        return nearest, score
