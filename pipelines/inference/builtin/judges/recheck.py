"""Which option does somebody else's reasoning lead to? Read off its end, and not reasoned anew."""

import re
from random import Random
from typing import NamedTuple

from ..faults import Faults
from ..solve.text import options
from .worth import BOX

ASKS = re.compile(
    r"\s*Somebody has reasoned about this question:\s*<trace>\n(.*?)\n</trace>\s*Take the reasoning", re.S
)


class Again(NamedTuple):
    """A question with lettered options, and the reasoning of another."""

    question: str
    trace: str


def read(prompt: str) -> Again | None:
    """A request to pick an option by a given trace."""
    found = ASKS.search(prompt)
    return Again(prompt[: found.start()].strip(), found[1]) if found else None


def reply(request: Again, given: str, *, rng: Random, faults: Faults) -> str:
    """The letter of the option that the last lines of the trace name; another one now and then."""
    _, lettered = options(request.question)
    if not lettered:
        return "There are no options to choose from."
    letter = led_to(request.trace, lettered) or rng.choice(sorted(lettered))
    if rng.random() < faults.misjudge:
        letter = rng.choice([each for each in sorted(lettered) if each != letter] or [letter])
    return f"\\boxed{{{letter}}}"


def led_to(trace: str, lettered: dict[str, str]) -> str | None:
    """The option whose text or letter stands nearest to the end."""
    boxes = [said.strip() for said in BOX.findall(trace)]
    if boxes and boxes[-1] in lettered:
        return boxes[-1]
    said = trace.lower()
    places = {letter: said.rfind(text.strip(" .").lower()) for letter, text in lettered.items()}
    best = max(places, key=lambda letter: places[letter])
    return best if places[best] >= 0 else None
