"""Posing: a model writes a new problem from seeds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from filters import tasks
from filters.environments import environment_of, transcript
from filters.verifiers import VERIFIERS
from pipelines.inference.model import Model, Sampling, seed_of
from pipelines.records import Attempt, Facts, Problem, Verdict, problem, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.store import Output
from prompts.template import Template

RULE = "posed@1"  # raise it with the way a posing is read
OPTIONS = re.compile(r"(?:^|[\s(])A[).:].*?(?:^|[\s(])B[).:]", re.DOTALL)


async def pose(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: list[Template],
    model: Model,
    sampling: Sampling,
    verifier: str = "",
) -> Output:
    """Ask the model once for each draw, and read the new problem out of its answer.

    What the answer must hold is what the prompt's header says under `replies`; what is neither question nor answer
    becomes a detail of the new problem. A posing that cannot be read stays as an attempt with a verdict that says
    why. The new problem's verifier is `verifier`, or with an answer and no name given `choice` where options are
    listed and `math` elsewhere (2507.23751, section 3.1). Of several prompts each draw gets one by chance. An episode
    that went before in the environment of a seed is shown behind the seeds; an answer that holds an evaluation and a
    solution is checked in that environment (2506.01716).
    """
    askers = [Asker(run, step, each, model, sampling) for each in prompt]
    chosen = [askers[seed_of(run.seed, drawn.id, "prompt") % len(askers)] for drawn in shard.live]
    asked = list(zip(shard.live, chosen, strict=True))
    attempts = await each_of(asker.question(drawn, seeds=_shown(shard, drawn)).attempt(0) for drawn, asker in asked)
    facts, live, out = Facts([], list(attempts), []), [], []
    for (drawn, asker), attempt in zip(asked, attempts, strict=True):
        said = read_posing(attempt, asker.prompt)
        ruling = _ruling(attempt, said, step.label)
        facts.verdicts.append(ruling)
        if isinstance(said, Posing):
            posed = _problem(drawn, attempt, _assembled(said, shard.made_of(drawn)), step.label, verifier)
            facts.problems.append(posed)
            live.append(posed.id)
        else:
            out.append((drawn.draw, ruling.id))
    return Output(facts, live, out)


def check_pose(given: Mapping[str, Any]) -> None:
    """Raises ValueError for an unknown verifier, and for a prompt whose answer holds no question, or an evaluation
    that this verifier cannot run."""
    if given["verifier"] and given["verifier"] not in VERIFIERS:
        raise ValueError(f"no verifier {given['verifier']!r}; there are: {', '.join(VERIFIERS)}")
    for prompt in given["prompt"]:
        replies = prompt.header.get("replies", "")
        if "<evaluation>" in replies and given["verifier"] != "code":
            raise ValueError(f"prompt {prompt.name!r} has an evaluation written, which is run: say verifier = 'code'")
        if "<question>" not in replies:
            raise ValueError(f"the header of prompt {prompt.name!r} should name <question> under replies")


class Posing(NamedTuple):
    """What an answer to a posing prompt holds."""

    question: str
    answer: str | None
    others: Mapping[str, str] = {}  # by tag
    reference: str | None = None  # put together of these, instead of the answer


def read_posing(attempt: Attempt, prompt: Template) -> Posing | str:
    """The parts of a posing, or in words why there are none."""
    if attempt.finish == "length":
        return "cut off at the limit"
    if attempt.finish == "refused":
        return "refused by the engine"
    parts: dict[str, str] = {}
    for tag in re.findall(r"<(\w+)>", prompt.header.get("replies", "")):
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", attempt.text, re.DOTALL)
        if len(found) != 1 or not found[0].strip():
            return f"{len(found)} parts <{tag}> where one is asked for" if len(found) != 1 else f"an empty <{tag}>"
        parts[tag] = found[0].strip()
    return Posing(parts.pop("question"), parts.pop("answer", None), parts)


def _shown(shard: Shard, drawn: Problem) -> str:
    """The seeds, and behind them what was found where a model has worked in their environment."""
    told = [each for each in shard.case(drawn).attempts if sum(turn.role == "assistant" for turn in each.turns) > 1]
    return "\n\n".join([drawn.question, *map(transcript, told)])


def _assembled(said: Posing, seeds: Sequence[Problem]) -> Posing:
    """With the parts of a task in an environment as what checks its answers; what is in there is no detail."""
    environment = next((source for each in seeds if (source := environment_of(each.answer))), None)
    if environment is None or not said.others.keys() >= set(tasks.PARTS):
        return said
    reference = tasks.reference_of(environment, *(said.others[part] for part in tasks.PARTS))
    others = {tag: text for tag, text in said.others.items() if tag not in tasks.PARTS}
    return said._replace(others=others, reference=reference)


def _ruling(attempt: Attempt, said: Posing | str, stage: str) -> Verdict:
    good = isinstance(said, Posing)
    return verdict(
        subjects=[attempt.id],
        stage=stage,
        draw=attempt.draw,
        rule=RULE,
        status="pass" if good else "fail",
        evidence={} if good else {"reason": said},
    )


def _problem(drawn: Problem, attempt: Attempt, said: Posing, stage: str, verifier: str) -> Problem:
    name = verifier or ("choice" if OPTIONS.search(said.question) else "math")
    answer = said.reference if said.answer is None else reference_of(name, said.answer)
    return problem(
        parents=[attempt.id],
        stage=stage,
        draw=drawn.draw,
        kind="posed",
        question=said.question,
        answer=answer,
        verifier=name if answer is not None or verifier else None,
        domain=drawn.domain,
        source=attempt.model,
        details=dict(said.others),
    )


def reference_of(verifier: str, said: str) -> str:
    """The author's answer as a reference: of "(B) 12" the letter alone."""
    kind = VERIFIERS[verifier]
    answer = kind.final_answer(said) or said
    return kind.gold(answer) or answer
