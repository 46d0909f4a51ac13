"""MinHash: how alike are two texts as sets of word n-grams, told from a short signature of each.

Of two sets, the chance that a random order of all n-grams puts the same one first in both is their Jaccard similarity
(Broder 1997). A signature holds, for each of some fixed orders, 16 bits that tell which n-gram comes first; the share
of places in which two signatures agree estimates the similarity. Signatures are cut into bands of a few places each:
texts that agree in a whole band are candidates, and alike texts almost surely are (locality-sensitive hashing).

All hashes are fixed functions of the words, the same on every machine and in every version of Python, so that
signatures can be kept. Needs numpy.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import cache
from hashlib import blake2b
from math import ceil, log
from typing import TYPE_CHECKING, NamedTuple

from filters.words import words

if TYPE_CHECKING:
    import numpy as np

VERSION = 1  # of the hashes below: signatures of different versions cannot be compared
REMEMBERED = 1 << 20  # words whose hash is kept at hand
COMPARED = 1 << 20  # n-grams that are compared at once
CAUGHT = 0.98  # of pairs at the threshold that bands make candidates, at least; more of those above it


class Sets(NamedTuple):
    """The n-grams of texts: of text i, `grams[starts[i] : starts[i + 1]]`, in order, each once, as 32-bit hashes.

    Two n-grams of different words share a hash once in four thousand million times.
    """

    grams: np.ndarray  # uint32
    starts: np.ndarray  # int64, one more than there are texts

    def of(self, number: int) -> np.ndarray:
        return self.grams[self.starts[number] : self.starts[number + 1]]

    def sizes(self, numbers: np.ndarray) -> np.ndarray:
        return self.starts[numbers + 1] - self.starts[numbers]

    def some(self, which: slice) -> Sets:
        """Texts that stand together; `which` has a start and an end."""
        return Sets(self.grams, self.starts[which.start : which.stop + 1])

    def many(self, numbers: np.ndarray) -> Sets:
        """These texts, one after another."""
        import numpy as np

        firsts, sizes = self.starts[numbers], self.sizes(numbers)
        starts = np.concatenate([[0], np.cumsum(sizes)])
        return Sets(self.grams[np.repeat(firsts - starts[:-1], sizes) + np.arange(starts[-1])], starts)


class Bands(NamedTuple):
    """How a signature is cut: into so many bands of `places` places."""

    number: int
    places: int


def cut_into_bands(permutations: int, threshold: float) -> Bands:
    """The longest bands (so the fewest candidates) that catch pairs at the threshold, and no more than it takes."""
    for places in range(permutations, 1, -1):
        number = ceil(log(1 - CAUGHT) / log(1 - threshold**places)) if threshold**places > 1e-9 else permutations
        if number * places <= permutations:
            return Bands(number, places)
    return Bands(permutations, 1)


# --- From texts to sets of n-grams ----------------------------------------------------------------------------


class _Hashes(dict[str, int]):
    """A 64-bit hash of every word that was asked for, forgotten when they become too many."""

    def __missing__(self, word: str) -> int:
        if len(self) >= REMEMBERED:
            self.clear()
        digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return self.setdefault(word, int.from_bytes(digest))


_HASHES = _Hashes()


def sets(texts: Iterable[str], ngram: int) -> Sets:
    """The word n-grams of each text. A text of fewer words is one n-gram; one without words has none."""
    import numpy as np

    hashes, lengths = array("Q"), array("q")
    for text in texts:
        found = list(map(_HASHES.__getitem__, words(text)))
        if found:
            found += [0] * (ngram - len(found))
        hashes.extend(found)
        lengths.append(len(found))
    return _sets(np.frombuffer(hashes, np.uint64), np.frombuffer(lengths, np.int64), ngram)


def _sets(hashes: np.ndarray, lengths: np.ndarray, ngram: int) -> Sets:
    """From the hashes of all words, one text after another."""
    import numpy as np

    count = len(lengths)
    if not len(hashes):
        return Sets(np.empty(0, np.uint32), np.zeros(count + 1, np.int64))
    ends = np.cumsum(lengths)
    owner = np.repeat(np.arange(count, dtype=np.uint64), lengths)
    mixed = np.zeros(len(hashes) - ngram + 1, np.uint64)
    for place in range(ngram):  # as a polynomial, so that the order of words counts
        mixed *= np.uint64(_MIX[0])
        mixed += hashes[place : place + len(mixed)]
    grams = _mix(mixed) >> np.uint64(32)
    whole = np.arange(len(mixed)) + ngram <= np.repeat(ends, lengths)[: len(mixed)]
    keys = distinct((owner[: len(mixed)] << np.uint64(32) | grams)[whole])
    starts = np.searchsorted(keys, np.arange(count + 1, dtype=np.uint64) << np.uint64(32))
    return Sets(keys.astype(np.uint32), starts.astype(np.int64))


def distinct(numbers: np.ndarray) -> np.ndarray:
    """Each number once, in order. Far faster than numpy's `unique`, which hashes them first."""
    import numpy as np

    found = np.sort(numbers)
    return found[np.concatenate([np.ones(len(found[:1]), bool), found[1:] != found[:-1]])]


