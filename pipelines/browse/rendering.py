"""Texts of models as HTML: mathematics and code are rendered, everything else is text.

A text is cut into pieces whose sources, one after another, are the text. Each piece becomes markup of our own making
from a short list of elements; whatever is not understood stays a piece of text. So no text yields an element that is
not on the list, and no text is lost: what is on the page reads as the text does, formulas by their annotation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipelines.browse.mathematics import mathml
from pipelines.browse.pieces import Piece, pieces

if TYPE_CHECKING:
    from markupsafe import Markup
    from pygments.lexer import Lexer

MOST = 20_000
"""Characters of one text that a page shows before it asks."""

FORMULAS = 500
"""Of one text: those after it are shown as they were written."""

# Invisible, or turning around what stands after them: controls, marks of direction, invisible operators, tags, halves
# of pairs. The joiners that scripts and emoji need (U+200C, U+200D) stay.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)

LANGUAGES = frozenset(
    (
        *("python", "py", "python3", "json", "c", "cpp", "c++", "java", "javascript", "js"),
        *("bash", "sh", "sql", "rust", "go"),
    )
)


def visible(text: str) -> str:
    """The text with characters that would hide, or turn others around, named: a bidi override as ⟨U+202E⟩."""
    return HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text.replace("\r\n", "\n"))


class Cut(NamedTuple):
    """The beginning of a text, and how many characters were left out."""

    text: str
    left: int


def cut(text: str, most: int = MOST) -> Cut:
    """At most so many characters of a text; a little more is shown rather than asked about."""
    return Cut(text, 0) if len(text) <= most + most // 10 else Cut(text[:most], len(text) - most)


def rendered(text: str) -> Markup:
    """A text as HTML: mathematics as MathML, code in colours, bold and headings; all else as it stands."""
    from markupsafe import Markup

    formulas = 0
    parts = []
    for piece in _close_to_blocks(pieces(visible(text))):
        formulas += piece.kind in FORMULA
        is_plain = piece.kind in FORMULA and formulas > FORMULAS
        parts.append(_as_text(piece) if is_plain else WRITERS[piece.kind](piece))
    return Markup("").join(parts)


def formula(answer: str) -> Markup:
    """A final answer: mathematics even without the signs that set it off, where it has a command of LaTeX."""
    text = visible(answer)
    found = mathml(text, display=False, source=text) if "\\" in text and "$" not in text else None
    return found or rendered(answer)


def _close_to_blocks(found: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces, with the line breaks around blocks apart: a block begins a line of its own anyway."""
    after_block = False
    for piece, following in pairwise([*found, Piece("text", "")]):
        source = piece.source
        start = int(piece.kind == "text" and after_block and source.startswith("\n"))
        stop = len(source) - (piece.kind == "text" and following.kind in BLOCKS and source[start:].endswith("\n"))
        if start:
            yield Piece("break", source[:start])
        yield piece if stop - start == len(source) else Piece(piece.kind, source[start:stop])
        if stop < len(source):
            yield Piece("break", source[stop:])
        after_block = piece.kind in BLOCKS


# ---------------------------------------------------------------------------------------------------------------
# Writing


def _as_text(piece: Piece) -> Markup:
    from markupsafe import escape

    return escape(piece.source)


def _as_formula(piece: Piece) -> Markup:
    is_display = piece.kind in ("display", "environment")
    return mathml(piece.content, display=is_display, source=piece.source) or _as_text(piece)


def _as_block(piece: Piece) -> Markup:
    from markupsafe import Markup

    language = piece.source[3 : piece.start].strip().lower()
    block = Markup('<span class="block">{}<code>{}</code>{}</span>')
    return block.format(_sign(piece.source[: piece.start]), in_colour(piece.content, language), _tail(piece))


def _as_code(piece: Piece) -> Markup:
    from markupsafe import Markup

    return Markup("{}<code>{}</code>{}").format(_sign(piece.source[: piece.start]), piece.content, _tail(piece))


def _as_bold(piece: Piece) -> Markup:
    from markupsafe import Markup

    inner = Markup("").join(
        _as_formula(part) if part.kind in FORMULA else _as_text(part) for part in pieces(piece.content)
    )
    return Markup("{}<strong>{}</strong>{}").format(_sign(piece.source[: piece.start]), inner, _tail(piece))


def _sign(text: str) -> Markup:
    """Signs of Markdown: in the text, but not seen."""
    from markupsafe import Markup

    return Markup('<span class="sign">{}</span>').format(text) if text else Markup("")


def _tail(piece: Piece) -> Markup:
    return _sign(piece.source[piece.stop :])


def _as_break(piece: Piece) -> Markup:
    return _sign(piece.source)


BLOCKS = frozenset(("display", "environment", "fence"))
FORMULA = frozenset(("display", "environment", "boxed", "inline"))

WRITERS: dict[str, Callable[[Piece], Markup]] = {
    "text": _as_text,
    "break": _as_break,
    **dict.fromkeys(("display", "environment", "boxed", "inline"), _as_formula),
    "fence": _as_block,
    "code": _as_code,
    "bold": _as_bold,
    "heading": _as_bold,
}


def in_colour(code: str, language: str) -> Markup:
    """Code with classes for what its parts are; as plain text in a language that is not on the list."""
    from markupsafe import Markup, escape
    from pygments.token import STANDARD_TYPES

    if language not in LANGUAGES or len(code) > MOST:
        return escape(code)
    tokens = list(_lexer(language).get_tokens(code))
    if "".join(text for _, text in tokens) != code:
        return escape(code)
    span = Markup('<span class="{}">{}</span>')
    named = ((STANDARD_TYPES.get(kind, ""), text) for kind, text in tokens)
    return Markup("").join(span.format(name, text) if name else escape(text) for name, text in named)


@lru_cache(maxsize=32)
def _lexer(language: str) -> Lexer:
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(language, stripnl=False, ensurenl=False)


def as_json(value: Any) -> Markup:
    """A value as indented JSON, in colours."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()
    return in_colour(visible(text), "json")
