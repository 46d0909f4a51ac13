"""The cascade: a rule first, a judge on appeal, a final label, and how wrong each of them is.

`answer_matches` is exact about what it can read, and takes some right answers for wrong because it cannot. So a judge
looks at what it failed (`appeal`), at some of what it passed (`audit`), and at planted ones whose truth is known
(`control`), all in the stage `appeal`. Each of these verdicts stays as it is; `label` reads them and adds one more.
From "Reinforcement Learning with Verifiable yet Noisy Rewards under Imperfect Verifiers" (arXiv 2510.00915).
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from filters.noise import Count, Seen, estimates, told
from filters.rule import Case, Check, Ruling, failed, passed, unsure
from filters.verifiers import verifier
from pipelines.records import Verdict

# --- The final label ------------------------------------------------------------------------------------------


def label(case: Case, check: Check) -> Iterator[Ruling]:
    """Pass each attempt that `answer_matches` passes or the appeal overturns; the value says which of them it was.

    Where the votes of the appeal disagree it is unsure; where there was no appeal the rule's verdict stands.
    """
    by_rule, on_appeal = last_about(case, "answer_matches"), last_about(case, "appeal")
    for attempt in case.attempts:
        ruling = _label(by_rule.get(attempt.id), on_appeal.get(attempt.id))
        yield ruling._replace(about=(attempt.id,))


def last_about(case: Case, rule: str) -> dict[str, Verdict]:
    """The last verdict of a rule, whatever its version, on each of its subjects."""
    found = (each for each in case.verdicts if each.rule.partition("@")[0] == rule)
    return {subject: each for each in found for subject in each.subjects}


def _label(rule: Verdict | None, appeal: Verdict | None) -> Ruling:
    if rule is None:
        return unsure("not checked by answer_matches")
    context = _sources(rule, appeal)
    if rule.status == "pass":
        return passed(value="rule", context=context)
    if appeal is None:
        return Ruling(rule.status, reason(rule), value="rule", context=context)
    match appeal.status:
        case "pass":
            return passed(value="appeal", score=appeal.score, context=context)
        case "fail":
            return failed(reason(rule if rule.status == "fail" else appeal), value="appeal", context=context)
        case _:
            return unsure(reason(appeal), value="appeal", score=appeal.score, context=context)


def _sources(rule: Verdict, appeal: Verdict | None) -> dict[str, Any]:
    """Who said what: enough to export each verdict beside the label."""
    sources = {"rule": rule.rule, "rule_verdict": rule.status, "verifier": orjson.loads(rule.context).get("verifier")}
    if appeal is None:
        return {**sources, "appeal_verdict": None}
    said = orjson.loads(appeal.context)
    return {**sources, "appeal_verdict": appeal.status, "judge": said.get("judge"), "revision": said.get("revision")}


def reason(verdict: Verdict) -> str:
    """Why a verdict is not `pass`, in its own words."""
    return orjson.loads(verdict.evidence).get("reason") or "no reason given"


# --- What is asked of the judge -------------------------------------------------------------------------------

_ELSEWHERE = ("7", "12", "-3", "144", "0.45", r"\frac{5}{8}", "x^2 - 4", "(2, 5)", "A", "B", "C", "D", "no", "true")
_WHOLE = re.compile(r"-?\d{1,15}")


def wrong_answer(reference: str, *, verifier_name: str, seed: str) -> str | None:
    """An answer that surely differs from the reference: a number near it, or else what another problem might have.

    A function of its arguments; None where the verifier cannot say at once of any that it is wrong.
    """
    near = [str(int(reference) + by) for by in (1, -1, 2, 10)] if _WHOLE.fullmatch(reference.strip()) else []
    chance, elsewhere = random.Random(seed), list(_ELSEWHERE)
    chance.shuffle(near)
    chance.shuffle(elsewhere)
    check = verifier(verifier_name).check_quickly
    outcomes = ((answer, check(reference, answer)) for answer in (*near, *elsewhere))
    return next((answer for answer, outcome in outcomes if outcome and outcome.status == "fail"), None)


def drawn(share: float, *, seed: str) -> bool:
    """Whether a thing of this name is in a random share; by its name alone, whatever else is there."""
    return random.Random(seed).random() < share


# --- How wrong they are ---------------------------------------------------------------------------------------

ASKED = ("appeal", "audit", "control")
WHO = ("judge", "revision", "prompt", "asked", "at_least", "at_most")  # what makes a judge the same one


def verification(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """The error rates of every verifier in a dataset, as JSON for its metadata; empty where none was used.

    Under each verifier's name and version: how its verdicts fell out, and for each judge who looked at them what it
    said and the rates of `noise.estimates`, each with k, n and its 95 % interval. Undecided verdicts are left out of
    the rates and counted, and so are gaming responses, which no judge was asked about.
    """
    by_rule: dict[str, dict[str, Verdict]] = defaultdict(dict)  # verifier → attempt → the rule's last verdict
    by_judge: dict[str, list[Verdict]] = defaultdict(list)
    for each in verdicts:
        name = each.rule.partition("@")[0]
        if name == "answer_matches" and (by := orjson.loads(each.context).get("verifier")):
            by_rule[by][each.subjects[0]] = each
        elif name in ASKED:
            by_judge[str(orjson.loads(each.context).get("verifier"))].append(each)
    return {by: _about(by_rule[by], by_judge[by]) for by in sorted(by_rule)}


def _about(matches: Mapping[str, Verdict], said: Sequence[Verdict]) -> dict[str, Any]:
    judges: dict[bytes, list[Verdict]] = defaultdict(list)
    for each in said:
        context = orjson.loads(each.context)
        judges[orjson.dumps({name: context.get(name) for name in WHO})].append(each)
    return {
        "rules": sorted({each.rule for each in matches.values()}),
        "verdicts": dict(sorted(Counter(each.status for each in matches.values()).items())),
        "judges": [{**orjson.loads(who), **_by_judge(matches, judges[who])} for who in sorted(judges)],
    }


def _by_judge(matches: Mapping[str, Verdict], said: Iterable[Verdict]) -> dict[str, Any]:
    """What one judge said of each kind of attempt, and the rates that follow."""
    tallies = {kind: Counter[str]() for kind in (*_KINDS, "unsure")}
    for each in said:
        tallies[_kind(each, matches)][_answer(each)] += 1
    statuses = Counter(each.status for each in matches.values())
    counts = [Count(tallies[kind]["yes"], tallies[kind]["yes"] + tallies[kind]["no"]) for kind in _KINDS]
    failed_and_asked = statuses["fail"] - tallies["failed"]["refused"]
    seen = Seen(*counts, rule_passed=statuses["pass"], rule_failed=failed_and_asked)
    return {"said": {kind: dict(sorted(tally.items())) for kind, tally in tallies.items()}, **told(estimates(seen))}


_KINDS = ("right", "wrong", "failed", "passed")  # as in Seen


def _kind(said: Verdict, matches: Mapping[str, Verdict]) -> str:
    """What the judge was asked about: a control that is right or wrong, or what the rule passed, failed or left."""
    if said.rule.startswith("control@"):
        return str(said.value)
    rule = matches.get(said.subjects[0])
    return {"pass": "passed", "fail": "failed"}.get(rule.status if rule else "", "unsure")


def _answer(said: Verdict) -> str:
    if said.status == "fail" and not orjson.loads(said.context)["votes"]:
        return "refused"
    return {"pass": "yes", "fail": "no"}.get(said.status, "undecided")


_WORDS = {
    "judge_false_negative": "the judge fails a right answer",
    "judge_false_positive": "the judge passes a wrong answer",
    "right_of_failed": "what the rule fails is right",
    "wrong_of_passed": "what the rule passes is wrong",
    "rule_false_negative": "the rule fails a right answer",
    "rule_false_positive": "the rule passes a wrong answer",
}


def in_words(verification: Mapping[str, Any]) -> str:
    """The error rates as a Markdown table for a dataset card; empty without a judge."""
    lines = [
        f"| {verifier} | {judge['judge']}@{judge['revision'] or '?'} | {words} | {_percent(judge[name])} |"
        for verifier, about in verification.items()
        for judge in about["judges"]
        for name, words in _WORDS.items()
    ]
    head = "| verifier | judge | how often | estimate (95 % interval; k of n seen) |\n|---|---|---|---|"
    return "\n".join([head, *lines]) if lines else ""


def _percent(rate: Mapping[str, Any]) -> str:
    seen = f"{rate['low']:.1%} to {rate['high']:.1%}; {rate['k']} of {rate['n']}"
    return f"not known ({seen})" if rate["value"] is None else f"{rate['value']:.1%} ({seen})"
