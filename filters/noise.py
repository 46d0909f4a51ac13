"""How wrong a verifier is: error rates with their intervals, and what they mean for thresholds and rewards.

A verifier of two verdicts is a noisy channel: it says no to a right answer with the false-negative rate, yes to a
wrong one with the false-positive rate ("Reinforcement Learning with Verifiable yet Noisy Rewards under Imperfect
Verifiers", arXiv 2510.00915). All intervals are at 95 %, and take what was counted as independent of each other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from math import log, sqrt
from typing import Any, NamedTuple

from filters.answers import wilson

DRAWS = 2_000  # of the rates, for an interval


class Rate(NamedTuple):
    """A rate with its interval, and the k of n that it was seen from; `value` is None where nothing was seen."""

    value: float | None
    low: float
    high: float
    k: int
    n: int


def rate(k: int, n: int) -> Rate:
    """k of n, with Wilson's interval."""
    return Rate(k / n if n else None, *wilson(k, n), k, n)


# --- From a judge's errors to a rule's ------------------------------------------------------------------------


class Count(NamedTuple):
    """How often the judge said yes, of how many times that it decided."""

    yes: int
    n: int


class Seen(NamedTuple):
    """What a judge said of attempts of four kinds, and how many attempts the rule passed and failed in all."""

    right: Count  # controls that are known to be right
    wrong: Count  # controls that are known to be wrong
    failed: Count  # appeals of attempts that the rule failed
    passed: Count  # audited ones of those that the rule passed
    rule_passed: int
    rule_failed: int

    def counts(self) -> tuple[Count, Count, Count, Count]:
        return self.right, self.wrong, self.failed, self.passed


class _Rates(NamedTuple):
    """What the estimates are computed from: five rates, as seen or as drawn."""

    yes_to_right: float
    yes_to_wrong: float
    yes_to_failed: float
    yes_to_passed: float
    fails: float


def estimates(seen: Seen, *, draws: int = DRAWS) -> dict[str, Rate]:
    """The error rates of the judge, and those of the rule corrected for the judge's.

    `judge_false_negative` and `judge_false_positive` come from the controls. `right_of_failed` and `wrong_of_passed`
    are the shares of the rule's fails that are right and of its passes that are wrong: the judge's share of yes,
    corrected as (yes - fp) / (1 - fn - fp) (Rogan and Gladen 1978). `rule_false_negative` (of all right attempts)
    and `rule_false_positive` (of all wrong ones) follow from these with the share that the rule fails. Their
    intervals hold the middle 95 % of `draws` from the rates' posterior distributions under Jeffreys' prior, so that
    they carry the doubt about the judge too.
    """
    drawn = _drawn(seen, draws)
    controls = (seen.right, seen.wrong)
    return {
        "judge_false_negative": rate(*_no(seen.right)),
        "judge_false_positive": rate(*seen.wrong),
        "right_of_failed": _estimate(_right_of_failed, drawn, seen, of=seen.failed, needs=(*controls, seen.failed)),
        "wrong_of_passed": _estimate(
            _wrong_of_passed, drawn, seen, of=_no(seen.passed), needs=(*controls, seen.passed)
        ),
        "rule_false_negative": _estimate(_rule_false_negative, drawn, seen, of=seen.failed, needs=seen.counts()),
        "rule_false_positive": _estimate(_rule_false_positive, drawn, seen, of=_no(seen.passed), needs=seen.counts()),
    }


def _no(count: Count) -> Count:
    return Count(count.n - count.yes, count.n)


def _estimate(
    how: Callable[[_Rates], float | None], drawn: list[_Rates], seen: Seen, *, of: Count, needs: Iterable[Count]
) -> Rate:
    if not all(count.n for count in needs):
        return Rate(None, 0.0, 1.0, *of)
    values: list[float] = []
    for rates in drawn:
        value = how(rates)
        values += [0.0, 1.0] if value is None else [value, value]  # a judge at chance tells nothing, either way
    values.sort()
    at = len(values) // 40
    return Rate(how(_as_seen(seen)), values[at], values[-1 - at], *of)


def _as_seen(seen: Seen) -> _Rates:
    right, wrong, failed, passed = (count.yes / max(count.n, 1) for count in seen.counts())
    return _Rates(right, wrong, failed, passed, seen.rule_failed / max(seen.rule_passed + seen.rule_failed, 1))


def _drawn(seen: Seen, draws: int) -> list[_Rates]:
    """Draws from the posterior of each rate; a function of what was seen."""
    chance = random.Random(repr(tuple(seen)))
    counts = [*seen.counts(), Count(seen.rule_failed, seen.rule_passed + seen.rule_failed)]
    return [_Rates(*(chance.betavariate(yes + 0.5, n - yes + 0.5) for yes, n in counts)) for _ in range(draws)]


def _share_of_right(yes: float, rates: _Rates) -> float | None:
    """The share of right ones among those that the judge says yes to at this rate; None for a judge at chance."""
    told_apart = rates.yes_to_right - rates.yes_to_wrong
    return min(1.0, max(0.0, (yes - rates.yes_to_wrong) / told_apart)) if told_apart > 0 else None


def _right_of_failed(rates: _Rates) -> float | None:
    return _share_of_right(rates.yes_to_failed, rates)


