"""What is right: answers checked against references. Knows no record type.

`VERIFIERS` is the table of what exists, a module for each kind. A reference is a text: for simple kinds the answer
itself, for others a JSON object that says what an answer must do. `workers.Workers` runs checks where they can do
no harm; `pool` does so for code that is not asynchronous.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from filters.verifiers import (
    assignment,
    chain,
    choice,
    code,
    constraints,
    exact,
    fuzzy,
    judgement,
    logic,
    math,
    plan,
    procedural,
    schema,
)
from filters.verifiers.code import confine
from filters.verifiers.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Verifier:
    """How answers of one kind are found and checked. A change in what is accepted raises `version`."""

    version: int
    final_answer: Callable[[str], str | None]  # the answer in a response, its thinking left out; None: there is none
    check_quickly: Callable[[str, str], Outcome | None]  # safe and short anywhere; None: only `check` can tell
    check: Callable[[str, str], Outcome]  # of reference and answer; only where it can be killed
    problem_with: Callable[[str], str | None]  # one line about a reference that cannot be used
    gold: Callable[[str], str | None]  # an answer that must pass, if the reference tells one
    seconds: float  # that one check may take
    packages: tuple[str, ...]  # that decide besides our own code, where they are installed
    example: tuple[str, str]  # a reference with an answer that passes; what the check imports is imported by it
    compares: bool  # whether answers are references too, so that two of them can be compared, as in a vote
    missing: Callable[[], str | None]  # what a machine lacks without which nothing can be checked, and the way out


class _Module(Protocol):
    SECONDS: float

    def final_answer(self, text: str, /) -> str | None: ...
    def check_quickly(self, reference: str, answer: str, /) -> Outcome | None: ...
    def check(self, reference: str, answer: str, /) -> Outcome: ...
    def problem_with(self, reference: str, /) -> str | None: ...
    def gold(self, reference: str, /) -> str | None: ...


def _from(
    module: _Module,
    *,
    version: int,
    example: tuple[str, str],
    compares: bool = False,
    packages: tuple[str, ...] = (),
    missing: Callable[[], str | None] = lambda: None,
) -> Verifier:
    return Verifier(
        version=version,
        final_answer=module.final_answer,
        check_quickly=module.check_quickly,
        check=module.check,
        problem_with=module.problem_with,
        gold=module.gold,
        seconds=module.SECONDS,
        packages=packages,
        example=example,
        compares=compares,
        missing=missing,
    )


VERIFIERS: dict[str, Verifier] = {
    "math": _from(
        math, version=2, example=(r"\cos^2 x", r"1 - \sin^2 x"), compares=True, packages=("math-verify", "sympy")
    ),
    "choice": _from(choice, version=2, example=("A", "A"), compares=True),
    "exact": _from(exact, version=1, example=("Paris", "Paris"), compares=True),
    "fuzzy": _from(fuzzy, version=1, example=('{"text": "Paris", "at_least": 0.9}', "Paris")),
    "code": _from(
        code,
        version=1,
        example=(
            '{"entry_point": "add", "cases": [{"args": [1, 2], "expected": 3}]}',
            "def add(a, b):\n    return a + b",
        ),
        packages=("python",),
        missing=confine.missing,
    ),
    "constraints": _from(
        constraints,
        version=1,
        example=('{"constraints": [{"check": "words", "at_least": 1}]}', "Hello"),
        packages=("langdetect",),
    ),
    "schema": _from(schema, version=1, example=('{"type": "integer"}', "3"), packages=("jsonschema",)),
    "procedural": _from(
        procedural,
        version=1,
        example=('{"dataset": "syllogism", "entry": {"question": "?", "answer": "No", "metadata": {}}}', "No"),
        packages=("reasoning-gym", "sympy"),
    ),
    "logic": _from(logic, version=1, example=('{"premises": ["a -> b", "a"]}', "b"), packages=("z3-solver",)),
    "plan": _from(
        plan, version=1, example=('{"init": [], "goal": ["open"], "actions": {"pull": {"add": ["open"]}}}', "pull")
    ),
    "assignment": _from(
        assignment,
        version=1,
        example=('{"variables": {"a": [0, 9]}, "constraints": ["a > 3"], "objective": {"minimize": "a"}}', "a = 4"),
        packages=("z3-solver",),
    ),
    "chain": _from(
        chain, version=1, example=('{"chain": ["3", "4"]}', '["3", "4"]'), packages=("math-verify", "sympy")
    ),
    "judging": _from(judgement, version=2, example=("yes", "yes"), compares=True),
}


def verifier(name: str) -> Verifier:
    """The verifier of that name; a KeyError with the names that exist if there is none."""
    if name not in VERIFIERS:
        raise KeyError(f"no verifier {name!r}; there are: {', '.join(sorted(VERIFIERS))}")
    return VERIFIERS[name]


class Unable(RuntimeError):
    """This machine lacks something without which a verifier can check nothing; the message says the way out."""


def able(name: str) -> Verifier:
    """The verifier of that name, which can work here. Raises KeyError, or Unable."""
    if missing := verifier(name).missing():
        raise Unable(f"the verifier {name!r} cannot work here: {missing}")
    return verifier(name)


def answer_in(name: str, response: str) -> str | None:
    """The final answer of a whole response, as the model wrote it: what it thought aloud holds none.

    A thought that was never closed leaves no answer.
    """
    _, closed, said = response.rpartition("</think>")
    if not closed and response.lstrip().startswith("<think>"):
        return None
    return verifier(name).final_answer(said if closed else response)
