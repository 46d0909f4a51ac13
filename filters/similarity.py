"""The most similar of many texts by ROUGE-L, exactly and without looking at most of them.

ROUGE-L F1 is twice the longest common subsequence (LCS) of two texts' words over the sum of their lengths. A word
is written as one character, so that rapidfuzz compares whole texts as strings. Two bounds spare most comparisons:
two texts cannot be more alike than their lengths allow, nor have a longer LCS than they share words in any order. The
second is counted for a whole block of texts at once, with one bit for each text in Python's integers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import ceil
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import Indel

from filters.words import words

BLOCK = 8_192  # texts in a block: bounds the length of its integers, and so the cost of adding to them
SURROGATES = range(0xD800, 0xE000)
CODE_POINTS = 0x110000 - len(SURROGATES) - 1  # that can stand for a word; 0 stands for words never learnt


class Nearest(NamedTuple):
    """The most similar text: its number in the order of adding, and its ROUGE-L F1, from 0 to 1."""

    number: int | None
    score: float


class Index:
    """Texts, to be asked for the one most similar to another."""

    def __init__(self) -> None:
        self._vocabulary = Vocabulary()
        self._blocks: list[_Block] = []
        self._open: dict[int, _Block] = {}  # the block that is being filled, by class of length
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, text: str) -> None:
        """Add a text. One without words is counted, but similar to nothing."""
        code = self._vocabulary.learn(words(text))
        if code:
            self._block_for(len(code)).add(code, self._count)
        self._count += 1

    def nearest(self, text: str) -> Nearest:
        """The most similar text so far; number None when no word is shared with any."""
        code = self._vocabulary.encode(words(text))
        occurrences = _occurrences(code)
        best = Nearest(None, 0.0)
        # Texts of like length first: what they score spares looking at the others.
        for block in sorted(self._blocks, key=lambda block: block.bound(len(code)), reverse=True):
            best = block.nearest(code, occurrences, best)
        return best

    def _block_for(self, length: int) -> _Block:
        size = length.bit_length()
        if size not in self._open or len(self._open[size].codes) == BLOCK:
            self._open[size] = _Block()
            self._blocks.append(self._open[size])
        return self._open[size]


class Vocabulary:
    """Words as single characters.

    There are 1,112,063 code points for them. Should a pool ever have more distinct words than that, code points are
    used again from the start; two words then pass for one, and a similarity can only come out too high.
    """

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}

    def learn(self, text: Iterable[str]) -> str:
        """The code of a text, whose new words get characters of their own."""
        return "".join([self._codes.get(word) or self._name(word) for word in text])

    def encode(self, text: Iterable[str]) -> str:
        """The code of a text to compare. Words never learnt have no equal, so one character serves for all."""
        return "".join([self._codes.get(word, "\0") for word in text])

    def _name(self, word: str) -> str:
        point = 1 + len(self._codes) % CODE_POINTS
        code = chr(point if point < SURROGATES.start else point + len(SURROGATES))
        return self._codes.setdefault(word, code)


class _Block:
    """Up to `BLOCK` texts, whose lengths are within a factor of two."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self._numbers: list[int] = []
        self._with: dict[tuple[str, int], int] = {}  # (word, k): a bit for each text that has it at least k times
        self._shortest, self._longest = 0, 0

    def add(self, code: str, number: int) -> None:
        bit = 1 << len(self.codes)
        for occurrence in _occurrences(code):
            self._with[occurrence] = self._with.get(occurrence, 0) | bit
        self._shortest = min(self._shortest or len(code), len(code))
        self._longest = max(self._longest, len(code))
        self.codes.append(code)
        self._numbers.append(number)

    def bound(self, length: int) -> float:
        """The highest score that the lengths allow."""
        closest = min(max(length, self._shortest), self._longest)
        return 2 * min(length, closest) / (length + closest)

    def nearest(self, code: str, occurrences: Sequence[tuple[str, int]], best: Nearest) -> Nearest:
        """The better of `best` and what is here; that which shares the most words comes first, to spare the rest."""
        if self.bound(len(code)) <= best.score:
            return best
        shared = _add_up(self._with.get(occurrence, 0) for occurrence in occurrences)
        if not shared:
            return best
        best = self._best_among(_highest(shared), code, best)
        needed = ceil(best.score * (len(code) + self._shortest) / 2)
        return self._best_among(_at_least(needed, shared, len(self.codes)), code, best)

    def _best_among(self, chosen: int, code: str, best: Nearest) -> Nearest:
        places = list(_places(chosen))
        found = process.extractOne(
            code,
            [self.codes[place] for place in places],
            scorer=Indel.normalized_similarity,
            score_cutoff=best.score,
        )
        if found is None:
            return best
        _, similarity, which = found
        score = _exact(similarity, len(code) + len(self.codes[places[which]]))
        return Nearest(self._numbers[places[which]], score) if score > best.score else best


def _occurrences(code: str) -> list[tuple[str, int]]:
    """Each character with how often it has come by then, so that texts can be compared as multisets."""
    seen: Counter[str] = Counter()
    found = []
    for character in code:
        seen[character] += 1
        found.append((character, seen[character]))
    return found


def _exact(similarity: float, lengths: int) -> float:
    """The score as the quotient it is: rapidfuzz takes it from 1, which may miss a threshold by a rounding."""
    return 2 * round(similarity * lengths / 2) / lengths


# --- Counting in all bits at once: planes[i] holds, for each text, bit i of its count ---------------------------


def _add_up(rows: Iterable[int]) -> list[int]:
    """The planes of how many rows have each bit; none where no row has any.

    Three numbers of one weight are a sum and a carry of twice the weight: half the work of adding row by row.
    """
    waiting: list[list[int]] = []  # by weight, one or two numbers
    for row in filter(None, rows):
        for pair in waiting:
            if len(pair) < 2:
                pair.append(row)
                break
            pair[:], row = _full_sum(pair[0], pair[1], row)
        else:
            waiting.append([row])
    planes, carry = [], 0
    for pair in waiting:
        [plane], carry = _full_sum(pair[0], sum(pair[1:]), carry)
        planes.append(plane)
    return [*planes, carry] if carry else planes


def _full_sum(a: int, b: int, c: int) -> tuple[list[int], int]:
    """Bit by bit, the sum of three and the carry."""
    half = a ^ b
    return [half ^ c], a & b | half & c


def _highest(planes: Sequence[int]) -> int:
    """The bits whose count is the highest."""
    chosen = -1
    for plane in reversed(planes):
        chosen = chosen & plane or chosen
    return chosen


def _at_least(count: int, planes: Sequence[int], width: int) -> int:
    """The bits counted at least so often."""
    if count >> len(planes):
        return 0
    above, level = 0, (1 << width) - 1
    for i in reversed(range(len(planes))):
        if count >> i & 1:
            level &= planes[i]
        else:
            above |= level & planes[i]
            level &= ~planes[i]
    return above | level


def _places(chosen: int) -> Iterator[int]:
    """The numbers of the bits that are set."""
    bits = f"{chosen:b}"[::-1]
    place = bits.find("1")
    while place >= 0:
        yield place
        place = bits.find("1", place + 1)
