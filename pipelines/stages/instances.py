"""Instances: a model writes inputs for a task, and the outputs that belong to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filters.answers import LEFT_OUT
from filters.instances import SHAPES, Chosen, Instance, choose, read_instances
from filters.rule import Ruling, failed, passed
from pipelines.inference.model import Model, Sampling, seed_of
from pipelines.records import Attempt, Facts, Problem, problem
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.stages.sift import as_fact
from pipelines.store import Output
from prompts.template import Template

RULE = "instances@1"  # raise it with the way instances are read or chosen


async def instances(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    only: str = "",
    at_most: int = 5,
) -> Output:
    """Ask the model for instances of each task, and put `at_most` so many as problems of kind `instance` beside it.

    Its question is the task with an input, put together in one of several ways by chance, its answer the output, and
    the view `instances` shows them. A task of which no instance can be used goes. With `only` those tasks are asked
    about that this rule passed last, or with "not RULE" the others: Self-Instruct has the outputs of classifications
    written first (arXiv 2212.10560, section 2.2).
    """
    asker = Asker(run, step, prompt, model, sampling)
    asked = shard.asked("", only)
    tasks = [_task(each, step.label) for each in asked]
    attempts = await each_of(asker.question(each, question=each.question).attempt(0) for each in tasks)
    facts, gone = Facts(tasks, list(attempts), []), {}
    for of, attempt in zip(asked, attempts, strict=True):
        chosen = choose(read_instances(attempt.text), at_most=at_most)
        shown = {"about": [of.id], "draw": of.draw, "stage": step.label, "rule": RULE}
        told = as_fact(_ruling(attempt, chosen), **shown, context={"at_most": at_most})
        facts.verdicts.append(told)
        facts.problems.extend(_instance(of, attempt, each, run.seed, step.label) for each in chosen.kept)
        if not chosen.kept:
            gone[of.id] = (of.draw, told.id)
    return Output(facts, [each.id for each in shard.live if each.id not in gone], list(gone.values()))


def check_instances(given: Mapping[str, Any]) -> None:
    """Raises ValueError for less than one instance, and for a prompt that does not ask for them."""
    if given["at_most"] < 1:
        raise ValueError(f"at_most = {given['at_most']} should be at least 1")
    for tag in ("<instance>", "<input>", "<output>"):
        if tag not in given["prompt"].header.get("replies", ""):
            raise ValueError(f"the header of prompt {given['prompt'].name!r} should name {tag} under replies")


def _task(of: Problem, stage: str) -> Problem:
    """The task of writing instances, as a problem of its own: what is said to it answers no instruction."""
    return problem(
        parents=[of.id], stage=stage, draw=of.draw, kind="instances", question=of.question, domain=of.domain
    )


def _ruling(attempt: Attempt, chosen: Chosen) -> Ruling:
    evidence = {"dropped": dict(chosen.dropped)} if chosen.dropped else {}
    if chosen.kept:
        return passed(score=float(len(chosen.kept)), evidence=evidence)
    unread = LEFT_OUT.get(attempt.finish, "no instance can be read")
    reason = chosen.dropped.most_common(1)[0][0] if chosen.dropped else unread
    return failed(reason, score=0.0, evidence=evidence)


def _instance(of: Problem, attempt: Attempt, said: Instance, seed: int, stage: str) -> Problem:
    shape = SHAPES[seed_of(seed, of.id, said.input, "shape") % len(SHAPES)]
    shown = shape.format(instruction=of.question, input=said.input) if said.input else of.question
    return problem(
        parents=[attempt.id],
        stage=stage,
        draw=of.draw,
        kind="instance",
        question=shown,
        answer=said.output,
        domain=of.domain,
        source=attempt.model,
        details={"instruction": of.question, "input": said.input},
    )
