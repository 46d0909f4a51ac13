"""Verifiers as reward functions: called as trainers call them, and saying what the filters say."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from filters.rewards import compute_score, partly_verified, reward, verified
from filters.verifiers import pool
from filters.verifiers.pool import Item, verify, verify_all

RIGHT, WRONG = r"So it is \boxed{\frac{1}{3}}.", r"So it is \boxed{0.33}."
HARD = (r"\sqrt{2}+\sqrt{3}", r"\boxed{\sqrt{5+2\sqrt{6}}}")  # only algebra can tell


@pytest.fixture(scope="module", autouse=True)
def ends_its_children():
    yield
    pool.close()


def test_right_wrong_and_undecided():
    assert reward("math", "1/3", RIGHT) == 1.0
    assert reward("math", "1/3", WRONG) == 0.0
    assert reward("math", None, RIGHT) is None
    assert reward("choice", "B", "The answer is (B).") == 1.0


def test_trl_gives_completions_and_columns_as_lists():
    said = [RIGHT, WRONG, "no idea"]
    columns = {
        "prompts": ["?"] * 3,
        "completion_ids": [[1]] * 3,
        "trainer_state": None,
        "problem_id": ["a", "b", "c"],
    }
    assert verified(completions=said, answer=["1/3"] * 3, verifier=["math"] * 3, **columns) == [1.0, 0.0, 0.0]
    assert verified(completions=said, answer=["1/3", "1/3", ""], **columns) == [1.0, 0.0, None]


def test_conversations_are_read_from_their_last_answer():
    talk = [{"role": "assistant", "content": WRONG}, {"role": "user", "content": "?"}]
    talk += [{"role": "assistant", "content": RIGHT}]
    calls = [{"role": "assistant", "content": None, "tool_calls": []}]
    assert verified([talk, calls, []], ["1/3"] * 3) == [1.0, 0.0, 0.0]


def test_thinking_is_not_answering():
    assert verified([r"<think>\boxed{1/3}", r"<think>\boxed{5}</think> \boxed{1/3}"], ["1/3"] * 2) == [0.0, 1.0]


def test_verl_gets_numbers():
    assert compute_score("math", RIGHT, "1/3") == {"score": 1.0, "acc": 1.0, "decided": 1.0}
    assert compute_score("any/source", "(C)", "C", {"verifier": "choice"})["score"] == 1.0
    assert compute_score("math", RIGHT, "", None) == {"score": 0.0, "acc": 0.0, "decided": 0.0}


def test_references_come_as_datasets_hold_them():
    assert verified(["4", "4", "4", "40 mm"], [4, 4.0, ["4"], ["4 cm", "40 mm"]]) == [1.0] * 4
    tests = {"constraints": [{"check": "no_commas"}]}
    assert verified(["None here."], [tests], ["constraints"]) == [1.0]
    assert compute_score("openai/gsm8k", "#### 42", 42)["score"] == 1.0


def test_messages_in_parts_are_read():
    parts = [{"type": "text", "text": "The answer "}, {"type": "text", "text": "is 4."}]
    said = [{"role": "assistant", "content": parts}]
    assert verified([said], ["4"]) == [1.0]


def test_rows_without_a_verifier_are_mathematics():
    assert verified(["4", "(B)"], ["4", "B"], [None, "choice"]) == [1.0, 1.0]


def test_a_source_that_nobody_knows_is_no_mathematics():
    with pytest.raises(ValueError, match="no verifier for the source 'codecontests'"):
        compute_score("codecontests", "print(3)", "{}")


def test_parts_are_rewarded_only_where_asked():
    reference = '{"constraints": [{"check": "no_commas"}, {"check": "lower_case"}]}'
    assert verified(["No commas."], [reference], ["constraints"]) == [0.0]
    assert partly_verified(["No commas."], [reference], ["constraints"]) == [0.5]


def test_an_unknown_verifier_is_named():
    with pytest.raises(KeyError, match="no verifier 'maths'"):
        verified([RIGHT], ["1/3"], ["maths"])


@pytest.mark.slow
def test_rewards_may_be_asked_for_in_any_thread_at_once():
    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(lambda _: reward("math", *HARD), range(8)))
    assert told == [1.0] * 8
    assert [thread.name for thread in threading.enumerate()].count("thoughtmill-verifiers") == 1


def test_equal_pairs_are_checked_once_and_outcomes_come_in_order(monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    check = pool.check
    monkeypatch.setattr(pool, "check", lambda kind, pairs: asked.append(len(pairs)) or check(kind, pairs))
    said = [r"\boxed{5}", "I do not know.", r"I say \boxed{5}"]
    items = [Item("math", "5", each) for each in said]
    assert [each.status for each in verify_all(items)] == ["pass", "fail", "pass"]
    assert asked == [1]


def test_a_reference_that_cannot_be_used_decides_nothing():
    assert verify("math", "$$", RIGHT).status == "unsure"
    assert verify("math", "9" * 5_000, RIGHT).status == "unsure"


SCRIPT = r"""
import os, sys
from filters.rewards import reward
heavy = {"prefect", "torch", "pyarrow", "duckdb", "aiohttp", "pipelines", "flows", "sympy", "math_verify"}
assert not heavy & {name.partition(".")[0] for name in sys.modules}, heavy & set(sys.modules)
hard = (r"\sqrt{2}+\sqrt{3}", r"\boxed{\sqrt{5+2\sqrt{6}}}")
assert reward("math", *hard) == 1.0
child = os.fork()
if child == 0:
    os._exit(0 if reward("math", *hard) == 1.0 else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
def test_a_trainer_imports_little_and_its_forks_have_pools_of_their_own():
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SCRIPT], timeout=60, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
