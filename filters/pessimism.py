"""Which answer is most likely right, and least uncertainly so? Is it the reference?

Pessimistic Verification (Heimdall, arXiv 2504.10337) judges many solutions several times each and chooses the answer
whose solutions were found right most often, less a penalty for little evidence. An answer that is rare but well
verified so wins over a wrong majority, and one lucky judgement loses to many good ones. The principle is the
paper's, the form of the penalty is ours:

    rate(class) - penalty * log(1 + V) / (1 + v)

where v judgements were made of solutions in the class and V of all. The larger `penalty`, the nearer to the
majority. Where rates differ by no more than chance makes them, the judge tells nothing here and the majority decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import reduce
from math import log
from typing import NamedTuple

from filters.answers import QUOTED
from filters.rule import Case, Check, Ruling, passed, unsure
from filters.votes import (
    HANGS,
    SEVERAL,
    SHOWN,
    Equal,
    agrees,
    answers_in,
    counts,
    elect,
    equality,
    no_vote,
    scorers,
    scores_in,
    votes_in,
)

# --- What the judge said of each answer -----------------------------------------------------------------------


class Judged(NamedTuple):
    """Of how many judgements how many found solutions right."""

    right: Fraction = Fraction()
    of: int = 0

    @property
    def rate(self) -> Fraction:
        """Their share; 0 where nothing was judged, for nothing speaks for it."""
        return self.right / self.of if self.of else Fraction()

    def plus(self, other: Judged) -> Judged:
        return Judged(self.right + other.right, self.of + other.of)


def judged_in(case: Case, by: str) -> dict[str, Judged]:
    """What was said of the solutions with each spelling of an answer. A verdict's score is the share of its votes."""
    scores = scores_in(case, by)
    judged: dict[str, Judged] = defaultdict(Judged)
    for attempt, answer in answers_in(case):
        if given := scores.get(attempt.id):
            judged[answer] = judged[answer].plus(Judged(given.score * given.votes, given.votes))
    return judged


class Class(NamedTuple):
    """Equal answers: their spellings, votes, and what was said of their solutions."""

    answers: list[str]
    votes: int
    said: Judged

    def plus(self, other: Class) -> Class:
        return Class(self.answers + other.answers, self.votes + other.votes, self.said.plus(other.said))


def classes_of(votes: Mapping[str, int], equal: Equal, judged: Mapping[str, Judged]) -> list[Class]:
    """The classes as they are known, most votes first."""
    each = {answer: Class([answer], count, judged.get(answer, Judged())) for answer, count in votes.items()}
    return [reduce(Class.plus, (each[answer] for answer in group)) for group in elect(votes, equal).groups]


# --- Choosing -------------------------------------------------------------------------------------------------

MAX_WAYS = 1_000  # in which open comparisons may turn out; where there are more, nothing is chosen


class Choice(NamedTuple):
    """A class as it was chosen, or why none could be."""

    by: str  # "verdicts" or "majority"
    chosen: Class
    doubt: str | None


def choose(classes: Sequence[Class], equal: Equal, *, penalty: float) -> Choice:
    """The answer that the verdicts speak for, or the majority's where they tell nothing.

    In doubt when it would be another one should answers be equal that cannot be compared.
    """
    choice = _choose(classes, penalty)
    if choice.doubt:
        return choice
    seen = [_choose(way, penalty) for way in _ways(classes, equal)]
    holds = all(each.doubt is None and choice.chosen.answers[0] in each.chosen.answers for each in seen)
    return choice if seen and holds else choice._replace(doubt=HANGS)


def _choose(classes: Sequence[Class], penalty: float) -> Choice:
    """The choice among classes that are known to be different."""
    by = "verdicts" if _tells(classes) else "majority"
    whole = sum(each.said.of for each in classes)
    scores = [_score(each.said, whole, penalty) if by == "verdicts" else each.votes for each in classes]
    best = max(scores)
    return Choice(by, classes[scores.index(best)], "a tie" if scores.count(best) > 1 else None)


def _score(said: Judged, whole: int, penalty: float) -> float:
    return float(said.rate) - penalty * log(1 + whole) / (1 + said.of)


def _tells(classes: Sequence[Class]) -> bool:
    """Whether the verdict rates of classes differ by more than chance makes them: chi-squared above its mean.

    That is a low bar. A higher one would lose more where judgements are few than it spares where the judge is blind.
    """
    said = [each.said for each in classes if each.said.of]
    rate = sum((each.right for each in said), Fraction()) / max(1, sum(each.of for each in said))
    if not 0 < rate < 1:
        return False
    squares = sum((each.right - each.of * rate) ** 2 / (each.of * rate * (1 - rate)) for each in said)
    return squares > len(said) - 1


