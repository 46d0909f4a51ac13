"""Programming tasks on the builtin engine: posed, understood, solved, tested and repaired."""

from __future__ import annotations

import dataclasses
import re
from random import Random
from typing import Any

import pytest

from filters.suites import under_test
from filters.verifiers import code
from pipelines.inference.builtin import Faults, reply
from pipelines.inference.builtin.code import pose, programs, read, values
from pipelines.inference.builtin.faults import NONE
from pipelines.records import to_json
from pipelines.stages.revise import KIND
from prompts.template import load
from tests.filters.verifiers.confined import needs_bubblewrap

TASKS = [pose.task(Random(seed), []) for seed in range(150)]
MEANT = [read.understood(each, misread=0) for each in TASKS]


def ask(prompt: str, *, seed: int = 0, faults: Faults = NONE, **values: str) -> str:
    messages = load(prompt).render(values)
    return reply(messages, seed=seed, temperature=0.8, max_tokens=2048, faults=faults).text


def test_every_task_is_understood_and_all_families_are_posed() -> None:
    assert all(MEANT)
    assert (
        {each.family for each in MEANT if each} == set(read.PATTERNS) == set(programs.PROGRAMS) == set(values.VALUES)
    )
    assert len(pose.KINDS) == len(read.PATTERNS)
    assert read.understood("Prove that there are infinitely many primes.", misread=0) is None


def test_a_new_task_is_posed_in_the_form_that_was_asked_for() -> None:
    said = ask("pose/code", seeds=f"Seed question 1:\n{TASKS[0]}\n\nSeed question 2:\n{TASKS[1]}")
    found = re.fullmatch(r"<question>\n(.*)\n</question>", said, re.S)
    assert found
    assert read.understood(found[1], misread=0)


def test_without_faults_programs_and_tests_are_of_the_function_that_was_asked_for() -> None:
    for task, meant in zip(TASKS[:20], MEANT, strict=False):
        assert meant
        program = code.final_answer(ask("solve/code", question=task)) or ""
        assert program == programs.right(meant)
        tests = (code.final_answer(ask("write/tests", question=task)) or "").splitlines()
        assert len(tests) >= 4
        assert under_test([tests]) == meant.name


def test_every_slip_is_another_program() -> None:
    for meant in MEANT:
        assert meant
        lines, slips = programs.PROGRAMS[meant.family](meant)
        spoilt = {lines.replace(old, new, 1) for old, new in slips}
        assert len(spoilt - {lines}) == len(slips) == 3


def rate(fault: str, prompt: str, is_faulty: Any) -> float:
    """How often a reply shows a fault, where every reply has it; none does where none has."""
    every = dataclasses.replace(NONE, **{fault: 1.0})
    said = [ask(prompt, faults=every, seed=seed, question=task) for seed, task in enumerate(TASKS[:40])]
    clean = [ask(prompt, seed=seed, question=task) for seed, task in enumerate(TASKS[:10])]
    assert not any(map(is_faulty, clean))
    return sum(map(bool, map(is_faulty, said))) / len(said)


def test_faults_show_in_the_texts() -> None:
    assert rate("idle_tests", "write/tests", lambda said: "isinstance" in said or " is None" in said) == 1.0
    assert rate("malformed", "solve/code", lambda said: re.search(r"def \w+\(\w+\)\n", said)) == 1.0


def test_what_is_misread_is_misread_by_all_alike() -> None:
    some = [read.understood(each, misread=0.3) for each in TASKS]
    misread = [one for one, other in zip(some, MEANT, strict=True) if one != other]
    assert 0.15 < len(misread) / len(TASKS) < 0.45
    assert some == [read.understood(each, misread=0.3) for each in TASKS]


def repaired(faults: Faults, seed: int) -> str:
    meant = MEANT[0]
    assert meant
    told = "assert f([1]) == 2  # fails: returned 0"
    wrong = programs.wrong(meant, Random(1))
    return ask("revise/explain-code", question=TASKS[0], attempt=wrong, feedback=told, faults=faults, seed=seed)


def test_repairs_are_explained_and_some_are_no_repairs() -> None:
    meant = MEANT[0]
    assert meant
    good = repaired(NONE, 0)
    assert good.startswith("<explanation>\n")
    assert code.final_answer(good) == programs.right(meant)
    bad = [code.final_answer(repaired(dataclasses.replace(NONE, bad_repair=1.0), seed)) for seed in range(12)]
    assert programs.right(meant) not in bad
    assert any("if" in (each or "") and "return 2" in (each or "") for each in bad)  # learnt by heart
    assert KIND == "revision"


@pytest.mark.slow
@needs_bubblewrap
def test_right_programs_do_in_the_sandbox_what_the_tests_expect() -> None:
    """Programs and results are worked out by different code, which agrees on every family."""
    for number, meant in enumerate(MEANT[:60]):
        assert meant
        cases = [
            {"args": [given], "expected": values.value(meant, given)}
            for given in values.inputs(meant, Random(number), 8)
        ]
        reference = to_json({"entry_point": meant.name, "cases": cases})
        assert code.check(reference, programs.right(meant)).status == "pass", TASKS[number]
