"""Choosing among all problems of a version: the best, a band, a diverse or a balanced set; a random one beside it.

Rules over the whole pool. Each chooses among the problems that it knows a number or a name for, and says of the
others that it cannot tell. Whatever the order of the pool, the choice is the same: of equals the one with the lower
id goes first. `random` in the evidence marks a second set of the same size, drawn by digest from the same problems,
since a choice is worth what it is better than chance.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from heapq import heapify, heappop, heappush
from math import floor, isfinite, log
from statistics import fmean
from typing import Any

import orjson

from filters.rule import Case, Ruling, failed, passed, unsure
from pipelines.records import Verdict, digest

# --- What is known of a problem -------------------------------------------------------------------------------


def score_of(case: Case, by: str) -> float | None:
    """The score that the rule `by` gave last: the problem's, else the mean over its attempts."""
    last = _last(case, by)
    scores = {subject: each.score for subject, each in last.items() if each.score is not None}
    known = {subject: score for subject, score in scores.items() if isfinite(score)}
    if case.problem.id in known:
        return known[case.problem.id]
    return fmean(known[subject] for subject in sorted(known)) if known else None


def name_of(case: Case, by: str) -> str | None:
    """What the problem is called by `by`: its own `domain` or `source`, or the value that this rule gave it last."""
    if by in ("domain", "source"):
        return getattr(case.problem, by)
    told = _last(case, by).get(case.problem.id)
    return told.value if told else None


def names_in(case: Case, by: str, key: str) -> frozenset[str]:
    """The names that the rule `by` lists under `key` in its evidence, on the problem and on all its attempts."""
    listed = (orjson.loads(each.evidence).get(key) or () for each in _last(case, by).values())
    return frozenset(str(name) for names in listed if isinstance(names, list | dict) for name in names)


def _last(case: Case, by: str) -> dict[str, Verdict]:
    """The last verdict of this rule, of whatever version, about each single subject."""
    told = (each for each in case.verdicts if each.rule.rpartition("@")[0] == by and len(each.subjects) == 1)
    return {each.subjects[0]: each for each in told}


# --- Two arms -------------------------------------------------------------------------------------------------


def drawn(ids: Iterable[str], size: int, *, seed: int = 0, why: str = "random arm") -> list[str]:
    """So many of the ids at random, which is by their digests: what else is in the pool changes no order."""
    return sorted(ids, key=lambda id: digest(why, seed, id))[:size]


def arms(
    cases: Sequence[Case],
    chosen: Collection[str],
    among: Mapping[str, float | None],
    *,
    context: Mapping[str, Any],
    otherwise: str,
    unknown: str,
) -> list[Ruling]:
    """One ruling for each case, by its problem's id: chosen, passed over (`otherwise`), or unsure (`unknown`).

    `among` holds those that could have been chosen, with their scores.
    """
    random = frozenset(drawn(among, len(chosen)))
    pool = digest(sorted(case.problem.id for case in cases))
    context = {"n": len(among), "chosen": len(chosen), "pool": pool, **context}

    def ruling(id: str) -> Ruling:
        if id not in among:
            return unsure(unknown, context=context)
        what: dict[str, Any] = {"score": among[id], "context": context, "evidence": {"random": id in random}}
        return passed(**what) if id in chosen else failed(otherwise, **what)

    return [ruling(case.problem.id) for case in cases]


def scored(cases: Sequence[Case], by: str) -> dict[str, float]:
    """The problems that have a score by this rule."""
    scores = ((case.problem.id, score_of(case, by)) for case in cases)
    return {id: score for id, score in scores if score is not None}


def ranked(scores: Mapping[str, float]) -> list[str]:
    """Highest score first, of equals the lower id."""
    return sorted(scores, key=lambda id: (-scores[id], id))


def share(number: float, name: str) -> Fraction:
    """A share as it is written. Raises ValueError unless it lies between 0 and 1."""
    if not 0 <= number <= 1:
        raise ValueError(f"{name} = {number} should lie between 0 and 1")
    return Fraction(str(number))


# --- By one score ---------------------------------------------------------------------------------------------


def top_k(cases: Sequence[Case], *, by: str = "variance_promotion", k: int = 1_000) -> list[Ruling]:
    """Keep the k problems that the rule `by` scored highest."""
    scores = scored(cases, by)
    return _by_score(cases, ranked(scores)[: _size(k)], scores, by, "not among the highest")


def bottom_k(cases: Sequence[Case], *, by: str = "pass_rate", k: int = 1_000) -> list[Ruling]:
    """Keep the k problems that the rule `by` scored lowest, as the hardest by `pass_rate`."""
    scores = scored(cases, by)
    lowest = ranked({id: -score for id, score in scores.items()})[: _size(k)]
    return _by_score(cases, lowest, scores, by, "not among the lowest")


