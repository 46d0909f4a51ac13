"""Is there a near-duplicate among very many texts? As sets of word n-grams, with MinHash to find candidates.

Unlike ROUGE-L this neither minds where in a text a passage stands, nor takes longer the more texts there are. A text
is compared with those that agree with it in a band of their signatures; the similarity that decides is the exact one
of the two sets of n-grams. What can go wrong is a candidate missed: at the threshold itself 1 pair in 200, far less
above it. Of texts that agree in one band only the newest `DEPTH` are looked at, so that no text takes long.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filters import minhash, signature_files
from filters.chunks import chunks, in_processes
from filters.minhash import Bands, Sets
from filters.rule import Case, Memory, Ruling, failed, passed
from filters.signature_files import Grams

if TYPE_CHECKING:
    import numpy as np

QUOTED = 300  # characters of the most similar question that go into the evidence
DEPTH = 64  # texts looked at, of those that share a band
CLOSEST = 8  # candidates whose n-grams are compared, those with the most similar signatures
SLACK = 0.2  # below the threshold, and the signatures of a candidate are too unlike to compare n-grams
FIRST_SIZE = 1 << 12  # of the table; it doubles when it is full
SIGNED = 2_048  # texts whose signatures are taken at once, in a process
CHUNK = 256  # texts that are looked up at once; below 65,536

# --- As a rule ------------------------------------------------------------------------------------------------


def not_near_duplicate(*, at_most: float = 0.6, ngram: int = 3, permutations: int = 128) -> Memory:
    """Pass a question whose Jaccard similarity with every earlier one is `at_most` this, as sets of word n-grams.

    The score is the highest similarity found, exact for the texts it was found in; where no candidate was found it
    is 0. The evidence has the nearest question, and the similarity that the signatures alone would have told.
    """
    if not 0 < at_most < 1:
        raise ValueError(f"not_near_duplicate: at_most = {at_most}, but it must lie between 0 and 1")
    if not (1 <= ngram <= 64 and 8 <= permutations <= 1024):
        raise ValueError("not_near_duplicate: ngram is from 1 to 64, permutations from 8 to 1024")
    return _Questions(at_most, Index(Scheme(ngram, permutations), at_most))


class _Questions:
    """The earlier questions' signatures, and how each question begins."""

    def __init__(self, at_most: float, index: Index) -> None:
        self._at_most = at_most
        self._index = index

    def judge(self, case: Case) -> Ruling:
        found = self._index.query(case.problem.question)
        context = {"pool": len(self._index)}
        if found is None:
            return passed(score=0.0, context=context)
        evidence = {"nearest": found.name, "row": found.number, "estimated": round(found.estimated, 4)}
        if found.exact > self._at_most:
            reason = "a near-duplicate of an earlier question"
            return failed(reason, score=found.exact, context=context, evidence=evidence)
        return passed(score=found.exact, context=context, evidence=evidence)

    def remember(self, question: str) -> None:
        self._index.add(question, question[:QUOTED])


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

    The stream is read once and not kept: about 700 bytes stay in memory for a text of 50 words that stayed.
    """
    index = Index(Scheme(ngram, permutations), at_most)
    places = array("q")  # of the texts that stayed
    place = -1
    for of, signatures in in_processes(partial(_signed, scheme=index.scheme), chunks(texts, SIGNED), processes):
        for found in index.sift(of, signatures, at_most):
            place += 1
            if found is None:
                places.append(place)
            else:
                yield Duplicate(place, places[found.number], found.estimated, found.exact)


def _signed(texts: Sequence[str], scheme: Scheme) -> tuple[Sets, np.ndarray]:
    of = minhash.sets(texts, scheme.ngram)
    return of, minhash.signatures(of, scheme.permutations)


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


class _Text(NamedTuple):
    grams: np.ndarray  # uint32, in order
    signature: np.ndarray  # uint16
    keys: np.ndarray  # uint64, of its bands


class Index:
    """Signatures of texts, to be asked for the one most similar to another. The texts themselves are not kept.

    Raises ValueError where numpy is not installed.
    """

    def __init__(self, scheme: Scheme, threshold: float) -> None:
        if find_spec("numpy") is None:
            raise ValueError("MinHash needs the extra `similarity`: pip install 'thoughtmill[similarity]'")
        self.scheme = scheme
        self.bands = minhash.cut_into_bands(scheme.permutations, threshold)
        self._table = _Table(self.bands, scheme.permutations, threshold)
        self._new = _NewRows()
        self._saved: list[signature_files.Rows | _NewRows] = [self._new]  # what each file has, then what none has
        self._firsts = [0]  # the number of the first row of each

    def __len__(self) -> int:
        return len(self._table)

    def add(self, text: str, name: str = "") -> None:
        """Add a text under a name. One without words is counted, but similar to nothing."""
        self._keep(self._read(text), name)

    def query(self, text: str) -> Similar | None:
        """The most similar text among the candidates, the earliest of equals; None when there is no candidate."""
        read = self._read(text)
        return self._closest(read, self._table.candidates(read))

    def candidates(self, text: str) -> list[str]:
        """The names of the texts that may be similar, the likeliest first."""
        return [self._name(number) for number in self._table.candidates(self._read(text))]

    def sift(self, of: Sets, signatures: np.ndarray, at_most: float) -> Iterator[Similar | None]:
        """Ask about each text and keep it if it is not too much like one kept before; else yield that one."""
        for first in range(0, len(signatures), CHUNK):
            some = signatures[first : first + CHUNK]
            yield from self._sift(Sets(of.grams, of.starts[first : first + CHUNK + 1]), some, at_most)

    def _sift(self, of: Sets, signatures: np.ndarray, at_most: float) -> Iterator[Similar | None]:
        """What is known before any of these is kept serves for most, and most are kept many at once."""
        keys = minhash.band_keys(signatures, self.bands)
        known, told = self._table.candidates_of_many(signatures, keys)
        first = 0
        for i in [*(i for i in range(len(keys)) if i in known or not told[i]), len(keys)]:
            if first < i:
                self._keep_all(of, signatures, keys, slice(first, i))
            yield from (None for _ in range(first, i))
            first = i + 1
            if i < len(keys):
                text = _Text(of.of(i), signatures[i], keys[i])
                found = self._closest(text, known[i] if told[i] else self._table.candidates(text))
                if found is None or found.exact <= at_most:
                    self._keep(text, "")
                    found = None
                yield found

    def _keep_all(self, of: Sets, signatures: np.ndarray, keys: np.ndarray, which: slice) -> None:
        """Keep texts of which no two share a slot."""
        starts = of.starts[which.start : which.stop + 1]
        self._new.extend(of.grams[starts[0] : starts[-1]], starts[1:] - starts[0])
        there = which.start + (starts[1:] > starts[:-1]).nonzero()[0]
        self._table.add_all(signatures[which], keys[there], there - which.start)

    def _keep(self, text: _Text, name: str) -> None:
        self._table.add(text)
        self._new.append(text.grams, name)

    def _closest(self, text: _Text, candidates: list[int]) -> Similar | None:
        """The candidate most like the text, the earliest of equals."""
        if not candidates:
            return None
        numbers = sorted(candidates)
        similar = minhash.jaccards(text.grams, [rows.grams(place) for rows, place in map(self._row, numbers)])
        best = int(similar.argmax())
        estimated = minhash.estimate(text.signature, self._table.signatures[numbers[best]])
        return Similar(numbers[best], self._name(numbers[best]), estimated, float(similar[best]))

    def _name(self, number: int) -> str:
        rows, place = self._row(number)
        return rows.name(place)

    def _row(self, number: int) -> tuple[signature_files.Rows | _NewRows, int]:
        """Where a row is: in which file or in memory, and its number there."""
        file = bisect_right(self._firsts, number) - 1
        return self._saved[file], number - self._firsts[file]

    def save(self, folder: Path | str) -> Path | None:
        """Write what was added since the last time as one new file, and keep it there; None when nothing was."""
        if not len(self._new):
            return None
        first = self._firsts[-1]
        signatures = self._table.signatures[first : len(self)]
        new = self._new
        path = signature_files.write(Path(folder), first, self.scheme, signatures, names=new.names, grams=new.all)
        self._put(signature_files.read(path))
        return path

    def load(self, rows: signature_files.Rows) -> None:
        """Add the rows of a file, which stay there. Nothing may have been added that no file has."""
        all_keys = minhash.band_keys(rows.signatures, self.bands)
        for i, (signature, keys) in enumerate(zip(rows.signatures, all_keys, strict=True)):
            self._table.add(_Text(rows.grams(i), signature, keys))
        self._put(rows)

    def _put(self, rows: signature_files.Rows) -> None:
        """Take these rows from a file from now on."""
        self._new = _NewRows()
        self._saved[-1:] = [rows, self._new]
        self._firsts.append(len(self))

    def _read(self, text: str) -> _Text:
        of, signatures = _signed([text], self.scheme)
        return _Text(of.grams, signatures[0], minhash.band_keys(signatures, self.bands)[0])


def open_index(folder: Path | str, *, threshold: float = 0.6, scheme: Scheme | None = None) -> Index:
    """The index whose files are in this folder; an empty one where there are none.

    Raises ValueError when files are missing or damaged, or of another scheme.
    """
    scheme = scheme or Scheme()
    index = Index(scheme, threshold)
    for rows in signature_files.read_all(Path(folder), scheme):
        index.load(rows)
    return index


class _NewRows:
    """N-grams and names of rows that no file has yet."""

    def __init__(self) -> None:
        self.all = Grams(array("I"), array("q", [0]))
        self.names: list[str] = []

    def __len__(self) -> int:
        return len(self.names)

    def append(self, grams: np.ndarray, name: str) -> None:
        self.all.flat.frombytes(grams.tobytes())
        self.all.starts.append(len(self.all.flat))
        self.names.append(name)

    def extend(self, grams: np.ndarray, ends: np.ndarray) -> None:
        """Rows without a name, whose n-grams end there."""
        before = len(self.all.flat)
        self.all.flat.frombytes(grams.tobytes())
        self.all.starts.frombytes((ends + before).tobytes())
        self.names.extend([""] * len(ends))

    def grams(self, number: int) -> np.ndarray:
        import numpy as np

        flat, starts = self.all
        return np.asarray(flat[starts[number] : starts[number + 1]])

    def name(self, number: int) -> str:
        return self.names[number]


class _Table:
    """Signatures, and for each band a hash table of them: the newest of each slot, and before each the one before.

    Slots are shared by chance, so a candidate's band is looked at before it counts.
    """

    def __init__(self, bands: Bands, permutations: int, threshold: float) -> None:
        import numpy as np

        self._bands, self._count = bands, 0
        self._enough = permutations * (threshold - SLACK)  # places that a candidate agrees in
        self._each = np.arange(bands.number)
        self.signatures = np.empty((0, permutations), np.uint16)
        self._grow(FIRST_SIZE)

    def __len__(self) -> int:
        return self._count

    def add(self, text: _Text) -> None:
        if self._count == len(self.signatures):
            self._grow(2 * self._count)
        self.signatures[self._count] = text.signature
        self._count += 1
        if len(text.grams):
            self._enter(text.keys, self._count - 1)

    def add_all(self, signatures: np.ndarray, keys: np.ndarray, of: np.ndarray) -> None:
        """Add signatures of which no two share a slot; `keys` are those `of` the ones that have any n-gram."""
        if self._count == len(self.signatures):
            self._grow(2 * self._count)
        room = len(self.signatures) - self._count
        end = self._count + min(room, len(signatures))
        self.signatures[self._count : end] = signatures[:room]
        now = of < room
        slots, numbers = self._slots(keys[now]), of[now] + self._count
        self._before[numbers] = self._newest[slots]
        self._newest[slots] = numbers[:, None]
        self._count = end
        if room < len(signatures):
            self.add_all(signatures[room:], keys[~now], of[~now] - room)

    def candidates(self, text: _Text) -> list[int]:
        """The numbers of texts that agree in a band: those that agree in the most places, the earlier first."""
        return self._met(text.signature[None], text.keys[None])[0].get(0, [])

    def candidates_of_many(self, signatures: np.ndarray, keys: np.ndarray) -> tuple[dict[int, list[int]], np.ndarray]:
        """The candidates of each of some texts (its row), and for each whether that holds still at its turn.

        It does unless one before it, which may be kept, shares a slot with it, or not all could be looked at.
        """
        import numpy as np

        known, whole = self._met(signatures, keys)
        places = np.sort((self._slots(keys) << 16 | np.arange(len(keys))[:, None]).reshape(-1))  # by slot, then row
        whole[places[1:][places[1:] >> 16 == places[:-1] >> 16] & 0xFFFF] = False
        return known, whole

    def _met(self, signatures: np.ndarray, keys: np.ndarray) -> tuple[dict[int, list[int]], np.ndarray]:
        """Walk down the slots of all bands of all rows at once; and for each row whether that came to an end."""
        import numpy as np

        met, whole, before = [], np.ones(len(keys), bool), self._before.reshape(-1)
        which = np.arange(keys.size)  # row by row, band by band
        at = self._newest.take(self._slots(keys).reshape(-1))
        for _ in range(DEPTH):
            there = (at >= 0).nonzero()[0]
            which, at = which.take(there), at.take(there).astype(np.int64)
            if not len(at):
                break
            met.append(self._agreeing(which, at, signatures))
            at = before.take(at * self._bands.number + which % self._bands.number)
        whole[which[at >= 0] // self._bands.number] = False
        return self._most_agreeing(met, signatures), whole

    def _agreeing(self, which: np.ndarray, at: np.ndarray, signatures: np.ndarray) -> np.ndarray:
        """Of rows' bands and what stands in their slots, the pairs that agree there: row and number, as one."""
        there, here, width = self.signatures.reshape(-1), signatures.reshape(-1), signatures.shape[1]
        for place in range(self._bands.places):
            column = which % self._bands.number * self._bands.places + place
            row = which // self._bands.number
            same = (there.take(at * width + column) == here.take(row * width + column)).nonzero()[0]
            which, at = which.take(same), at.take(same)
        return which // self._bands.number << 32 | at

    def _most_agreeing(self, met: list[np.ndarray], signatures: np.ndarray) -> dict[int, list[int]]:
        """For each row that met any, the `CLOSEST` numbers that agree with it in the most places, and in enough."""
        import numpy as np

        pairs = np.unique(np.concatenate(met)) if met else np.empty(0, np.int64)
        found: dict[int, list[tuple[int, int]]] = {}
        for first in range(0, len(pairs), CHUNK):
            rows, numbers = pairs[first : first + CHUNK] >> 32, pairs[first : first + CHUNK] & 0xFFFFFFFF
            agree = (self.signatures[numbers] == signatures[rows]).sum(axis=1)
            enough = agree >= self._enough
            some = zip(rows[enough].tolist(), (-agree[enough]).tolist(), numbers[enough].tolist(), strict=True)
            for row, places, number in some:
                found.setdefault(row, []).append((places, number))
        return {row: [number for _, number in sorted(each)[:CLOSEST]] for row, each in found.items()}

    def _enter(self, keys: np.ndarray, number: int) -> None:
        slots = self._slots(keys)
        self._before[number] = self._newest[slots]
        self._newest[slots] = number

    def _slots(self, keys: np.ndarray) -> np.ndarray:
        """Where in the table the bands with these keys are: an array of its shape, (texts, bands) or (bands,)."""
        import numpy as np

        return (keys & np.uint64(len(self.signatures) - 1)).view(np.int64) + self._each * len(self.signatures)

    def _grow(self, size: int) -> None:
        import numpy as np

        signatures = np.zeros((size, self.signatures.shape[1]), np.uint16)
        signatures[: self._count] = self.signatures[: self._count]
        self.signatures = signatures
        self._newest = np.full(self._bands.number * size, -1, np.int32)
        self._before = np.full((size, self._bands.number), -1, np.int32)
        self._enter_all()

    def _enter_all(self) -> None:
        """Enter all signatures into an empty table, in their order."""
        import numpy as np

        there = np.flatnonzero(self.signatures[: self._count].any(axis=1)).astype(np.int32)
        for band in range(self._bands.number):
            keys = minhash.band_keys(self.signatures[: self._count], self._bands, band)[there, 0]
            slots = (keys & np.uint64(len(self.signatures) - 1)).view(np.int64) + band * len(self.signatures)
            order = np.argsort(slots, kind="stable")
            numbers, slots = there[order], slots[order]
            same = slots[1:] == slots[:-1]
            self._before[numbers[1:][same], band] = numbers[:-1][same]
            self._newest[slots] = numbers  # of several in a slot the last one stays
