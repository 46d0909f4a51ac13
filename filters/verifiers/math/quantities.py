r"""Numbers with their units, exactly: "3\frac{1}{2}", "1,234", "$18.90", "15 \text{ cm}^2", "five million", "204_5".

A unit is a factor and its dimensions, so that 5 m is 500 cm and 60 km/h is 1 km/min. Words that are no unit of
measure ("apples") are a dimension of their own. Texts are in normal notation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from filters.verifiers.math.notation import flat, words_of

MAX_NUMBER = 400  # characters of a number, and its largest power of ten: keeps exact arithmetic cheap

# --- Units --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unit:
    """`factor` turns a value into base units; `words` are what is no unit of measure."""

    factor: Fraction
    dimensions: tuple[tuple[str, int], ...]
    words: frozenset[str] = frozenset()

    @property
    def vague(self) -> bool:
        """Whether this only says "units" or "square units"."""
        return not self.words and {name for name, _ in self.dimensions} == {"unit"}


def _unit(dimension: str, factor: Fraction | int | str = 1, power: int = 1) -> Unit:
    return Unit(Fraction(factor), ((dimension, power),))


def _named(table: Mapping[str, tuple[str, Fraction | int | str]]) -> dict[str, Unit]:
    return {name: _unit(dimension, factor) for names, (dimension, factor) in table.items() for name in names.split()}


_UNITS = _named(
    {
        "mm millimeter millimetre": ("metre", "0.001"),
        "cm centimeter centimetre": ("metre", "0.01"),
        "dm decimeter decimetre": ("metre", "0.1"),
        "m meter metre": ("metre", 1),
        "km kilometer kilometre": ("metre", 1000),
        "in inch inche": ("metre", "0.0254"),
        "ft foot feet": ("metre", "0.3048"),
        "yd yard": ("metre", "0.9144"),
        "mi mile": ("metre", "1609.344"),
        "mg milligram": ("gram", "0.001"),
        "g gram": ("gram", 1),
        "kg kilogram": ("gram", 1000),
        "lb pound": ("gram", "453.59237"),
        "oz ounce": ("gram", "28.349523125"),
        "s sec second": ("second", 1),
        "min minute": ("second", 60),
        "h hr hour": ("second", 3600),
        "day": ("second", 86400),
        "week": ("second", 604800),
        "month": ("year", Fraction(1, 12)),
        "yr year": ("year", 1),
        "cent ct": ("dollar", "0.01"),
        "dollar usd buck": ("dollar", 1),
        "euro eur": ("euro", 1),
        "degree deg": ("turn", Fraction(1, 360)),
        "unit": ("unit", 1),
        "percent percentage pct": ("percent", 1),
    }
) | {
    "ml": _unit("metre", "0.000001", 3),
    "milliliter": _unit("metre", "0.000001", 3),
    "l": _unit("metre", "0.001", 3),
    "liter": _unit("metre", "0.001", 3),
    "litre": _unit("metre", "0.001", 3),
    "mph": Unit(Fraction("1609.344") / 3600, (("metre", 1), ("second", -1))),
    "kph": Unit(Fraction(1000, 3600), (("metre", 1), ("second", -1))),
    "radian": _unit("radian"),
    "rad": _unit("radian"),
    "£": _unit("pound sterling"),
    "€": _unit("euro"),
    "$": _unit("dollar"),
}


def _derived(factor: Fraction | int | str, **powers: int) -> Unit:
    """A unit with a name of its own in base units, the gram among them."""
    return Unit(Fraction(factor), tuple(sorted(powers.items())))


_DERIVED = {
    "N newton": _derived(1000, gram=1, metre=1, second=-2),
    "J joule": _derived(1000, gram=1, metre=2, second=-2),
    "W watt": _derived(1000, gram=1, metre=2, second=-3),
    "Pa pascal": _derived(1000, gram=1, metre=-1, second=-2),
    "Hz hertz": _derived(1, second=-1),
    "A ampere amp": _derived(1, ampere=1),
    "C coulomb": _derived(1, ampere=1, second=1),
    "V volt": _derived(1000, ampere=-1, gram=1, metre=2, second=-3),
    "ohm": _derived(1000, ampere=-2, gram=1, metre=2, second=-3),
    "F farad": _derived("0.001", ampere=2, gram=-1, metre=-2, second=4),
    "T tesla": _derived(1000, ampere=-1, gram=1, second=-2),
    "M molar": _derived(1000, metre=-3, mole=1),
    "K kelvin": _derived(1, kelvin=1),
    "mol mole": _derived(1, mole=1),
    "eV electronvolt": _derived("1.602176634e-16", gram=1, metre=2, second=-2),
    "m meter metre": _derived(1, metre=1),
    "s second": _derived(1, second=1),
    "g gram": _derived(1, gram=1),
    "L liter litre": _derived("0.001", metre=3),
}
_PREFIXES = {"n nano": "1e-9", "micro": "1e-6", "m milli": "1e-3", "k kilo": "1e3", "M mega": "1e6", "G giga": "1e9"}


def _with_prefixes() -> dict[str, Unit]:
    """Units by their symbol or name, in the case in which they are written: mW is not MW."""
    table = {}
    for names, unit in _DERIVED.items():
        symbol, *words = names.split()
        for prefixes, factor in _PREFIXES.items():
            short, *long = prefixes.split()
            scaled = Unit(unit.factor * Fraction(factor), unit.dimensions)
            table |= {short + symbol: scaled} | {
                prefix + word: scaled for prefix in long or [short] for word in words
            }
        table |= dict.fromkeys([symbol, *words], unit)
    return table


_BY_SYMBOL = _with_prefixes()
_BARE_SYMBOLS = frozenset(["N", "J", "W", "V"])  # of one letter, that may follow a number without \text{}


def _known(word: str) -> Unit | None:
    """The unit of a symbol as it is written, or of a name in any case and number."""
    if len(word) == 1 and word.isupper():  # a capital is no metre
        return _BY_SYMBOL.get(word)
    return _BY_SYMBOL.get(word) or _UNITS.get(_singular(word)) or _BY_SYMBOL.get(_singular(word))


PERCENT = _unit("percent")
FAHRENHEIT = _unit("fahrenheit")
DEGREE = _UNITS["degree"]
_LETTERS = frozenset("mgshl")  # a unit only after a space or inside \text{}

# Words that change the number before them, or belong to the expression.
_NO_UNIT = frozenset(
    words_of(
        "hundred thousand million billion trillion dozen half and or not to less more least most over above "
        "below am pm mod base if for when where only squared cubed factorial pi sqrt sin cos tan cot sec csc "
        "log ln exp max gcd lcm january february march april may june july august september october november "
        "december o'clock noon midnight infinity infty alpha beta gamma delta theta lambda sigma omega times "
        "by choose is no solution with the"
    )
)
_TEXT_TAIL = re.compile(
    r"(?:\\text\{\s?[A-Za-z$€£][A-Za-z ./^123{}²³-]*?\}(?:\^\{?-?[1-3]\}?)?|[/* ]|\\cdot ?|\^[23]|per)+"
)
_BARE = re.compile(r"[A-Za-z]+(?:[ ./]+[A-Za-z]+(?:\^[23])?)*\.?(?:\^[23])?")
_BASE = re.compile(r"(-?\d+)_(?:\{(\d{1,2})\}|(\d{1,2})|\{?\\text\{(\w+)\}\}?)")
_SIGN = re.compile(r"(.*[\w})\]])\s?(\\?%|\^\\circ|\$|€|£)(?:\s?([CFK])|\\text\{ ?([CFK]) ?\})?", re.DOTALL)
_ANGLE_OF = re.compile(r"sin|cos|tan|cot|sec|csc|\\(?:angle|text)")
_PRICE = re.compile(r"([-+]?)(?:(?:US)?\\?([$€£]))(-?.+)", re.DOTALL)
_LETTER_RUN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ./"


@lru_cache(maxsize=4_096)
def without_unit(text: str) -> tuple[str, Unit | None]:
    r"""Split "100\text{ square units}" into "100" and its unit; None when no unit is written."""
    if priced := _PRICE.fullmatch(text):
        body, unit = _without_trailing_unit(priced[3])
        scaled = unit is None and body == priced[3]
        return (priced[1] + (priced[3] if scaled else body), _UNITS[priced[2]])
    return _without_trailing_unit(text)


def _without_trailing_unit(text: str) -> tuple[str, Unit | None]:
    if (signed := _SIGN.fullmatch(text)) and not _ANGLE_OF.search(signed[1]):
        return signed[1], FAHRENHEIT if "F" in (signed[3], signed[4]) else _signed(signed[2])
    start = text.find(r"\text{")
    while start > 0 and not _TEXT_TAIL.fullmatch(text, start):
        start = text.find(r"\text{", start + 1)
    if start > 0:
        return _split_at(text, start, wrapped=True)
    body = re.sub(r"\^[23]$", "", text).rstrip(_LETTER_RUN)
    start = len(body)
    if 0 < start < len(text) and _BARE.fullmatch(text, pos=_first_letter(text, start)):
        return _split_at(text, start, wrapped=False)
    return text, None


def _signed(sign: str) -> Unit:
    return PERCENT if "%" in sign else DEGREE if "circ" in sign else _UNITS[sign]


def _first_letter(text: str, start: int) -> int:
    return start + len(text[start:]) - len(text[start:].lstrip(" ."))


def _split_at(text: str, start: int, *, wrapped: bool) -> tuple[str, Unit | None]:
    """Cut before a unit, if it is one and something that can have one stands before it."""
    body, words = text[:start].strip(), text[start:]
    can = body and (body[-1].isalnum() or body[-1] in ")}]!") and not body.endswith("\\")
    spaced = wrapped or words[:1] == " " or words in ("m^2", "m^3")
    raised = body.endswith("}") or body[-2:-1] == "^"  # after which normal notation keeps no space
    spaced = spaced or (raised and len(words) > 1 and number(body) is not None and _all_known(words))
    spelled = re.sub(r"\\text|\\cdot|[{}]", " ", re.sub(r"\^\{?(-?\d)\}?", r"^\1", words)).replace(" ^", "^")
    unit = _read_unit(spelled, bare=not wrapped, spaced=spaced)
    if not can or unit is None or (not wrapped and not _bare_unit_may_follow(body, words)):
        return text, None
    return body, unit


def _all_known(words: str) -> bool:
    return all(map(_known, re.findall(r"[A-Za-z]+", words)))


def _bare_unit_may_follow(body: str, words: str) -> bool:
    """A word may follow a digit or a bracket; a letter only a number, since r^2 h is no time."""
    if len(words.strip()) == 1:
        return number(body) is not None
    return body[-1].isdigit() or body[-1] in "})"


def _read_unit(words: str, *, bare: bool, spaced: bool) -> Unit | None:
    """A unit from words like "miles per hour", "m/s^2" or "square feet"; bare ones have to be told from variables."""
    tokens = re.findall(r"[A-Za-z]+|/|\^-?[1-3]", words.replace(" per ", "/"))
    names = [token for token in tokens if token[0].isalpha()]
    if not names or any(name.lower() in _NO_UNIT for name in names):
        return None
    if bare and not all(_is_unit_name(name, spaced=spaced) for name in names):
        return None
    return _product_of(tokens)


def _is_unit_name(word: str, *, spaced: bool) -> bool:
    """Whether a bare word can be told from a product of variables."""
    if word.lower() in _LETTERS or word in _BARE_SYMBOLS:
        return spaced
    if len(word) > 1 and word in _BY_SYMBOL and spaced:
        return True
    return (
        len(word) >= (3 if spaced else 4)
        or word.lower() in ("sq", "per", "of", "in", "the")
        or _singular(word) in _UNITS
    )


def _product_of(tokens: list[str]) -> Unit:
    factor, dimensions, words = Fraction(1), {}, set()
    sign, power = 1, 1
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        if token == "/":
            sign = -1
        elif token.lower() in ("square", "sq", "cubic"):
            power = 3 if token.lower() == "cubic" else 2
        elif token[0].isalpha():
            each = _known(token)
            raised = sign * (int(following[1:]) if following.startswith("^") else power)
            power = 1
            if each is None:
                words.add(_singular(token))
                continue
            factor *= each.factor**raised
            for name, exponent in each.dimensions:
                dimensions[name] = dimensions.get(name, 0) + exponent * raised
    kept = tuple(sorted((name, exponent) for name, exponent in dimensions.items() if exponent))
    return Unit(factor, kept, frozenset(words - {"of", "the", "in", "total"}))


def _singular(word: str) -> str:
    word = word.lower()
    return word if len(word) < 3 else word.removesuffix("s")


# --- Numbers ------------------------------------------------------------------------------------------

_DECIMAL = re.compile(
    r"""(?P<sign>[-+]?)
        (?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d{1,3}(?:\ \d{3})+(?:\.\d*)?|\d+(?:\.\d*)?|\.\d+)
        (?:(?:[eE]|(?:\\times|\\cdot|\*|\ ?[x]\ ?)\ ?10(?:\^|\*\*))\{?\(?(?P<power>[-+]?\d{1,4})\)?\}?)?""",
    re.VERBOSE,
)
_POWER = re.compile(r"([-+]?)10\^\{?([-+]?\d{1,4})\}?")
_RATIO = re.compile(r"([-+]?)(?:(\d+) ?)??(?:\\frac\{([-+]?\d+)\}\{([-+]?\d+)\}|([-+]?\d+)/(\d+))")
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_UNITS_IN_WORDS = words_of(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = words_of("twenty thirty forty fifty sixty seventy eighty ninety")
_COUNTS = {word: i for i, word in enumerate(_UNITS_IN_WORDS)} | {word: 10 * i for i, word in enumerate(_TENS, 2)}
_ORDINALS = {
    word: i
    for i, word in enumerate(
        words_of("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"), 1
    )
}
_PARTS = {"half": 2, "halve": 2, "quarter": 4} | {word: value for word, value in _ORDINALS.items() if value > 2}
_TH = re.compile(r"(\d+)(?:st|nd|rd|th)")
_SPELLED = re.compile(r"[a-z]+(?:[ -]+[a-z]+){0,11}")


_MEASURE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([a-z]+)")
_COMPOUND = re.compile(rf"{_MEASURE.pattern}(?:,?(?: and)? {_MEASURE.pattern}){{1,2}}")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, in the units that are written beside it. `base` is the one it is written in, if that is said."""

    value: Fraction
    unit: Unit | None = None
    base: int | None = None


