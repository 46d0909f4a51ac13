"""Options in other places: a question asked again, so that an answer by its content can be told from one by place.

The second half of answer consistency (ACRE): the same reasoning must lead to the same option wherever it stands. So
the options move, all of them, and the reasoning is shown without the letters that it names.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

from filters.verifiers import choice

MAX_STARTS = 50  # places in a question at which its options may begin

_PLACED = re.compile(
    r"\b(?:above|below|preceding|previous|former|latter)\b"
    r"|\b(?:both|neither|either|only|options?|choices?|and|or)\s+\(?[A-Z]\)?(?![\w'])"
    r"|\(?\b[A-Z]\)?\s+(?:and|or|&)\s+\(?[A-Z]\)?(?![\w'])"
)


def moves(letters: str, *, seed: str) -> dict[str, str]:
    """To which letter each option moves: a random cycle through all (Sattolo 1986), so that none stays."""
    order, chance = list(letters), random.Random(seed)
    for i in range(len(order) - 1, 0, -1):
        j = chance.randrange(i)
        order[i], order[j] = order[j], order[i]
    return dict(zip(letters, order, strict=True))


def speaks_of_places(options: Mapping[str, str]) -> bool:
    """Whether an option means others by where they stand: "none of the above", "both A and C"."""
    return any(_PLACED.search(content) for content in options.values())


def shuffled(question: str, options: Mapping[str, str], moved: Mapping[str, str]) -> str | None:
    """The question with its options moved and everything else in place; None where they cannot be found in it."""
    spans = _spans(question, options)
    if spans is None:
        return None
    now_at = {new: options[old] for old, new in moved.items()}
    parts, at = [], 0
    for letter, (start, stop) in spans.items():
        parts += [question[at:start], now_at[letter]]
        at = stop
    return "".join([*parts, question[at:]])


def _spans(question: str, options: Mapping[str, str]) -> dict[str, tuple[int, int]] | None:
    """Where the content of each option stands, in the last list that holds them all in their order."""
    (letter, content), *others = options.items()
    patterns = {each: _marked(each, said) for each, said in others}
    complete = None
    for begun in islice(_marked(letter, content).finditer(question), MAX_STARTS):
        spans, at = {letter: begun.span(1)}, begun.end()
        for each, pattern in patterns.items():
            found = pattern.search(question, at)
            if found is None:
                return complete  # nor is it there for a list that begins later
            spans[each], at = found.span(1), found.end()
        complete = spans
    return complete


def _marked(letter: str, content: str) -> re.Pattern[str]:
    r"""An option with its mark, in its usual forms: (A), A), A., A:, **A**, \textbf{(A)}\ ."""
    return re.compile(rf"(?<![A-Za-z])\(?{letter}(?:\*\*)?\s?[.):\]-][\s*}}\\~$]{{0,9}}({_words(content)})")


def _words(content: str) -> str:
    return r"\s+".join(re.escape(word) for word in content.split())


# --- The reasoning, without its letters -----------------------------------------------------------------------

_CONCLUSION = re.compile(
    r"\\(?:boxed|fbox)(?![A-Za-z])|####|\b(?:answer|choice|option)\W{0,4}(?:is|:)", re.IGNORECASE
)
_SENTENCE = re.compile(r"[.!?。](?=\s)|\n")
_LETTER_ALONE = re.compile(r"\W{0,9}[A-Za-z]\W{0,9}")


class Trace(NamedTuple):
    """Reasoning before its conclusion, with options named by their content; `left` are letters that still stand."""

    text: str
    left: list[str]


def trace(reasoning: str, options: Mapping[str, str]) -> Trace:
    """The reasoning up to the sentence of its last conclusion; the letters it names become what the options say.

    A letter that may be an option or a name ("point B", "A = 5") stays, and is told in `left`.
    """
    text = _by_content(_before_conclusion(reasoning), options)
    articles = r"A(?= [a-z])" if "A" in options else r"(?!)"
    left = re.findall(rf"(?<![\w'\\])(?!{articles})([{''.join(options)}])(?![\w'])", text)
    return Trace(text, sorted(set(left)))


def _before_conclusion(reasoning: str) -> str:
    marks = [mark.start() for mark in _CONCLUSION.finditer(reasoning)]
    if marks:
        ends = [end.end() for end in _SENTENCE.finditer(reasoning, 0, marks[-1])]
        reasoning = reasoning[: ends[-1]] if ends else reasoning[: marks[-1]]
    lines = reasoning.rstrip().split("\n")
    while lines and (not lines[-1].strip() or _LETTER_ALONE.fullmatch(lines[-1])):
        lines.pop()
    return "\n".join(lines).strip()


def _by_content(text: str, options: Mapping[str, str]) -> str:
    for letter, content in options.items():
        text = re.sub(rf"(?<!\w)\(?{letter}\s?[.):]\s{{0,9}}({_words(content)})", r"\1", text, flags=re.IGNORECASE)
    letters = f"[{''.join(options)}]"
    named = re.compile(
        rf"(?<!\w)\(({letters})\)"
        r"|\b((?:options?|choices?|answers?|alternatives?)\W{1,3}(?:is\W{1,3}|be\W{1,3})?)"
        rf"({letters})(?![\w'])"
        rf"|\b((?:so|thus|hence|therefore|pick|choose|select|it's|is|be)\W{{1,4}})({letters})"
        r"(?=[\s*]{0,3}(?:[.,;:!]|$))",
        re.IGNORECASE | re.MULTILINE,
    )
    return named.sub(lambda found: _quoted(found, options), text)


def _quoted(found: re.Match[str], options: Mapping[str, str]) -> str:
    """The option's content in place of its letter, behind the words that announced it. A small letter is a word."""
    before, letter = next((found[i - 1] if i > 1 else "", found[i]) for i in (1, 3, 5) if found[i])
    return f'{before}"{options[letter]}"' if letter in options else found[0]


def chosen(answer: str | None, options: Mapping[str, str]) -> str | None:
    """The letter of the option that an answer picks, by letter or by content; None for none or several."""
    references = {letter: json.dumps({"key": letter, "options": dict(options)}) for letter in options}
    outcomes = {letter: choice.check_quickly(each, answer or "") for letter, each in references.items()}
    picked = [letter for letter, outcome in outcomes.items() if outcome and outcome.status == "pass"]
    return picked[0] if len(picked) == 1 else None


def key_of(reference: str | None, options: Mapping[str, str]) -> str | None:
    """The letter of the right option; None if the reference names none of these."""
    key = choice.gold(reference or "")
    return key if key in options else None
