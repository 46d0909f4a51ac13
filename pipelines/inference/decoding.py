"""One answer under way: how its next token is sampled, and when it is at its end.

Rows of a batch share the forward pass and nothing else. Each has its own parameters and its own chance, from its own
seed, and picks by itself: so of the same logits it always makes the same token, whoever is beside it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from math import log
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.inference.engine import Misconfigured

if TYPE_CHECKING:
    import torch  # pyright: ignore[reportMissingImports]

FEW = 1024  # of the likeliest tokens hold nearly always the share that is asked for; else all are sorted
SLACK = 8  # tokens more than a stop has bytes: such as a character cut in two, or one that says nothing


class How(NamedTuple):
    """How one request samples: every parameter, with what it is where nobody says."""

    max_tokens: int
    temperature: float = 1.0  # 0: always the likeliest token
    top_p: float = 1.0
    top_k: int = 0  # 0: of all tokens; or -1, as vLLM has it
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    stop: Sequence[str] = ()
    bad_words: Sequence[str] = ()
    logprobs: int | None = None


LIMITS: Mapping[str, tuple[float, float]] = {
    "temperature": (0, float("inf")),
    "top_p": (1e-9, 1),
    "top_k": (-1, float("inf")),
    "min_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "repetition_penalty": (1e-9, float("inf")),
    "logprobs": (0, 100),
}


def how(sampling: Mapping[str, Any], defaults: Mapping[str, Any], who: str) -> How:
    """A request's parameters over the model's own. Raises Misconfigured for what cannot be, or is not known here."""
    if unknown := sampling.keys() - set(How._fields):
        raise Misconfigured(
            f"{who}: the engine transformers has no sampling parameter {', '.join(sorted(unknown))}; "
            f"there are: {', '.join(How._fields)}"
        )
    for name, (low, high) in LIMITS.items():
        if name in sampling and not low <= sampling[name] <= high:
            raise Misconfigured(f"{who}: {name} = {sampling[name]} should lie between {low:g} and {high:g}")
    if "" in sampling.get("stop", ()):
        raise Misconfigured(f"{who}: stop holds an empty text, which ends every answer before it begins")
    return How(**{**defaults, **sampling})


class Speaks(NamedTuple):
    """What a row needs to know of the model that speaks."""

    decode: Callable[[Sequence[int]], str]
    ends: Collection[int]  # tokens that end an answer


class Row:
    """One answer: what it was asked, as tokens, and what it has come to. `finish` is None until it is at its end."""

    def __init__(
        self, prompt: Sequence[int], how: How, seed: int, speaks: Speaks, banned: Sequence[Sequence[int]]
    ) -> None:
        self.prompt = prompt
        self.how = how
        self.tokens: list[int] = []
        self.finish: str | None = None
        self.logprobs: list[dict[str, Any]] = []
        self._speaks = speaks
        self._banned = banned
        self._chance = random.Random(seed)
        self._counts: Counter[int] = Counter()
        self._seen = set(prompt)
        self._window = SLACK + max((len(each.encode()) for each in how.stop), default=0)

    def step(self, logits: torch.Tensor) -> int:
        """The next token, from the model's logits for it: one number for each word of its vocabulary."""
        logits = logits.to("cpu" if logits.device.type == "mps" else logits.device).double()  # MPS has no doubles
        token = self._pick(logits)
        if self.how.logprobs is not None:
            self.logprobs.append(self._told(logits, token))
        self.tokens.append(token)
        self._counts[token] += 1
        self._seen.add(token)
        self._look_for_the_end(token)
        return token

    @property
    def text(self) -> str:
        """The answer up to the first stop, without the token that ends it."""
        is_ended = bool(self.tokens) and self.tokens[-1] in self._speaks.ends
        text = self._speaks.decode(self.tokens[: len(self.tokens) - is_ended])
        return text[: min((at for stop in self.how.stop if (at := text.find(stop)) >= 0), default=len(text))]

    def _pick(self, logits: torch.Tensor) -> int:
        logits = self._penalised(logits)
        if self.how.temperature == 0:
            return int(logits.argmax())
        cumulative = distribution(logits, self.how).cumsum(0)
        return int((cumulative > self._chance.random() * cumulative[-1]).to(int).argmax())  # the first above

    def _penalised(self, logits: torch.Tensor) -> torch.Tensor:
        """Without the tokens that would complete a bad word, and less of what was said before, as vLLM does it."""
        import torch  # pyright: ignore[reportMissingImports]

        logits, how = logits.clone(), self.how
        for words in self._banned:
            if self.tokens[len(self.tokens) - len(words) + 1 :] == list(words[:-1]) or len(words) == 1:
                logits[words[-1]] = -torch.inf
        if how.repetition_penalty != 1:
            seen = torch.tensor(sorted(self._seen), device=logits.device)
            some = logits[seen]
            logits[seen] = torch.where(some > 0, some / how.repetition_penalty, some * how.repetition_penalty)
        if self._counts and (how.presence_penalty or how.frequency_penalty):
            said = torch.tensor(list(self._counts), device=logits.device)
            times = torch.tensor(list(self._counts.values()), device=logits.device)
            logits[said] -= how.frequency_penalty * times + how.presence_penalty
        return logits

    def _told(self, logits: torch.Tensor, token: int) -> dict[str, Any]:
        """The token and the likeliest ones, with what the model itself gives them: before any parameter."""
        logprobs = logits.log_softmax(0)
        most = logprobs.topk(self.how.logprobs or 0)
        likeliest = [self._named(id, p) for p, id in zip(most.values.tolist(), most.indices.tolist(), strict=True)]
        return {**self._named(token, float(logprobs[token])), "top_logprobs": likeliest}

    def _named(self, token: int, logprob: float) -> dict[str, Any]:
        return {"token": self._speaks.decode([token]), "logprob": round(max(logprob, -9999.0), 6)}

    def _look_for_the_end(self, token: int) -> None:
        if token in self._speaks.ends or self._says_a_stop():
            self.finish = "stop"
        elif len(self.tokens) >= self.how.max_tokens:
            self.finish = "length"

    def _says_a_stop(self) -> bool:
        if not self.how.stop:
            return False
        last = self._speaks.decode(self.tokens[-self._window :])
        return any(stop in last for stop in self.how.stop)


