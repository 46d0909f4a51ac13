"""What is right: answers compared with references. Knows no record type.

`VERIFIERS` is the table of what exists. Each entry finds the final answer in a response and says whether it
is the same as a reference answer; `workers.Workers` runs the comparisons where they cannot do harm.
"""

from collections.abc import Callable
from dataclasses import dataclass

from filters.verifiers import choice, math


@dataclass(frozen=True, slots=True)
class Verifier:
    """How answers of one kind are found and compared. A change in what is accepted raises `version`.

    `final_answer` takes a response. Both comparisons take the reference first and say None for "cannot
    tell"; `same_quickly` may be called anywhere, `same` only where it can be killed.
    """

    final_answer: Callable[[str], str | None]
    same_quickly: Callable[[str, str], bool | None]
    same: Callable[[str, str], bool | None]
    version: int


VERIFIERS = {
    "math": Verifier(math.final_answer, math.same_quickly, math.same, version=1),
    "choice": Verifier(choice.final_answer, choice.same_quickly, choice.same, version=1),
}


def verifier(name: str) -> Verifier:
    """The verifier of that name; a KeyError with the names that exist if there is none."""
    if name not in VERIFIERS:
        raise KeyError(f"no verifier {name!r}; there are: {', '.join(sorted(VERIFIERS))}")
    return VERIFIERS[name]
