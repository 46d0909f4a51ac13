"""How hard is a problem, and for whom?

A difficulty belongs to the solver that was measured: its model and revision, its prompt and sampling, the verifier's
version. So every rule here names its solvers, counts only their attempts, and is unsure where it is asked for one
that made none, or where a name stands for several that cannot be pooled. A solver is named by its role in the
recipe, its model, or "model@revision".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import exp, inf, sqrt
from typing import Any, NamedTuple

import orjson

from filters.answers import answer_matches, label, solvers, wilson
from filters.rule import Case, Check, Ruling, failed, passed, unsure
from filters.trace import trace
from filters.votes import equality, no_vote, self_consistency_compares, votes_in
from filters.words import words
from pipelines.records import Attempt, Verdict

# --- One solver's rate ----------------------------------------------------------------------------------------


class Rate(NamedTuple):
    """How often one solver was right: k of the n attempts that could be decided."""

    k: int
    n: int
    told: Mapping[str, Any]  # the context of a verdict: k, n, interval, what was left out, solver, verifier

    @property
    def value(self) -> Fraction:
        """Only where n is above zero."""
        return Fraction(self.k, self.n)


def rate(case: Case, check: Check, solver: str | None) -> Rate | Ruling:
    """The pass rate of a solver; unsure when it made no attempt, when it is several, or when nothing was decided.

    None asks for the only solver there is.
    """
    mine = case._replace(attempts=attempts_of(case, solver))
    kinds = solvers(mine)
    if len(kinds) != 1:
        return _no_solver(case, solver, kinds)
    matches = list(answer_matches(mine, check))
    k, wrong = (sum(match.status == status for match in matches) for status in ("pass", "fail"))
    left_out = Counter(match.reason for match in matches if match.status in ("unsure", "error"))
    low, high = wilson(k, k + wrong)
    name = case.problem.verifier
    told = {"k": k, "n": k + wrong, "low": low, "high": high, "left_out": dict(left_out), "solver": kinds[0]}
    told["verifier"] = name and label(name)
    return Rate(k, k + wrong, told) if k + wrong else unsure("no attempt could be decided", context=told)


def attempts_of(case: Case, solver: str | None) -> list[Attempt]:
    """The attempts of that role, model or "model@revision"; all for None."""
    return [each for each in case.attempts if solver is None or solver in _names(each)]


def _names(attempt: Attempt) -> tuple[str, str, str]:
    return attempt.role, attempt.model, f"{attempt.model}@{attempt.revision}"


def _no_solver(case: Case, solver: str | None, kinds: Sequence[Mapping[str, Any]]) -> Ruling:
    """Why one rate cannot be told."""
    asked = {"asked": solver, "solvers": kinds or solvers(case)}
    if kinds:
        return unsure("several solvers, whose attempts cannot be pooled", context=asked)
    return unsure("no attempts" if solver is None else "this solver was not measured", context=asked)


def difficulty(verdicts: Iterable[Verdict], *, model: str, revision: str | None) -> dict[str, float]:
    """By problem, the last pass rate that was told of this solver, for a trainer that would filter again.

    Rates of other models or revisions, or of several at once, are no answer and are left out: a difficulty is
    refused when it is asked for another model's.
    """
    rates: dict[str, float] = {}
    for each in verdicts:
        if each.rule.rpartition("@")[0] in ("pass_rate", "balanced") and each.score is not None:
            told = orjson.loads(each.context)
            measured = told.get("solvers") or [told.get("solver") or {}]
            if [(one.get("model"), one.get("revision")) for one in measured] == [(model, revision)] and told["n"]:
                rates[each.subjects[0]] = told["k"] / told["n"]
    return rates


# --- Bands ----------------------------------------------------------------------------------------------------


def balanced(case: Case, check: Check, *, solver: str | None = None, within: float = 0.3) -> list[Ruling]:
    """Pass a problem that its solver gets right about half the time: at a rate p within this distance of one half.

    The score is p(1 - p), the variance of one attempt's reward, greatest at one half. What is always right or always
    wrong goes, whatever `within`. Balanced difficulty filtering (arXiv 2504.03380).
    """
    found = rate(case, check, solver)
    if isinstance(found, Ruling):
        return [found]
    p = found.value
    outcome = passed(score=float(p * (1 - p)), context=found.told)
    if in_balance(found.k, found.n, within=within):
        return [outcome]
    often = "always right" if found.k == found.n else "right more often than asked"
    seldom = "right less often than asked" if found.k else "never right"
    return [outcome._replace(status="fail", reason=often if p > Fraction(1, 2) else seldom)]


def unsolved(case: Case, check: Check, *, solver: str | None = None, at_most: float = 0.0) -> list[Ruling]:
    """Pass a problem that its solver gets right at this rate or less; the score is the rate.

    With a small solver and few attempts this drops what is too easy for a larger one (s1, arXiv 2501.19393, and
    NEMOTRON-CROSSTHINK, arXiv 2504.13941).
    """
    found = rate(case, check, solver)
    if isinstance(found, Ruling):
        return [found]
    outcome = passed(score=found.k / found.n, context={**found.told, "at_most": at_most})
    return [outcome if found.k <= at_most * found.n else outcome._replace(status="fail", reason="solved too often")]


def in_balance(k: int, n: int, *, within: float) -> bool:
    """Whether k right of n is this near to one half, and neither none nor all: what a trainer asks of a group."""
    return 0 < k < n and abs(Fraction(k, n) - Fraction(1, 2)) <= Fraction(str(within))


def still_hard(case: Case, check: Check, *, at_most: float = 0.5) -> list[Ruling]:
    """Pass a problem which at the last count its solver got right at most this often, or of which nobody knows.

    The count is what a version of an earlier round has `measured`: k, n, and whom it was measured with.
    """
    told = _measured(case.problem.details)
    if told is None:
        return [passed()]
    share = told["k"] / told["n"]
    outcome = passed(score=share, context={"measured": told})
    return [outcome if share <= at_most else outcome._replace(status="fail", reason="right more often than asked")]


def _measured(details: str) -> dict[str, Any] | None:
    """The count that a problem came with; None where there is none that can be read."""
    try:
        told = orjson.loads(orjson.loads(details).get("measured") or "null")
    except (orjson.JSONDecodeError, TypeError):
        return None
    known = isinstance(told, dict) and all(isinstance(told.get(name), int) for name in ("k", "n"))
    return told if known and 0 <= told["k"] <= told["n"] > 0 else None


def learnable(
    case: Case, check: Check, *, solver: str | None = None, mean: float = 0.5, width: float = 0.2
) -> list[Ruling]:
    """Pass a problem that its solver gets right sometimes; what is always right is mastered, what never too hard.

    The score is what an example of posing it is worth, exp(-(s - mean)^2 / (2 width^2)) at a pass rate s; the value
    is the zone: learning, mastered or too hard. Socratic-Zero (arXiv 2509.24726).
    """
    found = rate(case, check, solver)
    if isinstance(found, Ruling):
        return [found]
    worth = exp(-((float(found.value) - mean) ** 2) / (2 * width**2)) if width > 0 else 0.0
    if 0 < found.k < found.n:
        return [passed(score=worth, value="learning", context=found.told)]
    zone = "mastered" if found.k else "too hard"
    return [Ruling("fail", f"the problem is {zone}", worth, zone, found.told)]


# --- Variance promotion ---------------------------------------------------------------------------------------

GRAM = 4  # words


def variance_promotion(
    case: Case, check: Check, *, solver: str | None = None, outcome_weight: float = 0.8
) -> list[Ruling]:
    """Measure how much reward variance a problem promises: that of the outcomes, and how much its attempts differ.

    The score is `outcome_weight` times 4p(1 - p), 0 to 1, and the rest times the diversity of the trajectories. The
    Variance Promotion Score of MMR1 (arXiv 2509.21268); how diversity is measured there we did not take over.
    """
    found = rate(case, check, solver)
    if isinstance(found, Ruling):
        return [found]
    variance = float(4 * found.value * (1 - found.value))
    diversity = trajectory_diversity([trace(each) for each in attempts_of(case, solver) if each.finish == "stop"])
    score = outcome_weight * variance + (1 - outcome_weight) * diversity
    return [passed(score=score, context=found.told, evidence={"variance": variance, "diversity": diversity})]


def trajectory_diversity(texts: Sequence[str]) -> float:
    """How much several texts differ: 0 when all have the same runs of four words, 1 when no two share any.

    For K texts the number of different runs lies between that of all over K and that of all; the score is where.
    """
    runs = [_runs(text) for text in texts]
    total = sum(map(len, runs))
    if len(texts) < 2 or not total:
        return 0.0
    share = len(set().union(*runs)) / total
    return max(0.0, (share - 1 / len(texts)) / (1 - 1 / len(texts)))


def _runs(text: str) -> set[tuple[str, ...]]:
    tokens = words(text)
    return {tuple(tokens[place : place + GRAM]) for place in range(max(1, len(tokens) - GRAM + 1))}


# --- Two solvers ----------------------------------------------------------------------------------------------


def weak_strong_gap(
    case: Case, check: Check, *, weak: str = "student", strong: str = "teacher", at_least: float = 0.0
) -> list[Ruling]:
    """Pass a problem that the strong solver gets right more often than the weak one, by so much.

    The score is the difference of their rates; the context has its 95 % interval, by Newcombe's method from both
    intervals (1998), and both rates with all that they depend on.
    """
    low, high = rate(case, check, weak), rate(case, check, strong)
    if isinstance(low, Ruling) or isinstance(high, Ruling):
        return [next(each for each in (low, high) if isinstance(each, Ruling))]
    gap = high.value - low.value
    outcome = passed(
        score=float(gap), context={"interval": _newcombe(low, high), "weak": low.told, "strong": high.told}
    )
    if gap < Fraction(str(at_least)):
        return [outcome._replace(status="fail", reason="the gap is smaller than asked")]
    return [outcome]


def _newcombe(weak: Rate, strong: Rate) -> tuple[float, float]:
    """The 95 % interval of the difference of two independent rates."""
    gap = float(strong.value - weak.value)
    (low_1, high_1), (low_2, high_2) = wilson(strong.k, strong.n), wilson(weak.k, weak.n)
    p_1, p_2 = float(strong.value), float(weak.value)
    return (
        gap - sqrt((p_1 - low_1) ** 2 + (high_2 - p_2) ** 2),
        gap + sqrt((high_1 - p_1) ** 2 + (p_2 - low_2) ** 2),
    )


def teachable(
    case: Case,
    check: Check,
    *,
    student: str = "student",
    teacher: str = "teacher",
    student_at_most: float = 0.5,
    teacher_at_least: float = 0.75,
) -> list[Ruling]:
    """Pass a problem that the student often fails and the teacher reliably solves.

    The value says which it is: `teachable`, `mastered` by the student, or `beyond` the teacher. The score is the
    difference of the rates. "Teachable" prompts of Phi-4-reasoning (arXiv 2504.21318).
    """
    [gap] = weak_strong_gap(case, check, weak=student, strong=teacher, at_least=-1.0)
    if gap.status != "pass":
        return [gap]
    rates = [Fraction(gap.context[who]["k"], gap.context[who]["n"]) for who in ("weak", "strong")]
    if rates[0] > Fraction(str(student_at_most)):
        return [gap._replace(status="fail", value="mastered", reason="the student solves it already")]
    if rates[1] < Fraction(str(teacher_at_least)):
        return [gap._replace(status="fail", value="beyond", reason="the teacher does not solve it reliably")]
    return [gap._replace(value="teachable")]


# --- Disagreement, which needs no reference -------------------------------------------------------------------


def disagreement(
    case: Case,
    check: Check,
    *,
    weak: str = "student",
    strong: str = "teacher",
    at_least: float = 0.0,
    at_most: float = 1.0,
) -> list[Ruling]:
    """Pass a problem on which two solvers disagree so often: the share of pairs, one answer of each, that differ.

    The score counts pairs that cannot be compared as different, `lowest` in the evidence as equal; unsure when a
    limit lies between. As a measure of difficulty: NaturalThoughts (arXiv 2507.01921).
    """
    if reason := no_vote(case):
        return [unsure(reason)]
    sides = [case._replace(attempts=attempts_of(case, solver)) for solver in (weak, strong)]
    for side, solver in zip(sides, (weak, strong), strict=True):
        if len(solvers(side)) != 1:
            return [_no_solver(case, solver, solvers(side))]
    mine, theirs = map(votes_in, sides)
    context: dict[str, Any] = {"weak": _side(sides[0], mine), "strong": _side(sides[1], theirs)}
    context["verifier"] = label(str(case.problem.verifier))
    if not mine or not theirs:
        return [unsure("one of them found no answer", context=context)]
    highest, lowest = _differing(case, mine, theirs, check)
    outcome = _between(highest, lowest, at_least, at_most)
    return [outcome._replace(score=highest, context=context, evidence={"lowest": lowest, "highest": highest})]


def disagreement_compares(case: Case) -> Iterable[tuple[str, str]]:
    """Every two distinct spellings, as they may be of different solvers."""
    return self_consistency_compares(case)


def _side(case: Case, votes: Counter[str]) -> dict[str, Any]:
    return {"n": len(case.attempts), "answered": votes.total(), "solver": solvers(case)[0]}


def _differing(case: Case, mine: Counter[str], theirs: Counter[str], check: Check) -> tuple[float, float]:
    """The share of pairs that differ, if what cannot be compared differs, and if it does not."""
    equal = equality(case, votes_in(case), check)
    pairs = Counter[bool | None]()
    for a, b in product(mine, theirs):
        pairs[True if a == b else equal(a, b)] += mine[a] * theirs[b]
    return 1 - pairs[True] / pairs.total(), pairs[False] / pairs.total()


def _between(highest: float, lowest: float, at_least: float, at_most: float) -> Ruling:
    """Whether a number known to lie between two others is in the band."""
    if highest < at_least:
        return failed("they disagree less than asked")
    if lowest > at_most:
        return failed("they disagree more than asked")
    if lowest < at_least or highest > at_most:
        return unsure("hangs on answers that cannot be compared")
    return passed()


# --- Length ---------------------------------------------------------------------------------------------------


def trace_length(case: Case, check: Check, *, at_least: float = 0.0, at_most: float = inf) -> Iterator[Ruling]:
    """Pass each attempt whose trace has so many words; tokens, where they were counted, stand in the evidence."""
    for attempt in case.attempts:
        score = float(len(words(trace(attempt))))
        evidence = {"tokens": attempt.completion_tokens} if attempt.completion_tokens is not None else {}
        ruling = passed() if at_least <= score <= at_most else failed("shorter or longer than asked")
        if attempt.finish != "stop":
            ruling = unsure("did not end by itself")
        yield ruling._replace(score=score, evidence=evidence, about=(attempt.id,))


def verbosity(case: Case, check: Check, *, at_most: float = inf) -> Iterator[Ruling]:
    """Pass each attempt that takes at most so many times the words of the shortest right one at the same problem.

    The score says how many times. Unsure where no finished attempt is right.
    """
    right = {each.about[0] for each in answer_matches(case, check) if each.status == "pass" and each.about}
    lengths = {each.id: len(words(trace(each))) for each in case.attempts}
    shortest = min((lengths[id] for id in right if lengths[id]), default=None)
    for attempt in case.attempts:
        ruling = unsure("no attempt is known to be right") if shortest is None else passed()
        if shortest is not None:
            score = lengths[attempt.id] / shortest
            ruling = passed(score=score) if score <= at_most else failed("more words than asked", score=score)
        yield ruling._replace(context={"shortest": shortest}, about=(attempt.id,))


# --- How many samples? ----------------------------------------------------------------------------------------


def surely_settled(k: int, n: int, *, most: int, at_least: float, at_most: float) -> bool:
    """Whether no further samples, up to `most`, can still change if the rate lies in the band.

    k of n were right. Stopping here gives the very ruling that all `most` samples would give.
    """
    worst, best = k / most, (k + most - n) / most  # as `pass_rate` divides
    return n >= most or best < at_least or worst > at_most or (at_least <= worst and best <= at_most)


def likely_settled(k: int, n: int, *, at_least: float, at_most: float) -> bool:
    """Whether the 95 % interval of k right of n lies all within the band, or all on one side of it.

    Looking again and again, one errs more often than looking once: `error_of_looking` says how often.
    """
    low, high = wilson(k, n)
    return high < at_least or low > at_most or (at_least <= low and high <= at_most)


def narrow_enough(k: int, n: int, *, width: float) -> bool:
    """Whether the 95 % interval of the rate is no wider than this."""
    low, high = wilson(k, n)
    return high - low <= width


def error_of_looking(p: float, looks: Sequence[int], *, at_least: float, at_most: float) -> tuple[float, float]:
    """How often a solver of true rate p is settled wrongly, and the mean number of samples until it is settled.

    `looks` are the sample sizes, ascending, after which `likely_settled` is asked; at the last one it counts as
    undecided, not as wrong. Exact, by the distribution of k along the way.
    """
    inside, wrong, spent, open_ = at_least <= p <= at_most, 0.0, 0.0, {0: 1.0}
    for before, n in zip([0, *looks], looks, strict=False):
        open_ = _after(open_, n - before, p)
        for k in [k for k in open_ if likely_settled(k, n, at_least=at_least, at_most=at_most) or n == looks[-1]]:
            share = open_.pop(k)
            spent += share * n
            settled = likely_settled(k, n, at_least=at_least, at_most=at_most)
            wrong += share if settled and (at_least <= k / n <= at_most) != inside else 0.0
    return wrong, spent


def _after(open_: Mapping[int, float], samples: int, p: float) -> dict[int, float]:
    """How likely each number of right ones is, so many samples later."""
    now = dict(open_)
    for _ in range(samples):
        grown: dict[int, float] = {}
        for k, share in now.items():
            grown[k] = grown.get(k, 0.0) + share * (1 - p)
            grown[k + 1] = grown.get(k + 1, 0.0) + share * p
        now = grown
    return now
