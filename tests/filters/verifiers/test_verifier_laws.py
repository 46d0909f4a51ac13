"""What holds for every entry of VERIFIERS, over the tables of cases: what passes, what fails, what is a trick."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.verifiers import VERIFIERS, Verifier, answer_in, pool, verifier
from filters.verifiers.outcome import Outcome
from filters.verifiers.pool import Item, check, verify, verify_all
from tests.filters.verifiers.confined import needs_bubblewrap

BLANK = ["", " ", "\n", "\u200b", "$$", ".", "```\n```", "<think>the answer is 5</think>", "<think>5"]
EMPTY = [r"\boxed{}", r"\boxed{ }", "The answer is .", "####"]  # to kinds that look for an answer
STATES = {"pass", "fail", "unsure", "error"}


class Cases(NamedTuple):
    """References with responses: as they should pass, narrowly fail, and never pass."""

    hits: list[tuple[str, str]]
    misses: list[tuple[str, str]]
    cheats: list[tuple[str, str]]


def cases(name: str) -> Cases:
    table = importlib.import_module(f"tests.filters.verifiers.tables.{name}")
    return Cases(table.HITS, table.MISSES, table.CHEATS)


TABLES = {name: cases(name) for name in VERIFIERS}
CHECKABLE = [pytest.param(name, marks=needs_bubblewrap if name == "code" else ()) for name in VERIFIERS]


@pytest.fixture(scope="module", autouse=True)
def one_child() -> Iterator[None]:
    """As on a machine of one core: each child takes seconds to import what all the verifiers need."""
    pool.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool.os, "sched_getaffinity", lambda process: {0})
        yield
        pool.close()


def outcomes(name: str, pairs: list[tuple[str, str]]) -> list[Outcome]:
    return verify_all([Item(name, reference, response) for reference, response in pairs])


@functools.cache
def told(name: str, which: str) -> list[tuple[tuple[str, str], Outcome]]:
    """The cases of a table, each with its outcome."""
    pairs: list[tuple[str, str]] = getattr(TABLES[name], which)
    return list(zip(pairs, outcomes(name, pairs), strict=True))


def answered_cheats(name: str) -> list[tuple[tuple[str, str], str]]:
    """The cheats in which an answer is found, each with it."""
    found = ((case, answer_in(name, case[1])) for case in TABLES[name].cheats)
    return [(case, answer) for case, answer in found if answer is not None]


def references(name: str) -> list[str]:
    return list(dict.fromkeys(reference for reference, _ in TABLES[name].hits))


def test_the_tables_together_are_large():
    assert sum(len(table.hits) for table in TABLES.values()) >= 300
    assert sum(len(table.misses) for table in TABLES.values()) >= 300


@pytest.mark.parametrize("name", CHECKABLE)
class TestEveryVerifier:
    def test_has_a_table(self, name: str):
        assert min(map(len, TABLES[name])) >= 5

    def test_hits_pass(self, name: str):
        assert [(case, each) for case, each in told(name, "hits") if each.status != "pass"] == []

    def test_near_misses_fail(self, name: str):
        assert [(case, each) for case, each in told(name, "misses") if each.status != "fail"] == []

    def test_cheats_told_at_once_never_pass(self, name: str):
        quickly = ((case, VERIFIERS[name].check_quickly(case[0], answer)) for case, answer in answered_cheats(name))
        assert [case for case, each in quickly if each and each.status == "pass"] == []

    @pytest.mark.slow
    def test_cheats_never_pass(self, name: str, monkeypatch: pytest.MonkeyPatch):
        """In less time than they have, since some are made to use up all of it."""
        patient = VERIFIERS[name]
        monkeypatch.setitem(VERIFIERS, name, dataclasses.replace(patient, seconds=min(1.0, patient.seconds)))
        assert [case for case, each in told(name, "cheats") if each.status == "pass"] == []

    def test_blanks_never_pass(self, name: str):
        blanks = [*BLANK, *EMPTY] if VERIFIERS[name].compares else BLANK
        pairs = [(reference, blank) for reference in references(name)[:10] for blank in blanks]
        assert [pair for pair, each in zip(pairs, outcomes(name, pairs), strict=True) if each.status == "pass"] == []

    def test_references_can_be_used_and_what_they_tell_passes(self, name: str):
        kind = VERIFIERS[name]
        for reference in references(name):
            assert kind.problem_with(reference) is None
        golden = [(reference, kind.gold(reference)) for reference in references(name)]
        golden = [(reference, answer) for reference, answer in golden if answer is not None]
        assert [(pair, each) for pair, each in check(name, golden).items() if each.status != "pass"] == []

    def test_its_example_passes(self, name: str):
        assert [each.status for each in check(name, [VERIFIERS[name].example]).values()] == ["pass"]

    def test_an_answer_is_no_reference_that_cannot_be_used(self, name: str):
        for reference in ("", " ", "\n"):
            assert VERIFIERS[name].problem_with(reference) is not None

    def test_it_says_its_version_and_its_limit(self, name: str):
        assert VERIFIERS[name].version >= 1
        assert VERIFIERS[name].seconds > 0

    def test_every_outcome_can_be_kept_and_says_why(self, name: str):
        for _, each in [*told(name, "hits"), *told(name, "misses")]:
            assert Outcome(*json.loads(json.dumps(each))) == each
            assert len(json.dumps(each.evidence)) <= 16_384
            assert (each.reason is None) == (each.status == "pass")
            assert each.score is None or 0 <= each.score <= 1


@pytest.mark.parametrize("name", [name for name, kind in VERIFIERS.items() if kind.compares])
def test_comparisons_are_symmetric(name: str):
    """An answer that equals its reference is never refused as the reference of it."""
    for reference, response in TABLES[name].hits[:150]:
        answer = answer_in(name, response)
        assert answer is not None
        if not reference.startswith("{") and VERIFIERS[name].problem_with(answer) is None:
            assert checked(VERIFIERS[name], answer, reference).status != "fail", (reference, answer)


def checked(kind: Verifier, reference: str, answer: str) -> Outcome:
    return kind.check_quickly(reference, answer) or kind.check(reference, answer)


# --- Whatever comes -----------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *(
            r"\boxed{",
            "}",
            "{",
            "####",
            "```python\n",
            "```",
            "answer is ",
            "<answer>",
            "[",
            "]",
            '"',
            ":",
            ",",
            "\n",
        ),
        *(
            r"\frac{1}{2}",
            "(A)",
            "x = 5",
            "9^{9^{9^9}}",
            "null",
            "1e999",
            "\x00",
            "\ud800",
            "\u202e",
            "def f(): pass",
        ),
    ]
)
TEXTS = st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=12).map("".join))
JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
).map(json.dumps)


@pytest.mark.parametrize("name", VERIFIERS)
@settings(deadline=None)
@given(data=st.data())
def test_no_input_raises_or_is_told_otherwise_than_in_four_states(name: str, data: st.DataObject):
    reference = data.draw(st.one_of(TEXTS, JSONISH, st.sampled_from(references(name))))
    response = data.draw(st.one_of(TEXTS, JSONISH))
    kind = VERIFIERS[name]
    assert isinstance(kind.problem_with(reference), str | None)
    assert isinstance(kind.gold(reference), str | None)
    answer = kind.final_answer(response)
    assert answer is None or answer.strip()
    told = kind.check_quickly(reference, response)
    assert told is None or told.status in STATES
    if kind.problem_with(reference) is not None and told is not None:
        assert told.status in ("unsure", "fail")


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKABLE)
@settings(max_examples=60, deadline=None)
@given(pairs=st.lists(st.tuples(st.one_of(TEXTS, JSONISH), TEXTS), min_size=20, max_size=20))
def test_no_input_makes_a_child_hang_or_crash(name: str, pairs: list[tuple[str, str]]):
    known = references(name)
    mixed = [(known[i % len(known)] if i % 2 else reference, text) for i, (reference, text) in enumerate(pairs)]
    for each in verify_all([Item(name, *pair) for pair in mixed]):
        assert each.status in ("pass", "fail", "unsure"), each


def test_an_unknown_verifier_is_refused_with_the_list_of_what_exists():
    with pytest.raises(KeyError, match=r"no verifier 'maths'; there are: .*math"):
        verifier("maths")
    with pytest.raises(KeyError, match=r"no verifier 'maths'; there are: .*math"):
        verify("maths", "1", "1")
