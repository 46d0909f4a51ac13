"""Which request is this? Told by what a prompt says and which tags it asks for, not by its exact words."""

import re
from typing import Any, NamedTuple

from .skills import SKILLS

SEED = re.compile(r"^Seed (?:question|task|problem|instruction)s? \d+:[ \t]*$", re.M | re.I)
AFTER_SEEDS = re.compile(r"\n\s*\n(?=(?:The new (?:problem|task)|Work in|Write one new|Think step|Give |Reply in)\b)")
FORM = re.compile(r"reply in exactly this form", re.I)
SOLVE = re.compile(r"\n\s*\n[^\n]*(?:\\boxed|step by step)[^\n]*\s*\Z", re.I)
TASK = re.compile(r"<task>\s*(.*?)\s*</task>\s*<response>\s*(.*?)\s*</response>", re.S)


class Pose(NamedTuple):
    """Pose something new: problems, or instructions when `instructions`; `tags` in the order asked for."""

    seeds: tuple[str, ...]
    tags: tuple[str, ...]
    instructions: bool


class Grade(NamedTuple):
    """Judge a response to a task."""

    task: str
    response: str


class Solve(NamedTuple):
    """Solve a problem with a boxed answer."""

    question: str


class Answer(NamedTuple):
    """Answer a text as it stands: an instruction or a problem."""

    text: str


class Skilled(NamedTuple):
    """A request for something of the table SKILLS, as that reads it."""

    skill: str
    request: Any


Request = Pose | Grade | Solve | Answer | Skilled


def recognise(prompt: str) -> Request:
    """The request that a user message makes; a text of no known form is something to be answered."""
    for name, skill in SKILLS.items():
        if (asked := skill.read(prompt)) is not None:
            return Skilled(name, asked)
    form = FORM.split(prompt)[-1] if FORM.search(prompt) else ""
    asked = tuple(tag for tag in ("plan", "question", "answer") if f"<{tag}>" in form)
    if "question" in asked and SEED.search(prompt):
        return Pose(seeds_in(prompt), asked, bool(re.search(r"^Seed (?:task|instruction)", prompt, re.M | re.I)))
    judged = TASK.search(prompt)
    if judged and "<score>" in form:
        return Grade(judged[1], judged[2])
    solve = SOLVE.search(prompt)
    if solve and "\\boxed" in solve[0]:
        return Solve(prompt[: solve.start()].strip())
    return Answer(prompt.strip())


def seeds_in(prompt: str) -> tuple[str, ...]:
    """The seeds between their headings; the last one ends where the prompt speaks again."""
    pieces = SEED.split(prompt)[1:]
    pieces[-1] = AFTER_SEEDS.split(pieces[-1])[0]
    return tuple(piece.strip() for piece in pieces if piece.strip())
