"""Is the judgement right? For training judges: the reference is what a verifier knows of what was judged.

A reference is `yes` or `no` (is the response right), or `A`, `B` or `tie` (which is better), in whatever case. The
judgement is read as the judges of a run are read: from a well-formed `<verdict>` after the thinking.
"""

from __future__ import annotations

from filters.verifiers.judging import read_judgement, read_preference
from filters.verifiers.outcome import Outcome, failed, passed, unsure

SECONDS = 1.0
SAID = {"yes": "yes", "no": "no", "a": "A", "b": "B", "tie": "tie"}


def final_answer(text: str) -> str | None:
    """The one verdict of a reply; None where there is none, or where several differ."""
    judged = read_judgement(text)
    return read_preference(text) if judged is None else ("yes" if judged else "no")


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
