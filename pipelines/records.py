"""The three facts, their Arrow schemas and their ids.

A run is a log of facts, and a dataset is a view of it. A `Problem` is something to be solved, an `Attempt` is one
model's answer to a problem, a `Verdict` is what one check says about either. Facts are plain tuples whose fields
are the columns of their Arrow schema, in the same order; free-form details are JSON text. Facts hold nothing that
depends on when or how fast they were made, so the same recipe over the same replies makes the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import orjson

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1

Status = Literal["pass", "fail", "unsure", "error"]
"""`unsure`: could not be decided; `error`: the check itself broke. Neither ever counts as wrong."""

Finish = Literal["stop", "length", "tool_calls", "refused"]
"""How an attempt ended. `length`: cut at the limit, kept and counted but never exported as an answer.
`refused`: the engine will never answer this request (too long, blocked), for the reason in `details`."""


class Turn(NamedTuple):
    """One message of a conversation. `tool_calls` is the JSON list as the engine gave it."""

    role: str
    content: str | None
    reasoning: str | None = None
    tool_calls: str | None = None


class Problem(NamedTuple):
    """Something to be solved, with what is needed to check an answer to it."""

    id: str
    parents: tuple[str, ...]
    stage: str  # the stage that made it and its version, "pose@1"
    draw: int | None  # its place in the order of the run; None for a seed
    kind: str  # seed, pose, task, ...
    question: str
    answer: str | None  # the reference, or the author's own answer
    verifier: str | None  # a name in filters.verifiers.VERIFIERS
    domain: str | None
    source: str | None
    license: str | None
    details: str  # a JSON object


class Attempt(NamedTuple):
    """One model's answer to a problem, and everything that was asked of it."""

    id: str
    parents: tuple[str, ...]  # the problem, and the attempt that this one continues
    stage: str
    draw: int | None
    problem: str
    sample: int  # 0-based index among the attempts of this stage at this problem
    role: str
    model: str
    revision: str | None
    prompt: str  # template and digest, "solve/boxed@1f2e3d4c"
    sampling: str  # a JSON object
    seed: int
    request: str  # the journal's key of the request, as hex; of an episode all keys, with blanks between them
    turns: tuple[Turn, ...]  # the conversation in full: what was asked, then what was answered
    finish: Finish
    prompt_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None
    details: str

    @property
    def text(self) -> str:
        """The last answer, without its reasoning; empty when there is none."""
        last = self.turns[-1]
        return (last.content or "") if last.role == "assistant" else ""


class Verdict(NamedTuple):
    """What one rule says about one or several facts, and why."""

    id: str
    subjects: tuple[str, ...]
    stage: str
    draw: int | None
    rule: str  # "novelty@1"
    status: Status
    score: float | None
    value: str | None
    context: str  # a JSON object: thresholds, solver, verifier, n and k: what the verdict is relative to
    evidence: str  # a JSON object: why; for other states than `pass` it has a "reason"


Fact = Problem | Attempt | Verdict


class Facts(NamedTuple):
    """Lists of the three facts, as a stage appends them or a shard holds them."""

    problems: list[Problem]
    attempts: list[Attempt]
    verdicts: list[Verdict]

    @staticmethod
    def none() -> Facts:
        return Facts([], [], [])

    def extend(self, more: Facts) -> None:
        for mine, theirs in zip(self, more, strict=True):
            mine.extend(theirs)  # pyright: ignore[reportArgumentType]  # the same kind in both, by position


