"""A stage by itself: a shard in hand, and a model that says what the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from filters.rule import Check
from filters.verifiers import verifier
from filters.verifiers.outcome import unsure
from pipelines.bind import stage_parameters
from pipelines.checks import Checks, Pair
from pipelines.inference.client import Client
from pipelines.inference.model import Asking, Model, Sampling
from pipelines.records import Attempt, Facts, Problem, Turn, Verdict, attempt, problem
from pipelines.stage import Run, Shard, Step
from pipelines.stages.table import STAGES
from pipelines.store import Output
from prompts.template import Template, load

Says = Callable[[str, int], str | dict[str, Any]]
"""What the model answers to the last message and the sample: a text, or a whole reply."""


class Scripted:
    """Stands for the client of a run, and remembers what it was asked."""

    def __init__(self, says: Says) -> None:
        self._says = says
        self.asked: list[tuple[str, int, int]] = []  # message, seed, n
        self.askings: list[Asking] = []

    async def reply(self, asking: Asking, *, seed: int, sample: int, draw: int, n: int = 1) -> tuple[bytes, Any]:
        message = asking.messages[-1]["content"]
        self.asked.append((message, seed, n))
        self.askings.append(asking)
        said = self._says(message, sample)
        reply = (
            said if isinstance(said, dict) else {"choices": [{"message": {"content": said}, "finish_reason": "stop"}]}
        )
        key, _ = asking.request(seed=seed, sample=sample, draw=draw, n=n)
        return key, reply


class Instantly:
    """Stands for the checks of a run: tells what can be told at once."""

    async def table(self, pairs: Iterable[Pair]) -> Check:
        known = {pair: verifier(pair[0]).check_quickly(*pair[1:]) or unsure("not told at once") for pair in pairs}
        return lambda name, reference, answer: known[name, reference, answer]


class Bench:
    """Runs one stage on a shard."""

    def __init__(self, data: Path, checks: Instantly | None = None) -> None:
        self._data = data
        self._checks = cast(Checks, checks)
        self.client = Scripted(lambda message, sample: "")

    def run(
        self,
        name: str,
        *,
        says: Says = lambda message, sample: "",
        problems: Sequence[Problem] = (),
        attempts: Sequence[Attempt] = (),
        beside: Sequence[Problem] = (),
        verdicts: Sequence[Verdict] = (),
        live: Sequence[Problem] | None = None,
        draws: tuple[int, int] = (0, 8),
        seed: int = 0,
        **given: Any,
    ) -> Output:
        """What the stage makes of these problems, and of what was attempted at them and said of them before.

        Those that stand `beside` are known, and no draw is about them: seeds, and problems of other kinds. `live`
        are those of the problems that draws are about, if not all. `given` are the stage's own parameters; a prompt
        goes by its name.
        """
        self.client = Scripted(says)
        shard = Shard(*draws)
        shard.take(
            Output(
                Facts([*beside, *problems], list(attempts), list(verdicts)),
                [each.id for each in (problems if live is None else live)],
            ),
            Path(),
        )
        run = Run(self._data, seed, cast(Client, self.client), self._checks)
        hints = stage_parameters(STAGES[name])
        if "prompt" in given and "model" in hints:
            model = Model(role="teacher", engine="builtin", name="scripted")
            given = {"model": model, "sampling": Sampling(), **given}
        for key in [each for each in given if hints[each] in (Template, list[Template])]:
            several = given[key] if isinstance(given[key], list) else [given[key]]
            loaded = [load(each) for each in several]
            given[key] = loaded if hints[key] == list[Template] else loaded[0]
        step = Step(name, STAGES[name], given)
        return asyncio.run(STAGES[name].run(shard, run, step, **given))


def posed(number: int, question: str = "How many?", **more: Any) -> Problem:
    return problem(parents=[], stage="pose@1", draw=number, kind="posed", question=question, **more)


def answered(of: Problem, text: str | None, *, sample: int = 0, finish: Any = "stop") -> Attempt:
    return attempt(
        of=of,
        stage="expand@1",
        sample=sample,
        role="teacher",
        model="scripted",
        revision=None,
        prompt="solve/plain@0",
        sampling="{}",
        seed=0,
        request="0",
        turns=[Turn("user", of.question), Turn("assistant", text)],
        finish=finish,
    )
