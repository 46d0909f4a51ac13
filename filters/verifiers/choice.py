r"""Was the same letter picked? For questions with options (A), (B), (C) ...

The three functions mean what their namesakes in `math` do. Letters need no algebra, so `same` is as quick.
"""

import re

from filters.verifiers.math import MAX_ANSWER, last_box
from filters.verifiers.outcome import Outcome, of_comparison

SECONDS = 5.0

_PICKED = re.compile(r"\b(?:answer|choice|option)\W{0,4}(?:is|:)\s*", re.IGNORECASE)
_COMMAND = re.compile(r"\\[A-Za-z]+")
_ALONE = re.compile(r"[^A-Za-z0-9]*([A-Za-z])[^A-Za-z0-9]*")
_NAMED = re.compile(r"(?<![A-Za-z'])([A-Z])(?![A-Za-z'])")
_MARKED = re.compile(r"\(([A-Z])\)|(?<![A-Za-z])([A-Z])[.):](?=[\s*]|$)")
_ARTICLE = re.compile(r"(?<![A-Za-z])[AI](?= (?!or |and )[a-z])")


def final_answer(text: str) -> str | None:
    r"""The capital letter that a response picks, or None when it names none or several.

    Looked for in the last `\boxed{...}`, else after the last "answer is", "answer:" or "option:", else in
    the last line, if that holds a letter and little else ("(B)", "B.", "B) Paris"). Never raises; linear.
    """
    if (box := last_box(text)) is not None:
        return _letter(box)
    if picked := [found.end() for found in _PICKED.finditer(text)]:
        return _letter(text[picked[-1] : picked[-1] + MAX_ANSWER].partition("\n")[0])
    line = text.rstrip().rpartition("\n")[2]
    return _letter(line) if _ALONE.fullmatch(line[:MAX_ANSWER]) or _MARKED.match(line.lstrip("* ")) else None


def same_quickly(a: str, b: str) -> bool | None:
    """Whether two answers are the same letter, whatever its case and decoration; None if one is no letter."""
    if not (a.strip() and b.strip()):
        return False
    x, y = _letter(a), _letter(b)
    return None if x is None or y is None else x == y


def same(a: str, b: str) -> bool | None:
    """As `same_quickly`."""
    return same_quickly(a, b)


def _letter(text: str) -> str | None:
    """The one letter that a short text names, as a capital."""
    if len(text) > MAX_ANSWER:
        return None
    text = _COMMAND.sub("", text).strip()
    if alone := _ALONE.fullmatch(text):
        return alone[1].upper()
    named = set(_NAMED.findall(text))
    marked = {first or second for first, second in _MARKED.findall(text)}
    if marked:  # then an A may be an article: "(B) A whale"
        named = marked | set(_NAMED.findall(_ARTICLE.sub("", text)))
    return named.pop() if len(named) == 1 else None


def check_quickly(reference: str, answer: str) -> Outcome:
    """Pass the same letter."""
    return of_comparison(same_quickly(reference, answer))


def check(reference: str, answer: str) -> Outcome:
    """As `check_quickly`."""
    return check_quickly(reference, answer)


def problem_with(reference: str) -> str | None:
    """What is wrong with a reference: it names no single letter."""
    return None if _letter(reference) else "names no single option"


def gold(reference: str) -> str | None:
    """The reference is an answer itself."""
    return _letter(reference)
