r"""Are two final answers the same mathematics?

Three functions, from lenient to strict to thorough:

`final_answer` finds the answer in a response. All leniency lives here, where it can be seen.
`same_quickly` decides by exact arithmetic over fractions; microseconds, safe on hostile text.
`same` adds algebra (SymPy, by way of math-verify); it may hang or eat memory, so only `workers` calls it.

Comparisons say True, False, or None for "cannot tell". Nothing is compared with a tolerance: 0.33 is
not 1/3. About what may stand around a number, this much is agreed:

* A unit, currency, percent sign or base that only one side writes is implied by the question; in the MATH
  data set `198\%` is answered by `198`. Two different units cannot be told.
* 12% against 0.12 cannot be told: one number, but seldom one answer. So with 204_5 against 54.
* Round and square brackets keep their order, and tell open from closed. Braces are sets. A bare list, as
  in "1, 3", is all the solutions in any order; a list without brackets against one with () cannot be told.
* "x = 5" answers "5", and the other way round.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, partial
from importlib.util import find_spec
from itertools import chain
from typing import Any

from filters.verifiers.outcome import Outcome, of_comparison

MAX_ANSWER = 1_000  # characters; what is longer is no answer
MAX_NUMBER = 400  # characters of a number, and its largest power of ten: keeps exact arithmetic cheap
MAX_MEMBERS = 100  # of all lists in an answer, because each is compared with each
MAX_LEVELS = 3  # of lists in lists; deeper ones cannot be told
MAX_DEPTH = 12  # of brackets

SECONDS = 5.0  # that algebra may take for one pair

Comparison = Callable[[str, str], bool | None]

# --- Where is the answer? -----------------------------------------------------------------------------

_BOX_OR_BRACE = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*(\{)?|\\.|[{}]", re.DOTALL)
_UNBRACED = re.compile(r"[-+]?[\w./]*\w")
_ANNOUNCED = re.compile(r"\banswer(?:\*\*)?(?: is|:)(?:\*\*)?:?[*\s]{0,9}", re.IGNORECASE)
_DISPLAY = re.compile(r"(?:\\\[|\$\$)(.+?)(?:\\\]|\$\$)", re.DOTALL)
_INLINE = re.compile(r"(?<!\\)\$([^$]+)(?<!\\)\$|\\\((.+?)\\\)")
_END_OF_SENTENCE = re.compile(r"\.(?=[\s*]|$)|\n")


def final_answer(text: str) -> str | None:
    r"""The answer that a response settles on, at most `MAX_ANSWER` characters, or None.

    Looked for in this order: the last closed `\boxed{...}` or `\fbox{...}` (of nested ones the innermost;
    `\boxed 5` counts), what follows the last `####`, what follows the last "answer is" or "answer:", a
    last line that is only a number ("A: 5" too). The first of these that is there decides, so an empty
    last box is no answer, whatever else was said. Never raises; linear in the length of the text.
    """
    for find in (last_box, _hashed, _announced, _last_line):
        if (found := find(text)) is not None:
            return found.strip() if len(found) <= MAX_ANSWER and _normal(found) else None
    return None


def last_box(text: str) -> str | None:
    """The content of the closed box that opens last; of nested ones that is the innermost."""
    boxes = [at for at in (text.find(r"\boxed"), text.find(r"\fbox")) if at >= 0]
    if not boxes:
        return None
    first = len(text[: min(boxes)].rstrip("\\"))  # with all backslashes before it: two are no command
    opened: list[tuple[int, bool]] = []
    last, content = -1, None
    for token in _BOX_OR_BRACE.finditer(text, first):  # braces before it close nothing that counts
        if token[0] == "}":
            start, is_box = opened.pop() if opened else (-1, False)
            if is_box and start > last:
                last, content = start, text[start : token.start()]
        elif token[0].endswith("{") and (token[1] or token[0] == "{"):
            opened.append((token.end(), token[1] is not None))
        elif "box" in token[0] and (bare := _UNBRACED.match(text, token.end())):
            last, content = token.end(), bare[0]
    return content


def _hashed(text: str) -> str | None:
    """The rest of the line after the last #### (the format of GSM8K)."""
    _, mark, rest = text.rpartition("####")
    return rest.partition("\n")[0] if mark and rest.strip("# \n") else None