@lru_cache(maxsize=4_096)
def quantity(text: str) -> Quantity | None:
    """A number with its unit, from an answer in normal notation."""
    if len(text) > MAX_NUMBER:
        return None
    if based := _BASE.fullmatch(text):
        base = based[2] or based[3] or str(_COUNTS.get(based[4] or "", "0"))
        return Quantity(Fraction(int(based[1])), None, int(base))
    value = number(text)
    if value is not None:
        return Quantity(value)
    body, unit = without_unit(text)
    value = None if unit is None else number(body)
    return _compound(flat(text)) if value is None else Quantity(value, unit)


def _compound(text: str) -> Quantity | None:
    """Two or three measures of one kind, such as "2 hours 30 minutes" or "5 feet 3 inches"."""
    found = _COMPOUND.fullmatch(text)
    parts = _MEASURE.findall(text) if found else []
    units = [_UNITS.get(_singular(name)) for _, name in parts]
    if len({unit.dimensions if unit else None for unit in units}) != 1 or None in units:
        return None
    total = sum(Fraction(value) * unit.factor for (value, _), unit in zip(parts, units, strict=True) if unit)
    return Quantity(Fraction(total), Unit(Fraction(1), units[0].dimensions)) if units[0] else None


def number(text: str) -> Fraction | None:
    """An integer, decimal, fraction, mixed number, power of ten or number in words, exactly."""
    text = text[1:-1] if text[:1] == "{" and text[-1:] == "}" else text
    if found := _DECIMAL.fullmatch(text):
        digits = found["digits"].replace(",", "").replace(" ", "")
        return _decimal(found["sign"] + digits, int(found["power"] or 0))
    if found := _POWER.fullmatch(text):
        return _decimal(found[1] + "1", int(found[2]))
    if found := _RATIO.fullmatch(text):
        return _ratio(*found.groups())
    if found := _TH.fullmatch(flat(text)):
        return Fraction(int(found[1]))
    return _in_words(flat(text).lower())


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


