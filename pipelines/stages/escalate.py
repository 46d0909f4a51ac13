"""Escalating: where a solver failed, a model writes a new problem that tries the same weakness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from filters.similarity import Index
from filters.verifiers import VERIFIERS, answer_in
from pipelines.inference.model import Model, Sampling
from pipelines.records import Attempt, Facts, Problem, Verdict, problem, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.stages.pose import Posing, read_posing, reference_of
from pipelines.store import Output
from prompts.template import Template

RULE = "escalated@2"  # raise it with the way a new problem is read
ASKED, KIND = "escalate", "escalated"


async def escalate(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    n: int = 1,
    verifier: str = "math",
    at_most: float = 0.9,
) -> Output:
    """Ask the model `n` times for a new problem in the place of each that has a wrong attempt.

    It is shown the problem and the first such attempt, of those with an answer if there is any, and no reference.

    What can be read stands beside the old problem as `escalated`, unless it is more like that one, or another new one
    of it, than `at_most` (ROUGE-L F1). Its details name that `parent`, the wrong attempt that is its `cause`, and its
    `round`, one more than the parent's. Problems without a wrong attempt (what `answer_matches` says fails) are not
    asked about. The teacher of Socratic-Zero (arXiv 2509.24726) does so.
    """
    asker = Asker(run, step, prompt, model, sampling)
    failed = [(each, wrong) for each in shard.live if (wrong := _wrong(shard, each))]
    tasks = [_task(of, wrong, step.label) for of, wrong in failed]
    behind = dict(zip([task.id for task in tasks], failed, strict=True))
    came = await each_of(
        asker.question(task, question=task.question, attempt=behind[task.id][1].text).attempt(sample)
        for task in tasks
        for sample in range(n)
    )
    facts, known = Facts(tasks, list(came), []), {task.id: _index(task.question) for task in tasks}
    for attempt in came:
        of, wrong = behind[attempt.problem]
        said = _new(read_posing(attempt, asker.prompt), known[attempt.problem], at_most)
        facts.verdicts.append(_ruling(attempt, said, step.label))
        if isinstance(said, Posing):
            facts.problems.append(_escalated(of, wrong, attempt, said, step.label, verifier))
    return Output(facts, [each.id for each in shard.live])


def check_escalate(given: Mapping[str, Any]) -> None:
    """Raises ValueError for numbers out of bounds, an unknown verifier, or a prompt without question or answer."""
    if given["n"] < 1:
        raise ValueError(f"n = {given['n']} should be at least 1")
    if not 0 <= given["at_most"] <= 1:
        raise ValueError(f"at_most = {given['at_most']} should be from 0 to 1")
    if given["verifier"] not in VERIFIERS:
        raise ValueError(f"no verifier {given['verifier']!r}; there are: {', '.join(VERIFIERS)}")
    for tag in ("<question>", "<answer>"):
        if tag not in given["prompt"].header.get("replies", ""):
            raise ValueError(f"the header of prompt {given['prompt'].name!r} should name {tag} under replies")


def _wrong(shard: Shard, of: Problem) -> Attempt | None:
    """The first attempt that was found wrong, of those that answer if any does: a refusal shows no weakness."""
    case = shard.case(of)
    wrong = {
        id
        for each in case.verdicts
        if each.rule.startswith("answer_matches@") and each.status == "fail"
        for id in each.subjects
    }
    found = [each for each in case.attempts if each.id in wrong and each.text.strip()]
    return next((each for each in found if answer_in(of.verifier or "math", each.text)), next(iter(found), None))


def _index(question: str) -> Index:
    index = Index()
    index.add(question)
    return index


def _new(said: Posing | str, known: Index, at_most: float) -> Posing | str:
    """What was posed, if it is not known yet; from then on it is."""
    if not isinstance(said, Posing):
        return said
    if known.nearest(said.question).score > at_most:
        return "says the same again"
    known.add(said.question)
    return said


def _task(of: Problem, wrong: Attempt, stage: str) -> Problem:
    return problem(
        parents=[of.id, wrong.id], stage=stage, draw=of.draw, kind=ASKED, question=of.question, domain=of.domain
    )


def _ruling(attempt: Attempt, said: Posing | str, stage: str) -> Verdict:
    evidence = {} if isinstance(said, Posing) else {"reason": said}
    status = "fail" if evidence else "pass"
    return verdict(subjects=[attempt.id], stage=stage, draw=attempt.draw, rule=RULE, status=status, evidence=evidence)


def _escalated(of: Problem, wrong: Attempt, attempt: Attempt, said: Posing, stage: str, verifier: str) -> Problem:
    before = orjson.loads(of.details).get("round")
    number = before + 1 if isinstance(before, int) else 1
    return problem(
        parents=[attempt.id],
        stage=stage,
        draw=of.draw,
        kind=KIND,
        question=said.question,
        answer=reference_of(verifier, said.answer or ""),
        verifier=verifier,
        domain=of.domain,
        source=attempt.model,
        details={**said.others, "parent": of.id, "cause": wrong.id, "round": number},
    )
