"""Versions and runs made by hand, for tests of what looks at them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow.parquet as pq
import tomli_w

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
    to_table,
    verdict,
)
from pipelines.store import KINDS, Output, output_folder, write_output

RECIPE = {
    "name": "small",
    "stages": [
        {"use": "draw"},
        {"use": "pose"},
        {"name": "screen", "use": "sift", "rules": ["form", {"rule": "novelty", "at_most": 0.7}]},
        {"use": "expand"},
        {"name": "verify", "use": "sift", "rules": ["answer_matches", "pass_rate"]},
    ],
}
STAGE_OF = {"posed": "pose", "form": "screen", "novelty": "screen", "pass_rate": "verify"}


class Try(NamedTuple):
    """One attempt at solving a question."""

    content: str | None
    reasoning: str | None = None
    is_right: bool = True


class Draw(NamedTuple):
    """What a draw came to: `against` is the rule, status and reason that took it out."""

    question: str
    against: tuple[str, Status, str | None] | None = None
    answer: str | None = "4"
    tries: Sequence[Try] = ()
    domain: str | None = None


SEEDS = [
    problem(parents=[], stage="seed@1", draw=None, kind="seed", question=f"seed {name}", domain=name)
    for name in ("algebra", "geometry")
]


def facts_of(number: int, draw: Draw) -> tuple[Facts, Verdict | None, str]:
    """The facts of a draw as stages make them, the verdict against it, and the id of what it is about."""
    task = problem(parents=[each.id for each in SEEDS], stage="draw@1", draw=number, kind="pose", question="Pose!")
    posing = _answer(task, "pose@1", 0, Try("posed"))
    facts = Facts([task], [posing], [])
    about = posing.id
    if draw.against is None or draw.against[0] != "posed":
        posed = problem(
            parents=[posing.id],
            stage="pose@1",
            draw=number,
            kind="posed",
            question=draw.question,
            answer=draw.answer,
            domain=draw.domain,
        )
        facts.problems.append(posed)
        about = posed.id
        for sample, each in enumerate(draw.tries):
            tried = _answer(posed, "expand@1", sample, each)
            facts.attempts.append(tried)
            facts.verdicts.append(_told(number, tried.id, "answer_matches", "pass" if each.is_right else "fail"))
        if draw.tries:
            rate = sum(each.is_right for each in draw.tries) / len(draw.tries)
            facts.verdicts.append(_told(number, about, "pass_rate", "pass", score=rate, n=len(draw.tries)))
    against = None
    if draw.against:
        rule, status, reason = draw.against
        against = _told(number, about, rule, status, reason=reason)
        facts.verdicts.append(against)
    return facts, against, about


def _answer(of: Problem, stage: str, sample: int, told: Try) -> Attempt:
    return attempt(
        of=of,
        stage=stage,
        sample=sample,
        role="teacher",
        model="builtin",
        revision=None,
        prompt="solve/boxed@0",
        sampling="{}",
        seed=sample,
        request=f"{sample}",
        turns=[Turn("user", of.question), Turn("assistant", told.content, told.reasoning)],
        finish="stop",
        completion_tokens=10 + sample,
    )


def _told(
    draw: int,
    about: str,
    rule: str,
    status: Status,
    *,
    reason: str | None = None,
    score: float | None = None,
    n: int = 0,
) -> Verdict:
    return verdict(
        subjects=[about],
        stage=f"{STAGE_OF.get(rule, 'verify')}@1",
        draw=draw,
        rule=f"{rule}@1",
        status=status,
        score=score,
        context={"n": n} if n else {},
        evidence={"reason": reason} if reason is not None else {},
    )


def write_version(data: Path, draws: Sequence[Draw], *, name: str = "small", group: int = 4) -> Path:
    """A version of these draws; its files have row groups of a few rows."""
    folder = data / "datasets" / name / "v1"
    (folder / "facts").mkdir(parents=True)
    together = Facts.none()
    together.problems.extend(SEEDS)
    for number, draw in enumerate(draws):
        facts, against, about = facts_of(number, draw)
        together.extend(facts)
        together.verdicts.append(_closing(number, about, against))
    for (kind, of), told in zip(KINDS.items(), together, strict=True):
        pq.write_table(to_table(of, told), folder / "facts" / f"{kind}.parquet", row_group_size=group)
    (folder / "recipe.toml").write_text(tomli_w.dumps(RECIPE))
    (folder / "ledger.json").write_bytes(orjson.dumps(ledger(draws)))
    ids = [each.id for each in together.verdicts]
    (folder / "version.json").write_bytes(orjson.dumps({"version": "v1", "digest": digest(ids), "files": {}}))
    return folder


def ledger(draws: Sequence[Draw]) -> dict[str, Any]:
    """The books of these draws."""
    lost: dict[str, Counter[str]] = {}
    for rule, status, reason in (each.against for each in draws if each.against):
        name = rule if status == "fail" else f"{rule}: {status}"
        lost.setdefault(name, Counter())[reason or "no reason given"] += 1
    return {
        "candidates": len(draws),
        "accepted": len(draws) - sum(each.total() for each in lost.values()),
        "not_accepted": {name: each.total() for name, each in lost.items()},
        "reasons": lost,
    }


def _closing(draw: int, about: str, against: Verdict | None) -> Verdict:
    """The verdict that closes the books of a draw, as a run gives it."""
    value, evidence = "accepted", {}
    if against is not None:
        name = against.rule.partition("@")[0]
        value = name if against.status == "fail" else f"{name}: {against.status}"
        evidence = {"reason": orjson.loads(against.evidence).get("reason"), "verdict": against.id}
    return verdict(
        subjects=[about],
        stage="release@1",
        draw=draw,
        rule="accepted@1",
        status="fail" if against else "pass",
        value=value,
        evidence=evidence,
    )


def write_run(data: Path, draws: Sequence[Draw], *, name: str = "small", shard: int = 3) -> Path:
    """A run that has finished these draws and made no version: outputs of shards, and the list of them."""
    home = data / "runs" / name
    home.mkdir(parents=True, exist_ok=True)
    (home / "recipe.toml").write_text(tomli_w.dumps(RECIPE))
    lines: list[bytes] = []
    for start in range(0, len(draws), shard):
        facts, out, live = Facts([*SEEDS], [], []), list[tuple[int, str]](), list[str]()
        for number, draw in enumerate(draws[start : start + shard], start):
            more, against, about = facts_of(number, draw)
            facts.extend(more)
            if against:
                out.append((number, against.id))
            else:
                live.append(about)
        output = Output(facts, live, out)
        folder = output_folder(data, output.digest)
        write_output(folder, output, closure={})
        stop = min(start + shard, len(draws))
        told = {"start": start, "stop": stop, "outputs": [folder.relative_to(data / "runs" / "outputs").as_posix()]}
        lines.append(orjson.dumps(told) + b"\n")
    (home / "shards.jsonl").write_bytes(b"".join(lines))
    return home