def _in_words(text: str) -> Fraction | None:
    """Numbers in words: "twenty-one", "5 million", "three quarters", "two and a half", "third"."""
    count, _, scale = text.rpartition(" ")
    if count and scale in _SCALES and (found := _DECIMAL.fullmatch(count)):
        value = _decimal(found["sign"] + found["digits"].replace(",", "").replace(" ", ""), int(found["power"] or 0))
        return None if value is None else value * _SCALES[scale]
    if not _SPELLED.fullmatch(text):
        return None
    negative = text.startswith(("negative ", "minus "))
    words = re.split("[ -]+", text.partition(" ")[2] if negative else text)
    value = _spelled(words)
    return None if value is None else -value if negative else value


def _spelled(words: list[str]) -> Fraction | None:
    if len(words) == 1 and words[0] in _ORDINALS:
        return Fraction(_ORDINALS[words[0]])
    part = _PARTS.get(words[-1]) or _PARTS.get(words[-1].removesuffix("s"))
    if part is None:
        return _cardinal(words)
    if len(words) == 1:
        return Fraction(1, part)
    if "and" in words:
        at = words.index("and")
        whole, rest = _cardinal(words[:at]), _spelled(words[at + 1 :])
        return None if whole is None or rest is None or rest >= 1 else whole + rest
    count = Fraction(1) if words[:-1] in (["a"], ["an"]) else _cardinal(words[:-1])
    return None if count is None else count / part


