"""Signatures on disk: one Arrow file for each addition, never changed.

A file is named by the number of its first row and the digest of its content, so that their order is that of their
names, and a file that is missing or damaged is noticed. It is written under another name and renamed when it is
whole: what a killed process leaves does not count, and the next one that saves clears it away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from filters import minhash

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

FORMAT = 2  # of the files
PART = ".new.part"  # hidden, so that it is no part of a folder's digest


class Scheme(Protocol):
    @property
    def ngram(self) -> int: ...

    @property
    def permutations(self) -> int: ...


class Lists(NamedTuple):
    """Rows of different lengths, one after another: row i is `flat[starts[i] : starts[i + 1]]`."""

    flat: np.ndarray
    starts: np.ndarray  # int64, one more than there are rows


class Rows(NamedTuple):
    """The rows of one file."""

    signatures: np.ndarray  # uint16, (rows, permutations)
    names: Lists  # uint8: UTF-8, in which a lone surrogate may stand as well
    grams: Lists  # uint32


# --- Writing --------------------------------------------------------------------------------------------------


def write(folder: Path, known: Sequence[str], first: int, scheme: Scheme, rows: Rows) -> str:
    """Write one file more, and tell its name. Raises ValueError where the folder has others than those `known`."""
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder) as directory:
        if files(folder) != list(known):
            raise ValueError(f"{folder} has changed since this index was opened; open it again and add what is new")
        for left in folder.glob("*.part"):
            left.unlink()
        part = folder / PART
        _write(part, scheme, rows)
        path = part.replace(folder / f"{first:012d}-{_digest(part)}.arrow")
        os.fsync(directory)
        return path.name


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """The folder's descriptor, locked as long as this process lives. Raises ValueError where another holds it."""
    directory = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield directory
    except BlockingIOError:
        raise ValueError(f"another process is saving to {folder}; open it again when that is done") from None
    finally:
        os.close(directory)


def _write(path: Path, scheme: Scheme, rows: Rows) -> None:
    import pyarrow as pa

    columns = [
        _lists(rows.names, pa.uint8()),
        pa.FixedSizeListArray.from_arrays(pa.array(rows.signatures.ravel(), pa.uint16()), scheme.permutations),
        _lists(rows.grams, pa.uint32()),
    ]
    batch = pa.record_batch(columns, schema=_schema(scheme))
    with path.open("wb") as file:
        with pa.ipc.new_file(file, batch.schema) as content:
            content.write_batch(batch)
        file.flush()
        os.fsync(file.fileno())


def _lists(rows: Lists, kind: pa.DataType) -> pa.LargeListArray:
    import pyarrow as pa

    starts = rows.starts - rows.starts[0]
    flat = rows.flat[rows.starts[0] : rows.starts[-1]]
    return pa.LargeListArray.from_arrays(pa.array(starts, pa.int64()), pa.array(flat, kind))


# --- Reading --------------------------------------------------------------------------------------------------


def files(folder: Path) -> list[str]:
    """The names of a folder's files, in order; none where there is no folder."""
    return sorted(path.name for path in folder.glob("*.arrow"))


def read(path: Path) -> Rows:
    """The rows of a file, mapped."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        batch = pa.ipc.open_file(source).get_batch(0)
    permutations = batch.schema.field("signature").type.list_size
    names, grams = batch.column("name"), batch.column("grams")
    return Rows(
        batch.column("signature").flatten().to_numpy().reshape(-1, permutations),
        Lists(names.values.to_numpy(), names.offsets.to_numpy()),
        Lists(grams.values.to_numpy(), grams.offsets.to_numpy()),
    )


def read_all(folder: Path, scheme: Scheme) -> Iterator[tuple[str, Rows]]:
    """Each file's name and rows, in order. Raises ValueError when one is missing, damaged, or of another scheme."""
    count = 0
    for name in files(folder):
        first, _, digest = name.removesuffix(".arrow").partition("-")
        if not first.isdecimal() or int(first) != count:
            raise ValueError(f"{folder}: no file goes on from row {count}; delete the folder to build the index anew")
        rows = _checked(folder / name, digest, scheme)
        count += len(rows.signatures)
        yield name, rows


def _checked(path: Path, digest: str, scheme: Scheme) -> Rows:
    import pyarrow as pa

    if _digest(path) != digest:
        raise ValueError(f"{path} is damaged; delete its folder to build the index anew")
    with pa.memory_map(str(path)) as source:
        found = pa.ipc.open_file(source).schema
    if not found.equals(_schema(scheme), check_metadata=True):
        raise ValueError(f"{path}: made as {found.metadata}, but asked for as {_schema(scheme).metadata}")
    return read(path)


def _schema(scheme: Scheme) -> pa.Schema:
    import pyarrow as pa

    made = {
        "format": FORMAT,
        "version": minhash.VERSION,
        "ngram": scheme.ngram,
        "permutations": scheme.permutations,
    }
    return pa.schema(
        [
            pa.field("name", pa.large_list(pa.uint8()), nullable=False),
            pa.field("signature", pa.list_(pa.uint16(), scheme.permutations), nullable=False),
            pa.field("grams", pa.large_list(pa.uint32()), nullable=False),
        ],
        metadata={key: str(value) for key, value in made.items()},
    )


def _digest(path: Path) -> str:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        return blake2b(memoryview(source.read_buffer()), digest_size=16).hexdigest()
