"""Is there a near-duplicate among very many texts? As sets of word n-grams, with MinHash to find candidates.

Unlike ROUGE-L this neither minds where in a text a passage stands, nor takes longer the more texts there are. A text
is compared with those that agree with it in a band of their signatures; the similarity that decides is the exact one
of the two sets of n-grams. What can go wrong is a candidate missed: at the threshold itself 1 pair in 200, far less
above it. Of texts that agree in one band only the newest 64 are looked at, so that no text takes long.

Whatever is kept of a text lies in mapped scratch files and not in memory: 800 bytes for 40 words, up to twice that
just after the files have doubled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filters import lsh_table, minhash, signature_files
from filters.artifact import Artifact
from filters.chunks import in_processes
from filters.minhash import Bands, Sets
from filters.rule import Case, Memory, Ruling, failed, passed
from filters.scratch import Growing, Ragged
from filters.signature_files import Lists, Rows

if TYPE_CHECKING:
    import numpy as np

QUOTED = 300  # characters of the most similar question that go into the evidence
SIGNED = 2_048  # texts whose signatures are taken at once, in a process
CHARACTERS = 1 << 20  # of these texts, from which on it is fewer
PIECE = 512  # texts that are judged at once

# --- As a rule ------------------------------------------------------------------------------------------------


def not_near_duplicate(
    *, at_most: float = 0.6, ngram: int = 3, permutations: int = 128, earlier: Artifact | None = None
) -> Memory:
    """Pass a question whose Jaccard similarity with every earlier one is `at_most` this, as sets of word n-grams.

    Earlier are also the questions of an index that lies in the folder `earlier`, as one lies beside each dataset
    that was made with this rule. The score is the highest similarity found, exact for the texts it was found in;
    where no candidate was found it is 0. The evidence has the nearest question, and the similarity that the
    signatures alone would have told.
    """
    if not 0 < at_most < 1:
        raise ValueError(f"not_near_duplicate: at_most = {at_most}, but it must lie between 0 and 1")
    if not (1 <= ngram <= 64 and 8 <= permutations <= 1024):
        raise ValueError("not_near_duplicate: ngram is from 1 to 64, permutations from 8 to 1024")
    scheme = Scheme(ngram, permutations)
    index = open_index(earlier.path, threshold=at_most, scheme=scheme) if earlier else Index(scheme, at_most)
    return Questions(at_most, index)


class Questions:
    """The rule at work, from an index of earlier questions on: their signatures, and how each question begins.

    Questions that are remembered wait until one is judged: many at once are entered in a twentieth of the time.
    """

    def __init__(self, at_most: float, index: Index) -> None:
        self._at_most = at_most
        self._index = index
        self._waiting: list[str] = []

    @property
    def index(self) -> Index:
        """The index, with all that is remembered in it."""
        self._enter()
        return self._index

    def _enter(self) -> None:
        arrived, self._waiting = self._waiting, []
        self._index.add_all(arrived)

    def judge(self, case: Case) -> Ruling:
        index = self.index
        found = index.query(case.problem.question)
        context = {"pool": len(index)}
        if found is None:
            return passed(score=0.0, context=context)
        evidence = {"nearest": found.name, "row": found.number, "estimated": round(found.estimated, 4)}
        if found.exact > self._at_most:
            reason = "a near-duplicate of an earlier question"
            return failed(reason, score=found.exact, context=context, evidence=evidence)
        return passed(score=found.exact, context=context, evidence=evidence)

    def remember(self, question: str) -> None:
        self._waiting.append(question)
        if len(self._waiting) == SIGNED:
            self._enter()


# --- A million at once ----------------------------------------------------------------------------------------


class Duplicate(NamedTuple):
    """Which earlier text a text is most like: their places in the stream, and both similarities."""

    place: int
    earlier: int
    estimated: float
    exact: float


def near_duplicates(
    texts: Iterable[str],
    *,
    at_most: float = 0.6,
    ngram: int = 3,
    permutations: int = 128,
    processes: int = 2,
) -> Iterator[Duplicate]:
    """The texts that are too much like one that stayed before them, in order: what the rule says of each in turn.

    The stream is read once and not kept. Memory does not grow with it; the folder for temporary files needs up to
    1,600 bytes for each text of 40 words that stays.
    """
    import numpy as np

    index = Index(Scheme(ngram, permutations), at_most)
    places, first = Growing("int64"), 0  # of the texts that stayed
    for signed in in_processes(partial(_signed, scheme=index.scheme, bands=index.bands), _batches(texts), processes):
        found = list(index.sift(signed, at_most))
        stayed = np.delete(np.arange(first, first + len(signed)), [row for row, _ in found])
        places.extend(stayed)
        for row, like in found:
            yield Duplicate(first + row, int(places.rows[like.number]), like.estimated, like.exact)
        first += len(signed)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Lists of `SIGNED` texts, shorter where the texts are long."""
    batch, characters = [], 0
    for text in texts:
        batch.append(text)
        characters += len(text)
        if len(batch) == SIGNED or characters > CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


