"""What queries ask of our own code, so that a view reads a text as the rules and stages read it."""

from __future__ import annotations

import re
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, TypedDict

import orjson

from filters.trace import steps
from filters.verifiers import code
from filters.verifiers import judgement as judgements
from pipelines.records import to_json

if TYPE_CHECKING:
    import duckdb


def add_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Make these known to SQL. Of null each gives null."""
    connection.create_function("steps_in", steps, ["VARCHAR"], "VARCHAR[]")
    connection.create_function("judgement_in", judgement, ["VARCHAR"], "VARCHAR")
    connection.create_function("without_solution", without_solution, ["VARCHAR"], "VARCHAR")
    begin = "STRUCT(text VARCHAR, steps BIGINT)"
    connection.create_function("shared_steps", shared_steps, ["VARCHAR", "VARCHAR"], begin)


def judgement(reply: str) -> str:
    """What a judge's reply says: yes, no, A, B or tie; empty where nothing can be read."""
    return judgements.final_answer(reply) or ""


def without_solution(reference: str) -> str:
    """Tests without the program that passes them: no reward reads it, and trainers write references into logs."""
    if code.gold(reference) is None:
        return reference
    return to_json({key: value for key, value in orjson.loads(reference).items() if key != "solution"})


class Begin(TypedDict):
    """How two texts begin: what they share, and how many steps that is."""

    text: str
    steps: int


def shared_steps(one: str, other: str) -> Begin:
    """The longest beginning of both texts that ends where a step of both ends, with the blanks behind it.

    No steps, and no text, where they share nothing but the mark that opens a thought.
    """
    pairs = enumerate(zip(one, other, strict=False))
    same = next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
    ends, theirs = step_ends(one, stop=same), set(step_ends(other, stop=same))
    cut = max((end for end in ends if end in theirs), default=0)
    if one[:cut].strip() in ("", "<think>"):
        return {"text": "", "steps": 0}
    blanks = len(one[cut:same]) - len(one[cut:same].lstrip())
    return {"text": one[: cut + blanks], "steps": ends.index(cut) + 1}


_SIGN = re.compile(r"\S")


def step_ends(text: str, *, stop: int) -> list[int]:
    """Where each step ends that ends before `stop`, as `filters.trace.steps` cuts the whole text.

    Steps leave out nothing but blanks, so they are found again by counting all other signs.
    """
    places = [found.end() for found in _SIGN.finditer(text, 0, stop)]
    counts = accumulate(len("".join(step.split())) for step in steps(text))
    return [places[count - 1] for count in takewhile(lambda count: count <= len(places), counts)]
