"""Does the question give its answer away?

A number that occurs in the question may happen to be its answer ("divide 12 by 1"), so only what is put forward *as*
an answer counts: a label ("Answer: 12", a box, a hint) by itself, a statement ("the answer is 12", "4 · 3 = 12?",
"...? 12") when its value is the author's answer. A riddle may well say what "the result is".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from filters.rule import Case, Check, Ruling, failed, passed, unsure
from pipelines.records import Problem

MAX_STATEMENTS = 8  # that are compared with the author's answer

# --- What a value looks like. Quantifiers are possessive: "12 or" must not be read as a 1. -----------------------

_NUMBER = r"[-\u2212]?+[$€£]?+\d++(?:,\d{3})*+(?:\.\d++)?+(?:\s?+/\s?+\d++)?+%?+"
_FORMULA = r"\$[^$\n]{1,80}\$|\\\([^\n]{1,80}?\\\)|-?\\[dt]?frac\{[^{}\n]{1,40}\}\{[^{}\n]{1,40}\}"
_WORD = r"(?:yes|no|true|false)(?=\s*(?:[.,;:!?)\]]|$))"
_LETTER = r"(?-i:\([A-J]\)|[A-J](?![\w'\u2019]))"
_NO_AMOUNT = r"(?!\s?(?:or|to|digits?|decimals?|significant|more|less|times|places|percent of)\b)"
# What is to be filled in: \boxed{}, \boxed{?}, \boxed{\phantom{2}}.
_GAP = r"(?:\\(?:[hv]?phantom|hspace)\{[^{}]*\}|\\q?quad\b|\\square\b|\\[ ,;:!]|[\s?_~])*+\}"
_VALUE = rf"(?:{_FORMULA}|{_NUMBER}|{_WORD}|{_LETTER}){_NO_AMOUNT}"


class Sign(NamedTuple):
    """Words that give something away. Most questions have none of the cues, which spares them the slower pattern."""

    cues: tuple[str, ...]  # in lower case; one must occur
    pattern: re.Pattern[str]


def _sign(cues: str, pattern: str) -> Sign:
    return Sign(tuple(cues.split("|")), re.compile(pattern, re.IGNORECASE | re.MULTILINE))


# --- Labels: whatever the value is, no question should have one -----------------------------------------------

_LABELS = {
    "gives an answer": _sign(
        "ans|solution|box|####",
        rf"\b(?:answer|ans|solution|answer key)\s?[:=]\s?{_VALUE}|\\f?box(?:ed)?\s?\{{(?!{_GAP})[^}}]|^####",
    ),
    "gives a solution": _sign("solution", r"^\W{0,4}(?:worked |full )?solution\W{0,3}[:\n]"),
    "gives a hint": _sign("hint", r"\bhint\W{0,3}:|[(\[]hint\b"),
    "marks a choice as right": _sign(
        "correct|right|✓|✔|✅", r"[✓✔✅]|[(\[](?:correct|right)(?: answer| choice)?[)\]]"
    ),
}

# --- Statements: leaks when they state the author's answer ----------------------------------------------------

_ANNOUNCEMENTS = (
    _sign(
        "answer|solution|result|choice|option",
        r"\b(?:answer|solution|result|correct (?:choice|option))(?: \w+){0,3}? "
        r"(?:is|was|equals|(?:should|must|will) be)"
        rf"(?: (?:simply|exactly|just|therefore|clearly|indeed|of course))?,? ?:? ?({_VALUE})",
    ),
    _sign("comes to", rf"\b(?:it|this|that) (?:all )?comes to ({_VALUE})"),
    _sign("get|find|obtain", rf"\b(?:you|we) (?:should|will|would|must) (?:get|find|obtain) ({_VALUE})"),
)
_EQUATED = re.compile(rf"=\s?({_VALUE})[\s$]{{0,2}}(?:\?|$)", re.IGNORECASE)
# Numbers only, after a word or at the start: where an unknown stands, as in "2x - 3 = 3?", the 3 is no answer.
_SIGNS = r"+\-\u2212*/\xd7\xf7\xb7^"
_ARITHMETIC = re.compile(
    rf"(?:^|[^\W\d_]{{2}}\s|[:,$]\s?)(?=[^=]*[{_SIGNS}\\])\(?\d(?:[\d\s{_SIGNS}().,]|\\(?:times|cdot|div)\b)*$"
)
_REMARK = re.compile(rf"[a-z][^()\n]{{0,60}}(?<! or) ({_NUMBER}|{_WORD}|{_LETTER})[.!]?\)\s*$", re.IGNORECASE)
# A number or a letter must be all that follows the question: "? (A) 12 (B) 15" are its options.
_AFTERWARDS = re.compile(rf"[\s(\[]*({_WORD}|(?:{_FORMULA}|{_NUMBER}|{_LETTER})(?=[\s.!)\]]*$))", re.IGNORECASE)


def no_leak(case: Case, check: Check) -> list[Ruling]:
    """Pass a question that does not give its answer away; unsure where a stated answer cannot be compared."""
    problem = case.problem
    lowered = problem.question.lower()
    for reason, label in _LABELS.items():
        if any(cue in lowered for cue in label.cues) and (found := label.pattern.search(problem.question)):
            return [failed(reason, evidence={"found": found[0][:80]})]
    stated = _statements(problem)
    if not stated:
        return [passed()]
    if not problem.answer or problem.verifier is None:
        return [unsure("states an answer, and there is none to compare it with", evidence={"stated": stated})]
    outcomes = [value == problem.answer or check(problem.verifier, problem.answer, value).same for value in stated]
    if True in outcomes:
        return [failed("states its answer", evidence={"stated": stated})]
    if None in outcomes:
        return [unsure("states what may be its answer", evidence={"stated": stated})]
    return [passed(evidence={"stated": stated})]


def no_leak_compares(case: Case) -> Iterable[tuple[str, str]]:
    """The author's answer with each value that the question states."""
    answer = case.problem.answer
    if not answer or case.problem.verifier is None:
        return []
    return [(answer, value) for value in _statements(case.problem) if value != answer]


def _statements(problem: Problem) -> list[str]:
    """The distinct values of the answer's kind that a question states as an answer, in their order."""
    stated = dict.fromkeys(value.strip() for value in _stated(problem.question))
    if problem.answer:
        # In "is 6 * 7 = 42?", answered by yes, nothing is stated.
        stated = {value: None for value in stated if _is_word(value) == _is_word(problem.answer)}
    return list(stated)[:MAX_STATEMENTS]


def _is_word(value: str) -> bool:
    return value.strip().lower() in ("yes", "no", "true", "false")


def _stated(question: str) -> Iterator[str]:
    lowered = question.lower()
    for sign in _ANNOUNCEMENTS:
        if any(cue in lowered for cue in sign.cues):
            yield from sign.pattern.findall(question)
    for found in _EQUATED.finditer(question):
        if _ARITHMETIC.search(question[max(0, found.start() - 40) : found.start()]):
            yield found[1]
    _, mark, rest = question.rpartition("?")
    if mark and (found := _AFTERWARDS.match(rest)):
        yield found[1]
    _, mark, rest = question.rpartition("(")
    if mark and (found := _REMARK.match(rest)):
        yield found[1]
