"""Code: where it is found in a response, how tests are run, and what is said about them."""

from __future__ import annotations

import json
import math
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from contextlib import suppress
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.verifiers import code
from filters.verifiers.code.inside.examiner import same
from filters.verifiers.code.inside.plain import MAX_DEPTH, Opaque, pack, unpack
from filters.verifiers.outcome import Outcome
from tests.each import each_of
from tests.filters.verifiers.confined import needs_bubblewrap
from tests.filters.verifiers.tables.code import CHEATS, HITS


def reference(**parts: Any) -> str:
    return json.dumps(parts)


def run(answer: str, **parts: Any) -> Outcome:
    return code.check(reference(**parts), answer)


def verdict(case: tuple[str, str]) -> str:
    """The status of a response, or "none" when no answer is in it."""
    answer = code.final_answer(case[1])
    return "none" if answer is None else code.check(case[0], answer).status


# --- Some cheats, which fail: the laws of all verifiers, for all of them, only say that none passes ----


@needs_bubblewrap
@pytest.mark.parametrize("case", CHEATS[::3])
def test_a_cheat_does_not_pass(case):
    assert verdict(case) in ("fail", "none")


# --- Where the code is --------------------------------------------------------------------------------

FOUND = [
    ("```python\nx = 1\n```", "x = 1"),
    ("```Python3 title=a.py\nx = 1\n```", "x = 1"),
    ("a ```python inline``` b\n```py\nx = 1\n```", "x = 1"),
    ("```python\ndef f(): pass\n```\n```python\nf()\n```", "def f(): pass\n\f\nf()"),
    ("```python\nf()\n```\n```python\ng()\n```", "f()\n\f\ng()"),
    ("```python\nx = 1\n```\nOutput:\n```\n8\n```", "x = 1"),
    ("```\ndef f(): pass\n```\n```python\nf()\n```", "def f(): pass\n\f\nf()"),
    ("Sure!\n\ndef f(x):\n    return x\n\nThis returns it.", "def f(x):\n    return x"),
    ("Here's the function:\n\nimport os\ndef f(x):\n    return x", "import os\ndef f(x):\n    return x"),
    ("def f(x):\n    return x\n[DONE]", "def f(x):\n    return x"),
    ("```python\nx = 1\n```\n```json\n{}\n```", "x = 1"),
    ("```cpp\nint x;\n```", "int x;"),
    ("```python\nx = 1", "x = 1"),
    ("```python\nx = '''```'''\n```", "x = '''```'''"),
    ("1. So:\n   ```python\n   def f():\n       pass\n   ```\n", "def f():\n    pass"),
    ('```python\ndef f():\n    """\n    ```\n    """\n```', 'def f():\n    """\n    ```\n    """'),
    ("    return 1\n", "    return 1"),
    ("\n\n    return 1\n", "    return 1"),
    ("import os\nprint(os.name)", "import os\nprint(os.name)"),
    ("<answer>print(1)</answer>", "print(1)"),
]
NOT_FOUND = [
    "",
    "   \n",
    "```python\n```",
    "```python\n\n",
    "The answer is 5.",
    "I cannot do that.",
    "Solution:",
    "?!",
]


@each_of(FOUND)
def test_the_code_is_found(response, answer):
    assert code.final_answer(response) == answer


@each_of(NOT_FOUND)
def test_where_there_is_no_code_there_is_no_answer(response):
    assert code.final_answer(response) is None


@given(st.text() | st.text(alphabet="`~ \npythonde f():<answer>[BEGIN]/"))
def test_an_answer_is_made_of_lines_of_its_response(text):
    answer = code.final_answer(text)
    assert answer is None or (answer.strip() and all(line in text for line in answer.split("\n") if line != "\f"))


@pytest.mark.parametrize(
    "part", ["```", "```python\n", "`", "~", "\n    ", "def ", "a, ", "for ", "x = ", "<answer>", " "]
)
def test_long_texts_take_no_longer(part):
    """A search that is more than linear would take minutes for these, and fail by the time limit of all tests."""
    code.final_answer(part * 200_000)
    code.final_answer("\n".join([part] * 50_000))


# --- References ---------------------------------------------------------------------------------------

