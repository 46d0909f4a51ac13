"""What a run will take, from a small pilot of its first draws: intervals, and the chance to get there.

Everything that is not known of the run is drawn many times: how often a draw is accepted, from the posterior of the
pilot's count; what draws cost, by a Bayesian bootstrap (Rubin 1981) of the pilot's draws, those that were accepted
apart from the others; and then the run itself, as far as the target and the cap let it go. A pilot has seen neither
the longest nor the shortest draw, so each bootstrap holds one more on either side, which counts half.

An interval is meant to hold in at least 80 of 100 runs. Where lengths are bounded it does so in nearly 90; where they
are heavy-tailed a pilot of ten knows less of them than it seems, and it comes to about 80.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.records import Attempt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COSTS = 3  # requests, prompt tokens, completion tokens
SIMULATED = 2_000  # runs
TAIL, OF_SMALL = 0.06, 0.2  # what lies beyond each end of an interval: TAIL - OF_SMALL / draws of the pilot
UNSEEN = 0.5  # how much a draw counts that the pilot has not seen
MOST = 1e12  # draws; an interval that reaches it has no end


class Pilot(NamedTuple):
    """The first draws of a run: whether each was accepted, and what it cost."""

    roles: Sequence[str]
    accepted: NDArray[np.bool_]  # (draws,)
    costs: NDArray[np.float64]  # (draws, roles, COSTS)


class Speed(NamedTuple):
    """How fast the pilot's requests went."""

    seconds: float  # from the first request to the last answer, by the wall clock
    requests: int  # that were sent meanwhile, and not read from the journal
    latency: Mapping[str, float]  # seconds of one request, by role, where it is known


class Plan(NamedTuple):
    """How far the run goes, and what may be spent."""

    accepted: int | None = None
    candidates: int | None = None
    shard: int = 1  # draws that are begun together
    window: int = 1  # draws that are begun before any is finished
    prices: Mapping[str, Mapping[str, float]] = {}  # per million tokens: input, output
    places: Mapping[str, int] = {}  # requests of a role at once
    budget: Mapping[str, float] = {}  # tokens, money


class Interval(NamedTuple):
    low: float
    middle: float
    high: float


class Spending(NamedTuple):
    """What one role takes, or all of them."""

    requests: Interval
    prompt_tokens: Interval
    completion_tokens: Interval
    money: Interval


class Estimate(NamedTuple):
    """What the whole run will take, the pilot's draws included, and the chance that it gets the rows asked for."""

    draws: Interval  # of the version
    accepted: Interval
    total: Spending
    roles: dict[str, Spending]
    hours: Interval | None  # that are still to come; None when the pilot sent nothing
    chance: float
    within_candidates: float
    within_budget: float


def pilot_of(attempts: Collection[Attempt], *, draws: int, accepted: Collection[int], roles: Sequence[str]) -> Pilot:
    """The pilot that the draws before `draws` make, of which `accepted` are. A request of several samples is one.

    In an episode each message is the reply to a request.
    """
    import numpy as np

    costs = np.zeros((draws, len(roles), COSTS))
    requests: dict[tuple[int, int], set[str]] = defaultdict(set)
    for each in attempts:
        if each.draw is not None and each.draw < draws:
            at = each.draw, roles.index(each.role)
            requests[at].add(each.request)
            replies = sum(turn.role == "assistant" for turn in each.turns)
            costs[at] += (replies - 1, each.prompt_tokens or 0, each.completion_tokens or 0)
    for at, sent in requests.items():
        costs[at][0] += len(sent)
    return Pilot(roles, np.isin(np.arange(draws), list(accepted)), costs)