def quantile_band(
    cases: Sequence[Case], *, by: str = "pass_rate", at_least: float = 0.25, at_most: float = 0.75
) -> list[Ruling]:
    """Keep the problems between two quantiles of the scores by the rule `by`.

    Of n problems in ascending order these are the ones from floor(at_least·n) up to floor(at_most·n), so that bands
    which touch share none and miss none.
    """
    low, high = share(at_least, "at_least"), share(at_most, "at_most")
    scores = scored(cases, by)
    ascending = sorted(scores, key=lambda id: (scores[id], id))
    band = ascending[floor(low * len(ascending)) : floor(high * len(ascending))]
    return _by_score(cases, band, scores, by, "outside the band of quantiles")


def _by_score(
    cases: Sequence[Case], chosen: Sequence[str], scores: Mapping[str, float], by: str, otherwise: str
) -> list[Ruling]:
    kept = [scores[id] for id in chosen]
    context = {"from": min(kept), "to": max(kept)} if kept else {}
    return arms(
        cases,
        frozenset(chosen),
        scores,
        context=context,
        otherwise=otherwise,
        unknown=f"no score; sift with {by} before",
    )


def _size(k: int) -> int:
    if k < 0:
        raise ValueError(f"k = {k} should not be negative")
    return k


def random_k(cases: Sequence[Case], *, k: int = 1_000, seed: int = 0) -> list[Ruling]:
    """Keep k problems by chance: the baseline that is hard to beat."""
    among = dict.fromkeys(case.problem.id for case in cases)
    chosen = frozenset(drawn(among, _size(k), seed=seed, why="random_k"))
    return arms(cases, chosen, among, context={}, otherwise="not drawn", unknown="")


# --- Difficulty and diversity of strategies -------------------------------------------------------------------


def diverse_strategies(
    cases: Sequence[Case], *, difficulty: str = "disagreement", strategies: str = "strategy_count", k: int = 1_000
) -> list[Ruling]:
    """Keep the k problems that are hardest and whose traces show the most strategies, both by rank in the pool.

    The score is the mean of the two ranks, from 0 to 1. `difficulty` and `strategies` are rules that score high what
    is hard and diverse. After NaturalThoughts (arXiv 2507.01921).
    """
    hard, diverse = scored(cases, difficulty), scored(cases, strategies)
    both = hard.keys() & diverse.keys()
    ranks = [_rank_shares({id: scores[id] for id in both}) for scores in (hard, diverse)]
    scores = {id: (ranks[0][id] + ranks[1][id]) / 2 for id in sorted(both)}
    chosen = frozenset(ranked(scores)[: _size(k)])
    context = {name: _means(values, chosen) for name, values in ((difficulty, hard), (strategies, diverse))}
    unknown = f"no score; sift with {difficulty} and {strategies} before"
    return arms(
        cases, chosen, scores, context=context, otherwise="easier or less diverse than others", unknown=unknown
    )


def _rank_shares(scores: Mapping[str, float]) -> dict[str, float]:
    """For each the share of the others that it lies above, those it equals counting half."""
    counts = Counter(scores.values())
    below, so_far = dict[float, int](), 0
    for value in sorted(counts):
        below[value] = so_far
        so_far += counts[value]
    others = max(1, len(scores) - 1)
    return {id: (below[value] + (counts[value] - 1) / 2) / others for id, value in scores.items()}


def _means(scores: Mapping[str, float], chosen: Collection[str]) -> float | None:
    return fmean(scores[id] for id in sorted(chosen)) if chosen else None


# --- Drawn by weight ------------------------------------------------------------------------------------------


def variance_sampled(
    cases: Sequence[Case], *, by: str = "variance_promotion", k: int = 1_000, uniform: float = 0.5, seed: int = 0
) -> list[Ruling]:
    """Draw k problems without replacement, with more weight on those that promise more reward variance.

    A part of the weight, `uniform`, is spread evenly, so that no problem is out of reach. The score is the weight.
    Variance-Aware Sampling of MMR1 (arXiv 2509.21268).
    """
    weights = sampling_weights(scored(cases, by), uniform=uniform)
    chosen = frozenset(weighted_draw(weights, _size(k), seed=seed))
    unknown = f"no score; sift with {by} before"
    return arms(cases, chosen, weights, context={}, otherwise="not drawn", unknown=unknown)


