"""What a version says of a way of posing, beside others: coverage, reliability, difficulty, diversity, cost.

Everything is read from the facts of the version, so that it comes out the same whoever measures it, and when.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import orjson

from filters.answers import wilson
from filters.chunks import chunks
from filters.embedding import AT_ONCE, DECIMALS, WORDS, cosines, embedder
from filters.near_duplicates import not_near_duplicate
from filters.rule import Case
from filters.words import words
from pipelines.records import Problem, from_table
from pipelines.store import connect

_ACCEPTED = """
    select p.* from problems p join verdicts v on v.subjects[1] = p.id
    where v.rule = 'accepted@1' and v.status = 'pass' order by v.draw
"""
_DOMAINS = """
    select distinct s.domain from verdicts v join problems p on p.draw = v.draw join problems s
    on list_contains(p.parents, s.id) and s.draw is null and s.domain is not null
    where v.rule = 'accepted@1' and v.status = 'pass'
"""
_SAID = """
    with accepted as (select subjects[1] as id from verdicts where rule = 'accepted@1' and status = 'pass')
    select v.status, v.score from verdicts v join accepted a on v.subjects[1] = a.id
    where len(v.subjects) = 1 and split_part(v.rule, '@', 1) = ? order by v.draw
"""
_SOLVED = """
    with accepted as (select subjects[1] as id from verdicts where rule = 'accepted@1' and status = 'pass')
    select t.role, t.model, t.revision, t.sampling, t.prompt, t.turns[-1].content, t.problem from attempts t
    join accepted a on t.problem = a.id where split_part(t.stage, '@', 1) = ? and t.finish = 'stop'
    order by t.draw, t.sample
