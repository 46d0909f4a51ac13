"""Which problems are worth thinking about at length (System 2), and which to answer at once (System 1)."""

from __future__ import annotations

from filters.rule import Case, Check, Ruling, failed, passed, unsure
from filters.selection import score_of, share
from pipelines.records import digest

AT_ONCE = "to be answered at once"


def system2(case: Case, check: Check, *, by: str = "disagreement", at_least: float = 0.5) -> list[Ruling]:
    """Pass a problem that is hard enough to be thought about: whose score by that rule is at least so high.

    Sift with `drop = false`: what fails is to be answered at once, as the view `mixed` shows it. With a strong and a
    weak solver's disagreement as the difficulty: NaturalThoughts (arXiv 2507.01921).
    """
    score = score_of(case, by)
    if score is None:
        return [unsure(f"no score; sift with {by} before")]
    return [passed(score=score) if score >= at_least else failed(AT_ONCE, score=score)]


def system2_by_chance(case: Case, check: Check, *, part: float = 0.4, seed: int = 0) -> list[Ruling]:
    """Pass this part of the problems, by their digests: what `system2` has to be better than."""
    drawn = int(digest("system2", seed, case.problem.id), 16) / 2**128
    return [passed(score=drawn) if drawn < share(part, "part") else failed(AT_ONCE, score=drawn)]
