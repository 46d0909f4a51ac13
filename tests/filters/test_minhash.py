"""Signatures of texts as sets of word n-grams."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import minhash
from filters.minhash import Bands, band_keys, cut_into_bands, distinct, jaccards, sets, signatures
from filters.words import words

vocabulary = ["the", "a", "of", "how", "many", "apples", "bread", "1", "2", "3", "\xfc", "数"]
sentences = st.lists(st.sampled_from(vocabulary), max_size=30).map(" ".join)
ngrams = st.integers(1, 5)


def plain(text: str, ngram: int) -> set[tuple[str, ...]]:
    """The n-grams, for comparison."""
    found = words(text)
    if not found:
        return set()
    return {tuple(found[i : i + ngram]) for i in range(max(1, len(found) - ngram + 1))}


@given(st.lists(sentences, min_size=1, max_size=8), ngrams)
def test_similarity_is_that_of_the_sets(texts: list[str], ngram: int):
    of, plainly = sets(texts, ngram), [plain(text, ngram) for text in texts]
    assert [len(of.of(i)) for i in range(len(texts))] == [len(grams) for grams in plainly]
    pairs = [(i, j) for i, a in enumerate(plainly) for j, b in enumerate(plainly) if a and b]
    expected = [len(plainly[i] & plainly[j]) / len(plainly[i] | plainly[j]) for i, j in pairs]
    assert jaccards(of, *columns(pairs)).tolist() == expected


def columns(pairs: list[tuple[int, int]]) -> Any:
    return np.array(pairs, np.int64).reshape(-1, 2).T


def test_similarity_is_the_same_however_few_are_compared_at_once(monkeypatch: pytest.MonkeyPatch):
    of = sets([f"a b c {'d ' * (i % 2)} e {i % 5}" for i in range(10)], 2)
    pairs = columns([(i, j) for i in range(10) for j in range(10)])
    at_once = jaccards(of, *pairs).tolist()
    monkeypatch.setattr(minhash, "COMPARED", 9)
    assert jaccards(of, *pairs).tolist() == at_once


@given(st.lists(st.integers(0, 9)))
def test_distinct_numbers_come_once_and_in_order(numbers: list[int]):
    assert distinct(np.array(numbers, np.int64)).tolist() == sorted(set(numbers))


@given(st.lists(sentences | st.text(), max_size=8), ngrams)
def test_texts_know_nothing_of_each_other(texts: list[str], ngram: int):
    of, alone = sets(texts, ngram), [sets([text], ngram) for text in texts]
    signed = signatures(of, 16)
    assert signed.shape == (len(texts), 16)
    for i, each in enumerate(alone):
        assert of.of(i).tolist() == each.of(0).tolist()
        assert signed[i].tolist() == signatures(each, 16)[0].tolist()


def test_without_words_there_is_nothing_to_be_alike():
    of = sets(["?", "", "$+$"], 3)
    assert of.starts.tolist() == [0, 0, 0, 0]
    assert not signatures(of, 8).any()


def test_the_estimate_is_unbiased_and_as_sharp_as_it_should_be():
    """Pairs of 200 words, no two pairs alike, that share from none to all: the error is binomial."""
    texts = [" ".join(f"{pair}w{i}" for i in range(by, by + 200)) for pair in range(200) for by in (0, pair)]
    of = sets(texts, 1)
    signed = signatures(of, 128)
    pairs = [(2 * pair, 2 * pair + 1) for pair in range(200)]
    true = jaccards(of, *columns(pairs))
    error = np.array([(signed[i] == signed[j]).mean() for i, j in pairs]) - true
    sharp = np.sqrt((true * (1 - true) / 128).mean())
    assert abs(error.mean()) < 4 * sharp / np.sqrt(200)
    assert 0.8 * sharp < error.std() < 1.2 * sharp


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("permutations", [8, 64, 128, 256])
def test_bands_catch_pairs_at_the_threshold(permutations: int, threshold: float):
    number, places = cut_into_bands(permutations, threshold)
    assert number * places <= permutations
    assert 1 - (1 - threshold**places) ** number >= minhash.CAUGHT or places == 1


@given(st.lists(sentences, min_size=1, max_size=6))
def test_one_band_has_the_keys_that_it_has_among_all(texts: list[str]):
    signed, bands = signatures(sets(texts, 2), 16), Bands(5, 3)
    keys = band_keys(signed, bands)
    assert keys.shape == (len(texts), 5)
    for band in range(5):
        assert band_keys(signed, bands, band)[:, 0].tolist() == keys[:, band].tolist()


def test_forgetting_words_changes_no_hash(monkeypatch: pytest.MonkeyPatch):
    text = " ".join(f"w{i}" for i in range(50))
    before = sets([text], 2).grams.tolist()
    monkeypatch.setattr(minhash, "_HASHES", minhash._Hashes())
    monkeypatch.setattr(minhash, "REMEMBERED", 3)
    assert sets([text], 2).grams.tolist() == before


def test_signatures_are_the_same_in_every_process():
    """They are kept on disk, so these numbers must never change without a new VERSION."""
    text = "A baker sells 12 loaves of bread on Monday."
    code = f"from filters.minhash import *; print(signatures(sets([{text!r}], 3), 8)[0].tolist())"
    here = signatures(sets([text], 3), 8)[0].tolist()
    assert here == PINNED
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(PINNED)


PINNED = [1099, 50019, 50932, 47555, 496, 11176, 45792, 45613]
