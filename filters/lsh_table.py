"""A table of signatures that finds those which agree in a whole band (locality-sensitive hashing).

For each band there is a hash table of chains: in each slot the newest row, and with each row the one before it in its
slot. Beside that stands the row's own *tag*, 32 bits of the band's key, so that a step down a chain is one look into
one place. All is kept in mapped scratch files: some 610 bytes a row for 128 places in 29 bands, up to twice that just
after they have doubled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from filters import minhash
from filters.minhash import Bands
from filters.scratch import Growing

if TYPE_CHECKING:
    import numpy as np

DEPTH = 64  # rows looked at, of those that agree in a band: the newest
CLOSEST = 8  # candidates of a row, those that agree with it in the most places
SLACK = 0.2  # below the threshold, and the signatures of a candidate are too unlike for it to be one
FIRST_SIZE = 1 << 12  # slots of a band; they double when there are as many rows
BLOCK = 1 << 16  # rows that are entered at once, at most
COMPARED = 1 << 12  # pairs of signatures that are compared at once


class Met(NamedTuple):
    """The candidates of the new rows, in pairs: by row, and of one row those that agree in the most places first.

    A row is `bounded` if there was more than it could look at; then its candidates hold only as long as all of the
    rows that are new with it, and that it `looked` at, stay in the table.
    """

    rows: np.ndarray  # counted from the first new one
    numbers: np.ndarray  # of the earlier row, in the table
    agree: np.ndarray  # places in which the two agree
    bounded: np.ndarray  # bool, for each new row
    looked: np.ndarray  # bool, for each new row and each new row


class Table:
    """Rows are added with `extend`; they find each other and what is there, but are found only once they `enter`."""

    def __init__(self, bands: Bands, permutations: int, threshold: float) -> None:
        self._bands = bands
        self._enough = permutations * (threshold - SLACK)  # places that a candidate agrees in
        self._signatures = Growing("uint16", permutations)
        self._links = Growing("int64", bands.number)  # tag << 32 | number of the row before + 1, or 0
        self._size, self._newest = 0, Growing("uint32")  # band by band, the number of the newest row + 1, or 0

    def __len__(self) -> int:
        return len(self._signatures)

    @property
    def signatures(self) -> np.ndarray:
        return self._signatures.rows

    def extend(self, signatures: np.ndarray, tags: np.ndarray) -> None:
        """Add rows, at most `BLOCK` of them."""
        first = len(self)
        if first + len(tags) > self._size:
            self._grow(first + len(tags))
        self._signatures.extend(signatures)
        self._links.lengthen(len(tags))
        self._link(first, tags)

    def enter(self, first: int) -> None:
        """Let later rows find the rows from here on."""
        self._enter(slice(first, len(self)))

    def cut(self, count: int) -> None:
        """Forget the rows from here on, which have not entered."""
        self._signatures.cut(count)
        self._links.cut(count)

    def met(self, first: int) -> Met:
        """What the rows from here on, which have not entered, find before them."""
        import numpy as np

        pairs, bounded = self._walk(first)
        rows, numbers = pairs >> 32, pairs & _LOW
        looked = np.zeros((len(bounded), len(bounded)), bool)
        new = numbers >= first
        looked[rows[new], numbers[new] - first] = True
        rows, numbers, agree = self._alike(first, rows, numbers)
        order = np.lexsort((numbers, -agree, rows))
        rows, numbers, agree = rows[order], numbers[order], agree[order]
        near = np.arange(len(rows)) - rows.searchsorted(rows) < CLOSEST
        bounded[rows[~near]] = True
        return Met(rows[near], numbers[near], agree[near], bounded, looked)

    def _walk(self, first: int) -> tuple[np.ndarray, np.ndarray]:
        """Down the chains of all bands of all rows at once: the pairs (row << 32 | number) that share a tag.

        And for each row whether `DEPTH` kept it from the end of a chain.
        """
        import numpy as np

        bands, links = self._bands.number, self._links.rows.reshape(-1)
        own = links[first * bands :]
        tags, shared, bounded = own >> 32, np.zeros(len(own), np.uint8), np.zeros(len(self) - first, bool)
        which = (own & _LOW).nonzero()[0]  # row by row, band by band
        at, band, pairs = own.take(which) & _LOW, which % bands, [np.empty(0, np.int64)]
        while len(which):
            link = links.take((at - 1) * bands + band)
            same = np.flatnonzero(link >> 32 == tags.take(which))
            pairs.append(which.take(same) // bands << 32 | at.take(same) - 1)
            shared[which.take(same)] += 1
            more = (link & _LOW).nonzero()[0]
            which, at, band = which.take(more), link.take(more) & _LOW, band.take(more)
            if len(pairs) > DEPTH:
                full = shared.take(which) >= DEPTH
                bounded[which[full] // bands] = True
                which, at, band = which[~full], at[~full], band[~full]
        return minhash.distinct(np.concatenate(pairs)), bounded

    def _alike(self, first: int, rows: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of these pairs those that agree in enough places and really in a band; and in how many places."""
        import numpy as np

        found = [np.empty((3, 0), np.int64)]
        for some in blocks(len(rows), COMPARED):
            same = self.signatures[rows[some] + first] == self.signatures[numbers[some]]
            agree = same.view(np.uint8).sum(axis=1, dtype=np.uint16)
            enough = (agree >= self._enough).nonzero()[0]
            cut = same[enough, : self._bands.number * self._bands.places].reshape(-1, *self._bands)
            alike = enough[cut.all(axis=2).any(axis=1)]
            found.append(np.stack([rows[some][alike], numbers[some][alike], agree[alike]]))
        rows, numbers, agree = np.concatenate(found, axis=1)
        return rows, numbers, agree

    def _link(self, first: int, tags: np.ndarray) -> None:
        """Write down for each row and band, from here on, its tag and the newest row before it in its slot."""
        import numpy as np

        there = np.flatnonzero(tags.any(axis=1))
        entries = np.sort((self._slots(tags[there]) << 16 | there[:, None]).reshape(-1))  # by slot, then row
        slots, rows = entries >> 16, entries & 0xFFFF
        found = self._newest.rows.take(slots).astype(np.int64)
        follow = np.flatnonzero(slots[1:] == slots[:-1])
        found[follow + 1] = rows[follow] + (first + 1)
        before = np.zeros(tags.shape, np.int64)
        before[rows, slots // self._size] = found
        self._links.rows[first : first + len(tags)] = tags.astype(np.int64) << 32 | before

    def _enter(self, which: slice) -> None:
        import numpy as np

        tags = self._links.rows[which] >> 32
        there = np.flatnonzero(tags.any(axis=1))
        numbers = (there + (which.start + 1)).astype(np.uint32)
        self._newest.rows[self._slots(tags[there])] = numbers[:, None]  # of several in a slot the last one stays

    def _slots(self, tags: np.ndarray) -> np.ndarray:
        """Where in the table these (rows, bands) are."""
        import numpy as np

        return (tags & (self._size - 1)).astype(np.int64) + np.arange(self._bands.number) * self._size

    def _grow(self, rows: int) -> None:
        """Make room for so many, and enter those that are there anew, in their order."""
        size = self._size or FIRST_SIZE
        while size < rows:
            size *= 2
        newest = Growing("uint32")
        newest.lengthen(size * self._bands.number)
        self._size, self._newest = size, newest
        for block in blocks(len(self), BLOCK):
            self._link(block.start, self._links.rows[block] >> 32)
            self._enter(block)


_LOW = 0xFFFFFFFF


def tags(signatures: np.ndarray, bands: Bands) -> np.ndarray:
    """What the table knows bands by: an array of (rows, bands), 32 bits each; zeros for a text without n-grams."""
    import numpy as np

    found = minhash.band_keys(signatures, bands).astype(np.uint32)
    found[~signatures.any(axis=1)] = 0
    return found


def blocks(count: int, size: int) -> Iterator[slice]:
    return (slice(first, min(first + size, count)) for first in range(0, count, size))
