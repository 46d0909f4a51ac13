"""Crossing: every program with every suite of tests, in the sandbox; and the tests with programs that were spoilt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from filters.agreement import Agreement, Passing, consensus
from filters.answers import final_answer
from filters.mutants import mutants as spoilt
from filters.rule import Check
from filters.suites import reference, suite, under_test
from pipelines.records import Facts, Problem, Status, Verdict, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.store import Output

RUNS, KILLS = "runs@1", "kills@1"  # raise them with the way that what the sandbox says is read
SHOWN = 50  # asserts of one check of which the verifier says how each went
# How the verifier tells of a program that cannot be under_test at all, and of a test that came to no result.
LOADING = re.compile(r"(?:Syntax|Indentation|Tab)Error\b|defines no function")
CRASHED = re.compile(r"(?:^|: )[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Iteration)\b|ran longer than")


class Table(NamedTuple):
    """A problem's programs and its suites of tests, by the ids of the attempts that wrote them."""

    problem: Problem
    programs: Mapping[str, str]
    suites: Mapping[str, Sequence[str]]
    entry_point: str


Cell = tuple[Status, float, str | None]  # of a program and a suite: the share of asserts that pass, and a reason


async def cross(shard: Shard, run: Run, step: Step, *, of: str = "tests", mutants: int = 4) -> Output:
    """Run all programs that solve a problem on all tests that were written for it, and say how each pair went.

    Tests are attempts at the problems of kind `of`. Each pair gets a verdict `runs` (Sol-Ver, arXiv 2502.14948). Of
    the program for which most speaks, as `filters.agreement.consensus` has it, up to `mutants` are made by one small
    fault each; every suite that this program passes gets a verdict `kills`, which says how many of them it notices
    by a wrong result. A mutant that crashes or never ends is noticed by whatever calls it: that does not count.
    """
    tables = [table for each in shard.live if (table := _table(shard, each, of))]
    cells = await _crossed(tables, run)
    verdicts = [_run(table, pair, cell, step) for table in tables for pair, cell in cells[table.problem.id].items()]
    groups = {table.problem.id: agreement(table, cells[table.problem.id]) for table in tables}
    chosen = [table for table in tables if groups[table.problem.id].programs]
    verdicts += await _killed(chosen, groups, run, step, mutants)
    return Output(Facts([], [], verdicts), [each.id for each in shard.live])


def check_cross(given: Mapping[str, Any]) -> None:
    """Raises ValueError for a negative number of mutants."""
    if given["mutants"] < 0:
        raise ValueError(f"mutants = {given['mutants']} should be at least 0")


def _table(shard: Shard, of: Problem, kind: str) -> Table | None:
    """None where there is no program, or no test that calls anything."""
    programs = {each.id: code for each in shard.case(of).attempts if (code := final_answer(each, "code"))}
    beside = [each for each in shard.asked(kind) if each.draw == of.draw]
    written = {each.id: asserts for task in beside for each in shard.case(task).attempts if (asserts := suite(each))}
    name = under_test(written.values())
    return Table(of, programs, written, name) if programs and name else None


# --- Every program on every suite ---------------------------------------------------------------------


async def _crossed(tables: Sequence[Table], run: Run) -> dict[str, dict[tuple[str, str], Cell]]:
    """By problem, how each pair of program and suite went.

    A program is run on the tests of all suites at once, which takes a sandbox instead of one for each suite. Where
    that did not come to the end, it is run on each suite by itself: the fault is in one test, and others go on.
    """
    check = await _checks(((each, _all(each)) for each in tables), run)
    alone = {(table.problem.id, id): None for table in tables for id in table.programs if _breaks(table, id, check)}
    pairs = (
        ("code", reference(asserts, table.entry_point), table.programs[id])
        for table in tables
        for id in table.programs
        if (table.problem.id, id) in alone
        for asserts in table.suites.values()
    )
    by_itself = await run.checks.table(pairs)
    return {
        table.problem.id: {
            (program, tests): _alone(table, program, tests, by_itself)
            if (table.problem.id, program) in alone
            else _together(table, program, tests, check)
            for program in table.programs
            for tests in table.suites
        }
        for table in tables
    }


def _all(table: Table) -> list[str]:
    """The asserts of all suites, each once."""
    return list(dict.fromkeys(each for asserts in table.suites.values() for each in asserts))


