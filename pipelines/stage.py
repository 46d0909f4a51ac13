"""What a stage is, and how it runs on a shard.

A stage is a function `(shard, run, **parameters) -> Output`. It reads what the shard holds and appends facts; its
output is kept under the digest of everything that decides it, so that running again what is there already is one
`if`. Draws are cut into shards; a shard goes through the stages one after another.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from filters.artifact import Artifact
from filters.rule import Case, Memory, Rule, Ruling
from pipelines.checks import Checks, comparing
from pipelines.earlier import Earlier, OtherRows
from pipelines.inference.client import Client, Stopping
from pipelines.inference.model import Model, Sampling
from pipelines.records import Attempt, Facts, Problem, Verdict, digest
from pipelines.rows import Rows, Seeds
from pipelines.store import Output, as_tables, output_folder, read_output, write_output
from pipelines.tombstones import NOTHING, RULE, Tombstones, honoured
from prompts.template import Template

if TYPE_CHECKING:
    from pipelines.mirror import Mirror


NOT = "not "  # before the name of a rule that must not have passed


class Stage(NamedTuple):
    """An entry of the table STAGES. Its parameters are the keyword-only ones of `run`, by name and type."""

    run: Callable[..., Any]  # an Output, awaited; of `select`, see there
    version: int
    defaults: Mapping[str, Any] = {}  # in a recipe's words, for what a recipe leaves out
    is_source: bool = False  # makes the draws, instead of reading those of the stage before
    tells: frozenset[str] = frozenset()  # what its prompt is given
    says: frozenset[str] = frozenset()  # rules that its verdicts go by; "" stands for the name of the step
    makes: frozenset[str] = frozenset()  # kinds of problems that it puts beside those of the draws
    check: Callable[[Mapping[str, Any]], None] = lambda given: None  # raises ValueError for parameters that cannot be


def says(stage: Stage, name: str) -> set[str]:
    """The rules that the verdicts of a step of that name go by, for those that read them later."""
    return {each or name for each in stage.says}


@dataclass
class Run:
    """What every stage of a run may use."""

    data: Path
    seed: int
    client: Client
    checks: Checks
    fresh: asyncio.Event = field(default_factory=asyncio.Event)  # set once anything must be made that is not there
    begun: Callable[[int], None] = lambda stop: None  # told where the draws end of which anything is written
    forgotten: Tombstones = NOTHING  # what may be in nothing that is made
    mirror: Mirror | None = None  # the data folder's store, where it has one


@dataclass
class Step:
    """A stage in the line of a recipe, with its parameters."""

    name: str
    stage: Stage
    parameters: dict[str, Any]
    order: Order | None = None  # for a step with ordered rules: shards pass it in draw order

    @property
    def label(self) -> str:
        """How facts name it."""
        return f"{self.name}@{self.stage.version}"

    def identity(self, start: int, stop: int) -> dict[str, Any]:
        """Everything about this step that decides its output over some draws: never a list of what to include."""
        given = {name: identity(value, start, stop) for name, value in self.parameters.items()}
        return {"stage": self.label, "code": self.stage.run.__name__, "parameters": given}


def identity(value: Any, start: int, stop: int) -> Any:
    """The part of a parameter that counts, as JSON; for rows and seeds, of the draws from `start` up to `stop`."""
    match value:
        case BoundRule():
            return [value.label, identity(value.parameters, start, stop)]
        case Model():
            return value.identity()
        case Sampling():
            return value.given()
        case Template():
            return str(value)
        case Rows() | Seeds():
            return value.identity(start, stop)
        case Artifact():
            return value.digest
        case list() | tuple():
            return [identity(each, start, stop) for each in value]
        case dict():
            return {key: identity(each, start, stop) for key, each in value.items()}
        case _:
            return value


class BoundRule(NamedTuple):
    """A rule in a recipe, with its parameters."""

    name: str
    rule: Rule
    parameters: dict[str, Any]

    @property
    def label(self) -> str:
        return f"{self.name}@{self.rule.version}"

    @property
    def told(self) -> dict[str, Any]:
        """Its parameters, as facts tell them."""
        return identity(self.parameters, 0, 0)


class Shard:
    """Some consecutive draws and every fact about them so far."""

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.stop = start, stop
        self.facts = Facts.none()
        self.outputs: list[Path] = []
        self.digests: list[str] = []
        self.unwritten: list[tuple[Path, Output, dict[str, Any]]] = []
        self.out: dict[int, str] = {}  # draw → the verdict that took it out
        self.forgotten: set[int] = set()  # those of them of which nothing may be left
        self._problems: dict[str, Problem] = {}
        self._in_draw: dict[int | None, list[str]] = defaultdict(list)
        self._attempts: dict[str, Attempt] = {}
        self._at: dict[str, list[Attempt]] = defaultdict(list)
        self._about: dict[str, list[Verdict]] = defaultdict(list)
        self.live: list[Problem] = []

    def take(self, output: Output, folder: Path, forgotten: Tombstones = NOTHING) -> None:
        """Take in what a stage appended, but for what is forgotten since."""
        self.outputs.append(folder)
        self.digests.append(output.digest)  # as it lies there, so that what was made from it is found
        output = honoured(output, forgotten, self.forgotten)
        self.forgotten |= {each.draw for each in output.facts.verdicts if each.rule == RULE and each.draw is not None}
        self.facts.extend(output.facts)
        self.out |= dict(output.out)
        for problem in output.facts.problems:
            if problem.id not in self._problems:
                self._in_draw[problem.draw].append(problem.id)
            self._problems[problem.id] = problem
        for attempt in output.facts.attempts:
            self._attempts[attempt.id] = attempt
            self._at[attempt.problem].append(attempt)
        for verdict in output.facts.verdicts:
            for subject in verdict.subjects:
                self._about[subject].append(verdict)
        live = (self._problems[id] for id in output.live if id in self._problems)
        self.live = [each for each in live if each.draw not in self.forgotten]

    def asked(self, of: str, only: str = "") -> list[Problem]:
        """The problems that draws are about, or those of a kind that stages put beside them, of draws still in.

        With `only`, those of them of which that rule said "pass" last; with "not RULE", all but those.
        """
        inside = {each.draw for each in self.live}
        beside = (each for each in self._problems.values() if each.kind == of and each.draw in inside)
        found = list(beside) if of else self.live
        rule = only.removeprefix(NOT)
        return (
            [each for each in found if (self._last_said(each, rule) == "pass") == (rule == only)] if only else found
        )

    def made_of(self, problem: Problem) -> list[Problem]:
        """The problems that a problem was made of, such as the seeds of a draw."""
        return [self._problems[id] for id in problem.parents if id in self._problems]

    def _last_said(self, problem: Problem, rule: str) -> str | None:
        told = [each for each in self._about.get(problem.id, ()) if each.rule.partition("@")[0] == rule]
        return told[-1].status if told else None

    def behind(self, problem: Problem) -> list[Problem]:
        """What a problem was posed from: the seeds of its draw, or what its author was given instead."""
        posing = self.case(problem).posing
        given = self._problems.get(posing.problem) if posing else None
        seeds = [self._problems[id] for id in given.parents if id in self._problems] if given else []
        return seeds or ([given] if given else [])

    def case(self, problem: Problem) -> Case:
        """A problem with everything known about it."""
        attempts = self._at.get(problem.id, [])
        posing = next((self._attempts[id] for id in problem.parents if id in self._attempts), None)
        subjects = [problem.id, *(attempt.id for attempt in attempts)]
        verdicts = [verdict for id in subjects for verdict in self._about.get(id, ())]
        return Case(problem, posing, attempts, verdicts)

    def whole(self, problem: Problem) -> Case:
        """The same, with the problems that stages put beside it."""
        others = (self._problems[id] for id in self._in_draw.get(problem.draw, ()) if id != problem.id)
        return self.case(problem)._replace(beside=[self.case(each) for each in others])


class Order:
    """A turnstile: lets shards through in the order of their draws, and holds what ordered rules remember."""

    def __init__(
        self,
        rules: Sequence[BoundRule],
        seeds: Seeds | None,
        *,
        also: Seeds | None = None,
        earlier: Sequence[Earlier] = (),
    ) -> None:
        self._memories: dict[str, Memory] = {each.label: each.rule.run(**each.parameters) for each in rules}
        self._other_rows = OtherRows(rules, earlier)
        self._seeds = seeds
        self._also = also  # more that is known from the first draw on
        self._known_seeds = 0
        self._next = 0
        self._passed = digest()
        self._stopping = False
        self._moved = asyncio.Condition()

    async def enter(self, shard: Shard) -> list[Any]:
        """Wait for all earlier draws; returns the digest of everything that is remembered by then.

        Raises Stopping when they will not come.
        """
        async with self._moved:
            await self._moved.wait_for(lambda: self._next == shard.start or self._stopping)
        if self._next != shard.start:
            raise Stopping
        after: list[Any] = [self._passed]
        if self._seeds is not None:
            self._learn_seeds(self._seeds, shard.start)
            known = [each for each in (self._seeds, self._also) if each is not None]
            after += [each.identity(shard.start, shard.stop) for each in known]
        if others := await asyncio.to_thread(self._other_rows.learn, shard.start):
            after.append(others)
        return after

    def judge(self, label: str, case: Case) -> Ruling:
        """What an ordered rule says, among the rows that stayed and those of other versions."""
        return self._other_rows.compared(label, case, self._memories[label].judge(case))

    def remember(self, stayed: Sequence[Problem]) -> None:
        for memory in self._memories.values():
            for problem in stayed:
                memory.remember(problem.question)

    async def stop(self) -> None:
        """Let those go who wait for draws that will not come."""
        async with self._moved:
            self._stopping = True
            self._moved.notify_all()

    async def leave(self, shard: Shard) -> None:
        async with self._moved:
            self._next, self._passed = shard.stop, digest(self._passed, shard.digests[-1])
            self._moved.notify_all()

    def _learn_seeds(self, seeds: Seeds, draw: int) -> None:
        """A question is compared with the seeds of its own batch, whatever is appended to them later."""
        count = seeds.batches[seeds.batch_of(draw)]["count"]
        if self._also and not self._known_seeds:
            self._learn(self._also.rows, self._also.distinct)
        self._learn(seeds.rows, range(self._known_seeds, count))
        self._known_seeds = count

    def _learn(self, rows: Rows, places: Iterable[int]) -> None:
        for index in places:
            for memory in self._memories.values():
                memory.remember(rows.text(index, "question") or "")


def output_of(step: Step, shard: Shard, run: Run, **after: Any) -> tuple[Path, dict[str, Any]]:
    """Where the output of a step on a shard lies, and everything that decides it."""
    closure = {**step.identity(shard.start, shard.stop), "seed": run.seed, "reads": list(shard.digests)}
    closure |= {"draws": [shard.start, shard.stop], "comparing": comparing(), **after}
    return output_folder(run.data, digest(closure)), closure


async def run_step(step: Step, shard: Shard, run: Run) -> None:
    """Run one step on a shard, or read what it made before, and take that into the shard.

    Raises whatever ends the run: Stopping, Misconfigured, Outage, DiskFull. A bad row raises nothing.
    """
    after = {"after": await step.order.enter(shard)} if step.order else {}
    folder, closure = output_of(step, shard, run, **after)
    output = await output_in(folder, run)
    if output is None:
        run.fresh.set()
        output = honoured(await step.stage.run(shard, run, step, **step.parameters), run.forgotten, shard.forgotten)
        shard.unwritten.append((folder, output, closure))
        if not step.stage.is_source:
            await write(shard, run)
        shard.take(output, folder)
    else:
        shard.take(output, folder, run.forgotten)
        if step.order:
            step.order.remember(shard.live)
    if step.order:
        await step.order.leave(shard)


async def output_in(folder: Path, run: Run) -> Output | None:
    """What was made before, here or in the store; None where it is to be made."""
    there = (folder / "manifest.json").exists()
    output = await asyncio.to_thread(read_output, folder) if there else None
    if output is None and run.mirror:
        output = await asyncio.to_thread(run.mirror.read_output, folder)
    return output


async def write(shard: Shard, run: Run) -> None:
    """Write what is not yet written. Draws wait for their first answers: a run that gets none leaves nothing."""
    run.begun(shard.stop)
    keep = {"keep": run.mirror.keep} if run.mirror else {}
    while shard.unwritten:
        folder, output, closure = shard.unwritten.pop(0)
        await asyncio.to_thread(write_output, folder, output, closure=closure, tables=as_tables(output), **keep)


async def run_shard(steps: Sequence[Step], start: int, stop: int, run: Run) -> Shard:
    """Take the draws from `start` up to `stop` through all steps."""
    shard = Shard(start, stop)
    for step in steps:
        await run_step(step, shard, run)
    await write(shard, run)
    return shard
