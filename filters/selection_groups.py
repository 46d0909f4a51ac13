"""Choosing among the attempts at one problem. The problem's own verdict says whether there was something to choose.

Each rule rules on the problem and on every attempt. `random` in an attempt's evidence marks a second set of the same
size, drawn by digest from the same attempts. Whether an attempt is right never changes; it is only read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from filters.answers import answer_matches
from filters.rule import Case, Check, Ruling, failed, passed, unsure
from filters.selection import drawn, weighted_draw
from filters.trace import trace
from filters.votes import SEVERAL, scorers, scores_in
from filters.words import words
from pipelines.records import Attempt

# --- Two arms in one group ------------------------------------------------------------------------------------


def _chosen(
    case: Case,
    chosen: Collection[str],
    among: Mapping[str, float],
    *,
    random: Collection[str],
    values: Mapping[str, str],
    context: Mapping[str, Any],
) -> Iterator[Ruling]:
    """The problem passes, and so do its chosen attempts; those that could not be chosen are unsure."""
    yield passed(context={"n": len(among), "chosen": len(chosen), **context})
    for attempt in case.attempts:
        if attempt.id not in among:
            yield unsure("not among those to choose from", about=(attempt.id,))
            continue
        ruling = passed() if attempt.id in chosen else failed("another attempt is chosen")
        yield ruling._replace(
            score=among[attempt.id],
            value=values.get(attempt.id),
            evidence={"random": attempt.id in random},
            about=(attempt.id,),
        )


def _not_chosen(case: Case, ruling: Ruling) -> Iterator[Ruling]:
    """Nothing was chosen, for the reason in the ruling."""
    yield ruling
    for attempt in case.attempts:
        yield unsure("nothing is chosen of this problem", about=(attempt.id,))


def _outcomes(case: Case, check: Check) -> dict[str, bool]:
    """The attempts that could be decided, and whether they are right."""
    matches = [each for each in answer_matches(case, check) if each.status in ("pass", "fail")]
    return {each.about[0]: each.status == "pass" for each in matches if each.about}


# --- By what a process reward says ----------------------------------------------------------------------------


def process_consistent(case: Case, check: Check, *, by: str = "process", keep: int = 4) -> Iterator[Ruling]:
    """Of the right attempts keep those with the best steps, of the wrong ones those with the worst, equally many.

    `by` is a rule that scored each attempt by the mean over its steps. At most `keep` of each side, and of both as
    many as the smaller side has. Where all are right or all are wrong there is nothing to balance, and the problem
    fails. PROF (arXiv 2509.03403).
    """
    outcomes, scores, given_by = _outcomes(case, check), scores_in(case, by), scorers(case, by)
    among = {id: float(scores[id].score) for id in outcomes if id in scores}
    sides = {right: [id for id in among if outcomes[id] == right] for right in (True, False)}
    context = {"right": len(sides[True]), "wrong": len(sides[False]), "scorers": given_by}
    if len(given_by) > 1 or not among:
        reason = SEVERAL if given_by else f"no attempt has a score; score with {by} before"
        yield from _not_chosen(case, unsure(reason, context=context))
        return
    size = max(0, min(keep, *map(len, sides.values())))
    if not all(sides.values()):
        reason = "all scored attempts are right" if sides[True] else "all scored attempts are wrong"
        yield from _not_chosen(case, failed(reason, context=context))
        return
    best = sorted(sides[True], key=lambda id: (-among[id], id))[:size]
    worst = sorted(sides[False], key=lambda id: (among[id], id))[:size]
    values = {id: "right" if outcomes[id] else "wrong" for id in among}
    random = [id for side in sides.values() for id in drawn(side, size)]  # as many right and as many wrong
    yield from _chosen(case, frozenset(best + worst), among, random=random, values=values, context=context)


# --- By length ------------------------------------------------------------------------------------------------


def shortest_right(case: Case, check: Check, *, keep: int = 1) -> Iterator[Ruling]:
    """Keep the shortest attempts at a problem that is always solved; pass over every other problem.

    Only where all attempts are decided and right is a shorter one known to leave out nothing that this solver needs;
    on harder problems the short ones among the right are often the lucky ones. The score is the length in words.
    """
    outcomes = _outcomes(case, check)
    context = {"k": sum(outcomes.values()), "n": len(outcomes), "left_out": len(case.attempts) - len(outcomes)}
    if not outcomes:
        yield from _not_chosen(case, unsure("no attempt could be decided", context=context))
    elif len(outcomes) < len(case.attempts) or not all(outcomes.values()):
        yield from _not_chosen(case, failed("not always solved", context=context))
    else:
        among = lengths_of(case.attempts)
        shortest = sorted(among, key=lambda id: (among[id], id))[: max(0, keep)]
        random = drawn(among, len(shortest))
        yield from _chosen(case, frozenset(shortest), among, random=random, values={}, context=context)


def best_right(case: Case, check: Check, *, keep: int = 2) -> Iterator[Ruling]:
    """Of the right attempts keep the shortest, and no text twice; those that are wrong are passed over.

    A problem that nobody got right fails. The score is the length in words. Which of several right trajectories beats
    the others is not said where the training set is improved so (STILL-2, arXiv 2412.09413).
    """
    outcomes = _outcomes(case, check)
    context = {"right": sum(outcomes.values()), "n": len(outcomes)}
    right = {trace(each).strip(): each for each in reversed(case.attempts) if outcomes.get(each.id)}
    if not right:
        yield from _not_chosen(case, failed("no attempt is right", context=context))
        return
    among = lengths_of([each for each in case.attempts if outcomes.get(each.id)])
    best = sorted((each.id for each in right.values()), key=lambda id: (among[id], id))[: max(0, keep)]
    yield from _chosen(case, frozenset(best), among, random=drawn(among, len(best)), values={}, context=context)


def length_weighted(case: Case, check: Check, *, keep: int = 1, seed: int = 0) -> Iterator[Ruling]:
    """Draw so many of the finished attempts that nothing before failed; the longest has rank 0, and weight 0.5^rank.

    Of equal lengths the one with the lower id has the lower rank. The score is the length in words. As s1 draws
    traces within a domain (arXiv 2501.19393).
    """
    last = {
        (each.rule.partition("@")[0], subject): each.status for each in case.verdicts for subject in each.subjects
    }
    gone = {subject for (_, subject), status in last.items() if status == "fail"}
    finished = [
        each for each in case.attempts if each.finish == "stop" and each.id not in gone and trace(each).strip()
    ]
    if not finished:
        yield from _not_chosen(case, unsure("no finished attempts that passed what was before"))
        return
    among = lengths_of(finished)
    chosen = frozenset(by_length(among, keep, seed=seed))
    yield from _chosen(case, chosen, among, random=drawn(among, len(chosen)), values={}, context={})


def by_length(lengths: Mapping[str, float], keep: int, *, seed: int) -> list[str]:
    """So many of the ids, drawn so that each weighs half as much as the next longer one."""
    ranked = sorted(lengths, key=lambda id: (-lengths[id], id))
    # Only ratios count, so that the ranks behind the first thousand may weigh nothing.
    weights = {id: 0.5**rank for rank, id in enumerate(ranked)}
    return weighted_draw(weights, max(0, keep), seed=seed)


def lengths_of(attempts: Sequence[Attempt]) -> dict[str, float]:
    """The length of each trace, in words."""
    return {each.id: float(len(words(trace(each)))) for each in attempts}
