r"""Does the check of a problem tell right from wrong? Its own answer must pass it, and a spoilt one must not.

`gold` looks at a reference by itself; a tolerance as wide as the answer, or tests that assert nothing, pass there,
and would reward whatever is said. AceReason-Nemotron (arXiv 2505.16400) keeps problems whose answers can be verified
and whose tests are sound; here a check is sound if it takes the answer that it holds and rejects every answer that
was made wrong from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import orjson

from filters.answers import QUOTED, label
from filters.rule import Case, Check, Ruling, failed, passed, unsure
from filters.verifiers import VERIFIERS, choice
from pipelines.records import Problem, to_json


def sound(case: Case, check: Check) -> list[Ruling]:
    """Pass a problem whose verifier accepts the answer that its reference holds, and rejects all `perturbed` ones.

    The score is the share of these that it rejected. Unsure where there is no answer to try, or the check could not
    decide. Code under test is run once for each.
    """
    problem = case.problem
    if problem.verifier is None:
        return [unsure("no verifier")]
    context = {"verifier": label(problem.verifier)}
    pairs = _pairs(problem)
    if not pairs:
        return [unsure("the reference holds no answer that could be tried", context=context)]
    if len(pairs) == 1:
        return [unsure("no wrong answer is known", context=context)]
    own, *others = (check(problem.verifier, *pair) for pair in pairs)
    if own.status != "pass":
        reason = "it does not pass its own check" if own.status == "fail" else "it could not be checked"
        return [Ruling("fail" if own.status == "fail" else "unsure", reason, context=context)]
    told = {answer: outcome.status for (_, answer), outcome in zip(pairs[1:], others, strict=True)}
    return [_rejected(told)._replace(context=context)]


def sound_compares(case: Case) -> Iterable[tuple[str, str]]:
    """The reference with its own answer, then with each that was made wrong."""
    return _pairs(case.problem)


def _pairs(problem: Problem) -> list[tuple[str, str]]:
    name, reference = problem.verifier, problem.answer or ""
    if name is None or VERIFIERS[name].problem_with(reference):
        return []
    own = VERIFIERS[name].gold(reference)
    return [] if own is None else [(reference, answer) for answer in (own, *perturbed(reference, name))]


def _rejected(told: dict[str, str]) -> Ruling:
    """What comes of the statuses of answers that are wrong."""
    evidence = {"not_rejected": {answer[:QUOTED]: status for answer, status in told.items() if status != "fail"}}
    score = 1 - len(evidence["not_rejected"]) / len(told)
    if "pass" in told.values():
        return failed("a wrong answer passes its check", score=score, evidence=evidence)
    if score < 1:
        return unsure("a wrong answer could not be told", score=score, evidence=evidence)
    return passed(score=score)


# --- Wrong answers --------------------------------------------------------------------------------------------


def perturbed(reference: str, verifier: str) -> list[str]:
    """Answers that are wrong, made from the one that the reference holds: what accepts one of them is not sound.

    Of mathematics another number, or one more; of a choice the other letters; of a text one that is nearly it; of
    code solutions that return something else or nothing. [] where the reference holds no answer or no wrong one is
    certain. Raises KeyError where there is no such verifier.
    """
    kind = VERIFIERS[verifier]
    own = None if kind.problem_with(reference) else kind.gold(reference)
    spoil = _WAYS.get(verifier)
    if own is None or spoil is None:
        return []
    return [answer for answer in dict.fromkeys(spoil(reference, own)) if answer != own]


_NUMBER = re.compile(r"[0-9]+")
_PLAIN = re.compile(r"[0-9]{1,30}(?:\.[0-9]{1,30})?")
_TERM = re.compile(r"-?(?:[a-zA-Z](?![a-zA-Z])|\\(?:pi|sqrt|frac|theta|alpha|cdot|times)\b|[\s{}()^_+*/-])+")


def _spoilt_number(reference: str, own: str) -> Iterable[str]:
    """The first number one off, and a plain number below zero; far away where there may be a tolerance."""
    first = _NUMBER.search(own)
    if first is None:
        return [f"{own} + 1"] if _TERM.fullmatch(own) else ["37"]
    if reference.lstrip().startswith("{"):
        return [f"{own[: first.start()]}7{first[0]}3{own[first.end() :]}"]
    negative = [f"-{own}"] if _PLAIN.fullmatch(own) and float(own) else []
    return [f"{own[: first.start()]}{_another_number(first[0])}{own[first.end() :]}", *negative]


def _another_number(number: str) -> str:
    """The same but for its last digit, one higher; a 9 is lowered, so that none is added."""
    return number[:-1] + ("8" if number[-1] == "9" else str(int(number[-1]) + 1))


def _other_letters(reference: str, own: str) -> Iterable[str]:
    labels = orjson.loads(reference).get("options") if reference.lstrip().startswith("{") else "ABCD"
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(labels)] if isinstance(labels, list) else labels
    return [letter for letter in letters or () if choice.letter(str(letter)) != choice.letter(own)]


def _spoilt_text(reference: str, own: str) -> Iterable[str]:
    """With a word too many, and without its end."""
    return [f"not {own}", *([own[:-1]] if own[:-1].strip() and not own[-2:].isspace() else [])]


def _unlike(reference: str, own: str) -> Iterable[str]:
    """A text of as many signs that has none in common."""
    sign = next((each for each in "zqxjvk" if each not in own.lower()), "#")
    return [sign * max(3, len(own))]


def _spoilt_link(reference: str, own: str) -> Iterable[str]:
    """All answers but one as they should be."""
    parts: list[str] = orjson.loads(own)
    spoilt = [next(iter(_spoilt_number(part, part))) for part in parts]
    return [to_json([*parts[:place], wrong, *parts[place + 1 :]]) for place, wrong in enumerate(spoilt)]


_STUB = """
def {name}({own}*given, **named):
    return None
"""
_MUTANT = """

_right = {name}


def _another(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + abs(value) + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, (list, tuple)):
        return [*value, 1]
    return 1 if value is None else None


def _changed(*given, **named):
    return _another(_right(*given, **named))


{name} = _changed
"""
_DEFINED = re.compile(r"^(?:async )?def (\w+)", re.MULTILINE)


def _spoilt_code(reference: str, own: str) -> Iterable[str]:
    """The solution with another result, and nothing at all in its place; of a program, one that prints too much."""
    task = orjson.loads(reference)
    if "io" in task:
        return [f"{own}\nprint('x')\n", "pass\n"]
    named = _DEFINED.findall(f"{task.get('prompt', '')}{own}")
    name = task.get("entry_point") or (named[-1] if named else None)
    if name is None:
        return []
    owner, _, method = name.rpartition(".")
    stub = _STUB.format(name=method, own="self, " if owner else "")
    if owner:
        stub = f"class {owner}:" + stub.replace("\n", "\n    ")
    return [own + _MUTANT.format(name=name), stub]


_WAYS: dict[str, Callable[[str, str], Iterable[str]]] = {
    "math": _spoilt_number,
    "choice": _other_letters,
    "exact": _spoilt_text,
    "fuzzy": _unlike,
    "code": _spoilt_code,
    "chain": _spoilt_link,
    "schema": lambda reference, own: ["{"],  # no JSON at all
}
