"""A whole recipe on a real vLLM, and one whose engine is killed in the middle."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows import make
from flows.make import Made
from flows.run import Progress
from pipelines.inference.managed import Server
from tests.small import Site, attempts, loaded_bytes, problems

pytest.importorskip("vllm.entrypoints", reason="vLLM is not installed here: make test-vllm")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.filterwarnings("default")]

# Random weights say nothing, so what they may say is laid down for them, apart from a few digits.
POSING = (
    r"<plan>\nCount sacks\.\n</plan>\n<question>\nA mill has [1-9][0-9] sacks and grinds [1-9][0-9] of them\. "
    r"How many are left\?\n</question>\n<answer>\n\\boxed\{[12]\}\n</answer>"
)
SOLUTION = r"I count them, once and again\. So there are \\boxed\{[12]\}\."


def saying(form: str) -> dict[str, Any]:
    return {"max_tokens": 256, "extra": {"structured_outputs": {"regex": form}}}


def prepared(site: Site, checkpoint: str, serving: dict[str, Any]) -> Site:
    """A recipe in which two roles share a model, and so its server."""
    author, solver = (
        {"use": f"vllm:{checkpoint}", "sampling": saying(form), **serving} for form in (POSING, SOLUTION)
    )
    site.value["models"] = {"author": author, "solver": solver}
    site.stage("pose")["model"] = "author"
    site.stage("expand")["model"] = "solver"
    site.stage("screen")["rules"] = ["form"]
    return site


def check(made: Made) -> None:
    """It has what was asked for, and each draw made its way."""
    assert made.ledger["candidates"] == 24
    assert made.ledger["accepted"] > 8
    assert len(attempts(made)) == 24 + 24 * 2
    assert all(each.finish == "stop" for each in attempts(made))
    assert sum(each.question.startswith("A mill has") for each in problems(made)) == 24


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, bytes]:
    """What the first test's run made, for the others to compare."""
    return {}


def test_it_serves_a_whole_recipe(
    site: Site, checkpoint: str, server: Server, loop: asyncio.Runner, undisturbed: dict[str, bytes]
) -> None:
    made = loop.run(make.make(prepared(site, checkpoint, {}).write()))
    check(made)
    assert server.starts == 1, "both roles share the server that is there already"
    assert made.counts["sent"] == 24 * 3
    undisturbed.update(loaded_bytes(made))


def test_a_killed_engine_costs_a_restart_and_nothing_else(
    site: Site, checkpoint: str, server: Server, loop: asyncio.Runner, undisturbed: dict[str, bytes]
) -> None:
    killed: list[int] = []

    def watch(progress: Progress) -> None:
        """Kill the engine behind the server, as the kernel does when memory ends, once some shard is through."""
        if progress.candidates and not killed:
            killed.extend(engine_cores(os.getpid()))
            for each in killed:
                os.kill(each, signal.SIGKILL)

    made = loop.run(make.make(prepared(site, checkpoint, {"in_flight": 2}).write(), watch=watch))
    check(made)
    assert len(killed) == 1
    assert server.starts == 2
    assert made.counts["sent"] == 24 * 3, "every request was answered once"
    assert loaded_bytes(made) == undisturbed
    assert len(list(engine_cores(os.getpid()))) == 1


def engine_cores(process: int) -> Iterator[int]:
    """The engines below a process, which are children of vLLM's server."""
    children = (task.read_text().split() for task in Path(f"/proc/{process}/task").glob("*/children"))
    for child in map(int, itertools.chain.from_iterable(children)):
        if "VLLM::Engine" in Path(f"/proc/{child}/comm").read_text():
            yield child
        yield from engine_cores(child)