def _announced(text: str) -> str | None:
    """What follows the last "answer is": the first formula of that sentence, or else the sentence."""
    start = max((found.end() for found in _ANNOUNCED.finditer(text)), default=None)
    if start is None:
        return None
    rest = text[start : start + MAX_ANSWER]
    if display := _DISPLAY.match(rest):
        return display[1]
    sentence = _END_OF_SENTENCE.split(rest, maxsplit=1)[0]
    inline = _INLINE.search(sentence)
    return inline[1] or inline[2] if inline else sentence.strip(" *")


def _last_line(text: str) -> str | None:
    """A last line that is only a number, perhaps with its unit."""
    line = text.rstrip().rpartition("\n")[2].strip().removeprefix("A:").strip()
    return line if len(line) <= MAX_NUMBER and line and _quantity(_normal(line)) else None


# --- Notation: one way of writing for what means the same ---------------------------------------------

_SYMBOLS = str.maketrans(
    {"−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "÷": "/", "≤": r"\leq ", "≥": r"\geq "}  # noqa: RUF001
    | {"π": r"\pi ", "∞": r"\infty ", "°": r"^\circ ", "∪": r"\cup ", "²": "^2", "³": "^3", "\u00a0": " "}  # noqa: RUF001
)
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|limits)(?![A-Za-z])", ""),
        (r"(?<=\d)(?:\{,\}|,\\!|\\,)\s*(?=\d{3})", ","),  # 1{,}000 and 10\,000: thousands
        (r"^\s*\\(?:boxed|fbox)\{((?:(?!\\boxed|\\fbox).)*)\}\s*$", r"\1"),
        (r"\\!|\\[()]|^\\\[|\\\]$", ""),
        (r"(?<!\\)\\[,;: ]|~|\\q?quad(?![A-Za-z])", " "),
        (r"\\langle ?", "("),
        (r"\\rangle(?![A-Za-z])", ")"),
        (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"),
        (r"\\(?:text[a-z]{2,6}|math(?:rm|bf|it|sf)|[mh]box)\s*\{", r"\\text{"),
        (r"\\text\{\s*(?:and|or)\s*\}|(?<=[\d\s}]) (?:and|or) ", ","),
        (r"\s+", " "),
        (r"(?<!\w) | (?!\w)", ""),  # "3 1/2" is not "31/2"
        (r"([\^_])\{(\w|\\circ)\}", r"\1\2"),
        (r"\\sqrt ?(\d)", r"\\sqrt{\1}"),
        (r"\\frac ?(?:\{([^{}]*)\}|(\d)) ?(?:\{([^{}]*)\}|(\d))", r"\\frac{\1\2}{\3\4}"),
    )
]
_DELIMITER = re.compile(r"(?<!\\)\$")
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_WRAPPED = re.compile(r"^\\text\{([^{}]*)\}$")
_CAPITALISED = re.compile(r"\b[A-Z][a-z]{2,}\b")


@lru_cache(maxsize=4_096)
def _normal(text: str) -> str:
    """The answer without what only sets it: delimiters, sizes, spacing, a final period. "" when blank."""
    text = text.translate(_SYMBOLS).strip("*` \t\r\n")
    if len(_DELIMITER.findall(text)) % 2 == 0:  # an odd one is a currency
        text = _DELIMITER.sub("", text)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _WRAPPED.sub(r"\1", text.replace(r"\$", "$")).strip(" ").rstrip(". ")
    return text if text == r"\{\}" or any(map(str.isalnum, _flat(text))) else ""


def _flat(text: str) -> str:
    """As plain text: words without their wrapping and without the capital they may begin with."""
    text = re.sub(r"\s+", " ", _TEXT.sub(r" \1 ", text)).strip(". ")
    return _CAPITALISED.sub(lambda word: word[0].lower(), text)


# --- Numbers, exactly ---------------------------------------------------------------------------------

_DECIMAL = re.compile(
    r"""(?P<sign>[-+]?)
        (?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+(?:\.\d*)?|\.\d+)
        (?:(?:[eE]|(?:\\times|\\cdot|\*)\ ?10\^)\{?(?P<power>[-+]?\d{1,4})\}?)?""",
    re.VERBOSE,
)
_POWER = re.compile(r"([-+]?)10\^\{?([-+]?\d{1,4})\}?")
_RATIO = re.compile(r"([-+]?)(?:(\d+) ?)??(?:\\frac\{([-+]?\d+)\}\{([-+]?\d+)\}|([-+]?\d+)/(\d+))")
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_COUNTS = "zero one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class _Quantity:
    value: Fraction
    unit: str  # "" when none is written

    def otherwise(self) -> Fraction | None:
        """The number that the unit makes of the value, if it does: 12% is 3/25, 101 in base 2 is 5."""
        if self.unit == "percent":
            return self.value / 100
        if self.unit.startswith("base "):
            return _in_base(str(self.value), int(self.unit.removeprefix("base ")))
        return None