def _wrong_of_passed(rates: _Rates) -> float | None:
    right = _share_of_right(rates.yes_to_passed, rates)
    return None if right is None else 1 - right


def _rule_false_negative(rates: _Rates) -> float | None:
    right, wrong = _right_of_failed(rates), _wrong_of_passed(rates)
    return None if right is None or wrong is None else _of(rates.fails * right, (1 - rates.fails) * (1 - wrong))


def _rule_false_positive(rates: _Rates) -> float | None:
    right, wrong = _right_of_failed(rates), _wrong_of_passed(rates)
    return None if right is None or wrong is None else _of((1 - rates.fails) * wrong, rates.fails * (1 - right))


def _of(part: float, rest: float) -> float | None:
    """The share of a part; None where there is nothing to have a share of."""
    return part / (part + rest) if part + rest else None


# --- The threshold of a judge ---------------------------------------------------------------------------------


class NoBetterThanChance(ValueError):
    """A judge that says yes to wrong answers as often as to right ones has no threshold."""


class Threshold(NamedTuple):
    """From which share of yes an answer passes, and what that is seen to do on the labelled slice."""

    at_least: float
    true_positive: Rate  # a single vote's, of right answers; between it and the next lies the threshold
    false_positive: Rate
    right_passed: Rate  # of right answers, by all their votes
    wrong_passed: Rate


def calibrate(labelled: Iterable[tuple[int, int, bool]]) -> Threshold:
    """The threshold for the share of yes, from (yes, votes, right?) of each answer in a labelled slice.

    It is the share that right and wrong answers give equally likely, ln((1-f)/(1-t)) / ln(t(1-f)/(f(1-t))) for the
    rates t and f of yes to right and to wrong ones. It lies between the two, so that more votes always help; at 0.5
    they need not: with f = 0.55 they make it worse. The votes are those of a verifier that is asked repeatedly, as
    Heimdall is (arXiv 2504.10337). Intervals take each answer for one vote, since its votes are not independent.
    Raises NoBetterThanChance, and ValueError where the slice lacks right or wrong answers.
    """
    voted = [each for each in labelled if each[1] > 0]
    right, wrong = ([(yes, votes) for yes, votes, is_right in voted if is_right is kind] for kind in (True, False))
    if not right or not wrong:
        raise ValueError(f"{len(right)} right and {len(wrong)} wrong answers were voted on; some of both are needed")
    t, f = _single_vote(right), _single_vote(wrong)
    if not _surely_above(t, f):
        raise NoBetterThanChance(
            f"the judge says yes to {t.value:.0%} of right and {f.value:.0%} of wrong answers"
            f" ({t.n} and {f.n} of them): no better than chance, so that no threshold helps"
        )
    at_least = _equally_likely(_off_the_ends(t), _off_the_ends(f))
    return Threshold(at_least, t, f, _passing(right, at_least), _passing(wrong, at_least))


def _single_vote(votes: list[tuple[int, int]]) -> Rate:
    """How often one vote says yes, with the interval that as many votes as there are answers would have."""
    share, n = sum(yes for yes, _ in votes) / sum(cast for _, cast in votes), len(votes)
    return rate(round(share * n), n)._replace(value=share)


def _surely_above(high: Rate, low: Rate) -> bool:
    """Whether the interval of the difference of two rates lies above 0 (Newcombe 1998)."""
    p, q = high.value or 0.0, low.value or 0.0
    return p - q > sqrt(max(0.0, p - high.low) ** 2 + max(0.0, low.high - q) ** 2)


def _off_the_ends(seen: Rate) -> float:
    """Away from 0 and 1, of which no number of votes is sure."""
    return ((seen.value or 0.0) * seen.n + 0.5) / (seen.n + 1)


def _equally_likely(t: float, f: float) -> float:
    return log((1 - f) / (1 - t)) / log(t * (1 - f) / (f * (1 - t)))


def _passing(votes: list[tuple[int, int]], at_least: float) -> Rate:
    return rate(sum(yes / cast >= at_least for yes, cast in votes), len(votes))


# --- Rewards --------------------------------------------------------------------------------------------------


def backward_corrected(reward: float, *, false_negative: float, false_positive: float) -> float:
    """An unbiased reward from a noisy one: (reward - fp) / (1 - fn - fp) (arXiv 2510.00915, backward correction).

    Its mean over the noise is the true reward, 0 or 1; single values lie outside. Raises ValueError for a verifier
    at chance.
    """
    if false_negative + false_positive >= 1:
        raise ValueError(f"rates of {false_negative} and {false_positive} are those of chance: nothing can be told")
    return (reward - false_positive) / (1 - false_negative - false_positive)


def forward_weight(reward: float, *, false_negative: float) -> float:
    """What to weight the score function of a noisy reward with: fn - 1 for 0 and fn for 1 (arXiv 2510.00915).

    Over the noise the mean weight of a wrong answer is -(1 - fn - fp) and that of a right one 0, so that the expected
    update has the direction of the true one; only the false-negative rate needs to be known.
    """
    return reward - 1 + false_negative


def told(rates: Mapping[str, Rate]) -> dict[str, Any]:
    """Rates as JSON, to five places."""
    return {
        name: {key: round(part, 5) if isinstance(part, float) else part for key, part in each._asdict().items()}
        for name, each in rates.items()
    }
