"""What a card tells, read from a version's folder: books, report, sources, models, and a few rows to look at."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipelines.recipe import stage_name
from pipelines.reports.plots import PLOTS
from pipelines.stage import says
from pipelines.stages.table import STAGES
from pipelines.store import connect

if TYPE_CHECKING:
    import duckdb

EXAMPLES = 5  # accepted rows that a card shows
REFUSED = 2  # and rows that were not accepted, each for a reason of its own
CHARACTERS = 4_000  # of one text
QUESTIONS = 50  # that tell the language


class Source(NamedTuple):
    """Where seeds come from, as their rows say."""

    source: str | None
    license: str | None
    problems: int


class Model(NamedTuple):
    """Who answered, and how it was asked."""

    role: str
    model: str
    revision: str | None
    sampling: str  # a JSON object
    prompt: str  # template and digest
    attempts: int


class Said(NamedTuple):
    """What a rule said of a problem, or of the answer that is shown."""

    rule: str
    about: str  # "problem" or "answer"
    status: str
    score: float | None
    value: str | None
    reason: str | None


class Example(NamedTuple):
    """A row to look at: a problem with one answer to it, and why it was accepted or not. Texts are as models wrote
    them, up to a character more than a card shows."""

    problem: str  # its id
    outcome: str  # "accepted", or the rule that took it out
    reason: str | None
    question: str
    reference: str | None
    attempt: str | None  # the id of the answer, None where there is none
    reasoning: str | None
    answer: str | None
    said: Sequence[Said]


class About(NamedTuple):
    """All that a card is made of. Whoever publishes replaces `repo`, `revision` and `configs`."""

    name: str
    version: str
    recipe: Mapping[str, Any]
    prompts: Mapping[str, str]  # the texts of templates, by name
    ledger: Mapping[str, Any]
    report: Mapping[str, Any]  # as reports/version.py makes it
    rows: Mapping[str, int]  # by view
    plots: Sequence[str]  # paths of pictures from the card
    sources: Sequence[Source]
    verifiers: Sequence[str]
    models: Sequence[Model]
    language: str | None  # an ISO 639-1 code
    examples: Sequence[Example]
    refused: Sequence[Example]
    configs: Mapping[str, Sequence[str]]  # by name, paths or patterns of its files from the card
    repo: str | None = None  # OWNER/NAME on the Hub, once it is published
    revision: str | None = None  # its tag there


def about(folder: Path) -> About:
    """What a card tells of the version in `folder`.

    Rows come from version.json, and are none where it is not written yet. Memory does not grow with the version.
    """
    version = folder / "version.json"
    rows = orjson.loads(version.read_bytes())["rows"] if version.is_file() else {}
    connection = connect([folder / "facts"])
    try:
        examples, refused = _examples(connection)
        return About(
            name=folder.parent.name,
            version=folder.name,
            recipe=tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8")),
            prompts=_prompts(folder / "prompts"),
            ledger=orjson.loads((folder / "ledger.json").read_bytes()),
            report=orjson.loads((folder / "report" / "report.json").read_bytes()),
            rows=rows,
            plots=[path for path in map("report/{}.svg".format, PLOTS) if (folder / path).is_file()],
            sources=_sources(connection),
            verifiers=_verifiers(connection),
            models=_models(connection),
            language=_language(connection),
            examples=examples,
            refused=refused,
            configs=local_configs(rows),
        )
    finally:
        connection.close()


def local_configs(rows: Mapping[str, int]) -> dict[str, list[str]]:
    """The files of each view as a version's folder has them; a config may have no slash in its name."""
    return {view.replace("/", "-"): [f"{view}/data-*.arrow"] for view in rows}


def _prompts(folder: Path) -> dict[str, str]:
    paths = sorted(folder.rglob("*.md"))
    return {path.relative_to(folder).with_suffix("").as_posix(): path.read_text(encoding="utf-8") for path in paths}


