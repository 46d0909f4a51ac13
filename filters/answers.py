"""Attempts against the reference: who is right, how often, and who never finished.

An attempt that was cut off, refused or left waiting for a tool is left out and counted: it is not wrong. One that
ended by itself without a final answer is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from math import sqrt
from typing import Any

import orjson

from filters.rule import Case, Check, Ruling, failed, passed, unsure
from filters.verifiers import answer_in, verifier
from pipelines.records import Attempt, Problem

QUOTED = 200  # characters of an answer that go into the evidence; a value is never cut

LEFT_OUT = {
    "length": "cut off at the limit",
    "refused": "refused by the engine",
    "tool_calls": "left waiting for a tool",
}

# --- Final answers --------------------------------------------------------------------------------------------

MAX_REMEMBERED = 16_384  # answers
MAX_SHORT = 1_000  # characters of an answer that is remembered

_remembered: dict[tuple[str, str], str] = {}  # "" where there is none


def final_answer(attempt: Attempt, verifier_name: str) -> str | None:
    """The answer that an attempt settles on; None when it was left out or found none.

    Several rules ask for the answer of the same attempt. A short one is remembered by the attempt's id, which is a
    digest of its text, so that no long text is kept alive for it.
    """
    key = (verifier_name, attempt.id)
    answer = _remembered.get(key)
    if answer is None:
        found = answer_in(verifier_name, attempt.text) if attempt.finish == "stop" else None
        answer = found or ""
        if len(answer) <= MAX_SHORT:
            if len(_remembered) >= MAX_REMEMBERED:
                _remembered.clear()
            _remembered[key] = answer
    return answer or None


def label(verifier_name: str) -> str:
    """The verifier as contexts name it, "math@1"."""
    return f"{verifier_name}@{verifier(verifier_name).version}"


# --- Each attempt by itself -----------------------------------------------------------------------------------


def answer_matches(case: Case, check: Check) -> Iterator[Ruling]:
    """Pass each attempt whose final answer is right, as the problem's verifier checks it against the reference."""
    for attempt in case.attempts:
        yield _match(case.problem, attempt, check)._replace(about=(attempt.id,))


def answer_matches_compares(case: Case) -> Iterable[tuple[str, str]]:
    """The reference with each distinct answer."""
    reference, name = case.problem.answer, case.problem.verifier
    if not reference or name is None:
        return []
    answers = dict.fromkeys(final_answer(attempt, name) for attempt in case.attempts)
    return [(reference, answer) for answer in answers if answer is not None]


def _match(problem: Problem, attempt: Attempt, check: Check) -> Ruling:
    if problem.verifier is None:
        return unsure("no verifier")
    if not problem.answer:
        return unsure("no reference answer")
    context = {"verifier": label(problem.verifier)}
    if attempt.finish != "stop":
        return unsure(LEFT_OUT[attempt.finish], context=context)
    answer = final_answer(attempt, problem.verifier)
    if answer is None:
        return failed("no final answer", context=context)
    outcome = check(problem.verifier, problem.answer, answer)
    evidence = dict(outcome.evidence)
    if outcome.status != "pass":
        evidence["reference"] = problem.answer[:QUOTED]
    # A program or an essay is not told again: it stands in the attempt.
    value = answer if verifier(problem.verifier).compares else None
    return Ruling(outcome.status, outcome.reason, outcome.score, value, context, evidence)


# --- All attempts together ------------------------------------------------------------------------------------


def pass_rate(case: Case, check: Check, *, at_least: float = 0.0, at_most: float = 1.0) -> list[Ruling]:
    """Pass a problem whose attempts are right at a rate within the band, both ends included.

    The score is k right of n decided; the context has its 95 % interval, who solved and how, and how many attempts
    were left out for which reason. Unsure when none could be decided.
    """
    matches = [_match(case.problem, attempt, check) for attempt in case.attempts]
    k, wrong = (sum(match.status == status for match in matches) for status in ("pass", "fail"))
    undecided = [match for match in matches if match.status in ("unsure", "error")]
    left_out = Counter((match.reason or "").partition(": ")[0] for match in undecided)
    n = k + wrong
    context = {"k": k, "n": n, "left_out": dict(left_out)}
    context |= {"solvers": solvers(case), "verifier": case.problem.verifier and label(case.problem.verifier)}
    if n == 0:
        return [unsure("no attempt could be decided", context=context)]
    context["low"], context["high"] = wilson(k, n)
    if k / n < at_least:
        return [failed("solved less often than asked", score=k / n, context=context)]
    if k / n > at_most:
        return [failed("solved more often than asked", score=k / n, context=context)]
    return [passed(score=k / n, context=context)]


def finished(case: Case, check: Check, *, at_least: float = 1.0) -> list[Ruling]:
    """Pass when this share of the attempts ended by themselves; before there are attempts, the posing counts."""
    attempts = list(case.attempts) or [attempt for attempt in (case.posing,) if attempt]
    ends = Counter(attempt.finish for attempt in attempts)
    context = {"n": len(attempts), "ends": dict(ends)}
    if not attempts:
        return [unsure("no attempts", context=context)]
    share = ends["stop"] / len(attempts)
    if share < at_least:
        return [failed("too few attempts ended by themselves", score=share, context=context)]
    return [passed(score=share, context=context)]


def solvers(case: Case) -> list[dict[str, Any]]:
    """Who made the attempts and how, each kind once, in the order of the samples."""
    kinds = dict.fromkeys((each.model, each.revision, each.prompt, each.sampling) for each in case.attempts)
    return [
        {"model": model, "revision": revision, "prompt": prompt, "sampling": orjson.loads(sampling)}
        for model, revision, prompt, sampling in kinds
    ]


def wilson(k: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a rate of which k of n were seen (Wilson 1927); all of [0, 1] when n is 0."""
    if n == 0:
        return 0.0, 1.0
    z = 1.959963984540054  # of the normal distribution, at 97.5 %
    centre = k + z * z / 2
    spread = z * sqrt(k * (n - k) / n + z * z / 4)
    return max(0.0, (centre - spread) / (n + z * z)), min(1.0, (centre + spread) / (n + z * z))
