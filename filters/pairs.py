"""What judges said of the two responses of a pair: in both orders, and of each by itself.

The tasks of judging stand beside the problem, as `contrast` makes them, and their replies have been checked against
the known answers. A pair counts with each sample that was decided in both of its tasks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from filters.answers import wilson
from filters.rule import Case, Check, Ruling, failed, passed, unsure
from filters.verifiers.judging import read_score, spoken

KIND = "judgement"


def both_orders(case: Case, check: Check, *, at_least: float = 0.0) -> list[Ruling]:
    """Pass a problem whose pairs judges get right in both orders this often; the score is the share.

    Needs `answer_matches` on the tasks. The context counts where only one order was right, which is a judge who goes
    by the place, and where none was (consistency of J1, arXiv 2505.10320).
    """
    counts = Counter(
        _name(first, second)
        for orders in _tasks(case, "pair")
        for first, second in _samples([_matched(each) for each in orders])
    )
    return _share(counts, "both right", at_least, "seldom right in both orders")


def score_order(case: Case, check: Check, *, at_least: float = 0.0) -> list[Ruling]:
    """Pass a problem whose better responses get a higher score than the worse, each judged by itself, this often.

    Pointwise judging as J1 rewards it (arXiv 2505.10320): what counts is the order of the scores.
    """
    counts = Counter(
        "higher" if better > worse else "equal" if better == worse else "lower"
        for pair in _tasks(case, "single")
        for better, worse in _samples([_scores(each) for each in pair])
    )
    return _share(counts, "higher", at_least, "the better response seldom has the higher score")


def _tasks(case: Case, form: str) -> Iterator[list[Case]]:
    """The two tasks of each pair that there are in this form, in their order."""
    found = defaultdict[str, list[tuple[int, Case]]](list)
    for each in case.beside:
        details = orjson.loads(each.problem.details) if each.problem.kind == KIND else {}
        if details.get("form") == form:
            found[details["pair"]].append((details["order"], each))
    for _, tasks in sorted(found.items()):
        if [order for order, _ in sorted(tasks, key=lambda task: task[0])] == [0, 1]:
            yield [each for _, each in sorted(tasks, key=lambda task: task[0])]


def _samples(told: Sequence[Mapping[tuple[str, int], Any]]) -> Iterator[tuple[Any, Any]]:
    """What was told of both, for every judge and sample that is known of both."""
    first, second = told
    return ((first[key], second[key]) for key in sorted(first.keys() & second.keys()))


def _matched(task: Case) -> dict[tuple[str, int], bool]:
    """By judge and sample, whether the reply is right."""
    about = (each for each in task.verdicts if each.rule.partition("@")[0] == "answer_matches")
    said = {each.subjects[0]: each.status for each in about}
    decided = ((each, said.get(each.id)) for each in task.attempts)
    return {(each.model, each.sample): status == "pass" for each, status in decided if status in ("pass", "fail")}


def _scores(task: Case) -> dict[tuple[str, int], float]:
    """By judge and sample, the score that a reply gives."""
    read = ((each, read_score(spoken(each.text))) for each in task.attempts if each.finish == "stop")
    return {(each.model, each.sample): score for each, score in read if score is not None}


def _name(first: bool, second: bool) -> str:
    return "both right" if first and second else "both wrong" if not (first or second) else "by the place"


def _share(counts: Counter[str], good: str, at_least: float, otherwise: str) -> list[Ruling]:
    n = counts.total()
    context = {"n": n, "counts": dict(sorted(counts.items()))}
    if not n:
        return [unsure("no pair was judged", context=context)]
    context["low"], context["high"] = wilson(counts[good], n)
    ruling = passed() if counts[good] / n >= at_least else failed(otherwise)
    return [ruling._replace(score=counts[good] / n, context=context)]
