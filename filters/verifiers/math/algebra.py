r"""Computer algebra for what exact arithmetic leaves open: SymPy on our own trees, math-verify's parser on the rest.

It may run for ever or exhaust memory: only a child of `workers` calls it. Needs the extra `math`; without it
nothing can be told.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

from filters.verifiers.math.estimates import differ
from filters.verifiers.math.formulas import Tree, is_ambiguous, parsed, symbols
from filters.verifiers.math.verdicts import all_of

_PROSE = re.compile(r"\\text\{|(?<![A-Za-z\\])[A-Za-z]{4,}")
_MISREAD = re.compile(
    r"\d:\d|\d_\{?\d|(?<!_)\d \d|'|\?|\.\.|dots|partial|nabla"
)  # the parser would drop or bend these
_VECTORS = re.compile(r"\\(?:vec|overrightarrow|hat|times)")  # of what may not commute
_SUBSCRIPT = re.compile(r"_(?:\w|\{\w+\})|\(\w+\)")
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
_POINT = re.compile(r"(?<![\d.])(\d*)\.(\d+)")


def same_by_algebra(a: str, b: str) -> bool | None:
    """Compare two formulas in normal notation; None where they cannot be read, or SymPy is not installed."""
    if find_spec("math_verify") is None:
        return None
    if ("=" in a) != ("=" in b) and not _names_its_value(a if "=" in a else b):
        return None
    from sympy.core.random import seed

    seed(0)  # `Expr.equals` tries random points: the same ones each time
    try:
        trees = parsed(a), parsed(b)
        if trees[0] and trees[1]:
            return _same_trees(trees[0], trees[1])
        return _same_objects(_object(a), _object(b))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - the parser raises bare Exception, and SymPy whatever it trips over
        return None


def _names_its_value(equation: str) -> bool:
    """Whether the left side only names what is asked for: m + n, |AB|, f(2); "2x = 10" and "x^2 = 4" ask for more."""
    left, _, right = equation.partition("=")
    left = _SUBSCRIPT.sub("", left)
    solved = re.search(r"(?<![A-Za-z\\])[a-z]", left) and not re.search(r"(?<![A-Za-z\\])[a-z]", right)
    changed = re.search(r"[-\d^/*<>!]|\\(?:frac|sqrt|ln|log|times|cdot|pm)(?![A-Za-z])", left)
    return not (solved and changed) or re.match(r"\\(?:lim|int|sum|prod)", left) is not None


def _object(text: str) -> Any:
    tree = parsed(text)
    if tree is None and is_ambiguous(text):
        raise ValueError("two readings")
    return _from_latex(text) if tree is None else to_sympy(tree)


def _from_latex(text: str) -> Any:
    """A SymPy object by math-verify's parser, without its search for answers, and without what makes R equal r."""
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig, latex2sympy
    from sympy import I, Symbol

    for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)
    if _PROSE.search(_ENVIRONMENT.sub("", text)) or _MISREAD.search(text) or _VECTORS.search(text):
        raise ValueError("not wholly mathematics")
    text = _POINT.sub(_exact_decimal, text)
    found: Any = latex2sympy(text, is_real=True, conversion_config=ConversionConfig(lowercase_symbols=False))
    return found.subs(Symbol("i", real=True), I)


def _exact_decimal(found: re.Match[str]) -> str:
    r"""0.25 as (\frac{25}{100}), because SymPy would make it a rounded number."""
    return rf"(\frac{{{int(found[1] + found[2])}}}{{{10 ** len(found[2])}}})"


def _same_objects(a: Any, b: Any) -> bool | None:
    """Compare SymPy objects: scalars and matrices exactly, sets and relations as math-verify does.

    Scalars go to `Expr.equals`, because math-verify rounds: for it pi is 3.14159265.
    """
    from math_verify import verify
    from sympy import Expr, MatrixBase
    from sympy.logic.boolalg import Boolean

    matrices = isinstance(a, MatrixBase) + isinstance(b, MatrixBase)
    if matrices:
        return None if matrices == 1 else a.shape == b.shape and all_of(map(_same_objects, a.flat(), b.flat()))
    if isinstance(a, Expr) and isinstance(b, Expr):
        return a.equals(b)
    verdict = verify(a, b, allow_set_relation_comp=True, timeout_seconds=None, raise_on_error=True)
    relations = isinstance(a, Boolean) or isinstance(b, Boolean)
    return verdict or (None if relations else False)  # it solves no inequalities


def _same_trees(a: Tree, b: Tree) -> bool | None:
    r"""Compare formulas of real variables, or of positive ones if that makes no difference where both have values.

    So 2\ln x is \ln x^2, but x is not |x|.
    """
    verdict = to_sympy(a).equals(to_sympy(b))
    if verdict or not symbols(a) | symbols(b):
        return verdict
    if to_sympy(a, positive=True).equals(to_sympy(b, positive=True)):
        return not differ(a, b, decimal=False, below_zero=True)
    return verdict


def to_sympy(tree: Tree, *, positive: bool = False) -> Any:
    """A tree as a SymPy expression with real or positive variables; a bare logarithm is natural."""
    import sympy

    parts = partial(to_sympy, positive=positive)
    match tree:
        case ("number", value):
            return sympy.Rational(value.numerator, value.denominator)
        case ("symbol", name):
            constants = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "infinity": sympy.oo}
            return constants.get(name) or sympy.Symbol(name, **({"positive": True} if positive else {"real": True}))
        case ("sum", terms):
            return sympy.Add(*map(parts, terms))
        case ("product", factors):
            return sympy.Mul(*map(parts, factors))
        case ("power", base, exponent):
            return sympy.Pow(parts(base), parts(exponent))
        case ("call", name, arguments):
            return _function(name)(*map(parts, arguments))
    raise ValueError(f"no tree: {tree!r}")


def _function(name: str) -> Callable[..., Any]:
    import sympy

    renamed = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "abs": "Abs", "ceil": "ceiling", "ln": "log"}
    special = {"root": _root, "lg": lambda of: sympy.log(of, 10)}
    return special.get(name) or getattr(sympy, renamed.get(name, name))


def _root(radicand: Any, degree: Any) -> Any:
    """Odd roots of negative numbers are negative, as in `exact`."""
    import sympy

    return sympy.real_root(radicand, degree) if degree.is_odd else sympy.root(radicand, degree)