def _in_base(digits: str, base: int) -> Fraction | None:
    possible = 2 <= base <= 10 and all(digit in "0123456789"[:base] for digit in digits)
    return Fraction(int(digits, base)) if possible else None


@lru_cache(maxsize=4_096)
def _quantity(text: str) -> _Quantity | None:
    """A number with its unit, from an answer in normal notation."""
    if len(text) > MAX_NUMBER:
        return None
    body, unit = _without_unit(text)
    value = _number(body)
    return None if value is None else _Quantity(value, unit)


def _number(text: str) -> Fraction | None:
    """An integer, decimal, fraction, mixed number, power of ten or number in words, exactly."""
    if found := _DECIMAL.fullmatch(text):
        return _decimal(found["sign"] + found["digits"].replace(",", ""), int(found["power"] or 0))
    if found := _POWER.fullmatch(text):
        return _decimal(found[1] + "1", int(found[2]))
    if found := _RATIO.fullmatch(text):
        return _ratio(*found.groups())
    words = _flat(text)
    if words in _COUNTS:
        return Fraction(_COUNTS.index(words))
    count, _, scale = words.rpartition(" ")
    number = _number(count) if count and scale in _SCALES else None
    return None if number is None else number * _SCALES[scale]


def _decimal(digits: str, power: int) -> Fraction | None:
    return Fraction(digits) * Fraction(10) ** power if abs(power) <= MAX_NUMBER else None


def _ratio(sign: str, whole: str | None, *parts: str | None) -> Fraction | None:
    numerator, denominator = (int(part) for part in parts if part is not None)
    if denominator == 0:
        return None
    if whole is None:
        return Fraction(numerator, denominator) * (-1 if sign == "-" else 1)
    if not 0 < numerator < denominator:  # a product rather than a mixed number
        return None
    return (int(whole) + Fraction(numerator, denominator)) * (-1 if sign == "-" else 1)


# --- Units --------------------------------------------------------------------------------------------

_UNIT = re.compile(
    r"""(?P<body>.*[\w})])\ ?(?:
        (?P<sign>\\?%|\^\\circ)
        | \\text\{\ ?(?P<text>[A-Za-z][A-Za-z ./]*)\}(?P<power>\^[23])?
        | (?<=\d)_\{?(?P<base>\d{1,2})\}?
        | (?<=\d)\ ?(?P<words>[a-z]+(?:[ /][a-z]+)*(?:\^[23])?)
    )""",
    re.VERBOSE,
)
_PRICE = re.compile(r"(-?)([$€£])(.+)")
_SIGNS = {"%": "percent", r"\%": "percent", r"^\circ": "degree", "$": "dollar", "€": "euro", "£": "pound"}
_SHORT_UNIT = re.compile("mm|cm|km|in|ft|yds?|mi|mg|kg|lbs?|oz|ml|min|secs?|hrs?|days?|mph|per|sq")
# Words that change the number before them, or belong to the expression.
_NO_UNIT = re.compile(
    "hundred|thousand|[mbtr]+illion|dozen|half|and|or|not|to|less|more|least|most|over|above|below|am|pm|mod|base|"
    "if|for|when|where|only|squared|cubed|factorial|pi|sqrt|sin|cos|tan|cot|sec|csc|log|exp|max|gcd|lcm|infinity|infty|"
    "alpha|beta|gamma|delta|theta|lambda|sigma|omega"
)


def _without_unit(text: str) -> tuple[str, str]:
    r"""Split "100\text{ square units}" into "100" and "square unit"; "" when no unit is written."""
    if priced := _PRICE.fullmatch(text):
        return priced[1] + _without_trailing_unit(priced[3])[0], _SIGNS[priced[2]]
    return _without_trailing_unit(text)


def _without_trailing_unit(text: str) -> tuple[str, str]:
    found = _UNIT.fullmatch(text)
    unit = _unit(found) if found else ""
    return (found["body"], unit) if found and unit else (text, "")


