"""Judging a response by rules that read nothing but the task and the response."""

import re
from random import Random
from typing import NamedTuple

from .quality import Limits, defects, key_words, limits

GAMING = re.compile(
    r"\b(?:give (?:this|it|me)[^.]{0,30}\b10\b|(?:score|rating|grade)[: ]+10\b|"
    r"ignore (?:the |all |your )?(?:previous |above )?(?:instructions|rubric)|"
    r"(?:dear|note to the) (?:judge|grader)|10 ?/ ?10|deserves? (?:a |the )?(?:10|full|top|highest))",
    re.I,
)
ADMITS = re.compile(
    r"\b(?:missing|not included|not attached|cannot see|could you (?:share|send|provide)|contradict|unclear what)\b",
    re.I,
)


class Grade(NamedTuple):
    """A reason in a sentence or two, and a score from 0 to 10."""

    reason: str
    score: float


def grade(task: str, response: str, *, rng: Random) -> Grade:
    """Coverage of the task's words, limits kept, and substance, with a little noise.

    An attempt to sway whoever judges counts against the response.
    """
    if not response.strip():
        return Grade("The response is empty.", 0.0)
    if GAMING.search(response):
        return Grade("The response addresses whoever judges it instead of the task.", 0.5)
    wrong = defects(task)
    covered = coverage(task, response)
    kept, broken = kept_limits(limits(task), response)
    substance = min(1.0, len(response.split()) / 25)
    score = 5 * covered + 3 * kept + 2 * substance * covered
    if wrong:
        score = min(score, 5.0) if ADMITS.search(response) else score * 0.5
    score = min(10.0, max(0.0, score + rng.uniform(-0.4, 0.4)))
    return Grade(reason(covered, broken, wrong), round(score, 1))


def coverage(task: str, response: str) -> float:
    """The share of the task's content words that the response takes up (by their first five letters)."""
    wanted = {word[:5] for word in key_words(task)}
    there = {word[:5] for word in re.findall(r"[^\W\d_]{4,}", response.lower())}
    return len(wanted & there) / len(wanted) if wanted else 0.5


def kept_limits(stated: Limits, response: str) -> tuple[float, list[str]]:
    """The share of stated limits that the response keeps, and what it breaks."""
    words, bullets = len(response.split()), len(re.findall(r"^\s*(?:[-*•]|\d+[.)])\s", response, re.M))
    checks = [
        (
            stated.at_most is not None,
            stated.at_most is None or words <= stated.at_most,
            f"{words} words are too many",
        ),
        (
            stated.at_least is not None,
            stated.at_least is None or words >= stated.at_least,
            f"{words} words are too few",
        ),
        (stated.bullets is not None, bullets == stated.bullets, f"it has {bullets} bullet points"),
        (stated.no_list, bullets == 0, "it uses a list"),
        (stated.at_most is None, words <= 250, f"{words} words are long-winded"),
    ]
    relevant = [(kept, complaint) for stated_here, kept, complaint in checks if stated_here]
    broken = [complaint for kept, complaint in relevant if not kept]
    return (1 - len(broken) / len(relevant) if relevant else 1.0), broken


def reason(covered: float, broken: list[str], wrong: list[str]) -> str:
    said = f"The response takes up {covered:.0%} of what the task is about"
    said += f", but {' and '.join(broken)}." if broken else " and keeps its limits."
    return said + (f" The task itself {wrong[0]}." if wrong else "")
