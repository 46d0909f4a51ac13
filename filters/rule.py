"""What a rule is: a plain function that says what may stay, and why.

A **row rule** looks at one `Case`, a problem with everything known about it, and gives `Ruling`s about the problem or
about its attempts. An **ordered rule** compares each problem with all that stayed before it, in draw order. A
**snapshot rule** looks at the whole pool of a version at once. The first two are append-stable: a later row never
changes an earlier ruling. Rules never drop anything themselves; a stage reads their rulings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from filters.verifiers.outcome import Outcome
from pipelines.records import Attempt, Problem, Status, Verdict

Check = Callable[[str, str, str], Outcome]
"""`check(verifier, reference, answer)`: what the verifier says; its `same` is None where it did not decide."""


class Case(NamedTuple):
    """A problem and what is known about it when a rule looks."""

    problem: Problem
    posing: Attempt | None = None  # the attempt that posed it
    attempts: Sequence[Attempt] = ()  # at solving it, by sample
    verdicts: Sequence[Verdict] = ()  # so far, on the problem and on its attempts
    beside: Sequence[Case] = ()  # where a draw is sifted: the problems that stages put beside it


class Ruling(NamedTuple):
    """What a rule says. Other states than `pass` have a reason, in the words of a person."""

    status: Status
    reason: str | None = None
    score: float | None = None
    value: str | None = None
    context: Mapping[str, Any] = {}  # what the ruling is relative to: thresholds, solver, k and n
    evidence: Mapping[str, Any] = {}
    about: tuple[str, ...] | None = None  # ids of the subjects; None: the problem


class Memory(Protocol):
    """An ordered rule at work: what it has seen stay, and how it rules on the next."""

    def judge(self, case: Case) -> Ruling: ...

    def remember(self, question: str) -> None: ...


class Rule(NamedTuple):
    """An entry of the table RULES.

    `run` is, by kind: row, `(case, check, **parameters) -> Iterable[Ruling]`; ordered, `(**parameters) -> Memory`;
    snapshot, `(cases, **parameters) -> list[Ruling]`, one for each case. `check` stays pure: which references and
    answers it will be asked about is told beforehand by `compares`. A snapshot rule `reads_questions` if it looks at
    them: else it is handed none, since a version may have millions.
    """

    run: Callable[..., Any]
    version: int
    kind: Literal["row", "ordered", "snapshot"]
    compares: Callable[[Case], Iterable[tuple[str, str]]] = lambda case: ()
    reads_questions: bool = False


def passed(**what: Any) -> Ruling:
    return Ruling("pass", **what)


def failed(reason: str, **what: Any) -> Ruling:
    return Ruling("fail", reason, **what)


def unsure(reason: str, **what: Any) -> Ruling:
    return Ruling("unsure", reason, **what)
