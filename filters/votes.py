"""Attempts against each other: which answer has the majority, and is it the author's?

Answers are counted by equivalence, not by spelling: 1/2, 0.5 and \\frac12 are one. Where two answers cannot be
compared, a majority counts only if it would hold however that turned out, so the order of the votes never matters.
Votes may be weighted by what a verdict gave each attempt; weights are exact fractions, so that a tie is a tie.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from itertools import chain, combinations
from math import isfinite
from typing import Any, NamedTuple

import orjson

from filters.answers import QUOTED, final_answer
from filters.rule import Case, Check, Ruling, failed, passed, unsure
from filters.verifiers import verifier
from pipelines.records import Attempt, Verdict

MAX_COMPARED = 48  # distinct spellings, the most frequent first: 1,128 pairs; the others count as not comparable
SHOWN = 16  # classes in the evidence

Equal = Callable[[str, str], bool | None]
Count = int | Fraction
HANGS = "the majority hangs on answers that cannot be compared"


class Election(NamedTuple):
    """How a vote came out."""

    groups: list[list[str]]  # the classes with all their spellings; most votes first
    possible: list[list[str]]  # the classes if all open comparisons hold
    counts: list[Count]  # the votes of each class
    doubt: str | None  # why the leading class may not be the majority
    reach: Count  # the most votes that any class has if all open comparisons hold

    @property
    def classes(self) -> list[tuple[str, Count]]:
        """Each with its most frequent spelling."""
        return [(group[0], count) for group, count in zip(self.groups, self.counts, strict=True)]

    @property
    def winners(self) -> list[str]:
        """Every spelling of the leading class."""
        return self.groups[0]

    @property
    def votes(self) -> Count:
        return self.counts[0]

    @property
    def majority(self) -> str | None:
        return None if self.doubt else self.winners[0]


def elect(votes: Mapping[str, Count], equal: Equal) -> Election:
    """Count votes by class. `votes` has one spelling at least, and none below zero."""
    groups = _ranked(_joined(votes, lambda a, b: equal(a, b) is True), votes)
    possible = _ranked(_joined(votes, lambda a, b: equal(a, b) is not False), votes)
    leading, *others = groups
    rivals = _joined(list(chain(*others)), lambda a, b: equal(a, b) is not False)
    return Election(
        groups=groups,
        possible=possible,
        counts=[_count(group, votes) for group in groups],
        doubt=_doubt(_count(leading, votes), others, rivals, votes),
        reach=_count(possible[0], votes),
    )


def _doubt(lead: Count, others: list[list[str]], rivals: list[list[str]], votes: Mapping[str, Count]) -> str | None:
    if any(_count(group, votes) == lead for group in others):
        return "a tie"
    if any(_count(group, votes) >= lead for group in rivals):
        return HANGS
    return None


def _joined(answers: Iterable[str], linked: Callable[[str, str], bool]) -> list[list[str]]:
    """Groups of answers that are linked with each other, directly or through others."""
    groups: list[list[str]] = []
    for answer in answers:
        near = [group for group in groups if any(linked(member, answer) for member in group)]
        groups = [group for group in groups if group not in near]
        groups.append([*chain(*near), answer])
    return groups


def _ranked(groups: list[list[str]], votes: Mapping[str, Count]) -> list[list[str]]:
    """Most votes first, within a group too; of equals the shorter spelling, never the one that came first."""
    inside = [sorted(group, key=lambda answer: (-votes[answer], len(answer), answer)) for group in groups]
    return sorted(inside, key=lambda group: (-_count(group, votes), len(group[0]), group[0]))


def _count(group: Iterable[str], votes: Mapping[str, Count]) -> Count:
    return sum(votes[answer] for answer in group)


# --- Whole votes ----------------------------------------------------------------------------------------------


def answer_consistency(case: Case, check: Check, *, at_least: float = 0.0) -> list[Ruling]:
    """Pass a problem whose author's answer is what the majority of its solvers found.

    The score is the majority's share of the votes cast, the value its answer. Attempts without a final answer cast
    none. `at_least` asks for a share besides. Answer-Consistency of CoT-Self-Instruct (arXiv 2507.23751),
    with an exact comparison in place of equal strings.
    """
    votes, author = votes_in(case), case.problem.answer
    context = counts(case, votes)
    if not author:
        return [unsure("no author's answer", context=context)]
    if not votes:
        return [unsure(no_vote(case) or "no answers", context=context)]
    election = elect(votes, equality(case, votes, check))
    share = float(election.votes / votes.total())
    context["votes"] = election.votes
    outcome = passed(value=election.majority, score=share, context=context, evidence=_evidence(election, author))
    if election.doubt:
        return [outcome._replace(status="unsure", reason=election.doubt)]
    same = agrees(case, election.winners, check)
    if same is None:
        return [
            outcome._replace(status="unsure", reason="the author's answer cannot be compared with the majority's")
        ]
    if not same:
        return [outcome._replace(status="fail", reason="the majority has another answer than the author")]
    if share < at_least:
        return [outcome._replace(status="fail", reason="the majority is smaller than asked")]
    return [outcome]


def answer_consistency_compares(case: Case) -> Iterable[tuple[str, str]]:
    """The author's answer with each distinct spelling, then every two of these."""
    votes, author = votes_in(case), case.problem.answer
    if not author:
        return []
    with_author = ((author, answer) for answer in votes if answer != author)
    return dict.fromkeys(chain(with_author, _pairs(votes)))


