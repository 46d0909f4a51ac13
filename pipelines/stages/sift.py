"""Sifting: rules say what may stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from filters.rule import Case, Check, Ruling
from pipelines.records import Facts, Verdict, verdict
from pipelines.stage import BoundRule, Run, Shard, Step
from pipelines.store import Output


async def sift(
    shard: Shard, run: Run, step: Step, *, rules: list[BoundRule], of: str = "", drop: bool = True
) -> Output:
    """Append what every rule says of every problem and its attempts; a problem stays when all pass it.

    Each problem gets the verdict of every rule, also after one has failed it; the first that does not pass is the
    reason why it goes. Ordered rules compare with all that stayed before, so they see shards in draw order. With
    `drop = false` all stay, and the verdicts are there for later choices; so they do where with `of` the problems
    are looked at that stand beside those of the draws.
    """
    if of:
        return await _beside(shard, run, step, rules, of)
    facts, live, out = Facts.none(), [], []
    check = await run.checks.table(pair for each in shard.live for pair in compared(shard.case(each), rules))
    for problem in shard.live:
        verdicts = judged(shard.whole(problem), rules, check, step)
        facts.verdicts.extend(verdicts)
        against = [told for told in verdicts if told.status != "pass" and told.subjects == (problem.id,)]
        if against and drop:
            out.append((problem.draw, against[0].id))
            continue
        live.append(problem.id)
        if step.order:
            step.order.remember([problem])
    return Output(facts, live, out)


async def _beside(shard: Shard, run: Run, step: Step, rules: Sequence[BoundRule], of: str) -> Output:
    """What the rules say of the problems of a kind beside those of the draws, which all stay."""
    cases = [shard.case(each) for each in shard.asked(of)]
    check = await run.checks.table(pair for case in cases for pair in compared(case, rules))
    verdicts = [told for case in cases for told in judged(case, rules, check, step)]
    return Output(Facts([], [], verdicts), [each.id for each in shard.live])


def check_sift(given: Mapping[str, Any]) -> None:
    """Raises ValueError where rules that compare with all before should look beside the draws."""
    ordered = [each.name for each in given["rules"] if each.rule.kind == "ordered"]
    if given["of"] and ordered:
        raise ValueError(f"{', '.join(ordered)} compares draws, and of = {given['of']!r} looks beside them")


def compared(case: Case, rules: Sequence[BoundRule]) -> Iterator[tuple[str, str, str]]:
    """Every check of an answer that the rules may ask for."""
    if name := case.problem.verifier:
        for compares in {each.rule.compares for each in rules}:
            for reference, answer in compares(case):
                yield name, reference, answer


def judged(case: Case, rules: Sequence[BoundRule], check: Check, step: Step) -> list[Verdict]:
    """What the rules say of a problem and its attempts, each seeing what those before it said."""
    told: list[Verdict] = []
    for each in rules:
        told += _verdicts(each, case._replace(verdicts=[*case.verdicts, *told]), check, step)
    return told


def _verdicts(each: BoundRule, case: Case, check: Check, step: Step) -> Iterator[Verdict]:
    for ruling in _rulings(each, case, check, step):
        yield to_verdict(ruling, case, each, step.label)


def _rulings(each: BoundRule, case: Case, check: Check, step: Step) -> list[Ruling]:
    if each.rule.kind == "ordered":
        assert step.order, "a step with ordered rules has an order"
        return [step.order.judge(each.label, case)]
    return list(each.rule.run(case, check, **each.parameters))


def to_verdict(ruling: Ruling, case: Case, each: BoundRule, stage: str) -> Verdict:
    """A ruling as a fact; the rule's parameters are part of its context."""
    about = ruling.about or (case.problem.id,)
    return as_fact(ruling, about=about, draw=case.problem.draw, stage=stage, rule=each.label, context=each.told)


def as_fact(
    ruling: Ruling, *, about: Sequence[str], draw: int | None, stage: str, rule: str, context: Mapping[str, Any]
) -> Verdict:
    """A ruling about the facts of these ids as a fact."""
    reason = {} if ruling.reason is None else {"reason": ruling.reason}
    return verdict(
        subjects=about,
        stage=stage,
        draw=draw,
        rule=rule,
        status=ruling.status,
        score=ruling.score,
        value=ruling.value,
        context={**context, **ruling.context},
        evidence={**reason, **ruling.evidence},
    )