CASE = {"args": [1], "expected": 1}
BAD = [
    ("", "not JSON"),
    ("[" * 100_000, "not JSON"),
    ("[]", "not a JSON object"),
    ("{}", "none"),
    (reference(entry_point="f"), "none"),
    (reference(entry_point="f", cases=[CASE], asserts=["assert f(1)"]), "cases and asserts"),
    (reference(entry_point="f", cases=[CASE], timeout=3), "'timeout'"),
    (reference(cases=[CASE]), "entry_point"),
    (reference(test="def check(candidate): pass"), "entry_point"),
    (reference(entry_point="f()", cases=[CASE]), "entry_point must be"),
    (reference(entry_point="f", cases=[]), "cases must be"),
    (reference(entry_point="f", cases=[{"args": [1]}]), "cases must be"),
    (reference(entry_point="f", cases=[{**CASE, "arg": 1}]), "cases must be"),
    (reference(entry_point="f", test=" "), "test must be"),
    (reference(asserts=[1]), "asserts must be"),
    (reference(io=[{"input": 1, "output": "1"}]), "io must be"),
    (reference(asserts=["assert f(1)"], language="c"), "language must be"),
    (reference(asserts=["assert f(1)"], seconds=0), "seconds must be"),
    (reference(asserts=["assert f(1)"], seconds=True), "seconds must be"),
    ('{"asserts": ["assert f(1)"], "seconds": NaN}', "seconds must be"),
    (reference(asserts=["assert f(1)"], memory=1.5), "memory must be"),
    (reference(io=[{"input": "", "output": ""}], tolerance=-1), "tolerance must be"),
]


@each_of(BAD)
def test_a_bad_reference_is_not_the_answers_fault(bad, problem):
    assert problem in (code.problem_with(bad) or "")
    outcome = code.check(bad, "def f(x): return x")
    assert (outcome.status, outcome.reason) == ("unsure", code.problem_with(bad))
    assert code.gold(bad) is None


@needs_bubblewrap
@pytest.mark.parametrize(
    "parts",
    [
        {"asserts": ["assert f(1"]},
        {"asserts": ["assert 1 == 1"]},
        {"asserts": ["assert f(1) == 1"], "setup": "import a_module_that_is_not_there"},
        {"asserts": ["assert f(lambda: 1) == 1"]},
        {"asserts": ["while True: f(1)"], "seconds": 0.5},
    ],
)
def test_tests_that_cannot_be_run_are_not_the_answers_fault(parts, monkeypatch):
    monkeypatch.setattr(code, "ALL_TESTS_WITHIN", 1.0)
    assert run("def f(x): return x", **parts).status == "unsure"


@each_of(HITS)
def test_the_tables_references_are_sound(hit):
    assert code.problem_with(hit[0]) is None


def test_gold_is_the_solution():
    assert code.gold(reference(entry_point="f", cases=[CASE], solution="    return x")) == "    return x"
    assert code.gold(reference(entry_point="f", cases=[CASE])) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
)


@given(st.text() | st.dictionaries(st.sampled_from(sorted(code._KEYS)) | st.text(), JSON).map(json.dumps), st.text())
def test_what_is_known_quickly_is_an_outcome_or_none(text, answer):
    known = code.check_quickly(text, answer)
    assert known is None or known.status in ("fail", "unsure")
    assert (code.problem_with(text) is None) or (known is not None and known.status == "unsure")


@needs_bubblewrap
@settings(max_examples=10, deadline=None)
@given(st.sampled_from([hit[0] for hit in HITS]), st.text())
@example(HITS[0][0], "\x00")
@example(HITS[0][0], "\ud800")
@example(HITS[0][0], "def add(a, b): return '\ud800'")
@example(HITS[-1][0], "print('\ud800')")
def test_no_answer_makes_the_check_raise(of, answer):
    assert code.check(of, answer).status in ("pass", "fail")


# --- Verdicts -----------------------------------------------------------------------------------------