def estimate(
    pilot: Pilot, plan: Plan, *, speed: Speed | None = None, seed: int = 0, simulated: int = SIMULATED
) -> Estimate:
    """Simulate the run so many times; the same arguments give the same estimate. Raises ValueError for no pilot."""
    import numpy as np

    if not len(pilot.accepted):
        raise ValueError("the pilot has no draws: say --rows 20")
    runs = _simulated(pilot, plan, np.random.default_rng(seed), simulated)
    tail = max(TAIL - OF_SMALL / len(pilot.accepted), TAIL / 3)
    prices = np.array([_price(plan.prices.get(role, {})) for role in pilot.roles])
    roles = {role: _spending(runs, [i], prices, tail) for i, role in enumerate(pilot.roles)}
    total = _spending(runs, range(len(pilot.roles)), prices, tail)
    enough = np.ones(simulated, bool) if plan.accepted is None else runs.accepted >= plan.accepted
    paid = _within(runs, prices, plan.budget)
    return Estimate(
        draws=_interval(runs.draws, runs.draws, tail),
        accepted=_interval(runs.accepted, runs.accepted, tail),
        total=total,
        roles=roles,
        hours=_hours(runs, pilot, plan, speed, tail),
        chance=float((enough & paid).mean()),
        within_candidates=float(enough.mean()),
        within_budget=float(paid.mean()),
    )


# ---------------------------------------------------------------------------------------------------------------
# Runs that might be


class _Runs(NamedTuple):
    """Simulated runs. What is paid lies between `least`, whole shards, and `most`, all that may have been begun."""

    draws: NDArray[np.float64]  # (runs,)
    accepted: NDArray[np.float64]
    least: NDArray[np.float64]  # (runs, roles, COSTS)
    most: NDArray[np.float64]


def _simulated(pilot: Pilot, plan: Plan, rng: np.random.Generator, times: int) -> _Runs:
    import numpy as np

    n, k = len(pilot.accepted), int(pilot.accepted.sum())
    # Jeffreys' prior; a pilot that accepted nothing leaves no lower bound with it, so it counts as half a row more.
    rate = rng.beta(max(k, 0.5) + 0.5, n - k + 0.5, times)
    limit = MOST if plan.candidates is None else max(plan.candidates, n)
    kept, lost = _to_the_target(rate, n, k, plan.accepted, limit, rng)
    draws = n + kept + lost
    if plan.accepted is not None and k >= plan.accepted:
        draws[:] = np.flatnonzero(pilot.accepted)[plan.accepted - 1] + 1
    whole = np.minimum(np.ceil(draws / plan.shard) * plan.shard, limit)
    at_once = min(plan.window, limit if plan.accepted is None else 2 * plan.accepted + plan.shard)
    begun = np.clip(at_once, whole, limit)
    groups = _groups(pilot, rng, times)
    least = pilot.costs.sum(0) + _costs(pilot, groups, kept, lost, rng)
    least = least + _beyond(pilot, groups, rate, whole - np.maximum(draws, n), rng)
    most = least + _beyond(pilot, groups, rate, begun - np.maximum(whole, n), rng)
    reached = k + kept if plan.accepted is None else np.minimum(k + kept, plan.accepted)
    return _Runs(draws, reached, least, most)


