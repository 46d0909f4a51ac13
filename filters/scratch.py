"""Arrays that grow in files without a name: mapped, so that memory that is short takes their pages back.

The files lie in the folder for temporary files (`TMPDIR`) and go with the process, however it ends.
"""

from __future__ import annotations

import mmap
import os
import sys
import weakref
from math import prod
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

FIRST_BYTES = 1 << 16  # of a file; it doubles when it is full


class Growing:
    """An array to which rows are added. What was taken from it stays valid, unless it is cut.

    Raises OSError when the disk is full, and that before anything is changed.
    """

    def __init__(self, dtype: str, *row: int) -> None:
        import numpy as np

        self._dtype, self._row = np.dtype(dtype), row
        self._bytes = self._dtype.itemsize * prod(row)  # of one row
        with TemporaryFile() as file:
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)
        self._count = 0
        self._all = np.empty((0, *row), dtype)

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> np.ndarray[Any, Any]:
        """All rows, to be read and to be changed."""
        return self._all[: self._count]

    def extend(self, rows: np.ndarray[Any, Any]) -> None:
        before = self._count
        self.lengthen(len(rows))
        self._all[before : self._count] = rows

    def lengthen(self, by: int) -> None:
        """Add rows of zeros, or of what stood there before it was cut."""
        if self._count + by > len(self._all):
            self._map(max(2 * len(self._all), self._count + by, FIRST_BYTES // self._bytes))
        self._count += by

    def cut(self, count: int) -> None:
        """Forget all rows from this one on."""
        self._count = count

    def _map(self, rows: int) -> None:
        import numpy as np

        _reserve(self._file, rows * self._bytes)
        mapped = mmap.mmap(self._file, rows * self._bytes)
        self._all = np.frombuffer(mapped, self._dtype).reshape(rows, *self._row)


def _reserve(file: int, size: int) -> None:
    """Have the room on disk now: a mapped file that finds none when it is written to ends the process."""
    if sys.platform == "linux":
        os.posix_fallocate(file, 0, size)
    else:
        os.ftruncate(file, size)


class Ragged:
    """Rows of different lengths, one after another: row i is `flat[starts[i] : starts[i + 1]]`."""

    def __init__(self, dtype: str) -> None:
        self._flat, self._starts = Growing(dtype), Growing("int64")
        self._starts.lengthen(1)

    @property
    def flat(self) -> np.ndarray[Any, Any]:
        return self._flat.rows

    @property
    def starts(self) -> np.ndarray[Any, Any]:
        return self._starts.rows

    def extend(self, flat: np.ndarray[Any, Any], starts: np.ndarray[Any, Any]) -> None:
        """Add rows given in the same way, whose first may begin anywhere."""
        before = len(self._flat)
        self._flat.extend(flat[starts[0] : starts[-1]])
        self._starts.extend(starts[1:] + (before - starts[0]))

    def cut(self, count: int) -> None:
        self._starts.cut(count + 1)
        self._flat.cut(int(self.starts[-1]))

    def __getitem__(self, number: int) -> np.ndarray[Any, Any]:
        return self.flat[self.starts[number] : self.starts[number + 1]]
