r"""One item in two forms: with options to choose from, and as an open question, under one id.

Which form a question has decides what a reward means: an open answer has to be found, an option may be guessed
(NEMOTRON-CROSSTHINK, arXiv 2504.13941). A choice becomes open only where it makes sense without its options and its
right option is something that a verifier can compare; an open question becomes a choice with wrong answers that were
really given. Neither is for reinforcement learning before `decidable` has passed it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from string import ascii_uppercase
from typing import Literal, NamedTuple

import orjson

from filters.rule import Check, Ruling, failed, passed, unsure
from filters.verifiers import choice, verifier
from filters.verifiers.outcome import Outcome
from filters.verifiers.outcome import unsure as undecided
from filters.verifiers.shuffling import speaks_of_places
from pipelines.records import digest, to_json

LETTERS = ascii_uppercase[:10]
MAX_OPTION = 200  # characters of an option that we write
MAX_READ = 1_000  # of one that somebody else wrote
MAX_WORDS = 5  # of an open answer that is compared letter by letter; who answers would not hit on more
MAX_COMPARED = 48  # distinct wrong answers, the most frequent first


class Form(NamedTuple):
    """An item as it is asked; `answer` is the reference as its verifier reads it."""

    item: str  # the same for both forms
    format: Literal["choice", "open"]
    question: str
    answer: str
    verifier: str


def quickly(name: str, reference: str, answer: str) -> Outcome:
    """A check that does without algebra and without a sandbox: what would take these is unsure."""
    return verifier(name).check_quickly(reference, answer) or undecided("takes more than a quick look")


# --- From a choice to an open question ------------------------------------------------------------------------


def open_form(question: str, reference: str, *, id: str, at_most_words: int = MAX_WORDS) -> Form | None:
    """The question without its options, answered by what the right one says.

    `reference` is one of the verifier `choice`: a letter, or JSON with the options. None where there are no options
    in the question or the key is none of them, where the question or the right option speaks of the options ("which
    of the following", "none of the above", "both A and C"), and where the answer is too long to be compared: of more
    than `at_most_words`, where it is no value.
    """
    options = _options(question)
    answer = _right(reference, options)
    stem = _without_options(question, options) if answer else None
    if stem is None or answer is None or _needs_options(stem, answer):
        return None
    name = verifier_for(answer, at_most_words=at_most_words)
    if name is None or verifier(name).problem_with(answer):
        return None
    return Form(id, "open", stem, answer, name)


def _options(question: str) -> dict[str, str]:
    """The options of a question; {} where one is empty or too long."""
    options = choice.options_in(question)
    if not all(0 < len(content) <= MAX_READ for content in options.values()):
        return {}
    # What sets options off is taken off them, and of a command that is the backslash.
    commands = {content for content in options.values() if content[0].isalpha() and f"\\{content}" in question}
    return {label: f"\\{content}" if content in commands else content for label, content in options.items()}


def _right(reference: str, options: Mapping[str, str]) -> str | None:
    """What the right option says; None where reference and question do not agree on what the options are."""
    key = choice.gold(reference)
    said = {label.upper(): content for label, content in options.items()}.get(key or "")
    if not said or not reference.lstrip().startswith("{"):
        return said or None
    outcome = choice.check_quickly(reference, said)
    return said if outcome and outcome.status == "pass" else None


_SET_OFF = re.compile(
    r"(?:\\text[a-z]{0,2}\s?\{|\\mathrm\s?\{|\\q?quad\b|\\\\|[\s*~]"
    r"|\b(?:the\s)?(?:answer\s)?(?:options|choices|alternatives)(?:\sare)?:)+\Z",
    re.IGNORECASE,
)


def _without_options(question: str, options: Mapping[str, str]) -> str | None:
    """What stands before and after the last list of just these options; None where they cannot be found in it."""
    start = stop = len(question)
    for number, (label, content) in enumerate(reversed(list(options.items()))):
        places = [found.span() for found in _marked(label, content).finditer(question, 0, start)]
        if not places:
            return None
        start = places[-1][0]
        stop = places[-1][1] if number == 0 else stop
    before, after = _unframed(question[:start]).strip(), question[stop:].lstrip(" \t\n,;.*~$}\\").rstrip()
    return "\n\n".join(filter(None, (before, after))) if _WORD.search(before) else None


def _unframed(before: str) -> str:
    """Without what only sets the options off: a heading, a command, a dollar sign that opens their formula."""
    framed = _SET_OFF.search(before, max(0, len(before) - _LOOKED_AT))
    before = before[: framed.start()] if framed else before
    return before[:-1].rstrip() if before.count("$") % 2 and before.endswith("$") else before


_LOOKED_AT = 100  # characters before the options, where something may only set them off


def _marked(label: str, content: str) -> re.Pattern[str]:
    r"""An option with its mark, as "(A) 12", "A. 12", "**A.** 12" or "\textbf{(A)}\ 12"."""
    said = r"\s+".join(re.escape(word) for word in content.split())
    return re.compile(rf"(?<![A-Za-z0-9])\(?{re.escape(label)}[.):](?:[\s*}}~$]|\\(?![A-Za-z])){{0,9}}{said}")


_SPEAKS_OF_OPTIONS = re.compile(
    r"\bof the (?:following|above|below|options|choices)\b|\bwhich\b[^.?!]{0,40}\bof (?:these|those|them)\b"
    r"|\b(?:which|what)\s(?:[a-z]+\s){0,3}following\b"
    r"|\bfollowing\s(?:statements?|options?|choices?|answers?|is|are|was|were|has|have|would|could|can|does|do|best)\b"
    r"|\b(?:options?|choices?|alternatives?|letters?|answers?)\s\(?(?-i:[A-J])\)?(?!\w)"
    r"|\b(?:the|by|your)\s(?:correct\s|right\s|given\s)?(?:letter|option|choice|alternative)s?\b"
    r"|\b(?:closest|nearest) to\b|\bmost (?:nearly|likely|closely|accurate(?:ly)?|appropriate)\b|\bleast likely\b"
    r"|\bbest (?:describe|explain|represent|illustrate|match|complete|estimate|summari|characteri|support|fit|answer)"
    r"|\b(?:could|can|might|may|must|cannot)\s(?:not\s)?be (?:true|false|the|a|an|inferred|concluded)\b"
    r"|\bexcept\b|\b(?-i:NOT)\b|\bis (?:not )?(?:true|false|correct|incorrect)\b|\bstatement (?:is|that)\b",
    re.IGNORECASE,
)
_IS_ABOUT_OPTIONS = re.compile(
    r"\b(?:none|all|any|each|both|neither|either|one|two|some)\s(?:of\s)?(?:the\s)?(?:above|below|these|those|them"
    r"|others?|following|options|choices|answers)\b|\W*(?:none|all|both|neither|either|others?)\W*\Z",
    re.IGNORECASE,
)


def _needs_options(stem: str, answer: str) -> bool:
    """Whether who sees no options could not know what is asked, or what the answer means."""
    if _IS_ABOUT_OPTIONS.match(answer) or _IS_ABOUT_OPTIONS.search(answer[:MAX_OPTION]):
        return True
    return bool(_SPEAKS_OF_OPTIONS.search(stem)) or speaks_of_places({"A": answer})


_COMMAND = re.compile(r"\\[A-Za-z]+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_VALUE = re.compile(r"[\d\\$^+=<>]|\A\W*[A-Za-z]\W*\Z")


def verifier_for(answer: str, *, at_most_words: int = MAX_WORDS) -> str | None:
    """Which verifier compares an open answer: `math` for values and formulas, `exact` for a few words, else None."""
    if not answer.strip() or len(answer) > MAX_OPTION:
        return None
    if _VALUE.search(answer) and len(_WORD.findall(_COMMAND.sub(" ", answer))) <= 2:
        return "math"
    return "exact" if len(answer.split()) <= at_most_words else None


# --- From an open question to a choice ------------------------------------------------------------------------


def choice_form(
    question: str, answer: str, distractors: Sequence[str], *, id: str, seed: int = 0, check: Check = quickly
) -> Form | None:
    """The question with the answer among distractors, as options (A) to (J) in an order that `id` and `seed` decide.

    None where there is no distractor or more than nine, where one is blank, long, or not known to differ from the
    answer and from all others, and where the question has options already or they could not be read off it again.
    """
    options = [" ".join(each.split()) for each in (answer, *distractors)]
    if not 2 <= len(options) <= len(LETTERS) or not all(0 < len(each) <= MAX_OPTION for each in options):
        return None
    if "A" in choice.options_in(question) or not _told_apart(options, check):
        return None
    order = sorted(options, key=lambda each: digest("choice form", seed, id, each))
    shown = dict(zip(LETTERS, order, strict=False))
    reference = to_json({"key": LETTERS[order.index(options[0])], "options": shown})
    asked = "\n".join([f"{question.strip()}\n", *(f"({label}) {said}" for label, said in shown.items())])
    readable = list(choice.options_in(asked)) == list(shown)
    return Form(id, "choice", asked, reference, "choice") if readable and not choice.problem_with(reference) else None


def _told_apart(options: Sequence[str], check: Check) -> bool:
    """Whether every two of them are known to differ, the first being the answer."""
    name = verifier_for(options[0]) or "exact"
    return all(check(name, one, other).same is False for one, other in combinations(options, 2))


def distractors_of(
    answers: Iterable[str], reference: str, verifier: str, *, at_most: int = 3, check: Check = quickly
) -> list[str]:
    """The wrong answers that were given most often, one of each class of equals; the most frequent first.

    `answers` are final answers of attempts, in any order, right ones among them. What is not known to be wrong is
    left out, and what is not known to differ from a more frequent one counts with it. Only for the verifiers `math`
    and `exact`, whose answers are compared as they stand. Raises ValueError if `at_most` is negative.
    """
    if at_most < 0:
        raise ValueError(f"at_most = {at_most} distractors should not be negative")
    if verifier not in ("math", "exact"):
        return []
    counts = Counter(said for each in answers if (said := " ".join(each.split())) and len(said) <= MAX_OPTION)
    by_count = sorted(counts, key=lambda said: (-counts[said], len(said), said))
    wrong = [said for said in by_count[:MAX_COMPARED] if check(verifier, reference, said).same is False]
    classes = _classes(wrong, lambda a, b: check(verifier, a, b).same is not False)
    votes = {each[0]: sum(counts[said] for said in each) for each in classes}
    return sorted(votes, key=lambda said: (-votes[said], len(said), said))[:at_most]


def _classes(answers: Iterable[str], alike: Callable[[str, str], bool]) -> list[list[str]]:
    """Each with those that are like its first."""
    classes: list[list[str]] = []
    for each in answers:
        into = next((members for members in classes if alike(members[0], each)), None)
        if into is None:
            classes.append([each])
        else:
            into.append(each)
    return classes


# --- Can it be decided? ---------------------------------------------------------------------------------------


def decidable(form: Form, check: Check, *, distractors: Sequence[str] = ()) -> Ruling:
    """Pass a form whose verifier accepts its own answer and rejects a distractor; nothing else is for learning by
    reward.

    A choice has its other options as distractors, an open question those given. The score is the share of them that
    was rejected; the evidence names what was accepted or left open.
    """
    kind = verifier(form.verifier)
    gold = None if (problem := kind.problem_with(form.answer)) else kind.gold(form.answer)
    if gold is None:
        return failed("its verifier cannot use its answer", evidence={"problem": problem or "it holds none"})
    own = check(form.verifier, form.answer, gold)
    if own.status != "pass":
        return Ruling("fail" if own.status == "fail" else "unsure", "its own answer is not accepted")
    outcomes = {each: check(form.verifier, form.answer, each).status for each in wrong_answers(form, distractors)}
    if not outcomes:
        return unsure("no distractor to reject")
    kept = {each: status for each, status in outcomes.items() if status != "fail"}
    share = 1 - len(kept) / len(outcomes)
    if share == 0:
        return failed("no distractor is rejected", score=0.0, evidence={"not_rejected": kept})
    return passed(score=share, evidence={"not_rejected": kept})


def decidable_compares(form: Form, distractors: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The pairs of reference and answer that `decidable` will check."""
    gold = verifier(form.verifier).gold(form.answer)
    return [(form.answer, each) for each in dict.fromkeys([gold, *wrong_answers(form, distractors)]) if each]


def wrong_answers(form: Form, distractors: Sequence[str] = ()) -> list[str]:
    """What must not be accepted: the letters of the other options, or the distractors of an open question."""
    if form.format == "open":
        return list(dict.fromkeys(each for each in distractors if each.strip()))
    key = choice.gold(form.answer)
    labels = orjson.loads(form.answer)["options"] if form.answer.lstrip().startswith("{") and key else ()
    return [label for label in labels if label != key]