def _ways(classes: Sequence[Class], equal: Equal) -> list[list[Class]]:
    """Every way in which open comparisons may turn out: the classes with some of them joined. None at all if many."""

    def different(a: Class, b: Class) -> bool:
        return any(equal(x, y) is False for x in a.answers for y in b.answers)

    clear = [each for each in classes if all(other is each or different(each, other) for other in classes)]
    ways: list[list[Class]] = [clear]
    for each in classes:
        if each not in clear:
            ways = [[*way, each] for way in ways] + [
                [*way[:place], other.plus(each), *way[place + 1 :]]
                for way in ways
                for place, other in enumerate(way)
                if not different(other, each)
            ]
        if len(ways) > MAX_WAYS:
            return []
    return ways


# --- As rules -------------------------------------------------------------------------------------------------


def pessimistic_vote(case: Case, check: Check, *, by: str = "judged", penalty: float = 0.5) -> list[Ruling]:
    """Choose the answer whose solutions were judged right most often, less a penalty for little evidence.

    Passes when there is one; the value is the answer, the score its verdict rate, or its share of the votes where
    the majority chose it (`chosen_by` in the context says which). `by` names the rule that judged the attempts, with
    scores between 0 and 1. Pessimistic Verification of Heimdall (arXiv 2504.10337), the penalty in our form.
    """
    return [_chosen(case, check, by, penalty)[0]]


def gold_agrees(
    case: Case, check: Check, *, by: str = "judged", penalty: float = 0.5, at_least: float = 0.5
) -> list[Ruling]:
    """Pass a problem whose reference is the answer that its solutions speak for; fail what should be looked at.

    The answer is chosen as in `pessimistic_vote`: without any verdicts, by the majority. A problem fails only when
    another answer has `at_least` this share of the votes, if the majority chose it, and this verdict rate, if it was
    judged; weaker ones settle nothing. It should lie between the rates at which the judge finds wrong and right
    solutions right. Audit of a dataset's references, the third use of Heimdall (arXiv 2504.10337).
    """
    if not case.problem.answer:
        return [unsure("no reference answer")]
    outcome, choice = _chosen(case, check, by, penalty)
    if choice is None:
        return [outcome]
    outcome = outcome._replace(evidence={**outcome.evidence, "reference": case.problem.answer[:QUOTED]})
    if choice.doubt:
        return [outcome]
    same = agrees(case, choice.chosen.answers, check)
    if same is None:
        return [outcome._replace(status="unsure", reason="the reference cannot be compared with the answer chosen")]
    if same:
        return [outcome]
    rate = _rate(choice.chosen.said)
    if (outcome.score or 0.0) < at_least or (rate is not None and rate < at_least):
        return [outcome._replace(status="unsure", reason="another answer than the reference has some support")]
    return [outcome._replace(status="fail", reason=_OTHERWISE[choice.by])]


_OTHERWISE = {
    "verdicts": "another answer than the reference was judged right",
    "majority": "the majority has another answer than the reference",
}


def _chosen(case: Case, check: Check, by: str, penalty: float) -> tuple[Ruling, Choice | None]:
    """The ruling on the answer chosen, and the choice; None where none could be made."""
    if penalty < 0:
        raise ValueError(f"pessimistic_vote: a penalty of {penalty} would reward little evidence; it is 0 or more")
    votes, given_by = votes_in(case), scorers(case, by)
    context = counts(case, votes) | {"scorers": given_by}
    if not votes:
        return unsure(no_vote(case) or "no answers", context=context), None
    if reason := _no_rates(case, by, given_by):
        return unsure(reason, context=context), None
    equal = equality(case, votes, check)
    classes = classes_of(votes, equal, judged_in(case, by))
    choice = choose(classes, equal, penalty=penalty)
    context |= {"judgements": sum(each.said.of for each in classes), "chosen_by": choice.by}
    told = [[each.answers[0][:QUOTED], each.votes, each.said.of, _rate(each.said)] for each in classes[:SHOWN]]
    score = float(choice.chosen.said.rate) if choice.by == "verdicts" else choice.chosen.votes / votes.total()
    ruling = passed(score=score, context=context, evidence={"classes": told})
    if choice.doubt:
        return ruling._replace(status="unsure", reason=choice.doubt), choice
    return ruling._replace(value=choice.chosen.answers[0]), choice


def _rate(said: Judged) -> float | None:
    return float(said.rate) if said.of else None


def _no_rates(case: Case, by: str, given_by: list[str]) -> str | None:
    if len(given_by) > 1:
        return SEVERAL
    outside = any(not 0 <= each.score <= 1 for each in scores_in(case, by).values())
    return "a score that is not between 0 and 1 is no rate" if outside else None
