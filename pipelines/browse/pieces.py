"""A text of a model cut into pieces: mathematics, code, bold, headings, and what is none of these.

The sources of the pieces, one after another, are the text. Closings are looked for within a short distance, so that a
text of nothing but openings takes no longer than another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

ENVIRONMENTS = "equation|align|aligned|gather|gathered|cases|array|matrix|pmatrix|bmatrix|vmatrix|split|multline"

OPENING = re.compile(
    rf"(?P<environment>\\begin\{{(?:{ENVIRONMENTS})\*?\}})"
    r"|(?P<fence>^```)|(?P<display>\$\$|\\\[)|(?P<boxed>\\boxed\{)"
    r"|(?P<inline>\\\(|\$)|(?P<code>`)|(?P<bold>\*\*)|(?P<heading>^#{1,6} )",
    re.MULTILINE,
)
CLOSING = {"$$": "$$", r"\[": r"\]", r"\(": r"\)"}


class Piece(NamedTuple):
    """A part of a text: what it is, its source, and where in there its content begins and ends."""

    kind: str  # text, or the name of a group of OPENING
    source: str
    start: int = 0
    stop: int = 0

    @property
    def content(self) -> str:
        return self.source[self.start : self.stop]


def pieces(text: str) -> Iterator[Piece]:
    """The pieces of a text; their sources, joined, are the text."""
    done = place = 0
    while found := OPENING.search(text, place):
        kind = found.lastgroup or "text"
        piece = READERS[kind](text, found)
        if piece is None:
            place = found.end()
            continue
        if found.start() > done:
            yield Piece("text", text[done : found.start()])
        yield piece
        done = place = found.start() + len(piece.source)
    if done < len(text):
        yield Piece("text", text[done:])


# ---------------------------------------------------------------------------------------------------------------
# Reading: where a piece that begins here ends, if it does


def _fence(text: str, found: re.Match[str]) -> Piece:
    """Code to the closing fence, or to the end of a text that was cut off."""
    first = text.find("\n", found.end())
    first = len(text) if first < 0 else first + 1
    last = text.find("\n```", first - 1) if first < len(text) else -1
    if last < 0:
        return Piece("fence", text[found.start() :], first - found.start(), len(text) - found.start())
    stop = max(last + 1, first)
    end = last + 4
    return Piece("fence", text[found.start() : end], first - found.start(), stop - found.start())


def _display(text: str, found: re.Match[str]) -> Piece | None:
    return _closed("display", text, found, CLOSING[found[0]], most=2_000)


def _environment(text: str, found: re.Match[str]) -> Piece | None:
    """The content is the environment itself, with its begin and end."""
    closing = found[0].replace("begin", "end")
    piece = _closed("environment", text, found, closing, most=2_000)
    return piece and piece._replace(start=0, stop=len(piece.source))


def _inline(text: str, found: re.Match[str]) -> Piece | None:
    """Between dollars as Pandoc reads them: no space inside, no digit after. Prices stay prices."""
    if found[0] != "$":
        return _closed("inline", text, found, CLOSING[found[0]], most=1_000)
    piece = _closed("inline", text, found, "$", most=1_000)
    if piece is None or "\n\n" in piece.source or piece.content != piece.content.strip():
        return None
    after = text[found.start() + len(piece.source) :][:1]
    return None if after.isdigit() or piece.content.endswith("\\") else piece


def _boxed(text: str, found: re.Match[str]) -> Piece | None:
    """A box outside of mathematics, as final answers often are; the content is the box itself."""
    depth = 1
    for place in range(found.end(), min(found.end() + 500, len(text))):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            source = text[found.start() : place + 1]
            return Piece("boxed", source, 0, len(source))
    return None


def _code(text: str, found: re.Match[str]) -> Piece | None:
    """One line between single backticks; not between quotation marks as LaTeX has them."""
    piece = _closed("code", text, found, "`", most=500)
    if piece is None or "\n" in piece.source or piece.content != piece.content.strip():
        return None
    around = text[max(0, found.start() - 1) : found.start()] + text[found.start() + len(piece.source) :][:1]
    return None if "`" in around else piece


def _bold(text: str, found: re.Match[str]) -> Piece | None:
    piece = _closed("bold", text, found, "**", most=500)
    return None if piece is None or "\n" in piece.source else piece


def _heading(text: str, found: re.Match[str]) -> Piece:
    end = text.find("\n", found.end(), found.end() + 300)
    source = text[found.start() : end if end >= 0 else min(len(text), found.end() + 300)]
    return Piece("heading", source, len(found[0]), len(source))


def _closed(kind: str, text: str, found: re.Match[str], closing: str, *, most: int) -> Piece | None:
    """What stands up to `closing`, if that is near and there is something between."""
    last = text.find(closing, found.end(), found.end() + most)
    if last <= found.end():
        return None
    source = text[found.start() : last + len(closing)]
    return Piece(kind, source, len(found[0]), len(source) - len(closing))


READERS: dict[str, Callable[[str, re.Match[str]], Piece | None]] = {
    "fence": _fence,
    "display": _display,
    "environment": _environment,
    "boxed": _boxed,
    "inline": _inline,
    "code": _code,
    "bold": _bold,
    "heading": _heading,
}
