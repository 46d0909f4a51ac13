"""Attempts against each other: which answer has the majority, and is it the author's?

Answers are counted by equivalence, not by spelling: 1/2, 0.5 and \\frac12 are one. Where two answers cannot be
compared, a majority counts only if it would hold however that turned out, so the order of the votes never matters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import chain, combinations
from typing import Any, NamedTuple

from filters.answers import QUOTED, final_answer
from filters.rule import Case, Check, Ruling, passed, unsure
from filters.verifiers import verifier

MAX_COMPARED = 48  # distinct spellings, the most frequent first: 1,128 pairs; the others count as not comparable
SHOWN = 16  # classes in the evidence

Equal = Callable[[str, str], bool | None]


class Election(NamedTuple):
    """How a vote came out."""

    classes: list[tuple[str, int]]  # each with its most frequent spelling; most votes first
    winners: list[str]  # every spelling of the leading class
    doubt: str | None  # why the leading class may not be the majority
    reach: int  # the most votes that any class has if all open comparisons hold

    @property
    def votes(self) -> int:
        return self.classes[0][1]

    @property
    def majority(self) -> str | None:
        return None if self.doubt else self.classes[0][0]


def elect(votes: Mapping[str, int], equal: Equal) -> Election:
    """Count votes by class. `votes` has one spelling at least."""
    classes = _ranked(_joined(votes, lambda a, b: equal(a, b) is True), votes)
    possible = _ranked(_joined(votes, lambda a, b: equal(a, b) is not False), votes)
    leading, *others = classes
    rivals = _joined(list(chain(*others)), lambda a, b: equal(a, b) is not False)
    return Election(
        classes=[(group[0], _count(group, votes)) for group in classes],
        winners=leading,
        doubt=_doubt(_count(leading, votes), others, rivals, votes),
        reach=_count(possible[0], votes),
    )


def _doubt(lead: int, others: list[list[str]], rivals: list[list[str]], votes: Mapping[str, int]) -> str | None:
    if any(_count(group, votes) == lead for group in others):
        return "a tie"
    if any(_count(group, votes) >= lead for group in rivals):
        return "the majority hangs on answers that cannot be compared"
    return None


def _joined(answers: Iterable[str], linked: Callable[[str, str], bool]) -> list[list[str]]:
    """Groups of answers that are linked with each other, directly or through others."""
    groups: list[list[str]] = []
    for answer in answers:
        near = [group for group in groups if any(linked(member, answer) for member in group)]
        groups = [group for group in groups if group not in near]
        groups.append([*chain(*near), answer])
    return groups


def _ranked(groups: list[list[str]], votes: Mapping[str, int]) -> list[list[str]]:
    """Most votes first, within a group too; of equals the shorter spelling, never the one that came first."""
    inside = [sorted(group, key=lambda answer: (-votes[answer], len(answer), answer)) for group in groups]
    return sorted(inside, key=lambda group: (-_count(group, votes), len(group[0]), group[0]))


def _count(group: Iterable[str], votes: Mapping[str, int]) -> int:
    return sum(votes[answer] for answer in group)


# --- From a case ----------------------------------------------------------------------------------------------


def answer_consistency(case: Case, check: Check, *, at_least: float = 0.0) -> list[Ruling]:
    """Pass a problem whose author's answer is what the majority of its solvers found.

    The score is the majority's share of the votes cast, the value its answer. Attempts without a final answer cast
    none. `at_least` asks for a share besides. Answer-Consistency of CoT-Self-Instruct (arXiv 2507.23751),
    with an exact comparison in place of equal strings.
    """
    votes, author = _votes(case), case.problem.answer
    context = _context(case, votes)
    if not author or (doubt := _no_vote(case)):
        return [unsure(doubt if author else "no author's answer", context=context)]
    if not votes:
        return [unsure("no answers", context=context)]
    election = elect(votes, _equal(case, votes, check))
    share = election.votes / votes.total()
    context["votes"] = election.votes
    outcome = passed(value=election.majority, score=share, context=context, evidence=_evidence(election, author))
    if election.doubt:
        return [outcome._replace(status="unsure", reason=election.doubt)]
    agrees = _agrees(case, election, check)
    if agrees is None:
        return [
            outcome._replace(status="unsure", reason="the author's answer cannot be compared with the majority's")
        ]
    if not agrees:
        return [outcome._replace(status="fail", reason="the majority has another answer than the author")]
    if share < at_least:
        return [outcome._replace(status="fail", reason="the majority is smaller than asked")]
    return [outcome]


def answer_consistency_compares(case: Case) -> Iterable[tuple[str, str]]:
    """The author's answer with each distinct spelling, then every two of these."""
    votes, author = _votes(case), case.problem.answer
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
    votes = _votes(case)
    context = _context(case, votes)
    if not votes:
        return [unsure(_no_vote(case) or "no answers", context=context)]
    election = elect(votes, _equal(case, votes, check))
    share = election.votes / len(case.attempts)
    context["votes"] = election.votes
    outcome = passed(value=election.majority, score=share, context=context, evidence=_evidence(election, None))
    if election.reach / len(case.attempts) < at_least:
        return [outcome._replace(status="fail", reason="the majority is smaller than asked")]
    if election.doubt or share < at_least:
        doubt = election.doubt or "the majority hangs on answers that cannot be compared"
        return [outcome._replace(status="unsure", reason=doubt)]
    return [outcome]


def self_consistency_compares(case: Case) -> Iterable[tuple[str, str]]:
    """Every two distinct spellings."""
    return _pairs(_votes(case))


def _agrees(case: Case, election: Election, check: Check) -> bool | None:
    """Whether the author's answer equals any spelling of the majority's."""
    author, name = str(case.problem.answer), str(case.problem.verifier)
    outcomes = {author == answer or check(name, author, answer).same for answer in election.winners}
    return True if True in outcomes else None if None in outcomes else False


def _no_vote(case: Case) -> str | None:
    """Why the answers to a problem cannot be voted on, if they cannot."""
    if case.problem.verifier is None:
        return "no verifier"
    return None if verifier(case.problem.verifier).compares else "its answers cannot be compared with each other"


def _votes(case: Case) -> Counter[str]:
    """How often each spelling is the final answer of an attempt; none where no verifier compares them."""
    if _no_vote(case):
        return Counter()
    found = (final_answer(attempt, str(case.problem.verifier)) for attempt in case.attempts)
    return Counter(answer for answer in found if answer is not None)


def _compared(votes: Mapping[str, int]) -> list[str]:
    """The spellings that are compared, in alphabetical order, so that each pair has one direction."""
    return sorted(sorted(votes, key=lambda answer: (-votes[answer], answer))[:MAX_COMPARED])


def _pairs(votes: Mapping[str, int]) -> Iterable[tuple[str, str]]:
    return combinations(_compared(votes), 2)


def _equal(case: Case, votes: Mapping[str, int], check: Check) -> Equal:
    compared, name = frozenset(_compared(votes)), str(case.problem.verifier)

    def equal(a: str, b: str) -> bool | None:
        return check(name, min(a, b), max(a, b)).same if a in compared and b in compared else None

    return equal


def _context(case: Case, votes: Counter[str]) -> dict[str, Any]:
    cut = sum(attempt.finish != "stop" for attempt in case.attempts)
    return {"n": len(case.attempts), "answered": votes.total(), "cut": cut}


def _evidence(election: Election, author: str | None) -> dict[str, Any]:
    classes = [[answer[:QUOTED], count] for answer, count in election.classes[:SHOWN]]
    return {"classes": classes} if author is None else {"classes": classes, "author": author[:QUOTED]}
