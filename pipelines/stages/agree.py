"""Agreeing: does a thought end where its answer says it does?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filters.answers import final_answer
from filters.thoughts import class_of
from filters.trace import trace
from filters.verifiers.judging import pointwise, read_judgement, spoken
from pipelines.inference.model import Model, Sampling
from pipelines.records import Attempt, Facts, Problem, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.stages.judge import gathered, judging_task, who
from pipelines.store import Output
from prompts.template import Template

RULE = "thought_leads@1"  # raise it with the way an attempt is shown, or a judgement read
CLASSES = ("XO",)


async def agree(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    classes: list[str] = list(CLASSES),  # noqa: B006 (read, never changed)
    last_words: int = 30,
) -> Output:
    """Ask the model whether the last words of each thought of these classes agree with its answer.

    The classes are those of `thought_class`. What cannot be read counts as a yes, and is told. The consistency check
    of LongPerceptualThoughts, which is optional there (arXiv 2504.15362): what it fails, `thought_picks` passes over.
    """
    asker = Asker(run, step, prompt, model, sampling)
    asked = [(each, attempt) for each in shard.live for attempt in _of_classes(each, shard, classes)]
    return gathered(await each_of(_agree(of, attempt, asker, last_words) for of, attempt in asked), shard)


def check_agree(given: Mapping[str, Any]) -> None:
    """Raises ValueError where no word would be shown."""
    if given["last_words"] < 1:
        raise ValueError(f"last_words = {given['last_words']} should be at least 1")


def _of_classes(of: Problem, shard: Shard, classes: list[str]) -> list[Attempt]:
    case = shard.case(of)
    known = class_of(case)
    return [each for each in case.attempts if known.get(each.id) in classes]


def _answer(of: Problem, attempt: Attempt) -> str:
    return (final_answer(attempt, of.verifier) if of.verifier else None) or attempt.text.strip()


async def _agree(of: Problem, attempt: Attempt, asker: Asker, last_words: int) -> Facts:
    task = judging_task(of, asker, parents=[attempt.id])
    end = " ".join(trace(attempt).split()[-last_words:])
    material = pointwise(question=of.question, response=spoken(f"... {end}\n\nAnswer: {_answer(of, attempt)}"))
    answer = await asker.question(task, material=material).attempt(0)
    agrees = read_judgement(answer.text)
    evidence = {} if agrees else {"reason": "its last words lead to another answer"}
    said = verdict(
        subjects=[attempt.id],
        stage=asker.step.label,
        draw=attempt.draw,
        rule=RULE,
        status="fail" if agrees is False else "pass",
        context={**who(asker, 1), "last_words": last_words},
        evidence={"unread": True} if agrees is None else evidence,
    )
    return Facts([task], [answer], [said])
