"""Problems, attempts and verdicts in a line, for the tests of the rules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from filters.rule import Case, Ruling
from filters.table import RULES
from filters.verifiers import verifier
from filters.verifiers.outcome import of_comparison
from pipelines.records import Attempt, Finish, Problem, Turn, Verdict, attempt, problem, verdict

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the public data in ../shared/data is not on this machine")


def task(question: str = "How many?", answer: str | None = None, *, verifier: str | None = "math") -> Problem:
    return problem(
        parents=(), stage="bring@1", draw=0, kind="task", question=question, answer=answer, verifier=verifier
    )


def answered(of: Problem, text: str, sample: int = 0, finish: Finish = "stop", model: str = "solver") -> Attempt:
    return attempt(
        of=of,
        stage="expand@1",
        sample=sample,
        role="teacher",
        model=model,
        revision="r1",
        prompt="solve/boxed@1",
        sampling='{"temperature":0.6}',
        seed=sample,
        request=f"{sample:032x}",
        turns=[Turn("user", of.question), Turn("assistant", text)],
        finish=finish,
    )


def solved(
    answers: Sequence[str | None], *, author: str | None = None, verifier: str | None = "math", cut: int = 0
) -> Case:
    """A case whose attempts box these answers (None: no answer), and of which `cut` more were cut off."""
    of = task(answer=author, verifier=verifier)
    texts = ["I do not know." if answer is None else rf"So \boxed{{{answer}}}." for answer in answers]
    attempts = [answered(of, text, sample) for sample, text in enumerate(texts)]
    attempts += [answered(of, r"First, \boxed{1} and", len(texts) + i, "length") for i in range(cut)]
    return Case(of, None, attempts)


def rewarded(rewards: Sequence[float], *, lengths: Sequence[int] | None = None, question: str = "Tell me.") -> Case:
    """A case whose attempts have these rewards, and texts of these lengths."""
    of = task(question, verifier=None)
    texts = ["x" * length for length in lengths or [10] * len(rewards)]
    attempts = [answered(of, text, sample) for sample, text in enumerate(texts)]
    verdicts = [reward(each, score) for each, score in zip(attempts, rewards, strict=True)]
    return Case(of, None, attempts, verdicts)


def reward(of: Attempt, score: float | None, **context: Any) -> Verdict:
    context = {"scorer": "judge", "revision": "r1", **context}
    status = "unsure" if score is None else "pass"
    return verdict(
        subjects=[of.id], stage="grade@1", draw=0, rule="reward@1", status=status, score=score, context=context
    )


def told(rule: str, case: Case, ruling: Ruling) -> Case:
    """The case once a ruling about its problem has become a verdict."""
    fact = verdict(
        subjects=[case.problem.id],
        stage="sift@1",
        draw=0,
        rule=f"{rule}@{RULES[rule].version}",
        status=ruling.status,
        score=ruling.score,
        value=ruling.value,
        context=dict(ruling.context),
        evidence=dict(ruling.evidence),
    )
    return case._replace(verdicts=[*case.verdicts, fact])


def run(name: str, case: Case, **parameters: Any) -> list[Ruling]:
    """Run a row rule as a stage does: with a `check` that knows exactly the pairs that the rule asked for."""
    rule, checks = RULES[name], case.problem.verifier
    pairs = rule.compares(case) if checks else []
    quickly = verifier(checks or "math").check_quickly
    known = {pair: quickly(*pair) or of_comparison(None) for pair in pairs}
    return list(rule.run(case, lambda _, a, b: known[a, b], **parameters))


def rule_on(name: str, case: Case, **parameters: Any) -> Ruling:
    """The one ruling of a row rule about the problem."""
    [ruling] = run(name, case, **parameters)
    assert ruling.about is None
    return ruling


def rows(path: str) -> list[dict[str, Any]]:
    """The rows of one of the public files."""
    return [json.loads(line) for line in (DATA / path).read_bytes().splitlines()]
