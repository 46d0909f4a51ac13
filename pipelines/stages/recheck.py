"""Rechecking: options move, and the same reasoning is asked for its answer again."""

from __future__ import annotations

from string import ascii_uppercase
from typing import Any, NamedTuple

from filters.answers import LEFT_OUT
from filters.verifiers import answer_in
from filters.verifiers.choice import options_in
from filters.verifiers.judging import between_marks
from filters.verifiers.shuffling import Trace, chosen, key_of, moves, shuffled, speaks_of_places, trace
from pipelines.inference.model import Model, Sampling
from pipelines.records import Attempt, Facts, Problem, Verdict, digest, problem, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.stages.judge import gathered
from pipelines.store import Output
from prompts.template import Template

RULE = "rechecked@1"  # raise it with the way options move or reasoning is shown


class _Again(NamedTuple):
    """A question with its options moved, and the reasoning without the letters it named."""

    question: str
    options: dict[str, str]  # before they moved
    moved: dict[str, str]  # from letter to letter
    trace: Trace


async def recheck(
    shard: Shard, run: Run, step: Step, *, prompt: Template, model: Model, sampling: Sampling
) -> Output:
    """Ask the model once more for each attempt at a question with options, after they have moved.

    Every option moves to another letter, by a permutation from the run's seed and the ids, and the model is shown
    the attempt's own reasoning without its conclusion, and asked for the letter alone. Its choice, as a letter of the
    question before, is the value of `rechecked@1`; the rule `option_consistency` compares. After ACRE.
    """
    asker = Asker(run, step, prompt, model, sampling)
    choices = [each for each in shard.live if each.verifier == "choice"]
    asked = [(each, attempt) for each in choices for attempt in shard.case(each).attempts]
    return gathered(await each_of(_recheck(problem, attempt, asker) for problem, attempt in asked), shard)


async def _recheck(asked: Problem, attempt: Attempt, asker: Asker) -> Facts:
    again = _again(asked, attempt, asker.run.seed)
    if isinstance(again, str):
        return Facts([], [], [_verdict(attempt, asker, {}, None, {"reason": again})])
    task = problem(
        parents=[attempt.id],
        stage=asker.step.label,
        draw=attempt.draw,
        kind="recheck",
        question=again.question,
        answer=again.moved.get(key_of(asked.answer, again.options) or ""),
        verifier="choice",
        domain=asked.domain,
        details={"moved": again.moved},
    )
    question = asker.question(task, question=again.question, trace=between_marks(again.trace.text))
    answer = await question.attempt(0)
    return Facts([task], [answer], [_read(answer, attempt, again, asker)])


def _again(asked: Problem, attempt: Attempt, seed: int) -> _Again | str:
    """What is asked, or why nothing can be."""
    options = options_in(asked.question)
    if attempt.finish != "stop":
        return LEFT_OUT[attempt.finish]
    if not options or not set(options) <= set(ascii_uppercase):
        return "no lettered options in the question"
    if speaks_of_places(options):
        return "an option speaks of others by their place"
    moved = moves("".join(options), seed=digest(seed, asked.id, attempt.id))
    question = shuffled(asked.question, options, moved)
    if question is None or options_in(question) != {new: options[old] for old, new in moved.items()}:
        return "the options cannot be moved"
    reasoning = trace(attempt.turns[-1].reasoning or attempt.text, options)
    return _Again(question, options, moved, reasoning) if reasoning.text else "no reasoning before the answer"


def _read(answer: Attempt, attempt: Attempt, again: _Again, asker: Asker) -> Verdict:
    """The second choice, told in the letters of the question before."""
    was = {new: old for old, new in again.moved.items()}
    now = {new: again.options[old] for old, new in again.moved.items()}
    said = chosen(answer_in("choice", answer.text), now) if answer.finish == "stop" else None
    context = {"moved": again.moved, "letters_left": again.trace.left}
    if said is None:
        return _verdict(attempt, asker, context, None, {"reason": "no letter can be read"})
    return _verdict(attempt, asker, context, was[said], {"said": said})


def _verdict(
    attempt: Attempt, asker: Asker, context: dict[str, Any], value: str | None, evidence: dict[str, Any]
) -> Verdict:
    return verdict(
        subjects=[attempt.id],
        stage=asker.step.label,
        draw=attempt.draw,
        rule=RULE,
        status="unsure" if value is None else "pass",
        value=value,
        context={"model": asker.model.name, "revision": asker.model.revision, **context},
        evidence=evidence,
    )
