"""Arrays that grow in files without a name."""

import os
from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filters.scratch import Growing, Ragged

numbers = st.lists(st.integers(0, 255), max_size=50)


@given(st.lists(numbers, max_size=6))
def test_rows_are_those_that_were_added(parts: list[list[int]]):
    growing = Growing("uint8")
    for part in parts:
        growing.extend(np.array(part, np.uint8))
    assert growing.rows.tolist() == [*chain(*parts)]


def test_what_was_taken_stays_when_it_grows():
    growing = Growing("uint16", 3)
    growing.extend(np.array([[1, 2, 3]]))
    taken = growing.rows
    growing.extend(np.full((100_000, 3), 4))
    assert taken.tolist() == [[1, 2, 3]]
    assert growing.rows.shape == (100_001, 3)
    assert growing.rows[0].tolist() == [1, 2, 3]


@given(st.lists(numbers, max_size=6), st.integers(0, 6))
def test_ragged_rows_come_back_and_may_be_cut(rows: list[list[int]], keep: int):
    ragged, first = Ragged("uint8"), 3
    flat = np.array([*[0] * first, *chain(*rows)], np.uint8)
    ragged.extend(flat, first + np.cumsum([0, *map(len, rows)]))
    ragged.cut(min(keep, len(rows)))
    kept = rows[:keep]
    assert [ragged[i].tolist() for i in range(len(kept))] == kept
    assert len(ragged.starts) == len(kept) + 1
    assert ragged.flat.tolist() == [*chain(*kept)]


def test_nothing_stays_open():
    before = len(os.listdir("/proc/self/fd"))
    arrays = [Growing("uint8") for _ in range(20)]
    assert len(os.listdir("/proc/self/fd")) >= before + 20
    del arrays
    assert len(os.listdir("/proc/self/fd")) < before + 20
