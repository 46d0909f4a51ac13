"""Sources: the stages that make the draws of a run."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from filters.verifiers import VERIFIERS
from pipelines.brought import Given, brought, listed, responses_of
from pipelines.inference.model import seed_of
from pipelines.records import Facts, Problem, problem
from pipelines.rows import BadRows, Rows, Seeds
from pipelines.stage import Run, Shard, Step
from pipelines.store import Output


async def draw(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    seeds: Seeds,
    per_problem: int = 2,
    within: str = "",
    in_turn: bool = False,
    also: Seeds | None = None,
    also_per_problem: int = 2,
) -> Output:
    """Draw `per_problem` seeds for each new problem to be posed; every draw is a problem of kind `pose`.

    With `within = "domain"` all seeds of a draw are of one domain (or category), the first one's; with `in_turn`
    every seed is drawn once, in an order by chance, before any is drawn again. Of the seeds of a draw
    `also_per_problem` come from `also`, if that is given, and stand anywhere among the others: what machines wrote in
    an earlier round, as Self-Instruct has it (arXiv 2212.10560, section 2.2). `also` is taken as a whole. The
    question of a draw is the list of its seeds, as prompts show it (CoT-Self-Instruct, 2507.23751, section 3.1).
    """
    own = per_problem - (also_per_problem if also else 0)
    facts = Facts.none()
    for index in range(shard.start, shard.stop):
        if in_turn:
            places = [turn(seeds, index, run.seed)]
        else:
            places = choose(seeds, index, run.seed, per_problem=own, within=within)
        drawn = [seeds.problem(i) for i in places]
        if also:
            drawn = _mixed(drawn, also, also_per_problem, random.Random(seed_of(run.seed, "also", index)))
        known = {seed.id for seed in facts.problems}
        facts.problems.extend(seed for seed in drawn if seed.id not in known)
        facts.problems.append(_pose(drawn, step.label, index, domain=drawn[0].domain if within else None))
    return Output(facts, [each.id for each in facts.problems if each.kind == "pose"])


def check_draw(given: Mapping[str, Any]) -> None:
    """Raises ValueError where there are too few seeds for a draw, or what it is given cannot go together."""
    seeds, per_problem, within = given["seeds"], given["per_problem"], given["within"]
    _check_also(given)
    if given["in_turn"] and (per_problem > 1 or within):
        raise ValueError("in_turn draws one seed at a time, from all: say per_problem = 1, and no within")
    if not 1 <= per_problem <= len(seeds.rows):
        raise ValueError(f"per_problem = {per_problem}, and there are {len(seeds.rows)} seeds")
    if within not in ("", "domain"):
        raise ValueError(f"within = {within!r}; it may be 'domain', or be left out")
    small = [repr(domain) for domain, rows in seeds.by_domain.items() if len(rows) < per_problem]
    if within and small:
        raise ValueError(f"per_problem = {per_problem}, and there are fewer seeds in the domain {', '.join(small)}")


def _check_also(given: Mapping[str, Any]) -> None:
    also, how_many, per_problem = given["also"], given["also_per_problem"], given["per_problem"]
    if also and not 1 <= how_many <= min(len(also.distinct), per_problem - 1):
        there = f"per_problem = {per_problem}, and there are {len(also.distinct)} in also"
        raise ValueError(f"also_per_problem = {how_many} of {there}")
    if also and given["within"]:
        raise ValueError("also knows no domain: leave out within")


def check_bring(given: Mapping[str, Any]) -> None:
    """Raises ValueError for an unknown verifier."""
    if given["verifier"] not in VERIFIERS:
        raise ValueError(f"no verifier {given['verifier']!r}; there are: {', '.join(VERIFIERS)}")


def choose(seeds: Seeds, draw: int, run_seed: int, *, per_problem: int, within: str) -> list[int]:
    """The rows of a draw's seeds: a function of the run's seed, the draw and the seeds up to its batch."""
    batch = seeds.batch_of(draw)
    chance = random.Random(seed_of(run_seed, "draw", batch, draw))
    count = seeds.batches[batch]["count"]
    if not within:
        return chance.sample(range(count), per_problem)
    first = chance.randrange(count)
    same = [i for i in seeds.by_domain[seeds.domain(first)] if i < count and i != first]
    return [first, *chance.sample(same, per_problem - 1)]


def turn(seeds: Seeds, draw: int, run_seed: int) -> int:
    """The row whose turn it is, since the draws of this batch of seeds began: a pass over all after the other."""
    batch = seeds.batch_of(draw)
    count = seeds.batches[batch]["count"]
    passes, place = divmod(draw - seeds.batches[batch]["first_draw"], count)
    return _shuffled(seed_of(run_seed, "turn", batch, passes), count)[place]


@lru_cache(maxsize=4)
def _shuffled(seed: int, count: int) -> list[int]:
    return random.Random(seed).sample(range(count), count)


def _mixed(drawn: list[Problem], also: Seeds, how_many: int, chance: random.Random) -> list[Problem]:
    """The drawn ones with so many of the others among them."""
    mixed = [*drawn, *map(also.problem, chance.sample(also.distinct, how_many))]
    return chance.sample(mixed, len(mixed))


def _pose(drawn: list[Problem], stage: str, index: int, *, domain: str | None) -> Problem:
    name = "question" if drawn[0].answer else "task"
    listed = [f"Seed {name} {i}:\n{seed.question}" for i, seed in enumerate(drawn, start=1)]
    return problem(
        parents=[seed.id for seed in drawn],
        stage=stage,
        draw=index,
        kind="pose",
        question="\n\n".join(listed),
        domain=domain,
    )


async def bring(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    rows: Rows,
    model: str = "",
    verifier: str = "math",
    keep: list[str] = [],  # noqa: B006 (never changed)
) -> Output:
    """Import existing problems, and with them responses, correctness and rewards, as facts; one row is one draw.

    Columns, by the names that `columns` gives them: question; answer; responses (a text, a conversation that ends
    with the assistant's turn, or a list of these); correct (a boolean or a list) and rewards (a number or a list;
    lists of one number are read as that number), one for each response; domain, source, license, verifier, id.
    What else rows tell in the columns of `keep` goes into the problem's details, if it is there.
    """
    facts = Facts.none()
    for index in range(shard.start, shard.stop):
        facts.extend(brought(_given(rows, index, verifier, keep), draw=index, stage=step.label, model=model))
    return Output(facts, [each.id for each in facts.problems])


def _given(rows: Rows, index: int, verifier: str, keep: Sequence[str]) -> Given:
    """A row as people hand it over. Raises BadRows for an unknown verifier."""
    seed = Seeds.problem_of(rows, index)
    name = rows.text(index, "verifier")
    if name is not None and name not in VERIFIERS:
        raise BadRows(f"{rows.where(index)}: no verifier {name!r}; there are: {', '.join(VERIFIERS)}")
    return Given(
        where=rows.where(index),
        question=seed.question,
        answer=seed.answer,
        verifier=name or verifier,
        domain=seed.domain,
        source=seed.source,
        license=seed.license,
        id=rows.field(index, "id"),
        responses=responses_of(rows.field(index, "responses")),
        correct=listed(rows.field(index, "correct")),
        rewards=listed(rows.field(index, "rewards")),
        kept={name: value for name in keep if (value := rows.field(index, name)) is not None},
    )
