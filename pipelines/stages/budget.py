"""How many samples are enough: a problem is asked again until more answers would no longer change what is known.

The pass rate is looked at after `first` samples, after twice as many, and so on up to `n`. It is settled when it lies
in a band, or outside of it, whatever the rest would give (`how = "surely"`: the ruling of `pass_rate` is then the one
of all `n`); when its 95 % interval lies all on one side (`"likely"`: cheaper, and wrong now and then, as
`filters.difficulty.error_of_looking` tells); or when the interval is narrow enough (`width`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from filters.answers import answer_matches, answer_matches_compares
from filters.difficulty import likely_settled, narrow_enough, surely_settled
from filters.rule import Case
from pipelines.records import Attempt, Problem, Verdict, verdict
from pipelines.stage import Run, Step
from pipelines.stages.ask import Question, each_of

RULE = "budget@1"  # raise it with what settles a rate, or when it is looked at
KEYS = {"first", "how", "at_least", "at_most", "width"}


class Budget(NamedTuple):
    """After how many samples a rate is looked at, and what settles it."""

    looks: tuple[int, ...]
    settled: Callable[[int, int, int], bool]  # k right of n that could be decided, and how many samples are left


def budget(until: Mapping[str, Any], n: int) -> Budget:
    """The budget that `until` describes, of at most `n` samples. Raises ValueError for what describes none."""
    if unknown := until.keys() - KEYS:
        raise ValueError(f"until has no key {min(unknown)!r}; it may have: {', '.join(sorted(KEYS))}")
    first = until.get("first", 4)
    if not isinstance(first, int) or not 1 <= first <= n:
        raise ValueError(f"until.first = {first!r} should be a number of samples from 1 to n = {n}")
    looks = [first]
    while looks[-1] < n:
        looks.append(min(n, 2 * looks[-1]))
    return Budget(tuple(looks), _settled(until))


def _settled(until: Mapping[str, Any]) -> Callable[[int, int, int], bool]:
    if "width" in until:
        width = until["width"]
        if until.keys() - {"first", "width"} or not isinstance(width, float) or not 0 < width < 1:
            raise ValueError("until.width should be between 0 and 1, and goes with no band")
        return lambda k, n, left: narrow_enough(k, n, width=width)
    low, high, how = until.get("at_least", 0.0), until.get("at_most", 1.0), until.get("how", "surely")
    if not all(isinstance(each, int | float) for each in (low, high)) or not 0 <= low <= high <= 1:
        raise ValueError(f"until.at_least = {low!r}, until.at_most = {high!r} should be a band within 0 and 1")
    if how not in ("surely", "likely"):
        raise ValueError(f"until.how = {how!r}; it may be 'surely' or 'likely'")
    if how == "likely":
        return lambda k, n, left: likely_settled(k, n, at_least=low, at_most=high)
    # What is still to come may be decided or not: all of it decided, and all right or all wrong, moves the rate most.
    return lambda k, n, left: surely_settled(k, n, most=n + left, at_least=low, at_most=high)


async def ask_until(
    question: Question, problem: Problem, run: Run, step: Step, until: Mapping[str, Any], n: int
) -> tuple[list[Attempt], Verdict]:
    """Samples until the pass rate is settled, and a verdict that says how many that took.

    Attempts that cannot be decided are left out, as in the rate, so a problem without a reference gets all `n`.
    """
    attempts: list[Attempt] = []
    k = decided = 0
    looks, settled = budget(until, n)
    for look in looks:
        attempts += await each_of(question.attempt(sample) for sample in range(len(attempts), look))
        k, decided = await _counted(problem, attempts, run)
        if decided and settled(k, decided, n - look):
            break
    return attempts, _told(problem, step, samples=len(attempts), until=dict(until), most=n, k=k, n=decided)


async def _counted(problem: Problem, attempts: Sequence[Attempt], run: Run) -> tuple[int, int]:
    """How many attempts are right, and how many could be decided."""
    case = Case(problem, None, attempts)
    name = problem.verifier
    check = await run.checks.table((name, *pair) for pair in answer_matches_compares(case) if name)
    states = [ruling.status for ruling in answer_matches(case, check)]
    return states.count("pass"), states.count("pass") + states.count("fail")


def _told(problem: Problem, step: Step, *, samples: int, **context: Any) -> Verdict:
    return verdict(
        subjects=[problem.id],
        stage=step.label,
        draw=problem.draw,
        rule=RULE,
        status="pass",
        score=float(samples),
        value="settled early" if samples < context["most"] else "all samples",
        context=context,
    )
