"""Signatures on disk: one Arrow file for each addition, never changed, mapped into memory and not read.

A file is named by the number of its first row and the digest of its content, so that their order is that of their
names, and a file that is missing or damaged is noticed.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from filters import minhash

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Scheme(Protocol):
    @property
    def ngram(self) -> int: ...

    @property
    def permutations(self) -> int: ...


class Grams(NamedTuple):
    """N-grams of some rows, one after another: of row i, `flat[starts[i] : starts[i + 1]]`."""

    flat: array[int]  # of unsigned 32-bit
    starts: array[int]  # of signed 64-bit


class Rows:
    """The rows of one file."""

    def __init__(self, table: pa.RecordBatch, permutations: int) -> None:
        self._names = table.column("name")
        grams = table.column("grams")
        self._flat, self._starts = grams.values.to_numpy(), grams.offsets.to_numpy()
        flat = table.column("signature").flatten().to_numpy()
        self.signatures: np.ndarray = flat.reshape(-1, permutations)

    def __len__(self) -> int:
        return len(self.signatures)

    def grams(self, number: int) -> np.ndarray:
        return self._flat[self._starts[number] : self._starts[number + 1]]

    def name(self, number: int) -> str:
        return self._names[number].as_py()


def write(
    folder: Path, first: int, scheme: Scheme, signatures: np.ndarray, *, names: Sequence[str], grams: Grams
) -> Path:
    """Write one file, in a way that leaves none half written."""
    import pyarrow as pa

    batch = pa.record_batch(
        [
            pa.array(names, pa.string()),
            pa.FixedSizeListArray.from_arrays(pa.array(signatures.ravel(), pa.uint16()), scheme.permutations),
            pa.LargeListArray.from_arrays(pa.array(grams.starts, pa.int64()), pa.array(grams.flat, pa.uint32())),
        ],
        schema=_schema(scheme),
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as file:
        file.write_batch(batch)
    content = memoryview(sink.getvalue())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{first:012d}-{_digest(content)}.arrow"
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return path


def read(path: Path) -> Rows:
    """The rows of a file, mapped."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        batch = pa.ipc.open_file(source).get_batch(0)
    return Rows(batch, batch.schema.field("signature").type.list_size)


def read_all(folder: Path, scheme: Scheme) -> Iterator[Rows]:
    """The rows of all files in their order. Raises ValueError when one is missing, damaged, or of another scheme."""
    count = 0
    for path in sorted(folder.glob("*.arrow")):
        first, _, digest = path.stem.partition("-")
        if not first.isdecimal() or int(first) != count:
            raise ValueError(f"{folder}: no file goes on from row {count}; delete the folder to build the index anew")
        rows = _checked(path, digest, scheme)
        count += len(rows)
        yield rows


def _checked(path: Path, digest: str, scheme: Scheme) -> Rows:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        if _digest(memoryview(source.read_buffer())) != digest:
            raise ValueError(f"{path} is damaged; delete its folder to build the index anew")
        found = pa.ipc.open_file(source).schema
    if not found.equals(_schema(scheme), check_metadata=True):
        raise ValueError(f"{path}: made as {found.metadata}, but asked for as {_schema(scheme).metadata}")
    return read(path)


def _schema(scheme: Scheme) -> pa.Schema:
    import pyarrow as pa

    made = {"version": minhash.VERSION, "ngram": scheme.ngram, "permutations": scheme.permutations}
    return pa.schema(
        [
            pa.field("name", pa.string(), nullable=False),
            pa.field("signature", pa.list_(pa.uint16(), scheme.permutations), nullable=False),
            pa.field("grams", pa.large_list(pa.uint32()), nullable=False),
        ],
        metadata={key: str(value) for key, value in made.items()},
    )


def _digest(content: memoryview) -> str:
    return blake2b(content, digest_size=16).hexdigest()
