"""The seeds are right, varied, and stay what they are.

Every line of `math.jsonl` carries `check`, a Python expression that finds its answer anew. It is evaluated
here over the names in `ARITHMETIC` and `SYMBOLIC` and nothing else, and compared exactly: integers and
fractions as `Fraction`, formulas as formulas, never as floats. `ANOTHER_ROUTE`, at the end, answers some
of the hardest problems a second time by methods unlike those in their checks.
"""

from __future__ import annotations

import json
import re
import symtable
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import cache, reduce
from hashlib import blake2b
from itertools import combinations, permutations, product
from math import comb, gcd, isqrt, perm, prod
from pathlib import Path
from typing import Any

import pytest
from rapidfuzz.distance import Indel

Seed = dict[str, Any]

SEEDS = Path(__file__).parents[2] / "data" / "seeds"
LETTERS = "ABCDE"


def rows(name: str) -> list[Seed]:
    with (SEEDS / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


PROBLEMS = rows("math.jsonl")
TASKS = rows("instructions.jsonl")
BY_ID = {problem["id"]: problem for problem in PROBLEMS}


# What a check may use -----------------------------------------------------------------------------------


def the(found: Iterable[Any]) -> Any:
    """The one element of `found`; an error when there is none, or a second one."""
    (element,) = found
    return element


def only(truths: Iterable[Any]) -> str:
    """The letter of the one option that is true; an error unless exactly one is."""
    return the(letter for letter, true in zip(LETTERS, truths, strict=False) if true)


ARITHMETIC: dict[str, Any] = {
    function.__name__: function
    for function in (
        *(abs, all, any, bool, dict, divmod, enumerate, int, len, list, max, min, next, pow, range),
        *(reversed, set, sorted, str, sum, tuple, zip),
        *(Fraction, comb, gcd, isqrt, perm, prod, reduce, combinations, permutations, product, only, the),
    )
}
FUNCTIONS = "Rational cos diff exp expand integrate interpolate limit log pi rem simplify sin solve sqrt"
SYMBOLS = "a d k n x y"
SYMBOLIC = {*FUNCTIONS.split(), *SYMBOLS.split()}


def symbolic_names() -> dict[str, Any]:
    sympy = pytest.importorskip("sympy")
    functions = {name: getattr(sympy, name) for name in FUNCTIONS.split()}
    return functions | {name: sympy.Symbol(name) for name in SYMBOLS.split()}


def free_names(check: str) -> set[str]:
    """The names that `check` takes from outside itself, so not its own loop variables."""

    def globals_of(table: symtable.SymbolTable) -> Iterator[str]:
        outermost = table.get_type() == "module"
        yield from (name.get_name() for name in table.get_symbols() if outermost or name.is_global())
        for inner in table.get_children():
            yield from globals_of(inner)

    # A comprehension's first iterable is handed over under the name ".0", which is nobody's choice.
    return {name for name in globals_of(symtable.symtable(check, "check", "eval")) if name.isidentifier()}


def options(question: str) -> tuple[str, ...]:
    """The texts of the options "(A) ... (B) ..." in the order of their letters."""
    _, *parts = re.split(r"\(([A-E])\) ", question)
    assert "".join(parts[::2]) == LETTERS[: len(parts) // 2]
    return tuple(text.strip().rstrip(".;") for text in parts[1::2])


@cache
def recomputed(identity: str) -> Any:
    """What the check of a problem evaluates to."""
    problem = BY_ID[identity]
    names = ARITHMETIC | {"options": options(problem["question"]), "__builtins__": {}}
    if free_names(problem["check"]) & SYMBOLIC:
        names |= symbolic_names()
    return eval(problem["check"], names)


# What it means that an answer is right ------------------------------------------------------------------


def same_number(answer: str, value: Any) -> bool:
    assert not isinstance(value, bool | float), f"a check must be exact, this one gave {value!r}"
    return Fraction(answer) == Fraction(str(value))


def same_formula(answer: str, value: Any) -> bool:
    """Compare as functions; every quantity in our questions that has a letter may be taken as positive."""
    sympy = pytest.importorskip("sympy")
    latex2sympy = pytest.importorskip("latex2sympy2_extended").latex2sympy
    difference = latex2sympy(answer) - value
    positive = {symbol: sympy.Symbol(symbol.name, positive=True) for symbol in difference.free_symbols}
    return sympy.simplify(difference.subs(positive)) == 0


def agrees(kind: str, answer: str, value: Any) -> bool:
    """Tell whether `answer`, as written in the seeds, is what a check has found."""
    match kind:
        case "integer" | "fraction":
            return same_number(answer, value)
        case "expression":
            return same_formula(answer, value)
        case "choice":
            return answer == value
        case "yes-no":
            return {"yes": True, "no": False}[answer] is value
    raise ValueError(f"no answer type {kind!r}")


def spoiled(kind: str, answer: str) -> str:
    """A wrong answer that looks much like the right one."""
    match kind:
        case "integer" | "fraction":
            return str(Fraction(answer) + 1)
        case "expression":
            return answer + "+1"
        case "choice":
            return LETTERS[LETTERS.index(answer) - 1]
        case "yes-no":
            return {"yes": "no", "no": "yes"}[answer]
    raise ValueError(f"no answer type {kind!r}")


each_problem = pytest.mark.parametrize("problem", PROBLEMS, ids=[problem["id"] for problem in PROBLEMS])


@each_problem
def test_answer_is_what_its_check_finds(problem: Seed):
    assert agrees(problem["answer_type"], problem["answer"], recomputed(problem["id"]))


@each_problem
def test_check_refuses_a_wrong_answer(problem: Seed):
    kind = problem["answer_type"]
    assert not agrees(kind, spoiled(kind, problem["answer"]), recomputed(problem["id"]))


@each_problem
def test_check_uses_nothing_but_the_listed_names(problem: Seed):
    assert free_names(problem["check"]) <= {*ARITHMETIC, *SYMBOLIC, "options"}
    assert "._" not in problem["check"]
