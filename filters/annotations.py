"""What a judge says of a problem or a trace besides right or wrong: its level, domain, strategies, first wrong step.

As in `filters.verifiers.judging`, what is judged stands between marks that it cannot close, and only well-formed
marks in the reply count. Several votes come to one ruling; those that cannot be read are left out and counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from filters.rule import Ruling, failed, passed, unsure
from filters.trace import STRATEGIES, steps
from filters.verifiers.judging import between_marks, read_judgement, spoken

LEVELS = range(1, 11)
QUOTED = 300  # characters of a step in the evidence

# --- What a judge is shown ------------------------------------------------------------------------------------


def problem_alone(question: str) -> str:
    return f"<task>\n{between_marks(question)}\n</task>"


def number_marked(question: str, start: int, stop: int) -> str:
    """A task in which one number stands between double brackets."""
    return problem_alone(f"{question[:start]}[[{question[start:stop]}]]{question[stop:]}")


def with_trace(question: str, trace: str) -> str:
    """A task and a trace, each step with its number, from 1."""
    numbered = "\n".join(f"[{number}] {between_marks(each)}" for number, each in enumerate(steps(trace), start=1))
    return f"{problem_alone(question)}\n<trace>\n{numbered}\n</trace>"


# --- What it replies ------------------------------------------------------------------------------------------

_LEVEL = re.compile(r"<level>\s{0,9}(\d{1,2})\s{0,9}</level>")
_STEP = re.compile(r"<step>\s{0,9}(none|\d{1,5})\s{0,9}</step>", re.IGNORECASE)
_VERBOSITY = re.compile(r"<verbosity>\s{0,9}(\d{1,2})\s{0,9}</verbosity>")
_DOMAIN = re.compile(r"<domain>([^<]{1,200})</domain>")
_TOPIC = re.compile(r"<topic>([^<]{1,200})</topic>")
_DASH = re.compile(r"^- (.+)$", re.MULTILINE)
_LISTED = re.compile(r"<strategies>([^<]{0,2000})</strategies>")


def read_level(reply: str) -> int | None:
    """The level from 1 to 10; None where there is none, or several."""
    found = {int(level) for level in _LEVEL.findall(spoken(reply))}
    return min(found) if len(found) == 1 and found <= set(LEVELS) else None


def read_verbosity(reply: str) -> int | None:
    """From 0 to 10; None where there is none, or several."""
    found = {int(said) for said in _VERBOSITY.findall(spoken(reply))}
    return min(found) if len(found) == 1 and max(found) <= 10 else None


def listed(prompt: str) -> list[str]:
    """What a prompt lists, each in a line behind a dash."""
    return [each.strip() for each in _DASH.findall(prompt)]


def read_domain(reply: str, domains: Sequence[str]) -> str | None:
    """The one of these domains that is named; None where none is, or several."""
    said = {each.strip(" \n-*.").lower() for each in _DOMAIN.findall(spoken(reply))}
    return next((each for each in domains if said == {each.lower()}), None)


def read_topic(reply: str) -> str | None:
    """The topic, in one line; None where there is none."""
    found = _TOPIC.findall(spoken(reply))
    return " ".join(found[-1].split()) or None if found else None


def read_step(reply: str, count: int) -> int | None:
    """The number of the first wrong step of so many, 0 for none; None where neither is said, or several."""
    found = {0 if step.lower() == "none" else int(step) for step in _STEP.findall(spoken(reply))}
    return min(found) if len(found) == 1 and min(found) <= count else None


def read_strategies(reply: str) -> frozenset[str] | None:
    """Those of the known strategies that are listed; None where there is no list, or several."""
    lists = {
        frozenset(name for each in re.split(r"[,;\n]", listed) if (name := each.strip(" -*.").lower()) in STRATEGIES)
        for listed in _LISTED.findall(spoken(reply))
    }
    return min(lists, key=sorted) if len(lists) == 1 else None


# --- What its votes come to -----------------------------------------------------------------------------------

UNREADABLE = "no judgement can be read"


def level(replies: Sequence[str]) -> Ruling:
    """The mean level, from 1 to 10."""
    votes = [vote for vote in map(read_level, replies) if vote is not None]
    if not votes:
        return unsure(UNREADABLE)
    return passed(score=fmean(votes), evidence={"votes": votes})


def domain(replies: Sequence[str], domains: Sequence[str]) -> Ruling:
    """The domain that most votes name, and what those who name it say the topic is."""
    votes = [(name, read_topic(reply)) for reply in replies if (name := read_domain(reply, domains))]
    if not votes:
        return unsure(UNREADABLE)
    counts = Counter(name for name, _ in votes)
    most = max(domains, key=lambda name: counts[name])
    topics = [topic for name, topic in votes if name == most and topic]
    return passed(value=most, evidence={"votes": dict(sorted(counts.items())), "topics": topics})


def verbosity(replies: Sequence[str]) -> Ruling:
    """The mean verbosity, from 0 to 10."""
    votes = [vote for vote in map(read_verbosity, replies) if vote is not None]
    if not votes:
        return unsure(UNREADABLE)
    return passed(score=fmean(votes), evidence={"votes": votes})


def strategies_shown(replies: Sequence[str]) -> Ruling:
    """The strategies that at least half of the votes list; the score is how many these are."""
    votes = [vote for vote in map(read_strategies, replies) if vote is not None]
    if not votes:
        return unsure(UNREADABLE)
    counts = Counter(name for vote in votes for name in vote)
    shown = {name: counts[name] for name in STRATEGIES if 2 * counts[name] >= len(votes)}
    return passed(score=float(len(shown)), evidence={"strategies": shown, "votes": len(votes)})


def first_error(replies: Sequence[str], trace: str) -> Ruling:
    """Pass a trace whose steps are all right, as most votes have it; the value is the number of the first wrong one.

    The score is the share of the steps before it, 1 when there is none. Unsure where votes are tied.
    """
    told = steps(trace)
    votes = Counter(vote for reply in replies if (vote := read_step(reply, len(told))) is not None)
    if not votes:
        return unsure(UNREADABLE)
    [(step, most), *others] = votes.most_common()
    evidence: dict[str, Any] = {"votes": {str(each): votes[each] for each in sorted(votes)}, "steps": len(told)}
    if others and others[0][1] == most:
        return unsure("the judge's votes disagree", evidence=evidence)
    if step == 0:
        return passed(score=1.0, value="none", evidence=evidence)
    evidence["step"] = told[step - 1][:QUOTED]
    return failed("a step is wrong", score=(step - 1) / len(told), value=str(step), evidence=evidence)


# --- Whether a number is key ------------------------------------------------------------------------------------

CONFIDENCE = ("low", "medium", "high")
_CONFIDENCE = re.compile(r"<confidence>\s{0,9}(low|medium|high)\s{0,9}</confidence>", re.IGNORECASE)


def read_key(reply: str, confidence: str) -> Ruling:
    """Whether a judge says, at least so confident, that an answer hangs on a number; the score is 1 for yes."""
    yes, found = read_judgement(reply), {each.lower() for each in _CONFIDENCE.findall(spoken(reply))}
    if yes is None or len(found) != 1:
        return unsure("no judgement can be read")
    sure = found.pop()
    evidence = {"confidence": sure}
    if not yes:
        return failed("the answer does not hang on it", score=0.0, evidence=evidence)
    if CONFIDENCE.index(sure) < CONFIDENCE.index(confidence):
        return unsure("the judge is not confident enough", score=1.0, evidence=evidence)
    return passed(score=1.0, evidence=evidence)
