"""Is the question a text that can be used, and the author's answer one that can be checked?

Reasons are fixed sentences, so that they can be counted; what gave rise to one stands in the evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from filters.rule import Case, Check, Ruling, failed, passed
from filters.verifiers import VERIFIERS, verifier
from filters.verifiers.choice import options_in
from filters.words import words

QUOTED = 80  # characters of the offending text that go into the evidence

# --- The question ---------------------------------------------------------------------------------------------

_MARKS = {
    "holds replacement or control characters": re.compile(
        r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffd]"
    ),
    "holds a tag of the answer format": re.compile(
        r"</?(?:question|answer|plan|think|problem|instruction|task)>"
        r"|\[/?(?:new question|final answer|new problem)\b[^\]\n]{0,40}\]|#(?:synthetic|new) prompt\b",
        re.IGNORECASE,
    ),
    # Two letters or more and nothing to hang on, since LaTeX writes x^{{n}} and \sqrt{{n}}.
    "holds an unfilled template variable": re.compile(r"\{\{(?<![\w^}]\{\{)\s{0,3}[a-z]\w+\s{0,3}\}\}"),
    "speaks of the seeds": re.compile(
        r"[Ss]eed (?:question|problem|task|instruction)s?\b|^\W*(?:[Tt]he )?[Nn]ew (?:question|problem|task)\b"
    ),
    r"holds a \boxed": re.compile(r"\\f?box(?:ed)?(?![A-Za-z])"),
}
_HEADING = re.compile(r"^[\W_]{0,6}(?:problem|question|task|exercise)\s?#?\d+\s?[:.)]", re.IGNORECASE | re.MULTILINE)
_NUMBERED = re.compile(r"(?:^|(?<=\s))\(?(?:\d{1,2}|[a-h])[.)]\s[^?]{1,300}?\?", re.MULTILINE)
_OPEN_ENDS = (":", ",", ";", "(", "[", "{")
_OPEN_WORDS = frozenset(["and", "or", "the", "of", "with", "if", "because", "whose", "which"])


def form(case: Case, check: Check, *, at_least_words: int = 4, at_most_words: int = 400) -> list[Ruling]:
    """Pass a question that reads as one complete problem and nothing else.

    Numbers are words, signs are not. The lower limit is Self-Instruct's (arXiv 2212.10560).
    """
    question = case.problem.question
    tokens = words(question)
    if len(tokens) < at_least_words:
        return [failed("too few words", evidence={"words": len(tokens)})]
    if len(tokens) > at_most_words:
        return [failed("too many words", evidence={"words": len(tokens)})]
    defect = next(_defects(question, tokens), None)
    return [passed() if defect is None else failed(defect[0], evidence={"found": defect[1][:QUOTED]})]


def _defects(question: str, tokens: list[str]) -> Iterator[tuple[str, str]]:
    """Reasons why this is no usable question, each with the text that shows it."""
    for reason, mark in _MARKS.items():
        if found := mark.search(question):
            yield reason, found[0]
    if len(set(tokens)) == 1:
        yield "repeats one word", tokens[0]
    if question.rstrip().endswith(_OPEN_ENDS) or (tokens[-1] in _OPEN_WORDS and question.rstrip()[-1].isalpha()):
        yield "ends in the middle of a sentence", question.rstrip()[-QUOTED:]
    if len(parts := _HEADING.findall(question)) > 1 or len(parts := _NUMBERED.findall(question)) > 1:
        yield "asks several questions", parts[1]


# --- The author's answer --------------------------------------------------------------------------------------

_TEXT = re.compile(r"\\(?:text[a-z]{0,2}|mathrm|mbox)\s?\{([^{}]*)\}")
_LONGER_WORD = re.compile(r"[^\W\d_]{2,}")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_PROSE = re.compile(
    r"\b(?:is|are|was|were|because|therefore|thus|hence|since|so|which|that|there|this|it|we|you|they|she|he"
    r"|answer|result|final)\b",
    re.IGNORECASE,
)
_VAGUE = re.compile(r"\b(?:about|approximately|roughly|around|depends|unknown)\b|\\approx|≈|\.\.\.|\\l?dots")
_ALTERNATIVES = re.compile(r"\b(?:or|and)\b|\\(?:pm|mp|lor|land)(?![A-Za-z])|±", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_SPACED_THOUSANDS = re.compile(r"(?<=\d)(?:\{,\}|,\\[!,])(?=\d{3})")
_MANY_WORDS = 5  # "20 cubic metres per second" still is a value with its unit


def answer_form(case: Case, check: Check, *, at_most_chars: int = 80) -> list[Ruling]:
    """Pass a problem whose answer is one short value that its verifier can read.

    A problem without a verifier makes no claim to have such an answer (a task that a judge will grade), and passes.
    A point, a set or an interval is one value; "2 or 3" and "x = 1, y = 2" are two.
    """
    problem = case.problem
    if problem.verifier is None:
        return [passed(context={"verifier": None})]
    kind = verifier(problem.verifier)
    context = {"verifier": f"{problem.verifier}@{kind.version}"}
    answer = (problem.answer or "").strip()
    if not answer:
        return [failed("no answer", context=context)]
    if len(answer) > at_most_chars:
        return [failed("too long for an answer", context=context, evidence={"chars": len(answer)})]
    if reason := _not_one_value(answer):
        return [failed(reason, value=answer, context=context)]
    if (told := kind.check_quickly(answer, answer)) is None or told.status != "pass":
        return [failed("not an answer that the verifier can read", value=answer, context=context)]
    return [passed(value=answer, context=context)]


def short_answer(case: Case, check: Check, *, at_most_words: int = 10) -> list[Ruling]:
    """Pass a problem whose answer can be compared: a key among its options, a value, or words that are few.

    What is compared letter by letter, or by how near it is, may have so many words (NEMOTRON-CROSSTHINK, arXiv
    2504.13941); a problem whose answer is found by running it passes.
    """
    problem = case.problem
    context = {"verifier": problem.verifier, "at_most_words": at_most_words}
    if problem.verifier is None or not (problem.answer or "").strip():
        return [failed("no answer", context=context)]
    answer = VERIFIERS[problem.verifier].gold(str(problem.answer)) or ""
    if problem.verifier == "choice":
        labels = [label.upper() for label in options_in(problem.question)]
        return [passed(context=context) if answer in labels else failed("not among the options", context=context)]
    count = len(answer.split()) if problem.verifier in ("exact", "fuzzy") else 0
    if count > at_most_words:
        return [failed("too long to be compared", context=context, evidence={"words": count})]
    return [passed(context=context)]


def _not_one_value(answer: str) -> str | None:
    plain = _TEXT.sub(r" \1 ", answer)
    if "\n" in answer or _PROSE.search(plain) or len(_LONGER_WORD.findall(_COMMAND.sub(" ", plain))) > _MANY_WORDS:
        return "prose instead of a value"
    if _VAGUE.search(plain):
        return "not an exact value"
    if _ALTERNATIVES.search(plain) or len(_outer_parts(answer)) > 1:
        return "more than one answer"
    return None


def _outer_parts(answer: str) -> list[str]:
    """The answer cut at commas and semicolons outside all brackets, thousands kept whole."""
    parts, depth = [""], 0
    for character in _THOUSANDS.sub(lambda number: number[0].replace(",", ""), _SPACED_THOUSANDS.sub(",", answer)):
        depth += (character in "([{") - (character in ")]}")
        if character in ",;" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in parts if part.strip(" .\\$")]