def _unit(found: re.Match[str]) -> str:
    """The unit's name in the singular, "" if this is no unit."""
    if found["sign"]:
        return _SIGNS[found["sign"]]
    if found["base"]:
        return f"base {found['base']}" if found["body"].isdecimal() else ""
    words = (found["text"] or found["words"]).lower().replace(".", "").split()
    names = [word.partition("^")[0] for word in words]
    if any(map(_NO_UNIT.fullmatch, names)) or (found["words"] and not all(map(_is_unit_name, names))):
        return ""
    return " ".join(word.removesuffix("s") for word in words) + (found["power"] or "")


def _is_unit_name(word: str) -> bool:
    """Whether a bare word can be told from a product of variables."""
    return len(word) >= 4 or _SHORT_UNIT.fullmatch(word) is not None


# --- Lists, tuples, sets, intervals -------------------------------------------------------------------

_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_NAME = re.compile(
    r"([A-Za-z](?:_(?:\w|\{\w+\}))?(?:\([A-Za-z]\))?|\([A-Za-z](?:,[A-Za-z])+\))(?:=|\\in(?![A-Za-z]))([^=]+)"
)


@dataclass(frozen=True, slots=True)
class _Members:
    brackets: str  # "()", "(]", "[)", "[]", "{}", or "" for a bare list
    parts: tuple[str, ...]

    @property
    def alone(self) -> bool:
        return not self.brackets and len(self.parts) == 1

    @property
    def ordered(self) -> bool:
        return self.brackets not in ("", "{}")


@lru_cache(maxsize=4_096)
def _members(text: str) -> _Members:
    """The outermost list of an answer in normal notation; a single value is a bare list of one."""
    inner = text.replace(r"\{", "⦃").replace(r"\}", "⦄")
    if max(_depths(inner)) > MAX_DEPTH:
        return _Members("", (text,))
    while inner[0] in "([⦃" and inner[-1] in ")]⦄" and _closes_at_end(inner):
        brackets, parts = inner[0] + inner[-1], _split(inner[1:-1])
        if brackets == "⦃⦄" or len(parts) > 1:
            return _Members(brackets.replace("⦃⦄", "{}"), _both_signs(parts))
        if brackets != "()" or not parts:
            break
        inner = inner[1:-1].strip()
    bare = _THOUSANDS.sub(lambda number: number[0].replace(",", ""), inner)
    return _Members("", _both_signs(_split(bare)))


def _depths(text: str) -> Iterable[int]:
    """How many brackets are open after each character. Their kinds do not matter: (0, 1] is an interval."""
    depth = 0
    for character in text:
        depth += (character in "([{⦃") - (character in ")]}⦄")
        yield depth


def _closes_at_end(text: str) -> bool:
    return all(depth > 0 for depth in list(_depths(text))[:-1])


def _split(text: str) -> tuple[str, ...]:
    """Cut at the commas and semicolons outside all brackets."""
    cuts = [i for i, (mark, depth) in enumerate(zip(text, _depths(text), strict=True)) if mark in ",;" and depth == 0]
    pieces = [text[i + 1 : j].strip() for i, j in zip([-1, *cuts], [*cuts, len(text)], strict=True)]
    return tuple(piece.replace("⦃", r"\{").replace("⦄", r"\}") for piece in pieces if piece)


def _both_signs(parts: tuple[str, ...]) -> tuple[str, ...]:
    r"""Write 1 \pm x as its two values."""
    values: list[str] = []
    for part in parts:
        once = part.count(r"\pm") == 1 and r"\mp" not in part
        values += [part.replace(r"\pm", sign) for sign in "+-"] if once else [part]
    return tuple(values)


def _compare(a: str, b: str, leaf: Comparison, levels: int = MAX_LEVELS) -> bool | None:
    """Walk down two answers in normal notation while both are lists; `leaf` compares what they hold."""
    a, b = _without_name(a, b)
    left, right = _members(a), _members(b)
    if left.alone and right.alone:
        return leaf(left.parts[0], right.parts[0])
    if (left.alone and len(right.parts) > 1) or (right.alone and len(left.parts) > 1):
        return False if _quantity(a) or _quantity(b) else leaf(a, b)
    if levels == 0:
        return None
    below = partial(_compare, leaf=leaf, levels=levels - 1)
    compare = _compare_in_order if left.ordered or right.ordered else _compare_as_sets
    return compare(left, right, below)


def _without_name(a: str, b: str) -> tuple[str, str]:
    """Drop the "x =" that only one side writes, or both."""
    left, right = _NAME.fullmatch(a), _NAME.fullmatch(b)
    if left and right:
        return (left[2].strip(), right[2].strip()) if left[1] == right[1] else (a, b)
    return (left[2].strip() if left else a), (right[2].strip() if right else b)


