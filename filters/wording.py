"""Is it put in words that can be used? Words that a method bans, plain beginnings, and answers that are none.

Reasons are fixed sentences, so that they can be counted; what gave rise to one stands in the evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from filters.answers import LEFT_OUT
from filters.rule import Case, Check, Ruling, failed, passed, unsure
from filters.words import words as words_of

QUOTED = 80  # characters of the offending text that go into the evidence
OF = ("question", "attempts")

# --- Words that are banned ------------------------------------------------------------------------------------


def no_words(
    case: Case,
    check: Check,
    *,
    words: list[str] | None = None,
    starts: list[str] | None = None,
    ends: list[str] | None = None,
    of: str = "question",
) -> Iterator[Ruling]:
    """Pass a question, or each attempt, that holds none of the `words`, begins with none of `starts`, nor so ends.

    Whole words or phrases, in any case and spacing; of an attempt its reasoning is looked at as well. Self-Instruct
    (arXiv 2212.10560, section 2.2) bans so what a language model cannot do, LongPerceptualThoughts (arXiv
    2504.15362) what would give away that an image was only described.
    """
    if of not in OF:
        raise ValueError(f"no_words: of = {of!r}; it may be {' or '.join(map(repr, OF))}")
    banned = [tuple(_texts(each)) for each in (words or (), starts or (), ends or ())]
    if of == "question":
        yield _no_words(case.problem.question, *banned)
        return
    for attempt in case.attempts:
        written = "\n\n".join(part for part in (attempt.turns[-1].reasoning, attempt.text) if part)
        yield _no_words(written, *banned)._replace(about=(attempt.id,))


def _no_words(text: str, words: tuple[str, ...], starts: tuple[str, ...], ends: tuple[str, ...]) -> Ruling:
    folded = text.strip().casefold()
    if words and (found := _any_of(words).search(text)):
        return failed("holds a banned word", evidence={"found": found[0][:QUOTED]})
    if begins := [each for each in starts if folded.startswith(each.casefold())]:
        return failed("begins as it must not", evidence={"found": begins[0][:QUOTED]})
    if closes := [each for each in ends if folded.endswith(each.casefold())]:
        return failed("ends as it must not", evidence={"found": closes[0][:QUOTED]})
    return passed()


@lru_cache(maxsize=64)
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(_whole(each) for each in words), re.IGNORECASE)


def _whole(word: str) -> str:
    """A phrase as a pattern: by itself, unless it is written without spaces around its words."""
    phrase = r"\s+".join(re.escape(part) for part in word.split())
    before = r"(?<!\w)" if _stands_alone(word[0]) else ""
    after = r"(?!\w)" if _stands_alone(word[-1]) else ""
    return f"{before}{phrase}{after}"


def _stands_alone(letter: str) -> bool:
    """Whether a letter or digit is of a script that has spaces between words: not Chinese, Japanese or Thai."""
    return letter.isalnum() and not re.match("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]", letter)


def _texts(given: Sequence[str]) -> Iterator[str]:
    for each in given:
        if not isinstance(each, str) or not each.strip():
            raise ValueError(f"no_words: {each!r} should be text that is not empty")
        yield each.strip()


# --- Beginnings -----------------------------------------------------------------------------------------------


def plain_beginning(case: Case, check: Check) -> list[Ruling]:
    """Pass a question that begins with an ASCII letter or digit, as Self-Instruct's code has it (arXiv 2212.10560).

    What begins with a sign is mostly the rest of something; questions in other scripts need a recipe without it.
    """
    first = case.problem.question.lstrip()[:1]
    if first.isascii() and first.isalnum():
        return [passed()]
    reason = "begins with nothing" if not first else "begins with a sign or a letter beyond ASCII"
    return [failed(reason, evidence={"found": first})]


# --- Answers that are none ------------------------------------------------------------------------------------

_STOP_WORDS = (
    "a about after again all also an and any are as at be because been before being both but by can could did do"
    " does doing for from had has have having he her here him his how i if in into is it its just me more most my no"
    " not now of off on once only or other our out over own same she should so some such than that the their them"
    " then there these they this those through to too under until up very was we were what when where which while"
    " who whom why will with would you your yes ok okay"
)
STOP_WORDS = frozenset(_STOP_WORDS.split())


def no_refusal(
    case: Case, check: Check, *, apologies: list[str] | None = None, at_least_words: int = 80
) -> Iterator[Ruling]:
    """Pass each attempt that answers, and the problem if any does.

    None is one of signs and stop-words alone, nor one that holds a word of `apologies` (if not said, "sorry") and
    has fewer than `at_least_words`: in many words one may apologise and answer. By Evol-Instruct (arXiv 2304.12244,
    section 3.2).
    """
    sorry = tuple(apologies or ["sorry"])
    told = [_no_refusal(attempt.text, sorry, at_least_words) for attempt in case.attempts if attempt.finish == "stop"]
    finished = iter(told)
    for attempt in case.attempts:
        ruling = next(finished) if attempt.finish == "stop" else unsure(LEFT_OUT[attempt.finish])
        yield ruling._replace(about=(attempt.id,))
    good = sum(each.status == "pass" for each in told)
    if not told:
        yield unsure("no attempt that came to its end")
    elif good:
        yield passed(score=good / len(told), context={"n": len(told)})
    else:
        yield failed(told[0].reason or "", score=0.0, context={"n": len(told)})


def _no_refusal(text: str, apologies: tuple[str, ...], at_least_words: int) -> Ruling:
    said = words_of(text)
    if not set(said) - STOP_WORDS:
        return failed("says nothing", evidence={"found": text.strip()[:QUOTED]})
    if len(said) < at_least_words and (found := _any_of(apologies).search(text)):
        return failed("a short apology", evidence={"found": found[0][:QUOTED], "words": len(said)})
    return passed()
