"""Which model plays a role, and how it is asked: everything that decides a reply, apart from what does not."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pipelines.records import to_json

Message = Mapping[str, str]


class BadModel(ValueError):
    """A model that a recipe or the command line describes wrongly."""


_WHOLE, _TEXTS = (int, "a whole number"), (list | tuple, "a list of texts")
_KINDS: dict[str, tuple[Any, str]] = {
    "max_tokens": _WHOLE,
    "top_k": _WHOLE,
    "logprobs": _WHOLE,
    "stop": _TEXTS,
    "bad_words": _TEXTS,
    "extra": (Mapping, "a table"),
}
_NUMBER = (int | float, "a number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to sample. None leaves a parameter to the engine's own default; everything else is part of the request.

    `logprobs` is how many alternatives per token to ask for; `extra` is sent as it stands, for what one engine
    knows and others do not.
    """

    max_tokens: int = 4096
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    stop: Sequence[str] | None = None
    bad_words: Sequence[str] | None = None
    logprobs: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises BadModel for a value that no engine could use."""
        for name, value in self.given().items():
            kind, words = _KINDS.get(name, _NUMBER)
            if isinstance(value, bool) or not isinstance(value, kind):
                raise BadModel(f"sampling parameter {name} = {value!r} should be {words}")
        if self.max_tokens < 1:
            raise BadModel(f"sampling parameter max_tokens = {self.max_tokens} should be at least 1")

    def given(self) -> dict[str, Any]:
        """The parameters that have a value."""
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return {name: value for name, value in values.items() if value is not None and value != {}}

    def but(self, changes: Mapping[str, Any]) -> Sampling:
        """These with some changed. Raises BadModel for a name that is none."""
        if unknown := changes.keys() - {each.name for each in dataclasses.fields(self)}:
            names = ", ".join(each.name for each in dataclasses.fields(self))
            raise BadModel(f"no sampling parameter {', '.join(sorted(unknown))}; there are: {names}")
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model bound to a role. `identity` decides its replies; the rest is about reaching it."""

    role: str
    engine: str  # a name in ENGINES
    name: str
    revision: str | None = None
    deployment: str | None = None  # a label for how it is served: precision, engine version, provider
    system: str | None = None  # a system prompt before every conversation
    sampling: Sampling = field(default_factory=Sampling)
    settings: Mapping[str, Any] = field(default_factory=dict)  # the engine's own, such as the builtin's faults
    # What does not count: none of these changes a reply.
    url: str | None = None
    key_env: str | None = None  # the environment variable that holds the key
    in_flight: int = 128  # requests at once
    timeout: float = 1800.0  # seconds for one reply, waiting for a place apart
    outage_limit: float = 900.0  # seconds without any reply, after which the run ends as resumable
    price: Mapping[str, float] = field(default_factory=dict)  # per million tokens: input, output; `batch`, a factor
    requests_per_minute: float | None = None  # for each endpoint, as are the tokens
    tokens_per_minute: float | None = None  # of prompt and answer; an answer counts as max_tokens until it is there
    endpoints: Sequence[Mapping[str, Any]] = ()  # beside `url`: url, and of the above weight, key_env, in_flight, …
    reasoning: bool | None = None  # whether it thinks at length by itself; None: nobody says
    batch: bool = False  # through the provider's batch API
    serving: Mapping[str, Any] = field(default_factory=dict)  # how a managed engine is started

    def identity(self) -> dict[str, Any]:
        """What is part of every request, besides messages, sampling, seed and sample."""
        return {
            "engine": self.engine,
            "name": self.name,
            "revision": self.revision,
            "deployment": self.deployment,
            "system": self.system,
            "settings": dict(self.settings),
        }

    def conversation(self, messages: Sequence[Message]) -> list[Message]:
        """The messages as they are sent, behind the system prompt if there is one."""
        return [{"role": "system", "content": self.system}, *messages] if self.system else list(messages)


class Request(NamedTuple):
    """One request: `n` samples of one conversation, nearly always one.

    A last message by the assistant is a prefix that the answer continues.
    """

    model: Model
    messages: Sequence[Message]
    sampling: Mapping[str, Any]  # the parameters that are given, with `max_tokens`
    seed: int  # 0 to 2**31 - 1
    sample: int
    n: int = 1
    draw: int = 0  # where in the run it belongs: earlier ones are sent first; no part of the key
    key: bytes = b""  # its own, in the journal
    score: Literal["likelihood", "reward"] | None = None  # of the last message, the assistant's; None: it is answered
    prompt: str = ""  # the template's name, where there is one; no part of the key

    @property
    def continues(self) -> bool:
        return self.messages[-1]["role"] == "assistant"


class Asking(NamedTuple):
    """A model with sampling parameters and a conversation, digested once for all its samples."""

    model: Model
    sampling: dict[str, Any]
    messages: list[Message]
    base: Any  # a hash over all but max_tokens, to be copied for each sample
    prompt: str = ""

    def request(self, *, seed: int, sample: int, draw: int, n: int = 1) -> tuple[bytes, Request]:
        """A request and its journal key: the digest of everything about it except `max_tokens`."""
        key = self.base.copy()
        key.update(b"%d %d %d" % (seed, sample, n))
        digest = key.digest()
        return digest, Request(
            self.model, self.messages, self.sampling, seed, sample, n, draw, digest, prompt=self.prompt
        )


def asking(model: Model, sampling: Sampling, messages: Sequence[Message], prompt: str = "") -> Asking:
    """A conversation with a model, ready to be asked for samples."""
    conversation = model.conversation(messages)
    given = sampling.given()
    counted = {name: value for name, value in given.items() if name != "max_tokens"}
    text = to_json([model.identity(), counted, conversation])
    return Asking(model, given, conversation, hashlib.blake2b(text.encode(), digest_size=16), prompt)


def seed_of(*parts: str | int) -> int:
    """A sampling seed from a run's seed, a problem's id and a sample index: never `seed + i`."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1
