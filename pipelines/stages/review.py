"""Reviewing: a model says yes or no about a problem, by itself or beside what it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filters.annotations import problem_alone
from filters.verifiers.judging import beside, check_threshold
from pipelines.inference.model import Model, Sampling
from pipelines.records import Facts, Problem
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.stages.judge import Panel, as_verdict, check_votes, judging_task, put
from pipelines.store import Output
from prompts.template import Template


async def review(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    origin: bool = False,
    votes: int = 1,
    at_least: float = 0.5,
    drop: bool = True,
) -> Output:
    """Ask the model `votes` times a question of yes or no about each problem; the score is the share of yes.

    What is asked is up to the prompt, and the verdict goes by the name of the step. With `origin` the problem (B)
    stands beside what it was posed from (A). It stays when the share is `at_least` so large; with `drop = false` all
    stay, and later stages ask `only` those. Self-Instruct tells so what is a classification (arXiv 2212.10560,
    section 2.2), Evol-Instruct what gained nothing (arXiv 2304.12244, section 3.2).
    """
    panel = Panel(Asker(run, step, prompt, model, sampling), votes, at_least, 1.0)
    made = await each_of(_review(each, _material(each, shard, origin), panel) for each in shard.live)
    facts, live, out = Facts.none(), [], []
    for problem, one in zip(shard.live, made, strict=True):
        facts.extend(one)
        told = one.verdicts[0]
        if told.status == "pass" or not drop:
            live.append(problem.id)
        else:
            out.append((problem.draw, told.id))
    return Output(facts, live, out)


def check_review(given: Mapping[str, Any]) -> None:
    """Raises ValueError for less than one vote, for no share, and for a prompt that asks for no verdict."""
    check_votes(given)
    check_threshold(at_least=given["at_least"], at_most=1.0)
    if "<verdict>" not in given["prompt"].header.get("replies", ""):
        raise ValueError(f"the header of prompt {given['prompt'].name!r} should name <verdict> under replies")


def _material(problem: Problem, shard: Shard, origin: bool) -> str:
    if not origin:
        return problem_alone(problem.question)
    return beside("\n\n".join(each.question for each in shard.behind(problem)), problem.question)


async def _review(problem: Problem, material: str, panel: Panel) -> Facts:
    task = judging_task(problem, panel.asker, parents=[problem.id])
    judged = await put(task, material, panel)
    told = as_verdict(judged, panel, f"{panel.asker.step.name}@1", about=problem)
    return Facts([task], judged.attempts, [told])
