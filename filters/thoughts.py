"""Long thoughts: what continues another's thought, whether that helped, and which of them to learn from.

An attempt that continues another holds the whole thought; `begun` in its details says how many characters of it the
other wrote. What is said of "its own words" leaves them out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from filters.answers import answer_matches
from filters.rule import Case, Check, Ruling, failed, passed, unsure
from filters.selection_groups import by_length, lengths_of
from filters.trace import trace
from filters.votes import scores_in
from filters.words import words as words_in
from pipelines.records import Attempt

LEAK_WORDS = [
    *("description", "descriptions", "describe", "describes", "described", "mention", "mentions", "mentioned"),
    *("misread", "text", "state", "states", "stated", "say", "says", "said", "internal", "mental", "visualize"),
    *("visualization", "the image described", "user's", "detailed image"),
]
"""By which a thought betrays that it read of a scene instead of seeing it (LongPerceptualThoughts, its code)."""


def begun(attempt: Attempt) -> int | None:
    """How many characters of its thought another wrote; None where it continues nothing."""
    return orjson.loads(attempt.details).get("begun") if '"begun":' in attempt.details else None


def own_words(attempt: Attempt) -> str:
    """What it thought and answered by itself."""
    return trace(attempt)[begun(attempt) or 0 :] + ("\n\n" + attempt.text if attempt.turns[-1].reasoning else "")


# --- What its words betray ------------------------------------------------------------------------------------


def no_leak_words(case: Case, check: Check, *, words: list[str] = LEAK_WORDS) -> Iterator[Ruling]:
    """Pass each attempt that uses none of the words where it continues a thought; others pass as they are.

    Whole words in any case, an apostrophe being either sign. The score is how often any of them stands there.
    """
    if not words:
        raise ValueError("words names none: leave the rule out, or say which")
    listed = "|".join(re.escape(each).replace("'", "['\u2019]") for each in words)
    banned = re.compile(rf"(?<!\w)(?:{listed})(?!\w)", re.IGNORECASE)
    for attempt in case.attempts:
        found = banned.findall(own_words(attempt)) if begun(attempt) is not None else []
        ruling = failed("uses a word that it should not", evidence={"found": found[0]}) if found else passed()
        yield ruling._replace(score=float(len(found)), about=(attempt.id,))


def not_repeated(case: Case, check: Check) -> Iterator[Ruling]:
    """Pass each attempt whose own words no earlier attempt at the problem said, sign for sign."""
    there: dict[str, str] = {}
    for attempt in case.attempts:
        first = there.setdefault(own_words(attempt), attempt.id)
        same = {} if first == attempt.id else {"evidence": {"first": first}}
        yield (failed("said before", **same) if same else passed())._replace(about=(attempt.id,))


# --- Thought and answer ---------------------------------------------------------------------------------------


def thought_and_answer(case: Case, check: Check) -> Iterator[Ruling]:
    """Pass each finished attempt that has a thought and an answer behind it; the score is the thought's words.

    A thought that was brought with its answer, in tags, is told from it as views do.
    """
    for attempt in case.attempts:
        yield _thought_and_answer(attempt)._replace(about=(attempt.id,))


def _thought_and_answer(attempt: Attempt) -> Ruling:
    thought, said = attempt.turns[-1].reasoning or "", attempt.text
    before, closed, behind = said.partition("</think>")
    if closed and not thought:
        thought, said = before.strip().removeprefix("<think>"), behind
    if attempt.finish != "stop":
        return unsure("did not end by itself", context={"finish": attempt.finish})
    if not thought.strip():
        return failed("no thought can be told from the answer")
    if not said.strip():
        return failed("thought, and never answered")
    if "think>" in said or "think>" in thought:
        return failed("a tag of the thinking stands where none should")
    return passed(score=float(len(words_in(thought))))


# --- Right and wrong, twice -----------------------------------------------------------------------------------


def thought_class(case: Case, check: Check) -> Iterator[Ruling]:
    """Tell of each attempt whether it is right, O or X, and of one that continues another whether that was.

    The value is one of these, and of continuations OO, OX, XO (it corrected itself) or XX, as LongPerceptualThoughts
    calls them (arXiv 2504.15362). Right is what the verifier says against the key, and nothing else.
    """
    right = {each.about[0]: each.status for each in answer_matches(case, check) if each.about}
    for attempt in case.attempts:
        before = attempt.parents[1:] if begun(attempt) is not None else ()
        marks = [{"pass": "O", "fail": "X"}.get(right.get(id, ""), "?") for id in (*before, attempt.id)]
        ruling = unsure("an answer could not be decided") if "?" in marks else passed(value="".join(marks))
        yield ruling._replace(about=(attempt.id,))


def class_of(case: Case) -> dict[str, str]:
    """What `thought_class` said last of each attempt."""
    said = [each for each in case.verdicts if each.rule.startswith("thought_class@") and each.value]
    return {each.subjects[0]: each.value or "" for each in said}


FROM_THE_START = ("O", "OO")
CORRECTED = ("XO",)


def thought_picks(case: Case, check: Check, *, keep: int = 1, seed: int = 42) -> Iterator[Ruling]:
    """Draw of each problem `keep` thoughts that were right from the start, and as many that corrected themselves.

    Among those that nothing before failed, by length: the longest has rank 0 and weight 0.5^rank. A problem with
    neither fails. The value says of which kind an attempt is, the score its length in words. LongPerceptualThoughts
    takes one in ten of the former over all problems, and as many of the latter (arXiv 2504.15362): of ten thoughts
    about each problem that is one, and here it is one of each problem, whatever else is in the pool.
    """
    classes, gone = class_of(case), _failed(case)
    fit = [each for each in case.attempts if each.finish == "stop" and each.id not in gone]
    kinds = {
        "right": [each for each in fit if classes.get(each.id) in FROM_THE_START],
        "corrected": [each for each in fit if classes.get(each.id) in CORRECTED],
    }
    sizes = {name: len(each) for name, each in kinds.items()}
    yield passed(context=sizes) if any(sizes.values()) else failed("no right thought is left", context=sizes)
    value = {each.id: name for name, some in kinds.items() for each in some}
    drawn = {id for some in kinds.values() for id in by_length(lengths_of(some), keep, seed=seed)}
    for attempt in case.attempts:
        if attempt.id not in value:
            ruling = unsure("not among those to choose from")
        else:
            ruling = passed() if attempt.id in drawn else failed("another is chosen")
        score = float(len(words_in(trace(attempt))))
        yield ruling._replace(value=value.get(attempt.id), score=score, about=(attempt.id,))


# --- What a better one takes the place of ---------------------------------------------------------------------


def not_replaced(case: Case, check: Check) -> Iterator[Ruling]:
    """Pass each attempt that no other revises; one that some rule before has failed revises nothing.

    What revises another says so in its details, as `retro` has it.
    """
    gone = _failed(case)
    fit = [each.details for each in case.attempts if each.id not in gone and '"revises":' in each.details]
    replaced = {orjson.loads(details)["revises"] for details in fit}
    for attempt in case.attempts:
        ruling = failed("a shorter one takes its place") if attempt.id in replaced else passed()
        yield ruling._replace(about=(attempt.id,))


# --- What is left ---------------------------------------------------------------------------------------------


def usable(case: Case, check: Check, *, at_least: int = 1, reward_at_least: float = 0.0) -> list[Ruling]:
    """Pass a problem with so many attempts that ended, that nothing before failed, and that are good.

    Good is what `answer_matches` passed where it compared with a reference, and elsewhere what has a reward of so
    much, if that is asked for. The score is how many there are.
    """
    gone, good = _failed(case), _good(case, reward_at_least)
    left = [each for each in case.attempts if each.finish == "stop" and each.id not in gone and each.id in good]
    context = {"n": len(case.attempts)}
    if len(left) < at_least:
        return [failed("too few attempts are left", score=float(len(left)), context=context)]
    return [passed(score=float(len(left)), context=context)]


def _good(case: Case, reward: float) -> set[str]:
    """The ids of what is right, or of what is rated well where nothing can be right."""
    matched = [each for each in case.verdicts if each.rule.startswith("answer_matches@")]
    if case.problem.answer and matched:
        return {id for each in matched if each.status == "pass" for id in each.subjects}
    if reward <= 0:
        return {each.id for each in case.attempts}
    return {id for id, scored in scores_in(case, "reward").items() if scored.score >= reward}


def _failed(case: Case) -> set[str]:
    """What some rule failed when it spoke last."""
    last = {(each.rule.partition("@")[0], id): each.status for each in case.verdicts for id in each.subjects}
    return {id for (_, id), status in last.items() if status == "fail"}
