"""Programs and tests that were written apart from each other, and pass each other.

Neither is known to be right. What speaks for them is that several programs pass the same tests (the dual agreement of
CodeT, arXiv 2207.10397), and that these tests notice when something is wrong: a model that plays both sides would
else learn to write tests that accept everything (Sol-Ver, arXiv 2502.14948).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import orjson

from filters.answers import LEFT_OUT
from filters.rule import Case, Check, Ruling, failed, passed, unsure
from filters.suites import reference, under_test

TESTS = "tests"  # the kind of the problems that tests are attempts at
Passing = Mapping[str, frozenset[str]]
"""By program the suites that it passes, in the order of the programs."""


class Agreement(NamedTuple):
    """The programs that pass just the same suites, and the suites that all of them pass."""

    programs: list[str]
    suites: list[str]


def consensus(passing: Passing, suites: list[str]) -> Agreement:
    """The group of programs for which most speaks: its size times the number of suites that it passes.

    Suites that every program passes speak for none of them, so they count only where there are no others.
    """
    plausible = {program: passed for program, passed in passing.items() if passed}
    parting = {suite for suite in suites if any(suite not in passed for passed in plausible.values())} or set(suites)
    groups: dict[frozenset[str], list[str]] = {}
    for program, passed_by in plausible.items():
        groups.setdefault(passed_by & parting, []).append(program)
    agreed = max(groups, key=lambda each: len(each) * len(groups[each]), default=frozenset[str]())
    together = groups.get(agreed, [])
    return Agreement(together, [suite for suite in suites if all(suite in passing[each] for each in together)])


def matrix(case: Case) -> tuple[Passing, list[str]]:
    """Which program passes which suite, as the verdicts `runs` say, and all suites in their order."""
    runs = [(*each.subjects, each.status) for each in case.verdicts if each.rule.startswith("runs@")]
    programs = dict.fromkeys(program for program, _, _ in runs)
    suites = list(dict.fromkeys(suite for _, suite, _ in runs))
    passes = {(program, suite) for program, suite, status in runs if status == "pass"}
    return {each: frozenset(suite for suite in suites if (each, suite) in passes) for each in programs}, suites


def _fails(case: Case) -> frozenset[tuple[str, ...]]:
    """The pairs of program and suite that were found not to go together; others may never have been decided."""
    return frozenset(
        each.subjects for each in case.verdicts if each.rule.startswith("runs@") and each.status == "fail"
    )


def agreed(case: Case, check: Check, *, kills: int = 1, at_least: int = 1) -> list[Ruling]:
    """Pass a problem of which programs and tests agree, and say of each of these whether it belongs to them.

    Tests are kept that the consensus of programs passes and that notice at least so many `kills`: other programs that
    fail them, and mutants. A program passes if it passes all tests that are kept, and fails if it fails
    one, or is none; tests fail if they reject the consensus, and are unsure if they notice nothing. Where the sandbox
    could not decide, nothing counts as wrong. The score is the size of the agreement, programs times suites, and the
    value what is kept of the tests, as a reference. Reads what `cross` says.
    """
    passing, suites = matrix(case)
    group = consensus(passing, suites)
    fails = _fails(case)
    noticed = {suite: _noticed(suite, passing, fails, case) for suite in suites}
    kept = [suite for suite in group.suites if noticed[suite] >= kills] if group.programs else []
    score = float(len(group.programs) * len(kept))
    context = {"programs": len(passing), "suites": len(suites), "agreeing": [len(group.programs), len(kept)]}
    if reason := _objection(case, group, kept, score < at_least):
        return [failed(reason, score=score, context=context)]
    value = _reference(kept, case)
    return [
        passed(score=score, value=value, context=context),
        *_each(passing, suites, kept, group, fails),
        *_others(case),
    ]


def _objection(case: Case, group: Agreement, kept: list[str], is_little: bool) -> str | None:
    if not any(each.rule.startswith("runs@") for each in case.verdicts):
        return "no programs, or no tests, that could be run"
    if not group.programs:
        return "no program passes any tests"
    if not kept:
        return "no tests notice that anything is wrong"
    return "too few agree" if is_little else None


def _each(
    passing: Passing, suites: list[str], kept: list[str], group: Agreement, fails: frozenset[tuple[str, ...]]
) -> Iterator[Ruling]:
    for program, passed_by in passing.items():
        if all(suite in passed_by for suite in kept):
            yield passed(about=(program,))
        elif any((program, suite) in fails for suite in kept):
            yield failed("fails tests that were kept", about=(program,))
        else:
            yield unsure("could not be run on tests that were kept", about=(program,))
    for suite in suites:
        if suite in kept:
            yield passed(about=(suite,))
        elif suite in group.suites:
            yield unsure("notices nothing", about=(suite,))
        elif any((program, suite) in fails for program in group.programs):
            yield failed("rejects a program that was kept", about=(suite,))
        else:
            yield unsure("could not be run on a program that was kept", about=(suite,))


def _others(case: Case) -> Iterator[Ruling]:
    """Attempts of which nothing could be run: what was cut is not wrong, what holds no program is.

    Of tests that are none nothing is known: they may only be written in another way.
    """
    ran = {subject for each in case.verdicts if each.rule.startswith("runs@") for subject in each.subjects}
    for each in case.attempts:
        if each.id not in ran:
            cut = unsure(LEFT_OUT[each.finish]) if each.finish in LEFT_OUT else None
            yield (cut or failed("no program"))._replace(about=(each.id,))
    for each in (attempt for task in case.beside if task.problem.kind == TESTS for attempt in task.attempts):
        if each.id not in ran:
            yield unsure(LEFT_OUT.get(each.finish, "no tests that can be run"), about=(each.id,))


def _noticed(suite: str, passing: Passing, fails: frozenset[tuple[str, ...]], case: Case) -> int:
    """How many mutants it kills, and how many programs it rejects that pass any other."""
    rejected = sum((program, suite) in fails for program, passed_by in passing.items() if passed_by)
    return rejected + sum(orjson.loads(each.context)["killed"] for each in _kills(case, suite))


def _kills(case: Case, suite: str) -> list:
    return [each for each in case.verdicts if each.rule.startswith("kills@") and each.subjects[1] == suite]


def _reference(kept: list[str], case: Case) -> str | None:
    asserts = [orjson.loads(each.evidence)["asserts"] for suite in kept for each in _kills(case, suite)]
    name = under_test(asserts)
    return reference(list(dict.fromkeys(one for some in asserts for one in some)), name) if name else None
