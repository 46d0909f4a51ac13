"""What a loaded model computes: answers and scores, a batch at a time. None of it belongs in an event loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from math import ceil
from typing import TYPE_CHECKING, Any, TypeVar

from pipelines.inference.decoding import Row, banned_words, how
from pipelines.inference.engine import Refused
from pipelines.inference.loaded import Loaded, begun, check_room, shown, spelled
from pipelines.inference.model import Message, Request, seed_of
from pipelines.inference.places import Stopping
from pipelines.inference.scoring import checked_logprobs, checked_reward, pieces

if TYPE_CHECKING:
    import torch  # pyright: ignore[reportMissingImports]

AT_ONCE = 1024  # tokens whose logits are held at once while scoring: of a vocabulary of 150,000, 600 MB of them

Result = dict[str, Any] | Refused | Stopping

T = TypeVar("T")


def _each(requests: Sequence[Request], prepare: Callable[[Request], T]) -> list[T | Refused]:
    """What each request comes to, or why it is refused: one bad row costs the others of its batch nothing."""

    def prepared(request: Request) -> T | Refused:
        try:
            return prepare(request)
        except Refused as why:
            return why

    return [prepared(request) for request in requests]


# --- Answers --------------------------------------------------------------------------------------------------


def answers(loaded: Loaded, requests: Sequence[Request], is_over: Callable[[], bool]) -> list[Result]:
    """The reply to each request: its answers as one chat completion. Those that `is_over` breaks off are Stopping."""
    asked = _each(requests, lambda request: _rows(loaded, request))
    rows = [row for each in asked if isinstance(each, list) for row in each]
    if rows:
        _generate(loaded, rows, is_over)
    return [_completion(loaded, each) if isinstance(each, list) else each for each in asked]


def _rows(loaded: Loaded, request: Request) -> list[Row]:
    """The answers that a request asks for, each with a seed of its own. Raises Refused or Misconfigured."""
    sampling = how(request.sampling, loaded.defaults, loaded.who)
    banned = banned_words(sampling.bad_words, lambda text: spelled(loaded, text))
    asked, said = _taken_apart(request)
    prompt = begun(loaded, asked, said)
    check_room(loaded, len(prompt), sampling.max_tokens)
    seeds = [request.seed, *(seed_of(request.seed, "choice", i) for i in range(1, request.n))]
    return [Row(prompt, sampling, seed, loaded.speaks, banned) for seed in seeds]


def _taken_apart(request: Request) -> tuple[Sequence[Message], str]:
    """What is asked, and what of the answer is there already, where it is to be continued."""
    return (request.messages[:-1], request.messages[-1]["content"]) if request.continues else (request.messages, "")


def _generate(loaded: Loaded, rows: Sequence[Row], is_over: Callable[[], bool]) -> None:
    """Take all rows to their end, in one batch padded on the left."""
    import torch  # pyright: ignore[reportMissingImports]

    def choose(_: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Leave each row nothing but the token that it picks; one at its end gets any."""
        chosen = torch.full_like(logits, -torch.inf)
        for place, row in enumerate(rows):
            chosen[place, 0 if row.finish else row.step(logits[place])] = 0
        return chosen

    def ended(tokens: torch.Tensor, scores: Any, **more: Any) -> torch.Tensor:
        return torch.tensor([is_over() or row.finish is not None for row in rows], device=tokens.device)

    # Else it would mix the sampling of the model's own generation_config.json into what each row does itself.
    plan = import_module("transformers").GenerationConfig(do_sample=False, pad_token_id=0)
    plan.max_new_tokens = max(row.how.max_tokens for row in rows)
    width = max(len(row.prompt) for row in rows)
    tokens, seen = _batch([(width - len(row.prompt), row.prompt, 0) for row in rows], loaded.net.device)
    with torch.inference_mode():
        loaded.net.generate(
            tokens,
            attention_mask=seen,
            generation_config=plan,
            logits_processor=[choose],
            stopping_criteria=[ended],
        )


