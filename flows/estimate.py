"""What a run will take, told before it is begun: a pilot of its first draws, and what follows from that."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from flows.exits import or_one_line

if TYPE_CHECKING:
    from pipelines.bind import Recipe
    from pipelines.estimate import Estimate, Interval, Pilot, Plan, Speed
    from pipelines.stage import Run, Shard


@click.command()
@click.argument("recipe")
@click.option("--set", "changes", multiple=True, metavar="PLACE=VALUE", help="Change the recipe.")
@click.option("--model", "models", multiple=True, metavar="ROLE=ENGINE", help="Bind a role.")
@click.option("--rows", default=20, show_default=True, type=click.IntRange(min=2), help="Draws of the pilot.")
def estimate(recipe: str, changes: tuple[str, ...], models: tuple[str, ...], rows: int) -> None:
    """Take the first draws of RECIPE through the whole line, and tell what a run of it will take.

    Numbers are 80 % intervals of the whole run. It has the pilot's replies for free.
    """
    all_changes = [*changes, *(f"models.{binding}" for binding in models)]
    show(or_one_line(lambda: asyncio.run(take(recipe, changes=all_changes, rows=rows))))


# ---------------------------------------------------------------------------------------------------------------
# The pilot


class Piloted(NamedTuple):
    """A pilot that was taken, and what it says."""

    recipe: Recipe
    pilot: Pilot
    speed: Speed
    there: int  # requests whose replies were there already, in the journal or in what was made of them
    uncounted: int  # attempts of which no server told how many tokens they took
    estimate: Estimate


async def take(name: str, *, changes: Sequence[str] = (), rows: int = 20) -> Piloted:
    """Take a pilot and estimate the run that begins with it. Raises what a run raises."""
    from flows.make import prepare
    from flows.run import State, opened
    from pipelines.estimate import estimate as estimated
    from pipelines.estimate import pilot_of
    from pipelines.gc import using
    from pipelines.inference.budget import Purse
    from pipelines.mirror import opened as opened_store
    from pipelines.store import data_folder

    recipe, data = prepare(name, changes=changes), data_folder()
    State(data / "runs" / recipe.name / "state.json").settle(recipe)
    draws = rows if recipe.available is None else min(rows, recipe.available)
    mirror = await asyncio.to_thread(opened_store, data)  # before the folder is held: it takes out purges
    with using(data):
        async with opened(recipe, data, purse=Purse(recipe.models, recipe.budget), mirror=mirror) as run:
            began = time.monotonic()
            shard = await _draws(recipe, draws, run)
            speed = _speed(run, time.monotonic() - began)
    attempts = shard.facts.attempts
    pilot = pilot_of(attempts, draws=draws, accepted=_accepted(recipe, shard), roles=list(recipe.models))
    uncounted = sum(each.completion_tokens is None and each.finish != "refused" for each in attempts)
    there = int(pilot.costs[..., 0].sum()) - speed.requests
    return Piloted(recipe, pilot, speed, there, uncounted, estimated(pilot, plan_of(recipe), speed=speed))


async def _draws(recipe: Recipe, draws: int, run: Run) -> Shard:
    """Take the first draws through the line. Raises OutOfBudget, beside what a run raises."""
    from flows.make import OutOfBudget
    from flows.run import directly
    from pipelines.inference.client import Stopping

    try:
        return await directly(recipe, 0, draws, run)
    except Stopping as error:
        raise OutOfBudget(f"{run.client.spent or error}, within a pilot of {draws} draws") from error


def _speed(run: Run, seconds: float) -> Speed:
    from pipelines.estimate import Speed
    from pipelines.inference.latency import mean

    latency = {role: known for role, counts in run.client.by_role().items() if (known := mean(counts)) is not None}
    return Speed(seconds, run.client.counts["sent"], latency)


def _accepted(recipe: Recipe, shard: Shard) -> set[int]:
    """The draws that got through the line, and through the selection if there is one."""
    from flows.run import Done
    from pipelines.stages.select import select

    done = Done.of(shard, recipe.selection)
    if recipe.selection is None:
        return set(done.live)
    draws = sorted(done.cases)
    told = select([done.cases[draw] for draw in draws], recipe.selection)
    return {draw for draw, said in zip(draws, told, strict=True) if all(each.status == "pass" for each in said)}


def plan_of(recipe: Recipe) -> Plan:
    """How far a run of the recipe goes, and what it may spend."""
    from flows.run import window
    from pipelines.estimate import Plan

    return Plan(
        accepted=recipe.accepted,
        candidates=recipe.available,
        shard=recipe.rows_per_shard,
        window=window(recipe) * recipe.rows_per_shard,
        prices={role: model.price for role, model in recipe.models.items()},
        places={role: model.in_flight for role, model in recipe.models.items()},
        budget=recipe.budget,
    )


# ---------------------------------------------------------------------------------------------------------------
# What a person sees


def show(told: Piloted) -> None:
    """The estimate as a table, and in a few sentences what it rests on."""
    from rich.table import Table

    from flows.show import plain, screen

    for line in _about_pilot(told):
        screen.print(plain(line), soft_wrap=True)
    table = Table("the whole run", "from", "about", "to", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, numbers in _rows(told):
        table.add_row(plain(name, style="" if numbers else "bold"), *numbers)
    screen.print(table)
    for line in _chances(told):
        screen.print(plain(line), soft_wrap=True)
    for line in _caveats(told):
        screen.print(plain(line, style="yellow"), soft_wrap=True)


def _about_pilot(told: Piloted) -> Iterator[str]:
    accepted, sent = int(told.pilot.accepted.sum()), told.speed.requests
    yield f"pilot: {accepted} of {len(told.pilot.accepted)} draws accepted; {sent:,} requests sent" + (
        f", {told.there:,} answered before" if told.there else ""
    )


def _rows(told: Piloted) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The lines of the table: a name, and an interval in words; roles apart where there are several."""
    known, recipe = told.estimate, told.recipe
    yield "draws", _whole(known.draws)
    yield "accepted", _whole(known.accepted)
    several = len(known.roles) > 1
    for name, spending in {**({"all roles": known.total} if several else {}), **known.roles}.items():
        yield name, ()
        yield "  requests", _whole(spending.requests)
        yield "  tokens in", _whole(spending.prompt_tokens)
        yield "  tokens out", _whole(spending.completion_tokens)
        if spending.money.high or (name in recipe.models and recipe.models[name].price):
            yield "  money", tuple(f"{each:,.2f}" for each in spending.money)
    if known.hours:
        yield "time", tuple(duration(3600 * each) for each in known.hours)


