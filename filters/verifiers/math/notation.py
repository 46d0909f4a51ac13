r"""One way of writing for what means the same: LaTeX, Unicode and plain text in one normal notation.

In normal notation there is no space but between words, `\text{}` stands for all fonts, `\frac{}{}` for all
fractions, "," for "and", ";" for "or", and relations have one name each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

MAX_DEPTH = 12  # of brackets


def words_of(table: str) -> list[str]:
    """The words of a table that is written as one text."""
    return table.split()


_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ", "0123456789-+n")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ]+")
_LOWERED = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_FRACTIONS = {"½": "12", "⅓": "13", "⅔": "23", "¼": "14", "¾": "34", "⅕": "15", "⅖": "25", "⅛": "18", "⅜": "38"}
_COMMANDS = words_of(  # a sign and its command in turn
    r"× \times · \cdot ⋅ \cdot ≤ \leq ≥ \geq ⩽ \leq ⩾ \geq ≠ \neq ≈ \approx ± \pm π \pi ∞ \infty ° ^\circ ∪ \cup "  # noqa: RUF001
    r"∩ \cap ∅ \emptyset θ \theta α \alpha β \beta ∈ \in √ \sqrt ≡ \equiv ⟨ \langle ⟩ \rangle … \ldots"  # noqa: RUF001
)
_CHARACTERS = {"ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "¢": r"\text{ cents}", "“": "", "”": "", "’": "'"}  # noqa: RUF001
_FROM, _TO = "−–—÷∕。，、：；\u00a0\u202f\u2009", "---//.,,:;   "  # noqa: RUF001
_FULL_WIDTH = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_SYMBOLS = str.maketrans(
    {sign: f"{command} " for sign, command in zip(_COMMANDS[::2], _COMMANDS[1::2], strict=True)}
    | _FULL_WIDTH
    | dict(zip(_FROM, _TO, strict=True))
    | {sign: rf"\frac{{{over[0]}}}{{{over[1]}}}" for sign, over in _FRACTIONS.items()}
    | _CHARACTERS
)
_AFTER = r"(?<=[\d}])\s?(?:\\[,; ]\s?){0,3}"  # a number and a small space
_ROMAN = r"\\(?:text|mathrm)\{\s?"
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits|middle)(?![A-Za-z])", ""),
        (
            r"\\(?:large|Large|LARGE|huge|Huge|small|normalsize|underline)(?![A-Za-z])\s*|\\(?:bf|rm|it)(?=\s+[^{\s])",
            "",
        ),
        (r"\\(?:text)?color\{[a-zA-Z]+\}", ""),
        (r"\\var(epsilon|phi|theta)(?![A-Za-z])", r"\\\1"),
        (r"\\triangle(?![A-Za-z])", r"\\Delta"),
        (r"\\hat\s?\{?\\?([ijk])(?:math)?(?![A-Za-z])\}?", r"\\mathbf{\1}"),
        (r"\{\s?(\w{1,9})\s?\\choose\s?(\w{1,9})\s?\}", r"\\binom{\1}{\2}"),
        (r"^\s*(?:\\text\{\s?)?(?:₹|Rs\.?)\s?\}?\s?(?=\d)", ""),
        (r"&\s?(?==|<|>|\\leq|\\geq|\\le(?![a-z])|\\ge(?![a-z]))", ""),
        (r"(?<=\d)\.(\d)\1\1+(?:\\ldots\s?|\\dots\s?|\.\.\.)$", r".\\overline{\1}"),
        (r"^\s*\[([^\[\]]*,[^\[\]]*)\[\s*$", r"[\1)"),
        (r"^\s*\]([^\[\]]*,[^\[\]]*)\]\s*$", r"(\1]"),
        (r"^\s*\]([^\[\]]*,[^\[\]]*)\[\s*$", r"(\1)"),
        (r"\s?,?\\text\{\s?,?\s?\(?(?:since|because)\b.*$|\\text\{\s?for all(?: real)?(?: numbers)?\s?\}\s?x.*$", ""),
        (r"^\\text\{\s?[A-Z][A-Za-z ]{0,60} (?:is|are)\s?\}(?=.)", ""),
        (r"^(?:\\text\{)?([Yy]es|[Nn]o),(?!.*\b(?:yes|no|not sure|but|or|maybe)\b)[A-Za-z ,'-]+\}?\.?$", r"\1"),
        (r"^(?![^,]*\\[nlg]e)(?=[^,]*[a-z])([^=<>,;]+),\s?[a-z]\s?\\(?:neq|ne)(?![a-z])[^,;]+$", r"\1"),
        (
            rf"{_AFTER}(?:\\mu(?![A-Za-z])|[μµ])\s?(?:{_ROMAN}([A-Za-z]+)\s?\}}|([A-Za-z]+))\s*$",
            r"\\text{ micro\1\2}",
        ),
        (rf"{_ROMAN}[μµ]([A-Za-z]+)", r"\\text{ micro\1"),
        (rf"{_AFTER}(?:{_ROMAN}([kM]?)\s?(?:\\Omega|Ω)\s?\}}|([kM]?)\s?(?:\\Omega|Ω))\s*$", r"\\text{ \1\2ohm}"),
        (r"(\\pi|π)\s{0,3}(cm|mm|km|ft|in)(\^\{?[23]\}?)?\s*$", r"\1\\text{ \2}\3"),
        (r"\\(?:no)?breakspace|\\(?:hphantom|phantom|label)\{[^{}]*\}", " "),
        (r"(?<=\d)\s*(?:\{\s?,\s?\}|,\\!|\\,|,\\ )\s*(?=\d{3})", ","),  # 1{,}000 and 10\,000: thousands
        (r"^\s*\\(?:boxed|fbox)\{((?:(?!\\boxed|\\fbox).)*)\}\s*$", r"\1"),
        (r"\\!|(?<!\\)\\[()]|^\\\[|(?<!\\)\\\]$", ""),
        (r"(?<!\\)\\[,;: >]|~|\\q?quad(?![A-Za-z])|\\(?:enspace|thinspace|medspace|hspace\{[^{}]*\})", " "),
        (r"\\langle ?|\\left<", "("),
        (r"\\rangle(?![A-Za-z])", ")"),
        (r"\\lbrace ?", r"\\{"),
        (r"\\rbrace(?![A-Za-z])", r"\\}"),
        (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"),
        (r"\\(?:text[a-z]{0,6}|math(?:rm|bf|it|sf|tt|normal)|[mh]box|bf|rm|boldsymbol|textnormal)\s*\{", r"\\text{"),
        (r"\\(?:leqslant|leqq|le)(?![A-Za-z])|<=|=<", r"\\leq "),
        (r"\\(?:geqslant|geqq|ge)(?![A-Za-z])|>=", r"\\geq "),
        (r"\\(?:ne)(?![A-Za-z])|!=|\\not ?=", r"\\neq "),
        (r"\\lt(?![A-Za-z])", "<"),
        (r"\\gt(?![A-Za-z])", ">"),
        (r"\\(?:approxeq|simeq|thickapprox)(?![A-Za-z])", r"\\approx "),
        (r"\\(?:varnothing|O)(?![A-Za-z])", r"\\emptyset "),
        (r"\\(?:mathbb|Bbb)\s*\{?([RZNQC])\}?|\\([RZN])(?![A-Za-z])", r"\\mathbb{\1\2}"),
        (r"\\(?:backslash|smallsetminus)(?![A-Za-z])", r"\\setminus "),
        (r"(\\mathbb\{[RZNQC]\})\s?-\s?(?=\\\{)", r"\1\\setminus "),
        (r"\\(?:ldots|cdots|dots[a-z]?)(?![A-Za-z])", r"\\ldots "),
        (r"\\(?:degree|degrees)(?![A-Za-z])|\^\s?(?:\{\s?\\circ\s?\}|\\circ)\s?", r"^\\circ "),
        (r"\\text\{\s*(?:,\s*)?(?:and|or)\s*\}", lambda found: ";" if "or" in found[0] else ","),
        (r"\\(?:lor|vee)(?![A-Za-z])|\\text\{\s*(?:или|oder|ou|或)\s*\}", ";"),
        (r"\\(?:land|wedge)(?![A-Za-z])", ","),
        (r"\\overline\s?\{\s?([A-Z]{2})\s?\}", r"\1"),  # the segment AB
        (r"\\frac\s?\{\s?\\text\{([^{}]*)\}\s?\}\{\s?\\text\{([^{}]*)\}(\^[23])?\s?\}", r"\\text{\1/\2}\3"),
        (r"(?:(?<=[\d\s})\]])|(?<=\b[A-Z]))\s?,?\sand\s(?=[-+$\\(\[{\d]|[A-Za-z](?![A-Za-z]))", ","),
        (r"(?<=[\d\s})\]])\s?,?\sor\s(?=[-+$\\(\[{\d]|[A-Za-z](?![A-Za-z]))", ";"),
        (r"(?<=\d),\s+(?=\d{3}(?!\d))", ";"),  # "32, 349" is a list
        (r"^(?:negative|minus)\s(?=\d)", "-"),
        (r"^\s*(?:approximately|about|roughly|exactly|simply|equal to|\\approx)\s(?=\S)", ""),
        (r"(?<!\d)\.(?=\\overline)", "0."),
        (r"^\\text\{\s*(?:[Tt]he )?(?:[Ff]inal )?[Aa]nswer(?: is)?:?\s*\}:?", ""),
        (r"\^?\{?\\text\{\s?(st|nd|rd|th)\s?\}\}?", r"\1"),
        (r"\s+", " "),
        (r"(?<!\w) | (?!\w)", ""),  # "3 1/2" is not "31/2"
        (r"(\\[A-Za-z]+) (?=\d)", r"\1"),
        (r"([\^_])\{(\w|\\circ)\}", r"\1\2"),
        (r"\\sqrt ?(\d)(?!\d*\})|\\sqrt ([A-Za-z])(?![A-Za-z])", r"\\sqrt{\1\2}"),
        (r"\\sqrt\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"\\frac ?(?:\{([^{}]*)\}|(\d)) ?(?:\{([^{}]*)\}|(\d))", r"\\frac{\1\2}{\3\4}"),
    )
]
_DELIMITER = re.compile(r"(?<!\\)\$")
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_WRAPPED = re.compile(r"^\\text\{([^{}]*)\}$")
_CAPITALISED = re.compile(r"\b[A-Z][a-z]{2,}\b")
_MEANINGFUL = frozenset([r"\{\}", r"\emptyset", r"\infty", r"-\infty", r"\pi"])


@lru_cache(maxsize=4_096)
def normal_notation(text: str) -> str:
    """The answer without what only sets it: delimiters, sizes, spacing, a final period. "" when blank."""
    text = _LOWERED.sub(lambda found: f"_{{{found[0].translate(_SUBSCRIPTS)}}}", text)
    text = _RAISED.sub(lambda found: f"^{{{found[0].translate(_SUPERSCRIPTS)}}}", text)
    text = text.translate(_SYMBOLS).strip('*`" \t\r\n')
    text = text[1:].rstrip("'") if text.startswith("'") else text  # one at the end alone is a prime
    if len(_DELIMITER.findall(text)) % 2 == 0 and not text.startswith("$-$"):  # an odd one is a currency
        text = _DELIMITER.sub("", text)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _WRAPPED.sub(r"\1", text.replace(r"\$", "$")).strip(" ")
    text = text if text.endswith("..") else text.rstrip(".,;: ")
    return text if text in _MEANINGFUL or any(map(str.isalnum, flat(text))) else ""


def flat(text: str) -> str:
    """As plain text: words without their wrapping and without the capital they may begin with."""
    text = re.sub(r"\s+", " ", _TEXT.sub(r" \1 ", text)).strip(" ")
    text = text if text.endswith("..") else text.rstrip(". ")
    return _CAPITALISED.sub(lambda word: word[0].lower(), text)


# --- Brackets -----------------------------------------------------------------------------------------


def unescaped(text: str) -> str:
    r"""With one character for each brace that is a bracket, \{ and \}; `escaped` is the way back."""
    return text.replace(r"\{", "⦃").replace(r"\}", "⦄")


def escaped(text: str) -> str:
    return text.replace("⦃", r"\{").replace("⦄", r"\}")


def depths(text: str) -> Iterable[int]:
    """How many brackets are open after each character. Their kinds do not matter: (0, 1] is an interval."""
    depth = 0
    for character in text:
        depth += (character in "([{⦃") - (character in ")]}⦄")
        yield depth


def closes_at_end(text: str) -> bool:
    """Whether the first bracket of an unescaped text closes with its last character."""
    return all(depth > 0 for depth in list(depths(text))[:-1])


def split(text: str, at: str = ",;") -> tuple[str, ...]:
    """Cut an unescaped text at these characters outside all brackets; blank pieces go."""
    if not any(mark in text for mark in at):
        return (escaped(text.strip()),) if text.strip() else ()
    cuts = [i for i, (mark, depth) in enumerate(zip(text, depths(text), strict=True)) if mark in at and depth == 0]
    pieces = [text[i + 1 : j].strip() for i, j in zip([-1, *cuts], [*cuts, len(text)], strict=True)]
    return tuple(escaped(piece) for piece in pieces if piece)
