"""Scores of a text that is there already: how likely a model finds it, or how good a reward model.

A request for a score is a `Request` whose last message, the assistant's, is what is scored. It is journaled as every
other, under the digest of all that decides it. An engine that scores has `score`, beside `send`:

    likelihood   {"logprobs": [null | number, ...], "usage": {...}}    one for each token of the text, in nats
    reward       {"reward": number, "usage": {...}}

A token is told null where nothing comes before it, so that nothing foretells it. The text is in tokens by itself, as
a model writes it, and without the mark that ends a turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import exp, fsum, isfinite
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from pipelines.inference.engine import Again, Engine, Misconfigured, Refused
from pipelines.inference.model import Message, Model, Request
from pipelines.records import digest

Kind = Literal["likelihood", "reward"]


@runtime_checkable
class Scorer(Protocol):
    """An engine that also scores: one try, as `send`."""

    async def score(self, request: Request) -> dict[str, Any]: ...


def scoring(model: Model, kind: Kind, messages: Sequence[Message], text: str, *, draw: int = 0) -> Request:
    """The request for the score of `text` as what the assistant says after `messages`.

    They may be none, and then there is no system prompt either. Where the last of them is the assistant's, too, that
    is how its turn begins: given, not scored.
    """
    before = model.conversation(messages) if messages else []
    conversation = [*before, {"role": "assistant", "content": text}]
    key = bytes.fromhex(digest("score", kind, model.identity(), conversation))
    return Request(model, conversation, {"max_tokens": 1}, 0, 0, 1, draw, key, kind)


class Pieces(NamedTuple):
    """A request for a score, taken apart."""

    asked: Sequence[Message]
    begun: str  # what the assistant has said already
    text: str  # what it says then: this is scored


def pieces(request: Request) -> Pieces:
    """What is given and what is scored."""
    *given, scored = request.messages
    if given and given[-1]["role"] == "assistant":
        return Pieces(given[:-1], given[-1]["content"], scored["content"])
    return Pieces(given, "", scored["content"])


async def put(engine: Engine, request: Request) -> dict[str, Any]:
    """One try at a request: an answer, or a score. Raises what engines raise."""
    if request.score is None:
        return await engine.send(request)
    if not isinstance(engine, Scorer):
        model = request.model
        scorers = '"transformers:MODEL", "vllm:MODEL" or "openai:MODEL@URL"'
        raise Misconfigured(f"{model.role}: the engine {model.engine!r} tells no {request.score}; use {scorers}")
    return await engine.score(request)


# --- Replies --------------------------------------------------------------------------------------------------


class Likelihood(NamedTuple):
    """How likely a text is, in nats: over the tokens that anything comes before."""

    sum: float
    mean: float
    tokens: int

    @property
    def perplexity(self) -> float | None:
        """None where it is beyond any number."""
        return exp(-self.mean) if self.mean > -700 else None


def summed(logprobs: Sequence[float | None]) -> Likelihood | None:
    """The likelihood of a text from those of its tokens; None where none has a number."""
    known = [each for each in logprobs if each is not None]
    return Likelihood(fsum(known), fsum(known) / len(known), len(known)) if known else None


def paired(
    some: Sequence[float | None], others: Sequence[float | None]
) -> tuple[list[float | None], list[float | None]]:
    """The same tokens of a text under two conditions, without those of which one tells nothing.

    Counted from the end: its first tokens may be others where something comes before them.
    """
    both = [pair for pair in zip(reversed(some), reversed(others), strict=False) if None not in pair]
    return [one for one, _ in both], [other for _, other in both]


def checked_logprobs(logprobs: Sequence[float | None]) -> list[float | None]:
    """Logarithms of probabilities, as they are journaled. Raises Refused for what is none."""
    if any(each is not None and (not isfinite(each) or each > 1e-3) for each in logprobs):
        raise Refused("a token has a probability that is no number")
    return [None if each is None else round(min(each, 0.0), 6) for each in logprobs]


def checked_reward(rewards: Sequence[float], who: str) -> float:
    """The one number of a reward model. Raises Misconfigured for several, Refused for what is no number."""
    if len(rewards) != 1:
        raise Misconfigured(f"{who} gives {len(rewards)} numbers for a conversation; a reward model gives one")
    if not isfinite(rewards[0]):
        raise Refused("the reward is no number")
    return float(rewards[0])


# --- Endpoints ------------------------------------------------------------------------------------------------

Ask = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""`ask(path, body)` POSTs to a path below the server's root, as "v1/completions", and gives what it says, read.
It adds the model's name. Raises Refused, Misconfigured or Again."""


def plain(messages: Sequence[Message]) -> str:
    """A conversation as plain text: every message with an empty line after it. What base models are shown."""
    return "".join(f"{each['content']}\n\n" for each in messages)