def _batch(rows: Sequence[tuple[int, Sequence[int], int]], device: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of tokens between paddings of these lengths, and the mask of what is seen of them."""
    import torch  # pyright: ignore[reportMissingImports]

    tokens = [[0] * before + list(row) + [0] * after for before, row, after in rows]
    seen = [[0] * before + [1] * len(row) + [0] * after for before, row, after in rows]
    return torch.tensor(tokens, device=device), torch.tensor(seen, device=device)


def _completion(loaded: Loaded, rows: Sequence[Row]) -> Result:
    if any(row.finish is None for row in rows):
        return Stopping()
    usage = {"prompt_tokens": len(rows[0].prompt), "completion_tokens": sum(len(row.tokens) for row in rows)}
    return {"choices": [_choice(row) for row in rows], "usage": usage, "model": loaded.named}


def _choice(row: Row) -> dict[str, Any]:
    told: dict[str, Any] = {"message": {"content": row.text}, "finish_reason": row.finish}
    return told if row.how.logprobs is None else {**told, "logprobs": {"content": row.logprobs}}


# --- Scores ---------------------------------------------------------------------------------------------------


def likelihoods(loaded: Loaded, requests: Sequence[Request], is_over: Callable[[], bool]) -> list[Result]:
    """For each text the log-probability of every token after all before it."""
    texts = _each(requests, lambda request: _text(loaded, request))
    good = [each for each in texts if not isinstance(each, Refused)]
    found = iter(_logprobs(loaded, [[*given, *text] for given, text in good]) if good else [])
    return [each if isinstance(each, Refused) else _likelihood(loaded, *each, next(found)) for each in texts]


def _text(loaded: Loaded, request: Request) -> tuple[list[int], list[int]]:
    """What is given and what is scored, as tokens. Raises Refused where they are too long, or nothing is scored."""
    asked, said, scored = pieces(request)
    given = begun(loaded, asked, said)
    text = spelled(loaded, scored) if said else begun(loaded, asked, scored)[len(given) :]
    if not text:
        raise Refused("there is no text to score")
    check_room(loaded, len(given) + len(text), 0)
    return given, text


def _likelihood(loaded: Loaded, given: Sequence[int], text: Sequence[int], told: Sequence[float]) -> Result:
    whole = len(given) + len(text)
    try:
        return _scored(loaded, whole, logprobs=checked_logprobs([None, *told][len(given) : whole]))
    except Refused as why:
        return why


def _logprobs(loaded: Loaded, rows: Sequence[Sequence[int]]) -> list[list[float]]:
    """For each row of tokens what all but the first have; padded on the right, where no token looks."""
    import torch  # pyright: ignore[reportMissingImports]

    width = max(map(len, rows))
    tokens, seen = _batch([(0, row, width - len(row)) for row in rows], loaded.net.device)
    with torch.inference_mode():
        return _next_logprobs(loaded.net, tokens, seen).tolist()


def _next_logprobs(net: Any, tokens: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """What each token but the first has after those before it, a stretch at a time: logits are large."""
    import torch  # pyright: ignore[reportMissingImports]

    count, width = tokens.shape
    stretch = ceil(AT_ONCE / count)
    found, past = list[torch.Tensor](), None
    for start in range(0, width - 1, stretch):
        stop = min(start + stretch, width - 1)
        out = net(
            input_ids=tokens[:, start:stop], attention_mask=seen[:, :stop], past_key_values=past, use_cache=True
        )
        past, logits = out.past_key_values, out.logits.float()
        following = logits.gather(2, tokens[:, start + 1 : stop + 1, None])[..., 0]
        found.append(following - logits.logsumexp(2))
    return torch.cat(found, 1) if found else torch.zeros(count, 0)


def rewards(loaded: Loaded, requests: Sequence[Request], is_over: Callable[[], bool]) -> list[Result]:
    """The number that a sequence classification model gives each whole conversation.

    One by one: where such a model looks for the end of a text is by its padding token, which texts may hold.
    """
    return _each(requests, lambda request: _reward(loaded, request))


def _reward(loaded: Loaded, request: Request) -> Result:
    import torch  # pyright: ignore[reportMissingImports]

    text = shown(loaded, request.messages, asks=False)
    tokens = loaded.tokenizer.encode(text, add_special_tokens=loaded.plain)
    check_room(loaded, len(tokens), 0)
    ids = torch.tensor([tokens], device=loaded.net.device)
    with torch.inference_mode():
        numbers = loaded.net(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].float().tolist()
    return _scored(loaded, len(tokens), reward=checked_reward(numbers, loaded.who))


def _scored(loaded: Loaded, tokens: int, **score: Any) -> dict[str, Any]:
    return {**score, "usage": {"prompt_tokens": tokens, "completion_tokens": 0}, "model": loaded.named}