@needs_bubblewrap
class TestVerdicts:
    def test_every_test_is_in_the_evidence_and_the_score(self):
        outcome = run("def f(x): return x if x < 3 else 0", entry_point="f", cases=[
            {"args": [1], "expected": 1}, {"args": [3], "expected": 3}, {"kwargs": {"x": 2}, "expected": 2}
        ])  # fmt: skip
        assert outcome.score == pytest.approx(2 / 3)
        assert outcome.reason == "a test fails: returned 0, not 3"
        assert [test["status"] for test in outcome.evidence["tests"]] == ["pass", "fail", "pass"]

    def test_a_module_that_the_sandbox_lacks_is_not_the_answers_fault(self):
        answer = "import numpy\ndef f(x): return int(numpy.add(x, 0))"
        program = "import numpy\nprint(1)"
        assert run(answer, asserts=["assert f(1) == 1"]).reason == "needs numpy, which the sandbox does not have"
        assert run(program, io=[{"input": "", "output": "1"}]).status == "unsure"
        assert run(answer.replace("numpy", "nonumpy"), asserts=["assert f(1) == 1"]).status == "fail"
        forged = "raise ModuleNotFoundError(\"No module named 'numpy'\")"
        assert run(forged, asserts=["assert f(1) == 1"]).status == "fail"

    def test_each_assert_counts_also_after_one_that_fails(self):
        test = "def check(candidate):\n    for n in range(4):\n        assert candidate(n) == n"
        outcome = run("def f(x): return x or 9", entry_point="f", test=test)
        assert (outcome.score, outcome.reason) == (0.75, "a test fails: candidate(n) == n: returned 9")

    def test_asserts_within_a_try_keep_their_meaning(self):
        test = "def check(candidate):\n  try:\n    assert candidate(1) == 2\n  except AssertionError:\n    return"
        assert run("def f(x): return x", entry_point="f", test=test).status == "pass"

    def test_tests_without_asserts_are_one_test(self):
        test = "def check(candidate):\n    if candidate(1) != 1: raise RuntimeError('no')"
        assert run("def f(x): return x", entry_point="f", test=test).score == 1.0
        assert run("def f(x): return 0", entry_point="f", test=test).reason == "a test fails: RuntimeError: no"

    def test_asserts_that_another_branch_has_are_not_missed(self):
        test = (
            "def check(candidate):\n    if candidate(1) == 1:\n        assert True\n    else:\n        assert False"
        )
        assert run("def f(x): return x", entry_point="f", test=test).score == 1.0

    def test_functions_that_pytest_would_find_are_called(self):
        test = "def test_one():\n    assert f(1) == 1\n\ndef test_two():\n    assert f(2) == 2"
        assert run("def f(x): return x", entry_point="f", test=test).score == 1.0
        assert run("def f(x): return 1", entry_point="f", test=test).score == 0.5

    @pytest.mark.parametrize(
        "test", ["# nothing", "x = 1", "def tests():\n    assert f(1) == 2", "for x in f(0):\n    assert x"]
    )
    def test_tests_that_test_nothing_decide_nothing(self, test):
        assert run("def f(x): return []", entry_point="f", test=test).status == "unsure"

    def test_the_main_part_of_an_answer_is_not_run(self):
        answer = "def f(x): return x\nif __name__ == '__main__':\n    print(f(int(input())))"
        assert run(answer, asserts=["assert f(1) == 1"]).status == "pass"
        assert run(answer, io=[{"input": "1", "output": "1"}]).status == "pass"

    def test_tests_that_were_not_reached_count(self):
        asserts = [f"assert f({n}) == {n}" for n in range(10)]
        assert run("def f(x): return x if x != 2 else exit()", asserts=asserts).score == pytest.approx(0.9)
        gone = "import os\ndef f(x): return x if x != 2 else os._exit(0)"
        assert run(gone, asserts=asserts).score == pytest.approx(0.2)

    @pytest.mark.parametrize(
        "body", ["return [a, *b]", "return [a, 0]", "return [1, 1]", "return a", "raise KeyError", "exit()"]
    )
    def test_cases_and_asserts_agree(self, body):
        cases = [{"args": [n, [n]], "expected": [n, n]} for n in range(3)]
        asserts = [f"assert f({n}, [{n}]) == [{n}, {n}]" for n in range(3)]
        one = run(f"def f(a, b): {body}", entry_point="f", cases=cases)
        other = run(f"def f(a, b): {body}", entry_point="f", asserts=asserts)
        assert (one.status, one.score) == (other.status, other.score)

    def test_a_call_that_takes_too_long_is_a_failure_and_the_last(self):
        outcome = run("def f(x):\n    while x: pass\n    return 0", entry_point="f", seconds=1, cases=[
            {"args": [0], "expected": 0}, {"args": [1], "expected": 0}, {"args": [0], "expected": 0}
        ])  # fmt: skip
        assert (outcome.status, outcome.reason, outcome.score) == (
            "fail",
            "a test fails: ran longer than 1 s",
            1 / 3,
        )

    @pytest.mark.slow
    def test_our_own_limit_of_time_decides_nothing_but_what_failed_has_failed(self, monkeypatch):
        monkeypatch.setattr(code, "ALL_TESTS_WITHIN", 1.0)
        slow = "import time\ndef f(x):\n    time.sleep(0.3)\n    return x"
        assert run(slow, asserts=["assert f(1) == 1"] * 5).status == "unsure"
        assert run(slow, asserts=["assert f(1) == 2"] * 5).status == "fail"
        wait = "import time\ntime.sleep(0.3)\nprint()"
        assert run(wait, io=[{"input": "", "output": ""}] * 5).status == "unsure"

    def test_a_program_is_tried_on_every_input_until_one_takes_too_long(self):
        tests = [{"input": each, "output": each} for each in ("1", "0", "2", "x", "3")]
        outcome = run("n = input()\nwhile n == 'x': pass\nprint(10 // int(n) * 0 + int(n))", io=tests, seconds=1)
        assert [test["status"] for test in outcome.evidence["tests"]] == ["pass", "fail", "pass", "fail"]
        assert outcome.score == 2 / 5
        assert outcome.reason is not None
        assert "ZeroDivisionError" in outcome.reason

    def test_arguments_are_changed_in_place(self):
        asserts = ["d, l, s = {1: 2}, [1], {1}\nf(d, l, s)\nassert (d, l, s) == ({1: 2, 5: 5}, [5], {1, 5})"]
        answer = "def f(d, l, s):\n    d[5] = 5\n    l[:] = [5]\n    s.add(5)"
        assert run(answer, asserts=asserts).status == "pass"

    def test_an_exception_is_the_nearest_builtin_one(self):
        test = """
def check(candidate):
    try:
        candidate(0)
        assert False
    except LookupError as error:
        assert "gone" in str(error)
"""
        answer = "class Gone(KeyError): pass\ndef f(x): raise Gone('gone')"
        assert run(answer, entry_point="f", test=test).status == "pass"
        assert run(answer.replace("KeyError", "OSError"), entry_point="f", test=test).status == "fail"

    def test_several_functions_of_an_answer_are_called(self):
        answer = "def enc(s): return s[::-1]\ndef dec(s): return s[::-1]"
        assert run(answer, asserts=["assert dec(enc('ab')) == 'ab'", "assert enc('ab') != 'ab'"]).status == "pass"
        assert (
            run("def enc(s): return s", asserts=["assert dec(enc('ab')) == 'ab'"]).reason
            == "a test fails: defines no function dec"
        )

    def test_an_answer_keeps_its_state_between_calls(self):
        answer = "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)"
        assert run(answer, asserts=["assert f(7) == 1", "assert f(7) == 2"]).status == "pass"

    def test_iterators_values_of_all_kinds_and_large_numbers_arrive(self):
        values = "(1, 2.5, 1j, 'a', b'b', None, True, {1: {2}}, frozenset({3}), range(4), -10**5000)"
        asserts = [f"assert f() == {values}", "assert next(g()) == 0 and not isinstance(g(), list)"]
        answer = f"def f(): return {values}\ndef g(): yield 0"
        assert run(answer, asserts=asserts).status == "pass"

    def test_a_deep_recursion_in_a_thread_is_allowed(self):
        program = """
import sys, threading
sys.setrecursionlimit(10**6)
threading.stack_size(2**27)
def depth(n): return n and 1 + depth(n - 1)
thread = threading.Thread(target=lambda: print(depth(50_000)))
thread.start()
thread.join()
"""
        assert run(program, io=[{"input": "", "output": "50000"}]).status == "pass"

    def test_a_verdict_is_always_the_same(self):
        parts: dict[str, Any] = {"asserts": ["assert f() == 1"]}
        for answer in (
            "def f(): return object()",
            "import random\ndef f(): return random.random()",
            "def f(): return {*'abc'}",
        ):
            assert run(answer, **parts) == run(answer, **parts)

    def test_the_evidence_stays_small(self):
        outcome = run("def f(x): return 'x' * 10_000", asserts=["assert f(1) == 'y' * 10_000"] * 500)
        assert len(json.dumps(dict(outcome.evidence))) < 10_000
        assert outcome.evidence["tests_in_all"] == 500


