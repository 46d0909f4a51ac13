"""Reading a programming task: which function is asked for, and with which numbers."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple

HEADER = re.compile(r"`(\w+)\((\w+)\)`")
ORDINALS = {"second": 2, "third": 3, "fourth": 4, "fifth": 5}

PATTERNS: dict[str, str] = {
    "chosen": r"returns the (?P<what>number|sum|list).* that are "
    r"(?P<how>greater than|at least|less than|at most|divisible by) (?P<k>-?\d+)",
    "clipped": r"every number below (?P<k>-?\d+) is replaced .* every number above (?P<high>-?\d+)",
    "ranked": r"the (?P<place>second|third|fourth|fifth) (?P<what>largest|smallest) of its distinct values",
    "runs": r"run-length code(?:.*Runs of fewer than (?P<k>\d+))?",
    "words": r"words that have at least (?P<k>\d+) characters, in their order(?P<what> and each only once)?",
    "digits": r"the (?P<what>sum|largest|number) of its digits.*in base (?P<k>\d+)",
    "rotated": r"items moved (?P<k>\d+) places to the (?P<what>left|right)",
    "chunks": r"cut into lists of (?P<k>\d+) items.*at the end is (?P<what>a shorter list|left out)",
    "every": r"begins with (?P<what>its first|the item number).*every (?P<k>\d+)th item",
    "windows": r"for each (?P<k>\d+) neighbouring items, the (?P<what>sum|largest|smallest)",
    "shifted": r"moved (?P<k>\d+) places (?P<what>forward|back) in the alphabet",
    "stretch": r"longest stretch .* all (?P<how>greater than|at least|less than) (?P<k>-?\d+)",
    "pairs": r"pairs of items .* that (?P<what>add up to|differ by) (?P<k>\d+)",
    "divided": r"can be divided by (?P<k>\d+) without a remainder",
}
"""What each family is known by, and where its numbers and words stand."""


class Meant(NamedTuple):
    """A task as it was understood. `k` is its number, `what` and `how` are the words that it turns on."""

    family: str
    name: str
    argument: str
    k: int
    high: int
    what: str
    how: str


def understood(question: str, *, misread: float) -> Meant | None:
    """What a question asks for; None where it is of no family that is known.

    A share `misread` of all questions is misunderstood, and always in the same way: whoever reads one of those errs
    together with everybody else.
    """
    header = HEADER.search(question)
    if header is None:
        return None
    for family, pattern in PATTERNS.items():
        if found := re.search(pattern, question, re.S):
            meant = _meant(family, header, found.groupdict())
            return meant._replace(k=meant.k + 1) if chance(question, "misread") < misread else meant
    return None


def _meant(family: str, header: re.Match[str], said: Mapping[str, str | None]) -> Meant:
    k = int(said.get("k") or ORDINALS.get(said.get("place") or "", 1))
    words = (said.get("what") or "", said.get("how") or "")
    return Meant(family, header[1], header[2], k, int(said.get("high") or 0), *words)


def chance(question: str, of: str) -> float:
    """A number from 0 to 1 that belongs to a question."""
    return int.from_bytes(blake2b(f"{of} {question}".encode(), digest_size=6).digest()) / 2**48
