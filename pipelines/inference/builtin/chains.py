"""Chains of problems: solving one after another, and telling which of a problem's numbers its answer hangs on."""

import re
from random import Random
from typing import NamedTuple

from . import solve
from .faults import Faults

WEARY = 0.15  # how much likelier a slip becomes with every further problem

BLOCK = re.compile(r"^Problem (\d+):[ \t]*\n", re.M)
LINK = re.compile(r"\[variable(\d+)\] is \[answer(\d+)\](?: ([+-]) (\d+))?[^\n]*\n")
ASKED = re.compile(r"\n\s*\n(?=Solve all of these problems\b)")
MARKED = re.compile(r"<task>\s*(.*?)\[\[(\d+)\]\](.*?)\s*</task>", re.S)
UNREADABLE = "I cannot work this one out, so I give no answer to it."


class Chain(NamedTuple):
    """Problems by their numbers, as they stand in the request."""

    problems: dict[int, str]


class Key(NamedTuple):
    """A problem, as it is, and with another number in place of the marked one."""

    problem: str
    another: str


def read_chain(prompt: str) -> Chain | None:
    """A request to solve several problems that ends in a form for all answers."""
    parts = BLOCK.split(ASKED.split(prompt)[0])
    if "### Final Answers" not in prompt or len(parts) < 3:
        return None
    return Chain({int(place): text.strip() for place, text in zip(parts[1::2], parts[2::2], strict=True)})


def solve_chain(chain: Chain, given: str, *, rng: Random, faults: Faults) -> str:
    """Every problem in turn, each with what was found before; a wrong answer is carried on."""
    found: dict[int, str] = {}
    parts = []
    for place, text in chain.problems.items():
        slip = min(1.0, faults.slip * (1 + WEARY * (place - 1)))
        question = opened(text, place, found)
        solution = solve.solve(question, rng=rng, slip=slip) if question else solve.Solution(UNREADABLE, None)
        if solution.answer is not None:
            found[place] = solution.answer
        parts.append(f"## Problem {place}\n{unboxed(solution.text)}")
    if rng.random() < faults.last_only:
        found = dict(list(found.items())[-1:])
    return "\n\n".join([*parts, *listed(found)])


def opened(text: str, place: int, found: dict[int, str]) -> str | None:
    """A problem with the value of its variable put in; None where that is not known, or no number from 1 on."""
    link = LINK.search(text)
    if link is None:
        return text
    before = found.get(int(link[2]), "")
    if not re.fullmatch(r"-?\d+", before):
        return None
    value = int(before) + int(f"{link[3] or '+'}{link[4] or 0}")
    name = f"[variable{place}]"
    rest = text[link.end() :].replace(f"{{{name}}}", str(value)).replace(name, str(value))
    return rest if value > 0 else None


def unboxed(text: str) -> str:
    """A solution whose answer is told without a box: boxes are for the list at the end."""
    return re.sub(r"\\boxed\{([^{}]*)\}", r"\1", text)


def listed(found: dict[int, str]) -> list[str]:
    lines = [f"Problem {place}: \\boxed{{{answer}}}" for place, answer in found.items()]
    return ["\n".join(["### Final Answers", *lines])] if lines else []


def read_key(prompt: str) -> Key | None:
    """A request to say whether an answer hangs on the number between double brackets."""
    marked = MARKED.search(prompt)
    if marked is None or "<confidence>" not in prompt:
        return None
    before, number, after = marked.groups()
    return Key(f"{before}{number}{after}", f"{before}{int(number) + 1}{after}")


def judge_key(key: Key, given: str, *, rng: Random, faults: Faults) -> str:
    """Work the problem out with another number: if that can be done and changes the answer, the number is key."""
    own, other = solve.truth(key.problem), solve.truth(key.another)
    known = own is not None and other is not None
    yes = (own != other if known else own is None) != (rng.random() < faults.misjudge_key)
    why = f"With the next number the answer would be {other}." if known else "I judge by the look of it."
    sure = "high" if known else "low"
    parts = {"reason": why, "verdict": "yes" if yes else "no", "confidence": sure}
    return "\n".join(f"<{tag}>\n{inside}\n</{tag}>" for tag, inside in parts.items())
