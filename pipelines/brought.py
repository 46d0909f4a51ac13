"""Rows that people hand over, as facts: a problem, the responses to it, and what is said of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from filters.verifiers.reading import is_several, kind_of, messages
from pipelines.records import (
    Attempt,
    Facts,
    Problem,
    Status,
    Turn,
    Verdict,
    attempt,
    digest,
    problem,
    to_json,
    verdict,
)
from pipelines.rows import BadRows


class Given(NamedTuple):
    """A row. `responses`, `correct` and `rewards` are lists of one length, or empty."""

    where: str  # in the words of an error message
    question: str
    answer: str | None = None
    verifier: str | None = None
    domain: str | None = None
    source: str | None = None
    license: str | None = None
    id: Any = None
    responses: Sequence[Any] = ()
    correct: Sequence[Any] = ()
    rewards: Sequence[Any] = ()
    kept: Mapping[str, Any] = {}  # what else the row tells, for the details of its problem


def listed(value: Any) -> list[Any]:
    """One value, or several, as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def responses_of(value: Any) -> list[Any]:
    """One response, which may be a conversation, or several, as a list."""
    if value is None:
        return []
    return value if is_several(value) else [value]


def brought(row: Given, *, draw: int, stage: str, model: str = "") -> Facts:
    """The facts of a row. Raises BadRows for what is no response, no truth or no number."""
    task = problem(
        parents=(),
        stage=stage,
        draw=draw,
        kind="task",
        question=row.question,
        answer=row.answer,
        verifier=row.verifier,
        domain=row.domain,
        source=row.source,
        license=row.license,
        details={**row.kept, "id": row.id},
    )
    attempts = [_response(task, stage, sample, text, model, row.where) for sample, text in enumerate(row.responses)]
    return Facts([task], attempts, [*_told(row, "correct", attempts, stage), *_told(row, "rewards", attempts, stage)])


def _response(task: Problem, stage: str, sample: int, said: Any, model: str, where: str) -> Attempt:
    turns = _turns(task, said)
    if turns is None:
        wanted = "text, or messages of which the last is the assistant's"
        raise BadRows(f"{where}: response {sample} should be {wanted}, not {kind_of(said)}")
    return attempt(
        of=task,
        stage=stage,
        sample=sample,
        role="given",
        model=model or "unknown",
        revision=None,
        prompt="given",
        sampling="{}",
        seed=0,
        request=digest("given", task.id, sample),
        turns=turns,
        finish="stop",
    )


def _turns(task: Problem, said: Any) -> list[Turn] | None:
    """A response as a conversation, which begins with the question where it does not begin with somebody's own."""
    if isinstance(said, str):
        return [Turn("user", task.question), Turn("assistant", said)]
    conversation = messages(said)
    if conversation is None or not all(map(_is_message, conversation)):
        return None
    turns = [_turn(each) for each in conversation]
    if turns[-1].role != "assistant":
        return None
    return turns if turns[0].role in ("system", "user") else [Turn("user", task.question), *turns]


def _is_message(each: Mapping[str, Any]) -> bool:
    if not isinstance(each["role"], str):
        return False
    texts = (each.get("content"), each.get("reasoning_content"), each.get("reasoning"))
    return all(text is None or isinstance(text, str) for text in texts)


def _turn(message: Mapping[str, Any]) -> Turn:
    calls = message.get("tool_calls")
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    return Turn(message["role"], message.get("content"), reasoning, to_json(calls) if calls else None)


def _told(row: Given, column: str, attempts: list[Attempt], stage: str) -> list[Verdict]:
    """The given correctness or rewards of the responses, as verdicts."""
    values = row.correct if column == "correct" else row.rewards
    if values and len(values) != len(attempts):
        raise BadRows(f"{row.where}: {len(values)} {column} for {len(attempts)} responses")
    return [
        _as_verdict(each, _number(value, f"{row.where}: {column}"), column, stage)
        for each, value in zip(attempts, values, strict=False)
    ]


def _as_verdict(about: Attempt, score: float, column: str, stage: str) -> Verdict:
    status: Status = "pass" if column == "rewards" or score >= 1 else "fail"
    return verdict(
        subjects=[about.id],
        stage=stage,
        draw=about.draw,
        rule="reward@1" if column == "rewards" else "given@1",
        status=status,
        score=score,
        context={"scorer": "given"},
        evidence={} if status == "pass" else {"reason": "given as wrong"},
    )


def _number(value: Any, where: str) -> float:
    """A score; a list of one number is that number, as some reward models give it."""
    inner = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(inner, int | float):
        raise BadRows(f"{where} should be numbers or truths, not {value!r}"[:300])
    return float(inner)