def _compare_in_order(left: _Members, right: _Members, same: Comparison) -> bool | None:
    """Compare where at least one side is a tuple or an interval."""
    if len(left.parts) != len(right.parts) or "{}" in (left.brackets, right.brackets):
        return False
    verdict = _all(map(same, left.parts, right.parts))
    if left.brackets == right.brackets or verdict is False:
        return verdict
    interval = left.ordered and right.ordered and len(left.parts) == 2
    return False if interval else None


def _compare_as_sets(left: _Members, right: _Members, same: Comparison) -> bool | None:
    """Compare sets and bare lists: whether each member is found on the other side."""
    if left.brackets == right.brackets == "" and len(left.parts) != len(right.parts):
        return False
    found = (_any(same(x, y) for y in right.parts) for x in left.parts)
    expected = (_any(same(x, y) for x in left.parts) for y in right.parts)
    return _all(chain(found, expected))


def _all(verdicts: Iterable[bool | None]) -> bool | None:
    seen = set()
    for verdict in verdicts:
        if verdict is False:
            return False
        seen.add(verdict)
    return None if None in seen else True


def _any(verdicts: Iterable[bool | None]) -> bool | None:
    opposite = _all(None if verdict is None else not verdict for verdict in verdicts)
    return None if opposite is None else not opposite


# --- Same? --------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?")
_WORD = re.compile(r"[A-Za-z]{3,}|no", re.IGNORECASE)
_TRUTH = {"yes": True, "true": True, "no": False, "false": False}
_CLOCK = re.compile(r"(\d{1,2}:\d\d)([ap]m)")


def same_quickly(a: str, b: str) -> bool | None:
    """Whether two answers are the same, as far as exact arithmetic tells. A blank is never the same.

    Symmetric. Plain integers and decimals take about a microsecond, other notation some tens of them when
    it is new and five when it is not. Hostile text takes milliseconds: its length, and the sizes of its
    numbers and lists, are bounded.
    """
    if _PLAIN.fullmatch(a) and _PLAIN.fullmatch(b):
        return Decimal(a) == Decimal(b)  # exact: neither construction nor comparison rounds
    return _same(a, b, _leaf_quickly)


def same(a: str, b: str) -> bool | None:
    """Whether two answers are the same, with algebra; `a` is the reference. Needs the extra `math`.

    May run for ever or exhaust memory (`9^{9^{9^9}}`): call it through `workers`. Without math-verify
    installed it knows no more than `same_quickly`.
    """
    return _same(a, b, _leaf)


def _same(a: str, b: str, leaf: Comparison) -> bool | None:
    if max(len(a), len(b)) > MAX_ANSWER:
        return None
    a, b = _normal(a), _normal(b)
    if not (a and b) or a == b:
        return a == b != ""
    return None if max(_commas(a), _commas(b)) > MAX_MEMBERS else _compare(a, b, leaf)


def _commas(text: str) -> int:
    return text.count(",") + text.count(";")


def _leaf_quickly(a: str, b: str) -> bool | None:
    """Compare two answers that are no lists, as text, numbers, words or times."""
    x, y = _flat(a), _flat(b)
    if x == y:
        return True
    p, q = _quantity(a), _quantity(b)
    if p and q:
        return _same_quantity(p, q)
    if _WORD.fullmatch(x) and _WORD.fullmatch(y):
        return _same_word(x.lower(), y.lower())
    return _same_time(x, y) if ":" in x + y else None


def _same_quantity(p: _Quantity, q: _Quantity) -> bool | None:
    if p.unit != q.unit and p.unit and q.unit:
        return None
    if p.value == q.value:
        return True
    if p.unit == q.unit or (p.otherwise() != q.value and q.otherwise() != p.value):
        return False
    return None


def _same_word(x: str, y: str) -> bool | None:
    if x in _TRUTH and y in _TRUTH:
        return _TRUTH[x] is _TRUTH[y]
    if x.startswith(y) or y.startswith(x) or sorted(x) == sorted(y):  # a plural; a product of variables
        return None
    return False


def _same_time(x: str, y: str) -> bool | None:
    """Compare times of the day; 2:15 without a.m. or p.m. may as well be a ratio."""
    x, y = (re.sub(r"[ .]", "", time).lower() for time in (x, y))
    return x == y if _CLOCK.fullmatch(x) and _CLOCK.fullmatch(y) else None


# --- Algebra ------------------------------------------------------------------------------------------

