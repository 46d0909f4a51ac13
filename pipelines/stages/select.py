"""Selecting: rules that look at all of a version at once."""

from __future__ import annotations

from collections.abc import Sequence

from filters.rule import Case
from pipelines.records import Verdict
from pipelines.stage import Step
from pipelines.stages.sift import to_verdict


def select(cases: Sequence[Case], step: Step) -> list[list[Verdict]]:
    """For each case the verdicts of the step's snapshot rules over all of them. What they fail is not accepted."""
    told: list[list[Verdict]] = [[] for _ in cases]
    for each in step.parameters["rules"]:
        rulings = each.rule.run(cases, **each.parameters)
        for verdicts, case, ruling in zip(told, cases, rulings, strict=True):
            verdicts.append(to_verdict(ruling, case, each, step.label))
    return told
