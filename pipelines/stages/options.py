"""Options: a question that was posed about a passage becomes a choice, with the passage before it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from filters.verifiers import choice
from pipelines.inference.model import seed_of
from pipelines.records import Facts, Problem, Verdict, problem, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.store import Output

RULE = "one_key@1"  # raise it with what makes a choice valid
LAYOUTS = ("({}) {}", "{}. {}", "{}) {}")
LABEL = re.compile(r"[\s(]*[A-Z][.):]\s+")


class Choice(NamedTuple):
    """A question with options, of which `key` is the letter of the right one."""

    question: str
    key: str


async def options(shard: Shard, run: Run, step: Step, *, at_least: int = 3) -> Output:
    """Put passage, question and options together, where exactly one of `at_least` options or more is the key.

    The posing gives `<choices>` and the `<key>` in words. Options are shuffled, and lettered in one of three ways,
    by the run's seed and the problem's id, so that the key stands anywhere. As the asking stage of
    LongPerceptualThoughts does (arXiv 2504.15362), where the gold text has to equal exactly one option.
    """
    passages = {each.draw: _passage(each, shard) for each in shard.asked("pose")}
    facts, live, out = Facts.none(), [], []
    for posed in shard.live:
        made = choice_of(posed, passages.get(posed.draw, ""), run.seed, at_least=at_least)
        ruling = _ruling(posed, made, step.label)
        facts.verdicts.append(ruling)
        if isinstance(made, Choice):
            facts.problems.append(_problem(posed, made, step.label))
            live.append(facts.problems[-1].id)
        else:
            out.append((posed.draw, ruling.id))
    return Output(facts, live, out)


def check_options(given: Mapping[str, Any]) -> None:
    """Raises ValueError where one option would be enough."""
    if given["at_least"] < 2:
        raise ValueError(f"at_least = {given['at_least']} should be at least 2")


def choice_of(posed: Problem, passage: str, seed: int, *, at_least: int) -> Choice | str:
    """The question as a choice, or in words why it cannot be one."""
    details = orjson.loads(posed.details)
    there = choice.options_in(details.get("choices", ""))
    plain = {letter: said.casefold().rstrip(".") for letter, said in there.items()}
    key = LABEL.sub("", details.get("key", ""), count=1).strip().casefold().rstrip(".")
    if len(there) < at_least:
        return "too few options"
    if len(set(plain.values())) < len(there):
        return "two options say the same"
    if list(plain.values()).count(key) != 1:
        return "the key is none of the options"
    shown = choice.shuffled(there, seed=seed_of(seed, "options", posed.id))
    layout = LAYOUTS[seed_of(seed, "layout", posed.id) % len(LAYOUTS)]
    listed = "\n".join(layout.format(letter, said) for letter, said in shown.items())
    question = "\n\n".join(part for part in (passage, posed.question.strip(), listed) if part)
    if choice.options_in(question) != shown:
        return "the options cannot be read off the question"
    return Choice(question, next(at for at, said in shown.items() if said.casefold().rstrip(".") == key))


def _passage(drawn: Problem, shard: Shard) -> str:
    """What was drawn for a question, as it stands in the seeds."""
    seeds = [each.question for each in shard.facts.problems if each.id in drawn.parents]
    return "\n\n".join(seeds)


def _ruling(posed: Problem, made: Choice | str, stage: str) -> Verdict:
    good = isinstance(made, Choice)
    return verdict(
        subjects=[posed.id],
        stage=stage,
        draw=posed.draw,
        rule=RULE,
        status="pass" if good else "fail",
        value=made.key if good else None,
        evidence={} if good else {"reason": made},
    )


def _problem(posed: Problem, made: Choice, stage: str) -> Problem:
    """Its parents are the posing's attempt and the question as it was posed."""
    return problem(
        parents=[*posed.parents, posed.id],
        stage=stage,
        draw=posed.draw,
        kind="choice",
        question=made.question,
        answer=made.key,
        verifier="choice",
        domain=posed.domain,
        source=posed.source,
        license=posed.license,
        details={"type": orjson.loads(posed.details).get("type")},
    )
