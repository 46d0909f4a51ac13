"""Selecting: rules that look at all of a version at once."""

from __future__ import annotations

from collections.abc import Sequence

from filters.rule import Case
from pipelines.records import Verdict
from pipelines.stage import Step
from pipelines.stages.sift import to_verdict


def select(cases: Sequence[Case], step: Step) -> list[list[Verdict]]:
    """For each case the verdicts of the step's snapshot rules over all of them. What they fail is not accepted.

    Each rule sees all cases, and what the rules before it said of them: one may cluster what the next one balances.
    """
    told: list[list[Verdict]] = [[] for _ in cases]
    for each in step.parameters["rules"]:
        rulings = each.rule.run(cases, **each.parameters)
        said = [to_verdict(ruling, case, each, step.label) for case, ruling in zip(cases, rulings, strict=True)]
        for verdicts, verdict in zip(told, said, strict=True):
            verdicts.append(verdict)
        known = zip(cases, said, strict=True)
        cases = [case._replace(verdicts=[*case.verdicts, verdict]) for case, verdict in known]
    return told
