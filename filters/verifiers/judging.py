"""Judgements: what a judge is shown, and what is read from its reply. Knows neither models nor records.

A judge is a language model that reads other models' text, so this text stands between marks that it cannot close,
and only a well-formed verdict in the reply counts. What is not worth a judge's time is told by `gaming`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from filters.verifiers.outcome import Outcome, failed, passed, unsure

Preference = Literal["A", "B", "tie"]

# --- What a judge is shown ------------------------------------------------------------------------------------

MARKS = (
    *("task", "reference", "response", "response_a", "response_b", "trace", "question_a", "question_b"),
    *("reason", "verdict", "score", "level", "strategies", "step"),
    *("criteria", "solution", "comparison", "score_a", "score_b", "critique", "domain", "topic", "verbosity"),
)
_GAP = r"[\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff]{0,9}"  # what may be hidden inside of a mark
_MARK = re.compile(
    rf"[<＜](?={_GAP}[/／]?{_GAP}(?:{'|'.join(MARKS)}){_GAP}[>＞])"  # noqa: RUF001 - as wide as it is meant
    r"|<(?=\|)|<(?=/?s>|<SYS>|</SYS>|start_of_turn>|end_of_turn>)|\[(?=/?INST\])",  # what servers read as turns
    re.IGNORECASE,
)


def pointwise(*, question: str, response: str, reference: str | None = None) -> str:
    """One response to a task, with its reference answer if that is shown, each between its marks."""
    parts = {"task": question, "reference": reference, "response": response}
    return _blocks({mark: text for mark, text in parts.items() if text is not None})


def pairwise(*, question: str, first: str, second: str) -> str:
    """Two responses to one task, each between its marks; the first is A."""
    return _blocks({"task": question, "response_a": first, "response_b": second})


def beside(first: str, second: str) -> str:
    """Two questions, each between its marks; the first is A."""
    return _blocks({"question_a": first, "question_b": second})


def _blocks(parts: dict[str, str]) -> str:
    return "\n".join(f"<{mark}>\n{between_marks(text)}\n</{mark}>" for mark, text in parts.items())


def between_marks(text: str) -> str:
    """A text to be judged, that cannot close or open the marks it stands between and speak from outside of them.

    The bracket that opens a mark becomes another (U+2039), and so does that of the control tokens by which servers
    tell turns apart. As many characters as before.
    """
    return _MARK.sub("\u2039", text)


def spoken(text: str) -> str:
    """A response without its thinking, closed or not."""
    return text.rpartition("</think>")[2].partition("<think>")[0].strip()


# --- What it replies ------------------------------------------------------------------------------------------

_OPENED = re.compile(r"<verdict>", re.IGNORECASE)
_VERDICT = re.compile(r"<verdict>[\s*\[\"']{0,9}([a-z]{1,10}(?: [a-z])?)[\s*\].\"']{0,9}</verdict>", re.IGNORECASE)
_SCORE = re.compile(r"<score>\s*(-?\d{1,3}(?:\.\d{1,6})?)\s*(?:/\s*10)?\s*</score>")
_SCORES = re.compile(r"<score_(a|b)>\s{0,9}(\d{1,2}(?:\.\d{1,6})?)\s{0,9}</score_\1>", re.IGNORECASE)
_YES_OR_NO = {"yes": True, "correct": True, "no": False, "incorrect": False}
_PREFERRED: dict[str, Preference] = {"a": "A", "response a": "A", "b": "B", "response b": "B", "tie": "tie"}


def read_judgement(text: str) -> bool | None:
    """The yes or no in a reply; None where there is none, or where verdicts contradict each other.

    Only `<verdict>` marks after the thinking count, and the last that was opened must be well-formed: a judge who
    quotes a mark before its own says the same or says nothing.
    """
    return _YES_OR_NO.get(_last_word(text))


def read_preference(text: str) -> Preference | None:
    """Which response a reply prefers, read as `read_judgement` reads."""
    return _PREFERRED.get(_last_word(text))


def read_score(text: str) -> float | None:
    """The score in a judgement, from 0 to 10; None for several different ones, of which one may be quoted."""
    found = {float(score) for score in _SCORE.findall(text)}
    return found.pop() if len(found) == 1 and 0 <= min(found) <= 10 else None


def read_scores(text: str) -> tuple[float, float] | None:
    """The scores of both responses, A's first, each from 0 to 10; None unless each has exactly one."""
    found = {(which.lower(), float(score)) for which, score in _SCORES.findall(spoken(text))}
    scores = dict(found)
    if len(found) != 2 or scores.keys() != {"a", "b"} or max(scores.values()) > 10:
        return None
    return scores["a"], scores["b"]