def _portions(asserts: Sequence[str]) -> list[Sequence[str]]:
    return [asserts[at : at + SHOWN] for at in range(0, len(asserts), SHOWN)]


async def _checks(each: Iterable[tuple[Table, Sequence[str]]], run: Run) -> Check:
    return await run.checks.table(
        ("code", reference(portion, table.entry_point), program)
        for table, asserts in each
        for portion in _portions(asserts)
        for program in table.programs.values()
    )


def _went(table: Table, program: str, asserts: Sequence[str], check: Check) -> dict[str, str | None]:
    """By assert why it fails, or None; what was not come to is not there."""
    told: dict[str, str | None] = {}
    for portion in _portions(asserts):
        outcome = check("code", reference(portion, table.entry_point), program)
        tests = outcome.evidence.get("tests", [])
        if len(tests) == len(portion) == outcome.evidence.get("tests_in_all"):
            told |= {one: each.get("reason") for one, each in zip(portion, tests, strict=True)}
        elif len(tests) == 1 and LOADING.match(reason := tests[0].get("reason") or ""):
            told |= dict.fromkeys(portion, reason)
    return told


def _breaks(table: Table, program: str, check: Check) -> bool:
    everything = _all(table)
    return len(_went(table, table.programs[program], everything, check)) < len(everything)


def _together(table: Table, program: str, tests: str, check: Check) -> Cell:
    told, asserts = _went(table, table.programs[program], _all(table), check), table.suites[tests]
    reasons = [reason for each in asserts if (reason := told[each]) is not None]
    share = 1 - len(reasons) / len(asserts)
    return ("fail", share, f"a test fails: {reasons[0]}") if reasons else ("pass", 1.0, None)


def _alone(table: Table, program: str, tests: str, check: Check) -> Cell:
    outcome = check("code", reference(table.suites[tests], table.entry_point), table.programs[program])
    return outcome.status, outcome.score or 0.0, outcome.reason


def _run(table: Table, pair: tuple[str, str], cell: Cell, step: Step) -> Verdict:
    status, score, reason = cell
    return verdict(
        subjects=pair,
        stage=step.label,
        draw=table.problem.draw,
        rule=RUNS,
        status=status,
        score=score,
        evidence={} if reason is None else {"reason": reason},
    )


# --- Programs that were spoilt ------------------------------------------------------------------------


def agreement(table: Table, cells: Mapping[tuple[str, str], Cell]) -> Agreement:
    """The programs and suites for which most speaks."""
    passing: Passing = {
        program: frozenset(tests for tests in table.suites if cells[program, tests][0] == "pass")
        for program in table.programs
    }
    return consensus(passing, list(table.suites))


async def _killed(
    tables: Sequence[Table], groups: Mapping[str, Agreement], run: Run, step: Step, count: int
) -> list[Verdict]:
    made = {each.problem.id: _spoilt(each, groups[each.problem.id], count) for each in tables}
    check = await _checks(((each, _all(each)) for each in made.values()), run)
    return [
        _kill(made[table.problem.id], groups[table.problem.id].programs[0], tests, check, step)
        for table in tables
        for tests in made[table.problem.id].suites
    ]


def _spoilt(table: Table, group: Agreement, count: int) -> Table:
    """The mutants of the first program of a group, with the suites that it passes."""
    made = spoilt(table.programs[group.programs[0]], count=count)
    programs = {str(number): each for number, each in enumerate(made)}
    return table._replace(programs=programs, suites={each: table.suites[each] for each in group.suites})


def _kill(table: Table, program: str, tests: str, check: Check, step: Step) -> Verdict:
    went = [_went(table, mutant, _all(table), check) for mutant in table.programs.values()]
    killed = sum(any(_notices(told.get(each)) for each in table.suites[tests]) for told in went)
    number = len(table.programs)
    reason = {} if killed else {"reason": "kills no mutant" if number else "there is no mutant to kill"}
    return verdict(
        subjects=[program, tests],
        stage=step.label,
        draw=table.problem.draw,
        rule=KILLS,
        status="pass" if killed else "fail" if number else "unsure",
        score=killed / number if number else None,
        context={"killed": killed, "mutants": number},
        evidence={**reason, "asserts": list(table.suites[tests])},
    )


def _notices(reason: str | None) -> bool:
    """A test fails because of what came back."""
    return reason is not None and not CRASHED.search(reason)