_MIX = (0xD6E8FEB86659FD93, 0x9E3779B97F4A7C15)


def _mix(values: np.ndarray) -> np.ndarray:
    """Spread every bit over the whole word."""
    import numpy as np

    values = (values ^ values >> np.uint64(32)) * np.uint64(_MIX[0])
    values = (values ^ values >> np.uint64(32)) * np.uint64(_MIX[1])
    return values ^ values >> np.uint64(32)


# --- From sets to signatures ----------------------------------------------------------------------------------


@cache
def _orders(permutations: int) -> np.ndarray:
    """Odd 64-bit factors, each of which orders the n-grams anew."""
    import numpy as np

    seeds = np.arange(1, 2 * permutations + 1, dtype=np.uint64) * np.uint64(_MIX[1])
    return (_mix(seeds) | np.uint64(1)).reshape(2, permutations)


def signatures(of: Sets, permutations: int) -> np.ndarray:
    """A signature for each text: an array of (texts, permutations) 16-bit numbers, zeros where there is no n-gram."""
    import numpy as np

    found = np.zeros((len(of.starts) - 1, permutations), np.uint16)
    filled = np.flatnonzero(np.diff(of.starts))
    if not len(filled):
        return found
    grams, starts = of.grams.astype(np.uint64), of.starts[:-1][filled]
    ranks, lows = np.empty_like(grams), np.empty((permutations, len(filled)), np.uint16)
    for place, (factor, shift) in enumerate(_orders(permutations).T):
        np.multiply(grams, factor, out=ranks)
        np.add(ranks, shift, out=ranks)
        np.right_shift(ranks, np.uint64(32), out=ranks)
        lows[place] = np.minimum.reduceat(ranks, starts)  # the low half: the high one is small in every minimum
    found[filled] = lows.T
    return found


def band_keys(signed: np.ndarray, bands: Bands, only: int | None = None) -> np.ndarray:
    """A 64-bit key for each band of each signature: an array of (texts, bands), or (texts, 1) for only one band."""
    import numpy as np

    which = np.arange(bands.number, dtype=np.uint64)[slice(None) if only is None else slice(only, only + 1)]
    used = signed[:, : bands.number * bands.places].reshape(len(signed), bands.number, bands.places)
    keys = np.broadcast_to(which, (len(signed), len(which)))
    for place in range(bands.places):
        keys = _mix(keys + used[:, which.astype(np.intp), place])
    return keys


def jaccards(of: Sets, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The Jaccard similarity of text `ones[i]` with text `others[i]`, for each i; none may be without n-grams."""
    import numpy as np

    sizes = of.sizes(ones) + of.sizes(others)
    parts = np.flatnonzero(np.diff(np.cumsum(sizes) // COMPARED)) + 1
    pairs = zip(np.split(ones, parts), np.split(others, parts), strict=True)
    shared = np.concatenate([_shared(of, *some) for some in pairs])
    return shared / (sizes - shared)


def _shared(of: Sets, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How many n-grams are in both, for each pair."""
    import numpy as np

    both = [of.many(ones), of.many(others)]
    owners = [np.repeat(np.arange(len(ones), dtype=np.uint64), np.diff(each.starts)) for each in both]
    keyed = [owner << np.uint64(32) | each.grams for owner, each in zip(owners, both, strict=True)]
    keys = np.sort(np.concatenate(keyed), kind="stable")  # a merge, since each half is in order
    twice = keys[1:][keys[1:] == keys[:-1]] >> np.uint64(32)
    return np.bincount(twice.astype(np.int64), minlength=len(ones))
