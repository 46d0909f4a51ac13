r"""Formulas as models write them, LaTeX or plain, read into trees.

A tree is a tuple that begins with its kind: `("number", Fraction)`, `("symbol", name)`, `("sum", trees)`,
`("product", trees)`, `("power", base, exponent)`, `("call", name, trees)`. Symbols are single letters with
their subscript, Greek letters, and the constants pi, e, i and infinity. What might mean two things is
`Unreadable`: 1/xy, f(x), text, dots.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from filters.verifiers.math.notation import words_of

MAX_DEPTH = 24  # of brackets in brackets
MAX_DIGITS = 400

Tree = tuple[Any, ...]


class Unreadable(ValueError):
    """This is no formula."""


class Ambiguous(Unreadable):
    """This could be read in two ways."""


MINUS_ONE: Tree = ("number", Fraction(-1))

FUNCTIONS = frozenset(
    words_of("arcsin arccos arctan sinh cosh tanh sin cos tan cot sec csc log ln lg exp gcd lcm max min")
)
INVERSE = {"sin": "arcsin", "cos": "arccos", "tan": "arctan"}
GREEK = frozenset(
    words_of(
        "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho "
        "sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell "
        "hbar"
    )
)
_NAMES = (
    "arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln|lg|exp|gcd|lcm|max|min|sqrt|pi|theta|infinity"
)
_TOKEN = re.compile(
    rf"""\s*(?: (?P<number>\d+(?:\.\d*)?|\.\d+)
      | (?P<command>\\(?:[A-Za-z]+|[%{{}}|]))
      | (?P<name>(?<![A-Za-z])(?:{_NAMES})(?![A-Za-z]))
      | (?P<letter>[A-Za-z])
      | (?P<mark>\*\*|[-+*/^_()\[\]{{}}|!]) )""",
    re.VERBOSE,
)
_WORD = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{4,}")
_VECTORS = re.compile(
    r"\\text\{ ?[A-Za-z] ?\} ?\\(?:times|cdot) ?\\text\{ ?[A-Za-z] ?\}"
    r"|(?<![A-Za-z\\])[A-Z] ?\\times ?[A-Z](?![A-Za-z])"
)
_IS_NAME = re.compile(_NAMES)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    spaced: bool  # whether a space stands before it


def _tokens(text: str) -> list[_Token]:
    if any(not _IS_NAME.fullmatch(word) for word in _WORD.findall(text)):
        raise Unreadable("a word")
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise Unreadable(f"{text[at]!r}")
        kind = str(found.lastgroup)
        content = found[kind]
        content = content.removeprefix("\\") if content[-1].isalpha() else content
        tokens.append(_Token("command" if kind == "name" else kind, content, found[0][:1].isspace()))
        at = found.end()
    return tokens


@lru_cache(maxsize=4_096)
def parsed(text: str) -> Tree | None:
    """The tree of a formula, None where it cannot be read. Linear; never raises."""
    try:
        return _read(text)
    except Unreadable:
        return None


def is_ambiguous(text: str) -> bool:
    """Whether a formula has two readings, so that nobody should choose one."""
    try:
        _read(text)
    except Ambiguous:
        return True
    except Unreadable:
        return False
    return False


def _read(text: str) -> Tree:
    if _VECTORS.search(text):
        raise Ambiguous("a product of vectors, matrices or sets, or of numbers")
    reader = _Reader(_tokens(text))
    tree = reader.sum()
    if reader.peek() is not None:
        raise Unreadable("something after the end")
    return tree


_CLOSING = {"(": ")", "[": "]", "{": "}", r"\{": r"\}"}
_DIVISIONS = frozenset(["/", "div"])
_PRODUCTS = frozenset(["*", "cdot", "times", "ast"])
_SYMBOLS = {"pi": "pi", "infty": "infinity", "infinity": "infinity", "imath": "i"}


class _Reader:
    """A reader of tokens, one method for each level of precedence."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._in_bars = 0

    def peek(self, ahead: int = 0) -> str | None:
        at = self._at + ahead
        return self._tokens[at].text if at < len(self._tokens) else None

    def _kind(self) -> str | None:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else None

    def _take(self) -> _Token:
        if self._at >= len(self._tokens):
            raise Unreadable("it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, text: str) -> None:
        if self._take().text != text:
            raise Unreadable(f"no {text}")

    def sum(self) -> Tree:
        """Terms with + and - between them."""
        terms = [self._signed()]
        while self.peek() in ("+", "-") and self._kind() == "mark":
            terms.append(self._signed())
        return terms[0] if len(terms) == 1 else ("sum", tuple(terms))

    def _signed(self) -> Tree:
        sign = 1
        while self.peek() in ("+", "-") and self._kind() == "mark":
            sign = -sign if self._take().text == "-" else sign
        term = self._product()
        return term if sign == 1 else negative(term)

    def _product(self) -> Tree:
        """Factors with or without a sign between them. What follows in 1/xy might be above or below: unreadable."""
        factors, divided = [self._factor()], False
        while True:
            mark = self.peek()
            if mark in _DIVISIONS:
                self._take()
                below = self._signed_factor()
                factors.append(inverse(below))
                divided = not (below[0] == "number" and factors[-2][0] == "number")
            elif mark in _PRODUCTS:
                self._take()
                factors.append(self._signed_factor())
                divided = False
            elif self._begins_factor():
                if divided:
                    raise Ambiguous("a product after a division")
                factors.append(self._factor())
            else:
                return factors[0] if len(factors) == 1 else ("product", tuple(factors))

    def _signed_factor(self) -> Tree:
        if self.peek() in ("+", "-"):
            return negative(self._factor()) if self._take().text == "-" else self._factor()
        return self._factor()

    def _begins_factor(self) -> bool:
        text, kind = self.peek(), self._kind()
        if kind == "mark":
            return text in ("(", "[", "{") or (text == "|" and not self._in_bars)
        return kind == "letter" or (kind == "command" and text in _COMMANDS)

    def _factor(self) -> Tree:
        """An atom with its factorials and its exponent."""
        base = self._factorial(self._atom())
        if self.peek() in ("^", "**"):
            self._take()
            if self.peek() == "circ":
                self._take()
                return ("product", (base, DEGREE))
            base = self._factorial(power(base, self._exponent()))
            if self.peek() in ("^", "**"):
                raise Unreadable("two exponents")
        return base

    def _factorial(self, base: Tree) -> Tree:
        if self.peek() != "!":
            return base
        self._take()
        if self.peek() == "!":
            raise Unreadable("a double factorial")
        return ("call", "factorial", (base,))

    def _exponent(self) -> Tree:
        if self.peek() == "-" and self._kind() == "mark":
            self._take()
            return negative(self._atom())
        return self._atom()

    def _group(self) -> Tree:
        opening = self._take().text
        bars, self._in_bars = self._in_bars, 0
        inside = self.sum()
        self._in_bars = bars
        self._expect(_CLOSING[opening])
        return inside

    def _atom(self) -> Tree:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable("too deep")
        atom = self._any_atom()
        self._depth -= 1
        return atom

    def _any_atom(self) -> Tree:
        text, kind = self.peek(), self._kind()
        if kind == "number":
            return self._number()
        if kind == "letter":
            return self._symbol(self._take().text)
        if kind == "mark" and text in ("(", "[", "{"):
            return self._group()
        if kind == "mark" and text == "|":
            return self._bars("|")
        if kind == "command" and text in _COMMANDS:
            return _COMMANDS[text](self, self._take().text)
        raise Unreadable(f"{text!r} where a value should be")

    def _number(self) -> Tree:
        """A number, with the repeating decimals or the proper fraction that may follow it."""
        token = self._take()
        if len(token.text) > MAX_DIGITS:
            raise Unreadable("too long a number")
        if self.peek() in ("overline", "bar", "dot") and "." in token.text:
            return self._repeating(token.text)
        value = Fraction(token.text if token.text[-1] != "." else token.text[:-1])
        if token.text.isdecimal() and self.peek() == "frac" and (part := self._proper_fraction()):
            return ("number", value + part)
        return ("number", value)

    def _repeating(self, text: str) -> Tree:
        self._take()
        group = [self._take().text for _ in range(3)] if self.peek() == "{" else ["{", self._take().text, "}"]
        if [group[0], group[2]] != ["{", "}"] or not group[1].isdecimal():
            raise Unreadable("a bar over something else")
        whole, decimals = text.split(".")
        period = Fraction(int(group[1]), 10 ** len(group[1]) - 1)
        return ("number", Fraction(int(whole + decimals or "0")) / 10 ** len(decimals) + period / 10 ** len(decimals))

    def _proper_fraction(self) -> Fraction | None:
        r"""The \frac{1}{2} of a mixed number; nothing is taken if there is none."""
        texts = [self.peek(i) for i in range(7)]
        if texts[1] != "{" or texts[3:5] != ["}", "{"] or texts[6] != "}":
            return None
        above, below = texts[2] or "", texts[5] or ""
        if not (above.isdecimal() and below.isdecimal() and 0 < int(above) < int(below)):
            return None
        self._at += 7
        return Fraction(int(above), int(below))

    def _symbol(self, name: str) -> Tree:
        """A letter with its subscript. A function of an unknown name, as in f(x), cannot be read."""
        if self.peek() == "_":
            self._take()
            name += "_" + self._subscript()
        elif name in "fgh" and self.peek() == "(":
            raise Ambiguous("a function without a definition, or a product")
        return ("symbol", name)

    def _subscript(self) -> str:
        if self.peek() != "{":
            return self._take().text
        parts = []
        while self.peek() not in ("}", None):
            parts.append(self._take().text)
        self._expect("}")
        return "".join(parts[1:])

    def _bars(self, closing: str) -> Tree:
        self._take()
        self._in_bars += 1
        inside = self.sum()
        self._in_bars -= 1
        self._expect(closing)
        return ("call", "abs", (inside,))

    # --- Commands: each is called with its name, when that has been taken ----------------------------

    def _constant(self, name: str) -> Tree:
        return self._symbol(_SYMBOLS.get(name, name))

    def _fraction(self, _name: str) -> Tree:
        above = self._argument()
        return ("product", (above, inverse(self._argument())))

    def _argument(self) -> Tree:
        r"""What a command takes: a group, or a single digit, letter or command (\frac12 is one half)."""
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        if token is None or token.kind != "number" or len(token.text) == 1:
            return self._atom()
        if not token.text.isdecimal():
            raise Unreadable("a decimal after a command")
        self._tokens[self._at] = _Token("number", token.text[1:], False)
        return ("number", Fraction(int(token.text[0])))

    def _root(self, _name: str) -> Tree:
        degree: Tree = ("number", Fraction(2))
        if self.peek() == "[":
            degree = self._group()
        return ("call", "root", (self._argument(), degree))

    def _binomial(self, _name: str) -> Tree:
        return ("call", "binomial", (self._argument(), self._argument()))

    def _floor(self, name: str) -> Tree:
        inside = self.sum()
        self._expect("r" + name[1:])
        return ("call", name[1:], (inside,))

    def _absolute(self, name: str) -> Tree:
        inside = self.sum()
        self._expect({"lvert": "rvert", "vert": "vert", r"\|": r"\|"}[name])
        return ("call", "abs", (inside,))

    def _roman(self, _name: str) -> Tree:
        r"""The e of \mathrm{e}; longer names are units or words."""
        self._expect("{")
        letter = self._take()
        if letter.kind != "letter":
            raise Unreadable("a word")
        self._expect("}")
        return self._symbol(letter.text)

    def _named(self, _name: str) -> Tree:
        r"""\operatorname{arctan} and the like."""
        self._expect("{")
        name = self._take().text
        self._expect("}")
        if name not in FUNCTIONS:
            raise Unreadable("an operator that is not known")
        return self._function(name)

    def _function(self, name: str) -> Tree:
        r"""\sin^2 2x, \log_2 8, \ln(x): with brackets these hold the argument, else all factors that follow do."""
        exponent, base = None, None
        for _ in range(2):
            if self.peek() == "^" and exponent is None:
                self._take()
                exponent = self._exponent()
            elif self.peek() == "_" and name == "log" and base is None:
                self._take()
                base = self._argument()
        inverted = exponent == MINUS_ONE and name in INVERSE
        name = INVERSE[name] if inverted else name
        value: Tree = ("call", name, (self._of(), base) if base else (self._of(),))
        return value if exponent is None or inverted else power(value, exponent)

    def _of(self) -> Tree:
        if self.peek() in ("(", "[", "{"):
            return self._group()
        factors = [self._signed_factor()]
        while self._begins_factor() and self.peek() not in FUNCTIONS and self.peek() not in ("(", "["):
            factors.append(self._factor())
        if self.peek() in _DIVISIONS and self._at + 1 < len(self._tokens):  # \sin x/2 has two readings
            raise Ambiguous("a division in an argument without brackets")
        return factors[0] if len(factors) == 1 else ("product", tuple(factors))


_COMMANDS: dict[str | None, Callable[[_Reader, str], Tree]] = {
    **{name: _Reader._function for name in FUNCTIONS - {"gcd", "lcm", "max", "min"}},
    **{name: _Reader._constant for name in (*GREEK, *_SYMBOLS)},
    **{name: _Reader._absolute for name in ("lvert", "vert", r"\|")},
    **{name: _Reader._floor for name in ("lfloor", "lceil")},
    **{name: _Reader._fraction for name in ("frac", "dfrac", "tfrac", "cfrac")},
    **{name: _Reader._binomial for name in ("binom", "dbinom", "tbinom")},
    "sqrt": _Reader._root,
    "text": _Reader._roman,
    "operatorname": _Reader._named,
}


def negative(tree: Tree) -> Tree:
    return ("number", -tree[1]) if tree[0] == "number" else ("product", (MINUS_ONE, tree))


def inverse(tree: Tree) -> Tree:
    return ("power", tree, MINUS_ONE)


def power(base: Tree, exponent: Tree) -> Tree:
    return ("power", base, exponent)


DEGREE: Tree = ("product", (("symbol", "pi"), ("number", Fraction(1, 180))))


def symbols(tree: Tree) -> frozenset[str]:
    """The names of all symbols in a tree, constants included."""
    if tree[0] == "symbol":
        return frozenset([tree[1]])
    parts = tree[1] if tree[0] in ("sum", "product") else tree[2] if tree[0] == "call" else tree[1:]
    return frozenset().union(*(symbols(part) for part in parts if isinstance(part, tuple)))


class TooHard(ValueError):
    """Working this formula out takes more than a moment, or it has no value."""


MAX_FACTORIAL = 150
CONSTANTS = frozenset(["pi", "e", "i", "infinity"])


def of_numbers(name: str, values: list[Fraction]) -> Fraction | int:
    """The value of abs, floor, ceil, factorial or binomial at rational numbers. Raises TooHard."""
    if name == "abs":
        return abs(values[0])
    if name in ("floor", "ceil"):
        return math.floor(values[0]) if name == "floor" else math.ceil(values[0])
    if any(value.denominator != 1 or not 0 <= value <= MAX_FACTORIAL for value in values):
        raise TooHard("too large a factorial, or none")
    whole = [int(value) for value in values]
    return math.factorial(whole[0]) if name == "factorial" else math.comb(*whole)
