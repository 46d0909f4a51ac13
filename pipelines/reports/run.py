"""The report of a run, whether or not it came to a version: `data/runs/NAME/report.html`.

It is made of what the run left in its folder: the timeline, the recipe, the finished shards. So it can be made at any
time again, also of a run that was killed.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipelines.browse.spans import Span, spans_of_run
from pipelines.card.about import funnel
from pipelines.recipe import stage_name
from pipelines.reports import horizon, page
from pipelines.reports.chart import Point, chart, clock, rates
from pipelines.reports.timeline import Told, Wait, read, waits
from pipelines.store import connect, replace

if TYPE_CHECKING:
    import duckdb

REASONS = 30  # of each kind of error, the most frequent
SHORTEST_WAIT = 1.0  # seconds that are worth telling
LOOKED_AT = 1_000  # attempts, for how a model names itself

ENDS = {
    "done": "came to its version",
    "budget": "ended by its budget, with a version of what it had",
    "interrupted": "was stopped by a person; the same command goes on",
    "outage": "ended, for a model did not answer; the same command goes on",
    "spent": "ended by its budget, before a single shard was finished",
    "failed": "failed",
    None: "still runs, or was killed",
}


class Facts(NamedTuple):
    """What the facts of a run say."""

    books: dict[str, Any]  # candidates, accepted, not_accepted
    is_version: bool
    spent: list[tuple[Any, ...]]  # stage, role, model, attempts, cut off, refused, tokens in, tokens out
    refusals: list[tuple[Any, ...]]  # role, reason, attempts
    broken: list[tuple[Any, ...]]  # stage, rule, reason, verdicts
    served: list[tuple[Any, ...]]  # role, model, revision, as the engine names it
    chains: list[horizon.Horizon]  # by their length


def write_report(data: Path, name: str) -> Path:
    """Write the report of the last run of a dataset. Raises FileNotFoundError where none left a timeline."""
    path = data / "runs" / name / "report.html"
    replace(path, report(data, name).encode("utf-8", "replace"))
    return path


def report(data: Path, name: str) -> str:
    """The report as HTML."""
    home = data / "runs" / name
    told = read(home / "timeline.jsonl")
    recipe = _recipe(home)
    facts = facts_of(data, home, told)
    last = told.samples[-1] if told.samples else {}
    waited = [each for each in waits(told.samples) if each.stop - each.start >= SHORTEST_WAIT]
    parts = [
        _head(name, told),
        page.section("How far it came", _numbers(told, last, facts, recipe)),
        page.section("Where the candidates went", *_funnel(recipe, facts)),
        page.section("Chains beside their parts", page.table(horizon.HEADS, [each.row() for each in facts.chains])),
        page.section("Over time", _charts(told.samples, waited)),
        page.section("What it waited for", _waited(waited)),
        page.section("Trouble", *_trouble(last, facts)),
        page.section("What this run sent", _roles(last)),
        page.section("What it costs, by stage and role", _stages(recipe, facts)),
        page.section("Budget", _budget(last.get("budget", {}))),
        page.section("Models and versions", *_versions(told.about, facts)),
    ]
    return page.document(f"{name}: report of a run", parts)


def _recipe(home: Path) -> dict[str, Any]:
    path = home / "recipe.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


# ---------------------------------------------------------------------------------------------------------------
# What the facts say


def facts_of(data: Path, home: Path, told: Told) -> Facts:
    """Of the version that the run came to, else of the shards that it finished."""
    version = (told.ended or {}).get("version")
    folder = data / "datasets" / home.name / str(version)
    if version and (folder / "ledger.json").is_file():
        with connect([folder / "facts"]) as connection:
            return _facts(connection, orjson.loads((folder / "ledger.json").read_bytes()), is_version=True)
    spans = spans_of_run(data, home) if (home / "shards.jsonl").is_file() else []
    with connect([folder for span in spans for folder in span.folders]) as connection:
        return _facts(connection, _open_books(connection, spans), is_version=False)


def _facts(connection: duckdb.DuckDBPyConnection, books: dict[str, Any], *, is_version: bool) -> Facts:
    spent = (
        "select stage, role, model, count(*), count(*) filter (finish = 'length'),"
        " count(*) filter (finish = 'refused'), sum(coalesce(prompt_tokens, 0))::bigint,"
        " sum(coalesce(completion_tokens, 0))::bigint from attempts group by all order by all"
    )
    refused = (
        "select role, json_extract_string(details, '$.reason'), count(*) from attempts where finish = 'refused'"
        f" group by all order by 3 desc, 1, 2 limit {REASONS}"
    )
    broken = (
        "select split_part(stage, '@', 1), rule, json_extract_string(evidence, '$.reason'), count(*) from verdicts"
        f" where status = 'error' and rule <> 'accepted@1' group by all order by 4 desc, 1, 2, 3 limit {REASONS}"
    )
    served = (
        "select distinct role, model, revision, json_extract_string(details, '$.served') as served"
        f" from (select role, model, revision, details from attempts limit {LOOKED_AT}) order by all"
    )
    spent, refused, broken, served = (
        connection.execute(query).fetchall() for query in (spent, refused, broken, served)
    )
    return Facts(books, is_version, spent, refused, broken, served, horizon.horizons(connection))


def _open_books(connection: duckdb.DuckDBPyConnection, spans: Sequence[Span]) -> dict[str, Any]:
    """The books as far as they are: no draw is accepted before there is a version, but some are still in."""
    manifests = [orjson.loads((folder / "manifest.json").read_bytes()) for span in spans for folder in span.folders]
    gone = [verdict for manifest in manifests for _, verdict in manifest["out"]]
    outcomes = connection.execute(
        "select split_part(v.rule, '@', 1) || case v.status when 'fail' then '' else ': ' || v.status end, count(*)"
        " from verdicts v join (select unnest($gone::varchar[]) as id) g using (id) group by 1 order by 2 desc, 1",
        {"gone": gone},
    ).fetchall()
    candidates = sum(len(span.rows) for span in spans)
    return {"candidates": candidates, "accepted": candidates - len(gone), "not_accepted": dict(outcomes)}


# ---------------------------------------------------------------------------------------------------------------
# What a person sees


def _head(name: str, told: Told) -> str:
    how = told.ended or {}
    style = "soft" if how.get("how") == "done" else "warn"
    lines = [f"<h1>{page.text(name)}</h1>", f'<p class="{style}">This run {page.text(ENDS[how.get("how")])}.</p>']
    if how.get("told"):
        lines.append(f"<p>{page.text(how['told'])}</p>")
    made = f", version {how['version']}" if how.get("version") else ""
    lines.append(f'<p class="soft">{page.text(_when(told) + made)}</p>')
    return "".join(lines)


def _when(told: Told) -> str:
    """When it began and ended, in Coordinated Universal Time."""
    began = told.about.get("began", "")
    ended = (told.ended or {}).get("ended")
    if not ended:
        return f"began {_moment(began)}"
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()
    return f"{_moment(began)} to {_moment(ended)}, {clock(seconds)}"


def _moment(iso: str) -> str:
    return f"{iso[:10]} {iso[11:19]} UTC"


def _numbers(told: Told, last: Mapping[str, Any], facts: Facts, recipe: Mapping[str, Any]) -> str:
    target = recipe.get("target", {})
    counts = _sum(last)
    seconds = max(last.get("seconds", 0), 1e-9)
    accepted = facts.books["accepted"]
    candidates = facts.books["candidates"]
    pairs = [
        ("accepted" if facts.is_version else "still in", _of(accepted, target.get("accepted"))),
        ("candidates", _of(candidates, target.get("candidates"))),
        ("acceptance", f"{accepted / candidates:.1%}" if candidates else None),
        ("requests sent", counts["sent"]),
        ("replies from the journal", counts["replayed"]),
        ("tokens out, by this run", counts["completion_tokens"]),
        ("tokens out a second", round(counts["completion_tokens"] / seconds)),
        ("requests a second", round(counts["sent"] / seconds, 1)),
    ]
    return page.numbers((name, value) for name, value in pairs if value is not None)


def _of(number: int, wanted: int | None) -> str:
    return f"{number:,} of {wanted:,}" if wanted else f"{number:,}"


def _sum(sample: Mapping[str, Any]) -> Counter[str]:
    """The counts of all roles together."""
    total: Counter[str] = Counter()
    for counts in sample.get("by_role", {}).values():
        total.update(counts)
    return total


def _funnel(recipe: Mapping[str, Any], facts: Facts) -> Iterator[str]:
    candidates = facts.books["candidates"]
    if not candidates:
        return
    yield page.bar("candidates", f"{candidates:,}", left=1, lost=0)
    for step in funnel(recipe, facts.books):
        left, lost = step["left"] / candidates, step["lost"] / candidates
        yield page.bar(step["step"], f"− {step['lost']:,}", left=left, lost=lost)  # noqa: RUF001
    kept = facts.books["accepted"]
    yield page.bar("accepted" if facts.is_version else "still in", f"{kept:,}", left=kept / candidates, lost=0)


def _charts(samples: Sequence[Mapping[str, Any]], waited: Sequence[Wait]) -> str:
    sums = [(each["seconds"], _sum(each)) for each in samples]
    tokens, sent, under_way = (
        [Point(0, 0), *(Point(seconds, counts[name]) for seconds, counts in sums)]
        for name in ("completion_tokens", "sent", "under_way")
    )
    accepted = [Point(0, 0), *(Point(each["seconds"], each["accepted"]) for each in samples)]
    drawn = [
        chart("tokens out a second", rates(tokens), waited) if tokens[-1].value else "",
        chart("requests a second", rates(sent), waited) if sent[-1].value else "",
        chart("requests under way", under_way, waited),
        chart("accepted so far", accepted, waited),
    ]
    return f'<div class="charts">{"".join(drawn)}</div>' if samples else ""


def _waited(found: Sequence[Wait]) -> str:
    rows = [(clock(each.start), clock(each.stop - each.start), each.what) for each in found]
    return page.table(("after", "for about", "what"), rows)


def _trouble(last: Mapping[str, Any], facts: Facts) -> Iterator[str]:
    """Errors by kind: tries that were repeated, requests that were refused, checks that broke."""
    again = [
        (role, kind.removeprefix("again: "), count)
        for role, counts in last.get("by_role", {}).items()
        for kind, count in sorted(counts.items(), key=lambda each: -each[1])
        if kind.startswith("again: ")
    ]
    yield page.table(("role", "tried again after", "times"), again)
    yield page.table(("role", "refused for good", "attempts"), facts.refusals)
    yield page.table(("stage", "rule that broke", "why", "verdicts"), facts.broken)


def _roles(last: Mapping[str, Any]) -> str:
    names = ("sent", "replayed", "again", "refused", "prompt_tokens", "completion_tokens")
    billed = last.get("budget", {}).get("by_role", {})
    rows = [
        (role, *(counts.get(name, 0) for name in names), billed.get(role, {}).get("money") or None)
        for role, counts in last.get("by_role", {}).items()
    ]
    heads = ("role", "requests", "from the journal", "again", "refused", "tokens in", "tokens out", "money")
    return page.table(heads, rows)


def _stages(recipe: Mapping[str, Any], facts: Facts) -> str:
    """Every draw, whichever run paid for it."""
    order = {stage_name(stage): at for at, stage in enumerate(recipe.get("stages", []))}
    prices = {role: model.get("price", {}) for role, model in recipe.get("models", {}).items()}
    rows = []
    for stage, role, model, attempts, cut, refused, asked, answered in facts.spent:
        price = prices.get(role) or {}
        money = (asked * price.get("input", 0) + answered * price.get("output", 0)) / 1e6 if price else None
        rows.append((stage.partition("@")[0], role, model, attempts, cut, refused, asked, answered, money))
    rows.sort(key=lambda row: (order.get(row[0], len(order)), row))
    heads = ("stage", "role", "model", "attempts", "cut off", "refused", "tokens in", "tokens out", "money")
    return page.table(heads, rows)


def _budget(told: Mapping[str, Any]) -> str:
    """What there was of each thing that is limited, and what is left of it."""
    rows = []
    for name, limit in told.get("limits", {}).items():
        if name in ("hours", "gpu_hours"):
            spent, unknown, before = told.get(name, 0), 0, 0
        else:
            spent, unknown, before = (told.get(part, {}).get(name, 0) for part in ("spent", "unknown", "before"))
        rows.append((name.replace("_", "-"), limit, spent, unknown, before, limit - spent - unknown - before))
    return page.table(("of", "limit", "spent", "perhaps billed, unanswered", "spent before", "left"), rows)


def _versions(about: Mapping[str, Any], facts: Facts) -> Iterator[str]:
    rows = [
        (role, each.get("engine"), each.get("model"), each.get("revision"), each.get("deployment"))
        for role, each in about.get("models", {}).items()
    ]
    yield page.table(("role", "engine", "model", "revision", "deployment"), rows)
    named = [(role, served) for role, _, _, served in facts.served if served]
    yield page.table(("role", "as the engine names it"), named)
    yield page.table(("package", "version"), list(about.get("versions", {}).items()))
