"""How much do the answers to a question differ in meaning? Semantic entropy, which needs no reference.

Answers are gathered into classes of equal ones, as in `votes`; the entropy is that of the classes' shares, in nats:
0 when all say the same, log K when K answers are all different. Semantic entropy (arXiv 2302.09664) in its discrete
form, which needs no probabilities; as a measure of a question's uncertainty in training, SEED-GRPO (2505.12346).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from math import fsum, inf, log
from statistics import StatisticsError, correlation
from typing import Any

from filters.answers import QUOTED
from filters.rule import Case, Check, Ruling, passed, unsure
from filters.votes import SHOWN, counts, elect, equality, no_vote, votes_in
from pipelines.records import Verdict


def semantic_entropy(
    case: Case, check: Check, *, at_least: float = 0.0, at_most: float | None = None
) -> list[Ruling]:
    """Measure how much the final answers differ, in nats; pass within the band, both ends included.

    Attempts without a final answer are counted, and no class. Where answers cannot be compared, the entropy lies
    between `lowest`, should all such pairs be equal, and `highest`, should none; the score is the highest. Unsure
    when a limit lies between them, and when nothing was answered.
    """
    votes = votes_in(case)
    context = counts(case, votes)
    if not votes:
        return [unsure(no_vote(case) or "no answers", context=context)]
    election = elect(votes, equality(case, votes, check))
    highest = entropy([votes_of for _, votes_of in election.classes])
    lowest = entropy([sum(votes[answer] for answer in group) for group in election.possible])
    context |= {"classes": len(election.classes), "max_entropy": log(votes.total())}
    classes = [[answer[:QUOTED], votes_of] for answer, votes_of in election.classes[:SHOWN]]
    evidence = {"classes": classes, "lowest": lowest, "highest": highest}
    outcome = passed(score=highest, context=context, evidence=evidence)
    limit = inf if at_most is None else at_most
    if highest < at_least:
        return [outcome._replace(status="fail", reason="the answers differ less than asked")]
    if lowest > limit:
        return [outcome._replace(status="fail", reason="the answers differ more than asked")]
    if lowest < at_least or highest > limit:
        return [outcome._replace(status="unsure", reason="the entropy hangs on answers that cannot be compared")]
    return [outcome]


def entropy(sizes: Sequence[Any]) -> float:
    """The entropy in nats of classes of these sizes, whatever their order. Sizes are above zero."""
    total = sum(sizes)
    # Their logarithms are never below zero, nor is the sum.
    return fsum(size / total * log(total / size) for size in sizes)


# --- Beside the pass rate -------------------------------------------------------------------------------------


def beside_pass_rate(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """How semantic entropy goes with the pass rate, over the problems that have both.

    `n` problems, and `spearman`, the correlation of their ranks: None when one of the two never varies. A problem's
    last verdict counts.
    """
    told = list(verdicts)
    entropies, rates = _scores(told, "semantic_entropy"), _scores(told, "pass_rate")
    both = sorted(entropies.keys() & rates.keys())
    return {"n": len(both), "spearman": spearman([entropies[each] for each in both], [rates[each] for each in both])}


def _scores(verdicts: Iterable[Verdict], rule: str) -> dict[str, float]:
    named = (each for each in verdicts if each.rule.rpartition("@")[0] == rule)
    return {each.subjects[0]: each.score for each in named if each.score is not None}


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """The correlation of ranks (Spearman 1904), equals sharing the mean of theirs; None where it is undefined."""
    try:
        return correlation(ranks(a), ranks(b))
    except StatisticsError:
        return None


def ranks(values: Sequence[float]) -> list[float]:
    """The rank of each, from 1; equals share the mean of theirs."""
    rank, before = dict[float, float](), 0
    for value, equals in groupby(sorted(values)):
        size = len(list(equals))
        rank[value] = before + (size + 1) / 2
        before += size
    return [rank[value] for value in values]
