"""Which features an endpoint honours, measured: many answer 200 and ignore what they do not know.

A dozen short requests, each of which comes out differently where its parameter is ignored. What they ask for does not
depend on how clever the model is: one of random weights shows the same.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from pipelines.inference.engine import Again, Answer, Engine, Refused, finish, read
from pipelines.inference.model import Message, Model, Request

COUNT = [{"role": "user", "content": "Count from one to fifty in words, and say nothing else."}]
BEGUN = [*COUNT, {"role": "assistant", "content": "one two three four five"}]
CODE = "flour-7"  # nothing that a model says by itself
SCHEMA = {
    "type": "object",
    "properties": {"code": {"const": CODE}},
    "required": ["code"],
    "additionalProperties": False,
}
NOT_CONTINUED = {"add_generation_prompt": True, "continue_final_message": False}
WORD = re.compile(r"(?<!\w)[A-Za-z]+(?!\w)|[!-/:-@]")
SHORT, LONG = 8, 24  # tokens
LETTERS = 24  # at the most that a token has, with room: what is far longer was not limited


class Feature(NamedTuple):
    """A feature, whether it is honoured (None: that could not be told), and what showed it."""

    name: str
    honoured: bool | None
    evidence: str


class Endpoint(NamedTuple):
    """What is probed, and what it says when asked plainly."""

    engine: Engine
    model: Model
    plain: str

    async def ask(
        self,
        sampling: Mapping[str, Any],
        *,
        messages: Sequence[Message] = COUNT,
        n: int = 1,
        seed: int = 1,
    ) -> dict[str, Any]:
        """Its reply. Raises what the engine raises."""
        given = {"max_tokens": LONG, "temperature": 0.0, **sampling}
        return await self.engine.send(Request(self.model, messages, given, seed, 0, n))


async def features(engine: Engine, model: Model) -> list[Feature]:
    """What an endpoint honours of the table below, in its order.

    Raises Again, Refused, Misconfigured or Outage where it does not even answer a plain question.
    """
    endpoint = Endpoint(engine, model, "")
    endpoint = endpoint._replace(plain=text(await endpoint.ask({})))
    return [await _probe(name, probe, endpoint) for name, probe in PROBES.items()]


Probe = Callable[[Endpoint], Awaitable[tuple[bool | None, str]]]


async def _probe(name: str, probe: Probe, endpoint: Endpoint) -> Feature:
    try:
        return Feature(name, *await probe(endpoint))
    except Refused as error:
        return Feature(name, False, f"refused: {error}")
    except Again as error:
        return Feature(name, None, f"no answer: {error}")


async def max_tokens(endpoint: Endpoint) -> tuple[bool | None, str]:
    """Whether an answer ends at the limit."""
    reply = await endpoint.ask({"max_tokens": SHORT})
    said, tokens = text(reply), (reply.get("usage") or {}).get("completion_tokens")
    is_short = tokens <= SHORT if isinstance(tokens, int) else len(said) <= SHORT * LETTERS
    ends = finish(reply["choices"][0])
    counted = f"{tokens} tokens" if tokens is not None else f"{len(said)} characters"
    return is_short and (ends == "length" or said == endpoint.plain), f"{counted} of {SHORT}, ended with {ends!r}"


async def usage(endpoint: Endpoint) -> tuple[bool | None, str]:
    """Whether the tokens of prompt and answer are told."""
    told = (await endpoint.ask({})).get("usage") or {}
    counts = [told.get("prompt_tokens"), told.get("completion_tokens")]
    return all(isinstance(each, int) and each > 0 for each in counts), f"prompt and completion tokens: {counts}"


async def several(endpoint: Endpoint) -> tuple[bool | None, str]:
    number = len((await endpoint.ask({"temperature": 1.0}, n=2))["choices"])
    return number == 2, f"{number} of 2 choices came back"


async def seed(endpoint: Endpoint) -> tuple[bool | None, str]:
    """Whether a seed decides the answer."""
    hot = {"temperature": 1.0}
    first, again = [text(await endpoint.ask(hot, seed=7)) for _ in range(2)]
    others = {text(await endpoint.ask(hot, seed=each)) for each in (11, 13)}
    if first != again:
        return False, "the same seed twice, two answers"
    if others == {first}:
        return None, "every seed gives the same answer"
    return True, "the same seed twice, one answer; another seed, another answer"


async def stop(endpoint: Endpoint) -> tuple[bool | None, str]:
    """Whether an answer ends before the text at which it is to stop."""
    mark = _middle(endpoint.plain)
    if not mark:
        return None, f"it says too little to be stopped: {endpoint.plain!r}"
    said = text(await endpoint.ask({"stop": [mark]}))
    before = endpoint.plain.partition(mark)[0]
    return mark not in said and said.strip() == before.strip(), f"to be stopped at {mark!r}, it ended {said[-20:]!r}"


async def bad_words(endpoint: Endpoint) -> tuple[bool | None, str]:
    """Whether a word that is not to be said is not said."""
    if not (found := WORD.search(endpoint.plain)):
        return None, "it says no words"
    said = text(await endpoint.ask({"bad_words": [found[0]]}))
    return found[0] not in WORD.findall(said), f"{found[0]!r} forbidden, it began {said[:20]!r}"


async def logprobs(endpoint: Endpoint) -> tuple[bool | None, str]:
    """Whether every token comes with its alternatives."""
    reply = await endpoint.ask({"logprobs": 2})
    told = (reply["choices"][0].get("logprobs") or {}).get("content") or []
    alternatives = [len(each.get("top_logprobs") or []) for each in told]
    return bool(told) and all(alternatives), f"{len(told)} tokens, with {sum(alternatives)} alternatives"


async def prompt_logprobs(endpoint: Endpoint) -> tuple[bool | None, str]:
    """Whether the tokens of the prompt have log-probabilities."""
    reply = await endpoint.ask({"extra": {"prompt_logprobs": 0}})
    told = reply.get("prompt_logprobs") or []
    return len(told) > 1, f"{len(told)} tokens of the prompt have one"


async def response_format(endpoint: Endpoint) -> tuple[bool | None, str]:
    """Whether an answer has the form that its schema asks for."""
    asked = {"type": "json_schema", "json_schema": {"name": "code", "schema": SCHEMA, "strict": True}}
    how = {"extra": {"response_format": asked}, "max_tokens": 4 * LONG, "temperature": 1.0}
    said = text(await endpoint.ask(how))
    dense = "".join(said.split())  # it may put blanks anywhere, and so be cut
    return bool(dense) and f'{{"code":"{CODE}"}}'.startswith(dense), f"it said {said[:60]!r}"


async def structured_outputs(endpoint: Endpoint) -> tuple[bool | None, str]:
    said = text(await endpoint.ask({"extra": {"structured_outputs": {"choice": [CODE]}}}))
    return said.strip() == CODE, f"it said {said[:60]!r}"


async def continue_final_message(endpoint: Endpoint) -> tuple[bool | None, str]:
    """A prefix that is continued has no end of its turn behind it: its prompt is shorter than one to be answered."""
    continued = await endpoint.ask({}, messages=BEGUN)
    answered = await endpoint.ask({"extra": NOT_CONTINUED}, messages=BEGUN)
    fewer, more = ((each.get("usage") or {}).get("prompt_tokens") for each in (continued, answered))
    if fewer is None or more is None:
        return None, "it does not count the prompt's tokens"
    return fewer < more, f"tokens of the prompt, continued and not: {fewer}, {more}"


PROBES: dict[str, Probe] = {
    "max_tokens": max_tokens,
    "usage": usage,
    "n": several,
    "seed": seed,
    "stop": stop,
    "bad_words": bad_words,
    "logprobs": logprobs,
    "prompt_logprobs": prompt_logprobs,
    "response_format": response_format,
    "structured_outputs": structured_outputs,
    "continue_final_message": continue_final_message,
}


def text(reply: dict[str, Any]) -> str:
    """What the first choice says, its reasoning before its answer."""
    answer: Answer = read(reply)[0]
    return (answer.turn.reasoning or "") + (answer.turn.content or "")


def _middle(said: str) -> str:
    """Some letters from the first half of a text, which occur nowhere before; empty where there are none."""
    for length, start in product((3, 2, 1), range(len(said) // 2, 0, -1)):
        mark = said[start : start + length]
        if re.fullmatch(r"[!-~ ]+", mark) and mark.strip() == mark and said.find(mark) == start:
            return mark
    return ""
