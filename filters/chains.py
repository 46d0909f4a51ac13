"""Problems in a chain: a number of each is said by the answer to the one before.

`chained` writes several problems as one, so that nobody can solve the next without the answer to the one before;
`resolved` takes the text apart again, given the answers. Done by code alone: nothing is asked of a model. After
R-Horizon (arXiv 2510.08189), with our own words around the problems.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from filters.whole_numbers import Number

_INTEGER = re.compile(r"-?[0-9]{1,15}")
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")


def whole(answer: str | None) -> int | None:
    """An answer that is a whole number and nothing else, without braces, spaces and commas between thousands."""
    plain = _THOUSANDS.sub("", re.sub(r"[{}\s]", "", (answer or "")[:100]))
    return int(plain) if _INTEGER.fullmatch(plain) else None


def chained(questions: Sequence[str], answers: Sequence[str], keys: Sequence[Number | None]) -> str:
    """The questions as one text; of each with a key, that number is said by the answer to the question before.

    Raises ValueError for a key of the first, or behind an answer that is no whole number.
    """
    blocks = []
    for place, (question, key) in enumerate(zip(questions, keys, strict=True), start=1):
        if key is not None:
            before = whole(answers[place - 2]) if place > 1 else None
            if before is None:
                raise ValueError(f"problem {place} hangs on the answer before, which is no whole number")
            question = f"{_link(place, key.value - before)}\n{_opened(question, key, place)}"
        blocks.append(f"Problem {place}:\n{question}")
    return "\n\n".join(blocks)


def _link(place: int, difference: int) -> str:
    sign = "+" if difference > 0 else "-"
    apart = f" {sign} {abs(difference)}" if difference else ""
    there = f"[answer{place - 1}]"
    return f"Here [variable{place}] is {there}{apart}, where {there} is the answer to Problem {place - 1}."


def _opened(question: str, key: Number, place: int) -> str:
    """The question with its variable where the number stood: by position, since a number may stand there twice."""
    name = f"{{[variable{place}]}}" if key.in_math else f"[variable{place}]"
    return f"{question[: key.start]}{name}{question[key.stop :]}"


_BLOCK = re.compile(r"^Problem ([0-9]{1,3}):\n", re.MULTILINE)
_LINK = re.compile(
    r"Here \[variable([0-9]{1,3})\] is \[answer([0-9]{1,3})\](?: ([+-]) ([0-9]{1,31}))?,"
    r" where \[answer\2\] is the answer to Problem \2\.\n"
)


def resolved(text: str, answers: Mapping[int, str]) -> dict[int, str | None]:
    """Each question of a chain as it was, by its place; None where it hangs on one that is not there."""
    parts = _BLOCK.split(text)
    blocks = {int(place): block.removesuffix("\n\n") for place, block in zip(parts[1::2], parts[2::2], strict=True)}
    return {place: _closed(block, place, blocks, answers) for place, block in blocks.items()}


def _closed(block: str, place: int, blocks: Mapping[int, str], answers: Mapping[int, str]) -> str | None:
    link = _LINK.match(block)
    if link is None:
        return block
    before = int(link[2])
    answer = whole(answers.get(before)) if before in blocks else None
    if answer is None:
        return None
    value = str(answer + int(f"{link[3] or '+'}{link[4] or 0}"))
    name = f"[variable{place}]"
    return block[link.end() :].replace(f"{{{name}}}", value).replace(name, value)
