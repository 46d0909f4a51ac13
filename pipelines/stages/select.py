"""Selecting: rules that look at all of a version at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from filters.rule import Case
from pipelines.records import Verdict
from pipelines.stage import BoundRule, Step
from pipelines.stages.sift import to_verdict


def select(cases: Sequence[Case], step: Step) -> list[list[Verdict]]:
    """For each case the verdicts of the step's snapshot rules. What they fail is not accepted.

    Each rule looks at what the rules before it passed, and at what they said: one may cluster what the next balances,
    and of two that choose, the second chooses among what the first chose.
    """
    told: list[list[Verdict]] = [[] for _ in cases]
    left = dict(enumerate(cases))
    for each in step.parameters["rules"]:
        rulings = each.rule.run(list(left.values()), **each.parameters)
        said = [
            to_verdict(ruling, case, each, step.label) for case, ruling in zip(left.values(), rulings, strict=True)
        ]
        for place, verdict in zip(left, said, strict=True):
            told[place].append(verdict)
        kept = zip(left.items(), said, strict=True)
        left = {
            place: case._replace(verdicts=[*case.verdicts, verdict])
            for (place, case), verdict in kept
            if verdict.status == "pass"
        }
    return told


def light(case: Case, selection: Step) -> Case:
    """A case without its attempts: what rules over a whole version look at.

    What was said of an attempt stays where a rule of the selection names the rule that said it.
    """
    rules: list[BoundRule] = selection.parameters["rules"]
    named = {name for each in rules for name in _texts_in(each.parameters)}
    about = [
        each for each in case.verdicts if each.subjects == (case.problem.id,) or each.rule.partition("@")[0] in named
    ]
    reads = any(each.rule.reads_questions for each in rules)
    return Case(case.problem if reads else case.problem._replace(question="", details="{}"), verdicts=about)


def _texts_in(value: Any) -> Iterator[str]:
    """All texts in a parameter, at whatever depth, keys too."""
    match value:
        case str():
            yield value
        case dict():
            yield from (text for pair in value.items() for each in pair for text in _texts_in(each))
        case list() | tuple():
            yield from (text for each in value for text in _texts_in(each))
