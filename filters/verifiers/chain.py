r"""Are all answers of a chain of problems right?

A reference is a JSON object with the answer to each problem, in their order; each is compared as mathematics:

    {"chain": ["12", "7/2", "-3"]}

Only all of them pass. The score is the share that is right; the evidence has one truth for each, `parts`, where null
is one that could not be compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from filters.verifiers import math
from filters.verifiers.math.extraction import boxes, last_box
from filters.verifiers.outcome import Outcome, failed, passed, unsure

SECONDS = 10.0
MAX_PROBLEMS = 64
MAX_ANSWER = 1_000  # characters of one answer

_HEADING = re.compile(r"^[ \t#*]{0,8}final answers?\b", re.IGNORECASE | re.MULTILINE)
_LABELLED = re.compile(r"^[ \t>*#(-]{0,8}(?:problem|answer) ?([0-9]{1,2})\b([^\n]*)", re.IGNORECASE | re.MULTILINE)


def final_answer(text: str) -> str | None:
    r"""The answers that a response gives, as a JSON list, or None when there are none.

    What the lines "Problem 2: \boxed{...}" hold, of several for one problem the last; after the last heading "Final
    Answers" where there is one. A problem that no line names is null. Without any such line, all boxes in order.
    """
    heading = max((found.end() for found in _HEADING.finditer(text)), default=0)
    listed = _labelled(text[heading:]) or _labelled(text) or boxes(text[heading:])
    return json.dumps(listed) if 0 < len(listed) <= MAX_PROBLEMS and any(listed) else None


def _labelled(text: str) -> list[str | None]:
    """The last box of the lines that name a problem, by its number."""
    lines = ((int(found[1]), last_box(found[2])) for found in _LABELLED.finditer(text))
    known = {place: box for place, box in lines if place and box is not None}
    return [known.get(place) for place in range(1, max(known, default=0) + 1)]


def check_quickly(reference: str, answer: str) -> Outcome | None:
    """The outcome; None where an answer takes algebra and no other is wrong."""
    return _outcome(reference, answer, math.check_quickly)


def check(reference: str, answer: str) -> Outcome:
    """The outcome."""
    return _outcome(reference, answer, math.check) or unsure("cannot be compared with the reference")


def problem_with(reference: str) -> str | None:
    """What is wrong with a reference, in one line: no object, no list, an answer that is none."""
    wanted = _wanted(reference)
    return wanted if isinstance(wanted, str) else None


def gold(reference: str) -> str | None:
    """All answers of the reference, as `final_answer` gives them."""
    wanted = _wanted(reference)
    return None if isinstance(wanted, str) else json.dumps(wanted)


def _outcome(reference: str, answer: str, check: Callable[[str, str], Outcome | None]) -> Outcome | None:
    wanted = _wanted(reference)
    if isinstance(wanted, str):
        return unsure(wanted)
    given = _given(answer)
    if len(given) != len(wanted):
        return failed("not one answer to each problem", score=0.0, evidence={"given": len(given), "of": len(wanted)})
    told = [check(one, said) if said else failed("no answer") for one, said in zip(wanted, given, strict=True)]
    parts = [None if each is None else each.same for each in told]
    score, evidence = parts.count(True) / len(parts), {"parts": parts}
    if False in parts:
        return failed("not all answers are right", score=score, evidence=evidence)
    if None in told:
        return None
    return passed(score=1.0, evidence=evidence) if all(parts) else unsure("an answer cannot be compared")


def _given(answer: str) -> Sequence[str | None]:
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        return []
    known = isinstance(said, list) and all(each is None or isinstance(each, str) for each in said)
    return [each if each and len(each) <= MAX_ANSWER else None for each in said] if known else []


@lru_cache(maxsize=512)
def _wanted(reference: str) -> list[str] | str:
    """The answers that a reference wants, or one line that says what is wrong with it."""
    try:
        value: Any = json.loads(reference)
    except (ValueError, RecursionError):
        value = None
    answers = value.get("chain") if isinstance(value, dict) else None
    if not isinstance(answers, list) or not 0 < len(answers) <= MAX_PROBLEMS:
        return f'the reference is no object with 1 to {MAX_PROBLEMS} answers: {{"chain": ["12", "7"]}}'
    for place, each in enumerate(answers, start=1):
        if not isinstance(each, str) or len(each) > MAX_ANSWER:
            return f"the answer to problem {place} is no text of at most {MAX_ANSWER} characters"
        if wrong := math.problem_with(each):
            return f"the answer to problem {place}: {wrong}"
    return answers