def funnel(recipe: Mapping[str, Any], ledger: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where candidates went, one step after another as the recipe has them: `step`, how many it `lost`, and `left`.

    What the recipe does not name comes last. After the last step what is left is what was accepted.
    """
    places = {name: place for place, name in reversed([*enumerate(rules_in_order(recipe))])}
    lost = ledger["not_accepted"]
    steps, left = [], ledger["candidates"]
    for step in sorted(lost, key=lambda step: (places.get(step.partition(":")[0], len(places)), step)):
        left -= lost[step]
        steps.append({"step": step, "lost": lost[step], "left": left})
    return steps


def rules_in_order(recipe: Mapping[str, Any]) -> list[str]:
    """The names of the rules of a recipe: of each stage what it says itself, and then the rules that it is given."""
    names: list[str] = []
    for stage in recipe.get("stages", ()):
        names += sorted(says(STAGES[stage["use"]], stage_name(stage))) if stage.get("use") in STAGES else []
        names += [each if isinstance(each, str) else str(each.get("rule")) for each in stage.get("rules", ())]
    return names


# --- From the facts --------------------------------------------------------------------------------------------


def _sources(connection: duckdb.DuckDBPyConnection) -> list[Source]:
    """What the rows that people brought say of themselves; those that models made name their model instead."""
    found = connection.execute(
        "select source, license, count(*) from problems where kind in ('seed', 'task') group by all"
        " order by 3 desc, 1 nulls last, 2 nulls last"
    )
    return [Source(*row) for row in found.fetchall()]


def _verifiers(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = connection.execute("select distinct verifier from problems where verifier is not null order by 1")
    return [name for (name,) in found.fetchall()]


def _models(connection: duckdb.DuckDBPyConnection) -> list[Model]:
    found = connection.execute(
        "select role, model, revision, sampling, prompt, count(*) from attempts group by all order by all"
    )
    return [Model(*row) for row in found.fetchall()]


def _examples(connection: duckdb.DuckDBPyConnection) -> tuple[list[Example], list[Example]]:
    """Rows that were accepted, by chance (ids are digests) and of as many domains as there are, and rows that were
    not: of each of the most frequent outcomes one, where there is a problem to show."""
    accepted, refused = (connection.execute(query).fetchall() for query in (_ACCEPTED, _REFUSED))
    draws = [draw for _, draw, _, _ in accepted + refused]
    for name in ("problems", "attempts", "verdicts"):
        connection.execute(f"create temp table shown_{name} as select * from {name} where draw in $1", [draws])
    return [_example(connection, *row) for row in accepted], [_example(connection, *row) for row in refused]


_OUTCOMES = "select p.id, p.draw, v.value, {} from verdicts v join problems p on p.id = v.subjects[1]"

_ACCEPTED = f"""
{_OUTCOMES.format("null")} where v.rule = 'accepted@1' and v.status = 'pass'
order by row_number() over (partition by p.domain order by p.id), p.id limit {EXAMPLES}
"""

_REFUSED = f"""
{_OUTCOMES.format("json_extract_string(v.evidence, '$.reason')")}
where v.rule = 'accepted@1' and v.status <> 'pass' and p.kind <> 'pose'
qualify row_number() over (partition by v.value order by p.id) = 1
order by count(*) over (partition by v.value) desc, v.value limit {REFUSED}
"""


def _example(
    connection: duckdb.DuckDBPyConnection, problem: str, _: int, outcome: str, reason: str | None
) -> Example:
    [(question, reference)] = connection.execute(_ASKED, [problem]).fetchall()
    best = connection.execute(_BEST, [problem]).fetchall()
    attempt, reasoning, answer = best[0] if best else (None, None, None)
    said = [Said(*row) for row in connection.execute(_SAID, [problem, attempt]).fetchall()]
    return Example(problem, outcome, reason, question, reference, attempt, reasoning, answer, said)


_ASKED = f"select left(question, {CHARACTERS + 1}), left(answer, {CHARACTERS + 1}) from shown_problems where id = $1"

# The answer that nothing speaks against and most speaks for.
_BEST = f"""
with told as (
    select unnest(subjects) as subject, status, case when starts_with(rule, 'reward@') then score end as reward
    from shown_verdicts
), scores as (
    select subject, count(*) filter (status = 'fail') as against, count(*) filter (status = 'pass') as pro,
        max(reward) as reward from told group by subject
)
select a.id, left(a.turns[-1].reasoning, {CHARACTERS + 1}), left(a.turns[-1].content, {CHARACTERS + 1})
from shown_attempts a left join scores s on s.subject = a.id where a.problem = $1 and a.finish = 'stop'
order by coalesce(s.against, 0), coalesce(s.pro, 0) desc, s.reward desc nulls last, a.sample, a.id limit 1
"""

_SAID = """
select rule, if(list_contains(subjects, $1), 'problem', 'answer'), status, score, value,
    json_extract_string(evidence, '$.reason')
from shown_verdicts
where (list_contains(subjects, $1) or list_contains(subjects, $2)) and rule <> 'accepted@1' order by 2 desc, 1, id
"""


# --- The language ----------------------------------------------------------------------------------------------

ENGLISH = {
    *("a", "an", "and", "are", "by", "for", "from", "how", "if", "in", "is", "it", "of", "on", "or", "than", "that"),
    *("the", "to", "what", "with"),
}
_SCRIPTS = {"ko": [(0xAC00, 0xD7A3)], "ja": [(0x3040, 0x30FF)], "zh": [(0x4E00, 0x9FFF)]}


def _language(connection: duckdb.DuckDBPyConnection) -> str | None:
    found = connection.execute(
        "select left(p.question, 500) from verdicts v join problems p on p.id = v.subjects[1]"
        f" where v.rule = 'accepted@1' and v.status = 'pass' order by v.draw limit {QUESTIONS}"
    )
    return language(question for (question,) in found.fetchall())


def language(questions: Iterable[str]) -> str | None:
    """The language that nine in ten of these texts are in, if it is English, Chinese, Japanese or Korean.

    English is known by its small words, the others by their scripts. None for any other, and where it is mixed.
    """
    counts: dict[str | None, int] = {}
    for question in questions:
        name = _language_of(question)
        counts[name] = counts.get(name, 0) + 1
    name = max(counts, key=counts.__getitem__, default=None)
    return name if name is not None and counts[name] >= 0.9 * sum(counts.values()) else None


def _language_of(text: str) -> str | None:
    letters = [ord(char) for char in text if char.isalpha()]
    for name, ranges in _SCRIPTS.items():  # Japanese has Chinese characters as well, so it comes first
        if sum(low <= char <= high for char in letters for low, high in ranges) > 0.1 * len(letters):
            return name
    words = ["".join(filter(str.isalpha, word)) for word in text.lower().split()]
    return "en" if sum(word in ENGLISH for word in words) > 0.15 * len(words) else None