def unrepeated(shown: str, text: str) -> str:
    """A text that is to follow what is shown, without the `<think>` that a template has opened already."""
    if shown.rstrip().endswith("<think>") and text.lstrip().startswith("<think>"):
        return text.lstrip().removeprefix("<think>").removeprefix("\n")
    return text


async def score_by_vllm(request: Request, ask: Ask) -> dict[str, Any]:
    """A score from a vLLM server: `/tokenize` and `prompt_logprobs`, or `/classify`."""
    return await (_reward_by_vllm if request.score == "reward" else _likelihood_by_vllm)(request, ask)


async def score_by_echo(request: Request, ask: Ask) -> dict[str, Any]:
    """A likelihood from any completions that honour `echo` with `logprobs`. The model is shown plain text.

    A token counts that holds a character of the text, also where it holds one of the prompt.
    """
    if request.score == "reward":
        raise Misconfigured(f'{request.model.role}: scoring = "echo" tells no rewards; use a vLLM server')
    asked, begun, text = pieces(request)
    given = plain(asked) + begun
    body = {"prompt": given + text, "max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1}
    said = await ask("v1/completions", body)
    with _reading(said):
        told = (said["choices"][0].get("logprobs") or {}) if said["choices"] else {}
        ends = _ends(told.get("text_offset") or [], told.get("tokens") or [])
        whole = len(given + text)
        counted = [i for i, (start, end) in enumerate(ends) if start < whole and end > len(given)]
        if not counted or ends[0][0] != 0:
            raise _ignores(request, "echo with logprobs")
        return _likelihood([told["token_logprobs"][i] for i in counted], said)


async def _likelihood_by_vllm(request: Request, ask: Ask) -> dict[str, Any]:
    asked, begun, scored = pieces(request)
    shown: dict[str, Any] = {"messages": asked, "add_generation_prompt": True} if asked else {"prompt": ""}
    told = await ask("tokenize", {**shown, "return_token_strs": True})
    with _reading(told):
        given, end = list(told["tokens"]), "".join(told["token_strs"][-2:]).replace("Ċ", "\n")
    if begun:
        given += await _tokens(ask, unrepeated(end, begun))
    text = await _tokens(ask, scored if begun else unrepeated(end, scored))
    body = {"prompt": [*given, *text], "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}
    said = await ask("v1/completions", body)
    with _reading(said):
        told = said["choices"][0].get("prompt_logprobs")
        if told is None or len(told) != len(given) + len(text):
            raise _ignores(request, "prompt_logprobs")
        pairs = zip(told[len(given) :], text, strict=True)
        return _likelihood([None if each is None else each[str(token)]["logprob"] for each, token in pairs], said)


async def _tokens(ask: Ask, text: str) -> list[int]:
    told = await ask("tokenize", {"prompt": text, "add_special_tokens": False})
    with _reading(told):
        return list(told["tokens"])


async def _reward_by_vllm(request: Request, ask: Ask) -> dict[str, Any]:
    """`/classify` on a sequence classification model, without the activation that it would put behind the number."""
    said = await ask("classify", {"messages": request.messages, "use_activation": False})
    with _reading(said):
        reward = checked_reward(said["data"][0]["probs"], f"{request.model.role} ({request.model.name})")
        return {"reward": reward, **_kept(said)}


def _ends(starts: Sequence[int], tokens: Sequence[str]) -> list[tuple[int, int]]:
    """Where each token begins, and where the next one does."""
    return list(zip(starts, [*starts[1:], *[starts[-1] + len(tokens[-1])] * bool(starts)], strict=False))


def _likelihood(logprobs: Sequence[float | None], said: Mapping[str, Any]) -> dict[str, Any]:
    return {"logprobs": checked_logprobs(logprobs), **_kept(said)}


def _kept(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: said[name] for name in ("model", "usage") if said.get(name) is not None}


def _ignores(request: Request, feature: str) -> Misconfigured:
    model = request.model
    other = '"echo"' if feature == "prompt_logprobs" else '"vllm"'
    return Misconfigured(
        f"{model.role} ({model.name} at {model.url}) ignores {feature}: no likelihood can be had from it; "
        f"serve the model with vLLM, use transformers:MODEL, or try scoring = {other}"
    )


@contextmanager
def _reading(said: Any) -> Iterator[None]:
    """Whatever is not there in a reply that should be: the reply is none, and may come out right again."""
    try:
        yield
    except (AttributeError, LookupError, TypeError) as error:
        excerpt = " ".join(str(said).split())[:200]
        raise Again(f"status 200, but no score: {excerpt}", by_row=True, paid=True) from error
