"""What a reader sees of a text, and the parts that constraints count in it. Everything here is linear."""

from __future__ import annotations

import re
import unicodedata

MAX_MARKS = 4  # combining marks on one letter: no script needs more, and sorting long runs of them is quadratic

# Characters that show nothing although Unicode calls them letters, signs or marks.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_UNSEEN = frozenset({"Cf", "Cc", "Cs", "Cn", "Co"})
_LINES = str.maketrans({"\u2028": "\n", "\u2029": "\n", "\x85": "\n", "\v": "\n", "\f": "\n"})

# What needs no second look: no marks, no invisible characters, already in normal form.
_PLAIN = re.compile(
    r"[\t\n -~\u00a0-\u00ac\u00ae-\u02ff\u0400-\u0482\u048a-\u052f\u2010-\u2027\u2030-\u205e"
    r"\u3001-\u3029\u3041-\u3096\u30a1-\u30ff\u4e00-\u9fff\uac00-\ud7a3]*"
)

# Chinese and Japanese are written without spaces: there each character counts as a word.
_IDEOGRAM = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# Vowel signs and accents are no ends of words, though \\w leaves them out.
_MARKS = (
    r"\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    r"\u0900-\u0963\u0971-\u0df3\u0e01-\u0e4e\u0e81-\u0ecd\u0f71-\u0f84\u1000-\u1049\u1712-\u1dff\u20d0-\u20f0"
)
_WORD = re.compile(rf"[{_IDEOGRAM}]|[^\W_{_IDEOGRAM}](?:[^\W{_IDEOGRAM}]+|[{_MARKS}]+)*+")
_SAYS_SOMETHING = re.compile(r"[^\W_]")


def seen(text: str) -> str:
    """The text without invisible characters, in Unicode's normal form C and with \\n for every end of line."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_LINES)
    if _PLAIN.fullmatch(text):
        return text
    kept, marks = [], 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MAX_MARKS and (character in "\t\n" or _is_seen(character)):
            kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))


def _is_seen(character: str) -> bool:
    return unicodedata.category(character) not in _UNSEEN and character not in _FILLERS


def says_something(text: str) -> bool:
    """Whether there is a letter or digit in it."""
    return _SAYS_SOMETHING.search(text) is not None


def words(text: str) -> list[str]:
    """Runs of letters, digits and inner underscores, as IFEval counts: "don't" and "well-known" are two each."""
    return _WORD.findall(text)


# --- Sentences ----------------------------------------------------------------------------------------

_CLOSING = r"[\"'”’»)\]*_]"  # noqa: RUF001
_END = re.compile(rf"(?<![.!?…])[.!?…]++{_CLOSING}*+(?=\s|\Z)|[。！？]++[”’」』）]*+")  # noqa: RUF001
_NEXT = re.compile(r"\s*(\S)?")
_LAST_TOKEN = re.compile(r"\S*\Z")
_DOTTED = re.compile(r"[^\W\d_](?:\.[^\W\d_])*")  # "J", "e.g", "U.S"
_TITLES = frozenset({"mr", "mrs", "ms", "dr", "prof", "st", "rev", "gen", "col", "capt", "lt", "sgt", "vs"})
_BEFORE_NUMBERS = _TITLES | {"no", "nos", "fig", "figs", "eq", "vol", "p", "pp", "ch", "sec", "approx", "ca", "jan"}
_BEFORE_NUMBERS |= {"feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec"}


def sentences(text: str) -> list[str]:
    """Pieces that end with a full stop, question or exclamation mark, or with the text, and that say something.

    As for IFEval's tokenizer, the end of a line alone ends no sentence. Titles, initials, the numbers of a list and
    a small letter that follows show that a full stop ends none either.
    """
    pieces, start = [], 0
    for mark in _END.finditer(text):
        if _ends_sentence(text, mark):
            pieces.append(text[start : mark.end()])
            start = mark.end()
    pieces.append(text[start:])
    return [piece.strip() for piece in pieces if says_something(piece)]


def _ends_sentence(text: str, mark: re.Match[str]) -> bool:
    if mark[0][0] in "。！？":  # noqa: RUF001
        return True
    found = _NEXT.match(text, mark.end())
    following = (found[1] or "") if found else ""
    if following.islower():
        return False
    return mark[0] != "." or not _is_abbreviated(text[max(0, mark.start() - 24) : mark.start()], following)


def _is_abbreviated(before: str, following: str) -> bool:
    """Whether the full stop between belongs to an abbreviation, an initial, or the number of a list's item."""
    found = _LAST_TOKEN.search(before)
    token = found[0].lstrip("([*_\"'“‘") if found else ""  # noqa: RUF001
    if token.isdigit():
        return before.rpartition("\n")[2].strip(" \t*#>") == token
    known = _BEFORE_NUMBERS if following.isdigit() else _TITLES
    return token.lower() in known or (token != "I" and _DOTTED.fullmatch(token) is not None)


# --- Blocks and lines ---------------------------------------------------------------------------------

_BLANK_LINES = re.compile(r"\n\s*\n")
_BULLET = re.compile(r"[ \t]*[*+-][ \t]+(.*)")
_ANY_BULLET = re.compile(r"[ \t]*(?:[*+-][ \t]|[•◦▪‣∙·●○■□–])")  # noqa: RUF001
_NUMBERED = re.compile(r"[ \t]*\d{1,9}[.)][ \t]+(.*)")
_HEADING = re.compile(r"#{1,6}[ \t]+(.*)")
_FENCE = re.compile(r"[ \t]*```")
_DASHES = re.compile(r":?-+:?")


def paragraphs(text: str) -> list[str]:
    """What blank lines separate, and says something."""
    return [block.strip() for block in _BLANK_LINES.split(text) if says_something(block)]


def lines(text: str) -> list[str]:
    """The lines that are not blank."""
    return [line.strip() for line in text.split("\n") if line.strip()]


def bullets(text: str) -> list[str]:
    """What stands after *, - or + and a space at the beginning of lines, as Markdown has it."""
    return _items(_BULLET, text)


def numbered_items(text: str) -> list[str]:
    """What stands after "1." or "1)" and a space at the beginning of lines."""
    return _items(_NUMBERED, text)


def headings(text: str) -> list[str]:
    """What stands after one to six # and a space at the beginning of lines."""
    return _items(_HEADING, text)


def _items(marker: re.Pattern[str], text: str) -> list[str]:
    found = (marker.match(line) for line in text.split("\n"))
    return [item[1] for item in found if item and says_something(item[1])]


def has_list(text: str) -> bool:
    """Whether any line looks like an item of a list, with whatever sign."""
    return any(_ANY_BULLET.match(line) or _NUMBERED.match(line) for line in text.split("\n"))


def code_blocks(text: str) -> list[str]:
    """The contents of closed ``` blocks that are not blank."""
    blocks, opened = [], None
    for line in text.split("\n"):
        if not _FENCE.match(line):
            if opened is not None:
                opened.append(line)
        elif opened is None:
            opened = []
        else:
            blocks.append("\n".join(opened))
            opened = None
    return [block for block in blocks if block.strip()]


def has_table(text: str) -> bool:
    """Whether there is a Markdown table: a header, a row of dashes and a row, with as many columns each."""
    rows = [_cells(line) for line in text.split("\n")]
    return any(
        len(header) == len(dashes) == len(row) > 1 and all(map(_DASHES.fullmatch, dashes)) and any(row)
        for header, dashes, row in zip(rows, rows[1:], rows[2:], strict=False)
    )


def _cells(line: str) -> list[str]:
    line = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip() for cell in line.split("|")]
