"""Do the steps of a trace follow from one another? And the same trace with its structure or its content broken.

Training on long thoughts suffers little from wrong numbers or missing catchwords, and much from steps that are
shuffled or deleted ("LLMs Can Easily Learn to Reason from Demonstrations: Structure, not content, is what matters",
arXiv 2502.07374). So the score reads how a step is joined to the next and how a trace begins and ends, and no digit.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import inf
from statistics import fmean
from typing import Any, NamedTuple

from filters.rule import Case, Check, Ruling
from filters.trace import measured, steps
from pipelines.records import digest

# --- The score ------------------------------------------------------------------------------------------------


def coherent(case: Case, check: Check, *, at_least: float = 0.0, at_most: float = inf) -> Iterator[Ruling]:
    """Pass each attempt whose trace holds together so well; the score is from 0 to 1, and about 0.87 for whole ones.

    The evidence has its three parts and the number of steps. Whole solutions differ by about 0.08 among themselves,
    so that a threshold finds what is badly broken, and a single missing step hardly ever. It reads the way in which
    today's models write; terse solutions by people score lower, and of theirs it tells much less.
    """
    return measured(case, _coherent, at_least, at_most, "coherence")


def _coherent(text: str) -> tuple[float, dict[str, Any]]:
    parts = coherence(text)
    return parts.score, {**parts._asdict(), "steps": len(steps(text))}


class Coherence(NamedTuple):
    """How well a trace begins, is joined, and ends, each from 0 to 1."""

    start: float
    joints: float
    end: float

    @property
    def score(self) -> float:
        """Half of it are the joints, half the ends."""
        return (self.start + 2 * self.joints + self.end) / 4


def coherence(text: str) -> Coherence:
    """How well a trace holds together. Changed digits never change it. With one step there are no joints: 0.5."""
    each = steps(text)
    if not each:
        return Coherence(0.0, 0.0, 0.0)
    joints = [_joint(before, after) for before, after in pairwise(each)]
    return Coherence(_start(each), fmean(joints) if joints else 0.5, _end(each))


# --- Where it begins and ends ---------------------------------------------------------------------------------

_GOES_ON = re.compile(
    r"(?:so|therefore|thus|hence|then|next|finally|substituting|similarly|however|second(?:ly)?|third(?:ly)?|this|these"
    r"|it|adding|now|also|but|wait|that|combining|multiplying|dividing|simplifying|again|putting|in summary"
    r"|in conclusion|since|for the second|we (?:now|then|also)|let's now|the (?:final|result|total|sum))\b",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"(?:to (?:find|solve|determine|simplify|calculate|compute|evaluate|express|show|prove|answer|convert|factor)"
    r"|let(?:'s| us| me) |we (?:start|begin|are (?:given|asked)|need to|have to)|okay|alright|given|first|the problem"
    r"|i need|i have to|we want)\b",
    re.IGNORECASE,
)
_CLOSING = re.compile(r"\\f?boxed|\bfinal answer\b|\banswer is\b|^(?:####|A:)", re.IGNORECASE | re.MULTILINE)
_OPEN_END = re.compile(r"[:,]\**\Z")


def _start(each: Sequence[str]) -> float:
    """Half for a first step that needs nothing before it, half (or a quarter) for one that opens (or may)."""
    first = each[0]
    hangs = _GOES_ON.match(first) or _follows(first) or _DISPLAY.match(first)
    closes = len(each) > 1 and _CLOSING.search(first)
    return (0.0 if hangs or closes else 0.5) + (0.5 if _OPENING.match(first) else 0.25)


def _end(each: Sequence[str]) -> float:
    """Half for a last step that closes, half for none that closes before the last two (a quarter if none does)."""
    closing = [place for place, step in enumerate(each) if _CLOSING.search(step)]
    if not closing:
        return 0.25
    early = sum(place < len(each) - 2 for place in closing) / len(closing)
    ends = closing[-1] == len(each) - 1 and not _OPEN_END.search(each[-1])
    return (0.5 if ends else 0.0) + 0.5 * (1 - early)


# --- From one step to the next --------------------------------------------------------------------------------

_DISPLAY = re.compile(r"\\\[|\$\$|\\begin|```")
_LISTED = re.compile(r"[-*•|#]|\(?(?:\d{1,2}|[a-h])[.)]")
_FORMULA = re.compile(r"[\[$\\(]")
_FOLLOWS = re.compile(r"=|\\implies|\\Rightarrow|[a-z]{2}")
_ASKS_FOR_MORE = re.compile(r"(?:[:,]|\b(?:by|is|are|get|have|as|equation|and))\s?\**\Z")
_SENTENCE_END = re.compile(r"[.!?]\Z")
_DISPLAY_GOES_ON = re.compile(r",\s?(?:\\\]|\$\$)\Z")


def _follows(step: str) -> bool:
    """Whether a step begins in the middle of a sentence."""
    return _FOLLOWS.match(step) is not None


def _joint(before: str, after: str) -> float:
    """How well a step fits behind the one before: what that asks for, or by the words that both have."""
    shown, display = bool(_DISPLAY.match(before)), bool(_DISPLAY.match(after))
    if not shown and _ASKS_FOR_MORE.search(before):
        return float(display or bool(_LISTED.match(after) or _FORMULA.match(after)) or _follows(after))
    if display:
        return 0.4 if shown else 0.0
    if _follows(after):
        return 1.0 if shown else 0.0 if _SENTENCE_END.search(before) else 0.5
    if _DISPLAY_GOES_ON.search(before):
        return 0.0
    return _alike(_terms(before), _terms(after))


_TERM = re.compile(r"[A-Za-z]{3,}|(?<![A-Za-z])[A-Za-z](?![A-Za-z])")
_COMMON = frozenset(
    """
    a I the and that this with are for then have has can from which where will not first next now let since also both
    each find get using use our need into its equal equals value number thus therefore hence
    boxed frac text left right cdot times
    """.split()  # noqa: SIM905
)
ENOUGH = 3  # terms in common


def _terms(step: str) -> set[str]:
    """Words and single letters; which of these are names and which are words, capitals tell."""
    return {term.lower() if len(term) > 1 else term for term in _TERM.findall(step)} - _COMMON


def _alike(before: set[str], after: set[str]) -> float:
    """From 0.4 for nothing in common to 1; 0.6 where one of them has no words, for that tells nothing."""
    if not before or not after:
        return 0.6
    return 0.4 + 0.6 * min(1.0, len(before & after) / min(len(before), len(after), ENOUGH))


# --- Broken on purpose ----------------------------------------------------------------------------------------

_KEYWORDS = re.compile(
    r"\b(?:wait|alternatively|hmm|but|however|so|therefore|thus|hence|first|next|then|finally|now|since|because)\b"
    r",? ?",
    re.IGNORECASE,
)


def broken(text: str, kind: str, *, fraction: float, key: str) -> str:
    """The trace with this fraction of its steps, digits or catchwords broken; always the same for the same `key`.

    `kind` is one of BREAKS. Of steps at least one is deleted and two are moved, and one is always left. Raises
    KeyError for another kind, ValueError for a fraction that is none.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction = {fraction} should be above 0 and at most 1")
    return BREAKS[kind](text, fraction, random.Random(digest("broken", kind, fraction, key)))


