"""Cases for the rules about traces, difficulty and selection."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from filters.rule import Case, Ruling
from filters.verifiers import verifier
from filters.verifiers.outcome import of_comparison
from pipelines.records import Attempt, Problem, Status, Turn, Verdict, verdict
from tests.filters.cases import answered, task

Compares = Callable[[Case], Iterable[tuple[str, str]]]


def nothing(case: Case) -> list[tuple[str, str]]:
    """What a rule compares that reads texts alone."""
    return []


def ruled(
    rule: Callable[..., Iterable[Ruling]], case: Case, compares: Compares = nothing, **given: Any
) -> list[Ruling]:
    """Run a row rule as a stage does: with a `check` that knows exactly the pairs that were asked for."""
    name = case.problem.verifier
    quickly = verifier(name or "math").check_quickly
    known = {pair: quickly(*pair) or of_comparison(None) for pair in compares(case)} if name else {}
    return list(rule(case, lambda _, a, b: known[a, b], **given))


def written(*texts: str, question: str = "How many are there?") -> Case:
    """A case whose attempts wrote these texts."""
    of = task(question)
    return Case(of, None, [answered(of, text, sample) for sample, text in enumerate(texts)])


def thought(of: Problem, thinking: str, answer: str, *, sample: int = 0, **changed: Any) -> Attempt:
    """An attempt that keeps its reasoning apart."""
    turns = (Turn("user", of.question), Turn("assistant", answer, thinking))
    return answered(of, answer, sample)._replace(turns=turns, **changed)


def by_solvers(answers: Mapping[str, Sequence[str]], *, author: str = "1", question: str = "How many?") -> Case:
    """A case that solvers of these names, which are their roles and models, answered so."""
    of = task(question, author)
    attempts = [
        answered(of, rf"So \boxed{{{answer}}}.", 100 * place + sample, model=name)._replace(role=name)
        for place, (name, given) in enumerate(answers.items())
        for sample, answer in enumerate(given)
    ]
    return Case(of, None, attempts)


def rated(k: int, n: int, *, solver: str = "student", question: str = "How many?") -> Case:
    """A case that a solver got right k times of n."""
    return by_solvers({solver: ["1"] * k + ["2"] * (n - k)}, question=question)


def told(
    case: Case,
    rule: str,
    score: float | None,
    *,
    about: str | None = None,
    value: str | None = None,
    evidence: dict[str, Any] | None = None,
    status: Status = "pass",
    context: dict[str, Any] | None = None,
) -> Case:
    """The case with one more verdict, on its problem or on `about`."""
    fact: Verdict = verdict(
        subjects=[about or case.problem.id],
        stage="sift@1",
        draw=0,
        rule=f"{rule}@1",
        status=status,
        score=score,
        value=value,
        context=context,
        evidence=evidence,
    )
    return case._replace(verdicts=[*case.verdicts, fact])


def kept(cases: Sequence[Case], rulings: Sequence[Ruling]) -> set[str]:
    """The questions of the problems that stay."""
    pairs = zip(cases, rulings, strict=True)
    return {case.problem.question for case, ruling in pairs if ruling.status == "pass"}


def beside(cases: Sequence[Case], rulings: Sequence[Ruling]) -> set[str]:
    """The questions of the random arm."""
    pairs = zip(cases, rulings, strict=True)
    return {case.problem.question for case, ruling in pairs if ruling.evidence.get("random")}
