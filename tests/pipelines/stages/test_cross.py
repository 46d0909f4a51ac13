"""Programs and tests crossed: on a stand-in for the sandbox that knows `f(n)` to return n and a number."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import orjson

from filters.rule import Check
from filters.verifiers.outcome import Outcome, failed, passed
from pipelines.checks import Checks, Pair
from pipelines.inference.client import Client
from pipelines.records import Attempt, Facts, Problem, problem
from pipelines.stage import Run, Shard, Step
from pipelines.stages.cross import cross
from pipelines.stages.table import STAGES
from pipelines.store import Output
from tests.pipelines.stages.bench import Bench, answered, posed

RIGHT, WRONG, BROKEN, STUCK = "return n + 1", "return n - 1", "return (", "while n: pass"
TRUE = ("assert f(1) == 2", "assert f(5) == 6")
IDLE, FALSE, HALF = (
    ("assert isinstance(f(1), int)",),
    ("assert f(1) == 3",),
    ("assert f(1) == 2", "assert f(0) == -1"),
)


class Known:
    """Stands for the sandbox."""

    def __init__(self) -> None:
        self.asked: set[Pair] = set()

    async def table(self, pairs: Iterable[Pair]) -> Check:
        self.asked |= set(pairs)
        return lambda _, reference, program: tried(orjson.loads(reference)["asserts"], program)


def tried(asserts: list[str], program: str) -> Outcome:
    """What the verifier `code` would say of this program; what loops is found out at the first test."""
    if BROKEN in program or STUCK in program:
        reason = "SyntaxError: '(' was never closed" if BROKEN in program else "ran longer than 2 s"
        return failed(f"a test fails: {reason}", score=0.0, evidence=evidence([reason], len(asserts)))
    reasons = [why(each, program) for each in asserts]
    told = evidence(reasons, len(asserts))
    return failed("a test fails", score=0.5, evidence=told) if any(reasons) else passed(score=1.0, evidence=told)


def why(test: str, program: str) -> str | None:
    asked, found = re.search(r"f\((-?\d+)\) == (-?\d+)", test), re.search(r"return n ([+-]) (\d+)", program)
    if asked is None or found is None:
        return None
    came = int(asked[1]) + int(found[1] + found[2])
    return None if came == int(asked[2]) else f"{test}: returned {came}"


def evidence(reasons: list[str | None], count: int) -> dict[str, Any]:
    tests = [{"status": "fail", "reason": each} if each else {"status": "pass"} for each in reasons]
    return {"tests": tests, "tests_in_all": count, "passed": reasons.count(None)}


def crossed(
    programs: Iterable[str], suites: Iterable[Iterable[str]], **given: Any
) -> tuple[Output, Known, list[Attempt], list[Attempt]]:
    of = posed(0, "Write `f(n)`.", verifier="code")
    tests = problem(parents=[of.id], stage="derive@1", draw=0, kind="tests", question=of.question)
    written = [answered(of, block(f"def f(n):\n    {each}"), sample=place) for place, each in enumerate(programs)]
    tried_on = [answered(tests, block("\n".join(each)), sample=place) for place, each in enumerate(suites)]
    shard, known = Shard(0, 1), Known()
    shard.take(Output(Facts([of, tests], [*written, *tried_on], []), [of.id]), Path())
    run = Run(Path(), 0, cast(Client, None), cast(Checks, known))
    output = asyncio.run(cross(shard, run, Step("cross", STAGES["cross"], given), **given))
    return output, known, written, tried_on


def block(code: str) -> str:
    return f"```python\n{code}\n```"


def cells(output: Output) -> Mapping[tuple[str, ...], str]:
    return {each.subjects: each.status for each in output.facts.verdicts if each.rule.startswith("runs@")}


def test_the_whole_matrix_is_stored():
    output, _, programs, suites = crossed([RIGHT, RIGHT, WRONG, BROKEN, STUCK], [TRUE, IDLE, FALSE, HALF])
    said = cells(output)
    assert len(said) == 5 * 4
    wanted = {(0, 0), (1, 0), (0, 1), (1, 1), (2, 1)}
    passed_by = {(p, s) for p in range(5) for s in range(4) if said[programs[p].id, suites[s].id] == "pass"}
    assert passed_by == wanted
    assert output.live == [programs[0].problem]


def test_a_program_runs_on_all_suites_at_once_and_on_each_where_that_does_not_come_to_its_end():
    _, known, _, _ = crossed([RIGHT, BROKEN], [TRUE, IDLE, FALSE, HALF], mutants=0)
    assert len(known.asked) == 2
    _, known, _, _ = crossed([RIGHT, STUCK], [TRUE, IDLE, FALSE, HALF], mutants=0)
    assert len(known.asked) == 2 + 4


def test_mutants_are_made_of_the_program_that_most_agree_with_and_tests_say_which_they_notice():
    output, _, programs, suites = crossed([WRONG, RIGHT, RIGHT], [TRUE, IDLE, TRUE[:1]])
    kills = [each for each in output.facts.verdicts if each.rule.startswith("kills@")]
    assert {each.subjects[0] for each in kills} == {programs[1].id}
    assert {each.subjects[1]: each.status for each in kills} == {
        suites[0].id: "pass",
        suites[1].id: "fail",
        suites[2].id: "pass",
    }
    context = orjson.loads(kills[0].context)
    assert context["mutants"] == context["killed"] == 3
    assert orjson.loads(kills[0].evidence)["asserts"] == list(TRUE)


def test_without_programs_or_without_tests_nothing_is_said():
    for programs, suites in (([], [TRUE]), ([RIGHT], []), ([RIGHT], [("assert True",)])):
        output, known, _, _ = crossed(programs, suites)
        assert output.facts.verdicts == []
        assert not known.asked
        assert len(output.live) == 1


def test_who_writes_tests_is_shown_the_question_and_no_program(tmp_path: Path):
    bench = Bench(tmp_path)
    of = posed(0, "Write `f(n)`.", answer='{"solution": "SECRET"}', verifier="code")
    given = {"problems": [of], "attempts": [answered(of, "SECRET")], "prompt": "write/tests"}
    output = bench.run("derive", says=lambda message, sample: f"{sample}", kind="tests", n=3, **given)
    [beside] = output.facts.problems
    assert (beside.kind, beside.parents, beside.answer) == ("tests", (of.id,), None)
    assert [each.text for each in output.facts.attempts] == ["0", "1", "2"]
    assert all(isinstance(each, Problem) and each.draw == 0 for each in output.facts.problems)
    assert not [message for message, _, _ in bench.client.asked if "SECRET" in message or of.question not in message]