class Signed(NamedTuple):
    """What is known of some texts."""

    of: Sets
    signatures: np.ndarray  # uint16, (texts, permutations)
    tags: np.ndarray  # uint32, (texts, bands)

    def __len__(self) -> int:
        return len(self.signatures)

    def some(self, which: slice) -> Signed:
        return Signed(self.of.some(which), self.signatures[which], self.tags[which])

    def many(self, rows: np.ndarray) -> Signed:
        return Signed(self.of.many(rows), self.signatures[rows], self.tags[rows])


def _signed(texts: Sequence[str], scheme: Scheme, bands: Bands) -> Signed:
    of = minhash.sets(texts, scheme.ngram)
    signatures = minhash.signatures(of, scheme.permutations)
    return Signed(of, signatures, lsh_table.tags(signatures, bands))


# --- The index ------------------------------------------------------------------------------------------------


class Scheme(NamedTuple):
    """What makes signatures comparable."""

    ngram: int = 3
    permutations: int = 128


class Similar(NamedTuple):
    """A text of the index: its number in the order of adding, its name, and how alike it is, from 0 to 1."""

    number: int
    name: str
    estimated: float  # from the signatures
    exact: float  # from the n-grams


class Candidate(NamedTuple):
    """The number of a text that may be alike, in how many places the signatures agree, and the exact similarity."""

    number: int
    agree: int
    exact: float


class Index:
    """Signatures of texts, to be asked for the one most similar to another. The texts themselves are not kept.

    Raises OSError when there is no room for scratch files.
    """

    def __init__(self, scheme: Scheme, threshold: float) -> None:
        self.scheme = scheme
        self.bands = minhash.cut_into_bands(scheme.permutations, threshold)
        self._table = lsh_table.Table(self.bands, scheme.permutations, threshold)
        self._grams, self._names = Ragged("uint32"), Ragged("uint8")
        self._files: list[str] = []  # that have all rows but the newest
        self._saved = 0  # rows that files have

    def __len__(self) -> int:
        return len(self._table)

    def add(self, text: str, name: str = "") -> None:
        """Add a text under a name. One without words is counted, but similar to nothing."""
        self._keep(self._read(text), _packed([name]))

    def add_all(self, texts: Iterable[str]) -> None:
        """Add texts, each under its beginning."""
        for batch in _batches(texts):
            signed = _signed(batch, self.scheme, self.bands)
            self._keep(signed, _packed([text[:QUOTED] for text in batch]))

    def add_new(self, texts: Iterable[str]) -> None:
        """Add those texts of which no equal is there, each under its beginning."""
        for batch in _batches(texts):
            signed = _signed(batch, self.scheme, self.bands)
            known = {row for row, each in self._look(signed).pairs() if each.exact == 1}
            new = [row for row in range(len(batch)) if row not in known]
            self._keep(signed.many(_rows(new)), _packed([batch[row][:QUOTED] for row in new]))

    def query(self, text: str) -> Similar | None:
        """The most similar text among the candidates, the earliest of equals; None when there is no candidate."""
        found = [each for _, each in self._look(self._read(text)).pairs()]
        return self._similar(_closest(found)) if found else None

    def candidates(self, text: str) -> list[str]:
        """The names of the texts that may be similar, the likeliest first."""
        return [self._name(each.number) for _, each in self._look(self._read(text)).pairs()]

    def sift(self, signed: Signed, at_most: float) -> Iterator[tuple[int, Similar]]:
        """Keep each text that is not too much like one kept before; of the others, the row and the one it is like."""
        first, size = 0, PIECE
        while first < len(signed):
            piece = signed.some(slice(first, min(first + size, len(signed))))
            done, found = self._sift(piece, at_most)
            yield from ((first + row, similar) for row, similar in found)
            first, size = first + done, min(PIECE, 2 * done)

    def _sift(self, piece: Signed, at_most: float) -> tuple[int, list[tuple[int, Similar]]]:
        """Judge as many texts as can be judged together: how many, and those not kept."""
        import numpy as np

        done, found = _decided(self._look(piece), len(self), at_most)
        stay = np.delete(np.arange(done), list(found))
        self._keep(piece.many(stay), _nameless(len(stay)))
        return done, [(row, self._similar(each)) for row, each in found.items()]

    def _look(self, signed: Signed) -> _Looked:
        """What each of these texts finds, among those kept and, as if they were, those before it here."""
        first = len(self)
        try:
            self._extend(signed, _nameless(len(signed)))
            met = self._table.met(first)
            exact = minhash.jaccards(Sets(self._grams.flat, self._grams.starts), met.rows + first, met.numbers)
        finally:
            self._cut(first)
        return _Looked(met, exact)

    def _keep(self, signed: Signed, names: Lists) -> None:
        first = len(self)
        try:
            self._extend(signed, names)
        except BaseException:
            self._cut(first)
            raise
        self._table.enter(first)

    def _extend(self, signed: Signed, names: Lists) -> None:
        self._grams.extend(*signed.of)
        self._names.extend(*names)
        self._table.extend(signed.signatures, signed.tags)

    def _cut(self, count: int) -> None:
        self._table.cut(count)
        self._names.cut(count)
        self._grams.cut(count)

    def _similar(self, found: Candidate) -> Similar:
        estimated = found.agree / self.scheme.permutations
        return Similar(found.number, self._name(found.number), estimated, found.exact)

    def _name(self, number: int) -> str:
        return self._names[number].tobytes().decode("utf-8", "surrogatepass")

    def _read(self, text: str) -> Signed:
        return _signed([text], self.scheme, self.bands)

    def save(self, folder: Path | str) -> Path | None:
        """Write what was added since the last time as one new file; None when nothing was.

        Raises ValueError when another process is saving there, or has done so since this index was opened.
        """
        if self._saved == len(self):
            return None
        new = slice(self._saved, len(self) + 1)
        names, grams = (Lists(each.flat, each.starts[new]) for each in (self._names, self._grams))
        rows = Rows(self._table.signatures[self._saved :], names, grams)
        self._files.append(signature_files.write(Path(folder), self._files, self._saved, self.scheme, rows))
        self._saved = len(self)
        return Path(folder) / self._files[-1]

    def load(self, name: str, rows: Rows) -> None:
        """Add the rows of a file of this name. Nothing may have been added that no file has."""
        for block in lsh_table.blocks(len(rows.signatures), lsh_table.BLOCK):
            starts = slice(block.start, block.stop + 1)
            signatures = rows.signatures[block]
            of = Sets(rows.grams.flat, rows.grams.starts[starts])
            names = Lists(rows.names.flat, rows.names.starts[starts])
            self._keep(Signed(of, signatures, lsh_table.tags(signatures, self.bands)), names)
        self._files.append(name)
        self._saved = len(self)


