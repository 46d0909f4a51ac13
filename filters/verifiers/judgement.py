"""Is the judgement right? For training judges: the reference is what a verifier knows of what was judged.

A reference is `yes` or `no` (is the response right), or `A`, `B` or `tie` (which is better), in whatever case. The
judgement is read as the judges of a run are read: from a well-formed `<verdict>` after the thinking. Scores say the
same: the higher of `<score_a>` and `<score_b>`, or a single `<score>` above or below the middle of its scale. A reply
that does both must say one thing.
"""

from __future__ import annotations

from filters.verifiers.judging import (
    read_judgement,
    read_preference,
    read_score,
    read_scores,
    speaks_in_words,
    spoken,
)
from filters.verifiers.outcome import Outcome, failed, passed, unsure

SECONDS = 1.0
MIDDLE = 5.0  # of the scale from 0 to 10: what is right lies above it
SAID = {"yes": "yes", "no": "no", "a": "A", "b": "B", "tie": "tie"}


def final_answer(text: str) -> str | None:
    """The one verdict of a reply; None where there is none, or where several differ."""
    told = {said for said in (_in_words(text), _of_two(text), _of_one(text)) if said}
    readable = _in_words(text) is not None or not speaks_in_words(text)
    return told.pop() if len(told) == 1 and readable else None


def _in_words(text: str) -> str | None:
    judged = read_judgement(text)
    return read_preference(text) if judged is None else ("yes" if judged else "no")


def _of_two(text: str) -> str | None:
    """What the scores of two responses come to."""
    scores = read_scores(text)
    if scores is None:
        return None
    return "A" if scores[0] > scores[1] else "B" if scores[1] > scores[0] else "tie"


def _of_one(text: str) -> str | None:
    """What the score of one response comes to; nothing in the very middle."""
    score = read_score(spoken(text))
    return None if score is None or score == MIDDLE else ("yes" if score > MIDDLE else "no")


def check_quickly(reference: str, answer: str) -> Outcome:
    """The outcome: there is nothing to compute."""
    if problem := problem_with(reference):
        return unsure(problem)
    said = gold(answer)
    return passed() if said is not None and said == gold(reference) else failed("another verdict")


check = check_quickly


def problem_with(reference: str) -> str | None:
    """One line about a reference that is no verdict."""
    return None if gold(reference) else f"a verdict is yes, no, A, B or tie, and not {reference[:40]!r}"


def gold(reference: str) -> str | None:
    """The verdict itself."""
    return SAID.get(reference.strip().lower())
