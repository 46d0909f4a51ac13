"""Texts and values as a person reads them in a terminal: long ones folded, evidence without quotes and braces."""

from __future__ import annotations

from typing import Any, NamedTuple

from rich.text import Text

from flows.show import plain


class Fold(NamedTuple):
    """How many lines are shown of a text that is longer, from its beginning and its end."""

    first: int
    last: int


SOME, LITTLE = Fold(8, 4), Fold(2, 1)
WIDEST = 1200  # characters of one line
ALL = 10**12  # characters: nothing is cut


def folded(text: str, fold: Fold | None, style: str = "") -> Text:
    """A text with its first and last lines, and how many lie between; whole without a fold."""
    lines = text.strip("\n").split("\n")
    if fold is None:
        return plain("\n".join(lines), most=ALL, style=style)
    if len(lines) > fold.first + fold.last + 1:
        hidden = lines[fold.first : -fold.last]
        told = f"… {len(hidden):,} more lines, {sum(map(len, hidden)):,} characters …"
        lines = [*lines[: fold.first], told, *lines[-fold.last :]]
    return plain("\n".join(map(narrow, lines)), most=ALL, style=style)


def narrow(line: str) -> str:
    if len(line) <= WIDEST:
        return line
    half = WIDEST // 2
    return f"{line[:half]} … {len(line) - 2 * half:,} more characters … {line[-half:]}"


def is_long(text: str, fold: Fold) -> bool:
    lines = text.strip("\n").split("\n")
    return len(lines) > fold.first + fold.last + 1 or any(len(line) > WIDEST for line in lines)


def one_line(text: str) -> str:
    return " ".join(text[:400].split())


def readable(value: Any) -> str:
    """A value of JSON as a person writes it: no quotes and braces, numbers short, pairs of what and how often."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case [str() as what, int() as count]:
            return f"{what} ({count:,})"
        case list():
            inner = [f"({readable(each)})" if isinstance(each, dict) else readable(each) for each in value]
            return ", ".join(inner) or "none"
        case dict():
            return ", ".join(f"{key} {readable(each)}" for key, each in value.items()) or "none"
        case _:
            return str(value)