def _cardinal(words: list[str]) -> Fraction | None:
    total, group = 0, 0
    for word in words:
        if word in _COUNTS:
            if group % 10 or (group % 100 and _COUNTS[word] >= 10):
                return None
            group += _COUNTS[word]
        elif word == "hundred":
            group = (group or 1) * 100
        elif word in _SCALES:
            total, group = total + (group or 1) * _SCALES[word], 0
        elif word not in ("and", "a") or word is words[-1]:
            return None
    return Fraction(total + group) if words else None


# --- Same? --------------------------------------------------------------------------------------------


def same_quantity(p: Quantity, q: Quantity) -> bool | None:
    """Whether two quantities are the same. A unit that only one side writes is implied by the question."""
    if p.base or q.base:
        return _same_in_bases(p, q)
    if p.unit is None or q.unit is None:
        return p.value == q.value or _as_fraction(p) == _as_fraction(q)
    return same_with_units(p.value == q.value, p.value * p.unit.factor == q.value * q.unit.factor, p.unit, q.unit)


def _as_fraction(p: Quantity) -> Fraction:
    """12% is 0.12."""
    return p.value / 100 if p.unit == PERCENT else p.value


def same_with_units(bare: bool | None, scaled: bool | None, one: Unit, other: Unit) -> bool | None:
    """The verdict for two values with units, from the comparisons of the values as written and in base units."""
    if one.dimensions == other.dimensions and one.words == other.words:
        return scaled
    if one.vague or other.vague:
        return bare
    if not (one.words or other.words):
        return False
    if bare is False and scaled is False:
        return None if _may_be_symbols(one.words ^ other.words) else False
    related = one.words <= other.words or other.words <= one.words
    return bare if related and one.dimensions == other.dimensions else None


def _may_be_symbols(words: frozenset[str]) -> bool:
    """Whether there are short words that may be unknown spellings of units."""
    return any(len(word) <= 3 for word in words)


def _same_in_bases(p: Quantity, q: Quantity) -> bool | None:
    """204_5 is 204 where the question asks for base 5; as a number it is 54, but that is another answer."""
    x, y = _in_base(p), _in_base(q)
    if p.base and q.base:
        return (p.base == q.base and p.value == q.value) or (x == y if x is not None and y is not None else False)
    if p.value == q.value:
        return True
    return None if x is not None and x == y else False


def _in_base(p: Quantity) -> Fraction | None:
    if p.base is None:
        return p.value
    digits = str(abs(p.value))
    if not 2 <= p.base <= 10 or any(int(digit) >= p.base for digit in digits):
        return None
    return Fraction(int(digits, p.base)) * (-1 if p.value < 0 else 1)
