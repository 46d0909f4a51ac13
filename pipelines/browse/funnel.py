"""From candidates to what was accepted: every loss in the recipe's order, with the filters that show its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipelines.browse.candidates import STILL_IN
from pipelines.browse.source import Source, progress
from pipelines.browse.table import Filter, indexed, remembered, sql_name
from pipelines.recipe import stage_name
from pipelines.stage import says
from pipelines.stages.table import STAGES

ACCEPTED = "accepted"
REASONS = 50  # of each loss, the most frequent
OTHERS, NO_REASON = "other reasons", "no reason given"  # as a ledger has them
STATES = ("", "unsure", "error")  # in which a verdict decides against a row


class Reason(NamedTuple):
    """Why rows were lost; None where nothing is said."""

    text: str | None
    rows: int
    where: list[Filter]


class Loss(NamedTuple):
    """The rows that one rule took out at one stage; `name` is their outcome, as the ledger has it."""

    name: str
    stage: str
    rule: str
    lost: int
    left: int  # after it
    reasons: list[Reason]  # most frequent first, at most REASONS
    where: list[Filter]


class Funnel(NamedTuple):
    """Where every candidate went: candidates = all lost + still_in + accepted.

    With `progress` below 1 it counts what is indexed so far.
    """

    candidates: int
    losses: list[Loss]
    still_in: int  # of a run: through every stage, in no version yet
    accepted: int
    where_still_in: list[Filter]
    where_accepted: list[Filter]
    progress: float


class _Counted(NamedTuple):
    outcome: str
    stage: str | None
    rule: str | None
    reason: str | None
    rows: int


def funnel(source: Source) -> Funnel:
    """The funnel of a version or run. Raises ValueError for a table, which has none."""
    if source.files is not None:
        raise ValueError(f"{source.name} is a table: only a version or a run has a funnel")
    counted = remembered(source, "funnel", lambda: _count(source))
    total = sum(each.rows for each in counted)
    losses: list[Loss] = []
    for name, stage, rule in _in_order(source.about["recipe"], counted):
        told = [each for each in counted if (each.outcome, each.stage, each.rule) == (name, stage, rule)]
        before = losses[-1].left if losses else total
        lost = sum(each.rows for each in told)
        losses.append(_loss(name, stage, rule, lost, before - lost, told))
    return Funnel(
        candidates=total,
        losses=losses,
        still_in=sum(each.rows for each in counted if each.outcome == STILL_IN),
        accepted=sum(each.rows for each in counted if each.outcome == ACCEPTED),
        where_still_in=[Filter("outcome", "is", STILL_IN)],
        where_accepted=[Filter("outcome", "is", ACCEPTED)],
        progress=progress(source),
    )


def funnel_of_ledger(source: Source) -> Funnel:
    """The funnel of a version as its ledger has it, which needs no index: rules of one name are one loss."""
    books = source.about["ledger"]
    places: dict[str, tuple[int, int]] = {}
    for (_, rule), at in _places(source.about["recipe"]).items():
        places.setdefault(rule, at)
    last = len(places), 0

    def place(name: str) -> tuple[Any, ...]:
        rule, _, state = name.partition(": ")
        return places.get(rule, last), STATES.index(state) if state in STATES else len(STATES), name

    left, losses = books["candidates"], list[Loss]()
    for name in sorted(books["not_accepted"], key=place):
        left -= books["not_accepted"][name]
        where = [_is("outcome", name)]
        told = books.get("reasons", {}).get(name, {})
        why = [
            Reason(None if text == NO_REASON else text, rows, where + _of_reason(text)) for text, rows in told.items()
        ]
        losses.append(Loss(name, "", name.partition(": ")[0], books["not_accepted"][name], left, why, where))
    accepted = [_is("outcome", ACCEPTED)]
    return Funnel(books["candidates"], losses, 0, books["accepted"], [], accepted, progress(source))


def _of_reason(text: str) -> list[Filter]:
    return [] if text == OTHERS else [_is("reason", None if text == NO_REASON else text)]


def _count(source: Source) -> list[_Counted]:
    columns = ", ".join(sql_name(source, name) for name in ("outcome", "stage", "rule", "reason"))
    with indexed(source) as here:
        query = f"select {columns}, count(*) from {here.rows} group by all order by all"
        return [_Counted(*each) for each in here.ask(query, {})]


def _loss(name: str, stage: str | None, rule: str | None, lost: int, left: int, told: list[_Counted]) -> Loss:
    where = [_is("outcome", name), _is("stage", stage), _is("rule", rule)]
    ranked = sorted(told, key=lambda each: (-each.rows, each.reason or ""))
    reasons = [Reason(each.reason, each.rows, [*where, _is("reason", each.reason)]) for each in ranked[:REASONS]]
    return Loss(name, stage or "", rule or "", lost, left, reasons, where)


def _is(column: str, value: str | None) -> Filter:
    return Filter(column, "missing") if value is None else Filter(column, "is", value)


def _in_order(recipe: Mapping[str, Any], counted: list[_Counted]) -> list[tuple[str, str | None, str | None]]:
    """The losses by stage, then by rule, each as the recipe names them; what it does not name comes last."""
    places = _places(recipe)
    found = {(each.outcome, each.stage, each.rule) for each in counted if each.outcome not in (ACCEPTED, STILL_IN)}

    def place(loss: tuple[str, str | None, str | None]) -> tuple[Any, ...]:
        name, stage, rule = loss
        rule_name, _, state = name.partition(": ")
        stages = [at for (named, _), at in places.items() if named == stage]
        at = places.get((stage or "", rule_name), (min(stages)[0], len(places)) if stages else (len(places), 0))
        return (*at, STATES.index(state) if state in STATES else len(STATES), name, rule or "")

    return sorted(found, key=place)


def _places(recipe: Mapping[str, Any]) -> dict[tuple[str, str], tuple[int, int]]:
    """Where each rule of each stage stands in a recipe, counting what a stage says by itself first."""
    places: dict[tuple[str, str], tuple[int, int]] = {}
    for at, stage in enumerate(recipe.get("stages", [])):
        own = says(STAGES[stage["use"]], stage_name(stage)) if stage.get("use") in STAGES else ()
        rules = [each if isinstance(each, str) else each.get("rule", "") for each in stage.get("rules", [])]
        for number, rule in enumerate([*sorted(own), *rules, ""]):
            places.setdefault((stage_name(stage), rule), (at, number))
    return places