@each_of(
    [
        ("1 2", "1 2\n", 0, True),
        ("1 2 \n\n\n", "1 2", 0, True),
        ("1  2", "1 2", 0, False),
        (" 1 2", "1 2", 0, False),
        ("1\n\n2", "1\n2", 0, False),
        ("", "\n", 0, True),
        ("1.0", "1", 0, False),
        ("1.0", "1", 1e-9, True),
        ("a 0.333333", "a 0.333334", 1e-5, True),
        ("a 0.33333", "b 0.33333", 1e-5, False),
        ("1000001", "1000000", 1e-6, True),
        ("nan", "1", 1e-6, False),
        ("inf", "1", 1e-6, False),
        ("nan", "nan", 1e-6, True),
        ("1 2", "1", 1e-6, False),
    ]
)
def test_printed_lines_are_compared(output, expected, tolerance, good):
    assert (code._difference(output, expected, tolerance) is None) is good


@each_of(
    [
        ((1, (2, 3)), [1, [2, 3]], 0, True),
        ([1, 2], [1, 2, 3], 0, False),
        ({1}, [1], 0, False),
        ({"a": (1,)}, {"a": [1]}, 0, True),
        ({"a": 1}, {"a": 1, "b": 2}, 0, False),
        (1, True, 0, True),
        ("1", 1, 0, False),
        (0.1 + 0.2, 0.3, 0, False),
        (0.1 + 0.2, 0.3, 1e-9, True),
        ([math.nan], [1.0], 1e-9, False),
        (Opaque("f"), None, 0, False),
    ]
)
def test_values_are_compared(value, expected, tolerance, good):
    assert same(value, expected, tolerance) is good


