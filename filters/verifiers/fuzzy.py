"""Is the answer close enough to a reference text?

A reference is a JSON object, which must say how close is close enough:

    {"text": "The mitochondria make ATP.", "at_least": 0.9, "by": "characters"}
    {"texts": ["Mount Everest", "Chomolungma"], "at_least": 0.8, "by": "words"}

With several texts the nearest counts. Similarity is from 0 to 1, and each measure divides by the lengths of both
texts, so that a long answer does not pass by containing the reference. Case and invisible characters do not count.

* `characters` (the default): 2 LCS / (n + m), the normalized Indel similarity; runs of white space count once.
* `words`: F1 of the words in any order, each as often as it occurs (SQuAD, arXiv 1606.05250); punctuation is
  ignored, and "dog bites man" is "man bites dog".
* `words_in_order`: F1 of the longest common subsequence of words (ROUGE-L).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from filters.verifiers.constraints.text import seen, words
from filters.verifiers.exact import announced, boxed, tagged
from filters.verifiers.outcome import Outcome, failed, passed, unsure

SECONDS = 5.0
MAX_WORK = 4_000_000  # characters of reference times characters of answer that may be compared quickly
MAX_REFERENCE = 1_000_000  # characters
MAX_TEXTS = 100


def final_answer(text: str) -> str | None:
    r"""The answer that a response gives, or None when it is blank.

    What the last `<answer>...</answer>` holds, else the last `\boxed{}`, else what follows the last "answer is" or
    "answer:" on its line, all as in `exact`; else the whole response.
    """
    for find in (tagged, boxed, announced):
        if (found := find(text)) is not None:
            return found.strip() or None
    return text.strip() or None


def check_quickly(reference: str, answer: str) -> Outcome | None:
    """The outcome; None where the texts are so long that comparing them takes more than a moment."""
    return None if len(reference) * max(len(answer), 100) > MAX_WORK else check(reference, answer)


def check(reference: str, answer: str) -> Outcome:
    """The outcome. The score is the similarity to the nearest text."""
    task = _read(reference)
    return unsure(task) if isinstance(task, str) else _outcome(task, answer)


def problem_with(reference: str) -> str | None:
    """What is wrong with a reference, in one line: no object, no text, no threshold, an unknown measure ..."""
    task = _read(reference)
    return task if isinstance(task, str) else None


def gold(reference: str) -> str | None:
    """The first of the texts."""
    task = _read(reference)
    return None if isinstance(task, str) else task.texts[0]


# --- Measures -----------------------------------------------------------------------------------------


def by_characters(a: str, b: str) -> float:
    """Twice the longest common subsequence over the sum of the lengths."""
    from rapidfuzz.distance import Indel

    return Indel.normalized_similarity(*(" ".join(seen(text).casefold().split()) for text in (a, b)))


def by_words(a: str, b: str) -> float:
    """F1 of the words in any order, each as often as it occurs."""
    x, y = (Counter(words(seen(text).casefold())) for text in (a, b))
    return 2 * (x & y).total() / max(1, x.total() + y.total())


def by_words_in_order(a: str, b: str) -> float:
    """F1 of the longest common subsequence of words."""
    from rapidfuzz.distance import Indel

    return Indel.normalized_similarity(*(words(seen(text).casefold()) for text in (a, b)))


MEASURES: dict[str, Callable[[str, str], float]] = {
    "characters": by_characters,
    "words": by_words,
    "words_in_order": by_words_in_order,
}


class _Task(NamedTuple):
    texts: list[str]
    at_least: float
    by: str


def _outcome(task: _Task, answer: str) -> Outcome:
    if not words(seen(answer)) and any(words(seen(text)) for text in task.texts):
        return failed("no words", score=0.0)  # also where the threshold is low
    score = max(MEASURES[task.by](text, answer) for text in task.texts)
    evidence = {"at_least": task.at_least, "by": task.by}
    if score >= task.at_least:
        return passed(score=score, evidence=evidence)
    return failed(f"not similar enough: {score:.3f}, not at least {task.at_least:g}", score=score, evidence=evidence)


# --- Reading references ---------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _read(reference: str) -> _Task | str:
    """What a reference asks for, or one line that says what is wrong with it."""
    if len(reference) > MAX_REFERENCE:
        return f"the reference is longer than {MAX_REFERENCE} characters"
    try:
        value = json.loads(reference)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        return 'the reference is no object; declare at_least: {"text": "...", "at_least": 0.9}'
    texts = [value["text"]] if "text" in value else value.get("texts")
    at_least, by = value.get("at_least"), value.get("by", "characters")
    return _problem(texts, at_least, by) or _Task(list(texts or ()), float(at_least or 0), by)


def _problem(texts: Any, at_least: Any, by: Any) -> str | None:
    if not (isinstance(texts, list) and 0 < len(texts) <= MAX_TEXTS and all(map(_is_text, texts))):
        return f"the reference has no text, nor a list of 1 to {MAX_TEXTS} texts, that hold a letter or digit"
    if isinstance(at_least, bool) or not isinstance(at_least, int | float) or not 0 < at_least <= 1:
        return "declare at_least: a number above 0, at most 1"
    if not isinstance(by, str) or by not in MEASURES:
        return f"unknown measure {str(by)[:40]!r}; there are: {', '.join(MEASURES)}"
    return None


def _is_text(text: object) -> bool:
    return isinstance(text, str) and bool(words(seen(text)))