_PROSE = re.compile(r"\\text\{|(?<![A-Za-z\\])[A-Za-z]{4,}")
_MISREAD = re.compile(
    r"\d:\d|\d_\{?\d|(?<!_)\d \d|'|\?|\.\.|dots"
)  # the parser would drop these or read them otherwise
_ENVIRONMENT = re.compile(r"\\(begin|end)\{[a-z]+\}")
_LATEX = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\*\*", "^"),
        (r"\*", r"\\cdot "),
        (r"(?<![A-Za-z\\])sqrt ?\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"(?<![A-Za-z\\])(pi|sin|cos|tan|cot|sec|csc|ln|log|exp|theta)(?![A-Za-z])", r"\\\1 "),
    )
]
_METRES = re.compile(r"\d [mgshlL]$")  # or a variable: cannot be told beside a number
_POINT = re.compile(r"(?<![\d.])(\d*)\.(\d+)")


def _leaf(a: str, b: str) -> bool | None:
    """Compare two answers that are no lists, with algebra."""
    quick = _leaf_quickly(a, b)
    numbers = sum(_quantity(x) is not None for x in (a, b))
    if quick is not None or numbers == 2 or (numbers == 1 and (_METRES.search(a) or _METRES.search(b))):
        return quick
    (a, unit), (b, other) = _without_unit(a), _without_unit(b)
    if unit != other and unit and other:
        return None
    x, y = _latex(a), _latex(b)
    return None if x is None or y is None else _same_expression(x, y)


def _latex(text: str) -> str | None:
    """The answer in the LaTeX that the parser reads rightly; None where it is not wholly mathematics."""
    for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)
    if _PROSE.search(_ENVIRONMENT.sub("", text)) or _MISREAD.search(text):
        return None
    return _POINT.sub(_exact_decimal, text)


def _exact_decimal(found: re.Match[str]) -> str:
    r"""0.25 as (\frac{25}{100}), because SymPy would make it a rounded number."""
    return rf"(\frac{{{int(found[1] + found[2])}}}{{{10 ** len(found[2])}}})"


def _same_expression(a: str, b: str) -> bool | None:
    """Compare two formulas; None where they cannot be read, or where math-verify is not installed."""
    if find_spec("math_verify") is None:
        return None
    from sympy.core.random import seed

    seed(0)  # `Expr.equals` tries random points: the same ones each time
    try:
        return _same_objects(_parsed(a), _parsed(b))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - the parser raises bare Exception, and SymPy whatever it trips over
        return None


def _parsed(latex: str) -> Any:
    """A SymPy object with real variables, and i for the imaginary unit.

    This is math-verify's own parser without its search for answers, and without what makes R equal r.
    """
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig, latex2sympy
    from sympy import I, Symbol

    parsed: Any = latex2sympy(latex, is_real=True, conversion_config=ConversionConfig(lowercase_symbols=False))
    return parsed.subs(Symbol("i", real=True), I)


def _same_objects(a: Any, b: Any) -> bool | None:
    """Compare SymPy objects: scalars and matrices exactly, sets and relations as math-verify does.

    Scalars go to `Expr.equals`, because math-verify rounds: for it pi is 3.14159265.
    """
    from math_verify import verify
    from sympy import Expr, MatrixBase

    matrices = isinstance(a, MatrixBase) + isinstance(b, MatrixBase)
    if matrices:
        return None if matrices == 1 else a.shape == b.shape and _all(map(_same_objects, a.flat(), b.flat()))
    if isinstance(a, Expr) and isinstance(b, Expr):
        return a.equals(b)
    return verify(a, b, allow_set_relation_comp=True, timeout_seconds=None, raise_on_error=True)


# --- As a verifier ------------------------------------------------------------------------------------


def check_quickly(reference: str, answer: str) -> Outcome | None:
    """What exact arithmetic tells; None where only algebra can."""
    told = same_quickly(reference, answer)
    return None if told is None else of_comparison(told)


def check(reference: str, answer: str) -> Outcome:
    """Pass an answer that is the same mathematics as the reference; see `same`."""
    return of_comparison(same(reference, answer))


def problem_with(reference: str) -> str | None:
    """What is wrong with a reference: it is blank, or too long for an answer."""
    if not _normal(reference[: MAX_ANSWER + 1]):
        return "no answer"
    return "too long for an answer" if len(reference) > MAX_ANSWER else None


def gold(reference: str) -> str | None:
    """The reference is an answer itself."""
    return reference