def _shuffled(text: str, fraction: float, chance: random.Random) -> str:
    each = steps(text)
    places = chance.sample(range(len(each)), min(len(each), max(2, round(fraction * len(each)))))
    # Moved round a ring in random order, so that none of them stays where it was.
    moved = dict(zip(places, [*places[1:], *places[:1]], strict=True))
    return "\n\n".join(each[moved.get(place, place)] for place in range(len(each)))


def _deleted(text: str, fraction: float, chance: random.Random) -> str:
    each = steps(text)
    count = min(max(1, round(fraction * len(each))), max(0, len(each) - 1))
    gone = set(chance.sample(range(len(each)), count))
    return "\n\n".join(step for place, step in enumerate(each) if place not in gone)


def _redigited(text: str, fraction: float, chance: random.Random) -> str:
    return re.sub(
        r"[0-9]", lambda digit: chance.choice("0123456789") if chance.random() < fraction else digit[0], text
    )


def _without_keywords(text: str, fraction: float, chance: random.Random) -> str:
    return _KEYWORDS.sub(lambda word: "" if chance.random() < fraction else word[0], text)


BREAKS: dict[str, Callable[[str, float, random.Random], str]] = {
    "shuffled": _shuffled,
    "deleted": _deleted,
    "digits": _redigited,
    "keywords": _without_keywords,
}
"""Two that break the structure of a trace, and two that break its content."""
