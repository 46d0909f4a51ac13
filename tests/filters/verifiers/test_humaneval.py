"""HumanEval: every canonical solution passes, and small faults in them are found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from filters.verifiers import code
from filters.verifiers.outcome import Outcome
from tests.filters.verifiers.confined import humaneval, needs_bubblewrap, needs_humaneval, reference
from tests.filters.verifiers.mutants import KINDS, changed, mutants

pytestmark = [needs_bubblewrap, needs_humaneval]


def in_parallel(work: Callable[[Any], Any], each: Iterable[Any]) -> list[Any]:
    """Threads only wait here: the work is done by sandboxes and other children."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, each))


def own_solution(task: dict[str, Any]) -> Outcome:
    gold = code.gold(reference(task))
    assert gold is not None
    return code.check(reference(task), gold)


def as_a_chat_model(task: dict[str, Any]) -> Outcome:
    response = f"Here it is.\n\n```python\n{task['prompt']}{task['canonical_solution']}```\nIt runs in linear time."
    answer = code.final_answer(response)
    assert answer is not None
    return code.check(reference(task), answer)


@pytest.mark.slow
def test_some_canonical_solutions_pass_in_a_whole_response():
    assert {as_a_chat_model(task).status for task in humaneval()[::10]} == {"pass"}


@pytest.mark.slow
def test_every_canonical_solution_passes():
    tasks = humaneval()
    outcomes = zip(tasks, in_parallel(own_solution, tasks), strict=True)
    assert {task["task_id"]: each for task, each in outcomes if each.status != "pass"} == {}
    assert len(tasks) == 164


def faults(task: dict[str, Any]) -> list[tuple[str, bool, Outcome]]:
    """For each fault its kind, whether it changes what the solution does, and the verdict."""
    made = mutants(task["prompt"] + task["canonical_solution"], task["entry_point"], count=6)
    changes = changed(task, [source for _, source in made])
    outcomes = [code.check(reference(task, seconds=1), source) for _, source in made]
    return [(kind, change, out) for (kind, _), change, out in zip(made, changes, outcomes, strict=True)]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_faults_that_change_what_a_solution_does_are_found():
    tasks = humaneval()
    of_each = in_parallel(faults, tasks)
    assert min(map(len, of_each)) >= 5
    all_faults = [fault for of_one in of_each for fault in of_one]
    assert {out.status for _, _, out in all_faults} <= {"pass", "fail"}
    kinds = Counter(kind for kind, _, _ in all_faults)
    assert min(kinds[kind] for kind in KINDS) >= 50
    seen = [out.status == "fail" for _, change, out in all_faults if change]
    assert len(seen) > 600
    assert sum(seen) / len(seen) >= 0.95
    # What changes nothing on the tests' inputs cannot be failed by the tests, unless it only takes too long.
    wronged = [out for _, change, out in all_faults if not change and out.status == "fail"]
    assert {out.reason for out in wronged if "ran longer than 1 s" not in (out.reason or "")} == set()
