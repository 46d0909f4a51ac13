"""Versions made by hand: a few draws, each posed from a seed, tried and judged, and written as a release is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import tomli_w

from pipelines.records import (
    Attempt,
    Facts,
    Finish,
    Problem,
    Turn,
    Verdict,
    attempt,
    digest,
    problem,
    to_table,
    verdict,
)
from pipelines.release import ledger
from pipelines.store import KINDS, connect, replace, to_parquet

SEED = problem(
    parents=[], stage="seed@1", draw=None, kind="seed", question="What is 1 + 1?", answer="2", domain="arithmetic"
)
RECIPE: dict[str, Any] = {
    "name": "sums",
    "target": {"accepted": 2},
    "stages": [
        {"use": "pose", "prompt": "pose/plan"},
        {"name": "screen", "use": "sift", "rules": ["form", {"rule": "novelty", "at_most": 0.7}]},
        {"use": "expand", "n": 2},
    ],
}


def said(
    of: Problem,
    text: str,
    *,
    stage: str = "expand@1",
    sample: int = 0,
    thought: str | None = None,
    finish: Finish = "stop",
    asked: str | None = None,
    prompt: str = "solve/boxed@00ff",
) -> Attempt:
    """An attempt at a problem."""
    return attempt(
        of=of,
        stage=stage,
        sample=sample,
        role="teacher",
        model="tiny",
        revision="r1",
        prompt=prompt,
        sampling="{}",
        seed=sample,
        request=digest(of.id, stage, sample),
        turns=[Turn("user", of.question if asked is None else asked), Turn("assistant", text, thought)],
        finish=finish,
        prompt_tokens=20,
        completion_tokens=1000 + sample,
        reasoning_tokens=900 if thought else None,
    )


def told(about: Problem | Attempt, rule: str, status: Any = "pass", **more: Any) -> Verdict:
    """A verdict on a fact, by a stage of its rule's name."""
    stage = f"{rule.partition('@')[0]}@1"
    return verdict(subjects=[about.id], stage=stage, draw=about.draw, rule=rule, status=status, **more)


def closed(about: Problem | Attempt, against: Verdict | None = None) -> Verdict:
    """The verdict that closes the books of a draw."""
    if against is None:
        return told(about, "accepted@1", value="accepted")
    why = {"reason": orjson.loads(against.evidence)["reason"], "verdict": against.id}
    return told(about, "accepted@1", "fail", value=against.rule.partition("@")[0], evidence=why)


def candidate(
    draw: int,
    *,
    question: str = "What is 2 + 2?",
    given: Sequence[str] = ("4", "5"),
    similarity: float = 0.25,
    at_most: float = 0.7,
    thought: str | None = "Two and two.",
) -> Facts:
    """A draw that is posed from a seed, screened by novelty, and solved with these answers, of which 4 is right."""
    task = problem(
        parents=[SEED.id], stage="draw@1", draw=draw, kind="pose", question=f"Seed question:\n{SEED.question}"
    )
    posing = said(task, f"<plan>\nAdd.\n</plan>\n{question}", stage="pose@1", prompt="pose/plan@00ff")
    posed = problem(
        parents=[posing.id],
        stage="pose@1",
        draw=draw,
        kind="posed",
        question=question,
        answer="4",
        verifier="math",
        domain="arithmetic",
        source="tiny",
        details={"plan": "Add."},
    )
    is_new = similarity <= at_most
    novelty = told(
        posed,
        "novelty@1",
        "pass" if is_new else "fail",
        score=similarity,
        context={"at_most": at_most},
        evidence={"nearest": SEED.question, **({} if is_new else {"reason": "too much like an earlier question"})},
    )
    facts = Facts([task, posed], [posing], [told(posing, "posed@1"), novelty])
    if not is_new:
        facts.verdicts.append(closed(posed, novelty))
        return facts
    tries = [said(posed, rf"So \boxed{{{each}}}.", sample=k, thought=thought) for k, each in enumerate(given)]
    facts.attempts.extend(tries)
    facts.verdicts.extend(map(_matched, tries, given))
    rate = given.count("4") / len(given)
    counted = {"n": len(given), "k": given.count("4")}
    wrong = {"reason": "solved too seldom"} if not rate else {}
    rated = told(posed, "pass_rate@2", "pass" if rate else "fail", score=rate, context=counted, evidence=wrong)
    facts.verdicts.extend([rated, closed(posed, None if rate else rated)])
    return facts


def _matched(tried: Attempt, answer: str) -> Verdict:
    if answer == "4":
        return told(tried, "answer_matches@2", value=answer)
    return told(
        tried, "answer_matches@2", "fail", value=answer, evidence={"reason": "wrong answer", "reference": "4"}
    )


def together(*draws: Facts) -> Facts:
    """The facts of several draws, with their seed."""
    facts = Facts([SEED], [], [])
    for each in draws:
        facts.extend(each)
    return facts


def write_version(
    folder: Path,
    facts: Facts,
    *,
    recipe: Mapping[str, Any] = RECIPE,
    prompts: Mapping[str, str] = {},
    rows: Mapping[str, int] = {"sft": 1, "rl": 1},
) -> Path:
    """Write what a release writes, but for the views: of these only the given numbers of rows."""
    (folder / "facts").mkdir(parents=True)
    for (name, kind), these in zip(KINDS.items(), facts, strict=True):
        replace(folder / "facts" / f"{name}.parquet", to_parquet(to_table(kind, these)))
    with connect([folder / "facts"]) as connection:
        books = ledger(connection, {})
    for name, text in prompts.items():
        path = folder / "prompts" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / "recipe.toml").write_bytes(tomli_w.dumps(dict(recipe)).encode())
    (folder / "ledger.json").write_bytes(orjson.dumps(books))
    about = {
        "version": folder.name,
        "digest": digest([each.id for kind in facts for each in kind], rows),
        "rows": rows,
    }
    (folder / "version.json").write_bytes(orjson.dumps(about))
    return folder