def _chances(told: Piloted) -> Iterator[str]:
    known, recipe = told.estimate, told.recipe
    if recipe.accepted is None:
        if recipe.budget:
            yield f"chance to stay within the budget: {percent(known.within_budget)}"
        return
    yield f"chance to get {recipe.accepted:,} accepted: {percent(known.chance)}"
    if recipe.available is not None:
        yield f"  within {recipe.available:,} candidates: {percent(known.within_candidates)}"
    if recipe.budget.keys() & {"tokens", "money"}:
        yield f"  within the budget: {percent(known.within_budget)}"


def _caveats(told: Piloted) -> Iterator[str]:
    """What the numbers do not know."""
    recipe, accepted = told.recipe, told.pilot.accepted
    if not accepted.any():
        yield f"none of {len(accepted)} draws was accepted, so this says little: take more with --rows"
    if any(step.order for step in recipe.steps):
        yield "rules that compare with earlier draws lose more as the dataset grows, which a pilot cannot see"
    if recipe.selection:
        yield "the selection looks at the whole version, and chose among the pilot's draws here"
    if told.uncounted:
        yield f"{told.uncounted:,} attempts came without their tokens, and count as none"
    if told.estimate.hours is None:
        yield "all of the pilot was answered before, so nothing is known of the time"
    elif (hours := recipe.budget.get("hours")) and told.estimate.hours.high > hours:
        yield f"it may take longer than budget.hours = {hours:g}"


def percent(share: float) -> str:
    """A chance that was found by simulation: never quite none, never quite certain."""
    return "under 1 %" if share < 0.01 else "over 99 %" if share > 0.99 else f"{share:.0%}".replace("%", " %")


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds == math.inf:
        return "no end"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def _whole(interval: Interval) -> tuple[str, ...]:
    return tuple("no end" if each == math.inf else f"{_rounded(each):,.0f}" for each in interval)


def _rounded(number: float) -> float:
    """To three digits: more would say more than is known."""
    return number if number < 1000 else round(number, 2 - math.floor(math.log10(number)))
