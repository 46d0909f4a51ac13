"""Is it, or does it hold, an item of a benchmark?

Three looks, each stricter where it is easier to be wrong. **n-gram**: a run of 13 words of an item, or runs of 8 and
more that cover half of it, or all of an item that is shorter. A run that stands in several items is a phrase of the
trade ("where m and n are relatively prime") and tells nothing. **fuzzy**: with all numbers masked, a passage that is
nearly the item (changed numbers, names and words). **reordered**: most of the item's rare three-word groups, in any
order. Every finding names the file, the item and the passage.

The 13 words are those of s1 (arXiv 2501.19393) and others, the 8 those of open-r1; that single shared n-grams mostly
are false alarms is why coverage counts here.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz import fuzz

from filters.artifact import Artifact
from filters.benchmarks import Item, read
from filters.chunks import chunks, in_processes
from filters.rule import Case, Check, Ruling, failed, passed, unsure
from filters.similarity import Vocabulary
from filters.words import words

SHORT, LONG = 8, 13  # words of an n-gram
COMMON = 3  # items that share a run, from which on it is a phrase
RARE = 10  # items that share three masked words, up to which these lead to candidates
CANDIDATES = 4  # items looked at for one text, the most promising
ENOUGH = 12  # masked words, or rare groups, without which an item may be a phrase that many problems share
QUOTED = 400  # characters of a passage or an item in the evidence
CHUNK = 500  # texts given to a process at once


class Limits(NamedTuple):
    """From where on a finding counts, as shares of the item, from 0 to 1."""

    covered: float = 0.5  # by runs of at least 8 words
    alike: float = 0.75  # of the passage that is most like the item, numbers masked
    shared: float = 0.5  # of its rare groups of three words, numbers masked


class Hit(NamedTuple):
    """What was found: which item, how, and where."""

    file: str
    item: int  # the row in its file, from 0
    method: str  # n-gram, fuzzy or reordered
    share: float  # covered, alike or shared: from 0 to 1
    run: int  # the most words in a row that are the same; 0 where fewer than 8
    span: str  # the passage, as written
    start: int  # where in the text the passage begins, in characters of its NFKC form
    question: str  # how the item begins


# --- As a rule ------------------------------------------------------------------------------------------------


def contamination(
    case: Case,
    check: Check,
    *,
    against: Artifact | None = None,
    covered: float = Limits().covered,
    alike: float = Limits().alike,
    shared: float = Limits().shared,
) -> list[Ruling]:
    """Pass a question that holds no item of the benchmarks in the folder `against` (JSONL or Parquet).

    The score is the share of the item that was found; the evidence names file, item and passage. Raises ValueError
    when the folder has no benchmarks.
    """
    if against is None:
        return [unsure("no benchmarks to compare with: say against = FOLDER")]
    benchmarks = _benchmarks(against)
    limits = Limits(covered, alike, shared)
    context = {"items": len(benchmarks.items)}
    hits = benchmarks.hits(case.problem.question, limits)
    if not hits:
        return [passed(context=context)]
    best = hits[0]
    evidence = {**best._asdict(), "others": [f"{hit.file} #{hit.item}" for hit in hits[1:]]}
    return [failed(f"like an item of {best.file}", score=best.share, context=context, evidence=evidence)]


@lru_cache(maxsize=4)
def _benchmarks(against: Artifact) -> Benchmarks:
    """The index of a folder, as long as it holds just this."""
    return Benchmarks(read(against.path))


# --- A million at once ----------------------------------------------------------------------------------------


def contaminated(
    texts: Iterable[str], against: Artifact, *, limits: Limits | None = None, processes: int = 2
) -> Iterator[list[Hit]]:
    """The hits of each text, in order. The stream is read once and not kept."""
    look = _Look(against, limits or Limits())
    for found in in_processes(look, chunks(texts, CHUNK), processes):
        yield from found


class _Look(NamedTuple):
    against: Artifact
    limits: Limits

    def __call__(self, texts: Sequence[str]) -> list[list[Hit]]:
        benchmarks = _benchmarks(self.against)
        return [benchmarks.hits(text, self.limits) for text in texts]


# --- The index ------------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """Where in the items an n-gram stands."""

    item: int
    at: int


class Passage(NamedTuple):
    """A part of the text, in words, and how much of an item it holds."""

    method: str
    share: float
    run: int
    first: int
    last: int  # the first word after it


class Benchmarks:
    """Items of benchmarks, to be asked which of them a text holds. Nothing in it changes once it is made."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self._vocabulary, self._masks = Vocabulary(), Vocabulary()
        self._number = self._masks.learn(["#"])
        texts = [words(item.question) for item in items]
        self._codes = [self._vocabulary.learn(text) for text in texts]
        self._masked = [self._collapsed(self._masks.learn(map(_mask, text))) for text in texts]
        self._runs = _places(self._codes, SHORT, COMMON - 1)
        self._groups = _places(self._masked, 3, RARE)
        self._grouped = Counter(item for places in self._groups.values() for item in {place.item for place in places})
        self._short = _starts(self._codes)
        self._squeezed = {each.item: _squeeze(items[each.item].question) for each in _flat(self._short)}

    def hits(self, text: str, limits: Limits | None = None) -> list[Hit]:
        """The items that a text holds: those that it holds the most of come first."""
        limits = limits or Limits()
        found = words(text)
        passages = self._by_runs(self._vocabulary.encode(found), text, limits)
        passages |= {
            item: passage
            for item, passage in self._by_groups(found, limits).items()
            if item not in passages or passage.share > passages[item].share
        }
        best = sorted(passages.items(), key=lambda each: (-each[1].share, each[0]))
        return [self._hit(text, item, passage) for item, passage in best[:CANDIDATES]]

    def _hit(self, text: str, item: int, passage: Passage) -> Hit:
        start, span = _span(text, passage.first, passage.last)
        file, number, question = self.items[item][:3]
        return Hit(file, number, passage.method, round(passage.share, 4), passage.run, span, start, question[:QUOTED])

    # --- Equal words ---

    def _by_runs(self, code: str, text: str, limits: Limits) -> dict[int, Passage]:
        runs: dict[int, list[tuple[int, int, int]]] = defaultdict(list)  # by item: in the text from, to; in the item
        for item, *run in _runs(code, self._runs):
            runs[item].append((run[0], run[1], run[2]))
        found = {item: _covering(these, len(self._codes[item])) for item, these in runs.items()}
        found = {item: each for item, each in found.items() if each.share >= limits.covered or each.run >= LONG}
        return found | self._whole(code, text)

    def _whole(self, code: str, text: str) -> dict[int, Passage]:
        """Items that stand there wholly and with all their signs: short ones, and those whose runs are too common."""
        found, squeezed = {}, None
        for at in range(len(code)):
            for item, _ in self._short.get(code[at : at + 3], ()):
                if item in found or not code.startswith(self._codes[item], at):
                    continue
                squeezed = squeezed or _squeeze(text)
                if _holds(squeezed, self._squeezed[item]):
                    length = len(self._codes[item])
                    found[item] = Passage("n-gram", 1.0, length, at, at + length)
        return found

    # --- Nearly equal words, numbers masked ---

    def _by_groups(self, found: Sequence[str], limits: Limits) -> dict[int, Passage]:
        code = self._collapsed(self._masks.encode(map(_mask, found)))
        met = self._met(code)
        shares = {item: _distinct(code, pairs) / self._grouped[item] for item, pairs in met.items()}
        best = sorted(shares, key=lambda item: (-shares[item], item))[:CANDIDATES]
        passages = ((item, self._alike(item, code, met[item], shares[item], limits)) for item in best)
        return {item: self._unmasked(passage, found) for item, passage in passages if passage}

    def _met(self, code: str) -> dict[int, list[tuple[int, int]]]:
        """By item, where its rare groups stand in the text and in it; two at least, and a sixth of them."""
        met: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for at in range(len(code) - 2):
            for place in self._groups.get(code[at : at + 3], ()):
                met[place.item].append((at, place.at))
        return {
            item: pairs
            for item, pairs in met.items()
            if (groups := _distinct(code, pairs)) > 1 and 6 * groups >= self._grouped[item]
        }

    def _alike(
        self, item: int, code: str, pairs: Sequence[tuple[int, int]], share: float, limits: Limits
    ) -> Passage | None:
        """The passage most like the item, around where its groups stand."""
        whole = self._masked[item]
        if len(whole) < ENOUGH:
            return None
        [(shift, _)] = Counter(at - there for at, there in pairs).most_common(1)
        first = max(0, shift - len(whole) // 2)
        passage = code[first : shift + 2 * len(whole)]
        found = fuzz.partial_ratio_alignment(whole, passage) if 2 * len(passage) > len(whole) else None
        score = found.score / 100 * min(1, len(passage) / len(whole)) if found else 0.0
        if found and score >= limits.alike:
            return Passage("fuzzy", score, 0, first + found.dest_start, first + found.dest_end)
        if share >= limits.shared and self._grouped[item] >= ENOUGH:
            return Passage("reordered", share, 0, pairs[0][0], pairs[-1][0] + 3)
        return None

    def _collapsed(self, code: str) -> str:
        """With numbers in a row as one: 1,000 and 1/2 are."""
        return re.sub(f"{re.escape(self._number)}+", self._number, code)

    def _unmasked(self, passage: Passage, found: Sequence[str]) -> Passage:
        """The passage in words, where numbers in a row are several."""
        starts = [i for i, word in enumerate(found) if not (i and _mask(word) == "#" == _mask(found[i - 1]))]
        starts.append(len(found))
        return passage._replace(first=starts[passage.first], last=starts[passage.last])


def _distinct(code: str, pairs: Sequence[tuple[int, int]]) -> int:
    """How many different groups stand at these places of a text."""
    return len({code[at : at + 3] for at, _ in pairs})


def _places(codes: Sequence[str], size: int, at_most: int) -> dict[str, list[Place]]:
    """Where each n-gram stands, of those that stand in at most so many different items."""
    places: dict[str, list[Place]] = defaultdict(list)
    for item, code in enumerate(codes):
        for at in range(len(code) - size + 1):
            places[code[at : at + size]].append(Place(item, at))
    return {gram: found for gram, found in places.items() if len({codes[place.item] for place in found}) <= at_most}


def _starts(codes: Sequence[str]) -> dict[str, list[Place]]:
    """The items by their first three words; those of fewer than three are left out."""
    starts: dict[str, list[Place]] = defaultdict(list)
    for item, code in enumerate(codes):
        if len(code) >= 3:
            starts[code[:3]].append(Place(item, 0))
    return dict(starts)


def _flat(places: dict[str, list[Place]]) -> Iterator[Place]:
    return (place for found in places.values() for place in found)


def _runs(code: str, grams: dict[str, list[Place]]) -> Iterator[tuple[int, int, int, int]]:
    """Runs of equal words: the item, from and to in the text, from in the item."""
    open_runs: dict[tuple[int, int], tuple[int, int]] = {}  # by item and how far it is shifted: from, last gram
    for at in range(len(code) - SHORT + 1):
        for item, there in grams.get(code[at : at + SHORT], ()):
            start, last = open_runs.get((item, at - there), (at, at))
            if at - last > 1:
                yield item, start, last + SHORT, start - at + there
                start = at
            open_runs[item, at - there] = start, at
    for (item, shift), (start, last) in open_runs.items():
        yield item, start, last + SHORT, start - shift


def _covering(runs: Sequence[tuple[int, int, int]], length: int) -> Passage:
    """How much of an item these runs cover, and the longest of them."""
    covered = {there + i for start, end, there in runs for i in range(end - start)}
    start, end, _ = max(runs, key=lambda run: (run[1] - run[0], -run[0]))
    return Passage("n-gram", len(covered) / length, end - start, start, end)


# --- Texts ----------------------------------------------------------------------------------------------------

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_TENS = "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million"
_DIGITS = re.compile(r"\d+")


class _Masks(dict[str, str]):
    """Each word with its numbers masked, forgotten when they become too many."""

    def __missing__(self, word: str) -> str:
        if len(self) >= 1 << 20:
            self.clear()
        self[word] = masked = "#" if word in _NUMBERS else _DIGITS.sub("#", word)
        return masked


_NUMBERS = frozenset(f"{_UNITS} {_TENS}".split())
_MASKS = _Masks()


_mask = _MASKS.__getitem__


def _squeeze(text: str) -> str:
    """Without spaces, dollars and what ends a sentence; signs stay."""
    return re.sub(r"[\s$]|[.?!]+$", "", unicodedata.normalize("NFKC", text).lower().rstrip())


def _holds(squeezed: str, item: str) -> bool:
    """Whether a text holds an item that does not go on there, as `2^{10}` does in `2^{10}mod7`."""
    end = squeezed.find(item) + len(item)
    while end >= len(item):
        if not _GOES_ON.match(squeezed, end):
            return True
        end = squeezed.find(item, end - len(item) + 1) + len(item)
    return False


_GOES_ON = re.compile(r"[-+*/^_=<>(\\]|\d|\.\d|mod\d")


def _span(text: str, first: int, last: int) -> tuple[int, str]:
    """Where the passage of these words begins, and the passage as it is written, cut when it is long."""
    normal = unicodedata.normalize("NFKC", text)
    lower, end, starts = normal.lower(), 0, []
    for word in words(text)[:last]:
        starts.append(lower.index(word, end))
        end = starts[-1] + len(word)
    written = normal if len(normal) == len(lower) else lower
    return starts[first], written[starts[first] : min(end, starts[first] + QUOTED)]
