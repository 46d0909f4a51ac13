"""Is a trace a text at all? Loops, repetition, languages that come and go, words of the prompt.

Rules about the surface of each attempt, its reasoning and its answer together. All in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from filters.rule import Case, Check, Ruling, failed, passed, unsure
from filters.trace import QUOTED
from filters.words import words
from pipelines.records import Attempt


def said(attempt: Attempt) -> str:
    """Everything that the model wrote in its last turn: its reasoning, then its answer."""
    return "\n\n".join(part for part in (attempt.turns[-1].reasoning, attempt.text) if part)


def _each(case: Case, look: Callable[[Attempt, str], Ruling]) -> Iterator[Ruling]:
    """What `look` says of every attempt that wrote something."""
    for attempt in case.attempts:
        text = said(attempt)
        ruling = look(attempt, text) if text.strip() else unsure("nothing was said")
        yield ruling._replace(about=(attempt.id,))


# --- Repetition -----------------------------------------------------------------------------------------------

N = 8  # words: what recurs in good texts is shorter, as a rule
_IDEOGRAM = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
# Words in parts, ideograms and signs one by one, so that a loop of letters or signs is a loop too.
_PIECE = re.compile(rf"[{_IDEOGRAM}]|[^\W{_IDEOGRAM}]{{1,8}}|[^\w\s]")


def size(text: str) -> int:
    """The length of a text in parts of words and signs: about what tokenizers count, and the same for all models."""
    return len(_PIECE.findall(text))


TAIL = 4_096  # pieces at the end of a text in which a loop is looked for
LOOP_TIMES = 4
LOOP_PIECES = 40


def not_repetitive(case: Case, check: Check, *, at_most: float = 0.5) -> Iterator[Ruling]:
    """Pass each attempt that does not end in a loop, and of whose runs of eight words at most this share recurs.

    The score is the share; the evidence has the `loop`, how often it is run through, and where it begins.
    """
    return _each(case, lambda attempt, text: _not_repetitive(text, at_most))


def _not_repetitive(text: str, at_most: float) -> Ruling:
    score, loop = repeated_share(text), tail_loop(text)
    if loop is not None:
        evidence = {"loop": loop.text[:QUOTED], "times": loop.times, "begins": loop.begins}
        return failed("ends in a loop", score=score, evidence=evidence)
    return failed("repeats itself", score=score) if score > at_most else passed(score=score)


def repeated_share(text: str) -> float:
    """Of the runs of eight words in a text, the share that stood in it before; 0 for fewer than sixteen words."""
    tokens = words(text)
    runs = [tuple(tokens[place : place + N]) for place in range(len(tokens) - N + 1)]
    return 1 - len(set(runs)) / len(runs) if len(tokens) >= 2 * N else 0.0


_DIGITS = re.compile(r"\d+")
COUNTED_TIMES = 50  # rounds of a loop that only counts up: a table of cases has fewer
COUNTED_PIECES = 4  # of a round of it: x1, x2, x3 are no loop


RULE = 120  # signs in a row that may set something off


class Loop(NamedTuple):
    """What a text says over and over at its end."""

    text: str
    times: int  # whole rounds
    begins: int  # in characters from the start, as far as it was looked for


def tail_loop(text: str) -> Loop | None:
    """The loop in which a text ends: at least four rounds of one thing, together at least forty words or signs."""
    pieces = list(_PIECE.finditer(text))[-TAIL:]
    backwards = [piece[0] for piece in reversed(pieces)]
    length, period = _most_periodic(backwards)
    if period == 0 or length // period < LOOP_TIMES or length < LOOP_PIECES:
        length, period = _most_periodic([_DIGITS.sub("#", piece) for piece in backwards])  # "case 1, case 2, ..."
        if period < COUNTED_PIECES or length // period < COUNTED_TIMES:
            return None
    if period == 1 and length <= RULE and backwards[0] in "-=.*_~#":
        return None  # a rule under a heading, a row of dots
    first, last = pieces[-length], pieces[-length + period - 1]
    return Loop(text[first.start() : last.end()], length // period, first.start())


def _most_periodic(pieces: Sequence[str]) -> tuple[int, int]:
    """The longest beginning that is at least four rounds of a period, and that period; (0, 0) when there is none.

    By borders, as in the search of Knuth, Morris and Pratt: a beginning of length n with border b has period n - b.
    """
    borders, best = [0] * len(pieces), (0, 0)
    for place in range(1, len(pieces)):
        border = borders[place - 1]
        while border and pieces[border] != pieces[place]:
            border = borders[border - 1]
        borders[place] = border + (pieces[border] == pieces[place])
        length, period = place + 1, place + 1 - borders[place]
        if length >= LOOP_TIMES * period:
            best = (length, period)
    return best


# --- Languages ------------------------------------------------------------------------------------------------

SCRIPTS = {
    name: re.compile(rf"[{letters}]+")
    for name, letters in {
        "Latin": "A-Za-z\u00c0-\u024f\u1e00-\u1eff",
        "Chinese and Japanese": "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff",
        "Korean": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
        "Cyrillic": "\u0400-\u052f",
        "Arabic": "\u0600-\u06ff\u0750-\u077f",
        "Hebrew": "\u05d0-\u05ea",
        "Devanagari": "\u0900-\u097f",
        "Bengali": "\u0980-\u09ff",
        "Tamil": "\u0b80-\u0bff",
        "Thai": "\u0e00-\u0e7f",
    }.items()
}
"""Ways of writing, by their letters. Greek is not among them: in formulas it is no language."""
_FORMULA = re.compile(r"\\[A-Za-z]+|\$[^$\n]{1,200}\$|`[^`\n]{1,200}`")


def one_language(case: Case, check: Check, *, at_most: float = 0.0) -> Iterator[Ruling]:
    """Pass each attempt of whose letters at most this share is in another script than the question's.

    Formulas and code do not count. Languages of one script, as English and French, are not told apart. The score is
    the share; the evidence has the letters of each script, and the first that do not belong.
    """
    asked = set(letters_by_script(case.problem.question))
    return _each(case, lambda attempt, text: _one_language(text, asked, at_most))


def _one_language(text: str, asked: set[str], at_most: float) -> Ruling:
    counts = letters_by_script(text)
    total = sum(counts.values())
    if not asked or not total:
        return passed(score=0.0) if not total else unsure("the question has no language to compare with")
    foreign = [script for script in counts if script not in asked]
    score = sum(counts[script] for script in foreign) / total
    evidence = {"letters": counts, "found": [_first(script, text) for script in foreign[:3]]}
    if score > at_most:
        return failed("writes in another script than the question", score=score, evidence=evidence)
    return passed(score=score, evidence={"letters": counts})


def letters_by_script(text: str) -> dict[str, int]:
    """How many letters of each script a text has outside of formulas, the scripts that it has at all."""
    plain = _FORMULA.sub(" ", text)
    counts = {name: sum(map(len, letters.findall(plain))) for name, letters in SCRIPTS.items()}
    return {name: count for name, count in counts.items() if count}


def _first(script: str, text: str) -> str:
    found = SCRIPTS[script].search(text)
    return found[0][:20] if found else ""


# --- Words of the prompt --------------------------------------------------------------------------------------

_LEAKS = {
    "holds a token of a chat template": re.compile(
        r"<\|(?:im_start|im_end|endoftext|eot_id|start_header_id|end_header_id|begin_of_text|assistant|user|system)\|>"
        r"|\[/?INST\]|<</?SYS>>|<\uff5c[^\uff5c\n]{1,30}\uff5c>"
    ),
    "holds an unfilled template variable": re.compile(r"(?<![\w^}\\])\{\{\s{0,3}[a-z]\w{1,40}\s{0,3}\}\}"),
    "speaks of what only the prompt knows": re.compile(
        r"\b(?:the|your|my) (?:system prompt|reference (?:answer|solution)|ground[- ]truth(?: answer)?|answer key"
        r"|seed (?:questions?|problems?|tasks?)|(?:provided|given) (?:solution|answer|hint))\b",
        re.IGNORECASE,
    ),
}
"""Signs of a prompt that a student will never see."""


def no_prompt_words(case: Case, check: Check, *, at_most_words: int = 11) -> Iterator[Ruling]:
    """Pass each attempt that neither speaks of its prompt nor copies more than so many words in a row from it.

    Words of the question may be copied, and what the prompt says beside it may not. The score is the length in words
    of the longest copied run.
    """
    return _each(case, lambda attempt, text: _no_prompt_words(attempt, case.problem.question, text, at_most_words))


def _no_prompt_words(attempt: Attempt, question: str, text: str, at_most_words: int) -> Ruling:
    instructions = _instructions(attempt, question)
    run = longest_copy(text, instructions, besides=question)
    score, evidence = float(len(run)), {"copied": " ".join(run)[:QUOTED]}
    for reason, sign in _LEAKS.items():
        if (found := sign.search(text)) and found[0].lower() not in question.lower():
            return failed(reason, score=score, evidence={"found": found[0][:QUOTED]})
    if score > at_most_words:
        return failed("copies its prompt", score=score, evidence=evidence)
    return passed(score=score, evidence=evidence if run else {})


def _instructions(attempt: Attempt, question: str) -> str:
    """What the attempt was told besides the question."""
    told = [turn.content or "" for turn in attempt.turns if turn.role in ("system", "user")]
    return "\n\n".join(told).replace(question, "\n\n") if question else "\n\n".join(told)


def longest_copy(text: str, source: str, *, besides: str, at_least: int = 4) -> list[str]:
    """The longest run of words in `text` of which every `at_least` in a row stand in `source` and not in `besides`.

    That is a copy in all but odd cases, and found in linear time. Empty when there is none.
    """
    tokens = words(text)
    copied = _grams(words(source), at_least).keys() - _grams(words(besides), at_least).keys()
    best, start = range(0), None
    for place in range(len(tokens) - at_least + 2):
        if place <= len(tokens) - at_least and tuple(tokens[place : place + at_least]) in copied:
            start = place if start is None else start
        elif start is not None:
            best = max(best, range(start, place + at_least - 1), key=len)
            start = None
    return [tokens[place] for place in best]


def _grams(tokens: Sequence[str], n: int) -> Mapping[tuple[str, ...], Any]:
    return dict.fromkeys(tuple(tokens[place : place + n]) for place in range(len(tokens) - n + 1))
