"""Texts from outside in a card: shown as they are, and never as Markdown, HTML or a link.

Long texts stand in fences that are longer than any row of backticks in them, short ones in code spans, and names in
sentences with a backslash before whatever could be markup.
"""

from __future__ import annotations

import inspect
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from pipelines.reports.markdown import code
from pipelines.reports.tally import plain

REMOVED = "[looks like a secret: not shown]"

_TICKS = re.compile(r"`+")
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~$&@])")

# What opens doors, by the form that it has. Each is bounded, so that no text takes long.
_SECRETS = re.compile(
    r"""
    -----BEGIN\ [A-Z ]{0,40}PRIVATE\ KEY-----(?:[\s\S]{0,8000}?-----END\ [A-Z ]{0,40}PRIVATE\ KEY-----|[\s\S]*)
    | \b(?:hf|gh[pousr]|glpat|npm|pypi|github_pat)[_-][A-Za-z0-9_-]{20,}
    | \bsk-[A-Za-z0-9_-]{20,}
    | \bxox[abeprs]-[A-Za-z0-9-]{10,}
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b
    | \bAIza[0-9A-Za-z_-]{35}
    | \beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*
    | (?<=://)[^\s/:@]{1,100}:[^\s/:@]{1,100}(?=@)
    | (?<=bearer\ )[A-Za-z0-9._~+/=-]{20,}
    | (?:api[_-]?key|secret|token|passw(?:or)?d)["']?\s{0,3}[:=]\s{0,3}["']?[A-Za-z0-9_+/=.-]{16,}
    """,
    re.VERBOSE | re.IGNORECASE,
)

_JOINERS = "\u200c\u200d"  # scripts and emoji need them


def readable(text: str, most: int) -> str:
    """A text as a card shows it: at most `most` characters, without secrets, and with what cannot be seen escaped.

    Lines end in `\\n`, and none are empty at its end.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip()
    return "".join(
        char if _is_seen(char) else _escaped(char) for char in _SECRETS.sub(REMOVED, lines)[:most]
    ).rstrip()


def _is_seen(char: str) -> bool:
    return (
        char in "\n\t" or char in _JOINERS or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")
    )


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def fenced(text: str, most: int) -> str:
    """A block of code that holds just `readable(text, most)`, whatever it is; says when that is not all."""
    shown = readable(text, most)
    if not shown:
        return "(empty)"
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(shown)), default=0))
    rest = "\n\nand so on: only the beginning is shown here." if len(text) > most else ""
    return f"{fence}text\n{shown}\n{fence}{rest}"


def folded(summary: str, text: str, most: int) -> str:
    """The same behind a line that opens it."""
    return f"<details>\n<summary>{summary}</summary>\n\n{fenced(text, most)}\n\n</details>"


def span(text: object, most: int = 80) -> str:
    """A text as a code span, also in a table: a broken bar in place of a bar ends no cell."""
    return code(_SECRETS.sub(REMOVED, str(text)).replace("|", "¦"), most)


def prose(text: str, most: int = 500) -> str:
    """A text as a sentence among others, on one line."""
    return _MARKUP.sub(r"\\\1", plain(_SECRETS.sub(REMOVED, text), most))


def table(head: str, rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown; columns of numbers are named with a colon at their end."""
    names = head.split(" | ")
    rule = "|".join("---:" if name.endswith(":") else "---" for name in names)
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([f"| {' | '.join(name.rstrip(':') for name in names)} |", f"|{rule}|", *lines])


def first_line(thing: Any) -> str:
    """What one of our own functions does, as its docstring says first."""
    return (inspect.getdoc(thing) or "").split("\n")[0].replace("|", "¦")