"""


def measured(folder: Path, *, reliability: str, solve: str) -> dict[str, Any]:
    """The measures of the version in `folder`.

    `reliability` is the rule that says whether solutions of a problem agree, `solve` the stage that they are from.
    """
    books = orjson.loads((folder / "ledger.json").read_bytes())
    connection = connect([folder / "facts"])
    try:
        problems: list[Problem] = from_table(Problem, connection.sql(_ACCEPTED).to_arrow_table())
        said = connection.execute(_SAID, [reliability]).fetchall()
        domains = connection.execute(_DOMAINS).fetchall()
        solved = connection.execute(_SOLVED, [solve]).fetchall()
    finally:
        connection.close()
    return {
        "draws": books["candidates"],
        "accepted": books["accepted"],
        "coverage": {"distinct": _distinct(problems), "rule": "not_near_duplicate"},
        "reliability": {"rule": reliability, **_reliability([status for status, _ in said])},
        "difficulty": _difficulty([score for _, score in said if score is not None], solved),
        "diversity": {**_diversity(problems), "domains": len(domains)},
        "cost": _cost(books),
    }


def accepted_ids(folder: Path) -> list[str]:
    """The problems that a version accepted, in the order of their draws."""
    connection = connect([folder / "facts"])
    try:
        return [row[0] for row in connection.execute(f"select id from ({_ACCEPTED})").fetchall()]
    finally:
        connection.close()


def _distinct(problems: Iterable[Problem]) -> int:
    """How many questions are none of those before over again."""
    memory, count = not_near_duplicate(), 0
    for each in problems:
        if memory.judge(Case(each)).status == "pass":
            memory.remember(each.question)
            count += 1
    return count


def _reliability(statuses: Sequence[str]) -> dict[str, Any]:
    """The share of problems that passed, of those that could be decided; the others are told, and never count."""
    k, n = statuses.count("pass"), statuses.count("pass") + statuses.count("fail")
    low, high = wilson(k, n)
    return {"k": k, "n": n, "undecided": len(statuses) - n, "share": k / n if n else None, "low": low, "high": high}


def _difficulty(scores: Sequence[float], solved: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """How far solutions disagree, and how long they are: relative to who solved, and how."""
    solvers = sorted(
        {(role, model, revision or "", sampling, prompt) for role, model, revision, sampling, prompt, *_ in solved}
    )
    return {
        "value": 1 - fmean(scores) if scores else None,
        "n": len(scores),
        "words": fmean(len(words(text or "")) for *_, text, _ in solved) if solved else None,
        "solvers": [
            dict(zip(("role", "model", "revision", "sampling", "prompt"), each, strict=True)) for each in solvers
        ],
    }


def _diversity(problems: Sequence[Problem]) -> dict[str, Any]:
    """How far each question is from the nearest other one, as the cosine of their words."""
    nearest = list(_nearest([each.question for each in problems])) if len(problems) > 1 else []
    return {
        "distance": 1 - fmean(nearest) if nearest else None,
        "embedder": WORDS,
    }


def _nearest(questions: Sequence[str]) -> Iterator[float]:
    """Of each question the highest cosine with another."""
    import numpy as np

    vectors, begin = embedder(WORDS)(questions), 0
    for block in chunks(range(len(questions)), AT_ONCE):
        similar = cosines(vectors[list(block)], vectors)
        similar[np.arange(len(similar)), np.arange(begin, begin + len(similar))] = -1.0
        yield from similar.max(axis=1).round(DECIMALS).tolist()
        begin += len(similar)


def _cost(books: Mapping[str, Any]) -> dict[str, Any]:
    """What all that was asked came to, by all roles; by row, of those that were accepted."""
    told = {
        key: sum(each[key] for each in books["models"].values()) for key in ("prompt_tokens", "completion_tokens")
    }
    told["requests"] = sum(each["attempts"] for each in books["models"].values())
    if any("cost" in each for each in books["models"].values()):
        told["money"] = sum(each.get("cost", 0) for each in books["models"].values())
    rows = books["accepted"]
    return {**told, "tokens_a_row": told["completion_tokens"] / rows if rows else None}


# --- As a table -----------------------------------------------------------------------------------------------

COLUMNS = (
    "recipe",
    "policy",
    "draws",
    "accepted",
    "coverage",
    "reliability",
    "undecided",
    "difficulty",
    "words",
    "diversity",
    "domains",
    "tokens",
    "tokens a row",
)


def as_markdown(told: Mapping[str, Any]) -> str:
    """A comparison as a page."""
    lines = [
        f"# {told['name']}",
        "",
        f"Each recipe is cut before the draw whose answers would make it more than {told['tokens']:,} tokens; what is"
        " left of them is less than one draw, unless there were no more draws.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---|' * len(COLUMNS)}",
        *(f"| {' | '.join(row)} |" for row in rows(told)),
        "",
        "coverage: accepted questions that are no near duplicate of one before. reliability: of the decided ones,"
        f" those that the rule `{told['reliability']}` passes, with its 95 % interval. difficulty: one minus the mean"
        " share of solutions that agree; words: of a solution. diversity: mean distance to the nearest other"
        " question; domains: of the seeds. All policies of a recipe are about the same draws.",
    ]
    return "\n".join(lines) + "\n"


def rows(told: Mapping[str, Any]) -> Iterator[list[str]]:
    """The rows of the table, as text."""
    for name, policies in told["recipes"].items():
        for policy, each in policies.items():
            share, cost = each["reliability"], each["cost"]
            sure = f" ({share['low']:.2f} to {share['high']:.2f})" if share["n"] else ""
            yield [
                name,
                policy,
                f"{each['draws']:,}",
                f"{each['accepted']:,}",
                f"{each['coverage']['distinct']:,}",
                f"{_number(share['share'])}{sure}",
                f"{share['undecided']:,}",
                _number(each["difficulty"]["value"]),
                _number(each["difficulty"]["words"], 0),
                _number(each["diversity"]["distance"]),
                f"{each['diversity']['domains']:,}",
                f"{cost['completion_tokens']:,}",
                _number(cost["tokens_a_row"], 0),
            ]


def _number(value: float | None, decimals: int = 2) -> str:
    return "-" if value is None else f"{value:,.{decimals}f}"
