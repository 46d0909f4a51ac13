"""Reading an episode: what was called, and what it came to."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

OBSERVED = "What the calls came to:"
BLOCK = re.compile(r"^```(calls|results)[ \t]*\n(.*?)^```[ \t]*$", re.M | re.S)
LISTS = re.compile(r"^- (list_\w+)\(\)", re.M)
Call = tuple[str, dict[str, Any]]


class Seen(NamedTuple):
    """A call and what it came to; None where it failed."""

    tool: str
    given: Mapping[str, Any]
    came: Any


def whole(messages: Sequence[Mapping[str, str]]) -> str | None:
    """A conversation as one text, where its last word is what calls came to; else None."""
    if not messages or not messages[-1]["content"].startswith(OBSERVED):
        return None
    return "\n\n".join(each["content"] for each in messages if each["role"] != "system")


def seen(text: str) -> list[Seen]:
    """Every call of which a text tells what it came to, in order."""
    found, before = [], []
    for label, lines in BLOCK.findall(text):
        if label == "calls":
            before = lines.splitlines()
        else:
            found += [_seen(call, came) for call, came in zip(before, lines.splitlines(), strict=False)]
    return found


def _seen(call: str, came: str) -> Seen:
    match _value(call):
        case [str() as tool, dict() as given]:
            return Seen(tool, given, _value(came))
    return Seen("", {}, None)


def _value(said: str) -> Any:
    try:
        return json.loads(said)
    except (ValueError, RecursionError):
        return None


def first(found: Sequence[Seen], tool: str) -> Any:
    """What the first call of a tool came to; an empty list where there was none."""
    return next((each.came for each in found if each.tool == tool and each.came is not None), [])


def block(calls: Sequence[Call]) -> str:
    """Calls as a message makes them."""
    return "\n".join(["```calls", *(json.dumps(each) for each in calls), "```"])


def program(calls: Sequence[Call]) -> str:
    """Calls as an answer hands them in."""
    return f"def solve():\n    return {[list(each) for each in calls]!r}"
