"""A long stream, some rows at a time."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.chunks import AHEAD, chunks, in_processes


@given(st.lists(st.integers()), st.integers(1, 7))
def test_chunks_are_the_rows_again(rows: list[int], size: int):
    found = list(chunks(rows, size))
    assert [row for chunk in found for row in chunk] == rows
    assert all(len(chunk) == size for chunk in found[:-1])
    assert all(found)


def double(rows: Sequence[int]) -> list[int]:
    return [2 * row for row in rows]


def fail(rows: Sequence[int]) -> list[int]:
    raise LookupError(f"no {rows[0]}")


@pytest.mark.parametrize("processes", [0, 1, 2])
def test_results_come_in_order(processes: int):
    found = in_processes(double, chunks(range(50), 3), processes)
    assert [row for chunk in found for row in chunk] == [2 * i for i in range(50)]


def test_little_of_a_stream_is_read_ahead():
    read: list[int] = []

    def stream() -> Iterator[int]:
        for row in range(1_000_000):
            read.append(row)
            yield row

    results = in_processes(double, chunks(stream(), 10), 2)
    assert next(results)[:2] == [0, 2]
    assert len(read) <= 10 * (2 * AHEAD + 1)
    results.close()


def test_what_fails_in_a_process_fails_here():
    with pytest.raises(LookupError, match="no 0"):
        list(in_processes(fail, chunks(range(9), 3), 2))