def self_consistency(case: Case, check: Check, *, at_least: float = 0.5) -> list[Ruling]:
    """Pass a problem that its solvers answer alike, whatever its author said.

    The score is the majority's votes over K, the number of all attempts, so that one which was cut off or found no
    answer agrees with nobody; the value is the majority's answer. Self-consistency of CoT-Self-Instruct (arXiv
    2507.23751).
    """
    votes = votes_in(case)
    context = counts(case, votes)
    if not votes:
        return [unsure(no_vote(case) or "no answers", context=context)]
    election = elect(votes, equality(case, votes, check))
    share = float(election.votes / len(case.attempts))
    context["votes"] = election.votes
    outcome = passed(value=election.majority, score=share, context=context, evidence=_evidence(election, None))
    if election.reach / len(case.attempts) < at_least:
        return [outcome._replace(status="fail", reason="the majority is smaller than asked")]
    if election.doubt or share < at_least:
        return [outcome._replace(status="unsure", reason=election.doubt or HANGS)]
    return [outcome]


def self_consistency_compares(case: Case) -> Iterable[tuple[str, str]]:
    """Every two distinct spellings."""
    return _pairs(votes_in(case))


# --- Weighted by verdicts -------------------------------------------------------------------------------------


def weighted_vote(case: Case, check: Check, *, by: str = "judged", at_least: float = 0.0) -> list[Ruling]:
    """Choose the answer whose attempts have the most weight together; pass when there is one.

    The weight of an attempt is the score that the rule `by` gave it, as `judged` or `reward`; one without a score
    weighs nothing and is counted in `unweighted`. The value is the answer, the score its share of all weight, of
    which `at_least` may be asked. Voting-verifier of DiVeRSe (arXiv 2206.02336).
    """
    votes, scores, given_by = votes_in(case), scores_in(case, by), scorers(case, by)
    context = counts(case, votes) | {"scorers": given_by}
    if not votes:
        return [unsure(no_vote(case) or "no answers", context=context)]
    weights = _weights(case, scores)
    context["unweighted"] = sum(attempt.id not in scores for attempt, _ in answers_in(case))
    if reason := _no_weights(weights, scores, given_by):
        return [unsure(reason, context=context)]
    election = elect(weights, equality(case, votes, check))
    total = sum(weights.values())
    outcome = passed(
        value=election.majority,
        score=float(election.votes / total),
        context=context,
        evidence=_evidence(election, None),
    )
    if election.reach < Fraction(str(at_least)) * total:
        return [outcome._replace(status="fail", reason="the majority is smaller than asked")]
    if election.doubt or election.votes < Fraction(str(at_least)) * total:
        return [outcome._replace(status="unsure", reason=election.doubt or HANGS)]
    return [outcome]


def _weights(case: Case, scores: Mapping[str, Scored]) -> dict[str, Fraction]:
    """The weight of each spelling."""
    weights: dict[str, Fraction] = defaultdict(Fraction)
    for attempt, answer in answers_in(case):
        weights[answer] += scores[attempt.id].score if attempt.id in scores else 0
    return weights


def _no_weights(weights: Mapping[str, Fraction], scores: Mapping[str, Scored], given_by: list[str]) -> str | None:
    if len(given_by) > 1:
        return SEVERAL
    if any(each.score < 0 for each in scores.values()):
        return "a score below zero is no weight"
    return None if any(weights.values()) else "no answer has any weight"


def best_of_n(case: Case, check: Check, *, by: str = "reward") -> list[Ruling]:
    """Choose the finished attempt with the highest score by the rule `by`; pass it and its problem, fail the others.

    The value is its final answer, where the problem has a verifier; `tied` counts the attempts with that score, of
    which the first sample is chosen. Attempts without a score are unsure. Needs no verifier and compares nothing.
    Best-of-N, as in WebGPT (arXiv 2112.09332).
    """
    scores, given_by = scores_in(case, by), scorers(case, by)
    scored = [attempt for attempt in case.attempts if attempt.finish == "stop" and attempt.id in scores]
    context = {"n": len(case.attempts), "scored": len(scored), "scorers": given_by}
    if not scored or len(given_by) > 1:
        return [unsure(SEVERAL if scored else "no finished attempt has a score", context=context)]
    best = min(scored, key=lambda attempt: (-scores[attempt.id].score, attempt.sample, attempt.id))
    context["tied"] = sum(scores[each.id].score == scores[best.id].score for each in scored)
    name = case.problem.verifier
    chosen = passed(
        score=float(scores[best.id].score), value=name and final_answer(best, name), evidence={"attempt": best.id}
    )
    return [chosen._replace(context=context), *(_beside(best, attempt, scores) for attempt in case.attempts)]


