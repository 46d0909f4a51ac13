"""Sets of solutions of one problem: unlike each other, right and wrong ones, and of whom."""

from __future__ import annotations

from collections.abc import Iterator

from filters.answers import answer_matches
from filters.difficulty import attempts_of
from filters.rule import Case, Check, Ruling, failed, passed
from filters.trace import trace
from filters.words import words

GRAM = 3  # words


def unlike(case: Case, check: Check, *, at_most: float = 0.9) -> Iterator[Ruling]:
    """Pass each attempt that is unlike all that passed before it: the score is its greatest likeness to one of them.

    Likeness is the share of runs of three words that two traces have in common (Jaccard). What fails is in no view,
    and no judge is asked about it.
    """
    kept: list[frozenset[tuple[str, ...]]] = []
    for attempt in case.attempts:
        mine = _grams(trace(attempt))
        likeness = max((_jaccard(mine, other) for other in kept), default=0.0)
        if likeness <= at_most:
            kept.append(mine)
            yield passed(score=likeness, about=(attempt.id,))
        else:
            yield failed("nearly the same as an earlier one", score=likeness, about=(attempt.id,))


def _grams(text: str) -> frozenset[tuple[str, ...]]:
    said = words(text)
    return frozenset(tuple(said[i : i + GRAM]) for i in range(max(1, len(said) - GRAM + 1)))


def _jaccard(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    return len(one & other) / len(one | other)


def both_sides(case: Case, check: Check, *, right: int = 1, wrong: int = 1) -> list[Ruling]:
    """Pass a problem with at least so many right attempts and so many wrong ones, without near-duplicates."""
    alike = {each.subjects[0] for each in case.verdicts if each.status == "fail" and each.rule.startswith("unlike@")}
    decided = [each.status for each in answer_matches(case, check) if each.about and each.about[0] not in alike]
    context = {"right": decided.count("pass"), "wrong": decided.count("fail")}
    if context["right"] < right:
        return [failed("too few right attempts", context={"counts": context})]
    if context["wrong"] < wrong:
        return [failed("too few wrong attempts", context={"counts": context})]
    return [passed(context={"counts": context})]


def made_by(case: Case, check: Check, *, solver: str = "teacher") -> Iterator[Ruling]:
    """Pass each attempt of this solver, a role or a model; others made theirs to compare, and no view shows them."""
    theirs = {each.id for each in attempts_of(case, solver)}
    for attempt in case.attempts:
        mine = attempt.id in theirs
        yield (passed() if mine else failed("made by another solver"))._replace(about=(attempt.id,))