def sampling_weights(scores: Mapping[str, float], *, uniform: float) -> dict[str, float]:
    """The chance of each to be drawn first: a part of it the same for all, the rest in proportion to the scores.

    Scores below zero count as zero. Where no score is above it, all have the same chance.
    """
    even = float(share(uniform, "uniform"))
    above = {id: max(0.0, score) for id, score in scores.items()}
    total = sum(above[id] for id in sorted(above))
    if not total:
        return {id: 1 / len(above) for id in above}
    return {id: even / len(above) + (1 - even) * (score / total) for id, score in above.items()}


def weighted_draw(weights: Mapping[str, float], size: int, *, seed: int) -> list[str]:
    """So many ids, drawn one after another by weight without replacement. What weighs nothing comes last.

    By one number for each id (Efraimidis and Spirakis 2006), from its digest, so that the draw depends on no order.
    """

    def key(id: str) -> float:
        chance = (int(digest("weighted draw", seed, id)[:13], 16) + 1) / 2**52
        return -log(chance) / weights[id] if weights[id] else float("inf")

    return sorted(weights, key=lambda id: (key(id), id))[:size]


# --- Balance --------------------------------------------------------------------------------------------------


def cluster_balanced(cases: Sequence[Case], *, by: str = "domain", k: int = 1_000, seed: int = 0) -> list[Ruling]:
    """Keep k problems, as evenly over the clusters as their sizes allow.

    `by` is `domain`, `source`, or a rule whose value names the cluster.
    """
    named = {case.problem.id: name_of(case, by) for case in cases}
    clusters = clusters_of({id: name for id, name in named.items() if name is not None})
    chosen = balanced_draw(clusters, _size(k), seed=seed)
    among = dict.fromkeys(id for members in clusters.values() for id in members)
    context = {"clusters": len(clusters), "covered": sum(bool(chosen & set(each)) for each in clusters.values())}
    unknown = f"belongs to no cluster by {by}"
    return arms(cases, chosen, among, context=context, otherwise="its cluster has its share", unknown=unknown)


def clusters_of(named: Mapping[str, str]) -> dict[str, list[str]]:
    """The members of each cluster."""
    clusters = defaultdict[str, list[str]](list)
    for id in sorted(named):
        clusters[named[id]].append(id)
    return dict(clusters)


def balanced_draw(clusters: Mapping[str, Sequence[str]], budget: int, *, seed: int, tiny: int = 0) -> frozenset[str]:
    """Draw `budget` ids, small clusters first, each giving an even share of what is left or all that it has.

    Clusters of up to `tiny` members give nothing but what is missing in the end. As S2L does (arXiv 2403.07384).
    """
    chosen: list[str] = []
    large = sorted((each for each in clusters.values() if len(each) > tiny), key=lambda each: (len(each), min(each)))
    for visited, members in enumerate(large):
        quota = (budget - len(chosen)) // (len(large) - visited)
        chosen += drawn(members, quota, seed=seed, why="cluster")
    rest = [id for each in clusters.values() if len(each) <= tiny for id in each]
    return frozenset(chosen + drawn(rest, budget - len(chosen), seed=seed, why="cluster"))


# --- Coverage -------------------------------------------------------------------------------------------------


def skill_coverage(
    cases: Sequence[Case], *, by: str = "strategy_count", key: str = "strategies", k: int = 1_000
) -> list[Ruling]:
    """Keep k problems that cover as many skills as possible, each skill as often as possible.

    One after another the problem is chosen that gains most: a skill that c of the chosen have counts 1/(1 + c). That
    is within 1 - 1/e of the best such set. Skills are listed in the evidence of the rule `by` under `key`. The score
    is what the problem gained; 0 for those passed over.
    """
    skills = {case.problem.id: names for case in cases if (names := names_in(case, by, key))}
    gains = covering(skills, _size(k))
    covered = frozenset().union(*(skills[id] for id in gains))
    context = {"skills": len(frozenset().union(*skills.values())), "covered": len(covered)}
    among = {id: gains.get(id, 0.0) for id in skills}
    unknown = f"no {key}; sift with {by} before"
    return arms(cases, gains.keys(), among, context=context, otherwise="adds less than others", unknown=unknown)


def covering(skills: Mapping[str, frozenset[str]], size: int) -> dict[str, float]:
    """So many ids in the order of choosing, with what each gained. Gains only fall, so few are counted anew."""
    have = Counter[str]()

    def gain(id: str) -> float:
        return float(sum(Fraction(1, 1 + have[skill]) for skill in skills[id]))

    waiting = [(-gain(id), id) for id in skills]
    heapify(waiting)
    gains: dict[str, float] = {}
    while waiting and len(gains) < size:
        told, id = heappop(waiting)
        now = -gain(id)
        if now > told:
            heappush(waiting, (now, id))
            continue
        gains[id] = -now
        have.update(skills[id])
    return gains