def _beside(best: Attempt, attempt: Attempt, scores: Mapping[str, Scored]) -> Ruling:
    """What is said of an attempt once the best one is known."""
    if attempt.id not in scores or attempt.finish != "stop":
        return unsure("not finished, or without a score", about=(attempt.id,))
    score = float(scores[attempt.id].score)
    if attempt.id == best.id:
        return passed(score=score, about=(attempt.id,))
    return failed("another attempt is chosen", score=score, about=(attempt.id,))


# --- Scores of attempts ---------------------------------------------------------------------------------------

SEVERAL = "scores of several scorers cannot be compared"


class Scored(NamedTuple):
    """What an attempt was given: the mean of this many judgements."""

    score: Fraction
    votes: int


def scores_in(case: Case, by: str) -> dict[str, Scored]:
    """By id, what the rule `by` gave to attempts. Several verdicts about one are averaged, by their votes."""
    given: dict[str, list[Scored]] = defaultdict(list)
    for each in _scorings(case, by):
        votes = orjson.loads(each.context).get("votes")
        counted = votes if isinstance(votes, int) and votes > 0 else 1
        given[each.subjects[0]].append(Scored(Fraction(str(each.score)), counted))
    return {subject: _mean(scores) for subject, scores in given.items()}


def scorers(case: Case, by: str) -> list[str]:
    """Who gave these scores, each once: the rule with its version, the model, its revision, its prompt."""
    return list(dict.fromkeys(map(_scorer, _scorings(case, by))))


def _scorer(told: Verdict) -> str:
    context = orjson.loads(told.context)
    named = (context.get("scorer") or context.get("judge"), context.get("revision"), context.get("prompt"))
    return " ".join([told.rule, *(str(part) for part in named if part is not None)])


def _scorings(case: Case, by: str) -> list[Verdict]:
    """The scores that are numbers, about one attempt each: what a pair was given belongs to neither."""
    given = (each for each in case.verdicts if each.rule.rpartition("@")[0] == by and len(each.subjects) == 1)
    return [each for each in given if each.score is not None and isfinite(each.score)]


def _mean(scores: Iterable[Scored]) -> Scored:
    votes = sum(each.votes for each in scores)
    return Scored(sum((each.score * each.votes for each in scores), Fraction()) / votes, votes)


# --- From a case ----------------------------------------------------------------------------------------------


def no_vote(case: Case) -> str | None:
    """Why the answers to a problem cannot be voted on, if they cannot."""
    if case.problem.verifier is None:
        return "no verifier"
    return None if verifier(case.problem.verifier).compares else "its answers cannot be compared with each other"


def answers_in(case: Case) -> list[tuple[Attempt, str]]:
    """The attempts that settle on an answer, with it; none where no verifier compares them."""
    if no_vote(case):
        return []
    found = ((attempt, final_answer(attempt, str(case.problem.verifier))) for attempt in case.attempts)
    return [(attempt, answer) for attempt, answer in found if answer is not None]


def votes_in(case: Case) -> Counter[str]:
    """How often each spelling is the final answer of an attempt."""
    return Counter(answer for _, answer in answers_in(case))


def counts(case: Case, votes: Counter[str]) -> dict[str, Any]:
    """How many attempts there are, settled on an answer, and were cut off or otherwise never finished."""
    cut = sum(attempt.finish != "stop" for attempt in case.attempts)
    return {"n": len(case.attempts), "answered": votes.total(), "cut": cut}


def equality(case: Case, votes: Mapping[str, int], check: Check) -> Equal:
    """Which spellings are one answer, as the problem's verifier compares them."""
    compared, name = frozenset(_compared(votes)), str(case.problem.verifier)

    def equal(a: str, b: str) -> bool | None:
        return check(name, min(a, b), max(a, b)).same if a in compared and b in compared else None

    return equal


def agrees(case: Case, answers: Iterable[str], check: Check) -> bool | None:
    """Whether the author's answer equals any of these spellings of one answer."""
    author, name = str(case.problem.answer), str(case.problem.verifier)
    outcomes = {author == answer or check(name, author, answer).same for answer in answers}
    return True if True in outcomes else None if None in outcomes else False


def _compared(votes: Mapping[str, int]) -> list[str]:
    """The spellings that are compared, in alphabetical order, so that each pair has one direction."""
    return sorted(sorted(votes, key=lambda answer: (-votes[answer], answer))[:MAX_COMPARED])


def _pairs(votes: Mapping[str, int]) -> Iterable[tuple[str, str]]:
    return combinations(_compared(votes), 2)


def _evidence(election: Election, author: str | None) -> dict[str, Any]:
    classes = [[answer[:QUOTED], _number(count)] for answer, count in election.classes[:SHOWN]]
    return {"classes": classes} if author is None else {"classes": classes, "author": author[:QUOTED]}


def _number(count: Count) -> int | float:
    return float(count) if isinstance(count, Fraction) else count
