"""Environments with tools that a model works in: calls that stand in its text, and what they come to.

An environment is Python that defines `start()`, which gives a fresh one, with a method `call(tool, **arguments)`. A
row brings it as the `setup` of a reference of the verifier `code`. Calls are written as text, one a line in a block
labelled `calls`, each a JSON list of a tool and its arguments: `["add", {"item": "pear"}]`. They run in a sandbox and
nowhere else, all of an episode one after another in a fresh environment: what the last ones come to is a function of
the environment and of all calls so far.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import orjson

from filters.verifiers import code
from filters.verifiers.code.confine import Limits, Over, finish, sandbox
from pipelines.records import Attempt

VERSION = 1  # raise it with the way that calls are read and played
SECONDS = 4.0  # of wall time for all calls of an episode so far
MAX_CALLS, MAX_SHOWN = 20, 4_000  # of one message; characters of one result

OBSERVED = "What the calls came to:"
_BLOCK = re.compile(r"^```calls[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_PLAYER = """

def _play():
    import json, sys
    world, said = start(), []
    for tool, arguments in json.load(sys.stdin):
        try:
            said.append([True, world.call(tool, **arguments)])
        except Exception as problem:
            said.append([False, f"{type(problem).__name__}: {problem}"])
    print("\\n" + json.dumps(said, default=lambda value: type(value).__name__))

_play()
"""


def environment_of(reference: str | None) -> str | None:
    """The source of the environment that a reference sets up, if it does."""
    if not reference or code.problem_with(reference):
        return None
    source = orjson.loads(reference).get("setup", "")
    return source if re.search(r"^def start\(\)", source, re.MULTILINE) else None


def calls_in(text: str) -> list[str]:
    """The lines of the last block of calls in a message that are not blank; none where there is no block."""
    blocks = _BLOCK.findall(text)
    return [line.strip() for line in blocks[-1].split("\n") if line.strip()][:MAX_CALLS] if blocks else []


def play(environment: str, calls: Sequence[str]) -> list[str]:
    """What each of these lines came to in a fresh environment: JSON, or a text that begins with `error:`.

    A line that is no call is not played. Raises Refused where there is no sandbox.
    """
    read = [_call(line) for line in calls]
    given = f"[{', '.join(each for each in read if each is not None)}]".encode()
    source = f"{environment}{_PLAYER}".encode("utf-8", "surrogatepass")
    with sandbox("program", source, limits=Limits()) as box:
        try:
            said = _said(finish(box, given, within=SECONDS)[0], sum(each is not None for each in read))
        except Over as over:
            return [f"error: the environment {over}"] * len(calls)
    results = iter(said)
    return [next(results) if each else 'error: no call: write ["tool", {"argument": "value"}]' for each in read]


def _call(line: str) -> str | None:
    """The line again if it is a call, all of it in ASCII."""
    try:
        tool, arguments = json.loads(line)
        return json.dumps([tool, arguments]) if isinstance(tool, str) and isinstance(arguments, dict) else None
    except (ValueError, TypeError, RecursionError):
        return None


def _said(output: bytes, count: int) -> list[str]:
    """One line for each call; what the environment itself printed stands before the last line."""
    try:
        said = json.loads(output.decode("utf-8", "replace").strip().rpartition("\n")[2])
        results = [json.dumps(what, ensure_ascii=False) if good else f"error: {what}" for good, what in said]
    except (ValueError, TypeError, RecursionError):
        results = []
    shown = [_in_short(" ".join(each.splitlines())) for each in results]
    return shown if len(shown) == count else ["error: the environment broke down"] * count


def _in_short(result: str) -> str:
    """Without half characters, which neither a journal nor a model can be given."""
    whole = result.encode("utf-8", "replace").decode()
    return whole if len(whole) <= MAX_SHOWN else f"{whole[: MAX_SHOWN - 3]}..."


def observation(results: Sequence[str], left: int) -> str:
    """What a model is told of its calls, with how many messages it has left."""
    more = f"You have {left} messages left." if left > 1 else "Your next message is the last: no call in it is made."
    return "\n".join([OBSERVED, "", "```results", *results, "```", "", more])


def transcript(attempt: Attempt) -> str:
    """What was said in an episode after it was opened, without what was thought."""
    first = next(place for place, turn in enumerate(attempt.turns) if turn.role == "assistant")
    return "\n\n".join(turn.content or "" for turn in attempt.turns[first:])
