"""What the filters are worth, measured by truth: the builtin engine's problems can be solved by a program.

    python -m benchmarks.filters                   # 2,000 candidates in each arm: some minutes
    python -m benchmarks.filters --candidates 400

Each arm is a run of one of our recipes on the builtin engine, in a data folder that is thrown away. A row's author
is right when a solver of its own, which shares no code with the poser, finds the same answer; of a question with no
single answer (something in it is left open) no author is right. An instruction is sound when nothing in its text
makes it impossible to serve. Nothing is asserted here: tests/flows/test_filters_work.py does that on fewer rows.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from unittest import mock

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from filters.verifiers import verifier
from flows import make
from flows.make import Made
from pipelines.inference.builtin import defective, truth
from pipelines.records import Attempt, Problem, Verdict, from_table


class Arm(NamedTuple):
    """One way to run a recipe, and what makes a row of it good."""

    name: str
    recipe: str
    changes: Sequence[str]
    good: Callable[[Problem], bool]


class Measured(NamedTuple):
    """What a run gave. Shares are of good rows, `before` and `after` the filter that looks at responses."""

    arm: str
    candidates: int
    screened: int  # posed problems that passed the screen, so that responses were asked for
    accepted: int
    before: float
    after: float
    not_novel: int
    tokens: int


def right(problem: Problem) -> bool:
    """Whether the author's answer is the answer."""
    found = truth(problem.question)
    if found is None or problem.answer is None or problem.verifier is None:
        return False
    return verifier(problem.verifier).check(problem.answer, found).status == "pass"


def sound(problem: Problem) -> bool:
    return not defective(problem.question)


ARMS = [
    Arm("cot-self-instruct", "cot-self-instruct", [], right),
    Arm("- without plan", "cot-self-instruct", ["plan=false"], right),
    Arm("- without filter", "cot-self-instruct", ["filter=false"], right),
    Arm("- without both", "cot-self-instruct", ["plan=false", "filter=false"], right),
    Arm("cot-self-instruct-chat", "cot-self-instruct-chat", [], sound),
    Arm("- without plan", "cot-self-instruct-chat", ["plan=false"], sound),
    Arm("- without filter", "cot-self-instruct-chat", ["filter=false"], sound),
]


def measure(arm: Arm, candidates: int) -> Measured:
    """Run an arm over so many draws and look at what it let through. A version takes every row that is accepted."""
    sizes = [f"target.candidates={candidates}", f"target.accepted={candidates}"]
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, THOUGHTMILL_DATA=folder):
        return measured(arm, asyncio.run(make.make(arm.recipe, changes=[*arm.changes, *sizes])))


def measured(arm: Arm, made: Made) -> Measured:
    posed = [each for each in facts(made, Problem, "problems") if each.kind == "posed"]
    asked = {each.problem for each in facts(made, Attempt, "attempts") if each.stage.startswith("expand")}
    accepted = {
        each.subjects[0]
        for each in facts(made, Verdict, "verdicts")
        if each.rule.startswith("accepted@") and each.status == "pass"
    }
    screened = {each.id: arm.good(each) for each in posed if each.id in asked}
    ledger = made.ledger
    return Measured(
        arm.name,
        candidates=ledger["candidates"],
        screened=len(screened),
        accepted=ledger["accepted"],
        before=share(screened.values()),
        after=share(screened[id] for id in accepted),
        not_novel=sum(ledger["not_accepted"].get(rule, 0) for rule in ("novelty", "not_duplicate")),
        tokens=sum(spent["prompt_tokens"] + spent["completion_tokens"] for spent in ledger["models"].values()),
    )


def share(good: Iterable[bool]) -> float:
    known = list(good)
    return sum(known) / len(known)


def facts(made: Made, kind: type[Any], name: str) -> list[Any]:
    return from_table(kind, pq.read_table(made.folder / "facts" / f"{name}.parquet"))


def show(rows: Iterable[Measured]) -> None:
    """A line for each arm, with the share of good rows before and after the filter.

    Tokens are words and punctuation marks: the builtin engine's own count.
    """
    table = Table("arm", box=None, pad_edge=False)
    for title in ("candidates", "screened", "accepted", "before", "after", "not novel", "tokens/accepted"):
        table.add_column(title, justify="right", no_wrap=True)
    for each in rows:
        numbers = (each.candidates, each.screened, each.accepted)
        shares = (f"{each.before:.1%}", f"{each.after:.1%}")
        rate = f"{each.tokens / each.accepted:,.0f}"
        table.add_row(each.arm, *(f"{number:,}" for number in numbers), *shares, f"{each.not_novel:,}", rate)
    Console(width=110).print(table)


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.filters", description="What the filters are worth, by truth.")
    parser.add_argument("--candidates", type=int, default=2000)
    options = parser.parse_args()
    show([measure(arm, options.candidates) for arm in ARMS])


if __name__ == "__main__":
    main()
