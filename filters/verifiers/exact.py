r"""Is the answer the reference, letter by letter?

The comparison forgives two things: runs of white space, and the Unicode form (NFC) that the text happens to be in.
Case, punctuation and invisible characters count. All other leniency is in `final_answer`.
"""

from __future__ import annotations

import re
import unicodedata

from filters.verifiers.constraints.text import seen
from filters.verifiers.math.extraction import last_box
from filters.verifiers.outcome import Outcome, failed, passed, unsure

SECONDS = 2.0
MAX_QUICK = 2_000  # characters beyond ASCII: sorting long runs of combining marks is quadratic
MAX_SHRINK = 4  # times that normal form C can be shorter than the text it is of

_TAGGED = re.compile(r"<answer>((?:(?!</?answer>).)*+)</answer>", re.DOTALL | re.IGNORECASE)
_ANNOUNCED = re.compile(r"\banswer(?:\*\*)?(?: is|:)(?:\*\*)?:?[ \t]*", re.IGNORECASE)
_TEXT_COMMAND = re.compile(r"\\(?:text|textbf|mathrm|mbox)\{([^{}]*)\}")
_WRAPPED = re.compile(r"\*\*(.+)\*\*|`([^`]+)`|\*([^*]+)\*", re.DOTALL)
_QUOTED = re.compile(r'"([^"]+)"|“([^“”]+)”')


def final_answer(text: str) -> str | None:
    r"""The answer that a response gives, or None when there is none.

    Looked for in this order: the last `<answer>...</answer>`; the last `\boxed{...}`, out of its `\text{}`; the rest
    of the line after the last "answer is" or "answer:"; the last line that is not blank. Of the last two, bold,
    italics and backquotes around it are taken off, and of what was announced also quotation marks around it and a
    full stop at its end, unless the last word has another one ("U.S."). An answer that must keep these wants tags or
    a box. The first of these that is there decides, so an empty last box is no answer. Linear; never raises.
    """
    for find in (tagged, boxed, announced, _last_line):
        if (found := find(text)) is not None:
            return found.strip() or None
    return None


def tagged(text: str) -> str | None:
    """What stands between the last `<answer>` and its `</answer>`."""
    found = _TAGGED.findall(text)
    return found[-1] if found else None


def boxed(text: str) -> str | None:
    r"""What stands in the last `\boxed{}`, without a `\text{}` around all of it."""
    box = last_box(text)
    command = _TEXT_COMMAND.fullmatch(box.strip()) if box is not None else None
    return command[1] if command else box


def announced(text: str) -> str | None:
    """The rest of the line after the last "answer is" or "answer:", or the next line that is not blank."""
    start = max((found.end() for found in _ANNOUNCED.finditer(text)), default=None)
    if start is None:
        return None
    line = _unwrapped(text[start:].lstrip().partition("\n")[0])
    if line.endswith(".") and line.rpartition(" ")[2].count(".") == 1:
        line = _unwrapped(line[:-1])
    quoted = _QUOTED.fullmatch(line)
    return quoted[1] or quoted[2] if quoted else line


def _last_line(text: str) -> str | None:
    line = text.rstrip().rpartition("\n")[2]
    return _unwrapped(line) or None


def _unwrapped(text: str) -> str:
    """The text without the Markdown that wraps all of it."""
    found = _WRAPPED.fullmatch(text.strip())
    return next(filter(None, found.groups())).strip() if found else text.strip()


def check_quickly(reference: str, answer: str) -> Outcome | None:
    """The outcome; None only for long texts beyond ASCII, whose normal form may take time."""
    if problem := problem_with(reference):
        return unsure(problem)
    expected, given = _spaced(reference), _spaced(answer)
    if not given:
        return failed("blank")
    if expected == given:
        return passed()
    if (expected.isascii() and given.isascii()) or not _may_be_equal(expected, given):
        return failed("not the same text")
    return check(reference, answer) if len(expected) + len(given) <= MAX_QUICK else None


def check(reference: str, answer: str) -> Outcome:
    """The outcome."""
    if problem := problem_with(reference):
        return unsure(problem)
    expected, given = (_spaced(unicodedata.normalize("NFC", text)) for text in (reference, answer))
    if not given:
        return failed("blank")
    return passed() if expected == given else failed("not the same text")


def problem_with(reference: str) -> str | None:
    """Any text that can be seen will do."""
    return None if seen(reference).strip() else "the reference is blank"


def gold(reference: str) -> str | None:
    """The reference is its own answer."""
    return reference.strip() if problem_with(reference) is None else None


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _may_be_equal(a: str, b: str) -> bool:
    """Whether lengths leave it possible that the normal forms are equal."""
    return max(len(a), len(b)) <= MAX_SHRINK * min(len(a), len(b))
