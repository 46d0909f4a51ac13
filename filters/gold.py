r"""Can the reference answer be trusted, as far as that shows before anybody has tried to solve the problem?

Datasets hold words that stand for an answer they do not have ("proof" and "notfound" in 143,000 rows of NuminaMath
1.5), whole solutions, lists as a program prints them, LaTeX that an escape has eaten (a tab and "ext{cm}"), answers
to several parts, halves of answers. Every such row would be scored against something that no answer can equal.

What is certainly no answer fails, what may be one is unsure: "none" is how some data say that there is nothing, and
it is also the number of solutions. Answers in words that mathematics has ("undefined", "no solution", "does not
exist") are answers, and so are 0 and -1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from filters.answers import QUOTED, label
from filters.leak import no_leak, no_leak_compares
from filters.rule import Case, Check, Ruling, passed
from filters.verifiers import verifier
from pipelines.records import Problem, Status

MAX_LOOKED_AT = 2_000  # characters: what is longer is no answer, and its verifier says so


class Fault(NamedTuple):
    """What speaks against a reference."""

    status: Status  # "fail", or "unsure" where it may be right all the same
    reason: str  # a fixed sentence, so that it can be counted
    found: str


def gold(case: Case, check: Check) -> list[Ruling]:
    """Pass a problem whose reference is an answer, verifies itself, and is not given away by its question.

    Needs no attempts. Every fault that was found is in the evidence; the first that is certain is the reason. A
    problem without a verifier claims no reference, and passes.
    """
    problem = case.problem
    if problem.verifier is None:
        return [passed(context={"verifier": None})]
    context = {"verifier": label(problem.verifier)}
    faults = sorted(_faults(case, check), key=lambda fault: fault.status == "unsure")
    if not faults:
        return [passed(context=context)]
    evidence = {"faults": [[fault.reason, fault.found[:QUOTED]] for fault in faults]}
    return [Ruling(faults[0].status, faults[0].reason, context=context, evidence=evidence)]


def gold_compares(case: Case) -> Iterable[tuple[str, str]]:
    """The reference with the answer that must pass, and what `no_leak` compares."""
    return dict.fromkeys([*_own(case.problem), *(no_leak_compares(case) if _is_answer(case.problem) else ())])


def _faults(case: Case, check: Check) -> Iterator[Fault]:
    problem = case.problem
    if not (problem.answer or "").strip():
        yield Fault("fail", "no reference answer", "")
        return
    yield from _instead(problem)
    if _is_answer(problem):
        yield from _in_the_question(case, check)
    if problem.verifier in ("math", "choice"):  # a text to be repeated may hold anything
        yield from _damaged(str(problem.answer)[:MAX_LOOKED_AT])
    if problem.verifier == "math":
        yield from _misshapen(str(problem.answer)[:MAX_LOOKED_AT])
    yield from _in_the_check(problem, check)


def _is_answer(problem: Problem) -> bool:
    """Whether the reference is an answer as one would write it, and no description of what is asked for."""
    return problem.verifier is not None and bool(problem.answer) and verifier(problem.verifier).compares


# --- By its verifier ------------------------------------------------------------------------------------------


def _in_the_check(problem: Problem, check: Check) -> Iterator[Fault]:
    name, reference = str(problem.verifier), str(problem.answer)
    if wrong := verifier(name).problem_with(reference):
        yield Fault("fail", "its verifier cannot use it", wrong)
        return
    for pair in _own(problem):
        outcome = check(name, *pair)
        if outcome.status == "fail":
            yield Fault("fail", "it does not pass its own check", outcome.reason or "")
        elif outcome.status != "pass":
            yield Fault("unsure", "it could not be checked against itself", outcome.reason or "")


def _own(problem: Problem) -> list[tuple[str, str]]:
    """The reference with the answer that it holds; nothing where it holds none."""
    if problem.verifier is None or not (problem.answer or "").strip():
        return []
    kind, reference = verifier(problem.verifier), str(problem.answer)
    answer = None if kind.problem_with(reference) else kind.gold(reference)
    return [] if answer is None else [(reference, answer)]


# --- By its question ------------------------------------------------------------------------------------------


def _in_the_question(case: Case, check: Check) -> Iterator[Fault]:
    [ruling] = no_leak(case, check)
    if ruling.status != "pass":
        found = ruling.evidence.get("found") or ", ".join(ruling.evidence.get("stated", ()))
        yield Fault(ruling.status, f"the question {ruling.reason}", found)


# --- By what stands there instead of an answer ----------------------------------------------------------------

_WRAPPING = re.compile(r"\\(?:text[a-z]{0,2}|math(?:rm|bf|it|sf)|mbox|boxed)\s?\{|[{}$\"'`*\[\]<>()]")
_BLANKS = re.compile(r"[\s_\-]+")
_ONLY_SIGNS = re.compile(r"[\s\-\u2013\u2014_?.*#/:;,!|~'\"`]+")

# Phrases that never answer anything.
_NO_ANSWER = re.compile(
    r"""not\ ?found | n\ ?[/.]\ ?a | tbd | to\ ?do | fixme | timeout | omitted | left\ to\ the\ reader | q\.?e\.?d
    | (?:final\ |correct\ )?answers?\ (?:is\ |was\ )?not\ (?:found|given|provided|available|known)
    | (?:no|missing|unknown|invalid)\ (?:final\ |correct\ )?answer(?:\ (?:found|given|provided|available|key))?
    | not\ (?:applicable|given|provided|available|specified|stated) | to\ be\ (?:determined|added)
    | (?:see|refer\ to|as\ in)\ (?:the\ )?(?:solution|above|below|proof|explanation|figure|diagram|text)\b.{0,40}
    | (?:your|final|correct|insert|the)\ answer(?:\ here)? | answer\ here
    | answers?\ (?:may\ |will\ |can\ )?var(?:y|ies)
    | (?:could|can)\ ?not\ (?:extract|parse|find)(?:\ answer)? | (?:extraction|parse|parsing)\ (?:failed|error)
    | proof\ (?:omitted|needed|required|problem|question) | proven | proved""",
    re.VERBOSE,
)
# Words that are no answers in mathematics; elsewhere one of them may be asked for.
_NO_VALUE = frozenset(
    ["proof", "unknown", "null", "nan", "error", "unavailable", "missing", "placeholder", "answer", "solution"]
)
# Words that may be an answer or the lack of one.
_DOUBTFUL = frozenset(
    ["none", "nothing", "other", "varies", "none of these", "none of the above", "all of the above"]
)


def _instead(problem: Problem) -> Iterator[Fault]:
    """Words and signs that say there is no answer, in any kind of reference that holds one."""
    for _, answer in _own(problem) or [("", str(problem.answer))]:
        plain = _plain(answer)
        if _NO_ANSWER.fullmatch(plain) or _ONLY_SIGNS.fullmatch(answer[:MAX_LOOKED_AT]):
            yield Fault("fail", "it stands for no answer", answer)
        elif plain in _NO_VALUE:
            yield Fault("fail" if problem.verifier == "math" else "unsure", "it stands for no answer", answer)
        elif plain in _DOUBTFUL and plain not in problem.question.lower():
            yield Fault("unsure", "it may stand for no answer", answer)


def _plain(text: str) -> str:
    """A short text in lower case, without what wraps it; a long one stands for nothing else."""
    return _BLANKS.sub(" ", _WRAPPING.sub(" ", text)).strip(" .,:;!?").lower() if len(text) < QUOTED else ""


# --- By its text ----------------------------------------------------------------------------------------------

_DAMAGE = {
    # \frac, \text, \neq, \right ... of which a program that read "\f", "\t", "\n", "\r" as escapes left the rest
    "characters were lost in it": re.compile(
        r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]|\r(?=[a-z])|[\t\n](?=(?:ext|imes|heta|an|o|eq|abla)\b)"
    ),
    "it holds a link or a picture": re.compile(
        r"https?://|www\.|!\[|<img\b|\\includegraphics|\[/?asy\]|\w\.(?:png|jpe?g|gif|svg|pdf)\b", re.IGNORECASE
    ),
    "it is a printed list or object": re.compile(
        r"""\A\s*(?:\[\s*(?:[rub]?["']|None\b)|\{\s*["'][^"']{1,80}["']\s*:|(?:array|tensor|Decimal|Fraction)\()"""
    ),
    "it holds markup": re.compile(
        r"</?(?:br|sub|sup|div|span|answer|think|strong)\b[^<>\n]{0,80}>|</[pbi]>|&(?:lt|gt|amp|nbsp|quot|#\d{2,5});"
    ),
}


def _damaged(text: str) -> Iterator[Fault]:
    """What neither an option nor a value holds."""
    for reason, sign in _DAMAGE.items():
        if found := sign.search(text):
            yield Fault("fail", reason, found[0].strip() or repr(found[0]))


_SAYS = re.compile(
    r"####|\b(?:answer|result|solution)\b.{0,20}?(?:\bis\b|:)|\A\s*(?:so|thus|therefore|hence|since|let)[ ,]"
    r"|\\therefore\b|\\f?box(?:ed)?\b",
    re.IGNORECASE,
)
_BOX_ALONE = re.compile(r"\s*\$?\s*\\f?box(?:ed)?\s?\{(?:(?!\\f?box)[^\n])*\}\s*\$?\s*\.?\s*")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_LONG_WORD = re.compile(r"[^\W\d_]{2,}")
_MANY_WORDS = 15

_LABELS = [
    (
        re.compile(rf"\s*\$?\s*{first}(?=[\s$])", re.IGNORECASE),
        re.compile(rf"[\s;,.$]{second}(?=[\s$])", re.IGNORECASE),
    )
    for first, second in (
        (r"\(?a\)", r"\(?b\)"),
        (r"(?:\(?1\)|1\.)", r"(?:\(?2\)|2\.)"),
        (r"(?:\(?i\)|i\.)", r"(?:\(?ii\)|ii\.)"),
        ("①", "②"),
        (r"part (?:a|1|i)\s?:?", r"part (?:b|2|ii)\s?:?"),
    )
]

_SPACING = re.compile(r"\\[{}$%&#_ ,;:!|]")  # escaped signs and small spaces: no brackets, no ends
_FRENCH_INTERVAL = re.compile(r"[\[\]][^\[\]()]{1,80}[,;][^\[\]()]{1,80}[\[\]]")
_PAIRS = [
    (re.compile(opening), re.compile(closing))
    for opening, closing in (
        (r"\{", r"\}"),
        (r"\\left(?![A-Za-z])", r"\\right(?![A-Za-z])"),
        (r"\\begin\b", r"\\end\b"),
    )
]
_OPENING, _CLOSING = re.compile(r"[(\[]"), re.compile(r"[)\]]")
_OPEN_END = re.compile(
    r"(?:[=/<^_&(\[{,;:\\]|\s[-+*]|\\(?:[dt]?frac|sqrt|cdot|times|leq?|geq?|left|pm|to|in)"
    r"|\s(?:and|or|the|of|is|with|where|for))\Z"
)
_GOES_ON = re.compile(r"(?:\.\.\.|…|\\[lc]?dots)\W{0,9}\Z")


def _misshapen(text: str) -> Iterator[Fault]:
    """What an answer in mathematics does not look like."""
    if (found := _SAYS.search(text)) and not _BOX_ALONE.fullmatch(text):
        yield Fault("fail", "it says more than the answer", found[0].strip())
    elif len(_LONG_WORD.findall(_COMMAND.sub(" ", text))) > _MANY_WORDS:
        yield Fault("unsure", "it reads as prose", text)
    if found := next((second.search(text) for first, second in _LABELS if first.match(text)), None):
        yield Fault("fail", "it answers several parts", found[0].strip())
    plain = _SPACING.sub(" ", text)
    if unmatched := _unmatched(plain):
        yield Fault("fail", "its brackets do not match", unmatched)
    if found := _OPEN_END.search(plain.rstrip(" \t\n$")):
        yield Fault("fail", "it ends in the middle", found[0].strip())
    if found := _GOES_ON.search(text):
        yield Fault("unsure", "it may have been cut off", found[0].strip())


def _unmatched(plain: str) -> str | None:
    """Which brackets or delimiters have no partner. Those of half-open intervals, and of ]0, 1[, have."""
    brackets = _FRENCH_INTERVAL.sub(" ", plain)
    for text, opening, closing in [*((plain, *pair) for pair in _PAIRS), (brackets, _OPENING, _CLOSING)]:
        if len(opening.findall(text)) != len(closing.findall(text)):
            return (opening.search(text) or closing.search(text) or [None])[0]
    # Prices have a dollar each, formulas two.
    return "$" if plain.count("$") % 2 and re.search(r"\$(?!\s?[\d.])", plain) else None