# --- Plain data ---------------------------------------------------------------------------------------

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.complex_numbers(allow_nan=False)
) | (st.text(st.characters()) | st.binary() | st.fractions() | st.decimals(allow_nan=False))
VALUES = st.recursive(
    SCALARS,
    lambda each: (
        (st.lists(each) | st.lists(each).map(tuple) | st.lists(each).map(deque))
        | (st.dictionaries(SCALARS, each) | st.sets(SCALARS) | st.frozensets(SCALARS))
    ),
    max_leaves=20,
)


@given(VALUES)
@example("\ud83d\ude00")
@example("\ud83d" + "\ude00")
@example([-0.0, math.inf, 10**5000, range(1, 9, 2), bytearray(b"x")])
def test_plain_data_comes_back_as_it_was(value):
    assert "\n" not in pack(value)
    back = unpack(pack(value))
    assert (back, type(back)) == (value, type(value))
    assert sorted(pack(back).split()) == sorted(pack(value).split())  # types and signs inside, too


class Colour(IntEnum):
    RED = 1


@each_of(
    [
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(int, a=1), {"a": 1}),
        (namedtuple("Point", "x y")(1, 2), (1, 2)),
        (Colour.RED, 1),
        ({"a": 1}.keys(), {"a"}),
        (Fraction(1, 3), Fraction(1, 3)),
        (Decimal("0.10"), Decimal("0.10")),
    ]
)
def test_subclasses_become_what_they_are_based_on(value, plain):
    back = unpack(pack(value))
    assert (back, type(back)) == (plain, type(plain))


def test_what_is_not_plain_becomes_its_name():
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    assert repr(unpack(pack([object(), len]))) == "[<object>, <builtin_function_or_method>]"
    assert len(pack(cyclic).split()) == MAX_DEPTH + 1
    assert list(unpack(pack(iter("ab")))) == ["a", "b"]
    assert isinstance(unpack(pack(iter(int, 1))), Opaque)


@given(st.text() | st.lists(st.from_regex(r"[a-zTFN][0-9a-f]{0,4}", fullmatch=True)).map(" ".join))
@example("l1 " * 100_000)
@example("l999999999999 N")
@example("m1 N")
@example("u1 l0")
def test_words_that_make_no_sense_raise_what_is_said(line):
    with suppress(ValueError, TypeError, LookupError, ArithmeticError, RecursionError):  # and nothing else
        unpack(line)