def to_json(value: Any) -> str:
    """Canonical JSON text: sorted keys, no spaces."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def digest(*parts: Any) -> str:
    """A 128-bit digest, as 32 hex digits, of any JSON values; equal values give equal digests."""
    return hashlib.blake2b(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def problem(
    *,
    parents: Iterable[str],
    stage: str,
    draw: int | None,
    kind: str,
    question: str,
    answer: str | None = None,
    verifier: str | None = None,
    domain: str | None = None,
    source: str | None = None,
    license: str | None = None,
    details: dict[str, Any] | None = None,
) -> Problem:
    """A new problem. Its id covers every field, so that the same thing drawn twice stays two problems."""
    fields = (tuple(parents), stage, draw, kind, question, answer, verifier, domain, source, license)
    fields = (*fields, to_json(details or {}))
    return Problem(digest("problem", fields), *fields)


def attempt(
    *,
    of: Problem,
    stage: str,
    sample: int,
    role: str,
    model: str,
    revision: str | None,
    prompt: str,
    sampling: str,
    seed: int,
    request: str,
    turns: Sequence[Turn],
    finish: Finish,
    prompt_tokens: int | None = None,
    completion_tokens: int | None = None,
    reasoning_tokens: int | None = None,
    continues: Attempt | None = None,
    details: str = "{}",
) -> Attempt:
    """A new attempt at `of`. Its id covers parents, stage, request, sample and the answer, never the recipe."""
    parents = (of.id,) if continues is None else (of.id, continues.id)
    return Attempt(
        digest("attempt", parents, stage, request, sample, tuple(turns[-1]), finish),
        parents,
        stage,
        of.draw,
        of.id,
        sample,
        role,
        model,
        revision,
        prompt,
        sampling,
        seed,
        request,
        tuple(turns),
        finish,
        prompt_tokens,
        completion_tokens,
        reasoning_tokens,
        details,
    )


def continuation(
    by: Attempt, *, of: Problem, before: Attempt, sample: int, turns: Sequence[Turn], details: str
) -> Attempt:
    """What `by` made of `before`, as an attempt at `of`: who was asked, how, and what it cost is told of `by`."""
    parents = (of.id, before.id)
    return by._replace(
        id=digest("attempt", parents, by.stage, by.request, sample, tuple(turns[-1]), by.finish),
        parents=parents,
        draw=of.draw,
        problem=of.id,
        sample=sample,
        turns=tuple(turns),
        details=details,
    )


def verdict(
    *,
    subjects: Iterable[str],
    stage: str,
    draw: int | None,
    rule: str,
    status: Status,
    score: float | None = None,
    value: str | None = None,
    context: dict[str, Any] | None = None,
    evidence: dict[str, Any] | None = None,
) -> Verdict:
    """A new verdict on `subjects`; its id covers every field but the evidence."""
    fields = (tuple(subjects), stage, draw, rule, status, score, value, to_json(context or {}))
    return Verdict(digest("verdict", fields), *fields, to_json(evidence or {}))


# ---------------------------------------------------------------------------------------------------------------
# Arrow


def schema(kind: type[Problem] | type[Attempt] | type[Verdict]) -> pa.Schema:
    """The explicit schema of one kind of fact: every column present and typed, nothing inferred."""
    import pyarrow as pa

    text, texts, integer = pa.string(), pa.list_(pa.string()), pa.int64()
    # 64-bit offsets for texts: a table of long thoughts may pass 2 GiB.
    long = pa.large_string()
    turn = pa.struct([("role", text), ("content", long), ("reasoning", long), ("tool_calls", long)])
    special = {
        "parents": texts,
        "subjects": texts,
        "draw": integer,
        "sample": pa.int32(),
        "seed": integer,
        "prompt_tokens": integer,
        "completion_tokens": integer,
        "reasoning_tokens": integer,
        "score": pa.float64(),
        "question": long,
        "details": long,
        "context": long,
        "evidence": long,
        "turns": pa.list_(turn),
    }
    columns = [pa.field(name, special.get(name, text)) for name in kind._fields]
    return pa.schema(columns, metadata={"thoughtmill.schema": f"{kind.__name__}@{SCHEMA_VERSION}"})


def to_table(kind: type[Problem] | type[Attempt] | type[Verdict], facts: Sequence[Fact]) -> pa.Table:
    """Facts of one kind as an Arrow table with one row each, in the given order."""
    import pyarrow as pa

    wanted = schema(kind)
    if not facts:
        return wanted.empty_table()
    columns = zip(*facts, strict=True)
    arrays = [
        _turns_array(column, field.type) if field.name == "turns" else pa.array(column, field.type)
        for column, field in zip(columns, wanted, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=wanted)


def _turns_array(column: Sequence[tuple[Turn, ...]], kind: pa.ListType) -> pa.Array:
    """Column by column, since pyarrow reads a tuple inside a struct as a key and a value."""
    import pyarrow as pa

    offsets = [0]
    for turns in column:
        offsets.append(offsets[-1] + len(turns))
    parts = zip(*(turn for turns in column for turn in turns), strict=True)
    struct = kind.value_type
    fields = [struct.field(i) for i in range(struct.num_fields)]
    arrays = [pa.array(part, field.type) for part, field in zip(parts, fields, strict=True)]
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(arrays, fields=fields), type=kind)


def from_table(kind: type[Any], table: pa.Table) -> list[Any]:
    """The facts in a table written by `to_table`."""
    columns = [table.column(name).to_pylist() for name in kind._fields]
    for i, name in enumerate(kind._fields):
        if name in ("parents", "subjects"):
            columns[i] = [tuple(ids) for ids in columns[i]]
        elif name == "turns":
            columns[i] = [tuple(Turn(**turn) for turn in turns) for turns in columns[i]]
    return [kind(*row) for row in zip(*columns, strict=True)]