def speaks_in_words(text: str) -> bool:
    """Whether a reply opens a `<verdict>` at all, readable or not."""
    return bool(_OPENED.search(spoken(text)))


def _last_word(text: str) -> str:
    """What all verdicts of a reply say, in lower case; empty where they differ or the last is malformed."""
    said = spoken(text)
    verdicts = list(_VERDICT.finditer(said))
    opened = max((mark.start() for mark in _OPENED.finditer(said)), default=-1)
    words = {verdict[1].lower() for verdict in verdicts}
    return words.pop() if len(words) == 1 and verdicts[-1].start() == opened else ""


# --- What its votes come to -----------------------------------------------------------------------------------


def decide(votes: Sequence[bool | None], *, at_least: float, at_most: float = 1.0) -> Outcome:
    """Pass when this share of the votes that could be read says yes; the score is the share.

    A smaller share fails if it is `at_most` so large, and is unsure between the two.
    """
    readable = [vote for vote in votes if vote is not None]
    if not readable:
        return unsure("no judgement can be read")
    share = sum(readable) / len(readable)
    if share >= at_least:
        return passed(score=share)
    if share <= at_most:
        return failed("the judge says no", score=share)
    return unsure("the judge's votes disagree", score=share)


def check_threshold(*, at_least: float, at_most: float) -> None:
    """Raises ValueError for what is no share, and for a threshold that everything reaches."""
    if not 0 < at_least <= 1:
        raise ValueError(f"at_least = {at_least} should be above 0 and at most 1")
    if not 0 <= at_most <= 1:
        raise ValueError(f"at_most = {at_most} should be from 0 to 1")


def agree(first: Sequence[Preference | None], second: Sequence[Preference | None]) -> Outcome:
    """What two orders of the same pair come to: pass with `{"place": 0 or 1}` in the evidence, that of the better.

    `first` are the votes with the pair in its order, `second` those with it turned round. The majority of both must
    prefer the same response, not the same place; the score is that response's share of all votes that could be
    read, where a tie is half a vote.
    """
    here, there = _majority(first), _majority(second)
    if here is None or there is None:
        return unsure("no judgement can be read")
    match here, there:
        case ("A", "B"):
            return passed(score=_share(first, second), evidence={"place": 0})
        case ("B", "A"):
            return passed(score=1 - _share(first, second), evidence={"place": 1})
        case ("A", "A"):
            return unsure("prefers the first place")
        case ("B", "B"):
            return unsure("prefers the second place")
        case ("tie", "tie"):
            return unsure("a tie")
        case _:
            return unsure("prefers one of them in one order only")


def _majority(votes: Sequence[Preference | None]) -> Preference | None:
    a, b, tie = (sum(vote == name for vote in votes) for name in ("A", "B", "tie"))
    if not a + b + tie:
        return None
    return "A" if a > max(b, tie) else "B" if b > max(a, tie) else "tie"


def _share(first: Sequence[Preference | None], second: Sequence[Preference | None]) -> float:
    """The share of the votes for the response that is A in the first order."""
    worth: dict[Preference, float] = {"A": 1.0, "tie": 0.5, "B": 0.0}
    given = [worth[vote] for vote in first if vote] + [1 - worth[vote] for vote in second if vote]
    return sum(given) / len(given)
