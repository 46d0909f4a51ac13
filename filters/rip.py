"""Prompts judged by their worst response: Rejecting Instruction Preferences (RIP, arXiv 2501.18578).

A prompt that is vague, contradictory or lacks what it speaks of shows in the worst of its responses: that one
scores low, is short, and lies far below the best. `worst_reward` measures this for each problem, `rip` decides over
the pool.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from math import floor, isfinite
from statistics import fmean
from typing import Any, NamedTuple

import orjson

from filters.rule import Case, Check, Ruling, failed, passed, unsure
from pipelines.records import Verdict, digest

# --- Each problem ---------------------------------------------------------------------------------------------


def worst_reward(case: Case, check: Check) -> list[Ruling]:
    """Measure a problem by the rewards of its finished attempts, of which it needs two.

    The score is the worst reward; the evidence has the three numbers of RIP: `worst`, the `length` of that response
    in characters, and the `gap` between best and worst. Several rewards of one attempt are averaged.
    """
    scorers = list(dict.fromkeys(map(_scorer, _rewards(case))))
    if len(scorers) > 1:
        return [unsure("rewards of several scorers cannot be compared", context={"scorers": scorers})]
    rewarded = _rewarded(case)
    context = {
        "n": len(rewarded),
        "left_out": len(case.attempts) - len(rewarded),
        "scorer": scorers[0] if scorers else None,
    }
    if len(rewarded) < 2:
        return [unsure("fewer than two rewards", context=context)]
    worst, length, attempt = min(rewarded)
    gap = max(rewarded)[0] - worst
    evidence = {"worst": worst, "length": length, "gap": gap, "attempt": attempt}
    return [passed(score=worst, context=context, evidence=evidence)]


def _rewards(case: Case) -> list[Verdict]:
    """Rewards that could be told; what is not a number orders nothing."""
    given = (each for each in case.verdicts if each.rule.startswith("reward@"))
    return [each for each in given if each.score is not None and isfinite(each.score)]


def _scorer(reward: Verdict) -> str:
    """Who gave a reward, as one line: the rule, the model and its revision."""
    context = orjson.loads(reward.context)
    named = (reward.rule, context.get("scorer"), context.get("revision"))
    return " ".join(str(part) for part in named if part is not None)


def _rewarded(case: Case) -> list[tuple[float, int, str]]:
    """For each finished attempt that has a reward: the reward, the length of its text, its id."""
    rewards: dict[str, list[float]] = defaultdict(list)
    for each in _rewards(case):
        for subject in each.subjects:
            rewards[subject].append(each.score or 0.0)
    finished = [attempt for attempt in case.attempts if attempt.finish == "stop" and attempt.id in rewards]
    return [(fmean(rewards[attempt.id]), len(attempt.text), attempt.id) for attempt in finished]


# --- The pool -------------------------------------------------------------------------------------------------


class _Worst(NamedTuple):
    """What `worst_reward` measured, and the case's place in the pool."""

    reward: float
    length: int  # of the worst response, in characters
    gap: float
    place: int


class _Cut(NamedTuple):
    """What one quantile takes out."""

    name: str
    threshold: float | None  # the first value that stays; None when nothing does
    places: frozenset[int]


_REASONS = {
    "reward": "worst reward among the lowest",
    "length": "worst response among the shortest",
    "gap": "gap between best and worst among the widest",
}


def rip(
    cases: Sequence[Case],
    *,
    reward_quantile: float = 0.25,
    length_quantile: float | None = None,
    gap_quantile: float | None = None,
) -> list[Ruling]:
    """Keep the problems whose worst response is good enough among the n of the pool that were measured.

    The `reward_quantile` q takes out the floor(q·n) problems with the lowest worst reward; 0.25 by itself is what
    CoT-Self-Instruct uses with strong solvers (arXiv 2507.23751). `length_quantile` does so with the
    shortest worst responses, and `gap_quantile` keeps all but the floor((1-q)·n) widest gaps. RIP itself does best
    with all three at 0.5. Each looks at the whole pool, whatever the others take out; of equals the later goes.
    """
    measured = [each for place, case in enumerate(cases) if (each := _measured(case, place))]
    cuts = [_cut("reward", sorted(measured, key=lambda each: (each.reward, -each.place)), _share(reward_quantile))]
    if length_quantile is not None:
        by_length = sorted(measured, key=lambda each: (each.length, -each.place))
        cuts.append(_cut("length", by_length, _share(length_quantile)))
    if gap_quantile is not None:
        widest_first = sorted(measured, key=lambda each: (-each.gap, -each.place))
        cuts.append(_cut("gap", widest_first, 1 - _share(gap_quantile)))
    thresholds = {cut.name: cut.threshold for cut in cuts}
    context = {"n": len(measured), "pool": digest([case.problem.id for case in cases]), "thresholds": thresholds}
    known = {each.place: each for each in measured}
    return [_ruling(known.get(place), cuts, context) for place in range(len(cases))]


def _measured(case: Case, place: int) -> _Worst | None:
    """The last measurement of this problem that could be made."""
    told = [each for each in case.verdicts if each.rule.startswith("worst_reward@") and each.status == "pass"]
    if not told:
        return None
    evidence = orjson.loads(told[-1].evidence)
    return _Worst(evidence["worst"], evidence["length"], evidence["gap"], place)


def _cut(name: str, ranked: Sequence[_Worst], share: Fraction) -> _Cut:
    """Take out the first floor(share·n)."""
    count = floor(share * len(ranked))
    threshold = ranked[count]._asdict()[name] if count < len(ranked) else None
    return _Cut(name, threshold, frozenset(each.place for each in ranked[:count]))


def _share(quantile: float) -> Fraction:
    """The number as it is written: 0.29 of a hundred is 29, though as a binary fraction it is less."""
    if not 0 <= quantile <= 1:
        raise ValueError(f"rip: {quantile} is no quantile; it lies between 0 and 1")
    return Fraction(str(quantile))


def _ruling(measured: _Worst | None, cuts: Sequence[_Cut], context: dict[str, Any]) -> Ruling:
    if measured is None:
        return unsure("no worst reward; sift with worst_reward before", context=context)
    evidence = {"worst": measured.reward, "length": measured.length, "gap": measured.gap}
    reasons = [_REASONS[cut.name] for cut in cuts if measured.place in cut.places]
    if reasons:
        return failed(reasons[0], score=measured.reward, context=context, evidence={**evidence, "reasons": reasons})
    return passed(score=measured.reward, context=context, evidence=evidence)