def _to_the_target(
    rate: NDArray[np.float64], n: int, k: int, accepted: int | None, limit: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many draws after the pilot are kept, and how many are lost, until there are enough or no more."""
    import numpy as np

    if accepted is None:
        kept = rng.binomial(int(limit - n), rate).astype(float)
        return kept, limit - n - kept
    missing = max(accepted - k, 0)
    if not missing:
        return np.zeros_like(rate), np.zeros_like(rate)
    # Negative binomial, as the Poisson of a gamma: NumPy's own refuses rates near 0.
    lost = rng.poisson(np.minimum(rng.gamma(missing, (1 - rate) / rate), MOST)).astype(float)
    over = n + missing + lost > limit
    few = np.minimum(rng.binomial(int(limit - n), rate), missing - 1).astype(float)
    kept = np.where(over, few, missing)
    return kept, np.where(over, limit - n - kept, lost)


class _Group(NamedTuple):
    """Draws that a bootstrap draws from, with the weight of each in each run."""

    costs: NDArray[np.float64]  # (draws, roles * COSTS)
    weights: NDArray[np.float64]  # (runs, draws)


def _groups(pilot: Pilot, rng: np.random.Generator, times: int) -> tuple[_Group, _Group]:
    """The draws that were accepted and those that were not, each with those that the pilot did not see."""
    costs = pilot.costs.reshape(len(pilot.costs), -1)
    # Where none was accepted, one would be like those that went furthest; where none was lost, like any.
    furthest = costs[costs.sum(1) == costs.sum(1).max()]
    kept = costs[pilot.accepted] if pilot.accepted.any() else furthest
    lost = costs if pilot.accepted.all() else costs[~pilot.accepted]
    return (
        _group(kept, [_far(kept)], rng, times),
        _group(lost, [costs.max(0).clip(_far(lost)), costs.min(0)], rng, times),
    )


def _far(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """A draw as far beyond the most expensive as that is beyond the median."""
    import numpy as np

    return 2 * costs.max(0) - np.median(costs, axis=0)


def _group(
    costs: NDArray[np.float64], unseen: list[NDArray[np.float64]], rng: np.random.Generator, times: int
) -> _Group:
    import numpy as np

    shapes = np.array([1.0] * len(costs) + [UNSEEN] * len(unseen))
    weights = rng.gamma(shapes, size=(times, len(shapes)))
    return _Group(np.vstack([costs, *unseen]), weights / weights.sum(1, keepdims=True))


def _costs(
    pilot: Pilot,
    groups: tuple[_Group, _Group],
    kept: NDArray[np.float64],
    lost: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """What so many draws of either kind cost in each run."""
    drawn = [
        rng.multinomial(many.astype(int), group.weights) @ group.costs
        for many, group in zip((kept, lost), groups, strict=True)
    ]
    return (drawn[0] + drawn[1]).reshape(len(kept), *pilot.costs.shape[1:])


def _beyond(
    pilot: Pilot,
    groups: tuple[_Group, _Group],
    rate: NDArray[np.float64],
    draws: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """What draws cost that are begun after the last that is needed."""
    more = draws.clip(0)
    kept = rng.binomial(more.astype(int), rate).astype(float)
    return _costs(pilot, groups, kept, more - kept, rng)


# ---------------------------------------------------------------------------------------------------------------
# What they tell


def _spending(runs: _Runs, roles: Sequence[int] | range, prices: NDArray[np.float64], tail: float) -> Spending:
    least, most = runs.least[:, roles], runs.most[:, roles]
    requests, asked, answered = (_interval(least[..., i].sum(1), most[..., i].sum(1), tail) for i in range(COSTS))
    money = _interval(_money(least, prices[roles]), _money(most, prices[roles]), tail)
    return Spending(requests, asked, answered, money)


def _money(costs: NDArray[np.float64], prices: NDArray[np.float64]) -> NDArray[np.float64]:
    return (costs[..., 1:] * prices).sum((1, 2))


def _interval(least: NDArray[np.float64], most: NDArray[np.float64], tail: float) -> Interval:
    import numpy as np

    low, middle, high = np.quantile(least, tail), np.median((least + most) / 2), np.quantile(most, 1 - tail)
    return Interval(float(low), float(middle), float(high) if high < MOST else float("inf"))


def _price(price: Mapping[str, float]) -> tuple[float, float]:
    """For one token in, and one out."""
    return price.get("input", 0) / 1e6, price.get("output", 0) / 1e6


def _within(runs: _Runs, prices: NDArray[np.float64], budget: Mapping[str, float]) -> Any:
    """Which runs stay within the budget of tokens and money."""
    import numpy as np

    tokens = runs.least[..., 1:].sum((1, 2))
    return (tokens <= budget.get("tokens", np.inf)) & (_money(runs.least, prices) <= budget.get("money", np.inf))


def _hours(runs: _Runs, pilot: Pilot, plan: Plan, speed: Speed | None, tail: float) -> Interval | None:
    """From as fast as places and the pilot's latency allow, to no faster than the pilot itself."""
    import numpy as np

    if speed is None or not speed.requests:
        return None
    paid = pilot.costs.sum(0)[:, 0]
    left_least, left_most = (runs.least[..., 0] - paid).clip(0), (runs.most[..., 0] - paid).clip(0)
    known = [speed.latency.get(role, 0.0) / plan.places.get(role, 1) for role in pilot.roles]
    slowest = left_most.sum(1) * speed.seconds / speed.requests / 3600
    fastest = np.minimum((left_least * known).max(1) / 3600, slowest)
    return _interval(fastest, slowest, tail)