def open_index(folder: Path | str, *, threshold: float = 0.6, scheme: Scheme | None = None) -> Index:
    """The index whose files are in this folder; an empty one where there are none.

    Raises ValueError when files are missing or damaged, or of another scheme.
    """
    scheme = scheme or Scheme()
    index = Index(scheme, threshold)
    for name, rows in signature_files.read_all(Path(folder), scheme):
        index.load(name, rows)
    return index


def grow(folder: Path | str, texts: Iterable[str], *, threshold: float, scheme: Scheme) -> Path | None:
    """Add to the index in a folder what it does not hold yet; the new file, or None. Raises as `open_index`."""
    index = open_index(folder, threshold=threshold, scheme=scheme)
    index.add_new(texts)
    return index.save(folder)


def _rows(numbers: Sequence[int]) -> np.ndarray:
    import numpy as np

    return np.array(numbers, np.int64)


def _packed(names: Sequence[str]) -> Lists:
    import numpy as np

    each = [name.encode("utf-8", "surrogatepass") for name in names]
    starts = np.cumsum([0, *map(len, each)], dtype=np.int64)
    return Lists(np.frombuffer(b"".join(each), np.uint8), starts)


def _nameless(count: int) -> Lists:
    import numpy as np

    return Lists(np.empty(0, np.uint8), np.zeros(count + 1, np.int64))


# --- Which of many that are judged together stay --------------------------------------------------------------


class _Looked(NamedTuple):
    """Candidates of some texts, and how alike each is."""

    met: lsh_table.Met
    exact: np.ndarray

    def pairs(self) -> Iterator[tuple[int, Candidate]]:
        """The row of each text with one of its candidates, the likeliest first."""
        met = self.met
        columns = (each.tolist() for each in (met.numbers, met.agree, self.exact))
        return zip(met.rows.tolist(), map(Candidate, *columns), strict=True)


def _decided(looked: _Looked, first: int, at_most: float) -> tuple[int, dict[int, Candidate]]:
    """Of texts that would be numbered from `first` on: how many can be judged, and which of these do not stay.

    Each is judged as if those before it that do not stay had never been there. This ends before a text that could
    not look at everything and did look at one of those: it has to look again.
    """
    import numpy as np

    met, gone, found = looked.met, np.zeros(len(looked.met.bounded), bool), {}
    alike = _by_row(looked, looked.exact > at_most)
    for row in sorted({*alike, *met.bounded.nonzero()[0].tolist()}):
        if met.bounded[row] and (met.looked[row] & gone).any():
            return row, found
        there = [each for each in alike.get(row, []) if each.number < first or not gone[each.number - first]]
        if there:
            best = _closest(there)
            found[row] = best._replace(number=best.number - int(gone[: max(0, best.number - first)].sum()))
            gone[row] = True
    return len(gone), found


def _by_row(looked: _Looked, which: np.ndarray) -> dict[int, list[Candidate]]:
    met, by_row = looked.met, {}
    some = looked._replace(
        met=met._replace(rows=met.rows[which], numbers=met.numbers[which], agree=met.agree[which]),
        exact=looked.exact[which],
    )
    for row, candidate in some.pairs():
        by_row.setdefault(row, []).append(candidate)
    return by_row


def _closest(candidates: Sequence[Candidate]) -> Candidate:
    """The one most like, the earliest of equals."""
    return min(candidates, key=lambda each: (-each.exact, each.number))