def distribution(logits: torch.Tensor, how: How) -> torch.Tensor:
    """The probabilities that are sampled from: temperature, then min_p, top_k and top_p, in vLLM's order."""
    import torch  # pyright: ignore[reportMissingImports]

    scaled = logits / how.temperature
    if how.min_p > 0:
        scaled = scaled.masked_fill(scaled < scaled.max() + log(how.min_p), -torch.inf)
    if 0 < how.top_k < len(scaled):
        scaled = scaled.masked_fill(scaled < scaled.topk(how.top_k).values[-1], -torch.inf)
    if how.top_p < 1:
        kept = _nucleus(scaled.softmax(0), how.top_p)
        scaled = torch.full_like(scaled, -torch.inf).index_copy(0, kept, scaled[kept])
    return scaled.softmax(0)


def _nucleus(probabilities: torch.Tensor, share: float) -> torch.Tensor:
    """The fewest tokens that together have this share, the likeliest first."""
    few, where = probabilities.topk(min(FEW, len(probabilities)))
    if few.sum() < share:
        few, where = probabilities.sort(descending=True)
    return where[few.cumsum(0) - few < share]


def banned_words(words: Sequence[str], encode: Callable[[str], Sequence[int]]) -> list[Sequence[int]]:
    """The tokens of each bad word, at the beginning of a text and behind a space."""
    spelled = [encode(before + word.lstrip()) for word in words for before in ("", " ")]
    return [each for each in spelled if each]
