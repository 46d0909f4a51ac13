"""Looking around in an environment."""

from random import Random

from ..faults import Faults
from .read import LISTS, OBSERVED, Call, block, first, seen

FOUND = "I have seen enough: I know what there is, and what the tools do with it."


def read(prompt: str) -> str | None:
    """A conversation that is to try out an environment."""
    return prompt if "Find out what there is in it and what its tools do" in prompt else None


def reply(text: str, given: str, *, rng: Random, faults: Faults) -> str:
    """List what there is, look at some of it, then say that it is enough; now and then forget to call anything."""
    looks = text.count(OBSERVED)
    tool = LISTS.search(text)
    if tool is None or looks > 1 or rng.random() < faults.malformed:
        return FOUND
    if looks == 0:
        return f"First I list what there is.\n\n{block([(tool[1], {})])}"
    calls = _closer(tool[1], text, rng)
    return f"Now I try some of it.\n\n{block(calls)}" if calls else FOUND


def _closer(tool: str, text: str, rng: Random) -> list[Call]:
    rows = first(seen(text), tool)
    if not rows:
        return []
    match tool:
        case "list_orders":
            return [("price", {"item": item}) for item in sorted({each["item"] for each in rows})]
        case "list_loans":
            return [("loans_of", {"reader": rng.choice(rows)["reader"]})]
    return [("entries", {"account": rng.choice(rows)})]
